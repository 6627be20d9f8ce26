//! Spend and outcomes of each team and week in one repository, or the spend on one model.

use super::db::{Db, Row, Value, values};
use super::tally::by_strictness;
use super::team_week::{Judging, Outcomes, TeamWeek};
use anyhow::Result;
use meter::outcome::{ByStrictness, Tally};
use meter::{NanoUsd, Tokens, Week};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::ops::RangeInclusive;

/// What is asked for; what is `None` may be anything.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Filter {
    pub team: Option<String>,
    pub repo: Option<String>,
    pub model: Option<String>,
}

type Rows = BTreeMap<(String, Week), TeamWeek>;

impl Filter {
    /// Whether it leaves something of a team's week out.
    pub(crate) fn is_partial(&self) -> bool {
        self.repo.is_some() || self.model.is_some()
    }

    /// What follows `WHERE` for the rows `s` of one of the tables that sum, from a week on, with its values.
    fn condition(&self, columns: &[&str], first: Week) -> (String, Vec<Value<'_>>) {
        let asked = [("team", &self.team), ("repo", &self.repo), ("model", &self.model)];
        let mut condition = "s.week >= $1".to_owned();
        let mut values = Vec::from(values![first.to_string()]);
        for (column, value) in asked.into_iter().filter(|(column, _)| columns.contains(column)) {
            if let Some(value) = value {
                values.push(Value::from(value));
                let _ = write!(condition, " AND s.{column} = ${}", values.len()); // writing to a String cannot fail
            }
        }
        (condition, values)
    }
}

/// Each team's weeks from its first among these to the last, in no order. An outcome is a repository's, not a
/// model's: a change is built by several.
pub(crate) fn filtered_list(
    db: &mut Db,
    filter: &Filter,
    weeks: RangeInclusive<Week>,
    judgings: &[Judging],
) -> Result<Vec<TeamWeek>> {
    let mut rows = spend(db, filter, *weeks.start())?;
    let mut tallies = BTreeMap::new();
    if filter.model.is_none() {
        tallies = outcomes(db, filter, *weeks.start())?;
        for (key, nanousd) in cordoned(db, filter, *weeks.start())? {
            if let Some(row) = rows.get_mut(&key) {
                row.cordon = NanoUsd(nanousd);
            }
        }
    }
    let mut first: BTreeMap<String, Week> = BTreeMap::new();
    for (team, week) in rows.keys().chain(tallies.keys()) {
        let first = first.entry(team.clone()).or_insert(*week);
        *first = (*first).min(*week);
    }
    let names = names(db)?;
    let mut list = Vec::new();
    for (team, first) in first {
        let name = names.get(&team).unwrap_or(&team);
        let judging = judgings.iter().find(|one| one.team == team).filter(|_| filter.model.is_none());
        let all = std::iter::successors(Some(first), |week| Some(week.next()));
        for week in all.take_while(|week| week <= weeks.end()) {
            let key = (team.clone(), week);
            let row = rows.remove(&key).unwrap_or_else(|| empty(&team, week));
            let (tally, by_strictness) = tallies.remove(&key).unwrap_or_default();
            let outcomes = judging.map(|judging| Outcomes {
                tally,
                by_strictness,
                mature: week < judging.immature_from,
                policy_id: judging.policy_id,
                computed_at: judging.computed_at,
            });
            list.push(TeamWeek { name: name.clone(), outcomes, ..row });
        }
    }
    Ok(list)
}

fn names(db: &mut Db) -> Result<BTreeMap<String, String>> {
    let rows = db.query("SELECT team, name FROM team", &[])?;
    rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect()
}

/// A week in which nothing was spent.
fn empty(team: &str, week: Week) -> TeamWeek {
    TeamWeek {
        team: team.to_owned(),
        name: team.to_owned(),
        week,
        requests: 0,
        tokens: Tokens::default(),
        billed: NanoUsd(0),
        list_equivalent: NanoUsd(0),
        cordon: NanoUsd(0),
        unpriced_rows: 0,
        loan: None,
        closing: None,
        outcomes: None,
    }
}

fn spend(db: &mut Db, filter: &Filter, first: Week) -> Result<Rows> {
    let (condition, values) = filter.condition(&["team", "repo", "model"], first);
    let sums = [
        "requests",
        "input",
        "output",
        "cache_read",
        "cache_write_5m",
        "cache_write_1h",
        "web_search",
        "billed_nanousd",
        "list_equivalent_nanousd",
        "unpriced_rows",
    ]
    .map(|column| format!("CAST(SUM(s.{column}) AS BIGINT)"));
    let rows = db.query(
        &format!(
            "SELECT s.team, s.week, {} FROM spend_sum AS s WHERE {condition} GROUP BY s.team, s.week",
            sums.join(", ")
        ),
        &values,
    )?;
    let read = |row: &Row| {
        let (team, week): (String, Week) = (row.get(0)?, row.parse(1)?);
        let read = TeamWeek {
            requests: row.get(2)?,
            tokens: Tokens {
                input: row.get(3)?,
                output: row.get(4)?,
                cache_read: row.get(5)?,
                cache_write_5m: row.get(6)?,
                cache_write_1h: row.get(7)?,
                web_search: row.get(8)?,
            },
            billed: NanoUsd(row.get(9)?),
            list_equivalent: NanoUsd(row.get(10)?),
            unpriced_rows: row.get(11)?,
            ..empty(&team, week)
        };
        Ok(((team, week), read))
    };
    rows.iter().map(read).collect()
}

type Counted = (Tally, ByStrictness);

/// By the policy that holds.
fn outcomes(db: &mut Db, filter: &Filter, first: Week) -> Result<BTreeMap<(String, Week), Counted>> {
    let (condition, values) = filter.condition(&["team", "repo"], first);
    let rows = db.query(
        &format!(
            "SELECT s.team, s.week, s.verified, s.disqualified, s.pending, s.targeted_verified,
                s.targeted_disqualified, s.literal_verified, s.literal_disqualified
             FROM change_tally AS s
             JOIN judging AS j ON j.team = s.team AND j.policy_id = s.policy_id AND j.holds = 1
             WHERE {condition}"
        ),
        &values,
    )?;
    let read = |row: &Row| {
        let tally = Tally { verified: row.get(2)?, disqualified: row.get(3)?, pending: row.get(4)? };
        Ok(((row.get(0)?, row.parse(1)?), (tally, by_strictness(row, 5)?)))
    };
    rows.iter().map(read).collect()
}

/// Of the spend in a repository, what a cordon keeps out of the cost of an outcome.
fn cordoned(db: &mut Db, filter: &Filter, first: Week) -> Result<Vec<((String, Week), i64)>> {
    let (condition, values) = filter.condition(&["team", "repo"], first);
    let rows = db.query(
        &format!(
            "SELECT s.team, s.week, CAST(COALESCE(SUM(s.cost_nanousd), 0) AS BIGINT) FROM attribution AS s
             WHERE s.class = 'cordon' AND {condition} GROUP BY s.team, s.week"
        ),
        &values,
    )?;
    rows.iter().map(|row| Ok(((row.get(0)?, row.parse(1)?), row.get(2)?))).collect()
}

/// What a team spent on a model.
pub(crate) struct ModelSum {
    pub model: String,
    pub requests: u64,
    pub tokens: u64,
    pub spend: NanoUsd,
    /// Rows without a price, in no sum of dollars.
    pub unpriced_rows: u64,
}

/// Since a week, the largest first.
pub(crate) fn model_sums(db: &mut Db, team: &str, first: Week) -> Result<Vec<ModelSum>> {
    let rows = db.query(
        "SELECT model, CAST(SUM(requests) AS BIGINT),
            CAST(SUM(input + output + cache_read + cache_write_5m + cache_write_1h) AS BIGINT),
            CAST(SUM(billed_nanousd + list_equivalent_nanousd) AS BIGINT), CAST(SUM(unpriced_rows) AS BIGINT)
         FROM spend_sum WHERE team = $1 AND week >= $2 GROUP BY model ORDER BY 4 DESC, model",
        &values![team, first.to_string()],
    )?;
    let read = |row: &Row| {
        Ok(ModelSum {
            model: row.get(0)?,
            requests: row.get(1)?,
            tokens: row.get(2)?,
            spend: NanoUsd(row.get(3)?),
            unpriced_rows: row.get(4)?,
        })
    };
    rows.iter().map(read).collect()
}

/// What may be asked for: every repository and every model that anything was spent in or on.
pub(crate) fn repo_list(db: &mut Db) -> Result<Vec<String>> {
    let mut repos = distinct(db, "repo")?;
    let rows = db.query("SELECT repo FROM source", &[])?;
    repos.extend(rows.iter().map(|row| row.get(0)).collect::<Result<Vec<String>>>()?);
    repos.sort();
    repos.dedup();
    Ok(repos)
}

pub(crate) fn model_list(db: &mut Db) -> Result<Vec<String>> {
    distinct(db, "model")
}

/// Leaps from one value of an index to the next: there are few among very many rows.
fn distinct(db: &mut Db, column: &str) -> Result<Vec<String>> {
    let sql = format!(
        "WITH RECURSIVE known(name) AS (
            SELECT MIN({column}) FROM spend_sum
            UNION ALL
            SELECT (SELECT MIN(s.{column}) FROM spend_sum AS s WHERE s.{column} > known.name)
            FROM known WHERE known.name IS NOT NULL
         )
         SELECT name FROM known WHERE name IS NOT NULL"
    );
    db.query(&sql, &[])?.iter().map(|row| row.get(0)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::fixture::on_both;
    use crate::store::team_week::judging_list;

    #[test]
    fn a_team_has_every_week_from_its_first_in_a_part() {
        on_both(|db| {
            db.batch(
                "INSERT INTO team (team, name) VALUES ('pay', 'Payments'), ('web', 'Web');
                 INSERT INTO judging VALUES ('pay', 1, 1, '2026-11-25T00:00:00Z', '2026-W46');
                 INSERT INTO spend_sum VALUES
                    ('pay', '2026-W44', 'h.x/a/pay', 'opus', 1, 0, 2, 1, 1, 1, 1, 1, 1, 40, 2),
                    ('pay', '2026-W44', 'h.x/a/pay', 'haiku', 1, 1, 3, 1, 1, 1, 1, 1, 1, 5, 0),
                    ('pay', '2026-W45', 'h.x/a/web', 'haiku', 1, 1, 3, 1, 1, 1, 1, 1, 1, 7, 0),
                    ('web', '2026-W46', 'h.x/a/pay', 'opus', 1, 0, 2, 1, 1, 1, 1, 1, 1, 9, 0),
                    ('web', '2026-W40', 'h.x/a/pay', 'opus', 1, 0, 2, 1, 1, 1, 1, 1, 1, 11, 0);
                 INSERT INTO change_tally VALUES ('h.x/a/pay', 'pay', '2026-W43', 1, 4, 1, 0, 4, 1, 3, 2),
                    ('h.x/a/web', 'pay', '2026-W43', 1, 8, 2, 0, 8, 2, 7, 3)",
            )
            .unwrap();
            let week = |text: &str| -> Week { text.parse().unwrap() };
            let weeks = || week("2026-W43")..=week("2026-W46");
            let mut told = |filter: &Filter| {
                let judgings = judging_list(db, None).unwrap();
                let mut list = filtered_list(db, filter, weeks(), &judgings).unwrap();
                list.sort_by_key(|row| (row.team.clone(), row.week));
                let line = |row: &TeamWeek| {
                    let outcomes = row.outcomes.map(|one| format!("{} {}", one.tally.verified, one.mature));
                    let (name, week) = (&row.name, row.week);
                    format!(
                        "{name} {week} {} {} {}",
                        row.spend().0,
                        row.requests,
                        outcomes.unwrap_or_default()
                    )
                };
                list.iter().map(line).collect::<Vec<_>>()
            };
            let repo = Filter { repo: Some("h.x/a/pay".to_owned()), ..Filter::default() };
            let expected = [
                "Payments 2026-W43 0 0 4 true",
                "Payments 2026-W44 47 5 0 true",
                "Payments 2026-W45 0 0 0 true",
                "Payments 2026-W46 0 0 0 false",
                "Web 2026-W46 9 2 ",
            ];
            assert_eq!(told(&repo), expected);
            let model = Filter { model: Some("haiku".to_owned()), ..Filter::default() };
            assert_eq!(
                told(&model),
                ["Payments 2026-W44 5 3 ", "Payments 2026-W45 7 3 ", "Payments 2026-W46 0 0 "]
            );
            let both = Filter { team: Some("pay".to_owned()), model: Some("opus".to_owned()), ..repo };
            assert_eq!(told(&both)[0], "Payments 2026-W44 42 2 ");
            assert_eq!(repo_list(db).unwrap(), ["h.x/a/pay", "h.x/a/web"]);
            assert_eq!(model_list(db).unwrap(), ["haiku", "opus"]);
        });
    }
}
