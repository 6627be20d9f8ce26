//! Which lines of the changes are left, counted by the state of the branch when their windows have passed. That takes its
//! time: what a turn does not get to is left to the next one.

use crate::source::clone::{self, LocalClone};
use crate::source::web::Pace;
use crate::store::change::source_cursor;
use crate::store::db::Db;
use crate::store::survival::{commit_list, passed_list, survival_prune, survival_put};
use anyhow::Result;
use jiff::SignedDuration;
use serde::Serialize;
use std::time::Duration;

/// A turn takes no longer, also where nobody waits for the next source.
const TIME_MAX: SignedDuration = SignedDuration::from_mins(10);

/// How many changes had their lines counted.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Counted {
    #[serde(rename = "lines_counted")]
    pub changes: u64,
    #[serde(rename = "lines_to_be_counted")]
    pub left: u64,
}

/// Counts the lines of changes whose windows have passed, the newest first.
pub(super) fn count(db: &mut Db, source: &LocalClone, pace: Pace) -> Result<Counted> {
    let Some((_, _, known)) = source_cursor(db, &source.repo)? else { return Ok(Counted::default()) };
    let until = pace.until.map_or_else(|| (pace.now)().checked_add(TIME_MAX), Ok)?;
    let history = clone::open(source, None, Pace { until: None, ..pace })?;
    let (branch, blame) = (history.branch_with_files()?, history.blame()?);
    survival_prune(db, &source.repo)?;
    let passed = passed_list(db, &source.repo, known)?;
    let mut counted = Counted::default();
    let progress = super::progress(source, "changes with their lines", passed.len() as u64);
    for change in passed {
        progress.inc(1);
        let commits = commit_list(db, &source.repo, &change.sha)?;
        let Some(sight) = branch.sight(&commits, change.due) else { continue };
        if change.counted_at.as_deref() == Some(sight.at) {
            continue;
        }
        if (pace.now)() >= until {
            counted.left += 1;
            continue;
        }
        (pace.wait)(Duration::ZERO)?; // it may be about to stop
        let lines = blame.lines(&sight, &commits)?;
        db.transaction(|db| survival_put(db, &source.repo, &change, (sight.at, lines), (pace.now)()))?;
        counted.changes += 1;
    }
    progress.finish_and_clear();
    Ok(counted)
}
