//! GitLab read page by page, with a stand-in for it: what is stored, and what each way to land becomes.

use super::*;
use crate::import::{Imported, import};
use crate::source::Source;
use crate::source::clone::LocalClone;
use crate::store::db::Db;
use crate::store::fixture::{now, on_both, rows};
use crate::sync::sync;
use ::tests::git::Repository;
use ::tests::host;
use ::tests::host::gitlab::{FORK, GONE, GitLab as StandIn, commit, issue, request};
use serde_json::{Value, json};
use std::cell::RefCell;
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
    let waits = RefCell::new(Vec::new());
    let wait = |time: Duration| {
        waits.borrow_mut().push(time.as_secs());
        Ok(())
    };
    let pace = Pace { now, answer_max: Duration::from_secs(30), until: None, wait: &wait };
    let imported = import::<GitLab>(db, service, has_clone, pace)?;
    Ok((imported, waits.into_inner()))
}

#[track_caller]
fn syncs(db: &mut Db, service: &Service) -> Imported {
    sync_with(db, service, false).unwrap().0
}

fn sha(number: u64) -> String {
    format!("{number:040x}")
}

fn day(day: u64) -> String {
    format!("2026-10-{day:02}T12:00:00Z")
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

fn stored(db: &mut Db) -> Vec<Vec<String>> {
    let tables = [
        "change",
        "change_commit",
        "change_file",
        "pull_request",
        "pull_request_commit",
        "source",
        "service",
    ];
    let sorted = |table: &str, db: &mut Db| {
        let mut rows = rows(db, &format!("SELECT * FROM {table}"));
        rows.sort();
        rows
    };
    tables.map(|table| sorted(table, db)).into()
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
        // the project, then the first page twice, with three questions for each request: the second page is too much
        host.host().fail(vec![None; 1 + 2 * (1 + 3 * 32)].into_iter().chain([fault.clone()]));
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
    let clone = LocalClone { repo: service.repo.clone(), path, branch: None };
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
fn a_sync_that_was_cut_off_goes_on_where_it_stood() {
    let host = merges(40);
    let service = service(&host, "");
    let refused = || Some(host::Reply::Status(401, vec![], "{\"message\": \"401 Unauthorized\"}".to_owned()));
    on_both(|db| {
        // project, branch, a page of 32 with three questions each, then the next page
        host.host().fail(vec![None; 3 + 3 * 32].into_iter().chain([refused()]));
        let error = format!("{:#}", sync_with(db, &service, false).unwrap_err());
        assert!(error.contains("does not take the token: 401 Unauthorized"), "{error}");
        assert_eq!(rows(db, "SELECT COUNT(*) FROM pull_request"), ["32"]);
        assert_eq!(rows(db, "SELECT name FROM service WHERE synced_at IS NULL"), ["gitlab.com/acme/pay"]);
        assert_eq!(syncs(db, &service).requests, 9);
        let stepwise = stored(db);
        for table in ["pull_request_commit", "pull_request_file", "pull_request", "service"] {
            db.batch(&format!("DELETE FROM {table}")).unwrap();
        }
        db.transaction(|db| crate::store::change::change_forget(db, &service.repo)).unwrap();
        syncs(db, &service);
        assert_eq!(stored(db), stepwise);
    });
}

#[test]
fn less_is_asked_for_where_it_was_too_much() {
    let host = merges(40);
    let service = service(&host, "");
    let fails = |status| Some(host::Reply::Status(status, vec![], "<html>".to_owned()));
    on_both(|db| {
        let before = host.pages().len();
        host.host().fail([None, None, fails(502), fails(500)]);
        syncs(db, &service);
        let sizes = ["merge_requests 32 1", "merge_requests 16 1", "merge_requests 8 1"];
        assert_eq!(host.pages()[before..][..3], sizes);
        assert_eq!(rows(db, "SELECT COUNT(*) FROM pull_request"), ["40"]);
        host.host().fail([None, None].into_iter().chain(vec![fails(504); 9]));
        let error = format!("{:#}", sync_with(db, &service, false).unwrap_err());
        assert!(error.contains("even the smallest page is too much for it: it answers 504"), "{error}");
        host.host().fail(vec![None; 3].into_iter().chain([Some(host::Reply::Silent)]));
        let pace = Pace { now, answer_max: Duration::from_secs(2), until: None, wait: &|_| Ok(()) };
        import::<GitLab>(db, &service, false, pace).unwrap();
    });
}

#[test]
fn a_host_that_asks_for_patience_gets_it() {
    let host = merges(1);
    let service = service(&host, "");
    let status = |status, name, value: &str| {
        Some(host::Reply::Status(status, vec![(name, value.to_owned())], String::new()))
    };
    let reset = (now().as_second() + 30).to_string();
    on_both(|db| {
        host.host().fail([status(429, "retry-after", "7"), status(429, "ratelimit-reset", &reset)]);
        let (imported, waits) = sync_with(db, &service, false).unwrap();
        assert_eq!((imported.requests, waits), (1, vec![7, 31]));
        host.state().headers =
            vec![("ratelimit-remaining", "0".to_owned()), ("ratelimit-reset", reset.clone())];
        let asked = host.host().asked().len();
        let waits = sync_with(db, &service, false).unwrap().1;
        assert_eq!(waits, vec![31; host.host().asked().len() - asked - 1], "before each but the first");
        host.state().headers.clear();
    });
}

#[track_caller]
fn refused(host: &StandIn, service: &Service, faults: &[Option<host::Reply>], expected: &str) {
    on_both(|db| {
        host.host().fail(faults.iter().cloned());
        let error = format!("{:#}", sync_with(db, service, false).unwrap_err());
        assert!(error.contains(expected), "{expected:?} is not in {error:?}");
        assert!(!error.contains("hunter2"), "{error}");
        for table in ["pull_request", "change", "service"] {
            assert!(rows(db, &format!("SELECT * FROM {table}")).is_empty(), "{table}");
        }
    });
}

#[test]
fn what_is_no_answer_stores_nothing_and_says_why() {
    let host = merges(1);
    let named = service(&host, "");
    let status =
        |status, headers, body: &str| vec![Some(host::Reply::Status(status, headers, body.to_owned()))];
    let check = |fault: Vec<_>, expected| refused(&host, &named, &fault, expected);
    check(status(200, vec![], "{\"id\""), "its answer to /projects/acme%2Fpay has another form");
    check(status(200, vec![], "[]"), "its answer to /projects/acme%2Fpay has another form");
    let words = format!("{{\"message\": \"no {TOKEN}\"}}");
    check(status(401, vec![], &words), "does not take the token: no …");
    let scope = "{\"error\": \"insufficient_scope\", \"error_description\": \"The request requires higher privileges\"}";
    check(status(403, vec![], scope), "it answers 403: The request requires higher privileges");
    let elsewhere = vec![("location", "https://evil.example/api/v4/projects/7?x=y".to_owned())];
    check(status(301, elsewhere, ""), "it answers from evil.example/api/v4/projects/7: name that");
    check(
        status(404, vec![], "{\"message\": \"404 Project Not Found\"}"),
        "there is no acme/pay on gitlab.com",
    );
    let hidden = json!({"id": 7, "path_with_namespace": "acme/pay"});
    check(vec![Some(host::Reply::Json(hidden))], "the token may not read its code");
    refused(&host, &service(&host, "branch = 'release'"), &[], "it has no branch \"release\"");
    check(vec![None, Some(host::Reply::Status(404, vec![], String::new()))], "it has no branch \"main\"");
    check(vec![None, None, Some(host::Reply::Json(json!([{"iid": "x"}])))], "has another form");
}

#[test]
fn an_empty_a_renamed_and_a_rewritten_project() {
    let host = StandIn::start("acme/payments");
    let service = service(&host, "");
    on_both(|db| {
        assert_eq!(syncs(db, &service), Imported::default());
        merge(&host, 1, "Add x", &day(1));
        merge(&host, 2, "Add y", &day(2));
        assert_eq!(syncs(db, &service).changes, 2);
        assert_eq!(rows(db, "SELECT DISTINCT repo FROM change"), ["gitlab.com/acme/pay"]);
        let mut state = host.state();
        state.commits.pop();
        state.commits.push(commit(&sha(5), &day(5), "Fix a typo"));
        drop(state);
        syncs(db, &service);
        assert_eq!(rows(db, "SELECT title FROM change ORDER BY landed"), ["Add x", "Fix a typo"]);
        *host.state() = ::tests::host::gitlab::State {
            path_with_namespace: "acme/payments".into(),
            ..Default::default()
        };
    });
}

#[test]
fn a_name_is_one_step_of_a_route() {
    assert_eq!(escaped("group/sub group/pay.js"), "group%2Fsub%20group%2Fpay.js");
    assert_eq!(escaped("größe?#%"), "gr%C3%B6%C3%9Fe%3F%23%25");
}
