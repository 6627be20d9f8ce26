//! Where tags meet the tracked branch: one walk over what they hold, however many they are.

use super::clone::History;
use anyhow::Result;
use std::collections::HashMap;

/// The tracked branch without what merges brought, and how much of it lies in each commit that a tag holds.
#[derive(Default)]
pub(crate) struct Bases {
    /// Newest first.
    line: Vec<String>,
    /// The place in that line of the newest commit that lies in this one; nothing where none does.
    places: HashMap<String, usize>,
}

impl Bases {
    /// The newest commit of the line that lies in this one: never two, however often their branches were merged, for
    /// each of the line holds all before it.
    pub(crate) fn of(&self, sha: &str) -> Option<&str> {
        self.places.get(sha).map(|place| self.line[*place].as_str())
    }
}

impl History<'_> {
    /// For these commits, whatever else is tagged.
    pub(crate) fn bases<'s>(&self, mut tagged: impl Iterator<Item = &'s str>) -> Result<Bases> {
        let line = self.git.ask(&["rev-list", "--first-parent", &self.tip])?;
        let line: Vec<String> = line.lines().map(str::to_owned).collect();
        let mut places: HashMap<String, usize> = line.iter().cloned().zip(0..).collect();
        if tagged.all(|sha| places.contains_key(sha)) {
            return Ok(Bases { line, places });
        }
        // all of it: what a merge brought may be tagged as well, and --exclude-first-parent-only leaves that out where
        // the other parent was seen before
        let walk = ["rev-list", "--topo-order", "--reverse", "--parents", "--tags"];
        let mut commits = self.git.lines(&walk)?;
        while let Some(commit) = commits.next()? {
            let mut shas = commit.split(' ');
            let sha = shas.next().unwrap_or_default();
            // parents come before their children
            if let Some(newest) = shas.filter_map(|parent| places.get(parent).copied()).min() {
                places.entry(sha.to_owned()).or_insert(newest);
            }
        }
        Ok(Bases { line, places })
    }
}
