//! GitHub and GitHub Enterprise as a source: requests merged or not, the tickets they close, and, where no clone is at
//! hand, what landed.
//!
//! Each page is stored with where the next one begins, so that a sync that is cut off goes on there.

mod payload;

use super::graphql;
use super::service::Service;
use super::web::{Pace, Web};
use super::{Keep, Page, Request, Ticket};
use anyhow::{Context, Result, ensure};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use meter::Repo;
use payload::{
    Branch, Connection, History, HistoryCommit, Issue, PullRequest, Rated, Requests, Rest, RestOf, Tickets,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::HashMap;

const QUERIES: &str = include_str!("queries.graphql");
const REQUESTS: u32 = 25;
const COMMITS: u32 = 100;
/// Below it the rest of the hour is left to others.
const POINTS_MIN: u32 = 200;
/// Of what was read once more: a request may be touched while its page is on the way.
const OVERLAP: SignedDuration = SignedDuration::from_mins(10);
const FIRST_SYNC: SignedDuration = SignedDuration::from_hours(365 * 24);

/// Where a sync goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Cursor {
    /// What was touched last or landed before is not read.
    start: Timestamp,
    /// What was touched last before is known.
    since: Timestamp,
    requests: Option<RequestPass>,
    branch: String,
    /// The newest commit whose history is known.
    landed: Option<String>,
    history: Option<HistoryPass>,
}

/// A reading of the requests, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct RequestPass {
    newest: Timestamp,
    after: String,
}

/// A reading of the history, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct HistoryPass {
    tip: String,
    next: String,
}

pub(crate) struct GitHub<'a> {
    web: Web<'a>,
    host: &'a str,
    owner: &'a str,
    name: &'a str,
    repo: &'a Repo,
    branch: Option<&'a str>,
    /// Whether the files of requests are asked for: a clone knows them better.
    files: bool,
    cursor: Cursor,
}

impl<'a> GitHub<'a> {
    pub(crate) fn open(
        service: &'a Service,
        cursor: Option<&str>,
        has_clone: bool,
        pace: Pace<'a>,
    ) -> Result<Self> {
        let (host, path) = service.host_and_path().context("repo must be host/owner/name")?;
        let (owner, name) = path.split_once('/').context("repo must be host/owner/name")?;
        let usual = match host {
            "github.com" => "https://api.github.com/graphql".to_owned(),
            host => format!("https://{host}/api/graphql"),
        };
        let web = Web::new(service.url.as_ref().unwrap_or(&usual), service.token()?, pace)?;
        let since = match service.since {
            Some(day) => day.to_zoned(TimeZone::UTC)?.timestamp(),
            None => (pace.now)().saturating_sub(FIRST_SYNC)?,
        };
        // a cursor of another version is of no use: everything is read once more, and stored as it was
        let known = cursor.and_then(|text| serde_json::from_str::<Cursor>(text).ok());
        let known = known.filter(|cursor| service.since.is_none() || cursor.start == since);
        let fresh = Cursor {
            start: since,
            since,
            requests: None,
            branch: String::new(),
            landed: None,
            history: None,
        };
        Ok(Self {
            web,
            host,
            owner,
            name,
            repo: &service.repo,
            branch: service.branch.as_deref(),
            files: !has_clone,
            cursor: known.unwrap_or(fresh),
        })
    }

    /// Reads what is new; each page is handed over with the cursor behind it.
    pub(crate) fn read(&mut self, keep: Keep) -> Result<()> {
        self.requests(keep)?;
        self.history(keep)
    }

    /// Where the next sync goes on.
    pub(crate) fn cursor(&self) -> Result<String> {
        Ok(serde_json::to_string(&self.cursor)?)
    }

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
            let next = list.page_info.next().map(str::to_owned);
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
        let mut open = Open::of(&request.rest);
        let mut request = request.into_request(self.host);
        while open.is_any() {
            let rest: Rest = self.ask("Rest", &mut 1, |_| {
                json!({
                    "id": id, "commits": open.commits, "files": open.files, "issues": open.issues,
                    "withCommits": open.commits.is_some(), "withFiles": open.files.is_some(),
                    "withIssues": open.issues.is_some(),
                })
            })?;
            let rest = rest.node.with_context(|| format!("request {} is gone", request.number))?;
            open = Open::of(&rest);
            rest.move_into(&mut request);
        }
        Ok(request)
    }

    fn history(&mut self, keep: Keep) -> Result<()> {
        if self.cursor.history.is_some() {
            self.walk(keep)?; // what an earlier sync began
        }
        let Some((branch, tip)) = self.tip()? else {
            return Ok(()); // nothing has landed yet
        };
        if branch != self.cursor.branch {
            let is_first = self.cursor.branch.is_empty();
            self.cursor.landed = None;
            self.cursor.branch = branch;
            if !is_first {
                keep(Page::Rewritten, &self.cursor()?)?;
            }
        }
        self.cursor.history = Some(HistoryPass { next: tip.clone(), tip });
        self.walk(keep)
    }

    /// The tracked branch and its newest commit; `None` where the repository is empty.
    fn tip(&self) -> Result<Option<(String, String)>> {
        let asked = self.branch.map(|branch| format!("refs/heads/{branch}"));
        let answer: Branch = self.ask("Branch", &mut 1, |_| {
            json!({
                "owner": self.owner, "name": self.name,
                "branch": asked.as_deref().unwrap_or_default(), "default": asked.is_none(),
            })
        })?;
        let repository = answer.repository.with_context(|| self.unseen())?;
        self.look_at_name(&repository.name_with_owner);
        let reference = match self.branch {
            Some(branch) => {
                Some(repository.reference.with_context(|| format!("it has no branch {branch:?}"))?)
            }
            None => repository.default_branch_ref,
        };
        Ok(reference.and_then(|reference| Some((reference.name, reference.target?.oid))))
    }

    /// Follows the first parents from the next commit of the pass to what is known, to the root, or through a
    /// page of the past: single commits may bear a time of long ago.
    fn walk(&mut self, keep: Keep) -> Result<()> {
        let mut size = COMMITS;
        while let Some(pass) = self.cursor.history.take() {
            let Some(mut commits) = self.behind(&pass.next, &mut size)? else {
                return Ok(()); // rewritten since an earlier sync stood here
            };
            ensure!(commits.contains_key(&pass.next), "its history lacks the commit it was asked for");
            let is_past = commits.values().all(|commit| commit.committed_date < self.cursor.start);
            let mut landed = Vec::new();
            let mut next = Some(pass.next);
            while let Some(commit) = next.as_ref().and_then(|sha| commits.remove(sha)) {
                let commit = commit.into_landed(&self.cursor.branch);
                if self.cursor.landed.as_ref() == Some(&commit.commit.sha) {
                    break;
                }
                next = commit.commit.parents.first().cloned();
                if commit.commit.committed_at >= self.cursor.start {
                    landed.push(commit);
                }
            }
            let is_known = next.is_some() && next == self.cursor.landed;
            let goes_on = next.filter(|_| !is_known && !is_past);
            if goes_on.is_none() && !is_known && self.cursor.landed.is_some() {
                self.cursor.landed = None;
                self.cursor.history = Some(HistoryPass { next: pass.tip.clone(), tip: pass.tip });
                keep(Page::Rewritten, &self.cursor()?)?;
                continue;
            }
            match goes_on {
                Some(next) => self.cursor.history = Some(HistoryPass { tip: pass.tip, next }),
                None => self.cursor.landed = Some(pass.tip),
            }
            let branch = self.cursor.branch.clone();
            keep(Page::Landed { branch, commits: landed }, &self.cursor()?)?;
        }
        Ok(())
    }

    /// A commit and those behind it, by their sha.
    fn behind(&self, sha: &str, size: &mut u32) -> Result<Option<HashMap<String, HistoryCommit>>> {
        let answer: History = self.ask(
            "History",
            size,
            |first| json!({"owner": self.owner, "name": self.name, "oid": sha, "first": first}),
        )?;
        let object = answer.repository.with_context(|| self.unseen())?.object;
        let commits = object.map(|object| object.history.into_items());
        Ok(commits.map(|commits| commits.map(|commit| (commit.sha().to_owned(), commit)).collect()))
    }

    /// Tickets as they are now.
    pub(crate) fn tickets(&self, ids: &[String]) -> Result<Vec<Ticket>> {
        let answer: Tickets = self.ask("Tickets", &mut 1, |_| json!({ "ids": ids }))?;
        Ok(answer.nodes.into_iter().flatten().filter_map(Issue::into_ticket).collect())
    }

    fn ask<T: DeserializeOwned + Rated>(
        &self,
        query: &str,
        size: &mut u32,
        variables: impl Fn(u32) -> Value,
    ) -> Result<T> {
        let answer: T = graphql::ask(&self.web, (QUERIES, query), variables, size)?;
        if let Some(rate) = answer.rate().filter(|rate| rate.remaining < POINTS_MIN) {
            let left = rate.reset_at.duration_since((self.web.pace.now)());
            self.web.wait(left.try_into().unwrap_or_default())?;
        }
        Ok(answer)
    }

    fn look_at_name(&self, name_with_owner: &str) {
        if !name_with_owner.eq_ignore_ascii_case(&format!("{}/{}", self.owner, self.name)) {
            tracing::warn!(
                repo = self.repo.as_str(),
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
struct Open {
    commits: Option<String>,
    files: Option<String>,
    issues: Option<String>,
}

impl Open {
    fn of(rest: &RestOf) -> Self {
        Self {
            commits: next(rest.commits.as_ref()),
            files: next(rest.files.as_ref()),
            issues: next(rest.closing_issues_references.as_ref()),
        }
    }

    fn is_any(&self) -> bool {
        self.commits.is_some() || self.files.is_some() || self.issues.is_some()
    }
}

fn next<T>(list: Option<&Connection<T>>) -> Option<String> {
    list?.page_info.next().map(str::to_owned)
}
