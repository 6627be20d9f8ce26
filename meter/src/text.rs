//! Strings of the wire, each parsed once: bounded, without control characters, of its own shape.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// Text that is not what its field must hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    #[error("has {0} bytes, more than the limit of {1}")]
    TooLong(usize, usize),
    #[error("has the control character U+{0:04X}")]
    Control(u32),
    #[error("must be {0}")]
    Shape(&'static str),
}

fn plain(text: &str, bytes_max: usize) -> Result<(), TextError> {
    if text.len() > bytes_max {
        return Err(TextError::TooLong(text.len(), bytes_max));
    }
    match text.chars().find(|c| unprintable(*c)) {
        Some(c) => Err(TextError::Control(u32::from(c))),
        None => Ok(()),
    }
}

/// Control characters, and those that turn or break the line they are shown in.
fn unprintable(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

macro_rules! text_traits {
    ([$($generics:tt)*] $name:ty) => {
        impl<$($generics)*> $name {
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl<$($generics)*> fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl<$($generics)*> From<$name> for String {
            fn from(text: $name) -> Self {
                text.as_str().to_owned()
            }
        }
        impl<$($generics)*> FromStr for $name {
            type Err = TextError;
            fn from_str(text: &str) -> Result<Self, TextError> {
                Self::try_from(text.to_owned())
            }
        }
    };
}

/// Text of at most `MAX` bytes without control characters; may be empty.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Text<const MAX: usize>(Arc<str>);
text_traits!([const MAX: usize] Text<MAX>);

impl<const MAX: usize> TryFrom<String> for Text<MAX> {
    type Error = TextError;

    fn try_from(text: String) -> Result<Self, TextError> {
        plain(&text, MAX)?;
        Ok(Self(text.into()))
    }
}

/// The session id Claude Code gives: a UUID in lower case.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SessionId(Arc<str>);
text_traits!([] SessionId);

impl TryFrom<String> for SessionId {
    type Error = TextError;

    fn try_from(text: String) -> Result<Self, TextError> {
        let shape = |(index, byte): (usize, u8)| match index {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        };
        if text.len() != 36 || !text.bytes().enumerate().all(shape) {
            return Err(TextError::Shape("a UUID"));
        }
        Ok(Self(text.to_ascii_lowercase().into()))
    }
}

/// A commit: 40 hexadecimal digits (64 in a SHA-256 repository) in lower case.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Sha(String);
text_traits!([] Sha);

impl TryFrom<String> for Sha {
    type Error = TextError;

    fn try_from(text: String) -> Result<Self, TextError> {
        let hex = text.bytes().all(lower_hex);
        if !matches!(text.len(), 40 | 64) || !hex {
            return Err(TextError::Shape("a full commit id in lower-case hexadecimal"));
        }
        Ok(Self(text))
    }
}

/// 32 hexadecimal digits in lower case, drawn once per installation of the hook.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct InstallId(String);
text_traits!([] InstallId);

impl TryFrom<String> for InstallId {
    type Error = TextError;

    fn try_from(text: String) -> Result<Self, TextError> {
        let hex = text.len() == 32 && text.bytes().all(lower_hex);
        if hex { Ok(Self(text)) } else { Err(TextError::Shape("32 hexadecimal digits in lower case")) }
    }
}

fn lower_hex(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'f')
}

/// An email address in lower case; its shape only, not whether it exists.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Email(String);
text_traits!([] Email);

impl TryFrom<String> for Email {
    type Error = TextError;

    fn try_from(text: String) -> Result<Self, TextError> {
        plain(&text, 254)?;
        let shape = TextError::Shape("an email address");
        let Some((local, domain)) = text.split_once('@') else { return Err(shape) };
        let odd = |c: char| c.is_whitespace() || matches!(c, '@' | '<' | '>' | '"' | ',' | ';');
        if local.is_empty() || domain.is_empty() || local.contains(odd) || domain.contains(odd) {
            return Err(shape);
        }
        Ok(Self(text.to_lowercase()))
    }
}

/// A repository: `host/owner/name`, `local/<8 hex>` without a remote, or `none`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Repo(String);
text_traits!([] Repo);

impl Repo {
    /// Lines outside any repository.
    pub fn none() -> Self {
        Self("none".to_owned())
    }

    pub fn is_none(&self) -> bool {
        self.0 == "none"
    }

    /// The repository a remote names: host in lower case; scheme, port, credentials and `.git` dropped.
    /// `None` where the remote is a path of this machine or has no host.
    pub fn of_remote(remote: &str) -> Option<Self> {
        let remote = remote.trim();
        let rest = match remote.split_once("://") {
            Some(("file", _)) => return None,
            Some((_, rest)) => rest.to_owned(),
            None => scp_form(remote)?,
        };
        let (authority, path) = rest.split_once('/')?;
        let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
        let host = host.split_once(':').map_or(host, |(host, _)| host).to_lowercase();
        let path = path.split(['?', '#']).next().unwrap_or_default();
        let path = path.trim_matches('/');
        let path = path.strip_suffix(".git").unwrap_or(path).trim_end_matches('/');
        Self::try_from(format!("{host}/{path}")).ok()
    }
}

/// `git@host:owner/name` as `git@host/owner/name`; a path is no remote.
fn scp_form(remote: &str) -> Option<String> {
    let (authority, path) = remote.split_once(':')?;
    if authority.contains('/') || authority.contains('\\') || authority.len() < 2 {
        return None;
    }
    Some(format!("{authority}/{}", path.trim_start_matches('/')))
}

impl TryFrom<String> for Repo {
    type Error = TextError;

    fn try_from(text: String) -> Result<Self, TextError> {
        const SHAPE: TextError = TextError::Shape("host/owner/name, local/<8 hex> or none");
        plain(&text, 300)?;
        if text == "none" {
            return Ok(Self(text));
        }
        if let Some(key) = text.strip_prefix("local/") {
            let hex = key.len() == 8 && key.bytes().all(lower_hex);
            return if hex { Ok(Self(text)) } else { Err(SHAPE) };
        }
        let (host, path) = text.split_once('/').ok_or(SHAPE)?;
        let host_ok = !host.is_empty()
            && host
                .chars()
                .all(|c| (c.is_alphanumeric() && !c.is_uppercase()) || matches!(c, '.' | '-' | '_'));
        let step_ok = |step: &str| !step.is_empty() && step != "." && step != "..";
        let path_ok =
            path.split('/').all(step_ok) && !path.contains(|c: char| c.is_whitespace() || ":@\\".contains(c));
        if host_ok && path_ok { Ok(Self(text)) } else { Err(SHAPE) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn remote(text: &str, repo: Option<&str>) {
        assert_eq!(Repo::of_remote(text).as_ref().map(Repo::as_str), repo, "{text}");
    }

    #[test]
    fn every_form_of_a_remote_is_one_repository() {
        for same in [
            "https://github.com/acme/pay",
            "https://github.com/acme/pay.git",
            "https://GitHub.com/acme/pay.git/",
            "https://ana:secret@github.com/acme/pay.git",
            "https://github.com:443/acme/pay",
            "ssh://git@github.com:22/acme/pay.git",
            "git@github.com:acme/pay.git",
            "git@github.com:/acme/pay",
            "github.com:acme/pay",
            "git://github.com/acme/pay.git\n",
            "https://github.com/acme/pay.git?token=x#y",
        ] {
            remote(same, Some("github.com/acme/pay"));
        }
        remote("https://gitlab.com/group/sub/name.git", Some("gitlab.com/group/sub/name"));
        for none in [
            "/srv/git/pay.git",
            "file:///srv/git/pay.git",
            "../pay",
            "C:\\git\\pay",
            "",
            "https://github.com",
        ] {
            remote(none, None);
        }
    }

    #[test]
    fn shapes_are_kept() {
        assert!("8B41c8a0-0000-4000-8000-000000000001".parse::<SessionId>().is_ok());
        assert!("../../etc/passwd".parse::<SessionId>().is_err());
        assert!("ana@acme.example".parse::<Email>().is_ok());
        assert_eq!("Ana@ACME.example".parse::<Email>().unwrap().as_str(), "ana@acme.example");
        for bad in ["", "@", "a@", "@b", "a b@c", "a@b@c", "Ana <a@b>", "a@b\n"] {
            assert!(bad.parse::<Email>().is_err(), "{bad}");
        }
        for bad in [
            "",
            "/",
            "github.com",
            "GitHub.com/acme/pay",
            "a/b/../c",
            "u:p@h/a",
            "local/xyz",
            "h/a b",
            "h//a",
        ] {
            assert!(bad.parse::<Repo>().is_err(), "{bad}");
        }
        for good in ["none", "local/0a1b2c3d", "github.com/acme/pay", "git.acme.example/a/b/c"] {
            assert!(good.parse::<Repo>().is_ok(), "{good}");
        }
        assert!("d728cec".parse::<Sha>().is_err());
        assert!("a".repeat(40).parse::<Sha>().is_ok());
    }

    #[test]
    fn control_characters_never_pass() {
        for bad in ["a\0b", "a\nb", "\u{1b}[31m", "a\u{7f}", "a\u{202e}b", "a\u{85}"] {
            assert!(bad.parse::<Text<40>>().is_err(), "{bad:?}");
        }
        assert_eq!("abc".parse::<Text<2>>(), Err(TextError::TooLong(3, 2)));
        assert!("<script>é'; --".parse::<Text<40>>().is_ok());
    }

    proptest! {
        #[test]
        fn a_remote_never_keeps_a_secret(user in "[a-z]{1,8}", secret in "[A-Za-z0-9]{12}", path in "[a-z]{1,8}/[a-z]{1,8}") {
            let repo = Repo::of_remote(&format!("https://{user}:{secret}@git.example/{path}.git")).unwrap();
            prop_assert_eq!(repo.as_str(), format!("git.example/{path}"));
        }

        #[test]
        fn any_remote_is_refused_or_canonical(remote in "\\PC{0,60}") {
            if let Some(repo) = Repo::of_remote(&remote) {
                let again = Repo::of_remote(&format!("https://{repo}"));
                prop_assert!(again.is_some());
                let parsed: Repo = repo.as_str().parse().unwrap();
                prop_assert_eq!(parsed, repo);
            }
        }
    }
}
