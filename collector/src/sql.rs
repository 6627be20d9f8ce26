//! `cpvo sql`: one read-only question to the database, or what can be asked about.

use crate::config::{Clock, Options};
use crate::listing::{Cell, Format, Listing};
use crate::store::db::Access;
use crate::store::migrate::catalogue;
use anyhow::{Context, Result};
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
            let mut db = crate::store::open(&config.db, Access::Read, now())?;
            db.listing(&query).context("could not answer the query")?
        }
    };
    Ok(stdout().lock().write_all(listing.render(args.format)?.as_bytes())?)
}

fn tables() -> Listing {
    let row = |(name, line): (&str, &str)| vec![Cell::text(name), Cell::text(line)];
    Listing::new(&["name", "what it holds"], catalogue().into_iter().map(row).collect())
}
