//! What only git itself can answer, asked with bounds.

use std::ffi::OsStr;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Far more than any answer we ask for.
const ANSWER_BYTES_MAX: u64 = 4 << 20;

/// A question under way.
pub(crate) struct Asked(Option<Child>);

impl Asked {
    /// What git printed; `None` where it failed or is not there.
    pub(crate) fn answer(self) -> Option<String> {
        String::from_utf8(self.bytes()?).ok()
    }

    fn bytes(self) -> Option<Vec<u8>> {
        let mut child = self.0?;
        let mut text = Vec::new();
        let read = child.stdout.take()?.take(ANSWER_BYTES_MAX).read_to_end(&mut text);
        let status = child.wait().ok()?;
        (read.is_ok() && status.success()).then_some(text)
    }
}

/// Starts git in `folder`, with the user's git environment as it is.
fn ask(folder: &Path, args: impl IntoIterator<Item = impl AsRef<OsStr>>, stdin: Stdio) -> Asked {
    let mut command = Command::new("git");
    command.current_dir(folder).args(args).stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::null());
    Asked(command.spawn().ok())
}

/// The email git would commit with in `folder`.
pub(crate) fn email(folder: &Path) -> Asked {
    ask(folder, ["config", "user.email"], Stdio::null())
}

/// Name and first URL of each remote.
pub(crate) fn remotes(folder: &Path) -> Vec<(String, String)> {
    let args = ["config", "--get-regexp", r"^remote\..*\.url$"];
    let mut remotes: Vec<(String, String)> = Vec::new();
    for line in ask(folder, args, Stdio::null()).answer().unwrap_or_default().lines() {
        let Some((key, url)) = line.split_once(' ') else { continue };
        let Some(name) = key.strip_prefix("remote.").and_then(|key| key.strip_suffix(".url")) else {
            continue;
        };
        if !remotes.iter().any(|(known, _)| known == name) {
            remotes.push((name.to_owned(), url.to_owned()));
        }
    }
    remotes
}

/// A commit as git keeps it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct RawCommit {
    pub id: String,
    pub raw: String,
}

/// The commits that `names` (full or short) stand for in `folder`; others are passed.
pub(crate) fn commits(folder: &Path, names: &[String]) -> Vec<RawCommit> {
    let mut asked = ask(folder, ["cat-file", "--batch"], Stdio::piped());
    let Some(mut stdin) = asked.0.as_mut().and_then(|child| child.stdin.take()) else { return Vec::new() };
    let question = names.iter().fold(String::new(), |text, name| text + name + "\n");
    // git answers while it is asked: a thread keeps both pipes from filling up
    let writer = std::thread::spawn(move || stdin.write_all(question.as_bytes()));
    let answer = asked.bytes().unwrap_or_default();
    writer.join().ok();
    parse_commits(&answer)
}

/// `<id> commit <bytes>\n<raw>\n` for each commit; other lines say what is missing or no commit.
fn parse_commits(mut answer: &[u8]) -> Vec<RawCommit> {
    let mut commits = Vec::new();
    while let Some((header, rest)) =
        memchr::memchr(b'\n', answer).and_then(|end| answer.split_at_checked(end))
    {
        let rest = rest.get(1..).unwrap_or_default();
        let header = String::from_utf8_lossy(header).into_owned();
        let fields: Vec<&str> = header.split(' ').collect();
        let &[id, kind, bytes] = fields.as_slice() else {
            answer = rest;
            continue;
        };
        let Some(raw) = bytes.parse().ok().and_then(|bytes: usize| rest.get(..bytes)) else { break };
        if kind == "commit" {
            commits.push(RawCommit { id: id.to_owned(), raw: String::from_utf8_lossy(raw).into_owned() });
        }
        answer = rest.get(raw.len() + 1..).unwrap_or_default();
    }
    commits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_commits_are_taken_from_a_batch() {
        let answer = b"ab12 missing\ncd34 blob 5\nab\ncd\nef56 commit 7\ntree \xff\n\nef57 commit 99\ncut";
        let commits = parse_commits(answer);
        assert_eq!(commits, [RawCommit { id: "ef56".to_owned(), raw: "tree \u{fffd}\n".to_owned() }]);
    }
}
