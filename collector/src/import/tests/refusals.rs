//! What is no answer, what the token may not see, and lists longer than a page.

use super::*;

#[track_caller]
fn refused(host: &StandIn, service: &Service, fault: &Reply, expected: &str) {
    let faults = [None, Some(fault.clone())];
    fixture::refused(host.host(), &faults, |db| sync_with(db, service, false), expected);
}

#[test]
fn what_is_no_answer_stores_nothing_and_says_why() {
    let _server = cluster(); // the same for each fault
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
        host.host().fail([None, Some(Reply::Json(lacking))]);
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
        host.host().fail([None, Some(Reply::Json(unseen.clone()))]);
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

#[test]
fn a_page_that_names_itself_as_the_next_ends_the_sync() {
    let _server = cluster(); // the same for each fault
    let host = forty();
    host.state().requests[39]["commits"] = (1..=101).map(|it| pushed(&sha(it), "wip", "ana@x")).collect();
    let sources = [Source::Github(service(&host, ""))];
    let list = |after: &str, nodes: Value| json!({"pageInfo": {"hasNextPage": true, "endCursor": after}, "nodes": nodes});
    let requests = json!({"nameWithOwner": "acme/pay", "pullRequests": list("PR_16", json!([]))});
    let mut own_parent = commit(&sha(40), &day(20), "Add 40 (#40)", None);
    own_parent["parents"] = json!({"nodes": [{"oid": sha(40)}]});
    let history = json!({"object": {"history": {"nodes": [own_parent]}}});
    let answers = [
        ("Rest", json!({"node": {"commits": list("100", json!([]))}})),
        ("Requests", json!({ "repository": requests })),
        ("History", json!({ "repository": history })),
    ];
    for (query, answer) in answers {
        on_both(|db| {
            let before = host.queries().len();
            let pace = Pace { now, answer_max: ANSWER_MAX, until: None, wait: &|_| Ok(()) };
            Round::new(&sources).read(db, &sources[0], pace).unwrap();
            let asked = host.queries().split_off(before);
            let before_it = asked.iter().rposition(|it| it.starts_with(query)).unwrap();
            db.batch("DELETE FROM service").unwrap();
            db.transaction(|db| change_forget(db, &"github.com/acme/pay".parse().unwrap())).unwrap();
            host.host()
                .fail(vec![None; before_it].into_iter().chain([Some(Reply::Json(json!({"data": answer})))]));
            let error = format!("{:#}", Round::new(&sources).read(db, &sources[0], pace).unwrap_err());
            assert!(error.starts_with("github.com/acme/pay on github: "), "{error}");
            assert!(error.ends_with("it names the page it was asked for as the next one"), "{error}");
        });
    }
}
