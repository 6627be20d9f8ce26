//! What the collector answers to one report.

use crate::fault::Fault;
use crate::report::Rank;
use serde::{Deserialize, Serialize};

/// One entry of the answer to `POST /v1/reports`, in request order.
///
/// The key is `null` only where the report was too broken to tell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    pub session_id: Option<String>,
    pub repo: Option<String>,
    pub week: Option<String>,
    pub status: Status,
    /// With `stale` and `held`: the rank the collector has.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub stored_rank: Option<Rank>,
    #[serde(flatten, skip_serializing_if = "Option::is_none", default)]
    pub fault: Option<Fault>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Stored; it replaced what was there.
    Applied,
    /// The content is what is stored already; the higher rank was kept.
    Same,
    /// A higher rank is stored.
    Stale,
    /// Not stored: another ledger's snapshot that would lower the total.
    Held,
    /// Not stored: see `code`, `message` and `retry`.
    Rejected,
}
