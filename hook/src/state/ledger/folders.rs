//! Where each repository was seen on this machine.

use super::Ledger;
use anyhow::Result;
use meter::Repo;
use rusqlite::Connection;
use std::collections::HashMap;
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

    /// The working trees each session stood in, by session and repository as the tables keep them.
    pub(crate) fn session_roots(&self) -> Result<HashMap<(String, String), Vec<PathBuf>>> {
        let mut select = self.db.prepare(
            "SELECT DISTINCT session, repo, root FROM session_folder JOIN folder ON folder.path = session_folder.folder
             ORDER BY session, repo, root",
        )?;
        let mut rows = select.query([])?;
        let mut roots: HashMap<_, Vec<PathBuf>> = HashMap::new();
        while let Some(row) = rows.next()? {
            let root = PathBuf::from(row.get::<_, String>(2)?);
            roots.entry((row.get(0)?, row.get(1)?)).or_default().push(root);
        }
        Ok(roots)
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

pub(super) fn set(db: &Connection, folders: &[(String, Folder)]) -> Result<()> {
    let mut insert =
        db.prepare_cached("INSERT OR REPLACE INTO folder (path, repo, root) VALUES (?1, ?2, ?3)")?;
    for (path, Folder { repo, root }) in folders {
        insert.execute([path.as_str(), repo.as_str(), &root.to_string_lossy()])?;
    }
    Ok(())
}
