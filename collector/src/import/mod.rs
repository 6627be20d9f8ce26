//! What a host tells of a repository, page by page into the database: requests, tickets and, where no clone is at hand,
//! what landed.

use crate::source::service::Service;
use crate::source::web::Pace;
use crate::source::{Host, Landed, LandedCommit, Page, Request, Sent, TicketPass};
use crate::store::change::{
    Cursor, Order, change_add, change_count, change_forget, change_join, source_put, source_reread,
    source_synced,
};
use crate::store::db::Db;
use crate::store::incident::{incident_forget, issue_put};
use crate::store::request::{request_landed, request_missed, request_put};
use crate::store::service::{Progress, service_progress, service_put};
use crate::store::shipping::{Told, shipment_forget, shipment_put};
use crate::store::ticket::{ticket_maturing, ticket_put};
use anyhow::Result;
use indicatif::ProgressBar;
use jiff::{SignedDuration, Timestamp};
use meter::Repo;
use serde::Serialize;

/// Tickets that are asked for at a time.
const TICKETS: usize = 100;
/// No window is longer: what landed before can no longer fail.
pub(crate) const MATURE: SignedDuration = SignedDuration::from_hours(91 * 24);

/// What was read of a host.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Imported {
    pub requests: u64,
    pub landed: u64,
    pub tickets: u64,
    pub changes: i64,
}

/// Reads what is new; with a clone at hand the clone tells what landed, and the host only by which request.
pub(crate) fn import<'a, H: Host<'a>>(
    db: &mut Db,
    service: &'a Service,
    has_clone: bool,
    pace: Pace<'a>,
) -> Result<Imported> {
    let repo = &service.repo;
    let began = (pace.now)();
    let known = service_progress(db, repo.as_str(), H::KIND)?;
    let synced_at = known.as_ref().and_then(|known| known.synced_at);
    let mut host = H::open(service, known.as_ref().map(|known| known.cursor.as_str()), has_clone, pace)?;
    let mut keeper = Keeper { repo, kind: H::KIND, has_clone, synced_at, began };
    let mut imported = Imported::default();
    let spinner = ProgressBar::new_spinner(); // shows itself on a terminal only
    let mut store = |page: Page, cursor: &str| {
        imported.count(&page);
        spinner.set_message(format!("{repo}: {} requests, {} commits", imported.requests, imported.landed));
        spinner.tick();
        db.transaction(|db| {
            keeper.page_put(db, page)?;
            let progress = Progress { cursor: cursor.to_owned(), synced_at: keeper.synced_at };
            service_put(db, repo.as_str(), H::KIND, &progress)
        })
    };
    host.read(&mut store)?;
    // what an earlier sync began is as old as that
    let TicketPass { began, after } =
        host.ticket_pass().take().unwrap_or(TicketPass { began, after: String::new() });
    let maturing = ticket_maturing(db, repo, H::KIND, began.saturating_sub(MATURE)?, &after)?;
    for ids in maturing.chunks(TICKETS) {
        let tickets = host.tickets(ids)?;
        imported.tickets += tickets.len() as u64;
        *host.ticket_pass() = ids.last().map(|after| TicketPass { began, after: after.clone() });
        let progress = Progress { cursor: host.cursor()?, synced_at: keeper.synced_at };
        db.transaction(|db| {
            tickets.iter().try_for_each(|ticket| ticket_put(db, H::KIND, ticket))?;
            service_put(db, repo.as_str(), H::KIND, &progress)
        })?;
    }
    *host.ticket_pass() = None;
    db.transaction(|db| {
        keeper.complete(db, began)?;
        service_put(db, repo.as_str(), H::KIND, &Progress { cursor: host.cursor()?, synced_at: Some(began) })
    })?;
    spinner.finish_and_clear();
    imported.changes = change_count(db, repo)?;
    Ok(imported)
}

impl Imported {
    fn count(&mut self, page: &Page) {
        match page {
            Page::Requests(requests) => {
                self.requests += requests.len() as u64;
                self.tickets += requests.iter().map(|request| request.tickets.len() as u64).sum::<u64>();
            }
            Page::Landed { commits, .. } => self.landed += commits.len() as u64,
            _ => {}
        }
    }
}

/// Stores what a host tells of a repository.
struct Keeper<'a> {
    repo: &'a Repo,
    kind: &'static str,
    has_clone: bool,
    /// When all of it was last read.
    synced_at: Option<Timestamp>,
    began: Timestamp,
}

impl Keeper<'_> {
    fn page_put(&mut self, db: &mut Db, page: Page) -> Result<()> {
        let repo = self.repo;
        match page {
            Page::Requests(requests) => {
                requests.iter().try_for_each(|request| request_put(db, repo, self.kind, request))?;
                self.regroup(db, requests.iter().flat_map(Request::landed))
            }
            Page::Landed { branch, commits } => {
                commits.iter().try_for_each(|commit| request_landed(db, repo, commit))?;
                self.regroup(db, commits.iter().map(|landed| landed.commit.sha.as_str()))?;
                if self.has_clone {
                    return Ok(());
                }
                self.source_put(db, &branch)?;
                let landed = commits.into_iter().map(LandedCommit::into_landed);
                let landed: Vec<Landed> = landed.map(|landed| landed.by(self.began)).collect();
                change_add(db, repo, &landed, Order::ByTime)
            }
            Page::Sent(sent) => sent.iter().try_for_each(|one| {
                let Sent { ship, name, sha, at } = one.clone();
                shipment_put(db, repo, self.kind, &Told { ship, name, sha, base_sha: None, at })
            }),
            Page::SentAnew => shipment_forget(db, repo, self.kind),
            Page::Issues(issues) => {
                issues.iter().try_for_each(|issue| issue_put(db, (repo, self.kind), issue))
            }
            Page::IssuesAnew => incident_forget(db, repo, self.kind),
            Page::Rewritten if self.has_clone => Ok(()),
            Page::Rewritten => {
                self.synced_at = None; // also where this sync does not come to its end
                change_forget(db, repo)
            }
        }
    }

    /// Mends where a commit was told of before the host said which request brought it: a clone is read anew.
    fn regroup<'a>(&self, db: &mut Db, landed: impl Iterator<Item = &'a str>) -> Result<()> {
        for sha in landed {
            if !request_missed(db, self.repo, sha)? {
                continue;
            }
            if self.has_clone {
                return source_reread(db, self.repo);
            }
            change_join(db, self.repo, sha)?;
        }
        Ok(())
    }

    fn source_put(&self, db: &mut Db, branch: &str) -> Result<()> {
        let cursor = Cursor { kind: self.kind, branch, commit: "" };
        source_put(db, self.repo, &cursor, self.synced_at.unwrap_or(Timestamp::UNIX_EPOCH))
    }

    /// All of it was read by `began`.
    fn complete(&self, db: &mut Db, began: Timestamp) -> Result<()> {
        match (self.has_clone, self.synced_at) {
            // what the clone told before the host was asked lacks the requests that only the host knows
            (true, None) => source_reread(db, self.repo),
            (true, Some(_)) => Ok(()),
            (false, _) => source_synced(db, self.repo, began),
        }
    }
}

#[cfg(test)]
pub(crate) mod fixture;
#[cfg(test)]
mod tests;
