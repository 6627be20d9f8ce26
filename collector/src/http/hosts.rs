//! Which names the page answers to. A page of the web that points its own name at this machine is not
//! one of them, so it cannot read what only this machine may.

use super::App;
use super::error::Error;
use axum::extract::{Request, State};
use axum::http::header::HOST;
use axum::middleware::Next;
use axum::response::Response;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// `None`: the server listens to a network, which has names of its own.
pub(crate) struct Hosts(Option<Vec<String>>);

impl Hosts {
    /// On loopback: this machine's own names, and that of `url`, which a proxy passes on.
    pub(crate) fn new(listen: SocketAddr, url: Option<&str>) -> Self {
        let public = url.and_then(|url| url.split_once("://")).map(|(_, rest)| name(rest).to_owned());
        Self(listen.ip().is_loopback().then(|| ["localhost".to_owned()].into_iter().chain(public).collect()))
    }

    fn allow(&self, host: &str) -> bool {
        let Some(names) = &self.0 else { return true };
        let name = name(host).to_ascii_lowercase();
        names.contains(&name) || name.parse().is_ok_and(|address: IpAddr| address.is_loopback())
    }
}

/// The name in `name:port/path`, an IPv6 address without its brackets.
fn name(text: &str) -> &str {
    let authority = text.split('/').next().unwrap_or_default();
    match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, _)) => address,
        None => authority.split_once(':').map_or(authority, |(name, _)| name),
    }
}

pub(super) async fn guard(
    State(app): State<Arc<App>>,
    request: Request,
    next: Next,
) -> Result<Response, Error> {
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    if !app.hosts.allow(host) {
        return Err(Error::Forbidden(
            "this collector does not answer to that name: url in cpvo.toml adds one".to_owned(),
        ));
    }
    Ok(next.run(request).await)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(listen: &str, url: Option<&str>, host: &str, allowed: bool) {
        assert_eq!(Hosts::new(listen.parse().unwrap(), url).allow(host), allowed, "{host}");
    }

    #[test]
    fn on_loopback_only_names_of_this_machine() {
        for host in ["localhost:7878", "LOCALHOST", "127.0.0.1:7878", "127.8.8.8", "[::1]:7878"] {
            check("127.0.0.1:7878", None, host, true);
        }
        for host in
            ["", "evil.example:7878", "127.0.0.1.evil.example", "localhost.evil.example", "10.0.0.1", "[::2]"]
        {
            check("127.0.0.1:7878", None, host, false);
            check("[::1]:7878", Some("https://cpvo.acme.example/x"), host, false);
        }
        check("127.0.0.1:7878", Some("https://cpvo.acme.example:8443/x"), "cpvo.acme.example", true);
    }

    #[test]
    fn on_a_network_any_name() {
        check("0.0.0.0:7878", None, "cpvo.acme.example", true);
    }
}
