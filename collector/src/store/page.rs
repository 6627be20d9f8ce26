//! Some sessions with news, or all there are: what they did and spent.

use super::attribution::Span;
use super::db::{Db, Fields, Value, values};
use super::ground::Target;
use anyhow::Result;
use jiff::Timestamp;
use meter::attribution::{Class, Rule};
use meter::{Hour, PullRequestAction};
use std::borrow::Borrow;
use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use std::sync::Arc;

/// Which sessions.
#[derive(Debug, Clone)]
pub(crate) enum Page {
    /// Those with news after one id, up to another.
    News { after: String, last: String },
    /// All there are, with news or without.
    All,
}

/// What is stored of one session, with everything that tells where its spend went.
#[derive(Debug, Default)]
pub(crate) struct Worked {
    /// `None`: nothing is new.
    pub news: Option<i64>,
    /// The member behind its developer, else the developer.
    pub developer: Arc<str>,
    pub is_ci: bool,
    /// By repository, branch and hour.
    pub places: Vec<Place>,
    /// In the order of time, like the actions.
    pub commits: Vec<Committed>,
    pub actions: Vec<Acted>,
    /// By repository, branch and first hour.
    pub spans: Vec<Span>,
}

/// What the hours on one branch have in common, of whatever session.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct Lane {
    pub repo: String,
    pub week: Arc<str>,
    pub branch: String,
}

/// Where all rows of one hour on one branch are, and what they cost. A session has one developer, so that one hour
/// of it has one team.
#[derive(Debug)]
pub(crate) struct Place {
    pub lane: Arc<Lane>,
    pub hour: Hour,
    pub team: Arc<str>,
    pub nanousd: i64,
}

#[derive(Debug)]
pub(crate) struct Committed {
    pub repo: Arc<str>,
    pub branch: Arc<str>,
    pub sha: String,
    pub at: Timestamp,
}

#[derive(Debug)]
pub(crate) struct Acted {
    pub repo: Arc<str>,
    pub number: u64,
    pub action: PullRequestAction,
    pub at: Timestamp,
}

/// Sessions by their id.
pub(crate) type Sessions = Vec<(Arc<str>, Worked)>;

/// The next sessions with news after one id, in the database's own order.
pub(crate) fn page_next(db: &mut Db, after: &str, length: u32) -> Result<Option<String>> {
    let rows = db.query(
        "SELECT MAX(session_id) FROM (
            SELECT session_id FROM session_news WHERE session_id > $1 ORDER BY session_id LIMIT $2
         ) AS p",
        &values![after, length],
    )?;
    rows.first().map_or(Ok(None), |row| row.get(0))
}

impl Page {
    /// What follows `FROM` to read the rows `t` of a table that are of these sessions.
    fn of(&self, table: &str) -> String {
        match self {
            Self::News { .. } => format!(
                "session_news AS n CROSS JOIN {table} AS t
                 WHERE n.session_id > $1 AND n.session_id <= $2 AND t.session_id = n.session_id"
            ),
            Self::All => format!("{table} AS t"),
        }
    }

    pub(super) fn values(&self) -> Vec<Value<'_>> {
        match self {
            Self::News { after, last } => values![after, last].into(),
            Self::All => Vec::new(),
        }
    }
}

/// How a row adds to its session.
type Read = fn(&mut Reading, &Fields) -> Result<()>;

/// The tables that tell of sessions, with their columns after the session's id.
const TABLES: [(&str, &str, Read); 6] = [
    ("session_news", "t.news", Reading::news),
    (
        "session",
        "COALESCE((SELECT d.member FROM developer AS d WHERE d.developer = t.developer), t.developer), t.environment",
        Reading::head,
    ),
    ("usage", "t.repo, t.week, t.branch, t.hour, t.team, t.cost_nanousd", Reading::usage),
    ("session_commit", "t.repo, t.branch, t.sha, t.committed_at", Reading::commit),
    ("session_pull_request", "t.repo, t.number, t.action, t.acted_at", Reading::action),
    (
        "attribution_span",
        "t.repo, t.week, t.branch, t.first_hour, t.last_hour, t.class, t.rule, t.change_repo, t.change, t.number",
        Reading::span,
    ),
];

/// The sessions of a page. Tables are read as they lie: nothing is sorted, grouped or looked up by the database.
pub(crate) fn page_read(db: &mut Db, page: &Page) -> Result<Sessions> {
    let mut reading = Reading::default();
    for (table, columns, read) in TABLES {
        let sql = format!("SELECT t.session_id, {columns} FROM {}", page.of(table));
        db.each(&sql, &page.values(), |row| read(&mut reading, row))?;
    }
    let mut sessions = reading.sessions;
    for (_, session) in &mut sessions {
        session.put_in_order();
    }
    sessions.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
    Ok(sessions)
}

/// Sessions while they are read. What many rows have in common is kept once.
#[derive(Default)]
struct Reading {
    sessions: Sessions,
    /// By id the place in the list, and the place of the last row's.
    places: HashMap<Arc<str>, usize>,
    last: usize,
    /// The last row's, as it is written and what that says.
    hour: Option<(String, Hour)>,
    texts: Shared<str>,
    lanes: Shared<Lane>,
    targets: Shared<Target>,
}

/// One of each.
struct Shared<T: ?Sized>(HashSet<Arc<T>>);

impl<T: ?Sized> Default for Shared<T> {
    fn default() -> Self {
        Self(HashSet::new())
    }
}

impl<T: ?Sized + Eq + Hash> Shared<T> {
    fn one(&mut self, like: impl Borrow<T> + Into<Arc<T>>) -> Arc<T> {
        if let Some(known) = self.0.get(like.borrow()) {
            return Arc::clone(known);
        }
        let new = like.into();
        self.0.insert(Arc::clone(&new));
        new
    }
}

impl Reading {
    fn session(&mut self, row: &Fields) -> Result<&mut Worked> {
        let id = row.text(0)?;
        if self.sessions.get(self.last).is_none_or(|(last, _)| **last != *id) {
            self.last = if let Some(known) = self.places.get(id) {
                *known
            } else {
                let id: Arc<str> = id.into();
                self.places.insert(Arc::clone(&id), self.sessions.len());
                self.sessions.push((id, Worked::default()));
                self.sessions.len() - 1
            };
        }
        Ok(&mut self.sessions[self.last].1)
    }

    fn news(&mut self, row: &Fields) -> Result<()> {
        self.session(row)?.news = Some(row.get(1)?);
        Ok(())
    }

    fn head(&mut self, row: &Fields) -> Result<()> {
        let developer = self.texts.one(row.text(1)?);
        let session = self.session(row)?;
        session.developer = developer;
        session.is_ci |= row.text(2)? == "ci";
        Ok(())
    }

    fn usage(&mut self, row: &Fields) -> Result<()> {
        let (hour, nanousd) = (self.hour(row.text(4)?)?, row.get::<Option<i64>>(6)?.unwrap_or_default());
        let place = (row.text(1)?, row.text(2)?, row.text(3)?);
        let last = self.session(row)?.places.last_mut();
        let last = last.filter(|last| (&*last.lane.repo, &*last.lane.week, &*last.lane.branch) == place);
        let lane = match last {
            Some(last) if last.hour == hour => {
                last.nanousd += nanousd;
                return Ok(());
            }
            Some(last) => Arc::clone(&last.lane),
            None => self.lane(row)?,
        };
        let team = self.texts.one(row.text(5)?);
        push(&mut self.session(row)?.places, Place { lane, hour, team, nanousd });
        Ok(())
    }

    /// Of a row with its repository, week and branch first.
    fn lane(&mut self, row: &Fields) -> Result<Arc<Lane>> {
        let week = self.texts.one(row.text(2)?);
        Ok(self.lanes.one(Lane { repo: row.get(1)?, week, branch: row.get(3)? }))
    }

    fn hour(&mut self, text: &str) -> Result<Hour> {
        if let Some((_, hour)) = self.hour.as_ref().filter(|(last, _)| last == text) {
            return Ok(*hour);
        }
        let hour = text.parse()?;
        self.hour = Some((text.to_owned(), hour));
        Ok(hour)
    }

    fn commit(&mut self, row: &Fields) -> Result<()> {
        let (repo, branch) = (self.texts.one(row.text(1)?), self.texts.one(row.text(2)?));
        let sha = row.get(3)?;
        push(&mut self.session(row)?.commits, Committed { repo, branch, sha, at: row.parse(4)? });
        Ok(())
    }

    fn action(&mut self, row: &Fields) -> Result<()> {
        let action = row.word(3, PullRequestAction::from_word)?;
        let repo = self.texts.one(row.text(1)?);
        let acted = Acted { repo, number: row.get(2)?, action, at: row.parse(4)? };
        push(&mut self.session(row)?.actions, acted);
        Ok(())
    }

    fn span(&mut self, row: &Fields) -> Result<()> {
        let target = match row.get(8)? {
            Some(repo) => Some(self.targets.one(Target { repo, sha: row.get(9)?, number: row.get(10)? })),
            None => None,
        };
        let span = Span {
            lane: self.lane(row)?,
            first_hour: self.hour(row.text(4)?)?,
            last_hour: self.hour(row.text(5)?)?,
            class: row.word(6, Class::from_word)?,
            rule: row.word(7, Rule::from_word)?,
            target,
        };
        push(&mut self.session(row)?.spans, span);
        Ok(())
    }
}

/// Few sessions have more than a few of anything, and there are many sessions: nothing is kept in store.
fn push<T>(list: &mut Vec<T>, one: T) {
    if list.len() < 16 {
        list.reserve_exact(1);
    }
    list.push(one);
}

impl Place {
    pub(crate) fn key(&self) -> (&str, &str, Hour) {
        (&self.lane.repo, &self.lane.branch, self.hour)
    }
}

impl Worked {
    fn put_in_order(&mut self) {
        self.places.sort_by(|one, other| one.key().cmp(&other.key()));
        // rows of one hour need not lie together
        self.places.dedup_by(|next, place| {
            let is_same = next.key() == place.key();
            place.nanousd += if is_same { next.nanousd } else { 0 };
            is_same
        });
        self.commits.sort_by(|one, other| (one.at, &one.sha).cmp(&(other.at, &other.sha)));
        self.actions.sort_by_key(|one| (one.at, one.number, one.action));
        self.spans.sort_by(|one, other| one.key().cmp(&other.key()));
    }
}

/// Notes that a session was told anew that had so much news; returns whether that is all of it.
pub(crate) fn session_told(db: &mut Db, session: &str, news: Option<i64>) -> Result<bool> {
    let Some(news) = news else {
        let since = "SELECT news FROM session_news WHERE session_id = $1";
        return Ok(db.query(since, &values![session])?.is_empty());
    };
    let sql = "DELETE FROM session_news WHERE session_id = $1 AND news = $2";
    Ok(db.execute(sql, &values![session, news])? > 0)
}
