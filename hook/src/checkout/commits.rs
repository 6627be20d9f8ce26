//! The commits a session made, as git confirms them: never on the way of the client, always after it.

use crate::checkout::git;
use crate::checkout::repository::{Checkout, Checkouts};
use crate::state::ledger::{Ledger, MadeCommit, Trail};
use crate::state::secret::Secret;
use crate::terms::identity::Identities;
use anyhow::Result;
use jiff::Timestamp;
use meter::{Branch, Developer, SessionId, Week};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// The end of a reflog that is read; a day of work is a few kilobytes.
const LOG_BYTES_MAX: u64 = 1 << 20;
const BRANCHES_MAX: usize = 2_000;
/// A commit may end after the last line of a killed session; none is begun before the first line.
const SLACK_SECONDS: i64 = 5;

/// A working tree the session was in, and what it may have committed there by name.
struct Ground {
    checkout: Checkout,
    /// Short ids of its transcript, with the branch where it says one.
    hints: BTreeMap<String, String>,
}

/// Looks for the commits of `sessions` and keeps them in the ledger.
pub(crate) fn find<'a>(
    ledger: &mut Ledger,
    sessions: impl IntoIterator<Item = &'a SessionId>,
    identities: &Identities,
    secret: &Secret,
) -> Result<()> {
    let trails = sessions.into_iter().map(|session| ledger.commit_trail(session));
    let trails = ledger.at_once(|| trails.collect::<Result<Vec<_>>>())?;
    let mut checkouts = Checkouts::new(secret);
    let mut found = Vec::new();
    for trail in trails {
        let mut commits = Vec::new();
        for ground in grounds(&trail, &mut checkouts).into_values() {
            let mine = [trail.developer.clone(), Some(identities.claimed(Some(&ground.checkout.root)))];
            let own: Vec<String> = mine.into_iter().flatten().filter_map(email).collect();
            commits.extend(made(&ground, &trail.spans, &own));
        }
        found.push((trail, commits));
    }
    ledger.commit_record(&found)
}

fn grounds(trail: &Trail, checkouts: &mut Checkouts) -> BTreeMap<PathBuf, Ground> {
    let mut grounds: BTreeMap<PathBuf, Ground> = BTreeMap::new();
    let folders = trail.folders.iter().map(|folder| (folder, None));
    let hints = trail.hints.iter().map(|hint| (&hint.folder, Some((hint.sha.clone(), hint.branch.clone()))));
    for (folder, hint) in folders.chain(hints) {
        let Some(checkout) = checkouts.of(Path::new(folder)).cloned() else { continue };
        let ground = Ground { checkout, hints: BTreeMap::new() };
        grounds.entry(ground.checkout.root.clone()).or_insert(ground).hints.extend(hint);
    }
    grounds
}

/// The commits of the reflog and the transcript that git has and one of `own` emails wrote.
fn made(ground: &Ground, spans: &[(Timestamp, Timestamp)], own: &[String]) -> Vec<MadeCommit> {
    let Ground { checkout, hints } = ground;
    let log = tail(&checkout.git_dir.join("logs/HEAD"));
    let logged = spans.iter().flat_map(|(from, to)| logged(&log, from.as_second(), to.as_second()));
    let names: BTreeSet<String> = logged.chain(hints.keys().cloned()).collect();
    if names.is_empty() {
        return Vec::new();
    }
    let branches = branches(&checkout.common.join("logs/refs/heads"));
    let commits = git::commits(&checkout.root, &names.into_iter().collect::<Vec<_>>());
    let confirmed = commits.into_iter().filter_map(|commit| {
        let (at, true) = signed(&commit.raw, own)? else { return None };
        let hinted = hints.iter().find(|(short, _)| commit.id.starts_with(short.as_str()));
        let branch = branches.get(&commit.id).or(hinted.map(|(_, branch)| branch));
        let branch = branch.and_then(|name| name.parse::<Branch>().ok()).unwrap_or_default();
        Some(MadeCommit { repo: checkout.repo.clone(), sha: commit.id.parse().ok()?, branch, at })
    });
    confirmed.collect()
}

fn email(developer: Developer) -> Option<String> {
    match developer {
        Developer::Email(email) => Some(email.into()),
        _ => None,
    }
}

/// The commits a reflog says were made between two instants; those an amendment replaced are left out.
fn logged(log: &str, from: i64, to: i64) -> BTreeSet<String> {
    let mut made = BTreeSet::new();
    for Entry { old, new, at, message } in log.lines().filter_map(Entry::of) {
        if (from..=to + SLACK_SECONDS).contains(&at) && makes(message) {
            if message.starts_with("commit (amend)") {
                made.remove(old);
            }
            made.insert(new.to_owned());
        }
    }
    made
}

/// A line of a reflog.
struct Entry<'a> {
    old: &'a str,
    new: &'a str,
    at: i64,
    message: &'a str,
}

impl<'a> Entry<'a> {
    /// `<old> <new> <name and email> <seconds> <zone>\t<message>`
    fn of(line: &'a str) -> Option<Self> {
        let (head, message) = line.split_once('\t')?;
        let mut fields = head.split(' ');
        let (old, new) = (fields.next()?, fields.next()?);
        Some(Self { old, new, at: fields.rev().nth(1)?.parse().ok()?, message })
    }

    /// Whether a branch came to hold a commit that was made on it, not one that it was created at or moved to.
    fn makes_on_branch(&self) -> bool {
        let (action, rest) = self.message.split_once(": ").unwrap_or((self.message, ""));
        // a branch learns of a rebase when it is over; one that was behind is only moved
        makes(self.message) || action.ends_with(" (finish)") && !rest.ends_with(self.new)
    }
}

/// Whether an entry of a reflog is about a commit that was not there before.
fn makes(message: &str) -> bool {
    let (action, rest) = message.split_once(": ").unwrap_or((message, ""));
    match action.split(' ').next() {
        Some("commit" | "cherry-pick" | "revert") => true,
        Some("merge" | "pull" | "rebase") => {
            let steps = ["(pick)", "(reword)", "(squash)", "(fixup)"];
            rest.starts_with("Merge made") || steps.iter().any(|step| action.ends_with(step))
        }
        _ => false,
    }
}

/// The branch each commit was made on, from the branches' own reflogs.
fn branches(logs: &Path) -> HashMap<String, String> {
    let mut branches = HashMap::new();
    let mut folders: Vec<PathBuf> = vec![logs.to_owned()];
    let mut seen = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            seen += 1;
            if seen > BRANCHES_MAX {
                return branches;
            }
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let Some(branch) = path.strip_prefix(logs).ok().and_then(Path::to_str) else { continue };
            let log = tail(&path);
            let made = log.lines().filter_map(Entry::of).filter(Entry::makes_on_branch);
            branches.extend(made.map(|entry| (entry.new.to_owned(), branch.to_owned())));
        }
    }
    branches
}

/// The end of a file that only grows.
fn tail(path: &Path) -> String {
    let read = || -> std::io::Result<Vec<u8>> {
        let mut file = File::open(path)?;
        let size = file.metadata()?.len();
        file.seek(SeekFrom::Start(size.saturating_sub(LOG_BYTES_MAX)))?;
        let mut text = Vec::new();
        file.read_to_end(&mut text)?;
        Ok(text)
    };
    read().map(|text| String::from_utf8_lossy(&text).into_owned()).unwrap_or_default()
}

/// When a commit was made, and whether one of `own` emails wrote it.
fn signed(raw: &str, own: &[String]) -> Option<(Timestamp, bool)> {
    let header = raw.split("\n\n").next()?;
    let line = |name: &str| header.lines().find_map(|line| line.strip_prefix(name));
    let email = |line: &str| Some(line.rsplit_once('<')?.1.split_once('>')?.0.to_lowercase());
    let (author, committer) = (line("author ")?, line("committer ")?);
    let seconds = committer.rsplit_once('>')?.1.split_whitespace().next()?.parse().ok()?;
    let ours = [author, committer].into_iter().filter_map(email).any(|email| own.contains(&email));
    let at = Timestamp::from_second(seconds).ok().filter(|at| Week::reaches(*at))?;
    Some((at, ours))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn a_reflog_tells_what_was_made_and_when() {
        let line = |old: &str, new: &str, at: i64, message: &str| {
            format!("{old} {new} Ana B <ana@acme.example> {at} +0100\t{message}\n")
        };
        let log = [
            line("0", "a", 99, "commit (initial): before"),
            line("a", "b", 100, "commit: first"),
            line("b", "c", 110, "commit (amend): first, better"),
            line("c", "d", 120, "checkout: moving from main to x"),
            line("d", "e", 130, "pull: Fast-forward"),
            line("e", "f", 140, "merge x: Merge made by the 'ort' strategy."),
            line("f", "g", 150, "rebase (pick): moved"),
            line("g", "h", 160, "reset: moving to HEAD~1"),
            line("h", "j", 170, "pull --rebase (pick): moved again"),
            line("h", "i", 300, "commit: after"),
            "half a line".to_owned(),
        ];
        let made: Vec<String> = logged(&log.concat(), 100, 200).into_iter().collect();
        assert_eq!(made, ["c", "f", "g", "j"]);
    }

    /// A repository in which those steps were taken, one a line.
    fn repository(steps: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for step in ["init -q -b main"].into_iter().chain(steps.lines()) {
            let mut git = Command::new("git");
            git.current_dir(&folder).args(["-c", "user.name=Ana", "-c", "user.email=ana@acme.example"]);
            git.args(step.split_whitespace()).env("GIT_CONFIG_GLOBAL", "/dev/null");
            let output = git.output().unwrap();
            assert!(output.status.success(), "{step}: {}", String::from_utf8_lossy(&output.stderr));
        }
        folder
    }

    /// Each commit of the repository's history is on the branch its subject names.
    #[track_caller]
    fn check_branches(steps: &str) {
        let folder = repository(steps);
        let branches = branches(&folder.path().join(".git/logs/refs/heads"));
        let mut log = Command::new("git");
        let log = log.current_dir(&folder).args(["log", "--all", "--format=%H %s"]).output().unwrap();
        let log = String::from_utf8(log.stdout).unwrap();
        for (id, branch) in log.lines().filter_map(|line| line.split_once(' ')) {
            assert_eq!(branches.get(id).map(String::as_str), Some(branch), "{id}");
        }
    }

    #[test]
    fn a_commit_is_on_the_branch_it_was_made_on() {
        let first = "commit -q --allow-empty -m main";
        // whichever is met first, a branch created at the commit or moved to it has not made it
        for branch in ["a", "y", "feature/x", "z/z/z"] {
            check_branches(&format!("{first}\nswitch -q -c {branch}"));
            let commit = format!("commit -q --allow-empty -m {branch}");
            check_branches(&format!(
                "{first}\nswitch -q -c {branch}\n{commit}\nswitch -q main\nmerge -q {branch}"
            ));
        }
    }

    #[test]
    fn a_rebased_commit_is_on_the_branch_that_was_rebased() {
        let diverged = "commit -q --allow-empty -m main\nswitch -q -c y\ncommit -q --allow-empty -m y\nswitch -q main\ncommit -q --allow-empty -m main";
        for behind in ["a", "k", "x", "z/z"] {
            check_branches(&format!(
                "{diverged}\nswitch -q y\nrebase -q main\nswitch -q -c {behind} main\nrebase -q y"
            ));
        }
        check_branches(&format!("{diverged}\nmerge -q --no-ff -m main y"));
    }

    #[test]
    fn a_commit_of_somebody_else_is_none_of_the_session_s() {
        let raw = "tree t\nauthor Bob <bob@x.example> 1 +0000\ncommitter Ana <Ana@acme.example> 1795000000 +0100\n\nauthor <ana@acme.example>\n";
        let signed = |own: &str| signed(raw, &[own.to_owned()]).unwrap().1;
        assert_eq!(
            (signed("ana@acme.example"), signed("bob@x.example"), signed("eve@x.example")),
            (true, true, false)
        );
    }
}
