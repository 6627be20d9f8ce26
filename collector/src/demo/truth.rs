//! What the invented company's weeks must show, counted from the story alone: nothing here knows how cpvo counts.

use super::cast::{CONTRACTOR, TEAMS};
use super::story::Story;
use jiff::SignedDuration;
use meter::Week;
use serde::Serialize;
use std::collections::BTreeMap;

/// By team, then by week.
pub(super) type Truth = BTreeMap<&'static str, BTreeMap<String, Counts>>;

#[derive(Debug, Default, Serialize)]
pub(super) struct Counts {
    pub verified: u64,
    pub disqualified: u64,
    pub pending: u64,
    pub sessions: u64,
    pub models: BTreeMap<&'static str, Tokens>,
}

#[derive(Debug, Default, Serialize)]
pub(super) struct Tokens {
    pub requests: u64,
    pub input: u64,
    pub output: u64,
    pub cache_read: u64,
    pub cache_write: u64,
}

pub(super) fn truth(story: &Story) -> Truth {
    let mut truth = Truth::new();
    for request in story.requests.iter().filter(|one| one.is_attempt()) {
        let Some(merged_at) = request.merged_at else { continue };
        let team = &TEAMS[request.team];
        let counts = truth.entry(team.id).or_default().entry(Week::of(merged_at).to_string()).or_default();
        if request.lost_at.is_some() {
            counts.disqualified += 1;
        } else if merged_at + SignedDuration::from_hours(24 * i64::from(team.window_days())) <= story.now {
            counts.verified += 1;
        } else {
            counts.pending += 1;
        }
    }
    for session in &story.sessions {
        let is_of = |team: &&super::cast::Team| team.members.contains(&session.person.as_str());
        let team = TEAMS.iter().find(is_of).map_or("unassigned", |team| team.id);
        debug_assert!(
            team != "unassigned" || session.person == CONTRACTOR,
            "{} is in a team",
            session.person
        );
        let counts = truth.entry(team).or_default().entry(Week::of(session.start).to_string()).or_default();
        counts.sessions += 1;
        for row in &session.rows {
            let tokens = counts.models.entry(row.model).or_default();
            tokens.requests += row.requests;
            tokens.input += row.input;
            tokens.output += row.output;
            tokens.cache_read += row.cache_read;
            tokens.cache_write += row.cache_write;
        }
    }
    truth
}
