//! Outcomes counted by team, week and policy, and how far they are told: what `team_week` shows beside spend.

use super::change::source_former;
use super::db::{Db, Row, Value, values};
use super::policy::policy_list;
use super::team_week::team_list;
use super::week::week_extend;
use crate::people::UNASSIGNED;
use anyhow::Result;
use jiff::Timestamp;
use meter::outcome::{ByStrictness, Tally, immature_from};
use meter::{Repo, Week};
use std::collections::BTreeMap;
use std::num::TryFromIntError;

/// The changes of one repository, by team, by the week they shipped in and by the policy they are judged by.
pub(crate) type Tallies = BTreeMap<Key, Counts>;
type Key = (String, Week, i64);

/// What changes became by a policy, and what they would by either strictness.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub tally: Tally,
    pub by_strictness: ByStrictness,
}

/// Makes the counts of a repository these, and their sums over all repositories with them.
pub(crate) fn tally_replace(db: &mut Db, repo: &Repo, tallies: &Tallies) -> Result<()> {
    let mut stored = tally_list(db, repo)?;
    for (key, counts) in tallies.iter().filter(|(_, counts)| **counts != Counts::default()) {
        let former = stored.remove(key);
        if former != Some(*counts) {
            tally_put(db, repo, key, counts)?;
            team_week_add(db, key, former.unwrap_or_default().tally, counts.tally)?;
        }
    }
    for (key, former) in stored {
        tally_put(db, repo, &key, &Counts::default())?;
        team_week_add(db, &key, former.tally, Tally::default())?;
    }
    Ok(())
}

fn tally_list(db: &mut Db, repo: &Repo) -> Result<Tallies> {
    let rows = db.query(
        "SELECT team, week, policy_id, verified, disqualified, pending, targeted_verified, targeted_disqualified,
            literal_verified, literal_disqualified
         FROM change_tally WHERE repo = $1",
        &values![repo.as_str()],
    )?;
    let read = |row: &Row| {
        let tally = Tally { verified: row.get(3)?, disqualified: row.get(4)?, pending: row.get(5)? };
        let counts = Counts { tally, by_strictness: by_strictness(row, 6)? };
        Ok(((row.get(0)?, row.parse(1)?, row.get(2)?), counts))
    };
    rows.iter().map(read).collect()
}

/// Four columns from `first` on.
pub(super) fn by_strictness(row: &Row, first: usize) -> Result<ByStrictness> {
    let side = |first: usize| {
        Ok::<_, anyhow::Error>(Tally {
            verified: row.get(first)?,
            disqualified: row.get(first + 1)?,
            pending: 0,
        })
    };
    Ok(ByStrictness { targeted: side(first)?, literal: side(first + 2)? })
}

/// Keeps no row of nothing.
fn tally_put(db: &mut Db, repo: &Repo, (team, week, policy_id): &Key, counts: &Counts) -> Result<()> {
    let mut row: Vec<Value> = values![repo.as_str(), team, week.to_string(), *policy_id].into();
    let key = "repo = $1 AND team = $2 AND week = $3 AND policy_id = $4";
    db.execute(&format!("DELETE FROM change_tally WHERE {key}"), &row)?;
    if *counts != Counts::default() {
        let Counts { tally, by_strictness: ByStrictness { targeted, literal } } = counts;
        row.extend([tally.verified, tally.disqualified, tally.pending].map(Value::from));
        row.extend(
            [targeted, literal]
                .into_iter()
                .flat_map(|side| [side.verified, side.disqualified])
                .map(Value::from),
        );
        db.execute(
            "INSERT INTO change_tally (repo, team, week, policy_id, verified, disqualified, pending,
                targeted_verified, targeted_disqualified, literal_verified, literal_disqualified)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
            &row,
        )?;
    }
    Ok(())
}

/// A team's weeks begin with its first row: there is none of nothing.
fn team_week_add(db: &mut Db, (team, week, policy_id): &Key, former: Tally, new: Tally) -> Result<()> {
    let more = |new: u64, former: u64| Ok::<_, TryFromIntError>(i64::try_from(new)? - i64::try_from(former)?);
    let (key, week) = ("team = $1 AND week = $2 AND policy_id = $3", week.to_string());
    let row = values![
        team,
        &week,
        *policy_id,
        more(new.verified, former.verified)?,
        more(new.disqualified, former.disqualified)?,
        more(new.pending, former.pending)?,
    ];
    db.execute(
        "INSERT INTO team_week_tally AS t (team, week, policy_id, verified, disqualified, pending)
         VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (team, week, policy_id) DO UPDATE SET verified = t.verified + excluded.verified,
            disqualified = t.disqualified + excluded.disqualified, pending = t.pending + excluded.pending",
        &row,
    )?;
    let empty = format!("DELETE FROM team_week_tally WHERE {key} AND verified + disqualified + pending = 0");
    db.execute(&empty, &row[..3])?;
    Ok(())
}

/// Notes that each repository was judged as of the instant in `known`: from then on each team has its counts, of no
/// change too, as of the earliest of its repositories that are read; one that has none, of the earliest of all.
pub(crate) fn judging_record(
    db: &mut Db,
    known: &BTreeMap<Repo, Timestamp>,
    at: Timestamp,
    now: Timestamp,
) -> Result<()> {
    let policies = policy_list(db)?;
    let (repos, former) = (repos_of_teams(db)?, source_former(db)?);
    let known: BTreeMap<_, _> = known.iter().filter(|(repo, _)| !former.contains(repo)).collect();
    let mut teams = team_list(db)?;
    teams.push(UNASSIGNED.to_owned());
    teams.sort();
    teams.dedup();
    db.execute("DELETE FROM judging", &[])?;
    for team in teams {
        let all = policies.all(&team);
        let of_team = repos.get(&team).into_iter().flatten().filter_map(|repo| known.get(repo).copied());
        let at = of_team.min().or(known.values().copied().min()).copied().unwrap_or(at);
        if at == Timestamp::UNIX_EPOCH {
            continue; // a source of it was never read whole: nothing is told yet
        }
        for held in all {
            let holds = all.last().is_some_and(|last| last.id == held.id);
            let immature_from = immature_from(at, held.policy).to_string();
            db.execute(
                "INSERT INTO judging (team, policy_id, holds, computed_at, immature_from)
                 VALUES ($1, $2, $3, $4, $5)",
                &values![&team, held.id, holds, at.to_string(), immature_from],
            )?;
        }
    }
    let row = db.query_one("SELECT MIN(week) FROM team_week_tally", &[])?;
    let now = Week::of(now);
    let first = row.get::<Option<String>>(0)?.and_then(|week| week.parse().ok());
    week_extend(db, first.unwrap_or(now), now)
}

/// The repositories that teams own, and those that their changes landed in.
fn repos_of_teams(db: &mut Db) -> Result<BTreeMap<String, Vec<Repo>>> {
    let sql = "SELECT team, repo FROM change_tally UNION SELECT team, repo FROM team_repository";
    let mut repos: BTreeMap<String, Vec<Repo>> = BTreeMap::new();
    for row in db.query(sql, &[])? {
        repos.entry(row.get(0)?).or_default().push(row.parse(1)?);
    }
    Ok(repos)
}

/// A team's counts go on under its new id. Where that had some already, neither tells the whole: there are none
/// until the next judging.
pub(crate) fn tally_rename(db: &mut Db, former: &str, id: &str) -> Result<()> {
    let names = values![former, id];
    let known =
        "SELECT team FROM judging WHERE team = $1 UNION SELECT team FROM team_week_tally WHERE team = $1
        UNION SELECT team FROM closing WHERE team = $1";
    let taken = !db.query(known, &names[1..])?.is_empty();
    for table in ["judging", "change_tally", "team_week_tally", "closing"] {
        let sql = if taken {
            format!("DELETE FROM {table} WHERE team IN ($1, $2)")
        } else {
            format!("UPDATE {table} SET team = $2 WHERE team = $1")
        };
        db.execute(&sql, &names)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::judge_repos;
    use crate::source::{Commit, Landed};
    use crate::store::change::{Cursor, Order, change_add, change_forget, source_list, source_put};
    use crate::store::fixture::{cluster, now, on_both, rows, teams};
    use crate::store::news::run_begin;
    use crate::store::policy::policy_set;
    use meter::outcome::{Policy, Strictness};
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::test_runner::TestRunner;

    const TEAMS: &str = "[[team]]\nid = \"pay\"\nrepositories = [\"github.com/acme/pay\"]
        [[team]]\nid = \"web\"\nmembers = [{ email = \"ana@acme.example\" }]";
    const COUNTS: &str =
        "SELECT team, week, attempted, verified, disqualified, pending, mature, policy_id, computed_at
        FROM team_week ORDER BY team, week";

    fn at(day: i64) -> Timestamp {
        let first: Timestamp = "2026-09-28T12:00:00Z".parse().unwrap(); // a Monday
        first + jiff::SignedDuration::from_hours(day * 24)
    }

    /// Lets a change land; its commit is named after its place among those of all repositories.
    fn land(db: &mut Db, repo: &str, place: usize, day: i64, message: &str) {
        let repo: Repo = repo.parse().unwrap();
        let sha = format!("{place:040x}");
        let cursor = Cursor { kind: "clone", branch: "main", commit: &sha };
        source_put(db, &repo, &cursor, now()).unwrap();
        let commit = Commit {
            sha: sha.clone(),
            parents: Vec::new(),
            committed_at: at(day),
            author: "ana@acme.example".to_owned(),
            message: message.to_owned(),
        };
        change_add(
            db,
            &repo,
            &[Landed { commit, members: Vec::new(), files: vec!["a.rs".to_owned()] }],
            Order::AsRead,
        )
        .unwrap();
    }

    fn judge_all(db: &mut Db, at: Timestamp) {
        let run = db.transaction(|db| run_begin(db, at)).unwrap();
        let known = source_list(db).unwrap().into_iter().map(|repo| (repo, at)).collect();
        for repo in BTreeMap::keys(&known) {
            judge_repos(db, &[(repo, at)], run).unwrap();
        }
        db.transaction(|db| judging_record(db, &known, at, now())).unwrap();
    }

    fn window(db: &mut Db, team: &str, days: u32) {
        let policy = Policy { window_days: days, ..Policy::default() };
        policy_set(db, team, policy, "a test", now()).unwrap();
    }

    #[test]
    fn outcomes_stand_beside_spend_from_the_first_change_on() {
        on_both(|db| {
            teams(db, TEAMS, now());
            land(db, "github.com/acme/pay", 1, 0, "Add x (#1)");
            land(db, "github.com/acme/pay", 2, 1, "Add y (#2)");
            land(db, "github.com/acme/pay", 3, 9, "Revert \"Add x (#1)\" (#3)");
            land(db, "github.com/acme/web", 4, 8, "Add z (#1)");
            assert!(rows(db, COUNTS).is_empty(), "nothing was judged");
            judge_all(db, at(20));
            let then = at(20);
            let weeks = rows(db, &format!("{COUNTS} LIMIT 3"));
            let expected = [
                format!("pay|2026-W40|2|1|1|0|0|2|{then}"),
                format!("pay|2026-W41|0|0|0|0|0|2|{then}"),
                format!("pay|2026-W42|0|0|0|0|0|2|{then}"),
            ];
            assert_eq!(weeks, expected, "W40 ends on 5 October and is mature 14 days later");
            judge_all(db, at(21));
            let pay =
                "SELECT week, mature, verified_share FROM team_week WHERE team = 'pay' ORDER BY week LIMIT 2";
            let shares: Vec<String> = rows(db, pay);
            assert!(shares[0].starts_with("2026-W40|1|0.5"), "{shares:?}");
            assert_eq!(shares[1], "2026-W41|0|");
            assert_eq!(rows(db, "SELECT pending FROM team_week WHERE team = 'web' ORDER BY week")[0], "1");
            let ends = "SELECT team, MAX(week), COUNT(*) FROM team_week GROUP BY team ORDER BY team";
            assert_eq!(rows(db, ends), ["pay|2026-W48|9", "web|2026-W48|8"]);
        });
    }

    #[test]
    fn either_strictness_is_told_whichever_holds() {
        let told =
            "SELECT strictness, targeted_verified, targeted_attempted, literal_verified, literal_attempted,
            mature, CASE WHEN targeted_share > literal_share THEN 1 END AS more
            FROM team_week_strictness WHERE team = 'pay'";
        on_both(|db| {
            teams(db, TEAMS, now());
            land(db, "github.com/acme/pay", 1, 0, "Add x (#1)");
            land(db, "github.com/acme/pay", 2, 1, "Fix y (#2)");
            judge_all(db, at(3));
            assert_eq!(rows(db, told), ["targeted|0|0|0|1|0|"], "a suspicion may be there first");
            judge_all(db, at(40));
            assert_eq!(rows(db, told), ["targeted|2|2|1|2|1|1"]);
            let literal = Policy { strictness: Strictness::Literal, ..Policy::default() };
            policy_set(db, "pay", literal, "a test", now()).unwrap();
            judge_all(db, at(40));
            assert_eq!(rows(db, told), ["literal|2|2|1|2|1|1"], "only which holds is another");
            let held = "SELECT verified, attempted FROM team_week WHERE team = 'pay' AND week = '2026-W40'";
            assert_eq!(rows(db, held), ["1|2"]);
            db.transaction(|db| change_forget(db, &"github.com/acme/pay".parse()?)).unwrap();
            assert_eq!(rows(db, told), [""; 0]);
        });
    }

    #[test]
    fn counts_go_with_what_they_counted() {
        let counts = "SELECT team, week, verified FROM team_week_tally UNION ALL
            SELECT team, week, verified FROM change_tally";
        on_both(|db| {
            teams(db, TEAMS, now());
            land(db, "github.com/acme/pay", 1, 0, "Add x (#1)");
            judge_all(db, at(40));
            assert_eq!(rows(db, counts), ["pay|2026-W40|1"; 2]);
            judge_all(db, at(-1));
            assert_eq!(rows(db, counts), [""; 0], "it had not landed");
            judge_all(db, at(40));
            db.transaction(|db| change_forget(db, &"github.com/acme/pay".parse()?)).unwrap();
            assert_eq!(rows(db, counts), [""; 0], "its history was forgotten");
        });
    }

    #[test]
    fn a_new_window_is_told_beside_the_old_one() {
        on_both(|db| {
            teams(db, TEAMS, now());
            land(db, "github.com/acme/pay", 1, 0, "Add x (#1)");
            land(db, "github.com/acme/pay", 2, 10, "Revert \"Add x (#1)\" (#2)");
            judge_all(db, at(40));
            window(db, "pay", 7);
            judge_all(db, at(40));
            let both = "SELECT window_days, holds, verified, disqualified, mature FROM team_week_policy
                WHERE team = 'pay' AND week = '2026-W40' ORDER BY policy_id";
            assert_eq!(rows(db, both), ["14|0|0|1|1", "7|1|1|0|1"]);
            let one = "SELECT verified, policy_id FROM team_week WHERE team = 'pay' AND week = '2026-W40'";
            assert_eq!(rows(db, one), ["1|4"]);
        });
    }

    #[test]
    fn a_renamed_team_keeps_its_counts_and_two_that_become_one_wait_for_the_judge() {
        on_both(|db| {
            teams(db, TEAMS, now());
            land(db, "github.com/acme/pay", 1, 0, "Add x (#1)");
            land(db, "github.com/acme/web", 2, 0, "Add z (#1)");
            judge_all(db, at(40));
            let counts =
                "SELECT DISTINCT team, verified FROM team_week WHERE week = '2026-W40' ORDER BY team";
            assert_eq!(rows(db, counts), ["pay|1", "web|1"]);
            teams(db, &TEAMS.replace("\"pay\"", "\"neo\"\nformerly = [\"pay\"]"), now());
            assert_eq!(rows(db, counts), ["neo|1", "web|1"]);
            let one = "[[team]]\nid = \"web\"\nformerly = [\"neo\"]
                members = [{ email = \"ana@acme.example\" }]\nrepositories = [\"github.com/acme/pay\"]";
            teams(db, one, now());
            assert_eq!(rows(db, counts), [""; 0]);
            judge_all(db, at(40));
            assert_eq!(rows(db, counts), ["web|2"]);
        });
    }

    /// What a case does to the history and to those who own it.
    #[derive(Debug, Clone)]
    enum Deed {
        /// Which repository, on which day after the last, and which of the changes so far it takes back.
        Land(bool, i64, Option<usize>),
        Window(u32),
        Rename,
        Judge(i64),
    }

    fn deed() -> impl Strategy<Value = Deed> {
        prop_oneof![
            6 => (any::<bool>(), 0..6_i64, proptest::option::of(0..8_usize)).prop_map(|(web, days, back)| Deed::Land(web, days, back)),
            1 => (1..30_u32).prop_map(Deed::Window),
            1 => Just(Deed::Rename),
            2 => (0..70_i64).prop_map(Deed::Judge),
        ]
    }

    /// Each team and week has one row, whose counts are those of the changes that shipped in it.
    #[track_caller]
    fn check_counts(db: &mut Db) {
        let counted = "SELECT c.team, w.week,
                SUM(CASE WHEN c.state = 'verified' THEN 1 ELSE 0 END) AS v,
                SUM(CASE WHEN c.state = 'disqualified' THEN 1 ELSE 0 END) AS d,
                SUM(CASE WHEN c.state = 'pending' THEN 1 ELSE 0 END) AS p
            FROM change AS c JOIN week AS w ON w.starts_at <= c.shipped_at AND c.shipped_at < w.ends_at
            WHERE c.state <> 'excluded' GROUP BY c.team, w.week ORDER BY c.team, w.week";
        let kept = "SELECT team, week, verified, disqualified, pending FROM team_week
            WHERE verified + disqualified + pending > 0 ORDER BY team, week";
        assert_eq!(rows(db, kept), rows(db, counted));
        let by_strictness =
            "SELECT team, week, targeted_verified, targeted_attempted FROM team_week_strictness
            WHERE targeted_attempted > 0 ORDER BY team, week";
        let held =
            "SELECT team, week, verified, attempted FROM team_week WHERE attempted > 0 ORDER BY team, week";
        assert_eq!(rows(db, by_strictness), rows(db, held), "all are judged by targeted rules");
        let one_each = "SELECT team, week FROM team_week GROUP BY team, week HAVING COUNT(*) > 1";
        assert_eq!(rows(db, one_each), [""; 0]);
        let undecided = "SELECT team, week FROM team_week WHERE mature = 1 AND pending > 0
            OR mature = 0 AND (verified_share IS NOT NULL OR cpvo_usd IS NOT NULL)";
        assert_eq!(rows(db, undecided), [""; 0]);
        let every = "SELECT p.team, p.week, COUNT(*) FROM team_week_policy AS p
            JOIN judging AS j ON j.team = p.team GROUP BY p.team, p.week
            HAVING COUNT(*) <> (SELECT COUNT(*) * COUNT(*) FROM judging AS k WHERE k.team = p.team)";
        assert_eq!(rows(db, every), [""; 0]);
    }

    #[test]
    fn the_counts_are_those_of_the_changes_after_any_deeds() {
        let _server = cluster(); // one for all cases
        let mut runner = TestRunner::new(ProptestConfig::with_cases(16));
        let cases = runner.run(&vec(deed(), 1..16), |deeds| {
            on_both(|db| {
                teams(db, TEAMS, now());
                let (mut day, mut landed, mut name) = (0, Vec::new(), 0);
                for (place, deed) in (1..).zip(&deeds) {
                    match deed {
                        Deed::Land(web, days, back) => {
                            day += days;
                            let repo = if *web { "github.com/acme/web" } else { "github.com/acme/pay" };
                            let target = back.and_then(|back| landed.get(back));
                            let message = match target {
                                Some(target) => format!("Undo (#{place})\n\nReverts #{target}"),
                                None => format!("Add {place} (#{place})"),
                            };
                            land(db, repo, place, day, &message);
                            landed.push(place);
                        }
                        Deed::Window(days) => window(db, if name == 0 { "pay" } else { "web" }, *days),
                        Deed::Rename => {
                            let former: Vec<String> = (0..=name).map(|name| format!("\"n{name}\"")).collect();
                            name += 1;
                            let id = format!("\"n{name}\"\nformerly = [\"pay\", {}]", former.join(", "));
                            teams(db, &TEAMS.replace("\"pay\"", &id), now());
                        }
                        Deed::Judge(day) => {
                            judge_all(db, at(*day));
                            check_counts(db);
                        }
                    }
                }
                judge_all(db, at(60));
                check_counts(db);
            });
            Ok(())
        });
        cases.unwrap();
    }
}
