//! What Linear answers, and what of it is kept.

use crate::source::tracker::Found;
use jiff::Timestamp;
use meter::outcome::{Move, Standing};
use serde::Deserialize;

#[derive(Debug, Deserialize)]
pub(super) struct Teams {
    pub organization: Organization,
    pub teams: Connection<Team>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Organization {
    pub url_key: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct Team {
    pub key: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Connection<T> {
    #[serde(default)]
    pub page_info: PageInfo,
    pub nodes: Vec<T>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PageInfo {
    has_next_page: bool,
    end_cursor: Option<String>,
}

impl PageInfo {
    /// Where the next page begins.
    pub(super) fn next(&self) -> Option<String> {
        self.end_cursor.clone().filter(|_| self.has_next_page)
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct Issues {
    pub issues: Connection<Issue>,
}

#[derive(Debug, Deserialize)]
pub(super) struct One {
    pub issue: Issue,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Issue {
    id: String,
    identifier: String,
    #[serde(default)]
    previous_identifiers: Vec<String>,
    updated_at: String,
    project: Option<InProject>,
    parent: Option<Parent>,
}

#[derive(Debug, Deserialize)]
struct InProject {
    id: String,
}

#[derive(Debug, Deserialize)]
struct Parent {
    identifier: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct Histories {
    pub issues: Connection<WithHistory>,
}

#[derive(Debug, Deserialize)]
pub(super) struct History {
    pub issue: WithHistory,
}

#[derive(Debug, Deserialize)]
pub(super) struct WithHistory {
    pub id: String,
    pub history: Moves,
}

pub(super) type Moves = Connection<Change>;

/// Something that was changed of an issue; its state, where it names one.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Change {
    created_at: Timestamp,
    actor: Option<User>,
    bot_actor: Option<Bot>,
    from_state: Option<State>,
    to_state: Option<State>,
}

#[derive(Debug, Deserialize)]
struct User {
    id: String,
}

#[derive(Debug, Deserialize)]
struct Bot {
    id: Option<String>,
    name: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct State {
    #[serde(rename = "type")]
    kind: String,
}

impl Issue {
    pub(super) fn into_found(self) -> (String, Found) {
        let epic = self.project.map(|of| of.id).or(self.parent.map(|of| of.identifier));
        (self.identifier, Found { id: self.id, revision: self.updated_at, epic })
    }

    /// Whether it has or had this key.
    pub(super) fn had(&self, key: &str) -> bool {
        self.identifier == key || self.previous_identifiers.iter().any(|former| former == key)
    }
}

impl Change {
    pub(super) fn into_move(self) -> Option<Move> {
        let to = self.to_state?;
        let bot = self.bot_actor.and_then(|bot| bot.id.or(bot.name));
        Some(Move {
            at: self.created_at,
            actor: self.actor.map(|user| user.id).or(bot),
            from: self.from_state.and_then(|state| state.standing()),
            to: to.standing(),
        })
    }
}

impl State {
    /// A type of state that is new to us says nothing.
    pub(super) fn standing(&self) -> Option<Standing> {
        match self.kind.as_str() {
            "completed" => Some(Standing::Done),
            "canceled" | "duplicate" => Some(Standing::Dropped),
            "triage" | "backlog" | "unstarted" | "started" => Some(Standing::Open),
            _ => None,
        }
    }
}
