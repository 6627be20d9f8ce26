//! Tickets, and what happened to them.

use super::db::{Db, Row, values};
use super::news::repo_news;
use super::request::whole;
use super::tracker::ticket_events;
use crate::source::Ticket;
use anyhow::Result;
use jiff::Timestamp;
use meter::Repo;
use meter::outcome::{Reopen, Step, TicketEvent};
use std::collections::BTreeMap;

/// Stores a ticket as it is now.
pub(crate) fn ticket_put(db: &mut Db, service: &str, ticket: &Ticket) -> Result<()> {
    let former = ticket_events(db, &ticket.url, Timestamp::MAX)?;
    db.execute(
        "INSERT INTO ticket (ticket, service, id) VALUES ($1, $2, $3)
         ON CONFLICT (ticket) DO UPDATE SET service = excluded.service, id = excluded.id",
        &values![&ticket.url, service, &ticket.id],
    )?;
    db.execute("DELETE FROM ticket_event WHERE ticket = $1", &values![&ticket.url])?;
    for (place, event) in (1_u64..).zip(&ticket.events) {
        let (word, by_hand, as_done) = match event.step {
            Step::Closed { by_hand, as_done } => ("closed", by_hand, as_done),
            Step::Done => ("done", false, true),
            Step::Reopened => ("reopened", false, false),
        };
        let at = whole(event.at);
        db.execute(
            "INSERT INTO ticket_event (ticket, place, happened_at, event, actor, by_hand, as_done)
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
            &values![&ticket.url, place, at, word, event.actor.as_ref(), by_hand, as_done],
        )?;
    }
    if former == ticket_events(db, &ticket.url, Timestamp::MAX)? {
        return Ok(());
    }
    let closed_by = "SELECT DISTINCT repo FROM pull_request_ticket WHERE ticket = $1";
    for row in db.query(closed_by, &values![&ticket.url])? {
        repo_news(db, &row.parse(0)?)?;
    }
    Ok(())
}

/// What a service calls the tickets that changes of a repository merged since `since` are to close, those that come
/// behind `after`.
pub(crate) fn ticket_maturing(
    db: &mut Db,
    repo: &Repo,
    service: &str,
    since: Timestamp,
    after: &str,
) -> Result<Vec<String>> {
    let rows = db.query(
        "SELECT DISTINCT t.id FROM ticket AS t
         JOIN pull_request_ticket AS l ON l.ticket = t.ticket
         JOIN pull_request AS p ON p.repo = l.repo AND p.number = l.number
         WHERE p.repo = $1 AND t.service = $2 AND p.merged_at >= $3 AND t.id > $4 ORDER BY t.id",
        &values![repo.as_str(), service, whole(since), after],
    )?;
    rows.iter().map(|row| row.get(0)).collect()
}

/// A ticket with the changes of one repository that close it.
#[derive(Default)]
pub(crate) struct Closing {
    pub events: Vec<TicketEvent>,
    /// By their shas, with when each landed.
    pub changes: Vec<(String, Timestamp)>,
}

/// The tickets that changes of a repository close, by their address.
pub(crate) fn ticket_list(db: &mut Db, repo: &Repo, at: Timestamp) -> Result<BTreeMap<String, Closing>> {
    let mut tickets: BTreeMap<String, Closing> = BTreeMap::new();
    let row = values![repo.as_str(), whole(at)];
    let changes = "SELECT l.ticket, c.sha, c.merged_at FROM pull_request_ticket AS l
        JOIN change AS c ON c.repo = l.repo AND c.number = l.number
        WHERE l.repo = $1 AND c.merged_at <= $2 ORDER BY c.landed, c.sha";
    for row in db.query(changes, &row)? {
        tickets.entry(row.get(0)?).or_default().changes.push((row.get(1)?, row.parse(2)?));
    }
    let events = "SELECT ticket, happened_at, event, actor, by_hand, as_done FROM ticket_event
        WHERE ticket IN (SELECT ticket FROM pull_request_ticket WHERE repo = $1) AND happened_at <= $2
        ORDER BY ticket, place";
    for row in db.query(events, &row)? {
        if let Some(ticket) = tickets.get_mut(&row.get::<String>(0)?) {
            ticket.events.push(event(&row)?);
        }
    }
    Ok(tickets)
}

/// From the columns as [`ticket_list`] asks for them.
pub(super) fn event(row: &Row) -> Result<TicketEvent> {
    let closed = Step::Closed { by_hand: row.get(4)?, as_done: row.get(5)? };
    let step = |word: &str| match word {
        "closed" => Some(closed),
        "done" => Some(Step::Done),
        "reopened" => Some(Step::Reopened),
        _ => None,
    };
    Ok(TicketEvent { at: row.parse(1)?, actor: row.get(3)?, step: row.word(2, step)? })
}

/// A ticket that was opened again after a change had closed it.
pub(crate) struct FoundReopen<'a> {
    pub sha: &'a str,
    pub ticket: &'a str,
    pub reopen: &'a Reopen,
    pub in_window: bool,
    pub disqualifies: bool,
}

/// Stores it, and whether it is why the change is no outcome.
pub(crate) fn reopen_add(db: &mut Db, repo: &Repo, found: &FoundReopen) -> Result<()> {
    let FoundReopen { sha, ticket, reopen, in_window, disqualifies } = found;
    let at = whole(reopen.at);
    db.execute(
        "INSERT INTO reopen (repo, sha, ticket, reopened_at, misclick, in_window) VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT DO NOTHING",
        &values![repo.as_str(), *sha, *ticket, &at, reopen.misclick, *in_window],
    )?;
    if *disqualifies {
        db.execute(
            "INSERT INTO disqualification (repo, sha, kind, rule, by_sha, by_url, happened_at)
             VALUES ($1, $2, 'reopen', 'ticket', '', $3, $4) ON CONFLICT DO NOTHING",
            &values![repo.as_str(), *sha, *ticket, &at],
        )?;
    }
    Ok(())
}
