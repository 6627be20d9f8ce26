//! The client's own account of a session, and what must be known of the session to read it.

use super::reports::{Changes, Key, key};
use super::{Ledger, instant, tokens};
use crate::reader::reading::Reading;
use anyhow::Result;
use jiff::Timestamp;
use meter::{PicoUsd, SessionId};
use rusqlite::{Connection, params};
use transcript::{CostState, ModelCost};

/// A session as a whole, as far as its overhead depends on it.
#[derive(Debug, Clone)]
pub(crate) struct Account {
    /// The last one the client wrote.
    pub state: Option<CostState>,
    /// Of the last line that has a time.
    pub last_at: Timestamp,
    /// The report that line belongs to.
    pub last: Key,
    pub forked: bool,
    /// Lines before the earliest that is kept were left out.
    pub cut: bool,
    /// Responses came after the client wrote its account.
    pub stale: bool,
    pub interruptions: u64,
    pub compactions: u64,
    /// Every report of the session.
    pub keys: Vec<Key>,
}

/// Keeps the account a reading found. While there is one, each new line may move what it explains.
pub(super) fn keep(db: &Connection, reading: &Reading, changes: &mut Changes) -> Result<()> {
    let session = reading.session.as_str();
    if let Some((at, state)) = &reading.cost_state
        && (reading.from > 0 || !has_newer(db, session, *at)?)
    {
        db.prepare_cached("DELETE FROM account WHERE session = ?1")?.execute([session])?;
        let mut insert = db.prepare_cached(
            "INSERT OR REPLACE INTO account (session, model, input, output, cache_read, cache_write_5m,
                 cache_write_1h, web_search, cost, guessed, at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        )?;
        for ModelCost { model, tokens, cost } in &state.models {
            insert.execute(params![
                session,
                model.as_str(),
                tokens.input.cast_signed(),
                tokens.output.cast_signed(),
                tokens.cache_read.cast_signed(),
                tokens.cache_write_5m.cast_signed(),
                tokens.cache_write_1h.cast_signed(),
                tokens.web_search.cast_signed(),
                cost.0.to_string(),
                state.unknown_model,
                at.as_millisecond(),
            ])?;
        }
    }
    let mut select = db.prepare_cached("SELECT 1 FROM account WHERE session = ?1")?;
    if select.exists([session])? {
        changes.session(session);
    }
    Ok(())
}

/// Whether a fuller copy of the file was read before.
fn has_newer(db: &Connection, session: &str, at: Timestamp) -> Result<bool> {
    let mut select = db.prepare_cached("SELECT 1 FROM account WHERE session = ?1 AND at > ?2")?;
    Ok(select.exists(params![session, at.as_millisecond()])?)
}

impl Ledger {
    /// `None` for a session without a line of its own.
    pub(crate) fn account(&self, session: &SessionId) -> Result<Option<Account>> {
        let id = session.as_str();
        let mut select = self.db.prepare_cached(
            "SELECT ?1, coalesce(nullif(repo, ''), nullif(start_repo, ''), 'none'), week, ended, forked
             FROM share JOIN session ON session.id = share.session
             WHERE session = ?1 AND ended IS NOT NULL ORDER BY ended DESC, repo LIMIT 1",
        )?;
        let mut rows = select.query([id])?;
        let Some(row) = rows.next()? else { return Ok(None) };
        let Some(last) = self.readable(key(row)) else { return Ok(None) };
        let (last_at, forked) = (instant(row.get(3)?), row.get(4)?);
        let mut select = self
            .db
            .prepare_cached("SELECT sum(interruptions), sum(compactions) FROM counted WHERE session = ?1")?;
        let (interruptions, compactions): (i64, i64) =
            select.query_row([id], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let mut cut = self.db.prepare_cached("SELECT 1 FROM cut WHERE session = ?1")?;
        let mut stale = self.db.prepare_cached(
            "SELECT 1 FROM slot JOIN response ON response.slot = slot.id
             WHERE slot.session = ?1 AND response.at > (SELECT max(at) FROM account WHERE session = ?1)",
        )?;
        Ok(Some(Account {
            state: self.account_state(id)?,
            cut: cut.exists([id])?,
            stale: stale.exists([id])?,
            last_at,
            last,
            forked,
            interruptions: interruptions.cast_unsigned(),
            compactions: compactions.cast_unsigned(),
            keys: self.report_of(session)?,
        }))
    }

    fn account_state(&self, session: &str) -> Result<Option<CostState>> {
        let mut select = self.db.prepare_cached(
            "SELECT model, input, output, cache_read, cache_write_5m, cache_write_1h, web_search, cost, guessed
             FROM account WHERE session = ?1 ORDER BY model",
        )?;
        let mut rows = select.query([session])?;
        let mut state: Option<CostState> = None;
        while let Some(row) = rows.next()? {
            let tokens = tokens(row, 1)?;
            let (model, cost): (String, String) = (row.get(0)?, row.get(7)?);
            let state = state.get_or_insert_default();
            state.unknown_model = row.get(8)?;
            state.models.push(ModelCost { model: model.parse()?, tokens, cost: PicoUsd(cost.parse()?) });
        }
        Ok(state)
    }

    fn report_of(&self, session: &SessionId) -> Result<Vec<Key>> {
        let mut select = self.db.prepare_cached(
            "SELECT session, repo, week FROM report WHERE session = ?1 ORDER BY repo, week",
        )?;
        let mut rows = select.query([session.as_str()])?;
        let mut keys = Vec::new();
        while let Some(row) = rows.next()? {
            keys.extend(self.readable(key(row)));
        }
        Ok(keys)
    }
}
