//! `cpvo cordon`: keeps work out of the metric, such as experiments that were never meant to ship.

use crate::config::{Clock, Options};
use crate::listing::{Cell, Format, Listing};
use crate::store::cordon::{Held, cordon_add, cordon_end, cordon_list};
use crate::store::db::{Access, Db};
use crate::store::open;
use anyhow::{Result, bail, ensure};
use jiff::Timestamp;
use meter::Repo;
use meter::attribution::Cordon;
use std::io::{Write, stdout};

#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Keep out what meets every part that is given; `*` stands for any text
    Add(Add),
    /// The rules that hold
    List,
    /// Take a rule back
    End {
        /// The id that `cpvo cordon list` shows
        id: i64,
        /// Why, for the audit
        #[arg(long, value_parser = said)]
        reason: String,
    },
}

#[derive(clap::Args)]
struct Add {
    /// A repository, as host/owner/name
    #[arg(long)]
    repo: Option<Repo>,
    /// A branch, such as 'spike/*'
    #[arg(long, value_parser = said)]
    branch: Option<String>,
    /// A label of the pull request
    #[arg(long, value_parser = said)]
    label: Option<String>,
    /// Changes all of whose files lie here, such as 'lab/*'
    #[arg(long, value_parser = said)]
    path: Option<String>,
    /// Why, for the audit
    #[arg(long, value_parser = said)]
    reason: String,
}

impl Args {
    /// As `cpvo cordon add --branch` would say it.
    pub(crate) fn branch(branch: &str, reason: &str) -> Self {
        let (branch, reason) = (Some(branch.to_owned()), reason.to_owned());
        Self { command: Command::Add(Add { repo: None, branch, label: None, path: None, reason }) }
    }
}

pub(crate) fn run(args: Args, options: &Options, now: Clock) -> Result<()> {
    let config = options.load()?;
    let now = now();
    let mut db = open(&config.db, Access::Write, now)?;
    let mut out = stdout().lock();
    match args.command {
        Command::Add(Add { repo, branch, label, path, reason }) => {
            let repo = repo.map(|repo| repo.as_str().to_owned());
            let cordon = Cordon { repo, branch, label: label.map(|label| label.to_lowercase()), path };
            let id = db.transaction(|db| add(db, &cordon, &reason, now))?;
            writeln!(out, "cordon {id} holds from the next `cpvo judge` on, for what was spent before too")?;
        }
        Command::List => write!(out, "{}", listing(&cordon_list(&mut db)?).render(Format::Table)?)?,
        Command::End { id, reason } => {
            let ended = db.transaction(|db| cordon_end(db, id, &reason, now))?;
            ensure!(ended, "there is no cordon {id}; `cpvo cordon list` shows those that hold");
            writeln!(out, "cordon {id} ends with the next `cpvo judge`")?;
        }
    }
    Ok(())
}

fn said(text: &str) -> Result<String, &'static str> {
    if text.trim().is_empty() { Err("it is empty") } else { Ok(text.to_owned()) }
}

/// Adds a rule that says what it keeps out, once; returns its id.
fn add(db: &mut Db, cordon: &Cordon, reason: &str, now: Timestamp) -> Result<i64> {
    ensure!(*cordon != Cordon::default(), "say what to keep out: --repo, --branch, --label or --path");
    let any = cordon.branch.as_ref().is_some_and(|branch| branch.trim_matches('*').is_empty());
    ensure!(!any || cordon.repo.is_some(), "--branch '*' is every branch: say of which --repo");
    if let Some(held) = cordon_list(db)?.iter().find(|held| held.cordon == *cordon) {
        bail!("cordon {} keeps this out already", held.id);
    }
    cordon_add(db, cordon, reason, now)
}

fn listing(rules: &[Held]) -> Listing {
    let text = |text: Option<&String>| text.map_or(Cell::Null, Cell::text);
    let row = |held: &Held| {
        let Cordon { repo, branch, label, path } = &held.cordon;
        let parts = [repo, branch, label, path].map(|part| text(part.as_ref()));
        let first = std::iter::once(Cell::number(held.id)).chain(parts);
        first.chain([Cell::text(&held.recorded_at), Cell::text(&held.reason)]).collect()
    };
    let columns = ["cordon", "repo", "branch", "label", "path", "since", "reason"];
    Listing::new(&columns, rules.iter().map(row).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::fixture::{now, on_both};
    use clap::Parser as _;

    #[derive(clap::Parser)]
    struct Cli {
        #[command(flatten)]
        args: Args,
    }

    #[test]
    fn what_is_empty_is_refused() {
        let is_taken = |words: &[&str]| Cli::try_parse_from([&["cordon"], words].concat()).is_ok();
        for part in ["--repo", "--branch", "--label", "--path"] {
            for empty in ["", " "] {
                assert!(!is_taken(&["add", part, empty, "--reason", "a spike"]), "{part} {empty:?}");
            }
        }
        assert!(!is_taken(&["add", "--branch", "spike/*", "--reason", ""]));
        assert!(!is_taken(&["end", "1", "--reason", ""]));
        assert!(is_taken(&["add", "--branch", "spike/*", "--reason", "a spike"]));
    }

    #[test]
    fn a_rule_is_added_once_and_keeps_not_everything_out() {
        let rule = |repo: Option<&str>, branch: Option<&str>| {
            let [repo, branch] = [repo, branch].map(|part| part.map(str::to_owned));
            Cordon { repo, branch, ..Cordon::default() }
        };
        let pay = Some("github.com/acme/pay");
        on_both(|db| {
            let mut added = |rule| add(db, &rule, "a spike", now()).map_err(|error| error.to_string());
            assert_eq!(added(rule(pay, Some("*"))), Ok(1));
            assert_eq!(added(rule(None, Some("x"))), Ok(2));
            assert_eq!(added(rule(None, Some("x"))), Err("cordon 2 keeps this out already".to_owned()));
            assert!(added(rule(None, Some("*"))).unwrap_err().contains("every branch"));
            assert!(added(rule(None, None)).unwrap_err().contains("say what to keep out"));
        });
    }
}
