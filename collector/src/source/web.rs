//! A service on the network, asked with a token: one host only, https off this machine, bounded in time and bytes, and
//! as patient as the service asks for.

use crate::config::{Clock, Secret};
use anyhow::{Context, Result, anyhow, bail, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use rustls_native_certs::load_native_certs;
use serde::Deserialize;
use serde::de::IgnoredAny;
use std::cell::Cell;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use ureq::config::Config;
use ureq::http::{HeaderMap, Response, Uri};
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{DefaultConnector, NextTimeout};
use ureq::{Agent, Body, Timeout};

const CONNECT_MAX: Duration = Duration::from_secs(10);
pub(crate) const REQUEST_MAX: Duration = Duration::from_mins(1);
/// A page of requests with all their messages has a tenth of it.
const ANSWER_BYTES_MAX: u64 = 64 << 20;
/// Of what a service says when it refuses.
const REASON_CHARS_MAX: usize = 300;
/// How often in a row a service may ask to wait, and how long at most.
const WAITS_MAX: u32 = 4;
const WAIT_MAX: Duration = Duration::from_mins(65);
const WAIT_USUAL: Duration = Duration::from_mins(1);
/// How often the smallest page is asked for.
const TRIES_MAX: u32 = 3;
/// How many answers in a row may fail to come before the first one does.
const SILENCES_MAX: u32 = 2;

/// How a sync takes its time.
#[derive(Clone, Copy)]
pub(crate) struct Pace<'a> {
    pub now: Clock,
    /// The longest that one answer may take.
    pub answer_max: Duration,
    /// When the source has had its turn; where it ends, the next one goes on.
    pub until: Option<Timestamp>,
    /// Lets time pass; an error where the program is about to stop.
    pub wait: &'a dyn Fn(Duration) -> Result<()>,
}

pub(crate) struct Web<'a> {
    agent: Agent,
    base: String,
    credentials: Credentials,
    /// The second at which more may be asked, where nothing is left until then.
    spent_until: Cell<Option<u64>>,
    silences: Cell<u32>,
    has_answered: Cell<bool>,
    pub pace: Pace<'a>,
}

/// How a request says who asks: a scheme, and what proves it.
pub(super) struct Credentials {
    scheme: &'static str,
    proof: Secret,
    token: Secret,
}

impl Credentials {
    pub(super) fn bearer(token: Secret) -> Self {
        Self { scheme: "Bearer ", proof: token.clone(), token }
    }

    /// The token alone.
    pub(super) fn bare(token: Secret) -> Self {
        Self { scheme: "", proof: token.clone(), token }
    }

    pub(super) fn basic(user: &str, token: Secret) -> Self {
        let proof = Secret(STANDARD.encode(format!("{user}:{}", token.0)));
        Self { scheme: "Basic ", proof, token }
    }
}

#[derive(Debug)]
pub(super) enum Reply {
    Answer(Answer),
    /// It is not there, or the token may not see it.
    Missing(String),
    /// It took too long, or the service gave up on it: ask for less.
    TooMuch(String),
}

#[derive(Debug)]
pub(super) struct Answer {
    pub text: String,
    headers: HeaderMap,
}

impl Answer {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// Nothing more need be asked of the host for now.
#[derive(Debug, thiserror::Error)]
#[error("it cannot be reached: {0}")]
pub(crate) struct Unreachable(String);

/// How often the smallest page was asked for in vain.
#[derive(Default)]
pub(super) struct Tries(u32);

impl Tries {
    /// Asks for half as much; an error where that helped no more.
    pub(super) fn halve(&mut self, size: &mut u32, why: &str) -> Result<()> {
        self.0 = if *size > 1 { 0 } else { self.0 + 1 };
        ensure!(self.0 < TRIES_MAX, "even the smallest page is too much for it: {}", shown(why));
        *size = (*size / 2).max(1);
        Ok(())
    }
}

/// Where the next page begins: an error where that is the page `asked` for, which would be asked for again for ever.
pub(super) fn onwards<T: PartialEq>(asked: Option<&T>, next: Option<T>) -> Result<Option<T>> {
    ensure!(next.is_none() || next.as_ref() != asked, "it names the page it was asked for as the next one");
    Ok(next)
}

/// The address of a service, without a slash at its end.
pub(super) fn address(text: &str) -> Result<(Uri, bool)> {
    let uri: Uri =
        text.trim_end_matches('/').parse().context("not an address like https://git.acme.example")?;
    let host = uri.host().context("it has no host")?;
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let is_loopback = bare == "localhost" || bare.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
    let plain = !text.contains(['@', '?', '#']);
    ensure!(plain, "it may hold neither credentials nor a query");
    match uri.scheme_str() {
        Some("https") => {}
        Some("http") if is_loopback => {}
        _ => bail!("it must be https, or the token could be read on the way"),
    }
    Ok((uri, is_loopback))
}

impl<'a> Web<'a> {
    pub(super) fn new(base: &str, credentials: Credentials, pace: Pace<'a>) -> Result<Self> {
        let (uri, is_loopback) = address(base).with_context(|| format!("the address {base:?}"))?;
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0) // the token is for this host
            .max_redirects_will_error(false)
            .user_agent(concat!("cpvo/", env!("CARGO_PKG_VERSION")))
            .timeout_connect(Some(CONNECT_MAX))
            .timeout_global(Some(pace.answer_max));
        // the proxy is the environment's, but what is on this machine is nobody else's to pass on
        let config = if is_loopback { config.proxy(None) } else { config };
        let config = if uri.scheme_str() == Some("https") { config.tls_config(tls()?) } else { config };
        let base = base.trim_end_matches('/').to_owned();
        Ok(Self {
            agent: agent(config.build()),
            base,
            credentials,
            spent_until: Cell::new(None),
            silences: Cell::new(0),
            has_answered: Cell::new(false),
            pace,
        })
    }

    /// Sends JSON to `route` below the address.
    pub(super) fn post(&self, route: &str, body: &str) -> Result<Reply> {
        self.patiently(route, |url| {
            let request = self.agent.post(url).header("authorization", self.authorization());
            request.header("content-type", "application/json").send(body)
        })
    }

    /// Asks for `route` below the address, also where that has moved to another one there.
    pub(super) fn get(&self, route: &str) -> Result<Reply> {
        self.patiently(route, |url| self.agent.get(url).header("authorization", self.authorization()).call())
    }

    fn authorization(&self) -> String {
        format!("{}{}", self.credentials.scheme, self.credentials.proof.0)
    }

    fn patiently(
        &self,
        route: &str,
        request: impl Fn(&str) -> Result<Response<Body>, ureq::Error>,
    ) -> Result<Reply> {
        let mut url = format!("{}{route}", self.base);
        for _ in 0..=WAITS_MAX {
            self.look_at_clock(Duration::ZERO)?;
            if let Some(second) = self.spent_until.take() {
                self.wait(self.until(second))?;
            }
            let answered = request(&url).and_then(|mut response| {
                let text = response.body_mut().with_config().limit(ANSWER_BYTES_MAX).lossy_utf8(true);
                // before anything of it is read or cut: whatever it repeats may be shown
                let text = self.unsaid(&text.read_to_string()?);
                Ok((response.status().as_u16(), response.headers().clone(), text))
            });
            let (status, headers, text) = match answered {
                Ok(answered) => answered,
                Err(error) => return self.unanswered(&error),
            };
            self.has_answered.set(true);
            match (status, self.asked_to_wait(status, &headers)) {
                (400, None) if is_graphql(&text) => return Ok(Reply::Answer(Answer { text, headers })),
                (200..=299, _) => {
                    self.spent_until.set(reset(&headers).filter(|_| is_spent(&headers)));
                    return Ok(Reply::Answer(Answer { text, headers }));
                }
                (_, Some(wait)) => self.wait(wait)?,
                (404, None) => return Ok(Reply::Missing(said(&text))),
                (408 | 500 | 502..=504, None) => return Ok(Reply::TooMuch(format!("it answers {status}"))),
                (300..=399, None) => url = self.moved(&headers)?,
                (401, None) => bail!("it does not take the token: {}", said(&text)),
                (_, None) => bail!("it answers {status}: {}", said(&text)),
            }
        }
        bail!("it asks to wait again and again; what was read is kept, the next sync goes on")
    }

    fn unanswered(&self, error: &ureq::Error) -> Result<Reply> {
        // who has answered is there, and slow
        let is_silence = matches!(error, ureq::Error::Timeout(_)) && !self.has_answered.get();
        self.silences.set(if is_silence { self.silences.get() + 1 } else { 0 });
        if is_out_of_reach(error) || self.silences.get() == SILENCES_MAX {
            bail!(Unreachable(self.unsaid(&error.to_string())));
        }
        match error {
            ureq::Error::Timeout(_) | ureq::Error::Io(_) | ureq::Error::Protocol(_) => {
                Ok(Reply::TooMuch(error.to_string()))
            }
            error => bail!(self.unsaid(&error.to_string())),
        }
    }

    /// An error where the turn of the source is over after so much time.
    fn look_at_clock(&self, time: Duration) -> Result<()> {
        let Some(until) = self.pace.until else { return Ok(()) };
        let is_over = (self.pace.now)().saturating_add(time)? > until;
        ensure!(!is_over, "its turn is over; what was read is kept, the next one goes on");
        Ok(())
    }

    /// Where a redirect leads, if that is below the address the token is for.
    fn moved(&self, headers: &HeaderMap) -> Result<String> {
        let to = headers.get("location").and_then(|value| value.to_str().ok()).unwrap_or_default();
        let is_below = to.strip_prefix(&self.base).is_some_and(|route| route.starts_with('/'));
        ensure!(is_below, "it answers from {}: name that place instead", location(to));
        Ok(to.to_owned())
    }

    /// How long a refusal is to be waited out: what it says, where it is about the rate of requests.
    fn asked_to_wait(&self, status: u16, headers: &HeaderMap) -> Option<Duration> {
        let after = number(headers, "retry-after").map(Duration::from_secs);
        let reset = reset(headers).map(|second| self.until(second));
        match status {
            429 => after.or(reset).or(Some(WAIT_USUAL)),
            403 => after.or(if is_spent(headers) { reset } else { None }),
            503 => after,
            _ => None,
        }
    }

    fn until(&self, second: u64) -> Duration {
        let now = u64::try_from((self.pace.now)().as_second()).unwrap_or(0);
        Duration::from_secs(second.saturating_sub(now) + 1)
    }

    /// Has the next question wait, where there is one.
    pub(super) fn rest_until(&self, at: Timestamp) {
        self.spent_until.set(u64::try_from(at.as_second()).ok());
    }

    /// Waits, within reason.
    pub(super) fn wait(&self, time: Duration) -> Result<()> {
        let time = time.min(WAIT_MAX);
        self.look_at_clock(time)?;
        tracing::info!(seconds = time.as_secs(), "waiting, as the service asks");
        (self.pace.wait)(time)
    }

    /// What the other side says without the token, should it repeat that.
    fn unsaid(&self, text: &str) -> String {
        let Credentials { proof, token, .. } = &self.credentials;
        text.replace(&proof.0, "…").replace(&token.0, "…")
    }
}

fn agent(config: Config) -> Agent {
    Agent::with_parts(config, DefaultConnector::default(), Names::default())
}

/// The system's resolver, whose failures are no failures of a connection.
#[derive(Debug, Default)]
struct Names(DefaultResolver);

impl Resolver for Names {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        self.0.resolve(uri, config, timeout).map_err(|error| match error {
            ureq::Error::Io(_) => ureq::Error::HostNotFound,
            error => error,
        })
    }
}

/// The platform's certificates, or those in `SSL_CERT_FILE`.
fn tls() -> Result<TlsConfig> {
    let found = load_native_certs();
    if found.certs.is_empty() {
        let error =
            found.errors.into_iter().next().map_or_else(|| anyhow!("there is none"), anyhow::Error::new);
        return Err(error.context("no certificate to know others by: set SSL_CERT_FILE"));
    }
    let roots = found.certs.iter().map(|certificate| Certificate::from_der(certificate).to_owned());
    Ok(TlsConfig::builder()
        .root_certs(RootCerts::from(roots))
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .build())
}

/// Whether there is nobody to ask.
fn is_out_of_reach(error: &ureq::Error) -> bool {
    use io::ErrorKind::{ConnectionRefused, HostUnreachable, NetworkUnreachable};
    match error {
        ureq::Error::Timeout(timeout) => matches!(timeout, Timeout::Connect | Timeout::Resolve),
        ureq::Error::Io(error) => {
            matches!(error.kind(), ConnectionRefused | HostUnreachable | NetworkUnreachable)
        }
        ureq::Error::HostNotFound | ureq::Error::ConnectionFailed => true,
        _ => false,
    }
}

fn number(headers: &HeaderMap, name: &str) -> Option<u64> {
    headers.get(name)?.to_str().ok()?.trim().parse().ok()
}

/// Whether no request is left.
fn is_spent(headers: &HeaderMap) -> bool {
    ["x-ratelimit-remaining", "ratelimit-remaining"].iter().any(|name| number(headers, name) == Some(0))
}

/// The second at which requests are left again.
fn reset(headers: &HeaderMap) -> Option<u64> {
    number(headers, "x-ratelimit-reset").or_else(|| number(headers, "ratelimit-reset"))
}

/// The host that a redirect leads to, and no more of it: a query may hold a secret.
fn location(to: &str) -> String {
    match to.parse::<Uri>() {
        Ok(to) if to.host().is_some() => format!("{}{}", to.host().unwrap_or_default(), to.path()),
        _ => "elsewhere".to_owned(),
    }
}

/// Whether a refusal lists its faults as an answer to a query does.
fn is_graphql(body: &str) -> bool {
    #[derive(Deserialize)]
    struct Refusal {
        errors: Vec<IgnoredAny>,
    }
    serde_json::from_str::<Refusal>(body).is_ok_and(|refusal| !refusal.errors.is_empty())
}

/// What a refusal says, as far as it can be shown.
fn said(body: &str) -> String {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Refusal {
        One {
            #[serde(alias = "error_description")]
            message: String,
        },
        #[serde(rename_all = "camelCase")]
        Several { error_messages: Vec<String> },
    }
    shown(&match serde_json::from_str(body) {
        Ok(Refusal::One { message }) => message,
        Ok(Refusal::Several { error_messages }) => error_messages.join(" "),
        Err(_) => body.to_owned(),
    })
}

pub(super) fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(REASON_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_does_not_resolve_is_out_of_reach() {
        // longer than a label may be: no name server need be asked
        let nowhere = format!("http://{}.example/", "a".repeat(64));
        let error = agent(Config::default()).get(&nowhere).call().unwrap_err();
        assert!(is_out_of_reach(&error), "{error}");
    }
}
