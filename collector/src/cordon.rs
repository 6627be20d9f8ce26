//! `cpvo cordon`: keeps work out of the metric, such as experiments that were never meant to ship.

use crate::config::{Clock, Options};
use crate::listing::{Cell, Format, Listing};
use crate::store::cordon::{Held, cordon_add, cordon_end, cordon_list};
use crate::store::db::Access;
use crate::store::open;
use anyhow::{Result, ensure};
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
        #[arg(long)]
        reason: String,
    },
}

#[derive(clap::Args)]
struct Add {
    /// A repository, as host/owner/name
    #[arg(long)]
    repo: Option<Repo>,
    /// A branch, such as 'spike/*'
    #[arg(long)]
    branch: Option<String>,
    /// A label of the pull request
    #[arg(long)]
    label: Option<String>,
    /// Changes all of whose files lie here, such as 'lab/*'
    #[arg(long)]
    path: Option<String>,
    /// Why, for the audit
    #[arg(long)]
    reason: String,
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
            ensure!(cordon != Cordon::default(), "say what to keep out: --repo, --branch, --label or --path");
            let id = db.transaction(|db| cordon_add(db, &cordon, &reason, now))?;
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
