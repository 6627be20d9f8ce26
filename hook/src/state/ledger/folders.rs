//! Where each repository was seen on this machine.

use super::Ledger;
use anyhow::Result;
use meter::{Repo, SessionId};
use rusqlite::Connection;
use std::collections::{BTreeSet, HashMap};
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
        let mut select = self.db.prepare(
            "SELECT report.session, report.repo, root
             FROM report LEFT JOIN session_folder ON session_folder.session = report.session
             LEFT JOIN folder ON folder.path = session_folder.folder AND folder.repo = report.repo
             ORDER BY report.session, report.repo",
        )?;
        let (mut rows, mut stands) = (select.query([])?, BTreeSet::new());
        let (mut session, mut stand) = (String::new(), (String::new(), BTreeSet::new()));
        while let Some(row) = rows.next()? {
            let (of, repo) = (row.get_ref(0)?.as_str()?, row.get_ref(1)?.as_str()?);
            if (session.as_str(), stand.0.as_str()) != (of, repo) {
                of.clone_into(&mut session);
                let done = std::mem::replace(&mut stand, (repo.to_owned(), BTreeSet::new()));
                stands.insert(done);
            }
            stand.1.extend(row.get::<_, Option<String>>(2)?);
        }
        stands.insert(stand);
        // what is no name goes nowhere
        let named = |(repo, found): (String, _)| Some((repo.parse().ok()?, roots(found)));
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
