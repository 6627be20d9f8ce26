//! A tracker: a service that keeps tickets, which changes name by their keys.

use anyhow::{Result, ensure};
use meter::outcome::Move;
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

pub(crate) trait Tracker {
    /// The tickets of these keys; those that do not exist or may not be seen are missing.
    fn find(&self, keys: &[String]) -> Result<BTreeMap<String, Found>>;
    /// How each of these tickets was moved, in order of time.
    fn moves(&self, ids: &[String]) -> Result<BTreeMap<String, Vec<Move>>>;
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
