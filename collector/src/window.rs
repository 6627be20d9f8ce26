//! `cpvo window`: how long the changes of a team must survive, and what its own reverts say about that.

use crate::config::{Clock, Options};
use crate::store::db::{Access, Db};
use crate::store::open;
use crate::store::policy::{policy_lags, policy_list, policy_set};
use crate::store::team_week::team_list;
use anyhow::{Context, Result, bail, ensure};
use jiff::SignedDuration;
use meter::Ppm;
use meter::outcome::{Lags, Policy, REVERTS_MIN, Strictness};
use std::io::{Write, stdout};

#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Judge all changes of a team, past ones too, by another window; `team_week_policy` keeps the weeks by each
    Set(Set),
    /// Which window the team's own reverts ask for
    Suggest {
        /// The team's id in teams.toml
        team: String,
    },
}

#[derive(clap::Args)]
struct Set {
    /// The team's id in teams.toml
    team: String,
    /// Days a change must survive
    #[arg(value_parser = clap::value_parser!(u32).range(1..=90))]
    days: u32,
    /// Why; it is kept and shown
    #[arg(long)]
    reason: String,
    /// targeted: reverts that name their target, and confirmed hotfixes; literal: also any revert that touches the
    /// same files, and suspected hotfixes [default: as before]
    #[arg(long, value_parser = strictness)]
    strictness: Option<Strictness>,
    /// Hours in which a hotfix counts [default: as before]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=2160))]
    hotfix_hours: Option<u32>,
}

impl Args {
    /// As `cpvo window set` would say it.
    pub(crate) fn set(team: &str, days: u32, reason: &str) -> Self {
        let (team, reason) = (team.to_owned(), reason.to_owned());
        Self { command: Command::Set(Set { team, days, reason, strictness: None, hotfix_hours: None }) }
    }
}

fn strictness(word: &str) -> Result<Strictness> {
    Strictness::from_word(word).with_context(|| format!("{word:?} is neither targeted nor literal"))
}

pub(crate) fn run(args: Args, options: &Options, now: Clock) -> Result<()> {
    let config = options.load()?;
    config.db.ensure_there()?;
    let text = match args.command {
        Command::Set(args) => set(&mut open(&config.db, Access::Write, now())?, &args, now)?,
        Command::Suggest { team } => suggest(&mut open(&config.db, Access::Read, now())?, &team)?,
    };
    Ok(stdout().lock().write_all(text.as_bytes())?)
}

fn ensure_known(db: &mut Db, team: &str) -> Result<()> {
    let known = team_list(db)?;
    if !known.iter().any(|known| known == team) {
        bail!("there is no team {team:?}; there are: {}", known.join(", "));
    }
    Ok(())
}

fn set(db: &mut Db, args: &Set, now: Clock) -> Result<String> {
    let reason = args.reason.trim();
    ensure!(!reason.is_empty(), "--reason must say why");
    db.transaction(|db| {
        ensure_known(db, &args.team)?;
        let former = policy_list(db)?.of(&args.team).policy;
        let policy = Policy {
            window_days: args.days,
            hotfix_hours: args.hotfix_hours.unwrap_or(former.hotfix_hours),
            strictness: args.strictness.unwrap_or(former.strictness),
        };
        ensure!(policy != former, "{} is judged by that already: {}", args.team, former);
        let id = policy_set(db, &args.team, policy, reason, now())?;
        let team = &args.team;
        Ok(format!(
            "{team}: policy {id}, {policy}; it was {former}\n\
             the next `cpvo judge` judges the past by it too; the weeks by either are in team_week_policy\n"
        ))
    })
}

fn suggest(db: &mut Db, team: &str) -> Result<String> {
    ensure_known(db, team)?;
    let held = policy_list(db)?.of(team).policy;
    let lags = policy_lags(db, team)?;
    let count = lags.count();
    if count == 0 {
        return Ok(format!("{team}: no change of theirs was ever taken back, as far as is known; {held}\n"));
    }
    let mut lines = vec![format!("{team}: {count} changes were taken back, whatever the window")];
    lines.extend(lags.seen().map(|(days, seen)| {
        let share = Ppm::share(seen as u64, count as u64).map_or(0, Ppm::percent);
        format!("  within {days:>2} days {seen:>4} of {count} ({share} %)")
    }));
    lines.extend([50, 75, 90].map(|percent| {
        let lag = lags.percentile(percent).map_or_else(String::new, shown);
        format!("  {percent} % had come after {lag}")
    }));
    lines.push(advice(team, held, &lags));
    Ok(lines.join("\n"))
}

fn advice(team: &str, held: Policy, lags: &Lags) -> String {
    match lags.suggested() {
        None => format!("fewer than {REVERTS_MIN} say little; {held}\n"),
        Some(days) if days == held.window_days => format!("the window of {days} days fits\n"),
        Some(days) => format!(
            "{days} days is the shortest usual window that sees nine of ten, or the longest; it is {} now: \
             cpvo window set {team} {days} --reason …\n",
            held.window_days
        ),
    }
}

fn shown(lag: SignedDuration) -> String {
    let hours = lag.as_hours();
    if hours < 48 { format!("{hours} hours") } else { format!("{} days", hours / 24) }
}
