//! One request to a collector, with a deadline, and what its answer means for the delivery.

use crate::delivery::network::Network;
use crate::terms::collector::Token;
use crate::terms::scope::Destination;
use meter::Answer;
use serde::Deserialize;
use std::time::{Duration, Instant};
use ureq::Agent;
use ureq::http::{HeaderMap, StatusCode};

const CONNECT_MAX: Duration = Duration::from_secs(5);
const REQUEST_MAX: Duration = Duration::from_secs(30);
/// A collector answers a batch with far less.
const ANSWER_BYTES_MAX: u64 = 4 << 20;
const WAIT_MAX: Duration = Duration::from_hours(1);
const WAIT_USUAL: Duration = Duration::from_mins(1);

/// What an answer to a request means.
#[derive(Debug)]
pub(crate) enum Reply<T> {
    Taken(T),
    /// Credentials: the collector's words.
    Denied(String),
    /// The request is too large, or not what a collector reads.
    TooMuch(String),
    Wait(Duration),
    Failed(String),
}

/// A connection to one collector that is kept for the whole delivery.
pub(crate) struct Line<'a> {
    network: &'a Network,
    agent: Option<Agent>,
    to: &'a Destination,
    deadline: Instant,
    /// What the collector calls itself, from its last answer.
    pub version: String,
}

impl<'a> Line<'a> {
    /// Opens nothing yet: there may be nothing to say.
    pub(crate) fn new(network: &'a Network, to: &'a Destination, deadline: Instant) -> Self {
        Self { network, agent: None, to, deadline, version: String::new() }
    }

    /// Sends a batch of reports, already written as a JSON array.
    pub(crate) fn reports(&mut self, body: &str) -> Reply<Vec<Answer>> {
        #[derive(Deserialize)]
        struct Results {
            results: Vec<Answer>,
        }
        self.post("/v1/reports", body, |text| {
            serde_json::from_str::<Results>(text).map(|answer| answer.results)
        })
    }

    /// Asks which of the snapshots the collector lacks.
    pub(crate) fn missing(&mut self, body: &str) -> Reply<Vec<MissingKey>> {
        #[derive(Deserialize)]
        struct Missing {
            missing: Vec<MissingKey>,
        }
        self.post("/v1/sessions/missing", body, |text| {
            serde_json::from_str::<Missing>(text).map(|answer| answer.missing)
        })
    }

    fn post<T>(
        &mut self,
        route: &str,
        body: &str,
        parse: impl Fn(&str) -> serde_json::Result<T>,
    ) -> Reply<T> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Reply::Failed("no time left".to_owned());
        }
        let agent = match &mut self.agent {
            Some(agent) => agent,
            none => match self.network.agent(&self.to.address) {
                Ok(agent) => none.insert(agent),
                Err(error) => return Reply::Failed(format!("{error:#}")),
            },
        };
        let mut request = agent
            .post(self.to.address.join(route))
            .config()
            .timeout_global(Some(left.min(REQUEST_MAX)))
            .timeout_connect(Some(left.min(CONNECT_MAX)))
            .build()
            .header("content-type", "application/json");
        if let Some(token) = &self.to.token {
            request = request.header("authorization", format!("Bearer {}", Token::as_str(token)));
        }
        let mut response = match request.send(body) {
            Ok(response) => response,
            Err(error) => return Reply::Failed(error.to_string()),
        };
        let status = response.status();
        if let Some(server) = response.headers().get("server").and_then(|value| value.to_str().ok()) {
            self.version = server.chars().take(64).collect();
        }
        let wait = retry_after(response.headers());
        let text =
            response.body_mut().with_config().limit(ANSWER_BYTES_MAX).lossy_utf8(true).read_to_string();
        let text = match text {
            Ok(text) => text,
            Err(error) => return Reply::Failed(format!("{status}: {error}")),
        };
        match status {
            StatusCode::OK => match parse(&text) {
                Ok(answer) => Reply::Taken(answer),
                Err(error) => Reply::Failed(format!("not a collector's answer: {error}")),
            },
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Reply::Denied(said(status, &text)),
            StatusCode::PAYLOAD_TOO_LARGE | StatusCode::UNPROCESSABLE_ENTITY => {
                Reply::TooMuch(said(status, &text))
            }
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                Reply::Wait(wait.unwrap_or(WAIT_USUAL))
            }
            _ => Reply::Failed(said(status, &text)),
        }
    }
}

/// A key as the collector names it.
#[derive(Debug, Deserialize)]
pub(crate) struct MissingKey {
    pub session_id: meter::SessionId,
    pub repo: meter::Repo,
    pub week: meter::Week,
}

/// The seconds of `Retry-After`, within reason; a date is not worth a parser here.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get("retry-after")?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(WAIT_MAX))
}

/// The collector's own words, as far as they can be shown.
fn said(status: StatusCode, body: &str) -> String {
    #[derive(Deserialize)]
    struct Refusal {
        error: Reason,
    }
    #[derive(Deserialize)]
    struct Reason {
        message: String,
    }
    let message =
        serde_json::from_str::<Refusal>(body).map(|refusal| refusal.error.message).unwrap_or_default();
    let message: String = message.chars().filter(|c| !c.is_control()).take(300).collect();
    if message.is_empty() { status.to_string() } else { format!("{status}: {message}") }
}
