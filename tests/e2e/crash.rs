//! The hook killed at every call by which it changes anything, or out of room there: each report is delivered
//! exactly once in effect.

use std::fs;
use std::process::Command;
use tests::World;
use tests::lot;
use tests::machine::Machine;
use tests::program::Seen;
use tests::strace::{self, Fault, Point};

/// How many points of a job are tried where not all are.
const FEW: usize = 4;
/// How many faults pass between two lines that say so.
const PACE: usize = 50;

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

/// The hook about to do a job for the newest session, and what it is told on stdin.
fn about_to(job: Job, machine: &Machine) -> (Command, String) {
    let newest = machine.sessions.len() - 1;
    let program = match job {
        Job::Start => machine.hook(&["session-start"]),
        Job::End => machine.hook(&["session-end"]),
        Job::EndInline => {
            let mut hook = machine.hook(&["session-end"]);
            hook.env("CPVO_DELIVER", "inline");
            hook
        }
        Job::Relay => machine.hook(&[&["detached"], &machine.work("deliver", newest)[..]].concat()),
        Job::Sweep => machine.hook(&machine.work("sweep", newest)),
        Job::Typed => machine.hook(&["sweep"]),
    };
    (program, machine.told(newest))
}

const JOBS: [Job; 6] = [Job::Start, Job::End, Job::EndInline, Job::Relay, Job::Sweep, Job::Typed];

/// The points of a job on a machine as `make` makes it.
fn points<'a>(
    world: &'a World,
    name: &str,
    job: Job,
    make: &impl Fn(&'a World, &str) -> Machine<'a>,
) -> Vec<Point> {
    let machine = make(world, &format!("{name}-{job:?}"));
    let (program, stdin) = about_to(job, &machine);
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
    let mut dice = lot::dice(name);
    let (mut all, mut tried, mut met) = (0, 0_usize, 0);
    for job in JOBS {
        let mut points = points(world, name, job, &make);
        points.retain(|point| fault.concerns(point));
        all += points.len();
        for (index, point) in lot::draw(&mut dice, points, FEW).into_iter().enumerate() {
            let machine = make(world, &format!("{name}-{job:?}-{index}"));
            let (program, stdin) = about_to(job, &machine);
            let after = format!("{name}: {job:?} at {point}");
            if let Some(seen) = strace::run(&program, &stdin, (&point, fault), &machine.folder) {
                outcome(job, &seen, &after);
                met += 1;
            }
            machine.recovers(&after);
            assert!(!machine.has_given_up(), "{after}: the ledger was given up");
            fs::remove_dir_all(&machine.folder).expect("a machine to scrap");
            tried += 1;
            if tried.is_multiple_of(PACE) {
                println!("{name}: {tried} faults tried, now at {job:?} {point}");
            }
        }
    }
    // a run may write a page fewer than the one before
    assert!(met * 20 >= tried * 19, "{name}: {met} faults met of {tried}");
    println!("{name}: {met} of {all} faults injected, 0 reports lost, 0 doubled");
}

#[test]
fn what_a_collector_is_shown_was_on_the_disk_before() {
    let world = World::equipped();
    for machine in [Machine::new(&world, "durable, new"), Machine::new(&world, "durable, used").used()] {
        let calls = strace::calls(&machine.hook(&["sweep"]), "", &machine.folder);
        let shown = calls.iter().position(|call| call.contains("POST /v1/reports"));
        let before = &calls[..shown.expect("something to show")];
        let last =
            |name| before.iter().rposition(|call| call.starts_with(name) && call.contains("ledger.db-wal"));
        // else a power cut would have the number of a snapshot given to another one
        assert!(last("fsync") > last("pwrite64"), "{before:#?}");
    }
}

#[test]
fn what_only_an_event_tells_is_on_the_disk_before_the_sweep() {
    let world = World::equipped();
    let machine = Machine::new(&world, "durable, event");
    let (program, told) = about_to(Job::Sweep, &machine);
    let calls = strace::calls(&program, &told, &machine.folder);
    let sweep = calls.iter().position(|call| call.contains("sweep.lock"));
    let before = &calls[..sweep.expect("a sweep")];
    let last =
        |name| before.iter().rposition(|call| call.starts_with(name) && call.contains("ledger.db-wal"));
    // else a power cut would have forgotten who pays, which no transcript tells
    assert!(last("pwrite64").is_some() && last("fsync") > last("pwrite64"), "{before:#?}");
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
    assert!(told || *seen == Seen::silent(), "{after}: {seen:?}");
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
