//! The work that spend can have gone into, as it was last judged: what is new of it tells whose spend to look at again.

use super::db::{Db, Fields, Value, values};
use super::ground::{Draft, Target, drafts};
use super::map::Commit;
use super::news::{Run, session_news};
use super::outcome::Commits;
use anyhow::Result;
use jiff::Timestamp;
use meter::Repo;
use meter::attribution::{Fate, Work};
use std::collections::{BTreeMap, BTreeSet};

/// Work as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Known {
    pub target: Target,
    pub work: Work,
    pub head: Option<(String, String)>,
    /// One a line.
    commits: String,
}

/// What a repository's work is to become.
pub(crate) struct WorkChange {
    /// By its place: as it was, and as it is to be.
    different: BTreeMap<String, (Option<Known>, Option<Known>)>,
    /// The changes that a cordon keeps out, by their sha.
    pub cordoned: BTreeSet<String>,
    /// The repositories that have or make requests, and did not before; or did, and no longer do.
    listed: BTreeSet<String>,
}

const COLUMNS: &str =
    "w.repo, w.place, w.sha, w.number, w.head_repo, w.head_branch, w.author, w.opened_at, w.closed_at,
    w.given_up, w.cordoned, w.commits";

impl Known {
    fn of(draft: Draft) -> Self {
        let commits: Vec<String> = draft.commits.into_iter().collect();
        Self { target: draft.target, work: draft.work, head: draft.head, commits: commits.join("\n") }
    }

    fn place(&self) -> String {
        let number = || format!("#{}", self.target.number.unwrap_or_default());
        self.target.sha.clone().unwrap_or_else(number)
    }

    /// Its repository and place.
    pub(crate) fn name(&self) -> (String, String) {
        (self.target.repo.clone(), self.place())
    }

    /// What was closed first comes first, what is open last.
    pub(crate) fn key(&self) -> (Timestamp, (String, String)) {
        (self.work.closed_at.unwrap_or(Timestamp::MAX), self.name())
    }

    /// The repositories of a request: that it is to, and that it came from.
    fn listed(&self) -> impl Iterator<Item = String> {
        let both = [Some(&self.target.repo), self.head.as_ref().map(|(repo, _)| repo)];
        both.into_iter().flatten().filter(|_| self.work.opened_at.is_some()).cloned()
    }

    fn read(row: &Fields) -> Result<Self> {
        let instant = |column| -> Result<Option<Timestamp>> {
            Ok(row.get::<Option<String>>(column)?.map(|text| text.parse()).transpose()?)
        };
        let target = Target { repo: row.get(0)?, sha: row.get(2)?, number: row.get(3)? };
        let fate = match (&target.sha, row.get(9)?) {
            (Some(_), _) => Fate::Landed,
            (None, false) => Fate::Open,
            (None, true) => Fate::GivenUp,
        };
        let work = Work {
            author: row.get(6)?,
            opened_at: instant(7)?,
            closed_at: instant(8)?,
            fate,
            is_cordoned: row.get(10)?,
        };
        let head = row.get::<Option<String>>(4)?.zip(row.get(5)?);
        Ok(Self { target, work, head, commits: row.get(11)? })
    }
}

/// Compares the work of a repository, as it is at an instant, with what is stored.
pub(crate) fn work_compare(db: &mut Db, repo: &Repo, at: Timestamp, landed: &Commits) -> Result<WorkChange> {
    let sql = format!("SELECT {COLUMNS} FROM work AS w WHERE w.repo = $1");
    let mut stored: BTreeMap<String, Known> = BTreeMap::new();
    db.each(&sql, &values![repo.as_str()], |row| {
        stored.insert(row.get(1)?, Known::read(row)?);
        Ok(())
    })?;
    let listed = |all: &BTreeMap<String, Known>| -> BTreeSet<String> {
        all.values().flat_map(Known::listed).collect()
    };
    let former = listed(&stored);
    let drafts = drafts(db, repo, at, landed)?;
    let new = drafts.into_iter().map(Known::of).map(|known| (known.place(), known)).collect();
    let is_out = |known: &&Known| known.work.is_cordoned;
    let cordoned =
        BTreeMap::values(&new).filter(is_out).filter_map(|known| known.target.sha.clone()).collect();
    let listed = former.symmetric_difference(&listed(&new)).cloned().collect();
    let mut different = BTreeMap::new();
    for (place, known) in new {
        let former = stored.remove(&place);
        if former.as_ref() != Some(&known) {
            different.insert(place, (former, Some(known)));
        }
    }
    different.extend(stored.into_iter().map(|(place, former)| (place, (Some(former), None))));
    Ok(WorkChange { different, cordoned, listed })
}

impl WorkChange {
    /// Stores what is different, and that it is news of the sessions it may concern.
    pub(crate) fn store(self, db: &mut Db, repo: &Repo, run: Run) -> Result<()> {
        for (place, (former, new)) in &self.different {
            if former.is_some() {
                let key = values![repo.as_str(), place];
                db.execute("DELETE FROM work WHERE repo = $1 AND place = $2", &key)?;
            }
            if let Some(new) = new {
                put(db, place, new)?;
            }
            if !run.from_nothing {
                [former, new].into_iter().flatten().try_for_each(|known| known.news(db))?;
            }
        }
        for repo in self.listed.iter().filter(|_| !run.from_nothing) {
            session_news(db, "SELECT session_id FROM session WHERE repo = $1", &values![repo])?;
        }
        Ok(())
    }
}

fn put(db: &mut Db, place: &str, known: &Known) -> Result<()> {
    let Known { target, work, head, commits } = known;
    let instant = |at: Option<Timestamp>| at.map(|at| at.to_string());
    let (head_repo, head_branch) = head.as_ref().map(|(repo, branch)| (repo, branch)).unzip();
    let mut row: Vec<Value> =
        values![&target.repo, place, target.sha.as_ref(), target.number, head_repo, head_branch].into();
    row.extend(values![work.author.as_ref(), instant(work.opened_at), instant(work.closed_at)]);
    row.extend(values![work.fate == Fate::GivenUp, work.is_cordoned, commits]);
    let sql = "INSERT INTO work VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
    db.execute(sql, &row).map(drop)
}

impl Known {
    /// It is news of those who were on its branch, did something with its request or made a commit of it. Whose spend
    /// was never told is to be looked at anyway.
    fn news(&self, db: &mut Db) -> Result<()> {
        if let Some((repo, branch)) = &self.head {
            let of_branch = "SELECT session_id FROM attribution_span WHERE repo = $1 AND branch = $2";
            session_news(db, of_branch, &values![repo, branch])?;
        }
        if let Some(number) = self.target.number {
            let of_request = "SELECT session_id FROM session_pull_request WHERE repo = $1 AND number = $2";
            session_news(db, of_request, &values![&self.target.repo, number])?;
        }
        for sha in self.commits.lines() {
            let of_commit = "SELECT session_id FROM session_commit WHERE sha = $1";
            session_news(db, of_commit, &values![sha])?;
        }
        Ok(())
    }
}

/// The work that was made on a branch.
pub(crate) fn work_of_head(db: &mut Db, repo: &str, branch: &str) -> Result<Vec<Known>> {
    let sql = format!("SELECT {COLUMNS} FROM work AS w WHERE w.head_repo = $1 AND w.head_branch = $2");
    db.list(&sql, &values![repo, branch], Known::read)
}

/// The work whose requests some sessions did something with.
pub(crate) fn work_of_actions(db: &mut Db, sessions: &[Value]) -> Result<Vec<Known>> {
    let sql = format!(
        "SELECT DISTINCT {COLUMNS} FROM session_news AS n CROSS JOIN session_pull_request AS p CROSS JOIN work AS w
         WHERE n.session_id > $1 AND n.session_id <= $2 AND p.session_id = n.session_id
            AND w.repo = p.repo AND w.number = p.number"
    );
    db.list(&sql, sessions, Known::read)
}

/// The work that commits of some sessions are part of, with the commit.
pub(crate) fn work_of_commits(db: &mut Db, sessions: &[Value]) -> Result<Vec<(String, Known)>> {
    let sql = format!(
        "SELECT {COLUMNS}, s.sha FROM session_news AS n CROSS JOIN session_commit AS s CROSS JOIN change_commit AS m
            CROSS JOIN work AS w
         WHERE n.session_id > $1 AND n.session_id <= $2 AND s.session_id = n.session_id AND m.sha = s.sha
            AND w.repo = m.repo AND w.place = m.change_sha
         UNION
         SELECT {COLUMNS}, s.sha FROM session_news AS n CROSS JOIN session_commit AS s CROSS JOIN pull_request_commit AS m
            CROSS JOIN work AS w
         WHERE n.session_id > $1 AND n.session_id <= $2 AND s.session_id = n.session_id AND m.sha = s.sha
            AND w.repo = m.repo AND w.number = m.number"
    );
    db.list(&sql, sessions, |row| Ok((row.get(12)?, Known::read(row)?)))
}

/// All work there is.
pub(crate) fn work_list(db: &mut Db) -> Result<Vec<Known>> {
    db.list(&format!("SELECT {COLUMNS} FROM work AS w"), &[], Known::read)
}

/// The work that commits of any session are part of, once for each of them.
pub(crate) fn work_of_all_commits(db: &mut Db) -> Result<Vec<Commit>> {
    db.list(
        "SELECT s.sha, m.repo, m.change_sha FROM session_commit AS s CROSS JOIN change_commit AS m WHERE m.sha = s.sha
         UNION ALL
         SELECT s.sha, w.repo, w.place FROM session_commit AS s CROSS JOIN pull_request_commit AS m CROSS JOIN work AS w
         WHERE m.sha = s.sha AND w.repo = m.repo AND w.number = m.number",
        &[],
        |row| Ok((row.get(0)?, (row.get(1)?, row.get(2)?))),
    )
}
