//! The ground sessions stand on: real repositories, made once and shared by any number of homes.

use crate::git::Repository;
use serde_json::json;
use std::fs;
use std::path::{Path, PathBuf};

/// A folder a session can be in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spot {
    pub path: PathBuf,
    /// As reports name it; `None` outside any repository.
    pub repo: Option<&'static str>,
    /// The branch the client would show there.
    pub branch: &'static str,
}

impl Spot {
    /// Whether it ships the collector.
    pub(super) fn is_shared(&self) -> bool {
        self.repo.is_some_and(is_shared)
    }
}

/// Repositories that ship the same collector, the first being where sessions start.
const SHARED: [(&str, &str); 2] = [("pay", "github.com/acme/pay"), ("shop", "github.com/acme/shop")];
/// A developer's own, which ships nothing.
const PRIVATE: (&str, &str) = ("diary", "github.com/ana/diary");

/// Whether lines of this repository are in scope.
pub(super) fn is_shared(repo: &str) -> bool {
    SHARED.iter().any(|(_, shared)| *shared == repo)
}

#[derive(Debug, Clone)]
pub struct Grounds {
    folder: PathBuf,
}

impl Grounds {
    /// Makes the repositories below `folder`; git's settings are those of `home`.
    #[track_caller]
    pub fn make(folder: &Path, home: &Path) -> Self {
        let folder = folder.canonicalize().expect("a folder for the repositories");
        for (name, repo) in SHARED.iter().chain([&PRIVATE]) {
            let made = Repository::create(&folder.join(name), home, &format!("https://{repo}.git"));
            fs::create_dir_all(made.path.join("src/deep")).expect("a folder in the repository");
            if *name == "pay" {
                drop(made.worktree("pay-linked", "feature/linked"));
            }
        }
        fs::create_dir(folder.join("attic")).expect("a folder outside any repository");
        let grounds = Self { folder };
        grounds.ship("http://127.0.0.1:9", "none");
        grounds
    }

    /// Has the shared repositories ship this collector.
    #[track_caller]
    pub fn ship(&self, url: &str, token: &str) {
        let settings = json!({"env": {"CPVO_URL": url, "CPVO_TOKEN": token}}).to_string();
        for name in SHARED.map(|(name, _)| name).into_iter().chain(["pay-linked"]) {
            let claude = self.folder.join(name).join(".claude");
            fs::create_dir_all(&claude).expect("the client's folder");
            fs::write(claude.join("settings.json"), &settings).expect("settings");
        }
    }

    fn spot(&self, path: &str, repo: Option<&'static str>, branch: &'static str) -> Spot {
        Spot { path: self.folder.join(path), repo, branch }
    }

    /// Where sessions start.
    pub fn start(&self) -> PathBuf {
        self.folder.join("pay")
    }

    /// Every spot a session may start at.
    pub(super) fn all(&self) -> [Spot; 6] {
        [self.pay(), self.shop(), self.private(), self.outside(), self.subfolder(), self.worktree()]
    }

    pub(super) fn pay(&self) -> Spot {
        self.spot("pay", Some(SHARED[0].1), "main")
    }

    pub(super) fn shop(&self) -> Spot {
        self.spot("shop", Some(SHARED[1].1), "main")
    }

    pub(super) fn private(&self) -> Spot {
        self.spot("diary", Some(PRIVATE.1), "main")
    }

    pub(super) fn outside(&self) -> Spot {
        self.spot("attic", None, "HEAD")
    }

    pub(super) fn subfolder(&self) -> Spot {
        self.spot("pay/src/deep", Some(SHARED[0].1), "main")
    }

    /// A folder of the repository that is no longer there.
    pub(super) fn vanished(&self) -> Spot {
        self.spot("pay/gone/deep", Some(SHARED[0].1), "main")
    }

    pub(super) fn worktree(&self) -> Spot {
        self.spot("pay-linked", Some(SHARED[0].1), "feature/linked")
    }
}
