//! Laptops that homes are played on: the real hook, and ground that all of them share.

use super::grounds::Grounds;
use super::home::Home;
use super::truth::Totals;
use crate::program::{Seen, binary, command, run};
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
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
        run(&mut self.command(args))
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut hook = command(binary("cpvo-hook"), &self.path);
        hook.current_dir(self.grounds.start()).args(args).envs(self.variables.iter().cloned());
        hook
    }

    /// Reads what is new and delivers it; says what the hook says.
    #[track_caller]
    pub fn sweep(&self) -> String {
        self.hook(&["sweep"]).success()
    }

    /// Loses the hook's memory; its new one is begun by a clock so many seconds ahead.
    #[track_caller]
    pub fn forget(&self, ahead: i64) {
        let state = self.path.join(".local/state/cpvo");
        fs::remove_dir_all(&state).expect("the hook's state");
        if ahead != 0 {
            // a sweep that finds nothing begins the ledger
            let mut hook = self.command(&["sweep"]);
            run(hook.env("CLAUDE_CONFIG_DIR", self.path.join("nowhere"))).success();
            let later = format!("UPDATE meta SET value = value + {ahead} WHERE name = 'epoch'");
            run(command("sqlite3", &self.path).arg(state.join("ledger.db")).arg(later)).success();
        }
    }

    pub(super) fn name(&self) -> String {
        self.path.file_name().expect("a home has a name").to_string_lossy().into_owned()
    }

    #[track_caller]
    pub(super) fn put(&self, path: &Path, bytes: &[u8]) {
        let path = self.path.join(path);
        fs::create_dir_all(path.parent().expect("a file lies in a folder")).expect("a folder of transcripts");
        // what was there stays the same file, whatever other names it has
        let mut file = OpenOptions::new().create(true).truncate(false).write(true).open(path);
        file.as_mut().expect("a transcript").write_all(bytes).expect("lines of a transcript");
    }

    #[track_caller]
    pub(super) fn rename(&self, from: &Path, to: &Path) {
        let to = self.path.join(to);
        fs::create_dir_all(to.parent().expect("a file lies in a folder")).expect("a folder of transcripts");
        // a file of which nothing came yet is nowhere
        let _ = fs::rename(self.path.join(from), to);
    }

    #[track_caller]
    pub(super) fn remove(&self, path: &Path) {
        fs::remove_file(self.path.join(path)).expect("a file to delete");
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
