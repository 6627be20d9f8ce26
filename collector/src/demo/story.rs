//! What happened at the invented company: each request with its fate, and each session, from a seed and an instant.

use super::cast::{CONTRACTOR, NOUNS, TEAMS, Team, VERBS, email};
use super::work::{Session, Shift};
use fastrand::Rng;
use jiff::{SignedDuration, Timestamp};
use meter::Week;
use std::ops::Range;

/// Everything up to an instant, the oldest first.
#[derive(Debug)]
pub(super) struct Story {
    pub now: Timestamp,
    pub weeks: Vec<Week>,
    pub requests: Vec<Request>,
    pub sessions: Vec<Session>,
}

/// A pull request from its opening on.
#[derive(Debug, Clone)]
pub(super) struct Request {
    pub team: usize,
    pub repo: &'static str,
    /// Counted by repository, in the order of opening; its ticket has the number before it.
    pub number: u32,
    pub author: String,
    pub subject: Subject,
    pub branch: String,
    pub opened_at: Timestamp,
    pub merged_at: Option<Timestamp>,
    /// Given up without a merge.
    pub closed_at: Option<Timestamp>,
    pub reviewed: Vec<(String, Timestamp)>,
    pub commit: String,
    pub lines: u64,
    pub files: Vec<String>,
    /// When the ticket it closed was opened again.
    pub reopened_at: Option<Timestamp>,
    /// When something took it out of the outcomes, within its window.
    pub lost_at: Option<Timestamp>,
    /// Which request this is about, by its place at the telling.
    id: usize,
}

/// What a request is for.
#[derive(Debug, Clone)]
pub(super) enum Subject {
    Feature(String),
    Revert(usize),
    Hotfix(usize),
    /// Nobody's work.
    Bump(String),
}

impl Request {
    /// Whether it is to become an outcome.
    pub(super) fn is_attempt(&self) -> bool {
        matches!(self.subject, Subject::Feature(_))
    }
}

const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;

pub(super) fn tell(seed: u64, weeks: u16, now: Timestamp) -> Story {
    let mut list: Vec<Week> =
        std::iter::successors(Some(Week::of(now)), |week| Some(week.previous())).take(weeks.into()).collect();
    list.reverse();
    let mut teller = Teller { dice: Rng::with_seed(seed), now, requests: Vec::new(), sessions: Vec::new() };
    for index in 0..TEAMS.len() {
        for (number, week) in list.iter().enumerate() {
            teller.week(index, *week, u32::try_from(number).unwrap_or(0), weeks.into());
        }
    }
    let Teller { requests, sessions, .. } = teller;
    Story { now, weeks: list, ..numbered(requests, sessions, now) }
}

/// Gives each request its number, and both lists the order of time.
fn numbered(mut requests: Vec<Request>, mut sessions: Vec<Session>, now: Timestamp) -> Story {
    requests.sort_by_key(|one| (one.opened_at, one.id));
    let mut places = vec![0; requests.len()];
    for (place, request) in requests.iter().enumerate() {
        places[request.id] = place;
    }
    for repo in super::cast::repositories() {
        for (count, request) in (1..).zip(requests.iter_mut().filter(|one| one.repo == repo)) {
            request.number = count * 2;
        }
    }
    for place in 0..requests.len() {
        if let Subject::Revert(of) | Subject::Hotfix(of) = &mut requests[place].subject {
            *of = places[*of];
        }
        if let Subject::Revert(of) = requests[place].subject {
            // as the button of a host calls it
            requests[place].branch = format!("revert-{}-{}", requests[of].number, requests[of].branch);
        }
    }
    for session in &mut sessions {
        session.request = session.request.map(|id| places[id]);
    }
    sessions.sort_by(|a, b| (a.start, &a.id).cmp(&(b.start, &b.id)));
    Story { now, weeks: Vec::new(), requests, sessions }
}

/// Rolls the dice.
struct Teller {
    dice: Rng,
    now: Timestamp,
    requests: Vec<Request>,
    sessions: Vec<Session>,
}

impl Teller {
    fn week(&mut self, index: usize, week: Week, number: u32, weeks: u32) {
        let team = &TEAMS[index];
        let (pace, lost, cost) =
            (team.pace.at(number, weeks), team.lost.at(number, weeks), team.cost.at(number, weeks));
        for _ in 0..self.dice.u32(pace - pace / 5..=pace + pace / 5) {
            let merged_at = self.working_hour(week);
            if let Some(request) = self.feature(index, merged_at) {
                self.work_on(request, cost);
                if self.dice.u32(0..100) < lost {
                    self.lose(request);
                }
            }
        }
        match self.dice.u32(0..6) {
            0 => self.give_up(index, week, cost),
            1 => self.bump(index, week),
            2 => self.aside(team, week, &format!("spike/{}", self.requests.len()), cost),
            3 => self.aside(team, week, &format!("try/{}", self.requests.len()), cost / 2),
            _ => {}
        }
        for _ in 0..2 {
            self.aside(team, week, "", 30);
        }
        if index == 0 {
            self.visit(week);
        }
        if number + 1 == weeks {
            self.under_way(index, cost);
        }
    }

    /// A minute of a working day; none that is decided, by windows of whole weeks, within the next hours.
    fn working_hour(&mut self, week: Week) -> Timestamp {
        let minute = self.dice.i64(0..5) * DAY + self.dice.i64(9 * 60..18 * 60) * 60;
        let at = add(week.start(), minute);
        let age = self.now.duration_since(at).as_secs().rem_euclid(7 * DAY);
        if age > 7 * DAY - 3 * HOUR { add(at, -4 * HOUR) } else { at }
    }

    fn draft(
        &mut self,
        index: usize,
        subject: Subject,
        opened_at: Timestamp,
        merged_at: Option<Timestamp>,
    ) -> usize {
        let team = &TEAMS[index];
        let id = self.requests.len();
        let author = (*self.choice(team.members)).to_owned();
        let repo = *self.choice(team.repositories);
        let area = *self.choice(team.areas);
        let files =
            (0..self.dice.u32(1..=3)).map(|file| format!("{area}/part{}.rs", self.dice.u32(0..9) * 3 + file));
        let files: Vec<String> = files.collect();
        let other = (*self.choice(team.members)).to_owned();
        let reviewed = merged_at.filter(|_| other != author).map(|at| {
            let wait = at.duration_since(opened_at).as_secs();
            (other, add(opened_at, wait * self.dice.i64(20..80) / 100))
        });
        let (commit, lines) = (self.hex(40), self.dice.u64(6..400));
        self.requests.push(Request {
            team: index,
            repo,
            number: 0,
            author,
            branch: format!("feature/{}-{}", team.key, 100 + id),
            subject,
            opened_at,
            merged_at,
            closed_at: None,
            reviewed: reviewed.into_iter().collect(),
            commit,
            lines,
            files,
            reopened_at: None,
            lost_at: None,
            id,
        });
        id
    }

    /// A change that lands at a time, where that has come.
    fn feature(&mut self, index: usize, merged_at: Timestamp) -> Option<usize> {
        if add(merged_at, HOUR) > self.now {
            return None;
        }
        let title = self.title(&TEAMS[index]);
        let opened_at = add(merged_at, -self.dice.i64(HOUR..40 * HOUR));
        Some(self.draft(index, Subject::Feature(title), opened_at, Some(merged_at)))
    }

    fn title(&mut self, team: &Team) -> String {
        let (verb, noun, area) = (self.choice(&VERBS), self.choice(&NOUNS), self.choice(team.areas));
        format!("{verb} {noun} of {area}")
    }

    /// Most sessions build, some read somebody else's work, and now and then a machine helps.
    fn work_on(&mut self, id: usize, cost: u32) {
        let request = self.requests[id].clone();
        let team = &TEAMS[request.team];
        if self.dice.u32(0..100) < 12 {
            return; // made by hand
        }
        let end = request.merged_at.unwrap_or(self.now).min(request.opened_at);
        let count = self.dice.i64(1..=3);
        for back in (0..count).rev() {
            let at = add(end, -HOUR - back * self.dice.i64(3 * HOUR..20 * HOUR));
            let shift =
                Shift { at, branch: &request.branch, cost, billing: team.billing, dearest: team.dearest };
            let mut session = Session::run(&mut self.dice, &request.author, request.repo, &shift);
            session.request = Some(id);
            if back == 0 {
                session.commit = Some(request.commit.clone());
            }
            self.sessions.push(session);
        }
        if let Some((reviewer, at)) = request.reviewed.first().filter(|_| self.dice.u32(0..3) == 0) {
            let shift = Shift { at: *at, branch: "", cost: 25, billing: team.billing, dearest: 0 };
            let mut session = Session::run(&mut self.dice, reviewer, request.repo, &shift);
            session.request = Some(id);
            session.is_review = true;
            self.sessions.push(session);
        }
        if self.dice.u32(0..8) == 0 {
            let shift = Shift { at: end, branch: &request.branch, cost: 15, billing: "api", dearest: 0 };
            let mut session = Session::run(&mut self.dice, &request.author, request.repo, &shift);
            session.is_ci = true;
            session.request = Some(id);
            self.sessions.push(session);
        }
    }

    /// A revert, a hotfix, or its ticket opened again, well within the window.
    fn lose(&mut self, id: usize) {
        let request = self.requests[id].clone();
        let Some(merged_at) = request.merged_at else { return };
        let days = i64::from(TEAMS[request.team].window_days());
        let within = HOUR * 4..DAY * (days - 3);
        let (lag, how): (Range<i64>, u32) = match self.dice.u32(0..10) {
            0..5 => (within, 0),
            5..8 => (3 * HOUR..60 * HOUR, 1),
            _ => (within, 2),
        };
        let at = add(merged_at, self.dice.i64(lag));
        if add(at, HOUR) > self.now {
            return; // not yet
        }
        self.requests[id].lost_at = Some(at);
        if how == 2 {
            self.requests[id].reopened_at = Some(at);
            return;
        }
        let subject = if how == 0 { Subject::Revert(id) } else { Subject::Hotfix(id) };
        let opened_at = add(at, -HOUR / 2).max(add(merged_at, HOUR));
        let repair = self.draft(request.team, subject, opened_at, Some(at));
        let mending = &mut self.requests[repair];
        (mending.repo, mending.files) = (request.repo, request.files);
        if how == 1 {
            mending.branch = format!("hotfix/{}", 100 + id);
            self.work_on(repair, 60);
        }
    }

    fn give_up(&mut self, index: usize, week: Week, cost: u32) {
        let opened_at = self.working_hour(week);
        let closed_at = add(opened_at, 2 * DAY);
        if closed_at < self.now {
            let title = self.title(&TEAMS[index]);
            let id = self.draft(index, Subject::Feature(title), opened_at, None);
            self.requests[id].closed_at = Some(closed_at);
            self.work_on(id, cost);
        }
    }

    fn bump(&mut self, index: usize, week: Week) {
        let at = self.working_hour(week);
        if add(at, HOUR) < self.now {
            let title = format!("Bump serde from 1.0.{} to 1.0.{}", 100 + index, 101 + index);
            let id = self.draft(index, Subject::Bump(title), add(at, -HOUR), Some(at));
            "dependabot[bot]".clone_into(&mut self.requests[id].author);
            self.requests[id].branch = format!("dependabot/cargo/serde-{id}");
            self.requests[id].files = vec!["Cargo.lock".to_owned()];
        }
    }

    /// Requests that are open now.
    fn under_way(&mut self, index: usize, cost: u32) {
        for back in 1..=3 {
            let title = self.title(&TEAMS[index]);
            let opened_at = add(self.now, -back * 9 * HOUR);
            let id = self.draft(index, Subject::Feature(title), opened_at, None);
            self.work_on(id, cost);
        }
    }

    /// Work that no request comes of.
    fn aside(&mut self, team: &Team, week: Week, branch: &str, cost: u32) {
        let at = self.working_hour(week);
        if add(at, 6 * HOUR) < self.now {
            let (member, repo) = (*self.choice(team.members), *self.choice(team.repositories));
            let shift = Shift { at, branch, cost, billing: team.billing, dearest: team.dearest };
            let session = Session::run(&mut self.dice, member, repo, &shift);
            self.sessions.push(session);
        }
    }

    fn visit(&mut self, week: Week) {
        let at = self.working_hour(week);
        if add(at, 6 * HOUR) < self.now {
            let shift = Shift { at, branch: "docs/guide", cost: 80, billing: "api", dearest: 50 };
            let session = Session::run(&mut self.dice, CONTRACTOR, "acme/search", &shift);
            self.sessions.push(session);
        }
    }

    fn choice<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.dice.usize(0..items.len())]
    }

    fn hex(&mut self, digits: usize) -> String {
        hex(&mut self.dice, digits)
    }
}

pub(super) fn hex(dice: &mut Rng, digits: usize) -> String {
    (0..digits).map(|_| char::from_digit(dice.u32(0..16), 16).unwrap_or('0')).collect()
}

/// So many seconds later.
pub(super) fn add(at: Timestamp, seconds: i64) -> Timestamp {
    at.saturating_add(SignedDuration::from_secs(seconds)).unwrap_or(Timestamp::MAX)
}

impl Story {
    /// What git and the host have as its title.
    pub(super) fn title(&self, request: &Request) -> String {
        match &request.subject {
            Subject::Feature(title) | Subject::Bump(title) => title.clone(),
            Subject::Revert(of) => format!("Revert \"{}\"", self.title(&self.requests[*of])),
            Subject::Hotfix(of) => format!("Hotfix: mend {}", self.requests[*of].files[0]),
        }
    }

    pub(super) fn body(&self, request: &Request) -> String {
        match &request.subject {
            Subject::Feature(_) if request.has_ticket() => format!("Closes #{}", request.number - 1),
            Subject::Feature(_) | Subject::Bump(_) => String::new(),
            Subject::Revert(of) => format!("Reverts {}#{}", request.repo, self.requests[*of].number),
            Subject::Hotfix(of) => format!("Fixes a regression from #{}", self.requests[*of].number),
        }
    }
}

impl Request {
    /// Whether it closes a ticket.
    pub(super) fn has_ticket(&self) -> bool {
        self.is_attempt() && (self.reopened_at.is_some() || self.number.is_multiple_of(4))
    }

    pub(super) fn author_email(&self) -> String {
        if let Subject::Bump(_) = self.subject {
            return "49699333+dependabot[bot]@users.noreply.github.com".to_owned();
        }
        email(&self.author)
    }
}
