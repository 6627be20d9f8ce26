//! How much of a change's way somebody worked on it, and what its review took.

use super::{Shipped, Took};
use crate::interval::Ppm;
use crate::percentile::percentile;
use jiff::SignedDuration;

/// Changed lines a reviewer reads in an hour: about the rate above which reviews find markedly less.
const LINES_PER_HOUR: u64 = 400;
/// The least a round of review takes.
const ROUND_MIN: SignedDuration = SignedDuration::from_mins(5);

/// How a change was reviewed, as far as its host tells.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reviewed {
    /// Rounds: reviews by others.
    pub rounds: Option<u64>,
    /// On the request and on its lines, whoever made them.
    pub comments: Option<u64>,
}

/// What reviewing took, by an assumption: the first round reads every changed line, each further one a quarter of them,
/// at 400 lines an hour and for five minutes at least; none of it takes longer than the request was open.
pub fn review_estimate(lines: u64, rounds: u64, open: SignedDuration) -> SignedDuration {
    let reading = |lines: u64| {
        let seconds = i64::try_from(lines.saturating_mul(3600) / LINES_PER_HOUR).unwrap_or(i64::MAX);
        SignedDuration::from_secs(seconds).max(ROUND_MIN)
    };
    let Some(further) = rounds.checked_sub(1) else { return SignedDuration::ZERO };
    let seconds = reading(lines / 4).as_secs().saturating_mul(i64::try_from(further).unwrap_or(i64::MAX));
    let all = seconds.saturating_add(reading(lines).as_secs());
    SignedDuration::from_secs(all).min(open.max(SignedDuration::ZERO))
}

/// Of something that is counted for each change: the middle of how many changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usual {
    pub changes: usize,
    pub median: u64,
    pub p75: u64,
}

impl Usual {
    fn of(all: impl Iterator<Item = u64>) -> Option<Self> {
        let mut all: Vec<u64> = all.collect();
        all.sort_unstable();
        Some(Self { changes: all.len(), median: percentile(&all, 50)?, p75: percentile(&all, 75)? })
    }
}

/// The reviews of some changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reviews {
    pub rounds: Option<Usual>,
    pub comments: Option<Usual>,
    /// By [`review_estimate`]: of changes whose size, rounds and opening are known.
    pub estimate: Option<Took>,
}

impl Reviews {
    pub(super) fn of(changes: &[&Shipped]) -> Self {
        let estimate = |change: &&Shipped| {
            let open = change.merged_at.duration_since(change.opened_at?);
            Some(review_estimate(change.lines?, change.reviewed.rounds?, open))
        };
        Self {
            rounds: Usual::of(changes.iter().filter_map(|change| change.reviewed.rounds)),
            comments: Usual::of(changes.iter().filter_map(|change| change.reviewed.comments)),
            estimate: Took::of(changes.iter().filter_map(estimate)),
        }
    }
}

/// How much of the way from the first session to the users somebody is known to have worked: at least that much, as
/// work without Claude Code leaves no trace here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flow {
    pub changes: usize,
    pub active: SignedDuration,
    pub lead: SignedDuration,
}

impl Flow {
    /// Of the changes that sessions are known to have built; an hour in which one did counts whole.
    pub(super) fn of(changes: &[&Shipped]) -> Option<Self> {
        let mut flow = Self { changes: 0, active: SignedDuration::ZERO, lead: SignedDuration::ZERO };
        for change in changes {
            let Some(began_at) = change.began_at else { continue };
            let lead = change.shipped_at.duration_since(began_at).max(SignedDuration::ZERO);
            let hours = i64::try_from(change.active_hours).unwrap_or(i64::MAX / 3600).min(i64::MAX / 3600);
            flow.changes += 1;
            flow.active = flow.active.saturating_add(SignedDuration::from_hours(hours).min(lead));
            flow.lead = flow.lead.saturating_add(lead);
        }
        (flow.lead > SignedDuration::ZERO).then_some(flow)
    }

    pub fn efficiency(self) -> Ppm {
        let millionths =
            i128::from(self.active.as_secs()) * 1_000_000 / i128::from(self.lead.as_secs().max(1));
        Ppm(i64::try_from(millionths).unwrap_or(i64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_review_reads_what_changed() {
        for (lines, rounds, open_minutes, minutes) in [
            (400, 1, 600, 60),
            (400, 0, 600, 0),
            (400, 3, 600, 90),
            (10, 1, 600, 5),
            (10, 4, 600, 20),
            (0, 1, 600, 5),
            (400, 1, 30, 30),
            (400, 2, -5, 0),
            (u64::MAX, u64::MAX, 90, 90),
        ] {
            let estimate = review_estimate(lines, rounds, SignedDuration::from_mins(open_minutes));
            assert_eq!(
                estimate.as_mins(),
                minutes,
                "{lines} lines, {rounds} rounds, {open_minutes} minutes open"
            );
        }
    }

    #[test]
    fn the_usual_is_the_middle() {
        let of = |all: &[u64]| Usual::of(all.iter().copied()).map(|it| (it.changes, it.median, it.p75));
        assert_eq!(of(&[3, 1, 2, 9]), Some((4, 2, 3)));
        assert_eq!(of(&[]), None);
    }
}
