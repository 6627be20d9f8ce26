//! What is counted, what it costs, and which snapshot of it counts.
//!
//! Pure rules from data to data: no I/O, no clock, no environment. The nouns:
//!
//! - [`Tokens`]: the counters of one or many responses.
//! - [`Report`]: what one session spent in one repository in one ISO week; the only wire format.
//! - [`Week`] and [`Hour`]: UTC time as it is stored.
//! - [`NanoUsd`]: money, always an integer.
//! - [`PriceBook`]: what the tokens of a model cost at an hour.
//! - [`outcome`]: what became of a change, and what a verified outcome cost.
//! - [`attribution`]: which change each part of the spend built.
//! - [`delivery`]: how a team delivers.
//! - [`wilson`], [`cost_interval`], [`trend`]: how sure a share, a cost or a direction is.
//! - [`admit()`]: whether a snapshot replaces the one already stored.

mod admit;
mod answer;
pub mod attribution;
pub mod delivery;
mod fault;
mod glob;
mod interval;
mod limits;
mod money;
pub mod outcome;
mod percentile;
mod pricing;
mod report;
mod text;
mod tokens;
mod vocabulary;
mod week;

pub use admit::{Admission, Sender, Stored, Trust, admit};
pub use answer::{Answer, Status};
pub use fault::{Fault, FaultCode, Retry};
pub use interval::{
    Direction, Interval, Ppm, TREND_WEEKS_MIN, Trend, cost_change, cost_interval, share_change, trend, wilson,
};
pub use money::{NanoUsd, PicoUsd};
pub use percentile::percentile;
pub use pricing::{Price, PriceBook, PriceKind, Priced, Rates, canonical_model};
pub use report::{
    Branch, COMMITS_MAX, Client, Commit, Developer, Model, PARSER_MAX, PULL_REQUESTS_MAX, PullRequest,
    Quality, REPORT_BYTES_MAX, REPORTS_MAX, REQUESTS_MAX, ROWS_MAX, Rank, Report, Row, RowKey, SCHEMA, Shape,
    Word, Workflow,
};
pub use text::{Email, InstallId, Repo, SessionId, Sha, Text, TextError};
pub use tokens::{COUNT_MAX, Tokens};
pub use vocabulary::{Agent, Band, Billing, EndReason, Environment, Geo, Provider, PullRequestAction, Speed};
pub use week::{Hour, Week, WeekError};
