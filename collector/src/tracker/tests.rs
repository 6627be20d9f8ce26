//! Both trackers, read through stand-ins of their APIs into both databases.

use super::*;
use crate::judge::judge_repo;
use crate::store::change::source_read;
use crate::store::fixture::{now, on_both, rows, teams};
use crate::sync::Round;
use ::tests::host::Reply;
use ::tests::host::board::{Board, Card};
use ::tests::host::jira::Jira;
use ::tests::host::linear::Linear;
use serde_json::json;
use std::cell::RefCell;
use std::path::Path;
use std::time::Duration;

const TOKEN: &str = "hunter2";
const REPO: &str = "github.com/acme/pay";

fn source(text: &str) -> Source {
    let mut source: Source = toml::from_str(text).unwrap();
    let variable = |name: &str| match name {
        "JIRA_EMAIL" => Some("bot@acme.example".to_owned()),
        "JIRA_TOKEN" | "LINEAR_TOKEN" => Some(TOKEN.to_owned()),
        _ => None,
    };
    source.settle(Path::new(""), &variable).unwrap();
    source
}

fn jira() -> (Jira, Source) {
    let host = Jira::start(&[("PAY", "PAY"), ("SHOP", "SHOP")], 3);
    let source = source(&format!("kind = 'jira'\nurl = '{}'\nprojects = ['pay', 'SHOP']", host.url()));
    (host, source)
}

fn linear() -> (Linear, Source) {
    let host = Linear::start("acme", &["PAY", "SHOP"], 3);
    let text =
        format!("kind = 'linear'\nworkspace = 'acme'\nteams = ['PAY', 'SHOP']\nurl = '{}'", host.url());
    let source = source(&text);
    (host, source)
}

/// Runs `check` on a board of each tracker and a database of each kind.
fn each(check: impl Fn(&mut Db, &Board, &Source)) {
    let ((jira, of_jira), (linear, of_linear)) = (jira(), linear());
    for (board, source) in [(&jira.board, &of_jira), (&linear.board, &of_linear)] {
        on_both(|db| {
            board.cards().clear();
            begin(db);
            check(db, board, source);
        });
    }
}

/// Teams, and a repository that was read just now.
fn begin(db: &mut Db) {
    teams(db, "", now());
    db.execute(
        &format!("INSERT INTO source VALUES ('{REPO}', 'clone', 'main', 'x', '{}', NULL)", now()),
        &[],
    )
    .unwrap();
}

fn syncs(db: &mut Db, source: &Source) -> Result<(String, Vec<u64>)> {
    let waits = RefCell::new(Vec::new());
    let wait = |time: Duration| {
        waits.borrow_mut().push(time.as_secs());
        Ok(())
    };
    let pace = Pace { now, answer_max: Duration::from_secs(30), until: None, wait: &wait };
    wait_for_trackers(db, std::slice::from_ref(source))?;
    let told = Round::new(&[]).read(db, source, pace)?.to_string();
    Ok((told, waits.into_inner()))
}

#[track_caller]
fn reads(db: &mut Db, source: &Source, tickets: usize) {
    let (told, _) = syncs(db, source).unwrap();
    assert_eq!(told, format!("{} ({}): {tickets} tickets read", source.name(), source.kind()));
}

/// A change that landed at noon of the day in November 2026.
fn land(db: &mut Db, number: usize, day: u8, (branch, message): (&str, &str)) {
    let title = message.lines().next().unwrap();
    let sql = format!(
        "INSERT INTO change (repo, sha, landed, number, title, head_branch, author, merged_at, shipped_at) VALUES
            ('{REPO}', 'a{number}', {number}, {number}, '{title}', '{branch}', '', '{at}', '{at}')",
        at = format_args!("2026-11-{day:02}T12:00:00Z"),
    );
    db.execute(&sql, &[]).unwrap();
    let commit =
        format!("INSERT INTO change_commit VALUES ('{REPO}', 'a{number}', 'a{number}', '{message}')");
    db.execute(&commit, &[]).unwrap();
}

#[track_caller]
fn judged(db: &mut Db, at: &str, expected: &[&str]) {
    db.transaction(|db| judge_repo(db, &REPO.parse().unwrap(), at.parse().unwrap())).unwrap();
    assert_eq!(rows(db, "SELECT number, state FROM change ORDER BY number"), expected, "{at}");
}

const EVENTS: &str = "SELECT k.key, e.event, e.happened_at, COALESCE(e.actor, '-') FROM ticket_key AS k
    JOIN ticket_event AS e ON e.ticket = k.ticket ORDER BY k.key, e.place";

#[test]
fn a_change_fails_where_its_ticket_is_opened_again() {
    each(|db, board, source| {
        land(db, 1, 20, ("x", "PAY-1: Add x"));
        land(db, 2, 20, ("ana/pay-2-add-y", "Add y"));
        land(db, 3, 20, ("x", "Add z\n\nFixes SHOP-3"));
        land(db, 4, 20, ("x", "PAY-4: Add v"));
        land(db, 5, 21, ("x", "PAY-1: Add more of x"));
        land(db, 6, 23, ("x", "PAY-1: Mend x"));
        let done = ("done", "2026-11-20T13:00:00Z", "ana");
        board.put(Card::new(
            "PAY-1",
            &[("doing", "2026-11-19T13:00:00Z", "ana"), done, ("todo", "2026-11-22T12:00:00Z", "ben")],
        ));
        let at_once =
            [done, ("doing", "2026-11-22T12:00:00Z", "ana"), ("done", "2026-11-22T12:10:00Z", "ana")];
        board.put(Card::new("PAY-2", &at_once));
        let dropped = ("dropped", "2026-11-20T13:00:00Z", "ana");
        board.put(Card::new("SHOP-3", &[dropped, ("todo", "2026-11-22T12:00:00Z", "ben")]));
        board.put(Card::new("PAY-4", &[done]));
        board.put(Card::new("PAY-77", &[done, ("todo", "2026-11-22T12:00:00Z", "ben")]));
        reads(db, source, 4);
        judged(
            db,
            "2026-11-22T11:59:59Z",
            &["1|pending", "2|pending", "3|pending", "4|pending", "5|pending", "6|"],
        );
        let states = ["1|disqualified", "2|pending", "3|pending", "4|pending", "5|disqualified", "6|pending"];
        judged(db, "2026-11-25T12:00:00Z", &states);
        let url = if source.kind() == "jira" {
            format!("http://{}/browse", source.name())
        } else {
            "https://linear.app/acme/issue".to_owned()
        };
        let evidence = "SELECT sha, kind, rule, by_url, happened_at FROM disqualification ORDER BY sha";
        let expected =
            ["a1", "a5"].map(|sha| format!("{sha}|reopen|ticket|{url}/PAY-1|2026-11-22T12:00:00Z"));
        assert_eq!(rows(db, evidence), expected);
        let reopens = "SELECT sha, misclick, in_window FROM reopen ORDER BY sha";
        assert_eq!(rows(db, reopens), ["a1|0|1", "a2|1|1", "a5|0|1"]);
        let service = format!("{}|{}|{}", source.name(), source.kind(), now());
        assert_eq!(rows(db, "SELECT name, kind, synced_at FROM service"), [service]);
    });
}

#[test]
fn only_what_was_touched_is_read_again() {
    let ((jira, of_jira), (linear, of_linear)) = (jira(), linear());
    let histories = |asked: &[String]| {
        asked.iter().filter(|it| it.contains("changelog") || it.contains("Histor")).count()
    };
    for (board, source) in [(&jira.board, &of_jira), (&linear.board, &of_linear)] {
        let asked = || if source.kind() == "jira" { jira.queries() } else { linear.queries() };
        on_both(|db| {
            begin(db);
            for number in 1..=3 {
                land(db, number, 20, ("x", &format!("PAY-{number}: Add x")));
                board.put(Card::new(&format!("PAY-{number}"), &[("done", "2026-11-20T13:00:00Z", "ana")]));
            }
            reads(db, source, 3);
            let (before, known) = (asked().len(), rows(db, EVENTS));
            reads(db, source, 3);
            assert_eq!(histories(&asked()[before..]), 0);
            assert_eq!(rows(db, EVENTS), known);
            let again = [("done", "2026-11-20T13:00:00Z", "ana"), ("doing", "2026-11-22T12:00:00Z", "")];
            board.put(Card::new("PAY-2", &again));
            let before = asked().len();
            reads(db, source, 3);
            assert_eq!(
                histories(&asked()[before..]),
                if source.kind() == "jira" { 1 } else { 2 },
                "{:?}",
                &asked()[before..]
            );
            let events = rows(db, EVENTS);
            assert_eq!(events.len(), 4);
            let bot = if source.kind() == "jira" { "-" } else { "GitHub" };
            assert_eq!(events[2], format!("PAY-2|reopened|2026-11-22T12:00:00Z|{bot}"));
        });
    }
}

#[test]
fn a_ticket_that_was_moved_is_known_by_its_former_key() {
    each(|db, board, source| {
        let again = [("done", "2026-11-20T13:00:00Z", "ana"), ("todo", "2026-11-22T12:00:00Z", "ben")];
        board.put(Card { former: vec!["PAY-1".to_owned()], ..Card::new("OPS-9", &again) });
        board.put(Card { former: vec!["PAY-2".to_owned()], ..Card::new("SHOP-2", &again) });
        land(db, 1, 20, ("x", "PAY-1: Add x"));
        land(db, 2, 20, ("x", "PAY-2: Add y"));
        land(db, 3, 20, ("x", "SHOP-2: Add z"));
        reads(db, source, 3);
        judged(db, "2026-11-25T12:00:00Z", &["1|disqualified", "2|disqualified", "3|disqualified"]);
    });
}

#[test]
fn what_is_not_there_is_asked_for_while_it_may_count() {
    each(|db, board, source| {
        land(db, 1, 20, ("x", "PAY-1: Add x"));
        reads(db, source, 0);
        assert_eq!(rows(db, "SELECT key, ticket FROM ticket_key"), ["PAY-1|"]);
        let again = [("done", "2026-11-20T13:00:00Z", "ana"), ("todo", "2026-11-22T12:00:00Z", "ben")];
        board.put(Card::new("PAY-1", &again));
        reads(db, source, 1);
        judged(db, "2026-11-25T12:00:00Z", &["1|disqualified"]);
        board.cards().clear();
        reads(db, source, 0);
        judged(db, "2026-11-25T12:00:00Z", &["1|disqualified"]);
    });
}

#[test]
fn what_landed_long_ago_is_asked_for_once() {
    each(|db, board, source| {
        let long_ago =
            "UPDATE change SET merged_at = '2026-08-26T11:59:59Z', shipped_at = '2026-08-26T11:59:59Z'";
        land(db, 1, 20, ("x", "PAY-1: Add x"));
        db.execute(long_ago, &[]).unwrap();
        board.put(Card::new(
            "PAY-1",
            &[("done", "2026-08-27T13:00:00Z", "ana"), ("todo", "2026-08-28T12:00:00Z", "ben")],
        ));
        reads(db, source, 1);
        judged(db, "2026-11-25T12:00:00Z", &["1|disqualified"]);
        reads(db, source, 0);
        db.execute(&long_ago.replace("T11:59:59Z", "T12:00:00Z"), &[]).unwrap();
        reads(db, source, 1);
    });
}

#[test]
fn a_state_that_was_deleted_hides_no_reopen() {
    each(|db, board, source| {
        land(db, 1, 20, ("x", "PAY-1: Add x"));
        let moves = [
            ("gone", "2026-11-19T13:00:00Z", "ana"),
            ("done", "2026-11-20T13:00:00Z", "ana"),
            ("gone", "2026-11-21T13:00:00Z", "ana"),
            ("doing", "2026-11-22T12:00:00Z", "ben"),
        ];
        board.put(Card::new("PAY-1", &moves));
        reads(db, source, 1);
        let expected = ["PAY-1|done|2026-11-20T13:00:00Z|ana", "PAY-1|reopened|2026-11-22T12:00:00Z|ben"];
        assert_eq!(rows(db, EVENTS), expected);
    });
}

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
fn weeks_wait_for_a_tracker_until_it_is_no_source_any_more() {
    each(|db, _, source| {
        let early = "2026-11-20T12:00:00Z";
        let stands = |db: &mut Db| source_read(db).unwrap()[&REPO.parse().unwrap()].to_string();
        assert_eq!(stands(db), now().to_string());
        reads(db, source, 0);
        db.execute(&format!("UPDATE service SET synced_at = '{early}'"), &[]).unwrap();
        assert_eq!(stands(db), early);
        wait_for_trackers(db, std::slice::from_ref(source)).unwrap();
        assert_eq!(stands(db), early);
        db.execute("UPDATE service SET synced_at = NULL", &[]).unwrap();
        assert_eq!(stands(db), "1970-01-01T00:00:00Z");
        wait_for_trackers(db, &[]).unwrap();
        assert_eq!(stands(db), now().to_string());
    });
}

#[test]
fn weeks_wait_for_a_tracker_that_was_never_reached() {
    let (jira, source) = jira();
    on_both(|db| {
        begin(db);
        jira.host().fail([Some(Reply::Status(401, vec![], String::new()))]);
        syncs(db, &source).unwrap_err();
        let stands = source_read(db).unwrap()[&REPO.parse().unwrap()];
        assert_eq!(stands, Timestamp::UNIX_EPOCH);
    });
}

#[test]
fn a_key_of_two_trackers_stands_for_the_tickets_of_both() {
    let ((jira, of_jira), (linear, of_linear)) = (jira(), linear());
    let again = |day: &str| {
        let (done, todo) = (format!("2026-11-{day}T13:00:00Z"), format!("2026-11-{day}T18:00:00Z"));
        Card::new("PAY-1", &[("done", &done, "ana"), ("todo", &todo, "ben")])
    };
    for (first, second) in [("10", "20"), ("20", "10")] {
        jira.board.put(again(first));
        linear.board.put(again(second));
        on_both(|db| {
            begin(db);
            land(db, 1, 20, ("x", "PAY-1: Add x"));
            reads(db, &of_jira, 1);
            reads(db, &of_linear, 1);
            judged(db, "2026-11-25T12:00:00Z", &["1|disqualified"]);
        });
    }
}
