//! The user's view of cpvo: a world to act in, with the real programs and everything they talk to.

pub mod carved;
pub mod client;
pub mod clock;
pub mod collector;
pub mod corpus;
pub mod dice;
mod events;
pub mod fake_api;
pub mod front;
pub mod git;
pub mod history;
pub mod host;
pub mod ledger;
pub mod lot;
pub mod machine;
pub mod postgres;
pub mod processes;
pub mod program;
pub mod sink;
pub mod strace;
pub mod terminal;
pub mod transcript;
pub mod wait;
mod world;

pub use postgres::Cluster;
pub use world::{REPO, World};
