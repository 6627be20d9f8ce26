//! UTC time as it is stored: `Hour` of a row, ISO `Week` of a report.

use jiff::civil::{ISOWeekDate, Weekday};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

const HOUR_SECONDS: i64 = 3600;
/// No session is older, and years of four digits sort as text.
const YEARS: RangeInclusive<i16> = 2000..=9999;

/// Monday of the first week.
const FIRST: Timestamp = Timestamp::constant(946_857_600, 0);

/// The start of a UTC hour; on the wire `2026-11-22T04:00:00Z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Hour(Timestamp);

impl Hour {
    /// The hour an instant lies in.
    pub fn of(instant: Timestamp) -> Self {
        let start = instant.as_second().div_euclid(HOUR_SECONDS) * HOUR_SECONDS;
        Self(Timestamp::from_second(start).unwrap_or(Timestamp::MIN))
    }

    pub fn start(self) -> Timestamp {
        self.0
    }

    pub fn week(self) -> Week {
        Week::of(self.0)
    }
}

impl fmt::Display for Hour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl From<Hour> for String {
    fn from(hour: Hour) -> Self {
        hour.to_string()
    }
}

impl FromStr for Hour {
    type Err = WeekError;

    fn from_str(text: &str) -> Result<Self, WeekError> {
        let bad = || WeekError {
            text: text.chars().take(40).collect(),
            expected: "a UTC hour like 2026-11-22T04:00:00Z",
        };
        let shape = text.bytes().map(|byte| if byte.is_ascii_digit() { b'0' } else { byte });
        if !shape.eq(*b"0000-00-00T00:00:00Z") {
            return Err(bad());
        }
        let instant: Timestamp = text.parse().map_err(|_| bad())?;
        let hour = Self::of(instant);
        if hour.0 == instant { Ok(hour) } else { Err(bad()) }
    }
}

impl TryFrom<String> for Hour {
    type Error = WeekError;

    fn try_from(text: String) -> Result<Self, WeekError> {
        text.parse()
    }
}

/// An ISO 8601 week in UTC, from Monday 00:00:00Z to the next; on the wire `2026-W47`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Week {
    year: i16,
    week: i8,
}

impl Week {
    /// The week an instant lies in; of one that no week [reaches](Self::reaches), the nearest.
    pub fn of(instant: Timestamp) -> Self {
        let date = instant.to_zoned(TimeZone::UTC).date().iso_week_date();
        if date.year() < *YEARS.start() {
            return Self { year: *YEARS.start(), week: 1 };
        }
        Self { year: date.year(), week: date.week() }
    }

    /// Whether some week holds the instant.
    pub fn reaches(instant: Timestamp) -> bool {
        (FIRST..Timestamp::MAX).contains(&instant)
    }

    pub fn contains(self, instant: Timestamp) -> bool {
        self.start() <= instant && instant < self.end()
    }

    /// Monday 00:00:00Z.
    pub fn start(self) -> Timestamp {
        ISOWeekDate::new(self.year, self.week, Weekday::Monday)
            .ok()
            .and_then(|monday| monday.date().to_zoned(TimeZone::UTC).ok())
            .map_or(Timestamp::MIN, |zoned| zoned.timestamp())
    }

    /// The first instant that no longer belongs to the week.
    pub fn end(self) -> Timestamp {
        self.start().saturating_add(SignedDuration::from_hours(7 * 24)).unwrap_or(Timestamp::MAX)
    }

    #[must_use]
    pub fn next(self) -> Self {
        Self::of(self.end())
    }

    #[must_use]
    pub fn previous(self) -> Self {
        Self::of(self.start().saturating_sub(SignedDuration::from_hours(1)).unwrap_or(Timestamp::MIN))
    }
}

impl fmt::Display for Week {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-W{:02}", self.year, self.week)
    }
}

impl From<Week> for String {
    fn from(week: Week) -> Self {
        week.to_string()
    }
}

impl FromStr for Week {
    type Err = WeekError;

    fn from_str(text: &str) -> Result<Self, WeekError> {
        let bad =
            || WeekError { text: text.chars().take(40).collect(), expected: "an ISO week like 2026-W47" };
        let (year, week) = text.split_once("-W").ok_or_else(bad)?;
        let (year, week) = (year.parse().map_err(|_| bad())?, week.parse().map_err(|_| bad())?);
        ISOWeekDate::new(year, week, Weekday::Monday).map_err(|_| bad())?;
        let week = Self { year, week };
        if !YEARS.contains(&year) || week.to_string() != text {
            return Err(bad());
        }
        Ok(week)
    }
}

impl TryFrom<String> for Week {
    type Error = WeekError;

    fn try_from(text: String) -> Result<Self, WeekError> {
        text.parse()
    }
}

/// Text that is not the week or hour it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not {expected}")]
pub struct WeekError {
    text: String,
    expected: &'static str,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check(instant: &str, week: &str) {
        assert_eq!(Week::of(instant.parse().unwrap()).to_string(), week);
    }

    #[test]
    fn weeks_turn_on_monday_and_know_iso_years() {
        check("2026-11-22T23:59:59Z", "2026-W47");
        check("2026-11-23T00:00:00Z", "2026-W48");
        check("2026-12-31T12:00:00Z", "2026-W53");
        check("2027-01-03T23:59:59Z", "2026-W53");
        check("2027-01-04T00:00:00Z", "2027-W01");
        check("2024-12-30T00:00:00Z", "2025-W01");
    }

    #[test]
    fn refuses_what_is_no_week_or_hour() {
        for bad in
            ["2026-W54", "2025-W53", "2026-47", "2026-W7", "2026-W00", "", "x", "1999-W01", "+2026-W47"]
        {
            assert!(bad.parse::<Week>().is_err(), "{bad}");
        }
        for bad in
            ["2026-11-22T04:00:01Z", "2026-11-22T04:30:00Z", "2026-11-22T04:00:00+01:00", "2026-11-22", ""]
        {
            assert!(bad.parse::<Hour>().is_err(), "{bad}");
        }
    }

    #[test]
    fn no_week_is_before_the_first() {
        check("1970-01-01T00:00:00Z", "2000-W01");
        check("2000-01-02T23:59:59Z", "2000-W01");
        for (instant, reached) in
            [("1970-01-01T00:00:00Z", false), ("2000-01-02T23:59:59Z", false), ("2000-01-03T00:00:00Z", true)]
        {
            assert_eq!(Week::reaches(instant.parse().unwrap()), reached, "{instant}");
        }
    }

    proptest! {
        #[test]
        fn any_week_made_parses_back(seconds in Timestamp::MIN.as_second()..=Timestamp::MAX.as_second()) {
            let instant = Timestamp::from_second(seconds).unwrap();
            prop_assert_eq!(Week::reaches(instant), Week::of(instant).contains(instant));
            let week = Week::of(Timestamp::from_second(seconds).unwrap());
            for week in [week, week.next(), week.previous()] {
                prop_assert_eq!(week.to_string().parse::<Week>().unwrap(), week);
            }
        }

        #[test]
        fn a_week_prints_parses_and_follows_its_neighbour(seconds in 946_684_800_i64..32_503_680_000) {
            let instant = Timestamp::from_second(seconds).unwrap();
            let week = Week::of(instant);
            prop_assert_eq!(week.to_string().parse::<Week>().unwrap(), week);
            prop_assert!(week.start() <= instant && instant < week.end());
            prop_assert_eq!(week.next().previous(), week);
            prop_assert!(week < week.next());
            let hour = Hour::of(instant);
            prop_assert_eq!(hour.to_string().parse::<Hour>().unwrap(), hour);
            prop_assert_eq!(hour.week(), week);
        }
    }
}
