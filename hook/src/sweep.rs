//! The sweep: reads every transcript that changed into the ledger, in short transactions.

use crate::absorb;
use crate::checkout::places::Places;
use crate::config::Config;
use crate::reader::reading::Reading;
use crate::reader::walk::{self, Transcript};
use crate::state::ledger::{Known, Ledger, text};
use crate::terms::Terms;
use crate::terms::identity::Identities;
use anyhow::Result;
use jiff::Timestamp;
use meter::SessionId;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Bytes read before they are stored: a crash costs reading them again, a longer transaction would hold up a
/// session's end.
const BATCH_BYTES: u64 = 16 << 20;
const BATCH_FILES: usize = 64;

/// How much one sweep may do.
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
        absorb::is_new(file, looks.get(&text(&file.path)).copied()) && i128::from(file.modified) >= from
    });
    // an original was finished before its copies
    files.sort_by(|a, b| (a.modified, &a.path).cmp(&(b.modified, &b.path)));
    let total = files.iter().map(|file| file.size).sum();
    let mut batch = Batch::default();
    for file in files {
        if swept.bytes >= bounds.bytes || started.elapsed() >= bounds.time {
            break;
        }
        let known = absorb::known(ledger, &file)?;
        match reader.read(&file, known.as_ref(), since) {
            Ok(Some(reading)) => {
                swept.files += 1;
                swept.bytes += reading.cursor.offset - reading.from;
                swept.sessions.insert(reading.session.clone());
                batch.push(known, reading);
            }
            Ok(None) => {}
            Err(error) => swept.troubles.push(format!("{error:#}")),
        }
        if batch.is_full() {
            batch.store(ledger, reader)?;
        }
        progress(swept.bytes, total);
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
    identities: Identities<'a>,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(config: &'a Config, terms: &'a Terms, places: Places<'a>, own: &Path) -> Self {
        Self { config, terms, places, identities: Identities::new(config, own) }
    }

    /// What is new in `file`; nothing of it where it may not be stored.
    pub(crate) fn read(
        &mut self,
        file: &Transcript,
        known: Option<&Known>,
        since: Option<Timestamp>,
    ) -> Result<Option<Reading>> {
        let Some(mut reading) = absorb::read(file, known, since, &mut self.places)? else { return Ok(None) };
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
            return Ok(Some(reading.skip()));
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
