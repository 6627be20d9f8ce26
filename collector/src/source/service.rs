//! A service named in cpvo.toml: what is asked of it, where, and with which token.

use super::token::Token;
use super::{settle_branch, web};
use crate::config::Secret;
use anyhow::{Context, Result, ensure};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use meter::delivery::Ship;
use meter::{Repo, Text};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// How far back the first sync reads.
const FIRST_SYNC: SignedDuration = SignedDuration::from_hours(365 * 24);

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Service {
    pub repo: Repo,
    /// The address of its API, where it is not the usual one of the repository's host.
    pub url: Option<String>,
    /// The tracked branch; else the host's default one.
    pub branch: Option<String>,
    /// What was touched last before this day is not read; else a year before the first sync.
    pub since: Option<Date>,
    /// Whether its releases are read.
    #[serde(default)]
    pub releases: bool,
    /// Whose deployments are read: those that bring changes to users, such as `production`.
    #[serde(default)]
    pub environments: Vec<String>,
    /// The labels of issues that tell incidents; a star stands for any text.
    #[serde(default)]
    pub incidents: Vec<Text<64>>,
    #[serde(flatten)]
    token: Token,
}

/// What cpvo.toml asks for of that which brings changes to users.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Shipping {
    releases: bool,
    pub environments: Vec<String>,
}

impl Shipping {
    pub(super) fn ships(&self) -> impl Iterator<Item = Ship> + use<> {
        let releases = self.releases.then_some(Ship::Release);
        releases.into_iter().chain((!self.environments.is_empty()).then_some(Ship::Deployment))
    }
}

/// A reading of it that came to its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ShipmentPass {
    pub shipping: Shipping,
    pub read_at: Timestamp,
}

/// How far issues were read for incidents.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct IssuePass {
    pub labels: Vec<Text<64>>,
    /// What was touched before is known.
    pub since: Timestamp,
}

impl Service {
    pub(super) fn shipping(&self) -> Shipping {
        Shipping { releases: self.releases, environments: self.environments.clone() }
    }

    pub(super) fn settle(
        &mut self,
        folder: &Path,
        usual: &str,
        variable: &dyn Fn(&str) -> Option<String>,
    ) -> Result<()> {
        ensure!(self.host_and_path().is_some(), "repo must be host/owner/name");
        if let Some(url) = &self.url {
            web::address(url).with_context(|| format!("url {url:?}"))?;
        }
        settle_branch(self.branch.as_ref())?;
        self.token.settle(folder, usual, variable)
    }

    /// The address of its API, or the host that has the usual one.
    pub(super) fn address(&self) -> Option<&str> {
        self.url.as_deref().or_else(|| self.host_and_path().map(|(host, _)| host))
    }

    /// The host, and what the host calls the repository.
    pub(super) fn host_and_path(&self) -> Option<(&str, &str)> {
        self.repo.as_str().split_once('/').filter(|(host, _)| *host != "local")
    }

    /// What was touched last before is not read.
    pub(super) fn start(&self, now: Timestamp) -> Result<Timestamp> {
        match self.since {
            Some(day) => Ok(day.to_zoned(TimeZone::UTC)?.timestamp()),
            None => Ok(now.saturating_sub(FIRST_SYNC)?),
        }
    }

    pub(super) fn token(&self) -> Result<Secret> {
        self.token.read()
    }
}
