//! The command line: one entry for each thing a person or the client asks for.

mod me;
mod preview;
mod status;
mod sweep;
mod totals;

use crate::config::Config;
use crate::events::{self, Said};
use crate::{detach, work};
use anyhow::Result;
use clap::{Parser, Subcommand};
use jiff::Timestamp;
use meter::{EndReason, SessionId};
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

/// Sends the token counts of Claude Code sessions to your organisation's collector.
///
/// Prompts, answers, code, file paths and titles never leave this machine; `cpvo-hook preview` prints exactly
/// what would. `CPVO_DISABLE=1` turns everything off.
#[derive(Debug, Parser)]
#[command(name = "cpvo-hook", version, after_help = AFTER)]
pub(crate) struct Program {
    #[command(subcommand)]
    pub command: Command,
}

const AFTER: &str = "\
Environment (a repository's .claude/settings.json sets the first four in its `env`):
  CPVO_URL          the collector: https, or http on this machine
  CPVO_TOKEN        what the collector knows the repository by
  CPVO_DEVELOPERS   @acme.example,… : other identities store and send nothing
  CPVO_SINCE        2026-11-01 : nothing earlier is read
  CPVO_SCOPE        repo (default) or off; `all` only in your own config.toml
  CPVO_DEVELOPER    your email, instead of git's user.email
  CPVO_IDENTITY     person, pseudonym or team
  CPVO_BRANCHES     plain or hashed
  CPVO_BILLING      api or subscription
  CPVO_DELIVER      inline: deliver before a session's end returns
  CPVO_STATE_DIR    where the ledger and the log are kept
  CPVO_DISABLE=1    do nothing at all
  HTTPS_PROXY, NO_PROXY and SSL_CERT_FILE (certificates to believe instead of the platform's) as everywhere";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// The client's `SessionStart` hook: its JSON on stdin, nothing on stdout, always exit 0
    SessionStart,
    /// The client's `SessionEnd` hook: its JSON on stdin, nothing on stdout, always exit 0
    SessionEnd,
    /// Read what is new, deliver it and say what was sent
    Sweep {
        /// Also sessions outside of repositories that ship this collector
        #[arg(long)]
        all: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Add up every transcript in scope, reading all of them afresh; store and send nothing
    Totals {
        /// Also sessions outside of repositories that ship this collector
        #[arg(long)]
        all: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Print the exact JSON that would be sent next, without sending it
    Preview {
        /// As `sweep --all` would send it
        #[arg(long)]
        all: bool,
    },
    /// Show your own spend at list price by week, repository and branch
    Me {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Show where reports go, as whom, what waits and what is wrong; exit 1 when something is stuck
    Status {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    #[command(hide = true, name = detach::RELAY)]
    Detached {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    #[command(hide = true)]
    Work(Work),
}

/// What a detached process is to do.
#[derive(Debug, clap::Args)]
pub(crate) struct Work {
    pub job: String,
    #[arg(long)]
    pub session: SessionId,
    #[arg(long)]
    pub folder: PathBuf,
    #[arg(long)]
    pub transcript: Option<PathBuf>,
    #[arg(long)]
    pub reason: Option<String>,
}

/// Whether nobody may be told what went wrong.
pub(crate) fn is_silent(name: &str) -> bool {
    ["session-start", "session-end", "work", detach::RELAY].contains(&name)
}

impl Command {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::SessionStart => "session-start",
            Self::SessionEnd => "session-end",
            Self::Sweep { .. } => "sweep",
            Self::Totals { .. } => "totals",
            Self::Preview { .. } => "preview",
            Self::Me { .. } => "me",
            Self::Status { .. } => "status",
            Self::Detached { .. } => detach::RELAY,
            Self::Work(_) => "work",
        }
    }

    pub(crate) fn run(self, config: &Config, now: Timestamp) -> Result<ExitCode> {
        match self {
            Self::SessionStart => events::start(&Said::read(std::io::stdin())?, config)?,
            Self::SessionEnd => {
                let said = Said::read(std::io::stdin())?;
                let end = if config.inline { work::inline } else { events::end };
                end(&said, config, now)?;
            }
            Self::Sweep { all, json } => return sweep::run(config, now, all, json),
            Self::Totals { all, json } => totals::run(config, now, all, json)?,
            Self::Preview { all } => preview::run(config, now, all)?,
            Self::Me { json } => me::run(config, now, json)?,
            Self::Status { json } => return status::run(config, now, json),
            Self::Detached { arguments } => detach::relay(&arguments)?,
            Self::Work(work) => work::run(&work, config, now)?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl Work {
    /// The client's words again, as the hook handed them on.
    pub(crate) fn said(&self) -> Said {
        Said {
            session_id: self.session.clone(),
            transcript_path: self.transcript.clone().unwrap_or_default(),
            cwd: self.folder.clone(),
            reason: self.reason.clone().filter(|reason| EndReason::from_word(reason).is_some()),
        }
    }
}
