//! Which reports there are, and which snapshot each is at.

use super::{Ledger, meta_number, meta_set};
use crate::reader::reading::Place;
use anyhow::{Context, Result};
use meter::{Developer, Repo, SessionId, Week};
use rusqlite::{Connection, Row};
use std::collections::BTreeSet;
use std::sync::Arc;

/// What one report is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Key {
    pub session: SessionId,
    pub repo: Repo,
    pub week: Week,
}

/// A report that waits for a collector, and what decides whether it may go there.
#[derive(Debug, Clone)]
pub(crate) struct Waiting {
    pub key: Key,
    pub seq: u64,
    /// Whose the session is, as far as it was told.
    pub developer: Option<Developer>,
    /// The collector has a snapshot of it.
    pub made: bool,
    /// What the collector would answer to the same again is known.
    pub answered: Option<String>,
}

/// What a transaction changed, before it is known which repository lines without one belong to.
#[derive(Debug, Default)]
pub(super) struct Changes {
    places: BTreeSet<Place>,
    /// Sessions of which every report changed.
    whole: BTreeSet<String>,
    /// Sessions met for the first time: all there is of them changed place by place.
    new: BTreeSet<String>,
}

impl Changes {
    pub(super) fn place(&mut self, place: &Place) {
        if !self.places.contains(place) {
            self.places.insert(place.clone());
        }
    }

    pub(super) fn session(&mut self, session: &str) {
        if !self.new.contains(session) {
            self.whole.insert(session.to_owned());
        }
    }

    pub(super) fn new_session(&mut self, session: &str) {
        self.new.insert(session.to_owned());
    }
}

/// The place in the first three columns.
pub(super) fn place(row: &Row) -> Result<Place> {
    let (session, repo, week): (String, Arc<str>, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
    Ok(Place { session: session.parse()?, repo, week: week.parse()? })
}

/// Gives every changed report a new snapshot number.
pub(super) fn touch(db: &Connection, changes: &Changes) -> Result<()> {
    if changes.places.is_empty() && changes.whole.is_empty() {
        return Ok(());
    }
    let seq = meta_number(db, "seq")? + 1;
    meta_set(db, "seq", &seq.to_string())?;
    let mut upsert = db.prepare_cached(
        "INSERT INTO report (session, repo, week, seq)
         VALUES (?1, coalesce(nullif(?2, ''), (SELECT nullif(start_repo, '') FROM session WHERE id = ?1), 'none'), ?3, ?4)
         ON CONFLICT (session, repo, week) DO UPDATE SET seq = excluded.seq",
    )?;
    for Place { session, repo, week } in &changes.places {
        upsert.execute((session.as_str(), repo, week.to_string(), seq))?;
    }
    let mut whole = db.prepare_cached("UPDATE report SET seq = ?2 WHERE session = ?1")?;
    for session in &changes.whole {
        whole.execute((session, seq))?;
        for week in homeless(db, session)? {
            upsert.execute((session, "", week, seq))?;
        }
    }
    Ok(())
}

/// The weeks of a session's lines and responses without a repository of their own: the report they belong to may
/// be another one than before.
fn homeless(db: &Connection, session: &str) -> Result<BTreeSet<String>> {
    let mut shares = db.prepare_cached("SELECT DISTINCT week FROM share WHERE session = ?1 AND repo = ''")?;
    let mut weeks: BTreeSet<String> =
        shares.query_map([session], |row| row.get(0))?.collect::<Result<_, _>>()?;
    let mut responses = db.prepare_cached(
        "SELECT DISTINCT response.at / 3600000 FROM slot JOIN response ON response.slot = slot.id
         WHERE slot.session = ?1 AND slot.repo = ''",
    )?;
    let hours = responses.query_map([session], |row| row.get::<_, i64>(0))?;
    for hour in hours {
        weeks.insert(Week::of(super::instant(hour? * 3_600_000)).to_string());
    }
    Ok(weeks)
}

impl Ledger {
    /// Every report and its snapshot number, the longest unchanged first.
    pub(crate) fn report_all(&self) -> Result<Vec<(Key, u64)>> {
        let mut select = self
            .db
            .prepare("SELECT session, repo, week, seq FROM report ORDER BY seq, session, repo, week")?;
        let mut rows = select.query([])?;
        let mut reports = Vec::new();
        while let Some(row) = rows.next()? {
            let seq = row.get::<_, i64>(3)?.cast_unsigned();
            reports.extend(self.readable(key(row)).map(|key| (key, seq)));
        }
        Ok(reports)
    }

    /// One bad key must not hold up all others.
    pub(super) fn readable<T>(&self, key: Result<T>) -> Option<T> {
        let skip = |error: &anyhow::Error| {
            crate::state::log::write(
                &self.state,
                self.opened,
                "ledger",
                &format!("skipped a report: {error:#}"),
            );
        };
        key.inspect_err(skip).ok()
    }

    /// The reports `origin` has not acknowledged as they are now, the longest unchanged first.
    ///
    /// Those it did not take are among them once `versions` differ from those that were not enough.
    pub(crate) fn report_waiting(&self, origin: &str, versions: &str) -> Result<Vec<Waiting>> {
        let mut select = self.db.prepare_cached(
            "SELECT report.session, report.repo, report.week, report.seq, session.developer,
                 coalesce(delivery.state = 'done', FALSE),
                 CASE WHEN delivery.state = 'done' OR delivery.state IN ('held', 'refused')
                     AND substr(delivery.note, 1, length(?2)) = ?2 THEN delivery.digest END
             FROM report
             LEFT JOIN delivery ON delivery.report = report.id AND delivery.origin = ?1
             LEFT JOIN session ON session.id = report.session
             WHERE delivery.current IS NULL OR delivery.current < report.seq OR (delivery.state <> 'done'
                 AND (delivery.state = 'later' OR substr(delivery.note, 1, length(?2)) <> ?2))
             ORDER BY report.seq, report.session, report.repo, report.week",
        )?;
        let mut rows = select.query([origin, versions])?;
        let mut waiting = Vec::new();
        while let Some(row) = rows.next()? {
            let Some(key) = self.readable(key(row)) else { continue };
            let seq = row.get::<_, i64>(3)?.cast_unsigned();
            let developer = row.get::<_, Option<String>>(4)?;
            let developer = developer.and_then(|json| serde_json::from_str(&json).ok());
            waiting.push(Waiting { key, seq, developer, made: row.get(5)?, answered: row.get(6)? });
        }
        Ok(waiting)
    }

    /// The number of the newest snapshot.
    pub(crate) fn report_seq(&self) -> Result<u64> {
        Ok(meta_number(&self.db, "seq")?.cast_unsigned())
    }

    /// Gives one report a snapshot number above `floor`: its collector has seen that one.
    pub(crate) fn report_raise(&mut self, key: &Key, floor: u64) -> Result<()> {
        self.write(|db| {
            let seq = meta_number(db, "seq")?.max(floor.cast_signed()) + 1;
            meta_set(db, "seq", &seq.to_string())?;
            let mut update = db.prepare_cached(
                "UPDATE report SET seq = ?4 WHERE session = ?1 AND repo = ?2 AND week = ?3",
            )?;
            update.execute((key.session.as_str(), key.repo.as_str(), key.week.to_string(), seq))?;
            Ok(())
        })
    }
}

/// The key in the first three columns.
pub(super) fn key(row: &Row) -> Result<Key> {
    let text = |index: usize| row.get::<_, String>(index);
    let bad = "the ledger holds a key that is none";
    Ok(Key {
        session: text(0)?.parse().context(bad)?,
        repo: text(1)?.parse().context(bad)?,
        week: text(2)?.parse().context(bad)?,
    })
}
