//! Which lines of a change are left in a later state of its branch, as `git blame` says.
//!
//! A line is known by the commit, the file and the number in it that it was written with, wherever it stands now. Space
//! is not looked at, and lines may move within their file, which may be renamed.

use super::clone::History;
use super::git::Git;
use anyhow::{Context, Result, ensure};
use jiff::Timestamp;
use meter::delivery::{Lines, state_at};
use meter::outcome::is_common;
use std::collections::{HashMap, HashSet};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStringExt;
use std::{fs, str};
use tempfile::TempDir;

/// A change of more files moves or reformats them all.
const FILES_MAX: usize = 100;

/// The commits of the tracked branch, without those that merges brought, oldest first.
pub(crate) struct Branch {
    shas: Vec<String>,
    made: Vec<Timestamp>,
    places: HashMap<String, usize>,
}

/// A change on its branch, and the state it is looked at in.
pub(crate) struct Sight<'a> {
    /// What its first commit was put upon; `None` where it began the history.
    before: Option<&'a str>,
    landed: &'a str,
    pub at: &'a str,
}

/// A line by where it was written.
type Line = (String, String, u64);

impl Branch {
    /// Where a change of these commits is looked at; `None` where the branch has none of them any more.
    pub(crate) fn sight(&self, commits: &[String], due: Timestamp) -> Option<Sight<'_>> {
        let places: Vec<usize> = commits.iter().filter_map(|sha| self.places.get(sha)).copied().collect();
        let first = *places.iter().min()?;
        let at = state_at(&self.made, first, due);
        let landed = places.into_iter().filter(|place| *place <= at).max().unwrap_or(first);
        let before = first.checked_sub(1).map(|place| self.shas[place].as_str());
        Some(Sight { before, landed: &self.shas[landed], at: &self.shas[at] })
    }
}

/// The objects of a clone in a repository of ours: what a clone has set for `git blame` can fail it or change what it
/// says, and not all of it can be unset.
pub(crate) struct Blame<'a> {
    git: Git<'a>,
    _folder: TempDir,
}

impl<'a> History<'a> {
    /// The tracked branch, with the files of its commits.
    pub(crate) fn branch_with_files(&self) -> Result<Branch> {
        ensure!(self.has_files()?, "it is a partial clone without files: clone it anew without --filter");
        let mut log = self.git.lines(&[
            "log",
            "--first-parent",
            "--reverse",
            "--no-show-signature",
            "--no-color",
            "--format=%H %ct",
            &self.tip,
            "--",
        ])?;
        let mut branch = Branch { shas: Vec::new(), made: Vec::new(), places: HashMap::new() };
        while let Some(line) = log.next()? {
            let commit = line.split_once(' ').and_then(|(sha, second)| Some((sha, second.parse().ok()?)));
            let (sha, second) = commit.with_context(|| format!("git log tells of {line:?}"))?;
            branch.places.insert(sha.to_owned(), branch.shas.len());
            branch.shas.push(sha.to_owned());
            branch.made.push(Timestamp::from_second(second)?);
        }
        Ok(branch)
    }

    /// Its objects, to be looked at line by line.
    pub(crate) fn blame(&self) -> Result<Blame<'a>> {
        let objects = self.git.ask(&["rev-parse", "--path-format=absolute", "--git-path", "objects"])?;
        let format = self.git.ask(&["rev-parse", "--show-object-format"])?;
        let folder = tempfile::tempdir()?;
        let git = Git { path: folder.path().to_owned(), pace: self.git.pace, is_alone: true };
        git.run(&["init", "--quiet", "--bare", "--template=", "--object-format", &format], &[])?;
        fs::write(folder.path().join("objects/info/alternates"), objects + "\n")?;
        Ok(Blame { git, _folder: folder })
    }
}

impl Blame<'_> {
    /// The lines that these commits added, and those of them that are left; `None` of too many files.
    pub(crate) fn lines(&self, sight: &Sight, commits: &[String]) -> Result<Option<Lines>> {
        let files = self.files_added_to(sight)?;
        if files.len() > FILES_MAX {
            return Ok(None);
        }
        let moved = self.moved(sight)?;
        let commits: HashSet<&str> = commits.iter().map(String::as_str).collect();
        let mut lines = Lines::default();
        for file in &files {
            let added = self.written(sight, sight.landed, file, &commits)?;
            lines.added += added.len() as u64;
            if let Some(file) = moved.get(file).map_or(Some(file), Option::as_ref) {
                let there = self.written(sight, sight.at, file, &commits)?;
                lines.surviving += added.intersection(&there).count() as u64;
            }
        }
        Ok(Some(lines))
    }

    /// The files of text that a change added lines to; not what is generated, vendored, locked and the like.
    fn files_added_to(&self, sight: &Sight) -> Result<Vec<OsString>> {
        let mut args = vec!["diff-tree", "-r", "--numstat", "-z", "--no-renames", "--ignore-submodules=all"];
        match sight.before {
            Some(before) => args.extend([before, sight.landed]),
            None => args.extend(["--root", "--no-commit-id", sight.landed]),
        }
        let mut changed = self.git.fields(&args)?;
        let mut files = Vec::new();
        while let Some(file) = changed.next_bytes()? {
            let mut parts = file.splitn(3, |byte| *byte == b'\t');
            // of what is no text git counts nothing
            let added = parts.next().and_then(|count| str::from_utf8(count).ok()?.parse::<u64>().ok());
            let told = || format!("git diff-tree tells of {}", file.escape_ascii());
            let path = parts.nth(1).with_context(told)?;
            if added.is_some_and(|added| added > 0) && !is_common(&String::from_utf8_lossy(path)) {
                files.push(OsString::from_vec(path.to_vec()));
            }
        }
        Ok(files)
    }

    /// Where files lie that have another name by then; `None` of those that are gone.
    fn moved(&self, sight: &Sight) -> Result<HashMap<OsString, Option<OsString>>> {
        let mut moved = HashMap::new();
        let args = ["diff-tree", "-r", "-M", "-l1000", "--diff-filter=DRT", "--name-status", "-z"];
        let mut changed = self.git.fields(&[&args[..], &[sight.landed, sight.at]].concat())?;
        while let Some(status) = changed.next()? {
            let mut path = || changed.expect_bytes().map(OsString::from_vec);
            let file = path()?;
            let now_at = if status.starts_with('R') { Some(path()?) } else { None };
            moved.insert(file, now_at);
        }
        Ok(moved)
    }

    /// The lines of a file in the state `at` that these commits wrote.
    fn written(
        &self,
        sight: &Sight,
        at: &str,
        file: &OsStr,
        commits: &HashSet<&str>,
    ) -> Result<HashSet<Line>> {
        let range = sight.before.map_or_else(|| at.to_owned(), |before| format!("{before}..{at}"));
        let args = [
            "blame",
            "--incremental",
            "--first-parent",
            "-w",
            "-M",
            "--no-textconv",
            "--no-progress",
            "--ignore-revs-file=",
            &range,
        ];
        let mut blame = self.git.lines_of(&args, file)?;
        let mut lines = HashSet::new();
        while let Some(head) = blame.next()? {
            let (sha, first, count) = part(&head).with_context(|| format!("git blame tells of {head:?}"))?;
            let path = loop {
                let told = blame.next()?.context("git blame ended in the middle of a part")?;
                if let Some(path) = told.strip_prefix("filename ") {
                    break path.to_owned();
                }
            };
            if commits.contains(sha) {
                lines.extend((first..first + count).map(|line| (sha.to_owned(), path.clone(), line)));
            }
        }
        Ok(lines)
    }
}

/// A commit, the first of its lines as it wrote them, and how many there are.
fn part(head: &str) -> Option<(&str, u64, u64)> {
    let mut words = head.split(' ');
    let (sha, first) = (words.next()?, words.next()?.parse().ok()?);
    Some((sha, first, words.nth(1)?.parse().ok()?))
}
