//! What one line of a transcript says, as far as it can count: the only file that knows the names of the
//! client's fields, so that a change of its format is a change of this room alone.
//!
//! Nothing a person wrote is kept: prompts, answers, tool inputs and outputs are skipped where they stand.

use jiff::Timestamp;
use meter::{Band, Branch, Geo, Model, PullRequestAction, SessionId, Speed, Tokens, Word, Workflow};

/// What became of one line.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Parsed {
    Line(Line),
    /// Not JSON, or a count that no count can be: counted, never guessed.
    Malformed,
}

/// One line, as far as it can count.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Line {
    pub(crate) at: Option<Timestamp>,
    pub(crate) cwd: Option<String>,
    /// `gitBranch`; empty for a detached head, no repository, and names a report could not carry.
    pub(crate) branch: Branch,
    /// The session the line says it belongs to: the fork's where a fork copied and rewrote it.
    pub(crate) session: Option<SessionId>,
    /// The session a copied line was copied from.
    pub(crate) origin: Option<SessionId>,
    pub(crate) version: Option<Word>,
    pub(crate) entrypoint: Option<Word>,
    pub(crate) sidechain: bool,
    pub(crate) kind: Kind,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Kind {
    /// A part of a response of the model.
    Response(Box<Response>),
    /// A response without usage: what it cost is unknown. Names the request it answers.
    Unmetered {
        request_ref: Option<String>,
    },
    /// A response the client made up itself.
    Synthetic,
    /// A prompt a person sent: not the client's own text, not a tool result, not a compaction summary.
    Turn,
    ToolResult(ToolResult),
    ApiError,
    Compaction,
    /// A person stopped the response with this message id.
    Interrupted {
        message: Option<String>,
    },
    /// An attempt to ask the model; answered where a response names `id` as its `request_ref`.
    Request {
        id: String,
    },
    /// A pull request the client linked the session to; the repository as `owner/name`.
    PullRequestLink {
        number: u32,
        repository: Option<String>,
    },
    CostState(Box<CostState>),
    /// Nothing that counts but its time and place.
    Other,
}

/// One line of one response, with the usage of the whole response as it was known then.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Response {
    /// `message.id`; empty where the line has none.
    pub(crate) id: String,
    pub(crate) request_id: Option<String>,
    /// The `Request` line it answers.
    pub(crate) request_ref: Option<String>,
    pub(crate) model: Model,
    /// The model that was asked for, where the line says so: what the client's own accounts are kept by.
    pub(crate) requested: Option<Model>,
    /// The tokens by size of prompt; several only where the iterations of the response add up to it.
    /// The request and the web searches belong to the first.
    pub(crate) slices: Vec<(Band, Tokens)>,
    pub(crate) speed: Speed,
    pub(crate) geo: Geo,
    pub(crate) subagent: bool,
    pub(crate) workflow: Workflow,
    /// It has a reason to have stopped; one cut off has none, and its output is a lower bound.
    pub(crate) finished: bool,
}

impl Response {
    pub(crate) fn tokens(&self) -> Tokens {
        self.slices.iter().map(|(_, tokens)| *tokens).sum()
    }
}

/// What came back from tools; hints only, git has the last word.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct ToolResult {
    pub(crate) errors: u32,
    pub(crate) commit: Option<CommitHint>,
    pub(crate) pull_request: Option<PullRequestHint>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct CommitHint {
    /// As git printed it: short.
    pub(crate) sha: String,
    pub(crate) branch: Option<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct PullRequestHint {
    pub(crate) number: u32,
    pub(crate) action: PullRequestAction,
    pub(crate) url: Option<String>,
}

/// The client's own running account of a session, subagents included.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct CostState {
    /// By the model that was asked for.
    pub(crate) models: Vec<ModelCost>,
    /// Some model was billed at a price the client guessed.
    pub(crate) unknown_model: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ModelCost {
    pub(crate) model: Model,
    pub(crate) tokens: Tokens,
    /// Pico-dollars, from the decimal as written, rounded to the nearest.
    pub(crate) cost: meter::PicoUsd,
}
