//! Spend and outcomes of each team and week, as the view `team_week` has them.

use super::closing::Closing;
use super::db::{Db, Row, values};
use super::policy::strictness;
use super::tally::by_strictness;
use anyhow::Result;
use jiff::Timestamp;
use meter::outcome::{ByStrictness, Mature, Policy, Tally};
use meter::{NanoUsd, Tokens, Week};
use std::collections::BTreeMap;

/// What a team spent in a week, and what became of what it shipped then.
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
    /// Of both, what no outcome is to pay for.
    pub cordon: NanoUsd,
    /// Usage rows without a price, in no sum.
    pub unpriced_rows: u64,
    /// `None` where spend is that of the team's people, whatever it built.
    pub loan: Option<Loan>,
    /// `None` while it is open.
    pub closing: Option<Closing>,
    /// `None` before the team's first judging.
    pub outcomes: Option<Outcomes>,
}

/// Spend of a week on changes of another team than that of who spent it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Loan {
    /// What the team's people spent on changes of others.
    pub lent: NanoUsd,
    /// What the people of others spent on the team's changes.
    pub borrowed: NanoUsd,
}

impl Loan {
    /// What it adds to the spend of the team.
    pub(crate) fn added(self) -> i64 {
        self.borrowed.0 - self.lent.0
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Outcomes {
    pub tally: Tally,
    pub by_strictness: ByStrictness,
    /// Nothing of the week can change any more.
    pub mature: bool,
    pub policy_id: i64,
    /// When it was judged.
    pub computed_at: Timestamp,
}

impl TeamWeek {
    pub(crate) fn spend(&self) -> NanoUsd {
        let added = self.loan.unwrap_or_default().added();
        NanoUsd(self.billed.0.saturating_add(self.list_equivalent.0).saturating_add(added))
    }

    /// What was spent in a closed week and came late.
    pub(crate) fn late_spend(&self) -> Option<NanoUsd> {
        let by_now = self.billed.0.saturating_add(self.list_equivalent.0);
        self.closing.map(|closing| NanoUsd(by_now.saturating_sub(closing.spend.0)))
    }

    /// Whether anybody reported a session that spent for the team.
    fn reported(&self) -> bool {
        self.requests > 0 || self.loan.is_some_and(|loan| loan.borrowed.0 > 0)
    }

    /// What a mature week cost and what came of it.
    pub(crate) fn mature(&self) -> Option<Mature> {
        let outcomes = self.outcomes.filter(|outcomes| outcomes.mature)?;
        Some(Mature {
            cost: NanoUsd(self.spend().0 - self.cordon.0),
            cordon: self.cordon,
            reported: self.reported(),
            unpriced_rows: self.unpriced_rows,
            tally: outcomes.tally,
            by_strictness: outcomes.by_strictness,
        })
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
            cordon: NanoUsd(row.get(12)?),
            unpriced_rows: row.get(13)?,
            loan: None,
            closing: None,
            outcomes: Outcomes::read(row)?,
        })
    }
}

impl Outcomes {
    fn read(row: &Row) -> Result<Option<Self>> {
        let Some(policy_id) = row.get(18)? else { return Ok(None) };
        let tally = Tally { verified: row.get(14)?, disqualified: row.get(15)?, pending: row.get(16)? };
        Ok(Some(Self {
            tally,
            by_strictness: by_strictness(row, 20)?,
            mature: row.get(17)?,
            policy_id,
            computed_at: row.parse(19)?,
        }))
    }
}

/// The weeks from `first` on, of one team or of all, in no order.
pub(crate) fn team_week_list(db: &mut Db, first: Week, team: Option<&str>) -> Result<Vec<TeamWeek>> {
    let rows = db.query(
        "SELECT w.team, COALESCE(t.name, w.team), w.week, w.requests, w.input, w.output, w.cache_read,
            w.cache_write_5m, w.cache_write_1h, w.web_search, w.billed_nanousd, w.list_equivalent_nanousd,
            w.cordon_nanousd, w.unpriced_rows, w.verified, w.disqualified, w.pending, w.mature, w.policy_id,
            w.computed_at, COALESCE(s.targeted_verified, 0), COALESCE(s.targeted_attempted - s.targeted_verified, 0),
            COALESCE(s.literal_verified, 0), COALESCE(s.literal_attempted - s.literal_verified, 0)
         FROM team_week AS w LEFT JOIN team AS t ON t.team = w.team
         LEFT JOIN team_week_strictness AS s ON s.team = w.team AND s.week = w.week
         WHERE w.week >= $1 AND (w.team = $2 OR $2 = '')",
        &values![first.to_string(), team.unwrap_or_default()],
    )?;
    rows.iter().map(TeamWeek::read).collect()
}

/// What each team lent and borrowed in a week, where it was anything.
pub(crate) fn loan_list(db: &mut Db, team: Option<&str>) -> Result<BTreeMap<(String, Week), Loan>> {
    let rows = db.query(
        "SELECT team, week, lent_nanousd, borrowed_nanousd FROM team_week_work
         WHERE (lent_nanousd <> 0 OR borrowed_nanousd <> 0) AND (team = $1 OR $1 = '')",
        &values![team.unwrap_or_default()],
    )?;
    let read = |row: &Row| {
        let loan = Loan { lent: NanoUsd(row.get(2)?), borrowed: NanoUsd(row.get(3)?) };
        Ok(((row.get(0)?, row.parse(1)?), loan))
    };
    rows.iter().map(read).collect()
}

/// How a team is judged today, and for when it was.
pub(crate) struct Judging {
    pub team: String,
    pub name: String,
    pub policy_id: i64,
    pub policy: Policy,
    pub computed_at: Timestamp,
    /// The first week in which a change may still be undecided.
    pub immature_from: Week,
    /// The first week the team spent anything in.
    pub first_spend: Option<Week>,
    /// Spend of the weeks that are not mature.
    pub undecided: NanoUsd,
}

impl Judging {
    /// Whether it is a week since the team's first spend.
    pub(crate) fn spends_in(&self, week: Week) -> bool {
        self.first_spend.is_some_and(|first| first <= week)
    }
}

pub(crate) fn judging_list(db: &mut Db, team: Option<&str>) -> Result<Vec<Judging>> {
    let rows = db.query(
        "SELECT j.team, COALESCE(t.name, j.team), j.policy_id, p.window_days, p.hotfix_hours, j.computed_at,
            (SELECT MIN(s.week) FROM team_week_sum AS s WHERE s.team = j.team),
            COALESCE((
                SELECT CAST(SUM(s.billed_nanousd + s.list_equivalent_nanousd) AS BIGINT) FROM team_week_sum AS s
                WHERE s.team = j.team AND s.week >= j.immature_from), 0), p.strictness, j.immature_from
         FROM judging AS j JOIN policy AS p ON p.policy_id = j.policy_id LEFT JOIN team AS t ON t.team = j.team
         WHERE j.holds = 1 AND (j.team = $1 OR $1 = '')",
        &values![team.unwrap_or_default()],
    )?;
    let read = |row: &Row| {
        Ok(Judging {
            team: row.get(0)?,
            name: row.get(1)?,
            policy_id: row.get(2)?,
            policy: Policy {
                window_days: row.get(3)?,
                hotfix_hours: row.get(4)?,
                strictness: strictness(row, 8)?,
            },
            computed_at: row.parse(5)?,
            first_spend: row.get::<Option<String>>(6)?.map(|week| week.parse()).transpose()?,
            undecided: NanoUsd(row.get(7)?),
            immature_from: row.parse(9)?,
        })
    };
    rows.iter().map(read).collect()
}

/// Every team there is or was, by id.
pub(crate) fn team_list(db: &mut Db) -> Result<Vec<String>> {
    let known =
        "SELECT team FROM team UNION SELECT team FROM team_week_sum UNION SELECT team FROM team_week_tally";
    let rows = db.query(known, &[])?;
    let mut teams: Vec<String> = rows.iter().map(|row| row.get(0)).collect::<Result<_>>()?;
    teams.sort();
    Ok(teams)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::listing::Cell;
    use crate::store::fixture::{on_both, rows};
    use crate::store::week::week_extend;

    fn spend(db: &mut Db, team: &str, week: &str, billed: i64, list_equivalent: i64) {
        db.execute(
            "INSERT INTO team_week_sum (team, week, usage_rows, unpriced_rows, requests, input, output,
                cache_read, cache_write_5m, cache_write_1h, web_search, billed_nanousd, list_equivalent_nanousd)
             VALUES ($1, $2, 1, 2, 3, 4, 5, 6, 7, 8, 9, $3, $4)",
            &values![team, week, billed, list_equivalent],
        )
        .unwrap();
    }

    #[test]
    fn each_team_has_every_week_from_its_first() {
        on_both(|db| {
            let week = |text: &str| -> Week { text.parse().unwrap() };
            week_extend(db, week("2026-W45"), week("2026-W47")).unwrap();
            spend(db, "early", "2026-W48", 30, 0); // a report that came minutes before its week
            week_extend(db, week("2026-W48"), week("2026-W47")).unwrap();
            let teams = "('payments', 'Payments'), ('early', 'early'), ('gone', 'gone')";
            db.batch(&format!("INSERT INTO team (team, name) VALUES {teams}")).unwrap();
            spend(db, "payments", "2026-W45", 10, 1);
            spend(db, "gone", "2026-W46", 20, 0);
            let listed = |db: &mut Db, first: &str, team: Option<&str>| {
                let mut all = team_week_list(db, week(first), team).unwrap();
                all.sort_by_key(|row| (row.week, row.team.clone()));
                all.iter()
                    .map(|row| format!("{} {} {}", row.name, row.week, row.spend().0))
                    .collect::<Vec<_>>()
            };
            let all = [
                "Payments 2026-W45 11",
                "gone 2026-W46 20",
                "Payments 2026-W46 0",
                "gone 2026-W47 0",
                "Payments 2026-W47 0",
            ];
            assert_eq!(listed(db, "2026-W01", None), all);
            assert_eq!(listed(db, "2026-W46", Some("gone")), [all[1], all[3]]);
            assert!(listed(db, "2026-W46", Some("nobody")).is_empty());
            assert_eq!(team_list(db).unwrap(), ["early", "gone", "payments"]);
            let first = &team_week_list(db, week("2026-W45"), Some("payments")).unwrap();
            let first = first.iter().find(|row| row.week == week("2026-W45")).unwrap();
            let tokens = Tokens {
                input: 4,
                output: 5,
                cache_read: 6,
                cache_write_5m: 7,
                cache_write_1h: 8,
                web_search: 9,
            };
            assert_eq!((first.requests, first.tokens, first.unpriced_rows), (3, tokens, 2));
            assert_eq!((first.billed, first.list_equivalent), (NanoUsd(10), NanoUsd(1)));
        });
    }

    #[test]
    fn no_team_has_a_week_that_has_not_begun() {
        on_both(|db| {
            let week = |text: &str| -> Week { text.parse().unwrap() };
            let weeks = |db: &mut Db| rows(db, "SELECT team, week FROM team_week ORDER BY team, week");
            db.batch("INSERT INTO team (team, name) VALUES ('early', 'early')").unwrap();
            spend(db, "early", "2026-W48", 30, 0);
            week_extend(db, week("2026-W48"), week("2026-W47")).unwrap();
            assert!(weeks(db).is_empty());
            spend(db, "unassigned", "2026-W46", 20, 0);
            week_extend(db, week("2026-W46"), week("2026-W47")).unwrap();
            assert_eq!(weeks(db), ["unassigned|2026-W46", "unassigned|2026-W47"]);
            week_extend(db, week("2026-W50"), week("2026-W50")).unwrap(); // a clock that ran ahead
            week_extend(db, week("2026-W48"), week("2026-W48")).unwrap();
            let begun =
                ["early|2026-W48", "unassigned|2026-W46", "unassigned|2026-W47", "unassigned|2026-W48"];
            assert_eq!(weeks(db), begun);
        });
    }

    #[test]
    fn a_query_of_an_admin_keeps_its_kinds_and_never_writes() {
        on_both(|db| {
            let listing = db.listing("SELECT 1 AS one, 0.5 AS half, '7' AS text, NULL AS none").unwrap();
            assert_eq!(listing.columns, ["one", "half", "text", "none"]);
            assert_eq!(listing.rows, [[Cell::number(1), Cell::number("0.5"), Cell::text("7"), Cell::Null]]);
            db.batch("INSERT INTO team (team, name) VALUES ('payments', 'Payments')").unwrap();
            for write in [
                "DELETE FROM team",
                "UPDATE team SET name = 'x'",
                "DROP TABLE usage",
                "SELECT 1; DELETE FROM team",
                "COMMIT; DELETE FROM team",
                "WITH gone AS (SELECT 1) DELETE FROM team",
            ] {
                assert!(db.listing(write).is_err(), "{write}");
            }
            assert_eq!(rows(db, "SELECT team, name FROM team"), ["payments|Payments"]);
            assert!(db.listing("SELECT 1 AS n WHERE 1 = 2").unwrap().rows.is_empty());
        });
    }
}
