//! The command line as clap knows it, and nothing else: what writes the manual takes this file alone.

use clap::{Parser, Subcommand};
use meter::SessionId;
use std::ffi::OsString;
use std::path::PathBuf;

/// The hidden command by which the intermediate of a detached process is started.
pub(crate) const RELAY: &str = "detached";

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
Environment (a repository's .claude/settings.json sets the first four):
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
  HTTPS_PROXY, NO_PROXY, SSL_CERT_FILE (certificates to believe instead of the
                    platform's) as everywhere";

const SWEEP_EXAMPLES: &str = "\
Examples:
  cpvo-hook sweep                    what is in scope and was not sent yet
  cpvo-hook sweep --repo acme/pay    this repository's; the rest waits
  cpvo-hook sweep --json | jq .sent  the reports a collector took

Exit 1 where a delivery failed; `cpvo-hook status` says why.";

const TOTALS_EXAMPLES: &str = "\
Examples:
  cpvo-hook totals                          what sweeps would send in all
  cpvo-hook totals --all                    every session on this machine
  cpvo-hook totals --since 2026-11-01 --repo pay
  cpvo-hook totals --json | jq .by_session  exact counts of each session

`cached` is read from the prompt cache, `written` is written to it.";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// What the client runs as a session starts: its JSON on stdin
    SessionStart,
    /// What the client runs as a session ends: its JSON on stdin
    SessionEnd,
    /// Read what is new, deliver it and say what was sent
    #[command(after_help = SWEEP_EXAMPLES)]
    Sweep(Choice),
    /// Add up every transcript in scope afresh; send nothing
    #[command(after_help = TOTALS_EXAMPLES)]
    Totals(Choice),
    /// Print the exact JSON that would be sent next
    Preview {
        /// As `sweep --all` would send it
        #[arg(long)]
        all: bool,
    },
    /// Show your own spend by week, repository and branch
    Me {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Show where reports go, what waits and what is wrong
    Status {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    #[command(hide = true, name = RELAY)]
    Detached {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    #[command(hide = true)]
    Work(Work),
}

/// What a person wants of what there is; `--since` and `--repo` only ever narrow it.
#[derive(Debug, clap::Args)]
pub(crate) struct Choice {
    /// Also sessions outside of this collector's repositories
    #[arg(long)]
    pub all: bool,
    /// Only from this day on (UTC); a sweep sends whole weeks
    #[arg(long, value_name = "DATE")]
    pub since: Option<String>,
    /// Only this one: pay, acme/pay or github.com/acme/pay
    #[arg(long, value_name = "REPO")]
    pub repo: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
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
