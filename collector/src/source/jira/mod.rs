//! Jira Cloud as a source: the tickets that changes name, and how they were moved over its boards.
//!
//! Issues are fetched by their keys and not searched for: a search refuses all of them for one that does not exist,
//! and finds none that was moved to another project.

mod incidents;
mod payload;

use super::token::Token;
use super::tracker::{Found, Incidents, Report, Tracker, settle_projects};
use super::web::{self, Credentials, Pace, Reply, Tries, Web, onwards};
use anyhow::{Context, Result, bail};
use jiff::Timestamp;
use meter::outcome::{Move, Standing};
use payload::{Changelogs, Issue, Issues, Page, Project, Status};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::slice;

const CHANGES: usize = 1000;

/// A site named in cpvo.toml.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Site {
    /// Such as `https://acme.atlassian.net`.
    url: String,
    /// The keys of the projects whose tickets changes name; a former one as well.
    pub projects: Vec<String>,
    #[serde(flatten)]
    pub incidents: Incidents,
    /// Whose token it is; else `JIRA_EMAIL` says it.
    email: Option<String>,
    #[serde(flatten)]
    token: Token,
    /// The host.
    #[serde(skip)]
    pub name: String,
}

impl Site {
    pub(super) fn settle(&mut self, folder: &Path, variable: &dyn Fn(&str) -> Option<String>) -> Result<()> {
        let (uri, _) = web::address(&self.url).with_context(|| format!("url {:?}", self.url))?;
        self.name = uri.authority().map(ToString::to_string).unwrap_or_default();
        self.url.truncate(self.url.trim_end_matches('/').len());
        settle_projects("projects", &mut self.projects)?;
        self.incidents.settle("projects", &self.projects)?;
        self.email = self.email.take().or_else(|| variable("JIRA_EMAIL"));
        self.token.settle(folder, "JIRA_TOKEN", variable)
    }
}

pub(crate) struct Jira<'a> {
    web: Web<'a>,
    url: &'a str,
    /// What each status says, by its id.
    statuses: BTreeMap<String, Standing>,
}

impl<'a> Jira<'a> {
    pub(crate) fn open(site: &'a Site, pace: Pace<'a>) -> Result<Self> {
        let email = site.email.as_deref().context("neither email nor JIRA_EMAIL says whose token it is")?;
        let web = Web::new(&site.url, Credentials::basic(email, site.token.read()?), pace)?;
        let mut jira = Self { web, url: &site.url, statuses: BTreeMap::new() };
        for key in &site.projects {
            let project: Project =
                jira.get(&format!("project/{key}")).with_context(|| format!("the project {key}"))?;
            if project.key != *key {
                tracing::warn!(project = key, now = project.key, "the project was renamed: name it so, too");
            }
        }
        let statuses: Vec<Status> = jira.get("status")?;
        jira.statuses = statuses.into_iter().filter_map(Status::standing).collect();
        Ok(jira)
    }

    fn get<T: DeserializeOwned>(&self, route: &str) -> Result<T> {
        match self.web.get(&format!("/rest/api/3/{route}"))? {
            Reply::Answer(answer) => read(route, &answer.text),
            Reply::Missing(why) => bail!("it answers 404: {why}"),
            Reply::TooMuch(why) => bail!(why),
        }
    }

    /// Asks for these issues, for half of them where that was too much, and for what did not fit into a page.
    fn ask<T: DeserializeOwned + Page>(
        &self,
        route: &str,
        ids: &[String],
        body: impl Fn(&[String]) -> Value,
    ) -> Result<Vec<T>> {
        let mut open = vec![(ids, None::<String>)];
        let (mut answers, mut tries) = (Vec::new(), Tries::default());
        while let Some((ids, token)) = open.pop().filter(|(ids, _)| !ids.is_empty()) {
            let mut asked = body(ids);
            if let Some(token) = &token {
                asked["nextPageToken"] = json!(token);
            }
            match self.web.post(&format!("/rest/api/3/{route}"), &asked.to_string())? {
                Reply::Answer(answer) => {
                    let answer: T = read(route, &answer.text)?;
                    let next = onwards(token.as_ref(), answer.next().map(str::to_owned))?;
                    open.extend(next.map(|token| (ids, Some(token))));
                    answers.push(answer);
                }
                Reply::Missing(why) => bail!("it answers 404: {why}"),
                Reply::TooMuch(why) => {
                    tries.halve(&mut u32::try_from(ids.len())?, &why)?;
                    let (first, rest) = ids.split_at(ids.len() / 2);
                    open.extend(
                        [rest, first].into_iter().filter(|ids| !ids.is_empty()).map(|ids| (ids, None)),
                    );
                }
            }
        }
        Ok(answers)
    }

    fn issues(&self, keys: &[String]) -> Result<Vec<Issue>> {
        let body = |keys: &[String]| json!({"issueIdsOrKeys": keys, "fields": ["updated", "parent"]});
        let answers: Vec<Issues> = self.ask("issue/bulkfetch", keys, body)?;
        let found = answers.into_iter().map(Issues::into_issues).collect::<Result<Vec<_>>>()?;
        Ok(found.into_iter().flatten().collect())
    }

    /// The issues of these keys by the keys they have now, with their epics: that of a sub-task is its story's.
    fn found(&self, keys: &[String]) -> Result<Vec<(String, Found)>> {
        let issues = self.issues(keys)?;
        let stories: BTreeSet<String> = issues.iter().filter_map(Issue::story).cloned().collect();
        let stories = self.issues(&stories.into_iter().collect::<Vec<_>>())?;
        let epic_of = |story: &String| stories.iter().find(|one| one.key == *story)?.epic();
        let found = |issue: Issue| {
            let epic = issue.epic().or_else(|| issue.story().and_then(epic_of)).cloned();
            issue.into_found(epic)
        };
        Ok(issues.into_iter().map(found).collect())
    }
}

impl Tracker for Jira<'_> {
    fn find(&self, keys: &[String]) -> Result<BTreeMap<String, Found>> {
        let mut found: BTreeMap<String, Found> = self.found(keys)?.into_iter().collect();
        found.retain(|key, _| keys.contains(key));
        for key in keys {
            if !found.contains_key(key) {
                // one that was moved answers to a new key: which one it had is known where it is asked for alone
                let issue = self.found(slice::from_ref(key))?.pop();
                found.extend(issue.map(|(_, issue)| (key.clone(), issue)));
            }
        }
        Ok(found)
    }

    fn moves(&self, ids: &[String]) -> Result<BTreeMap<String, Vec<Move>>> {
        let body = |ids: &[String]| json!({"issueIdsOrKeys": ids, "fieldIds": ["status", "resolution"], "maxResults": CHANGES});
        let answers: Vec<Changelogs> = self.ask("changelog/bulkfetch", ids, body)?;
        payload::moves(answers, &self.statuses)
    }

    fn reported(&self, asked: &Incidents, since: Timestamp, report: Report) -> Result<()> {
        self.touched(&asked.projects(), since, report)
    }

    fn address(&self, key: &str) -> String {
        format!("{}/browse/{key}", self.url)
    }
}

fn read<T: DeserializeOwned>(route: &str, text: &str) -> Result<T> {
    serde_json::from_str(text).with_context(|| format!("its answer to {route} has another form"))
}
