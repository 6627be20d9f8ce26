//! Totals straight from the transcripts: every line in scope read afresh, nothing stored, nothing sent.
//!
//! It shares the reading and the rules with the ledger and nothing else, so that either checks the other.

use crate::fold::{self, Record, ResponseKey};
use crate::lines;
use crate::overhead;
use crate::transcript::{CostState, Kind, Line, Parsed};
use crate::walk::Transcript;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use meter::{Agent, Branch, Hour, Model, PriceBook, Quality, Row, RowKey, SessionId, Tokens};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fs::File;
use std::ops::AddAssign;

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

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Totals {
    /// Sessions with a line of their own, or a response.
    pub(crate) sessions: usize,
    pub(crate) by_model: ByModel,
    /// UTC days.
    pub(crate) by_day: BTreeMap<Date, ByModel>,
    pub(crate) by_session: BTreeMap<SessionId, ByModel>,
    /// Not in the others.
    pub(crate) overhead: ByModel,
    pub(crate) quality: Quality,
}

/// A folder and a time: what decides whether a line is in scope.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) folder: Option<&'a str>,
    pub(crate) at: Timestamp,
}

/// Reads `files`. Also gives what could not be read.
pub(crate) fn read(
    files: &[Transcript],
    book: &PriceBook,
    in_scope: &mut dyn FnMut(Place<'_>) -> bool,
    progress: &dyn Fn(u64),
) -> (Totals, Vec<String>) {
    let (mut adding, mut troubles) = (Adding::default(), Vec::new());
    for file in files {
        let mut reading = Reading::of(file);
        let mut take = |parsed| adding.take(&mut reading, parsed, in_scope);
        let read = File::open(&file.path).and_then(|mut opened| lines::read(&mut opened, 0, &mut take));
        if let Err(error) = read {
            troubles.push(format!("cannot read {}: {error}", file.path.display()));
        }
        adding.close(reading);
        progress(file.size);
    }
    (adding.finish(book), troubles)
}

/// Adds up lines, whatever the order of their files.
#[derive(Default)]
struct Adding {
    responses: HashMap<ResponseKey, Found>,
    /// The sessions that hold a response, where they are several.
    holders: HashMap<ResponseKey, BTreeSet<SessionId>>,
    sessions: BTreeMap<SessionId, Facts>,
    quality: Quality,
}

/// A response as it counts so far.
struct Found {
    record: Record,
    in_scope: bool,
    session: SessionId,
    /// A line says that the session is the one that asked.
    named: bool,
}

/// What the lines of a session say beside its responses.
#[derive(Default)]
struct Facts {
    /// In scope.
    own_lines: u64,
    out_of_scope: bool,
    oldest: Option<Timestamp>,
    latest: Option<Timestamp>,
    responded: Option<Timestamp>,
    account: Option<(Timestamp, CostState)>,
    forked: bool,
    interruptions: u64,
    compactions: u64,
    unmetered: u64,
    asked: HashSet<String>,
    answered: HashSet<String>,
}

/// Where the reading of a file stands, and what its own lines said so far.
struct Reading {
    session: Option<SessionId>,
    at: Timestamp,
    folder: Option<String>,
    facts: Facts,
}

impl Reading {
    /// Lines before the first with a time count when the file was written.
    fn of(file: &Transcript) -> Self {
        let at = Timestamp::from_nanosecond(file.modified.into()).unwrap_or_default();
        Self { session: file.session.clone(), at, folder: None, facts: Facts::default() }
    }

    fn place(&self) -> Place<'_> {
        Place { folder: self.folder.as_deref(), at: self.at }
    }
}

impl Adding {
    fn take(&mut self, reading: &mut Reading, parsed: Parsed, in_scope: &mut dyn FnMut(Place<'_>) -> bool) {
        let Parsed::Line(line) = parsed else {
            if in_scope(reading.place()) {
                self.quality.lines += 1;
                self.quality.malformed += 1;
            }
            return;
        };
        reading.at = line.at.unwrap_or(reading.at);
        if line.cwd.is_some() {
            reading.folder.clone_from(&line.cwd);
        }
        if reading.session.is_none() {
            reading.session.clone_from(&line.session);
        }
        let inside = in_scope(reading.place());
        // without any session's name a line belongs to nobody
        let Some(own) = &reading.session else { return };
        let asked_by = line.origin.as_ref().or(line.session.as_ref()).unwrap_or(own);
        if asked_by == own {
            let own = own.clone();
            self.quality.lines += u64::from(inside);
            self.own_line(reading, line, own, inside);
            return;
        }
        reading.facts.forked = true;
        if let Kind::Response(response) = line.kind {
            let key = fold::key(&response, asked_by);
            let record = Record::of(*response, reading.at);
            self.hold(key, Found { record, in_scope: inside, session: asked_by.clone(), named: true });
        }
    }

    fn own_line(&mut self, reading: &mut Reading, line: Line, session: SessionId, inside: bool) {
        let facts = &mut reading.facts;
        facts.own_lines += u64::from(inside);
        facts.out_of_scope |= !inside;
        facts.oldest = facts.oldest.into_iter().chain(line.at).min();
        facts.latest = facts.latest.into_iter().chain(line.at).max();
        match line.kind {
            Kind::Response(response) => {
                facts.answered.extend(response.request_ref.clone());
                let key = fold::key(&response, &session);
                let record = Record::of(*response, reading.at);
                self.hold(key, Found { record, in_scope: inside, session, named: false });
            }
            Kind::Unmetered { request_ref } => {
                facts.answered.extend(request_ref);
                facts.unmetered += 1;
            }
            Kind::Synthetic => {
                facts.interruptions += 1;
                self.quality.synthetic += u64::from(inside);
            }
            Kind::Interrupted { .. } => facts.interruptions += 1,
            Kind::Request { id } => facts.asked.extend([id]),
            Kind::Compaction => facts.compactions += 1,
            Kind::CostState(account) => {
                let at = facts.latest.map_or(reading.at, |latest| latest.max(reading.at));
                facts.account = Some((at, *account));
            }
            Kind::Turn
            | Kind::ToolResult(_)
            | Kind::ApiError
            | Kind::PullRequestLink { .. }
            | Kind::Other => {}
        }
    }

    fn hold(&mut self, key: ResponseKey, new: Found) {
        let Some(old) = self.responses.get_mut(&key) else {
            self.responses.insert(key, new);
            return;
        };
        if fold::wins(&old.record, &new.record) {
            (old.record, old.in_scope) = (new.record, new.in_scope);
        }
        match (old.named, new.named) {
            (true, false) => {}
            (false, true) => (old.session, old.named) = (new.session, true),
            (true, true) => old.session = old.session.clone().min(new.session),
            (false, false) if old.session == new.session => {}
            (false, false) => self.holders.entry(key).or_default().extend([old.session.clone(), new.session]),
        }
    }

    /// Ends a file.
    fn close(&mut self, reading: Reading) {
        let (Some(session), new) = (reading.session, reading.facts) else { return };
        let facts = self.sessions.entry(session).or_default();
        facts.own_lines += new.own_lines;
        facts.out_of_scope |= new.out_of_scope;
        facts.oldest = facts.oldest.into_iter().chain(new.oldest).min();
        facts.latest = facts.latest.into_iter().chain(new.latest).max();
        if new.account.as_ref().map(|(at, _)| at) > facts.account.as_ref().map(|(at, _)| at) {
            facts.account = new.account;
        }
        facts.forked |= new.forked;
        facts.interruptions += new.interruptions;
        facts.compactions += new.compactions;
        facts.unmetered += new.unmetered;
        facts.asked.extend(new.asked);
        facts.answered.extend(new.answered);
    }

    fn finish(mut self, book: &PriceBook) -> Totals {
        let mut totals = Totals { quality: self.quality, ..Totals::default() };
        let mut rows: HashMap<SessionId, Vec<Row>> = HashMap::new();
        for (key, found) in self.responses {
            let holders = self.holders.get(&key).filter(|_| !found.named);
            let session = match holders {
                Some(holders) => oldest(holders, &self.sessions).unwrap_or(found.session),
                None => found.session,
            };
            let facts = self.sessions.entry(session.clone()).or_default();
            facts.out_of_scope |= !found.in_scope;
            facts.responded = facts.responded.max(Some(found.record.at));
            facts.interruptions += u64::from(!found.record.finished);
            if found.in_scope {
                totals.quality.adopted += u64::from(holders.is_some());
                totals.quality.interrupted += u64::from(!found.record.finished);
                totals.add(&session, &found.record);
                rows.entry(session).or_default().extend(items(found.record));
            }
        }
        for (session, facts) in &self.sessions {
            let rows = rows.remove(session).unwrap_or_default();
            if facts.own_lines > 0 {
                totals.add_session(facts, &rows, book);
            }
        }
        let owning = totals
            .by_session
            .keys()
            .filter(|session| self.sessions.get(session).is_none_or(Facts::is_outside));
        totals.sessions += owning.count();
        totals
    }
}

/// Whose a response is that several sessions hold and no line names.
fn oldest(holders: &BTreeSet<SessionId>, sessions: &BTreeMap<SessionId, Facts>) -> Option<SessionId> {
    let aged = |session: &SessionId| (session.clone(), sessions.get(session).and_then(|facts| facts.oldest));
    fold::owner(&holders.iter().map(aged).collect::<Vec<_>>())
}

/// A response as the client's account would hold it.
fn items(record: Record) -> impl Iterator<Item = Row> {
    let Record { at, model, speed, geo, workflow, slices, .. } = record;
    slices.into_iter().map(move |(band, tokens)| {
        let (hour, branch, model, workflow) =
            (Hour::of(at), Branch::default(), model.clone(), workflow.clone());
        let key = RowKey { hour, branch, model, agent: Agent::Main, workflow, speed, geo, band };
        Row { key, requests: 1, tokens }
    })
}

impl Facts {
    fn is_outside(&self) -> bool {
        self.own_lines == 0
    }

    fn unknown_usage(&self) -> u64 {
        self.unmetered + self.asked.difference(&self.answered).count() as u64
    }
}

impl Totals {
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

    fn add_session(&mut self, facts: &Facts, responses: &[Row], book: &PriceBook) {
        self.sessions += 1;
        self.quality.unknown_usage += facts.unknown_usage();
        let session = overhead::Session {
            account: facts.account.as_ref().map(|(_, account)| account),
            responses,
            hour: Hour::of(facts.latest.unwrap_or_default()),
            whole: !facts.out_of_scope,
            interruptions: facts.interruptions,
            unknown_usage: facts.unknown_usage(),
            forked: facts.forked,
            stale: facts.account.as_ref().is_some_and(|(at, _)| facts.responded > Some(*at)),
            compactions: facts.compactions,
        };
        match overhead::rows(&session, book) {
            Ok(rows) => {
                for row in rows {
                    *self.overhead.entry(row.key.model).or_default() +=
                        Sum { requests: row.requests, tokens: row.tokens };
                }
            }
            Err(_) => self.quality.unitemised += 1,
        }
    }
}

#[cfg(test)]
mod tests;
