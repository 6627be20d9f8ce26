//! What is taken back where something of it is named first.

use super::prose::{Named, Word};
use super::reference::Found;
use super::{Rule, Target};
use crate::text::Repo;

/// How far behind its verb a target may stand.
const PORTION_WORDS_MAX: usize = 16;

/// What is taken back where something of it is named first, and whether that is a part by its own words: `reverts the
/// guard added in #12`, `revert some of the changes from 1a2b3c4`, `reverts the guard (#12)`, `revert changes to pay.rs
/// from #12`.
pub(super) fn portion(words: &[Word], from: usize, repo: &Repo) -> Option<(Rule, Target, bool)> {
    let mut partial = false;
    let word = |at: usize| words.get(at).map_or(String::new(), |(word, _)| word.to_lowercase());
    let changes_to =
        |at: usize| at > from && word(at) == "to" && ["change", "changes"].contains(&word(at - 1).as_str());
    let is_pronoun = ["this", "it", "that", "them"].contains(&word(from).as_str());
    if is_pronoun && ["in", "by"].contains(&word(from + 1).as_str()) {
        return None; // where it was done
    }
    let near = (from..words.len()).take(PORTION_WORDS_MAX);
    let clause = near.take_while(|at| {
        let ends = |word: &str| word.ends_with(['.', ',', ';', ':', ')']) || OTHERWISE.contains(&word);
        *at == from || !ends(&word(at - 1)) || changes_to(at - 1)
    });
    // what a quoted title says is about something else
    let ends_quote = |at: usize| words[at].0.ends_with(['"', '”']);
    let in_quote = |at: usize| words[from].0.starts_with(['"', '“']) && !(from..at).any(ends_quote);
    let mut told_where = false;
    for at in clause {
        told_where |= changes_to(at);
        if at > from
            && let Some(found) = aside(words, at, repo)
        {
            return found.map(|(rule, target)| (rule, target, partial));
        }
        let word = words[at].0.trim_end_matches(':').to_lowercase();
        partial |= ["part", "parts", "portion", "some", "few", "much", "most"].contains(&word.as_str());
        // something stands between the verb and where it is from
        let origins: &[&str] = if told_where { &["from"] } else { &["from", "of", "in", "by"] };
        if at == from || in_quote(at) || !origins.contains(&word.as_str()) {
            continue;
        }
        let (mut named_as, mut next) = (Named::default(), at + 1);
        let word = |at: usize| words.get(at).map_or(String::new(), |(word, _)| word.to_lowercase());
        while word(next) == "the" || named_as.says(&word(next)) {
            next += 1;
        }
        if let Some((token, _)) = words.get(next)
            && let Some(Some((rule, target))) = named_as.token(token, repo)
        {
            return Some((rule, target, partial));
        }
    }
    None
}

/// What is named in brackets, and nothing else: `(#12)`, `(commit 1a2b3c4)`.
fn aside(words: &[Word], at: usize, repo: &Repo) -> Option<Found> {
    let mut named_as = Named::default();
    let (mut word, mut next) = (words[at].0.strip_prefix('(')?, at + 1);
    while named_as.says(&word.to_lowercase()) {
        word = words.get(next)?.0;
        next += 1;
    }
    let name = word.trim_end_matches(['.', ',', ';']).strip_suffix(')')?;
    named_as.token(name, repo)
}

/// What comes after it is why or where to, not what.
const OTHERWISE: [&str; 9] = ["to", "because", "as", "since", "due", "when", "for", "so", "until"];
