//! `Tokens`: the six counters of a response, and the only place that knows how many kinds there are.

use serde::{Deserialize, Deserializer, Serialize, de::Error};
use std::iter::Sum;
use std::ops::{Add, AddAssign};

/// The largest count a report may carry in one field of one row.
pub const COUNT_MAX: u64 = 10_000_000_000;

/// Counts of one response, or the sum of many. Units are tokens, `web_search` is requests.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tokens {
    /// Prompt tokens that were neither read from nor written to the cache.
    #[serde(deserialize_with = "count")]
    pub input: u64,
    /// Generated tokens, thinking included.
    #[serde(deserialize_with = "count")]
    pub output: u64,
    /// Prompt tokens read from the cache.
    #[serde(deserialize_with = "count")]
    pub cache_read: u64,
    /// Prompt tokens written to the cache for five minutes.
    #[serde(deserialize_with = "count")]
    pub cache_write_5m: u64,
    /// Prompt tokens written to the cache for an hour.
    #[serde(deserialize_with = "count")]
    pub cache_write_1h: u64,
    /// Web searches the API ran.
    #[serde(deserialize_with = "count")]
    pub web_search: u64,
}

impl Tokens {
    /// The size of the prompt: what decides a long-prompt price.
    pub fn prompt(&self) -> u64 {
        self.input
            .saturating_add(self.cache_read)
            .saturating_add(self.cache_write_5m)
            .saturating_add(self.cache_write_1h)
    }

    /// All tokens, web searches left out.
    pub fn total(&self) -> u64 {
        self.prompt().saturating_add(self.output)
    }

    pub fn is_zero(&self) -> bool {
        *self == Self::default()
    }

    fn zip(self, other: Self, f: impl Fn(u64, u64) -> u64) -> Self {
        Self {
            input: f(self.input, other.input),
            output: f(self.output, other.output),
            cache_read: f(self.cache_read, other.cache_read),
            cache_write_5m: f(self.cache_write_5m, other.cache_write_5m),
            cache_write_1h: f(self.cache_write_1h, other.cache_write_1h),
            web_search: f(self.web_search, other.web_search),
        }
    }
}

impl Add for Tokens {
    type Output = Self;

    /// Saturating, so that a forged transcript cannot stop the sum; a report refuses what is past [`COUNT_MAX`].
    fn add(self, other: Self) -> Self {
        self.zip(other, u64::saturating_add)
    }
}

impl AddAssign for Tokens {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sum for Tokens {
    fn sum<I: Iterator<Item = Self>>(items: I) -> Self {
        items.fold(Self::default(), Add::add)
    }
}

/// A count as a report may carry it: a whole number up to [`COUNT_MAX`].
pub(crate) fn count<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
    bounded::<D, COUNT_MAX>(from)
}

/// A whole number up to `MAX`.
pub(crate) fn bounded<'de, D: Deserializer<'de>, const MAX: u64>(from: D) -> Result<u64, D::Error> {
    let count = u64::deserialize(from)?;
    if count > MAX {
        return Err(D::Error::custom(format!("{count} is more than the limit of {MAX}")));
    }
    Ok(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_field_by_field() {
        let one = Tokens {
            input: 1,
            output: 2,
            cache_read: 3,
            cache_write_5m: 4,
            cache_write_1h: 5,
            web_search: 6,
        };
        let sum: Tokens = [one, one].into_iter().sum();
        assert_eq!(
            sum,
            Tokens {
                input: 2,
                output: 4,
                cache_read: 6,
                cache_write_5m: 8,
                cache_write_1h: 10,
                web_search: 12
            }
        );
        assert_eq!(sum.prompt(), 26);
        assert_eq!(sum.total(), 30);
    }

    #[test]
    fn a_count_past_the_limit_is_refused() {
        let json = |n: &str| {
            format!(
                r#"{{"input":{n},"output":0,"cache_read":0,"cache_write_5m":0,"cache_write_1h":0,"web_search":0}}"#
            )
        };
        assert!(serde_json::from_str::<Tokens>(&json("10000000000")).is_ok());
        for bad in
            ["10000000001", "1125899906842625", "9223372036854775808", "-1", "1.5", "\"1\"", "null", "1e3"]
        {
            assert!(serde_json::from_str::<Tokens>(&json(bad)).is_err(), "{bad}");
        }
    }
}
