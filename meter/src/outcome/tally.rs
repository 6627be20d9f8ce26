//! Counts of outcomes, when they may be told, and what one of them cost.

use super::policy::{Policy, Strictness};
use super::survival::State;
use crate::interval::Ppm;
use crate::money::{NanoUsd, round_half_even};
use crate::week::Week;
use jiff::Timestamp;
use std::iter::Sum;

/// The changes of a team that shipped in one week or several.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    pub verified: u64,
    pub disqualified: u64,
    pub pending: u64,
}

impl Tally {
    pub fn of(states: impl IntoIterator<Item = State>) -> Self {
        let mut tally = Self::default();
        states.into_iter().for_each(|state| tally.count(state));
        tally
    }

    pub fn count(&mut self, state: State) {
        match state {
            State::Verified => self.verified += 1,
            State::Disqualified => self.disqualified += 1,
            State::Pending => self.pending += 1,
            State::Excluded => {}
        }
    }

    /// What has been decided: the denominator of the verified share.
    pub fn attempted(self) -> u64 {
        self.verified + self.disqualified
    }

    /// The verified share, rounded half to even; `None` where nothing was attempted.
    pub fn share(self) -> Option<Ppm> {
        Ppm::share(self.verified, self.attempted())
    }
}

impl Sum for Tally {
    fn sum<I: Iterator<Item = Self>>(tallies: I) -> Self {
        tallies.fold(Self::default(), |sum, tally| Self {
            verified: sum.verified + tally.verified,
            disqualified: sum.disqualified + tally.disqualified,
            pending: sum.pending + tally.pending,
        })
    }
}

/// What was decided, by either strictness; what is pending is in neither count.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ByStrictness {
    pub targeted: Tally,
    pub literal: Tally,
}

impl ByStrictness {
    pub fn count(&mut self, state: impl Fn(Strictness) -> State) {
        let sides = [(Strictness::Targeted, &mut self.targeted), (Strictness::Literal, &mut self.literal)];
        for (strictness, tally) in sides {
            let state = state(strictness);
            if state != State::Pending {
                tally.count(state);
            }
        }
    }

    /// Whether it matters which.
    pub fn differs(self) -> bool {
        self.targeted != self.literal
    }
}

impl Sum for ByStrictness {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        let (targeted, literal): (Vec<Tally>, Vec<Tally>) =
            all.map(|one| (one.targeted, one.literal)).unzip();
        Self { targeted: targeted.into_iter().sum(), literal: literal.into_iter().sum() }
    }
}

/// The first instant at which every change that ships in `week` is decided.
pub fn matures_at(week: Week, policy: Policy) -> Timestamp {
    policy.decided_at(week.end())
}

/// The first week that is not mature at `at`.
pub fn immature_from(at: Timestamp, policy: Policy) -> Week {
    Week::of(policy.decided_by(at))
}

/// Cost per verified outcome: spend without what was cordoned off, rounded half to even. `None` where nothing was
/// verified: there is spend then, and no outcome to divide it by.
pub fn cpvo(spend: NanoUsd, cordon: NanoUsd, verified: u64) -> Option<NanoUsd> {
    let each = || round_half_even(i128::from(spend.0) - i128::from(cordon.0), verified.into());
    (verified > 0).then(each)?.try_into().ok().map(NanoUsd)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn tally(verified: usize, disqualified: usize, pending: usize) -> Tally {
        let states = |state, times| std::iter::repeat_n(state, times);
        let states = states(State::Verified, verified)
            .chain(states(State::Disqualified, disqualified))
            .chain(states(State::Pending, pending));
        Tally::of(states.chain([State::Excluded; 3]))
    }

    #[test]
    fn what_is_decided_is_told_by_either_strictness() {
        let mut both = ByStrictness::default();
        both.count(|_| State::Verified);
        both.count(|_| State::Pending);
        assert!(!both.differs());
        both.count(|strictness| match strictness {
            Strictness::Targeted => State::Verified,
            Strictness::Literal => State::Disqualified,
        });
        let expected = ByStrictness { targeted: tally(2, 0, 0), literal: tally(1, 1, 0) };
        assert_eq!(both, expected);
        assert!(both.differs());
        let sum: ByStrictness = [both, both].into_iter().sum();
        assert_eq!(sum, ByStrictness { targeted: tally(4, 0, 0), literal: tally(2, 2, 0) });
    }

    #[test]
    fn the_worked_example() {
        let busy = tally(28, 12, 0);
        assert_eq!((busy.attempted(), busy.verified, busy.share()), (40, 28, Some(Ppm(700_000))));
        let calm = tally(30, 0, 0);
        assert_eq!((calm.attempted(), calm.verified, calm.share()), (30, 30, Some(Ppm(1_000_000))));
        let spend = NanoUsd(4_200_000_000_000);
        assert_eq!(cpvo(spend, NanoUsd(0), busy.verified), Some(NanoUsd(150_000_000_000)));
        assert_eq!(cpvo(spend, NanoUsd(0), calm.verified), Some(NanoUsd(140_000_000_000)));
    }

    #[test]
    fn what_is_pending_is_in_no_share() {
        assert_eq!(tally(2, 1, 97).share(), Some(Ppm(666_667)));
        assert_eq!(tally(0, 0, 5).share(), None);
    }

    #[test]
    fn without_an_outcome_there_is_no_cost_of_one() {
        assert_eq!(cpvo(NanoUsd(5), NanoUsd(0), 0), None);
        assert_eq!(cpvo(NanoUsd(5), NanoUsd(0), 2), Some(NanoUsd(2)));
        assert_eq!(cpvo(NanoUsd(7), NanoUsd(0), 2), Some(NanoUsd(4)));
        assert_eq!(cpvo(NanoUsd(10), NanoUsd(4), 2), Some(NanoUsd(3)));
        assert_eq!(cpvo(NanoUsd(0), NanoUsd(6), 2), Some(NanoUsd(-3)));
        assert_eq!(cpvo(NanoUsd(i64::MAX), NanoUsd(i64::MIN), 1), None);
    }

    #[test]
    fn a_week_matures_when_its_last_change_is_decided() {
        let week: Week = "2026-W40".parse().unwrap();
        let at = |window_days| matures_at(week, Policy { window_days, ..Policy::default() }).to_string();
        assert_eq!(at(14), "2026-10-19T00:00:00Z");
        assert_eq!(at(1), "2026-10-08T00:00:00Z", "hotfixes come within 72 hours");
    }

    proptest! {
        #[test]
        fn weeks_are_mature_up_to_the_first_that_is_not(seconds in 1_500_000_000_i64..3_000_000_000, window_days in 1_u32..91) {
            let (at, policy) = (Timestamp::from_second(seconds).unwrap(), Policy { window_days, ..Policy::default() });
            let first = immature_from(at, policy);
            prop_assert!(matures_at(first, policy) > at && matures_at(first.previous(), policy) <= at);
        }
    }
}
