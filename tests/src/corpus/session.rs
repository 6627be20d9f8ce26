//! A session: where it stands, what it has spent, and what makes its account unsure.

use super::account::Account;
use super::grounds::{Spot, is_shared};
use jiff::Timestamp;
use meter::Tokens;
use std::collections::{BTreeMap, BTreeSet};

/// Why what a session spent beyond its responses cannot be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Doubt {
    Interrupted,
    Unanswered,
    /// It began with another session's lines, and maybe with its account.
    Forked,
    /// A killed run is missing from the account.
    Restarted,
    /// Part of it is not ours to read.
    OutOfScope,
    /// Responses came after the last account.
    Stale,
    /// Several kinds of request at several prices.
    Mixed,
    /// The client wrote none.
    NoAccount,
}

#[derive(Debug, Clone)]
pub struct Session {
    pub id: String,
    pub(super) file: usize,
    pub(super) start: Spot,
    pub(super) spot: Spot,
    pub(super) branch: Option<String>,
    pub(super) at: Timestamp,
    pub(super) doubts: BTreeSet<Doubt>,
    pub(super) account: Account,
    /// The last one it wrote.
    pub(super) written: Option<Account>,
    /// Requests that left no response, by the model that was asked, since the account began.
    pub(super) hidden: BTreeMap<String, Tokens>,
    pub(super) compacted: bool,
    /// Forks may begin with its lines.
    pub(super) forkable: bool,
    /// Some line of its own is in scope.
    pub(super) in_scope: bool,
    /// When and in which repository its last line with a time was written.
    pub(super) last: (Timestamp, Option<&'static str>),
}

impl Session {
    pub(super) fn repo(&self) -> Option<&'static str> {
        self.spot.repo.or(self.start.repo)
    }

    pub(super) fn is_shared(&self) -> bool {
        self.repo().is_some_and(is_shared)
    }

    /// The branch its responses count for: known only in the repository it started in.
    pub(super) fn branch(&self) -> String {
        if self.spot.repo.is_none() || self.spot.repo != self.start.repo || self.shown() == "HEAD" {
            return String::new();
        }
        self.shown().to_owned()
    }

    /// The branch the client shows: that of the place it started in, wherever it went.
    pub(super) fn shown(&self) -> &str {
        self.branch.as_deref().unwrap_or(self.start.branch)
    }
}
