//! What one line of a transcript says, as far as it can count: the only file that knows the names of the
//! client's fields, so that a change of its format is a change of this room alone.
//!
//! Nothing a person wrote is kept: prompts, answers, tool inputs and outputs are skipped where they stand.

mod fields;
mod found;
mod instant;
mod usage;

use crate::json::{self, Shape, Source, Stencils, Visitor};
use fields::{Field, Flag, Slot};
use found::{Count, Found, ModelAccount};
use instant::Instants;
use jiff::Timestamp;
use meter::{Band, Branch, Geo, Model, PullRequestAction, SessionId, Speed, Tokens, Week, Word, Workflow};
use std::borrow::Cow;
use std::sync::Arc;

/// Names the client brings along for agents, skills and commands.
const BUILT_IN: &[&str] = &[
    "Explore",
    "Plan",
    "batch",
    "claude",
    "claude-api",
    "claude-code-guide",
    "code-review",
    "compact",
    "debug",
    "fewer-permission-prompts",
    "fork",
    "general-purpose",
    "goal",
    "init",
    "insights",
    "keybindings-help",
    "loop",
    "output-style-setup",
    "plan",
    "pr-comments",
    "release-notes",
    "review",
    "run",
    "schedule",
    "security-review",
    "simplify",
    "statusline",
    "statusline-setup",
    "team-onboarding",
    "ultrareview",
    "update-config",
    "verify",
    "worker",
    "workflow-subagent",
];

/// What became of one line.
#[derive(Debug, Clone, PartialEq)]
#[expect(
    clippy::large_enum_variant,
    reason = "it lives for a moment, and a box would be one more allocation per line"
)]
pub enum Parsed {
    Line(Line),
    /// Not JSON, a count that no count can be, or a time no week reaches: counted, never guessed.
    Malformed,
}

/// One line, as far as it can count.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    pub at: Option<Timestamp>,
    pub cwd: Option<Arc<str>>,
    /// `gitBranch`; empty for a detached head, no repository, and names a report could not carry.
    pub branch: Branch,
    /// The session the line says it belongs to: the fork's where a fork copied and rewrote it.
    pub session: Option<SessionId>,
    /// The session a copied line was copied from.
    pub origin: Option<SessionId>,
    pub version: Option<Word>,
    pub entrypoint: Option<Word>,
    pub sidechain: bool,
    pub kind: Kind,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
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
pub struct Response {
    /// `message.id`, else the line's own id, else the request's.
    pub id: String,
    pub request_id: Option<String>,
    /// The `Request` line it answers.
    pub request_ref: Option<String>,
    pub model: Model,
    /// The tokens by size of prompt; several only where the iterations of the response add up to it.
    /// The request and the web searches belong to the first.
    pub slices: Vec<(Band, Tokens)>,
    pub speed: Speed,
    pub geo: Geo,
    pub subagent: bool,
    pub workflow: Workflow,
    /// It has a reason to have stopped; one cut off has none, and its output is a lower bound.
    pub finished: bool,
}

#[cfg(test)]
impl Response {
    pub(crate) fn tokens(&self) -> Tokens {
        self.slices.iter().map(|(_, tokens)| *tokens).sum()
    }
}

/// What came back from tools; hints only, git has the last word.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ToolResult {
    pub errors: u32,
    pub commit: Option<CommitHint>,
    pub pull_request: Option<PullRequestHint>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct CommitHint {
    /// As git printed it: short.
    pub sha: String,
    pub branch: Option<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct PullRequestHint {
    pub number: u32,
    pub action: PullRequestAction,
    pub url: Option<String>,
}

/// The client's own running account of a session, subagents included.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CostState {
    /// By the model that was asked for.
    pub models: Vec<ModelCost>,
    /// Some model was billed at a price the client guessed.
    pub unknown_model: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub struct ModelCost {
    pub model: Model,
    pub tokens: Tokens,
    /// Pico-dollars, from the decimal as written, rounded to the nearest.
    pub cost: meter::PicoUsd,
}

/// Reads lines one after another.
#[derive(Default)]
pub(crate) struct Parser {
    stencils: Stencils<Field>,
    found: Found,
    instants: Instants,
    cwd: Last<Arc<str>>,
    branch: Last<Branch>,
    session: Last<SessionId>,
    origin: Last<SessionId>,
    version: Last<Word>,
    entrypoint: Last<Word>,
    model: Last<Model>,
    workflow: Last<Workflow>,
}

/// A value that most lines repeat, and what it was read from.
struct Last<T>(Option<Vec<u8>>, Option<T>);

impl<T> Default for Last<T> {
    fn default() -> Self {
        Self(None, None)
    }
}

impl<T: Clone> Last<T> {
    /// What `raw` stands for, which is read only where it is another than before.
    fn read(&mut self, raw: Option<&[u8]>, read: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        let raw = raw?;
        if self.0.as_deref() != Some(raw) {
            self.0 = Some(raw.to_owned());
            self.1 = json::unescape(raw).and_then(|text| read(&text));
        }
        self.1.clone()
    }
}

impl Parser {
    /// Reads the line that `source` stands at; what is no whole object is malformed.
    pub(crate) fn read(&mut self, source: &mut Source<'_>) -> (Shape, Parsed) {
        self.found.clear();
        let shape = json::read(source, &fields::LINE, &mut self.stencils, &mut self.found);
        let line = if shape == Shape::Whole { self.line() } else { None };
        (shape, line.map_or(Parsed::Malformed, Parsed::Line))
    }

    /// `None` where the line counts for something it cannot be.
    fn line(&mut self) -> Option<Line> {
        let Self {
            found, instants, cwd, branch, session, origin, version, entrypoint, model, workflow, ..
        } = self;
        let at = found.raw(Slot::Timestamp).and_then(|raw| instants.read(raw));
        if at.is_some_and(|at| !Week::reaches(at)) {
            return None;
        }
        let model = model.read(found.raw(Slot::Model), named_model);
        let kind = kind(found, model, workflow)?;
        let from = found.raw(Slot::RequestSession).or_else(|| found.raw(Slot::ForkedFrom));
        let named = |text: &str| if text == "HEAD" { None } else { text.parse().ok() };
        Some(Line {
            at,
            cwd: cwd.read(found.raw(Slot::Cwd), |text| Some(text.into())),
            branch: branch.read(found.raw(Slot::Branch), named).unwrap_or_default(),
            session: session.read(found.raw(Slot::Session), |text| text.parse().ok()),
            origin: origin.read(from, |text| text.parse().ok()),
            version: version.read(found.raw(Slot::Version), shaped),
            entrypoint: entrypoint.read(found.raw(Slot::Entrypoint), shaped),
            sidechain: found.is(Flag::Sidechain),
            kind,
        })
    }
}

fn kind(found: &Found, model: Option<Model>, workflow: &mut Last<Workflow>) -> Option<Kind> {
    let owned = |slot| found.text(slot).map(Cow::into_owned);
    let is = |slot, name: &[u8]| found.name(slot).as_deref() == Some(name);
    Some(match found.name(Slot::Type).as_deref() {
        Some(b"assistant") if is(Slot::Model, b"<synthetic>") => Kind::Synthetic,
        Some(b"assistant") if !found.is(Flag::Usage) => {
            Kind::Unmetered { request_ref: owned(Slot::RequestRef) }
        }
        Some(b"assistant") => Kind::Response(Box::new(response(found, model, workflow)?)),
        Some(b"user") => said(found),
        Some(b"system") if is(Slot::Subtype, b"api_error") => Kind::ApiError,
        Some(b"system") if is(Slot::Subtype, b"compact_boundary") => Kind::Compaction,
        Some(b"api-request") => owned(Slot::Id).map_or(Kind::Other, |id| Kind::Request { id }),
        Some(b"pr-link") => match number(found.link_number) {
            Some(number) => Kind::PullRequestLink { number, repository: owned(Slot::LinkRepository) },
            None => Kind::Other,
        },
        Some(b"cost-state") if found.is(Flag::Models) => Kind::CostState(Box::new(cost_state(found)?)),
        _ => Kind::Other,
    })
}

/// A name of the client's, not words somebody put in its place.
fn shaped(text: &str) -> Option<Word> {
    if text.chars().all(names) { text.parse().ok() } else { None }
}

fn names(c: char) -> bool {
    c.is_ascii_alphanumeric() || "._:@+[]-".contains(c)
}

fn named_model(text: &str) -> Option<Model> {
    let shaped = !text.is_empty() && text.chars().all(|c| names(c) || c == '/');
    text.parse().ok().filter(|_| shaped)
}

fn response(found: &Found, model: Option<Model>, workflow: &mut Last<Workflow>) -> Option<Response> {
    let owned = |slot| found.text(slot).map(Cow::into_owned);
    let is = |slot, name: &[u8]| found.name(slot).as_deref() == Some(name);
    // a model no report can carry stays visible: it has no price
    let model = model.or_else(|| "unknown".parse().ok())?;
    let request_id = owned(Slot::RequestId);
    Some(Response {
        // without any name it cannot be told from another
        id: owned(Slot::MessageId).or_else(|| owned(Slot::Uuid)).or_else(|| request_id.clone())?,
        request_id,
        request_ref: owned(Slot::RequestRef),
        model,
        slices: usage::slices(&found.counts, &found.iterations)?,
        speed: if is(Slot::Speed, b"fast") { Speed::Fast } else { Speed::Standard },
        geo: if is(Slot::Geo, b"us") { Geo::Us } else { Geo::Elsewhere },
        subagent: found.is(Flag::Sidechain),
        workflow: workflow.read(Some(asker(found).as_bytes()), |name| name.parse().ok()).unwrap_or_default(),
        finished: found.text(Slot::StopReason).is_some(),
    })
}

/// The command, skill or agent that asked, by a name the client itself brings along; others are a team's own
/// words and stay here.
fn asker(found: &Found) -> &'static str {
    let name = found.text(Slot::Skill).or_else(|| found.text(Slot::Agent));
    let built_in = |name: &str| BUILT_IN.iter().find(|known| **known == name);
    match name.as_deref() {
        Some(name) if found.text(Slot::Plugin).is_none() => built_in(name).copied().unwrap_or("other"),
        None if !found.is(Flag::Sidechain) => "main",
        _ => "other",
    }
}

/// What a `user` line is.
fn said(found: &Found) -> Kind {
    if found.is(Flag::Interrupted) {
        return Kind::Interrupted { message: found.text(Slot::InterruptedMessage).map(Cow::into_owned) };
    }
    if found.is(Flag::ToolUseResult) || found.tool_results > 0 {
        return Kind::ToolResult(ToolResult {
            errors: found.tool_errors,
            commit: commit(found),
            pull_request: pull_request(found),
        });
    }
    let by_person = found.text(Slot::OriginKind).is_none_or(|kind| kind == "human")
        && found.text(Slot::PromptSource).as_deref() != Some("system")
        && !found.is(Flag::OwnText);
    if by_person && !found.is(Flag::Meta) && !found.is(Flag::CompactSummary) && !found.is(Flag::Sidechain) {
        Kind::Turn
    } else {
        Kind::Other
    }
}

fn commit(found: &Found) -> Option<CommitHint> {
    let sha = found.text(Slot::CommitSha)?.into_owned();
    Some(CommitHint { sha, branch: found.text(Slot::CommitBranch).map(Cow::into_owned) })
}

fn pull_request(found: &Found) -> Option<PullRequestHint> {
    let action = match &*found.text(Slot::PullRequestAction)? {
        "ready" | "draft" | "closed" | "reopened" => PullRequestAction::Edited,
        word => PullRequestAction::from_word(word).unwrap_or(PullRequestAction::Named),
    };
    let url = found.text(Slot::PullRequestUrl).map(Cow::into_owned);
    Some(PullRequestHint { number: number(found.pull_request_number)?, action, url })
}

fn number(count: Count) -> Option<u32> {
    if let Count::Is(number) = count { u32::try_from(number).ok() } else { None }
}

fn cost_state(found: &Found) -> Option<CostState> {
    if !found.lists_are_whole() {
        return None;
    }
    let cost = |account: &ModelAccount| {
        let model = named_model(&account.model)?;
        let tokens = usage::tokens(&account.counts)?;
        Some(ModelCost { model, tokens, cost: usage::pico_usd(&account.cost)? })
    };
    let mut models = found.models.iter().map(cost).collect::<Option<Vec<_>>>()?;
    models.sort_by(|a, b| a.model.cmp(&b.model));
    Some(CostState { models, unknown_model: found.is(Flag::UnknownModel) })
}

#[cfg(test)]
mod tests;
