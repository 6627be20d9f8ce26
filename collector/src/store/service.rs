//! How far each service was read.

use super::db::{Db, values};
use super::news::news;
use anyhow::Result;
use jiff::Timestamp;

/// How far a service was read.
pub(crate) struct Progress {
    pub cursor: String,
    /// When the last sync that read all of it began.
    pub synced_at: Option<Timestamp>,
}

pub(crate) fn service_progress(db: &mut Db, name: &str, kind: &str) -> Result<Option<Progress>> {
    let sql = "SELECT cursor, synced_at FROM service WHERE name = $1 AND kind = $2";
    let rows = db.query(sql, &values![name, kind])?;
    let read = |row: &super::db::Row| {
        let synced_at: Option<String> = row.get(1)?;
        Ok(Progress { cursor: row.get(0)?, synced_at: synced_at.map(|at| at.parse()).transpose()? })
    };
    rows.first().map(read).transpose()
}

pub(crate) fn service_put(db: &mut Db, name: &str, kind: &str, progress: &Progress) -> Result<()> {
    if service_progress(db, name, kind)?.is_none() {
        news(db)?;
    }
    let synced_at = progress.synced_at.map(|at| at.to_string());
    db.execute(
        "INSERT INTO service (name, kind, cursor, synced_at) VALUES ($1, $2, $3, $4)
         ON CONFLICT (name, kind) DO UPDATE SET cursor = excluded.cursor, synced_at = excluded.synced_at",
        &values![name, kind, &progress.cursor, synced_at],
    )?;
    Ok(())
}

/// Forgets how far services were read that are none of these: nobody waits for them.
pub(crate) fn service_retain(db: &mut Db, services: &[(&str, &str)]) -> Result<()> {
    for row in db.query("SELECT name, kind FROM service", &[])? {
        let (name, kind): (String, String) = (row.get(0)?, row.get(1)?);
        if !services.contains(&(name.as_str(), kind.as_str())) {
            db.execute("DELETE FROM service WHERE name = $1 AND kind = $2", &values![&name, &kind])?;
            news(db)?;
        }
    }
    Ok(())
}
