//! Spend by team and week, as the view `team_week` has it.

use super::db::{Db, Row, values};
use anyhow::Result;
use meter::{NanoUsd, Tokens, Week};

/// What a team spent in a week.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TeamWeek {
    pub team: String,
    /// The team's name, or its id where teams.toml no longer has it.
    pub name: String,
    pub week: Week,
    pub requests: u64,
    pub tokens: Tokens,
    pub billed: NanoUsd,
    /// Paid by subscription; at list price.
    pub list_equivalent: NanoUsd,
    /// Usage rows without a price, in no sum.
    pub unpriced_rows: u64,
}

impl TeamWeek {
    pub(crate) fn spend(&self) -> NanoUsd {
        NanoUsd(self.billed.0.saturating_add(self.list_equivalent.0))
    }

    fn read(row: &Row) -> Result<Self> {
        Ok(Self {
            team: row.get(0)?,
            name: row.get(1)?,
            week: row.parse(2)?,
            requests: row.get(3)?,
            tokens: Tokens {
                input: row.get(4)?,
                output: row.get(5)?,
                cache_read: row.get(6)?,
                cache_write_5m: row.get(7)?,
                cache_write_1h: row.get(8)?,
                web_search: row.get(9)?,
            },
            billed: NanoUsd(row.get(10)?),
            list_equivalent: NanoUsd(row.get(11)?),
            unpriced_rows: row.get(12)?,
        })
    }
}

/// The weeks from `first` on, of one team or of all, in no order.
pub(crate) fn team_week_list(db: &mut Db, first: Week, team: Option<&str>) -> Result<Vec<TeamWeek>> {
    let rows = db.query(
        "SELECT w.team, COALESCE(t.name, w.team), w.week, w.requests, w.input, w.output, w.cache_read,
            w.cache_write_5m, w.cache_write_1h, w.web_search, w.billed_nanousd, w.list_equivalent_nanousd,
            w.unpriced_rows
         FROM team_week AS w LEFT JOIN team AS t ON t.team = w.team
         WHERE w.week >= $1 AND (w.team = $2 OR $2 = '')",
        &values![first.to_string(), team.unwrap_or_default()],
    )?;
    rows.iter().map(TeamWeek::read).collect()
}

/// Every team there is or was, by id.
pub(crate) fn team_list(db: &mut Db) -> Result<Vec<String>> {
    let rows = db.query("SELECT team FROM team UNION SELECT team FROM team_week_sum", &[])?;
    let mut teams: Vec<String> = rows.iter().map(|row| row.get(0)).collect::<Result<_>>()?;
    teams.sort();
    Ok(teams)
}
