//! The hook killed at every call by which it changes anything, or out of room there: each report is delivered
//! exactly once in effect.

use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use tests::World;
use tests::lot::Lot;
use tests::processes;
use tests::program::{Seen, binary, command, run};
use tests::strace::{self, Fault, Point};
use tests::transcript::{Transcript, tokens};

/// How many points of a job are tried where not all are.
const FEW: usize = 6;

/// What the hook does when it meets its fault.
#[derive(Debug, Clone, Copy)]
enum Job {
    Start,
    End,
    /// The end of a session on a machine that does not outlive it: stores and delivers in one process.
    EndInline,
    /// The process between a hook and its worker.
    Relay,
    Sweep,
    /// A person's own sweep.
    Typed,
}

const JOBS: [Job; 6] = [Job::Start, Job::End, Job::EndInline, Job::Relay, Job::Sweep, Job::Typed];

/// A developer's machine with a state and transcripts of its own.
struct Machine<'a> {
    world: &'a World,
    folder: PathBuf,
    sessions: Vec<Transcript>,
    /// Output tokens by session, as written to the transcripts.
    truth: BTreeMap<String, u64>,
}

impl<'a> Machine<'a> {
    /// A new machine with two sessions nobody has read.
    fn new(world: &'a World, name: &str) -> Self {
        let folder = world.folder().join(name);
        let mut machine = Self { world, folder, sessions: Vec::new(), truth: BTreeMap::new() };
        machine.begin(&[5, 7]);
        machine.begin(&[11]);
        machine
    }

    /// The same machine after days of use: the first sessions are delivered, one has grown, one is new.
    fn used(mut self) -> Self {
        self.deliver();
        self.respond(0, 13);
        self.begin(&[17, 19]);
        self
    }

    fn begin(&mut self, outputs: &[u64]) {
        self.sessions.push(Transcript::begin(&self.folder, &self.world.repo.path));
        for output in outputs {
            self.respond(self.sessions.len() - 1, *output);
        }
    }

    fn respond(&mut self, session: usize, output: u64) {
        let transcript = &mut self.sessions[session];
        transcript.response(tokens(output));
        *self.truth.entry(transcript.session.clone()).or_default() += output;
    }

    fn hook(&self, args: &[&str]) -> Command {
        let mut hook = command(binary("cpvo-hook"), &self.world.home);
        hook.current_dir(&self.world.repo.path)
            .args(args)
            .env("CPVO_STATE_DIR", self.folder.join("state"))
            .env("CLAUDE_CONFIG_DIR", self.folder.join(".claude"));
        hook
    }

    /// The hook about to do a job for the newest session, and what it is told on stdin.
    fn job(&self, job: Job) -> (Command, String) {
        let newest = self.sessions.last().expect("a session");
        let event = json!({"session_id": newest.session, "transcript_path": newest.path,
            "cwd": newest.folder, "source": "startup", "reason": "other"});
        let folder = newest.folder.display().to_string();
        let worker =
            |job| ["work", job, "--session", &newest.session, "--folder", &folder].map(str::to_owned);
        let words = |words: &[String]| self.hook(&words.iter().map(String::as_str).collect::<Vec<_>>());
        let program = match job {
            Job::Start => self.hook(&["session-start"]),
            Job::End => self.hook(&["session-end"]),
            Job::EndInline => {
                let mut hook = self.hook(&["session-end"]);
                hook.env("CPVO_DELIVER", "inline");
                hook
            }
            Job::Relay => words(&[&["detached".to_owned()], &worker("deliver")[..]].concat()),
            Job::Sweep => words(&worker("sweep")),
            Job::Typed => self.hook(&["sweep"]),
        };
        (program, event.to_string())
    }

    /// A person's sweep, and what it sent.
    #[track_caller]
    fn deliver(&self) -> usize {
        let said = run(&mut self.hook(&["sweep", "--json"])).success();
        let said: Value = serde_json::from_str(&said).expect("what the sweep says");
        said["sent"].as_array().expect("what it sent").len()
    }

    /// What the collector has stored for this machine.
    #[track_caller]
    fn stored(&self) -> BTreeMap<String, u64> {
        let query = "SELECT session_id, SUM(output) AS output FROM usage GROUP BY session_id";
        let rows = self.world.collector().sql(query);
        let stored = rows
            .iter()
            .filter_map(|row| Some((row["session_id"].as_str()?.to_owned(), row["output"].as_u64()?)));
        stored.filter(|(session, _)| self.truth.contains_key(session)).collect()
    }

    /// One more sweep stores the truth, and nothing is left to send after it.
    #[track_caller]
    fn recovers(&self, after: &str) {
        processes::await_end(&self.folder);
        self.deliver();
        assert_eq!(self.stored(), self.truth, "{after}: stored and true");
        assert_eq!(self.deliver(), 0, "{after}: something is sent again");
        assert_eq!(self.stored(), self.truth, "{after}: after one more sweep");
        let aside = self.folder.join("state/ledger.damaged");
        assert!(!aside.exists(), "{after}: the ledger was given up");
    }
}

/// The points of a job on a machine as `make` makes it.
fn points<'a>(
    world: &'a World,
    name: &str,
    job: Job,
    make: &impl Fn(&'a World, &str) -> Machine<'a>,
) -> Vec<Point> {
    let machine = make(world, &format!("{name}-{job:?}"));
    let (program, stdin) = machine.job(job);
    let points = strace::points(&program, &stdin, &machine.folder);
    machine.recovers("without a fault");
    points
}

/// Tries a fault at every point of every job, or at some.
#[expect(clippy::print_stdout, reason = "the count that scripts/test --full shows")]
fn ordeal<'a>(
    world: &'a World,
    name: &str,
    fault: Fault,
    make: impl Fn(&'a World, &str) -> Machine<'a>,
    outcome: impl Fn(Job, &Seen, &str),
) {
    let mut lot = Lot::draw(name);
    let (mut all, mut tried, mut met) = (0, 0, 0);
    for job in JOBS {
        let mut points = points(world, name, job, &make);
        points.retain(|point| fault.concerns(point));
        all += points.len();
        for (index, point) in lot.some(points, FEW).into_iter().enumerate() {
            let machine = make(world, &format!("{name}-{job:?}-{index}"));
            let (program, stdin) = machine.job(job);
            let after = format!("{name}: {job:?} at {point}");
            if let Some(seen) = strace::run(&program, &stdin, (&point, fault), &machine.folder) {
                outcome(job, &seen, &after);
                met += 1;
            }
            machine.recovers(&after);
            fs::remove_dir_all(&machine.folder).expect("a machine to scrap");
            tried += 1;
        }
    }
    // a run may write a page fewer than the one before
    assert!(met * 20 >= tried * 19, "{name}: {met} faults met of {tried}");
    println!("{name}: {met} of {all} faults injected, 0 reports lost, 0 doubled");
}

fn was_killed(_: Job, seen: &Seen, after: &str) {
    assert_eq!(seen.code, 137, "{after}: {seen:?}");
}

#[test]
fn killed_in_its_first_run() {
    ordeal(&World::equipped(), "killed, new", Fault::Kill, Machine::new, was_killed);
}

#[test]
fn killed_after_days_of_use() {
    let used = |world, name: &str| Machine::new(world, name).used();
    ordeal(&World::equipped(), "killed, used", Fault::Kill, used, was_killed);
}

/// Nobody but a person at a terminal is told.
fn was_silent(job: Job, seen: &Seen, after: &str) {
    let told = matches!(job, Job::Typed);
    let silent = seen.code == 0 && seen.stdout.is_empty() && seen.stderr.is_empty();
    assert!(told || silent, "{after}: {seen:?}");
}

#[test]
fn a_full_disk_in_its_first_run() {
    ordeal(&World::equipped(), "full disk, new", Fault::Full, Machine::new, was_silent);
}

#[test]
fn a_full_disk_after_days_of_use() {
    let used = |world, name: &str| Machine::new(world, name).used();
    ordeal(&World::equipped(), "full disk, used", Fault::Full, used, was_silent);
}
