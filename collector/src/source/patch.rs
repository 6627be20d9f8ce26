//! What commits changed, line by line, so that one can be held against another turned round.

use super::clone::History;
use super::git::Fields;
use anyhow::Result;
use sha2::{Digest as _, Sha256};
use std::collections::HashMap;

/// Commits that git is asked about at once.
const COMMITS_MAX: usize = 500;

/// The lines of a patch with what surrounds them, wherever in their files they stand.
pub(crate) type Digest = [u8; 32];

impl History<'_> {
    /// The patches of commits on the tracked branch, as they are or turned round; of those that changed lines of text
    /// only. Nothing where the clone lacks blobs.
    pub(crate) fn patches(&self, commits: &[&str], turned: bool) -> Result<HashMap<String, Digest>> {
        let mut patches = HashMap::new();
        if commits.is_empty() || !self.has_files()? {
            return Ok(patches);
        }
        let mut args = vec![
            "log",
            "--no-walk=unsorted",
            "--diff-merges=first-parent",
            "--patch",
            "--unified=3",
            "--diff-algorithm=myers",
            "--no-prefix",
            "--no-renames",
            "--no-ext-diff",
            "--no-textconv",
            "--no-show-signature",
            "--no-color",
            "--format=%x01%H",
        ];
        args.extend(turned.then_some("-R"));
        for some in commits.chunks(COMMITS_MAX) {
            read(&mut self.git.lines(&[&args, some, &["--"]].concat())?, &mut patches)?;
        }
        Ok(patches)
    }
}

/// Takes in the patches of a log; no line of a patch begins as the line of a commit does.
fn read(log: &mut Fields, patches: &mut HashMap<String, Digest>) -> Result<()> {
    let mut line = log.next_bytes()?;
    while let Some(sha) = line.as_deref().and_then(|line| line.strip_prefix(b"\x01")) {
        let sha = String::from_utf8_lossy(sha).into_owned();
        let mut patch = Patch::default();
        line = loop {
            match log.next_bytes()? {
                Some(line) if !line.starts_with(b"\x01") => patch.take(&line),
                next => break next,
            }
        };
        patches.extend(patch.digest().map(|digest| (sha, digest)));
    }
    Ok(())
}

#[derive(Default)]
struct Patch {
    lines: Sha256,
    in_hunk: bool,
    has_text: bool,
    is_binary: bool,
}

impl Patch {
    fn take(&mut self, line: &[u8]) {
        if line.is_empty() {
            return; // stands between patches
        }
        match line.first() {
            Some(b'@') => self.in_hunk = true,
            Some(b' ' | b'+' | b'-' | b'\\') if self.in_hunk => self.has_text = true,
            _ => self.in_hunk = false,
        }
        self.is_binary |= !self.in_hunk && line.starts_with(b"Binary files ");
        // where a hunk stands, and which blobs these are, is not what was changed
        let told: &[u8] = match line {
            [b'@', b'@', b' ', ..] if self.in_hunk => b"@@",
            _ if !self.in_hunk && line.starts_with(b"index ") => b"",
            _ => line,
        };
        self.lines.update(told);
        self.lines.update(b"\n");
    }

    fn digest(self) -> Option<Digest> {
        (self.has_text && !self.is_binary).then(|| self.lines.finalize().into())
    }
}
