//! A response, as the API billed it.

use super::grounds::is_shared;
use jiff::Timestamp;
use meter::Tokens;

/// What copies in other sessions say of whose a response is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Copied {
    Never,
    /// No copy names the session that asked.
    Unnamed,
    /// Some copy does.
    Named,
}

/// A response, as the API billed it.
#[derive(Debug, Clone)]
pub struct Bill {
    pub session: String,
    pub message: String,
    /// Of the first line that has all of its output.
    pub at: Timestamp,
    /// `None` outside every repository.
    pub repo: Option<String>,
    pub branch: String,
    pub model: &'static str,
    pub agent: &'static str,
    pub speed: &'static str,
    pub geo: &'static str,
    pub slices: Vec<(&'static str, Tokens)>,
    pub finished: bool,
    pub copied: Copied,
    /// Without a request of its own a gateway's id is unique in its session only.
    pub copyable: bool,
}

impl Bill {
    pub fn is_shared(&self) -> bool {
        self.repo.as_deref().is_some_and(is_shared)
    }

    pub fn tokens(&self) -> Tokens {
        self.slices.iter().map(|(_, tokens)| *tokens).sum()
    }
}
