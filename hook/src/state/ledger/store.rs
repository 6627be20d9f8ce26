//! Storing what was read of a transcript: responses, statistics, and which reports that changes.

use super::files::{self, Known};
use super::reports::{Changes, place, touch};
use super::responses::{Slots, response};
use super::{Event, Folder, Ledger, accounts, folders, meta_number, meta_set, owners, sessions};
use crate::reader::reading::{Place, Reading, Share};
use anyhow::Result;
use jiff::Timestamp;
use rusqlite::{Connection, Transaction, params};

/// What became of a reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stored {
    Done,
    /// Another process read the same lines first; nothing was changed.
    Overtaken,
}

impl Ledger {
    /// Stores readings, folders and an event in one transaction, durably where there is an event: no transcript
    /// repeats it. Owners met for the first time stay open until [`Ledger::owner_settle`] ends the run.
    pub(crate) fn store(
        &mut self,
        readings: &[(Option<Known>, Reading)],
        folders: &[(String, Folder)],
        event: Option<&Event>,
    ) -> Result<Vec<Stored>> {
        let work = |db: &Transaction| {
            let mut changes = Changes::default();
            let (run, mut slots) = (meta_number(db, "run")?, Slots::new(db)?);
            let store = |(known, reading): &(Option<Known>, Reading)| {
                store(db, known.as_ref(), reading, (run, &mut slots), &mut changes)
            };
            let stored = readings.iter().map(store);
            let stored = stored.collect::<Result<Vec<_>>>()?;
            folders::set(db, folders)?;
            if let Some(event) = event {
                sessions::note(db, event, &mut changes)?;
            }
            touch(db, &changes)?;
            Ok(stored)
        };
        if event.is_some() { self.write_durably(work) } else { self.write(work) }
    }

    /// Ends a run: responses that several sessions hold get the owner they keep for ever.
    pub(crate) fn owner_settle(&mut self) -> Result<()> {
        self.write(|db| {
            let mut changes = Changes::default();
            let run = meta_number(db, "run")?;
            owners::settle(db, run, &mut changes)?;
            touch(db, &changes)?;
            meta_set(db, "run", &(run + 1).to_string())
        })
    }
}

fn store(
    db: &Connection,
    known: Option<&Known>,
    reading: &Reading,
    (run, slots): (i64, &mut Slots),
    changes: &mut Changes,
) -> Result<Stored> {
    let Some(file) = files::advance(db, known, &reading.cursor)? else { return Ok(Stored::Overtaken) };
    if known.is_some() && reading.from == 0 {
        forget(db, file, changes)?;
    }
    for (session, seen) in &reading.sessions {
        sessions::seen(db, session, seen, changes)?;
    }
    for (place, share) in &reading.shares {
        share_add(db, file, place, share)?;
        changes.place(place);
    }
    // in the order of the table: each of its pages is written to once
    let mut responses: Vec<_> = reading.responses.iter().collect();
    responses.sort_unstable_by_key(|(key, _)| *key);
    for (key, held) in responses {
        response(db, key, held, (run, slots), changes)?;
    }
    requests(db, file, reading, changes)?;
    if reading.cut {
        let mut insert = db.prepare_cached("INSERT OR IGNORE INTO cut (file, session) VALUES (?1, ?2)")?;
        insert.execute(params![file, reading.session.as_str()])?;
    }
    sessions::mentions(db, reading, changes)?;
    accounts::keep(db, reading, changes)?;
    Ok(Stored::Done)
}

/// Takes back what an earlier reading of the file said beside responses: those happened.
fn forget(db: &Connection, file: i64, changes: &mut Changes) -> Result<()> {
    for table in ["share", "request"] {
        let sql = format!("DELETE FROM {table} WHERE file = ?1 RETURNING session, repo, week");
        let mut delete = db.prepare_cached(&sql)?;
        let mut rows = delete.query([file])?;
        while let Some(row) = rows.next()? {
            changes.place(&place(row)?);
        }
    }
    db.prepare_cached("DELETE FROM cut WHERE file = ?1")?.execute([file])?;
    Ok(())
}

fn share_add(db: &Connection, file: i64, place: &Place, share: &Share) -> Result<()> {
    let Share { shape, quality, .. } = share;
    let mut insert = db.prepare_cached(
        "INSERT INTO share (file, session, repo, week, started, ended, turns, subagents, tool_errors, api_errors,
             compactions, prompt_max, lines, malformed, synthetic, unknown_usage, interruptions)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)
         ON CONFLICT (session, repo, week, file) DO UPDATE SET
             started = min(coalesce(started, excluded.started), coalesce(excluded.started, started)),
             ended = max(coalesce(ended, excluded.ended), coalesce(excluded.ended, ended)),
             turns = turns + excluded.turns,
             subagents = subagents + excluded.subagents,
             tool_errors = tool_errors + excluded.tool_errors,
             api_errors = api_errors + excluded.api_errors,
             compactions = compactions + excluded.compactions,
             prompt_max = max(prompt_max, excluded.prompt_max),
             lines = lines + excluded.lines,
             malformed = malformed + excluded.malformed,
             synthetic = synthetic + excluded.synthetic,
             unknown_usage = unknown_usage + excluded.unknown_usage,
             interruptions = interruptions + excluded.interruptions",
    )?;
    insert.execute(params![
        file,
        place.session.as_str(),
        place.repo,
        place.week.to_string(),
        share.started.map(Timestamp::as_millisecond),
        share.ended.map(Timestamp::as_millisecond),
        shape.turns.cast_signed(),
        shape.subagents.cast_signed(),
        shape.tool_errors.cast_signed(),
        shape.api_errors.cast_signed(),
        shape.compactions.cast_signed(),
        shape.prompt_max.cast_signed(),
        quality.lines.cast_signed(),
        quality.malformed.cast_signed(),
        quality.synthetic.cast_signed(),
        quality.unknown_usage.cast_signed(),
        share.interruptions.cast_signed(),
    ])?;
    Ok(())
}

/// Keeps the requests nobody answered, and drops those that a response has answered since.
fn requests(db: &Connection, file: i64, reading: &Reading, changes: &mut Changes) -> Result<()> {
    let mut insert = db.prepare_cached(
        "INSERT OR IGNORE INTO request (file, id, session, repo, week) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?;
    for (id, place) in &reading.asked {
        insert.execute(params![file, id, place.session.as_str(), place.repo, place.week.to_string()])?;
        changes.place(place);
    }
    if reading.last_answered.is_some() {
        db.prepare_cached("DELETE FROM request WHERE file = ?1 AND session = ''")?.execute([file])?;
    }
    let mut delete =
        db.prepare_cached("DELETE FROM request WHERE file = ?1 AND id = ?2 RETURNING session, repo, week")?;
    // a file read from its beginning has no earlier ones
    for id in reading.answered.iter().filter(|_| reading.from > 0) {
        let mut rows = delete.query(params![file, id])?;
        while let Some(row) = rows.next()? {
            changes.place(&place(row)?);
        }
    }
    if let Some(id) = &reading.last_answered {
        insert.execute(params![file, id, "", "", ""])?;
    }
    Ok(())
}
