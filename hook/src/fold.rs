//! Which lines are one response, which of them counts, and whose it is. Pure, and blind to the order of
//! lines, files and sweeps.
//!
//! A response is written once per content block, copied by forks, resumes, `/btw` and moved files, and first
//! written with a fraction of its output; it is counted once, by its largest record, for the one who asked.

use crate::transcript::Response;
use jiff::Timestamp;
use meter::{Band, Geo, Model, SessionId, Speed, Tokens, Workflow};
use std::cmp::Reverse;

/// What names a response on every machine and for all time: a hash of its ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct ResponseKey([u8; 16]);

impl ResponseKey {
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    pub(crate) fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }
}

/// Names the response a line belongs to; `session` is the one that asked, as far as the line says.
///
/// Ids that Anthropic gives are unique. A gateway's may repeat: then the request tells responses apart, and
/// without one the session.
pub(crate) fn key(response: &Response, session: &SessionId) -> ResponseKey {
    let id = response.id.as_str();
    let within = match &response.request_id {
        _ if id.starts_with("msg_") => "",
        Some(request) => request,
        None => session.as_str(),
    };
    // FNV-1a, 128 bits: stored keys must mean the same in every later version
    let bytes = id.bytes().chain([0xff]).chain(within.bytes());
    let hash = bytes.fold(0x6c62_272e_07bb_0142_62b8_2175_6295_c58d_u128, |hash, byte| {
        (hash ^ u128::from(byte)).wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013b)
    });
    ResponseKey(hash.to_be_bytes())
}

/// What one line says of a response.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Record {
    pub(crate) at: Timestamp,
    pub(crate) finished: bool,
    pub(crate) model: Model,
    pub(crate) speed: Speed,
    pub(crate) geo: Geo,
    pub(crate) workflow: Workflow,
    pub(crate) slices: Vec<(Band, Tokens)>,
}

impl Record {
    /// What `response` says; `at` is the time of its line.
    pub(crate) fn of(response: Response, at: Timestamp) -> Self {
        let Response { finished, model, speed, geo, workflow, slices, .. } = response;
        Self { at, finished, model, speed, geo, workflow, slices }
    }

    pub(crate) fn tokens(&self) -> Tokens {
        self.slices.iter().map(|(_, tokens)| *tokens).sum()
    }
}

/// Whether `new` counts in place of `old`: a whole record, the one with the largest output, of those the
/// earliest; what is left is decided by the content, so that the order of reading never is.
pub(crate) fn wins(old: &Record, new: &Record) -> bool {
    fn rank(record: &Record) -> impl Ord + '_ {
        let Record { at, finished, model, speed, geo, workflow, slices } = record;
        (record.tokens().output, Reverse(*at), *finished, (slices, model, speed, geo, workflow))
    }
    rank(new) > rank(old)
}

/// The owner among the sessions that hold a response, where no line names its origin: the one whose oldest
/// line of its own is the oldest, else the smallest id.
pub(crate) fn owner<At: Ord + Copy>(holders: &[(SessionId, Option<At>)]) -> Option<SessionId> {
    let age = |(session, at): &&(SessionId, Option<At>)| (at.is_none(), *at, session.clone());
    holders.iter().min_by_key(age).map(|(session, _)| session.clone())
}
