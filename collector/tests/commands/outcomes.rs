//! What became of changes: `sync`, `judge` and `changes` on a repository made with real git.

use super::{command, cpvo, fails, succeeds};
use serde_json::{Value, json};
use std::fs;
use tempfile::TempDir;
use tests::git::Repository;

/// A collector's folder whose cpvo.toml names a clone, and the clone.
pub(super) fn clone() -> (TempDir, Repository) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(".gitconfig"), "[user]\n\tname = Ana\n\temail = ana@acme.example\n")
        .unwrap();
    succeeds(folder.path(), &["init"]);
    let settings = fs::read_to_string(folder.path().join("cpvo.toml")).unwrap();
    let source =
        "\n[[source]]\nkind = \"clone\"\nrepo = \"github.com/acme/pay\"\npath = \"pay\"\nbranch = \"main\"\n";
    fs::write(folder.path().join("cpvo.toml"), settings + source).unwrap();
    let home = folder.path();
    let repository = Repository::create(&home.join("pay"), home, "https://github.com/acme/pay.git");
    (folder, repository)
}

#[test]
fn a_revert_is_told_with_its_evidence() {
    let (folder, repository) = clone();
    let cpvo = |args: &[&str]| succeeds(folder.path(), args);
    let first = repository.git(&["rev-parse", "HEAD"]);
    let added = repository.commit_at("2026-10-05T12:00:00Z", "Add x (#1)");
    let reverted = repository.commit_at("2026-10-07T12:00:00Z", "Revert \"Add x (#1)\" (#2)");
    assert_eq!(
        cpvo(&["sync"]),
        "github.com/acme/pay: 3 commits landed since the last time, 3 changes in all\n"
    );
    assert_eq!(
        cpvo(&["sync"]),
        "github.com/acme/pay: 0 commits landed since the last time, 3 changes in all\n"
    );
    let changes = || -> Vec<Value> {
        serde_json::from_str(&cpvo(&["changes", "--repo", "github.com/acme/pay", "--format", "json"]))
            .unwrap()
    };
    assert_eq!(changes()[1]["state"], Value::Null, "nothing was judged yet");
    let told = "github.com/acme/pay: 0 verified, 1 disqualified, 1 pending, 1 excluded\n";
    assert_eq!(cpvo(&["judge"]), told);
    let changes = changes();
    assert_eq!([&changes[0]["sha"], &changes[0]["state"]], [&json!(first), &json!("pending")]);
    let expected = json!({
        "repo": "github.com/acme/pay", "number": 1, "sha": added, "title": "Add x",
        "merged_at": "2026-10-05T12:00:00Z", "shipped_at": "2026-10-05T12:00:00Z",
        "team": "team-ana", "state": "disqualified", "excluded_as": null, "policy_id": 2,
        "disqualifications": [
            {"kind": "revert", "rule": "number", "by_number": 2, "by_sha": reverted, "at": "2026-10-07T12:00:00Z"},
        ],
        "suspicions": [], "disputes": [],
        "reverts": [{
            "by_number": 2, "by_sha": reverted, "rule": "number", "at": "2026-10-07T12:00:00Z", "kind": "revert",
            "partial": false, "in_window": true,
        }],
    });
    assert_eq!(changes[1], expected);
    assert_eq!([&changes[2]["state"], &changes[2]["excluded_as"]], ["excluded", "revert"]);
    let csv = cpvo(&["changes", "--format", "csv"]);
    let line =
        "github.com/acme/pay,#1,2026-10-05T12:00:00Z,team-ana,disqualified,revert by #2 (number),Add x\n";
    assert!(csv.contains(line), "{csv}");
    let then = cpvo(&["judge", "--at", "2026-10-06T00:00:00Z"]);
    assert_eq!(then, "github.com/acme/pay: 0 verified, 0 disqualified, 1 pending, 0 excluded\n");
    let warned = crate::cpvo(folder.path(), &["judge", "--at", "2026-10-06T00:00:00Z"]).stderr;
    let expected = "outcomes are told as of 2026-10-06T00:00:00Z until the next judging\n";
    assert_eq!(String::from_utf8(warned).unwrap(), expected);
}

#[test]
fn what_is_not_released_yet_is_told_so() {
    let (folder, repository) = clone();
    let cpvo = |args: &[&str]| succeeds(folder.path(), args);
    let teams = "[[team]]\nid = \"pay\"\nship = \"release\"\nrepositories = [\"github.com/acme/pay\"]\n";
    fs::write(folder.path().join("teams.toml"), teams).unwrap();
    repository.commit_at("2026-10-05T12:00:00Z", "Add x (#1)");
    let told = || {
        cpvo(&["sync"]);
        cpvo(&["judge"]);
        let csv = cpvo(&["changes", "--format", "csv"]);
        let line = csv.lines().find(|line| line.contains("#1")).unwrap().to_owned();
        let story = cpvo(&["change", "github.com/acme/pay#1"]);
        let of = |field| story.lines().find(|line| line.starts_with(field)).unwrap().to_owned();
        (line, of("shipped"), of("state"))
    };
    let (line, shipped, state) = told();
    assert_eq!(line, "github.com/acme/pay,#1,2026-10-05T12:00:00Z,pay,pending,not shipped yet,Add x");
    assert_eq!(shipped, "shipped   not yet");
    assert!(state.starts_with("state     pending: it has not shipped; policy "), "{state}");

    repository.git_at("2026-10-06T12:00:00Z", &["tag", "-a", "-m", "v1.0", "v1.0"]);
    let (line, shipped, _) = told();
    assert!(!line.contains("not shipped yet"), "{line}");
    assert_eq!(shipped, "shipped   2026-10-06T12:00:00Z");
}

#[test]
fn many_tags_beside_the_branch_ask_no_more_of_git_than_one() {
    let (folder, repository) = clone();
    let tag = |version: u8| {
        repository.git(&["switch", "--quiet", "--detach", "main"]);
        repository.commit(&format!("Prepare {version}"));
        repository.git(&["tag", &format!("v{version}.0")]);
        repository.git(&["switch", "--quiet", "main"]);
    };
    let gits = || {
        repository.commit("Go on");
        let told = folder.path().join("told");
        fs::remove_file(&told).ok();
        let output = command(folder.path(), &["sync"]).env("GIT_TRACE2", &told).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        fs::read_to_string(&told).unwrap().lines().filter(|line| line.contains(" start ")).count()
    };
    repository.commit("Begin");
    succeeds(folder.path(), &["sync"]);
    tag(1);
    let one = gits();
    assert!(one > 0);
    (2..10).for_each(tag);
    assert_eq!(gits(), one);
}

/// A change, its hotfix of the next day, and one that says it fixes something in the same file.
fn mended(repository: &Repository) {
    let write = |text: &str| fs::write(repository.path.join("x.rs"), text).unwrap();
    for (day, text, message) in [
        (5, "1", "Add x (#1)"),
        (6, "2", "Hotfix: the sum of x (#2)"),
        (10, "3", "Add more of x (#3)"),
        (11, "4", "Fix x (#4)"),
    ] {
        write(text);
        repository.commit_at(&format!("2026-10-{day:02}T12:00:00Z"), message);
    }
}

/// State, disqualifications, suspicions and disputes of change `number`, each by its rule or reason.
fn told(folder: &TempDir, number: u64) -> [String; 4] {
    let json = succeeds(folder.path(), &["changes", "--format", "json"]);
    let changes: Vec<Value> = serde_json::from_str(&json).unwrap();
    let change = changes.iter().find(|change| change["number"] == number).unwrap();
    let rules = |list: &str, field: &str| {
        let all = change[list].as_array().unwrap().iter().map(|one| one[field].as_str().unwrap());
        all.collect::<Vec<_>>().join(" ")
    };
    let state = change["excluded_as"].as_str().or(change["state"].as_str()).unwrap().to_owned();
    [state, rules("disqualifications", "rule"), rules("suspicions", "rule"), rules("disputes", "reason")]
}

#[test]
fn a_hotfix_disqualifies_until_it_is_disputed() {
    let (folder, repository) = clone();
    mended(&repository);
    let cpvo = |args: &[&str]| succeeds(folder.path(), args);
    cpvo(&["sync"]);
    assert_eq!(
        cpvo(&["judge"]),
        "github.com/acme/pay: 2 verified, 1 disqualified, 1 pending, 1 excluded (verified: targeted 2 of 3, literal 1 of 3)\n"
    );
    let both = "SELECT SUM(targeted_verified) AS targeted, SUM(literal_verified) AS literal,
        SUM(targeted_attempted) AS attempted FROM team_week_strictness";
    assert_eq!(cpvo(&["sql", both, "--format", "csv"]), "targeted,literal,attempted\n2,1,3\n");
    assert_eq!(told(&folder, 1), ["disqualified", "title", "", ""]);
    assert_eq!(told(&folder, 2), ["hotfix", "", "", ""]);
    assert_eq!(told(&folder, 3), ["verified", "", "files", ""]);

    let dispute = ["dispute", "github.com/acme/pay#1", "--reason", "it was about y"];
    let disputed = command(folder.path(), &dispute).env("USER", "ben").output().unwrap();
    assert!(disputed.stdout.starts_with(b"disputed 1 of github.com/acme/pay#1;"), "{disputed:?}");
    cpvo(&["judge"]);
    let change = cpvo(&["change", "#1"]);
    let line = change.lines().find(|line| line.starts_with("disputed  20")).unwrap();
    let by = repository.git(&["rev-parse", ":/Hotfix"]);
    let said = format!("Z by ben, hotfix by {} (title): it was about y", &by[..10]);
    assert!(line.ends_with(&said), "{line}");
    let json: Value = serde_json::from_str(&cpvo(&["change", "#1", "--json"])).unwrap();
    assert_eq!([&json["disputes"][0]["by"], &json["disputes"][0]["evidence"]], [&json!("ben"), &json!(by)]);
    assert_eq!(told(&folder, 1), ["verified", "", "", "it was about y"]);
    assert_eq!(told(&folder, 2), ["verified", "", "", ""], "it mended nothing");
    assert!(fails(folder.path(), &dispute).contains("nothing disqualifies github.com/acme/pay#1"));
    let audit =
        cpvo(&["sql", "SELECT actor, detail FROM audit WHERE action = 'disputed'", "--format", "csv"]);
    assert_eq!(audit, "actor,detail\nben,it was about y\n");
}

#[test]
fn a_policy_changes_by_a_command_with_a_reason() {
    let (folder, repository) = clone();
    mended(&repository);
    let cpvo = |args: &[&str]| succeeds(folder.path(), args);
    cpvo(&["sync"]);
    cpvo(&["judge"]);
    let set = ["window", "set", "team-ana", "7", "--strictness", "literal", "--reason", "as the board asked"];
    let said = cpvo(&set);
    let expected = "team-ana: policy 3, 7 days, hotfixes within 72 hours, literal; it was 14 days, hotfixes within 72 hours, targeted\n";
    assert!(said.starts_with(expected), "{said}");
    assert!(fails(folder.path(), &set).contains("judged by that already"));
    assert!(fails(folder.path(), &["window", "set", "team-ana", "7"]).contains("--reason"));
    let unknown = fails(folder.path(), &["window", "set", "nobody", "7", "--reason", "x"]);
    assert!(unknown.contains("there is no team \"nobody\""), "{unknown}");

    let judged = super::cpvo(folder.path(), &["judge"]);
    let complaint = String::from_utf8(judged.stderr).unwrap();
    assert!(complaint.contains("another policy of team-ana (14 days"), "the file still says 14: {complaint}");
    assert_eq!(told(&folder, 3), ["disqualified", "files", "", ""]);
    let both = "SELECT policy_id, verified, disqualified FROM team_week_policy
        WHERE team = 'team-ana' AND verified + disqualified > 0 ORDER BY week, policy_id";
    assert_eq!(cpvo(&["sql", both, "--format", "csv"]), "policy_id,verified,disqualified\n2,2,1\n3,1,2\n");
    let teams = fs::read_to_string(folder.path().join("teams.toml")).unwrap();
    fs::write(folder.path().join("teams.toml"), teams.replace("window_days = 14", "window_days = 7"))
        .unwrap();
    assert!(super::cpvo(folder.path(), &["judge"]).stderr.is_empty(), "now both say the same");
}

#[test]
fn a_window_is_suggested_from_the_teams_own_reverts() {
    let (folder, repository) = clone();
    let cpvo = |args: &[&str]| succeeds(folder.path(), args);
    for change in 1..=10 {
        repository.commit_at("2026-09-01T12:00:00Z", &format!("Add {change} (#{change})"));
    }
    for change in 1..=10 {
        let day = if change == 10 { 12 } else { 2 };
        let message = format!("Revert \"Add {change} (#{change})\" (#{})", 20 + change);
        repository.commit_at(&format!("2026-09-{day:02}T12:00:00Z"), &message);
    }
    cpvo(&["sync"]);
    cpvo(&["judge", "--at", "2026-09-01T12:00:00Z"]);
    assert!(cpvo(&["window", "suggest", "team-ana"]).contains("no change of theirs was ever taken back"));
    cpvo(&["judge"]);
    insta::assert_snapshot!(cpvo(&["window", "suggest", "team-ana"]), @r"
    team-ana: 10 changes were taken back, whatever the window
      within  7 days    9 of 10 (90 %)
      within 14 days   10 of 10 (100 %)
      within 21 days   10 of 10 (100 %)
      50 % had come after 24 hours
      75 % had come after 24 hours
      90 % had come after 24 hours
    7 days is the shortest usual window that sees nine of ten, or the longest; it is 14 now: cpvo window set team-ana 7 --reason …
    ");
}

#[test]
fn a_long_title_keeps_its_row_short() {
    let (folder, repository) = clone();
    let title = "Add all that was ever asked for and a little more, so that ".repeat(4);
    repository.commit_at("2026-10-05T12:00:00Z", &format!("{title} (#1)"));
    succeeds(folder.path(), &["sync"]);
    let table = succeeds(folder.path(), &["changes"]);
    assert!(table.contains("  Add all that was ever asked for and a little more, so that …\n"), "{table}");
    assert!(succeeds(folder.path(), &["changes", "--format", "csv"]).contains(title.trim_end()));
}

#[test]
fn a_source_that_fails_keeps_no_other_from_being_read() {
    let (folder, repository) = clone();
    let settings = fs::read_to_string(folder.path().join("cpvo.toml")).unwrap();
    let without = settings.split("\n[[source]]\nkind = \"clone\"\n").next().unwrap();
    let sources = |names: &[&str]| {
        let source = |name: &&str| {
            format!("\n[[source]]\nkind = \"clone\"\nrepo = \"github.com/acme/{name}\"\npath = \"{name}\"\n")
        };
        let all: String = names.iter().map(source).collect();
        fs::write(folder.path().join("cpvo.toml"), without.to_owned() + &all).unwrap();
    };
    sources(&["gone", "pay"]);
    let synced = cpvo(folder.path(), &["sync"]);
    let [told, complaint] = [synced.stdout, synced.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    assert_eq!(synced.status.code(), Some(1));
    assert_eq!(told, "github.com/acme/pay: 1 commits landed since the last time, 1 changes in all\n");
    let complaints: Vec<&str> = complaint.lines().collect();
    assert!(complaints[0].contains("the clone of github.com/acme/gone in gone: there is no such folder"));
    assert_eq!(complaints[1..], ["cpvo: 1 of 2 sources could not be read"]);

    let commit = repository.git(&["cat-file", "commit", "HEAD"]);
    let (before, committer) = commit.split_at(commit.find("committer ").unwrap());
    let never = "committer Ana <ana@acme.example> 99999999999999 +0000";
    fs::write(
        folder.path().join("pay/commit"),
        format!("{before}{never}\n{}\n", committer.split_once('\n').unwrap().1),
    )
    .unwrap();
    let sha = repository.git(&["hash-object", "-t", "commit", "-w", "--literally", "commit"]);
    repository.git(&["update-ref", "refs/heads/main", &sha]);
    let complaint = fails(folder.path(), &["sync", "github.com/acme/pay"]);
    assert!(complaint.starts_with("cpvo: the clone of github.com/acme/pay in pay: "), "{complaint}");
    assert!(complaint.contains("has the impossible time"), "{complaint}");

    let _ =
        Repository::create(&folder.path().join("gone"), folder.path(), "https://github.com/acme/gone.git");
    sources(&["gone"]);
    let synced = succeeds(folder.path(), &["sync"]);
    assert!(
        synced.ends_with(
            "github.com/acme/pay: no longer in cpvo.toml; its changes stay as they were last read\n"
        ),
        "{synced}"
    );
}

#[test]
fn what_cannot_be_read_is_named() {
    let (folder, _) = clone();
    let error = fails(folder.path(), &["sync", "github.com/acme/web"]);
    assert!(error.contains("no source \"github.com/acme/web\"; there are: github.com/acme/pay"), "{error}");
    succeeds(folder.path(), &["sync"]);
    let error = fails(folder.path(), &["changes", "--repo", "github.com/acme/web"]);
    assert!(error.contains("those of: github.com/acme/pay"), "{error}");
    fs::remove_dir_all(folder.path().join("pay")).unwrap();
    let error = fails(folder.path(), &["sync"]);
    assert!(error.contains("the clone of github.com/acme/pay in pay: there is no such folder"), "{error}");
    fs::write(folder.path().join("teams.toml"), "[[team]]\n").unwrap();
    let error = fails(folder.path(), &["judge"]);
    assert!(error.contains("teams.toml") && error.contains("a team needs an id"), "{error}");
    let bare = tempfile::tempdir().unwrap();
    succeeds(bare.path(), &["init"]);
    assert!(fails(bare.path(), &["sync"]).contains("names no [[source]]"));
}
