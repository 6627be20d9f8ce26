//! Running text that names what it takes back or brings again.

use super::reference::{named, reference};
use super::{Mention, Place, Verb, verb};
use crate::text::Repo;
use std::ops::Range;

/// Every mention in running text.
pub(super) fn prose(text: &str, repo: &Repo, mentions: &mut Vec<Mention>) {
    let mut fenced = false;
    let mut words: Vec<(&str, bool)> = Vec::new(); // each with whether its line begins with it
    let mut listed: Option<Verb> = None;
    for line in text.lines().map(str::trim) {
        fenced ^= line.starts_with("```");
        if fenced || line.starts_with(['>', '`']) {
            continue;
        }
        let bullet = line.strip_prefix("* ").or_else(|| line.strip_prefix("- "));
        if let (Some(verb), Some(item)) = (listed, bullet) {
            let found = item.split_whitespace().find_map(|word| reference(word, false, repo)).flatten();
            mentions.extend(found.map(|(rule, target)| Mention {
                rule,
                target,
                again: verb.again,
                partial: false,
                place: if words.len() == 1 { Place::Opening } else { Place::Passing },
            }));
            continue;
        }
        if !line.is_empty() {
            listed = line.strip_suffix(':').and_then(verb);
        }
        let starts = bullet.is_none();
        words.extend(line.split_whitespace().enumerate().map(|(index, word)| (word, index == 0 && starts)));
    }
    for at in 0..words.len() {
        if let Some((verb, length)) = verb_at(&words, at) {
            said(&words, at..at + length, verb, repo, mentions);
        }
    }
}

/// What may stand before a verb at the beginning of a line.
const OPENERS: [&str; 12] = [
    "this",
    "it",
    "pr",
    "change",
    "commit",
    "patch",
    "mr",
    "and",
    "also",
    "partially",
    "temporarily",
    "manually",
];
/// What turns a verb into something else than a statement of what this change does.
const TURNS: [&str; 25] = [
    "not", "never", "cannot", "without", "before", "after", "since", "until", "if", "when", "unless",
    "avoid", "instead", "than", "should", "would", "could", "might", "may", "consider", "stop", "stops",
    "nothing", "longer", "bug",
];

/// Whether a word turns what follows; one that ends its clause does not.
pub(in crate::outcome) fn turns(word: &str) -> bool {
    if word.ends_with([',', ';', ':', '.']) {
        return false;
    }
    let word = word.trim_matches(|c: char| !c.is_alphanumeric() && c != '\'').to_lowercase();
    TURNS.contains(&word.as_str()) || word.ends_with("n't")
}

/// The targets after the verb that stands at `span`, where it states what this change does.
fn said(words: &[(&str, bool)], span: Range<usize>, verb: Verb, repo: &Repo, mentions: &mut Vec<Mention>) {
    let at = span.start;
    let mut first = at;
    while !words[first].1 && first > 0 && OPENERS.contains(&words[first - 1].0.to_lowercase().as_str()) {
        first -= 1;
    }
    let opens = words[first].1;
    let turned = at > 0 && !words[at].1 && (at.saturating_sub(2)..at).any(|before| turns(words[before].0));
    let mut next = span.end;
    let word = |at: usize| words.get(at).map_or("", |(word, _)| *word);
    let states = verb.doing || word(next).eq_ignore_ascii_case("of");
    if turned || !(opens || states) {
        return;
    }
    let mut partial = at > 0 && word(at - 1).eq_ignore_ascii_case("partially");
    let place = if first == 0 && opens { Place::Opening } else { Place::Passing };
    let (mut commit, mut request) = (false, false);
    loop {
        match word(next).to_lowercase().as_str() {
            "part" | "parts" => partial = true,
            "of" | "the" | "merge" | "changes" | "from" => {}
            "commit" | "commits" => commit = true,
            "pr" | "prs" | "mr" | "pull" | "request" | "requests" => request = true,
            _ => break,
        }
        next += 1;
    }
    loop {
        let token = word(next);
        let found = if commit { named(token, repo) } else { reference(token, request, repo) };
        let Some(found) = found else { return };
        let again = verb.again;
        mentions.extend(found.map(|(rule, target)| Mention { rule, target, again, partial, place }));
        next += 1;
        let joined = matches!(word(next), "and" | "&" | ",");
        if !joined && !token.ends_with(',') {
            return;
        }
        next += usize::from(joined);
        next += usize::from(matches!(word(next), "and" | "&"));
    }
}

/// The verb at `at` and how many words it is. Those that also say other things than `revert` state nothing but
/// where a line begins with them, and nothing of a title.
fn verb_at(words: &[(&str, bool)], at: usize) -> Option<(Verb, usize)> {
    let word =
        |at: usize| words.get(at).map_or("", |(word, _)| word.trim_start_matches(['(', '"', '*', '_']));
    if let Some(verb) = verb(word(at)) {
        return Some((verb, 1));
    }
    let length = match (word(at).to_lowercase().as_str(), word(at + 1).to_lowercase().as_str()) {
        ("back" | "backs" | "backed" | "backing", "out")
        | ("roll" | "rolls" | "rolled" | "rolling", "back") => 2,
        ("backout" | "rollback" | "undo" | "undoes" | "undoing", _) => 1,
        _ => return None,
    };
    Some((Verb { again: false, doing: false }, length))
}
