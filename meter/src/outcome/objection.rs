//! What speaks against a change: what took it back, what mended it in haste, and what only may have.

use super::area::{Overlap, Touched};
use super::policy::Policy;
use super::survival::{Change, Kind, Nature, Revert};
use crate::vocabulary::words;
use jiff::Timestamp;
use std::collections::BTreeMap;

words! {
    /// Why a change is no outcome.
    Cause { Revert = "revert", Hotfix = "hotfix" }
}

/// One change speaks against another; both by their place among the changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Objection {
    pub target: usize,
    pub by: usize,
    pub cause: Cause,
    /// How it is known.
    pub rule: &'static str,
    /// Only the files they share or a follow-up says so: it counts by the literal rule only.
    pub suspected: bool,
}

/// Looks for what a change speaks against among those before it.
pub(super) struct Finder<'a> {
    pub changes: &'a [Change],
    pub touched: Touched<'a>,
    /// No policy looks further back.
    pub reach: Policy,
}

impl Finder<'_> {
    /// `reverts` are those of this change, `cited` what it says that it mends and whether that is certain.
    pub(super) fn objections(
        &self,
        by: usize,
        nature: Nature,
        reverts: &[Revert],
        cited: &BTreeMap<usize, bool>,
    ) -> Vec<Objection> {
        let against = |target, cause, rule, suspected| Objection { target, by, cause, rule, suspected };
        let taken_back = reverts.iter().filter(|revert| revert.kind == Kind::Revert);
        let mut found: Vec<_> = taken_back
            .map(|revert| against(revert.target, Cause::Revert, revert.rule.as_str(), false))
            .collect();
        let change = &self.changes[by];
        if change.is_excluded {
            return found;
        }
        if nature == Nature::Revert {
            let window = |at| self.reach.window_ends(at);
            let near = self.near(by, window, |target| target.shipped_at, Overlap::is_same_area);
            let others =
                near.into_iter().filter(|target| reverts.iter().all(|revert| revert.target != *target));
            found.extend(others.map(|target| against(target, Cause::Revert, "files", true)));
            return found;
        }
        let haste = |at| self.reach.haste_ends(at);
        let merged_at = |target: &Change| target.merged_at;
        if !cited.is_empty() {
            let cited = cited.iter();
            found
                .extend(cited.map(|(target, certain)| against(*target, Cause::Hotfix, "citation", !certain)));
        } else if let Some(sign) = change.mending.sign {
            let near = self.near(by, haste, merged_at, Overlap::is_same_area);
            found.extend(near.into_iter().map(|target| against(target, Cause::Hotfix, sign.as_str(), false)));
        } else if change.mending.is_fix {
            let near = self.near(by, haste, merged_at, Overlap::is_close);
            found.extend(near.into_iter().map(|target| against(target, Cause::Hotfix, "files", true)));
        }
        found
    }

    /// The former changes that are near by their files and in time: what began with them has not ended.
    fn near(
        &self,
        by: usize,
        ends: impl Fn(Timestamp) -> Timestamp,
        began: impl Fn(&Change) -> Timestamp,
        by_files: impl Fn(Overlap) -> bool,
    ) -> Vec<usize> {
        let change = &self.changes[by];
        let is_late = |at| change.merged_at < ends(at);
        let is_near = |former: usize| is_late(began(&self.changes[former]));
        let overlaps = self.touched.overlaps(&change.files, is_late, is_near).into_iter();
        overlaps.filter(|(_, overlap)| by_files(*overlap)).map(|(target, _)| target).collect()
    }
}

impl Objection {
    /// Whether it came soon enough. What a wrong clock puts before its target came at once.
    pub fn in_window(&self, changes: &[Change], policy: Policy) -> bool {
        let (target, at) = (&changes[self.target], changes[self.by].merged_at);
        match self.cause {
            Cause::Revert => target.in_window(at, policy),
            Cause::Hotfix => at < policy.haste_ends(target.merged_at),
        }
    }
}
