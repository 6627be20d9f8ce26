//! `cpvo hooks-config`: merges our hooks into a repository's settings.

mod document;
mod merge;

use crate::config::{Clock, Options};
use anyhow::Result;

#[derive(clap::Args)]
pub(crate) struct Args {}

pub(crate) fn run(_args: Args, options: &Options, _now: Clock) -> Result<()> {
    options.load().map(drop)
}
