//! A word that refers to a commit or a request.

use super::{Rule, Target};
use crate::outcome::landing::number;
use crate::text::Repo;

pub(in crate::outcome) type Found = Option<(Rule, Target)>;

/// A word after `commit`: a bare id, however short, or its address.
pub(in crate::outcome) fn named(token: &str, repo: &Repo) -> Option<Found> {
    let bare = bare(token);
    match hex(bare) {
        Some(id) => Some(Some((Rule::Commit, Target::Commit(id)))),
        None => reference(token, false, repo),
    }
}

fn bare(token: &str) -> &str {
    token.trim_matches(|c: char| !c.is_alphanumeric() && !matches!(c, '#' | '!' | '/'))
}

/// A word that refers to something; `None` inside where that is of another repository.
pub(in crate::outcome) fn reference(token: &str, request: bool, repo: &Repo) -> Option<Found> {
    let bare = bare(token).trim_end_matches('/');
    if let Some((_, address)) = bare.split_once("://") {
        return Some(addressed(address, repo));
    }
    if let Some((place, digits)) = bare.split_once(['#', '!']) {
        let number = number(digits)?;
        let ours = matches!(place, "" | "PR" | "pr" | "MR" | "mr") || is_ours(place, repo);
        return Some(ours.then_some((Rule::Reference, Target::Number(number))));
    }
    if let Some((place, id)) = bare.split_once('@')
        && let Some(id) = hex(id)
    {
        return Some(is_ours(place, repo).then_some((Rule::Commit, Target::Commit(id))));
    }
    if request {
        let number = number(bare)?;
        return Some(Some((Rule::Reference, Target::Number(number))));
    }
    // a word of hexadecimal letters or digits alone may be anything
    let mixed =
        bare.bytes().any(|byte| byte.is_ascii_digit()) && bare.bytes().any(|byte| byte.is_ascii_alphabetic());
    let id = hex(bare).filter(|id| mixed || id.len() >= 40)?;
    Some(Some((Rule::Commit, Target::Commit(id))))
}

/// Whether `owner/name` or `name` is this repository.
fn is_ours(place: &str, repo: &Repo) -> bool {
    let (_, path) = repo.as_str().split_once('/').unwrap_or_default();
    let name = path.rsplit('/').next().unwrap_or_default();
    place.eq_ignore_ascii_case(path) || place.eq_ignore_ascii_case(name)
}

/// `host/owner/name/pull/12` and the like, where it is ours.
fn addressed(address: &str, repo: &Repo) -> Found {
    let path = address.get(..repo.as_str().len()).filter(|path| path.eq_ignore_ascii_case(repo.as_str()))?;
    let rest = address[path.len()..].strip_prefix('/')?;
    let rest = rest.strip_prefix("-/").unwrap_or(rest);
    let (kind, name) = rest.split_once('/')?;
    let name = name.split(['/', '#', '?']).next()?;
    match kind {
        "pull" | "pulls" | "merge_requests" | "pull-requests" => {
            Some((Rule::Reference, Target::Number(number(name)?)))
        }
        "commit" | "commits" => Some((Rule::Commit, Target::Commit(hex(name)?))),
        _ => None,
    }
}

/// 7 to 64 hexadecimal digits, in lower case.
pub(super) fn hex(text: &str) -> Option<String> {
    let fits = (7..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    fits.then(|| text.to_ascii_lowercase())
}
