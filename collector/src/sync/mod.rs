//! `cpvo sync`: reads what is new from the sources of cpvo.toml, each by itself.

mod inverse;
mod lines;

use crate::config::{Clock, Options};
use crate::import::{Imported, import};
use crate::listing::Whole;
use crate::source::bases::Bases;
use crate::source::clone::{History, LocalClone, Tag};
use crate::source::fetch::fetch;
use crate::source::github::GitHub;
use crate::source::gitlab::GitLab;
use crate::source::jira::Jira;
use crate::source::linear::Linear;
use crate::source::service::Service;
use crate::source::web::{Pace, REQUEST_MAX, Unreachable};
use crate::source::{Host, Landed, Source, clone};
use crate::store::change::{
    Cursor, Order, change_add, change_count, change_forget, source_cursor, source_list, source_put,
    source_synced, sources_await,
};
use crate::store::db::{Access, Db};
use crate::store::mark::{inverse_add, tag_replace};
use crate::store::outcome::code_owners_put;
use crate::store::service::{Progress, service_progress, service_put, service_retain};
use crate::store::shipping::{Told, shipment_list, shipment_put, shipment_remove};
use crate::store::size::{Size, size_put, size_unknown};
use crate::tracker::track;
use anyhow::{Context, Result, bail, ensure};
use indicatif::{ProgressBar, ProgressStyle};
use inverse::Lately;
use jiff::Timestamp;
use lines::Counted;
use meter::Repo;
use meter::delivery::{Ship, is_release};
use serde::Serialize;
use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::io::{Write, stderr, stdout};
use std::path::PathBuf;
use std::thread;

/// Changes that are stored in one transaction; a sync that is cut off goes on behind the last of them.
const PAGE: usize = 500;

#[derive(Default, clap::Args)]
pub(crate) struct Args {
    /// Sources by the name cpvo.toml gives them, such as github.com/acme/pay [default: all]
    #[arg(value_name = "SOURCE")]
    sources: Vec<String>,
    #[command(flatten)]
    whole: Whole,
}

pub(crate) fn run(args: &Args, options: &Options, now: Clock) -> Result<()> {
    let config = options.load()?;
    ensure!(!config.sources.is_empty(), "cpvo.toml names no [[source]] to read changes from");
    let known = |name: &&String| config.sources.iter().any(|source| source.name() == name.as_str());
    if let Some(name) = args.sources.iter().find(|name| !known(name)) {
        let mut all: Vec<&str> = config.sources.iter().map(Source::name).collect();
        all.dedup();
        bail!("cpvo.toml has no source {name:?}; there are: {}", all.join(", "));
    }
    let words = tracing_subscriber::fmt().with_writer(stderr).without_time().with_target(false);
    words.with_ansi(false).init();
    let mut db = crate::store::open(&config.db, Access::Write, now())?;
    let wait = |time| {
        thread::sleep(time);
        Ok(())
    };
    let pace = Pace { now, answer_max: REQUEST_MAX, until: None, wait: &wait };
    let mut round = Round::new(&config.sources);
    let asked =
        |source: &&Source| args.sources.is_empty() || args.sources.iter().any(|name| name == source.name());
    wait_for(&mut db, &config.sources)?;
    let (mut told, mut failed) = (Vec::new(), 0);
    for source in in_order(&config.sources).filter(asked) {
        match round.read(&mut db, source, pace) {
            Ok(synced) if args.whole.is_json() => told.push(synced),
            Ok(synced) => say(&synced)?,
            Err(error) => {
                // one that fails keeps no other from being read
                drop(writeln!(stderr(), "cpvo: {error:#}"));
                failed += 1;
            }
        }
    }
    if args.whole.is_json() {
        say(&serde_json::to_string_pretty(&told)?)?;
    } else {
        for repo in source_list(&mut db)? {
            if args.sources.is_empty() && !config.sources.iter().any(|source| source.name() == repo.as_str())
            {
                say(&format!("{repo}: no longer in cpvo.toml; its changes stay as they were last read"))?;
            }
        }
    }
    let all = config.sources.iter().filter(asked).count();
    ensure!(failed == 0, "{failed} of {all} sources could not be read");
    Ok(())
}

fn say(line: &impl fmt::Display) -> Result<()> {
    Ok(writeln!(stdout().lock(), "{line}")?)
}

/// Lets weeks wait for all sources, be they ever reached, and for no former one.
pub(crate) fn wait_for(db: &mut Db, sources: &[Source]) -> Result<()> {
    let mut all: Vec<_> = sources.iter().map(|source| (source.name(), source.kind())).collect();
    all.sort_by_key(|(_, kind)| *kind); // where there is a clone, it tells what landed
    service_retain(db, &all)?;
    let (trackers, repos): (Vec<_>, Vec<_>) =
        all.into_iter().partition(|(_, kind)| matches!(*kind, "jira" | "linear"));
    sources_await(db, &repos)?;
    for (name, kind) in trackers {
        if service_progress(db, name, kind)?.is_none() {
            service_put(db, name, kind, &Progress { cursor: String::new(), synced_at: None })?;
        }
    }
    Ok(())
}

/// Hosts before clones: a host knows by which request a commit came; then the trackers of what all those name.
pub(crate) fn in_order(sources: &[Source]) -> impl Iterator<Item = &Source> {
    let turn = |source: &&Source| match source {
        Source::Github(_) | Source::Gitlab(_) => 0,
        Source::Clone(_) => 1,
        Source::Jira(_) | Source::Linear(_) => 2,
    };
    let mut sources: Vec<&Source> = sources.iter().collect();
    sources.sort_by_key(turn);
    sources.into_iter()
}

/// One reading of all sources.
pub(crate) struct Round<'a> {
    sources: &'a [Source],
    /// Addresses where nobody answered.
    out_of_reach: HashSet<&'a str>,
}

impl<'a> Round<'a> {
    pub(crate) fn new(sources: &'a [Source]) -> Self {
        Self { sources, out_of_reach: HashSet::new() }
    }

    /// Reads what is new in one of them; whoever could not be reached is not asked again.
    pub(crate) fn read(&mut self, db: &mut Db, source: &'a Source, pace: Pace<'a>) -> Result<Synced> {
        let address = source.address();
        if let Some(address) = address.filter(|address| self.out_of_reach.contains(address)) {
            bail!("{} on {}: {address} could not be reached just now", source.name(), source.kind());
        }
        let synced = sync_source(db, source, self.sources, pace);
        if synced.as_ref().is_err_and(anyhow::Error::is::<Unreachable>) {
            self.out_of_reach.extend(address);
        }
        synced
    }
}

/// Reads what is new in one of `sources`.
fn sync_source<'a>(db: &mut Db, source: &'a Source, sources: &[Source], pace: Pace<'a>) -> Result<Synced> {
    let (mut stale, mut lines) = (None, None);
    let imported = match source {
        Source::Clone(clone) => {
            let name = || format!("the clone of {} in {}", clone.repo, clone.path.display());
            let fetched = if clone.fetch { fetch(clone, pace) } else { Ok(()) };
            // what it had is read all the same, and as long as git has more to tell
            let landed = sync_clone(db, clone, Pace { until: None, ..pace }, (pace.now)());
            let landed = landed.with_context(name)?;
            fetched.context("could not fetch it").with_context(name)?;
            stale = Stale::of(db, clone, (pace.now)())?;
            if clone.surviving_lines {
                let counted = lines::count(db, clone, pace).context("could not count its lines");
                lines = Some(counted.with_context(name)?);
            }
            Imported { landed, changes: change_count(db, &clone.repo)?, ..Imported::default() }
        }
        Source::Github(service) => import_of::<GitHub>(db, service, sources, pace)?,
        Source::Gitlab(service) => import_of::<GitLab>(db, service, sources, pace)?,
        Source::Jira(site) => Jira::open(site, pace)
            .and_then(|jira| track(db, &jira, source, pace))
            .with_context(|| format!("the tickets of {}", source.name()))?,
        Source::Linear(workspace) => Linear::open(workspace, pace)
            .and_then(|linear| track(db, &linear, source, pace))
            .with_context(|| format!("the tickets of {}", source.name()))?,
    };
    Ok(Synced { source: source.name().to_owned(), kind: source.kind(), imported, stale, lines })
}

fn import_of<'a, H: Host<'a>>(
    db: &mut Db,
    service: &'a Service,
    sources: &[Source],
    pace: Pace<'a>,
) -> Result<Imported> {
    let is_clone = |it: &Source| matches!(it, Source::Clone(clone) if clone.repo == service.repo);
    import::<H>(db, service, sources.iter().any(is_clone), pace)
        .with_context(|| format!("{} on {}", service.repo, H::KIND))
}

/// What was read of a source.
#[derive(Debug, Serialize)]
pub(crate) struct Synced {
    source: String,
    kind: &'static str,
    #[serde(flatten)]
    imported: Imported,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    stale: Option<Stale>,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    lines: Option<Counted>,
}

/// A clone that has not been fetched for days.
#[derive(Debug, Serialize)]
struct Stale {
    fetched_at: Timestamp,
    #[serde(skip)]
    days: i64,
    #[serde(skip)]
    path: PathBuf,
}

impl Stale {
    fn of(db: &mut Db, clone: &LocalClone, now: Timestamp) -> Result<Option<Self>> {
        let Some((_, _, fetched_at)) = source_cursor(db, &clone.repo)? else { return Ok(None) };
        let days = now.duration_since(fetched_at).as_hours() / 24;
        Ok((days > 0).then(|| Self { fetched_at, days, path: clone.path.clone() }))
    }
}

impl fmt::Display for Synced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { source, kind, imported, stale, lines } = self;
        let Imported { landed, requests, tickets, changes } = imported;
        match *kind {
            "jira" | "linear" => return write!(f, "{source} ({kind}): {tickets} tickets read"),
            "clone" => write!(f, "{source}: {landed} commits landed since the last time")?,
            kind => {
                write!(
                    f,
                    "{source} ({kind}): {requests} requests, {landed} commits, {tickets} tickets read"
                )?;
            }
        }
        write!(f, ", {changes} changes in all")?;
        if let Some(Counted { changes, left }) = lines {
            write!(f, "; lines of {changes} counted")?;
            if *left > 0 {
                write!(f, ", of {left} the next time")?;
            }
        }
        let Some(Stale { days, path, .. }) = stale else { return Ok(()) };
        let days = if *days == 1 { "a day".to_owned() } else { format!("{days} days") };
        write!(f, "; the clone was last fetched {days} ago: git -C {} fetch", path.display())
    }
}

/// Reads a clone; returns how many commits landed on its branch.
fn sync_clone(db: &mut Db, source: &LocalClone, waits: Pace, now: Timestamp) -> Result<u64> {
    let cursor = source_cursor(db, &source.repo)?;
    let known = cursor.as_ref().map(|(branch, commit, _)| (branch.as_str(), commit.as_str()));
    let history = clone::open(source, known, waits)?;
    let commits = history.count()?;
    let progress = progress(source, "commits", commits);
    let mut anew = history.after.is_none();
    let former =
        cursor.as_ref().filter(|_| !anew).map_or(Timestamp::UNIX_EPOCH, |(_, _, synced_at)| *synced_at);
    let mut lately =
        if anew || commits == 0 { Lately::default() } else { Lately::stored(db, &source.repo, now)? };
    let mut page: Vec<Landed> = Vec::with_capacity(PAGE);
    let mut store = |page: &mut Vec<Landed>| -> Result<()> {
        let commit = page.last().map_or(&history.tip, |newest| &newest.commit.sha);
        let cursor = Cursor { kind: "clone", branch: &history.branch, commit };
        let turned = lately.turned(&history, page)?;
        db.transaction(|db| {
            if anew {
                change_forget(db, &source.repo)?;
            }
            source_put(db, &source.repo, &cursor, former)?;
            change_add(db, &source.repo, page, Order::AsRead)?;
            inverse_add(db, &source.repo, &turned)
        })?;
        anew = false;
        page.clear();
        Ok(())
    };
    history.read(|landed| {
        progress.inc(1);
        page.push(landed.by(now));
        if page.len() < PAGE { Ok(()) } else { store(&mut page) }
    })?;
    store(&mut page)?; // also where nothing landed
    let (tags, code_owners) = (history.tags()?, history.code_owners()?);
    let heard = history.fetched_at()?.map_or(now, |at| at.min(now));
    let has_moved = known.is_none_or(|(_, commit)| commit != history.tip);
    let releases = releases(db, &source.repo, &history, &tags, has_moved)?;
    let sizes = sizes(db, &source.repo, &history)?;
    db.transaction(|db| {
        size_put(db, &source.repo, &sizes)?;
        let named: Vec<(String, String)> = tags.into_iter().map(|tag| (tag.name, tag.sha)).collect();
        tag_replace(db, &source.repo, &named)?;
        releases_put(db, &source.repo, &releases)?;
        code_owners_put(db, &source.repo, &code_owners)?;
        source_synced(db, &source.repo, heard.max(former))
    })?;
    progress.finish_and_clear();
    Ok(progress.position())
}

/// How large those changes are that no host measures: the sum of the commits that landed them.
fn sizes(db: &mut Db, repo: &Repo, history: &History) -> Result<BTreeMap<String, Size>> {
    let changes = size_unknown(db, repo)?;
    if changes.is_empty() {
        return Ok(BTreeMap::new());
    }
    let line = history.line()?;
    let landed = changes.values().flatten().filter(|sha| line.contains(*sha));
    let of_commits = history.sizes(&landed.map(String::as_str).collect::<Vec<_>>())?;
    let size = |commits: Vec<String>| {
        let lines: Vec<&u64> = commits.iter().filter_map(|sha| of_commits.get(sha)).collect();
        (!lines.is_empty()).then(|| Size { commits: commits.len() as u64, lines: lines.into_iter().sum() })
    };
    Ok(changes.into_iter().filter_map(|(sha, commits)| Some((sha, size(commits)?))).collect())
}

/// What the tags of a clone say of its releases: those to be told, and the names of those that are gone.
struct Releases {
    told: Vec<Told>,
    gone: Vec<String>,
}

/// Where the branch has moved, more of it may lie in a tag that is not on it.
fn releases(db: &mut Db, repo: &Repo, history: &History, tags: &[Tag], has_moved: bool) -> Result<Releases> {
    let mut known = shipment_list(db, repo, "clone", Ship::Release)?;
    let mut unread = Vec::new();
    for tag in tags.iter().filter(|tag| is_release(&tag.name)) {
        let was = known.remove(&tag.name);
        let Some(at) = tag.made_at else { continue };
        let is_read = |was: Told| {
            (&was.sha, was.at) == (&tag.sha, at) && (!has_moved || was.base_sha.as_ref() == Some(&tag.sha))
        };
        if !was.is_some_and(is_read) {
            unread.push((tag, at));
        }
    }
    let shas = unread.iter().map(|(tag, _)| tag.sha.as_str());
    let bases = if unread.is_empty() { Bases::default() } else { history.bases(shas)? };
    let read = |(tag, at): (&Tag, Timestamp)| {
        let (name, sha) = (tag.name.clone(), tag.sha.clone());
        Told { ship: Ship::Release, base_sha: bases.of(&sha).map(str::to_owned), name, sha, at }
    };
    Ok(Releases { told: unread.into_iter().map(read).collect(), gone: known.into_keys().collect() })
}

fn releases_put(db: &mut Db, repo: &Repo, releases: &Releases) -> Result<()> {
    releases.told.iter().try_for_each(|told| shipment_put(db, repo, "clone", told))?;
    releases.gone.iter().try_for_each(|name| shipment_remove(db, repo, "clone", Ship::Release, name))
}

/// Shows itself on a terminal only.
fn progress(source: &LocalClone, what: &'static str, all: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{prefix} {bar:30} {pos} of {len} {msg}");
    let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar = ProgressBar::new(all).with_style(style).with_prefix(source.repo.to_string()).with_message(what);
    bar.tick();
    bar
}

#[cfg(test)]
pub(crate) mod tests;
