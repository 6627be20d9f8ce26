//! The commits of each session, and what is needed to look for them.

use super::reports::{Changes, touch};
use super::{Ledger, instant};
use crate::reader::reading::Place;
use anyhow::Result;
use jiff::Timestamp;
use meter::{Branch, Developer, Repo, SessionId, Sha, Week};
use rusqlite::{OptionalExtension, params};

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
    /// How often new lines of it had been read.
    readings: i64,
}

impl Ledger {
    /// The sessions with lines since their commits were looked for, also where that was cut short.
    pub(crate) fn commit_due(&self) -> Result<Vec<SessionId>> {
        let mut select = self.db.prepare("SELECT id FROM session WHERE searched < readings ORDER BY id")?;
        let due = select.query_map([], |row| row.get::<_, String>(0))?;
        due.map(|id| Ok(id?.parse()?)).collect()
    }

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
        let mut readings = self.db.prepare_cached("SELECT readings FROM session WHERE id = ?1")?;
        Ok(Trail {
            session: session.clone(),
            readings: readings.query_row(id, |row| row.get(0)).optional()?.unwrap_or(0),
            developer: self.session(session)?.and_then(|session| session.developer),
            spans: spans.collect::<Result<_, _>>()?,
            folders: folders.collect::<Result<_, _>>()?,
            hints: hints.collect::<Result<_, _>>()?,
        })
    }

    /// Adds the commits found on each trail; its hints have served.
    pub(crate) fn commit_record(&mut self, found: &[(Trail, Vec<MadeCommit>)]) -> Result<()> {
        if found.is_empty() {
            return Ok(());
        }
        self.write(|db| {
            let mut changes = Changes::default();
            let mut insert = db.prepare_cached(
                "INSERT OR IGNORE INTO git_commit (session, repo, sha, branch, at) VALUES (?1, ?2, ?3, ?4, ?5)",
            )?;
            let mut delete = db
                .prepare_cached("DELETE FROM commit_hint WHERE session = ?1 AND folder = ?2 AND sha = ?3")?;
            let mut update = db.prepare_cached("UPDATE session SET searched = max(searched, ?2) WHERE id = ?1")?;
            for (trail, commits) in found {
                let id = trail.session.as_str();
                for MadeCommit { repo, sha, branch, at } in commits {
                    let values =
                        params![id, repo.as_str(), sha.as_str(), branch.as_str(), at.as_millisecond()];
                    if insert.execute(values)? > 0 {
                        let (session, repo) = (trail.session.clone(), repo.as_str().into());
                        changes.place(&Place { session, repo, week: Week::of(*at) });
                    }
                }
                for Hint { folder, sha, .. } in &trail.hints {
                    delete.execute([id, folder, sha])?;
                }
                update.execute(params![id, trail.readings])?;
            }
            touch(db, &changes)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::ledger::Patience;

    #[test]
    fn commits_are_due_where_lines_were_read_since_they_were_looked_for() {
        let state = tempfile::tempdir().unwrap();
        let mut ledger = Ledger::open(state.path(), Patience::Worker, Timestamp::UNIX_EPOCH).unwrap();
        let ids: [SessionId; 2] =
            [1, 2].map(|digit| format!("00000000-0000-4000-8000-{digit:012}").parse().unwrap());
        let read = |ledger: &Ledger, id: &SessionId| {
            let insert = "INSERT INTO session (id, readings) VALUES (?1, 1)
                ON CONFLICT DO UPDATE SET readings = readings + 1";
            ledger.db.execute(insert, [id.as_str()]).unwrap();
        };
        assert_eq!(ledger.commit_due().unwrap(), []);
        for id in &ids {
            read(&ledger, id);
        }
        assert_eq!(ledger.commit_due().unwrap(), ids);
        let trails = ids.each_ref().map(|id| ledger.commit_trail(id).unwrap());
        read(&ledger, &ids[1]);
        ledger.commit_record(&trails.map(|trail| (trail, Vec::new()))).unwrap();
        assert_eq!(ledger.commit_due().unwrap(), ids[1..], "its last lines came while git was asked");
        let trail = ledger.commit_trail(&ids[1]).unwrap();
        ledger.commit_record(&[(trail, Vec::new())]).unwrap();
        assert_eq!(ledger.commit_due().unwrap(), []);
    }
}
