//! The winning record of each response.

use super::reports::Changes;
use super::{instant, tokens};
use crate::reader::fold::{self, Record, ResponseKey};
use crate::reader::reading::{Held, Place};
use anyhow::{Context, Result};
use meter::{Agent, Band, Geo, SessionId, Speed, Week};
use rusqlite::{CachedStatement, Connection, params};
use std::collections::HashMap;

/// The run of a response whose owner a line named: nothing is left to settle.
const NAMED: i64 = -1;

/// A response as the ledger has it.
pub(super) struct Recorded {
    pub held: Held,
    pub run: i64,
    adopted: bool,
}

/// What the responses of one transaction share: the statement that adds them, and slots, as most have the one of
/// their neighbours.
pub(super) struct Slots<'a> {
    insert: CachedStatement<'a>,
    ids: HashMap<String, i64>,
    name: String,
}

/// Adds a response, or what a better record of it says. Its owner never changes here.
pub(super) fn response(
    db: &Connection,
    key: &ResponseKey,
    held: &Held,
    (run, slots): (i64, &mut Slots),
    changes: &mut Changes,
) -> Result<()> {
    let met = if held.named { NAMED } else { run };
    if insert(db, key, held, (met, false), slots)? {
        changes.place(&held.place);
        return Ok(());
    }
    let Some(mut old) = recorded(db, key)? else { return Ok(()) };
    let (session, owner) = (&held.place.session, old.held.place.session.clone());
    if old.run == run && owner != *session && held.named {
        // the line that names the owner may come after one that does not
        forked(db, owner.as_str(), changes)?;
        reassign(db, key, Recorded { run: NAMED, ..old }, session, changes)?;
        return response(db, key, held, (run, slots), changes);
    }
    if old.run == run && owner != *session {
        let mut insert =
            db.prepare_cached("INSERT OR IGNORE INTO contender (key, session) VALUES (?1, ?2)")?;
        insert.execute(params![key.as_bytes(), session.as_str()])?;
    } else if owner != *session && !held.named {
        forked(db, session.as_str(), changes)?;
        if old.run != NAMED {
            contested(db, key, &mut old, changes)?;
        }
    }
    if fold::wins(&old.held.record, &held.record) {
        changes.place(&old.held.place);
        let place = Place { session: owner, ..held.place.clone() };
        let new = Recorded { held: Held { place, ..held.clone() }, ..old };
        replace(db, key, &new, slots, changes)?;
    }
    Ok(())
}

/// Notes that a session holds a response of another: its account may count what that one owns.
pub(super) fn forked(db: &Connection, session: &str, changes: &mut Changes) -> Result<()> {
    let mut update = db.prepare_cached("UPDATE session SET forked = 1 WHERE id = ?1 AND forked = 0")?;
    if update.execute([session])? > 0 {
        changes.session(session);
    }
    Ok(())
}

/// Notes that another session holds the response too and no line names its owner.
fn contested(db: &Connection, key: &ResponseKey, old: &mut Recorded, changes: &mut Changes) -> Result<()> {
    old.adopted = true;
    let mut update = db.prepare_cached("UPDATE response SET adopted = 1 WHERE key = ?1 AND adopted = 0")?;
    if update.execute([key.as_bytes()])? > 0 {
        changes.place(&old.held.place);
    }
    Ok(())
}

/// Gives a response that no line names the owner of to one of its holders.
pub(super) fn adopt(
    db: &Connection,
    key: &ResponseKey,
    old: Recorded,
    owner: &SessionId,
    changes: &mut Changes,
) -> Result<()> {
    reassign(db, key, Recorded { adopted: true, ..old }, owner, changes)
}

fn reassign(
    db: &Connection,
    key: &ResponseKey,
    mut response: Recorded,
    owner: &SessionId,
    changes: &mut Changes,
) -> Result<()> {
    changes.place(&response.held.place);
    response.held.place.session = owner.clone();
    replace(db, key, &response, &mut Slots::new(db)?, changes)
}

fn replace(
    db: &Connection,
    key: &ResponseKey,
    new: &Recorded,
    slots: &mut Slots,
    changes: &mut Changes,
) -> Result<()> {
    db.prepare_cached("DELETE FROM response WHERE key = ?1")?.execute([key.as_bytes()])?;
    insert(db, key, &new.held, (new.run, new.adopted), slots)?;
    changes.place(&new.held.place);
    Ok(())
}

pub(super) fn recorded(db: &Connection, key: &ResponseKey) -> Result<Option<Recorded>> {
    let mut select = db.prepare_cached(
        "SELECT session, run, repo, branch, agent, at, finished, model, speed, geo, workflow, band, input, output,
             cache_read, cache_write_5m, cache_write_1h, web_search, adopted
         FROM response JOIN slot ON slot.id = response.slot WHERE key = ?1 ORDER BY part",
    )?;
    let mut rows = select.query([key.as_bytes()])?;
    let mut recorded: Option<Recorded> = None;
    while let Some(row) = rows.next()? {
        let text = |index: usize| row.get::<_, String>(index);
        let bad = "the ledger holds a word that no report knows";
        let tokens = tokens(row, 12)?;
        let slice = (Band::from_word(&text(11)?).context(bad)?, tokens);
        if let Some(recorded) = &mut recorded {
            recorded.held.record.slices.push(slice);
            continue;
        }
        let at = instant(row.get(5)?);
        let place = Place { session: text(0)?.parse()?, repo: text(2)?.into(), week: Week::of(at) };
        let record = Record {
            at,
            finished: row.get(6)?,
            agent: Agent::from_word(&text(4)?).context(bad)?,
            model: text(7)?.parse()?,
            speed: Speed::from_word(&text(8)?).context(bad)?,
            geo: Geo::from_word(&text(9)?).context(bad)?,
            workflow: text(10)?.parse()?,
            slices: vec![slice],
        };
        let (run, adopted) = (row.get(1)?, row.get(18)?);
        let held = Held { place, branch: text(3)?.parse()?, named: run == NAMED, record };
        recorded = Some(Recorded { held, run, adopted });
    }
    Ok(recorded)
}

/// Whether the response was new.
fn insert(
    db: &Connection,
    key: &ResponseKey,
    held: &Held,
    (run, adopted): (i64, bool),
    slots: &mut Slots,
) -> Result<bool> {
    for (part, (band, tokens)) in held.record.slices.iter().enumerate() {
        let slot = slots.id(db, held, *band)?;
        let inserted = slots.insert.execute(params![
            slot,
            key.as_bytes(),
            i64::try_from(part)?,
            held.record.at.as_millisecond(),
            tokens.input.cast_signed(),
            tokens.output.cast_signed(),
            tokens.cache_read.cast_signed(),
            tokens.cache_write_5m.cast_signed(),
            tokens.cache_write_1h.cast_signed(),
            tokens.web_search.cast_signed(),
            held.record.finished,
            run,
            adopted,
        ])?;
        if inserted == 0 {
            return Ok(false);
        }
    }
    Ok(true)
}

impl<'a> Slots<'a> {
    pub(super) fn new(db: &'a Connection) -> Result<Self> {
        let insert = db.prepare_cached(
            "INSERT INTO response (slot, key, part, at, input, output, cache_read, cache_write_5m, cache_write_1h,
                 web_search, finished, run, adopted)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13) ON CONFLICT DO NOTHING",
        )?;
        Ok(Self { insert, ids: HashMap::new(), name: String::new() })
    }

    /// The row of what responses share.
    fn id(&mut self, db: &Connection, held: &Held, band: Band) -> Result<i64> {
        let Held { place, record, .. } = held;
        let values: [&str; 9] = [
            place.session.as_str(),
            &place.repo,
            held.branch.as_str(),
            record.model.as_str(),
            record.agent.as_str(),
            record.workflow.as_str(),
            record.speed.as_str(),
            record.geo.as_str(),
            band.as_str(),
        ];
        self.name.clear();
        for value in values {
            self.name.push_str(value);
            // no value holds a control character
            self.name.push('\n');
        }
        if let Some(id) = self.ids.get(&self.name) {
            return Ok(*id);
        }
        let mut insert = db.prepare_cached(
            "INSERT INTO slot (session, repo, branch, model, agent, workflow, speed, geo, band)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT DO NOTHING",
        )?;
        let id = if insert.execute(values)? > 0 {
            db.last_insert_rowid()
        } else {
            let mut select = db.prepare_cached(
                "SELECT id FROM slot WHERE (session, repo, branch, model, agent, workflow, speed, geo, band)
                     = (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            )?;
            select.query_row(values, |row| row.get(0))?
        };
        self.ids.insert(self.name.clone(), id);
        Ok(id)
    }
}
