//! Where in a line each thing stands: the names of the client's fields.

use crate::json::{Object, Want};

/// Texts that are kept.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Slot {
    Type,
    Subtype,
    Timestamp,
    Cwd,
    Branch,
    Session,
    RequestSession,
    ForkedFrom,
    Version,
    Entrypoint,
    Uuid,
    Id,
    RequestId,
    RequestRef,
    Agent,
    Skill,
    Plugin,
    InterruptedMessage,
    OriginKind,
    PromptSource,
    CommitSha,
    CommitBranch,
    PullRequestUrl,
    PullRequestAction,
    LinkRepository,
    MessageId,
    Model,
    StopReason,
    Speed,
    Geo,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Counter {
    Input,
    Output,
    CacheRead,
    CacheWrite,
    CacheWrite1h,
    WebSearch,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Flag {
    Sidechain,
    Meta,
    CompactSummary,
    ToolUseResult,
    /// The text is the client's own mark of an interruption.
    Interrupted,
    /// The text is the client's own, though its line does not say so.
    OwnText,
    Usage,
    Models,
    UnknownModel,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Field {
    Text(Slot),
    Flag(Flag),
    ForkedFrom,
    Origin,
    ToolUseResult,
    GitOperation,
    Commit,
    PullRequest,
    PullRequestNumber,
    LinkNumber,
    Message,
    Content,
    ItemType,
    ItemText,
    ItemError,
    Usage,
    Count(Counter),
    CacheCreation,
    ServerTools,
    Iterations,
    IterationType,
    IterationCount(Counter),
    IterationCache,
    Models,
    ModelCount(Counter),
    ModelCost,
}

type Known = Object<Field>;

const fn text(slot: Slot) -> Want<Field> {
    Want::Scalar(Field::Text(slot))
}

const fn count(counter: Counter) -> Want<Field> {
    Want::Scalar(Field::Count(counter))
}

const fn iteration(counter: Counter) -> Want<Field> {
    Want::Scalar(Field::IterationCount(counter))
}

const fn model(counter: Counter) -> Want<Field> {
    Want::Scalar(Field::ModelCount(counter))
}

pub(super) static LINE: Known = Object::new(&[
    ("type", text(Slot::Type)),
    ("timestamp", text(Slot::Timestamp)),
    ("sessionId", text(Slot::Session)),
    ("message", Want::Object(Field::Message, &MESSAGE_OBJECT)),
    ("uuid", text(Slot::Uuid)),
    ("cwd", text(Slot::Cwd)),
    ("gitBranch", text(Slot::Branch)),
    ("version", text(Slot::Version)),
    ("entrypoint", text(Slot::Entrypoint)),
    ("isSidechain", Want::Scalar(Field::Flag(Flag::Sidechain))),
    ("isMeta", Want::Scalar(Field::Flag(Flag::Meta))),
    ("isCompactSummary", Want::Scalar(Field::Flag(Flag::CompactSummary))),
    ("subtype", text(Slot::Subtype)),
    ("id", text(Slot::Id)),
    ("requestId", text(Slot::RequestId)),
    ("requestRef", text(Slot::RequestRef)),
    ("requestSessionId", text(Slot::RequestSession)),
    ("forkedFrom", Want::Object(Field::ForkedFrom, &FORKED_FROM)),
    ("attributionAgent", text(Slot::Agent)),
    ("attributionSkill", text(Slot::Skill)),
    ("attributionPlugin", text(Slot::Plugin)),
    ("interruptedMessageId", text(Slot::InterruptedMessage)),
    ("origin", Want::Object(Field::Origin, &ORIGIN)),
    ("promptSource", text(Slot::PromptSource)),
    ("toolUseResult", Want::Object(Field::ToolUseResult, &TOOL_USE_RESULT)),
    ("prNumber", Want::Scalar(Field::LinkNumber)),
    ("prRepository", text(Slot::LinkRepository)),
    ("modelUsage", Want::Entries(Field::Models, &MODEL)),
    ("hasUnknownModelCost", Want::Scalar(Field::Flag(Flag::UnknownModel))),
]);

static FORKED_FROM: Known = Object::new(&[("sessionId", text(Slot::ForkedFrom))]);

static ORIGIN: Known = Object::new(&[("kind", text(Slot::OriginKind))]);

static TOOL_USE_RESULT: Known =
    Object::new(&[("gitOperation", Want::Object(Field::GitOperation, &GIT_OPERATION))]);

static GIT_OPERATION: Known = Object::new(&[
    ("commit", Want::Object(Field::Commit, &COMMIT_OBJECT)),
    ("pr", Want::Object(Field::PullRequest, &PULL_REQUEST_OBJECT)),
]);

static COMMIT_OBJECT: Known =
    Object::new(&[("sha", text(Slot::CommitSha)), ("branch", text(Slot::CommitBranch))]);

static PULL_REQUEST_OBJECT: Known = Object::new(&[
    ("number", Want::Scalar(Field::PullRequestNumber)),
    ("url", text(Slot::PullRequestUrl)),
    ("action", text(Slot::PullRequestAction)),
]);

static MESSAGE_OBJECT: Known = Object::new(&[
    ("id", text(Slot::MessageId)),
    ("model", text(Slot::Model)),
    ("stop_reason", text(Slot::StopReason)),
    ("content", Want::Items(Field::Content, &ITEM)),
    ("usage", Want::Object(Field::Usage, &USAGE_OBJECT)),
]);

static ITEM: Known = Object::new(&[
    ("type", Want::Opening(Field::ItemType)),
    ("text", Want::Opening(Field::ItemText)),
    ("is_error", Want::Scalar(Field::ItemError)),
]);

static USAGE_OBJECT: Known = Object::new(&[
    ("input_tokens", count(Counter::Input)),
    ("output_tokens", count(Counter::Output)),
    ("cache_read_input_tokens", count(Counter::CacheRead)),
    ("cache_creation_input_tokens", count(Counter::CacheWrite)),
    ("cache_creation", Want::Object(Field::CacheCreation, &CACHE_CREATION)),
    ("server_tool_use", Want::Object(Field::ServerTools, &SERVER_TOOLS)),
    ("speed", text(Slot::Speed)),
    ("inference_geo", text(Slot::Geo)),
    ("iterations", Want::Items(Field::Iterations, &ITERATION)),
]);

static CACHE_CREATION: Known = Object::new(&[("ephemeral_1h_input_tokens", count(Counter::CacheWrite1h))]);

static SERVER_TOOLS: Known = Object::new(&[("web_search_requests", count(Counter::WebSearch))]);

static ITERATION: Known = Object::new(&[
    ("type", Want::Opening(Field::IterationType)),
    ("input_tokens", iteration(Counter::Input)),
    ("output_tokens", iteration(Counter::Output)),
    ("cache_read_input_tokens", iteration(Counter::CacheRead)),
    ("cache_creation_input_tokens", iteration(Counter::CacheWrite)),
    ("cache_creation", Want::Object(Field::IterationCache, &ITERATION_CACHE)),
]);

static ITERATION_CACHE: Known =
    Object::new(&[("ephemeral_1h_input_tokens", iteration(Counter::CacheWrite1h))]);

static MODEL: Known = Object::new(&[
    ("inputTokens", model(Counter::Input)),
    ("outputTokens", model(Counter::Output)),
    ("cacheReadInputTokens", model(Counter::CacheRead)),
    ("cacheCreationInputTokens", model(Counter::CacheWrite)),
    ("cacheCreationEphemeral1hInputTokens", model(Counter::CacheWrite1h)),
    ("webSearchRequests", model(Counter::WebSearch)),
    ("costUSD", Want::Scalar(Field::ModelCost)),
]);
