//! `Reading`: what the new lines of one transcript add up to. Pure: lines in, facts for the ledger out.

use crate::reader::fold::{self, Record, ResponseKey};
use crate::state::ledger::Cursor;
use jiff::Timestamp;
use meter::{Branch, Developer, PullRequestAction, Quality, SessionId, Shape, Week};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;
use std::sync::Arc;
use transcript::{CommitHint, CostState, Kind, Line, Parsed, PullRequestHint, Response};

/// Folders of one session in which commits are looked for.
const FOLDERS_MAX: usize = 64;

/// What a line counts towards: a session's week in one repository.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub session: SessionId,
    /// Empty where the line's folder is in no repository.
    pub repo: Arc<str>,
    pub week: Week,
}

/// A response as this file holds it.
#[derive(Debug, Clone)]
pub(crate) struct Held {
    pub place: Place,
    pub branch: Branch,
    /// The line itself says whose it is.
    pub named: bool,
    pub record: Record,
}

/// What lines say beside responses.
#[derive(Debug, Clone, Default)]
pub(crate) struct Share {
    pub started: Option<Timestamp>,
    pub ended: Option<Timestamp>,
    pub shape: Shape,
    pub quality: Quality,
    /// People stopping a response, and what the client made up after it.
    pub interruptions: u64,
}

/// What lines tell of their session.
#[derive(Debug, Clone, Default)]
pub(crate) struct Seen {
    /// The lines are the session's own, not another's copy.
    pub own: bool,
    pub own_at: Option<Timestamp>,
    /// Its file holds lines of another session.
    pub forked: bool,
    pub start: Option<Start>,
    pub folders: BTreeSet<String>,
    pub version: String,
    pub entrypoint: String,
    pub developer: Option<Developer>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Start {
    pub at: Timestamp,
    pub repo: Arc<str>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NamedPullRequest {
    pub place: Place,
    pub number: u32,
    pub action: PullRequestAction,
    pub at: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct NamedCommit {
    pub session: SessionId,
    pub folder: String,
    pub sha: String,
    pub branch: String,
}

/// The repository of a folder, empty for none.
pub(crate) trait Folders {
    fn repo(&mut self, folder: &str) -> Arc<str>;
}

#[derive(Debug, Clone)]
pub(crate) struct Reading {
    /// The file as it stands after the reading.
    pub cursor: Cursor,
    /// Where the reading began; 0 replaces what was read before.
    pub from: u64,
    pub session: SessionId,
    pub subagent: bool,
    pub responses: HashMap<ResponseKey, Held>,
    /// Each place once.
    pub shares: Vec<(Place, Share)>,
    pub sessions: BTreeMap<SessionId, Seen>,
    /// Requests without a response so far.
    pub asked: BTreeMap<String, Place>,
    /// Requests that a response answers and no line before it asked: those of earlier readings, and late ones.
    pub answered: BTreeSet<String>,
    /// By the last response: its request may be written after it, where the next reading begins.
    pub last_answered: Option<String>,
    pub pull_requests: Vec<NamedPullRequest>,
    pub commit_hints: BTreeSet<NamedCommit>,
    pub cost_state: Option<(Timestamp, CostState)>,
    /// The folders lines name, each time another one than before.
    pub folders: Vec<String>,
    /// Lines before `since` were left out.
    pub cut: bool,
    /// A response of the session itself was seen.
    responded: bool,
    /// Lines before the first with a time.
    early: Quality,
    since: Timestamp,
    /// The share that the last line of the session itself counted in, and when the next ones do, in the same folder.
    here: Option<(usize, Range<Timestamp>)>,
}

impl Reading {
    /// Begins where `cursor` stands. Lines before `since` count for nothing.
    pub(crate) fn begin(
        cursor: Cursor,
        session: SessionId,
        subagent: bool,
        since: Option<Timestamp>,
    ) -> Self {
        Self {
            from: cursor.offset,
            cursor,
            session,
            subagent,
            responses: HashMap::new(),
            shares: Vec::new(),
            sessions: BTreeMap::new(),
            asked: BTreeMap::new(),
            answered: BTreeSet::new(),
            last_answered: None,
            pull_requests: Vec::new(),
            commit_hints: BTreeSet::new(),
            cost_state: None,
            folders: Vec::new(),
            cut: false,
            responded: false,
            early: Quality::default(),
            since: since.unwrap_or(Timestamp::MIN),
            here: None,
        }
    }

    /// Adds the next line of the file.
    pub(crate) fn take(&mut self, parsed: Parsed, folders: &mut dyn Folders) {
        let Parsed::Line(line) = parsed else {
            self.count(|quality| quality.malformed += 1, folders);
            return;
        };
        self.cursor.at = line.at.or(self.cursor.at);
        if let Some(cwd) = &line.cwd
            && self.cursor.cwd.as_deref() != Some(cwd)
        {
            self.folders.extend(self.cursor.cwd.replace(cwd.to_string()));
            self.here = None;
        }
        if self.cursor.at.is_some_and(|at| at < self.since) {
            self.cut = true;
            return;
        }
        let origin =
            line.origin.clone().or_else(|| line.session.clone()).filter(|origin| *origin != self.session);
        if let Some(origin) = origin {
            self.copied(line, origin, folders);
            return;
        }
        let Some((here, at)) = self.count(|_| {}, folders) else { return };
        self.see(&line, self.session.clone(), at, folders);
        self.own(line, here, at);
    }

    /// A line another session wrote first: only its response counts, and for that session.
    fn copied(&mut self, line: Line, origin: SessionId, folders: &mut dyn Folders) {
        // copies stand in front: what was read of the file so far was copied too
        let seen = self.sessions.entry(self.session.clone()).or_default();
        seen.forked = true;
        if !self.responded {
            seen.own_at = None;
            self.shares.retain(|(place, _)| place.session != self.session);
            self.here = None;
        }
        let Some(at) = self.cursor.at else { return };
        let place = self.place(origin.clone(), at, folders);
        if let Kind::Response(response) = line.kind.clone() {
            self.see(&line, origin, at, folders);
            self.hold(*response, line.branch, place, at);
        }
    }

    fn own(&mut self, line: Line, here: usize, at: Timestamp) {
        let Some((place, share)) = self.shares.get_mut(here) else { return };
        match line.kind {
            Kind::Response(response) => {
                self.responded = true;
                let prompt = response.slices.iter().map(|(_, tokens)| tokens.prompt()).max();
                share.shape.prompt_max = share.shape.prompt_max.max(prompt.unwrap_or(0));
                let place = place.clone();
                self.hold(*response, line.branch, place, at);
            }
            Kind::Unmetered { request_ref } => {
                share.quality.unknown_usage += 1;
                self.answer(request_ref);
            }
            Kind::Synthetic => {
                share.quality.synthetic += 1;
                share.interruptions += 1;
            }
            Kind::Turn => share.shape.turns += u64::from(!self.subagent),
            Kind::ToolResult(result) => {
                share.shape.tool_errors += u64::from(result.errors);
                let place = place.clone();
                self.hint(result.commit, result.pull_request.as_ref(), place, at);
            }
            Kind::ApiError => share.shape.api_errors += 1,
            Kind::Compaction => share.shape.compactions += 1,
            // the client may write a request after its response
            Kind::Request { id } if self.answered.contains(&id) => {}
            Kind::Request { id } => {
                self.asked.insert(id, place.clone());
            }
            Kind::PullRequestLink { number, repository } => {
                let belongs = |name: &String| place.repo.ends_with(&format!("/{}", name.to_lowercase()));
                if repository.as_ref().is_none_or(belongs) {
                    let (place, action) = (place.clone(), PullRequestAction::Named);
                    self.pull_requests.push(NamedPullRequest { place, number, action, at });
                }
            }
            Kind::CostState(state) => {
                // lines are not always in the order of their times
                let latest = self.shares.iter().filter_map(|(_, share)| share.ended).max();
                self.cost_state = Some((latest.unwrap_or(at), *state));
            }
            Kind::Interrupted { .. } => share.interruptions += 1,
            Kind::Other => {}
        }
    }

    fn hint(
        &mut self,
        commit: Option<CommitHint>,
        pull_request: Option<&PullRequestHint>,
        place: Place,
        at: Timestamp,
    ) {
        if let Some(CommitHint { sha, branch }) = commit {
            let (folder, branch) = (self.cursor.cwd.clone().unwrap_or_default(), branch.unwrap_or_default());
            self.commit_hints.insert(NamedCommit { session: place.session.clone(), folder, sha, branch });
        }
        if let Some(PullRequestHint { number, action, url: Some(url) }) = pull_request
            && is_of(url, &place.repo)
        {
            let (number, action) = (*number, *action);
            self.pull_requests.push(NamedPullRequest { place, number, action, at });
        }
    }

    fn hold(&mut self, response: Response, branch: Branch, place: Place, at: Timestamp) {
        self.answer(response.request_ref.clone());
        let key = fold::key(&response, &place.session);
        let named = place.session != self.session;
        let held = Held { place, branch, named, record: Record::of(response, at) };
        match self.responses.entry(key) {
            std::collections::hash_map::Entry::Vacant(entry) => {
                entry.insert(held);
            }
            std::collections::hash_map::Entry::Occupied(mut entry) => {
                if fold::wins(&entry.get().record, &held.record) {
                    entry.insert(held);
                }
            }
        }
    }

    fn answer(&mut self, request: Option<String>) {
        let Some(id) = request else { return };
        if self.asked.remove(&id).is_none() {
            self.answered.insert(id.clone());
        }
        self.last_answered = Some(id);
    }

    /// Counts a line of the file's own session where and when the last time and folder put it, and says so.
    fn count(&mut self, add: impl Fn(&mut Quality), folders: &mut dyn Folders) -> Option<(usize, Timestamp)> {
        let Some(at) = self.cursor.at else {
            self.early.lines += 1;
            add(&mut self.early);
            return None;
        };
        let (first, early) = (self.from == 0 && self.shares.is_empty(), std::mem::take(&mut self.early));
        let here = self.here(at, folders);
        let (_, share) = self.shares.get_mut(here)?;
        share.shape.subagents += u64::from(first && self.subagent);
        share.quality.lines += 1 + early.lines;
        share.quality.malformed += early.malformed;
        share.started = share.started.into_iter().chain([at]).min();
        share.ended = share.ended.into_iter().chain([at]).max();
        add(&mut share.quality);
        Some((here, at))
    }

    fn here(&mut self, at: Timestamp, folders: &mut dyn Folders) -> usize {
        if let Some((here, week)) = &self.here
            && week.contains(&at)
        {
            return *here;
        }
        let place = self.place(self.session.clone(), at, folders);
        let week = place.week.start()..place.week.end();
        let here = self.share(place);
        self.here = Some((here, week));
        here
    }

    /// Which share is that of `place`.
    fn share(&mut self, place: Place) -> usize {
        self.shares.iter().position(|(known, _)| *known == place).unwrap_or_else(|| {
            self.shares.push((place, Share::default()));
            self.shares.len() - 1
        })
    }

    fn place(&self, session: SessionId, at: Timestamp, folders: &mut dyn Folders) -> Place {
        let repo = self.cursor.cwd.as_deref().map(|folder| folders.repo(folder)).unwrap_or_default();
        Place { session, repo, week: Week::of(at) }
    }

    fn see(&mut self, line: &Line, session: SessionId, at: Timestamp, folders: &mut dyn Folders) {
        let own = session == self.session;
        let seen = self.sessions.entry(session).or_default();
        seen.own |= own;
        if own {
            seen.own_at = seen.own_at.into_iter().chain([at]).min();
        }
        if let Some(version) = &line.version {
            version.as_str().clone_into(&mut seen.version);
        }
        if let Some(entrypoint) = &line.entrypoint {
            entrypoint.as_str().clone_into(&mut seen.entrypoint);
        }
        let Some(folder) = &line.cwd else { return };
        if seen.folders.len() < FOLDERS_MAX && !seen.folders.contains(&**folder) {
            seen.folders.insert(folder.to_string());
        }
        if seen.start.as_ref().is_none_or(|start| at < start.at) {
            seen.start = Some(Start { at, repo: folders.repo(folder) });
        }
    }

    /// Ends the reading: lines of a file without any time count when the file was written.
    pub(crate) fn finish(&mut self, folders: &mut dyn Folders) {
        if self.early.lines == 0 {
            return;
        }
        let modified = Timestamp::from_nanosecond(self.cursor.modified.into()).unwrap_or_default();
        if modified >= self.since && Week::reaches(modified) {
            let place = self.place(self.session.clone(), modified, folders);
            let (early, share) = (std::mem::take(&mut self.early), self.share(place));
            let Some((_, share)) = self.shares.get_mut(share) else { return };
            share.quality.lines += early.lines;
            share.quality.malformed += early.malformed;
        }
    }

    /// Names whose sessions these are.
    pub(crate) fn claim(&mut self, developer: &Developer) {
        for seen in self.sessions.values_mut() {
            seen.developer = Some(developer.clone());
        }
    }

    /// Keeps nothing of it but how far it was read.
    pub(crate) fn skip(self) -> Self {
        let cursor = Cursor { skipped: true, at: None, cwd: None, ..self.cursor };
        let skipped = Self::begin(cursor, self.session, self.subagent, None);
        Self { from: self.from, ..skipped }
    }
}

/// Whether the address of a pull request lies in the repository.
fn is_of(url: &str, repo: &str) -> bool {
    let path = url.split_once("://").map_or(url, |(_, path)| path).to_lowercase();
    !repo.is_empty() && path.strip_prefix(repo).is_some_and(|rest| rest.starts_with('/'))
}
