//! Which changes were taken back, which came again, and which of them are outcomes.

use super::area::Touched;
use super::known::Known;
use super::landing::Landing;
use super::mending::Mending;
use super::mention::{Mention, Place, Rule};
use super::objection::{Cause, Finder, Objection};
use super::policy::{Policy, Strictness};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// A change that landed on the tracked branch.
#[derive(Debug, Clone)]
pub struct Change {
    /// Of the commit that landed it.
    pub sha: String,
    pub number: Option<u64>,
    /// Without the number, and as the subject has it.
    pub title: String,
    pub subject: String,
    pub merged_at: Timestamp,
    pub shipped_at: Timestamp,
    /// Its other commits.
    pub commits: Vec<String>,
    /// What they would have been by themselves.
    pub brought: Vec<Landing>,
    pub files: BTreeSet<String>,
    pub mentions: Vec<Mention>,
    /// When tickets that it had closed were opened again.
    pub reopened_at: Vec<Timestamp>,
    pub mending: Mending,
    /// What an admin disputes of what speaks against it: the cause and the sha of the other change.
    pub disputed: Vec<(Cause, String)>,
    /// Its subject, its branch or each of its commits says that it is a repair.
    pub is_repair: bool,
    /// Nobody's work: a dependency bot's, or a branch brought up to date.
    pub is_excluded: bool,
}

impl Change {
    /// Whether `at` lies before the end of its window. What a wrong clock puts before it came at once.
    pub fn in_window(&self, at: Timestamp, policy: Policy) -> bool {
        at < policy.window_ends(self.shipped_at)
    }
}

/// What a change is, by what it does to others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nature {
    Change,
    Revert,
    /// A new attempt of what was taken back.
    Reland,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Revert,
    Reland,
}

impl Kind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Revert => "revert",
            Self::Reland => "reland",
        }
    }
}

/// One change that takes another back or brings it again; both by their place among the changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revert {
    pub target: usize,
    pub by: usize,
    pub rule: Rule,
    pub kind: Kind,
    /// Less than the whole of it, by its words or its files.
    pub partial: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Pending,
    Verified,
    Disqualified,
    /// Neither attempted nor verified.
    Excluded,
}

impl State {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Verified => "verified",
            Self::Disqualified => "disqualified",
            Self::Excluded => "excluded",
        }
    }

    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Pending, Self::Verified, Self::Disqualified, Self::Excluded]
            .into_iter()
            .find(|state| state.as_str() == word)
    }
}

/// What the changes of one repository do to each other.
#[derive(Debug, Default)]
pub struct Judged {
    pub natures: Vec<Nature>,
    /// By target, then by the change that did it.
    pub reverts: Vec<Revert>,
    /// By target, then by the change that speaks against it.
    objections: Vec<Objection>,
    /// Those of confirmed hotfixes, by the change that is one.
    mended: BTreeMap<usize, Vec<Objection>>,
}

/// Finds what each change takes back or mends, in the order of landing: the nature of its target is known by then.
/// No policy to be asked about looks further back than `reach`.
pub fn judge(changes: &[Change], reach: Policy) -> Judged {
    let mut known = Known::default();
    let mut finder = Finder { changes, touched: Touched::default(), reach };
    let mut judged = Judged::default();
    for (by, change) in changes.iter().enumerate() {
        let first = judged.reverts.len();
        let nature = judged.take_back(changes, by, &known, reach);
        judged.natures.push(nature);
        let cited = known.cited(change);
        judged.objections.extend(finder.objections(by, nature, &judged.reverts[first..], &cited));
        known.add(by, change);
        finder.touched.add(&change.files, change.merged_at.max(change.shipped_at));
    }
    judged.reverts.sort_by_key(|revert| (revert.target, revert.by));
    judged.objections.sort_by_key(|objection| (objection.target, objection.by));
    for objection in judged.objections.iter().filter(|one| one.cause == Cause::Hotfix && !one.suspected) {
        judged.mended.entry(objection.by).or_default().push(*objection);
    }
    judged
}

impl Judged {
    /// Finds what a change takes back or brings again; returns what that makes of it. What it turns round without a word
    /// counts where `reach` does not end before it: later it is a change like others.
    fn take_back(&mut self, changes: &[Change], by: usize, known: &Known, reach: Policy) -> Nature {
        let change = &changes[by];
        let turns = |mention: &Mention| {
            let target = known.find(&mention.target, change).filter(|_| mention.rule == Rule::Inverse);
            target.is_some_and(|target| changes[target].in_window(change.merged_at, reach))
        };
        let mut targets = known.targets(changes, by);
        targets.retain(|(_, mention)| mention.rule != Rule::Inverse || turns(mention));
        let is_repair = change.is_repair || change.mentions.iter().any(turns);
        let mut nature = if is_repair { Nature::Revert } else { Nature::Change };
        let theirs = |file| targets.iter().any(|(target, _)| changes[*target].files.contains(file));
        let is_within = change.files.iter().all(theirs);
        for (target, mention) in targets {
            if !is_repair && apart(change, &changes[target]) {
                continue;
            }
            if mention.place == Place::Passing && !mention.again && self.is_taken_back(target) {
                continue;
            }
            let again = mention.again || self.natures[target] == Nature::Revert;
            let kind = if again { Kind::Reland } else { Kind::Revert };
            let is_whole = is_repair || is_whole(mention, is_within);
            if again && is_whole {
                nature = Nature::Reland;
            } else if is_whole && nature == Nature::Change {
                nature = Nature::Revert;
            }
            let partial = mention.partial || !changes[target].files.is_subset(&change.files);
            self.reverts.push(Revert { target, by, rule: mention.rule, kind, partial });
        }
        if is_repair && change.mentions.iter().any(|mention| mention.again) {
            nature = Nature::Reland;
        }
        nature
    }
}

impl Judged {
    /// Whether a change was taken back last: a list of what was done, as a squash keeps it, takes nothing back twice.
    fn is_taken_back(&self, target: usize) -> bool {
        let last = self.reverts.iter().rev().find(|revert| revert.target == target);
        last.is_some_and(|revert| revert.kind == Kind::Revert)
    }
}

/// Whether a change, which is or is not within the files of its targets, is nothing but what it says here.
fn is_whole(mention: &Mention, is_within: bool) -> bool {
    match mention.place {
        Place::Subject => true,
        Place::Opening => is_within,
        Place::Passing => false,
    }
}

/// Neither touches a file of the other: what one says it took back in passing, such as in the messages that a
/// squash keeps or of a button that reverts, is not in what it landed.
fn apart(one: &Change, other: &Change) -> bool {
    !one.files.is_empty() && !other.files.is_empty() && one.files.is_disjoint(&other.files)
}

impl Judged {
    /// What became of a change by `at`.
    pub fn state(&self, changes: &[Change], index: usize, policy: Policy, at: Timestamp) -> State {
        if !self.is_attempt(changes, index, policy) {
            return State::Excluded;
        }
        let change = &changes[index];
        let reopened = |reopened: &Timestamp| *reopened <= at && change.in_window(*reopened, policy);
        let by_then = |objection: &Objection| changes[objection.by].merged_at <= at;
        let disqualifies = |one: &Objection| by_then(one) && self.disqualifies(changes, one, policy);
        if self.objections(index).iter().any(disqualifies) || change.reopened_at.iter().any(reopened) {
            State::Disqualified
        } else if at >= policy.decided_at(change.shipped_at) {
            State::Verified
        } else {
            State::Pending
        }
    }

    /// Whether it came within the window.
    pub fn in_window(changes: &[Change], revert: &Revert, policy: Policy) -> bool {
        changes[revert.target].in_window(changes[revert.by].merged_at, policy)
    }

    /// Whether it is why its target is no outcome.
    pub fn disqualifies(&self, changes: &[Change], objection: &Objection, policy: Policy) -> bool {
        self.is_attempt(changes, objection.target, policy) && counts(changes, objection, policy)
    }

    /// Whether a change is an attempt at an outcome at all.
    fn is_attempt(&self, changes: &[Change], index: usize, policy: Policy) -> bool {
        !changes[index].is_excluded
            && self.natures[index] != Nature::Revert
            && !self.is_hotfix(changes, index, policy)
    }

    /// Whether a change is the confirmed hotfix of another.
    pub fn is_hotfix(&self, changes: &[Change], index: usize, policy: Policy) -> bool {
        self.mended.get(&index).is_some_and(|mended| mended.iter().any(|one| counts(changes, one, policy)))
    }

    /// All that speaks against a change.
    pub fn objections(&self, index: usize) -> &[Objection] {
        let from = self.objections.partition_point(|objection| objection.target < index);
        let to = self.objections.partition_point(|objection| objection.target <= index);
        &self.objections[from..to]
    }

    /// All that was done to a change.
    pub fn of(&self, index: usize) -> &[Revert] {
        let from = self.reverts.partition_point(|revert| revert.target < index);
        let to = self.reverts.partition_point(|revert| revert.target <= index);
        &self.reverts[from..to]
    }
}

/// Whether an objection holds by a policy, and nobody disputes it.
fn counts(changes: &[Change], objection: &Objection, policy: Policy) -> bool {
    let by = &changes[objection.by].sha;
    let disputed = &changes[objection.target].disputed;
    (!objection.suspected || policy.strictness == Strictness::Literal)
        && objection.in_window(changes, policy)
        && !disputed.iter().any(|(cause, sha)| *cause == objection.cause && sha == by)
}

#[cfg(test)]
mod tests {
    use super::super::{Target, Told, branch_words, words};
    use super::*;
    use crate::text::Repo;
    use jiff::SignedDuration;

    fn at(hours: i64) -> Timestamp {
        "2026-10-01T00:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_hours(hours)
    }

    fn judge(changes: &[Change]) -> Judged {
        super::judge(changes, Policy::default())
    }

    /// Changes that landed, each with the hour it did; the n-th one's sha is made of n.
    fn history(landed: &[(i64, &str)]) -> Vec<Change> {
        let repo: Repo = "github.com/acme/pay".parse().unwrap();
        let change = |(index, (hours, message)): (usize, &(i64, &str))| {
            let landing = Landing::of(message);
            let mut words = words(message, &repo);
            let button = landing.branch.as_deref().and_then(branch_words);
            words.is_repair |= button.is_some();
            words.mentions.extend(button);
            let branch = landing.branch.as_deref();
            let mut mending = Mending::of(Told { title: &landing.title, branch, ..Told::default() });
            mending.cite(message, &repo);
            Change {
                sha: format!("{:040x}", 0xa00_0000 + index),
                number: landing.number,
                title: landing.title,
                subject: message.lines().next().unwrap().to_owned(),
                merged_at: at(*hours),
                shipped_at: at(*hours),
                commits: vec![format!("{:040x}", 0xb00_0000 + index)],
                brought: Vec::new(),
                files: BTreeSet::from(["a.rs".to_owned()]),
                mentions: words.mentions,
                reopened_at: Vec::new(),
                mending,
                disputed: Vec::new(),
                is_repair: words.is_repair,
                is_excluded: false,
            }
        };
        landed.iter().enumerate().map(change).collect()
    }

    /// Says what was done to whom as `by>target`, a re-land as `by+target`.
    #[track_caller]
    fn check(landed: &[(i64, &str)], expected: &[&str]) {
        let changes = history(landed);
        let shown = |revert: &Revert| {
            let sign = if revert.kind == Kind::Revert { '>' } else { '+' };
            format!("{}{sign}{}", revert.by, revert.target)
        };
        assert_eq!(judge(&changes).reverts.iter().map(shown).collect::<Vec<_>>(), expected, "{landed:?}");
    }

    #[test]
    fn a_bare_number_names_only_where_no_title_does() {
        let title = "Infer types of all binary expressions";
        let (landed, followed) = (format!("{title} (#12)"), "Fix regression from #12 (#13)");
        check(&[(0, &landed), (1, &format!("Revert \"{title}, too #12\" (#14)"))], &["1>0"]);
        check(&[(0, &landed), (1, "Revert the types changes !12 (#14)")], &["1>0"]);
        check(&[(0, &landed), (1, followed), (2, "Revert \"Fix regression from #12\" (#14)")], &["2>1"]);
        check(&[(0, &landed), (1, "Revert \"Fix regression from #12\" (#14)")], &[]);
    }

    #[test]
    fn a_title_without_its_label_stands_for_one_change() {
        let title = "Add retry to the payments client";
        let [web, api] = ["web", "api"].map(|label| format!("[{label}] {title}"));
        let revert = format!("Revert \"[Web] {title}\"");
        check(&[(0, &web), (1, &revert)], &["1>0"]);
        check(&[(0, &web), (1, &api), (2, &revert)], &[]);
        check(&[(0, "docs: Cleanup"), (1, "Revert \"refactor(payments-service): cleanup\"")], &[]);
    }

    #[test]
    fn a_title_is_repeated_without_its_labels_and_in_any_case() {
        let long = "[ty] Infer types of all binary expressions (#1)";
        check(&[(0, long), (1, "[ty] Revert \"Infer types of all binary expressions\" (#2)")], &["1>0"]);
        check(
            &[(0, "Fix handling of long redirects (#1)"), (1, "Revert fix handling of long redirects (#2)")],
            &["1>0"],
        );
        check(&[(0, "docs: Mend links (#1)"), (1, "Revert \"mend links\" (#2)")], &[]);
        let exact =
            [(0, "Infer types of all expressions (#1)"), (1, "ty: infer types of all expressions (#2)")];
        check(&[exact[0], exact[1], (2, "Revert \"Infer types of all expressions\" (#3)")], &["2>0"]);
    }

    #[test]
    fn each_form_finds_its_target() {
        let first = "Add x (#1)";
        check(&[(0, first), (1, "Revert \"Add x (#1)\" (#2)")], &["1>0"]);
        check(&[(0, first), (1, "Revert \"Add x\" (#2)")], &["1>0"]);
        check(&[(0, first), (1, "Undo (#2)\n\nReverts #1")], &["1>0"]);
        check(&[(0, first), (1, "Merge pull request #2 from acme/revert-1-x\n\nOops")], &["1>0"]);
        let full = format!("Undo\n\nThis reverts commit {:040x}.", 0xa00_0000);
        check(&[(0, first), (1, &full)], &["1>0"]);
        let member = format!("Undo\n\nThis reverts commit {:040x}.", 0xb00_0000);
        check(&[(0, first), (1, &member)], &["1>0"]);
        let two = [(0, first), (1, "Add y (#2)"), (2, "Undo\n\nReverts #1 and #2")];
        check(&two, &["2>0", "2>1"]);
        check(&[(0, first), (1, "Add y (#2)"), (2, "Undo\n\nReverts #2 and #1")], &["2>0", "2>1"]);
        check(&[(0, first), (1, "Add y (#2)"), (2, "Revert \"Add x\"\n\nReverts #2")], &["2>1"]);
        check(&[(0, first), (1, "Add y (#1)"), (2, "Undo\n\nReverts #1")], &["2>0"]);
        let short = format!("Undo\n\nThis reverts commit {:034x}.", 0xa);
        check(&[(0, first), (1, &short)], &["1>0"]);
        let title = "Merge pull request #1 from acme/x\n\nAdd x";
        check(&[(0, title), (1, "Revert \"Merge pull request #1 from acme/x\"")], &["1>0"]);
        check(&[(0, "Add x"), (1, "Add x"), (2, "Revert \"Add x\"")], &["2>1"]);
        let long = "Teach the parser to read what it wrote (#1)";
        check(&[(0, long), (1, "Revert \"Teach the parser to read what…")], &["1>0"]);
        check(&[(0, long), (1, "Revert \"Teach the…")], &[]);
    }

    #[test]
    fn a_patch_turned_round_takes_back_where_no_word_does() {
        let named = |mut changes: Vec<Change>, by: usize, of: usize| {
            let sha = changes[of].sha.clone();
            changes[by].mentions.push(Mention::inverse(&sha));
            changes
        };
        let shown = |changes: &[Change]| {
            let reverts = judge(changes).reverts;
            reverts
                .iter()
                .map(|one| (one.by, one.target, one.rule.as_str(), one.kind.as_str()))
                .collect::<Vec<_>>()
        };
        let (add, again) = ((0, "Add x (#1)"), (2, "Once more (#3)"));
        let silent = named(history(&[add, (1, "Tidy up (#2)"), again]), 1, 0);
        assert_eq!(shown(&silent), [(1, 0, "inverse patch", "revert")]);
        check_states(&silent, "dxv", "dxv");
        let days = Policy::default().window_days * 24;
        for (hours, states) in [(days - 1, "dx"), (days, "vv")] {
            let late = named(history(&[add, (hours.into(), "Tidy up (#2)")]), 1, 0);
            check_states(&late, states, states);
        }
        let back = named(silent, 2, 1);
        assert_eq!(shown(&back), [(1, 0, "inverse patch", "revert"), (2, 1, "inverse patch", "reland")]);
        let told = [add, (1, "Revert \"Add x (#1)\" (#2)"), (2, "Once more (#3)\n\nRelands #1")];
        let told = named(named(history(&told), 1, 0), 2, 1);
        assert_eq!(shown(&told), [(1, 0, "number", "revert"), (2, 0, "reference", "reland")]);
    }

    #[test]
    fn nothing_is_found_where_nothing_landed_before() {
        check(&[(0, "Revert \"Add x (#1)\" (#2)"), (1, "Add x (#1)")], &[]);
        check(&[(0, "Add x (#1)\n\nReverts #1")], &[]);
        check(&[(0, "Add x (#1)"), (1, "Add y (#1)\n\nReverts #1")], &[]);
        let ambiguous = format!("Undo\n\nThis reverts commit {:034x}.", 0xa);
        check(&[(0, "Add x (#1)"), (1, "Add y (#2)"), (2, &ambiguous)], &[]);
        let own = format!("Add x (#1)\n\nThis reverts commit {:040x}.", 0xb00_0000);
        check(&[(0, &own)], &[]);
        check(&[(0, "Add x (#1)"), (1, "Revert to the old way (#2)")], &[]);
    }

    #[test]
    fn the_graph_tells_a_reland() {
        let relanded = [
            (0, "Add x (#1)"),
            (1, "Revert \"Add x (#1)\" (#2)"),
            (2, "Revert \"Revert \"Add x (#1)\" (#2)\" (#3)"),
            (3, "Revert \"Revert \"Revert \"Add x (#1)\" (#2)\" (#3)\" (#4)"),
        ];
        check(&relanded, &["1>0", "2+1", "3>2"]);
        let changes = history(&relanded);
        let judged = judge(&changes);
        let state = |index| judged.state(&changes, index, Policy::default(), at(10_000));
        assert_eq!(
            [0, 1, 2, 3].map(state),
            [State::Disqualified, State::Excluded, State::Disqualified, State::Excluded]
        );
        let reland =
            [(0, "Add x (#1)"), (1, "Revert \"Add x (#1)\" (#2)"), (2, "Reland \"Add x (#1)\" (#3)")];
        check(&reland, &["1>0", "2+0"]);
        let changes = history(&reland);
        let judged = judge(&changes);
        assert_eq!(judged.natures, [Nature::Change, Nature::Revert, Nature::Reland]);
        assert_eq!(judged.state(&changes, 2, Policy::default(), at(10_000)), State::Verified);
    }

    #[test]
    fn a_list_of_what_was_done_takes_nothing_back_twice() {
        let listed = "Version 5 (#3)\n\n* Revert \"Add x (#1)\"\n\nThis reverts commit 000000000000000000000000000000000a000000.";
        check(&[(0, "Add x (#1)"), (1, "Revert \"Add x (#1)\" (#2)"), (2, listed)], &["1>0"]);
        check(&[(0, "Add x (#1)"), (2, listed)], &["1>0"]);
    }

    #[test]
    fn what_takes_back_is_no_outcome_however_it_names_its_target() {
        for revert in
            ["Revert Add x", "Back out #1", "chore: revert Add x (#2)", "Undo it (#2)\n\nReverts #1"]
        {
            let changes = history(&[(0, "Add x (#1)"), (1, revert)]);
            let judged = judge(&changes);
            let states = [0, 1].map(|index| judged.state(&changes, index, Policy::default(), at(10_000)));
            assert_eq!(states, [State::Disqualified, State::Excluded], "{revert}");
        }
        let commits = format!("This reverts commits {:040x} and {:040x}.", 0xa00_0000, 0xa00_0001);
        for body in [commits.as_str(), "Reverts:\n- #1\n- #2"] {
            let both = format!("Both out (#3)\n\n{body}");
            let mut two = history(&[(0, "Add x (#1)"), (0, "Add y (#2)"), (1, &both)]);
            two[1].files = ["b.rs".to_owned()].into();
            two[2].files = two.iter().flat_map(|change| change.files.clone()).collect();
            assert_eq!(judge(&two).natures[2], Nature::Revert, "{body}");
        }
        let mut more = history(&[(0, "Add x (#1)"), (1, "Do it well (#2)\n\nReverts #1")]);
        more[1].files.insert("b.rs".to_owned());
        assert_eq!(judge(&more).state(&more, 1, Policy::default(), at(10_000)), State::Verified);
    }

    #[test]
    fn a_change_is_decided_when_its_window_has_passed() {
        let (days, revert) = (14 * 24, "Revert \"Add x (#1)\" (#2)");
        let policy = Policy::default();
        let state = |reverted, now| {
            let changes = history(&[(0, "Add x (#1)"), (reverted, revert)]);
            judge(&changes).state(&changes, 0, policy, at(now))
        };
        assert_eq!(state(days - 1, days - 2), State::Pending, "the revert has not come");
        assert_eq!(state(days - 1, days - 1), State::Disqualified);
        assert_eq!(state(days, days - 1), State::Pending);
        assert_eq!(state(days, days), State::Verified, "the window is half open");
        assert_eq!(state(-5, 0), State::Disqualified, "a clock was wrong: it landed later");
        let short = Policy { window_days: 1, ..Policy::default() };
        let changes = history(&[(0, "Add x (#1)")]);
        let of = |now| judge(&changes).state(&changes, 0, short, at(now));
        assert_eq!([of(71), of(72)], [State::Pending, State::Verified]);
    }

    /// What each change is by either strictness, long after all of them: `v`, `d`, or `x` for excluded.
    #[track_caller]
    fn check_states(changes: &[Change], targeted: &str, literal: &str) {
        let judged = judge(changes);
        for (strictness, expected) in [(Strictness::Targeted, targeted), (Strictness::Literal, literal)] {
            let policy = Policy { strictness, ..Policy::default() };
            let letter = |index| match judged.state(changes, index, policy, at(10_000)) {
                State::Verified => 'v',
                State::Disqualified => 'd',
                State::Excluded => 'x',
                State::Pending => 'p',
            };
            assert_eq!((0..changes.len()).map(letter).collect::<String>(), expected, "{strictness:?}");
        }
    }

    #[test]
    fn a_hotfix_in_time_and_of_the_same_area_disqualifies() {
        let of = |hours, message| history(&[(0, "Add x (#1)"), (hours, message)]);
        check_states(&of(71, "Hotfix: x (#2)"), "dx", "dx");
        check_states(&of(72, "Hotfix: x (#2)"), "vv", "vv");
        check_states(&of(1, "Merge pull request #2 from acme/hotfix/x\n\nMend x"), "dx", "dx");
        let mut elsewhere = of(1, "Hotfix: x (#2)");
        elsewhere[1].files = BTreeSet::from(["b.rs".to_owned()]);
        check_states(&elsewhere, "vv", "vv");
        let two =
            [(0, "Add x (#1)"), (1, "Add y (#2)"), (2, "Fix regression from #1 (#3)\n\nFollow-up to #1.")];
        let mut cited = history(&two);
        cited[2].files = BTreeSet::from(["b.rs".to_owned()]);
        check_states(&cited, "dvx", "dvx");
        let both = [(0, "Add x (#1)"), (1, "Add y (#2)"), (2, "Hotfix: fix regression from #1 (#3)")];
        check_states(&history(&both), "dvx", "dvx");
        check_states(&of(71, "Fix regression from #1 (#2)"), "dx", "dx");
        check_states(&of(72, "Fix regression from #1 (#2)"), "vv", "vv");
        let planned = [(0, "Add x (#1)"), (1, "Add y (#2)\n\nA follow-up to #1.")];
        check_states(&history(&planned), "vv", "dv");
        assert_eq!(judge(&cited).objections(0).len(), 1, "however often it is cited");
    }

    #[test]
    fn what_is_only_suspected_counts_by_the_literal_rule() {
        let fixed = history(&[(0, "Add x (#1)"), (1, "Fix the sum (#2)")]);
        check_states(&fixed, "vv", "dv");
        let objections =
            |hours| judge(&history(&[(0, "Add x (#1)"), (hours, "Fix the sum (#2)")])).objections.len();
        assert_eq!([71, 72].map(objections), [1, 0]);
        let reverted = history(&[(0, "Add x (#1)"), (1, "Revert \"Add x\" (#2)")]);
        assert_eq!(judge(&reverted).objections(0).len(), 1, "what is certain is not suspected as well");
        let near = [(0, "Add x (#1)"), (1, "Add y (#2)"), (2, "Revert \"Add x\" (#3)")];
        check_states(&history(&near), "dvx", "ddx");
        let mut far = history(&near);
        far[1].files = BTreeSet::from(["b.rs".to_owned()]);
        check_states(&far, "dvx", "dvx");
    }

    #[test]
    fn what_is_disputed_counts_no_more() {
        let mut changes = history(&[(0, "Add x (#1)"), (1, "Hotfix: x (#2)"), (2, "Revert \"Add x\" (#3)")]);
        check_states(&changes, "dxx", "dxx");
        let of = |cause, by: usize| (cause, format!("{:040x}", 0xa00_0000 + by));
        changes[0].disputed = vec![of(Cause::Revert, 2)];
        check_states(&changes, "dxx", "dxx");
        changes[0].disputed.push(of(Cause::Hotfix, 1));
        check_states(&changes, "vvx", "vdx");
        let (second, third) = ("Fix regression from #1 (#2)", "Fix regression from #1 (#3)");
        let mut twice = history(&[(0, "Add x (#1)"), (1, second), (2, third)]);
        twice[0].disputed = vec![of(Cause::Hotfix, 1)];
        check_states(&twice, "dvx", "dvx");
    }

    #[test]
    fn a_ticket_that_is_opened_again_within_the_window_disqualifies() {
        let state = |reopened, now| {
            let mut changes = history(&[(0, "Add x (#1)")]);
            changes[0].reopened_at = vec![at(reopened)];
            judge(&changes).state(&changes, 0, Policy::default(), at(now))
        };
        let days = 14 * 24;
        assert_eq!(state(5, 4), State::Pending);
        assert_eq!(state(5, 5), State::Disqualified);
        assert_eq!(state(days - 1, days), State::Disqualified);
        assert_eq!(state(days, days), State::Verified);
    }

    #[test]
    fn a_part_is_told_from_the_whole() {
        let mut changes = history(&[(0, "Add x (#1)"), (1, "Revert \"Add x (#1)\" (#2)")]);
        assert!(!judge(&changes).reverts[0].partial);
        changes[0].files.insert("b.rs".to_owned());
        assert!(judge(&changes).reverts[0].partial);
        let part = history(&[(0, "Add x (#1)"), (1, "Undo\n\nThis partially reverts #1")]);
        assert!(judge(&part).reverts[0].partial);
    }

    #[test]
    fn what_a_squash_took_back_on_its_way_did_not_land() {
        let said = format!("Add y (#2)\n\n* Revert \"Add x\"\n\nThis reverts commit {:040x}.", 0xa00_0000);
        let mut changes = history(&[(0, "Add x (#1)"), (1, &said)]);
        assert_eq!(judge(&changes).reverts.len(), 1);
        changes[1].files = BTreeSet::from(["y.rs".to_owned()]);
        assert!(judge(&changes).reverts.is_empty());
        let title = Target::Title { text: "Add x".to_owned(), cut: false };
        changes[1].mentions = vec![Mention {
            rule: Rule::Title,
            target: title,
            again: false,
            partial: false,
            place: Place::Passing,
        }];
        assert!(judge(&changes).reverts.is_empty(), "another change of this name");
        changes[1].is_repair = true;
        assert_eq!(judge(&changes).reverts.len(), 1, "files were renamed in between");
    }

    #[test]
    fn what_is_mentioned_by_number_in_passing_and_shares_no_file_was_not_taken_back() {
        for message in [
            "Stop reverting #1 at night (#2)",
            "Test that nothing reverts #1 (#2)",
            "Mend the job (#2)\n\nNo longer reverts #1; never reverts it.",
            "Mend the job (#2)\n\nBefore this the job reverts #1 on every deploy, which is a bug",
            "Before this the job reverts #1 on every deploy, which is a bug (#2)",
            "Fix the button that reverts #1 in demo (#2)",
        ] {
            let mut changes = history(&[(0, "Add x (#1)"), (1, message)]);
            changes[1].files = BTreeSet::from(["y.rs".to_owned()]);
            let judged = judge(&changes);
            assert!(judged.reverts.is_empty(), "{message}");
            let states = [0, 1].map(|index| judged.state(&changes, index, Policy::default(), at(10_000)));
            assert_eq!(states, [State::Verified; 2], "{message}");
        }
        for (message, files) in [
            ("Revert #1 (#2)", "y.rs"),
            ("Drop the flag, reverting #1 (#2)", "a.rs"),
            ("Drop the flag, reverting #1 (#2)", ""),
        ] {
            let mut changes = history(&[(0, "Add x (#1)"), (1, message)]);
            changes[1].files = files.split_whitespace().map(str::to_owned).collect();
            assert_eq!(judge(&changes).reverts.len(), 1, "{message} {files}");
        }
    }

    #[test]
    fn what_a_merge_brought_is_taken_back_by_its_number_or_its_title() {
        let title = "Teach the parser to read what it wrote";
        let merged = |message: &str, brought: &[&str], by: &str| {
            let mut changes = history(&[(0, message), (1, "Add y (#2)"), (2, by)]);
            changes[0].brought = brought.iter().map(|message| Landing::of(message)).collect();
            changes
        };
        let both = [&*format!("{title} (#7)"), "wip"];
        for by in [
            &*format!("Revert \"{title} (#7)\" (#9)"),
            &format!("Revert \"{title}\" (#9)"),
            "Undo\n\nReverts #7",
        ] {
            check_states(&merged("Merge branch 'next'", &both, by), "dvx", "ddx");
        }
        for by in
            ["Revert \"wip\" (#9)", "Fix regression from #7 (#9)", "Revert \"Teach the parser to read…\""]
        {
            assert!(judge(&merged("Merge branch 'next'", &both, by)).reverts.is_empty(), "{by}");
        }
        let revert = format!("Revert \"{title}\"");
        let mut twice = merged("Merge branch 'next'", &both, &revert);
        twice[1].brought = vec![Landing::of(title)];
        assert!(judge(&twice).reverts.is_empty(), "which of them?");
        let mut own = merged("Merge branch 'next'", &both, &revert);
        own[2].brought = vec![Landing::of(title)];
        assert!(judge(&own).reverts.is_empty(), "it had that, too");
    }

    #[test]
    fn a_branch_brought_up_to_date_takes_back_and_mends_nothing() {
        let mut changes = history(&[(0, "Add x (#1)"), (1, "Bring y (#2)\n\nReverts #1")]);
        changes[1].is_excluded = true;
        check_states(&changes, "dx", "dx");
        let mut bumped = history(&[(0, "Add x (#1)"), (1, "Hotfix: bump x (#2)")]);
        bumped[1].is_excluded = true;
        check_states(&bumped, "vx", "vx");
    }
}
