//! A session of the invented company, and the report that a hook would have sent of it.

use super::cast::email;
use super::story::{Story, hex};
use anyhow::Result;
use fastrand::Rng;
use jiff::{SignedDuration, Timestamp};
use meter::{Hour, Report, Week};
use serde_json::{Value, json};

pub(super) const DEAREST: &str = "claude-opus-5-5";
pub(super) const USUAL: &str = "claude-sonnet-5-5";

/// One sitting, within a day.
#[derive(Debug, Clone)]
pub(super) struct Session {
    pub id: String,
    pub person: String,
    pub repo: &'static str,
    pub branch: String,
    pub start: Timestamp,
    pub billing: &'static str,
    pub rows: Vec<Row>,
    pub is_ci: bool,
    pub is_review: bool,
    /// What it is about, by its place.
    pub request: Option<usize>,
    /// It ended with this one.
    pub commit: Option<String>,
}

/// What one hour of a session spent on one model.
#[derive(Debug, Clone)]
pub(super) struct Row {
    pub hour: Hour,
    pub model: &'static str,
    pub is_subagent: bool,
    pub requests: u64,
    pub input: u64,
    pub output: u64,
    pub cache_read: u64,
    pub cache_write: u64,
}

/// When somebody sits down, and to what.
pub(super) struct Shift<'a> {
    pub at: Timestamp,
    pub branch: &'a str,
    /// In percent of the usual.
    pub cost: u32,
    pub billing: &'static str,
    /// Of a hundred sessions, how many run on the dearest model.
    pub dearest: u32,
}

impl Session {
    pub(super) fn run(dice: &mut Rng, person: &str, repo: &'static str, shift: &Shift) -> Self {
        let model = if dice.u32(0..100) < shift.dearest { DEAREST } else { USUAL };
        // a long tail: one sitting in eight is four times as dear
        let tail = if dice.u32(0..8) == 0 { 4 } else { 1 };
        let hour = Hour::of(shift.at);
        let hours =
            (0..dice.i64(1..=2)).map(|back| Hour::of(hour.start() - SignedDuration::from_hours(back)));
        let mut rows = Vec::new();
        for hour in hours.filter(|one| one.week() == hour.week()) {
            rows.push(Row::of(dice, hour, model, shift.cost * tail));
            if dice.u32(0..3) == 0 {
                let mut row = Row::of(dice, hour, USUAL, shift.cost / 3 + 1);
                row.is_subagent = true;
                rows.push(row);
            }
        }
        Self {
            id: [8, 4, 4, 4, 12].map(|digits| hex(dice, digits)).join("-"),
            person: person.to_owned(),
            repo,
            branch: shift.branch.to_owned(),
            start: rows.iter().map(|row| row.hour.start()).min().unwrap_or(shift.at),
            billing: shift.billing,
            rows,
            is_ci: false,
            is_review: false,
            request: None,
            commit: None,
        }
    }

    /// As a hook reports it.
    pub(super) fn report(&self, story: &Story) -> Result<Report> {
        let end = self.rows.iter().map(|row| row.hour.start()).max().unwrap_or(self.start);
        let ended_at = end + SignedDuration::from_mins(50);
        let of = self.request.map(|place| &story.requests[place]);
        let reviewed = of
            .filter(|_| self.is_review)
            .map(|request| json!({"number": request.number, "action": "reviewed", "at": end.to_string()}));
        let commit = self.commit.as_ref().map(|sha| {
            json!({"sha": sha, "branch": self.branch, "at": (end + SignedDuration::from_mins(45)).to_string()})
        });
        let requests: u64 = self.rows.iter().map(|row| row.requests).sum();
        let subagents = self.rows.iter().filter(|row| row.is_subagent).count();
        let prompt_max = self.rows.iter().map(|row| (row.input + row.cache_read) / row.requests.max(1)).max();
        let json = json!({
            "schema": 1, "session_id": self.id, "repo": format!("github.com/{}", self.repo),
            "week": Week::of(end).to_string(), "rank": {"parser": 1, "epoch": story.weeks[0].start().as_second(), "seq": 1},
            "partial": false, "install_id": install_id(&self.person),
            "client": {"name": "claude-code", "version": "2.1.330", "entrypoint": "cli", "hook": env!("CARGO_PKG_VERSION")},
            "environment": if self.is_ci { "ci" } else { "local" }, "provider": "anthropic", "billing": self.billing,
            "developer": {"email": email(&self.person)},
            "started_at": self.start.to_string(), "ended_at": ended_at.to_string(), "end_reason": "prompt_input_exit",
            "usage": self.rows.iter().map(|row| row.json(&self.branch)).collect::<Vec<Value>>(),
            "commits": commit.into_iter().collect::<Vec<Value>>(),
            "pull_requests": reviewed.into_iter().collect::<Vec<Value>>(),
            "shape": {
                "turns": requests / 6 + 1, "subagents": subagents, "tool_errors": requests / 9, "api_errors": 0,
                "compactions": requests / 60, "prompt_max": prompt_max,
            },
            "quality": {
                "lines": requests * 4, "malformed": 0, "synthetic": 0, "interrupted": 0, "unknown_usage": 0,
                "unitemised": 0, "adopted": 0,
            },
        });
        Report::parse(&json.to_string()).map_err(|fault| anyhow::anyhow!("{}: {}", self.id, fault.message))
    }
}

impl Row {
    fn of(dice: &mut Rng, hour: Hour, model: &'static str, cost: u32) -> Self {
        let requests = (dice.u64(30..150) * u64::from(cost) / 100).max(1);
        Self {
            hour,
            model,
            is_subagent: false,
            requests,
            input: requests * dice.u64(5..200),
            output: requests * dice.u64(200..900),
            cache_read: requests * dice.u64(20_000..90_000),
            cache_write: requests * dice.u64(800..4_000),
        }
    }

    fn json(&self, branch: &str) -> Value {
        let (agent, workflow) = if self.is_subagent { ("subagent", "Explore") } else { ("main", "main") };
        json!({
            "hour": self.hour.start().to_string(), "branch": branch, "model": self.model, "agent": agent,
            "workflow": workflow, "speed": "standard", "geo": "", "prompt_band": "100k", "requests": self.requests,
            "input": self.input, "output": self.output, "cache_read": self.cache_read,
            "cache_write_5m": self.cache_write, "cache_write_1h": 0, "web_search": 0,
        })
    }
}

/// A laptop's id, of its owner's name.
fn install_id(name: &str) -> String {
    format!("{:032x}", name.bytes().fold(0_u128, |id, byte| id << 8 | u128::from(byte)))
}
