//! `cpvo dispute`: a disqualification that an admin finds wrong no longer counts; it is kept, with the reason.

use crate::change::find;
use crate::config::{Clock, Options, account};
use crate::store::db::Access;
use crate::store::dispute::{Reason, dispute_add};
use crate::store::open;
use anyhow::{Result, ensure};
use std::io::{Write, stdout};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The change: its number, its sha or the first digits of that, alone or behind its repository: github.com/acme/pay#17
    change: String,
    /// Why it is wrong; it is kept and shown, with the account that says so
    #[arg(long)]
    reason: String,
}

pub(crate) fn run(args: &Args, options: &Options, now: Clock) -> Result<()> {
    let config = options.load()?;
    config.db.ensure_there()?;
    let by = account();
    let reason = Reason { text: args.reason.trim(), by: &by };
    ensure!(!reason.text.is_empty(), "--reason must say why");
    let mut db = open(&config.db, Access::Write, now())?;
    let count = db.transaction(|db| {
        let (repo, sha) = find(db, &args.change)?;
        dispute_add(db, (&repo, &sha), reason, now())
    })?;
    ensure!(count > 0, "nothing disqualifies {}; `cpvo changes` tells what does", args.change);
    writeln!(stdout().lock(), "disputed {count} of {}; `cpvo judge` tells what it is without", args.change)?;
    Ok(())
}
