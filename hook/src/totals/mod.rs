//! Totals straight from the transcripts: every line in scope read afresh, nothing stored, nothing sent.
//!
//! It shares the readings and the rules with the ledger and nothing else: it adds up in memory, at once and whole,
//! what the ledger keeps in tables, in parts and for ever, so that either checks the other.

use crate::reader::fold::{self, Record, ResponseKey};
use crate::reader::overhead;
use crate::reader::reading::{Held, Place, Reading, Seen, Share};
use crate::reader::walk::Transcript;
use crate::state::ledger::text;
use crate::terms::Terms;
use crate::terms::scope::Only;
use anyhow::Result;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use meter::{Branch, Hour, Model, PriceBook, Quality, Repo, Row, RowKey, SessionId, Tokens, Week};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::AddAssign;
use std::path::Path;
use std::sync::Arc;
use transcript::CostState;

/// What many responses come to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Sum {
    pub(crate) requests: u64,
    #[serde(flatten)]
    pub(crate) tokens: Tokens,
}

impl AddAssign for Sum {
    fn add_assign(&mut self, other: Self) {
        self.requests += other.requests;
        self.tokens += other.tokens;
    }
}

pub(crate) type ByModel = BTreeMap<Model, Sum>;
/// UTC days.
pub(crate) type ByDay = BTreeMap<Date, ByModel>;

/// The rows of a report.
pub(crate) fn by_day(rows: &[Row]) -> ByDay {
    let mut days = ByDay::new();
    for Row { key, requests, tokens } in rows {
        let day = key.hour.start().to_zoned(TimeZone::UTC).date();
        let models = days.entry(day).or_default();
        *models.entry(key.model.clone()).or_default() += Sum { requests: *requests, tokens: *tokens };
    }
    days
}

pub(crate) fn merge(days: &mut ByDay, others: &ByDay) {
    for (day, models) in others {
        let into = days.entry(*day).or_default();
        for (model, sum) in models {
            *into.entry(model.clone()).or_default() += *sum;
        }
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Totals {
    /// Sessions with a line of their own, or a response.
    pub(crate) sessions: usize,
    pub(crate) by_model: ByModel,
    pub(crate) by_day: ByDay,
    pub(crate) by_session: BTreeMap<SessionId, ByModel>,
    /// Not in the others.
    pub(crate) overhead: ByModel,
    pub(crate) quality: Quality,
}

/// Reads `files`. Also gives what could not be read.
pub(crate) fn read(
    files: &[Transcript],
    reader: &mut dyn FnMut(&Transcript) -> Result<Option<Reading>>,
    progress: &dyn Fn(u64),
) -> (Histories, Vec<String>) {
    let (mut histories, mut troubles) = (Histories::default(), Vec::new());
    for file in files {
        match reader(file) {
            Ok(Some(reading)) => histories.add(&name(&file.path), reading),
            Ok(None) => {}
            Err(error) => troubles.push(format!("{error:#}")),
        }
        progress(file.size);
    }
    (histories, troubles)
}

/// What outlives a move, and copies have in common.
fn name(path: &Path) -> String {
    text(path.file_name().unwrap_or_default().as_ref())
}

/// What transcripts say, whatever the order of their files.
#[derive(Default)]
pub(crate) struct Histories {
    responses: HashMap<ResponseKey, Held>,
    /// Sessions that hold a response beside its owner, or of which one is it.
    holders: HashMap<ResponseKey, BTreeSet<SessionId>>,
    sessions: BTreeMap<SessionId, History>,
}

/// What the files of a session say beside its responses.
#[derive(Default)]
pub(crate) struct History {
    pub(crate) seen: Seen,
    /// Lines before the earliest that is read were left out.
    cut: bool,
    account: Option<(Timestamp, CostState)>,
    /// By repository as lines have it, week, and name of the file.
    shares: BTreeMap<(Arc<str>, Week), BTreeMap<String, Share>>,
    asked: BTreeMap<(Arc<str>, Week), BTreeSet<String>>,
}

/// What counts.
pub(crate) struct Scope<'a> {
    pub(crate) only: &'a Only,
    /// The terms under which rows of a session in a repository may be sent, if they may.
    pub(crate) terms: &'a mut dyn FnMut(&History, &Repo) -> Option<Terms>,
}

/// A response of the session it counts for.
struct Owned {
    held: Held,
    /// Several sessions hold it, and no line says whose it is.
    adopted: bool,
}

impl Histories {
    /// Adds what a file of that name says.
    fn add(&mut self, name: &str, reading: Reading) {
        for (session, seen) in reading.sessions {
            self.sessions.entry(session).or_default().see(seen);
        }
        for (key, held) in reading.responses {
            self.hold(key, held);
        }
        for (Place { session, repo, week }, share) in reading.shares {
            let shares = self.sessions.entry(session).or_default().shares.entry((repo, week)).or_default();
            // of copies in several places the fullest counts
            join(shares.entry(name.to_owned()).or_default(), &share, u64::max);
        }
        for (id, Place { session, repo, week }) in reading.asked {
            self.sessions.entry(session).or_default().asked.entry((repo, week)).or_default().insert(id);
        }
        let history = self.sessions.entry(reading.session).or_default();
        history.cut |= reading.cut;
        if let Some(account) = reading.cost_state
            && history.account.as_ref().is_none_or(|(at, _)| *at <= account.0)
        {
            history.account = Some(account);
        }
    }

    fn hold(&mut self, key: ResponseKey, new: Held) {
        let Some(old) = self.responses.get_mut(&key) else {
            self.responses.insert(key, new);
            return;
        };
        let (one, other) = (old.place.session.clone(), new.place.session.clone());
        let owner = match (old.named, new.named) {
            (true, true) => one.clone().min(other.clone()),
            (false, true) => other.clone(),
            _ => one.clone(),
        };
        if one != other {
            let unnamed = [(one, old.named), (other, new.named)].into_iter().filter(|(_, named)| !named);
            self.holders.entry(key).or_default().extend(unnamed.map(|(session, _)| session));
        }
        let named = old.named || new.named;
        if fold::wins(&old.record, &new.record) {
            *old = new;
        }
        (old.place.session, old.named) = (owner, named);
    }

    /// Adds up what is in scope.
    pub(crate) fn total(mut self, book: &PriceBook, scope: &mut Scope<'_>) -> Totals {
        let mut owned: BTreeMap<SessionId, Vec<Owned>> = BTreeMap::new();
        for (key, mut held) in std::mem::take(&mut self.responses) {
            let holders = self.holders.remove(&key).unwrap_or_default();
            let adopted = !held.named && !holders.is_empty();
            if let Some(owner) = oldest(&holders, &self.sessions).filter(|_| adopted) {
                held.place.session = owner;
            }
            // the accounts of the others may count what this one owns
            for holder in holders.iter().filter(|holder| **holder != held.place.session) {
                self.sessions.entry(holder.clone()).or_default().seen.forked = true;
            }
            owned.entry(held.place.session.clone()).or_default().push(Owned { held, adopted });
        }
        let mut totals = Totals::default();
        for (session, history) in &self.sessions {
            let responses = owned.remove(session).unwrap_or_default();
            let tally = Tally::of(history, &responses, scope);
            let counted = totals.add_parts(&tally);
            let responded = totals.add_responses(session, &tally, &responses);
            totals.sessions += usize::from(counted || responded);
            totals.add_overhead(&tally, &responses, book);
        }
        totals
    }
}

/// Whose a response is that several sessions hold and no line names.
fn oldest(holders: &BTreeSet<SessionId>, sessions: &BTreeMap<SessionId, History>) -> Option<SessionId> {
    let aged = |session: &SessionId| {
        (session.clone(), sessions.get(session).and_then(|history| history.seen.own_at))
    };
    fold::owner(&holders.iter().map(aged).collect::<Vec<_>>())
}

/// Joins what two files say, as far as totals need it.
fn join(share: &mut Share, other: &Share, count: fn(u64, u64) -> u64) {
    share.started = share.started.into_iter().chain(other.started).min();
    share.ended = share.ended.max(other.ended);
    let counts = [
        (&mut share.quality.lines, other.quality.lines),
        (&mut share.quality.malformed, other.quality.malformed),
        (&mut share.quality.synthetic, other.quality.synthetic),
        (&mut share.quality.unknown_usage, other.quality.unknown_usage),
        (&mut share.shape.compactions, other.shape.compactions),
        (&mut share.interruptions, other.interruptions),
    ];
    for (one, other) in counts {
        *one = count(*one, other);
    }
}

impl History {
    fn see(&mut self, new: Seen) {
        let Seen { own_at, forked, start, folders, developer, .. } = &mut self.seen;
        *own_at = own_at.iter().copied().chain(new.own_at).min();
        *forked |= new.forked;
        if new.start.as_ref().is_some_and(|new| start.as_ref().is_none_or(|old| new.at < old.at)) {
            *start = new.start;
        }
        folders.extend(new.folders);
        *developer = new.developer.or(developer.take());
    }

    /// The repository of a line that names none, too.
    fn repo(&self, raw: &str) -> Repo {
        let start = self.seen.start.as_ref().map_or("", |start| &*start.repo);
        let named = [raw, start].into_iter().find(|name| !name.is_empty());
        named.and_then(|name| name.parse().ok()).unwrap_or_else(Repo::none)
    }
}

/// What a session's report of a repository and week says beside responses.
#[derive(Default)]
struct Part {
    share: Share,
    unanswered: u64,
}

/// A session by the reports it would be told in.
struct Tally<'a> {
    history: &'a History,
    only: &'a Only,
    /// By repository as lines have it.
    terms: BTreeMap<&'a str, Option<Terms>>,
    parts: BTreeMap<(&'a str, Week), Part>,
}

impl<'a> Tally<'a> {
    fn of<'s: 'a>(history: &'a History, responses: &'a [Owned], scope: &mut Scope<'s>) -> Self {
        let mut parts: BTreeMap<(&str, Week), Part> = BTreeMap::new();
        for ((repo, week), shares) in &history.shares {
            let part = parts.entry((repo, *week)).or_default();
            for share in shares.values() {
                join(&mut part.share, share, u64::saturating_add);
            }
        }
        for ((repo, week), asked) in &history.asked {
            parts.entry((repo, *week)).or_default().unanswered += asked.len() as u64;
        }
        for Owned { held, .. } in responses {
            parts.entry((&held.place.repo, held.place.week)).or_default();
        }
        let mut terms = BTreeMap::new();
        for (repo, _) in parts.keys() {
            terms.entry(*repo).or_insert_with(|| (scope.terms)(history, &history.repo(repo)));
        }
        Self { history, only: scope.only, terms, parts }
    }

    /// The terms for rows of that repository, where they reach back to `at`.
    fn terms(&self, repo: &str, at: Timestamp) -> Option<&Terms> {
        let terms = self.terms.get(repo)?.as_ref();
        terms.filter(|terms| terms.since.is_none_or(|since| at >= since))
    }

    /// The same, where it is wanted.
    fn wanted(&self, repo: &str, at: Timestamp) -> Option<&Terms> {
        self.terms(repo, at).filter(|_| self.only.wants(&self.history.repo(repo), at))
    }

    /// The repository and time of the last line.
    fn last(&self) -> Option<(&'a str, Timestamp)> {
        let ended = self.parts.iter().filter_map(|((repo, _), part)| Some((*repo, part.share.ended?)));
        ended.max_by_key(|(repo, at)| (*at, std::cmp::Reverse(*repo)))
    }
}

impl Totals {
    /// Whether any line counts.
    fn add_parts(&mut self, tally: &Tally<'_>) -> bool {
        let mut counted = false;
        for ((repo, _), Part { share, unanswered }) in &tally.parts {
            // counts are kept by week: one that ends in scope is left whole
            let Some(_) = share.ended.and_then(|at| tally.wanted(repo, at)) else { continue };
            counted |= share.quality.lines > 0;
            self.quality.lines += share.quality.lines;
            self.quality.malformed += share.quality.malformed;
            self.quality.synthetic += share.quality.synthetic;
            self.quality.unknown_usage += share.quality.unknown_usage + unanswered;
        }
        counted
    }

    /// Whether any response counts.
    fn add_responses(&mut self, session: &SessionId, tally: &Tally<'_>, responses: &[Owned]) -> bool {
        let before = self.by_session.len();
        for Owned { held: Held { place, record, .. }, adopted } in responses {
            if tally.wanted(&place.repo, record.at).is_some() {
                self.quality.adopted += u64::from(*adopted);
                self.quality.interrupted += u64::from(!record.finished);
                self.add(session, record);
            }
        }
        self.by_session.len() > before
    }

    fn add(&mut self, session: &SessionId, record: &Record) {
        let sum = Sum { requests: 1, tokens: record.tokens() };
        let day = record.at.to_zoned(TimeZone::UTC).date();
        let parts = [
            &mut self.by_model,
            self.by_day.entry(day).or_default(),
            self.by_session.entry(session.clone()).or_default(),
        ];
        for part in parts {
            *part.entry(record.model.clone()).or_default() += sum;
        }
    }

    /// Adds what only the client's account of the session has, or that it cannot be told.
    fn add_overhead(&mut self, tally: &Tally<'_>, responses: &[Owned], book: &PriceBook) {
        let Some((repo, last_at)) = tally.last() else { return };
        let Some(to) = tally.wanted(repo, last_at) else { return };
        let History { seen, cut, account, .. } = tally.history;
        let mut all = Part::default();
        for part in tally.parts.values() {
            join(&mut all.share, &part.share, u64::saturating_add);
            all.unanswered += part.unanswered;
        }
        let begun = all.share.started.unwrap_or(last_at);
        let unfinished = responses.iter().filter(|owned| !owned.held.record.finished).count() as u64;
        let responded = responses.iter().map(|owned| owned.held.record.at).max();
        let session = overhead::Session {
            account: account.as_ref().map(|(_, account)| account),
            responses: &responses.iter().flat_map(|owned| items(&owned.held.record)).collect::<Vec<_>>(),
            hour: Hour::of(last_at),
            whole: !cut && tally.terms.keys().all(|repo| tally.terms(repo, begun) == Some(to)),
            interruptions: all.share.interruptions + unfinished,
            unknown_usage: all.share.quality.unknown_usage + all.unanswered,
            forked: seen.forked,
            stale: account.as_ref().is_some_and(|(at, _)| responded > Some(*at)),
            compactions: all.share.shape.compactions,
        };
        match overhead::rows(&session, book) {
            Ok(rows) => {
                for Row { key, requests, tokens } in rows {
                    *self.overhead.entry(key.model).or_default() += Sum { requests, tokens };
                }
            }
            Err(_) => self.quality.unitemised += 1,
        }
    }
}

/// A response as the client's account would hold it.
fn items(record: &Record) -> impl Iterator<Item = Row> {
    let Record { at, agent, model, speed, geo, workflow, slices, .. } = record;
    slices.iter().map(move |(band, tokens)| {
        let (hour, branch, model, workflow) =
            (Hour::of(*at), Branch::default(), model.clone(), workflow.clone());
        let (agent, speed, geo, band) = (*agent, *speed, *geo, *band);
        let key = RowKey { hour, branch, model, agent, workflow, speed, geo, band };
        Row { key, requests: 1, tokens: *tokens }
    })
}

#[cfg(test)]
mod tests;
