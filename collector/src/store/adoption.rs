//! How many people work with it: counts, and never whose.

use super::db::{Db, values};
use anyhow::Result;
use meter::{Hour, Week};
use std::collections::BTreeMap;

/// A week of all teams.
pub(crate) struct Active {
    pub week: String,
    pub developers: u64,
    pub sessions: u64,
    /// Prompts that people sent.
    pub turns: u64,
    /// Who landed something in a repository that reports, and who of them reported; 0 of 0 where nobody did.
    pub authors: u64,
    pub reporting: u64,
}

/// What a team's people did, beside its members now.
pub(crate) struct Adopting {
    pub team: String,
    pub members: u64,
    pub developers: u64,
    pub sessions: u64,
    pub weeks: u64,
}

/// The newest week first. People are members, else identities; machines of continuous integration are none.
pub(crate) fn active_list(db: &mut Db, first: Week) -> Result<Vec<Active>> {
    let first = values![first.to_string()];
    let covered = db.list(
        "SELECT week, CAST(SUM(authors) AS BIGINT), CAST(SUM(reporting_authors) AS BIGINT)
         FROM coverage WHERE week >= $1 GROUP BY week",
        &first,
        |row| Ok((row.get::<String>(0)?, (row.get(1)?, row.get(2)?))),
    )?;
    let covered: BTreeMap<String, (u64, u64)> = covered.into_iter().collect();
    db.list(
        "SELECT w.week, COALESCE(x.developers, 0), COALESCE(x.sessions, 0), COALESCE(x.turns, 0)
         FROM week AS w
         LEFT JOIN (
            SELECT s.week, COUNT(DISTINCT COALESCE(d.member, s.developer)) AS developers,
                COUNT(DISTINCT s.session_id) AS sessions, CAST(SUM(s.turns) AS BIGINT) AS turns
            FROM session AS s JOIN developer AS d ON d.developer = s.developer
            WHERE s.week >= $1 AND s.requests > 0 AND s.environment <> 'ci' GROUP BY s.week
         ) AS x ON x.week = w.week
         WHERE w.week >= $1 ORDER BY w.week DESC",
        &first,
        |row| {
            let week: String = row.get(0)?;
            let (authors, reporting) = covered.get(&week).copied().unwrap_or_default();
            Ok(Active {
                week,
                developers: row.get(1)?,
                sessions: row.get(2)?,
                turns: row.get(3)?,
                authors,
                reporting,
            })
        },
    )
}

/// Since a week, of the same people as in [`active_list`].
pub(crate) fn adopting_list(db: &mut Db, first: Week, now: Hour) -> Result<Vec<Adopting>> {
    db.list(
        "SELECT COALESCE(n.name, x.team), x.developers, x.sessions, x.weeks,
            (SELECT COUNT(DISTINCT m.developer) FROM team_member AS m
             WHERE m.team = x.team AND m.superseded_at IS NULL
                AND m.valid_from <= $2 AND (m.valid_until IS NULL OR m.valid_until > $2))
         FROM (
            SELECT t.team, COUNT(DISTINCT COALESCE(d.member, u.developer)) AS developers,
                COUNT(DISTINCT u.session_id) AS sessions, COUNT(DISTINCT u.week) AS weeks
            FROM (SELECT team FROM team_week_sum GROUP BY team) AS t
            JOIN usage AS u ON u.team = t.team AND u.week >= $1 AND u.requests > 0
            JOIN session AS s ON s.session_id = u.session_id AND s.repo = u.repo AND s.week = u.week
                AND s.environment <> 'ci'
            JOIN developer AS d ON d.developer = u.developer
            GROUP BY t.team
         ) AS x LEFT JOIN team AS n ON n.team = x.team",
        &values![first.to_string(), now.to_string()],
        |row| {
            Ok(Adopting {
                team: row.get(0)?,
                developers: row.get(1)?,
                sessions: row.get(2)?,
                weeks: row.get(3)?,
                members: row.get(4)?,
            })
        },
    )
}
