//! What a team's changes are judged by: seeded by teams.toml, then frozen.

use super::audit::{Event, audit_add};
use super::db::{Db, Row, values};
use super::news::news;
use super::shipping::UNSHIPPED;
use crate::people::UNASSIGNED;
use crate::people::file::{Team, Teams};
use anyhow::{Context, Result};
use jiff::{SignedDuration, Timestamp};
use meter::outcome::{Lags, Policy, Strictness};
use std::collections::BTreeMap;

/// A policy and its id.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Held {
    pub id: i64,
    pub policy: Policy,
}

/// The first policy of a team; one that it has already stays.
pub(crate) fn policy_seed(db: &mut Db, team: &str, policy: Policy, now: Timestamp) -> Result<()> {
    if db.query("SELECT policy_id FROM policy WHERE team = $1", &values![team])?.is_empty() {
        policy_add(db, team, policy, "as teams.toml first said", now)?;
    }
    Ok(())
}

/// A new policy of a team, by which its past is judged too; returns its id.
pub(crate) fn policy_set(
    db: &mut Db,
    team: &str,
    policy: Policy,
    reason: &str,
    now: Timestamp,
) -> Result<i64> {
    let id = policy_add(db, team, policy, reason, now)?;
    let detail = format!("policy {id}, {policy}: {reason}");
    audit_add(db, now, &Event { actor: "cpvo window set", action: "policy_set", subject: team, detail })?;
    Ok(id)
}

fn policy_add(db: &mut Db, team: &str, policy: Policy, reason: &str, now: Timestamp) -> Result<i64> {
    let Policy { window_days, hotfix_hours, strictness } = policy;
    let row = values![team, window_days, hotfix_hours, strictness.as_str(), reason, now.to_string()];
    db.execute(
        "INSERT INTO policy (policy_id, team, window_days, hotfix_hours, strictness, reason, recorded_at)
         SELECT COALESCE(MAX(policy_id), 0) + 1, $1, $2, $3, $4, $5, $6 FROM policy",
        &row,
    )?;
    news(db)?;
    db.query_one("SELECT MAX(policy_id) FROM policy", &[])?.get(0)
}

/// The strictness in a column.
pub(crate) fn strictness(row: &Row, column: usize) -> Result<Strictness> {
    let word: String = row.get(column)?;
    Strictness::from_word(&word).with_context(|| format!("no strictness {word:?} is known"))
}

/// Says of each team whose policy is another than teams.toml asks for by now, what is to be done about it.
pub(crate) fn policy_complaints(db: &mut Db, teams: &Teams) -> Result<Vec<String>> {
    let policies = policy_list(db)?;
    let complaint = |team: &Team| {
        let held = policies.of(&team.id).policy;
        let asked = team.terms.over(held);
        (asked != held).then(|| {
            let days = asked.window_days;
            let (id, strictness) = (&team.id, asked.strictness.as_str());
            format!(
                "teams.toml asks for another policy of {id} ({asked}) than holds ({held}); that takes effect by: \
                 cpvo window set {id} {days} --hotfix-hours {} --strictness {strictness} --reason …",
                asked.hotfix_hours
            )
        })
    };
    Ok(teams.list.iter().filter_map(complaint).collect())
}

/// A policy that took the place of another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PolicyChange {
    /// The team's name, or its id where teams.toml no longer has it.
    pub name: String,
    pub at: Timestamp,
    pub policy: Policy,
    pub reason: String,
}

/// Those of one team or of all since then, the earliest first.
pub(crate) fn policy_changes(db: &mut Db, team: Option<&str>, since: Timestamp) -> Result<Vec<PolicyChange>> {
    let rows = db.query(
        "SELECT COALESCE(t.name, p.team), p.recorded_at, p.window_days, p.hotfix_hours, p.strictness, p.reason
         FROM policy AS p LEFT JOIN team AS t ON t.team = p.team
         WHERE EXISTS (SELECT 1 FROM policy AS q WHERE q.team = p.team AND q.policy_id < p.policy_id)
             AND p.team = COALESCE($1, p.team)
         ORDER BY p.policy_id",
        &values![team],
    )?;
    let change = |row: &Row| {
        let policy =
            Policy { window_days: row.get(2)?, hotfix_hours: row.get(3)?, strictness: strictness(row, 4)? };
        Ok(PolicyChange { name: row.get(0)?, at: row.parse(1)?, policy, reason: row.get(5)? })
    };
    let changes: Vec<PolicyChange> = rows.iter().map(change).collect::<Result<_>>()?;
    Ok(changes.into_iter().filter(|change| change.at >= since).collect())
}

/// How long after shipping the changes of a team were first taken back.
pub(crate) fn policy_lags(db: &mut Db, team: &str) -> Result<Lags> {
    let rows = db.query(
        "SELECT c.shipped_at, MIN(r.reverted_at) FROM revert AS r
         JOIN change AS c ON c.repo = r.repo AND c.sha = r.sha
         WHERE c.team = $1 AND r.kind = 'revert' AND c.state <> 'excluded' AND c.shipped_at <> $2
         GROUP BY c.repo, c.sha, c.shipped_at",
        &values![team, UNSHIPPED.to_string()],
    )?;
    let lag = |row: &Row| {
        let (shipped_at, reverted_at): (Timestamp, Timestamp) = (row.parse(0)?, row.parse(1)?);
        Ok(reverted_at.duration_since(shipped_at))
    };
    let lags: Vec<SignedDuration> = rows.iter().map(lag).collect::<Result<_>>()?;
    // one that was taken back before it shipped was out for no time
    Ok(Lags::new(lags.into_iter().filter(|lag| !lag.is_negative()).collect()))
}

/// Every policy of each team, the one that holds last.
pub(crate) struct Policies(BTreeMap<String, Vec<Held>>);

pub(crate) fn policy_list(db: &mut Db) -> Result<Policies> {
    let sql = "SELECT team, policy_id, window_days, hotfix_hours, strictness FROM policy ORDER BY policy_id";
    let mut teams: BTreeMap<String, Vec<Held>> = BTreeMap::new();
    for row in db.query(sql, &[])? {
        let policy =
            Policy { window_days: row.get(2)?, hotfix_hours: row.get(3)?, strictness: strictness(&row, 4)? };
        teams.entry(row.get(0)?).or_default().push(Held { id: row.get(1)?, policy });
    }
    Ok(Policies(teams))
}

impl Policies {
    /// Those of the team; one without gets that of changes no team owns.
    pub(crate) fn all(&self, team: &str) -> &[Held] {
        self.0.get(team).or_else(|| self.0.get(UNASSIGNED)).map_or(&[], Vec::as_slice)
    }

    /// The widest of all: none looks further back.
    pub(crate) fn reach(&self) -> Policy {
        self.0.values().flatten().fold(Policy::default(), |reach, held| Policy {
            window_days: reach.window_days.max(held.policy.window_days),
            hotfix_hours: reach.hotfix_hours.max(held.policy.hotfix_hours),
            ..reach
        })
    }

    /// The one that holds.
    pub(crate) fn of(&self, team: &str) -> Held {
        self.all(team).last().copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::fixture::{now, on_both};

    #[test]
    fn another_policy_is_told_with_its_reason_and_the_first_is_not() {
        on_both(|db| {
            let at = |day: i64| now() + SignedDuration::from_hours(24 * day);
            let days = |window_days| Policy { window_days, ..Policy::default() };
            for (team, day) in [("pay", 0), ("web", 1)] {
                policy_seed(db, team, days(14), at(day)).unwrap();
            }
            policy_set(db, "pay", days(21), "late reverts", at(2)).unwrap();
            policy_set(db, "web", days(7), "weekly releases", at(3)).unwrap();
            let mut told = |team, since| -> Vec<String> {
                let changes = policy_changes(db, team, since).unwrap();
                changes
                    .iter()
                    .map(|one| format!("{} {} {}", one.name, one.policy.window_days, one.reason))
                    .collect()
            };
            assert_eq!(told(None, at(0)), ["pay 21 late reverts", "web 7 weekly releases"]);
            assert_eq!(told(Some("web"), at(0)), ["web 7 weekly releases"]);
            assert_eq!(told(None, at(3)), ["web 7 weekly releases"]);
            assert_eq!(told(Some("pay"), at(3)), Vec::<String>::new());
        });
    }

    #[test]
    fn the_reach_is_the_widest_of_all() {
        let held = |window_days, hotfix_hours| Held {
            id: 1,
            policy: Policy { window_days, hotfix_hours, ..Policy::default() },
        };
        let policies = Policies(BTreeMap::from([
            ("pay".to_owned(), vec![held(30, 24), held(7, 24)]),
            ("web".to_owned(), vec![held(7, 200)]),
        ]));
        assert_eq!(policies.reach(), held(30, 200).policy);
        let few = Policies(BTreeMap::from([("pay".to_owned(), vec![held(7, 24)])]));
        assert_eq!(few.reach(), Policy::default());
    }
}
