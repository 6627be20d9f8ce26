//! `cpvo`: the collector and its admin commands. One call per command; the one place that prints an error.

mod attribute;
mod breakdown;
mod change;
mod changes;
mod chart;
mod config;
mod cordon;
mod delivery;
mod demo;
mod dispute;
mod export;
mod history;
mod hooks_config;
mod http;
mod import;
mod init;
mod judge;
mod keys;
mod listing;
mod page;
mod people;
mod platforms;
mod prices;
mod scatter;
mod schedule;
mod serve;
mod source;
mod sql;
mod store;
mod sync;
mod tickets;
mod token;
mod tracker;
mod verdict;
mod weekly;
mod window;

use clap::{Parser, Subcommand};
use jiff::Timestamp;
use std::io::Write;
use std::process::ExitCode;

/// What did our Claude Code spend buy that stayed shipped?
#[derive(Parser)]
#[command(name = "cpvo", version, arg_required_else_help = true)]
struct Cli {
    #[command(flatten)]
    options: config::Options,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Write cpvo.toml, teams.toml and a signing key where there are none
    Init(init::Args),
    /// Run the collector
    Serve(serve::Args),
    /// Ingest tokens: who may deliver reports
    Token(token::Args),
    /// Merge the hooks into a repository's .claude/settings.json
    HooksConfig(hooks_config::Args),
    /// Spend and outcomes of each team and week
    Weekly(weekly::Args),
    /// Is the bet paying off? The last mature quarter of each team against the two before it
    Verdict(verdict::Args),
    /// How each team delivers: cycle time, failures, rework, and with or without AI
    Delivery(delivery::Args),
    /// Read what landed from the sources of cpvo.toml
    Sync(sync::Args),
    /// Judge what became of each change
    Judge(judge::Args),
    /// Every change and what became of it
    Changes(changes::Args),
    /// One change from session to branch to merge to survival
    Change(change::Args),
    /// Keep work out of the metric
    Cordon(cordon::Args),
    /// How long the changes of a team must survive
    Window(window::Args),
    /// Find a disqualification wrong: it no longer counts
    Dispute(dispute::Args),
    /// The dated price book
    Prices(prices::Args),
    /// Ask the database a question
    Sql(sql::Args),
    /// Spend and outcomes as a file for another program
    Export(export::Args),
    /// An invented company, to look around in
    Demo(demo::Args),
}

fn main() -> ExitCode {
    let Cli { options, command } = Cli::parse();
    let done = match command {
        Command::Init(args) => init::run(&args, &options, now),
        Command::Serve(args) => serve::run(&args, &options, now),
        Command::Token(args) => token::run(args, &options, now),
        Command::HooksConfig(args) => hooks_config::run(args, &options, now),
        Command::Weekly(args) => weekly::run(args, &options, now),
        Command::Verdict(args) => verdict::run(args, &options, now),
        Command::Delivery(args) => delivery::run(args, &options, now),
        Command::Sync(args) => sync::run(&args, &options, now),
        Command::Judge(args) => judge::run(&args, &options, now),
        Command::Changes(args) => changes::run(args, &options, now),
        Command::Change(args) => change::run(args, &options, now),
        Command::Cordon(args) => cordon::run(args, &options, now),
        Command::Window(args) => window::run(args, &options, now),
        Command::Dispute(args) => dispute::run(&args, &options, now),
        Command::Prices(args) => prices::run(args, &options, now),
        Command::Sql(args) => sql::run(args, &options, now),
        Command::Export(args) => export::run(args, &options, now),
        Command::Demo(args) => demo::run(&args, &options, now),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
}

/// In whole seconds, so that instants sort as the text they are stored as.
#[expect(clippy::disallowed_methods, reason = "the door where time enters")]
fn now() -> Timestamp {
    let now = Timestamp::now();
    Timestamp::from_second(now.as_second()).unwrap_or(now)
}

fn fail(error: &anyhow::Error) -> ExitCode {
    let closed = |cause: &std::io::Error| cause.kind() == std::io::ErrorKind::BrokenPipe;
    if error.chain().filter_map(|cause| cause.downcast_ref()).any(closed) {
        return ExitCode::SUCCESS; // the reader, such as `head`, has seen enough
    }
    // who does not listen need not be told
    drop(writeln!(std::io::stderr(), "cpvo: {error:#}"));
    ExitCode::FAILURE
}
