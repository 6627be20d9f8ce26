//! Shares: k of n, and the difference of two.

use super::{Interval, Ppm, count};

/// The quantile of the normal distribution that leaves 2.5 % on either side.
const Z: f64 = 1.959_963_984_540_054;

/// The Wilson interval of a share: where `k` of `n` may come from. `None` where nothing was counted.
pub fn wilson(k: u64, n: u64) -> Option<Interval<Ppm>> {
    score(k, n).map(Interval::ppm)
}

/// Newcombe's interval of the difference of two shares, each `k` of `n`: how far the first lies above the second.
pub fn share_change(new: (u64, u64), old: (u64, u64)) -> Option<Interval<Ppm>> {
    let (first, second) = (score(new.0, new.1)?, score(old.0, old.1)?);
    let (p, q) = (count(new.0) / count(new.1), count(old.0) / count(old.1));
    let low = p - q - (p - first.low).hypot(second.high - q);
    let high = p - q + (first.high - p).hypot(q - second.low);
    Some(Interval { low, high }.ppm())
}

fn score(k: u64, n: u64) -> Option<Interval<f64>> {
    if n == 0 || k > n {
        return None;
    }
    let (share, n) = (count(k) / count(n), count(n));
    let shrink = 1.0 + Z * Z / n;
    let middle = (share + Z * Z / (2.0 * n)) / shrink;
    let half = Z / shrink * (share * (1.0 - share) / n + Z * Z / (4.0 * n * n)).sqrt();
    Some(Interval { low: (middle - half).max(0.0), high: (middle + half).min(1.0) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check(found: Option<Interval<Ppm>>, low: i64, high: i64) {
        assert_eq!(found, Some(Interval { low: Ppm(low), high: Ppm(high) }));
    }

    /// Published in whole percent (55–82, 89–100, 57–100, 0–28); the digits are those of statsmodels
    /// `proportion_confint(k, n, method="wilson")`.
    #[test]
    fn shares_have_their_published_intervals() {
        check(wilson(28, 40), 545_700, 819_252);
        check(wilson(30, 30), 886_487, 1_000_000);
        check(wilson(5, 5), 565_518, 1_000_000);
        check(wilson(0, 10), 0, 277_533);
        assert_eq!(wilson(0, 0), None);
        assert_eq!(wilson(2, 1), None);
    }

    /// The first is published as +30 [14, 45]; the digits are those of statsmodels `confint_proportions_2indep(..., method="newcomb")`.
    #[test]
    fn differences_have_their_published_intervals() {
        check(share_change((30, 30), (28, 40)), 135_360, 454_300);
        check(share_change((28, 40), (30, 30)), -454_300, -135_360);
        check(share_change((56, 70), (48, 80)), 52_431, 333_873);
        assert_eq!(share_change((0, 0), (1, 2)), None);
    }

    proptest! {
        #[test]
        fn an_interval_lies_within_all_and_narrows_with_more(k in 0_u64..500, more in 0_u64..500) {
            let n = k + more + 1;
            let Interval { low, high } = wilson(k, n).unwrap();
            prop_assert!(Ppm(0) <= low && low < high && high <= Ppm(1_000_000));
            prop_assert!(k > 0 || low == Ppm(0));
            prop_assert!(k < n || high == Ppm(1_000_000));
            let of_more = wilson(k * 10, n * 10).unwrap();
            prop_assert!(of_more.high.0 - of_more.low.0 < high.0 - low.0);
        }

        #[test]
        fn a_difference_turned_round_is_the_other_way(k in 0_u64..90, n in 1_u64..90, l in 0_u64..90, m in 1_u64..90) {
            let (one, other) = ((k.min(n), n), (l.min(m), m));
            let (there, back) = (share_change(one, other).unwrap(), share_change(other, one).unwrap());
            prop_assert_eq!((there.low.0, there.high.0), (-back.high.0, -back.low.0));
        }
    }
}
