//! Weeks that close when they are mature, and what is learnt about them later.

use super::audit::{Event, audit_add};
use super::db::{Db, Row, values};
use anyhow::Result;
use jiff::Timestamp;
use meter::{NanoUsd, Week};
use std::collections::{BTreeMap, HashMap};

/// How the outcomes of a week stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stand {
    policy_id: i64,
    verified: u64,
    disqualified: u64,
}

impl Stand {
    fn read(row: &Row, first: usize) -> Result<Self> {
        Ok(Self {
            policy_id: row.get(first)?,
            verified: row.get(first + 1)?,
            disqualified: row.get(first + 2)?,
        })
    }

    fn told(self) -> String {
        let Self { policy_id, verified, disqualified } = self;
        format!("{verified} of {} verified by policy {policy_id}", verified + disqualified)
    }

    /// What made it another.
    fn why(self, new: Self) -> &'static str {
        if self.policy_id != new.policy_id {
            "the team is judged by another policy"
        } else if self.verified + self.disqualified != new.verified + new.disqualified {
            "changes came, went or are no attempts"
        } else if self.disqualified < new.disqualified {
            "what disqualifies was learnt late"
        } else {
            "what disqualified is disputed or gone"
        }
    }
}

/// Closes the weeks that are mature and were not closed, and restates those whose outcomes are others by now.
pub(crate) fn closing_record(db: &mut Db, now: Timestamp) -> Result<()> {
    let mut closed: BTreeMap<(String, String), (u64, Stand)> = BTreeMap::new();
    let known =
        "SELECT team, week, restatement, policy_id, verified, disqualified FROM closing ORDER BY restatement";
    for row in db.query(known, &[])? {
        closed.insert((row.get(0)?, row.get(1)?), (row.get(2)?, Stand::read(&row, 3)?));
    }
    let mature =
        "SELECT team, week, spend_nanousd, policy_id, verified, disqualified FROM team_week WHERE mature = 1
        ORDER BY week, team";
    for row in db.query(mature, &[])? {
        let key = (row.get(0)?, row.get(1)?);
        let former = closed.remove(&key);
        closing_add(db, now, &key, (former, Stand::read(&row, 3)?), row.get(2)?)?;
    }
    let held = "SELECT policy_id FROM judging WHERE team = $1 AND holds = 1 AND $2 < immature_from";
    for (key, former) in closed {
        // all that it held moved away, and the team's weeks begin later
        for row in db.query(held, &values![&key.0, &key.1])? {
            let nothing = Stand { policy_id: row.get(0)?, verified: 0, disqualified: 0 };
            closing_add(db, now, &key, (Some(former), nothing), 0)?;
        }
    }
    Ok(())
}

/// Notes how a week stands now, unless that is how it stood after so many restatements.
fn closing_add(
    db: &mut Db,
    now: Timestamp,
    (team, week): &(String, String),
    (former, new): (Option<(u64, Stand)>, Stand),
    spend: i64,
) -> Result<()> {
    let (restatement, why) = match former {
        None => (0, ""),
        Some((_, former)) if former == new => return Ok(()),
        Some((count, former)) => {
            let (why, subject) = (former.why(new), format!("{team} {week}"));
            let detail = format!("was {}, is {}: {why}", former.told(), new.told());
            audit_add(
                db,
                now,
                &Event { actor: "cpvo judge", action: "restated", subject: &subject, detail },
            )?;
            (count + 1, why)
        }
    };
    db.execute(
        "INSERT INTO closing (team, week, restatement, policy_id, verified, disqualified, spend_nanousd, recorded_at, why)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        &values![
            team,
            week,
            restatement,
            new.policy_id,
            new.verified,
            new.disqualified,
            spend,
            now.to_string(),
            why
        ],
    )?;
    Ok(())
}

/// How a week closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Closing {
    pub closed_at: Timestamp,
    /// How often its outcomes became others since.
    pub restatements: u64,
    /// What was known to be spent in it by then.
    pub spend: NanoUsd,
}

/// The weeks from `first` on that closed, by team and week.
pub(crate) fn closing_list(db: &mut Db, first: Week) -> Result<HashMap<(String, Week), Closing>> {
    let rows = db.query(
        "SELECT team, week, recorded_at, spend_nanousd, restatement FROM closing WHERE week >= $1 ORDER BY restatement",
        &values![first.to_string()],
    )?;
    let mut closed: HashMap<(String, Week), Closing> = HashMap::new();
    for row in &rows {
        let closing = Closing { closed_at: row.parse(2)?, restatements: 0, spend: NanoUsd(row.get(3)?) };
        closed.entry((row.get(0)?, row.parse(1)?)).or_insert(closing).restatements = row.get(4)?;
    }
    Ok(closed)
}

#[cfg(test)]
mod tests {
    use crate::judge::judge_all;
    use crate::source::{Commit, Landed};
    use crate::store::change::{Cursor, Order, change_add, change_forget, source_put, sources_await};
    use crate::store::db::Db;
    use crate::store::dispute::{Reason, dispute_add};
    use crate::store::fixture::{homes, now, on_both, rows, teams};
    use crate::store::policy::policy_set;
    use jiff::{SignedDuration, Timestamp};
    use meter::Repo;
    use meter::outcome::Policy;

    const REPO: &str = "github.com/acme/pay";
    const WEB: &str = "github.com/acme/web";
    const CLOSED: &str = "SELECT closed_verified, closed_disqualified, verified, disqualified, restatements, why, late_spend_nanousd
        FROM team_week_closing WHERE team = 'pay' AND week = '2026-W40'";

    fn repo() -> Repo {
        REPO.parse().unwrap()
    }

    fn read_at(db: &mut Db, at: Timestamp) {
        read(db, REPO, at);
    }

    fn read(db: &mut Db, repo: &str, at: Timestamp) {
        source_put(db, &repo.parse().unwrap(), &Cursor { kind: "clone", branch: "main", commit: "x" }, at)
            .unwrap();
    }

    fn land(db: &mut Db, number: u64, at: &str, message: &str) {
        let (sha, author) = (format!("{number:040x}"), "ana@acme.example".to_owned());
        let message = format!("{message} (#{number})");
        let commit = Commit { sha, parents: Vec::new(), committed_at: at.parse().unwrap(), author, message };
        let landed = Landed { commit, members: Vec::new(), files: vec!["a.rs".to_owned()] };
        change_add(db, &repo(), &[landed], Order::AsRead).unwrap();
    }

    fn judge(db: &mut Db) {
        judge_all(db, now(), now(), |_, _| Ok(())).unwrap();
    }

    #[test]
    fn a_week_closes_once_and_what_is_learnt_later_restates_it() {
        on_both(|db| {
            teams(db, &format!("[[team]]\nid = \"pay\"\nrepositories = [\"{REPO}\"]"), now());
            read_at(db, "2026-10-18T12:00:00Z".parse().unwrap());
            land(db, 1, "2026-10-01T12:00:00Z", "Add x");
            land(db, 2, "2026-10-01T13:00:00Z", "Add y");
            judge(db);
            assert_eq!(rows(db, CLOSED), [""; 0], "its source was not read to the end of the window");
            read_at(db, now());
            let later = now() + SignedDuration::from_hours(24);
            judge_all(db, later, now(), |_, _| Ok(())).unwrap();
            assert_eq!(
                rows(db, "SELECT * FROM closing"),
                [""; 0],
                "what another instant would say closes nothing"
            );

            judge(db);
            assert_eq!(rows(db, CLOSED), ["2|0|2|0|0||0"]);
            let weeks = "SELECT COUNT(*), MIN(week), MAX(week) FROM closing WHERE team = 'pay'";
            assert_eq!(rows(db, weeks), ["6|2026-W40|2026-W45"], "the last that is mature 14 days later");
            judge(db);
            assert_eq!(rows(db, weeks), ["6|2026-W40|2026-W45"]);

            land(db, 3, "2026-10-05T12:00:00Z", "Revert \"Add x (#1)\"");
            judge(db);
            let late = "what disqualifies was learnt late";
            assert_eq!(rows(db, CLOSED), [format!("2|0|1|1|1|{late}|0")]);
            spend(db, "pay");
            judge(db);
            assert_eq!(rows(db, CLOSED), [format!("2|0|1|1|1|{late}|5")], "spend is never frozen");

            let reason = Reason { text: "it was another x", by: "ana" };
            dispute_add(db, (REPO, &format!("{:040x}", 1)), reason, now()).unwrap();
            judge(db);
            assert_eq!(rows(db, CLOSED), ["2|0|2|0|2|what disqualified is disputed or gone|5"]);
            policy_set(db, "pay", Policy { window_days: 3, ..Policy::default() }, "a test", now()).unwrap();
            judge(db);
            assert_eq!(rows(db, CLOSED), ["2|0|2|0|3|the team is judged by another policy|5"]);
            let audit = "SELECT detail FROM audit WHERE action = 'restated' AND subject = 'pay 2026-W40' ORDER BY audit_id";
            assert_eq!(
                rows(db, audit)[..2],
                [
                    format!("was 2 of 2 verified by policy 2, is 1 of 2 verified by policy 2: {late}"),
                    "was 1 of 2 verified by policy 2, is 2 of 2 verified by policy 2: what disqualified is disputed or gone"
                        .to_owned()
                ]
            );
        });
    }

    fn spend(db: &mut Db, team: &str) {
        let sum = format!(
            "INSERT INTO team_week_sum VALUES ('{team}', '2026-W40', 1, 0, 1, 1, 1, 1, 1, 1, 1, 2, 3, 0)"
        );
        db.batch(&sum).unwrap();
    }

    #[test]
    fn weeks_wait_for_what_was_never_read() {
        let closed = "SELECT DISTINCT team FROM closing ORDER BY team";
        on_both(|db| {
            let owner = |id: &str, repo: &str| format!("[[team]]\nid = \"{id}\"\nrepositories = [{repo}]\n");
            let owns = |id, repo| owner(id, &format!("\"{repo}\""));
            teams(db, &(owns("pay", REPO) + &owns("web", WEB) + &owner("risk", "")), now());
            for team in ["pay", "risk", "web"] {
                spend(db, team);
            }
            sources_await(db, &[(REPO, "clone"), (WEB, "github")]).unwrap();
            sources_await(db, &[(REPO, "clone"), (WEB, "github")]).unwrap();
            read(db, REPO, now());
            land(db, 1, "2026-10-01T12:00:00Z", "Add x");
            judge(db);
            assert_eq!(rows(db, closed), ["pay"], "nobody's repository may be that of any team");
            read(db, WEB, now());
            judge(db);
            assert_eq!(rows(db, closed), ["pay", "risk", "web"]);
        });
    }

    #[test]
    fn a_week_whose_changes_all_moved_to_another_team_is_restated() {
        let stands = "SELECT team, verified, restatements, why FROM team_week_closing
            WHERE week = '2026-W40' ORDER BY team";
        on_both(|db| {
            let owner = |team: &str| {
                let owns =
                    |id| if id == team { format!("repositories = [\"{REPO}\"]\n") } else { String::new() };
                ["pay", "web"].map(|id| format!("[[team]]\nid = \"{id}\"\n{}", owns(id))).concat()
            };
            teams(db, &owner("pay"), now());
            read(db, REPO, now());
            land(db, 1, "2026-10-01T12:00:00Z", "Add x");
            judge(db);
            assert_eq!(rows(db, stands), ["pay|1|0|"]);
            let went = "changes came, went or are no attempts";
            for team in ["web", "web"] {
                teams(db, &owner(team), now());
                judge(db);
                assert_eq!(rows(db, stands), [format!("pay|0|1|{went}"), "web|1|0|".to_owned()]);
            }
            teams(db, &owner("pay"), now());
            judge(db);
            assert_eq!(rows(db, stands), [format!("pay|1|2|{went}"), format!("web|0|1|{went}")]);
        });
    }

    #[test]
    fn a_team_that_closed_weeks_takes_in_another_while_its_history_is_read_anew() {
        let closed = "SELECT DISTINCT team FROM closing ORDER BY team";
        on_both(|db| {
            let owns = |id: &str, more: &str| {
                format!("[[team]]\nid = \"{id}\"\nrepositories = [\"github.com/acme/{id}\"]\n{more}")
            };
            teams(db, &(owns("pay", "") + &owns("web", "")), now());
            read(db, REPO, now());
            read(db, WEB, now());
            land(db, 1, "2026-10-01T12:00:00Z", "Add x");
            spend(db, "web");
            judge(db);
            assert_eq!(rows(db, closed), ["pay", "web"]);
            change_forget(db, &WEB.parse().unwrap()).unwrap();
            judge(db);
            teams(db, &owns("web", "formerly = [\"pay\"]"), now());
            assert_eq!(rows(db, closed), [""; 0]);
            read(db, WEB, now());
            judge(db);
            assert_eq!(
                rows(db, closed),
                ["unassigned", "web"],
                "nobody owns the repository of the former team"
            );
        });
    }

    #[test]
    fn a_history_that_is_read_anew_during_a_judging_restates_nothing() {
        for home in homes() {
            let (db, other) = (&mut home.open(), &mut home.open());
            teams(db, &format!("[[team]]\nid = \"pay\"\nrepositories = [\"{REPO}\"]"), now());
            read(db, REPO, now());
            land(db, 1, "2026-10-01T12:00:00Z", "Add x");
            judge(db);
            let judged = judge_all(db, now(), now(), |repo, _| {
                other.transaction(|db| change_forget(db, repo))?;
                read(other, REPO, now());
                Ok(())
            });
            assert!(judged.unwrap_err().to_string().contains("judge again"));
            land(db, 1, "2026-10-01T12:00:00Z", "Add x");
            judge(db);
            assert_eq!(rows(db, CLOSED), ["1|0|1|0|0||0"]);
        }
    }

    #[test]
    fn weeks_do_not_wait_for_what_is_no_source_any_more() {
        let closed = "SELECT DISTINCT team FROM closing ORDER BY team";
        on_both(|db| {
            let owns = |id| format!("[[team]]\nid = \"{id}\"\nrepositories = [\"github.com/acme/{id}\"]\n");
            teams(db, &(owns("pay") + &owns("web")), now());
            read(db, REPO, now());
            read(db, WEB, "2026-10-02T12:00:00Z".parse().unwrap());
            land(db, 1, "2026-10-01T12:00:00Z", "Add x");
            spend(db, "web");
            judge(db);
            assert_eq!(rows(db, closed), ["pay"]);
            sources_await(db, &[(REPO, "clone")]).unwrap();
            judge(db);
            assert_eq!(rows(db, closed), ["pay", "web"]);
            sources_await(db, &[(REPO, "clone"), (WEB, "clone")]).unwrap();
            let known = "SELECT kind, cursor, synced_at FROM source ORDER BY repo";
            assert_eq!(rows(db, known)[1], "clone|x|2026-10-02T12:00:00Z", "it goes on where it ended");
        });
    }
}
