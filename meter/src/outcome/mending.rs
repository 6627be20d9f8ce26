//! What a change says of what it mends: that it is a hotfix, and of which change.

use super::blame::brought;
use super::mention::{Target, named, reference};
use crate::text::Repo;
use crate::vocabulary::words;

/// What a change says of what it mends.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mending {
    /// How it calls itself a hotfix, by the strongest sign.
    pub sign: Option<Sign>,
    pub cites: Vec<Citation>,
    /// Its title is that of a fix, be it of anything.
    pub is_fix: bool,
}

words! {
    /// How a change calls itself a hotfix, strongest first.
    Sign { Label = "label", Title = "title", Branch = "branch", Tag = "tag" }
}

/// What a change says it mends, or only follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Citation {
    pub target: Target,
    /// A follow-up that is no fix by its own words may have been planned.
    pub certain: bool,
}

/// What is known of a change besides its files.
#[derive(Debug, Clone, Copy, Default)]
pub struct Told<'a> {
    pub title: &'a str,
    pub branch: Option<&'a str>,
    /// Of its request.
    pub labels: &'a [String],
    /// Of its commits.
    pub tags: &'a [String],
}

impl Mending {
    pub fn of(told: Told) -> Self {
        let sign = if told.labels.iter().any(|label| is_label(label)) {
            Some(Sign::Label)
        } else if has_hotfix(told.title) {
            Some(Sign::Title)
        } else if told.branch.is_some_and(|branch| {
            branch.split_once('/').is_some_and(|(folder, _)| is_hotfix(&folder.to_lowercase()))
        }) {
            Some(Sign::Branch)
        } else {
            told.tags.iter().any(|tag| has_hotfix(tag)).then_some(Sign::Tag)
        };
        Self { sign, cites: Vec::new(), is_fix: is_fix(told.title) }
    }

    /// Adds what a message says that it mends.
    pub fn cite(&mut self, message: &str, repo: &Repo) {
        let is_mending = self.is_fix || self.sign.is_some();
        for (line, text) in
            message.lines().map(str::trim).enumerate().filter(|(_, text)| !text.starts_with('>'))
        {
            let words: Vec<&str> = text.split_whitespace().collect();
            if let ["Fixes:", id, ..] = words[..] {
                let commit = named(id, repo).flatten().map(|(_, target)| target).filter(is_commit);
                self.cites.extend(commit.map(|target| Citation { target, certain: true }));
            }
            for at in 0..words.len() {
                let Some(target) = cited(&words[at..], repo) else { continue };
                let certain = line == 0 || is_mending || !words[at].to_lowercase().contains("follow");
                self.cites.push(Citation { target, certain });
            }
        }
    }
}

fn is_commit(target: &Target) -> bool {
    matches!(target, Target::Commit(_))
}

fn is_label(label: &str) -> bool {
    let label = label.to_lowercase();
    is_hotfix(&label)
        || matches!(label.as_str(), "regression" | "incident")
        || label.strip_prefix("sev").is_some_and(|rest| rest.trim_start_matches([':', '-', ' ']).len() < 3)
}

fn is_hotfix(word: &str) -> bool {
    matches!(word, "hotfix" | "hot-fix")
}

/// `hotfix` or `hot-fix` as a word of its own.
fn has_hotfix(text: &str) -> bool {
    let text = text.to_lowercase().replace("hot-fix", "hotfix");
    text.split(|c: char| !c.is_alphanumeric()).any(|word| word == "hotfix")
}

/// `fix`, `fix(pay):`, `bugfix: …`, `Fixes …` at the beginning, labels in brackets aside.
fn is_fix(title: &str) -> bool {
    let mut words = title.split_whitespace().skip_while(|word| word.starts_with('['));
    let first = words.next().unwrap_or_default().to_lowercase();
    let first = first.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
    matches!(first, "fix" | "fixes" | "fixed" | "bugfix")
}

/// The change that these words begin to name: `fix regression from #12`, `fix crash introduced by #12`,
/// `follow-up to #12`.
fn cited(words: &[&str], repo: &Repo) -> Option<Target> {
    if !words.first()?.trim_start_matches('(').starts_with(['f', 'F']) {
        return None; // as nearly all words
    }
    let word = |at: usize| words.get(at).map_or(String::new(), |word| word.to_lowercase());
    let at = match word(0).trim_start_matches('(') {
        "follow-up" | "followup" if word(1) == "to" => 2,
        "follow" if word(1) == "up" && word(2) == "to" => 3,
        "fix" | "fixes" | "fixed" | "fixing" => mended(&word, words.len())?,
        _ => return None,
    };
    let at = at + usize::from(matches!(word(at).as_str(), "pr" | "mr"));
    let (_, target) =
        reference(words.get(at)?, at > 2 && matches!(word(at - 1).as_str(), "pr" | "mr"), repo)??;
    Some(target)
}

/// Where the name of what a fix mends begins.
fn mended(word: &impl Fn(usize) -> String, words: usize) -> Option<usize> {
    let mut at = 1;
    while matches!(word(at).as_str(), "a" | "an" | "the") {
        at += 1;
    }
    at += usize::from(matches!(word(at).as_str(), "regression" | "bug"));
    if matches!(word(at).as_str(), "from" | "in") {
        return Some(at + 1);
    }
    (at..words).find_map(|at| brought(word, at))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repo() -> Repo {
        "github.com/acme/pay".parse().unwrap()
    }

    #[track_caller]
    fn check_cites(message: &str, expected: &[&str]) {
        let mut mending = Mending::default();
        mending.cite(message, &repo());
        let shown = |citation: &Citation| {
            let target = match &citation.target {
                Target::Number(number) => format!("#{number}"),
                Target::Commit(id) => id.clone(),
                Target::Title { text, .. } => text.clone(),
            };
            format!("{target}{}", if citation.certain { "" } else { "?" })
        };
        assert_eq!(mending.cites.iter().map(shown).collect::<Vec<_>>(), expected, "{message}");
    }

    #[test]
    fn what_is_mended_is_named() {
        check_cites("Fix regression from #12", &["#12"]);
        check_cites("Fixes the bug in #12", &["#12"]);
        check_cites("Fix a regression introduced by #12", &["#12"]);
        check_cites("Fix crash on start caused by acme/pay#12 (#14)", &["#12"]);
        check_cites("x\n\nThis is a follow-up to #12.", &["#12?"]);
        check_cites("x\n\nFollow up to PR 12", &["#12?"]);
        check_cites("Follow-up to #12", &["#12"]);
        check_cites("x\n\nFixes: 1a2b3c4 (\"Add x\")", &["1a2b3c4"]);
        check_cites("fix in https://github.com/acme/pay/pull/12", &["#12"]);
        for nothing in [
            "Fix #12",
            "Fixes: #12",
            "Fixes #12",
            "Fix the total in pay",
            "x\n\n> Fix regression from #12",
            "Fix regression from other/project#12",
            "See #12",
        ] {
            check_cites(nothing, &[]);
        }
    }

    #[test]
    fn a_follow_up_that_is_a_fix_was_not_planned() {
        let mut mending = Mending::of(Told { title: "Fix the sum", ..Told::default() });
        mending.cite("Fix the sum\n\nFollow-up to #12", &repo());
        assert!(mending.cites[0].certain);
    }

    #[track_caller]
    fn check_sign(told: Told, expected: Option<Sign>) {
        assert_eq!(Mending::of(told).sign, expected, "{told:?}");
    }

    #[test]
    fn a_hotfix_is_called_one() {
        let title = |title| Told { title, ..Told::default() };
        for yes in ["Hotfix: sum", "[HOT-FIX] sum", "fix(pay): hotfix for the sum"] {
            check_sign(title(yes), Some(Sign::Title));
        }
        for no in ["Fix the sum", "Add a hotfixes page", "hot fix", ""] {
            check_sign(title(no), None);
        }
        for yes in ["hotfix/sum", "hot-fix/sum", "Hotfix/1"] {
            check_sign(Told { branch: Some(yes), ..Told::default() }, Some(Sign::Branch));
        }
        for no in ["hotfixes/sum", "fix/hotfix", "hotfix"] {
            check_sign(Told { branch: Some(no), ..Told::default() }, None);
        }
        for (yes, no) in
            [("hotfix", "fix"), ("regression", "regressions"), ("sev1", "several"), ("SEV-2", "severity")]
        {
            check_sign(Told { labels: &[yes.to_owned()], ..Told::default() }, Some(Sign::Label));
            check_sign(Told { labels: &[no.to_owned()], ..Told::default() }, None);
        }
        check_sign(Told { tags: &["v1.2.3-hotfix.1".to_owned()], ..Told::default() }, Some(Sign::Tag));
        check_sign(Told { tags: &["v1.2.3".to_owned()], ..Told::default() }, None);
    }

    #[test]
    fn a_fix_is_titled_one() {
        for (title, fix) in [
            ("Fix the sum", true),
            ("fix(pay): the sum", true),
            ("[pay] Bugfix: sum", true),
            ("Prefix the sum", false),
            ("Add a fix", false),
            ("", false),
        ] {
            assert_eq!(Mending::of(Told { title, ..Told::default() }).is_fix, fix, "{title}");
        }
    }
}
