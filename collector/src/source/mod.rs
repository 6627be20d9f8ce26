//! Where changes come from: a source reads a history and hands over what landed, as it is.

pub(crate) mod bases;
pub(crate) mod clone;
pub(crate) mod fetch;
mod git;
pub(crate) mod github;
pub(crate) mod gitlab;
mod graphql;
mod history;
pub(crate) mod jira;
pub(crate) mod linear;
pub(crate) mod lines;
mod patch;
mod process;
pub(crate) mod service;
mod size;
mod token;
pub(crate) mod tracker;
pub(crate) mod web;

use anyhow::{Context, Result, bail};
use clone::LocalClone;
use github::GitHub;
use gitlab::GitLab;
use jiff::{SignedDuration, Timestamp};
use meter::delivery::Ship;
use meter::outcome::{Target, TicketEvent};
use serde::{Deserialize, Serialize};
use service::Service;
use std::path::Path;
pub(crate) use tracker::{Found, Incidents, Tracker};
use web::Pace;

/// What cpvo.toml names to read from.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum Source {
    Clone(LocalClone),
    Github(Service),
    Gitlab(Service),
    Jira(jira::Site),
    Linear(linear::Workspace),
}

impl Source {
    /// As `cpvo sync` is asked for it.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Clone(clone) => clone.repo.as_str(),
            Self::Github(service) | Self::Gitlab(service) => service.repo.as_str(),
            Self::Jira(site) => &site.name,
            Self::Linear(workspace) => &workspace.name,
        }
    }

    /// Where it is asked over the network.
    pub(crate) fn address(&self) -> Option<&str> {
        match self {
            Self::Clone(_) => None,
            Self::Github(service) | Self::Gitlab(service) => service.address(),
            Self::Jira(site) => Some(&site.name),
            Self::Linear(workspace) => Some(&workspace.name),
        }
    }

    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Clone(_) => "clone",
            Self::Github(_) => GitHub::KIND,
            Self::Gitlab(_) => GitLab::KIND,
            Self::Jira(_) => "jira",
            Self::Linear(_) => "linear",
        }
    }

    /// The projects of a tracker, by the keys of their tickets.
    pub(crate) fn projects(&self) -> &[String] {
        match self {
            Self::Jira(site) => &site.projects,
            Self::Linear(workspace) => &workspace.teams,
            _ => &[],
        }
    }

    /// Which tickets of a tracker tell incidents.
    pub(crate) fn incidents(&self) -> Option<&Incidents> {
        match self {
            Self::Jira(site) => Some(&site.incidents),
            Self::Linear(workspace) => Some(&workspace.incidents),
            _ => None,
        }
    }

    /// Checks what the file says; paths are relative to `folder`, tokens are told by `variable`.
    pub(crate) fn settle(&mut self, folder: &Path, variable: &dyn Fn(&str) -> Option<String>) -> Result<()> {
        match self {
            Self::Clone(clone) => clone.settle(folder),
            Self::Github(service) => service.settle(folder, "GITHUB_TOKEN", variable),
            Self::Gitlab(service) => service.settle(folder, "GITLAB_TOKEN", variable),
            Self::Jira(site) => site.settle(folder, variable),
            Self::Linear(workspace) => workspace.settle(folder, variable),
        }
    }
}

/// Checks that `name` is the plain name of a branch: git would also read what else reaches a commit.
fn settle_branch(name: Option<&String>) -> Result<()> {
    let part = |part: &str| {
        !part.is_empty() && !part.starts_with(['.', '-']) && part.strip_suffix(".lock").is_none()
    };
    let sign = |c: char| c.is_control() || " ~^:?*[\\".contains(c);
    let is_plain = |name: &String| {
        name.split('/').all(part)
            && !name.contains(sign)
            && !name.contains("..")
            && !name.contains("@{")
            && name != "@"
            && !name.ends_with('.')
    };
    match name.filter(|name| !is_plain(name)) {
        Some(name) => bail!("branch {name:?} is no name of a branch, such as main"),
        None => Ok(()),
    }
}

/// A request or merge with more commits imports a history of its own, whose words are about other numbers.
pub(crate) const MEMBERS_MAX: usize = 200;

/// A commit as git has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Commit {
    pub sha: String,
    pub parents: Vec<String>,
    pub committed_at: Timestamp,
    /// The author's email.
    pub author: String,
    pub message: String,
}

/// A commit on the tracked branch and what it brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Landed {
    pub commit: Commit,
    /// The other commits it made part of the branch, oldest first.
    pub members: Vec<Commit>,
    pub files: Vec<String>,
}

impl Landed {
    /// What was read at `now` landed by then, whatever the clock said that its commit was made with.
    pub(crate) fn by(mut self, now: Timestamp) -> Self {
        self.commit.committed_at = self.commit.committed_at.min(now);
        self
    }
}

/// A commit on the tracked branch as a host has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LandedCommit {
    pub commit: Commit,
    /// The request that brought it.
    pub number: Option<u64>,
}

/// A part of what a host tells.
pub(crate) enum Page {
    Requests(Vec<Request>),
    /// Newest first.
    Landed {
        branch: String,
        commits: Vec<LandedCommit>,
    },
    /// Releases and deployments.
    Sent(Vec<Sent>),
    /// Others are asked for by now: what was told of them is told anew.
    SentAnew,
    Issues(Vec<Issue>),
    /// Other labels tell incidents by now: what was told of them is told anew.
    IssuesAnew,
    /// What landed before is no longer on the branch: all of it is read anew.
    Rewritten,
}

/// What brought changes to users.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sent {
    pub ship: Ship,
    /// A tag, or what the host calls it.
    pub name: String,
    pub sha: String,
    pub at: Timestamp,
}

/// An issue, and what broke where it tells of an incident.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Issue {
    pub url: String,
    pub incident: Option<Incident>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Incident {
    pub opened_at: Timestamp,
    /// `None` while it lasts.
    pub resolved_at: Option<Timestamp>,
    /// What it says that it comes from.
    pub cause: Option<Target>,
}

/// A git host that is asked over the network.
pub(crate) trait Host<'a>: Sized {
    /// As cpvo.toml and the database call it.
    const KIND: &'static str;

    /// `cursor` is where the last sync stood; with a clone at hand, the clone tells which files were touched.
    fn open(service: &'a Service, cursor: Option<&str>, has_clone: bool, pace: Pace<'a>) -> Result<Self>;
    /// Reads what is new; each page is handed over with the cursor behind it.
    fn read(&mut self, keep: Keep) -> Result<()>;
    /// Where the next sync goes on.
    fn cursor(&self) -> Result<String>;
    /// Where the asking for tickets goes on, a part of the cursor.
    fn ticket_pass(&mut self) -> &mut Option<TicketPass>;
    /// Tickets as they are now.
    fn tickets(&self, ids: &[String]) -> Result<Vec<Ticket>>;
}

/// A reading of the tickets that may yet be opened again, in the order of their ids.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TicketPass {
    pub began: Timestamp,
    /// The last one that was read.
    pub after: String,
}

/// Of what was read once more: a request may be touched while its page is on the way.
pub(crate) const OVERLAP: SignedDuration = SignedDuration::from_mins(10);

/// Stores a page with the cursor behind it.
pub(crate) type Keep<'a> = &'a mut dyn FnMut(Page, &str) -> Result<()>;

impl LandedCommit {
    /// Its members and files are the request's.
    pub(crate) fn into_landed(self) -> Landed {
        Landed { commit: self.commit, members: Vec::new(), files: Vec::new() }
    }
}

/// A pull or merge request as its host has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Request {
    pub number: u64,
    pub title: String,
    pub body: String,
    pub base_branch: String,
    /// `host/owner/name`; gone where its owner deleted it.
    pub head_repo: Option<String>,
    pub head_branch: String,
    /// The account, such as `github:ana`.
    pub author: Option<String>,
    pub opened_at: Timestamp,
    pub merged_at: Option<Timestamp>,
    pub closed_at: Option<Timestamp>,
    pub merge_sha: Option<String>,
    pub labels: Vec<String>,
    /// Its commits are on the base branch as they were pushed.
    pub fast_forward: bool,
    /// As they were pushed, oldest first.
    pub commits: Vec<RequestCommit>,
    pub files: Vec<String>,
    /// That it closes when it lands.
    pub tickets: Vec<Ticket>,
    pub effort: Effort,
}

/// How large a request is and how it was reviewed, as far as its host says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Effort {
    /// Added and deleted.
    pub lines: Option<u64>,
    /// By somebody else than its author, for the first time.
    pub reviewed_at: Option<Timestamp>,
    /// By others.
    pub reviews: Option<u64>,
    /// By anybody.
    pub comments: Option<u64>,
}

impl Request {
    /// The commits that landed it, as far as they are known.
    pub(crate) fn landed(&self) -> impl Iterator<Item = &str> {
        let pushed = self.commits.iter().filter(|_| self.fast_forward).map(|commit| commit.sha.as_str());
        self.merge_sha.as_deref().filter(|_| self.merged_at.is_some()).into_iter().chain(pushed)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RequestCommit {
    pub sha: String,
    /// The author's email.
    pub author: String,
    pub message: String,
}

/// A ticket and what happened to it, in order of time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ticket {
    pub url: String,
    /// What its service calls it.
    pub id: String,
    pub events: Vec<TicketEvent>,
}

impl Commit {
    /// From the fields `%H %P %ct %ae %B`.
    fn parse(fields: [&str; 5]) -> Result<Self> {
        let [sha, parents, seconds, author, message] = fields;
        let at = seconds.parse().ok().and_then(|seconds| Timestamp::from_second(seconds).ok());
        Ok(Self {
            sha: sha.to_owned(),
            parents: parents.split(' ').filter(|parent| !parent.is_empty()).map(str::to_owned).collect(),
            committed_at: at.with_context(|| format!("commit {sha} has the impossible time {seconds:?}"))?,
            author: author.to_lowercase(),
            message: message.trim_end().to_owned(),
        })
    }
}
