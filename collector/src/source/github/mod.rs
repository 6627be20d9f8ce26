//! GitHub and GitHub Enterprise as a source: requests merged or not, the tickets they close, and, where no clone is at
//! hand, what landed.
//!
//! Each page is stored with where the next one begins, so that a sync that is cut off goes on there.

mod incidents;
mod payload;
mod shipping;

use super::graphql;
use super::history::{History, Tip};
use super::service::{IssuePass, Service, ShipmentPass};
use super::web::{Credentials, Pace, Web, onwards};
use super::{Host, Keep, LandedCommit, OVERLAP, Page, Request, Ticket, TicketPass};
use anyhow::{Context, Result};
use jiff::Timestamp;
use payload::{
    Branch, Commits, Connection, HistoryCommit, Issue, PullRequest, Rated, Requests, Rest, RestOf, Tickets,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::HashMap;

const QUERIES: &str = include_str!("queries.graphql");
const REQUESTS: u32 = 25;
/// Below it the rest of the hour is left to others.
const POINTS_MIN: u32 = 200;

/// Where a sync goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Cursor {
    /// What was touched last or landed before is not read.
    start: Timestamp,
    /// What was touched last before is known.
    since: Timestamp,
    requests: Option<RequestPass>,
    #[serde(default)]
    tickets: Option<TicketPass>,
    #[serde(default)]
    shipments: Option<ShipmentPass>,
    #[serde(default)]
    issues: Option<IssuePass>,
    #[serde(flatten)]
    history: History,
}

/// A reading of the requests, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct RequestPass {
    newest: Timestamp,
    after: String,
}

pub(crate) struct GitHub<'a> {
    web: Web<'a>,
    host: &'a str,
    owner: &'a str,
    name: &'a str,
    service: &'a Service,
    /// Whether the files of requests are asked for: a clone knows them better.
    files: bool,
    now: Timestamp,
    cursor: Cursor,
}

impl<'a> Host<'a> for GitHub<'a> {
    const KIND: &'static str = "github";

    fn open(service: &'a Service, cursor: Option<&str>, has_clone: bool, pace: Pace<'a>) -> Result<Self> {
        let (host, path) = service.host_and_path().context("repo must be host/owner/name")?;
        let (owner, name) = path.split_once('/').context("repo must be host/owner/name")?;
        let usual = match host {
            "github.com" => "https://api.github.com/graphql".to_owned(),
            host => format!("https://{host}/api/graphql"),
        };
        let web =
            Web::new(service.url.as_ref().unwrap_or(&usual), Credentials::bearer(service.token()?), pace)?;
        let since = service.start((pace.now)())?;
        // a cursor of another version is of no use: everything is read once more, and stored as it was
        let known = cursor.and_then(|text| serde_json::from_str::<Cursor>(text).ok());
        let known = known.filter(|cursor| service.since.is_none() || cursor.start == since);
        let fresh = Cursor {
            start: since,
            since,
            requests: None,
            tickets: None,
            shipments: None,
            issues: None,
            history: History::default(),
        };
        Ok(Self {
            web,
            host,
            owner,
            name,
            service,
            files: !has_clone,
            now: (pace.now)(),
            cursor: known.unwrap_or(fresh),
        })
    }

    fn read(&mut self, keep: Keep) -> Result<()> {
        // first, for it is a small question: who is silent to it cannot be reached, and is not merely slow
        let tip = self.tip()?;
        self.requests(keep)?;
        self.issues(keep)?;
        match tip {
            Some(tip) => self.history(tip, keep)?,
            None => return Ok(()), // nothing has landed yet
        }
        self.shipments(keep)
    }

    fn cursor(&self) -> Result<String> {
        Ok(serde_json::to_string(&self.cursor)?)
    }

    fn ticket_pass(&mut self) -> &mut Option<TicketPass> {
        &mut self.cursor.tickets
    }

    fn tickets(&self, ids: &[String]) -> Result<Vec<Ticket>> {
        let answer: Tickets = self.ask("Tickets", &mut 1, |_| json!({ "ids": ids }))?;
        Ok(answer.nodes.into_iter().flatten().filter_map(Issue::into_ticket).collect())
    }
}

impl GitHub<'_> {
    fn requests(&mut self, keep: Keep) -> Result<()> {
        let mut size = REQUESTS;
        loop {
            let after = self.cursor.requests.as_ref().map(|pass| pass.after.clone());
            let page: Requests = self.ask("Requests", &mut size, |first| {
                json!({"owner": self.owner, "name": self.name, "first": first, "after": after, "files": self.files})
            })?;
            let repository = page.repository.with_context(|| self.unseen())?;
            self.look_at_name(&repository.name_with_owner);
            let list = repository.pull_requests;
            let next = onwards(after.as_ref(), list.page_info.next().map(str::to_owned))?;
            let requests: Vec<PullRequest> = list.into_items().collect();
            let touched = |request: Option<&PullRequest>| request.map(|request| request.updated_at);
            let (newest, oldest) = (touched(requests.first()), touched(requests.last()));
            let newest = match &self.cursor.requests {
                Some(pass) => pass.newest,
                None => newest.unwrap_or(self.cursor.since),
            };
            let is_last = oldest.is_some_and(|oldest| oldest < self.cursor.since);
            let since = self.cursor.since;
            let fresh = requests.into_iter().filter(|request| request.updated_at >= since);
            let fresh = fresh.map(|request| self.whole(request)).collect::<Result<_>>()?;
            self.cursor.requests = match next {
                Some(after) if !is_last => Some(RequestPass { newest, after }),
                _ => None,
            };
            if self.cursor.requests.is_none() {
                self.cursor.since = since.max(newest.saturating_sub(OVERLAP)?);
            }
            keep(Page::Requests(fresh), &self.cursor()?)?;
            if self.cursor.requests.is_none() {
                return Ok(());
            }
        }
    }

    /// A request with what did not fit into its page.
    fn whole(&self, request: PullRequest) -> Result<Request> {
        let id = request.id.clone();
        let mut rest_of = Open::of(&request.rest);
        let mut request = request.into_request(self.host);
        while let Some(open) = rest_of {
            let rest: Rest = self.ask("Rest", &mut 1, |_| {
                json!({
                    "id": id, "commits": open.commits, "files": open.files, "issues": open.issues,
                    "withCommits": open.commits.is_some(), "withFiles": open.files.is_some(),
                    "withIssues": open.issues.is_some(),
                })
            })?;
            let rest = rest.node.with_context(|| format!("request {} is gone", request.number))?;
            rest_of = onwards(Some(&open), Open::of(&rest))?;
            rest.move_into(&mut request);
        }
        Ok(request)
    }

    fn history(&mut self, tip: Tip, keep: Keep) -> Result<()> {
        let mut cursor = self.cursor.clone();
        let mut history = cursor.history.clone();
        history.read(
            tip,
            cursor.start,
            &|branch, sha, size| self.behind(branch, sha, size),
            &mut |page, at| {
                cursor.history = at.clone();
                keep(page, &serde_json::to_string(&cursor)?)
            },
        )?;
        self.cursor.history = history;
        Ok(())
    }

    /// The tracked branch and its newest commit; `None` where the repository is empty.
    fn tip(&self) -> Result<Option<Tip>> {
        let asked = self.service.branch.as_ref().map(|branch| format!("refs/heads/{branch}"));
        let answer: Branch = self.ask("Branch", &mut 1, |_| {
            json!({
                "owner": self.owner, "name": self.name,
                "branch": asked.as_deref().unwrap_or_default(), "default": asked.is_none(),
            })
        })?;
        let repository = answer.repository.with_context(|| self.unseen())?;
        self.look_at_name(&repository.name_with_owner);
        let reference = match &self.service.branch {
            Some(branch) => {
                Some(repository.reference.with_context(|| format!("it has no branch {branch:?}"))?)
            }
            None => repository.default_branch_ref,
        };
        Ok(reference.and_then(|it| Some(Tip { branch: it.name, sha: it.target?.oid })))
    }

    fn behind(
        &self,
        branch: &str,
        sha: &str,
        size: &mut u32,
    ) -> Result<Option<HashMap<String, LandedCommit>>> {
        let answer: Commits = self.ask(
            "History",
            size,
            |first| json!({"owner": self.owner, "name": self.name, "oid": sha, "first": first}),
        )?;
        let object = answer.repository.with_context(|| self.unseen())?.object;
        let commits = object.map(|object| object.history.into_items());
        let landed = |commit: HistoryCommit| commit.into_landed(branch);
        Ok(commits.map(|all| all.map(landed).map(|it| (it.commit.sha.clone(), it)).collect()))
    }

    fn ask<T: DeserializeOwned + Rated>(
        &self,
        query: &str,
        size: &mut u32,
        variables: impl Fn(u32) -> Value,
    ) -> Result<T> {
        let answer: T = graphql::ask(&self.web, (QUERIES, query), variables, size)?;
        if let Some(rate) = answer.rate().filter(|rate| rate.remaining < POINTS_MIN) {
            self.web.rest_until(rate.reset_at);
        }
        Ok(answer)
    }

    fn look_at_name(&self, name_with_owner: &str) {
        if !name_with_owner.eq_ignore_ascii_case(&format!("{}/{}", self.owner, self.name)) {
            tracing::warn!(
                repo = self.service.repo.as_str(),
                now = name_with_owner,
                "the repository was renamed: name it so in cpvo.toml"
            );
        }
    }

    fn unseen(&self) -> String {
        format!("there is no {}/{}, or the token may not see it", self.owner, self.name)
    }
}

/// Where the lists of a request go on that did not fit.
#[derive(PartialEq)]
struct Open {
    commits: Option<String>,
    files: Option<String>,
    issues: Option<String>,
}

impl Open {
    /// `None` where all of them are whole.
    fn of(rest: &RestOf) -> Option<Self> {
        let open = Self {
            commits: next(rest.commits.as_ref()),
            files: next(rest.files.as_ref()),
            issues: next(rest.closing_issues_references.as_ref()),
        };
        let is_any = open.commits.is_some() || open.files.is_some() || open.issues.is_some();
        is_any.then_some(open)
    }
}

fn next<T>(list: Option<&Connection<T>>) -> Option<String> {
    list?.page_info.next().map(str::to_owned)
}
