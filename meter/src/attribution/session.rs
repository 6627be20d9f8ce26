//! The rules that tell what a session's spend built, in their order.

use super::{Class, Fate, Ground, REQUEST_WAIT, Rule, TAIL, Verdict, later};
use crate::vocabulary::PullRequestAction;
use crate::week::Hour;
use jiff::Timestamp;
use std::collections::HashSet;

/// What one session did; commits and actions in the order of time, of all its weeks.
#[derive(Debug, Default)]
pub struct Session<'a> {
    /// The person, as [`Work::author`](super::Work::author) names them.
    pub developer: &'a str,
    pub is_ci: bool,
    pub commits: Vec<Commit<'a>>,
    pub actions: Vec<Action<'a>>,
    pub slots: Vec<Slot<'a>>,
}

#[derive(Debug, Clone, Copy)]
pub struct Commit<'a> {
    pub repo: &'a str,
    pub branch: &'a str,
    pub sha: &'a str,
    pub at: Timestamp,
}

/// What was done with a request.
#[derive(Debug, Clone, Copy)]
pub struct Action<'a> {
    pub repo: &'a str,
    pub number: u64,
    pub action: PullRequestAction,
    pub at: Timestamp,
}

/// Where the session spent something: all rows of one slot go the same way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Slot<'a> {
    pub repo: &'a str,
    pub branch: &'a str,
    pub hour: Hour,
}

impl Slot<'_> {
    /// Branches that have no name, or lost it among too many.
    fn is_nameless(&self) -> bool {
        matches!(self.branch, "" | "*")
    }
}

impl Ground {
    /// What each slot of the session is told to be, in their order.
    pub fn attribute(&self, session: &Session) -> Vec<Verdict> {
        let found = Found::of(self, session);
        session.slots.iter().map(|slot| found.verdict(*slot)).collect()
    }
}

/// A session on its ground.
struct Found<'a> {
    ground: &'a Ground,
    session: &'a Session<'a>,
    /// Work that the session itself made.
    own: HashSet<usize>,
    /// The slots on branches of their own, first hour first.
    features: Vec<Slot<'a>>,
}

impl<'a> Found<'a> {
    fn of(ground: &'a Ground, session: &'a Session<'a>) -> Self {
        let created = session.actions.iter().filter(|one| one.action == PullRequestAction::Created);
        let created = created.filter_map(|one| ground.number(one.repo, one.number));
        let committed = session.commits.iter().filter_map(|commit| ground.commits.get(commit.sha).copied());
        let own = created.chain(committed).collect();
        let is_feature = |slot: &&Slot| !slot.is_nameless() && !ground.is_tracked(slot.repo, slot.branch);
        let mut features: Vec<Slot> = session.slots.iter().filter(is_feature).copied().collect();
        features.sort_unstable_by_key(|slot| (slot.repo, slot.hour, slot.branch));
        Self { ground, session, own, features }
    }

    fn verdict(&self, slot: Slot) -> Verdict {
        let verdict = self.direct(slot);
        let cordoned = verdict.work.is_some_and(|work| self.ground.works[work].is_cordoned)
            || self.ground.cordons.iter().any(|cordon| cordon.holds_place(slot.repo, slot.branch));
        if cordoned { Verdict { class: Class::Cordon, rule: Rule::Cordon, ..verdict } } else { verdict }
    }

    fn direct(&self, slot: Slot) -> Verdict {
        let told = |class, rule, work| Verdict { class, rule, work: Some(work) };
        let (committed, head) = (self.committed(slot), self.ground.head(slot.repo, slot.branch, slot.hour));
        if self.session.is_ci {
            let work = committed.or_else(|| self.named(slot, |_| true)).or(head);
            return Verdict { class: Class::Ci, rule: Rule::Environment, work };
        }
        if let Some(work) = committed.filter(|work| self.fate(*work) == Fate::Landed) {
            return told(Class::Commit, Rule::Commit, work);
        }
        if let Some(work) = head.filter(|work| self.is_foreign(*work)) {
            return told(Class::Review, Rule::HeadBranch, work);
        }
        if let Some(work) = self.named(slot, |work| self.is_foreign(work)) {
            return told(Class::Review, Rule::Named, work);
        }
        let (work, rule) = match (head, committed) {
            (Some(work), _) => (work, Rule::HeadBranch),
            (None, Some(work)) => (work, Rule::Commit),
            (None, None) => return self.carried(slot).unwrap_or_else(|| self.unmatched(slot)),
        };
        let class = match self.fate(work) {
            Fate::Landed => Class::Branch,
            Fate::Open => Class::InFlight,
            Fate::GivenUp => Class::Abandoned,
        };
        told(class, rule, work)
    }

    fn fate(&self, work: usize) -> Fate {
        self.ground.works[work].fate
    }

    /// Somebody else's work, as far as its author is known.
    fn is_foreign(&self, work: usize) -> bool {
        let author = self.ground.works[work].author.as_deref();
        !self.own.contains(&work) && author.is_some_and(|author| author != self.session.developer)
    }

    /// The work of the first commit of this place at or after the hour, else of the last one before it. A commit
    /// that nothing holds was amended or dropped, where another one follows, and has not landed where none does.
    fn committed(&self, slot: Slot) -> Option<usize> {
        let of_place = |commit: &&Commit| {
            commit.repo == slot.repo && (slot.is_nameless() || commit.branch == slot.branch)
        };
        let work = |commit: &Commit| self.ground.commits.get(commit.sha).copied();
        let is_after = |commit: &&Commit| Hour::of(commit.at) >= slot.hour;
        let (after, before): (Vec<&Commit>, Vec<&Commit>) =
            self.session.commits.iter().filter(of_place).partition(is_after);
        if after.is_empty() {
            return before.last().and_then(|commit| work(commit));
        }
        after.iter().find_map(|commit| work(commit))
    }

    /// The work of the first request that the session names at or after the hour, else of the last one before it.
    fn named(&self, slot: Slot, is_meant: impl Fn(usize) -> bool) -> Option<usize> {
        let mut last = None;
        for one in self.session.actions.iter().filter(|one| one.repo == slot.repo) {
            let work = self.ground.number(one.repo, one.number).filter(|work| is_meant(*work));
            if work.is_some() && Hour::of(one.at) >= slot.hour {
                return work;
            }
            last = work.or(last);
        }
        last
    }

    /// Work that began on the default branch goes where the session took it, if that is one branch.
    fn carried(&self, slot: Slot) -> Option<Verdict> {
        if !slot.is_nameless() && !self.ground.is_tracked(slot.repo, slot.branch) {
            return None;
        }
        let start = self.features.partition_point(|to| (to.repo, to.hour) < (slot.repo, slot.hour));
        let first = *self.features.get(start)?;
        let of_hour = |to: &&Slot| (to.repo, to.hour) == (slot.repo, first.hour);
        let until = later(slot.hour.start(), TAIL);
        if first.repo != slot.repo
            || first.hour.start() > until
            || self.features[start..].iter().take_while(of_hour).any(|to| to.branch != first.branch)
        {
            return None;
        }
        let verdict = self.verdict(first);
        let class = match verdict.class {
            Class::Commit | Class::Branch => Class::Carried,
            Class::Unattributed => return None,
            class => class,
        };
        Some(Verdict { class, rule: Rule::Carried, ..verdict })
    }

    /// Why nothing is known of what it built.
    fn unmatched(&self, slot: Slot) -> Verdict {
        let (class, rule) = match self.ground.repositories.get(slot.repo) {
            None => (Class::Unattributed, Rule::UnknownRepository),
            Some(_) if slot.is_nameless() => (Class::Unattributed, Rule::NoBranch),
            Some(of) if of.tracked.as_deref() == Some(slot.branch) => {
                (Class::Unattributed, Rule::DefaultBranch)
            }
            Some(of) if !of.lists_requests => (Class::Unattributed, Rule::NoPrSource),
            Some(_) if later(slot.hour.start(), REQUEST_WAIT) <= self.ground.at => {
                (Class::NeverPr, Rule::NoRequest)
            }
            Some(_) => (Class::InFlight, Rule::NoRequestYet),
        };
        Verdict { class, rule, work: None }
    }
}
