//! `cpvo sql`: one read-only question to the database, or what can be asked about.

use crate::config::{Clock, Options};
use crate::listing::{Cell, Format, Listing};
use crate::store::db::Access;
use crate::store::migrate::catalogue;
use anyhow::{Result, anyhow, ensure};
use std::io::{Write, stdout};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// One SELECT; without it, the tables and views there are
    query: Option<String>,
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

pub(crate) fn run(args: Args, options: &Options, now: Clock) -> Result<()> {
    let listing = match args.query {
        None => tables(),
        Some(query) => {
            let config = options.load()?;
            ensure!(
                !query.trim().is_empty(),
                "the query is empty; `cpvo sql` alone lists what can be asked about"
            );
            config.db.ensure_there()?;
            let mut db = crate::store::open(&config.db, Access::Read, now())?;
            db.listing(&query).map_err(|error| anyhow!("could not answer the query: {}", reason(&error)))?
        }
    };
    Ok(stdout().lock().write_all(listing.render(args.format)?.as_bytes())?)
}

/// All that the database said, without the numbers that only SQLite's own makers know.
fn reason(error: &anyhow::Error) -> String {
    let causes: Vec<String> = error.chain().map(ToString::to_string).collect();
    let plain: Vec<&str> =
        causes.iter().map(String::as_str).filter(|cause| !cause.starts_with("Error code ")).collect();
    match causes.first().and_then(|first| first.strip_prefix("Error code ")?.split_once(": ")) {
        Some((_, first)) => first.to_owned(),
        None => plain.join(": "),
    }
}

fn tables() -> Listing {
    let row = |(name, line): (&str, &str)| vec![Cell::text(name), Cell::text(line)];
    Listing::new(&["name", "what it holds"], catalogue().into_iter().map(row).collect())
}
