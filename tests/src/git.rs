//! Repositories made with real git.

use crate::program::{command, run};
use std::fs;
use std::path::{Path, PathBuf};

/// A work tree with one commit on `main`.
#[derive(Debug, Clone)]
#[must_use]
pub struct Repository {
    pub path: PathBuf,
    home: PathBuf,
}

impl Repository {
    /// A new repository whose `origin` is `remote`, which nobody ever contacts.
    #[track_caller]
    pub fn create(path: &Path, home: &Path, remote: &str) -> Self {
        fs::create_dir_all(path).expect("a folder for the repository");
        let repository = Self { path: path.to_owned(), home: home.to_owned() };
        fs::write(path.join("README.md"), "# A sample\n").expect("a file to commit");
        repository.git(&["init", "--quiet", "--initial-branch=main"]);
        repository.git(&["remote", "add", "origin", remote]);
        repository.commit("first");
        repository
    }

    /// A clone of it that knows no remote.
    #[track_caller]
    pub fn cloned(&self, path: &Path) -> Self {
        self.git(&["clone", "--quiet", ".", &path.display().to_string()]);
        let clone = Self { path: path.to_owned(), home: self.home.clone() };
        clone.git(&["remote", "remove", "origin"]);
        clone
    }

    /// Commits everything in the work tree and says the new commit.
    #[track_caller]
    pub fn commit(&self, message: &str) -> String {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--allow-empty", "--message", message]);
        self.git(&["rev-parse", "HEAD"])
    }

    /// The same for a commit that was made at `at`, also where there is nothing to commit but the message.
    #[track_caller]
    pub fn commit_at(&self, at: &str, message: &str) -> String {
        self.git(&["add", "--all"]);
        self.git_at(at, &["commit", "--quiet", "--allow-empty", "--message", message]);
        self.git(&["rev-parse", "HEAD"])
    }

    /// Runs git in the work tree as if it were `at`.
    #[track_caller]
    pub fn git_at(&self, at: &str, args: &[&str]) -> String {
        let mut git = command("git", &self.home);
        git.env("GIT_AUTHOR_DATE", at).env("GIT_COMMITTER_DATE", at);
        run(git.args(args).current_dir(&self.path)).success().trim_end().to_owned()
    }

    /// Runs git in the work tree.
    #[track_caller]
    pub fn git(&self, args: &[&str]) -> String {
        let mut git = command("git", &self.home);
        run(git.args(args).current_dir(&self.path)).success().trim_end().to_owned()
    }

    /// A linked work tree beside this one, on a new branch.
    #[track_caller]
    pub fn worktree(&self, name: &str, branch: &str) -> Self {
        let path = self.path.with_file_name(name);
        self.git(&["worktree", "add", "--quiet", "-b", branch, &path.display().to_string()]);
        Self { path, home: self.home.clone() }
    }
}
