//! Tickets on a board, and how they were moved over it. Each tracker tells of it in its own way.

use std::sync::{Arc, Mutex, MutexGuard};

/// Where a ticket may stand: `todo`, `doing`, `done`, `dropped`, or `gone`, a state the tracker has deleted since.
pub type State = &'static str;

/// When every ticket was.
pub const CREATED: &str = "2026-10-01T08:00:00Z";

/// Somebody moved a ticket.
#[derive(Debug, Clone)]
pub struct Moved {
    pub to: State,
    pub at: String,
    pub by: Option<&'static str>,
}

/// A ticket. It begins as `todo`.
#[derive(Debug, Clone)]
pub struct Card {
    pub key: String,
    /// Keys it had in other projects.
    pub former: Vec<String>,
    /// The card, project or epic it is a part of; cards are on the board, the others are not.
    pub part_of: Option<String>,
    pub labels: Vec<&'static str>,
    /// What it says below its title.
    pub text: String,
    pub moves: Vec<Moved>,
}

impl Card {
    /// With each of its moves, the oldest first.
    pub fn new(key: &str, moves: &[(State, &str, &'static str)]) -> Self {
        let one = |&(to, at, by): &(State, &str, &'static str)| Moved {
            to,
            at: at.to_owned(),
            by: (!by.is_empty()).then_some(by),
        };
        Self {
            key: key.to_owned(),
            former: Vec::new(),
            part_of: None,
            labels: Vec::new(),
            text: String::new(),
            moves: moves.iter().map(one).collect(),
        }
    }

    /// What the tracker calls it, whatever its key: that of its first key.
    pub fn id(&self) -> String {
        let key = self.former.first().unwrap_or(&self.key);
        format!("1{:04}", key.bytes().fold(0_u32, |sum, byte| (sum * 31 + u32::from(byte)) % 9973))
    }

    pub fn updated(&self) -> &str {
        self.moves.last().map_or(CREATED, |moved| &moved.at)
    }

    pub fn state(&self) -> State {
        self.moves.last().map_or("todo", |moved| moved.to)
    }

    /// Whether its key is of this project.
    pub fn is_of(&self, project: &str) -> bool {
        self.key.strip_prefix(project).is_some_and(|rest| rest.starts_with('-'))
    }

    pub fn has(&self, name: &str) -> bool {
        self.key == name || self.id() == name
    }

    pub fn had(&self, name: &str) -> bool {
        self.has(name) || self.former.iter().any(|former| former == name)
    }

    /// From where and how it was moved, the oldest first.
    pub fn steps(&self) -> impl DoubleEndedIterator<Item = (State, &Moved)> {
        let from = |place: usize| place.checked_sub(1).map_or("todo", |before| self.moves[before].to);
        self.moves.iter().enumerate().map(move |(place, moved)| (from(place), moved))
    }
}

/// The tickets of a tracker, shared with the thread that answers for it.
#[derive(Debug, Clone, Default)]
pub struct Board(Arc<Mutex<Vec<Card>>>);

impl Board {
    pub fn cards(&self) -> MutexGuard<'_, Vec<Card>> {
        self.0.lock().expect("no thread of the host panics")
    }

    /// Puts a ticket in the place of the one with its key.
    pub fn put(&self, card: Card) {
        let mut cards = self.cards();
        cards.retain(|known| known.key != card.key);
        cards.push(card);
    }
}
