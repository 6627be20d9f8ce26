//! Changes as a page lists them: the newest of some weeks, each with what was spent on it.

use super::db::{Db, Row, Value, values};
use super::filter::Filter;
use anyhow::Result;
use jiff::Timestamp;
use meter::{NanoUsd, Week};
use std::fmt::Write as _;
use std::ops::RangeInclusive;

/// That are listed at once.
const LISTED_MAX: usize = 200;

pub(crate) struct Landed {
    pub repo: String,
    pub sha: String,
    pub number: Option<u64>,
    pub title: String,
    /// `None` before it is judged.
    pub team: Option<String>,
    pub state: Option<String>,
    /// What it is instead of an attempt, or what it was lost by.
    pub because: Option<String>,
    pub shipped_at: Timestamp,
    /// Without what is cordoned off. `None` where no spend is known, which is not a cost of nothing.
    pub cost: Option<NanoUsd>,
}

/// The newest of the changes that shipped in these weeks, and how many there are.
pub(crate) fn landed_list(
    db: &mut Db,
    filter: &Filter,
    weeks: &RangeInclusive<Week>,
) -> Result<(Vec<Landed>, usize)> {
    let mut asked = Vec::from(values![weeks.start().start().to_string(), weeks.end().end().to_string()]);
    let mut condition = "shipped_at >= $1 AND shipped_at < $2".to_owned();
    for (column, value) in [("team", &filter.team), ("repo", &filter.repo)] {
        if let Some(value) = value {
            asked.push(Value::from(value));
            let _ = write!(condition, " AND {column} = ${}", asked.len()); // writing to a String cannot fail
        }
    }
    let count = db.query_one(&format!("SELECT COUNT(*) FROM change WHERE {condition}"), &asked)?;
    let rows = db.query(
        &format!(
            "SELECT c.repo, c.sha, c.number, c.title, c.team, c.state,
                COALESCE(c.excluded_as, (SELECT MIN(d.kind) FROM disqualification AS d WHERE d.repo = c.repo AND d.sha = c.sha)),
                c.shipped_at,
                (SELECT CAST(SUM(u.cost_nanousd) AS BIGINT) FROM attribution_span AS a
                 JOIN usage AS u ON u.session_id = a.session_id AND u.repo = a.repo AND u.week = a.week
                    AND u.hour BETWEEN a.first_hour AND a.last_hour AND u.branch = a.branch
                 WHERE a.change_repo = c.repo AND a.change = c.sha AND a.class <> 'cordon')
             FROM (SELECT * FROM change WHERE {condition} ORDER BY shipped_at DESC, repo, sha LIMIT {LISTED_MAX}) AS c
             ORDER BY c.shipped_at DESC, c.repo, c.sha"
        ),
        &asked,
    )?;
    let read = |row: &Row| {
        Ok(Landed {
            repo: row.get(0)?,
            sha: row.get(1)?,
            number: row.get(2)?,
            title: row.get(3)?,
            team: row.get(4)?,
            state: row.get(5)?,
            because: row.get(6)?,
            shipped_at: row.parse(7)?,
            cost: row.get::<Option<i64>>(8)?.map(NanoUsd),
        })
    };
    Ok((rows.iter().map(read).collect::<Result<_>>()?, usize::try_from(count.get::<u64>(0)?)?))
}
