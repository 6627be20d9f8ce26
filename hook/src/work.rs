//! The work behind the events: what a detached process, or a person at a terminal, has done.

use crate::checkout::places::Places;
use crate::command::arguments::Work;
use crate::config::Config;
use crate::delivery::deliver::{self, Summary};
use crate::delivery::outbox::Outbox;
use crate::events::{self, Absorbed, Said};
use crate::state::install::Install;
use crate::state::ledger::{self, Event, Ledger, Patience};
use crate::state::{lock, log};
use crate::sweep::{self, Bounds, Reader, Swept};
use crate::terms::stage::Stage;
use crate::{checkout::commits, detach};
use anyhow::{Result, bail};
use jiff::Timestamp;
use std::time::{Duration, Instant};

/// How long a delivery may take that nobody waits for.
pub(crate) const DELIVERY_MAX: Duration = Duration::from_mins(2);
/// How long a session's end may take where the machine does not outlive it.
const INLINE_MAX: Duration = Duration::from_secs(10);

/// A detached process.
pub(crate) fn run(work: &Work, config: &Config, now: Timestamp) -> Result<()> {
    let said = work.said();
    let stage = Stage::set(&said.cwd, config, false);
    if stage.closed(config).is_some() {
        return Ok(());
    }
    detach::yield_to_others();
    let deadline = Instant::now() + DELIVERY_MAX;
    let moment = Moment { now, deadline, patience: Patience::Worker, asked: false, heal: false };
    match work.job.as_str() {
        "sweep" => {
            started(&said, &stage, config, now)?;
            // where another process sweeps, what waits is delivered all the same
            let (swept, ledger) = sweep_once(&stage, config, now, Bounds::HOOK, &|_, _| {})?.unzip();
            for trouble in swept.iter().flat_map(|swept| &swept.troubles) {
                log::write(&config.state, now, "sweep", trouble);
            }
            deliver_all(&stage, config, Moment { heal: true, ..moment }, ledger).map(drop)
        }
        "end" | "deliver" => {
            if work.job == "end" {
                absorbed(&said, config, moment)?;
            }
            let ledger = committed(&said, &stage, config, moment)?;
            deliver_all(&stage, config, moment, Some(ledger)).map(drop)
        }
        other => bail!("{other} is no job"),
    }
}

/// Notes what only the start of a session can tell.
fn started(said: &Said, stage: &Stage, config: &Config, now: Timestamp) -> Result<()> {
    let event = Event {
        session: said.session_id.clone(),
        developer: Some(stage.developer()),
        client: config.client,
        end_reason: None,
    };
    Ledger::open(&config.state, Patience::Worker, now)?.session_event(&event)
}

/// Finds the commits of a session that has ended.
fn committed(said: &Said, stage: &Stage, config: &Config, moment: Moment) -> Result<Ledger> {
    let mut ledger = Ledger::open(&config.state, moment.patience, moment.now)?;
    let install = Install::load(&config.state)?;
    commits::find(&mut ledger, [&said.session_id], &stage.identities, &install.secret)?;
    Ok(ledger)
}

/// Stores a session whose files are long, or read by other processes as well. What there is no time for is left to
/// the next sweep.
fn absorbed(said: &Said, config: &Config, moment: Moment) -> Result<()> {
    while events::absorb_session(said, config, moment.now, moment.patience)? == Absorbed::Unfinished {
        if Instant::now() >= moment.deadline {
            log::write(&config.state, moment.now, "end", "some of the session is left to the next sweep");
            break;
        }
    }
    Ok(())
}

/// Stores and delivers at a session's end, before the machine is gone: what else holds ledger or lock is waited for.
pub(crate) fn inline(said: &Said, config: &Config, now: Timestamp) -> Result<()> {
    let deadline = Instant::now() + INLINE_MAX;
    let stage = Stage::set(&said.cwd, config, false);
    if stage.closed(config).is_some() {
        return Ok(());
    }
    let moment = Moment { now, deadline, patience: Patience::Until(deadline), asked: false, heal: false };
    absorbed(said, config, moment)?;
    let ledger = committed(said, &stage, config, moment)?;
    deliver_all(&stage, config, moment, Some(ledger)).map(drop)
}

/// Reads what is new; `None` where another sweep does.
pub(crate) fn sweep_once(
    stage: &Stage,
    config: &Config,
    now: Timestamp,
    bounds: Bounds,
    progress: &dyn Fn(u64, u64),
) -> Result<Option<(Swept, Ledger)>> {
    let Some(_lock) = lock::take(&config.state, "sweep.lock", Patience::Worker)? else { return Ok(None) };
    let mut ledger = Ledger::open(&config.state, Patience::Worker, now)?;
    let swept = sweep_into(&mut ledger, stage, config, bounds, progress)?;
    Ok(Some((swept, ledger)))
}

/// Reads what is new into a copy of the ledger: what a sweep would make of it, which is left to the next one.
pub(crate) fn sweep_copy(stage: &Stage, config: &Config, now: Timestamp) -> Result<Ledger> {
    let mut ledger = Ledger::copy(&config.state, now)?;
    sweep_into(&mut ledger, stage, config, Bounds::TYPED, &|_, _| {})?;
    Ok(ledger)
}

fn sweep_into(
    ledger: &mut Ledger,
    stage: &Stage,
    config: &Config,
    bounds: Bounds,
    progress: &dyn Fn(u64, u64),
) -> Result<Swept> {
    let install = Install::load(&config.state)?;
    let places = Places::new(ledger.folder_all()?, &install.secret);
    let mut reader = Reader::new(config, stage, places);
    let swept = sweep::run(ledger, &mut reader, bounds, progress)?;
    // also of sessions that another process read and had no time to follow
    let due = ledger.commit_due()?;
    commits::find(ledger, &due, &stage.identities, &install.secret)?;
    Ok(swept)
}

/// When a delivery runs, until when, how patient it is with others, and whether it also asks what is missing.
#[derive(Clone, Copy)]
pub(crate) struct Moment {
    pub now: Timestamp,
    pub deadline: Instant,
    pub patience: Patience,
    /// A person asked for it.
    pub asked: bool,
    pub heal: bool,
}

/// Delivers all that waits, from the ledger as it was left open. Another delivery may know other collectors than this
/// one, so its end is waited for.
pub(crate) fn deliver_all(
    stage: &Stage,
    config: &Config,
    moment: Moment,
    ledger: Option<Ledger>,
) -> Result<Summary> {
    let Some(_lock) = lock::take(&config.state, "deliver.lock", Patience::Until(moment.deadline))? else {
        let trouble = "another delivery is under way: what waits is left to the next one";
        return Ok(Summary { troubles: vec![trouble.to_owned()], ..Summary::default() });
    };
    let ledger = ledger.map_or_else(|| Ledger::open(&config.state, moment.patience, moment.now), Ok);
    let (mut ledger, install) = (ledger?, Install::load(&config.state)?);
    let terms = deliver::Terms {
        now: moment.now,
        deadline: moment.deadline,
        secret: &install.secret,
        network: &config.network,
        asked: moment.asked,
        heal: moment.heal,
    };
    let summary = deliver::run(&mut ledger, &mut Outbox::new(config, stage, &install), terms)?;
    for trouble in &summary.troubles {
        log::write(&config.state, moment.now, "deliver", trouble);
    }
    ledger.checkpoint_if_long()?;
    Ok(summary)
}

/// Notes an error where only `status` shows it; a damaged ledger makes room for a new one.
pub(crate) fn note(config: &Config, now: Timestamp, command: &str, error: &anyhow::Error) {
    if config.disabled || Stage::set(&crate::current_folder(), config, false).closed(config).is_some() {
        return;
    }
    log::write(&config.state, now, command, &format!("{error:#}"));
    if ledger::is_damaged(error) {
        drop(ledger::set_aside(&config.state, now));
    }
}

/// The error, and what was done about it where the ledger is damaged.
pub(crate) fn mended(config: &Config, now: Timestamp, error: anyhow::Error) -> anyhow::Error {
    if !ledger::is_damaged(&error) {
        return error;
    }
    match ledger::set_aside(&config.state, now) {
        Ok(()) => error.context("the ledger was damaged and is set aside: run this again"),
        Err(fault) => error.context(fault),
    }
}
