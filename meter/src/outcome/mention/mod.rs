//! What a message says it takes back or brings again. A bare word says nothing: a mention names its target.

use super::landing::{behind, subject_and_body, uncut};
use crate::text::Repo;

/// How a target was named, strongest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Rule {
    /// By its commit: `This reverts commit 1a2b3c4`.
    Commit,
    /// By the branch a host made for it: `revert-12-…`.
    Branch,
    /// By a reference: `Reverts #12`.
    Reference,
    /// By the number behind the title it repeats: `Revert "title (#12)"`.
    Number,
    /// By that title alone: `Revert "title"`.
    Title,
}

impl Rule {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Commit => "commit",
            Self::Branch => "branch",
            Self::Reference => "reference",
            Self::Number => "number",
            Self::Title => "title",
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
}

/// What one message says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Words {
    pub mentions: Vec<Mention>,
    /// Its subject is nothing but that: the change is a repair, or the repair of one.
    pub is_repair: bool,
}

/// Reads the message of a commit or the text of a request in `repo`.
pub fn words(message: &str, repo: &Repo) -> Words {
    let (subject, body) = subject_and_body(message);
    let mut mentions = Vec::new();
    prose(without_own(&subject), repo, &mut mentions);
    let repeated = repeated(&subject);
    let is_repair = !mentions.is_empty() || repeated.as_ref().is_some_and(|repeated| repeated.is_form);
    mentions.extend(repeated.iter().flat_map(Repeated::mentions));
    prose(body, repo, &mut mentions);
    Words { mentions, is_repair }
}

/// The request or commit whose button made a branch of this name.
pub fn branch_words(branch: &str) -> Option<Mention> {
    let from = branch.find("revert-").filter(|at| *at == 0 || branch[..*at].ends_with('/'))?;
    let rest = &branch[from + "revert-".len()..];
    let (name, more) = rest.split_once('-').map_or((rest, false), |(name, _)| (name, true));
    let digits = name.bytes().all(|byte| byte.is_ascii_digit());
    let target = match name.parse() {
        Ok(number) if digits && (more || name.len() < 7) => Target::Number(number),
        _ => Target::Commit(hex(name)?),
    };
    Some(Mention { rule: Rule::Branch, target, again: false, partial: false })
}

/// What a word does to its target.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Verb {
    again: bool,
    /// `reverts`, `reverting`: it says what this change does wherever it stands.
    doing: bool,
}

fn verb(word: &str) -> Option<Verb> {
    let word = word.trim_end_matches(':').to_lowercase();
    let (again, stem) = match word.strip_prefix("un-").or_else(|| word.strip_prefix("un")) {
        Some(stem) => (true, stem),
        None => (false, word.as_str()),
    };
    let stem = stem.strip_prefix("re-").map_or_else(|| stem.to_owned(), |stem| format!("re{stem}"));
    match stem.as_str() {
        "revert" | "reverted" => Some(Verb { again, doing: false }),
        "reverts" | "reverting" => Some(Verb { again, doing: true }),
        "reland" | "relanded" | "reapply" | "reapplied" if !again => Some(Verb { again: true, doing: false }),
        "relands" | "relanding" | "reapplies" | "reapplying" if !again => {
            Some(Verb { again: true, doing: true })
        }
        _ => None,
    }
}

const QUOTES: [(char, char); 3] = [('"', '"'), ('“', '”'), ('\'', '\'')];

/// What a subject repeats of its target; exactly one layer is taken off.
struct Repeated<'a> {
    verb: Verb,
    text: &'a str,
    /// Only the beginning is there.
    cut: bool,
    /// The subject has the form of a repair, not only its word.
    is_form: bool,
}

fn repeated(subject: &str) -> Option<Repeated<'_>> {
    quoted(subject).or_else(|| unquoted(subject)).or_else(|| second_take(subject))
}

/// `Revert "title"`, `chore: revert "title"`.
fn quoted(subject: &str) -> Option<Repeated<'_>> {
    let mut start = subject;
    loop {
        let (word, rest) = start.split_once(' ')?;
        if let Some(verb) = verb(word) {
            let (open, close) = QUOTES.into_iter().find(|(open, _)| rest.starts_with(*open))?;
            let inner = &rest[open.len_utf8()..];
            let closed = inner.rfind(close).map(|end| (&inner[..end], &inner[end + close.len_utf8()..]));
            // what is quoted is the title only where nothing but numbers follow
            if closed.is_some_and(|(_, rest)| !rest.split_whitespace().all(|word| behind(word).is_some())) {
                return None;
            }
            let text = closed.map_or(inner, |(text, _)| text);
            let cut = closed.is_none() || uncut(text).is_some();
            return Some(Repeated { verb, text: uncut(text).unwrap_or(text), cut, is_form: true });
        }
        // what stands before it is a label: `fix(pay):`, `[api]`
        if !word.ends_with([':', ']']) {
            return None;
        }
        start = rest;
    }
}

/// `revert(scope): title (#12) (#14)`, `Revert title (#12) (#14)`: the last number is the change's own.
fn unquoted(subject: &str) -> Option<Repeated<'_>> {
    let (word, text) = without_own(subject).split_once(' ')?;
    let verb = verb(word.split(['(', '!']).next()?)?;
    let is_form = word.ends_with(':') || behind(text).is_some();
    Some(Repeated { verb, text: text.trim(), cut: false, is_form })
}

/// `title (take 2)`
fn second_take(subject: &str) -> Option<Repeated<'_>> {
    const MARKS: [&str; 5] = ["(take 2)", "[take 2]", "take 2", "(take two)", "(second attempt)"];
    let own = without_own(subject);
    let lower = own.to_ascii_lowercase();
    let mark = MARKS.into_iter().find(|mark| lower.ends_with(mark))?;
    let text = own[..own.len() - mark.len()].trim_end_matches([' ', ',', '-', ':']);
    Some(Repeated { verb: Verb { again: true, doing: false }, text, cut: false, is_form: false })
}

fn without_own(subject: &str) -> &str {
    behind(subject).map_or(subject, |(title, _)| title)
}

impl Repeated<'_> {
    fn mentions(&self) -> Vec<Mention> {
        let mention = |rule, target| Mention { rule, target, again: self.verb.again, partial: false };
        let merged = self.text.strip_prefix("Merge pull request #");
        let merged = merged.and_then(|rest| rest.split(' ').next()?.parse().ok());
        let (title, number) =
            behind(self.text).map_or((self.text, merged), |(title, number)| (title, Some(number)));
        let mut mentions = Vec::new();
        mentions.extend(number.map(|number| mention(Rule::Number, Target::Number(number))));
        if !title.is_empty() {
            mentions.push(mention(Rule::Title, Target::Title { text: title.to_owned(), cut: self.cut }));
        }
        mentions
    }
}

/// Every mention in running text.
fn prose(text: &str, repo: &Repo, mentions: &mut Vec<Mention>) {
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
        if let Some(verb) = verb(words[at].0.trim_start_matches(['(', '"', '*', '_'])) {
            said(&words, at, verb, repo, mentions);
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
const TURNS: [&str; 20] = [
    "not", "never", "cannot", "without", "before", "after", "since", "until", "if", "when", "unless",
    "avoid", "instead", "than", "should", "would", "could", "might", "may", "consider",
];

fn turns(word: &str) -> bool {
    let word = word.trim_matches(|c: char| !c.is_alphanumeric() && c != '\'').to_lowercase();
    TURNS.contains(&word.as_str()) || word.ends_with("n't")
}

/// The targets after the verb at `at`, where it states what this change does.
fn said(words: &[(&str, bool)], at: usize, verb: Verb, repo: &Repo, mentions: &mut Vec<Mention>) {
    let mut first = at;
    while !words[first].1 && first > 0 && OPENERS.contains(&words[first - 1].0.to_lowercase().as_str()) {
        first -= 1;
    }
    let opens = words[first].1;
    let turned = at > 0 && !words[at].1 && (at.saturating_sub(2)..at).any(|before| turns(words[before].0));
    let mut next = at + 1;
    let word = |at: usize| words.get(at).map_or("", |(word, _)| *word);
    let states = verb.doing || word(next).eq_ignore_ascii_case("of");
    if turned || !(opens || states) {
        return;
    }
    let mut partial = at > 0 && word(at - 1).eq_ignore_ascii_case("partially");
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
        mentions.extend(found.map(|(rule, target)| Mention { rule, target, again: verb.again, partial }));
        next += 1;
        let joined = matches!(word(next), "and" | "&" | ",");
        if !joined && !token.ends_with(',') {
            return;
        }
        next += usize::from(joined);
        next += usize::from(matches!(word(next), "and" | "&"));
    }
}

type Found = Option<(Rule, Target)>;

/// A word after `commit`: a bare id, however short, or its address.
fn named(token: &str, repo: &Repo) -> Option<Found> {
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
fn reference(token: &str, request: bool, repo: &Repo) -> Option<Found> {
    let bare = bare(token).trim_end_matches('/');
    if let Some((_, address)) = bare.split_once("://") {
        return Some(addressed(address, repo));
    }
    if let Some((place, number)) = bare.split_once(['#', '!']) {
        let number: u64 = number.parse().ok()?;
        let (_, path) = repo.as_str().split_once('/').unwrap_or_default();
        let ours = place.is_empty()
            || matches!(place, "PR" | "pr" | "MR" | "mr")
            || place.eq_ignore_ascii_case(path)
            || place.eq_ignore_ascii_case(path.rsplit('/').next().unwrap_or_default());
        return Some(ours.then_some((Rule::Reference, Target::Number(number))));
    }
    if request {
        let number = bare.parse().ok()?;
        return Some(Some((Rule::Reference, Target::Number(number))));
    }
    // a word of hexadecimal letters or digits alone may be anything
    let mixed =
        bare.bytes().any(|byte| byte.is_ascii_digit()) && bare.bytes().any(|byte| byte.is_ascii_alphabetic());
    let id = hex(bare).filter(|id| mixed || id.len() >= 40)?;
    Some(Some((Rule::Commit, Target::Commit(id))))
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
            Some((Rule::Reference, Target::Number(name.parse().ok()?)))
        }
        "commit" | "commits" => Some((Rule::Commit, Target::Commit(hex(name)?))),
        _ => None,
    }
}

/// 7 to 64 hexadecimal digits, in lower case.
fn hex(text: &str) -> Option<String> {
    let fits = (7..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    fits.then(|| text.to_ascii_lowercase())
}

#[cfg(test)]
mod tests;
