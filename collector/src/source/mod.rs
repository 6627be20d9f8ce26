//! Where changes come from: a source reads a history and hands over what landed, as it is.

pub(crate) mod clone;
mod git;

use anyhow::{Context, Result};
use jiff::Timestamp;
use std::path::PathBuf;

/// A history named in cpvo.toml.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Source {
    pub kind: Kind,
    pub repo: meter::Repo,
    pub path: PathBuf,
    /// The tracked branch; else the remote's default one, else the one that is checked out.
    pub branch: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    Clone,
}

impl Kind {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Clone => "clone",
        }
    }
}

/// A commit as git has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Commit {
    pub sha: String,
    pub parents: Vec<String>,
    pub committed_at: Timestamp,
    /// The author's email.
    pub author: String,
    pub message: String,
}

/// A commit on the tracked branch and what it brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Landed {
    pub commit: Commit,
    /// The other commits it made part of the branch, oldest first.
    pub members: Vec<Commit>,
    pub files: Vec<String>,
}

impl Commit {
    /// From the fields `%H %P %ct %ae %B`.
    fn parse(fields: [&str; 5]) -> Result<Self> {
        let [sha, parents, seconds, author, message] = fields;
        let at = seconds.parse().ok().and_then(|seconds| Timestamp::from_second(seconds).ok());
        Ok(Self {
            sha: sha.to_owned(),
            parents: parents.split(' ').filter(|parent| !parent.is_empty()).map(str::to_owned).collect(),
            committed_at: at.with_context(|| format!("commit {sha} has the impossible time {seconds:?}"))?,
            author: author.to_lowercase(),
            message: message.trim_end().to_owned(),
        })
    }
}
