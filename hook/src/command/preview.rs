//! `preview`: the exact next JSON that would be sent.

use crate::config::Config;
use crate::delivery::outbox::Outbox;
use crate::state::install::Install;
use crate::terms::stage::Stage;
use crate::work;
use anyhow::{Result, bail};
use jiff::Timestamp;
use std::io::Write;

/// Reads what is new first: what would be sent is what a sweep would find now.
pub(super) fn run(config: &Config, now: Timestamp, all: bool) -> Result<()> {
    let stage = Stage::set(&crate::current_folder(), config, all);
    if let Some(reason) = stage.closed(config) {
        bail!("nothing would be sent: {reason}");
    }
    let ledger = work::sweep_copy(&stage, config, now)?;
    let install = Install::load(&config.state)?;
    let mut outbox = Outbox::new(config, &stage, &install);
    let mut out = std::io::stdout().lock();
    for to in outbox.destinations(&ledger)? {
        outbox.may_send(&to)?;
        if let Some(body) = outbox.next(&ledger, &to)? {
            return Ok(writeln!(out, "{body}")?);
        }
    }
    Ok(writeln!(out, "[]")?)
}
