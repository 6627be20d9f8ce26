//! What Jira answers, and what of it is kept.

use crate::source::tracker::Found;
use anyhow::{Context, Result, bail};
use jiff::Timestamp;
use meter::outcome::{Move, Standing};
use serde::Deserialize;
use std::collections::BTreeMap;

/// Words in the name of a status or a resolution of work that will not be done.
const DROPPED: [&str; 15] = [
    "cancel",
    "won't",
    "wont",
    "will not",
    "not do",
    "duplicate",
    "reject",
    "declin",
    "obsolete",
    "invalid",
    "abandon",
    "discard",
    "not planned",
    "reproduce",
    "not a bug",
];

/// A part of an answer.
pub(super) trait Page {
    /// The token of the next one.
    fn next(&self) -> Option<&str>;
}

#[derive(Debug, Deserialize)]
pub(super) struct Project {
    pub key: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct Status {
    id: String,
    name: String,
    #[serde(rename = "statusCategory")]
    category: Category,
}

#[derive(Debug, Deserialize)]
struct Category {
    key: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Issues {
    issues: Vec<Issue>,
    #[serde(default)]
    issue_errors: Vec<IssueError>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Issue {
    id: String,
    pub key: String,
    fields: Fields,
}

#[derive(Debug, Deserialize)]
struct Fields {
    updated: String,
    parent: Option<Parent>,
}

/// What an issue is a part of: a story of an epic, a sub-task of a story.
#[derive(Debug, Deserialize)]
struct Parent {
    key: String,
    #[serde(default)]
    fields: ParentFields,
}

#[derive(Debug, Default, Deserialize)]
struct ParentFields {
    issuetype: Option<IssueType>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct IssueType {
    hierarchy_level: Option<i64>,
}

impl Parent {
    /// Whether it is a part of an epic itself.
    fn is_story(&self) -> bool {
        let level = self.fields.issuetype.as_ref().and_then(|kind| kind.hierarchy_level);
        level.is_some_and(|level| level < 1)
    }
}

/// An issue that is there and could not be fetched.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct IssueError {
    #[serde(default)]
    id: String,
    #[serde(default)]
    error_message: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Changelogs {
    issue_change_logs: Vec<Changelog>,
    next_page_token: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Changelog {
    issue_id: String,
    change_histories: Vec<History>,
}

/// What somebody changed at one time.
#[derive(Debug, Deserialize)]
struct History {
    id: String,
    author: Option<Author>,
    created: Created,
    items: Vec<Item>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Author {
    account_id: Option<String>,
}

/// As text, or in seconds or milliseconds since 1970.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Created {
    Text(String),
    Number(i64),
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Item {
    field: String,
    from: Option<String>,
    to: Option<String>,
    to_string: Option<String>,
}

impl Page for Issues {
    fn next(&self) -> Option<&str> {
        None
    }
}

impl Page for Changelogs {
    fn next(&self) -> Option<&str> {
        self.next_page_token.as_deref()
    }
}

impl Status {
    /// What the status says, by its id; a category of none says nothing.
    pub(super) fn standing(self) -> Option<(String, Standing)> {
        let standing = match self.category.key.as_str() {
            "done" if is_dropped(&self.name) => Standing::Dropped,
            "done" => Standing::Done,
            "new" | "indeterminate" => Standing::Open,
            _ => return None,
        };
        Some((self.id, standing))
    }
}

impl Issues {
    pub(super) fn into_issues(self) -> Result<Vec<Issue>> {
        if let Some(IssueError { id, error_message }) = self.issue_errors.first() {
            bail!("it could not fetch the issue {id}: {error_message}");
        }
        Ok(self.issues)
    }
}

impl Issue {
    /// The key of its epic, where it is a part of that itself.
    pub(super) fn epic(&self) -> Option<&String> {
        self.fields.parent.as_ref().filter(|parent| !parent.is_story()).map(|parent| &parent.key)
    }

    /// The key of the story that it is a part of.
    pub(super) fn story(&self) -> Option<&String> {
        self.fields.parent.as_ref().filter(|parent| parent.is_story()).map(|parent| &parent.key)
    }

    pub(super) fn into_found(self, epic: Option<String>) -> (String, Found) {
        (self.key, Found { id: self.id, revision: self.fields.updated, epic })
    }
}

impl Created {
    pub(super) fn at(&self) -> Result<Timestamp> {
        match self {
            Self::Text(text) => text.parse().with_context(|| format!("no time: {text:?}")),
            Self::Number(number) if *number < 100_000_000_000 => Ok(Timestamp::from_second(*number)?),
            Self::Number(number) => Ok(Timestamp::from_millisecond(*number)?),
        }
    }
}

/// How each issue was moved, in order of time, by its id.
pub(super) fn moves(
    answers: Vec<Changelogs>,
    statuses: &BTreeMap<String, Standing>,
) -> Result<BTreeMap<String, Vec<Move>>> {
    // an issue may be told of by several pages, and twice where a page was asked for once more
    let mut histories: BTreeMap<String, BTreeMap<(Timestamp, u64), History>> = BTreeMap::new();
    for log in answers.into_iter().flat_map(|answer| answer.issue_change_logs) {
        let known = histories.entry(log.issue_id).or_default();
        for history in log.change_histories {
            known.insert((history.created.at()?, history.id.parse().unwrap_or(0)), history);
        }
    }
    let of_issue = |histories: BTreeMap<(Timestamp, u64), History>| {
        histories.into_iter().filter_map(|((at, _), history)| history.into_move(at, statuses)).collect()
    };
    Ok(histories.into_iter().map(|(id, histories)| (id, of_issue(histories))).collect())
}

impl History {
    fn into_move(self, at: Timestamp, statuses: &BTreeMap<String, Standing>) -> Option<Move> {
        let item = |field| self.items.iter().find(|item| item.field == field);
        let status = item("status")?;
        let standing = |id: &Option<String>| statuses.get(id.as_ref()?).copied();
        let to = standing(&status.to);
        if let (None, Some(name)) = (to, &status.to_string) {
            tracing::warn!(
                status = name,
                "Jira no longer knows a status: what it said of a ticket is not known"
            );
        }
        let is_dropped = item("resolution").and_then(|it| it.to_string.as_deref()).is_some_and(is_dropped);
        let to = if to == Some(Standing::Done) && is_dropped { Some(Standing::Dropped) } else { to };
        let actor = self.author.and_then(|author| author.account_id);
        Some(Move { at, actor, from: standing(&status.from), to })
    }
}

pub(super) fn is_dropped(name: &str) -> bool {
    let name = name.to_lowercase().replace('’', "'");
    DROPPED.iter().any(|word| name.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_time(json: &str, expected: &str) {
        let created: Created = serde_json::from_str(json).unwrap();
        assert_eq!(created.at().unwrap().to_string(), expected, "{json}");
    }

    #[test]
    fn a_time_is_read_however_it_is_written() {
        check_time("\"2026-11-20T13:00:00.250+0100\"", "2026-11-20T12:00:00.25Z");
        check_time("\"2026-11-20T12:00:00Z\"", "2026-11-20T12:00:00Z");
        check_time("1492070429", "2017-04-13T08:00:29Z");
        check_time("1492070429250", "2017-04-13T08:00:29.25Z");
        assert!(Created::Text("soon".to_owned()).at().is_err());
    }

    #[test]
    fn work_that_will_not_be_done_is_known_by_its_name() {
        for name in ["Won't Do", "Won’t fix", "Duplicate", "CANCELLED", "Cannot Reproduce", "Not a Bug"] {
            assert!(is_dropped(name), "{name}");
        }
        for name in ["Done", "Closed", "已完成", "Released", "Resolved"] {
            assert!(!is_dropped(name), "{name}");
        }
    }
}
