//! GitLab, on its own site or self-managed, as a source: merge requests merged or not, the issues they close, and, where
//! no clone is at hand, what landed; where they are asked for, releases, deployments and incidents.
//!
//! Requests come in the order they were touched, so that where the next page begins is a time and no page is missed
//! while others are touched; each is stored with that time.

mod incidents;
mod payload;
mod shipping;

use super::history::{History, Tip};
use super::service::{IssuePass, Service, ShipmentPass};
use super::web::{Credentials, Pace, Reply, Tries, Web, onwards};
use super::{Host, Keep, LandedCommit, OVERLAP, Page, Request, Ticket, TicketPass};
use anyhow::{Context, Result, bail, ensure};
use jiff::Timestamp;
use payload::{Branch, Diff, Issue, MergeRequest, Note, Project, Pushed, StateEvent, effort};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

const REQUESTS: u32 = 32;
const ITEMS: u32 = 100;

/// Where a sync goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Cursor {
    /// What was touched last or landed before is not read.
    start: Timestamp,
    /// What was touched last before is known.
    since: Timestamp,
    #[serde(default)]
    tickets: Option<TicketPass>,
    #[serde(default)]
    shipments: Option<ShipmentPass>,
    #[serde(default)]
    issues: Option<IssuePass>,
    #[serde(flatten)]
    history: History,
}

pub(crate) struct GitLab<'a> {
    web: Web<'a>,
    service: &'a Service,
    host: &'a str,
    path: &'a str,
    has_clone: bool,
    cursor: Cursor,
    /// What the forks are called that requests come from; `None` where one is gone.
    forks: HashMap<u64, Option<String>>,
}

/// A reading of what was touched, the oldest first, page by page.
struct Touched {
    since: Timestamp,
    /// Another one than the first where a whole page was touched at one instant.
    page: u32,
    size: u32,
}

impl Touched {
    fn since(since: Timestamp, size: u32) -> Self {
        Self { since, page: 1, size }
    }
}

/// A part of a list and the number of the next one.
enum Part<T> {
    Items(Vec<T>, Option<u32>),
    Missing,
    TooMuch(String),
}

impl<'a> Host<'a> for GitLab<'a> {
    const KIND: &'static str = "gitlab";

    fn open(service: &'a Service, cursor: Option<&str>, has_clone: bool, pace: Pace<'a>) -> Result<Self> {
        let (host, path) = service.host_and_path().context("repo must be host/group/name")?;
        let usual = format!("https://{host}/api/v4");
        let web =
            Web::new(service.url.as_ref().unwrap_or(&usual), Credentials::bearer(service.token()?), pace)?;
        let start = service.start((pace.now)())?;
        let known = cursor.and_then(|text| serde_json::from_str::<Cursor>(text).ok());
        let known = known.filter(|cursor| service.since.is_none() || cursor.start == start);
        let fresh = Cursor {
            start,
            since: start,
            tickets: None,
            shipments: None,
            issues: None,
            history: History::default(),
        };
        let cursor = known.unwrap_or(fresh);
        Ok(Self { web, service, host, path, has_clone, cursor, forks: HashMap::new() })
    }

    fn read(&mut self, keep: Keep) -> Result<()> {
        let project: Project =
            self.one(&format!("/projects/{}", escaped(self.path)))?.with_context(|| {
                format!("there is no {} on {}, or the token may not see it", self.path, self.host)
            })?;
        if !project.path_with_namespace.eq_ignore_ascii_case(self.path) {
            let now = project.path_with_namespace.as_str();
            tracing::warn!(repo = self.path, now, "the repository was renamed: name it so in cpvo.toml");
        }
        // before the requests: what had landed by now, they tell of
        let tip = self.tip(&project)?;
        self.requests(&project, keep)?;
        self.issues(&project, keep)?;
        if let Some(tip) = tip.filter(|_| !self.has_clone) {
            self.history(&project, tip, keep)?; // else the clone tells, or nothing has landed yet
        }
        self.shipments(&project, keep)
    }

    fn cursor(&self) -> Result<String> {
        Ok(serde_json::to_string(&self.cursor)?)
    }

    fn ticket_pass(&mut self) -> &mut Option<TicketPass> {
        &mut self.cursor.tickets
    }

    fn tickets(&self, ids: &[String]) -> Result<Vec<Ticket>> {
        let mut tickets = Vec::new();
        for id in ids {
            let (project, iid) = id.split_once('/').with_context(|| format!("the ticket {id:?}"))?;
            if let Some(issue) = self.one(&format!("/projects/{project}/issues/{iid}"))? {
                tickets.extend(self.ticket(issue)?);
            }
        }
        Ok(tickets)
    }
}

impl GitLab<'_> {
    /// The tracked branch; `None` where the repository is empty.
    fn tip(&self, project: &Project) -> Result<Option<Tip>> {
        let Some(name) = self.service.branch.as_ref().or(project.default_branch.as_ref()) else {
            ensure!(project.empty_repo, "the token may not read its code: it needs read_api as a member");
            return Ok(None);
        };
        let branch = self.one(&format!("/projects/{}/repository/branches/{}", project.id, escaped(name)))?;
        match branch {
            Some(Branch { name, commit }) => Ok(Some(Tip { branch: name, sha: commit.id })),
            None if project.empty_repo => Ok(None),
            None => bail!("it has no branch {name:?}"),
        }
    }

    fn requests(&mut self, project: &Project, keep: Keep) -> Result<()> {
        let tracked = self.service.branch.as_ref().or(project.default_branch.as_ref());
        let tracked = tracked.map_or("", String::as_str);
        let mut from = Touched::since(self.cursor.since, REQUESTS);
        let route = format!("/projects/{}/merge_requests", project.id);
        loop {
            let page = self.touched(&route, &mut from, |request: &MergeRequest| request.updated_at)?;
            let (listed, is_last) =
                page.context("it has no merge requests, or the token may not see them")?;
            let requests = listed.into_iter().map(|request| self.whole(project, request, tracked));
            let requests = requests.collect::<Result<Vec<_>>>()?;
            self.cursor.since = from.since.max(self.cursor.start);
            keep(Page::Requests(requests), &self.cursor()?)?;
            if is_last {
                return Ok(());
            }
        }
    }

    /// The next page of what was touched, and whether it is the last one; `None` where the list is not there, or not to
    /// be seen.
    fn touched<T: DeserializeOwned>(
        &self,
        route: &str,
        from: &mut Touched,
        at: fn(&T) -> Timestamp,
    ) -> Result<Option<(Vec<T>, bool)>> {
        let mut tries = Tries::default();
        loop {
            let since = from.since;
            let sign = sign(route);
            let route = format!("{route}{sign}state=all&order_by=updated_at&sort=asc&updated_after={since}");
            let (items, next) = match self.part::<T>(&route, from.page, from.size)? {
                Part::Items(items, next) => (items, next),
                Part::Missing => return Ok(None),
                Part::TooMuch(why) => {
                    tries.halve(&mut from.size, &why)?; // a smaller page begins before: none is missed
                    continue;
                }
            };
            (from.since, from.page) = match (items.last().map(at), next) {
                (Some(newest), Some(_)) if newest > since => (newest, 1),
                (_, Some(next)) => (since, next),
                (Some(newest), None) => (newest.saturating_sub(OVERLAP)?, 1),
                (None, None) => (since, 1),
            };
            return Ok(Some((items, next.is_none())));
        }
    }

    /// A request with its commits, files, issues and reviews.
    fn whole(&mut self, project: &Project, request: MergeRequest, tracked: &str) -> Result<Request> {
        let head_repo = match request.source_project_id {
            Some(id) if id == project.id => Some(self.service.repo.to_string()),
            Some(id) => self.fork(id)?,
            None => None,
        };
        let of = format!("/projects/{}/merge_requests/{}", project.id, request.iid);
        let mut request = request.into_request(head_repo, tracked);
        let commits: Vec<Pushed> = self.list(&format!("{of}/commits"))?.unwrap_or_default();
        request.commits.extend(commits.into_iter().rev().map(Pushed::into_commit));
        if !self.has_clone {
            let diffs: Option<Vec<Diff>> = self.list(&format!("{of}/diffs"))?;
            let diffs = diffs.context("it tells no files: GitLab 15.7 or newer is needed, or a clone")?;
            request.files.extend(diffs.into_iter().map(|diff| diff.new_path));
        }
        let issues: Vec<Issue> = self.list(&format!("{of}/closes_issues"))?.unwrap_or_default();
        for issue in issues {
            request.tickets.extend(self.ticket(issue)?);
        }
        let notes: Option<Vec<Note>> = self.list(&format!("{of}/notes?sort=asc&order_by=created_at"))?;
        request.effort = notes.map(|notes| effort(&notes, &request)).unwrap_or_default();
        Ok(request)
    }

    fn fork(&mut self, id: u64) -> Result<Option<String>> {
        if let Some(known) = self.forks.get(&id) {
            return Ok(known.clone());
        }
        let fork: Option<Project> = self.one(&format!("/projects/{id}"))?;
        let name = fork.map(|fork| format!("{}/{}", self.host, fork.path_with_namespace));
        self.forks.insert(id, name.clone());
        Ok(name)
    }

    /// An issue with what happened to it; `None` where it is kept elsewhere or is not to be seen.
    fn ticket(&self, issue: Issue) -> Result<Option<Ticket>> {
        let (Some(project), Some(iid)) = (issue.project_id, issue.iid) else { return Ok(None) };
        let events =
            self.list::<StateEvent>(&format!("/projects/{project}/issues/{iid}/resource_state_events"))?;
        Ok(events.and_then(|events| issue.into_ticket(events)))
    }

    fn history(&mut self, project: &Project, tip: Tip, keep: Keep) -> Result<()> {
        let mut cursor = self.cursor.clone();
        let mut history = cursor.history.clone();
        let behind = |_: &str, sha: &str, size: &mut u32| self.behind(project, sha, size);
        history.read(tip, cursor.start, &behind, &mut |page, at| {
            cursor.history = at.clone();
            keep(page, &serde_json::to_string(&cursor)?)
        })?;
        self.cursor.history = history;
        Ok(())
    }

    /// A commit and those behind it on the line of first parents.
    fn behind(
        &self,
        project: &Project,
        sha: &str,
        size: &mut u32,
    ) -> Result<Option<HashMap<String, LandedCommit>>> {
        let route = format!("/projects/{}/repository/commits?ref_name={sha}&first_parent=true", project.id);
        let mut tries = Tries::default();
        loop {
            match self.part::<Pushed>(&route, 1, *size)? {
                Part::Items(commits, _) if commits.is_empty() => return Ok(None),
                Part::Items(commits, _) => {
                    let landed = commits.into_iter().map(Pushed::into_landed);
                    return Ok(Some(landed.map(|it| (it.commit.sha.clone(), it)).collect()));
                }
                Part::Missing => return Ok(None),
                Part::TooMuch(why) => tries.halve(size, &why)?,
            }
        }
    }

    /// One thing; `None` where it is not there, or not to be seen.
    fn one<T: DeserializeOwned>(&self, route: &str) -> Result<Option<T>> {
        let mut tries = Tries::default();
        loop {
            match self.web.get(route)? {
                Reply::Answer(answer) => return read(route, &answer.text).map(Some),
                Reply::Missing(_) => return Ok(None),
                Reply::TooMuch(why) => tries.halve(&mut 1, &why)?,
            }
        }
    }

    /// A whole list; `None` where it is not there, or not to be seen.
    fn list<T: DeserializeOwned>(&self, route: &str) -> Result<Option<Vec<T>>> {
        let (mut size, mut tries) = (ITEMS, Tries::default());
        let (mut items, mut next) = (Vec::new(), Some(1));
        while let Some(page) = next {
            match self.part(route, page, size)? {
                Part::Items(more, behind) => {
                    items.extend(more);
                    next = behind;
                }
                Part::Missing => return Ok(None),
                Part::TooMuch(why) => {
                    tries.halve(&mut size, &why)?;
                    (items, next) = (Vec::new(), Some(1)); // pages of another size begin elsewhere
                }
            }
        }
        Ok(Some(items))
    }

    fn part<T: DeserializeOwned>(&self, route: &str, page: u32, size: u32) -> Result<Part<T>> {
        let sign = sign(route);
        match self.web.get(&format!("{route}{sign}per_page={size}&page={page}"))? {
            Reply::Answer(answer) => {
                let items: Vec<T> = read(route, &answer.text)?;
                let next = match answer.header("x-next-page") {
                    Some(next) => next.parse().ok(),
                    None => (items.len() >= size as usize).then_some(page + 1),
                };
                Ok(Part::Items(items, onwards(Some(&page), next.map(|next| next.max(page)))?))
            }
            Reply::Missing(_) => Ok(Part::Missing),
            Reply::TooMuch(why) => Ok(Part::TooMuch(why)),
        }
    }
}

/// What a parameter stands behind.
fn sign(route: &str) -> char {
    if route.contains('?') { '&' } else { '?' }
}

fn read<T: DeserializeOwned>(route: &str, text: &str) -> Result<T> {
    serde_json::from_str(text).with_context(|| format!("its answer to {route} has another form"))
}

/// A name as one step of a route.
fn escaped(name: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    name.bytes()
        .map(|byte| if plain(byte) { char::from(byte).into() } else { format!("%{byte:02X}") })
        .collect()
}

#[cfg(test)]
mod tests;
