//! The keys by which changes name tickets of trackers, and what each stands for.

use super::db::{Db, values};
use super::news::repos_news;
use super::request::whole;
use super::ticket::{event, ticket_put};
use crate::source::Ticket;
use anyhow::Result;
use jiff::Timestamp;
use meter::outcome::{Step, TicketEvent, project_of};
use std::collections::{BTreeMap, BTreeSet};

/// The keys a tracker was asked for, each with when its ticket changed last.
pub(crate) fn key_revisions(db: &mut Db, tracker: &str) -> Result<BTreeMap<String, String>> {
    let rows = db.query("SELECT key, revision FROM ticket_key WHERE tracker = $1", &values![tracker])?;
    rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect()
}

/// The keys whose tickets are to be read again, whatever is known of them.
pub(crate) fn key_unread(db: &mut Db, tracker: &str) -> Result<BTreeSet<String>> {
    let sql = "SELECT key FROM ticket_key WHERE tracker = $1 AND ticket IS NOT NULL AND revision = ''";
    db.query(sql, &values![tracker])?.iter().map(|row| row.get(0)).collect()
}

/// Begins to ask for keys, besides those of the projects that were `asked` for: with the first key of another one a
/// change may name other tickets than before.
pub(crate) fn key_begin<'a>(db: &mut Db, asked: &mut BTreeSet<&'a str>, keys: &'a [String]) -> Result<()> {
    let known = asked.len();
    asked.extend(keys.iter().map(|key| project_of(key)));
    if asked.len() > known { repos_news(db) } else { Ok(()) }
}

/// Stores the ticket that a key stands for, as it is now.
pub(crate) fn key_put(
    db: &mut Db,
    (tracker, kind): (&str, &str),
    key: &str,
    (ticket, revision): (&Ticket, &str),
) -> Result<()> {
    let former = key_events(db, tracker, key)?;
    ticket_put(db, kind, ticket)?;
    db.execute(
        "INSERT INTO ticket_key (tracker, key, ticket, revision) VALUES ($1, $2, $3, $4)
         ON CONFLICT (tracker, key) DO UPDATE SET ticket = excluded.ticket, revision = excluded.revision",
        &values![tracker, key, &ticket.url, revision],
    )?;
    let events = key_events(db, tracker, key)?;
    let was_reopened = former.iter().chain(&events).any(|event| event.step == Step::Reopened);
    if was_reopened && former != events { repos_news(db) } else { Ok(()) }
}

/// A revision that no ticket has.
const GONE: &str = "gone";

/// Remembers that a key stands for nothing now; what it stood for stays as it was last read.
pub(crate) fn key_miss(db: &mut Db, tracker: &str, key: &str) -> Result<()> {
    db.execute(
        "INSERT INTO ticket_key (tracker, key, ticket, revision) VALUES ($1, $2, NULL, '')
         ON CONFLICT (tracker, key) DO UPDATE SET revision = $3 WHERE ticket_key.ticket IS NOT NULL",
        &values![tracker, key, GONE],
    )?;
    Ok(())
}

/// What is known of the tickets of trackers.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    /// The projects that trackers were asked for.
    pub projects: BTreeSet<String>,
    /// The addresses of the tickets that were ever opened again, by their keys: several trackers may use one.
    pub reopened: BTreeMap<String, Vec<String>>,
}

pub(crate) fn key_list(db: &mut Db) -> Result<Keys> {
    let mut keys = Keys::default();
    for row in db.query("SELECT key FROM ticket_key", &[])? {
        let key: String = row.get(0)?;
        let project = project_of(&key);
        if !keys.projects.contains(project) {
            keys.projects.insert(project.to_owned());
        }
    }
    let reopened = "SELECT key, ticket FROM ticket_key
        WHERE ticket IN (SELECT ticket FROM ticket_event WHERE event = 'reopened')";
    for row in db.query(reopened, &[])? {
        keys.reopened.entry(row.get(0)?).or_default().push(row.get(1)?);
    }
    Ok(keys)
}

/// What happened to a ticket by `at`, in order of time.
pub(crate) fn ticket_events(db: &mut Db, ticket: &str, at: Timestamp) -> Result<Vec<TicketEvent>> {
    let rows = db.query(
        "SELECT ticket, happened_at, event, actor, by_hand, as_done FROM ticket_event
         WHERE ticket = $1 AND happened_at <= $2 ORDER BY place",
        &values![ticket, whole(at)],
    )?;
    rows.iter().map(event).collect()
}

/// All that happened to the ticket of a key.
fn key_events(db: &mut Db, tracker: &str, key: &str) -> Result<Vec<TicketEvent>> {
    let sql = "SELECT ticket FROM ticket_key WHERE tracker = $1 AND key = $2 AND ticket IS NOT NULL";
    let rows = db.query(sql, &values![tracker, key])?;
    rows.first().map_or(Ok(Vec::new()), |row| ticket_events(db, &row.get::<String>(0)?, Timestamp::MAX))
}
