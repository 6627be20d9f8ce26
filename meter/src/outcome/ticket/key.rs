//! Which tickets of a tracker a change says it is for, by their keys: `PAY-42`.
//!
//! A title or a branch that holds a key names the ticket that is worked on. What a text below the title holds may be
//! anything: there a key counts where the text says that it is closed, or says nothing else.

use crate::outcome::mention::turns;
use std::collections::BTreeSet;

/// What a change says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Texts<'a> {
    /// Its own and its request's.
    pub titles: Vec<&'a str>,
    pub branch: Option<&'a str>,
    /// What stands below the titles.
    pub bodies: Vec<&'a str>,
    /// Of its commits.
    pub subjects: Vec<&'a str>,
}

/// The tickets of these projects that a change is for: those of its titles and its branch, else those its bodies say
/// it closes, else those of its commits.
pub fn ticket_keys(texts: &Texts, projects: &BTreeSet<String>) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    if projects.is_empty() {
        return found;
    }
    let of_projects = |text| keys(text).filter(|key| projects.contains(project_of(key)));
    found.extend(texts.titles.iter().copied().flat_map(of_projects).map(str::to_owned));
    let branch = texts.branch.map(str::to_uppercase).unwrap_or_default();
    found.extend(of_projects(&branch).map(str::to_owned));
    if found.is_empty() {
        for body in &texts.bodies {
            closed(body, projects, &mut found);
        }
    }
    if found.is_empty() {
        found.extend(texts.subjects.iter().copied().flat_map(of_projects).map(str::to_owned));
    }
    found
}

/// What stands before the number of a key.
pub fn project_of(key: &str) -> &str {
    key.rsplit_once('-').map_or(key, |(project, _)| project)
}

/// Everything in a text that has the form of a key.
fn keys(text: &str) -> impl Iterator<Item = &str> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices('-').filter_map(move |(at, _)| {
        let start = text[..at].rfind(|c| !is_word(c)).map_or(0, |before| text.ceil_char_boundary(before + 1));
        let digits = text[at + 1..].bytes().take_while(u8::is_ascii_digit).count();
        let (project, rest) = (&text[start..at], &text[at + 1 + digits..]);
        let is_project = project.starts_with(|c: char| c.is_ascii_uppercase())
            && project.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_');
        let is_number = digits > 0 && !text[at + 1..].starts_with('0');
        let mut after = rest.chars();
        let ends = match after.next() {
            Some('.') => !after.next().is_some_and(|c| c.is_ascii_digit()), // a version
            Some(c) => !is_word(c),
            None => true,
        };
        (is_project && is_number && ends).then(|| &text[start..text.len() - rest.len()])
    })
}

const CLOSING: [&str; 19] = [
    "close",
    "closes",
    "closed",
    "closing",
    "fix",
    "fixes",
    "fixed",
    "fixing",
    "resolve",
    "resolves",
    "resolved",
    "resolving",
    "complete",
    "completes",
    "completed",
    "completing",
    "implement",
    "implements",
    "implementing",
];
/// What may stand before a key and say nothing but that it is one.
const LABELS: [&str; 9] = ["ticket", "tickets", "issue", "issues", "task", "story", "bug", "jira", "linear"];
const JOINTS: [&str; 5] = ["and", "&", ",", "the", "also"];

/// The tickets that a text says are closed.
fn closed(text: &str, projects: &BTreeSet<String>, found: &mut BTreeSet<String>) {
    let mut fenced = false;
    for line in uncommented(text).lines().map(str::trim) {
        fenced ^= line.starts_with("```");
        if fenced || line.starts_with(['>', '`']) {
            continue;
        }
        let line = ["- ", "* ", "[x] ", "[X] "].iter().fold(line, |line, mark| line.trim_start_matches(mark));
        let words: Vec<&str> = line.split_whitespace().collect();
        let mut says = is_key_alone(line, &words);
        for (at, word) in words.iter().enumerate() {
            let of_word = keys(word).filter(|key| projects.contains(project_of(key)));
            let plain = word.trim_matches(|c: char| !c.is_alphanumeric() && c != '&').to_lowercase();
            if keys(word).next().is_some() {
                found.extend(of_word.filter(|_| says).map(str::to_owned));
            } else if CLOSING.contains(&plain.as_str()) {
                says = !words[at.saturating_sub(2)..at].iter().any(|before| turns(before));
            } else if !LABELS.contains(&plain.as_str())
                && !JOINTS.contains(&plain.as_str())
                && !plain.is_empty()
            {
                says = is_link(line);
            }
        }
    }
}

/// A line that holds keys and nothing that says another thing of them.
fn is_key_alone(line: &str, words: &[&str]) -> bool {
    let is_said = |word: &&str| {
        let plain = word.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
        keys(word).next().is_some() || plain.is_empty() || plain == "and" || LABELS.contains(&plain.as_str())
    };
    is_link(line) || words.iter().all(is_said)
}

/// `[PAY-42: a title](its address)`, and nothing else.
fn is_link(line: &str) -> bool {
    line.starts_with('[') && line.ends_with(')') && line.matches("](").count() == 1
}

/// A text without the comments that a form left in it.
fn uncommented(text: &str) -> String {
    let mut parts = text.split("<!--");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |kept, part| kept + part.split_once("-->").map_or("", |(_, rest)| rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn projects() -> BTreeSet<String> {
        ["PAY", "SHOP", "A_1"].map(str::to_owned).into()
    }

    #[track_caller]
    fn check(texts: &Texts, expected: &str) {
        let found: Vec<_> = ticket_keys(texts, &projects()).into_iter().collect();
        assert_eq!(found.join(" "), expected, "{texts:?}");
    }

    #[track_caller]
    fn check_title(title: &str, expected: &str) {
        check(&Texts { titles: vec![title], ..Texts::default() }, expected);
    }

    #[track_caller]
    fn check_branch(branch: &str, expected: &str) {
        check(&Texts { branch: Some(branch), ..Texts::default() }, expected);
    }

    #[track_caller]
    fn check_body(body: &str, expected: &str) {
        check(&Texts { bodies: vec![body], ..Texts::default() }, expected);
    }

    #[test]
    fn a_title_names_its_tickets() {
        check_title("PAY-42: Add x", "PAY-42");
        check_title("[PAY-42][SHOP-7] Add x", "PAY-42 SHOP-7");
        check_title("feat(pay): add x (PAY-42)", "PAY-42");
        check_title("Add x, see PAY-42.", "PAY-42");
        check_title("Ünï-A_1-3 PAY-4", "A_1-3 PAY-4");
        for nothing in [
            "Read UTF-8 and SHA-256",
            "pay-42",
            "XPAY-42",
            "PAY-0",
            "PAY-042",
            "PAY-42a",
            "PAY-4.2",
            "PAY-",
            "-42",
            "ÜPAY-42",
        ] {
            check_title(nothing, "");
        }
    }

    #[test]
    fn a_branch_names_them_however_it_is_written() {
        check_branch("feature/PAY-42-add-x", "PAY-42");
        check_branch("ana/pay-42-add-x", "PAY-42");
        check_branch("fix-pay-42", "PAY-42");
        check_branch("pay-42-shop-7", "PAY-42 SHOP-7");
        check_branch("payments-42", "");
    }

    #[test]
    fn a_body_says_that_they_are_closed() {
        check_body("Adds x.\n\nFixes PAY-42", "PAY-42");
        check_body("This closes PAY-42, PAY-43 and SHOP-7.", "PAY-42 PAY-43 SHOP-7");
        check_body("Resolves: [PAY-42](https://acme.atlassian.net/browse/PAY-42)", "PAY-42");
        check_body("Implements the ticket PAY-42", "PAY-42");
        check_body("- [x] PAY-42", "PAY-42");
        check_body("Ticket: https://linear.app/acme/issue/PAY-42/add-x", "PAY-42");
        check_body("[PAY-42: Add x](https://acme.atlassian.net/browse/PAY-42)", "PAY-42");
        for nothing in [
            "Related to PAY-42",
            "See PAY-42",
            "Related: PAY-42",
            "Does not fix PAY-42",
            "Fixes a bug that PAY-42 brought",
            "> Fixes PAY-42",
            "```\nFixes PAY-42\n```",
            "<!-- Fixes PAY-42 -->",
            "<!-- Fixes PAY-42",
            "Follow-up of PAY-42",
            "Fixes UTF-8",
            "[PAY-42](https://x.example) broke this",
        ] {
            check_body(nothing, "");
        }
    }

    #[test]
    fn the_strongest_text_holds() {
        let mut texts = Texts {
            titles: vec!["Add x"],
            branch: None,
            bodies: vec!["Fixes PAY-2"],
            subjects: vec!["PAY-3 wip", "PAY-4 wip"],
        };
        check(&texts, "PAY-2");
        texts.branch = Some("pay-1");
        check(&texts, "PAY-1");
        texts.titles.push("PAY-5 Add x");
        check(&texts, "PAY-1 PAY-5");
        check(&Texts { subjects: texts.subjects, ..Texts::default() }, "PAY-3 PAY-4");
    }
}
