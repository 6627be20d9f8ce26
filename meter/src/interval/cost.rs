//! What an outcome costs: a ratio of sums over weeks, whose interval comes from how the weeks scatter around it.

use super::student::t95;
use super::{Interval, Ppm, count, float, rounded};
use crate::money::NanoUsd;

/// Fewer weeks with cost or outcomes tell nothing of how weeks scatter.
const WEEKS_MIN: u32 = 4;

/// A ratio on the scale of logarithms, with its standard error.
struct LogRatio {
    log: f64,
    error: f64,
    degrees: u32,
}

/// The interval of cost per outcome, from the cost and the outcomes of each week. `None` from fewer than four weeks
/// that have either, without outcomes or without cost.
pub fn cost_interval(weeks: &[(NanoUsd, u64)]) -> Option<Interval<NanoUsd>> {
    let ratio = LogRatio::of(weeks)?;
    let reach = t95(ratio.degrees) * ratio.error;
    let nano = |log: f64| NanoUsd(rounded(log.exp()));
    Some(Interval { low: nano(ratio.log - reach), high: nano(ratio.log + reach) })
}

/// The interval of the factor by which cost per outcome went from the old weeks to the new ones (Welch).
pub fn cost_change(new: &[(NanoUsd, u64)], old: &[(NanoUsd, u64)]) -> Option<Interval<Ppm>> {
    let (new, old) = (LogRatio::of(new)?, LogRatio::of(old)?);
    let log = new.log - old.log;
    let reach = t95(new.degrees_with(&old)) * new.error.hypot(old.error);
    Some(Interval { low: (log - reach).exp(), high: (log + reach).exp() }.ppm())
}

impl LogRatio {
    /// Linearised: se = √(Σ(cost − ratio × outcomes)² × W/(W − 1)) / Σcost.
    fn of(weeks: &[(NanoUsd, u64)]) -> Option<Self> {
        // a week with neither lies on every ratio
        let telling = weeks.iter().filter(|(cost, outcomes)| cost.0 != 0 || *outcomes > 0).count();
        let number = u32::try_from(telling).ok().filter(|number| *number >= WEEKS_MIN)?;
        let cost: f64 = weeks.iter().map(|(cost, _)| float(cost.0)).sum();
        let outcomes: f64 = weeks.iter().map(|(_, outcomes)| count(*outcomes)).sum();
        if cost <= 0.0 || outcomes <= 0.0 {
            return None;
        }
        let ratio = cost / outcomes;
        let apart = |(cost, outcomes): &(NanoUsd, u64)| (float(cost.0) - ratio * count(*outcomes)).powi(2);
        let squares: f64 = weeks.iter().map(apart).sum();
        let degrees = number - 1;
        let error = (squares * f64::from(number) / f64::from(degrees)).sqrt() / cost;
        Some(Self { log: ratio.ln(), error, degrees })
    }

    /// Welch's degrees of freedom of the difference, rounded down.
    fn degrees_with(&self, other: &Self) -> u32 {
        let both = self.error.powi(2) + other.error.powi(2);
        let each = |one: &Self| one.error.powi(4) / f64::from(one.degrees);
        let degrees = both * both / (each(self) + each(other));
        let fewest = self.degrees.min(other.degrees);
        // no scatter at all: any will do
        u32::try_from(rounded(degrees.floor())).unwrap_or(fewest).max(fewest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weeks(weeks: &[(i64, u64)]) -> Vec<(NanoUsd, u64)> {
        weeks.iter().map(|(dollars, outcomes)| (NanoUsd(dollars * 1_000_000_000), *outcomes)).collect()
    }

    /// In cents.
    #[track_caller]
    fn check(of: &[(i64, u64)], low: i64, high: i64) {
        let found = cost_interval(&weeks(of)).unwrap();
        let cents = |nano: NanoUsd| rounded(float(nano.0) / 1e7);
        assert_eq!((cents(found.low), cents(found.high)), (low, high));
    }

    const FOUR: [(i64, u64); 4] = [(100, 5), (140, 4), (90, 6), (120, 5)];
    const EIGHT: [(i64, u64); 8] =
        [(100, 5), (140, 4), (90, 6), (120, 5), (200, 3), (80, 0), (150, 9), (60, 2)];

    /// Against the formula in numpy with scipy's quantile.
    #[test]
    fn the_interval_is_that_of_the_formula() {
        check(&FOUR, 1283, 3947);
        check(&EIGHT, 1633, 4680);
        check(&[(100, 5); 4], 2000, 2000);
    }

    #[test]
    fn the_change_is_that_of_the_formula() {
        let found = cost_change(&weeks(&FOUR), &weeks(&EIGHT)).unwrap();
        assert_eq!(found, Interval { low: Ppm(427_928), high: Ppm(1_547_734) });
        let same = cost_change(&weeks(&[(100, 5); 4]), &weeks(&[(200, 5); 9])).unwrap();
        assert_eq!(same, Interval { low: Ppm(500_000), high: Ppm(500_000) });
    }

    #[test]
    fn too_little_has_no_interval() {
        for few in [&FOUR[..3], &[(100, 0); 5], &[(0, 5); 5], &[]] {
            assert_eq!(cost_interval(&weeks(few)), None, "{few:?}");
            assert_eq!(cost_change(&weeks(few), &weeks(&EIGHT)), None, "{few:?}");
        }
        let quiet = |of: &[(i64, u64)]| weeks(&[of, &[(0, 0); 20]].concat());
        assert_eq!(cost_interval(&quiet(&FOUR[..3])), None, "weeks in which nothing happened");
        assert_eq!(cost_interval(&quiet(&FOUR)), cost_interval(&weeks(&FOUR)));
    }
}
