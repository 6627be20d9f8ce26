//! A tracker that is cut off, slow or refuses.

use super::*;

/// So many changes, each with a ticket.
fn many(db: &mut Db, board: &Board, count: usize) {
    for number in 1..=count {
        land(db, number, 20, ("x", &format!("PAY-{number}: Add x")));
        board.put(Card::new(&format!("PAY-{number}"), &[("done", "2026-11-20T13:00:00Z", "ana")]));
    }
}

#[test]
fn a_sync_that_was_cut_off_goes_on_where_it_stood() {
    let ((jira, of_jira), (linear, of_linear)) = (jira(), linear());
    on_both(|db| {
        begin(db);
        many(db, &jira.board, 130);
        let through = vec![None; 3 + 1 + 34];
        jira.host().fail(through.into_iter().chain([Some(Reply::Status(401, vec![], String::new()))]));
        syncs(db, &of_jira).unwrap_err();
        let known = "SELECT COUNT(*) FROM ticket_key";
        assert_eq!(rows(db, known), ["100"]);
        assert_eq!(rows(db, "SELECT COUNT(*) FROM service WHERE synced_at IS NULL"), ["1"]);
        let before = jira.queries().len();
        reads(db, &of_jira, 130);
        assert_eq!(
            jira.queries()[before..][3..6],
            ["issue/bulkfetch 100", "issue/bulkfetch 30", "changelog/bulkfetch 30"]
        );
        assert_eq!(rows(db, known), ["130"]);
    });
    on_both(|db| {
        begin(db);
        many(db, &linear.board, 130);
        let through = vec![None; 1 + 1 + 4];
        linear.host().fail(through.into_iter().chain([Some(Reply::Status(401, vec![], String::new()))]));
        syncs(db, &of_linear).unwrap_err();
        assert_eq!(rows(db, "SELECT COUNT(*) FROM ticket_key"), ["100"]);
        let before = linear.queries().len();
        reads(db, &of_linear, 130);
        let expected = ["Teams 0", "Issues 100", "Issues 100", "Histories 25", "Histories 25"];
        assert_eq!(linear.queries()[before..], expected);
    });
}

#[test]
fn less_is_asked_for_where_it_was_too_much() {
    let ((jira, of_jira), (linear, of_linear)) = (jira(), linear());
    let status = |status, body: &str| Some(Reply::Status(status, vec![], body.to_owned()));
    on_both(|db| {
        begin(db);
        many(db, &jira.board, 8);
        let before = jira.queries().len();
        jira.host().fail([None, None, None, status(502, "<html>"), None, None, None, status(504, "")]);
        reads(db, &of_jira, 8);
        let asked = jira.queries()[before..].to_vec();
        assert_eq!(asked[3..6], ["issue/bulkfetch 8", "issue/bulkfetch 4", "issue/bulkfetch 4"]);
        let halves = ["changelog/bulkfetch 8", "changelog/bulkfetch 8", "changelog/bulkfetch 4"];
        assert_eq!(asked[6..9], halves);
        assert_eq!(rows(db, "SELECT COUNT(*) FROM ticket_event"), ["8"]);
        db.execute("DELETE FROM ticket_key", &[]).unwrap();
        jira.host().fail([None, None, None].into_iter().chain(vec![status(502, ""); 6]));
        let error = format!("{:#}", syncs(db, &of_jira).unwrap_err());
        assert!(error.contains("even the smallest page is too much for it: it answers 502"), "{error}");
    });
    let complex =
        json!({"errors": [{"message": "Query too complex", "extensions": {"code": "INPUT_ERROR"}}]});
    on_both(|db| {
        begin(db);
        many(db, &linear.board, 8);
        let before = linear.queries().len();
        linear.host().fail([None, None, status(400, &complex.to_string()), status(502, "")]);
        reads(db, &of_linear, 8);
        let asked = linear.queries()[before..].to_vec();
        let expected = ["Histories 25", "Histories 12", "Histories 6", "Histories 6"];
        assert_eq!(asked[2..], expected);
        assert_eq!(rows(db, "SELECT COUNT(*) FROM ticket_event"), ["8"]);
    });
}

#[test]
fn a_tracker_that_asks_for_patience_gets_it() {
    let ((jira, of_jira), (linear, of_linear)) = (jira(), linear());
    on_both(|db| {
        begin(db);
        let after = |seconds: &str| {
            Some(Reply::Status(429, vec![("retry-after", seconds.to_owned())], String::new()))
        };
        jira.host().fail([after("7"), None, after("8")]);
        assert_eq!(syncs(db, &of_jira).unwrap().1, [7, 8]);
        let limited =
            json!({"errors": [{"message": "Rate limit exceeded", "extensions": {"code": "RATELIMITED"}}]});
        let limited = limited.to_string();
        linear
            .host()
            .fail([200, 400, 429].map(|status| Some(Reply::Status(status, vec![], limited.clone()))));
        assert_eq!(syncs(db, &of_linear).unwrap().1, [60, 60, 60]);
    });
}

#[track_caller]
fn refused(host: &::tests::host::Host, source: &Source, faults: &[Option<Reply>], expected: &str) {
    on_both(|db| {
        begin(db);
        land(db, 1, 20, ("x", "PAY-1: Add x"));
        host.fail(faults.to_vec());
        let error = format!("{:#}", syncs(db, source).unwrap_err());
        assert!(
            error.contains(expected) && error.contains(source.name()),
            "{expected:?} is not in {error:?}"
        );
        for secret in [TOKEN, "Ym90QGFjbWUuZXhhbXBsZTpodW50ZXIy"] {
            assert!(!error.contains(secret), "{error}");
        }
        assert!(rows(db, "SELECT * FROM ticket_key").is_empty());
    });
}

#[test]
fn what_is_no_answer_of_jira_stores_nothing_and_says_why() {
    let _server = cluster(); // the same for each fault
    let (host, source) = jira();
    host.board.put(Card::new("PAY-1", &[("done", "2026-11-20T13:00:00Z", "ana")]));
    let status = |status, body: &str| Some(Reply::Status(status, vec![], body.to_owned()));
    let refused = |faults: &[Option<Reply>], expected: &str| refused(host.host(), &source, faults, expected);
    let words =
        format!("{{\"message\": \"Client must be authenticated {TOKEN} Ym90QGFjbWUuZXhhbXBsZTpodW50ZXIy\"}}");
    refused(&[status(401, &words)], "does not take the token: Client must be authenticated … …");
    let long = format!("{{\"message\": \"{}{TOKEN}\"}}", "x".repeat(296));
    refused(&[status(401, &long)], "xxx…");
    let unseen = "{\"errorMessages\": [\"No project could be found with key 'PAY'.\"], \"errors\": {}}";
    refused(&[status(404, unseen)], "the project PAY: it answers 404: No project could be found");
    refused(&[status(200, "<html>")], "its answer to project/PAY has another form");
    refused(&[None, None, status(403, "{\"errorMessages\": [\"Forbidden\"]}")], "answers 403: Forbidden");
    refused(
        &[None, None, None, status(200, "{\"issues\"")],
        "its answer to issue/bulkfetch has another form",
    );
    refused(&[None, None, None, status(400, "{\"errorMessages\": [\"Bad\"]}")], "it answers 400: Bad");
    let failed = format!(
        "{{\"issues\": [], \"issueErrors\": [{{\"id\": \"10001\", \"errorMessage\": \"Try again {TOKEN}\"}}]}}"
    );
    refused(&[None, None, None, status(200, &failed)], "could not fetch the issue 10001: Try again …");
    refused(
        &[None, None, None, None, status(200, "{}")],
        "its answer to changelog/bulkfetch has another form",
    );
    let elsewhere =
        Reply::Status(301, vec![("location", "https://new.example/rest?x".to_owned())], String::new());
    refused(&[Some(elsewhere)], "answers from new.example/rest: name that place");
    let asked = host.host().asked();
    let basic = "Basic Ym90QGFjbWUuZXhhbXBsZTpodW50ZXIy"; // bot@acme.example:hunter2
    assert!(asked.iter().all(|asked| asked.authorization == basic));
}

#[test]
fn what_is_no_answer_of_linear_stores_nothing_and_says_why() {
    let _server = cluster(); // the same for each fault
    let (host, source) = linear();
    host.board.put(Card::new("PAY-1", &[("done", "2026-11-20T13:00:00Z", "ana")]));
    let status = |status, body: &str| Some(Reply::Status(status, vec![], body.to_owned()));
    let refused = |faults: &[Option<Reply>], expected: &str| refused(host.host(), &source, faults, expected);
    let words = format!("{{\"message\": \"Authentication required {TOKEN}\"}}");
    refused(&[status(401, &words)], "does not take the token: Authentication required …");
    refused(&[status(400, "<html>")], "it answers 400: <html>");
    refused(&[status(200, "<html>")], "its answer is no GraphQL");
    refused(&[status(200, "{\"data\": {}}")], "its answer to Teams has another form");
    let scopes =
        json!({"errors": [{"message": format!("{TOKEN} may not"), "extensions": {"code": "FORBIDDEN"}}]});
    refused(&[status(400, &scopes.to_string())], "it refuses: … may not");
    let other = json!({"data": {"organization": {"urlKey": "evil"}, "teams": {"nodes": []}}});
    refused(&[Some(Reply::Json(other))], "the token is of the workspace \"evil\", not of \"acme\"");
    let unseen = json!({"data": {"organization": {"urlKey": "acme"}, "teams": {"nodes": []}}});
    refused(&[Some(Reply::Json(unseen))], "there is no team PAY, SHOP, or the token may not see it");
    assert!(host.host().asked().iter().all(|asked| asked.authorization == format!("Bearer {TOKEN}")));
}

#[test]
fn a_page_that_names_itself_as_the_next_ends_the_sync() {
    let _server = cluster(); // the same for each fault
    let told = "it names the page it was asked for as the next one";
    let card = Card::new("PAY-1", &[("done", "2026-11-20T13:00:00Z", "ana")]);
    let (host, source) = jira();
    host.board.put(card.clone());
    let log = || Some(Reply::Json(json!({"issueChangeLogs": [], "nextPageToken": "3"})));
    refused(host.host(), &source, &[None, None, None, None, log(), log()], told);
    let (host, source) = linear();
    host.board.put(card);
    let list = || json!({"pageInfo": {"hasNextPage": true, "endCursor": "3"}, "nodes": []});
    let answer = |data: Value| Some(Reply::Json(json!({ "data": data })));
    let issues = || answer(json!({"issues": list()}));
    refused(host.host(), &source, &[None, issues(), issues()], told);
    refused(host.host(), &source, &[None, None, issues(), issues()], told);
    let open = json!({"nodes": [{"id": "1", "history": list()}]});
    let history = || answer(json!({"issue": {"id": "1", "history": list()}}));
    refused(host.host(), &source, &[None, None, answer(json!({"issues": open})), history()], told);
}
