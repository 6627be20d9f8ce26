//! How large changes are that no host measures.

use super::db::{Db, values};
use anyhow::Result;
use meter::Repo;
use std::collections::BTreeMap;

/// How large a change of so many commits is.
pub(crate) struct Size {
    pub commits: u64,
    pub lines: u64,
}

/// The commits of changes that somebody is known to have spent something on, and whose size is not known.
pub(crate) fn size_unknown(db: &mut Db, repo: &Repo) -> Result<BTreeMap<String, Vec<String>>> {
    let mut unknown: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let rows = db.query(
        "SELECT m.change_sha, m.sha FROM change_commit AS m
         JOIN change AS c ON c.repo = m.repo AND c.sha = m.change_sha
         WHERE m.repo = $1 AND m.change_sha IN (
            SELECT a.change FROM attribution_span AS a WHERE a.change_repo = $1 AND a.class <> 'cordon'
         )
         AND NOT EXISTS (
            SELECT 1 FROM change_size AS z WHERE z.repo = c.repo AND z.sha = c.sha AND z.commits = (
                SELECT COUNT(*) FROM change_commit AS k WHERE k.repo = c.repo AND k.change_sha = c.sha
            )
         )
         AND NOT EXISTS (
            SELECT 1 FROM pull_request AS p
            WHERE p.repo = c.repo AND p.number = c.number AND p.merged_at IS NOT NULL
                AND p.lines_changed IS NOT NULL
         )",
        &values![repo.as_str()],
    )?;
    for row in &rows {
        unknown.entry(row.get(0)?).or_default().push(row.get(1)?);
    }
    Ok(unknown)
}

pub(crate) fn size_put(db: &mut Db, repo: &Repo, sizes: &BTreeMap<String, Size>) -> Result<()> {
    for (sha, Size { commits, lines }) in sizes {
        db.execute(
            "INSERT INTO change_size (repo, sha, commits, lines) VALUES ($1, $2, $3, $4)
             ON CONFLICT (repo, sha) DO UPDATE SET commits = excluded.commits, lines = excluded.lines",
            &values![repo.as_str(), sha, *commits, *lines],
        )?;
    }
    Ok(())
}
