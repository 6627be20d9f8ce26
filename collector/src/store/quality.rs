//! How much of the numbers can be relied on: what is counted without a team, a price, or a known person.

use super::db::{Db, values};
use anyhow::Result;
use meter::{NanoUsd, Week};

/// Spend that no team carries, by how its people are known.
pub(crate) struct Stray {
    pub kind: String,
    pub identities: u64,
    pub sessions: u64,
    pub cost: NanoUsd,
    pub last_hour: String,
}

/// A model without a price.
pub(crate) struct Unpriced {
    pub model: String,
    pub rows: u64,
    pub requests: u64,
    pub tokens: u64,
    pub first_hour: String,
    pub last_hour: String,
}

/// Of those who landed something in a repository, week by week, how many reported.
pub(crate) struct Covered {
    pub repo: String,
    pub authors: u64,
    pub reporting: u64,
}

/// Sessions by how their people are known, and by what tells of them.
pub(crate) struct Trusted {
    pub trust: String,
    pub kind: String,
    pub sessions: u64,
    pub cost: NanoUsd,
}

/// Installations whose sessions bear so many identities that are not one member's.
pub(crate) struct Shared {
    pub identities: u64,
    pub installs: u64,
}

/// What transcripts lacked.
pub(crate) struct Lacking {
    pub lines: u64,
    pub malformed: u64,
    pub interrupted: u64,
    pub unknown_usage: u64,
    pub unitemised: u64,
    pub adopted: u64,
}

pub(crate) fn stray_list(db: &mut Db, first: Week) -> Result<Vec<Stray>> {
    db.list(
        "SELECT d.kind, COUNT(DISTINCT u.developer), COUNT(DISTINCT u.session_id),
            CAST(COALESCE(SUM(u.cost_nanousd), 0) AS BIGINT), MAX(u.hour)
         FROM usage AS u JOIN developer AS d ON d.developer = u.developer
         WHERE u.team = 'unassigned' AND u.week >= $1 GROUP BY d.kind ORDER BY 4 DESC",
        &values![first.to_string()],
        |row| {
            Ok(Stray {
                kind: row.get(0)?,
                identities: row.get(1)?,
                sessions: row.get(2)?,
                cost: NanoUsd(row.get(3)?),
                last_hour: row.get(4)?,
            })
        },
    )
}

/// Weeks without such rows are not looked at.
pub(crate) fn unpriced_list(db: &mut Db, first: Week) -> Result<Vec<Unpriced>> {
    db.list(
        "SELECT u.model, COUNT(*), CAST(SUM(u.requests) AS BIGINT),
            CAST(SUM(u.input + u.output + u.cache_read + u.cache_write_5m + u.cache_write_1h) AS BIGINT),
            MIN(u.hour), MAX(u.hour)
         FROM team_week_sum AS w JOIN usage AS u ON u.team = w.team AND u.week = w.week
         WHERE w.unpriced_rows > 0 AND w.week >= $1 AND u.cost_nanousd IS NULL
         GROUP BY u.model ORDER BY 4 DESC",
        &values![first.to_string()],
        |row| {
            Ok(Unpriced {
                model: row.get(0)?,
                rows: row.get(1)?,
                requests: row.get(2)?,
                tokens: row.get(3)?,
                first_hour: row.get(4)?,
                last_hour: row.get(5)?,
            })
        },
    )
}

pub(crate) fn covered_list(db: &mut Db, first: Week) -> Result<Vec<Covered>> {
    db.list(
        "SELECT repo, CAST(SUM(authors) AS BIGINT), CAST(SUM(reporting_authors) AS BIGINT)
         FROM coverage WHERE week >= $1 GROUP BY repo ORDER BY 2 DESC",
        &values![first.to_string()],
        |row| Ok(Covered { repo: row.get(0)?, authors: row.get(1)?, reporting: row.get(2)? }),
    )
}

pub(crate) fn trusted_list(db: &mut Db, first: Week) -> Result<Vec<Trusted>> {
    db.list(
        "SELECT s.trust, d.kind, COUNT(DISTINCT s.session_id), CAST(COALESCE(SUM(u.cost_nanousd), 0) AS BIGINT)
         FROM (SELECT team FROM team_week_sum GROUP BY team) AS t
         JOIN usage AS u ON u.team = t.team AND u.week >= $1
         JOIN session AS s ON s.session_id = u.session_id AND s.repo = u.repo AND s.week = u.week
         JOIN developer AS d ON d.developer = u.developer
         GROUP BY s.trust, d.kind ORDER BY 4 DESC",
        &values![first.to_string()],
        |row| {
            Ok(Trusted {
                trust: row.get(0)?,
                kind: row.get(1)?,
                sessions: row.get(2)?,
                cost: NanoUsd(row.get(3)?),
            })
        },
    )
}

pub(crate) fn shared_list(db: &mut Db, first: Week) -> Result<Vec<Shared>> {
    db.list(
        "SELECT identities, COUNT(*) FROM (
            SELECT s.install_id, COUNT(DISTINCT COALESCE(d.member, d.developer)) AS identities
            FROM session AS s JOIN developer AS d ON d.developer = s.developer
            WHERE s.week >= $1 AND s.environment = 'local' GROUP BY s.install_id
         ) AS i WHERE identities > 1 GROUP BY identities ORDER BY identities DESC",
        &values![first.to_string()],
        |row| Ok(Shared { identities: row.get(0)?, installs: row.get(1)? }),
    )
}

pub(crate) fn lacking(db: &mut Db, first: Week) -> Result<Lacking> {
    let sums = ["lines", "malformed", "interrupted", "unknown_usage", "unitemised", "adopted"]
        .map(|column| format!("CAST(COALESCE(SUM({column}), 0) AS BIGINT)"))
        .join(", ");
    let row =
        db.query_one(&format!("SELECT {sums} FROM session WHERE week >= $1"), &values![first.to_string()])?;
    Ok(Lacking {
        lines: row.get(0)?,
        malformed: row.get(1)?,
        interrupted: row.get(2)?,
        unknown_usage: row.get(3)?,
        unitemised: row.get(4)?,
        adopted: row.get(5)?,
    })
}
