//! Which repository a folder belongs to, read from git's own files: a sweep asks thousands of times.

use crate::checkout::git;
use crate::state::secret::Secret;
use meter::Repo;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// A working tree on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Checkout {
    pub repo: Repo,
    /// The top of the working tree.
    pub root: PathBuf,
    /// Where git keeps what is this working tree's own.
    pub git_dir: PathBuf,
    /// What all working trees of the repository share.
    pub common: PathBuf,
}

impl Checkout {
    /// The main working tree, of a linked one.
    pub(crate) fn main(&self) -> Option<&Path> {
        self.common.parent().filter(|main| *main != self.root && self.common.ends_with(".git"))
    }
}

/// The checkouts of the folders asked for so far.
pub(crate) struct Checkouts<'a> {
    secret: &'a Secret,
    found: HashMap<PathBuf, Option<Checkout>>,
}

impl<'a> Checkouts<'a> {
    pub(crate) fn new(secret: &'a Secret) -> Self {
        Self { secret, found: HashMap::new() }
    }

    /// The checkout of `folder`, or of its nearest parent that still exists.
    pub(crate) fn of(&mut self, folder: &Path) -> Option<&Checkout> {
        if !self.found.contains_key(folder) {
            let checkout = find(folder, self.secret);
            self.found.insert(folder.to_owned(), checkout);
        }
        self.found.get(folder)?.as_ref()
    }
}

/// The nearest folder at or above `folder` that exists.
pub(crate) fn nearest(folder: &Path) -> Option<&Path> {
    folder.ancestors().filter(|path| path.is_absolute()).find(|path| path.is_dir())
}

/// The checkout `folder` lies in; a vanished folder counts as its nearest existing parent.
pub(crate) fn find(folder: &Path, secret: &Secret) -> Option<Checkout> {
    let (root, git_dir) =
        nearest(folder)?.ancestors().find_map(|path| Some((path.to_owned(), git_dir(path)?)))?;
    let common = common(&git_dir);
    let repo = remote(&root, &common).unwrap_or_else(|| local(&common, secret));
    Some(Checkout { repo, root, git_dir, common })
}

/// The git folder of a working tree, which a linked one or a submodule names in a file.
fn git_dir(root: &Path) -> Option<PathBuf> {
    let path = root.join(".git");
    let metadata = std::fs::metadata(&path).ok()?;
    let git_dir = if metadata.is_dir() {
        path
    } else {
        let text = std::fs::read_to_string(&path).ok()?;
        root.join(text.strip_prefix("gitdir:")?.trim())
    };
    git_dir.join("HEAD").exists().then_some(git_dir)
}

fn common(git_dir: &Path) -> PathBuf {
    let named = std::fs::read_to_string(git_dir.join("commondir"));
    let common = named.map_or_else(|_| git_dir.to_owned(), |text| git_dir.join(text.trim()));
    common.canonicalize().unwrap_or(common)
}

fn remote(root: &Path, common: &Path) -> Option<Repo> {
    let config = std::fs::read_to_string(common.join("config")).ok()?;
    let remotes = if includes(&config) { git::remotes(root) } else { remotes(&config) };
    let origin = remotes.iter().find(|(name, _)| name == "origin");
    let (_, url) = origin.or_else(|| remotes.first().filter(|_| remotes.len() == 1))?;
    Repo::of_remote(url)
}

/// A repository without remote: its name must not tell the path.
fn local(common: &Path, secret: &Secret) -> Repo {
    let path = common.to_string_lossy();
    let name = format!("local/{}", secret.hash(&path, 8));
    name.parse().unwrap_or_else(|_| Repo::none())
}

fn includes(config: &str) -> bool {
    config.lines().any(|line| line.trim_start().to_ascii_lowercase().starts_with("[include"))
}

/// The first URL of each remote.
fn remotes(config: &str) -> Vec<(String, String)> {
    let mut remotes: Vec<(String, String)> = Vec::new();
    let mut section = None;
    for line in config.lines().map(str::trim) {
        if let Some(header) = line.strip_prefix('[') {
            section = remote_name(header);
            continue;
        }
        let (Some(name), Some((key, value))) = (&section, line.split_once('=')) else { continue };
        if key.trim().eq_ignore_ascii_case("url") && !remotes.iter().any(|(known, _)| known == name) {
            remotes.push((name.clone(), plain(value)));
        }
    }
    remotes
}

/// `remote "origin"]` names `origin`.
fn remote_name(header: &str) -> Option<String> {
    let (kind, rest) = header.split_once('"')?;
    let (name, _) = rest.rsplit_once('"')?;
    kind.trim().eq_ignore_ascii_case("remote").then(|| name.replace("\\\"", "\"").replace("\\\\", "\\"))
}

/// A value without its quotes, escapes and comment.
fn plain(value: &str) -> String {
    let (mut text, mut quoted) = (String::new(), false);
    let mut chars = value.trim().chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => quoted = !quoted,
            '\\' => text.extend(chars.next()),
            '#' | ';' if !quoted => break,
            c => text.push(c),
        }
    }
    text.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    fn git(folder: &Path, args: &[&str]) {
        let mut command = Command::new("git");
        command.current_dir(folder).args(["-c", "user.name=a", "-c", "user.email=a@b.example"]).args(args);
        let output = command.env("GIT_CONFIG_GLOBAL", "/dev/null").output().unwrap();
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    }

    fn repository(remotes: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        git(folder.path(), &["init", "-q", "-b", "main"]);
        for (name, url) in remotes {
            git(folder.path(), &["remote", "add", name, url]);
        }
        folder
    }

    #[track_caller]
    fn check(folder: &Path, expected: Option<&str>) {
        let checkout = find(folder, &Secret::of([7; 32]));
        assert_eq!(
            checkout.as_ref().map(|checkout| checkout.repo.as_str()),
            expected,
            "{}",
            folder.display()
        );
    }

    #[test]
    fn origin_names_the_repository_or_else_the_only_remote() {
        let pay =
            repository(&[("up", "https://x.example/up/pay"), ("origin", "git@GitHub.com:acme/pay.git")]);
        check(pay.path(), Some("github.com/acme/pay"));
        check(&pay.path().join("gone/deep"), Some("github.com/acme/pay"));
        check(repository(&[("up", "https://x.example/up/pay")]).path(), Some("x.example/up/pay"));
        check(tempfile::tempdir().unwrap().path(), None);
        check(Path::new("relative"), None);
    }

    #[test]
    fn without_a_remote_the_path_is_hashed() {
        for remotes in [
            &[][..],
            &[("a", "https://x.example/a/b"), ("b", "https://x.example/c/d")],
            &[("origin", "/srv/git/pay")],
        ] {
            let folder = repository(remotes);
            let repo = find(folder.path(), &Secret::of([7; 32])).unwrap().repo;
            assert!(repo.as_str().starts_with("local/"), "{repo}");
            assert_ne!(repo, find(folder.path(), &Secret::of([8; 32])).unwrap().repo);
        }
    }

    #[test]
    fn a_linked_worktree_is_the_same_repository() {
        let pay = repository(&[]);
        git(pay.path(), &["commit", "-q", "--allow-empty", "-m", "first"]);
        let linked = tempfile::tempdir().unwrap();
        git(pay.path(), &["worktree", "add", "-q", linked.path().join("x").to_str().unwrap()]);
        let secret = Secret::of([7; 32]);
        let (main, linked) =
            (find(pay.path(), &secret).unwrap(), find(&linked.path().join("x"), &secret).unwrap());
        assert_eq!((main.repo, main.common), (linked.repo, linked.common));
    }

    #[test]
    fn what_git_reads_from_its_config_we_read_too() {
        let config = "[core]\n\turl = no\n[Remote \"a b\"]\n URL = \"https://x.example/a\\\"b\" # why\n url = second\n[remote \"c\"]\n\tfetch = y\n\turl=git@h:o/n ; c\n";
        let expected = [("a b", "https://x.example/a\"b"), ("c", "git@h:o/n")];
        assert_eq!(remotes(config), expected.map(|(name, url)| (name.to_owned(), url.to_owned())));
        let folder = repository(&[]);
        std::fs::write(
            folder.path().join(".git/more"),
            "[remote \"origin\"]\n\turl = https://x.example/in/cluded\n",
        )
        .unwrap();
        git(folder.path(), &["config", "include.path", "more"]);
        check(folder.path(), Some("x.example/in/cluded"));
    }
}
