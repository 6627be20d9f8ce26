//! The commits of each session, and what is needed to look for them.

use super::reports::{Changes, touch};
use super::{Ledger, instant};
use anyhow::Result;
use jiff::Timestamp;
use meter::{Branch, Repo, SessionId, Sha, Week};
use rusqlite::params;

/// A commit git has confirmed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MadeCommit {
    pub repo: Repo,
    pub sha: Sha,
    pub branch: Branch,
    pub at: Timestamp,
}

impl Ledger {
    /// When the session's own lines lie, week by week.
    pub(crate) fn session_spans(&self, session: &SessionId) -> Result<Vec<(Timestamp, Timestamp)>> {
        let mut select = self.db.prepare_cached(
            "SELECT min(started), max(ended) FROM share WHERE session = ?1 AND started IS NOT NULL GROUP BY week",
        )?;
        let spans =
            select.query_map([session.as_str()], |row| Ok((instant(row.get(0)?), instant(row.get(1)?))))?;
        Ok(spans.collect::<Result<_, _>>()?)
    }

    pub(crate) fn session_folders(&self, session: &SessionId) -> Result<Vec<String>> {
        let mut select = self.db.prepare_cached("SELECT folder FROM session_folder WHERE session = ?1")?;
        let folders = select.query_map([session.as_str()], |row| row.get(0))?;
        Ok(folders.collect::<Result<_, _>>()?)
    }

    /// Folder, short id and branch of the commits the transcript mentions.
    pub(crate) fn commit_hints(&self, session: &SessionId) -> Result<Vec<(String, String, String)>> {
        let mut select =
            self.db.prepare_cached("SELECT folder, sha, branch FROM commit_hint WHERE session = ?1")?;
        let hints =
            select.query_map([session.as_str()], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        Ok(hints.collect::<Result<_, _>>()?)
    }

    /// Adds commits to the session; its hints have served.
    pub(crate) fn commit_record(&mut self, session: &SessionId, commits: &[MadeCommit]) -> Result<()> {
        let id = session.as_str();
        self.write(|db| {
            let mut changes = Changes::default();
            let mut insert = db.prepare_cached(
                "INSERT OR IGNORE INTO git_commit (session, repo, sha, branch, at) VALUES (?1, ?2, ?3, ?4, ?5)",
            )?;
            for MadeCommit { repo, sha, branch, at } in commits {
                let values = params![id, repo.as_str(), sha.as_str(), branch.as_str(), at.as_millisecond()];
                if insert.execute(values)? > 0 {
                    changes.raw(id.to_owned(), repo.to_string(), Week::of(*at).to_string());
                }
            }
            db.prepare_cached("DELETE FROM commit_hint WHERE session = ?1")?.execute([id])?;
            touch(db, &changes)
        })
    }
}
