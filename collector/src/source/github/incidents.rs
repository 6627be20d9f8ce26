//! What GitHub tells of issues, where labels in cpvo.toml say which of them are incidents: the one that was touched
//! longest ago first, so that one that is touched meanwhile comes once more.

use super::GitHub;
use super::payload::{Connection, Label};
use crate::source::service::{IssuePass, Service};
use crate::source::web::onwards;
use crate::source::{Host, Incident, Issue, Keep, OVERLAP, Page};
use anyhow::{Context, Result};
use jiff::Timestamp;
use meter::delivery::is_labelled;
use meter::outcome::blamed;
use serde::Deserialize;
use serde_json::json;

const PAGE: u32 = 100;

#[derive(Debug, Deserialize)]
pub(super) struct OfIssues {
    issues: Connection<Reported>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Reported {
    url: String,
    title: String,
    body: String,
    created_at: Timestamp,
    updated_at: Timestamp,
    closed_at: Option<Timestamp>,
    state_reason: Option<String>,
    labels: Option<Connection<Label>>,
}

impl Reported {
    /// What was closed as not planned or as told before broke nothing.
    fn into_issue(self, service: &Service) -> Issue {
        let labels: Vec<String> =
            self.labels.into_iter().flat_map(Connection::into_items).map(|label| label.name).collect();
        let broke = !matches!(self.state_reason.as_deref(), Some("NOT_PLANNED" | "DUPLICATE"));
        let incident = (broke && is_labelled(&service.incidents, &labels)).then(|| {
            let text = format!("{}\n{}", self.title, self.body);
            let cause = blamed(&text, &service.repo);
            Incident { opened_at: self.created_at, resolved_at: self.closed_at, cause }
        });
        Issue { url: self.url, incident }
    }
}

impl GitHub<'_> {
    /// Reads what was touched since the last time; all, where cpvo.toml names other labels by now.
    pub(super) fn issues(&mut self, keep: Keep) -> Result<()> {
        let labels = &self.service.incidents;
        if self.cursor.issues.as_ref().is_none_or(|pass| pass.labels != *labels) {
            self.cursor.issues = None; // how far it was read may be forgotten, and what was told then not
            keep(Page::IssuesAnew, &self.cursor()?)?;
        }
        if labels.is_empty() {
            return Ok(());
        }
        let since = self.cursor.issues.as_ref().map_or(self.cursor.start, |pass| pass.since);
        let since = since.saturating_sub(OVERLAP)?;
        let (mut after, mut size) = (None, PAGE);
        loop {
            let answer: super::payload::Issues = self.ask("Issues", &mut size, |first| {
                json!({"owner": self.owner, "name": self.name, "first": first, "after": after, "since": since})
            })?;
            let list = answer.repository.with_context(|| self.unseen())?.issues;
            after = onwards(after.as_ref(), list.page_info.next().map(str::to_owned))?;
            let reported: Vec<Reported> = list.into_items().collect();
            if let Some(newest) = reported.last() {
                let since = newest.updated_at;
                self.cursor.issues = Some(IssuePass { labels: labels.clone(), since });
            }
            let issues = reported.into_iter().map(|it| it.into_issue(self.service)).collect();
            keep(Page::Issues(issues), &self.cursor()?)?;
            if after.is_none() {
                return Ok(());
            }
        }
    }
}
