//! `totals`: what the transcripts in scope come to, read afresh; nothing is stored or sent.

use super::arguments::Choice;
use super::sweep::progress_bar;
use super::table::{self, Table, all, counted};
use crate::checkout::places::Places;
use crate::config::Config;
use crate::reader::walk::{self, Transcript};
use crate::state::install::Install;
use crate::state::ledger::{Folder, Ledger};
use crate::state::secret::Secret;
use crate::sweep::{self, Reader};
use crate::terms::Scope;
use crate::terms::scope::{Only, Routes};
use crate::terms::stage::Stage;
use crate::totals::{self, History, Totals};
use anyhow::{Result, bail};
use jiff::Timestamp;
use meter::{PriceBook, Quality, Repo};
use std::collections::HashMap;
use std::io::Write;

pub(super) fn run(config: &Config, now: Timestamp, choice: &Choice) -> Result<()> {
    let stage = super::stage(config, choice)?;
    if let Some(reason) = stage.closed(config) {
        bail!("nothing is read: {reason}");
    }
    let (mut files, mut troubles) = walk::find(&sweep::roots(config));
    files.sort_by(|a, b| (a.modified, &a.path).cmp(&(b.modified, &b.path)));
    let (remembered, secret) = memory(config, now)?;
    let scene = &stage.scene;
    let mut reader = Reader::new(config, &stage, Places::new(remembered, &secret));
    let bar = progress_bar();
    bar.set_length(files.iter().map(|file| file.size).sum());
    let mut read = |file: &Transcript| reader.read(file, None, scene.terms.since, u64::MAX);
    let (histories, unread) = totals::read(&files, &mut read, &|bytes| bar.inc(bytes));
    bar.finish_and_clear();
    troubles.extend(unread);
    tell(&troubles);
    let anybody = stage.developer();
    let mut routes = Routes::new(config, scene, reader.places.roots());
    let mut terms = |history: &History, repo: &Repo| {
        let roots = reader.places.roots_of(repo, history.seen.folders.iter());
        let developer = history.seen.developer.as_ref().unwrap_or(&anybody);
        routes.of(repo, roots).ok().flatten().filter(|terms| scene.admits(terms, developer))
    };
    let mut scope = totals::Scope { only: &scene.only, terms: &mut terms };
    let totals = histories.total(&PriceBook::embedded(), &mut scope);
    let mut out = std::io::stdout().lock();
    if choice.json {
        writeln!(out, "{}", serde_json::to_string(&totals)?)?;
    } else {
        write!(out, "{}", person(&totals, &stage))?;
    }
    Ok(())
}

/// The repositories of folders that are gone, where a sweep has been here, and the key to name those without remote.
fn memory(config: &Config, now: Timestamp) -> Result<(HashMap<String, Folder>, Secret)> {
    Ok(match Ledger::open_existing(&config.state, now)? {
        Some(ledger) => (ledger.folder_all()?, Install::load(&config.state)?.secret),
        None => (HashMap::new(), Secret::of([0; 32])),
    })
}

/// On stderr, as stdout is for the totals alone; who does not listen need not be told.
fn tell(troubles: &[String]) {
    for trouble in troubles {
        drop(writeln!(std::io::stderr(), "cpvo-hook: {trouble}"));
    }
}

fn person(totals: &Totals, stage: &Stage) -> String {
    if totals.by_model.is_empty() {
        return nothing(stage);
    }
    let responses = all(totals.by_model.values()).requests;
    let head =
        format!("{}, {}\n\n", counted(totals.sessions as u64, "session"), counted(responses, "response"));
    let tables = [
        Table::models("model", &totals.by_model),
        Table::models("client's own housekeeping", &totals.overhead),
        Table::days(&totals.by_day),
    ];
    let doubts = doubts(&totals.quality);
    let gap = if doubts.is_empty() { "" } else { "\n" };
    head + &table::text(&tables) + gap + &doubts
}

/// What comes next where there is nothing.
fn nothing(stage: &Stage) -> String {
    let Only { since, repo } = &stage.scene.only;
    let next = match () {
        () if since.is_some() || repo.is_some() => "leave out --since or --repo to see more",
        () if stage.scene.scope == Scope::All => "use Claude Code once, then try again",
        () if stage.scene.terms.address.is_none() => {
            "no collector is named here; --all counts every session on this machine"
        }
        () => "--all counts every session on this machine",
    };
    format!("no response in scope\n{next}\n")
}

/// What a reader of the numbers should know of them.
fn doubts(quality: &Quality) -> String {
    let said = [
        (quality.malformed, "line", "could not be read"),
        (quality.interrupted, "response", "cut off: output is a lower bound"),
        (quality.unknown_usage, "request", "without a response: usage unknown"),
        (quality.unitemised, "session", "with housekeeping that cannot be told apart"),
        (quality.adopted, "response", "whose first session is not known"),
    ];
    let said = said.into_iter().filter(|(count, ..)| *count > 0);
    said.fold(String::new(), |text, (count, noun, what)| text + &counted(count, noun) + " " + what + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubts_are_said_where_there_are_some() {
        assert_eq!(doubts(&Quality { lines: 9, ..Quality::default() }), "");
        let quality = Quality { malformed: 1, interrupted: 2, unitemised: 1, ..Quality::default() };
        insta::assert_snapshot!(doubts(&quality), @r"
        1 line could not be read
        2 responses cut off: output is a lower bound
        1 session with housekeeping that cannot be told apart
        ");
    }
}
