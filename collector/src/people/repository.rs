//! A repository as teams.toml lists it with a team: all of it, or the team's part.

use super::file::Day;
use super::shipping::Said;
use anyhow::{Result, bail};
use jiff::Timestamp;
use meter::delivery::{Ship, ShipRule};
use meter::{Repo, Text};
use serde::Deserialize;

/// Before a handle that stands among the paths of a team's part.
pub(crate) const CODE_OWNERS: &str = "CODEOWNERS ";

#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "expected \"host/owner/name\" or { repo = \"host/owner/name\", paths = [\"…\"], owners = [\"@…\"] }"
)]
pub(super) enum Repository {
    Whole(Repo),
    Part(RepositoryTable),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RepositoryTable {
    repo: Repo,
    #[serde(default)]
    paths: Vec<Text<255>>,
    #[serde(default)]
    owners: Vec<Text<255>>,
    ship: Option<Ship>,
    /// From when on it ships so; before, as the team's others do.
    ship_from: Option<Day>,
}

impl Repository {
    /// With the team's part, one a line: its paths, and the handles by which CODEOWNERS names the team.
    pub(super) fn part(&self) -> Result<(Repo, String)> {
        let RepositoryTable { repo, paths, owners, .. } = match self {
            Self::Whole(repo) => return Ok((repo.clone(), String::new())),
            Self::Part(table) => table,
        };
        if let Some(owner) = owners.iter().find(|owner| !owner.as_str().contains('@')) {
            bail!("owners of {repo}: {:?} is no handle like @acme/pay", owner.as_str());
        }
        let owners = owners.iter().map(|owner| format!("{CODE_OWNERS}{}", owner.as_str().to_lowercase()));
        let part: Vec<String> = paths.iter().map(Text::to_string).chain(owners).collect();
        Ok((repo.clone(), part.join("\n")))
    }

    /// What ships in it, where its team's others ship by `usual`.
    pub(super) fn ships(&self, usual: Option<Ship>) -> Said {
        match self {
            Self::Part(RepositoryTable { repo, ship: Some(ship), ship_from, .. }) => {
                let from = ship_from.map_or(Timestamp::UNIX_EPOCH, |day| day.0.start());
                let later = Some(ShipRule { from, ship: *ship });
                Said { repo: repo.clone(), at_first: usual.filter(|_| ship_from.is_some()), later }
            }
            Self::Part(RepositoryTable { repo, .. }) | Self::Whole(repo) => {
                Said { repo: repo.clone(), at_first: usual, later: None }
            }
        }
    }
}
