//! What changed other numbers than by a report, and who did it.

use super::db::{Db, values};
use anyhow::Result;
use jiff::Timestamp;

/// Adds a row; call it in the transaction that makes the change.
pub(crate) fn audit_add(db: &mut Db, now: Timestamp, event: &Event) -> Result<()> {
    db.execute(
        "INSERT INTO audit (audit_id, happened_at, actor, action, subject, detail)
         SELECT COALESCE(MAX(audit_id), 0) + 1, $1, $2, $3, $4, $5 FROM audit",
        &values![now.to_string(), event.actor, event.action, event.subject, &event.detail],
    )?;
    Ok(())
}

pub(crate) struct Event<'a> {
    pub actor: &'a str,
    pub action: &'a str,
    pub subject: &'a str,
    pub detail: String,
}
