//! The usage rows of a report, and how they replace those of its former snapshot.

use super::attribution::attribution_forget;
use super::db::{Db, Row, Value, values};
use super::sum::{CostBasis, Part, Sum, SumChange};
use anyhow::Result;
use meter::{Agent, Band, Geo, NanoUsd, Report, RowKey, Speed, Tokens};
use std::collections::BTreeMap;

/// Where rows come from that the hook reported.
const SOURCE: &str = "hook";

/// A usage row as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Usage {
    pub developer: String,
    pub team: String,
    pub requests: u64,
    pub tokens: Tokens,
    /// With the id of its price; `None` where the model has none.
    pub cost: Option<(NanoUsd, String)>,
    pub basis: CostBasis,
}

impl Usage {
    fn sum(&self) -> Sum {
        Sum::of(self.requests, &self.tokens, self.cost.as_ref().map(|(nano, _)| *nano), self.basis)
    }
}

/// What turns the stored rows of a report's key into its new ones.
pub(crate) struct UsageChange {
    gone: Vec<RowKey>,
    put: Vec<(RowKey, Usage)>,
    pub sums: SumChange,
}

/// Compares the stored rows under the report's key with `rows`, all of its new ones.
pub(crate) fn usage_compare(
    db: &mut Db,
    report: &Report,
    rows: impl IntoIterator<Item = (RowKey, Usage)>,
) -> Result<UsageChange> {
    let part = |key: &RowKey, row: &Usage| Part {
        team: row.team.clone(),
        week: report.week.to_string(),
        repo: report.repo.to_string(),
        model: key.model.to_string(),
    };
    let mut stored = usage_stored(db, report)?;
    let mut change = UsageChange { gone: Vec::new(), put: Vec::new(), sums: SumChange::default() };
    for (key, row) in rows {
        let former = stored.remove(&key);
        if former.as_ref() == Some(&row) {
            continue;
        }
        if let Some(former) = former {
            change.sums.take(part(&key, &former), &former.sum());
        }
        change.sums.add(part(&key, &row), &row.sum());
        change.put.push((key, row));
    }
    for (key, former) in stored {
        change.sums.take(part(&key, &former), &former.sum());
        change.gone.push(key);
    }
    Ok(change)
}

/// Stores the rows that differ and the sums they change. Where the session's spend went is to be told anew.
pub(crate) fn usage_put(db: &mut Db, report: &Report, change: UsageChange) -> Result<()> {
    attribution_forget(db, report.session_id.as_str())?;
    for key in &change.gone {
        db.execute(
            "DELETE FROM usage WHERE session_id = $1 AND repo = $2 AND week = $3 AND hour = $4 AND branch = $5
                AND model = $6 AND agent = $7 AND workflow = $8 AND speed = $9 AND geo = $10
                AND prompt_band = $11 AND source = $12",
            &key_values(report, key),
        )?;
    }
    for (key, row) in &change.put {
        let mut values = key_values(report, key);
        let Tokens { input, output, cache_read, cache_write_5m, cache_write_1h, web_search } = row.tokens;
        values.extend(values![&row.developer, &row.team, row.requests]);
        values
            .extend([input, output, cache_read, cache_write_5m, cache_write_1h, web_search].map(Value::from));
        values.extend(values![
            row.cost.as_ref().map(|(nano, _)| nano.0),
            row.cost.as_ref().map(|(_, price)| price),
            row.basis.as_str()
        ]);
        db.execute(
            "INSERT INTO usage (
                session_id, repo, week, hour, branch, model, agent, workflow, speed, geo, prompt_band, source,
                developer, team, requests, input, output, cache_read, cache_write_5m, cache_write_1h, web_search,
                cost_nanousd, price_id, cost_basis
             ) VALUES (
                $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12,
                $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24
             )
             ON CONFLICT (
                session_id, repo, week, hour, branch, model, agent, workflow, speed, geo, prompt_band, source
             ) DO UPDATE SET
                developer = excluded.developer, team = excluded.team, requests = excluded.requests,
                input = excluded.input, output = excluded.output, cache_read = excluded.cache_read,
                cache_write_5m = excluded.cache_write_5m, cache_write_1h = excluded.cache_write_1h,
                web_search = excluded.web_search, cost_nanousd = excluded.cost_nanousd,
                price_id = excluded.price_id, cost_basis = excluded.cost_basis",
            &values,
        )?;
    }
    change.sums.store(db)
}

fn usage_stored(db: &mut Db, report: &Report) -> Result<BTreeMap<RowKey, Usage>> {
    let rows = db.query(
        "SELECT hour, branch, model, agent, workflow, speed, geo, prompt_band, developer, team, requests,
            input, output, cache_read, cache_write_5m, cache_write_1h, web_search,
            cost_nanousd, price_id, cost_basis
         FROM usage WHERE session_id = $1 AND repo = $2 AND week = $3 AND source = $4",
        &values![report.session_id.as_str(), report.repo.as_str(), report.week.to_string(), SOURCE],
    )?;
    rows.iter().map(|row| Ok((read_key(row)?, read_usage(row)?))).collect()
}

fn key_values<'a>(report: &'a Report, key: &'a RowKey) -> Vec<Value<'a>> {
    Vec::from(values![
        report.session_id.as_str(),
        report.repo.as_str(),
        report.week.to_string(),
        key.hour.to_string(),
        key.branch.as_str(),
        key.model.as_str(),
        key.agent.as_str(),
        key.workflow.as_str(),
        key.speed.as_str(),
        key.geo.as_str(),
        key.band.as_str(),
        SOURCE,
    ])
}

fn read_key(row: &Row) -> Result<RowKey> {
    Ok(RowKey {
        hour: row.parse(0)?,
        branch: row.parse(1)?,
        model: row.parse(2)?,
        agent: row.word(3, Agent::from_word)?,
        workflow: row.parse(4)?,
        speed: row.word(5, Speed::from_word)?,
        geo: row.word(6, Geo::from_word)?,
        band: row.word(7, Band::from_word)?,
    })
}

fn read_usage(row: &Row) -> Result<Usage> {
    let cost: Option<i64> = row.get(17)?;
    let price: Option<String> = row.get(18)?;
    Ok(Usage {
        developer: row.get(8)?,
        team: row.get(9)?,
        requests: row.get(10)?,
        tokens: Tokens {
            input: row.get(11)?,
            output: row.get(12)?,
            cache_read: row.get(13)?,
            cache_write_5m: row.get(14)?,
            cache_write_1h: row.get(15)?,
            web_search: row.get(16)?,
        },
        cost: cost.map(NanoUsd).zip(price),
        basis: row.word(19, CostBasis::from_word)?,
    })
}
