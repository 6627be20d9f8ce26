//! The commits of each session, and what is needed to look for them.

use super::reports::{Changes, touch};
use super::{Ledger, instant};
use crate::reader::reading::Place;
use anyhow::Result;
use jiff::Timestamp;
use meter::{Branch, Developer, Repo, SessionId, Sha, Week};
use rusqlite::params;

/// A commit git has confirmed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MadeCommit {
    pub repo: Repo,
    pub sha: Sha,
    pub branch: Branch,
    pub at: Timestamp,
}

/// A commit the transcript mentions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hint {
    pub folder: String,
    /// Short.
    pub sha: String,
    /// Empty where it is not told.
    pub branch: String,
}

/// Where a session may have left commits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Trail {
    pub session: SessionId,
    pub developer: Option<Developer>,
    /// When its own lines lie, week by week.
    pub spans: Vec<(Timestamp, Timestamp)>,
    pub folders: Vec<String>,
    pub hints: Vec<Hint>,
}

impl Ledger {
    pub(crate) fn commit_trail(&self, session: &SessionId) -> Result<Trail> {
        let id = [session.as_str()];
        let mut spans = self.db.prepare_cached(
            "SELECT min(started), max(ended) FROM share WHERE session = ?1 AND started IS NOT NULL GROUP BY week",
        )?;
        let spans = spans.query_map(id, |row| Ok((instant(row.get(0)?), instant(row.get(1)?))))?;
        let mut folders = self.db.prepare_cached("SELECT folder FROM session_folder WHERE session = ?1")?;
        let folders = folders.query_map(id, |row| row.get(0))?;
        let mut hints =
            self.db.prepare_cached("SELECT folder, sha, branch FROM commit_hint WHERE session = ?1")?;
        let hints = hints
            .query_map(id, |row| Ok(Hint { folder: row.get(0)?, sha: row.get(1)?, branch: row.get(2)? }))?;
        Ok(Trail {
            session: session.clone(),
            developer: self.session(session)?.and_then(|session| session.developer),
            spans: spans.collect::<Result<_, _>>()?,
            folders: folders.collect::<Result<_, _>>()?,
            hints: hints.collect::<Result<_, _>>()?,
        })
    }

    /// Adds commits to the session; the hints of its trail have served.
    pub(crate) fn commit_record(&mut self, trail: &Trail, commits: &[MadeCommit]) -> Result<()> {
        let id = trail.session.as_str();
        self.write(|db| {
            let mut changes = Changes::default();
            let mut insert = db.prepare_cached(
                "INSERT OR IGNORE INTO git_commit (session, repo, sha, branch, at) VALUES (?1, ?2, ?3, ?4, ?5)",
            )?;
            for MadeCommit { repo, sha, branch, at } in commits {
                let values = params![id, repo.as_str(), sha.as_str(), branch.as_str(), at.as_millisecond()];
                if insert.execute(values)? > 0 {
                    let (session, repo) = (trail.session.clone(), repo.to_string());
                    changes.place(&Place { session, repo, week: Week::of(*at) });
                }
            }
            let mut delete = db
                .prepare_cached("DELETE FROM commit_hint WHERE session = ?1 AND folder = ?2 AND sha = ?3")?;
            for Hint { folder, sha, .. } in &trail.hints {
                delete.execute([id, folder, sha])?;
            }
            touch(db, &changes)
        })
    }
}
