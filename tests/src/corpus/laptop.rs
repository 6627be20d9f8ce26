//! Laptops that homes are played on: the real hook, and ground that all of them share.

use super::grounds::Grounds;
use super::home::Home;
use super::truth::Totals;
use crate::program::{Seen, binary, command, run};
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

pub struct Laptops {
    pub grounds: Grounds,
    folder: TempDir,
}

impl Default for Laptops {
    fn default() -> Self {
        let folder = tempfile::Builder::new().prefix("cpvo-corpus-").tempdir().expect("a temporary folder");
        let home = new_home(folder.path(), "git");
        Self { grounds: Grounds::make(folder.path(), &home), folder }
    }
}

/// One home on a laptop of its own.
pub struct Laptop<'a> {
    pub path: PathBuf,
    grounds: &'a Grounds,
    variables: Vec<(&'static str, String)>,
}

impl Laptops {
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A laptop for `home`, without its files yet.
    #[track_caller]
    pub fn laptop(&self, home: &Home, name: &str) -> Laptop<'_> {
        let path = new_home(self.folder.path(), name);
        let variables = home.variables(&path);
        Laptop { path, grounds: &self.grounds, variables }
    }
}

impl Laptop<'_> {
    #[track_caller]
    pub fn hook(&self, args: &[&str]) -> Seen {
        let mut hook = command(binary("cpvo-hook"), &self.path);
        hook.current_dir(self.grounds.start()).args(args);
        run(hook.envs(self.variables.iter().cloned()))
    }

    /// What the hook reads afresh from the transcripts.
    #[track_caller]
    pub fn totals(&self) -> Totals {
        let seen = self.hook(&["totals", "--json"]);
        assert_eq!(seen.stderr, "");
        serde_json::from_str(&seen.success()).expect("the hook's totals")
    }
}

impl Drop for Laptop<'_> {
    fn drop(&mut self) {
        // hundreds of them live in one folder
        let _ = fs::remove_dir_all(&self.path);
    }
}

#[track_caller]
fn new_home(folder: &Path, name: &str) -> PathBuf {
    let home = folder.join(name);
    fs::create_dir(&home).expect("a home");
    let settings = "[user]\n\tname = ana\n\temail = ana@acme.example\n";
    fs::write(home.join(".gitconfig"), settings).expect("git's settings");
    home
}
