//! The rollups behind `team_week` and its parts: sums by team and week, and by repository and model with them,
//! changed by what changes in `usage`.

use super::db::{Db, Value, values};
use anyhow::Result;
use meter::{Fault, FaultCode, NanoUsd, Retry, Tokens};
use std::collections::BTreeMap;

/// No sum over the database may pass this; 64 bits hold a little more.
const SUM_MAX: i128 = 9_000_000_000_000_000_000;

/// How a sum is to change: counts of some usage rows, or of rows that are gone.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Sum {
    pub usage_rows: i64,
    pub unpriced_rows: i64,
    pub requests: i64,
    pub tokens: [i64; 6],
    pub billed: i64,
    pub list_equivalent: i64,
}

/// How spend is to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CostBasis {
    /// Billed token by token at list price.
    List,
    /// Paid by subscription; what the tokens would cost at list price.
    ListEquivalent,
}

impl CostBasis {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::List => "list",
            Self::ListEquivalent => "list_equivalent",
        }
    }

    pub(crate) fn from_word(word: &str) -> Option<Self> {
        [Self::List, Self::ListEquivalent].into_iter().find(|basis| basis.as_str() == word)
    }
}

impl Sum {
    /// The sum of one row. No count of a row is larger than 10^10.
    pub(crate) fn of(requests: u64, tokens: &Tokens, cost: Option<NanoUsd>, basis: CostBasis) -> Self {
        let count = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        let Tokens { input, output, cache_read, cache_write_5m, cache_write_1h, web_search } = *tokens;
        let nano = cost.map_or(0, |cost| cost.0);
        let (billed, list_equivalent) = match basis {
            CostBasis::List => (nano, 0),
            CostBasis::ListEquivalent => (0, nano),
        };
        Self {
            usage_rows: 1,
            unpriced_rows: i64::from(cost.is_none()),
            requests: count(requests),
            tokens: [input, output, cache_read, cache_write_5m, cache_write_1h, web_search].map(count),
            billed,
            list_equivalent,
        }
    }

    pub(crate) fn add(&mut self, other: &Self, sign: i64) {
        self.usage_rows += sign * other.usage_rows;
        self.unpriced_rows += sign * other.unpriced_rows;
        self.requests += sign * other.requests;
        for (mine, theirs) in self.tokens.iter_mut().zip(other.tokens) {
            *mine += sign * theirs;
        }
        self.billed += sign * other.billed;
        self.list_equivalent += sign * other.list_equivalent;
    }

    fn cost(&self) -> i64 {
        self.billed + self.list_equivalent
    }

    fn counts(&self) -> i64 {
        self.requests + self.tokens.iter().sum::<i64>()
    }
}

/// Where usage is summed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Part {
    pub team: String,
    pub week: String,
    pub repo: String,
    pub model: String,
}

/// Changes to the sums, gathered over many rows and stored at once.
#[derive(Debug, Default)]
pub(crate) struct SumChange(BTreeMap<Part, Sum>);

impl SumChange {
    pub(crate) fn add(&mut self, part: Part, sum: &Sum) {
        self.0.entry(part).or_default().add(sum, 1);
    }

    pub(crate) fn take(&mut self, part: Part, sum: &Sum) {
        self.0.entry(part).or_default().add(sum, -1);
    }

    /// What was one team's becomes another's.
    pub(crate) fn give(&mut self, part: Part, team: &str, sum: &Sum) {
        self.add(Part { team: team.to_owned(), ..part.clone() }, sum);
        self.take(part, sum);
    }

    fn total(&self) -> Sum {
        let mut total = Sum::default();
        self.0.values().for_each(|sum| total.add(sum, 1));
        total
    }

    /// Refuses what would bring a sum over the whole database past 64 bits.
    pub(crate) fn check_room(&self, db: &mut Db) -> Result<()> {
        let row = db.query_one("SELECT cost_nanousd, counts FROM usage_sum", &[])?;
        let (cost, counts): (i64, i64) = (row.get(0)?, row.get(1)?);
        let total = self.total();
        let within = |stored: i64, change: i64| i128::from(stored) + i128::from(change) <= SUM_MAX;
        if within(cost, total.cost()) && within(counts, total.counts()) {
            return Ok(());
        }
        Err(Fault::new(FaultCode::Full, Retry::Later, "this collector's database can sum no more").into())
    }

    pub(crate) fn store(mut self, db: &mut Db) -> Result<()> {
        self.0.retain(|_, sum| *sum != Sum::default());
        if self.0.is_empty() {
            return Ok(());
        }
        let mut weeks: BTreeMap<(&str, &str), Sum> = BTreeMap::new();
        for (Part { team, week, repo, model }, sum) in &self.0 {
            let key = [("team", team.as_str()), ("week", week), ("repo", repo), ("model", model)];
            add_to(db, "spend_sum", &key, sum)?;
            weeks.entry((team, week)).or_default().add(sum, 1);
        }
        weeks.retain(|_, sum| *sum != Sum::default());
        for ((team, week), sum) in weeks {
            add_to(db, "team_week_sum", &[("team", team), ("week", week)], &sum)?;
        }
        let total = self.total();
        let sql = "UPDATE usage_sum SET cost_nanousd = cost_nanousd + $1, counts = counts + $2";
        db.execute(sql, &values![total.cost(), total.counts()])?;
        Ok(())
    }
}

const COUNTS: [&str; 11] = [
    "usage_rows",
    "unpriced_rows",
    "requests",
    "input",
    "output",
    "cache_read",
    "cache_write_5m",
    "cache_write_1h",
    "web_search",
    "billed_nanousd",
    "list_equivalent_nanousd",
];

/// Adds to the row of a rollup; one that sums no rows any more goes.
fn add_to(db: &mut Db, table: &str, key: &[(&str, &str)], sum: &Sum) -> Result<()> {
    let mut row: Vec<Value> = key.iter().map(|(_, value)| Value::from(*value)).collect();
    row.extend([sum.usage_rows, sum.unpriced_rows, sum.requests].map(Value::from));
    row.extend(sum.tokens.map(Value::from));
    row.extend([sum.billed, sum.list_equivalent].map(Value::from));
    let names: Vec<&str> = key.iter().map(|(name, _)| *name).collect();
    let places: Vec<String> = (1..=row.len()).map(|place| format!("${place}")).collect();
    let more = COUNTS.map(|name| format!("{name} = s.{name} + excluded.{name}"));
    let sql = format!(
        "INSERT INTO {table} AS s ({key}, {}) VALUES ({}) ON CONFLICT ({key}) DO UPDATE SET {}",
        COUNTS.join(", "),
        places.join(", "),
        more.join(", "),
        key = names.join(", "),
    );
    db.execute(&sql, &row)?;
    if sum.usage_rows < 0 {
        let is_it: Vec<String> =
            names.iter().zip(&places).map(|(name, place)| format!("{name} = {place}")).collect();
        let sql = format!("DELETE FROM {table} WHERE {} AND usage_rows = 0", is_it.join(" AND "));
        db.execute(&sql, &row[..key.len()])?;
    }
    Ok(())
}
