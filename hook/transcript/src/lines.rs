//! The lines of a transcript from an offset on.
//!
//! Every line is walked. A search for a few words could not tell one that counts for nothing: its time and folder
//! are what the next lines inherit, whether it is sound is counted, and a name can be written with escapes.
//!
//! No memory map: a file that shrinks while it is read must not kill us. What the client has not finished writing
//! is left for the next time.

use crate::json::{Shape, Source, Window};
use crate::line::{Parsed, Parser};
use meter::SessionId;
use std::io::{Cursor, Read, Result, Seek, SeekFrom};
use std::ops::Range;

/// Where the first line that names its session must end.
const HEAD_BYTES: u64 = 1 << 20;

/// Reads one file after another.
#[derive(Default)]
pub struct Lines {
    window: Window,
    parser: Parser,
}

impl Lines {
    /// Hands every whole line that begins in `span` to `take`, and returns the offset to go on from.
    ///
    /// The last line is whole when it ends, or when it is an object without its line break yet: nothing but
    /// the break can follow. Empty lines are no lines.
    pub fn read(
        &mut self,
        file: &mut (impl Read + Seek),
        span: Range<u64>,
        take: &mut dyn FnMut(Parsed),
    ) -> Result<u64> {
        file.seek(SeekFrom::Start(span.start))?;
        let mut source = Source::new(file, &mut self.window);
        let mut taken = span.start;
        loop {
            let (shape, parsed) = self.parser.read(&mut source);
            let ended = source.end_line()?;
            if ended || shape == Shape::Whole {
                taken = span.start + source.offset();
                if shape != Shape::Blank {
                    take(parsed);
                }
            }
            if !ended || taken >= span.end {
                return Ok(taken);
            }
        }
    }

    /// The session the first line names that names any, for files whose place does not.
    pub fn session(&mut self, file: &mut impl Read) -> Result<Option<SessionId>> {
        let mut head = Vec::new();
        file.take(HEAD_BYTES).read_to_end(&mut head)?;
        let mut named = None;
        self.read(&mut Cursor::new(head), 0..HEAD_BYTES, &mut |parsed| {
            if let Parsed::Line(line) = parsed {
                named = named.take().or(line.session);
            }
        })?;
        Ok(named)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A file that gives its bytes in portions of its own choosing.
    struct Portions<'a>(Cursor<&'a [u8]>, Vec<usize>);

    impl Read for Portions<'_> {
        fn read(&mut self, window: &mut [u8]) -> Result<usize> {
            let portion = self.1.pop().map_or(window.len(), |portion| portion.clamp(1, window.len()));
            self.0.read(&mut window[..portion])
        }
    }

    impl Seek for Portions<'_> {
        fn seek(&mut self, to: SeekFrom) -> Result<u64> {
            self.0.seek(to)
        }
    }

    fn lines(text: &[u8], from: u64, portions: Vec<usize>) -> (Vec<Parsed>, u64) {
        lines_in(text, from..u64::MAX, portions)
    }

    fn lines_in(text: &[u8], span: Range<u64>, portions: Vec<usize>) -> (Vec<Parsed>, u64) {
        let mut all = Vec::new();
        let mut file = Portions(Cursor::new(text), portions);
        let end = Lines::default().read(&mut file, span, &mut |parsed| all.push(parsed)).unwrap();
        (all, end)
    }

    /// `y`: a line, `n`: a malformed one.
    #[track_caller]
    fn check(text: &[u8], verdicts: &str, end: usize) {
        let (all, taken) = lines(text, 0, Vec::new());
        let all: String =
            all.iter().map(|parsed| if matches!(parsed, Parsed::Line(_)) { 'y' } else { 'n' }).collect();
        assert_eq!((all.as_str(), taken), (verdicts, end as u64), "{}", String::from_utf8_lossy(text));
    }

    #[test]
    fn a_half_line_is_left_for_the_next_time() {
        check(b"{}\n{\"type\":\"us", "y", 3);
        check(b"{}\n{}\n", "yy", 6);
        check(b"", "", 0);
        check(b"{\"a\":", "", 0);
        check(b"{}\n{}", "yy", 5);
        check(b"{}\n{} ", "yy", 6);
        check(b"{}\n \0", "y", 3);
    }

    #[test]
    fn what_is_no_line_of_json_is_counted_and_passed() {
        check(b"{}\n\n  \r\n{}\r\n", "yy", 12);
        check(b"\0\0\0{}\n{}\n", "ny", 9);
        check(b"{\"type\":\"us{\"type\":\"user\"}\n{}\n", "ny", 30);
        check(b"\xff\xfe\n{}\n", "ny", 6);
        check(b"{\"x\":\"\xff\"}\n", "y", 10);
    }

    #[test]
    fn a_span_ends_with_the_line_that_passes_it() {
        let text = b"{}\n\n{\"a\":1}\n{}\n{";
        let ends = |most: u64| {
            let mut ends = vec![0];
            loop {
                let from = ends[ends.len() - 1];
                let (_, end) = lines_in(text, from..from + most, Vec::new());
                if end == from {
                    return ends;
                }
                ends.push(end);
            }
        };
        assert_eq!(ends(1), [0, 3, 4, 12, 15]);
        assert_eq!(ends(4), [0, 4, 12, 15]);
        assert_eq!(ends(5), [0, 12, 15]);
        assert_eq!(ends(99), [0, 15]);
    }

    #[test]
    fn the_first_line_that_names_a_session_names_the_file_s() {
        let id = "8b41c8a0-0000-4000-8000-000000000001";
        let text = format!(
            "{{}}\nnot json\n{{\"sessionId\":\"{id}\"}}\n{{\"sessionId\":\"{}\"}}\n",
            id.replace('1', "2")
        );
        let session = |text: &str| Lines::default().session(&mut text.as_bytes()).unwrap();
        assert_eq!(session(&text), id.parse().ok());
        assert_eq!(session("{}\n"), None);
    }

    #[test]
    fn a_line_of_any_length_is_read_through_one_window() {
        let mut text = b"{\"type\":\"user\",\"x\":\"".to_vec();
        let quoted = [b"ab\\\"{".as_slice(), &[b'x'; 1019]].concat();
        (0..100 << 10).for_each(|_| text.extend(&quoted));
        text.extend(b"\",\"timestamp\":\"2026-11-22T04:00:00Z\"}\n");
        assert!(text.len() > 100 << 20);
        let (all, end) = lines(&text, 0, Vec::new());
        assert_eq!(end, text.len() as u64);
        let [Parsed::Line(line)] = all.as_slice() else { panic!("one line") };
        assert_eq!(line.at, Some("2026-11-22T04:00:00Z".parse().unwrap()));
    }

    proptest! {
        #[test]
        fn reading_in_any_sweeps_and_portions_is_reading_once(
            kinds in prop::collection::vec(0..6_usize, 0..12),
            stops in prop::collection::vec(any::<prop::sample::Index>(), 0..4),
            portions in prop::collection::vec(1..40_usize, 0..60),
        ) {
            let samples = [
                "{\"type\":\"user\",\"cwd\":\"/a\\\"b\"}\n", "\n", "{\"type\":\n", "not json\n",
                "{\"type\":\"system\",\"subtype\":\"api_error\",\"sessionId\":\"8b41c8a0-0000-4000-8000-000000000001\"}\r\n",
                "{\"type\":\"assistant\",\"message\":{\"id\":\"msg_1\",\"usage\":{\"output_tokens\":5}}}\n",
            ];
            let text: String = kinds.iter().map(|kind| samples[*kind]).collect();
            let mut stops: Vec<usize> = stops.iter().map(|stop| stop.index(text.len() + 1)).collect();
            stops.extend([text.len()]);
            stops.sort_unstable();
            let (mut all, mut from) = (Vec::new(), 0);
            for stop in stops {
                let (more, end) = lines(&text.as_bytes()[..stop], from, portions.clone());
                all.extend(more);
                from = end;
            }
            prop_assert_eq!((all, from), lines(text.as_bytes(), 0, Vec::new()));
        }
    }
}
