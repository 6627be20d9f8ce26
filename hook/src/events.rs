//! `session-start` and `session-end`: the client waits for these, so they do the least there is to do.

use crate::absorb;
use crate::checkout::places::Places;
use crate::checkout::repository;
use crate::config::Config;
use crate::detach;
use crate::reader::reading::{Folders, Reading};
use crate::reader::walk;
use crate::state::install::Install;
use crate::state::ledger::{self, Event, Known, Ledger, Patience, Stored};
use crate::sweep::PORTION_BYTES;
use crate::terms::Scope;
use crate::terms::identity::Identities;
use crate::terms::scope::Scene;
use anyhow::{Context, Result, bail};
use jiff::Timestamp;
use meter::{EndReason, SessionId};
use serde::Deserialize;
use std::ffi::OsString;
use std::io::Read;
use std::path::PathBuf;
use transcript::Lines;

/// The client's message is some hundred bytes.
const STDIN_BYTES_MAX: u64 = 1 << 20;
/// How often a session's files are read again because another process was faster.
const READINGS_MAX: u32 = 3;

/// What the client says on stdin, as far as it is needed.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Said {
    pub session_id: SessionId,
    #[serde(default)]
    pub transcript_path: PathBuf,
    pub cwd: PathBuf,
    pub reason: Option<String>,
}

impl Said {
    pub(crate) fn read(stdin: impl Read) -> Result<Self> {
        let mut text = Vec::new();
        stdin.take(STDIN_BYTES_MAX).read_to_end(&mut text).context("cannot read stdin")?;
        if text.is_empty() {
            bail!("stdin is empty: the client's JSON was expected");
        }
        serde_json::from_slice(&text).context("stdin is not the client's JSON")
    }

    pub(crate) fn end_reason(&self) -> EndReason {
        self.reason.as_deref().and_then(EndReason::from_word).unwrap_or(EndReason::Other)
    }

    /// The same, as arguments of a worker.
    fn arguments(&self, job: &str) -> Vec<OsString> {
        let mut arguments: Vec<OsString> = vec!["work".into(), job.into(), "--session".into()];
        arguments.push(self.session_id.as_str().into());
        arguments.extend(["--folder".into(), self.cwd.clone().into_os_string()]);
        arguments
    }
}

/// Hands the sweep to a process of its own.
pub(crate) fn start(said: &Said, config: &Config) -> Result<()> {
    if config.disabled || config.environment.scope == Some(Scope::Off) {
        return Ok(());
    }
    detach::spawn(&said.arguments("sweep"))
}

/// Stores what the session's own files say and hands the delivery to a process of its own.
pub(crate) fn end(said: &Said, config: &Config, now: Timestamp) -> Result<()> {
    if config.disabled || config.environment.scope == Some(Scope::Off) {
        return Ok(());
    }
    let job = match absorb_session(said, config, now, Patience::Event) {
        Ok(Absorbed::Foreign) => return Ok(()),
        Ok(Absorbed::Stored) => "deliver",
        // a sweep reads the same files or holds the ledger, or they are long: the worker has the time
        Ok(Absorbed::Unfinished) => "end",
        Err(error) if ledger::is_busy(&error) => "end",
        Err(error) => return Err(error),
    };
    let mut arguments = said.arguments(job);
    if job == "end" {
        arguments.extend(["--transcript".into(), said.transcript_path.clone().into_os_string()]);
        arguments.extend(["--reason".into(), said.end_reason().as_str().into()]);
    }
    detach::spawn(&arguments)
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Absorbed {
    Stored,
    /// The identity is outside of those that may be stored.
    Foreign,
    /// Not all is stored: the files are longer than one reading, or other processes read the same lines each time.
    Unfinished,
}

/// Reads the session's files into the ledger, no more of them than a sweep would at once.
pub(crate) fn absorb_session(
    said: &Said,
    config: &Config,
    now: Timestamp,
    patience: Patience,
) -> Result<Absorbed> {
    let identities = Identities::new(config, &said.cwd);
    identities.ask(&said.cwd);
    let nameless = crate::state::secret::Secret::of([0; 32]);
    let checkout = repository::find(&said.cwd, &nameless);
    let scene = Scene::of(&said.cwd, checkout.as_ref(), config, false);
    // nothing is opened or written before it is known whose session this is
    let developer = identities.claimed(Some(&said.cwd));
    if scene.scope == Scope::Off || !scene.terms.admit(&developer) {
        return Ok(Absorbed::Foreign);
    }
    let mut ledger = Ledger::open(&config.state, patience, now)?;
    let install = Install::load(&config.state)?;
    let mut places = Places::new(ledger.folder_all()?, &install.secret);
    let event = Event {
        session: said.session_id.clone(),
        developer: Some(developer.clone()),
        client: config.client,
        end_reason: Some(said.end_reason()),
    };
    for _ in 0..READINGS_MAX {
        let (mut readings, whole) = session_read(said, &ledger, scene.terms.since, &mut places)?;
        for (_, reading) in &mut readings {
            reading.claim(&developer);
        }
        let stored = ledger.store(&readings, &places.learnt(), Some(&event))?;
        if !whole {
            break;
        }
        if !stored.contains(&Stored::Overtaken) {
            return Ok(Absorbed::Stored);
        }
    }
    Ok(Absorbed::Unfinished)
}

type Readings = Vec<(Option<Known>, Reading)>;

/// What is new in the session's own files, as far as one reading goes, and whether that is all.
fn session_read(
    said: &Said,
    ledger: &Ledger,
    since: Option<Timestamp>,
    places: &mut Places,
) -> Result<(Readings, bool)> {
    let (mut lines, mut readings, mut left) = (Lines::default(), Vec::new(), PORTION_BYTES);
    for file in walk::session(&said.transcript_path, &said.session_id) {
        let known = absorb::known(ledger, &file)?;
        if !absorb::is_new(&file, known.as_ref().map(Known::look)) {
            continue;
        }
        let tools: (_, &mut dyn Folders) = (&mut lines, &mut *places);
        if let Some(reading) = absorb::read(&file, known.as_ref(), since, tools, left)? {
            left = left.saturating_sub(reading.cursor.offset - reading.from);
            let whole = reading.cursor.size == file.size;
            readings.push((known, reading));
            if left == 0 || !whole {
                return Ok((readings, false));
            }
        }
    }
    Ok((readings, true))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::tests::config;
    use serde_json::json;
    use std::fs;

    const NOW: Timestamp = Timestamp::constant(1_795_320_000, 0);
    const SESSION: &str = "00000000-0000-4000-8000-000000000001";

    /// A prompt of `bytes`, and its answer.
    fn turn(id: &str, bytes: usize) -> String {
        let line = |kind: &str, message: serde_json::Value| json!({"type": kind, "sessionId": SESSION, "timestamp": "2026-11-22T04:00:00Z", "message": message});
        let prompt = line("user", json!({"role": "user", "content": "x".repeat(bytes)}));
        let usage = json!({"input_tokens": 10, "output_tokens": 5});
        let answer = line("assistant", json!({"id": id, "model": "claude-opus-5-5", "usage": usage}));
        format!("{prompt}\n{answer}\n")
    }

    #[test]
    fn a_session_of_more_than_one_reading_is_stored_in_several() {
        let home = tempfile::tempdir().unwrap();
        let at = |path: String| home.path().join(path);
        let part = usize::try_from(PORTION_BYTES).unwrap() / 3 * 2;
        fs::create_dir_all(at(format!("{SESSION}/subagents"))).unwrap();
        fs::write(at(format!("{SESSION}.jsonl")), turn("msg_1", part)).unwrap();
        fs::write(at(format!("{SESSION}/subagents/agent-1.jsonl")), turn("msg_2", part)).unwrap();
        let said = json!({"session_id": SESSION, "cwd": home.path(), "transcript_path": at(format!("{SESSION}.jsonl"))});
        let said = Said::read(said.to_string().as_bytes()).unwrap();
        let mut config = config(&[("CPVO_DEVELOPER", "ana@acme.example")], "", None);
        config.state = at("state".to_owned());
        let known = || {
            let ledger = Ledger::open(&config.state, Patience::Worker, NOW).unwrap();
            let all = ledger.report_all().unwrap();
            all.iter().map(|(key, _)| ledger.content(key, None).unwrap().rows.len()).sum::<usize>()
        };
        let absorb = || absorb_session(&said, &config, NOW, Patience::Worker).unwrap();
        assert_eq!(
            (absorb(), known()),
            (Absorbed::Unfinished, 1),
            "the session's own file, and a part of another"
        );
        assert_eq!((absorb(), known()), (Absorbed::Stored, 2));
        assert_eq!((absorb(), known()), (Absorbed::Stored, 2), "nothing is left");
    }
}
