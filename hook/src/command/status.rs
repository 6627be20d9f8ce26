//! `status`: where reports go, as whom, what waits, and what stands in the way. Looks only: nothing is created.

use crate::config::Config;
use crate::delivery::deliver::UNTIL_CHANGED;
use crate::delivery::outbox::Outbox;
use crate::state::install::Install;
use crate::state::ledger::{Collector, Ledger, Outcome, Refusal};
use crate::terms::stage::Stage;
use crate::terms::{Identity, Scope};
use crate::{state::log, sweep, terms::identity, terms::settings};
use anyhow::Result;
use jiff::Timestamp;
use serde::Serialize;
use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

const LOG_LINES: usize = 5;

#[derive(Debug, Default, Serialize)]
struct Status {
    version: &'static str,
    collector: Option<String>,
    /// How a collector will know who this is.
    trust: &'static str,
    scope: &'static str,
    developer: String,
    identity: &'static str,
    state: String,
    /// Why nothing happens here, which may be as it should.
    closed: Option<String>,
    last_delivery: Option<Timestamp>,
    waiting: usize,
    held: Vec<String>,
    /// What a collector did not take yet, with its reason.
    later: Vec<String>,
    set_aside: Vec<String>,
    /// What somebody has to see to.
    problems: Vec<String>,
    log: Vec<String>,
}

pub(super) fn run(config: &Config, now: Timestamp, json: bool) -> Result<ExitCode> {
    let folder = crate::current_folder();
    let stage = Stage::set(&folder, config, false);
    let mut status = here(&stage, config, &folder);
    if status.closed.is_none()
        && let Some(ledger) = Ledger::open_existing(&config.state, now)?
    {
        delivery(&mut status, &stage, config, &ledger, now)?;
    }
    let stuck = !status.problems.is_empty() || !status.held.is_empty() || !status.set_aside.is_empty();
    let mut out = std::io::stdout().lock();
    if json {
        writeln!(out, "{}", serde_json::to_string_pretty(&status)?)?;
    } else {
        write!(out, "{}", person(&status))?;
    }
    Ok(if stuck { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Why nothing can be kept in the state folder, as far as that can be seen without writing.
fn unusable(state: &Path) -> Option<String> {
    let metadata = std::fs::metadata(state).ok()?;
    let usable = metadata.is_dir() && !metadata.permissions().readonly();
    (!usable).then(|| format!("{} is no folder that can be written: nothing is stored", state.display()))
}

/// What can be told without the ledger.
fn here(stage: &Stage, config: &Config, folder: &Path) -> Status {
    let terms = &stage.scene.terms;
    let mut problems = config.faults.clone();
    if config.scope_ignored {
        problems.push(
            "CPVO_SCOPE=all is ignored in the environment: set scope = \"all\" in your own config.toml"
                .to_owned(),
        );
    }
    let project = stage.checkout.as_ref().map_or(folder, |checkout| &checkout.root);
    let below = folder.ancestors().take_while(|path| path.starts_with(project) && *path != project);
    problems.extend(below.chain([project]).flat_map(settings::faults));
    if terms.address.is_none() && !problems.iter().any(|problem| problem.contains("CPVO_URL")) {
        problems
            .push("no collector is named: CPVO_URL is not set, and this repository ships none".to_owned());
    }
    if let Some(address) = terms.address.as_ref().filter(|address| !config.allows(address)) {
        problems.push(format!("{address} is not among `collectors` in your config.toml"));
    }
    if let Err(error) = identity::sent(&stage.developer(), config, terms) {
        problems.push(format!("{error:#}"));
    }
    problems.extend(unusable(&config.state));
    let user = sweep::roots(config).pop().and_then(|projects| projects.parent().map(Path::to_owned));
    problems.extend(settings::silenced(project, user.as_deref()));
    Status {
        version: env!("CARGO_PKG_VERSION"),
        collector: terms.address.as_ref().map(ToString::to_string),
        trust: if terms.token.is_some() { "claimed" } else { "none: no token" },
        scope: match stage.scene.scope {
            Scope::Off => "off",
            Scope::Repo => "repo",
            Scope::All => "all",
        },
        developer: stage.developer().name().to_owned(),
        identity: match config.identity(terms) {
            Identity::Team => "team",
            Identity::Pseudonym => "pseudonym",
            Identity::Person => "person",
        },
        state: config.state.display().to_string(),
        closed: stage.closed(config),
        problems,
        log: log::last(&config.state, LOG_LINES),
        ..Status::default()
    }
}

/// What became of the deliveries.
fn delivery(
    status: &mut Status,
    stage: &Stage,
    config: &Config,
    ledger: &Ledger,
    now: Timestamp,
) -> Result<()> {
    let install = Install::load(&config.state)?;
    let mut outbox = Outbox::new(config, stage, &install);
    for to in outbox.destinations(ledger)? {
        let collector = ledger.collector(to.address.origin())?;
        let waiting = outbox.waiting(ledger, &collector, &to)?;
        status.waiting += waiting.len();
        status.last_delivery = status.last_delivery.max(instant(collector.success_at));
        let refusal = ledger.refusal(&collector.origin, &to.credentials(&install.secret))?;
        if !waiting.is_empty() {
            let repos: BTreeSet<&str> = waiting.iter().map(|waiting| waiting.key.repo.as_str()).collect();
            let refused = refusal.map(|refusal| refused(&collector, repos, &refusal));
            status.problems.extend(refused.or_else(|| failure(&collector, now)));
        }
        for trouble in ledger.delivery_troubled(&collector.origin)? {
            if !outbox.goes(ledger, &trouble.key, &to)? {
                continue;
            }
            let said = format!(
                "{} {} {}: {}",
                trouble.key.session, trouble.key.repo, trouble.key.week, trouble.note
            );
            match trouble.outcome {
                Outcome::Held => status.held.push(said),
                Outcome::Refused | Outcome::Upgrade => status.set_aside.push(said),
                Outcome::Later => status.later.push(said),
                Outcome::Done => {}
            }
        }
    }
    status.problems.extend(outbox.conflicts);
    Ok(())
}

fn refused(collector: &Collector, repos: BTreeSet<&str>, refusal: &Refusal) -> String {
    let (origin, words) = (&collector.origin, &refusal.words);
    let repos = repos.into_iter().collect::<Vec<_>>().join(", ");
    format!("{origin} refused the token of {repos}{}: {words}; {UNTIL_CHANGED}", since(refusal.at))
}

fn failure(collector: &Collector, now: Timestamp) -> Option<String> {
    let Collector { origin, failure, failure_at, retry_at, .. } = collector;
    let next = instant(*retry_at).filter(|at| *at > now);
    let again = next.map(|at| format!("; tried again from {at:.0} on")).unwrap_or_default();
    let said = || format!("{origin}: the last delivery failed{}: {failure}{again}", since(*failure_at));
    (collector.failures > 0 || next.is_some()).then(said)
}

fn since(seconds: i64) -> String {
    instant(seconds).map(|at| format!(" at {at:.0}")).unwrap_or_default()
}

fn instant(seconds: i64) -> Option<Timestamp> {
    Timestamp::from_second(seconds).ok().filter(|_| seconds > 0)
}

fn person(status: &Status) -> String {
    let delivery = status.last_delivery.map_or_else(|| "never".to_owned(), |at| at.to_string());
    let mut lines = vec![
        format!("cpvo-hook {}", status.version),
        format!("collector      {}", status.collector.as_deref().unwrap_or("none")),
        format!("trust          {}", status.trust),
        format!("scope          {}", status.scope),
        format!("developer      {} ({})", status.developer, status.identity),
        format!("state          {}", status.state),
        format!("last delivery  {delivery}"),
        format!("waiting        {}", status.waiting),
    ];
    lines.extend(status.closed.iter().map(|reason| format!("idle           {reason}")));
    lines.extend(status.held.iter().map(|said| format!("held           {said}")));
    lines.extend(status.later.iter().map(|said| format!("later          {said}")));
    lines.extend(status.set_aside.iter().map(|said| format!("set aside      {said}")));
    lines.extend(status.problems.iter().map(|problem| format!("problem        {problem}")));
    lines.extend(status.log.iter().map(|line| format!("log            {line}")));
    lines.join("\n") + "\n"
}
