//! Spend on the basis of work: a team's is what built its changes, whoever spent it. What one team lends another
//! borrows, so that all teams together spend the same on either basis.

use crate::store::team_week::{Judging, Loan, Outcomes, TeamWeek};
use meter::outcome::{ByStrictness, Tally};
use meter::{NanoUsd, Tokens, Week};
use std::collections::BTreeMap;
use std::ops::RangeInclusive;

/// Moves the spend of these weeks; a team that neither spent nor shipped in a week may have borrowed in it.
pub(super) fn move_spend(
    rows: &mut Vec<TeamWeek>,
    judgings: &mut [Judging],
    mut loans: BTreeMap<(String, Week), Loan>,
    weeks: RangeInclusive<Week>,
) {
    for judging in judgings.iter_mut() {
        let of_team = |((team, week), loan): (&(String, Week), &Loan)| {
            (*team == judging.team && week <= weeks.end()).then_some((*week, *loan))
        };
        let of_team: Vec<(Week, Loan)> = loans.iter().filter_map(of_team).collect();
        let borrows = of_team.iter().filter(|(_, loan)| loan.borrowed.0 > 0).map(|(week, _)| *week);
        judging.first_spend = borrows.chain(judging.first_spend).min();
        let undecided = of_team.iter().filter(|(week, _)| *week >= judging.immature_from);
        judging.undecided.0 += undecided.map(|(_, loan)| loan.added()).sum::<i64>();
    }
    for row in rows.iter_mut() {
        row.loan = Some(loans.remove(&(row.team.clone(), row.week)).unwrap_or_default());
    }
    let rest = loans.into_iter().filter(|((_, week), _)| weeks.contains(week));
    let row = |((team, week), loan): ((String, Week), Loan)| {
        let judging = judgings.iter().find(|judging| judging.team == team)?;
        Some(borrowed(judging, week, loan))
    };
    rows.extend(rest.filter_map(row));
}

/// A week in which a team did nothing but borrow.
fn borrowed(judging: &Judging, week: Week, loan: Loan) -> TeamWeek {
    let outcomes = Outcomes {
        tally: Tally::default(),
        by_strictness: ByStrictness::default(),
        mature: week < judging.immature_from,
        policy_id: judging.policy_id,
        computed_at: judging.computed_at,
    };
    TeamWeek {
        team: judging.team.clone(),
        name: judging.name.clone(),
        week,
        requests: 0,
        tokens: Tokens::default(),
        billed: NanoUsd(0),
        list_equivalent: NanoUsd(0),
        cordon: NanoUsd(0),
        unpriced_rows: 0,
        loan: Some(loan),
        closing: None,
        outcomes: Some(outcomes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::reports::tests::deliver;
    use crate::judge::judge_all;
    use crate::store::db::Db;
    use crate::store::fixture::{now, on_both, teams};
    use crate::weekly::{Asked, Basis, Weekly, weekly};
    use ::tests::dice::Dice;
    use jiff::SignedDuration;
    use serde_json::json;

    /// One who only spends, one who also ships, one who only ships; and somebody whom no team lists.
    const TEAMS: &str = r#"
[[team]]
id = "lab"
members = [{ email = "ana@acme.example" }]
[[team]]
id = "pay"
repositories = ["github.com/acme/pay"]
members = [{ email = "ben@acme.example" }]
[[team]]
id = "web"
repositories = ["github.com/acme/web"]
"#;
    const PEOPLE: [&str; 3] = ["ana@acme.example", "ben@acme.example", "eve@acme.example"];
    const BRANCHES: [&str; 4] = ["one", "two", "three", "main"];

    fn week(number: u64) -> Week {
        (0..number).fold("2026-W40".parse().unwrap(), |week: Week, _| week.next())
    }

    /// Changes of both repositories, and sessions of anybody on any of their branches.
    fn history(db: &mut Db, dice: &mut Dice) {
        teams(db, TEAMS, now());
        for repo in ["github.com/acme/pay", "github.com/acme/web"] {
            db.batch(&format!(
                "INSERT INTO source VALUES ('{repo}', 'github', 'main', 'x', '2026-11-25T00:00:00Z', NULL)"
            ))
            .unwrap();
            for (number, branch) in (1..).zip(&BRANCHES[..3]) {
                let at = week(4 + dice.roll(4)).start();
                db.batch(&format!(
                    "INSERT INTO change (repo, sha, landed, number, title, head_branch, author, merged_at, shipped_at)
                     VALUES ('{repo}', '{branch}', {number}, {number}, '{branch}', '{branch}', '{}', '{at}', '{at}');
                     INSERT INTO pull_request (repo, number, title, body, base_branch, head_repo, head_branch,
                        opened_at, merged_at, closed_at, merge_sha, labels)
                     VALUES ('{repo}', {number}, '', '', 'main', '{repo}', '{branch}', '{}', '{at}', '{at}', '{branch}', '')",
                    dice.pick(&PEOPLE),
                    week(0).start(),
                ))
                .unwrap();
            }
        }
        for session in 0..12 {
            let week = week(dice.roll(8));
            let row = |hour: i64, branch: &str| {
                json!({
                    "hour": (week.start() + SignedDuration::from_hours(hour)).to_string(), "branch": branch,
                    "model": "claude-opus-5-5", "agent": "main", "workflow": "main", "speed": "standard", "geo": "",
                    "prompt_band": "100k", "requests": 1, "input": 0, "output": 1000 + 7 * session, "cache_read": 0,
                    "cache_write_5m": 0, "cache_write_1h": 0, "web_search": 0,
                })
            };
            let rows: Vec<_> = (0..4).map(|hour| row(hour, BRANCHES[dice.index(BRANCHES.len())])).collect();
            let report = json!({
                "session_id": format!("8b41c8a0-0000-4000-8000-{session:012}"), "week": week.to_string(),
                "repo": dice.pick(&["github.com/acme/pay", "github.com/acme/web"]),
                "developer": {"email": dice.pick(&PEOPLE)}, "rank": {"parser": 1, "epoch": 1, "seq": 1},
                "started_at": null, "ended_at": null, "usage": rows, "commits": [], "pull_requests": [],
            });
            deliver(db, &report).unwrap();
        }
        judge_all(db, now(), now(), |_, _| Ok(())).unwrap();
    }

    /// Spend by week, what is lent and borrowed with it, and what waits for a mature week.
    fn sums(weekly: &Weekly) -> (BTreeMap<Week, (i64, Loan)>, i64) {
        let mut weeks: BTreeMap<Week, (i64, Loan)> = BTreeMap::new();
        for row in &weekly.weeks {
            let (spend, loan) = weeks.entry(row.week).or_default();
            let Loan { lent, borrowed } = row.loan.unwrap_or_default();
            *spend += row.spend().0;
            loan.lent.0 += lent.0;
            loan.borrowed.0 += borrowed.0;
        }
        (weeks, weekly.standings.iter().map(|one| one.judging.undecided.0).sum())
    }

    #[test]
    fn what_is_lent_is_borrowed_and_all_teams_spend_the_same() {
        for seed in 0..3 {
            on_both(|db| {
                history(db, &mut Dice::new(seed));
                let weekly = |basis| weekly(db, &Asked::of_team(None, 12).on(basis), now()).unwrap();
                let [people, work] = [Basis::People, Basis::Work].map(weekly);
                assert!(work.weeks.len() > people.weeks.len(), "web borrows before it ships");
                let ((people, waits), (work, waits_at_work)) = (sums(&people), sums(&work));
                let lent: i64 = work.values().map(|(_, loan)| loan.lent.0).sum();
                assert!(lent > 0, "seed {seed}");
                for (week, (spend, loan)) in work {
                    assert_eq!(loan.lent, loan.borrowed, "seed {seed}, {week}");
                    assert_eq!(people[&week], (spend, Loan::default()), "seed {seed}, {week}");
                }
                assert_eq!(waits, waits_at_work, "seed {seed}");
            });
        }
    }
}
