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

    /// Notes what a hook event tells, which no transcript repeats; reports that already exist change where it tells
    /// something new.
    pub(crate) fn session_event(&mut self, event: &Event) -> Result<()> {
        self.write_durably(|db| {
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
    let before = start_of(db, id)?;
    if before.is_none() {
        changes.new_session(id);
    }
    let mut upsert = db.prepare_cached(
        "INSERT INTO session (id, readings, own, own_at, forked, version, entrypoint, developer, start_at, start_repo)
         VALUES (?1, 1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
         ON CONFLICT DO UPDATE SET readings = readings + 1, own = max(own, excluded.own),
             own_at = min(coalesce(own_at, excluded.own_at), coalesce(excluded.own_at, own_at)),
             forked = max(forked, excluded.forked),
             version = coalesce(nullif(excluded.version, ''), version),
             entrypoint = coalesce(nullif(excluded.entrypoint, ''), entrypoint),
             developer = coalesce(excluded.developer, developer),
             start_at = min(coalesce(start_at, excluded.start_at), coalesce(excluded.start_at, start_at)),
             start_repo = iif(start_at IS NULL OR start_at > excluded.start_at, excluded.start_repo, start_repo)",
    )?;
    let developer = seen.developer.as_ref().and_then(|developer| serde_json::to_string(developer).ok());
    upsert.execute(params![
        id,
        seen.own,
        seen.own_at.map(Timestamp::as_millisecond),
        seen.forked,
        seen.version,
        seen.entrypoint,
        developer,
        seen.start.as_ref().map(|start| start.at.as_millisecond()),
        seen.start.as_ref().map_or("", |start| &start.repo),
    ])?;
    let mut insert =
        db.prepare_cached("INSERT OR IGNORE INTO session_folder (session, folder) VALUES (?1, ?2)")?;
    for folder in &seen.folders {
        insert.execute([id, folder])?;
    }
    // partial or not, and where lines without a repository belong, is said by every report of the session
    if before.is_some() && before != start_of(db, id)? {
        changes.session(id);
    }
    Ok(())
}

fn start_of(db: &Connection, id: &str) -> Result<Option<(bool, String)>> {
    let mut select = db.prepare_cached("SELECT own, start_repo FROM session WHERE id = ?1")?;
    Ok(select.query_row([id], |row| Ok((row.get(0)?, row.get(1)?))).optional()?)
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
