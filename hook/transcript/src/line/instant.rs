//! The time of a line: most are written within the minute of the one before, so that only seconds are read.

use crate::json;
use jiff::Timestamp;

/// `2026-11-22T04:00:`
const MINUTE_BYTES: usize = 17;

/// Reads the times of one line after another.
#[derive(Default)]
pub(super) struct Instants {
    /// The minute as it was written last, and its first millisecond.
    minute: Vec<u8>,
    start: i64,
}

impl Instants {
    /// The instant that is written as `raw`.
    pub(super) fn read(&mut self, raw: &[u8]) -> Option<Timestamp> {
        let written = raw.split_at_checked(MINUTE_BYTES);
        let written = written.and_then(|(minute, seconds)| Some((minute, milliseconds(seconds)?)));
        if let Some((minute, within)) = written
            && self.minute == minute
        {
            return Timestamp::from_millisecond(self.start + within).ok();
        }
        let at: Timestamp = json::unescape(raw)?.parse().ok()?;
        if let Some((minute, within)) = written {
            minute.clone_into(&mut self.minute);
            self.start = at.as_millisecond() - within;
        }
        Some(at)
    }
}

/// What `19.123Z` is, as the client writes seconds.
fn milliseconds(seconds: &[u8]) -> Option<i64> {
    let [tens, ones, b'.', fraction @ .., b'Z'] = seconds else { return None };
    let digit = |sum: i64, byte: &u8| byte.is_ascii_digit().then(|| sum * 10 + i64::from(byte - b'0'));
    let number = [tens, ones].into_iter().chain(fraction).try_fold(0, digit)?;
    (fraction.len() == 3 && number < 60_000).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Every text is the instant that reading it alone gives, whatever was read before.
    #[track_caller]
    fn check(texts: &[String]) {
        let mut instants = Instants::default();
        for text in texts {
            assert_eq!(instants.read(text.as_bytes()), text.parse().ok(), "{text} of {texts:?}");
        }
    }

    #[test]
    fn what_is_written_otherwise_is_read_as_a_whole() {
        let others = [
            "2026-11-22T04:00:60.000Z",
            "2026-11-22T04:00:5.0000Z",
            "2026-11-22T04:00:59.99Z",
            "2026-11-22T04:00:59Z",
            "2026-11-22T04:00:59.1234Z",
            "2026-11-22T04:00:59.123+01:00",
            "+002026-11-22T04:00.123Z",
            "2026-11-22 04:00:59.123Z",
            "1969-12-31T23:59:59.999Z",
            "9999-12-30T22:00:59.999Z",
            "2026-11-22T04:00:",
            "",
        ];
        for other in others {
            let client = "2026-11-22T04:00:19.123Z";
            check(&[client, other, other, client, "2026-11-22T04:00:59.999Z"].map(str::to_owned));
        }
        let mut instants = Instants::default();
        let escaped = instants.read(br"2026-11-22T04:00:\u0031\u0039Z");
        assert_eq!(escaped, "2026-11-22T04:00:19Z".parse().ok());
    }

    proptest! {
        #[test]
        fn no_time_depends_on_the_one_before(
            parts in prop::collection::vec((0..3_i64, 0..62_i64, 0..62_i64, 0..1000_i64), 1..20),
        ) {
            let text = |(hour, minute, second, ms)| format!("2026-11-22T0{hour}:{minute:02}:{second:02}.{ms:03}Z");
            check(&parts.into_iter().map(text).collect::<Vec<_>>());
        }
    }
}
