//! GitLab read page by page, with a stand-in for it: what is stored, and what each way to land becomes.

mod asked;
mod faults;

use super::*;
use crate::change::story;
use crate::import::fixture::{self, day, sha, stored, unhurried};
use crate::import::{Imported, import};
use crate::source::Source;
use crate::source::clone::LocalClone;
use crate::store::db::Db;
use crate::store::fixture::{cluster, now, on_both, rows};
use crate::sync::tests::sync;
use ::tests::git::Repository;
use ::tests::host;
use ::tests::host::gitlab::{FORK, GONE, GitLab as StandIn, commit, issue, note, request};
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;

const TOKEN: &str = "glpat-hunter2";

fn service(host: &StandIn, more: &str) -> Service {
    let text = format!(
        "kind = 'gitlab'\nrepo = 'gitlab.com/acme/pay'\nurl = '{}'\nsince = '2026-09-01'\n{more}",
        host.url()
    );
    let mut source: Source = toml::from_str(&text).unwrap();
    source.settle(Path::new(""), &|name| (name == "GITLAB_TOKEN").then(|| TOKEN.to_owned())).unwrap();
    let Source::Gitlab(service) = source else { panic!("{source:?}") };
    service
}

fn sync_with(db: &mut Db, service: &Service, has_clone: bool) -> Result<(Imported, Vec<u64>)> {
    unhurried(|pace| import::<GitLab>(db, service, has_clone, pace))
}

#[track_caller]
fn syncs(db: &mut Db, service: &Service) -> Imported {
    sync_with(db, service, false).unwrap().0
}

/// A request that a merge commit landed, with what it held.
fn merge(host: &StandIn, iid: u64, title: &str, at: &str) {
    let mut request = request(iid, title, at, Some((at, &sha(iid))));
    request["commits"] = json!([commit(&sha(1000 + iid), at, "wip")]);
    request["diffs"] = json!([{"old_path": "old.rs", "new_path": format!("src/{iid}.rs"), "diff": ""}]);
    let message =
        format!("Merge branch 'feature/{iid}' into 'main'\n\n{title}\n\nSee merge request acme/pay!{iid}");
    let mut state = host.state();
    state.touch(request);
    state.commits.push(commit(&sha(iid), at, &message));
}

/// So many requests, landed one after the other in October.
fn merges(count: u64) -> StandIn {
    let host = StandIn::start("acme/pay");
    for iid in 1..=count {
        let at = format!("2026-10-{:02}T{:02}:00:00Z", 1 + iid / 20, iid % 20);
        merge(&host, iid, &format!("Add {iid}"), &at);
    }
    host
}

const CHANGES: &str =
    "SELECT COALESCE(number, 0), title, head_branch, author FROM change ORDER BY landed, number";

#[test]
fn a_project_is_read_page_by_page_and_then_only_what_is_new() {
    let host = merges(70);
    let service = service(&host, "");
    on_both(|db| {
        let before = host.pages().len();
        // the last request of a page is the first of the next
        let expected = Imported { requests: 72, landed: 70, tickets: 0, changes: 70 };
        assert_eq!(syncs(db, &service), expected);
        let lists = ["merge_requests 32 1", "merge_requests 32 1", "merge_requests 32 1", "commits 100 1"];
        assert_eq!(host.pages()[before..], lists);
        assert_eq!(rows(db, CHANGES)[0], "1|Add 1|feature/1|ana@acme.example");
        let first = story(db, "gitlab.com/acme/pay".to_owned(), sha(1)).unwrap();
        assert_eq!(first.name(), "gitlab.com/acme/pay!1");
        assert_eq!(rows(db, "SELECT COUNT(*) FROM change_commit"), ["140"]);
        assert_eq!(rows(db, "SELECT path FROM change_file WHERE change_sha LIKE '%07'"), ["src/7.rs"]);
        let known = stored(db);
        let before = host.pages().len();
        assert_eq!(syncs(db, &service).requests, 1, "the newest one lies within the overlap");
        assert_eq!(host.pages()[before..], ["merge_requests 32 1", "commits 100 1"]);
        assert_eq!(stored(db), known);
    });
    assert!(host.host().asked().iter().all(|asked| asked.authorization == format!("Bearer {TOKEN}")));
}

#[test]
fn a_request_that_was_touched_while_its_page_was_on_the_way_is_seen() {
    let host = StandIn::start("acme/pay");
    host.state().touch(request(2, "Add y", "2026-10-02T12:00:00Z", None));
    let service = service(&host, "");
    on_both(|db| {
        syncs(db, &service);
        let known = host.state().requests.clone();
        for (iid, at) in [(3, "2026-10-02T11:49:59Z"), (4, "2026-10-02T11:50:00Z")] {
            host.state().touch(request(iid, "Add z", at, None));
        }
        syncs(db, &service);
        assert_eq!(rows(db, "SELECT number FROM pull_request ORDER BY number"), ["2", "4"]);
        host.state().requests = known;
    });
}

#[test]
fn requests_that_were_touched_at_one_instant_are_all_read() {
    let host = merges(0);
    for iid in 1..=100 {
        host.state().touch(request(iid, "Add x", &day(1), None));
    }
    let service = service(&host, "");
    let fault = Some(host::Reply::Status(502, vec![], String::new()));
    on_both(|db| {
        // the project, then the first page twice, with four questions for each request: the second page is too much
        host.host().fail(vec![None; 1 + 2 * (1 + 4 * 32)].into_iter().chain([fault.clone()]));
        syncs(db, &service);
        assert_eq!(rows(db, "SELECT COUNT(*) FROM pull_request"), ["100"]);
        assert!(host.pages().contains(&"merge_requests 16 2".to_owned()), "{:?}", host.pages());
    });
}

#[test]
fn each_way_to_land_is_one_change() {
    let host = StandIn::start("acme/pay");
    merge(&host, 1, "Add x", &day(1));
    let mut squashed = request(2, "Add y", &day(2), Some((&day(2), &sha(2))));
    (squashed["squash_commit_sha"], squashed["merge_commit_sha"]) = (json!(sha(2)), Value::Null);
    let mut forwarded = request(3, "Add z", &day(3), Some((&day(3), "")));
    (forwarded["merge_commit_sha"], forwarded["sha"]) = (Value::Null, json!(sha(4)));
    forwarded["commits"] =
        json!([commit(&sha(4), &day(3), "Add z, second"), commit(&sha(3), &day(3), "Add z, first")]);
    let mut elsewhere = request(4, "Into a branch", &day(4), Some((&day(4), "")));
    (elsewhere["merge_commit_sha"], elsewhere["target_branch"]) = (Value::Null, json!("feature/9"));
    elsewhere["commits"] = json!([commit(&sha(5), &day(4), "Fix a typo")]);
    let mut state = host.state();
    state.commits.push(commit(&sha(2), &day(2), "Add y\n\nand more"));
    state.commits.push(commit(&sha(3), &day(3), "Add z, first"));
    state.commits.push(commit(&sha(4), &day(3), "Add z, second"));
    state.commits.push(commit(&sha(5), &day(4), "Fix a typo"));
    for request in [squashed, forwarded, elsewhere] {
        state.touch(request);
    }
    drop(state);
    let service = service(&host, "");
    on_both(|db| {
        assert_eq!(syncs(db, &service).changes, 4);
        let expected = [
            "1|Add x|feature/1|ana@acme.example",
            "2|Add y|feature/2|ana@acme.example",
            "3|Add z, second|feature/3|ana@acme.example",
            "0|Fix a typo||ana@acme.example",
        ];
        assert_eq!(rows(db, CHANGES), expected);
        let commits = "SELECT sha, place FROM pull_request_commit WHERE number = 3 ORDER BY place";
        assert_eq!(rows(db, commits), [sha(3) + "|1", sha(4) + "|2"], "oldest first");
        let known = stored(db);
        syncs(db, &service);
        assert_eq!(stored(db), known);
    });
}

#[test]
fn what_a_request_says_is_kept() {
    let host = StandIn::start("acme/pay");
    merge(&host, 1, "Add x", &day(1));
    for (iid, project) in [(2, json!(FORK)), (3, json!(GONE)), (4, Value::Null)] {
        let mut open = request(iid, "Add y", &day(2), None);
        open["source_project_id"] = project;
        host.state().touch(open);
    }
    let mut closed = request(5, "Add z", &day(3), None);
    (closed["author"], closed["closed_at"]) = (Value::Null, json!(day(3)));
    (closed["labels"], closed["description"]) = (json!(["Sev-1", "hotfix"]), json!("no more"));
    host.state().touch(closed);
    let service = service(&host, "");
    let states = "SELECT number, COALESCE(author, '-'), COALESCE(head_repo, '-'), COALESCE(merged_at, '-'),
        COALESCE(closed_at, '-'), COALESCE(merge_sha, '-'), labels, body FROM pull_request ORDER BY number";
    on_both(|db| {
        syncs(db, &service);
        let merged = format!("1|gitlab:ana|gitlab.com/acme/pay|{0}|{0}|{1}||", day(1), sha(1));
        let expected = [
            merged.as_str(),
            "2|gitlab:ana|gitlab.com/ben/pay|-|-|-||",
            "3|gitlab:ana|-|-|-|-||",
            "4|gitlab:ana|-|-|-|-||",
            "5|-|gitlab.com/acme/pay|-|2026-10-03T12:00:00Z|-|hotfix\nsev-1|no more",
        ];
        assert_eq!(rows(db, states), expected);
        assert_eq!(rows(db, "SELECT opened_at FROM pull_request WHERE number = 1"), ["2026-10-01T08:00:00Z"]);
    });
}

#[test]
fn how_a_request_was_reviewed_is_told_by_its_notes() {
    let host = StandIn::start("acme/pay");
    let at = |hour: u8, minute: u8| format!("2026-10-01T{hour:02}:{minute:02}:00Z");
    merge(&host, 1, "Add x", &at(18, 0));
    host.state().requests[0]["notes"] = json!([
        note("ana", &at(9, 0), "please look at y first"),
        note("project_7_bot_4f2a", &at(9, 1), "coverage 80 %"),
        note("ben", &at(9, 2), "*added 1 commit"),
        note("ben", &at(10, 0), "why y?"),
        note("dee", &at(10, 30), "and z?"),
        note("ben", &at(10, 59), "I see"),
        note("ben", &at(11, 0), "*approved this merge request"),
        note("dee", &at(12, 0), "*requested changes"),
        note("ben", &at(18, 1), "thanks"),
    ]);
    merge(&host, 2, "Add y", &day(2));
    let chatter = (0..150).map(|number| note("ben", &at(8 + number / 10, 0), "so"));
    host.state().requests[1]["notes"] = chatter.collect();
    merge(&host, 3, "Add z", &day(3));
    let service = service(&host, "");
    let told =
        "SELECT number, COALESCE(reviewed_at, '-'), reviews, comments FROM pull_request ORDER BY number";
    on_both(|db| {
        syncs(db, &service);
        let expected = ["1|2026-10-01T10:00:00Z|4|6", "2|2026-10-01T08:00:00Z|15|150", "3|-|0|0"];
        assert_eq!(rows(db, told), expected);
    });
}

#[test]
fn an_issue_that_is_opened_again_is_found_although_its_request_rests() {
    let host = StandIn::start("acme/pay");
    let at = "2026-11-20T12:00:00Z";
    for iid in 1..=4 {
        merge(&host, iid, "Add x", at);
        host.state().requests.last_mut().unwrap()["closes_issues"] = json!([iid]);
    }
    let closed = ("closed by 1", "2026-11-20T12:00:01Z");
    // the fourth is kept by another tracker
    host.state().issues = (1..=3).map(|iid| issue(iid, &[closed])).collect();
    let service = service(&host, "");
    let events = "SELECT ticket, event, by_hand, as_done FROM ticket_event ORDER BY ticket, place";
    let known = |iid: u64, rest: &str| format!("https://gitlab.com/acme/pay/-/issues/{iid}|{rest}");
    on_both(|db| {
        assert_eq!(syncs(db, &service).tickets, 6, "with its request and once more by itself");
        assert_eq!(rows(db, events), [1, 2, 3].map(|iid| known(iid, "closed|0|1")));
        let before = host.state().issues.clone();
        let again = |iid, what| {
            issue(iid, &[closed, ("reopened", "2026-11-22T12:00:00Z"), (what, "2026-11-22T12:05:00Z")])
        };
        let mut dropped = again(2, "closed");
        dropped["_links"]["closed_as_duplicate_of"] = json!("another");
        let mut old = again(1, "closed");
        for event in old["events"].as_array_mut().unwrap() {
            event.as_object_mut().unwrap().retain(|name, _| !name.starts_with("source_"));
        }
        host.state().issues = vec![old, dropped];
        syncs(db, &service);
        let expected = [
            known(1, "closed|0|1"), // an older server does not say by whom
            known(1, "reopened|0|0"),
            known(1, "closed|0|1"),
            known(2, "closed|0|1"),
            known(2, "reopened|0|0"),
            known(2, "closed|1|0"),
            known(3, "closed|0|1"), // it is gone, and stays as it was
        ];
        assert_eq!(rows(db, events), expected);
        host.state().issues = before;
    });
}

#[test]
fn with_a_clone_a_request_is_still_one_change() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(".gitconfig"), "[user]\n\tname = Ana\n\temail = ana@acme.example\n")
        .unwrap();
    let path = folder.path().join("pay");
    let repository = Repository::create(&path, folder.path(), "https://gitlab.com/acme/pay.git");
    let parts = ["first", "second"].map(|part| repository.commit_at(&day(3), &format!("Add y, {part} part")));
    repository.commit_at(&day(4), "Fix a typo");
    let host = StandIn::start("acme/pay");
    let service = service(&host, "");
    let clone =
        LocalClone { repo: service.repo.clone(), path, branch: None, fetch: false, surviving_lines: false };
    let mut forwarded = request(2, "Add y", &day(3), Some((&day(3), "")));
    (forwarded["merge_commit_sha"], forwarded["sha"]) = (Value::Null, json!(parts[1]));
    forwarded["commits"] = parts.iter().rev().map(|part| commit(part, &day(3), "Add y")).collect();
    let numbers = "SELECT COALESCE(number, 0), title, head_branch FROM change ORDER BY landed";
    on_both(|db| {
        *host.state() =
            ::tests::host::gitlab::State { path_with_namespace: "acme/pay".into(), ..Default::default() };
        host.state().commits = vec![commit(&sha(9), &day(1), "first")];
        sync_with(db, &service, true).unwrap();
        sync(db, &clone, now()).unwrap();
        assert_eq!(rows(db, "SELECT COUNT(*) FROM change"), ["4"], "a clone alone cannot know");
        host.state().touch(forwarded.clone());
        for _ in 0..2 {
            sync_with(db, &service, true).unwrap();
            sync(db, &clone, now()).unwrap();
            assert_eq!(rows(db, numbers), ["0|first|", "2|Add y, first part|feature/2", "0|Fix a typo|"]);
        }
        assert_ne!(rows(db, "SELECT cursor FROM source"), [""], "once is enough");
        assert!(rows(db, "SELECT * FROM pull_request_file").is_empty(), "the clone knows the files");
    });
}

#[test]
fn a_commit_joins_its_request_also_where_that_is_told_later() {
    let host = StandIn::start("acme/pay");
    let parts = [sha(3), sha(4)];
    host.state().commits = vec![commit(&sha(1), &day(1), "Fix a typo")];
    let pushed = |(part, text): (&String, &str)| commit(part, &day(3), text);
    host.state().commits.extend(parts.iter().zip(["Add y, first", "Add y, second"]).map(pushed));
    let service = service(&host, "");
    let mut forwarded = request(2, "Add y", &day(5), Some((&day(3), "")));
    (forwarded["merge_commit_sha"], forwarded["sha"]) = (Value::Null, json!(parts[1]));
    forwarded["commits"] = parts.iter().rev().map(|part| commit(part, &day(3), "Add y")).collect();
    on_both(|db| {
        host.state().requests.clear();
        syncs(db, &service);
        assert_eq!(rows(db, "SELECT COUNT(*) FROM change WHERE number IS NULL"), ["3"]);
        host.state().touch(forwarded.clone());
        for _ in 0..2 {
            assert_eq!(syncs(db, &service).changes, 2);
            assert_eq!(rows(db, CHANGES)[0], "0|Fix a typo||ana@acme.example");
            assert_eq!(rows(db, "SELECT number, head_branch FROM change WHERE number > 0"), ["2|feature/2"]);
            let whole =
                "SELECT COUNT(*) FROM change_commit JOIN change AS c ON c.sha = change_sha WHERE number = 2";
            assert_eq!(rows(db, whole), ["2"]);
        }
    });
}
