//! What landed as a host has it: its branch, walked page by page from the newest commit over first parents to what is
//! known. Where a page ends is kept with it, so that a walk that is cut off goes on there.

use super::web::onwards;
use super::{LandedCommit, Page};
use anyhow::{Result, ensure};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

const COMMITS: u32 = 100;

/// Where a walk goes on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct History {
    branch: String,
    /// The newest commit whose history is known.
    landed: Option<String>,
    #[serde(rename = "history")]
    pass: Option<Pass>,
}

/// A reading, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Pass {
    tip: String,
    next: String,
}

/// The newest commit of the tracked branch.
pub(super) struct Tip {
    pub branch: String,
    pub sha: String,
}

/// A commit of `branch` and those behind it, by their sha; `None` where it is gone. Asks for as many as `size` says, and
/// for fewer where that was too much.
pub(super) type Behind<'a> =
    &'a dyn Fn(&str, &str, &mut u32) -> Result<Option<HashMap<String, LandedCommit>>>;

/// Stores a page with where the next one begins.
type Keep<'a> = &'a mut dyn FnMut(Page, &History) -> Result<()>;

impl History {
    /// Reads what landed since `start` and is not known yet.
    pub(super) fn read(&mut self, tip: Tip, start: Timestamp, behind: Behind, keep: Keep) -> Result<()> {
        if self.pass.is_some() {
            self.walk(start, behind, keep)?; // what an earlier sync began
        }
        if tip.branch != self.branch {
            let is_first = self.branch.is_empty();
            self.landed = None;
            self.branch = tip.branch;
            if !is_first {
                keep(Page::Rewritten, self)?;
            }
        }
        self.pass = Some(Pass { next: tip.sha.clone(), tip: tip.sha });
        self.walk(start, behind, keep)
    }

    /// Follows the first parents from the next commit of the pass to what is known, to the root, or through a
    /// page of the past: single commits may bear a time of long ago.
    fn walk(&mut self, start: Timestamp, behind: Behind, keep: Keep) -> Result<()> {
        let mut size = COMMITS;
        while let Some(pass) = self.pass.take() {
            let Some(mut commits) = behind(&self.branch, &pass.next, &mut size)? else {
                return Ok(()); // rewritten since an earlier sync stood here
            };
            ensure!(commits.contains_key(&pass.next), "its history lacks the commit it was asked for");
            let is_past = commits.values().all(|landed| landed.commit.committed_at < start);
            let mut landed = Vec::new();
            let mut next = Some(pass.next.clone());
            while let Some(commit) = next.as_ref().and_then(|sha| commits.remove(sha)) {
                if self.landed.as_ref() == Some(&commit.commit.sha) {
                    break;
                }
                next = commit.commit.parents.first().cloned();
                if commit.commit.committed_at >= start {
                    landed.push(commit);
                }
            }
            let is_known = next.is_some() && next == self.landed;
            let goes_on = onwards(Some(&pass.next), next.filter(|_| !is_known && !is_past))?;
            if goes_on.is_none() && !is_known && self.landed.is_some() {
                self.landed = None;
                self.pass = Some(Pass { next: pass.tip.clone(), tip: pass.tip });
                keep(Page::Rewritten, self)?;
                continue;
            }
            match goes_on {
                Some(next) => self.pass = Some(Pass { tip: pass.tip, next }),
                None => self.landed = Some(pass.tip),
            }
            keep(Page::Landed { branch: self.branch.clone(), commits: landed }, self)?;
        }
        Ok(())
    }
}
