//! The command line: one entry for each thing a person or the client asks for.

pub(crate) mod arguments;
mod me;
mod preview;
mod status;
mod sweep;
mod table;
mod totals;

use crate::config::Config;
use crate::events::{self, Said};
use crate::terms::scope::Only;
use crate::terms::stage::Stage;
use crate::{detach, terms, work};
use anyhow::{Context, Result};
use arguments::{Choice, Command, RELAY, Work};
use jiff::Timestamp;
use meter::EndReason;
use std::process::ExitCode;

/// Whether nobody may be told what went wrong.
pub(crate) fn is_silent(name: &str) -> bool {
    ["session-start", "session-end", "work", RELAY].contains(&name)
}

impl Command {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::SessionStart => "session-start",
            Self::SessionEnd => "session-end",
            Self::Sweep(_) => "sweep",
            Self::Totals(_) => "totals",
            Self::Preview { .. } => "preview",
            Self::Me { .. } => "me",
            Self::Status { .. } => "status",
            Self::Detached { .. } => RELAY,
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
            Self::Sweep(choice) => return sweep::run(config, now, &choice),
            Self::Totals(choice) => totals::run(config, now, &choice)?,
            Self::Preview { all } => preview::run(config, now, all)?,
            Self::Me { json } => me::run(config, now, json)?,
            Self::Status { json } => return status::run(config, now, json),
            Self::Detached { arguments } => detach::relay(&arguments)?,
            Self::Work(work) => work::run(&work, config, now)?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Where a person is, and what they want of what there is.
fn stage<'a>(config: &'a Config, choice: &Choice) -> Result<Stage<'a>> {
    let mut stage = Stage::set(&crate::current_folder(), config, choice.all);
    let since = choice.since.as_deref().map(|text| {
        terms::instant(text).with_context(|| format!("--since: \"{text}\" is no date like 2026-11-01"))
    });
    stage.scene.only = Only { since: since.transpose()?, repo: choice.repo.clone() };
    Ok(stage)
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
