//! A host that is cut off, slow or refuses.

use super::*;

#[test]
fn a_sync_that_was_cut_off_goes_on_where_it_stood() {
    let host = merges(40);
    let service = service(&host, "");
    let refused = || Some(host::Reply::Status(401, vec![], "{\"message\": \"401 Unauthorized\"}".to_owned()));
    on_both(|db| {
        // project, branch, a page of 32 with four questions each, then the next page
        host.host().fail(vec![None; 3 + 4 * 32].into_iter().chain([refused()]));
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
    fixture::refused(host.host(), faults, |db| sync_with(db, service, false), expected);
}

#[test]
fn what_is_no_answer_stores_nothing_and_says_why() {
    let _server = cluster(); // the same for each fault
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

#[test]
fn a_page_that_names_itself_as_the_next_ends_the_sync() {
    let _server = cluster(); // the same for each fault
    let host = merges(1);
    let service = service(&host, "");
    for (next, before) in [("1", 3), ("0", 3)] {
        let page = host::Reply::Status(200, vec![("x-next-page", next.to_owned())], "[]".to_owned());
        let faults: Vec<_> = vec![None; before].into_iter().chain([Some(page)]).collect();
        refused(&host, &service, &faults, "it names the page it was asked for as the next one");
    }
}
