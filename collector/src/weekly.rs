//! `cpvo weekly`: spend of each team and week. The page and `/v1/weeks` show the same.

use crate::config::{Clock, Options};
use crate::listing::{Cell, Format, Listing, short};
use crate::store::db::{Access, Db};
use crate::store::team_week::{TeamWeek, team_list, team_week_list};
use anyhow::{Result, bail};
use jiff::{Timestamp, Unit};
use meter::Week;
use serde::Serialize;
use std::cmp::Reverse;
use std::fmt::Write as _;
use std::io::{Write, stdout};

/// The team of spend whose identity no team carries.
pub(crate) const UNASSIGNED: &str = "unassigned";
/// Weeks shown where nothing else is asked for.
pub(crate) const WEEKS_DEFAULT: u16 = 12;
/// Ten years.
pub(crate) const WEEKS_MAX: u16 = 520;

/// Who the unassigned are, for whoever can map them.
pub(crate) const UNASSIGNED_QUERY: &str = "cpvo sql 'SELECT * FROM unassigned'";
/// Which models lack a price.
pub(crate) const UNPRICED_QUERY: &str =
    "cpvo sql 'SELECT model, COUNT(*) AS rows FROM usage WHERE cost_nanousd IS NULL GROUP BY model'";

#[derive(clap::Args)]
pub(crate) struct Args {
    /// One team by its id, or `unassigned` [default: all]
    #[arg(long)]
    team: Option<String>,
    /// How many weeks back from now
    #[arg(long, default_value_t = WEEKS_DEFAULT, value_parser = clap::value_parser!(u16).range(1..=i64::from(WEEKS_MAX)))]
    weeks: u16,
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

/// The answer and when it was true: newest week first, in it the largest spend first.
pub(crate) struct Weekly {
    pub computed_at: Timestamp,
    pub weeks: Vec<TeamWeek>,
}

pub(crate) fn run(Args { team, weeks, format }: Args, options: &Options, now: Clock) -> Result<()> {
    let config = options.load()?;
    config.db.ensure_there()?;
    let mut db = crate::store::open(&config.db, Access::Read, now())?;
    let team = team.as_deref();
    let weekly = db.snapshot(|db| {
        let weekly = weekly(db, team, weeks, now())?;
        if let Some(team) = team.filter(|team| weekly.weeks.is_empty() && *team != UNASSIGNED) {
            let known = team_list(db)?;
            if !known.iter().any(|id| id == team) {
                bail!("there is no team {team:?}; there are: {}", known.join(", "));
            }
        }
        Ok(weekly)
    })?;
    let text = match format {
        Format::Table => weekly.report(),
        Format::Json => weekly.json()? + "\n",
        Format::Csv => weekly.listing().render(Format::Csv)?,
    };
    Ok(stdout().lock().write_all(text.as_bytes())?)
}

/// The last `weeks` weeks of one team or of all.
pub(crate) fn weekly(db: &mut Db, team: Option<&str>, weeks: u16, now: Timestamp) -> Result<Weekly> {
    let first = (1..weeks).fold(Week::of(now), |week, _| week.previous());
    let mut weeks = team_week_list(db, first, team)?;
    weeks.sort_by_cached_key(|row| {
        (Reverse(row.week), row.team == UNASSIGNED, Reverse(row.spend()), row.team.clone())
    });
    let computed_at = now.round(Unit::Second)?;
    Ok(Weekly { computed_at, weeks })
}

/// What the numbers are, for whoever reads them without this program.
#[derive(Serialize)]
struct Units {
    week: &'static str,
    tokens: &'static str,
    billed_usd: &'static str,
    list_equivalent_usd: &'static str,
    spend_usd: &'static str,
    unpriced_rows: &'static str,
}

const UNITS: Units = Units {
    week: "ISO 8601 week in UTC",
    tokens: "tokens: input + output + cache_read + cache_write_5m + cache_write_1h",
    billed_usd: "US dollars at list price",
    list_equivalent_usd: "US dollars, list-price equivalent of what a subscription pays",
    spend_usd: "billed_usd + list_equivalent_usd",
    unpriced_rows: "usage rows whose model has no price, in no sum of dollars",
};

#[derive(Serialize)]
struct Answer {
    computed_at: Timestamp,
    units: Units,
    weeks: Listing,
}

impl Weekly {
    pub(crate) fn json(&self) -> Result<String> {
        let answer = Answer { computed_at: self.computed_at, units: UNITS, weeks: self.listing() };
        Ok(serde_json::to_string_pretty(&answer)?)
    }

    fn listing(&self) -> Listing {
        let columns = [
            "team",
            "name",
            "week",
            "requests",
            "input",
            "output",
            "cache_read",
            "cache_write_5m",
            "cache_write_1h",
            "web_search",
            "tokens",
            "billed_usd",
            "list_equivalent_usd",
            "spend_usd",
            "unpriced_rows",
        ];
        let row = |row: &TeamWeek| {
            let tokens = &row.tokens;
            vec![
                Cell::text(&row.team),
                Cell::text(&row.name),
                Cell::text(row.week.to_string()),
                Cell::number(row.requests),
                Cell::number(tokens.input),
                Cell::number(tokens.output),
                Cell::number(tokens.cache_read),
                Cell::number(tokens.cache_write_5m),
                Cell::number(tokens.cache_write_1h),
                Cell::number(tokens.web_search),
                Cell::number(tokens.total()),
                Cell::number(row.billed),
                Cell::number(row.list_equivalent),
                Cell::number(row.spend()),
                Cell::number(row.unpriced_rows),
            ]
        };
        Listing::new(&columns, self.weeks.iter().map(row).collect())
    }

    pub(crate) fn has_list_equivalent(&self) -> bool {
        self.weeks.iter().any(|row| row.list_equivalent.0 != 0)
    }

    pub(crate) fn unpriced_rows(&self) -> u64 {
        self.weeks.iter().map(|row| row.unpriced_rows).sum()
    }

    pub(crate) fn has_unassigned(&self) -> bool {
        self.weeks.iter().any(|row| row.team == UNASSIGNED && row.requests > 0)
    }

    /// The table for people, with what its numbers are and what to do about the rest.
    fn report(&self) -> String {
        if self.weeks.is_empty() {
            return "\
No spend yet. Next: `cpvo hooks-config --repo PATH` in a repository, and a Claude Code session there;
or `cpvo-hook sweep` on a machine that has sessions already.
"
            .to_owned();
        }
        let (subscription, unpriced) = (self.has_list_equivalent(), self.unpriced_rows());
        let mut columns = vec!["week", "team", "requests", "tokens", "spend"];
        columns.extend(subscription.then_some("of it list-price equivalent"));
        columns.extend((unpriced > 0).then_some("unpriced rows"));
        let mut week = None;
        let row = |row: &TeamWeek| {
            let new = week.replace(row.week) != Some(row.week);
            let mut cells = vec![
                Cell::Text(if new { row.week.to_string() } else { String::new() }),
                Cell::text(&row.name),
                Cell::number(row.requests),
                Cell::Number(short(row.tokens.total())),
                Cell::Number(row.spend().dollars()),
            ];
            let none_if = |none, cell| if none { Cell::Null } else { cell };
            let list_equivalent = Cell::Number(row.list_equivalent.dollars());
            cells.extend(subscription.then(|| none_if(row.list_equivalent.0 == 0, list_equivalent)));
            cells.extend(
                (unpriced > 0).then(|| none_if(row.unpriced_rows == 0, Cell::number(row.unpriced_rows))),
            );
            cells
        };
        let mut text = Listing::new(&columns, self.weeks.iter().map(row).collect()).table();
        text += "\nISO weeks in UTC, dollars at list price.";
        if subscription {
            text += " List-price equivalent: what a subscription paid for.";
        }
        if unpriced > 0 {
            let _ = write!(text, "\n{unpriced} rows have no price and are in no sum: {UNPRICED_QUERY}");
        }
        if self.has_unassigned() {
            let _ = write!(text, "\nunassigned: identities in no team of teams.toml: {UNASSIGNED_QUERY}");
        }
        text + "\n"
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::fixture::team_week;
    use meter::NanoUsd;

    fn weekly(weeks: Vec<TeamWeek>) -> Weekly {
        Weekly { computed_at: "2026-11-22T07:00:00Z".parse().unwrap(), weeks }
    }

    #[test]
    fn people_read_a_table() {
        let weeks = vec![
            team_week("payments", "2026-W47", 1_234_560_000_001),
            team_week("risk", "2026-W47", 0),
            team_week("payments", "2026-W46", 5),
        ];
        insta::assert_snapshot!(weekly(weeks).report(), @r#"
        week      team      requests  tokens      spend
        ────────────────────────────────────────────────
        2026-W47  payments         3    1.2M  $1,234.56
                  risk             3    1.2M      $0.00
        2026-W46  payments         3    1.2M      $0.00

        ISO weeks in UTC, dollars at list price.
        "#);
    }

    #[test]
    fn what_is_estimated_or_missing_is_said() {
        let mut odd = team_week(UNASSIGNED, "2026-W47", 0);
        odd.list_equivalent = NanoUsd(2_500_000_000);
        odd.unpriced_rows = 4;
        insta::assert_snapshot!(weekly(vec![odd]).report(), @r#"
        week      team        requests  tokens  spend  of it list-price equivalent  unpriced rows
        ──────────────────────────────────────────────────────────────────────────────────────────
        2026-W47  unassigned         3    1.2M  $2.50                        $2.50              4

        ISO weeks in UTC, dollars at list price. List-price equivalent: what a subscription paid for.
        4 rows have no price and are in no sum: cpvo sql 'SELECT model, COUNT(*) AS rows FROM usage WHERE cost_nanousd IS NULL GROUP BY model'
        unassigned: identities in no team of teams.toml: cpvo sql 'SELECT * FROM unassigned'
        "#);
        insta::assert_snapshot!(weekly(Vec::new()).report(), @r#"
        No spend yet. Next: `cpvo hooks-config --repo PATH` in a repository, and a Claude Code session there;
        or `cpvo-hook sweep` on a machine that has sessions already.
        "#);
    }

    #[test]
    fn programs_read_every_digit() {
        insta::assert_snapshot!(weekly(vec![team_week("payments", "2026-W47", 1_234_560_000_001)]).json().unwrap(), @r#"
        {
          "computed_at": "2026-11-22T07:00:00Z",
          "units": {
            "week": "ISO 8601 week in UTC",
            "tokens": "tokens: input + output + cache_read + cache_write_5m + cache_write_1h",
            "billed_usd": "US dollars at list price",
            "list_equivalent_usd": "US dollars, list-price equivalent of what a subscription pays",
            "spend_usd": "billed_usd + list_equivalent_usd",
            "unpriced_rows": "usage rows whose model has no price, in no sum of dollars"
          },
          "weeks": [
            {
              "team": "payments",
              "name": "payments",
              "week": "2026-W47",
              "requests": 3,
              "input": 1000000,
              "output": 234567,
              "cache_read": 0,
              "cache_write_5m": 0,
              "cache_write_1h": 0,
              "web_search": 0,
              "tokens": 1234567,
              "billed_usd": 1234.560000001,
              "list_equivalent_usd": 0.000000000,
              "spend_usd": 1234.560000001,
              "unpriced_rows": 0
            }
          ]
        }
        "#);
        let csv = weekly(vec![team_week("=cmd", "2026-W47", 1)]).listing().render(Format::Csv).unwrap();
        assert!(csv.ends_with(
            "'=cmd,'=cmd,2026-W47,3,1000000,234567,0,0,0,0,1234567,0.000000001,0.000000000,0.000000001,0\n"
        ));
    }
}
