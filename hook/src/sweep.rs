//! The sweep: reads every transcript that changed into the ledger, in short transactions.

use crate::absorb;
use crate::checkout::places::Places;
use crate::config::Config;
use crate::reader::reading::{Folders, Reading};
use crate::reader::walk::{self, Transcript};
use crate::state::ledger::{Known, Ledger};
use crate::terms::Terms;
use crate::terms::identity::Identities;
use crate::terms::stage::Stage;
use anyhow::Result;
use jiff::Timestamp;
use meter::SessionId;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use transcript::Lines;

/// Bytes read before they are stored: a crash costs reading them again, and a longer transaction would hold up a
/// session's end. Each writes to most pages of the ledger, so that there should be few.
const BATCH_BYTES: u64 = 128 << 20;
const BATCH_FILES: usize = 1024;
/// Bytes of one file that are read at once.
pub(crate) const PORTION_BYTES: u64 = 32 << 20;

/// How much one sweep may do. The next one goes on where it stopped.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    pub bytes: u64,
    pub time: Duration,
}

impl Bounds {
    /// A sweep nobody asked for.
    pub(crate) const HOOK: Self = Self { bytes: 4 << 30, time: Duration::from_mins(2) };
    pub(crate) const TYPED: Self = Self { bytes: u64::MAX, time: Duration::from_hours(24) };
}

/// What a sweep did.
#[derive(Debug, Default)]
pub(crate) struct Swept {
    pub files: u64,
    pub bytes: u64,
    /// Sessions with new lines.
    pub sessions: BTreeSet<SessionId>,
    /// What could not be read.
    pub troubles: Vec<String>,
}

/// The folders transcripts lie in.
pub(crate) fn roots(config: &Config) -> Vec<PathBuf> {
    walk::roots(
        config.claude_config_dir.as_deref(),
        config.xdg_config_home.as_deref(),
        config.home.as_deref(),
    )
}

/// Reads what is new. `progress` is told the bytes read and the bytes there are.
pub(crate) fn run(
    ledger: &mut Ledger,
    reader: &mut Reader,
    bounds: Bounds,
    progress: &dyn Fn(u64, u64),
) -> Result<Swept> {
    let started = Instant::now();
    let (mut files, troubles) = walk::find(&roots(reader.config));
    let mut swept = Swept { troubles, ..Swept::default() };
    let since = reader.since(ledger)?;
    let looks = ledger.file_looks()?;
    let from = since.map_or(0, Timestamp::as_nanosecond);
    files.retain(|file| {
        absorb::is_new(file, looks.get(&*file.path.to_string_lossy()).copied())
            && i128::from(file.modified) >= from
    });
    // an original was finished before its copies
    files.sort_by(|a, b| (a.modified, &a.path).cmp(&(b.modified, &b.path)));
    let total = files.iter().map(|file| file.size).sum();
    let mut batch = Batch::default();
    let mut files = files.into_iter();
    let mut next = files.next();
    while let Some(file) = next {
        let known = absorb::known(ledger, &file)?;
        let mut goes_on = false;
        match reader.read(&file, known.as_ref(), since, PORTION_BYTES.min(bounds.bytes - swept.bytes)) {
            Ok(Some(reading)) => {
                goes_on = reading.cursor.size < file.size;
                swept.files += u64::from(!goes_on);
                swept.bytes += reading.cursor.offset - reading.from;
                swept.sessions.insert(reading.session.clone());
                batch.push(known, reading);
            }
            Ok(None) => {}
            Err(error) => swept.troubles.push(format!("{error:#}")),
        }
        if goes_on || batch.is_full() {
            batch.store(ledger, reader)?;
        }
        progress(swept.bytes, total);
        // looked at afterwards: however short of time, every run comes further
        if swept.bytes >= bounds.bytes || started.elapsed() >= bounds.time {
            break;
        }
        next = if goes_on { Some(file) } else { files.next() };
    }
    batch.store(ledger, reader)?;
    ledger.owner_settle()?;
    Ok(swept)
}

#[derive(Default)]
struct Batch {
    readings: Vec<(Option<Known>, Reading)>,
    bytes: u64,
}

impl Batch {
    fn push(&mut self, known: Option<Known>, reading: Reading) {
        self.bytes += reading.cursor.offset - reading.from;
        self.readings.push((known, reading));
    }

    fn is_full(&self) -> bool {
        self.bytes >= BATCH_BYTES || self.readings.len() >= BATCH_FILES
    }

    fn store(&mut self, ledger: &mut Ledger, reader: &mut Reader) -> Result<()> {
        ledger.store(&std::mem::take(&mut self.readings), &reader.places.learnt(), None)?;
        self.bytes = 0;
        Ok(())
    }
}

/// Reads transcripts on behalf of those whose sessions may be stored.
pub(crate) struct Reader<'a> {
    config: &'a Config,
    terms: &'a Terms,
    pub places: Places<'a>,
    lines: Lines,
    identities: &'a Identities<'a>,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(config: &'a Config, stage: &'a Stage<'a>, places: Places<'a>) -> Self {
        Self {
            config,
            terms: &stage.scene.terms,
            places,
            lines: Lines::default(),
            identities: &stage.identities,
        }
    }

    /// What is new in `file`, as far as `most` bytes reach; nothing of it where it may not be stored.
    pub(crate) fn read(
        &mut self,
        file: &Transcript,
        known: Option<&Known>,
        since: Option<Timestamp>,
        most: u64,
    ) -> Result<Option<Reading>> {
        let tools: (_, &mut dyn Folders) = (&mut self.lines, &mut self.places);
        let Some(mut reading) = absorb::read(file, known, since, tools, most)? else { return Ok(None) };
        let last = reading.cursor.cwd.clone().map(PathBuf::from);
        // a working tree that was removed names nobody
        let folders = reading.folders.iter().map(PathBuf::from).chain(last.clone());
        let folder = folders.rev().find(|folder| folder.is_dir());
        if folder.is_none() && reading.from > 0 {
            // whoever the lines before were claimed for
            return Ok(Some(reading));
        }
        let folder = folder.or(last);
        let developer = self.identities.claimed(folder.as_deref());
        if !self.terms.admit(&developer) {
            // a file is passed over as a whole, by whoever it names last
            return if reading.cursor.size < file.size {
                self.read(file, known, since, u64::MAX)
            } else {
                Ok(Some(reading.skip()))
            };
        }
        reading.claim(&developer);
        Ok(Some(reading))
    }

    /// The earliest line to read. An earlier bound than before has everything read again.
    fn since(&self, ledger: &mut Ledger) -> Result<Option<Timestamp>> {
        let asked = self.terms.since.unwrap_or(Timestamp::MIN);
        let before = ledger.meta("since")?.and_then(|text| text.parse::<Timestamp>().ok());
        let bound = before.map_or(asked, |before| before.min(asked));
        if before.is_some_and(|before| asked < before) {
            ledger.file_forget_all(false)?;
        }
        if before != Some(bound) {
            ledger.meta_set("since", &bound.to_string())?;
        }
        let developers = self.terms.developers.join(",");
        let before = ledger.meta("developers")?;
        if before.as_ref().is_some_and(|before| *before != developers) {
            ledger.file_forget_all(true)?;
        }
        if before.as_ref() != Some(&developers) {
            ledger.meta_set("developers", &developers)?;
        }
        Ok(Some(bound))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::tests::config;
    use crate::state::ledger::Patience;
    use crate::state::secret::Secret;
    use serde_json::json;
    use std::cell::Cell;
    use std::collections::HashMap;
    use std::fmt::Write;
    use std::fs;
    use std::path::Path;
    use tempfile::TempDir;

    const NOW: Timestamp = Timestamp::constant(1_795_320_000, 0);
    /// Files of a history, by their number of responses.
    const RESPONSES: [usize; 4] = [3, 60, 1, 20];

    /// A home with a session for each number of responses; a prompt of `pad` bytes stands before each.
    fn home(responses: &[usize], pad: usize) -> TempDir {
        let home = tempfile::tempdir().unwrap();
        let projects = home.path().join("projects/-src-pay");
        fs::create_dir_all(&projects).unwrap();
        for (file, responses) in responses.iter().enumerate() {
            let session = format!("00000000-0000-4000-8000-{file:012}");
            let mut lines = String::new();
            for response in 0..*responses {
                let frame =
                    json!({"sessionId": session, "timestamp": "2026-11-22T04:00:00Z", "cwd": "/src/pay"});
                let mut prompt = frame.clone();
                prompt["type"] = json!("user");
                prompt["message"] = json!({"role": "user", "content": "x".repeat(pad)});
                let mut request = frame.clone();
                request["type"] = json!("api-request");
                request["id"] = json!(format!("ask_{response}"));
                let mut answer = frame;
                answer["type"] = json!("assistant");
                answer["requestRef"] = request["id"].clone();
                answer["message"] = json!({"id": format!("msg_{file}_{response}"), "model": "claude-opus-5-5",
                    "stop_reason": "end_turn", "usage": {"input_tokens": 10, "output_tokens": 1 + response}});
                // the client writes these in either order
                let [first, second] = if response % 2 == 0 { [answer, request] } else { [request, answer] };
                writeln!(lines, "{prompt}\n{first}\n{second}").unwrap();
            }
            fs::write(projects.join(format!("{session}.jsonl")), lines).unwrap();
        }
        home
    }

    /// What one run did, in how many portions, and the ledger afterwards.
    fn sweep_once(home: &Path, state: &Path, bounds: Bounds) -> (Swept, usize, Ledger) {
        let place = home.display().to_string();
        let config =
            config(&[("CLAUDE_CONFIG_DIR", &place), ("CPVO_DEVELOPER", "ana@acme.example")], "", None);
        let (here, secret) = (Stage::set(home, &config, false), Secret::of([0; 32]));
        let mut ledger = Ledger::open(state, Patience::Worker, NOW).unwrap();
        let mut reader = Reader::new(&config, &here, Places::new(HashMap::new(), &secret));
        let portions = Cell::new(0);
        let count = |_, _| portions.set(portions.get() + 1);
        let swept = run(&mut ledger, &mut reader, bounds, &count).unwrap();
        assert_eq!(swept.troubles, Vec::<String>::new());
        (swept, portions.get(), ledger)
    }

    /// Sweeps until nothing is new: what each run did, and what the ledger knows after the last.
    fn sweeps(home: &TempDir, bounds: Bounds) -> (Vec<Swept>, Vec<String>) {
        let state = tempfile::tempdir().unwrap();
        let mut runs = Vec::new();
        loop {
            // each run is another process
            let (swept, _, ledger) = sweep_once(home.path(), state.path(), bounds);
            if swept.bytes == 0 {
                let all = ledger.report_all().unwrap();
                let known = all.iter().map(|(key, _)| format!("{:?}", ledger.content(key, None).unwrap()));
                return (runs, known.collect());
            }
            runs.push(swept);
        }
    }

    fn bytes(runs: &[Swept]) -> u64 {
        runs.iter().map(|swept| swept.bytes).sum()
    }

    #[test]
    fn a_history_beyond_the_bound_of_a_run_is_read_in_several() {
        let home = home(&RESPONSES, 0);
        let (whole, known) = sweeps(&home, Bounds::TYPED);
        let [once] = whole.as_slice() else { panic!("{whole:?}") };
        assert_eq!((once.files, known.len()), (4, 4));
        for bound in [1, 500, 2_000, 10_000] {
            let (runs, in_pieces) = sweeps(&home, Bounds { bytes: bound, ..Bounds::TYPED });
            // the line that passes the bound is the last one
            assert!(runs.iter().all(|swept| swept.bytes < bound + 300), "{bound}: {runs:?}");
            assert!(runs.len() as u64 >= once.bytes / (bound + 300), "{bound}: {} runs", runs.len());
            assert_eq!(bytes(&runs), once.bytes, "{bound}: every byte once");
            assert_eq!(runs.iter().map(|swept| swept.files).sum::<u64>(), 4, "{bound}: each file ends once");
            assert_eq!(in_pieces, known, "{bound}");
        }
    }

    /// In how many portions and transactions a history is read by a sweep nobody asked for: once and whole.
    #[track_caller]
    fn check_batches(home: &TempDir, portions: usize, transactions: u64) {
        let state = tempfile::tempdir().unwrap();
        let (_, read, ledger) = sweep_once(home.path(), state.path(), Bounds::HOOK);
        assert_eq!((read, ledger.report_seq().unwrap()), (portions, transactions));
        let (again, ..) = sweep_once(home.path(), state.path(), Bounds::HOOK);
        assert_eq!(again.bytes, 0, "nothing is left");
    }

    #[test]
    fn what_is_read_is_stored_in_batches() {
        check_batches(&home(&RESPONSES, 0), 4, 1);
        check_batches(&home(&[1; BATCH_FILES + 1], 0), BATCH_FILES + 1, 2);
        let (most, part) = (BATCH_BYTES, PORTION_BYTES / 8 * 7);
        let files = usize::try_from(most.div_ceil(part)).unwrap() + 1;
        check_batches(&home(&vec![1; files], usize::try_from(part).unwrap()), files, 2);
    }

    #[test]
    fn a_run_that_is_out_of_time_comes_further_all_the_same() {
        let home = home(&[1, 2, 1], usize::try_from(PORTION_BYTES).unwrap() / 3 * 2);
        let (whole, known) = sweeps(&home, Bounds::TYPED);
        let (runs, in_pieces) = sweeps(&home, Bounds { time: Duration::ZERO, ..Bounds::TYPED });
        assert_eq!((whole.len(), runs.len()), (1, 4), "one for each file, and one more for the long one");
        assert_eq!((bytes(&runs), in_pieces), (bytes(&whole), known));
    }
}
