//! How well what went wrong is found, scored by pair: reverts in every form people and hosts write, in repositories
//! made with real git; hotfixes and tickets opened again in the history of a stand-in for GitHub.

use super::outcomes::clone;
use super::{command, succeeds};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use tests::carved::{Carved, TakenBack};
use tests::dice::Dice;
use tests::host::github::{GitHub, commit, issue, request};
use tests::lot;

/// Of one form: how often it was played and how often it was found.
type Scores = BTreeMap<&'static str, (usize, usize)>;

/// What `cpvo` says took back what, by commit.
#[expect(clippy::print_stdout, reason = "what is wrong is read, not counted")]
fn found(seed: u64, scores: &mut Scores) -> (usize, usize, usize) {
    let (folder, repository) = clone();
    let carved = Carved::new(repository, seed, if lot::is_full() { 90 } else { 18 });
    for command in ["sync", "judge"] {
        succeeds(folder.path(), &[command]);
    }
    let told = succeeds(folder.path(), &["changes", "--repo", "github.com/acme/pay", "--format", "json"]);
    let told: Vec<Value> = serde_json::from_str(&told).unwrap();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut found = BTreeSet::new();
    for change in &told {
        for by in change["reverts"].as_array().unwrap().iter().filter(|by| by["kind"] == "revert") {
            found.insert((text(&by["by_sha"]), text(&change["sha"])));
        }
    }
    let mut hits = 0;
    for TakenBack { form, by, of } in &carved.truth {
        let hit = found.remove(&(by.clone(), of.clone()));
        let score = scores.entry(form).or_default();
        *score = (score.0 + 1, score.1 + usize::from(hit));
        hits += usize::from(hit);
    }
    for (by, of) in &found {
        println!("wrong:\n{}", carved.repository.git(&["log", "--no-walk", "--format=%h %B", by, of]));
        let decoy =
            carved.decoys.iter().find(|(_, sha)| sha == by).map_or("something else", |(form, _)| form);
        scores.entry(decoy).or_default().1 += 1;
    }
    (carved.truth.len(), hits, found.len())
}

#[test]
fn reverts_are_found_in_every_form_and_nowhere_else() {
    let mut scores = Scores::new();
    for seed in 0..lot::number("CPVO_TEST_HISTORIES").unwrap_or(2) {
        let (pairs, hits, wrong) = found(seed, &mut scores);
        let percent = |part: usize, whole: usize| 100 * part / whole.max(1);
        let (precision, recall) = (percent(hits, hits + wrong), percent(hits, pairs));
        println!(
            "seed {seed}: {pairs} pairs, {hits} found, {wrong} wrong: precision {precision} %, recall {recall} %"
        );
        let table = || scores.iter().map(|(form, (of, found))| format!("{form:<30} {found:>4} of {of}\n"));
        assert!(precision >= 98 && recall >= 92, "seed {seed}:\n{}", table().collect::<String>());
    }
    for (form, (of, found)) in &scores {
        println!("{form:<30} {found:>4} of {of}");
    }
}

/// Which change failed, and as what: `hotfix by 12`, `reopen`.
type Failed = BTreeSet<(u64, String)>;

/// What happens some hours after a change: how it is called, and its title, body, branch and label. `{of}` is the
/// number of the change, `{sha}` its commit.
struct Later(&'static str, u64, &'static str, &'static str, &'static str, &'static str);

/// What mends the change in haste and says so.
const HOTFIXES: [Later; 8] = [
    Later("a label", 5, "Round down again", "", "feature/x", "hotfix"),
    Later("a severity", 20, "Stop the double charge", "", "feature/x", "sev1"),
    Later("a title", 30, "Hotfix: charge once", "", "feature/x", ""),
    Later("a branch", 60, "Charge once", "", "hotfix/charge", ""),
    Later("a regression of", 40, "Charge once", "Fix a regression from #{of}.", "feature/x", ""),
    Later("brought by", 10, "Charge once", "Fixes the crash introduced by #{of}", "feature/x", ""),
    Later("a trailer", 50, "Charge once", "Fixes: {sha}", "feature/x", ""),
    Later("a fix that follows", 12, "fix: charge once", "Follow-up to #{of}", "feature/x", ""),
];

/// What mends it and says nothing: nobody knows how often that is; here one in sixteen.
const SILENT: Later = Later("nothing but the truth", 6, "Charge once", "", "feature/x", "");

/// What mends nothing in haste, however it looks.
const OTHERS: [Later; 6] = [
    Later("a fix of something else", 9, "fix: a word on the page", "", "feature/x", ""),
    Later("elsewhere", 9, "Hotfix: the other page", "", "hotfix/page", "hotfix"),
    Later("too late", 100, "Hotfix: round up", "", "feature/x", "hotfix"),
    Later("planned", 9, "Add the second half", "Follow-up to #{of}", "feature/x", ""),
    Later("the same lock file", 9, "Hotfix: newest packages", "", "feature/x", "hotfix"),
    Later("in passing", 9, "Say how", "As the fix in the manual of #{of} says.", "feature/x", ""),
];

/// What becomes of the ticket a change closed: its name, events by the hour after it, and whether the change failed.
type Fate = (&'static str, &'static [(&'static str, i64)], bool);

const TICKETS: [Fate; 5] = [
    ("closed for good", &[("closed by PullRequest", 0)], false),
    ("opened again", &[("closed by PullRequest", 0), ("reopened", 90)], true),
    (
        "opened again, done once more",
        &[("closed by PullRequest", 0), ("reopened", 30), ("closed as COMPLETED", 200)],
        true,
    ),
    ("opened again too late", &[("closed by PullRequest", 0), ("reopened", 24 * 40)], false),
    (
        "opened by mistake",
        &[("closed by PullRequest", 0), ("reopened", 50), ("closed as NOT_PLANNED", 50)],
        false,
    ),
];

struct Script {
    host: GitHub,
    dice: Dice,
    at: Timestamp,
    numbers: u64,
    truth: Failed,
    /// What each change that is no plain one is called.
    names: BTreeMap<u64, &'static str>,
}

impl Script {
    /// Merges a request some hours later and says its number and commit.
    fn merge(&mut self, after: u64, title: &str, body: &str, files: &[&str]) -> (u64, String) {
        self.numbers += 1;
        let (number, sha) = (self.numbers, format!("{:040x}", self.numbers + 0xabc_0000));
        let at = (self.at + SignedDuration::from_hours(after.cast_signed())).to_string();
        let mut opened = request(number, title, &at, Some((&at, &sha)));
        opened["body"] = json!(body);
        opened["files"] = files.iter().map(|path| json!({ "path": path })).collect();
        let mut state = self.host.state();
        state.touch(opened);
        state.commits.push(commit(&sha, &at, &format!("{title} (#{number})"), Some(number)));
        (number, sha)
    }

    fn change(&mut self, number: u64, field: &str, value: Value) {
        let mut state = self.host.state();
        let request = state.requests.iter_mut().find(|request| request["number"] == number);
        request.expect("a request of that number")[field] = value;
    }

    fn play(&mut self) {
        let file = format!("src/{}.rs", self.numbers);
        let (of, sha) = self.merge(0, "Rework the charge", "", &[&file, "Cargo.lock"]);
        let (hotfix, other, ticket) = (self.dice.once_in(3), self.dice.once_in(2), self.dice.once_in(3));
        let silent = self.dice.once_in(16);
        let later = match (hotfix, silent) {
            (true, true) => &SILENT,
            (true, false) => self.dice.pick(&HOTFIXES),
            (false, _) => self.dice.pick(&OTHERS),
        };
        let Later(name, after, title, body, branch, label) = later;
        if hotfix || other {
            let elsewhere = format!("docs/{}.md", self.numbers);
            let files: &[&str] = match *name {
                "elsewhere" | "in passing" => &[&elsewhere],
                "the same lock file" => &[&elsewhere, "Cargo.lock"],
                "planned" => &[&file, &elsewhere],
                _ => &[&file],
            };
            let body = body.replace("{of}", &of.to_string()).replace("{sha}", &sha);
            let (by, _) = self.merge(*after, title, &body, files);
            self.change(by, "headRefName", json!(branch));
            self.change(by, "labels", json!({"nodes": [{"name": label}]}));
            self.names.insert(by, name);
            if hotfix {
                self.truth.insert((of, format!("hotfix by {by}")));
            }
        }
        if ticket {
            let (name, events, failed) = *self.dice.pick(&TICKETS);
            let at = |hours: i64| (self.at + SignedDuration::from_hours(hours)).to_string();
            let events: Vec<(&str, String)> =
                events.iter().map(|(what, hours)| (*what, at(*hours))).collect();
            let events: Vec<(&str, &str)> = events.iter().map(|(what, at)| (*what, at.as_str())).collect();
            let id = format!("I_{of}");
            self.host.state().issues.push(issue(&id, &events));
            self.change(of, "closingIssuesReferences", json!([id]));
            self.names.entry(of).or_insert(name);
            if failed {
                self.truth.insert((of, "reopen".to_owned()));
            }
        }
        self.at += SignedDuration::from_hours(110);
    }
}

/// Plays a history and says what failed in truth and what `cpvo` says failed.
fn failures(seed: u64, steps: u64) -> (Script, Failed) {
    let folder = tempfile::tempdir().unwrap();
    let host = GitHub::start("acme/pay");
    let at = "2025-03-03T09:00:00Z".parse().unwrap();
    let (truth, names) = (Failed::new(), BTreeMap::new());
    let mut script = Script { host, dice: Dice::new(seed), at, numbers: 0, truth, names };
    for _ in 0..steps {
        script.play();
    }
    succeeds(folder.path(), &["init"]);
    let settings = fs::read_to_string(folder.path().join("cpvo.toml")).unwrap();
    let url = script.host.url();
    let source = format!(
        "\n[[source]]\nkind = \"github\"\nrepo = \"github.com/acme/pay\"\nurl = \"{url}\"\nsince = \"2025-01-01\"\n"
    );
    fs::write(folder.path().join("cpvo.toml"), settings + &source).unwrap();
    let sync = command(folder.path(), &["sync"]).env("GITHUB_TOKEN", "ghp_hunter2").output().unwrap();
    assert!(sync.status.success(), "{}", String::from_utf8_lossy(&sync.stderr));
    succeeds(folder.path(), &["judge"]);
    let told = succeeds(folder.path(), &["changes", "--repo", "github.com/acme/pay", "--format", "json"]);
    let told: Vec<Value> = serde_json::from_str(&told).unwrap();
    let mut found = Failed::new();
    for change in &told {
        for failed in change["disqualifications"].as_array().unwrap() {
            let kind = failed["kind"].as_str().unwrap();
            let by = failed["by_number"].as_u64().map_or(String::new(), |by| format!(" by {by}"));
            found.insert((change["number"].as_u64().unwrap(), format!("{kind}{by}")));
        }
    }
    (script, found)
}

#[test]
fn hotfixes_and_reopened_tickets_are_found_and_nothing_else() {
    for kind in ["hotfix", "reopen"] {
        let (mut right, mut wrong, mut missed) = (0, 0, 0);
        for seed in 0..lot::number("CPVO_TEST_HISTORIES").unwrap_or(6) {
            let (script, found) = failures(seed, if lot::is_full() { 300 } else { 80 });
            let of = |all: &Failed| all.iter().filter(|(_, what)| what.starts_with(kind)).cloned().collect();
            let (truth, found): (Failed, Failed) = (of(&script.truth), of(&found));
            right += truth.intersection(&found).count();
            wrong += found.difference(&truth).count();
            missed += truth.difference(&found).count();
            let name = |number: u64| script.names.get(&number).copied().unwrap_or_default();
            for (of, what) in truth.symmetric_difference(&found) {
                let by = what.rsplit(' ').next().and_then(|by| by.parse().ok()).unwrap_or(*of);
                println!("seed {seed}: {what} of {of}: {}, {}", name(*of), name(by));
            }
        }
        let percent = |part: usize, all: usize| 100 * part / all.max(1);
        let (precision, recall) = (percent(right, right + wrong), percent(right, right + missed));
        println!(
            "{kind}: {right} found, {wrong} wrong, {missed} missed: precision {precision} %, recall {recall} %"
        );
        assert!(precision >= 95 && recall >= 90 && right > 8, "{kind}");
    }
}
