//! What was spent in a repository and what came of it.

use super::db::{Db, values};
use super::shipping::UNSHIPPED;
use anyhow::Result;
use jiff::Timestamp;
use meter::{NanoUsd, Week};
use std::cmp::Reverse;

/// What the spend of repositories is told by.
#[derive(Debug, Clone, Copy)]
pub(crate) enum By {
    Repo,
    Week,
    Team,
    Model,
}

/// The spend of one repository, week, team or model.
pub(crate) struct Part {
    pub name: String,
    pub requests: u64,
    pub tokens: u64,
    pub cost: NanoUsd,
    pub unpriced_rows: u64,
}

/// A change of a repository.
pub(crate) struct Landed {
    pub sha: String,
    pub title: String,
    pub state: Option<String>,
    pub merged_at: Timestamp,
    pub shipped_at: Timestamp,
    pub cost: NanoUsd,
}

impl Landed {
    /// The week it shipped in.
    pub(crate) fn week(&self) -> Option<Week> {
        (self.shipped_at != UNSHIPPED).then(|| Week::of(self.shipped_at))
    }
}

/// Spend since a week, of one repository or of all; the largest first.
pub(crate) fn repository_spend(db: &mut Db, first: Week, repo: Option<&str>, by: By) -> Result<Vec<Part>> {
    let column = match by {
        By::Repo => "s.repo",
        By::Week => "s.week",
        By::Team => "s.team",
        By::Model => "s.model",
    };
    let sql = format!(
        "SELECT {column}, CAST(SUM(s.requests) AS BIGINT),
            CAST(SUM(s.input + s.output + s.cache_read + s.cache_write_5m + s.cache_write_1h) AS BIGINT),
            CAST(SUM(s.billed_nanousd + s.list_equivalent_nanousd) AS BIGINT), CAST(SUM(s.unpriced_rows) AS BIGINT)
         FROM (SELECT team FROM team_week_sum GROUP BY team) AS t
         JOIN spend_sum AS s ON s.team = t.team AND s.week >= $1
         WHERE s.repo = COALESCE($2, s.repo)
         GROUP BY {column}"
    );
    let mut parts = db.list(&sql, &values![first.to_string(), repo], |row| {
        Ok(Part {
            name: row.get(0)?,
            requests: row.get(1)?,
            tokens: row.get(2)?,
            cost: NanoUsd(row.get(3)?),
            unpriced_rows: row.get(4)?,
        })
    })?;
    parts.sort_by(|one, other| (Reverse(one.cost), &one.name).cmp(&(Reverse(other.cost), &other.name)));
    Ok(parts)
}

/// The changes that merged or shipped since a week, the dearest first.
pub(crate) fn repository_changes(db: &mut Db, first: Week, repo: &str) -> Result<Vec<Landed>> {
    db.list(
        "SELECT c.sha, c.title, c.state, c.merged_at, c.shipped_at, CAST(COALESCE(SUM(u.cost_nanousd), 0) AS BIGINT) AS cost
         FROM change AS c
         LEFT JOIN attribution_span AS a ON a.change_repo = c.repo AND a.change = c.sha AND a.class <> 'cordon'
         LEFT JOIN usage AS u ON u.session_id = a.session_id AND u.repo = a.repo AND u.week = a.week
            AND u.hour BETWEEN a.first_hour AND a.last_hour AND u.branch = a.branch
         WHERE c.repo = $2 AND (c.merged_at >= $1 OR c.shipped_at >= $1 AND c.shipped_at < $3)
         GROUP BY c.sha, c.title, c.state, c.merged_at, c.shipped_at ORDER BY cost DESC, c.merged_at DESC",
        &values![first.start().to_string(), repo, UNSHIPPED.to_string()],
        |row| {
            Ok(Landed {
                sha: row.get(0)?,
                title: row.get(1)?,
                state: row.get(2)?,
                merged_at: row.parse(3)?,
                shipped_at: row.parse(4)?,
                cost: NanoUsd(row.get(5)?),
            })
        },
    )
}

/// Whether anything is known of a repository, be it spend or changes.
pub(crate) fn repository_known(db: &mut Db, repo: &str) -> Result<bool> {
    let sql =
        "SELECT repo FROM source WHERE repo = $1 UNION SELECT repo FROM session WHERE repo = $1 LIMIT 1";
    Ok(!db.query(sql, &values![repo])?.is_empty())
}
