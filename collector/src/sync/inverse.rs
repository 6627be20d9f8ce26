//! Which changes turn an earlier one exactly round, whatever they say of it.

use crate::history::is_bot;
use crate::source::Landed;
use crate::source::clone::History;
use crate::store::db::Db;
use crate::store::outcome::{change_files, change_list};
use anyhow::Result;
use jiff::{SignedDuration, Timestamp};
use meter::Repo;
use meter::outcome::is_common;
use std::collections::HashMap;

/// No window is longer.
const REACH: SignedDuration = SignedDuration::from_hours(90 * 24);
/// Changes to the same files that one is held against: a file that every commit touches has thousands.
const EARLIER_MAX: usize = 100;

/// What landed lately, by the files it touched: a patch is looked at only where another touched the same ones.
#[derive(Default)]
pub(super) struct Lately(HashMap<Vec<String>, Vec<(String, Timestamp)>>);

impl Lately {
    /// What was stored before `now`.
    pub(super) fn stored(db: &mut Db, repo: &Repo, now: Timestamp) -> Result<Self> {
        let mut lately = Self::default();
        let mut files = change_files(db, repo)?;
        for change in change_list(db, repo, now)? {
            let mut files = files.remove(&change.sha).unwrap_or_default();
            files.sort_unstable();
            if !files.is_empty() && !is_bot(&change.author) {
                lately.0.entry(files).or_default().push((change.sha, change.merged_at));
            }
        }
        Ok(lately)
    }

    /// Takes in what landed next; returns each change that turns an earlier one round behind that one, the newest.
    pub(super) fn turned(&mut self, history: &History, page: &[Landed]) -> Result<Vec<(String, String)>> {
        let mut pairs: Vec<(&str, Vec<String>)> = Vec::new();
        // a lock file that is as it was before says nothing
        let says = |landed: &&Landed| landed.files.iter().any(|file| !is_common(file));
        for Landed { commit, files, .. } in page.iter().filter(says) {
            if is_bot(&commit.author) {
                continue;
            }
            let mut files = files.clone();
            files.sort_unstable();
            let earlier = self.0.entry(files).or_default();
            earlier.retain(|(_, at)| commit.committed_at.duration_since(*at) < REACH);
            if !earlier.is_empty() {
                let newest = earlier.iter().rev().take(EARLIER_MAX);
                pairs.push((&commit.sha, newest.map(|(sha, _)| sha.clone()).collect()));
            }
            earlier.push((commit.sha.clone(), commit.committed_at));
        }
        let mut earlier: Vec<&str> = pairs.iter().flat_map(|(_, shas)| shas).map(String::as_str).collect();
        earlier.sort_unstable();
        earlier.dedup();
        let by: Vec<&str> = pairs.iter().map(|(by, _)| *by).collect();
        let (forth, back) = (history.patches(&by, false)?, history.patches(&earlier, true)?);
        let of = |(by, earlier): &(&str, Vec<String>)| {
            let patch = forth.get(*by)?;
            let of = earlier.iter().find(|sha| back.get(*sha) == Some(patch))?;
            Some((of.clone(), (*by).to_owned()))
        };
        Ok(pairs.iter().filter_map(of).collect())
    }
}
