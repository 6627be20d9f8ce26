//! Tokens by what they were priced with: what caching saved, and which models built what.

use super::charge::{RATES, TOKENS, rates, tokens};
use super::db::{Db, values};
use anyhow::Result;
use meter::{Geo, NanoUsd, Rates, Tokens, Week};

/// The priced tokens of a team at one price.
pub(crate) struct Used {
    pub team: String,
    /// As the price book calls it.
    pub model: String,
    pub geo: Geo,
    pub tokens: Tokens,
    pub rates: Rates,
}

/// What a team wrote to the cache in sessions that read nothing of a model back; priced, as in [`Used`].
pub(crate) struct Unread {
    pub team: String,
    pub tokens: u64,
}

/// What a change took of a model.
pub(crate) struct Built {
    pub repo: String,
    pub change: String,
    /// Added and deleted, as the host counts them, else as a clone does.
    pub lines: Option<u64>,
    /// As the price book calls it.
    pub model: String,
    pub tokens: Tokens,
    pub cost: NanoUsd,
}

/// Each team's usage since a week, found without reading that of earlier ones.
const RECENT: &str =
    "(SELECT team FROM team_week_sum GROUP BY team) AS t JOIN usage AS u ON u.team = t.team AND u.week >= $1";

pub(crate) fn used_list(db: &mut Db, first: Week) -> Result<Vec<Used>> {
    let sql = format!(
        "SELECT x.team, p.model, x.geo, x.input, x.output, x.cache_read, x.cache_write_5m, x.cache_write_1h,
            x.web_search, {RATES}
         FROM (SELECT u.team, u.geo, u.price_id, {TOKENS} FROM {RECENT} GROUP BY u.team, u.geo, u.price_id) AS x
         JOIN price AS p ON p.price_id = x.price_id"
    );
    db.list(&sql, &values![first.to_string()], |row| {
        Ok(Used {
            team: row.get(0)?,
            model: row.get(1)?,
            geo: row.word(2, Geo::from_word)?,
            tokens: tokens(row, 3)?,
            rates: rates(row, 9)?,
        })
    })
}

pub(crate) fn unread_list(db: &mut Db, first: Week) -> Result<Vec<Unread>> {
    let sql = format!(
        "SELECT team, CAST(SUM(written) AS BIGINT) FROM (
            SELECT u.team, u.session_id, u.model, SUM(u.cache_write_5m + u.cache_write_1h) AS written
            FROM {RECENT} WHERE u.price_id IS NOT NULL
            GROUP BY u.team, u.session_id, u.model HAVING SUM(u.cache_read) = 0
         ) AS x GROUP BY team"
    );
    db.list(&sql, &values![first.to_string()], |row| Ok(Unread { team: row.get(0)?, tokens: row.get(1)? }))
}

/// What is known to have built the changes that merged since a week, by change and model.
pub(crate) fn built_list(db: &mut Db, first: Week) -> Result<Vec<Built>> {
    let sql = format!(
        "SELECT c.repo, c.sha, COALESCE(MAX(r.lines_changed), MAX(z.lines)), p.model, CAST(SUM(u.cost_nanousd) AS BIGINT), {TOKENS}
         FROM change AS c
         JOIN attribution_span AS a ON a.change_repo = c.repo AND a.change = c.sha
            AND a.class IN ('ci', 'commit', 'branch', 'carried')
         JOIN usage AS u ON u.session_id = a.session_id AND u.repo = a.repo AND u.week = a.week
            AND u.hour BETWEEN a.first_hour AND a.last_hour AND u.branch = a.branch
         JOIN price AS p ON p.price_id = u.price_id
         LEFT JOIN pull_request AS r ON r.repo = c.repo AND r.number = c.number
         LEFT JOIN change_size AS z ON z.repo = c.repo AND z.sha = c.sha
         WHERE c.merged_at >= $1
         GROUP BY c.repo, c.sha, p.model"
    );
    db.list(&sql, &values![first.start().to_string()], |row| {
        Ok(Built {
            repo: row.get(0)?,
            change: row.get(1)?,
            lines: row.get(2)?,
            model: row.get(3)?,
            cost: NanoUsd(row.get(4)?),
            tokens: tokens(row, 5)?,
        })
    })
}
