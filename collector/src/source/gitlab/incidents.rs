//! What GitLab tells of issues, where labels in cpvo.toml say which of them are incidents.

use super::payload::{Links, Project};
use super::{GitLab, Touched};
use crate::source::service::{IssuePass, Service};
use crate::source::{Host, Incident, Issue, Keep, Page};
use anyhow::{Context, Result};
use jiff::Timestamp;
use meter::delivery::is_labelled;
use meter::outcome::blamed;
use serde::Deserialize;

const PAGE: u32 = 100;

#[derive(Debug, Deserialize)]
struct Reported {
    web_url: String,
    title: String,
    description: Option<String>,
    created_at: Timestamp,
    updated_at: Timestamp,
    closed_at: Option<Timestamp>,
    #[serde(default)]
    labels: Vec<String>,
    /// `incident` for those that GitLab itself calls so; counts as a label.
    issue_type: Option<String>,
    moved_to_id: Option<u64>,
    #[serde(rename = "_links", default)]
    links: Links,
}

impl Reported {
    /// What was told before or elsewhere broke nothing here.
    fn into_issue(mut self, service: &Service) -> Issue {
        self.labels.extend(self.issue_type);
        let broke = self.moved_to_id.is_none() && self.links.closed_as_duplicate_of.is_none();
        let incident = (broke && is_labelled(&service.incidents, &self.labels)).then(|| {
            let text = format!("{}\n{}", self.title, self.description.unwrap_or_default());
            let requests = text.replace('#', " "); // names issues here
            let cause = blamed(&requests, &service.repo);
            Incident { opened_at: self.created_at, resolved_at: self.closed_at, cause }
        });
        Issue { url: self.web_url, incident }
    }
}

impl GitLab<'_> {
    /// Reads what was touched since the last time; all, where cpvo.toml names other labels by now.
    pub(super) fn issues(&mut self, project: &Project, keep: Keep) -> Result<()> {
        let labels = &self.service.incidents;
        if self.cursor.issues.as_ref().is_none_or(|pass| pass.labels != *labels) {
            self.cursor.issues = None; // how far it was read may be forgotten, and what was told then not
            keep(Page::IssuesAnew, &self.cursor()?)?;
        }
        if labels.is_empty() {
            return Ok(());
        }
        let since = self.cursor.issues.as_ref().map_or(self.cursor.start, |pass| pass.since);
        let mut from = Touched::since(since, PAGE);
        let route = format!("/projects/{}/issues?scope=all", project.id);
        loop {
            let page = self.touched(&route, &mut from, |issue: &Reported| issue.updated_at)?;
            let (reported, is_last) = page.context("it has no issues, or the token may not see them")?;
            self.cursor.issues = Some(IssuePass { labels: labels.clone(), since: from.since });
            let issues = reported.into_iter().map(|it| it.into_issue(self.service)).collect();
            keep(Page::Issues(issues), &self.cursor()?)?;
            if is_last {
                return Ok(());
            }
        }
    }
}
