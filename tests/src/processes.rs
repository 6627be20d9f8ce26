//! Processes that nobody waits for: found by what their environment holds, looked at through /proc.

use crate::wait::until;
use std::fs;
use std::path::{Path, PathBuf};

/// A process as it was a moment ago.
#[derive(Debug, Clone)]
pub struct Process {
    pub pid: u32,
    pub arguments: Vec<String>,
}

/// The processes whose environment names `folder`, which is nobody else's.
pub fn of(folder: &Path) -> Vec<Process> {
    let folder = folder.display().to_string();
    let processes = fs::read_dir("/proc").expect("Linux").flatten();
    let found = processes.filter_map(|entry| {
        let pid = entry.file_name().to_str()?.parse().ok()?;
        // one that has ended meanwhile, or belongs to somebody else
        let environment = fs::read(entry.path().join("environ")).ok()?;
        let mine = String::from_utf8_lossy(&environment).contains(&folder);
        let arguments = fs::read(entry.path().join("cmdline")).ok().filter(|_| mine)?;
        let arguments = String::from_utf8_lossy(&arguments);
        Some(Process { pid, arguments: arguments.split_terminator('\0').map(str::to_owned).collect() })
    });
    found.collect()
}

/// Waits until none is left.
#[track_caller]
pub fn await_end(folder: &Path) {
    until("the end of detached processes", || of(folder).is_empty().then_some(()));
}

impl Process {
    fn path(&self, name: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/{name}", self.pid))
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

    /// A field of `/proc/PID/stat` by its number in proc(5), from the third on.
    pub fn stat(&self, field: usize) -> String {
        let stat = fs::read_to_string(self.path("stat")).expect("a living process");
        let (_, after_name) = stat.rsplit_once(") ").expect("a name in parentheses");
        after_name.split(' ').nth(field - 3).expect("a field of stat").to_owned()
    }
}
