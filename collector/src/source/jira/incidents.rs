//! What Jira tells of issues, where their labels or types in cpvo.toml say which of them are incidents: the one that was
//! touched longest ago first, so that one that is touched meanwhile comes once more.

use super::payload::{Created, is_dropped};
use super::{Jira, read};
use crate::source::tracker::{Report, Reported};
use crate::source::web::{Reply, Tries, onwards};
use anyhow::{Result, bail};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

const PAGE: u32 = 100;
const ROUTE: &str = "search/jql";
const FIELDS: [&str; 10] = [
    "created",
    "updated",
    "resolutiondate",
    "statuscategorychangedate",
    "status",
    "resolution",
    "issuetype",
    "labels",
    "summary",
    "description",
];

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Search {
    issues: Vec<Issue>,
    next_page_token: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Issue {
    key: String,
    fields: Fields,
}

#[derive(Debug, Deserialize)]
struct Fields {
    created: Created,
    updated: Created,
    resolutiondate: Option<Created>,
    statuscategorychangedate: Option<Created>,
    status: Status,
    resolution: Option<Named>,
    issuetype: Option<Named>,
    #[serde(default)]
    labels: Vec<String>,
    summary: Option<String>,
    #[serde(default)]
    description: Value,
}

#[derive(Debug, Deserialize)]
struct Status {
    name: String,
    #[serde(rename = "statusCategory")]
    category: Category,
}

#[derive(Debug, Deserialize)]
struct Category {
    key: String,
}

#[derive(Debug, Deserialize)]
struct Named {
    name: String,
}

impl Issue {
    fn into_reported(self) -> Result<Reported> {
        let Fields { status, resolution, mut labels, .. } = self.fields;
        let is_done = status.category.key == "done";
        let ended = self.fields.resolutiondate.or(self.fields.statuscategorychangedate);
        let mut text = self.fields.summary.unwrap_or_default() + "\n";
        written(&self.fields.description, &mut text);
        labels.extend(self.fields.issuetype.map(|kind| kind.name));
        Ok(Reported {
            key: self.key,
            labels,
            opened_at: self.fields.created.at()?,
            resolved_at: if is_done { Some(ended.unwrap_or(self.fields.updated).at()?) } else { None },
            is_dropped: is_done
                && (is_dropped(&status.name) || resolution.is_some_and(|it| is_dropped(&it.name))),
            text,
        })
    }
}

/// The words and addresses of a document, a line for each of its parts; not what it quotes.
fn written(node: &Value, text: &mut String) {
    if let Some(words) = node.as_str().or_else(|| node["text"].as_str()) {
        text.push_str(words);
    }
    if let Some(url) = node["attrs"]["url"].as_str() {
        text.extend([" ", url, " "]);
    }
    if node["type"] != "blockquote" {
        for part in node["content"].as_array().into_iter().flatten() {
            written(part, text);
        }
    }
    if node["type"] == "hardBreak" || node["content"].is_array() {
        text.push('\n');
    }
}

impl Jira<'_> {
    /// Reads the issues of these projects that were touched since then.
    pub(super) fn touched(&self, projects: &[&str], since: Timestamp, report: Report) -> Result<()> {
        // an instant would be read in the time zone of whose token it is
        let minutes = (self.web.pace.now)().duration_since(since).as_mins() + 1;
        let projects: Vec<String> = projects.iter().map(|key| format!("\"{key}\"")).collect();
        let projects = projects.join(", ");
        let jql =
            format!("project in ({projects}) AND updated >= \"-{minutes}m\" ORDER BY updated ASC, key ASC");
        let (mut size, mut tries, mut after) = (PAGE, Tries::default(), None::<String>);
        let mut known = since;
        loop {
            let mut asked = json!({"jql": jql, "fields": FIELDS, "maxResults": size});
            if let Some(token) = &after {
                asked["nextPageToken"] = json!(token);
            }
            let page: Search = match self.web.post(&format!("/rest/api/3/{ROUTE}"), &asked.to_string())? {
                Reply::Answer(answer) => read(ROUTE, &answer.text)?,
                Reply::Missing(why) => bail!("it answers 404: {why}"),
                Reply::TooMuch(why) => {
                    tries.halve(&mut size, &why)?;
                    continue;
                }
            };
            after = onwards(after.as_ref(), page.next_page_token)?;
            if let Some(newest) = page.issues.last() {
                known = newest.fields.updated.at()?;
            }
            let reported = page.issues.into_iter().map(Issue::into_reported).collect::<Result<_>>()?;
            report(reported, known)?;
            if after.is_none() {
                return Ok(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_says_what_it_does_not_quote() {
        let part = |kind: &str, content: Value| json!({"type": kind, "content": content});
        let words = |text: &str| json!({"type": "text", "text": text});
        let card = json!({"type": "inlineCard", "attrs": {"url": "https://github.com/acme/pay/pull/12"}});
        let document = part(
            "doc",
            json!([
                part("heading", json!([words("Root cause")])),
                part("paragraph", json!([words("Caused "), words("by"), card])),
                part("blockquote", json!([part("paragraph", json!([words("caused by #13")]))])),
                part("paragraph", json!([words("one"), {"type": "hardBreak"}, words("two")])),
            ]),
        );
        let mut text = String::new();
        written(&document, &mut text);
        let expected = "Root cause\nCaused by https://github.com/acme/pay/pull/12 \n\none\ntwo\n\n";
        assert_eq!(text, expected);
        for (plain, expected) in [(json!("as it was written"), "as it was written"), (Value::Null, "")] {
            let mut text = String::new();
            written(&plain, &mut text);
            assert_eq!(text, expected);
        }
    }
}
