//! The invented requests as commits of real git repositories.

use super::story::{Request, Story};
use anyhow::{Context, Result, ensure};
use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

/// The commit that landed each merged request, by the request's place.
pub(super) type Landed = HashMap<usize, String>;

/// Makes the repository in a folder; each merged request is one commit of its main branch.
pub(super) fn write(story: &Story, repo: &str, folder: &Path) -> Result<Landed> {
    fs::create_dir_all(folder).with_context(|| format!("could not make {}", folder.display()))?;
    git(folder, &["init", "--quiet", "--initial-branch=main"], "")?;
    let merged = merged(story, repo);
    let mut stream = String::new();
    for (index, (_, request)) in merged.iter().enumerate() {
        commit(&mut stream, story, request, index + 1)?;
    }
    git(folder, &["fast-import", "--quiet", "--export-marks=.git/marks"], &stream)?;
    let marks = fs::read_to_string(folder.join(".git/marks"))?;
    let shas: HashMap<&str, &str> =
        marks.lines().filter_map(|line| line.trim_start_matches(':').split_once(' ')).collect();
    let sha = |index: usize| shas.get((index + 1).to_string().as_str()).map(|sha| (*sha).to_owned());
    let landed = merged.iter().enumerate().map(|(index, (place, _))| Some((*place, sha(index)?)));
    landed.collect::<Option<_>>().context("git made fewer commits than it was told")
}

/// The requests that landed, in the order in which they did, with their places.
pub(super) fn merged<'a>(story: &'a Story, repo: &str) -> Vec<(usize, &'a Request)> {
    let of_repo = story.requests.iter().enumerate().filter(|(_, one)| one.repo == repo);
    let mut merged: Vec<_> = of_repo.filter(|(_, one)| one.merged_at.is_some()).collect();
    merged.sort_by_key(|(_, one)| (one.merged_at, one.number));
    merged
}

/// As GitHub squashes it.
pub(super) fn message(story: &Story, request: &Request) -> String {
    format!("{} (#{})\n\n{}", story.title(request), request.number, story.body(request)).trim_end().to_owned()
}

fn commit(stream: &mut String, story: &Story, request: &Request, mark: usize) -> Result<()> {
    let at = request.merged_at.unwrap_or(story.now).as_second();
    let (message, email) = (message(story, request), request.author_email());
    writeln!(stream, "commit refs/heads/main\nmark :{mark}")?;
    writeln!(stream, "author {} <{email}> {at} +0000", request.author)?;
    writeln!(stream, "committer GitHub <noreply@github.com> {at} +0000")?;
    writeln!(stream, "data {}\n{message}", message.len())?;
    for file in &request.files {
        let text = format!("// as #{} left it\n", request.number);
        writeln!(stream, "M 100644 inline {file}\ndata {}\n{text}", text.len())?;
    }
    Ok(())
}

/// Runs git as nobody configured it.
fn git(folder: &Path, arguments: &[&str], input: &str) -> Result<()> {
    let mut child = Command::new("git")
        .arg("-C")
        .arg(folder)
        .args(arguments)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .stdin(Stdio::piped())
        .spawn()
        .context("could not start git")?;
    child.stdin.take().context("git takes no input")?.write_all(input.as_bytes())?;
    let status = child.wait()?;
    ensure!(status.success(), "git {} in {} ended with {status}", arguments[0], folder.display());
    Ok(())
}
