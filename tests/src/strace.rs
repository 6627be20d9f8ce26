//! Faults at a chosen system call of a program that knows nothing of it: strace from outside, by its exit doors.

use crate::program::{Seen, run_with, through};
use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::Path;
use std::process::Command;

/// The calls by which a program changes what others can see: files, locks, connections, processes. A program that
/// dies between two of them has left what it would have left at the second.
const CALLS: &str = "?mkdir,?mkdirat,?open,openat,write,writev,pwrite64,ftruncate,fallocate,fsync,fdatasync,?rename,\
    ?renameat,renameat2,?link,linkat,?unlink,unlinkat,flock,connect,sendto,sendmsg,recvfrom,recvmsg,?fork,?vfork,clone,\
    clone3,exit_group";

/// One call of a run: the third `fsync`, say.
#[derive(Debug, Clone)]
pub struct Point {
    pub call: String,
    nth: usize,
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.call, self.nth)
    }
}

/// What happens at a point.
#[derive(Debug, Clone, Copy)]
pub enum Fault {
    /// The program is gone before the call does anything.
    Kill,
    /// The call fails for lack of room, and so does every later one of its kind.
    Full,
}

/// Calls that may need room on the disk.
const ROOM: [&str; 12] = [
    "mkdir",
    "mkdirat",
    "write",
    "writev",
    "pwrite64",
    "ftruncate",
    "fallocate",
    "fsync",
    "fdatasync",
    "link",
    "linkat",
    "renameat2",
];

impl Fault {
    /// Whether the fault can happen there.
    pub fn concerns(self, point: &Point) -> bool {
        matches!(self, Self::Kill) || ROOM.contains(&point.call.as_str())
    }
}

/// Runs a program to its end and gives its calls, with the files they are about; notes are taken in `folder`.
#[track_caller]
pub fn calls(program: &Command, stdin: &str, folder: &Path) -> Vec<String> {
    let log = folder.join("strace");
    let words = ["strace", "-qq", "-y", "-o", &log.display().to_string(), "-e", &format!("trace={CALLS}")];
    let mut strace = through(&words, program);
    let seen = run_with(&mut strace, stdin.as_bytes());
    // it says so itself where the machine forbids it
    assert!(
        !seen.stderr.contains("strace: "),
        "these tests need ptrace (in a container: --cap-add=SYS_PTRACE): {}",
        seen.stderr
    );
    let log = fs::read_to_string(log).expect("what strace noted");
    log.lines().map(str::to_owned).collect()
}

/// Runs a program to its end and names every point it passed.
#[track_caller]
pub fn points(program: &Command, stdin: &str, folder: &Path) -> Vec<Point> {
    let mut counts = BTreeMap::<String, usize>::new();
    let calls = calls(program, stdin, folder);
    let calls = calls.iter().filter_map(|line| line.split_once('(')).filter(|(call, _)| !call.contains(' '));
    calls.for_each(|(call, _)| *counts.entry(call.to_owned()).or_default() += 1);
    let each = |(call, count): (String, usize)| (1..=count).map(move |nth| Point { call: call.clone(), nth });
    counts.into_iter().flat_map(each).collect()
}

/// Runs a program with a fault at one point; `None` where this run never came to it.
#[track_caller]
pub fn run(program: &Command, stdin: &str, (point, fault): (&Point, Fault), folder: &Path) -> Option<Seen> {
    let Point { call, nth } = point;
    let inject = match fault {
        Fault::Kill => format!("inject={call}:signal=KILL:when={nth}"),
        Fault::Full => format!("inject={call}:error=ENOSPC:when={nth}+"),
    };
    let log = folder.join("strace");
    let words = ["strace", "-o", &log.display().to_string(), "-e", &format!("trace={call}"), "-e", &inject];
    let seen = run_with(&mut through(&words, program), stdin.as_bytes());
    let noted = fs::read_to_string(log).expect("what strace noted");
    let met = match fault {
        Fault::Kill => noted.ends_with("+++ killed by SIGKILL +++\n"),
        Fault::Full => noted.contains("(INJECTED)"),
    };
    met.then_some(seen)
}
