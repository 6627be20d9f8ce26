//! What trackers tell of incidents, where cpvo.toml says which tickets are some and where those happened.

use crate::source::tracker::Reported;
use crate::source::{Incident, Incidents, Issue, OVERLAP, Source, Tracker};
use crate::store::db::Db;
use crate::store::incident::{incident_clear, issue_put};
use crate::store::service::{Progress, service_progress, service_put};
use anyhow::Result;
use jiff::{SignedDuration, Timestamp};
use meter::delivery::is_labelled;
use meter::outcome::{blamed, project_of};
use serde::{Deserialize, Serialize};

/// How far back is read at first.
const FIRST: SignedDuration = SignedDuration::from_hours(365 * 24);

/// How far a tracker was read for incidents.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Pass {
    asked: Incidents,
    /// What was touched before is known.
    since: Timestamp,
}

/// Reads what was touched since the last time, or all where cpvo.toml says otherwise by now. Returns the cursor behind it.
pub(super) fn incidents(
    db: &mut Db,
    tracker: &impl Tracker,
    source: &Source,
    began: Timestamp,
) -> Result<String> {
    let Some(asked) = source.incidents() else { return Ok(String::new()) };
    let (name, kind) = (source.name(), source.kind());
    let (cursor, synced_at) = match service_progress(db, name, kind)? {
        Some(Progress { cursor, synced_at }) => (cursor, synced_at),
        None => (String::new(), None),
    };
    let known: Option<Pass> = serde_json::from_str(&cursor).ok().filter(|pass: &Pass| pass.asked == *asked);
    if known.is_none() {
        // how far it was read may be forgotten, and what was told then not
        db.transaction(|db| incident_clear(db, kind, &tracker.address("")))?;
    }
    if asked.is_empty() {
        return Ok(String::new());
    }
    let since = known.map_or_else(|| began.saturating_sub(FIRST), |pass| Ok(pass.since))?;
    let mut pass = Pass { asked: asked.clone(), since };
    tracker.reported(asked, pass.since.saturating_sub(OVERLAP)?, &mut |page, known| {
        pass.since = known;
        db.transaction(|db| {
            page.iter().try_for_each(|one| put(db, tracker, (kind, asked), one))?;
            service_put(db, name, kind, &Progress { cursor: serde_json::to_string(&pass)?, synced_at })
        })
    })?;
    pass.since = began;
    Ok(serde_json::to_string(&pass)?)
}

/// Stores that a ticket tells an incident, or that it tells none.
fn put(db: &mut Db, tracker: &impl Tracker, (kind, asked): (&str, &Incidents), one: &Reported) -> Result<()> {
    let Some(repo) = asked.repos.get(project_of(&one.key)) else { return Ok(()) };
    let is_one = !one.is_dropped && is_labelled(&asked.incidents, &one.labels);
    let incident = is_one.then(|| Incident {
        opened_at: one.opened_at,
        resolved_at: one.resolved_at,
        cause: blamed(&one.text, repo),
    });
    issue_put(db, (repo, kind), &Issue { url: tracker.address(&one.key), incident })
}
