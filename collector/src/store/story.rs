//! What is known of one change, from the sessions that built it to what became of it.

use super::db::{Db, Row, values};
use super::policy::strictness;
use super::shipping::UNSHIPPED;
use anyhow::Result;
use jiff::Timestamp;
use meter::NanoUsd;
use meter::outcome::Policy;

/// The change itself, with what its request says.
pub(crate) struct Head {
    pub number: Option<u64>,
    pub title: String,
    pub branch: Option<String>,
    pub author: String,
    pub opened_at: Option<String>,
    pub merged_at: String,
    /// [`UNSHIPPED`] where it has not.
    pub shipped_at: Timestamp,
    pub team: Option<String>,
    pub state: Option<String>,
    pub excluded_as: Option<String>,
    pub policy: Option<(i64, Policy)>,
    pub files: u64,
    pub commits: u64,
}

impl Head {
    pub(crate) fn shipped(&self) -> Option<Timestamp> {
        Some(self.shipped_at).filter(|at| *at != UNSHIPPED)
    }
}

/// What one session spent on it, on one branch and by one rule.
pub(crate) struct Part {
    pub session: String,
    pub developer: String,
    pub branch: String,
    pub first_hour: String,
    pub last_hour: String,
    pub class: String,
    pub rule: String,
    pub tokens: u64,
    pub cost: NanoUsd,
}

/// A commit of a session that is part of it, or of its request.
pub(crate) struct Made {
    pub sha: String,
    pub session: String,
    pub branch: String,
    pub committed_at: String,
}

/// The repository and sha of changes with this number, or whose sha begins like this.
pub(crate) fn change_find(db: &mut Db, number: Option<u64>, sha: &str) -> Result<Vec<(String, String)>> {
    let rows = db.query(
        "SELECT repo, sha FROM change WHERE number = $1 OR SUBSTR(sha, 1, LENGTH($2)) = $2",
        &values![number, sha],
    )?;
    rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect()
}

pub(crate) fn change_head(db: &mut Db, repo: &str, sha: &str) -> Result<Head> {
    let row = db.query_one(
        "SELECT c.number, c.title, COALESCE(r.head_branch, c.head_branch), COALESCE(r.author, c.author), r.opened_at,
            c.merged_at, c.shipped_at, c.team, c.state, c.excluded_as, p.policy_id, p.window_days, p.hotfix_hours,
            (SELECT COUNT(*) FROM change_file AS f WHERE f.repo = c.repo AND f.change_sha = c.sha),
            (SELECT COUNT(*) FROM change_commit AS m WHERE m.repo = c.repo AND m.change_sha = c.sha), p.strictness
         FROM change AS c
         LEFT JOIN policy AS p ON p.policy_id = c.policy_id
         LEFT JOIN pull_request AS r ON r.repo = c.repo AND r.number = c.number
         WHERE c.repo = $1 AND c.sha = $2",
        &values![repo, sha],
    )?;
    let policy = match (row.get(10)?, row.get(11)?, row.get(12)?) {
        (Some(id), Some(window_days), Some(hotfix_hours)) => {
            Some((id, Policy { window_days, hotfix_hours, strictness: strictness(&row, 15)? }))
        }
        _ => None,
    };
    Ok(Head {
        number: row.get(0)?,
        title: row.get(1)?,
        branch: row.get(2)?,
        author: row.get(3)?,
        opened_at: row.get(4)?,
        merged_at: row.get(5)?,
        shipped_at: row.parse(6)?,
        team: row.get(7)?,
        state: row.get(8)?,
        excluded_as: row.get(9)?,
        policy,
        files: row.get(13)?,
        commits: row.get(14)?,
    })
}

/// What was spent on it, the first hour first.
pub(crate) fn change_parts(db: &mut Db, repo: &str, sha: &str) -> Result<Vec<Part>> {
    let rows = db.query(
        "SELECT a.session_id, COALESCE(d.member, u.developer), a.branch, MIN(u.hour), MAX(u.hour), a.class, a.rule,
            CAST(SUM(u.input + u.output + u.cache_read + u.cache_write_5m + u.cache_write_1h) AS BIGINT),
            CAST(COALESCE(SUM(u.cost_nanousd), 0) AS BIGINT)
         FROM attribution_span AS a
         JOIN usage AS u ON u.session_id = a.session_id AND u.repo = a.repo AND u.week = a.week
            AND u.hour BETWEEN a.first_hour AND a.last_hour AND u.branch = a.branch
         JOIN developer AS d ON d.developer = u.developer
         WHERE a.change_repo = $1 AND a.change = $2
         GROUP BY a.session_id, COALESCE(d.member, u.developer), a.branch, a.class, a.rule",
        &values![repo, sha],
    )?;
    let part = |row: &Row| {
        Ok(Part {
            session: row.get(0)?,
            developer: row.get(1)?,
            branch: row.get(2)?,
            first_hour: row.get(3)?,
            last_hour: row.get(4)?,
            class: row.get(5)?,
            rule: row.get(6)?,
            tokens: row.get(7)?,
            cost: NanoUsd(row.get(8)?),
        })
    };
    let mut parts: Vec<Part> = rows.iter().map(part).collect::<Result<_>>()?;
    parts.sort_by(|one, other| {
        (&one.first_hour, &one.session, &one.branch).cmp(&(&other.first_hour, &other.session, &other.branch))
    });
    Ok(parts)
}

pub(crate) fn change_made(db: &mut Db, repo: &str, sha: &str) -> Result<Vec<Made>> {
    let rows = db.query(
        "SELECT DISTINCT s.sha, s.session_id, s.branch, s.committed_at FROM session_commit AS s
         WHERE s.sha IN (SELECT m.sha FROM change_commit AS m WHERE m.repo = $1 AND m.change_sha = $2)
            OR s.sha IN (
                SELECT q.sha FROM pull_request_commit AS q
                JOIN change AS c ON c.repo = q.repo AND c.number = q.number WHERE c.repo = $1 AND c.sha = $2
            )",
        &values![repo, sha],
    )?;
    let made = |row: &Row| {
        Ok(Made { sha: row.get(0)?, session: row.get(1)?, branch: row.get(2)?, committed_at: row.get(3)? })
    };
    let mut all: Vec<Made> = rows.iter().map(made).collect::<Result<_>>()?;
    all.sort_by(|one, other| (&one.committed_at, &one.sha).cmp(&(&other.committed_at, &other.sha)));
    Ok(all)
}
