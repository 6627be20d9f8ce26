//! Starting a process that outlives the session.
//!
//! The client ends the whole tree of a hook's processes, even those in a session of their own while their
//! parent lives. So the hook starts an intermediate, which leaves the terminal's session, starts the worker and
//! ends: the worker belongs to nobody whom the client knows.

use crate::command::arguments::RELAY;
use anyhow::{Context, Result};
use std::ffi::OsString;
use std::process::{Command, Stdio};

/// Starts this program with `args` in a process of its own and does not wait.
pub(crate) fn spawn(args: &[OsString]) -> Result<()> {
    let relay = [OsString::from(RELAY)];
    start(relay.iter().chain(args))
}

/// The intermediate: leaves the session it was started in and starts the worker.
pub(crate) fn relay(args: &[OsString]) -> Result<()> {
    leave();
    start(args)
}

fn start<'a>(args: impl IntoIterator<Item = &'a OsString>) -> Result<()> {
    let program = std::env::current_exe().context("cannot find this program's own file")?;
    let mut command = Command::new(&program);
    command.args(args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    // neither a folder nor a file system is kept busy
    command.current_dir(if cfg!(windows) { r"C:\" } else { "/" });
    detach(&mut command);
    command.spawn().with_context(|| format!("cannot start {}", program.display()))?;
    Ok(())
}

#[cfg(unix)]
fn detach(_: &mut Command) {}

#[cfg(unix)]
fn leave() {
    // fails only where this process leads its session already
    rustix::process::setsid().ok();
}

/// Work that nobody waits for gives way to work that somebody does.
#[cfg(unix)]
pub(crate) fn yield_to_others() {
    rustix::process::nice(10).ok();
}

#[cfg(windows)]
fn detach(command: &mut Command) {
    use std::os::windows::process::CommandExt;
    const DETACHED_PROCESS: u32 = 0x0000_0008;
    const CREATE_NEW_PROCESS_GROUP: u32 = 0x0000_0200;
    const BELOW_NORMAL_PRIORITY_CLASS: u32 = 0x0000_4000;
    command.creation_flags(DETACHED_PROCESS | CREATE_NEW_PROCESS_GROUP | BELOW_NORMAL_PRIORITY_CLASS);
}

#[cfg(windows)]
fn leave() {}

#[cfg(windows)]
pub(crate) fn yield_to_others() {}
