//! How sure a share is. The one room with floats: nothing of it is ever added up or stored.

/// The quantile of the normal distribution that leaves 2.5 % on either side.
const Z: f64 = 1.959_963_984_540_054;

/// The Wilson interval of a share at 95 %: where `k` of `n` may come from. `None` where nothing was counted.
#[expect(clippy::cast_precision_loss, reason = "counts of changes stay far below 2^52")]
pub fn wilson(k: u64, n: u64) -> Option<(f64, f64)> {
    if n == 0 || k > n {
        return None;
    }
    let (share, n) = (k as f64 / n as f64, n as f64);
    let shrink = 1.0 + Z * Z / n;
    let middle = (share + Z * Z / (2.0 * n)) / shrink;
    let half = Z / shrink * (share * (1.0 - share) / n + Z * Z / (4.0 * n * n)).sqrt();
    Some(((middle - half).max(0.0), (middle + half).min(1.0)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The interval in whole percent.
    #[track_caller]
    fn check(k: u64, n: u64, low: u8, high: u8) {
        let (from, to) = wilson(k, n).unwrap();
        assert_eq!(
            (format!("{:.0}", from * 100.0), format!("{:.0}", to * 100.0)),
            (low.to_string(), high.to_string())
        );
    }

    #[test]
    fn shares_have_their_published_intervals() {
        check(28, 40, 55, 82);
        check(30, 30, 89, 100);
        check(5, 5, 57, 100);
        check(0, 10, 0, 28);
        assert_eq!(wilson(0, 0), None);
        assert_eq!(wilson(2, 1), None);
    }

    proptest! {
        #[test]
        fn an_interval_lies_within_all_and_narrows_with_more(k in 0_u64..500, more in 0_u64..500) {
            let n = k + more + 1;
            let (low, high) = wilson(k, n).unwrap();
            prop_assert!(0.0 <= low && low < high && high <= 1.0);
            prop_assert!(k > 0 || low < 1e-9);
            prop_assert!(k < n || high > 1.0 - 1e-9);
            let (low_of_more, high_of_more) = wilson(k * 10, n * 10).unwrap();
            prop_assert!(high_of_more - low_of_more < high - low);
        }
    }
}
