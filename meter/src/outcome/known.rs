//! What landed so far, by the names under which it may be taken back, brought again or mended.

use super::landing::{Landing, number};
use super::mending::Citation;
use super::mention::{Mention, Rule, Target, unlabelled};
use super::survival::Change;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Fewer bytes of a title name nothing where it was cut off or is not repeated to the letter.
const PART_TITLE_MIN: usize = 25;

/// What landed so far, by the names a mention may use.
#[derive(Default)]
pub(super) struct Known {
    numbers: HashMap<u64, usize>,
    /// The newest one wins.
    titles: HashMap<String, usize>,
    /// Without their labels, and whatever their case; `None` where that stands for several changes.
    plain_titles: HashMap<String, Option<usize>>,
    commits: BTreeSet<(String, usize)>,
    /// What merges brought: the requests and the long titles of their commits. `None` where a title came several times.
    brought_numbers: HashMap<u64, usize>,
    brought_titles: HashMap<String, Option<usize>>,
}

impl Known {
    pub(super) fn add(&mut self, index: usize, change: &Change) {
        if let Some(number) = change.number {
            self.numbers.entry(number).or_insert(index);
        }
        for title in [&change.title, &change.subject] {
            self.titles.insert(title.clone(), index);
        }
        for title in BTreeSet::from([plain(&change.title), plain(&change.subject)]) {
            self.plain_titles.entry(title).and_modify(|known| *known = None).or_insert(Some(index));
        }
        let commits = change.commits.iter().chain([&change.sha]);
        self.commits.extend(commits.map(|sha| (sha.clone(), index)));
        for Landing { number, title, .. } in &change.brought {
            if let Some(number) = number {
                self.brought_numbers.entry(*number).or_insert(index);
            }
            if title.len() >= PART_TITLE_MIN {
                let known = self.brought_titles.entry(title.clone()).or_insert(Some(index));
                *known = known.filter(|known| *known == index);
            }
        }
    }

    /// The changes that one takes back or brings again, each by the strongest rule; a title and a patch count only
    /// where nothing stronger names anything.
    pub(super) fn targets<'a>(&self, changes: &'a [Change], by: usize) -> Vec<(usize, &'a Mention)> {
        let change = &changes[by];
        let mut mentions: Vec<&Mention> = change.mentions.iter().collect();
        mentions.sort_by_key(|mention| mention.rule);
        let mut targets: Vec<(usize, &Mention)> = Vec::new();
        for mention in mentions {
            if mention.rule >= Rule::Title && targets.iter().any(|(_, found)| found.rule < mention.rule) {
                break;
            }
            let found = self.find(&mention.target, change);
            let Some(target) = found.or_else(|| self.brought(&mention.target, change)) else { continue };
            match targets.iter_mut().find(|(known, _)| *known == target) {
                Some((_, known)) if mention.again && !known.again => *known = mention,
                Some(_) => {}
                None => targets.push((target, mention)),
            }
        }
        targets
    }

    /// What a change says it mends, each with whether that is certain.
    pub(super) fn cited(&self, change: &Change) -> BTreeMap<usize, bool> {
        let mut cited = BTreeMap::new();
        for Citation { target, certain } in &change.mending.cites {
            if let Some(target) = self.find(target, change) {
                *cited.entry(target).or_default() |= certain;
            }
        }
        cited
    }

    pub(super) fn find(&self, target: &Target, change: &Change) -> Option<usize> {
        match target {
            Target::Number(number) if change.number == Some(*number) => None,
            Target::Number(number) => self.numbers.get(number).copied(),
            Target::Commit(id) => self.commit(id),
            Target::Title { text, cut: false } => self.title(text),
            Target::Title { text, cut: true } => self.cut_title(text),
        }
    }

    /// The merge that brought what is named, unless it is this one.
    fn brought(&self, target: &Target, change: &Change) -> Option<usize> {
        match target {
            Target::Number(number) if change.number != Some(*number) => {
                self.brought_numbers.get(number).copied()
            }
            Target::Title { text, cut: false } if change.brought.iter().all(|own| own.title != *text) => {
                self.brought_titles.get(text).copied().flatten()
            }
            _ => None,
        }
    }

    /// The change of a commit, unless its short id stands for several.
    fn commit(&self, id: &str) -> Option<usize> {
        let mut found = self.commits.range((id.to_owned(), 0)..).take_while(|(sha, _)| sha.starts_with(id));
        let (sha, index) = found.next()?;
        found.all(|(other, _)| other == sha).then_some(*index)
    }

    fn title(&self, text: &str) -> Option<usize> {
        let plainly = || {
            let plain = plain(text);
            self.plain_titles.get(&plain).filter(|_| plain.len() >= PART_TITLE_MIN).copied().flatten()
        };
        let numbered = || self.numbers.get(&bare_number(text)?).copied();
        self.titles.get(text).copied().or_else(plainly).or_else(numbered)
    }

    fn cut_title(&self, start: &str) -> Option<usize> {
        let mut found =
            self.titles.iter().filter(|(title, _)| title.starts_with(start)).map(|(_, index)| *index);
        let first = found.next().filter(|_| start.len() >= PART_TITLE_MIN)?;
        found.all(|other| other == first).then_some(first)
    }
}

/// The number of `title #12` or `title !12`, unless it is part of what the title says: `Fix what came with #12`.
fn bare_number(title: &str) -> Option<u64> {
    let (words, behind) = title.rsplit_once(" #").or_else(|| title.rsplit_once(" !"))?;
    let last = words.rsplit(' ').next()?.to_lowercase();
    let leads_on =
        ["from", "to", "of", "in", "by", "for", "with", "after", "since", "see", "and", "fix", "fixes"];
    number(behind).filter(|_| !leads_on.contains(&last.as_str()))
}

/// A title without its labels, in lower case.
fn plain(title: &str) -> String {
    unlabelled(title).to_lowercase()
}
