//! Who may read the page: this machine alone, as long as the page has no sign-in.
//!
//! A page of the web that points its own name at this machine is not this machine, and what a proxy passes
//! on comes from elsewhere. Reports are taken from everywhere: they carry a token.

use super::App;
use super::error::Error;
use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::http::header::HOST;
use axum::middleware::Next;
use axum::response::Response;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// Headers a proxy adds to what it passes on.
const PASSED_ON: [&str; 7] = [
    "forwarded",
    "via",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-real-ip",
    "cf-connecting-ip",
];

pub(crate) struct Hosts {
    /// Nothing but this machine can reach the server.
    loopback: bool,
}

impl Hosts {
    pub(crate) fn new(listen: SocketAddr) -> Self {
        Self { loopback: listen.ip().is_loopback() }
    }

    fn allow(&self, headers: &HeaderMap) -> bool {
        let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
        let name = name(host).to_ascii_lowercase();
        let here = name == "localhost" || name.parse().is_ok_and(|address: IpAddr| address.is_loopback());
        self.loopback && here && !PASSED_ON.iter().any(|header| headers.contains_key(*header))
    }
}

/// The name in `name` or `name:port`, an IPv6 address without its brackets; nothing where it is anything else.
fn name(authority: &str) -> &str {
    let (name, rest) = match authority.strip_prefix('[') {
        Some(bracketed) => bracketed.split_once(']').unwrap_or_default(),
        None => authority.split_at(authority.find(':').unwrap_or(authority.len())),
    };
    let port = rest.strip_prefix(':').unwrap_or("none");
    let is_port = rest.is_empty() || !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    if is_port { name } else { "" }
}

pub(super) async fn guard(
    State(app): State<Arc<App>>,
    request: Request,
    next: Next,
) -> Result<Response, Error> {
    if !app.hosts.allow(request.headers()) {
        return Err(Error::Forbidden(
            "the page has no sign-in yet and is read on the collector's own machine only, where it listens on \
             loopback; from another: ssh -L 7878:127.0.0.1:7878"
                .to_owned(),
        ));
    }
    Ok(next.run(request).await)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(listen: &str, headers: &[(&'static str, &str)], allowed: bool) {
        let headers = headers.iter().map(|(name, value)| ((*name).parse().unwrap(), value.parse().unwrap()));
        assert_eq!(Hosts::new(listen.parse().unwrap()).allow(&headers.collect()), allowed);
    }

    #[test]
    fn on_loopback_only_names_of_this_machine() {
        for host in ["localhost:7878", "LOCALHOST", "127.0.0.1:7878", "127.8.8.8", "[::1]:7878"] {
            check("127.0.0.1:7878", &[("host", host)], true);
        }
        for host in
            ["", "evil.example:7878", "127.0.0.1.evil.example", "localhost.evil.example", "10.0.0.1", "[::2]"]
        {
            check("127.0.0.1:7878", &[("host", host)], false);
            check("[::1]:7878", &[("host", host)], false);
        }
        check("127.0.0.1:7878", &[], false);
    }

    #[test]
    fn a_port_is_digits() {
        for host in
            ["127.0.0.1:1@evil.com", "[::1]evil.com", "[::1]:1@evil.com", "127.0.0.1:", "127.0.0.1/x", "[::1"]
        {
            check("127.0.0.1:7878", &[("host", host)], false);
        }
    }

    #[test]
    fn what_a_proxy_passes_on_is_not_this_machine() {
        for header in PASSED_ON {
            check("127.0.0.1:7878", &[("host", "127.0.0.1:7878"), (header, "10.0.0.7")], false);
        }
    }

    #[test]
    fn on_a_network_nobody() {
        check("0.0.0.0:7878", &[("host", "localhost:7878")], false);
    }
}
