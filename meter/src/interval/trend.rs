//! Which way a cost goes over the weeks: Theil–Sen says how fast, Mann–Kendall whether at all.

use super::{Direction, Ppm, count, float, rounded};
use crate::money::NanoUsd;
use std::cmp::Ordering;

/// Weeks with an outcome and a cost that a trend takes at least.
pub const TREND_WEEKS_MIN: usize = 8;
/// The quantile of the normal distribution that leaves 5 % on either side: p < 0.1.
const Z: f64 = 1.644_853_626_951_472;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trend {
    pub direction: Direction,
    /// The factor from one week to the next, less one: what it rises by.
    pub weekly: Ppm,
    pub weeks: usize,
}

/// The trend of cost per outcome, from the cost and the outcomes of each week, oldest first. A week without one or
/// the other has no cost per outcome and is left out. `None` from fewer than eight weeks.
pub fn trend(weeks: &[(NanoUsd, u64)]) -> Option<Trend> {
    let has_ratio = |(_, (cost, outcomes)): &(i64, &(NanoUsd, u64))| cost.0 > 0 && *outcomes > 0;
    let point =
        |(week, (cost, outcomes)): (i64, &(NanoUsd, u64))| (week, (float(cost.0) / count(*outcomes)).ln());
    let points: Vec<(i64, f64)> = (0..).zip(weeks).filter(has_ratio).map(point).collect();
    if points.len() < TREND_WEEKS_MIN {
        return None;
    }
    let direction = mann_kendall(&points);
    let weekly = Ppm(rounded((theil_sen(&points).exp() - 1.0) * 1e6));
    Some(Trend { direction, weekly, weeks: points.len() })
}

/// The median of the slopes between any two points.
fn theil_sen(points: &[(i64, f64)]) -> f64 {
    let mut slopes: Vec<f64> =
        pairs(points).map(|(first, second)| (second.1 - first.1) / float(second.0 - first.0)).collect();
    slopes.sort_by(f64::total_cmp);
    let middle = slopes.len() / 2;
    if slopes.len() % 2 == 1 { slopes[middle] } else { f64::midpoint(slopes[middle - 1], slopes[middle]) }
}

/// The normal approximation with its correction for ties and for continuity.
fn mann_kendall(points: &[(i64, f64)]) -> Direction {
    let mut rises = 0_i64;
    for (first, second) in pairs(points) {
        match first.1.total_cmp(&second.1) {
            Ordering::Less => rises += 1,
            Ordering::Equal => {}
            Ordering::Greater => rises -= 1,
        }
    }
    let mut values: Vec<f64> = points.iter().map(|(_, value)| *value).collect();
    values.sort_by(f64::total_cmp);
    let spread = |number: usize| number * (number - 1) * (2 * number + 5);
    let tied = values.chunk_by(|a, b| a.total_cmp(b).is_eq()).map(|equal| spread(equal.len()));
    let variance = count((spread(values.len()) - tied.sum::<usize>()) as u64) / 18.0;
    let beyond = float(rises.abs() - 1) > Z * variance.sqrt();
    match rises.cmp(&0) {
        Ordering::Less if beyond => Direction::Down,
        Ordering::Greater if beyond => Direction::Up,
        _ => Direction::Flat,
    }
}

/// Each two points, the earlier first.
fn pairs(points: &[(i64, f64)]) -> impl Iterator<Item = (&(i64, f64), &(i64, f64))> {
    points
        .iter()
        .enumerate()
        .flat_map(|(index, first)| points[index + 1..].iter().map(move |second| (first, second)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Weeks with one outcome each, or none where the cost is 0.
    fn weeks(dollars: &[i64]) -> Vec<(NanoUsd, u64)> {
        dollars.iter().map(|dollars| (NanoUsd(dollars * 1_000_000_000), u64::from(*dollars > 0))).collect()
    }

    #[track_caller]
    fn check(dollars: &[i64], direction: Direction, weekly: i64) {
        let found = trend(&weeks(dollars)).unwrap();
        assert_eq!((found.direction, found.weekly), (direction, Ppm(weekly)));
    }

    /// Slopes by scipy `stats.theilslopes` on the logarithms, directions by pymannkendall's `original_test(alpha=0.1)`.
    #[test]
    fn trends_are_those_of_the_references() {
        check(&[90, 85, 88, 80, 76, 79, 70, 66], Direction::Down, -41_339);
        check(&[66, 70, 79, 76, 80, 88, 85, 90], Direction::Up, 43_121);
        check(&[50, 80, 60, 75, 55, 70, 65, 62], Direction::Flat, -12_773);
        check(&[90, 80, 90, 85, 90, 80, 85, 80, 80, 85], Direction::Flat, -6_331);
        check(&[90, 85, 0, 88, 80, 0, 76, 79, 70, 66], Direction::Down, -31_028);
    }

    #[test]
    fn the_edge_of_significance_is_that_of_the_reference() {
        // S = -14 of 28: z = 1.608; S = -16: z = 1.856
        check(&[80, 79, 70, 76, 66, 62, 90, 50], Direction::Flat, -53_945);
        check(&[80, 79, 70, 76, 66, 90, 60, 50], Direction::Down, -50_250);
        // S = -18 of 45: z = 1.646; without the correction for its ties 1.521
        check(&[90, 90, 80, 90, 80, 80, 70, 90, 70, 80], Direction::Down, -19_439);
    }

    #[test]
    fn a_week_that_lacks_cost_or_outcome_is_left_out() {
        let gaps = weeks(&[90, 85, 0, 88, 80, 0, 76, 79, 70, 66]);
        let mut half = gaps.clone();
        (half[2].1, half[5].0) = (1, NanoUsd(1_000_000_000));
        assert_eq!(trend(&half), trend(&gaps));
    }

    #[test]
    fn fewer_than_eight_weeks_have_none() {
        assert_eq!(trend(&weeks(&[9, 8, 7, 6, 5, 4, 3, 0, 0])), None);
    }
}
