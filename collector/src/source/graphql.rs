//! GraphQL over a [`Web`]: one document with named queries, faults told apart from answers, less asked for at a time
//! where it was too much.

use super::web::{Reply, Tries, Web, shown};
use anyhow::{Context, Result, bail};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use std::time::Duration;

const LIMIT_WAIT: Duration = Duration::from_mins(1);
const LIMIT_WAITS_MAX: u32 = 5;
/// As GitHub and Linear begin to say it.
const TOO_MUCH: [&str; 2] = ["Something went wrong while executing your query", "Query too complex"];

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    #[serde(default)]
    errors: Vec<Fault>,
}

#[derive(Deserialize)]
struct Fault {
    #[serde(default)]
    message: String,
    #[serde(default, rename = "type")]
    kind: String,
    #[serde(default)]
    path: Vec<Value>,
    #[serde(default)]
    extensions: Extensions,
}

#[derive(Default, Deserialize)]
struct Extensions {
    #[serde(default)]
    code: String,
}

enum Verdict {
    /// What it could not say is missing in the data.
    Lacking,
    TooMuch,
    Wait,
    Refused,
}

impl Fault {
    fn verdict(&self) -> Verdict {
        let kind = if self.kind.is_empty() { &self.extensions.code } else { &self.kind };
        match kind.as_str() {
            "RATE_LIMITED" | "RATELIMITED" => Verdict::Wait,
            "MAX_NODE_LIMIT_EXCEEDED" | "RESOURCE_LIMITS_EXCEEDED" => Verdict::TooMuch,
            // one of a list that the token may not see, or that is gone
            "FORBIDDEN" | "NOT_FOUND" if self.path.iter().any(Value::is_u64) => Verdict::Lacking,
            _ if TOO_MUCH.iter().any(|words| self.message.starts_with(words)) => Verdict::TooMuch,
            _ if self.message.starts_with("Entity not found") => Verdict::Lacking,
            _ => Verdict::Refused,
        }
    }
}

/// Asks the query `name` of `document`; `size` is halved until its page is little enough.
pub(super) fn ask<T: DeserializeOwned>(
    web: &Web,
    (document, name): (&str, &str),
    variables: impl Fn(u32) -> Value,
    size: &mut u32,
) -> Result<T> {
    let (mut tries, mut waits) = (Tries::default(), 0);
    loop {
        let body = json!({"query": document, "operationName": name, "variables": variables(*size)});
        let why = match web.post("", &body.to_string())? {
            Reply::TooMuch(why) => why,
            Reply::Missing(why) => bail!("it answers 404: {why}"),
            Reply::Answer(answer) => {
                let envelope: Envelope =
                    serde_json::from_str(&answer.text).context("its answer is no GraphQL")?;
                let worst = envelope.errors.iter().find(|fault| !matches!(fault.verdict(), Verdict::Lacking));
                match worst.map(|fault| (fault.verdict(), fault.message.clone())) {
                    None => return read(name, &envelope),
                    Some((Verdict::TooMuch, message)) => message,
                    Some((Verdict::Wait, _)) if waits < LIMIT_WAITS_MAX => {
                        waits += 1;
                        web.wait(LIMIT_WAIT)?;
                        continue;
                    }
                    Some((_, message)) => bail!("it refuses: {}", shown(&message)),
                }
            }
        };
        tries.halve(size, &why)?;
    }
}

fn read<T: DeserializeOwned>(name: &str, envelope: &Envelope) -> Result<T> {
    for fault in envelope.errors.iter().filter(|_| envelope.data.is_some()) {
        tracing::warn!(query = name, message = shown(&fault.message), "a part of the answer is missing");
    }
    let nothing = (!envelope.errors.is_empty()).then_some("null"); // all of it is missing
    let data = envelope.data.map(RawValue::get).or(nothing).context("its answer holds no data")?;
    serde_json::from_str(data).with_context(|| format!("its answer to {name} has another form"))
}
