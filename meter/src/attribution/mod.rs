//! Which change each part of the spend built, told from where a session was and what it did there.
//!
//! The spend of one session, repository, branch and hour goes one way: it gets the first class whose rule it
//! meets, and the change that the rule names. Nothing is spread, so the classes sum to the spend.

mod cordon;
mod session;

pub use cordon::Cordon;
pub use session::{Action, Commit, Session, Slot};

use crate::vocabulary::words;
use crate::week::Hour;
use jiff::{SignedDuration, Timestamp};
use std::collections::HashMap;

/// How long after a request was closed its branch is still its own.
const TAIL: SignedDuration = SignedDuration::from_hours(24);
/// How long a branch may wait for a request before it is taken for one that never gets any.
const REQUEST_WAIT: SignedDuration = SignedDuration::from_hours(30 * 24);

words! {
    /// What spend is told to be; of several the first.
    Class {
        Cordon = "cordon", Ci = "ci", Commit = "commit", Review = "review", Branch = "branch", Carried = "carried",
        InFlight = "in-flight", Abandoned = "abandoned", NeverPr = "never-PR", Unattributed = "unattributed",
    }
}
words! {
    /// By what it is told.
    Rule {
        Cordon = "cordon", Environment = "environment", Commit = "commit", Named = "named",
        HeadBranch = "head_branch", Carried = "carried", NoRequestYet = "no_request_yet", NoRequest = "no_request",
        NoPrSource = "no_pr_source", DefaultBranch = "default_branch", NoBranch = "no_branch",
        UnknownRepository = "unknown_repository",
    }
}

/// What work can have gone into: a request, or a change that landed without one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Work {
    /// Who made it; `None` where no member of a team is known by that name.
    pub author: Option<String>,
    pub opened_at: Option<Timestamp>,
    /// When it was merged or given up; `None` while it is open.
    pub closed_at: Option<Timestamp>,
    pub fate: Fate,
    /// A cordon keeps it out of the metric.
    pub is_cordoned: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It is a change on the tracked branch.
    Landed,
    /// Open, or merged somewhere that has not landed.
    Open,
    GivenUp,
}

/// What the spend of a slot is told to be and by what, and the work it went into by its place in the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    pub class: Class,
    pub rule: Rule,
    pub work: Option<usize>,
}

/// What is known of a repository.
#[derive(Debug, Default)]
struct Repository {
    tracked: Option<String>,
    lists_requests: bool,
    /// Work by its head branch, first closed first, what is open last.
    heads: HashMap<String, Vec<usize>>,
    numbers: HashMap<u64, usize>,
}

/// Everything that spend can be told to have built, as it was at one instant.
#[derive(Debug)]
pub struct Ground {
    at: Timestamp,
    cordons: Vec<Cordon>,
    works: Vec<Work>,
    commits: HashMap<String, usize>,
    repositories: HashMap<String, Repository>,
}

impl Ground {
    pub fn new(at: Timestamp, cordons: Vec<Cordon>) -> Self {
        Self { at, cordons, works: Vec::new(), commits: HashMap::new(), repositories: HashMap::new() }
    }

    /// Changes are read from this branch of the repository.
    pub fn track(&mut self, repo: &str, branch: &str) {
        self.repository(repo).tracked = Some(branch.to_owned());
    }

    /// A host lists the requests that come from this repository.
    pub fn list_requests(&mut self, repo: &str) {
        self.repository(repo).lists_requests = true;
    }

    /// Adds work; its place is what verdicts name it by.
    pub fn add(&mut self, work: Work) -> usize {
        self.works.push(work);
        self.works.len() - 1
    }

    pub fn add_number(&mut self, repo: &str, number: u64, work: usize) {
        self.repository(repo).numbers.entry(number).or_insert(work);
    }

    /// A commit of a change that landed goes before one of a request, the earlier change before a later one.
    pub fn add_commit(&mut self, sha: &str, work: usize) {
        let rank = |work: usize| {
            let Work { fate, closed_at, .. } = &self.works[work];
            (*fate != Fate::Landed, *closed_at)
        };
        if self.commits.get(sha).is_none_or(|known| rank(work) < rank(*known)) {
            self.commits.insert(sha.to_owned(), work);
        }
    }

    /// The branch that work was made on. The tracked branch is everybody's.
    pub fn add_head(&mut self, repo: &str, branch: &str, work: usize) {
        if self.is_tracked(repo, branch) {
            return;
        }
        let closing = |works: &[Work], work: usize| works[work].closed_at.unwrap_or(Timestamp::MAX);
        let closed = closing(&self.works, work);
        let of = self.repositories.entry(repo.to_owned()).or_default();
        let heads = of.heads.entry(branch.to_owned()).or_default();
        let place = heads.partition_point(|known| closing(&self.works, *known) <= closed);
        heads.insert(place, work);
    }

    fn repository(&mut self, repo: &str) -> &mut Repository {
        self.repositories.entry(repo.to_owned()).or_default()
    }

    fn is_tracked(&self, repo: &str, branch: &str) -> bool {
        self.repositories.get(repo).is_some_and(|of| of.tracked.as_deref() == Some(branch))
    }

    /// The work whose branch it was at that hour: what is closed next, or was closed last, but not long ago.
    fn head(&self, repo: &str, branch: &str, hour: Hour) -> Option<usize> {
        let heads = self.repositories.get(repo)?.heads.get(branch)?;
        let closes = |work: usize| self.works[work].closed_at;
        // the hour in which the branch was given to the next request is still the former one's
        let open = |work: &&usize| closes(**work).is_none_or(|closed| hour <= Hour::of(closed));
        let Some(work) = heads.iter().find(open).copied() else {
            let last = *heads.last()?;
            return closes(last).filter(|closed| hour <= Hour::of(later(*closed, TAIL))).map(|_| last);
        };
        if self.works[work].fate == Fate::Landed {
            return Some(work);
        }
        // of requests that were open at once the one that lands, else the first
        let beside = |other: &&usize| {
            let Work { fate, opened_at, .. } = &self.works[**other];
            let at_once = closes(work).is_none_or(|closed| opened_at.is_some_and(|opened| opened <= closed));
            *fate == Fate::Landed && at_once
        };
        heads.iter().filter(open).find(beside).copied().or(Some(work))
    }

    fn number(&self, repo: &str, number: u64) -> Option<usize> {
        self.repositories.get(repo)?.numbers.get(&number).copied()
    }
}

/// A branch that was last worked on by then has waited long enough for a request at `at`.
pub fn waiting_since(at: Timestamp) -> Hour {
    Hour::of(later(at, -REQUEST_WAIT))
}

fn later(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.saturating_add(by).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests;
