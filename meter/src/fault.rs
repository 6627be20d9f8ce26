//! What is wrong with one report, and when offering it again can help.

use serde::{Deserialize, Serialize};

/// Why a report was rejected or held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Fault {
    pub code: FaultCode,
    /// Names the field and what it must be.
    pub message: String,
    pub retry: Retry,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultCode {
    /// A field is missing, of the wrong type or outside its limits.
    Invalid,
    /// A schema, field or word this collector does not know.
    Unknown,
    /// An hour later than now + 10 minutes.
    Future,
    /// One row costs more than 10¹³ nano-dollars or the report more than 10¹⁴.
    CostLimit,
    /// The database's sum would pass what 64 bits hold.
    Full,
    /// The token speaks for another repository.
    Forbidden,
    /// The session belongs to another identity.
    Owned,
    /// Another ledger's snapshot has fewer requests than the stored one.
    Fewer,
    /// The collector could not store it; nothing is wrong with the report.
    Internal,
}

/// When offering the same report again can help.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Retry {
    Never,
    Later,
    AfterUpgrade,
}

impl Fault {
    pub fn new(code: FaultCode, retry: Retry, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), retry }
    }
}
