//! Everything that spend can be told to have built, as it was at one instant.

use super::cordon::cordon_list;
use super::db::{Db, values};
use super::outcome::change_files;
use anyhow::Result;
use jiff::Timestamp;
use meter::Repo;
use meter::attribution::{Cordon, Fate, Ground, Work};
use std::collections::{HashMap, HashSet};

/// What a verdict names: a change, or a request that has not landed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Target {
    pub repo: String,
    pub sha: Option<String>,
    pub number: Option<u64>,
}

/// A ground, and what its work is by its place.
pub(crate) struct Known {
    pub ground: Ground,
    pub targets: Vec<Target>,
}

/// Work as it is read, before it is judged by.
struct Draft {
    target: Target,
    work: Work,
    /// The repository and branch it was made on.
    head: Option<(String, String)>,
    labels: Vec<String>,
}

struct Reading {
    at: Timestamp,
    /// The member behind a name.
    members: HashMap<String, String>,
    drafts: Vec<Draft>,
    numbers: HashMap<(String, u64), usize>,
    landings: HashMap<(String, String), usize>,
}

pub(crate) fn ground_read(db: &mut Db, at: Timestamp) -> Result<Known> {
    let cordons = cordon_list(db)?.into_iter().map(|held| held.cordon).collect();
    let mut ground = Ground::new(at, cordons);
    for row in db.query("SELECT repo, branch FROM source", &[])? {
        ground.track(&row.get::<String>(0)?, &row.get::<String>(1)?);
    }
    let listing = "SELECT name FROM service WHERE kind IN ('github', 'gitlab')
        UNION SELECT DISTINCT head_repo FROM pull_request WHERE head_repo IS NOT NULL";
    for row in db.query(listing, &[])? {
        ground.list_requests(&row.get::<String>(0)?);
    }
    let mut targets = Vec::new();
    for Draft { target, work, head, .. } in drafts(db, at)? {
        let work = ground.add(work);
        if let Some(number) = target.number {
            ground.add_number(&target.repo, number, work);
        }
        if let Some((repo, branch)) = head {
            ground.add_head(&repo, &branch, work);
        }
        targets.push(target);
    }
    commits(db, &mut ground, &targets)?;
    Ok(Known { ground, targets })
}

/// All work there is at an instant.
fn drafts(db: &mut Db, at: Timestamp) -> Result<Vec<Draft>> {
    let members = db.query("SELECT developer, member FROM developer WHERE member IS NOT NULL", &[])?;
    let members = members.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect::<Result<_>>()?;
    let (drafts, numbers, landings) = Default::default();
    let mut reading = Reading { at, members, drafts, numbers, landings };
    reading.changes(db)?;
    reading.requests(db)?;
    reading.created(db)?;
    reading.cordon(db)?;
    Ok(reading.drafts)
}

impl Reading {
    fn by(&self, at: Option<Timestamp>) -> Option<Timestamp> {
        at.filter(|at| *at <= self.at)
    }

    fn member(&self, name: Option<&String>) -> Option<String> {
        self.members.get(name?).cloned()
    }

    /// What landed.
    fn changes(&mut self, db: &mut Db) -> Result<()> {
        let rows = db.query(
            "SELECT repo, sha, number, head_branch, author, merged_at FROM change WHERE merged_at <= $1
             ORDER BY landed",
            &values![self.at.to_string()],
        )?;
        for row in &rows {
            let (repo, number): (String, Option<u64>) = (row.get(0)?, row.get(2)?);
            let head = row.get::<Option<String>>(3)?.map(|branch| (repo.clone(), branch));
            let work = Work {
                author: self.member(Some(&row.get(4)?)),
                opened_at: None,
                closed_at: Some(row.parse(5)?),
                fate: Fate::Landed,
                is_cordoned: false,
            };
            let target = Target { repo, sha: Some(row.get(1)?), number };
            self.add(Draft { target, work, head, labels: Vec::new() });
        }
        Ok(())
    }

    fn add(&mut self, draft: Draft) {
        if let Some(sha) = &draft.target.sha {
            self.landings.insert((draft.target.repo.clone(), sha.clone()), self.drafts.len());
        }
        if let Some(number) = draft.target.number {
            self.numbers.insert((draft.target.repo.clone(), number), self.drafts.len());
        }
        self.drafts.push(draft);
    }

    /// What hosts say of requests: those that landed are changes already.
    fn requests(&mut self, db: &mut Db) -> Result<()> {
        let rows = db.query(
            "SELECT repo, number, head_repo, head_branch, author, opened_at, merged_at, closed_at, labels, merge_sha
             FROM pull_request WHERE opened_at <= $1",
            &values![self.at.to_string()],
        )?;
        for row in &rows {
            let (repo, number): (String, u64) = (row.get(0)?, row.get(1)?);
            let instant = |column| -> Result<Option<Timestamp>> {
                Ok(row.get::<Option<String>>(column)?.map(|text| text.parse()).transpose()?)
            };
            let (merged_at, closed_at) = (self.by(instant(6)?), self.by(instant(7)?));
            let author = self.member(row.get::<Option<String>>(4)?.as_ref());
            let opened_at = instant(5)?;
            let branch: String = row.get(3)?;
            let head = row.get::<Option<String>>(2)?.map(|repo| (repo, branch));
            let labels = row.get::<String>(8)?.lines().map(str::to_owned).collect();
            // a history that does not name the request has the commit that landed it
            let landing = row.get::<Option<String>>(9)?.map(|sha| (repo.clone(), sha));
            let landed = self.numbers.get(&(repo.clone(), number)).or_else(|| self.landings.get(&landing?));
            if let Some(place) = landed.copied() {
                let draft = &mut self.drafts[place];
                draft.work.author = author.or(draft.work.author.take());
                (draft.work.opened_at, draft.head, draft.labels) = (opened_at, head, labels);
                draft.target.number.get_or_insert(number);
                self.numbers.entry((repo, number)).or_insert(place);
                continue;
            }
            let fate = if closed_at.is_some() && merged_at.is_none() { Fate::GivenUp } else { Fate::Open };
            let work =
                Work { author, opened_at, closed_at: merged_at.or(closed_at), fate, is_cordoned: false };
            self.add(Draft { target: Target { repo, sha: None, number: Some(number) }, work, head, labels });
        }
        Ok(())
    }

    /// Where nobody names the branch of a change, that of the session that asked for it, if it was on one alone.
    fn created(&mut self, db: &mut Db) -> Result<()> {
        let rows = db.query(
            "SELECT p.repo, p.number, MIN(u.branch) FROM session_pull_request AS p
             JOIN usage AS u ON u.session_id = p.session_id AND u.repo = p.repo AND u.week = p.week
                AND u.hour = SUBSTR(p.acted_at, 1, 13) || ':00:00Z'
             WHERE p.action = 'created' AND u.branch NOT IN ('', '*')
                AND u.branch NOT IN (SELECT s.branch FROM source AS s WHERE s.repo = u.repo)
             GROUP BY p.repo, p.number HAVING COUNT(DISTINCT u.branch) = 1",
            &[],
        )?;
        for row in &rows {
            let (repo, number): (String, u64) = (row.get(0)?, row.get(1)?);
            if let Some(place) = self.numbers.get(&(repo.clone(), number)) {
                let branch = row.get(2)?;
                self.drafts[*place].head.get_or_insert((repo, branch));
            }
        }
        Ok(())
    }

    fn cordon(&mut self, db: &mut Db) -> Result<()> {
        let cordons: Vec<Cordon> = cordon_list(db)?.into_iter().map(|held| held.cordon).collect();
        if cordons.is_empty() {
            return Ok(());
        }
        let mut files: HashMap<String, _> = HashMap::new();
        if cordons.iter().any(|cordon| cordon.path.is_some()) {
            for row in db.query("SELECT repo FROM source", &[])? {
                let repo: Repo = row.parse(0)?;
                files.insert(repo.to_string(), change_files(db, &repo)?);
            }
        }
        for Draft { target, work, head, labels } in &mut self.drafts {
            let of_change = target.sha.as_ref().and_then(|sha| files.get(&target.repo)?.get(sha));
            let branch = head.as_ref().map(|(_, branch)| branch.as_str());
            let files = of_change.map_or(&[][..], Vec::as_slice);
            work.is_cordoned = cordons.iter().any(|cordon| cordon.holds(&target.repo, branch, labels, files));
        }
        Ok(())
    }
}

/// The changes of a repository that a cordon keeps out, by their sha.
pub(crate) fn cordoned(db: &mut Db, repo: &Repo, at: Timestamp) -> Result<HashSet<String>> {
    if cordon_list(db)?.is_empty() {
        return Ok(HashSet::new());
    }
    let drafts = drafts(db, at)?.into_iter();
    let out = drafts.filter(|draft| draft.work.is_cordoned && draft.target.repo == repo.as_str());
    Ok(out.filter_map(|draft| draft.target.sha).collect())
}

/// The commits that sessions made, of what they are part.
fn commits(db: &mut Db, ground: &mut Ground, targets: &[Target]) -> Result<()> {
    let mut changes: HashMap<(&str, &str), usize> = HashMap::new();
    let mut numbers: HashMap<(&str, u64), usize> = HashMap::new();
    for (place, target) in targets.iter().enumerate() {
        if let Some(sha) = &target.sha {
            changes.insert((&target.repo, sha), place);
        }
        if let Some(number) = target.number {
            numbers.insert((&target.repo, number), place);
        }
    }
    let of_changes = "SELECT repo, change_sha, sha FROM change_commit
        WHERE sha IN (SELECT sha FROM session_commit)";
    for row in db.query(of_changes, &[])? {
        let (repo, change): (String, String) = (row.get(0)?, row.get(1)?);
        if let Some(place) = changes.get(&(repo.as_str(), change.as_str())) {
            ground.add_commit(&row.get::<String>(2)?, *place);
        }
    }
    let of_requests = "SELECT repo, number, sha FROM pull_request_commit
        WHERE sha IN (SELECT sha FROM session_commit)";
    for row in db.query(of_requests, &[])? {
        let repo: String = row.get(0)?;
        if let Some(place) = numbers.get(&(repo.as_str(), row.get(1)?)) {
            ground.add_commit(&row.get::<String>(2)?, *place);
        }
    }
    Ok(())
}
