//! What the hooks cost a session, beside a process that only starts and fsyncs once, in the same run.
//!
//! `bench CPVO_HOOK` plays a laptop with 2,300 transcripts and ends a 1 MB session fifty times. Each turn runs the
//! no-op, the start, the end and a sweep that finds one changed transcript, one after the other, so that a busy
//! machine is busy for all of them. Reports go to a collector in this process, so that nothing waits for the network.

use anyhow::{Context, Result, ensure};
use serde_json::json;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use tests::processes;
use tests::program::run;
use tests::sink::sink;

const TRANSCRIPTS: u64 = 2_300;
const RUNS: u64 = 50;
const SESSION_BYTES: usize = 1 << 20;
/// What the design allows above the no-op.
const END_MS_MAX: f64 = 15.0;
const START_MS_MAX: f64 = 5.0;
const SWEEP_MS_MAX: f64 = 25.0;

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let first = arguments.next().context("usage: bench CPVO_HOOK")?;
    if first == "no-op" {
        return no_op(&arguments.next().context("usage: bench no-op FILE")?);
    }
    let laptop = Laptop::new(Path::new(&first).canonicalize().context("no cpvo-hook there")?)?;
    laptop.report()
}

/// What any hook that keeps something must do: start, write, fsync.
fn no_op(path: &str) -> Result<()> {
    let mut file = File::create(path)?;
    file.write_all(b"{}")?;
    Ok(file.sync_all()?)
}

struct Laptop {
    hook: PathBuf,
    url: String,
    folder: tempfile::TempDir,
}

impl Laptop {
    fn new(hook: PathBuf) -> Result<Self> {
        let url = sink()?;
        let laptop = Self { hook, url, folder: tempfile::Builder::new().prefix("cpvo-bench-").tempdir()? };
        let repo = laptop.repo();
        fs::create_dir_all(repo.join(".claude"))?;
        let settings = json!({"env": {"CPVO_URL": &laptop.url, "CPVO_TOKEN": "none"}});
        fs::write(repo.join(".claude/settings.json"), settings.to_string())?;
        let git = |arguments: &[&str]| run(Command::new("git").args(arguments).current_dir(&repo)).success();
        git(&["init", "-q", "-b", "main"]);
        git(&["config", "user.email", "ana@acme.example"]);
        git(&["remote", "add", "origin", "https://github.com/acme/pay.git"]);
        for session in 0..TRANSCRIPTS - RUNS {
            laptop.write_session(session, 4_000)?;
        }
        run(&mut laptop.command(&["sweep"])).success();
        Ok(laptop)
    }

    fn repo(&self) -> PathBuf {
        self.folder.path().join("pay")
    }

    fn transcript(&self, session: u64) -> PathBuf {
        let folder = self.folder.path().join("home/.claude/projects/-pay");
        folder.join(format!("{}.jsonl", id(session)))
    }

    /// A session of about `bytes`, a response of 1,800 bytes at a time.
    fn write_session(&self, session: u64, bytes: usize) -> Result<()> {
        let path = self.transcript(session);
        fs::create_dir_all(path.parent().context("a transcript lies in a folder")?)?;
        let (mut text, mut turn) = (String::new(), 0);
        while text.len() < bytes {
            text += &self.response(session, turn);
            turn += 1;
        }
        Ok(fs::write(path, text)?)
    }

    /// The session goes on by one response.
    fn append(&self, session: u64, turn: usize) -> Result<()> {
        let mut file = fs::OpenOptions::new().append(true).open(self.transcript(session))?;
        Ok(file.write_all(self.response(session, turn).as_bytes())?)
    }

    fn response(&self, session: u64, turn: usize) -> String {
        let usage = json!({
            "input_tokens": 10, "output_tokens": 200, "cache_read_input_tokens": 20_000 + turn,
            "cache_creation_input_tokens": 500, "speed": "standard",
            "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 500},
        });
        let line = json!({
            "parentUuid": null, "isSidechain": false, "type": "assistant", "sessionId": id(session),
            "uuid": format!("{session}-{turn}"), "requestId": format!("req_{session}_{turn}"),
            "timestamp": "2026-11-18T10:00:00.000Z", "cwd": self.repo(), "gitBranch": "main", "version": "2.1.330",
            "message": {
                "id": format!("msg_{session:08}{turn:08}"), "type": "message", "role": "assistant",
                "model": "claude-opus-5-5", "content": [{"type": "text", "text": "x".repeat(1_000)}],
                "stop_reason": "end_turn", "usage": usage,
            },
        });
        format!("{line}\n")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.hook);
        command
            .args(arguments)
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("HOME", self.folder.path().join("home"))
            .env("CPVO_STATE_DIR", self.folder.path().join("state"))
            .env("CPVO_URL", &self.url)
            .env("CPVO_TOKEN", "none")
            .current_dir(self.repo());
        command
    }

    fn event(&self, event: &str, session: u64) -> Result<Duration> {
        let input = json!({
            "session_id": id(session), "transcript_path": self.transcript(session), "cwd": self.repo(),
            "hook_event_name": event, "reason": "other", "source": "startup",
        });
        let took = timed(&mut self.command(&[event]), &input.to_string())?;
        // the detached work is not measured with the next event
        processes::await_end(self.folder.path());
        Ok(took)
    }

    fn report(&self) -> Result<()> {
        let (mut nothing, mut starts, mut ends, mut sweeps) =
            (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let this = std::env::current_exe()?;
        for session in TRANSCRIPTS - RUNS..TRANSCRIPTS {
            self.write_session(session, SESSION_BYTES)?;
            let file = self.folder.path().join("no-op");
            nothing.push(timed(Command::new(&this).arg("no-op").arg(file), "")?);
            ends.push(self.event("session-end", session)?);
            starts.push(self.event("session-start", session)?);
            self.append(session - RUNS, 99)?;
            sweeps.push(timed(&mut self.command(&["sweep"]), "")?);
        }
        let size = fs::metadata(&self.hook)?.len();
        say(&format!("cpvo-hook: {size} bytes ({:.2} MiB)", mib(size)));
        say(&format!("{TRANSCRIPTS} transcripts, a session of 1 MB, {RUNS} turns; milliseconds"));
        say("                         median      max   above the no-op   bar");
        let base = median(&mut nothing);
        for (name, mut times, bar) in [
            ("no-op", nothing, None),
            ("session-start", starts, Some(START_MS_MAX)),
            ("session-end", ends, Some(END_MS_MAX)),
            ("sweep, one changed", sweeps, Some(SWEEP_MS_MAX)),
        ] {
            let (middle, most) = (median(&mut times), ms(*times.last().context("no runs")?));
            let above = bar.map_or(String::new(), |bar| {
                let above = middle - base;
                format!("{above:>15.2}   {bar:>3.0} ({:.0} % of it)", above / bar * 100.0)
            });
            say(&format!("{name:<20} {middle:>10.2} {most:>8.2} {above}"));
        }
        Ok(())
    }
}

fn id(session: u64) -> String {
    format!("00000000-0000-4000-8000-{session:012}")
}

fn timed(command: &mut Command, input: &str) -> Result<Duration> {
    let start = Instant::now();
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    // a program that does not read its input may be gone by now
    let _ = child.stdin.take().context("stdin is piped")?.write_all(input.as_bytes());
    let status = child.wait()?;
    let took = start.elapsed();
    ensure!(status.success(), "{command:?} ended with {status}");
    Ok(took)
}

fn median(times: &mut [Duration]) -> f64 {
    times.sort();
    ms(times[times.len() / 2])
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

#[expect(clippy::cast_precision_loss, reason = "for people")]
fn mib(bytes: u64) -> f64 {
    bytes as f64 / 1_048_576.0
}

#[expect(clippy::print_stdout, reason = "a bench prints")]
fn say(line: &str) {
    println!("{line}");
}
