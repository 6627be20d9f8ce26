//! Which change an incident names as what it comes from.

use super::mention::{Target, named, reference};
use crate::text::Repo;

/// The one change that a text in `repo` blames: `caused by #12`, `introduced in 1a2b3c4`, `root cause: <address>`. A
/// heading blames what stands below it, a quote nobody.
pub fn blamed(text: &str, repo: &Repo) -> Option<Target> {
    let said = text.lines().filter(|line| !line.trim_start().starts_with('>'));
    let words: Vec<&str> = said.flat_map(str::split_whitespace).collect();
    let word = |at: usize| bare(words.get(at).copied().unwrap_or_default());
    let said = |at: usize| {
        begins(&word, at).filter(|_| !words[at.saturating_sub(2)..at].iter().any(|before| denies(before)))
    };
    let mut targets = (0..words.len()).filter_map(|at| target(&words, said(at)?, repo));
    let first = targets.next()?;
    targets.all(|other| other == first).then_some(first)
}

fn bare(word: &str) -> String {
    word.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase()
}

/// Whether a word says that what follows is not so, or may not be; one that ends its clause does not.
fn denies(word: &str) -> bool {
    let word = word.to_lowercase();
    matches!(&*word, "no" | "not" | "never" | "may" | "might" | "could") || word.ends_with("n't")
}

/// Where the name begins of what brought something, if these words say so.
pub(super) fn brought(word: &impl Fn(usize) -> String, at: usize) -> Option<usize> {
    let is_brought = matches!(&*word(at), "introduced" | "caused" | "broken");
    (is_brought && matches!(&*word(at + 1), "by" | "in")).then_some(at + 2)
}

fn begins(word: &impl Fn(usize) -> String, at: usize) -> Option<usize> {
    match (&*word(at), &*word(at + 1)) {
        ("regression", "from" | "in") => Some(at + 2),
        ("root", "cause") => Some(at + 2 + usize::from(matches!(&*word(at + 2), "is" | "was"))),
        _ => brought(word, at),
    }
}

fn target(words: &[&str], at: usize, repo: &Repo) -> Option<Target> {
    let (of, name) = (bare(words.get(at)?), words.get(at + 1));
    let found = match &*of {
        "pr" | "mr" => reference(name?, true, repo),
        "commit" => named(name?, repo),
        _ => reference(words[at], false, repo),
    };
    found?.map(|(_, target)| target)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<&str>) {
        let target = match blamed(text, &"github.com/acme/pay".parse().unwrap()) {
            Some(Target::Number(number)) => Some(format!("#{number}")),
            Some(Target::Commit(id)) => Some(id),
            _ => None,
        };
        assert_eq!(target.as_deref(), expected, "{text}");
    }

    #[test]
    fn an_incident_names_the_change_it_comes_from() {
        for text in [
            "Caused by #12.",
            "Checkout is down\n\nIt was introduced in PR 12, and (introduced by #12)",
            "a regression from acme/pay#12",
            "**Root cause:** https://github.com/acme/pay/pull/12/files",
            "### Root cause\n\n#12\n\n### Impact\n\nsee #13",
            "The root cause was #12",
            "broken by !12",
            "a crash when saving, a bug introduced in #12",
        ] {
            check(text, Some("#12"));
        }
        check("Introduced in 1a2b3c4d", Some("1a2b3c4d"));
        check("caused by commit 1234567", Some("1234567"));
    }

    #[test]
    fn what_names_none_or_several_names_no_change() {
        for text in [
            "",
            "see #12",
            "caused by a full disk",
            "> caused by #12",
            "caused by #12\n\nno: caused by #13",
            "caused by other/project#12",
            "the root cause is unknown #12",
            "fixed in #12",
            "It was not caused by #12",
            "No regression from #12",
            "It may be caused by #12",
            "This wasn't introduced in #12",
        ] {
            check(text, None);
        }
    }
}
