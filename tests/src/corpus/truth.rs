//! What a home must come to, from what was billed: in the shape of `cpvo-hook totals --json`, and as the
//! collector's rows.

use super::bill::{Bill, Copied};
use super::grounds::is_shared;
use super::home::Home;
use super::session::{Doubt, Session};
use jiff::Timestamp;
use meter::{Hour, Tokens, Week};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sum {
    pub requests: u64,
    #[serde(flatten)]
    pub tokens: Tokens,
}

impl Sum {
    pub(super) fn add(&mut self, requests: u64, tokens: Tokens) {
        self.requests += requests;
        self.tokens += tokens;
    }
}

pub type ByModel = BTreeMap<String, Sum>;

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    pub sessions: usize,
    pub by_model: ByModel,
    pub by_day: BTreeMap<String, ByModel>,
    pub by_session: BTreeMap<String, ByModel>,
    pub overhead: ByModel,
    pub quality: BTreeMap<String, u64>,
}

/// A row of the collector's table `usage`, as far as it is known from the bills.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub struct Place {
    pub session_id: String,
    pub repo: String,
    pub week: String,
    pub hour: String,
    pub branch: String,
    pub model: String,
    pub agent: String,
    pub speed: String,
    pub geo: String,
    pub prompt_band: String,
}

pub type Rows = BTreeMap<Place, Sum>;

/// What a session spent beyond its responses.
#[derive(Debug, Clone)]
pub enum Overhead {
    /// By model; empty where the responses are all there was.
    Told(BTreeMap<String, Tokens>),
    Untold(BTreeSet<Doubt>),
}

impl Home {
    /// What is in scope, added up.
    pub fn totals(&self) -> Totals {
        let mut totals = Totals::default();
        for bill in self.bills.iter().filter(|bill| bill.is_shared()) {
            let day = bill.at.strftime("%Y-%m-%d").to_string();
            for models in [
                &mut totals.by_model,
                totals.by_day.entry(day).or_default(),
                totals.by_session.entry(bill.session.clone()).or_default(),
            ] {
                models.entry(bill.model.to_owned()).or_default().add(1, bill.tokens());
            }
        }
        let mut quality = self.quality.clone();
        let adopted = |bill: &&Bill| bill.is_shared() && bill.copied == Copied::Unnamed;
        quality.insert("adopted", self.bills.iter().filter(adopted).count() as u64);
        for session in 0..self.sessions.len() {
            let counted =
                self.sessions[session].in_scope || totals.by_session.contains_key(&self.sessions[session].id);
            totals.sessions += usize::from(counted);
            match self.overhead(session) {
                Overhead::Told(models) => {
                    for (model, tokens) in models {
                        totals.overhead.entry(model).or_default().add(0, tokens);
                    }
                }
                // it is told where the session's last line is
                Overhead::Untold(_) => {
                    let told = self.sessions[session].last.1.is_some_and(is_shared);
                    *quality.entry("unitemised").or_default() += u64::from(told);
                }
            }
        }
        totals.quality = quality.into_iter().map(|(name, count)| (name.to_owned(), count)).collect();
        totals
    }

    /// What the client's account has beyond the session's responses, where that is provable.
    pub fn overhead(&self, session: usize) -> Overhead {
        let session = &self.sessions[session];
        let Some(account) = &session.written else {
            return if session.compacted {
                Overhead::Untold([Doubt::NoAccount].into())
            } else {
                Overhead::Told(BTreeMap::new())
            };
        };
        let mut spent: BTreeMap<String, Tokens> = BTreeMap::new();
        for bill in self.bills.iter().filter(|bill| bill.session == session.id) {
            *spent.entry(bill.model.to_owned()).or_default() += bill.tokens();
        }
        if account.tokens() == spent && !session.doubts.contains(&Doubt::OutOfScope) {
            return Overhead::Told(BTreeMap::new());
        }
        if session.doubts.is_empty() {
            Overhead::Told(session.hidden.clone())
        } else {
            Overhead::Untold(session.doubts.clone())
        }
    }

    /// What a collector must hold.
    pub fn rows(&self) -> Rows {
        let mut rows = Rows::new();
        for bill in self.bills.iter().filter(|bill| bill.is_shared()) {
            bill.add_to(&mut rows);
        }
        for (index, session) in self.sessions.iter().enumerate() {
            let Overhead::Told(models) = self.overhead(index) else { continue };
            let (at, repo) = session.last;
            for (model, tokens) in models.into_iter().filter(|_| repo.is_some_and(is_shared)) {
                let place = Place {
                    model,
                    agent: "overhead".to_owned(),
                    speed: "standard".to_owned(),
                    prompt_band: "100k".to_owned(),
                    ..place(&session.id, repo, at)
                };
                rows.entry(place).or_default().add(0, tokens);
            }
        }
        rows
    }

    /// The nano-dollars of each session's last account, with what can be told of its overhead.
    pub fn accounts(&self) -> Vec<(String, i64, Overhead)> {
        let account = |(index, session): (usize, &Session)| {
            Some((session.id.clone(), session.written.as_ref()?.nanousd(), self.overhead(index)))
        };
        self.sessions.iter().enumerate().filter_map(account).collect()
    }
}

impl Bill {
    /// Adds the response where it was asked.
    pub fn add_to(&self, rows: &mut Rows) {
        for (part, (band, tokens)) in self.slices.iter().enumerate() {
            let place = Place {
                branch: self.branch.clone(),
                model: self.model.to_owned(),
                agent: self.agent.to_owned(),
                speed: self.speed.to_owned(),
                geo: self.geo.to_owned(),
                prompt_band: (*band).to_owned(),
                ..place(&self.session, self.repo.as_deref(), self.at)
            };
            rows.entry(place).or_default().add(u64::from(part == 0), *tokens);
        }
    }
}

/// When and where; the rest is empty.
fn place(session: &str, repo: Option<&str>, at: Timestamp) -> Place {
    Place {
        session_id: session.to_owned(),
        repo: repo.unwrap_or("none").to_owned(),
        week: Week::of(at).to_string(),
        hour: Hour::of(at).to_string(),
        branch: String::new(),
        model: String::new(),
        agent: String::new(),
        speed: String::new(),
        geo: String::new(),
        prompt_band: String::new(),
    }
}
