//! What is kept out of the metric, and since when.

use super::audit::{Event, audit_add};
use super::db::{Db, values};
use super::news::news;
use anyhow::Result;
use jiff::Timestamp;
use meter::attribution::Cordon;

/// A rule with its id and reason.
pub(crate) struct Held {
    pub id: i64,
    pub cordon: Cordon,
    pub reason: String,
    pub recorded_at: String,
}

/// The rules that hold.
pub(crate) fn cordon_list(db: &mut Db) -> Result<Vec<Held>> {
    let rows = db.query(
        "SELECT cordon_id, repo, branch, label, path, reason, recorded_at FROM cordon
         WHERE ended_at IS NULL ORDER BY cordon_id",
        &[],
    )?;
    let held = |row: &super::db::Row| {
        let cordon = Cordon { repo: row.get(1)?, branch: row.get(2)?, label: row.get(3)?, path: row.get(4)? };
        Ok(Held { id: row.get(0)?, cordon, reason: row.get(5)?, recorded_at: row.get(6)? })
    };
    rows.iter().map(held).collect()
}

/// Adds a rule; returns its id.
pub(crate) fn cordon_add(db: &mut Db, cordon: &Cordon, reason: &str, now: Timestamp) -> Result<i64> {
    let id: i64 = db.query_one("SELECT COALESCE(MAX(cordon_id), 0) + 1 FROM cordon", &[])?.get(0)?;
    let Cordon { repo, branch, label, path } = cordon;
    db.execute(
        "INSERT INTO cordon (cordon_id, repo, branch, label, path, reason, recorded_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
        &values![id, repo.as_ref(), branch.as_ref(), label.as_ref(), path.as_ref(), reason, now.to_string()],
    )?;
    audit(db, "cordon_added", id, reason, now)?;
    Ok(id)
}

/// Ends a rule; returns whether it held until now.
pub(crate) fn cordon_end(db: &mut Db, id: i64, reason: &str, now: Timestamp) -> Result<bool> {
    let sql = "UPDATE cordon SET ended_at = $2 WHERE cordon_id = $1 AND ended_at IS NULL";
    let ended = db.execute(sql, &values![id, now.to_string()])? > 0;
    if ended {
        audit(db, "cordon_ended", id, reason, now)?;
    }
    Ok(ended)
}

fn audit(db: &mut Db, action: &str, id: i64, reason: &str, now: Timestamp) -> Result<()> {
    let (subject, detail) = (format!("cordon {id}"), reason.to_owned());
    news(db)?;
    audit_add(db, now, &Event { actor: "admin", action, subject: &subject, detail })
}
