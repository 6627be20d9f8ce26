//! The bytes of one line after another, through one small window.
//!
//! A line need not fit into it, so its length costs nothing: a reader takes what the window has of the line, and asks
//! for more where that ends. Most do fit, and can be gone back in.

use super::token::{after, before};
use memchr::memchr;
use std::io::{Error, ErrorKind, Read, Result};

/// Small enough to stay in the processor's own cache between reading and parsing.
const WINDOW_BYTES: usize = 64 << 10;

/// The memory to read through; the next file can use it again.
pub(crate) struct Window(Vec<u8>);

impl Default for Window {
    fn default() -> Self {
        Self(vec![0; WINDOW_BYTES])
    }
}

pub(crate) struct Source<'a> {
    file: &'a mut dyn Read,
    window: &'a mut [u8],
    /// How much of the window is filled.
    filled: usize,
    /// The next byte of the line.
    at: usize,
    /// Where the line ends, or what the window has of it.
    end: usize,
    /// The line's own end stands at `end`.
    whole: bool,
    /// Bytes given up by the window.
    passed: u64,
    trouble: Option<Error>,
}

impl<'a> Source<'a> {
    pub(crate) fn new(file: &'a mut dyn Read, Window(window): &'a mut Window) -> Self {
        Self { file, window, filled: 0, at: 0, end: 0, whole: false, passed: 0, trouble: None }
    }

    /// What the window has of the line.
    pub(super) fn rest(&self) -> &[u8] {
        self.window.get(self.at..self.end).unwrap_or_default()
    }

    pub(super) fn advance(&mut self, bytes: usize) {
        self.at += bytes;
    }

    /// The next byte of the line.
    pub(super) fn next(&mut self) -> Option<u8> {
        if self.at == self.end {
            self.more()?;
        }
        // an empty piece is one that the line ends in
        let byte = *self.window.get(self.at).filter(|_| self.at < self.end)?;
        self.at += 1;
        Some(byte)
    }

    /// Gives the last byte back.
    pub(super) fn back(&mut self) {
        self.at -= 1;
    }

    /// Has the window hold the line that begins here, and says where; `None` where it is too long or has no end yet.
    pub(super) fn gather(&mut self) -> Option<usize> {
        if !self.whole {
            self.window.copy_within(self.at..self.filled, 0);
            self.passed += self.at as u64;
            (self.filled, self.at) = (self.filled - self.at, 0);
            while !self.whole && self.fill() {}
        }
        self.whole.then_some(self.at)
    }

    /// The line from `start` on; the window has all of it.
    pub(super) fn line(&self, start: usize) -> &[u8] {
        self.window.get(start..self.end).unwrap_or_default()
    }

    /// The next byte's place in the window.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    pub(super) fn go_back(&mut self, start: usize) {
        self.at = start;
    }

    /// The next piece of the line, in place of this one.
    pub(super) fn more(&mut self) -> Option<()> {
        if self.whole {
            return None;
        }
        self.passed += self.filled as u64;
        (self.filled, self.at, self.end) = (0, 0, 0);
        self.fill().then_some(())
    }

    /// Reads into what is free of the window, and says whether anything came.
    fn fill(&mut self) -> bool {
        let free = self.window.get_mut(self.filled..).unwrap_or_default();
        let count = loop {
            match self.file.read(free) {
                Ok(count) => break count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => {
                    self.trouble = Some(error);
                    break 0;
                }
            }
        };
        let from = self.filled;
        self.filled += count;
        self.find_end(from);
        count > 0
    }

    /// Where the line ends that has no end before `from`.
    fn find_end(&mut self, from: usize) {
        let end = memchr(b'\n', after(before(self.window, self.filled), from));
        (self.whole, self.end) = (end.is_some(), end.map_or(self.filled, |end| from + end));
    }

    /// Goes to the next line; false where this one has no end yet.
    pub(crate) fn end_line(&mut self) -> Result<bool> {
        while !self.whole && self.more().is_some() {}
        if let Some(error) = self.trouble.take() {
            return Err(error);
        }
        if !self.whole {
            return Ok(false);
        }
        self.at = self.end + 1;
        self.find_end(self.at);
        Ok(true)
    }

    /// Bytes before the line, and after it where it has no end.
    pub(crate) fn offset(&self) -> u64 {
        self.passed + self.at as u64
    }
}
