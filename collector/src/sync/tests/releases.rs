//! Releases told by the tags of a clone.

use super::*;
use crate::judge::judge_all;

const TEAMS: &str = "[[team]]\nid = \"pay\"\nship = \"release\"\nrepositories = [\"github.com/acme/pay\"]\n";

#[test]
fn a_change_ships_with_the_first_release_that_contains_it() {
    let (_folder, repository, source) = repository();
    let change = |number: u8, file: &str| {
        write(&repository, file, &number.to_string());
        repository.commit_at(&day(number), &format!("Change (#{number})"));
    };
    let tag = |name: &str, number: u8, commit: &str| {
        repository.git_at(&day(number), &["tag", "-f", "-a", "-m", name, name, commit]);
    };
    change(2, "a");
    repository.git(&["switch", "--quiet", "-c", "release/1"]);
    change(3, "b");
    tag("v1.0-rc1", 3, "HEAD");
    tag("v1.0", 4, "HEAD");
    repository.git(&["switch", "--quiet", "main"]);
    change(5, "c");
    repository.git_at(&day(6), &["merge", "--quiet", "--no-ff", "-m", "Merge #6", "release/1"]);
    change(7, "d");
    tag("v1.1", 8, "HEAD");
    change(9, "e");
    on_both(|db| {
        teams(db, TEAMS, now());
        let shipped = |db: &mut Db| {
            sync(db, &source, now()).unwrap();
            judge_all(db, now(), now(), |_, _| Ok(())).unwrap();
            let sql = "SELECT number, SUBSTR(shipped_at, 1, 10) FROM change WHERE number IS NOT NULL ORDER BY number";
            rows(db, sql)
        };
        let before = ["2|2026-10-04", "5|2026-10-08", "6|2026-10-08", "7|2026-10-08", "9|9999-12-01"];
        assert_eq!(shipped(db), before);
        tag("v1.1", 10, "HEAD");
        assert_eq!(shipped(db)[1..], ["5|2026-10-10", "6|2026-10-10", "7|2026-10-10", "9|2026-10-10"]);
        repository.git(&["tag", "-d", "v1.1"]);
        assert_eq!(shipped(db)[3..], ["7|9999-12-01", "9|9999-12-01"]);
        tag("v1.1", 8, "HEAD^");
    });
}

#[test]
fn a_tag_that_the_branch_comes_up_to_is_read_anew() {
    on_both(|db| {
        let (_folder, repository, source) = repository();
        let tag = |number: u8| {
            repository.git_at(&day(number), &["tag", "-f", "-a", "-m", "v1.0", "v1.0", "develop"]);
        };
        teams(db, TEAMS, now());
        let shipped = |db: &mut Db| {
            sync(db, &source, now()).unwrap();
            judge_all(db, now(), now(), |_, _| Ok(())).unwrap();
            let sql = "SELECT number, SUBSTR(shipped_at, 1, 10) FROM change WHERE number IS NOT NULL ORDER BY number";
            rows(db, sql)
        };
        repository.git(&["switch", "--quiet", "-c", "develop"]);
        for number in [2, 3] {
            write(&repository, "a", &number.to_string());
            repository.commit_at(&day(number), &format!("Change (#{number})"));
        }
        tag(4);
        repository.git(&["switch", "--quiet", "main"]);
        assert_eq!(shipped(db), [""; 0]);
        repository.git(&["merge", "--quiet", "--ff-only", "develop"]);
        assert_eq!(shipped(db), ["2|2026-10-04", "3|2026-10-04"]);
        tag(6);
        assert_eq!(shipped(db), ["2|2026-10-06", "3|2026-10-06"], "on the same commit, and later");
    });
}

/// Tags, and the newest commit of the branch that lies in each.
const BASES: [&str; 13] = [
    "v1.1|Merge foreign",
    "v1.2|Add a",
    "v1.3|first",
    "v1.4|first",
    "v1.5|Add a",
    "v1.6|Merge foreign",
    "v1.7|first",
    "v1.8|Add b",
    "v1.9|none",
    "v1.10|none",
    "v1.11|none",
    "v1.13|Add a",
    "v1.14|Add b",
];

#[test]
fn a_tag_beside_the_branch_is_told_by_the_newest_commit_that_lies_in_it() {
    let (_folder, repository, source) = repository();
    let git = |args: &[&str]| repository.git(args);
    let commit = |title: &str| repository.commit_at(&day(2), title);
    let merge = |branch: &str| {
        let title = format!("Merge {branch}");
        git(&["merge", "--quiet", "--no-ff", "--allow-unrelated-histories", "-m", &title, branch])
    };
    let tag = |name: &str, object: &str| git(&["tag", "-a", "-m", name, name, object]);
    let root = |branch: &str| {
        git(&["switch", "--quiet", "--orphan", branch]);
        commit(branch)
    };
    git(&["switch", "--quiet", "-c", "side"]);
    commit("Side 1");
    commit("Side 2");
    git(&["switch", "--quiet", "main"]);
    commit("Add a");
    git(&["switch", "--quiet", "-c", "release"]);
    commit("Prepare");
    git(&["switch", "--quiet", "main"]);
    merge("side");
    root("other");
    root("foreign");
    git(&["switch", "--quiet", "main"]);
    merge("foreign");
    commit("Add b");
    tag("v1.1", "main^");
    tag("v1.2", "release");
    tag("v1.3", "side");
    tag("v1.4", "side^");
    git(&["switch", "--quiet", "release"]);
    merge("side"); // lies beside a branch that has both, each by another way
    tag("v1.5", "release");
    merge("main^");
    tag("v1.6", "release");
    git(&["switch", "--quiet", "side"]);
    merge("other");
    tag("v1.7", "side");
    git(&["switch", "--quiet", "-c", "ahead", "main"]);
    commit("Add c");
    git(&["tag", "v1.8", "ahead"]);
    tag("v1.9", "other");
    tag("v1.10", "foreign");
    tag("v1.11", "main^{tree}");
    git(&["tag", "v1.12", "main:README.md"]);
    git(&["switch", "--quiet", "-c", "late", ":/Add a"]);
    commit("Late");
    tag("v1.13", "late");
    tag("v1.14", "main");
    git(&["switch", "--quiet", "main"]);
    merge("late");
    on_both(|db| {
        sync(db, &source, now()).unwrap();
        let sql = "SELECT s.name, COALESCE(c.title, s.base_sha, 'none') FROM shipment AS s
            LEFT JOIN change AS c ON c.sha = s.base_sha ORDER BY LENGTH(s.name), s.name";
        assert_eq!(rows(db, sql), BASES);
    });
}
