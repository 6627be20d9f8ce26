//! How the cost of a team's outcomes spreads, and how often it ships: what its figures may be compared with.

use crate::interval::Ppm;
use crate::money::{NanoUsd, round_half_even};
use crate::percentile::percentile;

/// What verified outcomes cost one by one, each with all that was spent on it in whichever week.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spread {
    pub outcomes: usize,
    pub median: NanoUsd,
    pub p75: NanoUsd,
    pub p90: NanoUsd,
    pub max: NanoUsd,
    /// Of what all cost, the part of the dearest tenth, rounded up to a whole outcome.
    pub top_share: Ppm,
}

impl Spread {
    /// Of the outcomes that cost anything; `None` where none did.
    pub fn of(costs: impl IntoIterator<Item = NanoUsd>) -> Option<Self> {
        let mut costs: Vec<NanoUsd> = costs.into_iter().filter(|cost| cost.0 > 0).collect();
        costs.sort_unstable();
        let at = |percent| percentile(&costs, percent);
        let sum = |costs: &[NanoUsd]| costs.iter().map(|cost| i128::from(cost.0)).sum::<i128>();
        let top = &costs[costs.len() - costs.len().div_ceil(10)..];
        let (median, p75, p90, max) = (at(50)?, at(75)?, at(90)?, at(100)?);
        let top_share = round_half_even(sum(top) * 1_000_000, sum(&costs)).try_into().ok().map(Ppm)?;
        Some(Self { outcomes: costs.len(), median, p75, p90, max, top_share })
    }
}

/// Weeks by which a cadence is told.
pub const CADENCE_WEEKS: usize = 8;

/// How many changes a team ships in a usual week. Teams of one cadence are alike enough to be held against each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cadence {
    Rare,
    Weekly,
    Daily,
    Continuous,
}

impl Cadence {
    /// By the median of the last weeks; `None` of no weeks.
    pub fn of(shipped: impl IntoIterator<Item = u64>) -> Option<Self> {
        let mut shipped: Vec<u64> = shipped.into_iter().collect();
        shipped.sort_unstable();
        Some(match percentile(&shipped, 50)? {
            0 => Self::Rare,
            1..=4 => Self::Weekly,
            5..=24 => Self::Daily,
            25.. => Self::Continuous,
        })
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rare => "rare",
            Self::Weekly => "weekly",
            Self::Daily => "daily",
            Self::Continuous => "continuous",
        }
    }

    /// In changes a week.
    pub fn range(self) -> &'static str {
        match self {
            Self::Rare => "<1",
            Self::Weekly => "1–4",
            Self::Daily => "5–24",
            Self::Continuous => "≥25",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    #[test]
    fn a_few_dear_outcomes_are_seen() {
        let costs = [1, 1, 1, 2, 2, 2, 3, 4, 10, 14, 40].map(NanoUsd);
        let spread = Spread::of([NanoUsd(0)].into_iter().chain(costs)).unwrap();
        assert_eq!((spread.outcomes, spread.median, spread.p75), (11, NanoUsd(2), NanoUsd(10)));
        assert_eq!((spread.p90, spread.max), (NanoUsd(14), NanoUsd(40)));
        assert_eq!(spread.top_share, Ppm(675_000), "two of eleven: 54 of 80");
        assert_eq!(Spread::of([NanoUsd(0)]), None);
        assert_eq!(Spread::of([NanoUsd(i64::MAX); 3]).unwrap().top_share, Ppm(333_333));
    }

    #[test]
    fn a_cadence_is_that_of_a_usual_week() {
        for (shipped, expected) in [
            (vec![], None),
            (vec![0, 0, 0, 0, 90, 90, 90], Some(Cadence::Rare)),
            (vec![0, 1, 4], Some(Cadence::Weekly)),
            (vec![4; 8], Some(Cadence::Weekly)),
            (vec![5; 8], Some(Cadence::Daily)),
            (vec![24, 24, 25], Some(Cadence::Daily)),
            (vec![25, 25, 1], Some(Cadence::Continuous)),
        ] {
            assert_eq!(Cadence::of(shipped.clone()), expected, "{shipped:?}");
        }
    }

    proptest! {
        #[test]
        fn a_spread_rises_and_its_top_is_a_tenth_at_least(costs in vec(1_i64..1_000_000, 1..60)) {
            let spread = Spread::of(costs.iter().copied().map(NanoUsd)).unwrap();
            prop_assert!(spread.median <= spread.p75 && spread.p75 <= spread.p90 && spread.p90 <= spread.max);
            prop_assert!(Ppm(100_000) <= spread.top_share && spread.top_share <= Ppm(1_000_000));
            let more = |cost: &NanoUsd| costs.iter().filter(|other| **other <= cost.0).count() * 2 >= costs.len();
            prop_assert!(more(&spread.median));
        }
    }
}
