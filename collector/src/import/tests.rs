//! A host read page by page, with a stand-in for it: what is stored, and what of it twice is the same.

use super::*;
use crate::judge::judge_repo;
use crate::source::Source;
use crate::source::clone::LocalClone;
use crate::source::github::GitHub;
use crate::source::web::Unreachable;
use crate::store::change::source_read;
use crate::store::fixture::{now, on_both, rows, teams};
use crate::sync::{Round, sync};
use ::tests::git::Repository;
use ::tests::host::github::{GitHub as StandIn, commit, issue, pushed, request};
use ::tests::host::{Asked, Reply};
use serde_json::{Value, json};
use std::cell::RefCell;
use std::path::Path;
use std::time::Duration;

const TOKEN: &str = "ghp_hunter2";
const ANSWER_MAX: Duration = Duration::from_secs(30);

fn service(host: &StandIn, more: &str) -> Service {
    let text = format!("kind = 'github'\nrepo = 'github.com/acme/pay'\nurl = '{}'\n{more}", host.url());
    let since = if more.contains("since") { "" } else { "\nsince = '2026-09-01'" };
    let mut source: Source = toml::from_str(&(text + since)).unwrap();
    source.settle(Path::new(""), &|name| (name == "GITHUB_TOKEN").then(|| TOKEN.to_owned())).unwrap();
    let Source::Github(service) = source else { panic!("{source:?}") };
    service
}

fn sync_with(db: &mut Db, service: &Service, has_clone: bool) -> Result<(Imported, Vec<u64>)> {
    let waits = RefCell::new(Vec::new());
    let wait = |time: Duration| {
        waits.borrow_mut().push(time.as_secs());
        Ok(())
    };
    let imported = import::<GitHub>(
        db,
        service,
        has_clone,
        Pace { now, answer_max: ANSWER_MAX, until: None, wait: &wait },
    )?;
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

fn stored(db: &mut Db) -> Vec<Vec<String>> {
    let tables = [
        "change",
        "change_commit",
        "change_file",
        "pull_request",
        "pull_request_commit",
        "pull_request_file",
        "pull_request_ticket",
        "ticket",
        "ticket_event",
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
fn a_repository_is_read_page_by_page_and_then_only_what_is_new() {
    let host = forty();
    let service = service(&host, "");
    on_both(|db| {
        let before = host.queries().len();
        let expected = Imported { requests: 40, landed: 40, tickets: 0, changes: 40 };
        assert_eq!(syncs(db, &service), expected);
        let first = ["Requests 25", "Requests 25", "Branch 0", "History 100"];
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
        assert_eq!(host.queries()[before..], ["Requests 25", "Branch 0", "History 100"]);
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
        host.host().fail([None, Some(Reply::Status(401, vec![], String::new()))]);
        assert!(sync_with(db, &service, false).is_err());
        assert_eq!(rows(db, "SELECT COUNT(*) FROM pull_request"), ["25"]);
        host.host().fail([None, None, Some(Reply::Json(json!({})))]);
        let before = host.queries().len();
        assert!(sync_with(db, &service, false).is_err());
        assert_eq!(host.queries()[before..], ["Requests 25", "Branch 0", "History 100"]);
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

#[test]
fn less_is_asked_for_where_it_was_too_much() {
    let host = forty();
    let service = service(&host, "");
    let slow = json!({"data": null, "errors": [{"message":
        "Something went wrong while executing your query. This may be the result of a timeout."}]});
    on_both(|db| {
        let before = host.queries().len();
        host.host()
            .fail([Some(Reply::Status(502, vec![], "<html>".to_owned())), Some(Reply::Json(slow.clone()))]);
        assert_eq!(syncs(db, &service).requests, 40);
        let sizes: Vec<_> =
            host.queries()[before..].iter().filter(|it| it.starts_with("Req")).cloned().collect();
        assert_eq!(sizes[..3], ["Requests 25", "Requests 12", "Requests 6"]);
        assert_eq!(sizes.len(), 2 + 7);
        host.host().fail(vec![Some(Reply::Status(504, vec![], String::new())); 7]);
        let error = format!("{:#}", sync_with(db, &service, false).unwrap_err());
        assert!(error.contains("even the smallest page is too much for it: it answers 504"), "{error}");
    });
}

#[test]
fn an_answer_that_does_not_come_is_too_much() {
    let host = forty();
    let service = service(&host, "");
    on_both(|db| {
        host.host().fail([Some(Reply::Silent)]);
        let before = host.queries().len();
        let pace = Pace { now, answer_max: Duration::from_secs(2), until: None, wait: &|_| Ok(()) };
        assert_eq!(import::<GitHub>(db, &service, false, pace).unwrap().requests, 40);
        assert_eq!(host.queries()[before..][..2], ["Requests 25", "Requests 12"]);
    });
}

#[test]
fn who_does_not_answer_twice_cannot_be_reached() {
    let host = forty();
    let service = service(&host, "");
    on_both(|db| {
        host.host().fail(vec![Some(Reply::Silent); 2]);
        let before = host.queries().len();
        let pace = Pace { now, answer_max: Duration::from_secs(1), until: None, wait: &|_| Ok(()) };
        let error = import::<GitHub>(db, &service, false, pace).unwrap_err();
        assert!(error.is::<Unreachable>(), "{error:#}");
        assert!(host.queries().len() <= before + 2);
    });
}

#[test]
fn who_answered_once_is_slow_and_can_be_reached() {
    let host = forty();
    let service = service(&host, "");
    on_both(|db| {
        host.host().fail([None, Some(Reply::Silent), Some(Reply::Silent)]);
        let pace = Pace { now, answer_max: Duration::from_secs(2), until: None, wait: &|_| Ok(()) };
        assert_eq!(import::<GitHub>(db, &service, false, pace).unwrap().requests, 40);
    });
}

#[test]
fn nobody_is_asked_twice_where_nobody_answers() {
    let host = forty();
    let nowhere = "http://127.0.0.1:1/api/v4";
    let gitlab = |name: &str| {
        let text = format!("kind = 'gitlab'\nrepo = 'git.x/acme/{name}'\nurl = '{nowhere}'");
        let mut source: Source = toml::from_str(&text).unwrap();
        source.settle(Path::new(""), &|_| Some(TOKEN.to_owned())).unwrap();
        source
    };
    let sources = [gitlab("one"), gitlab("two"), Source::Github(service(&host, ""))];
    on_both(|db| {
        let mut round = Round::new(&sources);
        let pace = Pace { now, answer_max: ANSWER_MAX, until: None, wait: &|_| Ok(()) };
        let mut told = |place: usize| match round.read(db, &sources[place], pace) {
            Ok(synced) => synced.to_string(),
            Err(error) => format!("{error:#}"),
        };
        let first = told(0);
        assert!(first.starts_with("git.x/acme/one on gitlab: it cannot be reached: "), "{first}");
        assert_eq!(told(1), format!("git.x/acme/two on gitlab: {nowhere} could not be reached just now"));
        let healthy = told(2);
        assert!(healthy.starts_with("github.com/acme/pay (github): 40 requests"), "{healthy}");
    });
}

#[test]
fn a_turn_ends_and_keeps_what_was_read() {
    let host = forty();
    let service = service(&host, "");
    let over = |db: &mut Db, seconds: i64| {
        let until = now().checked_add(SignedDuration::from_secs(seconds)).ok();
        let pace = Pace { now, answer_max: ANSWER_MAX, until, wait: &|_| Ok(()) };
        import::<GitHub>(db, &service, false, pace).map_err(|error| format!("{error:#}"))
    };
    let limited = || Some(Reply::Status(429, vec![("retry-after", "7".to_owned())], String::new()));
    on_both(|db| {
        host.host().fail([None, limited()]);
        let error = over(db, 6).unwrap_err();
        assert!(error.contains("its turn is over"), "{error}");
        assert_eq!(rows(db, "SELECT COUNT(*) FROM pull_request"), ["25"]);
        let before = host.queries().len();
        over(db, -1).unwrap_err();
        assert_eq!(host.queries().len(), before, "it is not even asked");
        host.host().fail([limited()]);
        assert_eq!(over(db, 7).unwrap().requests, 15);
    });
}

#[test]
fn what_was_answered_is_kept_where_no_more_may_be_asked() {
    let host = forty();
    let service = service(&host, "");
    host.state().rate = Some((199, "2026-11-25T12:01:30Z".to_owned()));
    on_both(|db| {
        let until = "2026-11-25T12:01:00Z".parse().ok();
        let pace = Pace { now, answer_max: ANSWER_MAX, until, wait: &|_| Ok(()) };
        let error = format!("{:#}", import::<GitHub>(db, &service, false, pace).unwrap_err());
        assert!(error.contains("its turn is over"), "{error}");
        assert_eq!(rows(db, "SELECT COUNT(*) FROM pull_request"), ["25"]);
    });
}

#[test]
fn tickets_that_are_too_many_for_a_turn_are_asked_for_in_the_next_one() {
    let host = StandIn::start("acme/pay");
    squash(&host, 1, "Add x", "2026-11-20T12:00:00Z");
    let service = service(&host, "");
    let later = || "2026-11-26T12:00:00Z".parse().unwrap();
    on_both(|db| {
        syncs(db, &service);
        let ids: Vec<String> = (0..250).map(|number| format!("I_{number:03}")).collect();
        for id in &ids {
            let text = format!(
                "INSERT INTO ticket (ticket, service, id) VALUES ('{id}', 'github', '{id}');
                 INSERT INTO pull_request_ticket (repo, number, ticket) VALUES ('github.com/acme/pay', 1, '{id}')"
            );
            db.batch(&text).unwrap();
        }
        host.state().requests[0]["updatedAt"] = json!("2026-11-20T11:00:00Z"); // read before
        let asked = |from: usize| -> Vec<Value> {
            let ids = |asked: &Asked| asked.body["variables"]["ids"].clone();
            host.host().asked()[from..].iter().map(ids).filter(|ids| !ids.is_null()).collect()
        };
        let known = "SELECT synced_at FROM service";
        let turn = |db: &mut Db, now| {
            let before = host.host().asked().len();
            let pace = Pace { now, answer_max: ANSWER_MAX, until: None, wait: &|_| Ok(()) };
            (import::<GitHub>(db, &service, false, pace), asked(before))
        };
        db.batch("UPDATE service SET synced_at = '2026-11-24T12:00:00Z'").unwrap();
        // requests, branch, history and the first of the tickets
        host.host().fail(vec![None; 4].into_iter().chain([Some(Reply::Status(401, vec![], String::new()))]));
        turn(db, now).0.unwrap_err();
        assert_eq!(rows(db, known), ["2026-11-24T12:00:00Z"]);
        assert_eq!(turn(db, later).1, [json!(ids[100..200]), json!(ids[200..])]);
        assert_eq!(rows(db, known), [now().to_string()], "as old as the first of them");
        assert_eq!(turn(db, later).1, [json!(ids[..100]), json!(ids[100..200]), json!(ids[200..])]);
        assert_eq!(rows(db, known), [later().to_string()]);
        host.state().requests[0]["updatedAt"] = json!("2026-11-20T12:00:00Z");
    });
}

#[test]
fn a_host_that_asks_for_patience_gets_it() {
    let host = forty();
    let service = service(&host, "");
    let status = |status, name, value: &str| {
        Some(Reply::Status(status, vec![(name, value.to_owned())], String::new()))
    };
    let reset = (now().as_second() + 30).to_string();
    let spent = vec![("x-ratelimit-remaining", "0".to_owned()), ("x-ratelimit-reset", reset)];
    let limited = json!({"errors": [{"type": "RATE_LIMITED", "message": "API rate limit exceeded"}]});
    on_both(|db| {
        host.host().fail([
            status(403, "retry-after", "7"),
            status(429, "retry-after", "8"),
            Some(Reply::Status(403, spent.clone(), String::new())),
            Some(Reply::Json(limited.clone())),
        ]);
        let (imported, waits) = sync_with(db, &service, false).unwrap();
        assert_eq!((imported.requests, waits), (40, vec![7, 8, 31, 60]));
        host.state().rate = Some((199, "2026-11-25T12:01:30Z".to_owned()));
        assert_eq!(sync_with(db, &service, false).unwrap().1, [91, 91], "before each but the first");
        host.state().rate = Some((200, "2026-11-25T12:01:30Z".to_owned()));
        assert!(sync_with(db, &service, false).unwrap().1.is_empty());
        host.host().fail(vec![status(429, "retry-after", "7200"); 5]);
        let error = format!("{:#}", sync_with(db, &service, false).unwrap_err());
        assert!(error.contains("asks to wait again and again"), "{error}");
    });
}

#[track_caller]
fn refused(host: &StandIn, service: &Service, fault: &Reply, expected: &str) {
    on_both(|db| {
        host.host().fail([Some(fault.clone())]);
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
    let host = forty();
    let service = service(&host, "");
    let status = |status, headers, body: &str| Reply::Status(status, headers, body.to_owned());
    refused(&host, &service, &status(200, vec![], "{\"data\""), "no GraphQL");
    refused(&host, &service, &status(200, vec![], "{\"data\": {\"repository\": 5}}"), "answer to Requests");
    refused(&host, &service, &status(200, vec![], "{}"), "no data");
    let words = format!("{{\"message\": \"Bad credentials {TOKEN}\"}}");
    refused(&host, &service, &status(401, vec![], &words), "does not take the token: Bad credentials …");
    refused(&host, &service, &status(403, vec![], "{\"message\": \"Forbidden\"}"), "answers 403: Forbidden");
    let elsewhere = vec![("location", "https://evil.example/graphql?x=y".to_owned())];
    refused(&host, &service, &status(307, elsewhere, ""), "answers from evil.example/graphql: name that");
    let unseen = json!({"data": {"repository": null}, "errors": [{"type": "NOT_FOUND", "path": ["repository"],
        "message": "Could not resolve to a Repository with the name 'acme/pay'."}]});
    refused(&host, &service, &Reply::Json(unseen), "Could not resolve to a Repository");
    let scopes = json!({"data": null, "errors": [{"type": "INSUFFICIENT_SCOPES",
        "message": "Your token has not been granted the required scopes"}]});
    refused(&host, &service, &Reply::Json(scopes), "not been granted the required scopes");
    let nothing = json!({"data": {"repository": null}});
    refused(&host, &service, &Reply::Json(nothing), "no acme/pay, or the token may not see it");
}

#[test]
fn what_the_token_may_not_see_is_left_out() {
    let host = StandIn::start("acme/pay");
    squash(&host, 1, "Add x", &day(1));
    let mut touched = host.state().requests[0].clone();
    touched["closingIssuesReferences"] = json!(["I_secret"]); // of which nothing is known: null
    host.state().touch(touched);
    let service = service(&host, "");
    on_both(|db| {
        assert_eq!(syncs(db, &service).requests, 1);
        assert!(rows(db, "SELECT * FROM ticket").is_empty());
        let list = json!({"pageInfo": {"hasNextPage": false, "endCursor": null}, "nodes": [null]});
        let path = json!(["repository", "pullRequests", "nodes", 0]);
        let lacking = json!({
            "data": {"repository": {"nameWithOwner": "acme/pay", "pullRequests": list}},
            "errors": [{"type": "FORBIDDEN", "path": path, "message": "Resource not accessible"}],
        });
        host.host().fail([Some(Reply::Json(lacking))]);
        assert_eq!(syncs(db, &service).requests, 0);
    });
}

#[test]
fn a_page_of_which_nothing_may_be_seen_is_not_the_last() {
    let host = forty();
    let service = service(&host, "");
    let list =
        json!({"pageInfo": {"hasNextPage": true, "endCursor": "PR_36"}, "nodes": vec![Value::Null; 5]});
    let unseen = json!({"data": {"repository": {"nameWithOwner": "acme/pay", "pullRequests": list}}});
    on_both(|db| {
        host.host().fail([Some(Reply::Json(unseen.clone()))]);
        assert_eq!(syncs(db, &service).requests, 35);
        assert_eq!(syncs(db, &service).requests, 40, "the five are asked for again");
    });
}

#[test]
fn a_repository_asks_for_its_own_tickets_and_leaves_out_what_is_gone() {
    let hosts = [1, 2].map(|number| {
        let host = StandIn::start("acme/pay");
        squash(&host, number, "Add x", "2026-11-20T12:00:00Z");
        let id = format!("I_{number}");
        host.state().issues.push(issue(&id, &[("closed by PullRequest", "2026-11-20T12:00:01Z")]));
        host.state().requests[0]["closingIssuesReferences"] = json!([id]);
        host
    });
    let [pay, mut shop] = [0, 1].map(|place| service(&hosts[place], ""));
    shop.repo = "github.com/acme/shop".parse().unwrap();
    on_both(|db| {
        let issues = hosts[1].state().issues.clone();
        for service in [&pay, &shop] {
            assert_eq!(syncs(db, service).tickets, 2, "with its request and once more by itself");
        }
        let asked = hosts[1].host().asked();
        assert_eq!(asked.last().unwrap().body["variables"]["ids"], json!(["I_2"]));
        let known = "SELECT ticket, event FROM ticket_event ORDER BY ticket";
        let before = rows(db, known);
        hosts[1].state().issues.clear();
        hosts[1].state().requests[0]["updatedAt"] = json!("2026-11-20T11:00:00Z"); // read before
        assert_eq!(syncs(db, &shop).tickets, 0);
        assert_eq!(rows(db, known), before);
        hosts[1].state().issues = issues;
        hosts[1].state().requests[0]["updatedAt"] = json!("2026-11-20T12:00:00Z");
    });
}

#[test]
fn an_empty_a_renamed_and_a_branchless_repository() {
    let host = StandIn::start("acme/payments");
    let named = service(&host, "branch = 'release'");
    let service = service(&host, "");
    on_both(|db| {
        assert_eq!(syncs(db, &service), Imported::default());
        squash(&host, 1, "Add x", &day(1));
        assert_eq!(syncs(db, &service).changes, 1);
        assert_eq!(rows(db, "SELECT repo FROM change"), ["github.com/acme/pay"]);
        let error = format!("{:#}", sync_with(db, &named, false).unwrap_err());
        assert!(error.contains("it has no branch \"release\""), "{error}");
        *host.state() = ::tests::host::github::State {
            name_with_owner: "acme/payments".to_owned(),
            ..Default::default()
        };
    });
}

#[test]
fn lists_that_do_not_fit_a_page_are_whole() {
    let host = StandIn::start("acme/pay");
    squash(&host, 1, "Add x", &day(1));
    let mut large = host.state().requests[0].clone();
    large["commits"] = (1..=150).map(|n| pushed(&sha(5000 + n), "wip", "ana@acme.example")).collect();
    large["files"] = (1..=230).map(|n| json!({"path": format!("{n}.rs")})).collect();
    large["closingIssuesReferences"] = (1..=7).map(|n| json!(format!("I_{n}"))).collect();
    host.state().issues = (1..=7).map(|n| issue(&format!("I_{n}"), &[])).collect();
    host.state().touch(large);
    let service = service(&host, "");
    on_both(|db| {
        syncs(db, &service);
        let counts = "SELECT (SELECT COUNT(*) FROM change_commit), (SELECT COUNT(*) FROM change_file),
            (SELECT COUNT(*) FROM pull_request_ticket)";
        assert_eq!(rows(db, counts), ["151|230|7"]);
        assert_eq!(rows(db, "SELECT MAX(place) FROM pull_request_commit"), ["150"]);
    });
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

#[test]
fn each_way_to_land_is_one_change() {
    let host = landings();
    let service = service(&host, "");
    on_both(|db| {
        assert_eq!(syncs(db, &service).changes, 4);
        let expected = [
            "0|first||ana@acme.example",
            "1|Add x|feature/1|ben@acme.example",
            "2|Add y, second part|feature/2|ana@acme.example",
            "0|Fix a typo||ana@acme.example",
        ];
        assert_eq!(rows(db, CHANGES), expected);
        let commits =
            "SELECT COUNT(*) FROM change_commit WHERE change_sha = (SELECT sha FROM change WHERE number = 2)";
        assert_eq!(rows(db, commits), ["4"]);
    });
}

#[test]
fn what_landed_before_the_start_is_left_alone() {
    let host = landings();
    let service = service(&host, "since = '2026-10-03'");
    on_both(|db| {
        let imported = syncs(db, &service);
        assert_eq!((imported.requests, imported.landed, imported.changes), (1, 3, 2));
        assert_eq!(syncs(db, &service).changes, 2);
    });
}

#[test]
fn a_branch_that_was_rewritten_is_read_anew() {
    let host = landings();
    let service = service(&host, "");
    on_both(|db| {
        syncs(db, &service);
        let whole = host.state().commits.clone();
        host.state().commits.truncate(4);
        host.state().commits.push(commit(&sha(5), &day(5), "Fix another typo", None));
        assert_eq!(syncs(db, &service).changes, 4);
        let titles = rows(db, "SELECT title FROM change ORDER BY landed");
        assert_eq!(titles[1..], ["Add x", "Add y, second part", "Fix another typo"]);
        host.state().commits = whole;
    });
}

#[test]
fn a_branch_that_was_rewritten_is_unknown_until_all_of_it_is_read() {
    let host = landings();
    let service = service(&host, "");
    let whole = host.state().commits.clone();
    on_both(|db| {
        syncs(db, &service);
        let mut state = host.state();
        state.commits.clear();
        for number in 1..=150 {
            state.commits.push(commit(&sha(5000 + number), &day(5), &format!("Add {number}"), None));
        }
        drop(state);
        let known = |db: &mut Db| source_read(db).unwrap()[&service.repo];
        let mut cut_off = |questions: usize| {
            let refused = Some(Reply::Status(401, vec![], String::new()));
            host.host().fail(vec![None; questions].into_iter().chain([refused]));
            sync_with(db, &service, false).unwrap_err();
            assert_eq!(known(db), Timestamp::UNIX_EPOCH, "{questions}");
            change_count(db, &service.repo).unwrap()
        };
        // requests, branch, and both pages, behind which the history that was known is not
        assert_eq!(cut_off(4), 0);
        assert_eq!(cut_off(3), 100);
        assert_eq!(cut_off(2), 100);
        assert_eq!(syncs(db, &service).changes, 150);
        assert_eq!(known(db), now());
        host.state().commits = whole.clone();
    });
}

#[test]
fn another_branch_takes_the_place_of_the_one_before() {
    let host = landings();
    let service = service(&host, "");
    on_both(|db| {
        syncs(db, &service);
        let main = host.state().clone();
        let mut state = host.state();
        state.branch = Some("trunk".to_owned());
        state.commits.truncate(4);
        state.commits.push(commit(&sha(5), &day(5), "Fix another typo", None));
        drop(state);
        assert_eq!(syncs(db, &service).changes, 4);
        let titles = rows(db, "SELECT title FROM change ORDER BY landed");
        assert_eq!(titles[1..], ["Add x", "Add y, second part", "Fix another typo"]);
        assert_eq!(rows(db, "SELECT branch FROM source"), ["trunk"]);
        *host.state() = main;
    });
}

#[test]
fn a_commit_that_bears_a_time_of_long_ago_is_no_rewrite() {
    let host = landings();
    let service = service(&host, "");
    on_both(|db| {
        syncs(db, &service);
        let mut state = host.state();
        state.commits.push(commit(&sha(5), "2026-08-01T12:00:00Z", "Made long ago", None));
        state.commits.push(commit(&sha(6), &day(6), "Fix another typo", None));
        drop(state);
        let imported = syncs(db, &service);
        assert_eq!((imported.landed, imported.changes), (1, 5));
        host.state().commits.truncate(5);
    });
}

#[test]
fn the_past_is_not_read_beyond_a_page() {
    let host = StandIn::start("acme/pay");
    let long_ago = |number: u64| commit(&sha(1000 + number), "2026-08-01T12:00:00Z", "Old", None);
    host.state().commits = (1..=350).map(long_ago).collect();
    let service = service(&host, "");
    on_both(|db| {
        let before = host.queries().len();
        host.state().commits.push(commit(&sha(1), &day(1), "Add x", None));
        assert_eq!(syncs(db, &service).changes, 1);
        assert_eq!(host.queries()[before..][2..], ["History 100"; 2]);
        host.state().commits.pop();
        host.state().commits.push(commit(&sha(2), &day(2), "Add y", None));
        let before = host.queries().len();
        assert_eq!(syncs(db, &service).changes, 1);
        assert_eq!(host.queries()[before..][2..], ["History 100"; 4], "once more, as it was rewritten");
        assert_eq!(rows(db, "SELECT title FROM change"), ["Add y"]);
        host.state().commits.pop();
    });
}

/// A clone of what the host has, with the rebased request in commits of its own.
fn cloned(host: &StandIn, service: &Service) -> (tempfile::TempDir, LocalClone) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(".gitconfig"), "[user]\n\tname = Ana\n\temail = ana@acme.example\n")
        .unwrap();
    let path = folder.path().join("pay");
    let repository = Repository::create(&path, folder.path(), "https://github.com/acme/pay.git");
    let parts = ["first", "second"].map(|part| repository.commit_at(&day(3), &format!("Add y, {part} part")));
    repository.commit_at(&day(4), "Fix a typo");
    let named = |commit: &Value| commit["oid"].as_str().unwrap().to_owned();
    let mut state = host.state();
    for (place, part) in [2, 3].into_iter().zip(&parts) {
        assert!(parts.iter().all(|part| *part != named(&state.commits[place])));
        state.commits[place]["oid"] = json!(part);
    }
    state.requests[1]["mergeCommit"]["oid"] = json!(parts[1]);
    drop(state);
    (folder, LocalClone { repo: service.repo.clone(), path, branch: None })
}

const NUMBERS: &str = "SELECT COALESCE(number, 0), title, head_branch FROM change ORDER BY landed";
const GROUPED: [&str; 3] = ["0|first|", "2|Add y, first part|feature/2", "0|Fix a typo|"];

#[test]
fn with_a_clone_a_request_is_still_one_change() {
    let host = landings();
    let service = service(&host, "");
    let (_folder, clone) = cloned(&host, &service);
    on_both(|db| {
        sync(db, &clone, now()).unwrap();
        assert_eq!(rows(db, "SELECT COUNT(*) FROM change"), ["4"], "a clone alone cannot know");
        for _ in 0..2 {
            sync_with(db, &service, true).unwrap();
            sync(db, &clone, now()).unwrap();
            assert_eq!(rows(db, NUMBERS), GROUPED);
        }
        assert!(rows(db, "SELECT * FROM pull_request_file").is_empty(), "the clone knows the files");
    });
}

#[test]
fn what_a_clone_tells_before_its_host_is_one_change_later() {
    let host = landings();
    let service = service(&host, "");
    let (_folder, clone) = cloned(&host, &service);
    let whole = host.state().clone();
    on_both(|db| {
        host.state().requests.truncate(1);
        host.state().commits.truncate(1);
        sync_with(db, &service, true).unwrap();
        sync(db, &clone, now()).unwrap();
        assert_eq!(change_count(db, &service.repo).unwrap(), 4);
        *host.state() = whole.clone();
        sync_with(db, &service, true).unwrap();
        sync(db, &clone, now()).unwrap();
        assert_eq!(rows(db, NUMBERS), GROUPED);
        sync_with(db, &service, true).unwrap();
        assert_ne!(rows(db, "SELECT cursor FROM source"), [""], "once is enough");
    });
}

#[test]
fn a_request_says_what_it_takes_back() {
    let host = StandIn::start("acme/pay");
    squash(&host, 1, "Add x", &day(1));
    squash(&host, 2, "Back to the old way", &day(2));
    let mut undo = host.state().requests[1].clone();
    undo["body"] = json!("Reverts acme/pay#1");
    host.state().touch(undo);
    let service = service(&host, "");
    on_both(|db| {
        syncs(db, &service);
        db.transaction(|db| judge_repo(db, &service.repo, now())).unwrap();
        let reverts = "SELECT c.number, r.rule FROM revert AS r JOIN change AS c ON c.sha = r.sha";
        assert_eq!(rows(db, reverts), ["1|reference"]);
    });
}

#[test]
fn a_ticket_that_is_opened_again_is_found_although_its_request_rests() {
    let host = StandIn::start("acme/pay");
    for number in 1..=3 {
        squash(&host, number, &format!("Add {number}"), "2026-11-20T12:00:00Z");
        let id = format!("I_{number}");
        host.state().issues.push(issue(&id, &[("closed by PullRequest", "2026-11-20T12:00:01Z")]));
        host.state().requests.last_mut().unwrap()["closingIssuesReferences"] = json!([id]);
    }
    let fresh = host.state().clone();
    let service = service(&host, "");
    let states = "SELECT number, state FROM change ORDER BY number";
    on_both(|db| {
        teams(db, "", now());
        syncs(db, &service);
        db.transaction(|db| judge_repo(db, &service.repo, now())).unwrap();
        assert_eq!(rows(db, states), ["1|pending", "2|pending", "3|pending"]);
        let closed = ("closed by PullRequest", "2026-11-20T12:00:01Z");
        host.state().issues = vec![
            issue("I_1", &[closed, ("reopened", "2026-11-22T12:00:00Z")]),
            issue(
                "I_2",
                &[
                    closed,
                    ("reopened", "2026-11-22T12:00:00Z"),
                    ("closed as NOT_PLANNED", "2026-11-22T12:09:00Z"),
                ],
            ),
        ];
        syncs(db, &service);
        for (at, expected) in [
            ("2026-11-22T11:59:59Z", ["1|pending", "2|pending", "3|pending"]),
            ("2026-11-25T12:00:00Z", ["1|disqualified", "2|pending", "3|pending"]),
        ] {
            db.transaction(|db| judge_repo(db, &service.repo, at.parse().unwrap())).unwrap();
            assert_eq!(rows(db, states), expected, "{at}");
        }
        let evidence = "SELECT kind, rule, by_sha, by_url, happened_at FROM disqualification";
        let expected = "reopen|ticket||https://github.com/acme/pay/issues/1|2026-11-22T12:00:00Z";
        assert_eq!(rows(db, evidence), [expected]);
        assert_eq!(rows(db, "SELECT misclick, in_window FROM reopen ORDER BY ticket"), ["0|1", "1|1"]);
        *host.state() = fresh.clone();
    });
}
