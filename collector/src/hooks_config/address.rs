//! What `cpvo hooks-config` accepts as an address, a token, a developer and a day.

use jiff::civil::Date;
use meter::Email;
use std::net::IpAddr;

pub(super) fn address(text: &str) -> Result<String, String> {
    let text = text.trim_end_matches('/');
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).unwrap_or_default();
    let odd = |c: char| c.is_whitespace() || c.is_control() || "\"'\\@?#<>`$".contains(c);
    if rest.is_empty() || rest.starts_with('/') || rest.contains(odd) {
        return Err("must be http(s)://host[:port], without user or query".to_owned());
    }
    if text.starts_with("http://") && !is_local(text) {
        return Err("must begin with https://: cpvo-hook takes http:// on this machine only".to_owned());
    }
    Ok(text.to_owned())
}

/// Whether only this machine reaches an address.
pub(super) fn is_local(url: &str) -> bool {
    let rest = url.split_once("://").map_or("", |(_, rest)| rest);
    let authority = rest.split('/').next().unwrap_or_default();
    let host = match authority.strip_prefix('[') {
        Some(bracketed) => bracketed.split(']').next(),
        None => authority.split(':').next(),
    };
    let host = host.unwrap_or_default().to_ascii_lowercase();
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// Whether nobody between can change what is loaded from this address; the script asks the same.
pub(super) fn guarded(url: &str) -> bool {
    let starts = ["https://", "http://127.0.0.1:", "http://localhost:", "http://[::1]:"];
    starts.iter().any(|start| url.starts_with(start))
}

pub(super) fn token_text(text: &str) -> Result<String, String> {
    let parts: Vec<&str> = text.split('.').collect();
    let letters = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if parts.len() == 3 && parts.iter().all(|part| !part.is_empty() && part.chars().all(letters)) {
        return Ok(text.to_owned());
    }
    Err("is no token: `cpvo token issue` prints one, three parts with dots between".to_owned())
}

pub(super) fn day(text: &str) -> Result<Date, String> {
    text.parse().map_err(|_| "must be a day as YYYY-MM-DD, such as 2026-01-31".to_owned())
}

pub(super) fn developer(entry: &str) -> Result<String, String> {
    let entry = entry.trim().to_lowercase();
    let email = if entry.starts_with('@') { format!("any{entry}") } else { entry.clone() };
    match email.parse::<Email>() {
        Ok(_) => Ok(entry),
        Err(error) => Err(format!("{error}, or @ and a domain")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn http_is_for_this_machine_as_the_hook_has_it() {
        for good in ["https://a.example", "http://127.0.0.1:7878", "http://LOCALHOST", "http://[::1]:1/x"] {
            assert!(address(good).is_ok(), "{good}");
        }
        for bad in
            ["http://a.example", "http://127.0.0.1.a.example", "http://10.0.0.1:1", "http://localhost.a"]
        {
            assert!(address(bad).unwrap_err().contains("https://"), "{bad}");
        }
        assert!(!is_local("https://a.example") && is_local("https://127.0.0.1"));
    }

    #[test]
    fn a_token_has_three_parts() {
        assert!(token_text("eyJ.a-_9.Zz").is_ok());
        for bad in ["", "hello", "a.b", "a..c", "a.b.c.d", "a.b.c=", "a.b. c"] {
            assert!(token_text(bad).is_err(), "{bad}");
        }
    }
}
