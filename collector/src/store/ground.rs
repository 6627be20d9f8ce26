//! The work of a repository that spend can have gone into, as it was at one instant: what its changes and requests
//! say of each other.

use super::cordon::cordon_list;
use super::db::{Db, values};
use super::outcome::{Commits, change_files};
use anyhow::Result;
use jiff::Timestamp;
use meter::Repo;
use meter::attribution::{Cordon, Fate, Work};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// What a verdict names: a change, or a request that has not landed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(crate) struct Target {
    pub repo: String,
    pub sha: Option<String>,
    pub number: Option<u64>,
}

/// Work, with what it can be recognised by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Draft {
    pub target: Target,
    pub work: Work,
    /// The repository and branch it was made on.
    pub head: Option<(String, String)>,
    pub labels: Vec<String>,
    pub commits: BTreeSet<String>,
}

struct Reading<'a> {
    repo: &'a Repo,
    at: Timestamp,
    /// The member behind a name.
    members: HashMap<String, String>,
    drafts: Vec<Draft>,
    numbers: HashMap<u64, usize>,
    landings: HashMap<String, usize>,
}

/// All work of a repository that there is at an instant.
pub(crate) fn drafts(db: &mut Db, repo: &Repo, at: Timestamp, landed: &Commits) -> Result<Vec<Draft>> {
    let members = db.query("SELECT developer, member FROM developer WHERE member IS NOT NULL", &[])?;
    let members = members.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect::<Result<_>>()?;
    let (drafts, numbers, landings) = Default::default();
    let mut reading = Reading { repo, at, members, drafts, numbers, landings };
    reading.changes(db)?;
    reading.requests(db)?;
    reading.created(db)?;
    reading.commits(db, landed)?;
    reading.cordon(db)?;
    Ok(reading.drafts)
}

impl Reading<'_> {
    fn by(&self, at: Option<Timestamp>) -> Option<Timestamp> {
        at.filter(|at| *at <= self.at)
    }

    fn member(&self, name: Option<&String>) -> Option<String> {
        self.members.get(name?).cloned()
    }

    /// What landed.
    fn changes(&mut self, db: &mut Db) -> Result<()> {
        let rows = db.query(
            "SELECT sha, number, head_branch, author, merged_at FROM change WHERE repo = $1 AND merged_at <= $2
             ORDER BY landed, sha",
            &values![self.repo.as_str(), self.at.to_string()],
        )?;
        for row in &rows {
            let (repo, number) = (self.repo.to_string(), row.get(1)?);
            let head = row.get::<Option<String>>(2)?.map(|branch| (repo.clone(), branch));
            let work = Work {
                author: self.member(Some(&row.get(3)?)),
                opened_at: None,
                closed_at: Some(row.parse(4)?),
                fate: Fate::Landed,
                is_cordoned: false,
            };
            self.add(Target { repo, sha: Some(row.get(0)?), number }, work, head, Vec::new());
        }
        Ok(())
    }

    fn add(&mut self, target: Target, work: Work, head: Option<(String, String)>, labels: Vec<String>) {
        let place = self.drafts.len();
        if let Some(sha) = &target.sha {
            self.landings.insert(sha.clone(), place);
        }
        if let Some(number) = target.number {
            self.numbers.insert(number, place);
        }
        self.drafts.push(Draft { target, work, head, labels, commits: BTreeSet::new() });
    }

    /// What hosts say of requests: those that landed are changes already.
    fn requests(&mut self, db: &mut Db) -> Result<()> {
        let rows = db.query(
            "SELECT number, head_repo, head_branch, author, opened_at, merged_at, closed_at, labels, merge_sha
             FROM pull_request WHERE repo = $1 AND opened_at <= $2 ORDER BY number",
            &values![self.repo.as_str(), self.at.to_string()],
        )?;
        for row in &rows {
            let number: u64 = row.get(0)?;
            let instant = |column| -> Result<Option<Timestamp>> {
                Ok(row.get::<Option<String>>(column)?.map(|text| text.parse()).transpose()?)
            };
            let opened_at = instant(4)?;
            let (merged_at, closed_at) = (self.by(instant(5)?), self.by(instant(6)?));
            let author = self.member(row.get::<Option<String>>(3)?.as_ref());
            let branch: String = row.get(2)?;
            let head = row.get::<Option<String>>(1)?.map(|repo| (repo, branch));
            let labels = row.get::<String>(7)?.lines().map(str::to_owned).collect();
            // a history that does not name the request has the commit that landed it
            let landing: Option<String> = row.get(8)?;
            let landed = self.numbers.get(&number).or_else(|| self.landings.get(&landing?));
            if let Some(place) = landed.copied() {
                let draft = &mut self.drafts[place];
                draft.work.author = author.or(draft.work.author.take());
                (draft.work.opened_at, draft.head, draft.labels) = (opened_at, head, labels);
                draft.target.number.get_or_insert(number);
                self.numbers.entry(number).or_insert(place);
                continue;
            }
            let fate = if closed_at.is_some() && merged_at.is_none() { Fate::GivenUp } else { Fate::Open };
            let work =
                Work { author, opened_at, closed_at: merged_at.or(closed_at), fate, is_cordoned: false };
            let repo = self.repo.to_string();
            self.add(Target { repo, sha: None, number: Some(number) }, work, head, labels);
        }
        Ok(())
    }

    /// Where nobody names the branch of a change, that of the session that asked for it, if it was on one alone.
    fn created(&mut self, db: &mut Db) -> Result<()> {
        let rows = db.query(
            "SELECT number, MIN(branch) FROM session_asked
             WHERE repo = $1 AND branch NOT IN (SELECT s.branch FROM source AS s WHERE s.repo = $1)
             GROUP BY number HAVING MIN(branch) = MAX(branch)",
            &values![self.repo.as_str()],
        )?;
        for row in &rows {
            if let Some(place) = self.numbers.get(&row.get(0)?) {
                let branch = row.get(1)?;
                self.drafts[*place].head.get_or_insert((self.repo.to_string(), branch));
            }
        }
        Ok(())
    }

    /// The commits that are part of it.
    fn commits(&mut self, db: &mut Db, landed: &Commits) -> Result<()> {
        for (change, commits) in landed {
            if let Some(place) = self.landings.get(change) {
                self.drafts[*place].commits.extend(commits.iter().map(|(sha, _)| sha.clone()));
            }
        }
        let of_requests = "SELECT number, sha FROM pull_request_commit WHERE repo = $1";
        db.each(of_requests, &values![self.repo.as_str()], |row| {
            if let Some(place) = self.numbers.get(&row.get(0)?) {
                self.drafts[*place].commits.insert(row.get(1)?);
            }
            Ok(())
        })
    }

    fn cordon(&mut self, db: &mut Db) -> Result<()> {
        let cordons: Vec<Cordon> = cordon_list(db)?.into_iter().map(|held| held.cordon).collect();
        let files = if cordons.iter().any(|cordon| cordon.path.is_some()) {
            change_files(db, self.repo)?
        } else {
            BTreeMap::default()
        };
        for Draft { target, work, head, labels, .. } in &mut self.drafts {
            let of_change = target.sha.as_ref().and_then(|sha| files.get(sha));
            let branch = head.as_ref().map(|(_, branch)| branch.as_str());
            let files = of_change.map_or(&[][..], Vec::as_slice);
            work.is_cordoned = cordons.iter().any(|cordon| cordon.holds(&target.repo, branch, labels, files));
        }
        Ok(())
    }
}
