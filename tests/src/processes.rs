//! Processes that nobody waits for: found by what their environment holds, looked at through /proc.

use crate::wait::until;
use std::fs;
use std::path::{Path, PathBuf};

/// A process as it was a moment ago.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    pub pid: u32,
}

/// Every process there is.
fn all() -> impl Iterator<Item = Process> {
    let entries = fs::read_dir("/proc").expect("Linux").flatten();
    entries.filter_map(|entry| Some(Process { pid: entry.file_name().to_str()?.parse().ok()? }))
}

/// The processes whose environment names `folder`, which is nobody else's.
pub fn of(folder: &Path) -> Vec<Process> {
    let folder = folder.display().to_string();
    let mine = |process: &Process| {
        // nothing can be read of one that has ended meanwhile, or belongs to somebody else
        let environment = fs::read(process.path("environ")).unwrap_or_default();
        // one that is about to become the hook has no environment yet
        let unborn = environment.is_empty() && process.runs("cpvo-hook");
        unborn || String::from_utf8_lossy(&environment).contains(&folder)
    };
    all().filter(mine).collect()
}

/// The children of a process, those that ended and were not waited for among them.
pub fn children(of: &Process) -> Vec<Process> {
    let parent = Some(of.pid.to_string());
    all().filter(|process| process.stat(PARENT) == parent).collect()
}

/// Fields of `/proc/PID/stat` by their numbers in proc(5).
pub const PARENT: usize = 4;
pub const SESSION: usize = 6;
pub const TERMINAL: usize = 7;
pub const NICE: usize = 19;

/// Waits until none is left.
#[track_caller]
pub fn await_end(folder: &Path) {
    // one that ended while the others were looked at may have started another
    let none = || of(folder).is_empty() && of(folder).is_empty();
    until("the end of detached processes", || none().then_some(()));
}

impl Process {
    /// The process that asks.
    pub fn own() -> Self {
        Self { pid: std::process::id() }
    }

    fn path(&self, name: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/{name}", self.pid))
    }

    pub fn runs(&self, program: &str) -> bool {
        fs::read_link(self.path("exe")).is_ok_and(|path| path.ends_with(program))
    }

    /// What it holds open, by number.
    pub fn open(&self) -> Vec<(u32, PathBuf)> {
        let entries = fs::read_dir(self.path("fd")).expect("a living process").flatten();
        let mut open: Vec<_> = entries
            .filter_map(|entry| {
                Some((entry.file_name().to_str()?.parse().ok()?, fs::read_link(entry.path()).ok()?))
            })
            .collect();
        open.sort();
        open
    }

    /// Where it runs.
    pub fn folder(&self) -> PathBuf {
        fs::read_link(self.path("cwd")).expect("a living process")
    }

    /// A field of its `stat`, while it lives.
    pub fn stat(&self, field: usize) -> Option<String> {
        let stat = fs::read_to_string(self.path("stat")).ok()?;
        let (_, from_the_third) = stat.rsplit_once(") ")?;
        Some(from_the_third.split(' ').nth(field - 3)?.to_owned())
    }
}
