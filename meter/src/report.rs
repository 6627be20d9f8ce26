//! `Report`: the body of `POST /v1/reports` and the only wire format, with every limit it keeps.

use crate::fault::{Fault, FaultCode, Retry};
use crate::text::{Email, InstallId, Repo, SessionId, Sha, Text};
use crate::tokens::{Tokens, bounded, count};
use crate::vocabulary::{
    Agent, Band, Billing, EndReason, Environment, Geo, Provider, PullRequestAction, Speed,
};
use crate::week::{Hour, Week};
use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize};

/// The version of the wire format.
pub const SCHEMA: u32 = 1;
/// The newest rules transcripts are read by.
pub const PARSER_MAX: u32 = 1;
/// Rows one report may carry.
pub const ROWS_MAX: usize = 4_000;
/// Bytes of JSON one report may have.
pub const REPORT_BYTES_MAX: usize = 1 << 20;
/// Reports one `POST /v1/reports` may carry.
pub const REPORTS_MAX: usize = 256;
/// Requests one row may count.
pub const REQUESTS_MAX: u64 = 1_000_000;
pub const COMMITS_MAX: usize = 1_000;
pub const PULL_REQUESTS_MAX: usize = 1_000;

pub type Branch = Text<255>;
pub type Model = Text<128>;
/// A short name: a version, a way of starting, a workflow.
pub type Word = Text<64>;
pub type Workflow = Text<64>;

/// What one session spent in one repository in one ISO week: a full snapshot that replaces the former one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    pub schema: u32,
    pub session_id: SessionId,
    pub repo: Repo,
    pub week: Week,
    pub rank: Rank,
    /// No own file of the session was ever read: only responses that other sessions copied.
    pub partial: bool,
    pub install_id: InstallId,
    pub client: Client,
    pub environment: Environment,
    pub provider: Provider,
    pub billing: Billing,
    pub developer: Developer,
    pub started_at: Option<Timestamp>,
    pub ended_at: Option<Timestamp>,
    pub end_reason: EndReason,
    #[serde(deserialize_with = "list::<_, _, ROWS_MAX>")]
    pub usage: Vec<Row>,
    #[serde(deserialize_with = "list::<_, _, COMMITS_MAX>")]
    pub commits: Vec<Commit>,
    #[serde(deserialize_with = "list::<_, _, PULL_REQUESTS_MAX>")]
    pub pull_requests: Vec<PullRequest>,
    pub shape: Shape,
    pub quality: Quality,
}

/// Which of two snapshots is the newer one; compared from left to right.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rank {
    /// Version of the rules transcripts were read by.
    pub parser: u32,
    /// Birth of the local ledger, seconds since 1970.
    #[serde(deserialize_with = "bounded::<_, 100_000_000_000>")]
    pub epoch: u64,
    /// Counts the snapshots of that ledger.
    #[serde(deserialize_with = "bounded::<_, 1_000_000_000_000_000>")]
    pub seq: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Client {
    pub name: Word,
    pub version: Word,
    pub entrypoint: Word,
    /// The version of `cpvo-hook`.
    pub hook: Word,
}

/// Exactly one way of saying whose session it is.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Developer {
    Email(Email),
    /// Only where there is no email; maps to nobody.
    OsUser(Text<64>),
    Pseudonym(Text<64>),
    Team(Text<64>),
}

impl Developer {
    /// The kind of the identity, as the wire names it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Email(_) => "email",
            Self::OsUser(_) => "os_user",
            Self::Pseudonym(_) => "pseudonym",
            Self::Team(_) => "team",
        }
    }

    pub fn name(&self) -> &str {
        match self {
            Self::Email(email) => email.as_str(),
            Self::OsUser(name) | Self::Pseudonym(name) | Self::Team(name) => name.as_str(),
        }
    }
}

/// What sets one row of a report apart from another; two rows never share it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RowKey {
    pub hour: Hour,
    pub branch: Branch,
    pub model: Model,
    pub agent: Agent,
    pub workflow: Workflow,
    pub speed: Speed,
    pub geo: Geo,
    pub band: Band,
}

/// The tokens of the responses that share a [`RowKey`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "WireRow", into = "WireRow")]
pub struct Row {
    pub key: RowKey,
    /// Responses counted; 0 for overhead.
    pub requests: u64,
    pub tokens: Tokens,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WireRow {
    hour: Hour,
    branch: Branch,
    model: Model,
    agent: Agent,
    workflow: Workflow,
    speed: Speed,
    geo: Geo,
    prompt_band: Band,
    #[serde(deserialize_with = "bounded::<_, REQUESTS_MAX>")]
    requests: u64,
    #[serde(deserialize_with = "count")]
    input: u64,
    #[serde(deserialize_with = "count")]
    output: u64,
    #[serde(deserialize_with = "count")]
    cache_read: u64,
    #[serde(deserialize_with = "count")]
    cache_write_5m: u64,
    #[serde(deserialize_with = "count")]
    cache_write_1h: u64,
    #[serde(deserialize_with = "count")]
    web_search: u64,
}

impl From<WireRow> for Row {
    fn from(wire: WireRow) -> Self {
        let WireRow { hour, branch, model, agent, workflow, speed, geo, prompt_band: band, requests, .. } =
            wire;
        Self {
            key: RowKey { hour, branch, model, agent, workflow, speed, geo, band },
            requests,
            tokens: Tokens {
                input: wire.input,
                output: wire.output,
                cache_read: wire.cache_read,
                cache_write_5m: wire.cache_write_5m,
                cache_write_1h: wire.cache_write_1h,
                web_search: wire.web_search,
            },
        }
    }
}

impl From<Row> for WireRow {
    fn from(row: Row) -> Self {
        let RowKey { hour, branch, model, agent, workflow, speed, geo, band } = row.key;
        let Tokens { input, output, cache_read, cache_write_5m, cache_write_1h, web_search } = row.tokens;
        Self {
            hour,
            branch,
            model,
            agent,
            workflow,
            speed,
            geo,
            prompt_band: band,
            requests: row.requests,
            input,
            output,
            cache_read,
            cache_write_5m,
            cache_write_1h,
            web_search,
        }
    }
}

/// A commit the session made, confirmed by git.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Commit {
    pub sha: Sha,
    pub branch: Branch,
    pub at: Timestamp,
}

/// A pull request the session touched.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PullRequest {
    pub number: u32,
    pub action: PullRequestAction,
    pub at: Timestamp,
}

/// How the work went, in counts; of the lines of this key only.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shape {
    /// Prompts a person sent.
    #[serde(deserialize_with = "count")]
    pub turns: u64,
    #[serde(deserialize_with = "count")]
    pub subagents: u64,
    #[serde(deserialize_with = "count")]
    pub tool_errors: u64,
    #[serde(deserialize_with = "count")]
    pub api_errors: u64,
    #[serde(deserialize_with = "count")]
    pub compactions: u64,
    /// Tokens of the largest prompt.
    #[serde(deserialize_with = "count")]
    pub prompt_max: u64,
}

/// How good the numbers are; of the lines of this key only.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quality {
    /// Transcript lines read.
    #[serde(deserialize_with = "count")]
    pub lines: u64,
    /// Lines that are not JSON or hold an impossible count.
    #[serde(deserialize_with = "count")]
    pub malformed: u64,
    /// Lines the client made up itself, such as error messages.
    #[serde(deserialize_with = "count")]
    pub synthetic: u64,
    /// Responses cut off before their final usage.
    #[serde(deserialize_with = "count")]
    pub interrupted: u64,
    /// Requests that left no response line.
    #[serde(deserialize_with = "count")]
    pub unknown_usage: u64,
    /// Sessions (0 or 1) whose overhead could not be told apart.
    #[serde(deserialize_with = "count")]
    pub unitemised: u64,
    /// Responses whose origin no remaining copy names.
    #[serde(deserialize_with = "count")]
    pub adopted: u64,
}

impl Report {
    /// Reads one report as a stranger sent it. The fault names the field.
    pub fn parse(json: &str) -> Result<Self, Fault> {
        if json.len() > REPORT_BYTES_MAX {
            let message =
                format!("report has {} bytes, more than the limit of {REPORT_BYTES_MAX}", json.len());
            return Err(Fault::new(FaultCode::Invalid, Retry::Never, message));
        }
        if let Ok(Version { schema }) = serde_json::from_str(json)
            && schema != SCHEMA
        {
            let message = format!("schema: {schema} is unknown here, this collector reads {SCHEMA}");
            return Err(Fault::new(FaultCode::Unknown, Retry::AfterUpgrade, message));
        }
        let from = &mut serde_json::Deserializer::from_str(json);
        let mut report: Self = serde_path_to_error::deserialize(from).map_err(|error| shape_fault(&error))?;
        report.usage.sort_by(|a, b| a.key.cmp(&b.key));
        report.check()?;
        Ok(report)
    }

    /// All responses of the snapshot.
    pub fn requests(&self) -> u64 {
        self.usage.iter().map(|row| row.requests).sum()
    }

    /// Output tokens of all rows.
    pub fn output(&self) -> u64 {
        self.usage.iter().map(|row| row.tokens.output).sum()
    }

    /// The snapshot without its rank, as bytes: equal content has equal bytes.
    pub fn content(&self) -> String {
        let unranked = Self { rank: Rank::default(), ..self.clone() };
        serde_json::to_string(&unranked).unwrap_or_default()
    }
}

#[derive(Deserialize)]
struct Version {
    schema: u32,
}

fn shape_fault(error: &serde_path_to_error::Error<serde_json::Error>) -> Fault {
    let path = error.path().to_string();
    let reason = error.inner().to_string();
    let message = if path == "." { reason.clone() } else { format!("{path}: {reason}") };
    // serde has no other way to tell what a newer hook may send from what is simply wrong
    let newer = reason.starts_with("unknown field") || reason.starts_with("unknown variant");
    if newer {
        Fault::new(FaultCode::Unknown, Retry::AfterUpgrade, message)
    } else {
        Fault::new(FaultCode::Invalid, Retry::Never, message)
    }
}

/// A list of at most `MAX` items, refused before the item past the limit is read.
fn list<'de, D, T, const MAX: usize>(from: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    struct Bounded<T, const MAX: usize>(std::marker::PhantomData<T>);

    impl<'de, T: Deserialize<'de>, const MAX: usize> serde::de::Visitor<'de> for Bounded<T, MAX> {
        type Value = Vec<T>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            write!(f, "an array of at most {MAX}")
        }

        fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut items: A) -> Result<Vec<T>, A::Error> {
            let mut all = Vec::new();
            while let Some(item) = items.next_element()? {
                if all.len() == MAX {
                    return Err(serde::de::Error::custom(format!("has more than {MAX} entries")));
                }
                all.push(item);
            }
            Ok(all)
        }
    }

    from.deserialize_seq(Bounded::<T, MAX>(std::marker::PhantomData))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    const GOLDEN: &str = include_str!("../golden/report.json");

    fn golden() -> Value {
        serde_json::from_str(GOLDEN).unwrap()
    }

    #[track_caller]
    fn refused(change: impl Fn(&mut Value), code: FaultCode, retry: Retry, names: &str) {
        let mut report = golden();
        change(&mut report);
        let fault = Report::parse(&report.to_string()).unwrap_err();
        assert_eq!((fault.code, fault.retry), (code, retry), "{fault}");
        assert!(fault.message.contains(names), "{:?} does not name {names}", fault.message);
    }

    #[track_caller]
    fn invalid(path: &str, value: impl Into<Value>, names: &str) {
        let value = value.into();
        let change = |report: &mut Value| *report.pointer_mut(path).unwrap() = value.clone();
        refused(change, FaultCode::Invalid, Retry::Never, names);
    }

    #[test]
    fn the_golden_report_is_the_wire() {
        let report = Report::parse(GOLDEN).unwrap();
        assert_eq!(serde_json::to_value(&report).unwrap(), golden());
        assert_eq!(report.requests(), 4);
        assert_eq!(report.usage[0].tokens.prompt(), 4626);
        assert!(report.check_time("2026-11-22T04:30:00Z".parse().unwrap()).is_ok());
    }

    #[test]
    fn every_fault_names_its_field() {
        invalid("/session_id", json!("x"), "session_id: must be a UUID");
        invalid("/repo", json!("Github.com/acme/pay"), "repo: must be");
        invalid("/week", json!("2026-W54"), "week");
        invalid("/rank/epoch", json!(-1), "rank.epoch");
        invalid("/rank/seq", json!(u64::MAX), "rank.seq");
        invalid("/install_id", json!("abc"), "install_id: must be 32");
        invalid("/client/version", json!("x".repeat(65)), "client.version: has 65 bytes");
        invalid("/developer", json!({"email": "ana@acme.example", "team": "x"}), "developer");
        invalid("/developer/email", json!("no address"), "email address");
        invalid("/partial", json!("no"), "partial");
        invalid("/started_at", json!("yesterday"), "started_at");
        invalid("/usage/0/hour", json!("2026-11-22T04:30:00Z"), "usage[0].hour");
        invalid("/usage/0/branch", json!("a\0b"), "usage[0].branch: has the control character U+0000");
        invalid("/usage/0/requests", json!(1_000_001), "usage[0].requests");
        invalid("/usage/0/output", json!(1_u64 << 51), "usage[0].output");
        invalid("/usage/0/output", json!(1.5), "usage[0].output");
        invalid("/usage/0/model", json!(""), "model is empty");
        invalid("/usage/0/prompt_band", json!(7), "usage[0].prompt_band");
        invalid("/commits/0/sha", json!("d728cec"), "commits[0].sha");
        invalid("/ended_at", json!("2026-11-22T03:00:19Z"), "ended_at");
        invalid("/usage", json!({}), "usage");
    }

    #[test]
    fn what_a_newer_hook_may_send_waits_for_an_upgrade() {
        let newer = |change: &dyn Fn(&mut Value), names: &str| {
            refused(change, FaultCode::Unknown, Retry::AfterUpgrade, names);
        };
        newer(&|report| report["schema"] = json!(2), "schema: 2 is unknown");
        newer(&|report| report["colour"] = json!(1), "unknown field `colour`");
        newer(&|report| report["usage"][0]["thinking"] = json!(1), "unknown field `thinking`");
        newer(&|report| report["end_reason"] = json!("exploded"), "unknown variant `exploded`");
    }

    #[test]
    fn rows_fit_their_report() {
        let two = |report: &mut Value| {
            let row = report["usage"][0].clone();
            report["usage"].as_array_mut().unwrap().push(row);
        };
        refused(two, FaultCode::Invalid, Retry::Never, "same key");
        let other = |report: &mut Value| report["usage"][0]["hour"] = json!("2026-11-23T00:00:00Z");
        refused(other, FaultCode::Invalid, Retry::Never, "is not in week 2026-W47");
        let many = |report: &mut Value| {
            let mut row = report["usage"][0].clone();
            row["branch"] = json!("");
            row["model"] = json!("m");
            report["usage"] = json!(vec![row; ROWS_MAX + 1]);
        };
        refused(many, FaultCode::Invalid, Retry::Never, "more than 4000 entries");
        let long = |report: &mut Value| report["client"]["name"] = json!("x".repeat(REPORT_BYTES_MAX));
        refused(long, FaultCode::Invalid, Retry::Never, "bytes, more than the limit");
    }

    #[test]
    fn a_missing_or_doubled_field_is_refused() {
        for field in golden().as_object().unwrap().keys() {
            let without = |report: &mut Value| drop(report.as_object_mut().unwrap().remove(field));
            let optional = matches!(field.as_str(), "started_at" | "ended_at");
            if !optional {
                refused(without, FaultCode::Invalid, Retry::Never, field);
            }
        }
        let doubled = GOLDEN.replacen("\"schema\": 1,", "\"schema\": 1, \"schema\": 1,", 1);
        assert!(Report::parse(&doubled).unwrap_err().message.contains("duplicate field"));
        let row = GOLDEN.replacen("\"input\": 26", "\"input\": 26, \"input\": 1", 1);
        assert!(Report::parse(&row).unwrap_err().message.contains("duplicate field"));
    }

    #[test]
    fn broken_json_is_refused_without_harm() {
        for bad in ["", "null", "[]", "{", "\"x\"", &"[".repeat(100_000), "{\"schema\":1}"] {
            assert_eq!(Report::parse(bad).unwrap_err().code, FaultCode::Invalid);
        }
    }

    #[test]
    fn content_is_all_but_the_rank() {
        let report = Report::parse(GOLDEN).unwrap();
        let ranked = Report { rank: Rank { parser: 9, epoch: 9, seq: 9 }, ..report.clone() };
        assert_eq!(report.content(), ranked.content());
        let other = Report { partial: true, ..report.clone() };
        assert_ne!(report.content(), other.content());
    }
}
