//! Which tickets changes are for, and which of those were opened again.

use crate::store::db::Db;
use crate::store::dispute::Dispute;
use crate::store::outcome::{Commits, Stored};
use crate::store::ticket::{Closing, ticket_list};
use crate::store::tracker::{Keys, key_list, ticket_events};
use anyhow::Result;
use jiff::Timestamp;
use meter::Repo;
use meter::outcome::{Reopen, Texts, reopens, ticket_keys};
use std::collections::{BTreeMap, BTreeSet};

/// The keys by which a change names tickets of these projects.
pub(crate) fn keys_of(one: &Stored, commits: &Commits, projects: &BTreeSet<String>) -> BTreeSet<String> {
    let mut texts = Texts {
        titles: vec![&one.title, &one.request_title],
        branch: one.head_branch.as_deref(),
        bodies: vec![&one.body],
        subjects: Vec::new(),
    };
    for (sha, message) in commits.get(&one.sha).into_iter().flatten() {
        let (subject, body) = message.split_once('\n').unwrap_or((message, ""));
        if *sha == one.sha {
            texts.bodies.push(body);
        } else {
            texts.subjects.push(subject);
        }
    }
    ticket_keys(&texts, projects)
}

/// What speaks against changes besides other changes: their tickets were opened again, unless an admin disputes it.
pub(crate) struct Reopened {
    /// With the address of the ticket, by the sha of the change.
    found: BTreeMap<String, Vec<(String, Reopen)>>,
    disputes: BTreeMap<String, Vec<Dispute>>,
}

impl Reopened {
    /// As it stood at `at`.
    pub(crate) fn find(
        db: &mut Db,
        repo: &Repo,
        at: Timestamp,
        (stored, commits): (&[Stored], &Commits),
        disputes: BTreeMap<String, Vec<Dispute>>,
    ) -> Result<Self> {
        let mut found: BTreeMap<String, Vec<(String, Reopen)>> = BTreeMap::new();
        let named = named(db, at, stored, commits)?;
        for (ticket, closing) in ticket_list(db, repo, at)?.into_iter().chain(named) {
            let merged: Vec<Timestamp> = closing.changes.iter().map(|(_, merged_at)| *merged_at).collect();
            for reopen in reopens(&closing.events, &merged) {
                for change in &reopen.changes {
                    let (sha, _) = &closing.changes[*change];
                    found.entry(sha.clone()).or_default().push((ticket.clone(), reopen.clone()));
                }
            }
        }
        Ok(Self { found, disputes })
    }

    /// The tickets of a change, each with when it was opened again.
    pub(crate) fn of(&self, sha: &str) -> &[(String, Reopen)] {
        self.found.get(sha).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn disputes(&self, sha: &str) -> &[Dispute] {
        self.disputes.get(sha).map_or(&[], Vec::as_slice)
    }

    /// Whether a reopen is held against a change, were it within the window.
    pub(crate) fn counts(&self, sha: &str, (ticket, reopen): &(String, Reopen)) -> bool {
        !reopen.misclick && !self.disputes(sha).iter().any(|dispute| dispute.voids(ticket, reopen.at))
    }
}

/// The tickets of trackers that were ever opened again, with the changes that name them.
fn named(
    db: &mut Db,
    at: Timestamp,
    stored: &[Stored],
    commits: &Commits,
) -> Result<BTreeMap<String, Closing>> {
    let Keys { projects, reopened } = key_list(db)?;
    let mut tickets: BTreeMap<String, Closing> = BTreeMap::new();
    for one in stored.iter().filter(|_| !reopened.is_empty()) {
        for ticket in keys_of(one, commits, &projects).iter().filter_map(|key| reopened.get(key)).flatten() {
            tickets.entry(ticket.clone()).or_default().changes.push((one.sha.clone(), one.merged_at));
        }
    }
    for (ticket, closing) in &mut tickets {
        closing.events = ticket_events(db, ticket, at)?;
    }
    Ok(tickets)
}
