//! How long reverts take to come, and which window would have seen them.

use crate::percentile::percentile;
use jiff::SignedDuration;

/// The windows a team may choose among without a reason of its own, in days.
const WINDOWS: [u32; 3] = [7, 14, 21];
/// Of the reverts, in percent, a window should see.
const SEEN_MIN: usize = 90;
/// Fewer reverts than this say little.
pub const REVERTS_MIN: usize = 10;

/// How long after shipping the changes of a team were first taken back.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lags(Vec<SignedDuration>);

impl Lags {
    pub fn new(mut lags: Vec<SignedDuration>) -> Self {
        lags.sort();
        Self(lags)
    }

    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// How many came within so many days.
    pub fn within(&self, days: u32) -> usize {
        let window = SignedDuration::from_hours(i64::from(days) * 24);
        self.0.partition_point(|lag| *lag < window)
    }

    /// The lag that so many percent of them do not exceed.
    pub fn percentile(&self, percent: usize) -> Option<SignedDuration> {
        percentile(&self.0, percent)
    }

    /// How many came within each of the usual windows.
    pub fn seen(&self) -> [(u32, usize); 3] {
        WINDOWS.map(|days| (days, self.within(days)))
    }

    /// The shortest usual window that saw nine of ten, else the longest; `None` where there are too few reverts.
    pub fn suggested(&self) -> Option<u32> {
        let enough = |days: &u32| self.within(*days) * 100 >= SEEN_MIN * self.count();
        let shortest = || WINDOWS.into_iter().find(enough).unwrap_or(WINDOWS[2]);
        (self.count() >= REVERTS_MIN).then(shortest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn days(days: &[i64]) -> Lags {
        Lags::new(days.iter().map(|days| SignedDuration::from_hours(24 * days)).collect())
    }

    #[test]
    fn the_shortest_window_that_sees_nine_of_ten() {
        let of = |late: i64| days(&[0, 0, 0, 1, 1, 2, 3, 5, 6, late]);
        assert_eq!(of(6).suggested(), Some(7));
        assert_eq!(of(80).suggested(), Some(7));
        assert_eq!(days(&[0, 0, 0, 1, 1, 2, 3, 5, 10, 80]).suggested(), Some(14));
        assert_eq!(days(&[0, 0, 0, 1, 1, 2, 3, 15, 30, 80]).suggested(), Some(21));
        assert_eq!(days(&[0; 9]).suggested(), None, "too few");
    }

    #[test]
    fn a_window_is_half_open() {
        let lags = days(&[6, 7, 13, 14, 21]);
        assert_eq!(lags.seen(), [(7, 1), (14, 3), (21, 4)]);
    }

    #[test]
    fn percentiles_are_lags_that_were_seen() {
        let lags = days(&[4, 1, 3, 2]);
        let of = |percent| lags.percentile(percent).map(|lag| lag.as_hours() / 24);
        assert_eq!([of(1), of(50), of(75), of(100)], [Some(1), Some(2), Some(3), Some(4)]);
        assert_eq!(days(&[]).percentile(50), None);
    }
}
