//! What trackers tell of the tickets that changes name, key by key: a tracker is asked for those that may still count
//! against a change, and for what happened to those that it says were touched. Where tickets tell incidents, those are
//! read besides, whoever names them.

mod incidents;

use crate::import::{Imported, MATURE};
use crate::source::web::Pace;
use crate::source::{Found, Source, Ticket, Tracker};
use crate::store::change::source_list;
use crate::store::db::Db;
use crate::store::epic::{change_key_put, epic_put};
use crate::store::outcome::{change_commits, change_list};
use crate::store::service::{Progress, service_put};
use crate::store::tracker::{key_begin, key_miss, key_put, key_revisions, key_unread};
use crate::tickets::keys_of;
use anyhow::Result;
use indicatif::ProgressBar;
use jiff::Timestamp;
use meter::outcome::{moved, project_of};
use std::collections::{BTreeMap, BTreeSet};

/// Keys that are asked for, and stored, at a time.
const KEYS: usize = 100;

/// Reads the tickets of a tracker that changes name.
pub(crate) fn track(db: &mut Db, tracker: &impl Tracker, source: &Source, pace: Pace) -> Result<Imported> {
    let (name, kind) = (source.name(), source.kind());
    let began = (pace.now)();
    let revisions = key_revisions(db, name)?;
    let mut asked = revisions.keys().map(|key| project_of(key)).collect();
    let unread = key_unread(db, name)?;
    let known = revisions.keys().filter(|key| !unread.contains(*key)).map(String::as_str).collect();
    let wanted = wanted(db, source.projects(), &known, began)?;
    let bar = ProgressBar::new(wanted.len() as u64).with_message(name.to_owned()); // shows itself on a terminal only
    let mut imported = Imported::default();
    for keys in wanted.chunks(KEYS) {
        let found = tracker.find(keys)?;
        let touched = |(key, found): &(&String, &Found)| revisions.get(*key) != Some(&found.revision);
        let ids: BTreeSet<String> = found.iter().filter(touched).map(|(_, found)| found.id.clone()).collect();
        let mut moves = tracker.moves(&ids.into_iter().collect::<Vec<_>>())?;
        let mut events = BTreeMap::new();
        db.transaction(|db| {
            key_begin(db, &mut asked, keys)?;
            for key in keys {
                let Some(Found { id, revision, epic }) = found.get(key) else {
                    key_miss(db, name, key)?;
                    continue;
                };
                imported.tickets += 1;
                if revisions.get(key) == Some(revision) {
                    continue;
                }
                let known = events.entry(id).or_insert_with(|| moved(moves.remove(id).unwrap_or_default()));
                let ticket = Ticket { url: tracker.address(key), id: id.clone(), events: known.clone() };
                key_put(db, (name, kind), key, (&ticket, revision))?;
                epic_put(db, name, key, epic.as_deref())?;
            }
            Ok(())
        })?;
        bar.inc(keys.len() as u64);
    }
    let cursor = incidents::incidents(db, tracker, source, began)?;
    service_put(db, name, kind, &Progress { cursor, synced_at: Some(began) })?;
    bar.finish_and_clear();
    Ok(imported)
}

/// The keys to be asked for: of changes that may still fail, and those of which nothing is `known`. Notes which change names which.
fn wanted(db: &mut Db, projects: &[String], known: &BTreeSet<&str>, now: Timestamp) -> Result<Vec<String>> {
    let projects: BTreeSet<String> = projects.iter().cloned().collect();
    let since = now.saturating_sub(MATURE)?;
    let mut wanted = BTreeSet::new();
    for repo in source_list(db)? {
        let commits = change_commits(db, &repo)?;
        let mut named = BTreeSet::new();
        for one in change_list(db, &repo, now)? {
            let keys = keys_of(&one, &commits, &projects);
            named.extend(keys.iter().map(|key| (one.sha.clone(), key.clone())));
            wanted.extend(
                keys.into_iter().filter(|key| one.merged_at >= since || !known.contains(key.as_str())),
            );
        }
        db.transaction(|db| change_key_put(db, &repo, &projects, &named))?;
    }
    Ok(wanted.into_iter().collect())
}

#[cfg(test)]
mod tests;
