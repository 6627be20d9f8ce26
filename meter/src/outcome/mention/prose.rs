//! Running text that names what it takes back or brings again.

use super::portion::portion;
use super::reference::{Found, hex, named, reference};
use super::{Form, Mention, Place, Rule, Target, Verb, closing, verb};
use crate::outcome::landing::behind;
use crate::text::Repo;
use std::ops::Range;

/// A word, and whether its line begins with it.
pub(super) type Word<'a> = (&'a str, bool);

/// Every mention in running text.
pub(super) fn prose(text: &str, repo: &Repo, mentions: &mut Vec<Mention>) {
    let (mut fenced, mut of_tests) = (false, false);
    let mut paragraphs: Vec<Vec<Word>> = vec![Vec::new()];
    let mut listed: Option<Verb> = None;
    for line in text.lines().map(str::trim) {
        fenced ^= line.starts_with("```");
        if let Some(heading) = heading(line).filter(|_| !fenced) {
            of_tests = heading.split(|c: char| !c.is_alphanumeric()).any(is_test);
            prose(heading, repo, mentions);
            paragraphs.push(Vec::new());
            continue;
        }
        // what was reverted to see a test fail is there, and what git writes at the end
        let is_told = !of_tests || line.starts_with("This reverts commit ");
        if fenced || !is_told || line.starts_with(['>', '`']) {
            continue;
        }
        let bullet = line.strip_prefix("* ").or_else(|| line.strip_prefix("- "));
        if let (Some(verb), Some(item)) = (listed, bullet.or_else(|| names_commit(line))) {
            let found = item.split_whitespace().find_map(|word| reference(word, false, repo)).flatten();
            let opens = paragraphs.iter().map(Vec::len).sum::<usize>() == 1;
            mentions.extend(found.map(|(rule, target)| Mention {
                rule,
                target,
                again: verb.again,
                partial: false,
                place: if opens { Place::Opening } else { Place::Passing },
            }));
            continue;
        }
        if line.is_empty() || bullet.is_some() {
            paragraphs.push(Vec::new());
        }
        let starts = bullet.is_none();
        let words = line.split_whitespace().enumerate().map(|(index, word)| (word, index == 0 && starts));
        let last = paragraphs.len() - 1;
        paragraphs[last].extend(words);
        if !line.is_empty() {
            listed = introduced(&paragraphs[last]);
        }
    }
    paragraphs.retain(|words| !words.is_empty());
    for (index, words) in paragraphs.iter().enumerate() {
        let verbs =
            (0..words.len()).filter_map(|at| verb_at(words, at).map(|(verb, length)| (at, verb, length)));
        let said = verbs.flat_map(|(at, verb, length)| said(words, at..at + length, verb, repo));
        mentions.extend(said.map(|mention| {
            let place = if index == 0 { mention.place } else { Place::Passing };
            Mention { place, ..mention }
        }));
    }
}

/// The text of a heading: `## Test plan`.
fn heading(line: &str) -> Option<&str> {
    line.strip_prefix('#')?.trim_start_matches('#').strip_prefix(' ')
}

fn is_test(word: &str) -> bool {
    matches!(&*word.to_lowercase(), "test" | "tests" | "testing" | "tested")
}

/// What is done to what a list names after this: `Reverts:`, `… reverts the following commits:`.
fn introduced(paragraph: &[Word]) -> Option<Verb> {
    const HEADS: [&str; 5] = ["commits", "changes", "following", "prs", "requests"];
    let (last, starts) = paragraph.last()?;
    let last = last.strip_suffix(':')?;
    if *starts && let Some(verb) = verb(last) {
        return Some(verb);
    }
    if !HEADS.contains(&last.to_lowercase().as_str()) {
        return None;
    }
    let clause = (0..paragraph.len()).rev().take_while(|at| !paragraph[*at].0.ends_with([',', ';', '.']));
    let mut doing = clause.filter_map(|at| Some((at, verb(paragraph[at].0)?)));
    let (at, verb) = doing.find(|(_, verb)| verb.form == Form::Doing)?;
    (!is_turned(paragraph, at)).then_some(verb)
}

/// A line of a list that has no bullets: with the title of a commit, or its id.
fn names_commit(line: &str) -> Option<&str> {
    let is_id = |word: &str| hex(word.trim_end_matches('.')).is_some_and(|id| id.len() >= 10);
    (line.starts_with('"') || line.split_whitespace().any(is_id)).then_some(line)
}

/// What may stand before a verb at the beginning of a line.
const OPENERS: [&str; 20] = [
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
    "effectively",
    "essentially",
    "basically",
    "mostly",
    "fully",
    "just",
    "simply",
    "let's",
];
/// What turns a verb into something else than a statement of what this change does.
const TURNS: [&str; 26] = [
    "no", "not", "never", "cannot", "without", "before", "after", "since", "until", "if", "when", "unless",
    "avoid", "instead", "than", "should", "would", "could", "might", "may", "consider", "stop", "stops",
    "nothing", "longer", "bug",
];

/// Whether a word turns what follows; one that ends its clause does not.
pub(in crate::outcome) fn turns(word: &str) -> bool {
    if ends_clause(word) {
        return false;
    }
    let word = word.trim_matches(|c: char| !c.is_alphanumeric() && c != '\'').to_lowercase();
    TURNS.contains(&word.as_str()) || word.ends_with("n't")
}

fn ends_clause(word: &str) -> bool {
    word.ends_with([',', ';', ':', '.'])
}

/// What may stand between a word that turns and what it turns: `not really a revert`.
const FILLERS: [&str; 8] = ["a", "an", "the", "really", "actually", "exactly", "full", "true"];

/// Whether one of the two words before it in its clause turns what stands at `at`.
fn is_turned(words: &[Word], at: usize) -> bool {
    let clause = words[..at].iter().rev().take_while(|(word, _)| !ends_clause(word));
    clause.filter(|(word, _)| !FILLERS.contains(word)).take(2).any(|(word, _)| turns(word))
}

/// What makes of the words before it something that is told of, or that has not come yet: `Reverts #12 was rejected`,
/// `Revert #12 if it fails`, `rollback of #12 left tables`.
const RETURNS: [&str; 31] = [
    "is",
    "isn't",
    "are",
    "was",
    "wasn't",
    "were",
    "has",
    "had",
    "does",
    "doesn't",
    "did",
    "didn't",
    "will",
    "won't",
    "would",
    "wouldn't",
    "could",
    "couldn't",
    "should",
    "shouldn't",
    "can",
    "can't",
    "may",
    "might",
    "must",
    "if",
    "unless",
    "left",
    "broke",
    "breaks",
    "fails",
];

/// The targets after the verb that stands at `span`, where it states what this change does.
fn said(words: &[Word], span: Range<usize>, verb: Verb, repo: &Repo) -> Vec<Mention> {
    let at = span.start;
    let mut first = at;
    while !words[first].1 && first > 0 && OPENERS.contains(&words[first - 1].0.to_lowercase().as_str()) {
        first -= 1;
    }
    let is_next = first > 0 && words[first - 1].0.ends_with('.') && words[first].0 == "This";
    let opens = words[first].1 || is_next && verb.form != Form::Done;
    let turned = !words[at].1 && is_turned(words, at);
    let mut next = span.end;
    let word = |at: usize| words.get(at).map_or("", |(word, _)| *word);
    let states = verb.form == Form::Doing || word(next).trim_end_matches(':').eq_ignore_ascii_case("of");
    let mut mentions = Vec::new();
    let listed = at == 1 && ["*", "-"].contains(&words[0].0);
    if turned || !(opens || states || listed) {
        return mentions;
    }
    if let Some((title, number)) = title_number(words, next) {
        let place = if opens && first == 0 { Place::Opening } else { Place::Passing };
        let mention = |rule, target| Mention { rule, target, again: verb.again, partial: false, place };
        let title = Target::Title { text: title, cut: false };
        return vec![mention(Rule::Number, Target::Number(number)), mention(Rule::Title, title)];
    }
    if let Some((rule, target)) = named_before(words, at, repo) {
        return vec![Mention { rule, target, again: verb.again, partial: false, place: Place::Passing }];
    }
    if !(opens || states || verb.form != Form::Done && !words.iter().any(of_list)) {
        return mentions;
    }
    let mut partial = verb.partly || at > 0 && word(at - 1).eq_ignore_ascii_case("partially");
    let place = if first == 0 && opens { Place::Opening } else { Place::Passing };
    let mut named_as = Named::default();
    loop {
        match word(next).trim_end_matches(':').to_lowercase().as_str() {
            "part" | "parts" => partial = true,
            "of" | "the" | "merge" | "changes" | "from" => {}
            other if named_as.says(other) => {}
            _ => break,
        }
        next += 1;
    }
    named_as.request |= opens && is_number(words, next);
    if named_as.token(word(next), repo).is_none() {
        let again = verb.again;
        let of = portion(words, span.end, repo)
            .filter(|_| verb.form == Form::Doing || (opens || listed) && verb.form == Form::Bare);
        mentions.extend(of.map(|(rule, target, some)| Mention {
            rule,
            target,
            again,
            partial: partial || some,
            place: Place::Passing,
        }));
        return mentions;
    }
    let again = verb.again;
    let mention = |(rule, target)| Mention { rule, target, again, partial, place };
    named_in_row(words, next, &named_as, repo).into_iter().map(mention).collect()
}

/// The names that begin at `next`, one after the other, up to one that is only told of.
fn named_in_row(words: &[Word], mut next: usize, named_as: &Named, repo: &Repo) -> Vec<(Rule, Target)> {
    let word = |at: usize| words.get(at).map_or("", |(word, _)| *word);
    let mut names = Vec::new();
    loop {
        let token = word(next);
        let Some(found) = named_as.token(token, repo) else { return names };
        // a line may begin with any word
        let returns = words.get(next + 1).is_some_and(|(word, starts)| !starts && RETURNS.contains(word));
        if returns && token.ends_with(|c: char| c.is_alphanumeric()) {
            return names;
        }
        names.extend(found);
        next += 1;
        let joined = matches!(word(next), "and" | "&" | ",");
        if !joined && !token.ends_with(',') && !word(next).starts_with(['#', '!']) {
            return names;
        }
        next += usize::from(joined);
        next += usize::from(matches!(word(next), "and" | "&"));
        if matches!(word(next - 1), "and" | "&") {
            let more = words[next..].iter().take_while(|(word, _)| FOLLOW_UPS.contains(word));
            let is_more = |(word, _): &Word| word.starts_with("follow") || *word == "changes";
            next += if more.clone().any(is_more) { more.count() } else { 0 };
        }
    }
}

/// What may stand before more of the same: `#12 and its follow-ups in #13 and #14`.
const FOLLOW_UPS: [&str; 10] =
    ["its", "the", "their", "follow-up", "follow-ups", "followup", "followups", "changes", "in", "from"];
/// Words that a title may have.
const TITLE_WORDS_MAX: usize = 40;

/// The title in quotes that begins at `from` and ends what it is said in, and the number behind it: behind an item of a
/// list of changes comes its own number, or its author.
fn title_number(words: &[Word], from: usize) -> Option<(String, u64)> {
    let (first, _) = words.get(from)?;
    let close = closing(first.chars().next()?)?;
    let sign = ['*', '_', '.', ','];
    let ends = |at: &usize| {
        words[*at].0.trim_end_matches(sign).ends_with(close) && !words.get(at + 1).is_some_and(of_list)
    };
    let end = (from..words.len()).take(TITLE_WORDS_MAX).find(ends)?;
    let said: Vec<&str> = words[from..=end].iter().map(|(word, _)| *word).collect();
    let said = said.join(" ");
    let quoted = said.trim_end_matches(sign);
    let (_, inner) = quoted.split_at_checked(first.chars().next()?.len_utf8())?;
    // one layer is taken off: within two of them stands what was taken back before
    let is_nested =
        verb(inner.split(' ').next()?).is_some() && inner.chars().rev().nth(1)?.to_string().ends_with(close);
    let (title, number) = behind(inner.trim_end_matches(close)).filter(|_| !is_nested)?;
    Some((title.to_owned(), number))
}

/// What `(reverting it)` says of the name before it.
fn named_before(words: &[Word], at: usize, repo: &Repo) -> Option<(Rule, Target)> {
    let it = words.get(at + 1)?.0.trim_end_matches(['.', ',', ';']);
    let (name, _) = words.get(at.checked_sub(1)?).filter(|_| words[at].0.starts_with('(') && it == "it)")?;
    reference(name, false, repo)?
}

/// Whether a number without a sign stands for a request: of few digits, as a year, or with a word that it counts, it may
/// be anything.
fn is_number(words: &[Word], at: usize) -> bool {
    let Some((word, _)) = words.get(at) else { return false };
    let digits = word.trim_end_matches(['.', ',', ';']);
    let after: Vec<&str> = words[at + 1..].iter().take(2).map(|(word, _)| *word).collect();
    let ends = digits.len() < word.len()
        || matches!(after[..], [] | ["changes"] | ["and" | "&" | "which" | "because" | "due", ..]);
    let is_year = digits.parse().is_ok_and(|year: u32| (1900..=2100).contains(&year));
    ends && !is_year && (4..=7).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether a word tells whose or of what number an item of a list of changes is.
fn of_list((word, starts): &Word) -> bool {
    !starts && (word.starts_with(['(', '[', '@']) || *word == "by")
}

/// What the words before a name say that it is.
#[derive(Default)]
pub(super) struct Named {
    commit: bool,
    request: bool,
}

impl Named {
    pub(super) fn says(&mut self, word: &str) -> bool {
        match word {
            "commit" | "commits" => self.commit = true,
            "pr" | "prs" | "mr" | "pull" | "request" | "requests" => self.request = true,
            _ => return false,
        }
        true
    }

    pub(super) fn token(&self, token: &str, repo: &Repo) -> Option<Found> {
        if self.commit { named(token, repo) } else { reference(token, self.request, repo) }
    }
}

/// The verb at `at` and how many words it is. Those that also say other things than `revert` state nothing but
/// where a line begins with them, and nothing of a title.
fn verb_at(words: &[Word], at: usize) -> Option<(Verb, usize)> {
    let word =
        |at: usize| words.get(at).map_or("", |(word, _)| word.trim_start_matches(['(', '"', '*', '_']));
    if let Some(verb) = verb(word(at)) {
        return Some((verb, 1));
    }
    if !word(at).starts_with(['b', 'B', 'r', 'R', 'u', 'U']) {
        return None;
    }
    let length = match (word(at).to_lowercase().as_str(), word(at + 1).to_lowercase().as_str()) {
        ("back" | "backs" | "backed" | "backing", "out")
        | ("roll" | "rolls" | "rolled" | "rolling", "back") => 2,
        ("backout" | "rollback" | "undo" | "undoes" | "undoing", _) => 1,
        _ => return None,
    };
    Some((Verb::default(), length))
}
