//! A tracker: a service that keeps tickets, which changes name by their keys.

use anyhow::{Result, bail, ensure};
use jiff::Timestamp;
use meter::outcome::Move;
use meter::{Repo, Text};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A ticket as far as it says whether it was touched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    /// What the tracker calls it, whatever its key becomes.
    pub id: String,
    /// When it was touched last.
    pub revision: String,
    /// What larger one it is a part of: an epic or a project, by what its tracker calls it.
    pub epic: Option<String>,
}

/// Which tickets tell incidents, as cpvo.toml says it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Incidents {
    /// Their labels or types; a star stands for any text.
    #[serde(default)]
    pub incidents: Vec<Text<64>>,
    /// Where those of a project happen.
    #[serde(default)]
    pub repos: BTreeMap<String, Repo>,
}

/// A ticket as far as it may tell an incident.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reported {
    pub key: String,
    /// Its type, too, where it has one.
    pub labels: Vec<String>,
    pub opened_at: Timestamp,
    /// `None` while it lasts.
    pub resolved_at: Option<Timestamp>,
    /// It was told before, or is none.
    pub is_dropped: bool,
    /// Its title and what it says.
    pub text: String,
}

/// Takes in a page of them; what was touched before that time is known with it.
pub(crate) type Report<'a> = &'a mut dyn FnMut(Vec<Reported>, Timestamp) -> Result<()>;

pub(crate) trait Tracker {
    /// The tickets of these keys; those that do not exist or may not be seen are missing.
    fn find(&self, keys: &[String]) -> Result<BTreeMap<String, Found>>;
    /// How each of these tickets was moved, in order of time.
    fn moves(&self, ids: &[String]) -> Result<BTreeMap<String, Vec<Move>>>;
    /// All tickets of the projects of `asked` that were touched since then.
    fn reported(&self, asked: &Incidents, since: Timestamp, report: Report) -> Result<()>;
    /// The page of a ticket.
    fn address(&self, key: &str) -> String;
}

/// Checks the keys of projects in `field`, and writes them as tickets do.
pub(super) fn settle_projects(field: &str, projects: &mut Vec<String>) -> Result<()> {
    ensure!(!projects.is_empty(), "{field} must name at least one, such as PAY of PAY-42");
    for project in projects.iter_mut() {
        *project = project.to_uppercase();
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        let is_key = project.starts_with(|c: char| c.is_ascii_uppercase()) && project.bytes().all(plain);
        ensure!(is_key, "{field}: {project:?} is none, such as PAY of PAY-42");
    }
    projects.sort();
    projects.dedup();
    Ok(())
}

impl Incidents {
    pub(crate) fn is_empty(&self) -> bool {
        self.incidents.is_empty()
    }

    pub(super) fn projects(&self) -> Vec<&str> {
        self.repos.keys().map(String::as_str).collect()
    }

    /// Checks it against the `projects` that `field` names, and writes keys as tickets do.
    pub(super) fn settle(&mut self, field: &str, projects: &[String]) -> Result<()> {
        let repos = std::mem::take(&mut self.repos);
        self.repos = repos.into_iter().map(|(project, repo)| (project.to_uppercase(), repo)).collect();
        if let Some(project) = self.repos.keys().find(|project| !projects.contains(project)) {
            bail!("repos: {project} is none of its {field}");
        }
        ensure!(!self.repos.values().any(Repo::is_none), "repos: each must be host/owner/name");
        ensure!(
            self.is_empty() == self.repos.is_empty(),
            "incidents need repos, and repos incidents: where those of a project happen, such as \
             repos = {{ PAY = \"github.com/acme/pay\" }}"
        );
        Ok(())
    }
}
