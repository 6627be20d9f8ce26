//! Money is an integer: pico-dollars while summing, nano-dollars once stored.

use std::cmp::Ordering;
use std::fmt;
use std::iter::Sum;
use std::ops::Add;

const PICO_PER_NANO: i128 = 1000;
const NANO_PER_CENT: i128 = 10_000_000;

/// Pico-dollars (10⁻¹² USD): the exact price of tokens, before the one rounding of a stored row.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PicoUsd(pub i128);

impl PicoUsd {
    /// Rounds half to even. `None` where an amount does not fit 64 bits.
    pub fn to_nano(self) -> Option<NanoUsd> {
        i64::try_from(round_half_even(self.0, PICO_PER_NANO)).ok().map(NanoUsd)
    }
}

impl Add for PicoUsd {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}

impl Sum for PicoUsd {
    fn sum<I: Iterator<Item = Self>>(items: I) -> Self {
        items.fold(Self::default(), Add::add)
    }
}

/// Nano-dollars (10⁻⁹ USD): what a row costs and what the database sums.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NanoUsd(pub i64);

impl NanoUsd {
    /// Cents rounded half to even, with thousands separated: `$1,234.50`. For people only.
    pub fn dollars(self) -> String {
        let cents = round_half_even(i128::from(self.0), NANO_PER_CENT);
        let (whole, cent) = (cents.unsigned_abs() / 100, cents.unsigned_abs() % 100);
        format!("{}${}.{cent:02}", if cents < 0 { "-" } else { "" }, grouped(whole))
    }

    /// Dollars rounded half to even: `$1,234`. For people who look for the size of it.
    pub fn whole_dollars(self) -> String {
        let dollars = round_half_even(i128::from(self.0), 100 * NANO_PER_CENT);
        format!("{}${}", if dollars < 0 { "-" } else { "" }, grouped(dollars.unsigned_abs()))
    }
}

/// With thousands separated.
fn grouped(whole: u128) -> String {
    let digits = whole.to_string();
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// `amount` / `unit`, of which the latter is positive.
pub(crate) fn round_half_even(amount: i128, unit: i128) -> i128 {
    let floor = amount.div_euclid(unit);
    match (amount.rem_euclid(unit) * 2).cmp(&unit) {
        Ordering::Less => floor,
        Ordering::Equal => floor + floor.rem_euclid(2),
        Ordering::Greater => floor + 1,
    }
}

/// Exact decimal dollars with nine digits, for machines: `1.000000025`.
impl fmt::Display for NanoUsd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let nanos = self.0.unsigned_abs();
        write!(f, "{sign}{}.{:09}", nanos / 1_000_000_000, nanos % 1_000_000_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_half_to_even() {
        for (pico, nano) in
            [(1499, 1), (1500, 2), (2500, 2), (2501, 3), (-1500, -2), (-2500, -2), (-500, 0), (0, 0)]
        {
            assert_eq!(PicoUsd(pico).to_nano(), Some(NanoUsd(nano)), "{pico}");
        }
        assert_eq!(PicoUsd(i128::from(i64::MAX) * 1000 + 500).to_nano(), None);
    }

    #[test]
    fn reads_well() {
        assert_eq!(NanoUsd(1_234_567_890_000_000).dollars(), "$1,234,567.89");
        assert_eq!(NanoUsd(5_000_000).dollars(), "$0.00");
        assert_eq!(NanoUsd(15_000_000).dollars(), "$0.02");
        assert_eq!(NanoUsd(-15_000_000).dollars(), "-$0.02");
        assert_eq!(NanoUsd(999_995_000_000).dollars(), "$1,000.00");
        assert_eq!(NanoUsd(1_234_500_000_000).whole_dollars(), "$1,234");
        assert_eq!(NanoUsd(-1_235_500_000_000).whole_dollars(), "-$1,236");
        assert_eq!(NanoUsd(-400_000_000).whole_dollars(), "$0");
        assert_eq!(NanoUsd(25).to_string(), "0.000000025");
        assert_eq!(NanoUsd(-1_000_000_001).to_string(), "-1.000000001");
    }
}
