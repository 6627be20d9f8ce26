//! What is left of the lines that changes added: those to be counted, and the counts.

use super::db::{Db, Fields, values};
use anyhow::Result;
use jiff::{SignedDuration, Timestamp};
use meter::Repo;
use meter::delivery::Lines;

/// A change whose window has passed and that somebody is known to have spent something on.
pub(crate) struct Passed {
    pub sha: String,
    pub window_days: i64,
    /// When it did.
    pub due: Timestamp,
    /// How many it has.
    pub commits: i64,
    /// Where its lines were counted, with as many commits and as long a window.
    pub counted_at: Option<String>,
}

/// The decided changes of a repository whose windows had passed by `known`, the newest first.
pub(crate) fn passed_list(db: &mut Db, repo: &Repo, known: Timestamp) -> Result<Vec<Passed>> {
    let changes = db.list(
        "SELECT c.sha, c.shipped_at, p.window_days,
            (SELECT COUNT(*) FROM change_commit AS m WHERE m.repo = c.repo AND m.change_sha = c.sha),
            l.commits, l.window_days, l.at_sha
         FROM change AS c JOIN policy AS p ON p.policy_id = c.policy_id
         LEFT JOIN line_survival AS l ON l.repo = c.repo AND l.sha = c.sha
         WHERE c.repo = $1 AND c.state IN ('verified', 'disqualified') AND EXISTS (
            SELECT 1 FROM attribution_span AS a
            WHERE a.change_repo = c.repo AND a.change = c.sha AND a.class <> 'cordon'
         )
         ORDER BY c.landed DESC",
        &values![repo.as_str()],
        |row: &Fields| {
            let (shipped_at, window_days, commits): (Timestamp, i64, i64) =
                (row.parse(1)?, row.get(2)?, row.get(3)?);
            let counted = (row.get::<Option<i64>>(4)?, row.get::<Option<i64>>(5)?);
            let is_same = counted == (Some(commits), Some(window_days));
            Ok(Passed {
                sha: row.get(0)?,
                due: shipped_at.saturating_add(SignedDuration::from_hours(24 * window_days))?,
                window_days,
                commits,
                counted_at: row.get::<Option<String>>(6)?.filter(|_| is_same),
            })
        },
    )?;
    Ok(changes.into_iter().filter(|change| change.due <= known).collect())
}

/// The commits of a change.
pub(crate) fn commit_list(db: &mut Db, repo: &Repo, change: &str) -> Result<Vec<String>> {
    let sql = "SELECT sha FROM change_commit WHERE repo = $1 AND change_sha = $2";
    db.query(sql, &values![repo.as_str(), change])?.iter().map(|row| row.get(0)).collect()
}

/// Keeps what was counted at a commit; nothing where the change touched too many files.
pub(crate) fn survival_put(
    db: &mut Db,
    repo: &Repo,
    change: &Passed,
    (at_sha, lines): (&str, Option<Lines>),
    now: Timestamp,
) -> Result<()> {
    db.execute(
        "INSERT INTO line_survival (repo, sha, commits, window_days, at_sha, added, surviving, measured_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
         ON CONFLICT (repo, sha) DO UPDATE SET commits = excluded.commits, window_days = excluded.window_days,
            at_sha = excluded.at_sha, added = excluded.added, surviving = excluded.surviving,
            measured_at = excluded.measured_at",
        &values![
            repo.as_str(),
            &change.sha,
            change.commits,
            change.window_days,
            at_sha,
            lines.map(|lines| lines.added),
            lines.map(|lines| lines.surviving),
            now.to_string()
        ],
    )?;
    Ok(())
}

/// Forgets the counts of changes that are none any more.
pub(crate) fn survival_prune(db: &mut Db, repo: &Repo) -> Result<()> {
    let sql = "DELETE FROM line_survival WHERE repo = $1 AND NOT EXISTS (
        SELECT 1 FROM change AS c WHERE c.repo = line_survival.repo AND c.sha = line_survival.sha)";
    db.execute(sql, &values![repo.as_str()]).map(drop)
}
