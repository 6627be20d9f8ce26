//! How many lines commits changed.

use super::clone::History;
use anyhow::Result;
use std::collections::HashMap;

/// Commits that git is asked about at once.
const COMMITS_MAX: usize = 500;

impl History<'_> {
    /// The lines that commits of the tracked branch added and deleted, binary files aside; nothing where the clone lacks
    /// blobs.
    pub(crate) fn sizes(&self, commits: &[&str]) -> Result<HashMap<String, u64>> {
        let mut sizes = HashMap::new();
        if commits.is_empty() || !self.has_files()? {
            return Ok(sizes);
        }
        let args = [
            "log",
            "--no-walk=unsorted",
            "--diff-merges=first-parent",
            "--numstat",
            "-M",
            "-l1000",
            "--no-ext-diff",
            "--no-textconv",
            "--no-show-signature",
            "--no-color",
            "--format=%x01%H",
        ];
        for some in commits.chunks(COMMITS_MAX) {
            let mut log = self.git.lines(&[&args, some, &["--"]].concat())?;
            let mut sha = String::new();
            while let Some(line) = log.next()? {
                if let Some(next) = line.strip_prefix('\u{1}') {
                    next.clone_into(&mut sha);
                    sizes.insert(sha.clone(), 0);
                } else if let Some(lines) = sizes.get_mut(&sha) {
                    // of what is no text git counts nothing
                    *lines +=
                        line.split('\t').take(2).filter_map(|count| count.parse::<u64>().ok()).sum::<u64>();
                }
            }
        }
        Ok(sizes)
    }
}
