//! `Terms`: what a repository's settings or the environment ask of the hook, read the same way from both.

pub(crate) mod collector;
pub(crate) mod identity;
pub(crate) mod scope;
pub(crate) mod settings;
pub(crate) mod stage;

use crate::terms::collector::{Address, Token};
use jiff::Timestamp;
use meter::{Developer, Email};

/// How much may be read and sent; each step includes the one before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Scope {
    Off,
    /// Repositories that ship the same collector.
    Repo,
    All,
}

/// How much of the identity leaves the machine; each step says more than the one before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Identity {
    Team,
    Pseudonym,
    Person,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Branches {
    Hashed,
    Plain,
}

/// An entry that no email matches.
const NOBODY: &str = ",";

/// What is asked for; a field that is not set asks for nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Terms {
    pub address: Option<Address>,
    pub token: Option<Token>,
    /// Emails and `@domains`; empty means everybody.
    pub developers: Vec<String>,
    /// Nothing earlier is read.
    pub since: Option<Timestamp>,
    pub scope: Option<Scope>,
    pub identity: Option<Identity>,
    pub branches: Option<Branches>,
}

impl Terms {
    /// Reads `CPVO_…` names through `lookup`; what cannot be read is named in `faults` and asks for nothing,
    /// except where nothing would mean more than was asked: then nobody is meant.
    pub(crate) fn parse(lookup: impl Fn(&str) -> Option<String>, faults: &mut Vec<String>) -> Self {
        let value =
            |name: &str| lookup(name).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
        let mut fault = |name: &str, reason: &str| faults.push(format!("{name}: {reason}"));
        let address = value("CPVO_URL").and_then(|text| match text.parse::<Address>() {
            Ok(address) => Some(address),
            Err(error) => {
                fault("CPVO_URL", &format!("{error:#}"));
                None
            }
        });
        let token = value("CPVO_TOKEN").and_then(|text| {
            let token = Token::parse(&text);
            if token.is_none() {
                fault("CPVO_TOKEN", "not a token that fits a header");
            }
            token
        });
        let since = value("CPVO_SINCE").map(|text| {
            instant(&text).unwrap_or_else(|| {
                fault(
                    "CPVO_SINCE",
                    &format!("{text:?} is no date like 2026-11-01; nothing is read until it is"),
                );
                Timestamp::MAX
            })
        });
        let scope = value("CPVO_SCOPE").map(|word| {
            scope(&word).unwrap_or_else(|| {
                fault("CPVO_SCOPE", &format!("{word:?} must be repo or off; off is assumed"));
                Scope::Off
            })
        });
        let identity = value("CPVO_IDENTITY").map(|word| {
            identity(&word).unwrap_or_else(|| {
                fault(
                    "CPVO_IDENTITY",
                    &format!("{word:?} must be person, pseudonym or team; nothing is sent until it is"),
                );
                Identity::Pseudonym
            })
        });
        let branches = value("CPVO_BRANCHES").map(|word| {
            branches(&word).unwrap_or_else(|| {
                fault("CPVO_BRANCHES", &format!("{word:?} must be plain or hashed; hashed is assumed"));
                Branches::Hashed
            })
        });
        let developers = value("CPVO_DEVELOPERS").map(|list| {
            let entries = developers(&list);
            if entries.is_empty() {
                fault("CPVO_DEVELOPERS", "names nobody; nothing is sent until it does");
                return vec![NOBODY.to_owned()];
            }
            entries
        });
        let developers = developers.unwrap_or_default();
        Self { address, token, developers, since, scope, identity, branches }
    }

    /// These terms, and `other`'s where these ask for nothing. An address keeps its own token; the bounds of
    /// both hold.
    pub(crate) fn or(self, other: Self) -> Self {
        let token = match (&self.address, &other.address) {
            (Some(own), Some(theirs)) if own.origin() != theirs.origin() => self.token,
            _ => self.token.or(other.token),
        };
        Self {
            address: self.address.or(other.address),
            token,
            developers: both(self.developers, other.developers),
            since: self.since.max(other.since),
            scope: self.scope.or(other.scope),
            identity: self.identity.or(other.identity),
            branches: self.branches.or(other.branches),
        }
    }

    /// Whether a session of this developer may be stored and sent.
    pub(crate) fn admit(&self, developer: &Developer) -> bool {
        let Developer::Email(email) = developer else { return self.developers.is_empty() };
        self.developers.is_empty() || self.developers.iter().any(|entry| covers(entry, email))
    }
}

fn covers(entry: &str, email: &Email) -> bool {
    within(email.as_str(), entry)
}

/// Whether all whom `narrow` means, `wide` means too.
fn within(narrow: &str, wide: &str) -> bool {
    narrow == wide || (wide.starts_with('@') && narrow.ends_with(wide))
}

/// Those whom both lists admit, where an empty one admits everybody.
fn both(one: Vec<String>, other: Vec<String>) -> Vec<String> {
    if one.is_empty() || other.is_empty() {
        return if one.is_empty() { other } else { one };
    }
    let in_all = |entry: &&String, list: &[String]| list.iter().any(|wide| within(entry, wide));
    let mut shared: Vec<String> = one.iter().filter(|entry| in_all(entry, &other)).cloned().collect();
    shared.extend(other.iter().filter(|entry| in_all(entry, &one) && !one.contains(entry)).cloned());
    if shared.is_empty() { vec![NOBODY.to_owned()] } else { shared }
}

fn developers(list: &str) -> Vec<String> {
    list.split(',').map(|entry| entry.trim().to_lowercase()).filter(|entry| !entry.is_empty()).collect()
}

pub(crate) fn scope(word: &str) -> Option<Scope> {
    match word {
        "off" => Some(Scope::Off),
        "repo" => Some(Scope::Repo),
        "all" => Some(Scope::All),
        _ => None,
    }
}

pub(crate) fn identity(word: &str) -> Option<Identity> {
    match word {
        "team" => Some(Identity::Team),
        "pseudonym" => Some(Identity::Pseudonym),
        "person" => Some(Identity::Person),
        _ => None,
    }
}

pub(crate) fn branches(word: &str) -> Option<Branches> {
    match word {
        "hashed" => Some(Branches::Hashed),
        "plain" => Some(Branches::Plain),
        _ => None,
    }
}

pub(crate) fn truthy(value: Option<&str>) -> bool {
    value.is_some_and(|value| !matches!(value, "" | "0" | "false" | "no" | "off"))
}

/// An instant, or the UTC midnight a date begins with.
pub(crate) fn instant(text: &str) -> Option<Timestamp> {
    text.parse().ok().or_else(|| format!("{text}T00:00:00Z").parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms(pairs: &[(&str, &str)]) -> (Terms, Vec<String>) {
        let mut faults = Vec::new();
        let lookup =
            |name: &str| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        (Terms::parse(lookup, &mut faults), faults)
    }

    #[track_caller]
    fn admits(list: &str, email: &str, expected: bool) {
        let (terms, _) = terms(&[("CPVO_DEVELOPERS", list)]);
        assert_eq!(terms.admit(&Developer::Email(email.parse().unwrap())), expected, "{list} {email}");
    }

    #[test]
    fn developers_are_emails_and_whole_domains() {
        admits("", "ana@home.example", true);
        admits("@acme.example", "ana@acme.example", true);
        admits(" @ACME.example , bob@x.example", "bob@x.example", true);
        admits("@acme.example", "ana@home.example", false);
        admits("@acme.example", "ana@evil-acme.example", false);
        admits("@acme.example", "ana@sub.acme.example", false);
        admits("bob@x.example", "notbob@x.example", false);
        admits(",", "ana@home.example", false);
        let (listed, _) = terms(&[("CPVO_DEVELOPERS", "@acme.example")]);
        assert!(!listed.admit(&Developer::OsUser("ana".parse().unwrap())));
        assert!(terms(&[]).0.admit(&Developer::OsUser("ana".parse().unwrap())));
    }

    #[track_caller]
    fn admits_both(one: &str, other: &str, email: &str, expected: bool) {
        let list = |text| terms(&[("CPVO_DEVELOPERS", text)]).0;
        let developer = Developer::Email(email.parse().unwrap());
        assert_eq!(list(one).or(list(other)).admit(&developer), expected, "{one} {other} {email}");
        assert_eq!(list(other).or(list(one)).admit(&developer), expected, "{other} {one} {email}");
    }

    #[test]
    fn no_source_widens_what_another_narrowed() {
        admits_both("@acme.example", "", "ana@acme.example", true);
        admits_both("@acme.example", "ana@acme.example", "ana@acme.example", true);
        admits_both("@acme.example", "ana@acme.example", "bob@acme.example", false);
        admits_both("@acme.example,@b.example", "@b.example,@c.example", "ana@b.example", true);
        admits_both("@acme.example,@b.example", "@b.example,@c.example", "ana@c.example", false);
        admits_both("@acme.example", "@home.example", "ana@acme.example", false);
        admits_both("", ",", "ana@acme.example", false);
        let (early, _) = terms(&[("CPVO_SINCE", "2026-01-01")]);
        let (late, _) = terms(&[("CPVO_SINCE", "2026-11-01")]);
        let latest = early.clone().or(late.clone()).since;
        assert_eq!((latest, late.clone().or(early).since), (late.since, late.since));
    }

    #[test]
    fn what_cannot_be_read_never_means_more() {
        let (terms, faults) = terms(&[
            ("CPVO_URL", "http://cpvo.acme.example"),
            ("CPVO_TOKEN", "a b"),
            ("CPVO_SINCE", "yesterday"),
            ("CPVO_SCOPE", "everything"),
            ("CPVO_IDENTITY", "email"),
            ("CPVO_BRANCHES", "no"),
            ("CPVO_DEVELOPERS", " , "),
        ]);
        assert_eq!(faults.len(), 7, "{faults:?}");
        assert_eq!((terms.address, terms.token), (None, None));
        assert_eq!(terms.since, Some(Timestamp::MAX));
        assert_eq!(terms.scope, Some(Scope::Off));
        assert_eq!(terms.branches, Some(Branches::Hashed));
    }

    #[test]
    fn a_token_never_goes_to_another_origin() {
        let (own, _) = terms(&[("CPVO_URL", "https://a.example")]);
        let (other, _) = terms(&[("CPVO_URL", "https://b.example"), ("CPVO_TOKEN", "secret")]);
        assert_eq!(own.or(other).token, None);
        let (own, _) = terms(&[("CPVO_URL", "https://a.example/x")]);
        let (same, _) = terms(&[("CPVO_URL", "https://a.example"), ("CPVO_TOKEN", "secret")]);
        assert!(own.or(same).token.is_some());
    }

    #[test]
    fn since_is_a_date_or_an_instant() {
        assert_eq!(instant("2026-11-01"), "2026-11-01T00:00:00Z".parse().ok());
        assert_eq!(instant("2026-11-01T10:00:00+02:00"), "2026-11-01T08:00:00Z".parse().ok());
        assert_eq!(instant("soon"), None);
    }
}
