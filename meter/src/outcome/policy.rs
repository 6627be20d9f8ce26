//! What the changes of a team are judged by.

use crate::vocabulary::words;
use jiff::{SignedDuration, Timestamp};
use std::fmt;

words! {
    /// What counts against a change besides a revert that names it: `targeted` a confirmed hotfix, `literal` also a
    /// suspected one and any revert that touches its files.
    Strictness { Targeted = "targeted", Literal = "literal" }
}

/// How long a change must survive, and what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    pub window_days: u32,
    pub hotfix_hours: u32,
    pub strictness: Strictness,
}

impl Default for Policy {
    fn default() -> Self {
        Self { window_days: 14, hotfix_hours: 72, strictness: Strictness::Targeted }
    }
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { window_days, hotfix_hours, strictness } = self;
        write!(f, "{window_days} days, hotfixes within {hotfix_hours} hours, {}", strictness.as_str())
    }
}

impl Policy {
    /// When a revert no longer counts.
    pub fn window_ends(self, shipped_at: Timestamp) -> Timestamp {
        later(shipped_at, i64::from(self.window_days) * 24)
    }

    /// When a hotfix no longer counts.
    pub fn haste_ends(self, merged_at: Timestamp) -> Timestamp {
        later(merged_at, self.hotfix_hours.into())
    }

    /// When nothing more can disqualify.
    pub fn decided_at(self, shipped_at: Timestamp) -> Timestamp {
        later(shipped_at, self.hours())
    }

    /// What shipped by then is decided at `at`.
    pub fn decided_by(self, at: Timestamp) -> Timestamp {
        later(at, -self.hours())
    }

    fn hours(self) -> i64 {
        (i64::from(self.window_days) * 24).max(self.hotfix_hours.into())
    }
}

fn later(at: Timestamp, hours: i64) -> Timestamp {
    at.saturating_add(SignedDuration::from_hours(hours)).unwrap_or(Timestamp::MAX)
}
