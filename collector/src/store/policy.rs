//! What a team's changes are judged by: seeded by teams.toml, then frozen.

use super::db::{Db, values};
use crate::people::UNASSIGNED;
use anyhow::Result;
use jiff::Timestamp;
use meter::outcome::Policy;
use std::collections::BTreeMap;

/// A policy and its id.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Held {
    pub id: i64,
    pub policy: Policy,
}

/// The first policy of a team; one that it has already stays.
pub(crate) fn policy_seed(db: &mut Db, team: &str, policy: Policy, now: Timestamp) -> Result<()> {
    if !db.query("SELECT policy_id FROM policy WHERE team = $1", &values![team])?.is_empty() {
        return Ok(());
    }
    db.execute(
        "INSERT INTO policy (policy_id, team, window_days, hotfix_hours, reason, recorded_at)
         SELECT COALESCE(MAX(policy_id), 0) + 1, $1, $2, $3, 'as teams.toml first said', $4 FROM policy",
        &values![team, policy.window_days, policy.hotfix_hours, now.to_string()],
    )?;
    Ok(())
}

/// Every policy of each team, the one that holds last.
pub(crate) struct Policies(BTreeMap<String, Vec<Held>>);

pub(crate) fn policy_list(db: &mut Db) -> Result<Policies> {
    let sql = "SELECT team, policy_id, window_days, hotfix_hours FROM policy ORDER BY policy_id";
    let mut teams: BTreeMap<String, Vec<Held>> = BTreeMap::new();
    for row in db.query(sql, &[])? {
        let policy = Policy { window_days: row.get(2)?, hotfix_hours: row.get(3)? };
        teams.entry(row.get(0)?).or_default().push(Held { id: row.get(1)?, policy });
    }
    Ok(Policies(teams))
}

impl Policies {
    /// Those of the team; one without gets that of changes no team owns.
    pub(crate) fn all(&self, team: &str) -> &[Held] {
        self.0.get(team).or_else(|| self.0.get(UNASSIGNED)).map_or(&[], Vec::as_slice)
    }

    /// The one that holds.
    pub(crate) fn of(&self, team: &str) -> Held {
        self.all(team).last().copied().unwrap_or_default()
    }
}
