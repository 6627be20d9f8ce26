//! `cpvo-hook`: reads Claude Code's transcripts and sends what they cost to a collector.
//!
//! A hook event never prints, never fails and never panics: the client would show it to the developer or to the
//! model.

#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        reason = "tests may"
    )
)]

mod absorb;
mod checkout;
mod command;
mod config;
mod delivery;
mod detach;
mod events;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod reader;
mod state;
mod sweep;
mod terms;
mod totals;
mod work;

use clap::Parser;
use command::arguments::{Command, Program};
use config::{Config, current_folder};
use jiff::Timestamp;
use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

/// Does what the arguments ask for, at `now`.
pub fn run(arguments: Vec<OsString>, now: Timestamp) -> ExitCode {
    let event = arguments.get(1).and_then(|name| name.to_str()).is_some_and(command::is_silent);
    if event {
        // with panic = "abort" this is the only way to end as if nothing had happened
        std::panic::set_hook(Box::new(|_| std::process::exit(0)));
    }
    match Program::try_parse_from(arguments) {
        Ok(program) => obey(program.command, event, now),
        Err(_) if event => ExitCode::SUCCESS,
        Err(error) => error.exit(),
    }
}

fn obey(command: Command, event: bool, now: Timestamp) -> ExitCode {
    let config = match Config::read() {
        Ok(config) => config,
        Err(_) if event => return ExitCode::SUCCESS,
        Err(error) => return fail(&error),
    };
    let name = command.name();
    match command.run(&config, now) {
        Ok(code) => code,
        Err(error) if event => {
            work::note(&config, now, name, &error);
            ExitCode::SUCCESS
        }
        Err(error) => fail(&work::mended(&config, now, error)),
    }
}

fn fail(error: &anyhow::Error) -> ExitCode {
    let closed = |cause: &std::io::Error| cause.kind() == std::io::ErrorKind::BrokenPipe;
    if error.chain().filter_map(|cause| cause.downcast_ref()).any(closed) {
        return ExitCode::SUCCESS; // the reader, such as `head`, has seen enough
    }
    // who does not listen need not be told
    drop(writeln!(std::io::stderr(), "cpvo-hook: {error:#}"));
    ExitCode::FAILURE
}
