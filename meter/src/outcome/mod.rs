//! What became of a change: which one it is, what took it back, and whether it is an outcome.
//!
//! A source hands over what landed; everything here is told from that alone, in the order of landing.

mod area;
mod blame;
mod codeowners;
mod known;
mod lag;
mod landing;
mod mending;
mod mention;
mod objection;
mod owner;
mod policy;
mod spread;
mod survival;
mod tally;
mod ticket;
mod verdict;

pub use area::is_common;
pub use blame::blamed;
pub use codeowners::CodeOwners;
pub use lag::{Lags, REVERTS_MIN};
pub use landing::Landing;
pub use mending::{Citation, Mending, Sign, Told};
pub use mention::{Mention, Place, Rule, Target, Words, branch_words, tag_words, words};
pub use objection::{Cause, Objection};
pub use owner::{Owner, owner};
pub use policy::{Policy, Strictness};
pub use spread::{CADENCE_WEEKS, Cadence, Spread};
pub use survival::{Change, Judged, Kind, Nature, Revert, State, judge};
pub use tally::{ByStrictness, Tally, cpvo, immature_from, matures_at};
pub use ticket::{Move, Reopen, Standing, Step, Texts, TicketEvent, moved, project_of, reopens, ticket_keys};
pub use verdict::{BEFORE, Comparison, Mature, Period, QUARTER, Verdict, compare, costs};

/// Counts the states of the rules. Who makes one of them say otherwise of the same history, here, in attribution or in what
/// hands history over, adds one: what was judged by the former is judged anew.
pub const RULES: u32 = 4;
