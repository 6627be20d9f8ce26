//! What brings the changes of each repository to users, told from what its teams say.

use jiff::Timestamp;
use meter::Repo;
use meter::delivery::{Ship, ShipRule};
use std::collections::BTreeMap;

/// What a team says of a repository: what ships there at first, and what from a day on.
pub(super) struct Said {
    pub repo: Repo,
    pub at_first: Option<Ship>,
    pub later: Option<ShipRule>,
}

/// The rules of each repository that ships by anything else than merges; the one where two teams say otherwise.
pub(super) fn rules(said: &[Said]) -> Result<BTreeMap<Repo, Vec<ShipRule>>, Repo> {
    let mut repos: BTreeMap<Repo, BTreeMap<Timestamp, Ship>> = BTreeMap::new();
    for Said { repo, at_first, later } in said {
        let at_first = at_first.map(|ship| ShipRule { from: Timestamp::UNIX_EPOCH, ship });
        let rules = repos.entry(repo.clone()).or_default();
        for ShipRule { from, ship } in at_first.iter().chain(later) {
            if rules.insert(*from, *ship).is_some_and(|other| other != *ship) {
                return Err(repo.clone());
            }
        }
    }
    let list = |rules: BTreeMap<Timestamp, Ship>| -> Vec<ShipRule> {
        rules.into_iter().map(|(from, ship)| ShipRule { from, ship }).collect()
    };
    let mut repos: BTreeMap<Repo, Vec<ShipRule>> =
        repos.into_iter().map(|(repo, rules)| (repo, list(rules))).collect();
    repos.retain(|_, rules| rules.iter().any(|rule| rule.ship != Ship::Merge));
    Ok(repos)
}
