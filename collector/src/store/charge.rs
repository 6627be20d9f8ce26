//! What was spent, as a bill would have it: by day, team, repository and price. None of it names a person.

use super::db::{Db, Fields};
use super::sheet::Range;
use anyhow::Result;
use jiff::civil::Date;
use meter::{Geo, NanoUsd, Provider, Rates, Tokens};

/// All priced spend of a day that has one price.
#[derive(Debug, Clone)]
pub(crate) struct Charge {
    /// In UTC.
    pub day: Date,
    pub team: String,
    pub repo: String,
    pub model: String,
    pub provider: Provider,
    pub trust: String,
    pub cost_basis: String,
    pub geo: Geo,
    pub price_id: String,
    pub rates: Rates,
    pub tokens: Tokens,
    pub cost: NanoUsd,
}

/// Sums of the tokens of the rows `u`, as [`tokens`] reads them.
pub(super) const TOKENS: &str =
    "CAST(SUM(u.input) AS BIGINT) AS input, CAST(SUM(u.output) AS BIGINT) AS output,
    CAST(SUM(u.cache_read) AS BIGINT) AS cache_read, CAST(SUM(u.cache_write_5m) AS BIGINT) AS cache_write_5m,
    CAST(SUM(u.cache_write_1h) AS BIGINT) AS cache_write_1h, CAST(SUM(u.web_search) AS BIGINT) AS web_search";
/// The rates of the price `p`, as [`rates`] reads them.
pub(super) const RATES: &str =
    "p.input_picousd, p.output_picousd, p.cache_read_picousd, p.cache_write_5m_picousd,
    p.cache_write_1h_picousd, p.web_search_picousd, p.us_permille";

/// The charges of a range, day by day. What has no price is in none of them.
pub(crate) fn charge_list(db: &mut Db, range: &Range) -> Result<Vec<Charge>> {
    let mut charges = db.list(
        &format!(
            "SELECT x.day, x.team, x.repo, x.model, x.provider, x.trust, x.cost_basis, x.geo, x.price_id, x.cost_nanousd,
                x.input, x.output, x.cache_read, x.cache_write_5m, x.cache_write_1h, x.web_search, {RATES}
             FROM (
                SELECT substr(u.hour, 1, 10) AS day, u.team, u.repo, u.model, s.provider, s.trust, u.cost_basis, u.geo,
                    u.price_id, CAST(SUM(u.cost_nanousd) AS BIGINT) AS cost_nanousd, {TOKENS}
                FROM usage AS u
                JOIN session AS s ON s.session_id = u.session_id AND s.repo = u.repo AND s.week = u.week
                WHERE u.hour >= $1 AND u.hour < $2 AND u.team = COALESCE($3, u.team) AND u.cost_nanousd IS NOT NULL
                GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9
             ) AS x
             JOIN price AS p ON p.price_id = x.price_id"
        ),
        &range.values(),
        charge,
    )?;
    charges.sort_by(|one, other| one.key().cmp(&other.key()));
    Ok(charges)
}

fn charge(row: &Fields) -> Result<Charge> {
    Ok(Charge {
        day: row.parse(0)?,
        team: row.get(1)?,
        repo: row.get(2)?,
        model: row.get(3)?,
        provider: row.word(4, Provider::from_word)?,
        trust: row.get(5)?,
        cost_basis: row.get(6)?,
        geo: row.word(7, Geo::from_word)?,
        price_id: row.get(8)?,
        cost: NanoUsd(row.get(9)?),
        tokens: tokens(row, 10)?,
        rates: rates(row, 16)?,
    })
}

/// From this column on.
pub(super) fn tokens(row: &Fields, first: usize) -> Result<Tokens> {
    Ok(Tokens {
        input: row.get(first)?,
        output: row.get(first + 1)?,
        cache_read: row.get(first + 2)?,
        cache_write_5m: row.get(first + 3)?,
        cache_write_1h: row.get(first + 4)?,
        web_search: row.get(first + 5)?,
    })
}

/// From this column on.
pub(super) fn rates(row: &Fields, first: usize) -> Result<Rates> {
    Ok(Rates {
        input: row.get(first)?,
        output: row.get(first + 1)?,
        cache_read: row.get(first + 2)?,
        cache_write_5m: row.get(first + 3)?,
        cache_write_1h: row.get(first + 4)?,
        web_search: row.get(first + 5)?,
        us_permille: row.get(first + 6)?,
    })
}

impl Charge {
    fn key(&self) -> (Date, [&str; 8]) {
        let Self { day, team, repo, model, trust, cost_basis, price_id, .. } = self;
        (*day, [team, repo, model, self.provider.as_str(), trust, cost_basis, self.geo.as_str(), price_id])
    }
}
