//! The doors by which bytes of others come in, for the fuzzer and for property tests: each takes anything, and ends.

use crate::absorb;
use crate::delivery::report::{self, Imprint};
use crate::reader::reading::Folders;
use crate::reader::walk;
use crate::state::ledger::{Collector, Ledger, Patience};
use crate::state::secret::Secret;
use crate::terms::Branches;
use anyhow::Result;
use jiff::Timestamp;
use meter::{Developer, InstallId, PriceBook, Report};
use std::fs;
use std::io::{self, Cursor, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::{Arc, OnceLock};
use transcript::Lines;
use transcript::Parsed;

const NOW: Timestamp = Timestamp::constant(1_795_320_000, 0);
const ORIGIN: &str = "https://cpvo.example";
const SESSION: &str = "00000000-0000-4000-8000-000000000001";
const TRANSCRIPT: &str = r#"{"type":"user","uuid":"u","timestamp":"2026-11-18T09:59:00Z","cwd":"/pay","gitBranch":"main","version":"2.1.330","message":{"role":"user","content":"go"}}
{"type":"assistant","timestamp":"2026-11-18T10:00:00Z","cwd":"/pay","gitBranch":"main","requestId":"req_1","message":{"id":"msg_1","type":"message","model":"claude-opus-5-5","stop_reason":"end_turn","usage":{"input_tokens":10,"output_tokens":5,"cache_read_input_tokens":9}}}
{"type":"assistant","timestamp":"2026-11-25T10:00:00Z","cwd":"/","requestId":"req_2","message":{"id":"msg_2","type":"message","model":"claude-haiku-5-5","stop_reason":null,"usage":{"input_tokens":1,"output_tokens":1}}}
{"type":"cost-state","totalCostUSD":0.000145,"modelUsage":{"claude-opus-5-5":{"inputTokens":10,"outputTokens":5,"costUSD":0.00014}}}
"#;

/// Shorter than most lines.
const SPAN_BYTES: u64 = 64;

/// A transcript: what its lines say does not depend on the portions it comes in, nor on how far it is read at a time,
/// nor on the lines that were read before.
pub fn line(bytes: &[u8]) {
    let whole = read(&mut Cursor::new(bytes));
    assert!(whole.1 <= bytes.len() as u64);
    assert_eq!(read(&mut Drops(Cursor::new(bytes))), whole);
    assert_eq!(read_in_spans(&mut Cursor::new(bytes)), whole);
}

fn read(file: &mut (impl Read + Seek)) -> (Vec<Parsed>, u64) {
    let mut all = Vec::new();
    let end = Lines::default().read(file, 0..u64::MAX, &mut |parsed| all.push(parsed));
    (all, end.expect("memory can be read"))
}

fn read_in_spans(file: &mut (impl Read + Seek)) -> (Vec<Parsed>, u64) {
    let (mut all, mut end) = (Vec::new(), 0);
    loop {
        let span = end..end + SPAN_BYTES;
        end = Lines::default()
            .read(file, span.clone(), &mut |parsed| all.push(parsed))
            .expect("memory can be read");
        if end < span.end {
            return (all, end);
        }
    }
}

/// A file that gives one byte at a time.
struct Drops<'a>(Cursor<&'a [u8]>);

impl Read for Drops<'_> {
    fn read(&mut self, window: &mut [u8]) -> io::Result<usize> {
        let room = window.len().min(1);
        self.0.read(&mut window[..room])
    }
}

impl Seek for Drops<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.0.seek(to)
    }
}

/// A report: one that is taken can be written, read again and priced.
pub fn report(bytes: &[u8]) {
    let Ok(Ok(report)) = str::from_utf8(bytes).map(Report::parse) else { return };
    let again = serde_json::to_string(&report).expect("a report is JSON");
    assert_eq!(Report::parse(&again).expect("what was taken once"), report);
    assert!(!report.content().is_empty());
    let book = PriceBook::embedded();
    for row in &report.usage {
        // an unknown model has no price
        let _ = book.cost(report.provider, row);
    }
}

/// A ledger in `folder` with bytes overwritten: each five of `spoilt` are a place and a value. It opens or says why
/// not, and whatever is asked of it is answered or said to be wrong.
pub fn ledger(folder: &Path, spoilt: &[u8]) {
    static WHOLE: OnceLock<Vec<u8>> = OnceLock::new();
    let mut bytes = WHOLE.get_or_init(|| whole(folder).expect("a ledger nobody spoilt")).clone();
    for spot in spoilt.chunks_exact(5) {
        let place = u32::from_le_bytes([spot[0], spot[1], spot[2], spot[3]]) as usize % bytes.len();
        bytes[place] = spot[4];
    }
    clear(folder);
    fs::write(folder.join("ledger.db"), bytes).expect("a spoilt ledger");
    if let Ok(mut ledger) = Ledger::open(folder, Patience::Worker, NOW) {
        // no answer is as good as any: what is spoilt cannot be right
        let _ = tell(&ledger);
        let _ = learn(&mut ledger, folder);
    }
}

fn clear(folder: &Path) {
    for file in fs::read_dir(folder).expect("a folder").flatten() {
        fs::remove_file(file.path()).expect("a file of the last time");
    }
}

/// The bytes of a ledger that knows a transcript and a collector.
fn whole(folder: &Path) -> Result<Vec<u8>> {
    clear(folder);
    let mut ledger = Ledger::open(folder, Patience::Worker, NOW)?;
    learn(&mut ledger, folder)?;
    let collector = ledger.collector(ORIGIN)?;
    ledger.collector_set(&collector)?;
    tell(&ledger)?;
    ledger.checkpoint()?;
    drop(ledger);
    Ok(fs::read(folder.join("ledger.db"))?)
}

/// Reads a transcript, as a sweep does.
fn learn(ledger: &mut Ledger, folder: &Path) -> Result<()> {
    let path = folder.join(format!("{SESSION}.jsonl"));
    fs::write(&path, TRANSCRIPT)?;
    let mut readings = Vec::new();
    for file in walk::session(&path, &SESSION.parse()?) {
        let known = ledger.file(&file.path)?;
        let tools: (&mut Lines, &mut dyn Folders) = (&mut Lines::default(), &mut Pay);
        if let Some(mut reading) = absorb::read(&file, known.as_ref(), None, tools, u64::MAX)? {
            reading.claim(&developer());
            readings.push((known, reading));
        }
    }
    ledger.store(&readings, &[], None)?;
    ledger.owner_settle()
}

/// Asks for everything a delivery asks for, and writes the reports.
fn tell(ledger: &Ledger) -> Result<()> {
    ledger.folder_all()?;
    ledger.delivery_done(ORIGIN)?;
    ledger.delivery_troubled(ORIGIN)?;
    ledger.report_waiting(ORIGIN, "")?;
    let Collector { epoch, .. } = ledger.collector(ORIGIN)?;
    let (install_id, secret) = (InstallId::try_from("0".repeat(32))?, Secret::of([0; 32]));
    let imprint = Imprint { install_id: &install_id, secret: &secret, branches: Branches::Plain, epoch };
    for (key, seq) in ledger.report_all()? {
        ledger.account(&key.session)?;
        let report = report::build(&key, seq, ledger.content(&key, None)?, developer(), &imprint);
        serde_json::to_string(&report)?;
    }
    Ok(())
}

fn developer() -> Developer {
    Developer::Team("payments".parse().expect("a name"))
}

/// Every folder is of one repository, save the root.
struct Pay;

impl Folders for Pay {
    fn repo(&mut self, folder: &str) -> Arc<str> {
        if folder == "/" { "" } else { "git.example/acme/pay" }.into()
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    /// Anything, or what the client writes with something else in its midst.
    fn spoilt(text: &'static str) -> impl Strategy<Value = Vec<u8>> {
        let patch = (0..text.len(), 0..text.len(), vec(any::<u8>(), 0..20));
        let patched = patch.prop_map(|(a, b, bytes)| {
            let mut text = text.as_bytes().to_vec();
            text.splice(a.min(b)..a.max(b), bytes);
            text
        });
        prop_oneof![vec(any::<u8>(), 0..200), patched]
    }

    proptest! {
        #[test]
        fn no_line_is_too_odd(bytes in spoilt(super::TRANSCRIPT)) {
            super::line(&bytes);
        }

        #[test]
        fn no_report_is_too_odd(bytes in spoilt(include_str!("../../meter/golden/report.json"))) {
            super::report(&bytes);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn no_ledger_is_too_odd(spoilt in vec(any::<u8>(), 0..200)) {
            super::ledger(tempfile::tempdir().unwrap().path(), &spoilt);
        }
    }
}
