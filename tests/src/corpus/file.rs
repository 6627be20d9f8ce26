//! The files of a home, line by line.

use jiff::Timestamp;
use serde_json::Value;
use std::path::PathBuf;

#[derive(Debug, Clone)]
pub struct Line {
    pub bytes: Vec<u8>,
    pub at: Timestamp,
    /// What it was made of, where it is a message: what forks copy.
    pub(super) message: Option<Value>,
    pub(super) bill: Option<usize>,
}

#[derive(Debug, Clone)]
pub struct File {
    /// Below the home.
    pub path: PathBuf,
    /// Where it lay before the client moved it.
    pub moved_from: Option<PathBuf>,
    pub session: usize,
    pub lines: Vec<Line>,
    /// A second file with the first so many of its lines.
    pub copy: Option<(PathBuf, usize)>,
    /// Names of a subagent's lines.
    pub(super) agent: Option<Value>,
    /// A line the client never finished.
    pub(super) half: Vec<u8>,
    /// The file whose responses it holds without saying so: it was there first.
    pub after: Option<usize>,
}

impl File {
    /// The first so many lines.
    pub fn first(&self, lines: usize) -> Vec<u8> {
        self.lines[..lines].iter().flat_map(|line| line.bytes.iter().copied()).collect()
    }

    pub fn bytes(&self) -> Vec<u8> {
        let lines = self.lines.iter().map(|line| line.bytes.as_slice());
        lines.chain([self.half.as_slice()]).collect::<Vec<_>>().concat()
    }
}

/// A second name of a file or folder.
#[derive(Debug, Clone)]
pub struct Link {
    pub at: PathBuf,
    pub to: PathBuf,
    pub hard: bool,
}
