//! Student's t distribution for a whole number of degrees of freedom.

use std::f64::consts::PI;

/// Halvings after which a float moves no more.
const HALVINGS: u32 = 80;

/// The quantile that leaves 2.5 % on either side.
pub(super) fn t95(degrees: u32) -> f64 {
    let (mut low, mut high) = (1.9, 13.0); // that of the normal distribution and that of one degree
    for _ in 0..HALVINGS {
        let middle = f64::midpoint(low, high);
        if within(middle, degrees) < 0.95 { low = middle } else { high = middle }
    }
    high
}

/// The probability of a value between -t and t: the finite series in the angle whose tangent is t/√degrees.
fn within(t: f64, degrees: u32) -> f64 {
    let angle = (t / f64::from(degrees).sqrt()).atan();
    let (sin, cos) = angle.sin_cos();
    let odd = degrees % 2 == 1;
    let mut term = if odd { cos } else { 1.0 };
    let mut sum = 0.0;
    for power in (1 + u32::from(odd)..degrees).step_by(2) {
        sum += term;
        term *= cos * cos * f64::from(power) / f64::from(power + 1);
    }
    if odd { (angle + sin * sum) * 2.0 / PI } else { sin * sum }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Against scipy `stats.t.ppf(0.975, degrees)`.
    #[test]
    fn quantiles_are_those_of_the_tables() {
        for (degrees, expected) in [
            (1, 12.706_204_736),
            (2, 4.302_652_730),
            (3, 3.182_446_305),
            (4, 2.776_445_105),
            (7, 2.364_624_252),
            (12, 2.178_812_830),
            (25, 2.059_538_553),
            (38, 2.024_394_164),
            (519, 1.964_545_331),
        ] {
            let found = t95(degrees);
            assert!((found - expected).abs() < 1e-8, "{degrees}: {found}");
        }
    }
}
