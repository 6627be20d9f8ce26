//! What broke for users: an incident as it is told, and how long those of a team lasted.

use super::Took;
use crate::text::{Sha, Text};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

/// How far the clock of who tells may be ahead.
const AHEAD_MAX: SignedDuration = SignedDuration::from_mins(10);

/// An incident as `POST /v1/incidents` takes it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Incident {
    /// What it is called where it was noticed.
    pub id: Text<128>,
    pub opened: Timestamp,
    /// `None` while it lasts.
    pub resolved: Option<Timestamp>,
    /// The commit that caused it.
    pub sha: Option<Sha>,
}

impl Incident {
    /// Reads an incident that is told at `now`. The fault names the field.
    pub fn parse(json: &[u8], now: Timestamp) -> Result<Self, String> {
        let mut from = serde_json::Deserializer::from_slice(json);
        let told: Self = serde_path_to_error::deserialize(&mut from).map_err(|error| {
            let (path, reason) = (error.path().to_string(), error.inner());
            if path == "." { reason.to_string() } else { format!("{path}: {reason}") }
        })?;
        from.end().map_err(|error| error.to_string())?;
        let Self { id, opened, resolved, .. } = &told;
        let is_ahead = |at: Timestamp| at.duration_since(now) > AHEAD_MAX;
        if id.as_str().trim().is_empty() {
            return Err("id: must not be empty".to_owned());
        }
        if is_ahead(*opened) {
            return Err("opened: lies in the future".to_owned());
        }
        if resolved.is_some_and(is_ahead) {
            return Err("resolved: lies in the future".to_owned());
        }
        if resolved.is_some_and(|resolved| resolved < *opened) {
            return Err("resolved: lies before opened".to_owned());
        }
        Ok(told)
    }
}

/// How long something was broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outage {
    pub opened_at: Timestamp,
    /// `None` while it lasts.
    pub resolved_at: Option<Timestamp>,
}

/// The incidents of a team.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outages {
    pub opened: usize,
    /// Of those the ones that last.
    pub open: usize,
    /// From the opening to the end.
    pub lasted: Option<Took>,
}

impl Outages {
    pub fn of(all: &[Outage]) -> Self {
        let lasted = all.iter().filter_map(|one| Some(one.resolved_at?.duration_since(one.opened_at)));
        let lasted = Took::of(lasted);
        Self { opened: all.len(), open: all.len() - lasted.map_or(0, |lasted| lasted.changes), lasted }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(json: &str, fault: &str) {
        let now = "2026-11-25T12:00:00Z".parse().unwrap();
        let told = Incident::parse(json.as_bytes(), now).err().unwrap_or_default();
        assert!(if fault.is_empty() { told.is_empty() } else { told.starts_with(fault) }, "{json}: {told}");
    }

    #[test]
    fn a_fault_names_its_field() {
        let with = |more: &str| format!(r#"{{"id":"INC-1","opened":"2026-11-25T11:00:00Z"{more}}}"#);
        check(&with(""), "");
        check(&with(r#","resolved":null,"sha":null"#), "");
        check(&with(r#","resolved":"2026-11-25T13:05:00+01:00""#), "");
        check(&with(&format!(r#","sha":"{}""#, "a".repeat(40))), "");
        check(&with(r#","resolved":"2026-11-25T10:59:59Z""#), "resolved: lies before opened");
        check(&with(r#","resolved":"2026-11-25T12:10:01Z""#), "resolved: lies in the future");
        check(&with(r#","resolved":"now""#), "resolved: ");
        check(&with(r#","resolved":5"#), "resolved: ");
        check(&with(r#","sha":"1a2b3c4""#), "sha: must be a full commit id");
        check(&with(r#","cause":"x""#), "cause: unknown field");
        check(&with("} {"), "trailing characters");
        check(r#"{"id":" ","opened":"2026-11-25T11:00:00Z"}"#, "id: must not be empty");
        check(r#"{"id":"a\nb","opened":"2026-11-25T11:00:00Z"}"#, "id: has the control character");
        check(
            &format!(r#"{{"id":"{}","opened":"2026-11-25T11:00:00Z"}}"#, "x".repeat(129)),
            "id: has 129 bytes",
        );
        check(r#"{"id":"a","opened":"2026-11-25T12:10:01Z"}"#, "opened: lies in the future");
        check(r#"{"id":"a"}"#, "missing field `opened`");
        check("[]", "invalid ");
        check("", "EOF");
    }

    #[test]
    fn what_lasts_has_no_length_yet() {
        let hours = |from: i64, until: Option<i64>| {
            let at = |hour| Timestamp::UNIX_EPOCH + SignedDuration::from_hours(hour);
            Outage { opened_at: at(from), resolved_at: until.map(at) }
        };
        let told = Outages::of(&[hours(0, Some(1)), hours(5, None), hours(3, Some(9)), hours(3, Some(5))]);
        assert_eq!((told.opened, told.open), (4, 1));
        let lasted = told.lasted.unwrap();
        assert_eq!((lasted.changes, lasted.median.as_hours(), lasted.p75.as_hours()), (3, 2, 6));
        assert_eq!(Outages::of(&[]), Outages { opened: 0, open: 0, lasted: None });
    }
}
