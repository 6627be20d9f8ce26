//! A host read page by page, with a stand-in for it: what is stored, and what of it twice is the same.

mod cloned;
mod incidents;
mod landings;
mod patience;
mod refusals;
mod shipping;

use super::fixture::{self, ANSWER_MAX, day, sha, stored, unhurried};
use super::*;
use crate::judge::tests::judge_repo_at;
use crate::source::Source;
use crate::source::clone::LocalClone;
use crate::source::github::GitHub;
use crate::source::web::Unreachable;
use crate::store::change::source_read;
use crate::store::fixture::{cluster, now, on_both, rows, teams};
use crate::sync::Round;
use crate::sync::tests::sync;
use ::tests::git::Repository;
use ::tests::host::github::{GitHub as StandIn, commit, issue, pushed, request};
use ::tests::host::{Asked, Reply};
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;

const TOKEN: &str = "ghp_hunter2";

fn service(host: &StandIn, more: &str) -> Service {
    let text = format!("kind = 'github'\nrepo = 'github.com/acme/pay'\nurl = '{}'\n{more}", host.url());
    let since = if more.contains("since") { "" } else { "\nsince = '2026-09-01'" };
    let mut source: Source = toml::from_str(&(text + since)).unwrap();
    source.settle(Path::new(""), &|name| (name == "GITHUB_TOKEN").then(|| TOKEN.to_owned())).unwrap();
    let Source::Github(service) = source else { panic!("{source:?}") };
    service
}

fn sync_with(db: &mut Db, service: &Service, has_clone: bool) -> Result<(Imported, Vec<u64>)> {
    unhurried(|pace| import::<GitHub>(db, service, has_clone, pace))
}

#[track_caller]
fn syncs(db: &mut Db, service: &Service) -> Imported {
    sync_with(db, service, false).unwrap().0
}

/// A request that was squashed into one commit, with what it held.
fn squash(host: &StandIn, number: u64, title: &str, at: &str) {
    let landed = sha(number);
    let mut request = request(number, title, at, Some((at, &landed)));
    request["commits"] = json!([pushed(&sha(1000 + number), "wip", "ana@acme.example")]);
    request["files"] = json!([{"path": format!("src/{number}.rs")}, {"path": "README.md"}]);
    let mut state = host.state();
    state.touch(request);
    state.commits.push(commit(&landed, at, &format!("{title} (#{number})"), Some(number)));
}

/// Forty requests, squashed one after the other in October, at noon and at midnight.
fn forty() -> StandIn {
    let host = StandIn::start("acme/pay");
    for number in 1..=40_u64 {
        let hour = if number % 2 == 0 { "12" } else { "00" };
        let at = format!("2026-10-{:02}T{hour}:00:00Z", number.div_ceil(2));
        squash(&host, number, &format!("Add {number}"), &at);
    }
    host
}

/// A merge commit, a request that was rebased into two commits, and a commit pushed without one.
fn landings() -> StandIn {
    let host = StandIn::start("acme/pay");
    let mut merged = request(1, "Add x", &day(2), Some((&day(2), &sha(1))));
    merged["commits"] = json!([pushed(&sha(1001), "Add x", "ben@acme.example")]);
    let mut rebased = request(2, "Add y", &day(3), Some((&day(3), &sha(3))));
    rebased["commits"] = json!([
        pushed(&sha(1002), "Add y, first part", "ana@acme.example"),
        pushed(&sha(1003), "Add y, second part", "ana@acme.example"),
    ]);
    let mut state = host.state();
    state.commits = vec![
        commit(&sha(9), &day(1), "first", None),
        commit(&sha(1), &day(2), "Merge pull request #1 from acme/feature/1\n\nAdd x", Some(1)),
        commit(&sha(2), &day(3), "Add y, first part", Some(2)),
        commit(&sha(3), &day(3), "Add y, second part", Some(2)),
        commit(&sha(4), &day(4), "Fix a typo", None),
    ];
    state.touch(merged);
    state.touch(rebased);
    drop(state);
    host
}

const CHANGES: &str =
    "SELECT COALESCE(number, 0), title, head_branch, author FROM change ORDER BY landed, number";

#[test]
fn a_repository_is_read_page_by_page_and_then_only_what_is_new() {
    let host = forty();
    let service = service(&host, "");
    on_both(|db| {
        let before = host.queries().len();
        let expected = Imported { requests: 40, landed: 40, tickets: 0, changes: 40 };
        assert_eq!(syncs(db, &service), expected);
        let first = ["Branch 0", "Requests 25", "Requests 25", "History 100"];
        assert_eq!(host.queries()[before..], first);
        let known = stored(db);
        assert_eq!(rows(db, CHANGES)[0], "1|Add 1|feature/1|ana@acme.example");
        assert_eq!(rows(db, "SELECT COUNT(*) FROM change_commit"), ["80"]);
        assert_eq!(
            rows(db, "SELECT path FROM change_file WHERE change_sha LIKE '%07' ORDER BY path"),
            ["README.md", "src/7.rs"]
        );
        let before = host.queries().len();
        let again = Imported { requests: 1, landed: 0, tickets: 0, changes: 40 };
        assert_eq!(syncs(db, &service), again, "the newest one lies within the overlap");
        assert_eq!(host.queries()[before..], ["Branch 0", "Requests 25", "History 100"]);
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
        for (number, at) in [(3, "2026-10-02T11:49:59Z"), (4, "2026-10-02T11:50:00Z")] {
            host.state().requests.insert(0, request(number, "Add z", at, None));
            host.state().requests.sort_by_key(|request| request["updatedAt"].to_string());
        }
        syncs(db, &service);
        assert_eq!(rows(db, "SELECT number FROM pull_request ORDER BY number"), ["2", "4"]);
        host.state().requests = known;
    });
}

#[test]
fn a_ticket_is_asked_for_until_its_change_can_no_longer_fail() {
    let host = StandIn::start("acme/pay");
    // now is 25 November
    for (number, at) in [(1, "2026-08-26T11:59:59Z"), (2, "2026-08-26T12:00:00Z")] {
        squash(&host, number, "Add x", at);
        let id = format!("I_{number}");
        host.state().issues.push(issue(&id, &[]));
        host.state().requests.last_mut().unwrap()["closingIssuesReferences"] = json!([id]);
    }
    let service = service(&host, "since = '2026-08-01'");
    on_both(|db| {
        syncs(db, &service);
        let asked = host.host().asked();
        assert_eq!(asked.last().unwrap().body["variables"]["ids"], json!(["I_2"]));
    });
}

#[test]
fn what_changes_later_is_seen_again() {
    let host = StandIn::start("acme/pay");
    squash(&host, 1, "Add x", &day(1));
    let mut open = request(2, "Add y", &day(2), None);
    open["headRepository"] = Value::Null;
    open["author"] = Value::Null;
    host.state().touch(open.clone());
    let service = service(&host, "");
    let states = "SELECT number, COALESCE(author, '-'), COALESCE(head_repo, '-'), COALESCE(merged_at, '-'),
        COALESCE(closed_at, '-'), labels FROM pull_request ORDER BY number";
    on_both(|db| {
        syncs(db, &service);
        let merged = "1|github:ana|github.com/acme/pay|2026-10-01T12:00:00Z|2026-10-01T12:00:00Z|";
        assert_eq!(rows(db, states), [merged, "2|-|-|-|-|"]);
        let mut closed = open.clone();
        (closed["updatedAt"], closed["closedAt"]) = (json!(day(3)), json!(day(3)));
        closed["labels"] = json!({"nodes": [{"name": "Sev-1"}, {"name": "hotfix"}]});
        host.state().touch(closed);
        syncs(db, &service);
        assert_eq!(rows(db, states), [merged, "2|-|-|-|2026-10-03T12:00:00Z|hotfix\nsev-1"]);
        host.state().touch(open.clone());
    });
}

#[test]
fn a_request_is_as_large_and_as_reviewed_as_its_host_says() {
    let host = StandIn::start("acme/pay");
    let review = |login: Option<&str>, at: Option<&str>| json!({"submittedAt": at, "author": login.map(|login| json!({"__typename": if login.ends_with("-bot") { "Bot" } else { "User" }, "login": login}))});
    let mut reviewed = request(1, "Add x", &day(3), None);
    (reviewed["additions"], reviewed["deletions"], reviewed["mergedAt"]) =
        (json!(30), json!(12), json!(day(3)));
    reviewed["reviews"] = json!({"nodes": [
        review(Some("ana"), Some("2026-10-01T09:00:00Z")), review(Some("ben"), None),
        review(None, Some("2026-10-02T11:00:00Z")), review(Some("eve"), Some("2026-10-02T10:00:00Z")),
        review(Some("review-bot"), Some("2026-10-01T09:00:01Z")), review(Some("eve"), Some("2026-10-05T10:00:00Z")),
    ]});
    host.state().touch(reviewed);
    host.state().touch(request(2, "Add y", &day(3), None));
    let mut waiting = request(3, "Add z", &day(3), None);
    waiting["reviews"] = json!({"nodes": []});
    host.state().touch(waiting);
    let service = service(&host, "");
    on_both(|db| {
        syncs(db, &service);
        let effort = "SELECT number, lines_changed, reviewed_at, reviews FROM pull_request ORDER BY number";
        assert_eq!(rows(db, effort), ["1|42|2026-10-02T10:00:00Z|2", "2|||", "3|||0"]);
    });
}

#[test]
fn a_sync_that_was_cut_off_goes_on_where_it_stood() {
    let host = forty();
    let service = service(&host, "");
    on_both(|db| {
        host.host().fail([None, None, Some(Reply::Status(401, vec![], String::new()))]);
        assert!(sync_with(db, &service, false).is_err());
        assert_eq!(rows(db, "SELECT COUNT(*) FROM pull_request"), ["25"]);
        host.host().fail([None, None, Some(Reply::Json(json!({})))]);
        let before = host.queries().len();
        assert!(sync_with(db, &service, false).is_err());
        assert_eq!(host.queries()[before..], ["Branch 0", "Requests 25", "History 100"]);
        assert_eq!(rows(db, "SELECT name FROM service WHERE synced_at IS NULL"), ["github.com/acme/pay"]);
        syncs(db, &service);
        let stepwise = stored(db);
        for table in ["pull_request_commit", "pull_request_file", "pull_request", "service"] {
            db.batch(&format!("DELETE FROM {table}")).unwrap();
        }
        db.transaction(|db| change_forget(db, &service.repo)).unwrap();
        syncs(db, &service);
        assert_eq!(stored(db), stepwise);
    });
}
