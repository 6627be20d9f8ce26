//! How fast one token may deliver: it is public by nature, and whoever has it shall not fill the database.

use super::error::Error;
use jiff::Timestamp;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// Reports at once: the backlog of two laptops with 2,300 transcripts each. 10,000 laptops on 200 tokens are
/// 50 a token; with 100 reports each they fit together.
const BURST: i64 = 5_000;
/// Reports a second after that: 12,000 in the ten minutes in which those 50 laptops come back.
const PER_SECOND: i64 = 20;
const MILLIS_EACH: i64 = 1_000 / PER_SECOND;

/// For each token the millisecond at which it may deliver a whole burst again; tokens that were issued, no more.
#[derive(Debug, Default)]
pub(crate) struct Rates(Mutex<HashMap<String, i64>>);

impl Rates {
    /// Takes `reports` from what the token may deliver, or says when it may.
    pub(super) fn take(&self, token: &str, reports: usize, now: Timestamp) -> Result<(), Error> {
        let now = now.as_millisecond();
        let latest = now.saturating_add(BURST * MILLIS_EACH);
        let cost = i64::try_from(reports).unwrap_or(BURST).saturating_mul(MILLIS_EACH);
        let mut tokens = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let rested = tokens.entry(token.to_owned()).or_insert(now);
        // within both bounds also after the clock was put back
        let next = (*rested).clamp(now, latest).saturating_add(cost);
        if next > latest {
            return Err(Error::TooMany(next.saturating_sub(latest).div_euclid(1_000).saturating_add(1)));
        }
        *rested = next;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_has_a_burst_and_then_its_rate() {
        let rates = Rates::default();
        let now: Timestamp = "2026-11-25T12:00:00Z".parse().unwrap();
        let take = |token: &str, reports, seconds| {
            rates.take(token, reports, Timestamp::from_second(now.as_second() + seconds).unwrap())
        };
        for _ in 0..20 {
            take("a", 250, 0).unwrap();
        }
        assert!(matches!(take("a", 200, 0), Err(Error::TooMany(11))));
        take("b", 256, 0).unwrap();
        assert!(take("a", 200, 9).is_err());
        take("a", 200, 10).unwrap();
        assert!(take("a", 1, 10).is_err());
        assert!(take("a", 1, -3600).is_err());
        take("a", 256, 3600).unwrap();
    }
}
