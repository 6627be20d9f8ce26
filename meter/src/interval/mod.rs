//! How sure a figure is. The one room with floats: nothing of it is ever added up or stored, and what leaves it is
//! an integer again.

mod cost;
mod share;
mod student;
mod trend;

pub use cost::{cost_change, cost_interval};
pub use share::{share_change, wilson};
pub use trend::{TREND_WEEKS_MIN, Trend, trend};

use crate::money::round_half_even;
use std::fmt;

/// Millionths: of a share, of a difference of two, or of a factor, where 1,000,000 changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ppm(pub i64);

impl Ppm {
    /// A part of a whole, rounded half to even; `None` of nothing.
    pub fn share(part: u64, all: u64) -> Option<Self> {
        let millionths = || round_half_even(i128::from(part) * 1_000_000, all.into());
        (all > 0).then(millionths)?.try_into().ok().map(Self)
    }

    /// Whole percent, rounded half to even.
    pub fn percent(self) -> i64 {
        i64::try_from(round_half_even(self.0.into(), 10_000)).unwrap_or(i64::MAX)
    }

    /// Whole thousandths, likewise.
    pub fn permille(self) -> i64 {
        i64::try_from(round_half_even(self.0.into(), 1_000)).unwrap_or(i64::MAX)
    }
}

/// Exact, for machines: `0.700000`.
impl fmt::Display for Ppm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let millionths = self.0.unsigned_abs();
        write!(f, "{sign}{}.{:06}", millionths / 1_000_000, millionths % 1_000_000)
    }
}

/// Where a figure lies at 95 %.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interval<T> {
    pub low: T,
    pub high: T,
}

/// Which way a figure goes, as far as the data tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    Down,
    /// No way that could not be chance.
    Flat,
    Up,
}

impl<T: Ord> Interval<T> {
    /// Whether all of the interval lies on one side of `level`.
    pub fn against(&self, level: &T) -> Direction {
        if self.high < *level {
            Direction::Down
        } else if self.low > *level {
            Direction::Up
        } else {
            Direction::Flat
        }
    }
}

impl Interval<f64> {
    fn ppm(self) -> Interval<Ppm> {
        let ppm = |part: f64| Ppm(rounded(part * 1e6));
        Interval { low: ppm(self.low), high: ppm(self.high) }
    }
}

/// Beyond 64 bits the nearest there is.
#[expect(clippy::cast_possible_truncation, reason = "`as` takes the nearest")]
fn rounded(value: f64) -> i64 {
    value.round() as i64
}

/// Counts of changes and nano-dollars of weeks: what is lost beyond 2^53 is far below what is known.
#[expect(clippy::cast_precision_loss, reason = "an interval is wider than that")]
fn float(count: i64) -> f64 {
    count as f64
}

fn count(count: u64) -> f64 {
    float(i64::try_from(count).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn millionths_read_well() {
        for (ppm, exact, percent) in [
            (700_000, "0.700000", 70),
            (-5_000, "-0.005000", 0),
            (1_005_001, "1.005001", 101),
            (-15_000, "-0.015000", -2),
        ] {
            assert_eq!((Ppm(ppm).to_string().as_str(), Ppm(ppm).percent()), (exact, percent));
        }
    }

    #[test]
    fn an_interval_is_on_a_side_only_as_a_whole() {
        let interval = Interval { low: 3, high: 5 };
        let ways = [2, 3, 5, 6].map(|level| interval.against(&level));
        assert_eq!(ways, [Direction::Up, Direction::Flat, Direction::Flat, Direction::Down]);
    }
}
