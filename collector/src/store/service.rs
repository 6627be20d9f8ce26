//! How far each service was read.

use super::db::{Db, values};
use super::news::news;
use anyhow::Result;
use jiff::Timestamp;
use std::collections::BTreeSet;

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

/// What stands before the numbers of requests: GitLab writes `!`, others `#`.
pub(crate) struct Signs(BTreeSet<String>);

impl Signs {
    pub(crate) fn read(db: &mut Db) -> Result<Self> {
        let rows = db.query("SELECT name FROM service WHERE kind = 'gitlab'", &[])?;
        Ok(Self(rows.iter().map(|row| row.get(0)).collect::<Result<_>>()?))
    }

    pub(crate) fn of(&self, repo: &str) -> char {
        if self.0.contains(repo) || repo.starts_with("gitlab.") { '!' } else { '#' }
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::fixture::{now, on_both};

    #[test]
    fn a_number_stands_behind_the_sign_of_its_host() {
        on_both(|db| {
            let progress = Progress { cursor: String::new(), synced_at: Some(now()) };
            service_put(db, "git.acme.example/acme/pay", "gitlab", &progress).unwrap();
            service_put(db, "github.com/acme/pay", "github", &progress).unwrap();
            let signs = Signs::read(db).unwrap();
            let repos =
                ["git.acme.example/acme/pay", "gitlab.com/acme/pay", "github.com/acme/pay", "local/1"];
            assert_eq!(repos.map(|repo| signs.of(repo)), ['!', '!', '#', '#']);
        });
    }
}
