//! A local clone as a source: what landed on its tracked branch, read by one streamed `git log`.
//!
//! A clone that lacks a part of its history would give wrong counts; it is refused, with what to do about it.

use super::git::{Fields, Git};
use super::process::Refusal;
use super::web::Pace;
use super::{Commit, Landed, MEMBERS_MAX, settle_branch};
use anyhow::{Context, Result, bail, ensure};
use jiff::Timestamp;
use meter::Repo;
use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The first version with `--diff-merges`, reversed first-parent walks and everything else that is asked here.
const GIT_MIN: (u32, u32) = (2, 37);
/// Where GitHub and GitLab look for it, in this order.
const CODE_OWNERS_PATHS: [&str; 4] =
    [".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS", ".gitlab/CODEOWNERS"];
/// What the clone was told to leave out.
const FILTERS: [&str; 3] = ["config", "--get-regexp", r"^remote\..*\.partialclonefilter$"];
const CODE_OWNERS_BYTES_MAX: u64 = 3_000_000;
const FIELDS: &str = "%H%x00%P%x00%ct%x00%ae%x00%B";

/// A clone named in cpvo.toml.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LocalClone {
    pub repo: Repo,
    pub path: PathBuf,
    /// The tracked branch; else the remote's default one, else the one that is checked out.
    pub branch: Option<String>,
    /// Whether it is fetched before it is read.
    #[serde(default)]
    pub fetch: bool,
    /// Whether the lines of its changes are counted that are left when their windows have passed.
    #[serde(default)]
    pub surviving_lines: bool,
}

impl LocalClone {
    pub(super) fn settle(&mut self, folder: &Path) -> Result<()> {
        ensure!(!self.repo.is_none(), "repo must be host/owner/name");
        self.path = folder.join(&self.path);
        settle_branch(self.branch.as_ref())
    }
}

/// A tag of a clone.
pub(crate) struct Tag {
    pub name: String,
    /// The commit it stands for.
    pub sha: String,
    /// Of an annotated one; else when its commit was made. `None` where it stands for something else.
    pub made_at: Option<Timestamp>,
}

/// The part of a clone's history that is to be read.
pub(crate) struct History<'a> {
    pub(super) git: Git<'a>,
    /// The tracked branch, without what it lies in.
    pub branch: String,
    /// Its newest commit.
    pub tip: String,
    /// Where others have it; `None` where the branch is made here.
    remote: Option<String>,
    /// The newest commit that was read before; `None` where all of it is to be read.
    pub after: Option<String>,
}

/// Opens the clone to read what came after `cursor`, the branch and commit of the last time.
pub(crate) fn open<'a>(
    source: &LocalClone,
    cursor: Option<(&str, &str)>,
    pace: Pace<'a>,
) -> Result<History<'a>> {
    let git = Git { path: source.path.clone(), pace, is_alone: false };
    guard(&git)?;
    let remotes = remotes(&git)?;
    let branch = named(&git, source.branch.as_deref(), &remotes)?;
    let Tracked { tip, remote, .. } = found(&git, &branch, &remotes)?.with_context(|| {
        format!("it has no branch {branch:?} with a commit: fetch it, or name the tracked branch by `branch`")
    })?;
    let known = cursor.filter(|(of, _)| *of == branch).map(|(_, commit)| commit.to_owned());
    // a branch that was rewritten is read anew
    let is_there = |commit: &String| match git.run(&["merge-base", "--is-ancestor", commit, &tip], &[]) {
        Err(error) if error.is::<Refusal>() => Ok(false),
        known => known.map(|()| true),
    };
    let after = match known {
        Some(commit) if is_there(&commit)? => Some(commit),
        _ => None,
    };
    Ok(History { git, branch, tip, remote, after })
}

pub(super) fn guard(git: &Git) -> Result<()> {
    // git is the first to look there, for it can be ended
    let version = match git.ask(&["version"]) {
        Err(error) if error.is::<Refusal>() && !git.path.is_dir() => {
            bail!("there is no such folder: name the clone by `path` in cpvo.toml")
        }
        version => version?,
    };
    let mut numbers = version.split([' ', '.']).filter_map(|part| part.parse().ok());
    let found = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    ensure!(found >= GIT_MIN, "git {}.{} or newer is needed, this is {version}", GIT_MIN.0, GIT_MIN.1);
    let above = git.ask(&["rev-parse", "--show-cdup"])?;
    ensure!(above.is_empty(), "this is a folder inside a repository: name its top folder");
    ensure!(
        git.ask(&["rev-parse", "--is-shallow-repository"])? == "false",
        "it is shallow, older changes are missing: run `git fetch --unshallow` there"
    );
    let filters = git.ask_if(&FILTERS)?;
    for filter in filters.iter().flat_map(|filters| filters.lines()) {
        let filter = filter.split_once(' ').map_or("", |(_, filter)| filter);
        ensure!(
            filter.starts_with("blob:"),
            "it is a partial clone without trees ({filter}): clone it anew, with --filter=blob:none or none"
        );
    }
    Ok(())
}

/// Its remotes, `origin` before others.
pub(super) fn remotes(git: &Git) -> Result<Vec<String>> {
    let mut remotes: Vec<String> = git.ask(&["remote"])?.lines().map(str::to_owned).collect();
    remotes.sort_by_key(|remote| remote != "origin");
    Ok(remotes)
}

/// What the tracked branch is called, without what it lies in.
pub(super) fn named(git: &Git, asked: Option<&str>, remotes: &[String]) -> Result<String> {
    if let Some(branch) = asked {
        return Ok(branch.to_owned());
    }
    let symbolic = |name: &str| git.ask_if(&["symbolic-ref", "--quiet", name]);
    let folder = remotes.first().map(|remote| format!("refs/remotes/{remote}/")).unwrap_or_default();
    let reference = match symbolic(&format!("{folder}HEAD"))? {
        None => symbolic("HEAD")?,
        known => known,
    };
    let reference = reference.context("its HEAD is detached: name the tracked branch by `branch`")?;
    let name = reference.strip_prefix("refs/heads/").or_else(|| reference.strip_prefix(&folder));
    Ok(name.unwrap_or(&reference).to_owned())
}

/// The tracked branch as a clone has it.
pub(super) struct Tracked {
    pub reference: String,
    /// Its newest commit.
    pub tip: String,
    /// Where it was fetched from; `None` where the branch is made here.
    pub remote: Option<String>,
}

/// A branch of this name, where there is one with a commit. What a remote has goes before a branch of the same name
/// here: that is what others got.
pub(super) fn found(git: &Git, name: &str, remotes: &[String]) -> Result<Option<Tracked>> {
    let newest = |folder: &str| -> Result<_> {
        let reference = format!("{folder}/{name}");
        let tip = git.ask_if(&["rev-parse", "--verify", "--quiet", &format!("{reference}^{{commit}}")])?;
        Ok(tip.map(|tip| (reference, tip)))
    };
    for remote in remotes {
        if let Some((reference, tip)) = newest(&format!("refs/remotes/{remote}"))? {
            return Ok(Some(Tracked { reference, tip, remote: Some(remote.clone()) }));
        }
    }
    let Some((reference, tip)) = newest("refs/heads")? else { return Ok(None) };
    let is_bare = git.ask(&["rev-parse", "--is-bare-repository"])? == "true"; // its branches are the remote's
    Ok(Some(Tracked { reference, tip, remote: remotes.first().filter(|_| is_bare).cloned() }))
}

/// An address as `FETCH_HEAD` has it: without credentials, and as short as can be.
fn is_same(fetched: &str, address: &str) -> bool {
    let short = |address: &str| {
        let address = address.trim_end_matches('/');
        address.strip_suffix(".git").unwrap_or(address).trim_end_matches('/').to_owned()
    };
    let [repo, other] = [fetched, address].map(Repo::of_remote);
    if repo.is_none() { short(fetched) == short(address) } else { repo == other }
}

fn modified_at(file: PathBuf) -> Option<Timestamp> {
    let at = Timestamp::try_from(fs::metadata(file).ok()?.modified().ok()?).ok()?;
    Timestamp::from_second(at.as_second()).ok()
}

impl History<'_> {
    fn range(&self) -> String {
        self.after.as_ref().map_or_else(|| self.tip.clone(), |after| format!("{after}..{}", self.tip))
    }

    /// Whether it has what its commits hold, besides their names.
    pub(super) fn has_files(&self) -> Result<bool> {
        Ok(self.git.ask_if(&FILTERS)?.is_none())
    }

    /// How many commits are to be read.
    pub(crate) fn count(&self) -> Result<u64> {
        let count = self.git.ask(&["rev-list", "--count", "--first-parent", &self.range()])?;
        count.parse().with_context(|| format!("git counts {count:?} commits"))
    }

    /// When the clone last heard of its branch, as far as its files tell; `None` where it is nobody's clone.
    pub(crate) fn fetched_at(&self) -> Result<Option<Timestamp>> {
        let Some(remote) = &self.remote else { return Ok(None) };
        let address = self.git.ask_if(&["remote", "get-url", remote])?.unwrap_or_default();
        let folders =
            self.git.ask(&["rev-parse", "--path-format=absolute", "--git-dir", "--git-common-dir"])?;
        let folders: Vec<&Path> = folders.lines().map(Path::new).collect();
        let of_branch = format!("\tbranch '{}' of ", self.branch);
        // a fetch that fails empties the file, one of another branch or from elsewhere does not name this one
        let names = |line: &str| line.split_once(&of_branch).is_some_and(|(_, from)| is_same(from, &address));
        let heard = |file: &PathBuf| {
            file.is_file()
                && fs::read(file).is_ok_and(|text| String::from_utf8_lossy(&text).lines().any(names))
        };
        let fetches = folders.iter().map(|folder| folder.join("FETCH_HEAD")).filter(heard);
        // never fetched: what the clone was made with, and is not all written anew later
        let made = ["HEAD", "config", "description", "packed-refs"];
        let made = folders.last().into_iter().flat_map(|folder| made.map(|name| folder.join(name)));
        let at = fetches.filter_map(modified_at).max().or_else(|| made.filter_map(modified_at).min());
        // whoever has the newest commit has heard of the branch since it was made
        let tip = self.git.ask(&["log", "-1", "--no-show-signature", "--format=%ct", &self.tip, "--"])?;
        let tip = tip.parse().ok().and_then(|second| Timestamp::from_second(second).ok());
        Ok(Some(at.max(tip).unwrap_or(Timestamp::UNIX_EPOCH)))
    }

    /// Its tags, the commits they stand for, and when they were made.
    pub(crate) fn tags(&self) -> Result<Vec<Tag>> {
        let format = "--format=%(objectname) %(*objectname) %(creatordate:unix) %(refname:strip=2)";
        let tags = self.git.ask(&["for-each-ref", format, "refs/tags"])?;
        let tag = |line: &str| {
            let mut parts = line.splitn(4, ' ');
            let (object, commit, second, name) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
            let commit = if commit.is_empty() { object } else { commit };
            let made_at = second.parse().ok().and_then(|second| Timestamp::from_second(second).ok());
            Some(Tag { name: name.to_owned(), sha: commit.to_owned(), made_at })
        };
        Ok(tags.lines().filter_map(tag).collect())
    }

    /// The commits of the tracked branch, without those that merges brought.
    pub(crate) fn line(&self) -> Result<HashSet<String>> {
        let line = self.git.ask(&["rev-list", "--first-parent", &self.tip])?;
        Ok(line.lines().map(str::to_owned).collect())
    }

    /// What the newest commit has as CODEOWNERS, where the hosts look for it; nothing where it is missing or as large
    /// as they read none.
    pub(crate) fn code_owners(&self) -> Result<String> {
        for path in CODE_OWNERS_PATHS {
            let object = format!("{}:{path}", self.tip);
            let size = self.git.ask_if(&["cat-file", "-s", &object])?;
            if let Some(size) = size.and_then(|size| size.parse::<u64>().ok()) {
                return if size > CODE_OWNERS_BYTES_MAX {
                    Ok(String::new())
                } else {
                    self.git.ask(&["cat-file", "blob", &object])
                };
            }
        }
        Ok(String::new())
    }

    /// Hands over what landed, oldest first.
    pub(crate) fn read(&self, mut each: impl FnMut(Landed) -> Result<()>) -> Result<()> {
        let mut merged = Merged::read(&self.git, &self.range())?;
        let format = format!("--format=%x01{FIELDS}%x00");
        let range = self.range();
        let mut log = self.git.fields(&[
            "log",
            "--first-parent",
            "--reverse",
            "-z",
            "--no-renames",
            "--name-status",
            "--no-ext-diff",
            "--no-textconv",
            "--no-show-signature",
            "--no-color",
            &format,
            &range,
            "--",
        ])?;
        let mut start = log.next()?;
        while let Some(sha) = start {
            let commit = commit(&mut log, &sha)?;
            ensure!(log.expect()?.is_empty(), "git log has another form than was asked for");
            let mut files = Vec::new();
            start = loop {
                // a status and a file take turns, so that no file name is taken for the next commit
                match log.next()? {
                    Some(status) if !status.starts_with('\x01') => files.push(log.expect()?),
                    next => break next,
                }
            };
            let members = merged.members(&commit);
            each(Landed { commit, members, files })?;
        }
        Ok(())
    }
}

fn commit(log: &mut Fields, sha: &str) -> Result<Commit> {
    let rest = [log.expect()?, log.expect()?, log.expect()?, log.expect()?];
    let [parents, seconds, author, message] = rest.each_ref().map(String::as_str);
    Commit::parse([sha.trim_start_matches('\x01'), parents, seconds, author, message])
}

/// The commits that merges bring, each with its place in time.
#[derive(Default)]
struct Merged(HashMap<String, (usize, Commit)>);

impl Merged {
    /// Reads nothing where the tracked branch has no merges.
    fn read(git: &Git, range: &str) -> Result<Self> {
        let mut merged = Self::default();
        if git.ask(&["rev-list", "--first-parent", "--merges", "--max-count=1", range])?.is_empty() {
            return Ok(merged);
        }
        let landed = git.ask(&["rev-list", "--first-parent", range])?;
        let landed: HashSet<&str> = landed.lines().collect();
        let format = format!("--format=tformat:{FIELDS}");
        let mut log = git.fields(&[
            "log",
            "--topo-order",
            "--reverse",
            "-z",
            "--no-show-signature",
            "--no-color",
            &format,
            range,
            "--",
        ])?;
        while let Some(sha) = log.next()? {
            let commit = commit(&mut log, &sha)?;
            if !landed.contains(commit.sha.as_str()) {
                merged.0.insert(commit.sha.clone(), (merged.0.len(), commit));
            }
        }
        Ok(merged)
    }

    /// Takes out what `landing` brought and no merge before it.
    fn members(&mut self, landing: &Commit) -> Vec<Commit> {
        let mut open: Vec<String> = landing.parents.iter().skip(1).cloned().collect();
        let mut members = Vec::new();
        while let Some(sha) = open.pop() {
            if let Some((place, commit)) = self.0.remove(&sha) {
                open.extend(commit.parents.iter().cloned());
                members.push((place, commit));
            }
        }
        members.sort_by_key(|(place, _)| *place);
        let mut members: Vec<Commit> = members.into_iter().map(|(_, commit)| commit).collect();
        if members.len() > MEMBERS_MAX {
            for member in &mut members {
                member.message.clear();
            }
        }
        members
    }
}
