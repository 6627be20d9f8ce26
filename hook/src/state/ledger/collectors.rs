//! What each collector has acknowledged, and how talking to it went.

use super::reports::{Key, key};
use super::{Ledger, meta_number, meta_set};
use anyhow::Result;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

/// How talking to one collector stands. Instants are seconds since 1970, 0 for never.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Collector {
    pub origin: String,
    pub epoch: u64,
    pub version: String,
    pub retry_at: i64,
    pub failures: i64,
    pub asked_at: i64,
    pub success_at: i64,
    pub failure_at: i64,
    pub failure: String,
}

/// What a collector said to credentials it refused, and when in seconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub words: String,
    pub at: i64,
}

/// What an answer means for one report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The collector has it, or something that replaces it.
    Done,
    /// Another ledger's snapshot has more; shown, and offered again when this one, hook or collector change.
    Held,
    /// Set aside and shown until it, hook or collector change.
    Refused,
    /// Offered again at the next delivery.
    Later,
    /// Offered again when hook or collector change.
    Upgrade,
}

impl Outcome {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Held => "held",
            Self::Refused => "refused",
            Self::Later => "later",
            Self::Upgrade => "upgrade",
        }
    }
}

/// The answer to one report, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Delivery {
    pub key: Key,
    pub seq: u64,
    pub digest: String,
    pub outcome: Outcome,
    pub note: String,
}

const COLUMNS: &str = "origin, epoch, version, retry_at, failures, asked_at, success_at, failure_at, failure";

impl Ledger {
    /// The collector at `origin`; one never spoken to knows the ledger by its birth.
    pub(crate) fn collector(&self, origin: &str) -> Result<Collector> {
        let mut select =
            self.db.prepare_cached(&format!("SELECT {COLUMNS} FROM collector WHERE origin = ?1"))?;
        let known = select.query_row([origin], collector).optional()?;
        let birth = meta_number(&self.db, "epoch")?.cast_unsigned();
        Ok(known.unwrap_or_else(|| Collector {
            origin: origin.to_owned(),
            epoch: birth,
            ..Collector::default()
        }))
    }

    pub(crate) fn collector_set(&mut self, collector: &Collector) -> Result<()> {
        self.write(|db| set(db, collector))
    }

    /// Takes `epoch` for the ledger towards this collector: everything is to be sent again.
    pub(crate) fn collector_epoch(&mut self, collector: &Collector) -> Result<()> {
        self.write(|db| {
            set(db, collector)?;
            db.execute("DELETE FROM delivery WHERE origin = ?1", [&collector.origin])?;
            Ok(())
        })
    }

    /// Why `origin` refused these credentials, if it did.
    pub(crate) fn refusal(&self, origin: &str, credentials: &str) -> Result<Option<Refusal>> {
        let mut select =
            self.db.prepare_cached("SELECT words, at FROM refusal WHERE origin = ?1 AND credentials = ?2")?;
        let refusal = |row: &rusqlite::Row| Ok(Refusal { words: row.get(0)?, at: row.get(1)? });
        Ok(select.query_row([origin, credentials], refusal).optional()?)
    }

    pub(crate) fn refusal_set(&mut self, origin: &str, credentials: &str, refusal: &Refusal) -> Result<()> {
        self.write(|db| {
            let mut insert = db.prepare_cached(
                "INSERT OR REPLACE INTO refusal (origin, credentials, words, at) VALUES (?1, ?2, ?3, ?4)",
            )?;
            insert.execute(params![origin, credentials, refusal.words, refusal.at])?;
            Ok(())
        })
    }

    /// Keeps the answers to one request.
    pub(crate) fn delivery_record(
        &mut self,
        origin: &str,
        answers: &[Delivery],
        now: Timestamp,
    ) -> Result<()> {
        self.write(|db| {
            let mut insert = db.prepare_cached(
                "INSERT OR REPLACE INTO delivery (report, origin, seq, digest, current, state, note, at)
                 SELECT id, ?4, ?5, ?6, ?5, ?7, ?8, ?9 FROM report WHERE session = ?1 AND repo = ?2 AND week = ?3",
            )?;
            for Delivery { key, seq, digest, outcome, note } in answers {
                insert.execute(params![
                    key.session.as_str(),
                    key.repo.as_str(),
                    key.week.to_string(),
                    origin,
                    seq.cast_signed(),
                    digest,
                    outcome.as_str(),
                    note,
                    now.as_second()
                ])?;
            }
            Ok(())
        })
    }

    /// Notes that `origin` may come to have another snapshot of these than the one it answered last. Durably, with
    /// all that was stored so far: no number that a collector has seen may be given to another snapshot.
    pub(crate) fn delivery_offered<'a>(
        &mut self,
        origin: &str,
        keys: impl Iterator<Item = &'a Key>,
    ) -> Result<()> {
        self.write_durably(|db| {
            // a transaction that changes nothing would wait for nothing
            meta_set(db, "offered", &meta_number(db, "seq")?.to_string())?;
            let mut update = db.prepare_cached(
                "UPDATE delivery SET digest = '' WHERE origin = ?4 AND report = (SELECT id FROM report
                     WHERE session = ?1 AND repo = ?2 AND week = ?3)",
            )?;
            for key in keys {
                update.execute([key.session.as_str(), key.repo.as_str(), &key.week.to_string(), origin])?;
            }
            Ok(())
        })
    }

    /// Notes that these snapshots say what `origin` has answered already.
    pub(crate) fn delivery_unchanged(&mut self, origin: &str, snapshots: &[(Key, u64)]) -> Result<()> {
        self.write(|db| {
            let mut update = db.prepare_cached(
                "UPDATE delivery SET current = ?5 WHERE origin = ?4 AND report = (SELECT id FROM report
                     WHERE session = ?1 AND repo = ?2 AND week = ?3)",
            )?;
            for (key, seq) in snapshots {
                let (session, repo, week) = (key.session.as_str(), key.repo.as_str(), key.week.to_string());
                update.execute(params![session, repo, week, origin, seq.cast_signed()])?;
            }
            Ok(())
        })
    }

    /// Forgets that `origin` acknowledged these: it says it does not have them.
    pub(crate) fn delivery_forget(&mut self, origin: &str, keys: &[Key]) -> Result<()> {
        self.write(|db| {
            let mut delete = db.prepare_cached(
                "DELETE FROM delivery WHERE origin = ?4 AND report = (SELECT id FROM report
                     WHERE session = ?1 AND repo = ?2 AND week = ?3)",
            )?;
            for key in keys {
                delete.execute([key.session.as_str(), key.repo.as_str(), &key.week.to_string(), origin])?;
            }
            Ok(())
        })
    }

    /// The reports that `origin` did not take as they are, with its words.
    pub(crate) fn delivery_troubled(&self, origin: &str) -> Result<Vec<Delivery>> {
        let mut select = self.db.prepare(
            "SELECT session, repo, week, delivery.seq, digest, state, note
             FROM delivery JOIN report ON report.id = delivery.report WHERE origin = ?1 AND state <> 'done'
             ORDER BY at DESC, session, repo, week",
        )?;
        let mut rows = select.query([origin])?;
        let mut troubled = Vec::new();
        while let Some(row) = rows.next()? {
            let outcome = match row.get::<_, String>(5)?.as_str() {
                "held" => Outcome::Held,
                "refused" => Outcome::Refused,
                "upgrade" => Outcome::Upgrade,
                _ => Outcome::Later,
            };
            let seq = row.get::<_, i64>(3)?.cast_unsigned();
            let Some(key) = self.readable(key(row)) else { continue };
            troubled.push(Delivery { key, seq, digest: row.get(4)?, outcome, note: row.get(6)? });
        }
        Ok(troubled)
    }

    /// The reports `origin` acknowledged or holds back for a fuller one, with the snapshot it was shown: after a
    /// restore it may have neither.
    pub(crate) fn delivery_done(&self, origin: &str) -> Result<Vec<(Key, u64)>> {
        let mut select = self.db.prepare(
            "SELECT session, repo, week, delivery.seq
             FROM delivery JOIN report ON report.id = delivery.report
             WHERE origin = ?1 AND state IN ('done', 'held') ORDER BY session, repo, week",
        )?;
        let mut rows = select.query([origin])?;
        let mut done = Vec::new();
        while let Some(row) = rows.next()? {
            let seq = row.get::<_, i64>(3)?.cast_unsigned();
            done.extend(self.readable(key(row)).map(|key| (key, seq)));
        }
        Ok(done)
    }
}

fn set(db: &Connection, collector: &Collector) -> Result<()> {
    let sql =
        format!("INSERT OR REPLACE INTO collector ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)");
    let Collector { origin, epoch, version, retry_at, failures, asked_at, success_at, failure_at, failure } =
        collector;
    let epoch = epoch.cast_signed();
    db.prepare_cached(&sql)?.execute(params![
        origin, epoch, version, retry_at, failures, asked_at, success_at, failure_at, failure
    ])?;
    Ok(())
}

fn collector(row: &rusqlite::Row) -> rusqlite::Result<Collector> {
    Ok(Collector {
        origin: row.get(0)?,
        epoch: row.get::<_, i64>(1)?.cast_unsigned(),
        version: row.get(2)?,
        retry_at: row.get(3)?,
        failures: row.get(4)?,
        asked_at: row.get(5)?,
        success_at: row.get(6)?,
        failure_at: row.get(7)?,
        failure: row.get(8)?,
    })
}
