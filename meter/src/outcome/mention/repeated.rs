//! A subject that repeats the title of what it takes back or brings again.

use super::{Mention, Place, Rule, Target, Verb, closing, leads, unlabelled};
use crate::outcome::landing::{behind, number, uncut};

/// What a subject repeats of its target; exactly one layer is taken off.
pub(super) struct Repeated<'a> {
    verb: Verb,
    text: &'a str,
    /// Behind it, of the target or the change's own.
    number: Option<u64>,
    /// Only the beginning is there.
    cut: bool,
    /// The subject has the form of a repair, not only its word.
    pub is_form: bool,
}

pub(super) fn repeated(subject: &str) -> Option<Repeated<'_>> {
    quoted(subject).or_else(|| unquoted(subject)).or_else(|| second_take(subject))
}

/// `Revert "title"`, `chore: revert "title"`.
fn quoted(subject: &str) -> Option<Repeated<'_>> {
    let (word, rest) = unlabelled(subject).split_once(' ')?;
    let verb = leads(word)?;
    let mut inner = rest.chars();
    let close = closing(inner.next()?)?;
    let inner = inner.as_str();
    let closed = inner.rsplit_once(close);
    // what is quoted is the title only where nothing but numbers follow
    if closed.is_some_and(|(_, rest)| !rest.split_whitespace().all(|word| behind(word).is_some())) {
        return None;
    }
    let text = closed.map_or(inner, |(text, _)| text);
    let cut = closed.is_none() || uncut(text).is_some();
    Some(Repeated { verb, text: uncut(text).unwrap_or(text), number: None, cut, is_form: true })
}

/// `revert(scope): title (#12) (#14)`, `Revert title (#12) (#14)`: the last number is the change's own, or the only
/// one that of its target.
fn unquoted(subject: &str) -> Option<Repeated<'_>> {
    let last = behind(subject).map(|(_, number)| number);
    let own = without_own(subject);
    let (word, text) = unlabelled(own).split_once(' ')?;
    let verb = leads(word)?;
    let is_form = own.starts_with(word) && (word.ends_with(':') || behind(text).is_some());
    Some(Repeated { verb, text: text.trim(), number: last, cut: false, is_form })
}

/// `title (take 2)`
fn second_take(subject: &str) -> Option<Repeated<'_>> {
    const MARKS: [&str; 7] =
        ["(take 2)", "[take 2]", "take 2", "(take two)", "(second attempt)", "(reland)", "(re-land)"];
    let own = without_own(subject);
    let lower = own.to_ascii_lowercase();
    let mark = MARKS.into_iter().find(|mark| lower.ends_with(mark))?;
    let text = own[..own.len() - mark.len()].trim_end_matches([' ', ',', '-', ':']);
    Some(Repeated {
        verb: Verb { again: true, ..Verb::default() },
        text,
        number: None,
        cut: false,
        is_form: false,
    })
}

fn without_own(subject: &str) -> &str {
    behind(subject).map_or(subject, |(title, _)| title)
}

impl Repeated<'_> {
    pub(super) fn mentions(&self) -> Vec<Mention> {
        let again = self.verb.again;
        let mention = |rule, target| Mention { rule, target, again, partial: false, place: Place::Subject };
        let merged = self.text.strip_prefix("Merge pull request #");
        let merged = merged.and_then(|rest| number(rest.split(' ').next()?));
        let (title, named) = behind(self.text)
            .map_or((self.text, merged.or(self.number)), |(title, number)| (title, Some(number)));
        let mut mentions = Vec::new();
        mentions.extend(named.map(|number| mention(Rule::Number, Target::Number(number))));
        if !title.is_empty() {
            mentions.push(mention(Rule::Title, Target::Title { text: title.to_owned(), cut: self.cut }));
        }
        mentions
    }
}
