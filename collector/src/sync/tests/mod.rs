//! Real repositories read and judged: what landed, what took it back, what a clone may lack.

mod clones;
mod fetches;
mod inverse;
mod owners;
mod releases;
mod surviving;

use super::*;
use crate::judge::tests::judge_repo_at;
use crate::store::change::{source_read, source_reread};
use crate::store::fixture::{now, on_both, rows, teams};
use ::tests::git::Repository;
use ::tests::wait::moment;
use std::fs;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;

const TEAMS: &str = r#"
[[team]]
id = "payments"
window_days = 7
repositories = ["github.com/acme/pay"]
[[team]]
id = "search"
members = [{ email = "ana@acme.example" }]
"#;

/// Reads a clone; git may take all the time it wants.
pub(crate) fn sync(db: &mut Db, source: &LocalClone, at: Timestamp) -> Result<u64> {
    sync_clone(db, source, Pace { now, answer_max: REQUEST_MAX, until: None, wait: &PAUSED }, at)
}

const PAUSED: fn(Duration) -> Result<()> = |time| {
    moment(time);
    Ok(())
};

/// A repository whose first commit is of 1 October 2026, and the source that reads it.
fn repository() -> (TempDir, Repository, LocalClone) {
    let folder = tempfile::tempdir().unwrap();
    let settings = "[user]\n\tname = Ana\n\temail = ana@acme.example\n";
    fs::write(folder.path().join(".gitconfig"), settings).unwrap();
    let path = folder.path().join("pay");
    let repository = Repository::create(&path, folder.path(), "https://github.com/acme/pay.git");
    repository.git(&["remote", "remove", "origin"]); // it is where others fetch from
    repository.git_at(&day(1), &["commit", "--quiet", "--amend", "--no-edit", "--date", &day(1)]);
    let repo = "github.com/acme/pay".parse().unwrap();
    (folder, repository, LocalClone { repo, path, branch: None, fetch: false, surviving_lines: false })
}

fn day(day: u8) -> String {
    format!("2026-10-{day:02}T12:00:00Z")
}

fn write(repository: &Repository, file: &str, text: &str) {
    fs::write(repository.path.join(file), text).unwrap();
}

/// Squashed, merged and direct changes, each as a host lands it, and what took them back.
fn history(repository: &Repository) {
    write(repository, "x.rs", "x");
    repository.commit_at(&day(2), "Add x (#1)");
    repository.git(&["switch", "--quiet", "-c", "feature/y"]);
    write(repository, "y.rs", "y");
    repository.commit_at(&day(2), "Add y");
    write(repository, "z.rs", "z");
    repository.commit_at(&day(3), "Add z");
    repository.git(&["switch", "--quiet", "main"]);
    let message = "Merge pull request #2 from acme/feature/y\n\nAdd y and z";
    repository.git_at(&day(3), &["merge", "--quiet", "--no-ff", "-m", message, "feature/y"]);
    repository.commit_at(&day(4), "Fix a typo");
    fs::remove_file(repository.path.join("x.rs")).unwrap();
    repository.commit_at(&day(5), "Revert \"Add x (#1)\" (#3)");
    write(repository, "x.rs", "x");
    repository.commit_at(&day(6), "Reland \"Add x (#1)\" (#4)");
    repository.git(&["config", "user.email", "49699333+dependabot[bot]@users.noreply.github.com"]);
    repository.commit_at(&day(7), "Bump y (#5)\n\nReverts #4");
    repository.git(&["config", "--unset", "user.email"]);
    let merge = repository.git(&["rev-parse", ":/Merge pull"]);
    repository.git_at(&day(20), &["revert", "--no-edit", "-m", "1", &merge]);
}

const STATES: &str =
    "SELECT COALESCE(number, 0), title, team, state, excluded_as FROM change ORDER BY landed";
const REVERTS: &str = "SELECT c.number, r.kind, r.rule, r.partial, r.in_window FROM revert AS r
    JOIN change AS c ON c.repo = r.repo AND c.sha = r.sha ORDER BY c.landed, r.reverted_at";

fn judge_at(db: &mut Db, source: &LocalClone, at: &str) {
    judge_repo_at(db, &source.repo, at.parse().unwrap());
}

#[test]
fn a_host_is_asked_before_the_clone_of_its_repository() {
    let source = |kind: &str| format!("[[source]]\nkind = '{kind}'\nrepo = 'github.com/acme/pay'\n");
    let text = source("clone") + "path = 'pay'\n" + &source("github") + "token_env = 'PAY_TOKEN'\n";
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("cpvo.toml"), text).unwrap();
    let options = Options { config: Some(folder.path().join("cpvo.toml")), db: None };
    let sources = options.load().unwrap().sources;
    assert_eq!(in_order(&sources).map(Source::kind).collect::<Vec<_>>(), ["github", "clone"]);
}

#[test]
fn what_landed_is_told_apart_and_judged() {
    let (_folder, repository, source) = repository();
    history(&repository);
    on_both(|db| {
        teams(db, TEAMS, now());
        assert_eq!(sync(db, &source, now()).unwrap(), 8);
        judge_at(db, &source, "2026-11-25T12:00:00Z");
        let title = "Revert \"Merge pull request #2 from acme/feature/y\"";
        assert_eq!(
            rows(db, STATES),
            [
                "0|first|payments|verified|",
                "1|Add x|payments|disqualified|",
                "2|Add y and z|payments|verified|",
                "0|Fix a typo|payments|verified|",
                "3|Revert \"Add x (#1)\"|payments|excluded|revert",
                "4|Reland \"Add x (#1)\"|payments|verified|",
                "5|Bump y|payments|excluded|dependencies",
                &format!("0|{title}|payments|excluded|revert"),
            ]
        );
        let reverts = ["1|revert|number|0|1", "1|reland|number|0|1", "2|revert|commit|0|0"];
        assert_eq!(rows(db, REVERTS), reverts);
        assert_eq!(
            rows(db, "SELECT kind, rule, happened_at FROM disqualification"),
            ["revert|number|2026-10-05T12:00:00Z"]
        );
        assert_eq!(rows(db, "SELECT COUNT(*) FROM change_commit"), ["10"]);
        let files = "SELECT path FROM change_file AS f JOIN change AS c ON c.sha = f.change_sha
            WHERE c.number = 2 ORDER BY path";
        assert_eq!(rows(db, files), ["y.rs", "z.rs"]);
    });
}

#[test]
fn what_a_wrong_clock_dated_landed_when_it_was_read() {
    let (_folder, repository, source) = repository();
    repository.commit_at("2099-01-01T12:00:00Z", "Add x (#1)");
    repository.commit_at(&day(2), "Add y (#2)");
    on_both(|db| {
        teams(db, TEAMS, now());
        sync(db, &source, now()).unwrap();
        judge_at(db, &source, &now().to_string());
        let states = "SELECT number, merged_at, state FROM change WHERE number IN (1, 2) ORDER BY number";
        assert_eq!(rows(db, states), [format!("1|{}|pending", now()), format!("2|{}|verified", day(2))]);
    });
}

#[test]
fn the_instant_decides() {
    let (_folder, repository, source) = repository();
    history(&repository);
    let state = "SELECT COALESCE(state, 'none') FROM change WHERE number IN (1, 2) ORDER BY number";
    on_both(|db| {
        teams(db, TEAMS, now());
        sync(db, &source, now()).unwrap();
        for (at, states) in [
            ("2026-10-02T12:00:00Z", ["pending", "none"]),
            ("2026-10-05T11:59:59Z", ["pending", "pending"]),
            ("2026-10-05T12:00:00Z", ["disqualified", "pending"]),
            ("2026-10-10T11:59:59Z", ["disqualified", "pending"]),
            ("2026-10-10T12:00:00Z", ["disqualified", "verified"]),
            ("2026-10-02T12:00:00Z", ["pending", "none"]),
        ] {
            judge_at(db, &source, at);
            assert_eq!(rows(db, state), states, "{at}");
        }
    });
}

#[test]
fn to_do_it_again_changes_nothing_and_step_by_step_is_the_same() {
    let (_folder, repository, source) = repository();
    let all = |db: &mut Db| {
        let tables = [
            "change",
            "change_commit",
            "change_file",
            "inverse_patch",
            "revert",
            "disqualification",
            "source",
        ];
        tables.map(|table| {
            let mut rows = rows(db, &format!("SELECT * FROM {table}"));
            rows.sort();
            rows
        })
    };
    let at = "2026-11-25T12:00:00Z";
    let other = tempfile::tempdir().unwrap();
    let early = other.path().join("early");
    repository.git(&["clone", "--quiet", ".", &early.display().to_string()]);
    history(&repository);
    on_both(|db| {
        let mut stepwise = LocalClone { path: early.clone(), ..source.clone() };
        let first = sync(db, &stepwise, now()).unwrap();
        stepwise.path.clone_from(&source.path);
        assert_eq!((first, sync(db, &stepwise, now()).unwrap()), (1, 7));
        judge_at(db, &source, at);
        let stepped = all(db);
        assert_eq!(sync(db, &source, now()).unwrap(), 0);
        judge_at(db, &source, at);
        assert_eq!(all(db), stepped);
        db.transaction(|db| change_forget(db, &source.repo)).unwrap();
        assert_eq!(sync(db, &source, now()).unwrap(), 8);
        judge_at(db, &source, at);
        assert_eq!(all(db), stepped);
    });
}

#[test]
fn a_branch_that_was_rewritten_is_read_anew() {
    let (_folder, repository, source) = repository();
    let first = repository.git(&["rev-parse", "HEAD"]);
    on_both(|db| {
        for title in ["Add x", "Add y"] {
            repository.git(&["reset", "--quiet", "--hard", &first]);
            repository.commit_at(&day(2), title);
            assert_eq!(sync(db, &source, now()).unwrap(), 2);
            assert_eq!(rows(db, "SELECT title FROM change ORDER BY landed"), ["first", title]);
        }
    });
}

#[test]
fn a_request_that_lands_twice_is_one_change() {
    let (_folder, repository, source) = repository();
    repository.commit_at(&day(2), "Add x, first part (#1)");
    let second = repository.commit_at(&day(2), "Add x, second part (#1)");
    repository.commit_at(&day(3), &format!("Undo (#2)\n\nThis reverts commit {}.", &second[..7]));
    on_both(|db| {
        teams(db, TEAMS, now());
        sync(db, &source, now()).unwrap();
        judge_at(db, &source, "2026-11-25T12:00:00Z");
        let states = [
            "0|first|payments|verified|",
            "1|Add x, first part|payments|disqualified|",
            "2|Undo|payments|excluded|revert",
        ];
        assert_eq!(rows(db, STATES), states);
    });
}

#[test]
fn a_revert_that_keeps_the_number_of_its_target_is_a_change_of_its_own() {
    let (_folder, repository, source) = repository();
    write(&repository, "x.rs", "x");
    repository.commit_at(&day(2), "feat: x (#1)");
    fs::remove_file(repository.path.join("x.rs")).unwrap();
    repository.commit_at(&day(3), "Revert feat: x (#1)");
    repository.commit_at(&day(4), "Revert something else (#2)");
    on_both(|db| {
        teams(db, TEAMS, now());
        sync(db, &source, now()).unwrap();
        judge_at(db, &source, "2026-11-25T12:00:00Z");
        let states = [
            "0|first|payments|verified|",
            "1|feat: x|payments|disqualified|",
            "0|Revert feat: x|payments|excluded|revert",
            "2|Revert something else|payments|verified|",
        ];
        assert_eq!(rows(db, STATES), states);
        assert_eq!(rows(db, REVERTS), ["1|revert|number|0|1"]);
    });
}

#[test]
fn a_tag_marks_a_hotfix_and_a_revert() {
    let (_folder, repository, source) = repository();
    for (on, text, message) in
        [(2, "1", "Add x (#1)"), (3, "2", "Mend the sum (#2)"), (9, "3", "Back to before (#3)")]
    {
        write(&repository, "x.rs", text);
        repository.commit_at(&day(on), message);
    }
    on_both(|db| {
        teams(db, TEAMS, now());
        repository.git(&["tag", "-f", "v1.0", "HEAD"]);
        sync(db, &source, now()).unwrap();
        judge_at(db, &source, "2026-11-25T12:00:00Z");
        let verified = |number: u8, title: &str| format!("{number}|{title}|payments|verified|");
        let untagged = [
            verified(0, "first"),
            verified(1, "Add x"),
            verified(2, "Mend the sum"),
            verified(3, "Back to before"),
        ];
        assert_eq!(rows(db, STATES), untagged);
        repository.git(&["tag", "-m", "to production", "v1.0.1-hotfix", "HEAD~1"]);
        repository.git(&["tag", "revert-2-sum", "HEAD"]);
        assert_eq!(sync(db, &source, now()).unwrap(), 0);
        judge_at(db, &source, "2026-11-25T12:00:00Z");
        let tagged = [
            verified(0, "first"),
            "1|Add x|payments|disqualified|".to_owned(),
            "2|Mend the sum|payments|excluded|hotfix".to_owned(),
            "3|Back to before|payments|excluded|revert".to_owned(),
        ];
        assert_eq!(rows(db, STATES), tagged);
        assert_eq!(rows(db, "SELECT kind, rule FROM disqualification"), ["hotfix|tag"]);
        assert_eq!(rows(db, REVERTS), ["2|revert|tag|0|1"]);
        repository.git(&["tag", "-d", "v1.0.1-hotfix", "revert-2-sum"]);
    });
}

#[test]
fn a_message_is_read_in_its_own_encoding() {
    let (folder, repository, source) = repository();
    let message = folder.path().join("message");
    fs::write(&message, b"Gr\xf6\xdfe (#1)").unwrap();
    repository.git(&["config", "i18n.commitEncoding", "ISO-8859-1"]);
    repository.git(&["config", "i18n.logOutputEncoding", "ISO-8859-1"]);
    let args = ["commit", "--quiet", "--allow-empty", "--file", &message.display().to_string()];
    repository.git_at(&day(2), &args);
    on_both(|db| {
        sync(db, &source, now()).unwrap();
        assert_eq!(rows(db, "SELECT title FROM change WHERE number = 1"), ["Größe"]);
    });
}

#[test]
fn what_is_no_attempt_is_never_disqualified() {
    let (_folder, repository, source) = repository();
    repository.git(&["config", "user.email", "49699333+dependabot[bot]@users.noreply.github.com"]);
    repository.commit_at(&day(2), "Bump y (#1)");
    repository.git(&["config", "--unset", "user.email"]);
    repository.commit_at(&day(3), "Revert \"Bump y (#1)\" (#2)");
    on_both(|db| {
        sync(db, &source, now()).unwrap();
        judge_at(db, &source, "2026-11-25T12:00:00Z");
        assert_eq!(rows(db, REVERTS), ["1|revert|number|0|1"]);
        assert!(rows(db, "SELECT * FROM disqualification").is_empty());
    });
}

#[test]
fn a_change_is_its_repositorys_else_its_authors() {
    let (_folder, repository, source) = repository();
    repository.git(&["config", "user.email", "stranger@acme.example"]);
    repository.commit_at(&day(2), "Add x (#1)");
    let both = "[[team]]\nid = \"other\"\nrepositories = [\"github.com/acme/pay\"]\n";
    let policies = "SELECT p.team, p.window_days FROM change AS c
        JOIN policy AS p ON p.policy_id = c.policy_id ORDER BY landed";
    on_both(|db| {
        sync(db, &source, now()).unwrap();
        for (text, expected) in [
            (String::new(), ["unassigned|14", "unassigned|14"]),
            (TEAMS.to_owned(), ["payments|7", "payments|7"]),
            (TEAMS.replace("window_days = 7", "window_days = 30"), ["payments|7", "payments|7"]),
            (TEAMS.to_owned() + both, ["search|14", "unassigned|14"]),
        ] {
            teams(db, &text, now());
            judge_at(db, &source, "2026-11-24T12:00:00Z");
            assert_eq!(rows(db, policies), expected, "{text}");
        }
    });
}
