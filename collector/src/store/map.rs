//! What is known of all repositories, and the ground that it makes for sessions to have spent on.

use super::cordon::cordon_list;
use super::db::{Db, Value};
use super::ground::Target;
use super::page::{Page, Sessions};
use super::work::{Known, work_list, work_of_actions, work_of_all_commits, work_of_commits, work_of_head};
use anyhow::Result;
use jiff::Timestamp;
use meter::attribution::{Cordon, Ground};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

/// What is known of all repositories, at an instant.
pub(crate) struct Map {
    at: Timestamp,
    cordons: Vec<Cordon>,
    /// The branch that changes are read from, by repository.
    tracked: HashMap<String, String>,
    /// Repositories whose requests a host lists.
    listed: BTreeSet<String>,
}

/// A commit, and the work it is part of by its repository and place.
pub(crate) type Commit = (String, (String, String));

/// The ground of a page, and what its work is by its place.
pub(crate) struct Grounds {
    pub ground: Ground,
    pub targets: Vec<Arc<Target>>,
}

impl Map {
    pub(crate) fn read(db: &mut Db, at: Timestamp) -> Result<Self> {
        let cordons = cordon_list(db)?.into_iter().map(|held| held.cordon).collect();
        let sources = db.query("SELECT repo, branch FROM source WHERE branch <> ''", &[])?;
        let tracked = sources.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect::<Result<_>>()?;
        let listed = "SELECT name FROM service WHERE kind IN ('github', 'gitlab')
            UNION SELECT repo FROM work WHERE opened_at IS NOT NULL
            UNION SELECT head_repo FROM work WHERE opened_at IS NOT NULL AND head_repo IS NOT NULL";
        let listed = db.query(listed, &[])?.iter().map(|row| row.get(0)).collect::<Result<_>>()?;
        Ok(Self { at, cordons, tracked, listed })
    }

    /// The ground that spend is told on which can have gone into this work, or been committed to it.
    fn ground(&self, (mut works, mut commits): (Vec<Known>, Vec<Commit>)) -> Grounds {
        works.sort_by_cached_key(Known::key);
        works.dedup();
        commits.sort();
        let mut ground = Ground::new(self.at, self.cordons.clone());
        for (repo, branch) in &self.tracked {
            ground.track(repo, branch);
        }
        self.listed.iter().for_each(|repo| ground.list_requests(repo));
        let mut targets = Vec::with_capacity(works.len());
        let mut places = HashMap::with_capacity(works.len());
        for known in works {
            let name = known.name();
            let Known { target, work, head, .. } = known;
            let place = ground.add(work);
            if let Some(number) = target.number {
                ground.add_number(&target.repo, number, place);
            }
            if let Some((repo, branch)) = head {
                ground.add_head(&repo, &branch, place);
            }
            targets.push(Arc::new(target));
            places.insert(name, place);
        }
        for (sha, name) in commits {
            if let Some(place) = places.get(&name) {
                ground.add_commit(&sha, *place);
            }
        }
        Grounds { ground, targets }
    }

    /// The ground of all sessions there are.
    pub(crate) fn ground_of_all(&self, db: &mut Db) -> Result<Grounds> {
        Ok(self.ground((work_list(db)?, work_of_all_commits(db)?)))
    }

    /// The ground of the sessions of a page.
    pub(crate) fn ground_of_page(&self, db: &mut Db, page: &Page, sessions: &Sessions) -> Result<Grounds> {
        Ok(self.ground(self.works(db, &page.values(), sessions)?))
    }

    /// The work that some sessions can have built, and which of it their commits are part of.
    fn works(&self, db: &mut Db, page: &[Value], sessions: &Sessions) -> Result<(Vec<Known>, Vec<Commit>)> {
        let mut works = work_of_actions(db, page)?;
        let lanes = sessions.iter().flat_map(|(_, one)| &one.places).map(|place| &place.lane);
        let branches: BTreeSet<_> = lanes.map(|lane| (&lane.repo, &lane.branch)).collect();
        for (repo, branch) in branches {
            if self.tracked.get(repo) != Some(branch) {
                works.extend(work_of_head(db, repo, branch)?);
            }
        }
        let mut commits = Vec::new();
        for (sha, known) in work_of_commits(db, page)? {
            commits.push((sha, known.name()));
            works.push(known);
        }
        Ok((works, commits))
    }
}
