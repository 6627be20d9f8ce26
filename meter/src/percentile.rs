//! Percentiles by nearest rank: always a value that was seen, so that money and durations stay integers.

/// The value that so many percent of the sorted ones do not exceed; `None` of none.
pub fn percentile<T: Copy>(sorted: &[T], percent: usize) -> Option<T> {
    let place = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(place - 1).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_were_seen() {
        let check = |sorted: &[u8], expected: [Option<u8>; 4]| {
            assert_eq!([1, 50, 75, 100].map(|percent| percentile(sorted, percent)), expected, "{sorted:?}");
        };
        check(&[], [None; 4]);
        check(&[5], [Some(5); 4]);
        check(&[1, 2, 3, 4], [1, 2, 3, 4].map(Some));
        check(&[1, 2, 3, 4, 5], [1, 3, 4, 5].map(Some));
    }
}
