//! `Collector`: where reports go and with which token, parsed once at the door.

use anyhow::{Context, Result, bail};
use std::fmt;
use std::str::FromStr;
use ureq::http::Uri;

/// The address of a collector: https, or http on this machine.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Address {
    /// `scheme://host[:port]`; what outbox, rank and acknowledgements are kept by.
    origin: String,
    host: String,
    /// The path before `/v1`, without a slash at its end.
    path: String,
}

impl Address {
    pub(crate) fn origin(&self) -> &str {
        &self.origin
    }

    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    pub(crate) fn is_https(&self) -> bool {
        self.origin.starts_with("https:")
    }

    /// Whether it is on this machine.
    pub(crate) fn is_loopback(&self) -> bool {
        is_loopback(&self.host)
    }

    pub(crate) fn join(&self, route: &str) -> String {
        format!("{}{}{route}", self.origin, self.path)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.origin, self.path)
    }
}

impl FromStr for Address {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let uri: Uri = text.trim().parse().context("not a URL like https://cpvo.acme.example")?;
        let scheme = uri.scheme_str().context("needs https:// before the host")?;
        let authority = uri.authority().context("has no host")?;
        if authority.as_str().contains('@') || uri.query().is_some() {
            bail!("may hold neither credentials nor a query; the token belongs in CPVO_TOKEN");
        }
        let host = authority.host().to_ascii_lowercase();
        match scheme {
            "https" => {}
            "http" if is_loopback(&host) => {}
            "http" => bail!("http is for this machine only; use https://{host}"),
            other => bail!("{other}:// is not https"),
        }
        let usual = if scheme == "https" { 443 } else { 80 };
        let port = authority.port_u16().filter(|port| *port != usual).map(|port| format!(":{port}"));
        let origin = format!("{scheme}://{host}{}", port.unwrap_or_default());
        Ok(Self { origin, host, path: uri.path().trim_end_matches('/').to_owned() })
    }
}

fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || bare.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// A bearer token; never shown.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Token(String);

impl Token {
    /// `None` where it could not be sent in a header.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let visible =
            !text.is_empty() && text.len() <= 8192 && text.bytes().all(|byte| byte.is_ascii_graphic());
        visible.then(|| Self(text.to_owned()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<(&str, &str)>) {
        let address = text.parse::<Address>().ok();
        let seen = address.map(|address| (address.origin().to_owned(), address.join("/v1/reports")));
        assert_eq!(seen, expected.map(|(origin, url)| (origin.to_owned(), url.to_owned())), "{text}");
    }

    #[test]
    fn an_address_is_https_or_on_this_machine() {
        check(
            "https://cpvo.acme.example",
            Some(("https://cpvo.acme.example", "https://cpvo.acme.example/v1/reports")),
        );
        check(
            "https://CPVO.acme.example:443/",
            Some(("https://cpvo.acme.example", "https://cpvo.acme.example/v1/reports")),
        );
        check(
            "https://acme.example/cpvo/",
            Some(("https://acme.example", "https://acme.example/cpvo/v1/reports")),
        );
        check("http://127.0.0.1:7878", Some(("http://127.0.0.1:7878", "http://127.0.0.1:7878/v1/reports")));
        check("http://localhost:80", Some(("http://localhost", "http://localhost/v1/reports")));
        check("http://[::1]:9", Some(("http://[::1]:9", "http://[::1]:9/v1/reports")));
        for bad in [
            "",
            "cpvo.acme.example",
            "http://cpvo.acme.example",
            "http://127.0.0.1.evil.example",
            "http://localhost@evil.example",
            "https://ana:secret@acme.example",
            "https://acme.example/?token=x",
            "file:///etc/passwd",
            "ftp://127.0.0.1",
        ] {
            check(bad, None);
        }
    }

    #[test]
    fn a_token_is_never_shown() {
        assert_eq!(format!("{:?}", Token::parse(" abc.def ")), "Some(Token(…))");
        for bad in ["", "a b", "a\nb", "é"] {
            assert!(Token::parse(bad).is_none(), "{bad}");
        }
    }
}
