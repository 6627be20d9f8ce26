//! What a message says it takes back or brings again. A bare word says nothing: a mention names its target.

mod portion;
mod prose;
mod reference;
mod repeated;

use super::landing::{behind, number, subject_and_body};
use crate::text::Repo;
use prose::prose;
pub(super) use prose::turns;
use reference::hex;
pub(super) use reference::{named, reference};
use repeated::{Repeated, repeated};

/// How a target was named, strongest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Rule {
    /// By its commit: `This reverts commit 1a2b3c4`.
    Commit,
    /// By the branch a host made for it: `revert-12-…`.
    Branch,
    /// By a tag of that form.
    Tag,
    /// By a reference: `Reverts #12`.
    Reference,
    /// By the number behind the title it repeats: `Revert "title (#12)"`.
    Number,
    /// By that title alone: `Revert "title"`.
    Title,
    /// By no word: its patch is exactly that of its target, turned round.
    Inverse,
}

impl Rule {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Commit => "commit",
            Self::Branch => "branch",
            Self::Tag => "tag",
            Self::Reference => "reference",
            Self::Number => "number",
            Self::Title => "title",
            Self::Inverse => "inverse patch",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A full or short commit id in lower case.
    Commit(String),
    Number(u64),
    /// A title, `cut` where only its beginning is known.
    Title {
        text: String,
        cut: bool,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mention {
    pub rule: Rule,
    pub target: Target,
    /// It brings the target again instead of taking it back.
    pub again: bool,
    /// By its own words it takes back a part only.
    pub partial: bool,
    pub place: Place,
}

impl Mention {
    /// Of a change whose patch is that of the commit `sha`, turned round.
    pub fn inverse(sha: &str) -> Self {
        let target = Target::Commit(sha.to_owned());
        Self { rule: Rule::Inverse, target, again: false, partial: false, place: Place::Subject }
    }
}

/// Where a message says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// As the first thing of its subject, or by the name of its branch: the change is nothing but that.
    Subject,
    /// As the first thing of its body: the change is nothing but that unless it touches more.
    Opening,
    /// Somewhere else: the change does that, too.
    Passing,
}

/// What one message says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Words {
    pub mentions: Vec<Mention>,
    /// Its subject has the form of one: the change is a repair, or the repair of one, of whatever target.
    pub is_repair: bool,
}

/// Reads the message of a commit or the text of a request in `repo`.
pub fn words(message: &str, repo: &Repo) -> Words {
    let (subject, body) = subject_and_body(message);
    let mut mentions = Vec::new();
    prose(unlabelled(without_numbers(&subject)), repo, &mut mentions);
    for mention in mentions.iter_mut().filter(|mention| mention.place == Place::Opening) {
        mention.place = Place::Subject;
    }
    let repeated = repeated(&subject);
    let is_repair = mentions.iter().any(|mention| mention.place == Place::Subject)
        || repeated.as_ref().is_some_and(|repeated| repeated.is_form);
    for mention in repeated.iter().flat_map(Repeated::mentions) {
        if !mentions.contains(&mention) {
            mentions.push(mention);
        }
    }
    if is_release(&subject) {
        // what it lists was done before
        let told = |line: &&str| !line.trim_start().starts_with(['*', '-']);
        prose(&body.lines().filter(told).collect::<Vec<_>>().join("\n"), repo, &mut mentions);
    } else {
        prose(body, repo, &mut mentions);
    }
    Words { mentions, is_repair }
}

/// Whether a subject is that of a release: `Release 1.2`, `chore(release): v1.2.0`, `v1.2.0`.
fn is_release(subject: &str) -> bool {
    let version = |word: &str| {
        let word = word.strip_prefix('v').unwrap_or(word);
        word.contains('.') && word.starts_with(|c: char| c.is_ascii_digit())
    };
    let mut words = without_numbers(subject).split_whitespace();
    let Some(last) = words.next_back() else { return false };
    let says = |word: &str| matches!(&*word.to_lowercase(), "release" | "chore(release):" | "release:");
    version(last) && words.all(says)
}

/// A subject without the numbers behind it, which are read with the title before them.
fn without_numbers(subject: &str) -> &str {
    behind(subject).map_or(subject, |(title, _)| without_numbers(title))
}

/// Whether a title begins as that of a repair does.
pub(super) fn takes_back(title: &str) -> bool {
    unlabelled(title).split_once(' ').is_some_and(|(word, _)| leads(word).is_some())
}

/// The request or commit that a tag of this name says was taken back.
pub fn tag_words(tag: &str) -> Option<Mention> {
    branch_words(tag).map(|mention| Mention { rule: Rule::Tag, ..mention })
}

/// The request or commit whose button made a branch of this name.
pub fn branch_words(branch: &str) -> Option<Mention> {
    let from = branch.find("revert-").filter(|at| *at == 0 || branch[..*at].ends_with('/'))?;
    let rest = &branch[from + "revert-".len()..];
    // hosts put the branch behind the number; without one it is a person's, who may mean a ticket
    let target = match rest.split_once('-') {
        Some((digits, _)) if let Some(number) = number(digits) => Target::Number(number),
        Some((id, _)) => Target::Commit(hex(id)?),
        None => Target::Commit(hex(rest)?),
    };
    Some(Mention { rule: Rule::Branch, target, again: false, partial: false, place: Place::Subject })
}

/// What a word does to its target.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Verb {
    again: bool,
    form: Form,
    /// `semi-revert`
    partly: bool,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Form {
    /// `revert`
    #[default]
    Bare,
    /// `reverts`, `reverting`: it says what this change does wherever it stands.
    Doing,
    /// `reverted`: it may be what was done to something.
    Done,
}

fn verb(word: &str) -> Option<Verb> {
    if !word.starts_with(['r', 'R', 's', 'S', 'u', 'U']) {
        return None; // as nearly all words
    }
    let word = word.trim_end_matches(':').to_lowercase();
    let (again, stem) = match word.strip_prefix("un-").or_else(|| word.strip_prefix("un")) {
        Some(stem) => (true, stem),
        None => (false, word.as_str()),
    };
    let (partly, stem) = match stem.strip_prefix("semi-") {
        Some(stem) => (true, stem),
        None => (false, stem),
    };
    let stem = stem.strip_prefix("re-").map_or_else(|| stem.to_owned(), |stem| format!("re{stem}"));
    let (stem, again) = match stem.strip_prefix("revert") {
        Some(ending) => (ending, again),
        None if again => return None,
        None => (stem.strip_prefix("reland").or_else(|| reapplies(&stem))?, true),
    };
    let form = match stem {
        "" => Form::Bare,
        "ed" => Form::Done,
        "s" | "ing" => Form::Doing,
        _ => return None,
    };
    Some(Verb { again, form, partly })
}

/// The ending of `reapply`, as `reland` would have it.
fn reapplies(stem: &str) -> Option<&'static str> {
    match stem {
        "reapply" => Some(""),
        "reapplied" => Some("ed"),
        "reapplies" => Some("s"),
        "reapplying" => Some("ing"),
        _ => None,
    }
}

/// A text without the labels and signs before it: `fix(pay):`, `[api]`, `⏪`.
pub(super) fn unlabelled(text: &str) -> &str {
    let label = |word: &str| word.ends_with([':', ']']) && leads(word).is_none();
    let sign = |word: &str| !word.contains(|c: char| c.is_alphanumeric() || matches!(c, '"' | '#' | '!'));
    match text.split_once(' ') {
        Some((word, rest)) if label(word) || sign(word) => unlabelled(rest),
        _ => text,
    }
}

/// The verb of a word that leads a subject: `Revert`, `revert(scope):`, `revert!:`.
fn leads(word: &str) -> Option<Verb> {
    verb(word.split(['(', '!']).next()?)
}

/// What ends a quotation that begins so, whichever way the writer's keyboard turned it.
fn closing(open: char) -> Option<&'static [char]> {
    match open {
        '"' | '“' | '”' | '„' => Some(&['"', '“', '”']),
        '\'' | '‘' | '’' => Some(&['\'', '‘', '’']),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
