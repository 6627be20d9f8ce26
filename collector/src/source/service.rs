//! A service named in cpvo.toml: what is asked of it, where, and with which token.

use super::web;
use crate::config::Secret;
use anyhow::{Context, Result, ensure};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use meter::Repo;
use std::fs;
use std::path::{Path, PathBuf};

/// How far back the first sync reads.
const FIRST_SYNC: SignedDuration = SignedDuration::from_hours(365 * 24);

#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Service {
    pub repo: Repo,
    /// The address of its API, where it is not the usual one of the repository's host.
    pub url: Option<String>,
    /// The tracked branch; else the host's default one.
    pub branch: Option<String>,
    /// What was touched last before this day is not read; else a year before the first sync.
    pub since: Option<Date>,
    /// The variable that holds the token.
    token_env: Option<String>,
    /// The file that holds it, read anew at each sync.
    token_file: Option<PathBuf>,
    #[serde(skip)]
    token: Option<Secret>,
}

impl Service {
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
        match &mut self.token_file {
            Some(file) => {
                ensure!(self.token_env.is_none(), "either token_env or token_file, not both");
                *file = folder.join(&*file);
            }
            None => self.token = variable(self.token_env.get_or_insert_with(|| usual.to_owned())).map(Secret),
        }
        Ok(())
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
        let token = match (&self.token_file, &self.token_env) {
            (Some(file), _) => {
                let text = fs::read_to_string(file);
                Secret(text.with_context(|| format!("could not read the token in {}", file.display()))?)
            }
            (None, variable) => {
                let variable = variable.as_deref().unwrap_or_default();
                self.token.clone().with_context(|| format!("{variable} is not set; it holds the token"))?
            }
        };
        let text = token.0.trim();
        let visible = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
        ensure!(visible, "the token is empty or not one word");
        Ok(Secret(text.to_owned()))
    }
}
