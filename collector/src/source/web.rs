//! A service on the network, asked with a token: one host only, https off this machine, bounded in time and bytes, and
//! as patient as the service asks for.

use crate::config::{Clock, Secret};
use anyhow::{Context, Result, anyhow, bail, ensure};
use rustls_native_certs::load_native_certs;
use serde::Deserialize;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use ureq::http::{HeaderMap, Response, Uri};
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::{Agent, Body};

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

/// How a sync takes its time.
#[derive(Clone, Copy)]
pub(crate) struct Pace<'a> {
    pub now: Clock,
    /// The longest that one answer may take.
    pub answer_max: Duration,
    /// Lets time pass; an error where the program is about to stop.
    pub wait: &'a dyn Fn(Duration) -> Result<()>,
}

pub(crate) struct Web<'a> {
    agent: Agent,
    base: String,
    token: Secret,
    pub pace: Pace<'a>,
}

#[derive(Debug)]
pub(crate) enum Reply {
    Answer(String),
    /// It took too long, or the service gave up on it: ask for less.
    TooMuch(String),
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
    pub(super) fn new(base: &str, token: Secret, pace: Pace<'a>) -> Result<Self> {
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
        Ok(Self { agent: config.build().new_agent(), base, token, pace })
    }

    /// Sends JSON to `route` below the address.
    pub(super) fn post(&self, route: &str, body: &str) -> Result<Reply> {
        let request = || {
            let request = self.agent.post(format!("{}{route}", self.base));
            let request = request.header("authorization", format!("Bearer {}", self.token.0));
            request.header("content-type", "application/json").send(body)
        };
        self.patiently(request)
    }

    fn patiently(&self, request: impl Fn() -> Result<Response<Body>, ureq::Error>) -> Result<Reply> {
        for _ in 0..=WAITS_MAX {
            let answered = request().and_then(|mut response| {
                let text = response.body_mut().with_config().limit(ANSWER_BYTES_MAX).lossy_utf8(true);
                let text = text.read_to_string()?;
                Ok((response.status().as_u16(), response.headers().clone(), text))
            });
            let (status, headers, text) = match answered {
                Ok(answered) => answered,
                Err(error @ (ureq::Error::Timeout(_) | ureq::Error::Io(_) | ureq::Error::Protocol(_))) => {
                    return Ok(Reply::TooMuch(error.to_string()));
                }
                Err(error) => return Err(self.unsaid(&error.to_string())),
            };
            match (status, self.asked_to_wait(status, &headers)) {
                (200..=299, _) => return Ok(Reply::Answer(text)),
                (_, Some(wait)) => self.wait(wait)?,
                (408 | 500 | 502..=504, None) => return Ok(Reply::TooMuch(format!("it answers {status}"))),
                (300..=399, None) => bail!("it answers from {}: name that place instead", location(&headers)),
                (401, None) => {
                    return Err(self.unsaid(&format!("it does not take the token: {}", said(&text))));
                }
                (_, None) => return Err(self.unsaid(&format!("it answers {status}: {}", said(&text)))),
            }
        }
        bail!("it asks to wait again and again; what was read is kept, the next sync goes on")
    }

    /// How long a refusal is to be waited out: what it says, where it is about the rate of requests.
    fn asked_to_wait(&self, status: u16, headers: &HeaderMap) -> Option<Duration> {
        let number = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse::<u64>().ok();
        let until = |second: u64| {
            let now = u64::try_from((self.pace.now)().as_second()).unwrap_or(0);
            Duration::from_secs(second.saturating_sub(now) + 1)
        };
        let after = number("retry-after").map(Duration::from_secs);
        let spent = number("x-ratelimit-remaining") == Some(0) || number("ratelimit-remaining") == Some(0);
        let reset = number("x-ratelimit-reset").or_else(|| number("ratelimit-reset")).map(until);
        match status {
            429 => after.or(reset).or(Some(WAIT_USUAL)),
            403 => after.or(if spent { reset } else { None }),
            503 => after,
            _ => None,
        }
    }

    /// Waits, within reason.
    pub(super) fn wait(&self, time: Duration) -> Result<()> {
        tracing::info!(seconds = time.as_secs(), "waiting, as the service asks");
        (self.pace.wait)(time.min(WAIT_MAX))
    }

    /// An error that does not hold the token, whatever the other side repeats.
    fn unsaid(&self, text: &str) -> anyhow::Error {
        anyhow!(text.replace(&self.token.0, "…"))
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

/// The host that a redirect leads to, and no more of it: a query may hold a secret.
fn location(headers: &HeaderMap) -> String {
    let to = headers.get("location").and_then(|value| value.to_str().ok()?.parse::<Uri>().ok());
    to.map_or_else(|| "elsewhere".to_owned(), |to| format!("{}{}", to.host().unwrap_or_default(), to.path()))
}

/// What a refusal says, as far as it can be shown.
fn said(body: &str) -> String {
    #[derive(Deserialize)]
    struct Refusal {
        message: String,
    }
    let text = serde_json::from_str::<Refusal>(body).map_or_else(|_| body.to_owned(), |it| it.message);
    text.chars().filter(|c| !c.is_control()).take(REASON_CHARS_MAX).collect()
}
