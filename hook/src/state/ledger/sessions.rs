//! What is known of each session beside its responses.

use super::Ledger;
use super::reports::Changes;
use crate::config::ClientEnvironment;
use crate::reader::reading::{Reading, Seen};
use anyhow::Result;
use jiff::Timestamp;
use meter::{Developer, EndReason, SessionId};
use rusqlite::{Connection, OptionalExtension, params};

/// What a hook event tells of its session.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    pub session: SessionId,
    pub developer: Option<Developer>,
    pub client: ClientEnvironment,
    /// Of a session's end.
    pub end_reason: Option<EndReason>,
}

/// A session as its reports and its commits need it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Session {
    /// A file of its own was read.
    pub own: bool,
    pub start_repo: String,
    pub version: String,
    pub entrypoint: String,
    pub developer: Option<Developer>,
    pub environment: String,
    pub provider: String,
    pub billing: String,
    pub end_reason: String,
}

impl Ledger {
    pub(crate) fn session(&self, id: &SessionId) -> Result<Option<Session>> {
        let mut select = self.db.prepare_cached(
            "SELECT own, start_repo, version, entrypoint, developer, environment, provider, billing, end_reason
             FROM session WHERE id = ?1",
        )?;
        let session = select.query_row([id.as_str()], |row| {
            Ok(Session {
                own: row.get(0)?,
                start_repo: row.get(1)?,
                version: row.get(2)?,
                entrypoint: row.get(3)?,
                developer: row.get::<_, Option<String>>(4)?.and_then(|json| serde_json::from_str(&json).ok()),
                environment: row.get(5)?,
                provider: row.get(6)?,
                billing: row.get(7)?,
                end_reason: row.get(8)?,
            })
        });
        Ok(session.optional()?)
    }

    /// Notes what a hook event tells; reports that already exist change where it tells something new.
    pub(crate) fn session_event(&mut self, event: &Event) -> Result<()> {
        self.write(|db| {
            let mut changes = Changes::default();
            note(db, event, &mut changes)?;
            super::reports::touch(db, &changes)
        })
    }
}

pub(super) fn note(db: &Connection, event: &Event, changes: &mut Changes) -> Result<()> {
    let client = &event.client;
    db.prepare_cached("INSERT OR IGNORE INTO session (id) VALUES (?1)")?.execute([event.session.as_str()])?;
    let id = event.session.as_str();
    let mut update = db.prepare_cached(
        "UPDATE session SET environment = ?2, provider = ?3, billing = ?4, developer = coalesce(?5, developer),
             end_reason = coalesce(?6, end_reason)
         WHERE id = ?1 AND (environment, provider, billing, developer, end_reason)
             IS NOT (?2, ?3, ?4, coalesce(?5, developer), coalesce(?6, end_reason))",
    )?;
    let told_more = update.execute(params![
        id,
        client.environment.as_str(),
        client.provider.as_str(),
        client.billing.as_str(),
        event.developer.as_ref().and_then(|developer| serde_json::to_string(developer).ok()),
        event.end_reason.map(EndReason::as_str),
    ])?;
    if told_more > 0 {
        changes.session(id);
    }
    Ok(())
}

/// Adds what the lines of one reading tell of a session.
pub(super) fn seen(db: &Connection, session: &SessionId, seen: &Seen, changes: &mut Changes) -> Result<()> {
    let id = session.as_str();
    db.prepare_cached("INSERT OR IGNORE INTO session (id) VALUES (?1)")?.execute([id])?;
    let before = start_of(db, id)?;
    let mut update = db.prepare_cached(
        "UPDATE session SET readings = readings + 1, own = max(own, ?2),
             own_at = min(coalesce(own_at, ?3), coalesce(?3, own_at)),
             forked = max(forked, ?7),
             version = CASE WHEN ?4 <> '' THEN ?4 ELSE version END,
             entrypoint = CASE WHEN ?5 <> '' THEN ?5 ELSE entrypoint END,
             developer = coalesce(?6, developer)
         WHERE id = ?1",
    )?;
    let developer = seen.developer.as_ref().and_then(|developer| serde_json::to_string(developer).ok());
    let own_at = seen.own_at.map(Timestamp::as_millisecond);
    update.execute(params![id, seen.own, own_at, seen.version, seen.entrypoint, developer, seen.forked])?;
    if let Some(start) = &seen.start {
        let mut update = db.prepare_cached(
            "UPDATE session SET start_at = ?2, start_repo = ?3
             WHERE id = ?1 AND (start_at IS NULL OR start_at > ?2)",
        )?;
        update.execute(params![id, start.at.as_millisecond(), start.repo])?;
    }
    let mut insert =
        db.prepare_cached("INSERT OR IGNORE INTO session_folder (session, folder) VALUES (?1, ?2)")?;
    for folder in &seen.folders {
        insert.execute([id, folder])?;
    }
    // partial or not, and where lines without a repository belong, is said by every report of the session
    if before != start_of(db, id)? {
        changes.session(id);
    }
    Ok(())
}

fn start_of(db: &Connection, id: &str) -> Result<(bool, String)> {
    let mut select = db.prepare_cached("SELECT own, start_repo FROM session WHERE id = ?1")?;
    Ok(select.query_row([id], |row| Ok((row.get(0)?, row.get(1)?)))?)
}

/// Adds pull requests, hints of commits and the client's own total.
pub(super) fn mentions(db: &Connection, reading: &Reading, changes: &mut Changes) -> Result<()> {
    for named in &reading.pull_requests {
        let mut insert = db.prepare_cached(
            "INSERT OR IGNORE INTO pull_request (session, repo, number, action, at) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?;
        let place = &named.place;
        let values = params![
            place.session.as_str(),
            place.repo,
            named.number,
            named.action.as_str(),
            named.at.as_millisecond()
        ];
        if insert.execute(values)? > 0 {
            changes.place(place);
        }
    }
    for hint in &reading.commit_hints {
        let mut insert = db.prepare_cached(
            "INSERT OR IGNORE INTO commit_hint (session, folder, sha, branch) VALUES (?1, ?2, ?3, ?4)",
        )?;
        insert.execute(params![hint.session.as_str(), hint.folder, hint.sha, hint.branch])?;
    }
    Ok(())
}
