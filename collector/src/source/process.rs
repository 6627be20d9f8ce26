//! A git that runs: waited for as long as it tells something, and ended with all that it started where it does not. A
//! clone may lie on a mount that is gone, or its configuration be a pipe that nobody writes to.

use super::web::Pace;
use anyhow::{Context, Result, ensure};
use jiff::{SignedDuration, Timestamp};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, kill_process_group};
use std::fs::File;
use std::io::{self, Read, Seek};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdout, Command};
use std::thread;
use std::time::Duration;

/// Whoever says nothing for so long never will.
const SILENCE_MAX: SignedDuration = SignedDuration::from_mins(10);
/// From one look to the next; an end mostly comes at once.
const LOOK_FIRST: Duration = Duration::from_micros(100);
const LOOK: Duration = Duration::from_millis(50);
/// The same for what it tells, which wakes whoever waits for it.
const LISTEN: Timespec = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };
/// Looks at one that is to end; what hangs in the kernel is left to it.
const LOOKS_MAX: u32 = 100;
/// Of what git says when it fails.
const REASON_BYTES_MAX: u64 = 4096;

/// What git says where it fails, which may only mean no.
#[derive(Debug, thiserror::Error)]
#[error("git {what} failed: {reason}")]
pub(super) struct Refusal {
    what: String,
    pub(super) reason: String,
}

pub(super) struct Process<'a> {
    child: Child,
    pub(super) what: String,
    pace: Pace<'a>,
    errors: File,
    is_over: bool,
}

impl<'a> Process<'a> {
    pub(super) fn start(mut git: Command, what: &str, pace: Pace<'a>) -> Result<Self> {
        let errors = tempfile::tempfile()?;
        // a group of its own is ended as one
        git.stderr(errors.try_clone()?).process_group(0);
        let child = git.spawn().context("could not start git, which must be on the PATH")?;
        Ok(Self { child, what: what.to_owned(), pace, errors, is_over: false })
    }

    /// What it tells, as it comes.
    pub(super) fn answer(&mut self) -> Result<Answer<'a>> {
        let stdout = self.child.stdout.take().context("git has no output")?;
        Ok(Answer { stdout, what: self.what.clone(), pace: self.pace })
    }

    /// Waits for its end; whether it was content.
    pub(super) fn close(&mut self) -> Result<()> {
        let (until, mut pause) = (until(self.pace)?, LOOK_FIRST);
        let status = loop {
            if let Some(status) = self.child.try_wait()? {
                break status;
            }
            look(&self.what, self.pace, until)?;
            (self.pace.wait)(pause)?;
            pause = LOOK.min(pause * 2);
        };
        self.is_over = true;
        if status.success() {
            return Ok(());
        }
        let mut said = Vec::new();
        self.errors.rewind()?;
        (&mut self.errors).take(REASON_BYTES_MAX).read_to_end(&mut said)?;
        let said = String::from_utf8_lossy(&said).trim().replace('\n', "; ");
        let reason = if said.is_empty() { status.to_string() } else { said };
        Err(Refusal { what: self.what.clone(), reason }.into())
    }
}

impl Drop for Process<'_> {
    fn drop(&mut self) {
        if self.is_over {
            return;
        }
        // one that is told to end takes its locks with it, unlike one that is killed
        for signal in [Signal::TERM, Signal::KILL] {
            kill_process_group(Pid::from_child(&self.child), signal).ok();
            for _ in 0..LOOKS_MAX {
                if !matches!(self.child.try_wait(), Ok(None)) {
                    return;
                }
                thread::sleep(LOOK);
            }
        }
    }
}

pub(super) struct Answer<'a> {
    stdout: ChildStdout,
    what: String,
    pace: Pace<'a>,
}

impl Read for Answer<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let until = until(self.pace).map_err(io::Error::other)?;
        while poll(&mut [PollFd::new(&self.stdout, PollFlags::IN)], Some(&LISTEN))? == 0 {
            let goes_on = look(&self.what, self.pace, until).and_then(|()| (self.pace.wait)(Duration::ZERO));
            goes_on.map_err(io::Error::other)?;
        }
        self.stdout.read(into)
    }
}

/// Until when one that is silent now is waited for.
fn until(pace: Pace) -> Result<Timestamp> {
    Ok(pace.until.map_or_else(|| (pace.now)().checked_add(SILENCE_MAX), Ok)?)
}

fn look(what: &str, pace: Pace, until: Timestamp) -> Result<()> {
    ensure!((pace.now)() < until, "git {what} did not answer by {until:.0} and was ended");
    Ok(())
}
