//! The winning record of each response.

use super::instant;
use super::reports::Changes;
use crate::fold::{self, Record, ResponseKey};
use crate::reading::Held;
use anyhow::{Context, Result};
use meter::{Agent, Band, Branch, Geo, Speed, Tokens, Week};
use rusqlite::{Connection, params};
use std::collections::HashMap;

/// The run of a response whose owner a line named: nothing is left to settle.
const NAMED: i64 = -1;

/// A response as the ledger has it.
pub(super) struct Recorded {
    pub session: String,
    pub run: i64,
    adopted: bool,
    repo: String,
    branch: Branch,
    agent: Agent,
    record: Record,
}

/// The slots met in one transaction: most responses share one with their neighbours.
#[derive(Default)]
pub(super) struct Slots(HashMap<String, i64>);

/// Adds a response, or what a better record of it says. Its owner never changes here.
pub(super) fn response(
    db: &Connection,
    key: &ResponseKey,
    held: &Held,
    (run, slots): (i64, &mut Slots),
    changes: &mut Changes,
) -> Result<()> {
    let session = held.place.session.as_str();
    let new = Recorded {
        session: session.to_owned(),
        run: if held.named { NAMED } else { run },
        adopted: false,
        repo: held.place.repo.clone(),
        branch: held.branch.clone(),
        agent: held.agent,
        record: held.record.clone(),
    };
    if insert(db, key, &new, slots)? {
        changed(&new, changes);
        return Ok(());
    }
    let Some(old) = recorded(db, key)? else { return Ok(()) };
    if old.run == run && old.session != session && held.named {
        // the line that names the owner may come after one that does not
        forked(db, &old.session, changes)?;
        reassign(db, key, Recorded { run: NAMED, ..old }, session, changes)?;
        return response(db, key, held, (run, slots), changes);
    }
    if old.run == run && old.session != session {
        let mut insert =
            db.prepare_cached("INSERT OR IGNORE INTO contender (key, session) VALUES (?1, ?2)")?;
        insert.execute(params![key.as_bytes(), session])?;
    } else if old.session != session && !held.named {
        forked(db, session, changes)?;
    }
    if fold::wins(&old.record, &new.record) {
        changed(&old, changes);
        replace(
            db,
            key,
            &Recorded { session: old.session, run: old.run, adopted: old.adopted, ..new },
            slots,
            changes,
        )?;
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

/// Gives a response that no line names the owner of to one of its holders.
pub(super) fn adopt(
    db: &Connection,
    key: &ResponseKey,
    old: Recorded,
    owner: &str,
    changes: &mut Changes,
) -> Result<()> {
    reassign(db, key, Recorded { adopted: true, ..old }, owner, changes)
}

fn reassign(
    db: &Connection,
    key: &ResponseKey,
    old: Recorded,
    owner: &str,
    changes: &mut Changes,
) -> Result<()> {
    changed(&old, changes);
    replace(db, key, &Recorded { session: owner.to_owned(), ..old }, &mut Slots::default(), changes)
}

fn replace(
    db: &Connection,
    key: &ResponseKey,
    new: &Recorded,
    slots: &mut Slots,
    changes: &mut Changes,
) -> Result<()> {
    db.prepare_cached("DELETE FROM response WHERE key = ?1")?.execute([key.as_bytes()])?;
    insert(db, key, new, slots)?;
    changed(new, changes);
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
        let count = |index: usize| row.get::<_, i64>(index).map(i64::cast_unsigned);
        let bad = "the ledger holds a word that no report knows";
        let tokens = Tokens {
            input: count(12)?,
            output: count(13)?,
            cache_read: count(14)?,
            cache_write_5m: count(15)?,
            cache_write_1h: count(16)?,
            web_search: count(17)?,
        };
        let slice = (Band::from_word(&text(11)?).context(bad)?, tokens);
        if let Some(recorded) = &mut recorded {
            recorded.record.slices.push(slice);
            continue;
        }
        recorded = Some(Recorded {
            session: text(0)?,
            run: row.get(1)?,
            adopted: row.get(18)?,
            repo: text(2)?,
            branch: text(3)?.parse()?,
            agent: Agent::from_word(&text(4)?).context(bad)?,
            record: Record {
                at: instant(row.get(5)?),
                finished: row.get(6)?,
                model: text(7)?.parse()?,
                speed: Speed::from_word(&text(8)?).context(bad)?,
                geo: Geo::from_word(&text(9)?).context(bad)?,
                workflow: text(10)?.parse()?,
                slices: vec![slice],
            },
        });
    }
    Ok(recorded)
}

/// Whether the response was new.
fn insert(db: &Connection, key: &ResponseKey, new: &Recorded, slots: &mut Slots) -> Result<bool> {
    let mut insert = db.prepare_cached(
        "INSERT INTO response (key, part, slot, at, requests, input, output, cache_read, cache_write_5m,
             cache_write_1h, web_search, finished, run, adopted)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14) ON CONFLICT DO NOTHING",
    )?;
    for (part, (band, tokens)) in new.record.slices.iter().enumerate() {
        let inserted = insert.execute(params![
            key.as_bytes(),
            i64::try_from(part)?,
            slots.id(db, new, *band)?,
            new.record.at.as_millisecond(),
            i64::from(part == 0),
            tokens.input.cast_signed(),
            tokens.output.cast_signed(),
            tokens.cache_read.cast_signed(),
            tokens.cache_write_5m.cast_signed(),
            tokens.cache_write_1h.cast_signed(),
            tokens.web_search.cast_signed(),
            new.record.finished,
            new.run,
            new.adopted,
        ])?;
        if inserted == 0 {
            return Ok(false);
        }
    }
    Ok(true)
}

fn changed(recorded: &Recorded, changes: &mut Changes) {
    changes.raw(recorded.session.clone(), recorded.repo.clone(), Week::of(recorded.record.at).to_string());
}

impl Slots {
    /// The row of what responses share.
    fn id(&mut self, db: &Connection, new: &Recorded, band: Band) -> Result<i64> {
        let record = &new.record;
        let values: [&str; 9] = [
            &new.session,
            &new.repo,
            new.branch.as_str(),
            record.model.as_str(),
            new.agent.as_str(),
            record.workflow.as_str(),
            record.speed.as_str(),
            record.geo.as_str(),
            band.as_str(),
        ];
        // no value holds a control character
        let name = values.join("\n");
        if let Some(id) = self.0.get(&name) {
            return Ok(*id);
        }
        let mut upsert = db.prepare_cached(
            "INSERT INTO slot (session, repo, branch, model, agent, workflow, speed, geo, band)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
             ON CONFLICT DO UPDATE SET band = excluded.band RETURNING id",
        )?;
        let id = upsert.query_row(values, |row| row.get(0))?;
        self.0.insert(name, id);
        Ok(id)
    }
}
