//! The bytes of one line after another, through one small window.
//!
//! No line is ever held as a whole, so its length costs nothing. A reader takes what the window has of the line,
//! and asks for more where that ends.

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

    /// The next piece of the line, in place of this one.
    pub(super) fn more(&mut self) -> Option<()> {
        if self.whole {
            return None;
        }
        self.passed += self.filled as u64;
        (self.filled, self.at, self.end) = (0, 0, 0);
        self.filled = loop {
            match self.file.read(self.window) {
                Ok(count) => break count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => {
                    self.trouble = Some(error);
                    break 0;
                }
            }
        };
        self.find_end();
        (self.filled > 0).then_some(())
    }

    fn find_end(&mut self) {
        let unread = after(before(self.window, self.filled), self.at);
        let end = memchr(b'\n', unread);
        (self.whole, self.end) = (end.is_some(), end.map_or(self.filled, |end| self.at + end));
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
        self.find_end();
        Ok(true)
    }

    /// Bytes before the line, and after it where it has no end.
    pub(crate) fn offset(&self) -> u64 {
        self.passed + self.at as u64
    }
}
