//! The repository of each folder a transcript names: as it is now, else as the ledger remembers it.

use crate::checkout::repository::Checkouts;
use crate::reader::reading::Folders;
use crate::state::ledger::Folder;
use crate::state::secret::Secret;
use crate::terms::settings;
use meter::Repo;
use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub(crate) struct Places<'a> {
    checkouts: Checkouts<'a>,
    remembered: HashMap<String, Folder>,
    /// What is new since the ledger was asked.
    learnt: Vec<(String, Folder)>,
    repos: HashMap<String, Arc<str>>,
}

impl<'a> Places<'a> {
    pub(crate) fn new(remembered: HashMap<String, Folder>, secret: &'a Secret) -> Self {
        let checkouts = Checkouts::new(secret);
        Self { checkouts, remembered, learnt: Vec::new(), repos: HashMap::new() }
    }

    /// Every checkout of each repository.
    pub(crate) fn roots(&self) -> HashMap<Repo, Vec<PathBuf>> {
        let mut roots: HashMap<Repo, BTreeSet<PathBuf>> = HashMap::new();
        for Folder { repo, root } in self.remembered.values() {
            roots.entry(repo.clone()).or_default().insert(root.clone());
        }
        roots.into_iter().map(|(repo, roots)| (repo, roots.into_iter().collect())).collect()
    }

    /// The checkouts of `repo` that some of `folders` lie in.
    pub(crate) fn roots_of<'f>(
        &self,
        repo: &Repo,
        folders: impl Iterator<Item = &'f String>,
    ) -> Vec<PathBuf> {
        let known = folders.filter_map(|folder| self.remembered.get(folder));
        let roots = known.filter(|known| known.repo == *repo).map(|known| known.root.clone());
        roots.collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// What the ledger does not know yet.
    pub(crate) fn learnt(&mut self) -> Vec<(String, Folder)> {
        std::mem::take(&mut self.learnt)
    }

    fn learn(&mut self, path: &str, folder: Folder) {
        if self.remembered.get(path) != Some(&folder) {
            self.learnt.push((path.to_owned(), folder.clone()));
            self.remembered.insert(path.to_owned(), folder);
        }
    }

    fn find(&mut self, folder: &str) -> Option<String> {
        let path = Path::new(folder);
        if let Some(checkout) = self.checkouts.of(path) {
            let shipping = path.ancestors().take_while(|path| path.starts_with(&checkout.root));
            let shipping =
                shipping.filter(|path| *path != checkout.root).find(|path| settings::shipped(path).is_some());
            let root = shipping.unwrap_or(&checkout.root).to_owned();
            let known = Folder { repo: checkout.repo.clone(), root };
            let repo = known.repo.clone();
            // a linked working tree may vanish: the main one ships the same settings
            let main = checkout.main().map(|main| Folder { repo: repo.clone(), root: main.to_owned() });
            self.learn(folder, known);
            if let Some(main) = main {
                let path = crate::state::ledger::text(&main.root);
                self.learn(&path, main);
            }
            return Some(repo.to_string());
        }
        if path.is_dir() {
            return None;
        }
        let remembered = path.ancestors().find_map(|path| self.remembered.get(&*path.to_string_lossy()));
        remembered.map(|folder| folder.repo.to_string())
    }
}

impl Folders for Places<'_> {
    fn repo(&mut self, folder: &str) -> Arc<str> {
        if let Some(repo) = self.repos.get(folder) {
            return repo.clone();
        }
        let repo: Arc<str> = self.find(folder).unwrap_or_default().into();
        self.repos.insert(folder.to_owned(), repo.clone());
        repo
    }
}
