//! What became of a change: which one it is, what took it back, and whether it is an outcome.
//!
//! A source hands over what landed; everything here is told from that alone, in the order of landing.

mod landing;
mod mention;
mod survival;
mod tally;
mod ticket;
mod verdict;

pub use landing::Landing;
pub use mention::{Mention, Place, Rule, Target, Words, branch_words, words};
pub use survival::{Change, Judged, Kind, Nature, Policy, Revert, State, judge};
pub use tally::{Tally, cpvo, immature_from, matures_at};
pub use ticket::{Reopen, Step, TicketEvent, reopens};
pub use verdict::{BEFORE, Comparison, Mature, Period, QUARTER, Verdict, compare, costs};
