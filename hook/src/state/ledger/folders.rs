//! Where each repository was seen on this machine.

use super::Ledger;
use anyhow::Result;
use meter::{Repo, SessionId};
use rusqlite::Connection;
use std::collections::{BTreeSet, HashMap};
use std::ffi::OsStr;
use std::path::PathBuf;

/// A folder that was in a repository when it was last looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Folder {
    pub repo: Repo,
    /// The top of the working tree, or the folder below it whose settings apply.
    pub root: PathBuf,
}

impl Ledger {
    pub(crate) fn folder_all(&self) -> Result<HashMap<String, Folder>> {
        let mut select = self.db.prepare("SELECT path, repo, root FROM folder")?;
        let mut rows = select.query([])?;
        let mut folders = HashMap::new();
        while let Some(row) = rows.next()? {
            let (path, repo, root): (String, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
            folders.insert(path, Folder { repo: repo.parse()?, root: PathBuf::from(root) });
        }
        Ok(folders)
    }

    /// The working trees of `repo` that a session stood in.
    pub(crate) fn session_roots(&self, session: &SessionId, repo: &Repo) -> Result<Vec<PathBuf>> {
        let mut select = self.db.prepare_cached(
            "SELECT root FROM session_folder JOIN folder ON folder.path = session_folder.folder
             WHERE session = ?1 AND repo = ?2",
        )?;
        let found = select.query_map([session.as_str(), repo.as_str()], |row| row.get(0))?;
        Ok(roots(found.collect::<Result<_, _>>()?))
    }

    /// What reports are routed by, of many sessions once: their repository and the working trees of it that their
    /// session stood in.
    pub(crate) fn report_stands(&self) -> Result<Vec<(Repo, Vec<PathBuf>)>> {
        // both in one order, side by side: to search for the folders of each session would cost several times that
        let mut reports = self.db.prepare("SELECT session, repo FROM report ORDER BY session, repo")?;
        let mut folders =
            self.db.prepare("SELECT session, folder FROM session_folder ORDER BY session, folder")?;
        let (mut reports, mut folders) = (reports.query([])?, folders.query([])?);
        let (known, mut next) = (self.folder_all()?, folders.next()?);
        let (mut session, mut stood) = (String::new(), Vec::<&Folder>::new());
        let (mut last, mut stands) = (None::<(String, Vec<&OsStr>)>, BTreeSet::new());
        while let Some(report) = reports.next()? {
            let of = report.get_ref(0)?.as_str()?;
            if session != of {
                of.clone_into(&mut session);
                stood.clear();
            }
            while let Some(row) = next {
                let by = row.get_ref(0)?.as_str()?;
                if by > of {
                    break;
                }
                if by == of {
                    stood.extend(known.get(row.get_ref(1)?.as_str()?));
                }
                next = folders.next()?;
            }
            let repo = report.get_ref(1)?.as_str()?;
            let roots = stood.iter().filter(|folder| folder.repo.as_str() == repo);
            let roots = roots.map(|folder| folder.root.as_os_str());
            // most stand where the one before did
            if last.as_ref().is_none_or(|(other, by)| other != repo || !by.iter().copied().eq(roots.clone()))
            {
                last = Some((repo.to_owned(), roots.clone().collect()));
                stands.insert((repo.to_owned(), roots.collect::<BTreeSet<_>>()));
            }
        }
        // what is no name goes nowhere
        let named = |(repo, roots): (String, BTreeSet<&OsStr>)| {
            Some((repo.parse().ok()?, roots.into_iter().map(PathBuf::from).collect()))
        };
        Ok(stands.into_iter().filter_map(named).collect())
    }

    /// The working trees of each repository.
    pub(crate) fn folder_roots(&self) -> Result<HashMap<Repo, Vec<PathBuf>>> {
        let mut select = self.db.prepare("SELECT DISTINCT repo, root FROM folder ORDER BY repo, root")?;
        let mut rows = select.query([])?;
        let mut roots: HashMap<Repo, Vec<PathBuf>> = HashMap::new();
        while let Some(row) = rows.next()? {
            let (repo, root): (String, String) = (row.get(0)?, row.get(1)?);
            roots.entry(repo.parse()?).or_default().push(PathBuf::from(root));
        }
        Ok(roots)
    }
}

fn roots(found: BTreeSet<String>) -> Vec<PathBuf> {
    found.into_iter().map(PathBuf::from).collect()
}

pub(super) fn set(db: &Connection, folders: &[(String, Folder)]) -> Result<()> {
    let mut insert =
        db.prepare_cached("INSERT OR REPLACE INTO folder (path, repo, root) VALUES (?1, ?2, ?3)")?;
    for (path, Folder { repo, root }) in folders {
        insert.execute([path.as_str(), repo.as_str(), &root.to_string_lossy()])?;
    }
    Ok(())
}
