//! Rows of fixed columns for other programs. None of them names a person.

use super::db::{Db, Value, values};
use crate::listing::{Cell, Listing};
use anyhow::Result;
use jiff::Timestamp;
use meter::NanoUsd;

/// What a column holds, be there rows or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Count,
    /// In nano-dollars.
    Dollars,
}

/// From one instant until another, of one team or of all.
#[derive(Debug, Clone)]
pub(crate) struct Range {
    pub from: Timestamp,
    pub until: Timestamp,
    pub team: Option<String>,
}

/// Where the columns of a sheet come from.
pub(crate) struct Shape {
    /// Name, kind, and the expression it is.
    columns: &'static [(&'static str, Kind, &'static str)],
    /// What follows `FROM`; `$1` and `$2` are the range, `$3` the team.
    from: &'static str,
}

pub(crate) struct Sheet {
    pub columns: Vec<(&'static str, Kind)>,
    pub rows: Vec<Vec<Value<'static>>>,
}

/// A row: what was spent in a UTC day by a team in a repository with a model.
pub(crate) const SPEND: Shape = Shape {
    columns: &[
        ("day", Kind::Text, "substr(u.hour, 1, 10)"),
        ("week", Kind::Text, "u.week"),
        ("team", Kind::Text, "u.team"),
        ("business_unit", Kind::Text, "t.business_unit"),
        ("product", Kind::Text, "t.product"),
        ("repo", Kind::Text, "u.repo"),
        ("model", Kind::Text, "u.model"),
        ("provider", Kind::Text, "s.provider"),
        ("trust", Kind::Text, "s.trust"),
        ("cost_basis", Kind::Text, "u.cost_basis"),
        ("requests", Kind::Count, "CAST(SUM(u.requests) AS BIGINT)"),
        ("input", Kind::Count, "CAST(SUM(u.input) AS BIGINT)"),
        ("output", Kind::Count, "CAST(SUM(u.output) AS BIGINT)"),
        ("cache_read", Kind::Count, "CAST(SUM(u.cache_read) AS BIGINT)"),
        ("cache_write_5m", Kind::Count, "CAST(SUM(u.cache_write_5m) AS BIGINT)"),
        ("cache_write_1h", Kind::Count, "CAST(SUM(u.cache_write_1h) AS BIGINT)"),
        ("web_search", Kind::Count, "CAST(SUM(u.web_search) AS BIGINT)"),
        ("cost_usd", Kind::Dollars, "CAST(SUM(u.cost_nanousd) AS BIGINT)"),
    ],
    // what has no price is a row of its own, so that no sum hides it
    from: "usage AS u
        JOIN session AS s ON s.session_id = u.session_id AND s.repo = u.repo AND s.week = u.week
        LEFT JOIN team AS t ON t.team = u.team
        WHERE u.hour >= $1 AND u.hour < $2 AND u.team = COALESCE($3, u.team)
        GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, CASE WHEN u.cost_nanousd IS NULL THEN 0 ELSE 1 END",
};

/// A row: a team and a week that begins in the range. Ratios are left to who sums.
pub(crate) const WEEKS: Shape = Shape {
    columns: &[
        ("team", Kind::Text, "w.team"),
        ("name", Kind::Text, "COALESCE(t.name, w.team)"),
        ("business_unit", Kind::Text, "t.business_unit"),
        ("product", Kind::Text, "t.product"),
        ("week", Kind::Text, "w.week"),
        ("requests", Kind::Count, "w.requests"),
        ("input", Kind::Count, "w.input"),
        ("output", Kind::Count, "w.output"),
        ("cache_read", Kind::Count, "w.cache_read"),
        ("cache_write_5m", Kind::Count, "w.cache_write_5m"),
        ("cache_write_1h", Kind::Count, "w.cache_write_1h"),
        ("web_search", Kind::Count, "w.web_search"),
        ("tokens", Kind::Count, "w.tokens"),
        ("billed_usd", Kind::Dollars, "w.billed_nanousd"),
        ("list_equivalent_usd", Kind::Dollars, "w.list_equivalent_nanousd"),
        ("spend_usd", Kind::Dollars, "w.spend_nanousd"),
        ("cordon_usd", Kind::Dollars, "w.cordon_nanousd"),
        ("unpriced_rows", Kind::Count, "w.unpriced_rows"),
        ("attempted", Kind::Count, "w.attempted"),
        ("verified", Kind::Count, "w.verified"),
        ("disqualified", Kind::Count, "w.disqualified"),
        ("pending", Kind::Count, "w.pending"),
        ("mature", Kind::Count, "w.mature"),
        ("policy_id", Kind::Count, "w.policy_id"),
        ("computed_at", Kind::Text, "w.computed_at"),
    ],
    from: "team_week AS w
        JOIN week AS k ON k.week = w.week
        LEFT JOIN team AS t ON t.team = w.team
        WHERE k.starts_at >= $1 AND k.starts_at < $2 AND w.team = COALESCE($3, w.team)",
};

/// A row: a change that merged in the range, with all that was spent on it.
pub(crate) const CHANGES: Shape = Shape {
    columns: &[
        ("repo", Kind::Text, "c.repo"),
        ("number", Kind::Count, "c.number"),
        ("change", Kind::Text, "c.change"),
        ("merged_at", Kind::Text, "c.merged_at"),
        ("team", Kind::Text, "c.team"),
        ("state", Kind::Text, "c.state"),
        ("cost_usd", Kind::Dollars, "c.cost_nanousd"),
        ("review_cost_usd", Kind::Dollars, "c.review_nanousd"),
        ("sessions", Kind::Count, "CAST(c.sessions AS BIGINT)"),
        ("tokens", Kind::Count, "c.tokens"),
        ("ai_assisted", Kind::Count, "CAST(c.ai_assisted AS BIGINT)"),
    ],
    from: "change_cost AS c
        WHERE c.merged_at >= $1 AND c.merged_at < $2 AND COALESCE(c.team, '') = COALESCE($3, c.team, '')",
};

/// The rows of a sheet, in the order of their columns.
pub(crate) fn sheet(db: &mut Db, shape: &Shape, range: &Range) -> Result<Sheet> {
    let columns: Vec<String> =
        shape.columns.iter().map(|(name, _, sql)| format!("{sql} AS {name}")).collect();
    let sql = format!("SELECT {} FROM {}", columns.join(", "), shape.from);
    let width = shape.columns.len();
    let mut rows =
        db.list(&sql, &range.values(), |row| (0..width).map(|column| row.get(column)).collect())?;
    rows.sort();
    Ok(Sheet { columns: shape.columns.iter().map(|(name, kind, _)| (*name, *kind)).collect(), rows })
}

impl Range {
    pub(super) fn values(&self) -> [Value<'_>; 3] {
        values![self.from.to_string(), self.until.to_string(), self.team.as_ref()]
    }
}

impl Sheet {
    pub(crate) fn listing(&self) -> Listing {
        let names: Vec<&str> = self.columns.iter().map(|(name, _)| *name).collect();
        let cell = |((_, kind), value): (&(&str, Kind), &Value)| match (kind, value) {
            (_, Value::Null) => Cell::Null,
            (Kind::Dollars, Value::Int(nano)) => Cell::number(NanoUsd(*nano)),
            (_, Value::Int(count)) => Cell::number(count),
            (_, Value::Text(text)) => Cell::text(text.as_ref()),
        };
        let row = |row: &Vec<Value>| self.columns.iter().zip(row).map(cell).collect();
        Listing::new(&names, self.rows.iter().map(row).collect())
    }
}
