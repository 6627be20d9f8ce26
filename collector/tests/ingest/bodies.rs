//! Every way a body can be wrong, and that a bad report never harms its neighbours.

use crate::server::{Server, report};
use serde_json::{Value, json};

fn row(changes: &Value) -> Value {
    let golden: Value = serde_json::from_str(&report(&json!({}))).unwrap();
    let mut row = golden["usage"][0].clone();
    for (field, value) in changes.as_object().unwrap() {
        row[field] = value.clone();
    }
    row
}

fn with_row(changes: &Value) -> String {
    report(&json!({"usage": [row(changes)]}))
}

/// Delivered between two good reports, it is rejected by name and they are stored.
#[track_caller]
fn rejected(server: &Server, token: &str, bad: &str, code: &str, named: &str) {
    let good = |n: u32| report(&json!({"session_id": format!("8b41c8a0-0000-4000-8000-{n:012}")}));
    let (status, reply) = server.post(token, &format!("[{}, {bad}, {}]", good(1), good(2)));
    assert_eq!(status, 200, "{reply}");
    let results = reply["results"].as_array().unwrap();
    assert_eq!(results.len(), 3);
    assert!(["applied", "same"].contains(&results[0]["status"].as_str().unwrap()), "{reply}");
    assert!(["applied", "same"].contains(&results[2]["status"].as_str().unwrap()), "{reply}");
    let answer = &results[1];
    assert_eq!((&answer["status"], &answer["code"]), (&json!("rejected"), &json!(code)), "{answer}");
    assert!(answer["message"].as_str().unwrap().contains(named), "{named:?} is not in {answer}");
}

#[test]
fn a_bad_report_is_named_and_harms_no_other() {
    let server = Server::start();
    let token = server.token();
    let check = |bad: &str, code, named| rejected(&server, &token, bad, code, named);
    for count in ["-1", "1.5", "1e3", "1125899906842625", "9223372036854775808", "\"7\"", "null"] {
        let text =
            with_row(&json!({"output": 255})).replace("\"output\":255", &format!("\"output\":{count}"));
        check(&text, "invalid", "usage[0]");
    }
    check(&with_row(&json!({"requests": 1_000_001})), "invalid", "usage[0]");
    check(&with_row(&json!({"branch": "a\u{0}b"})), "invalid", "U+0000");
    check(&with_row(&json!({"branch": "a\u{1b}[31m"})), "invalid", "U+001B");
    check(&with_row(&json!({"model": ""})), "invalid", "model");
    check(&with_row(&json!({"colour": "red"})), "unknown", "colour");
    check(&with_row(&json!({"agent": "swarm"})), "unknown", "swarm");
    check(&with_row(&json!({"hour": "2026-11-15T04:00:00Z"})), "invalid", "2026-W47");
    check(&report(&json!({"session_id": "../../etc/passwd"})), "invalid", "session_id");
    check(&report(&json!({"colour": "red"})), "unknown", "colour");
    check(&report(&json!({"schema": 2})), "unknown", "schema");
    check(&report(&json!({"usage": 5})), "invalid", "usage");
    check(&report(&json!({"usage": [row(&json!({})), row(&json!({}))]})), "invalid", "same key");
    check(&report(&json!({"developer": {"email": "a@b", "team": "x"}})), "invalid", "developer");
    check(&report(&json!({})).replacen('{', "{\"repo\":\"none\",", 1), "invalid", "duplicate field `repo`");
    check(&report(&json!({"started_at": "2026-11-22T09:00:00Z"})), "invalid", "ended_at");
    check("5", "invalid", "");
    check("null", "invalid", "");
    check(&format!("{}{}", "[".repeat(10_000), "]".repeat(10_000)), "invalid", "");
    let deep = format!("{{\"usage\":{}{}}}", "[".repeat(10_000), "]".repeat(10_000));
    check(&deep, "invalid", "");
    let future =
        report(&json!({"week": "2099-W01", "usage": [row(&json!({"hour": "2099-01-01T00:00:00Z"}))]}));
    check(&future, "future", "2099");
    assert_eq!(server.count("session"), 2);
}

#[test]
fn what_looks_like_code_is_only_text() {
    let server = Server::start();
    let token = server.token();
    let branch = "x'); DROP TABLE usage; -- <script>alert(1)</script>";
    assert_eq!(server.deliver(&token, &with_row(&json!({"branch": branch})))["status"], "applied");
    assert_eq!(server.collector.sql("SELECT branch FROM usage")[0]["branch"], branch);
}

#[test]
fn the_answer_tells_the_key_as_far_as_it_can_be_told() {
    let server = Server::start();
    let answer = server.deliver(&server.token(), &report(&json!({"week": "next", "usage": []})));
    assert_eq!(answer["repo"], "github.com/acme/pay");
    assert!(answer["session_id"].is_string() && answer["week"].is_null());
    assert_eq!(answer["retry"], "never");
}

#[test]
fn what_is_no_array_of_reports_is_refused_whole() {
    let server = Server::start();
    let token = server.token();
    let one = report(&json!({}));
    let many = vec![one.as_str(); 257].join(",");
    for bad in [
        "",
        "{}",
        "[]",
        "[1",
        "[1]]",
        "nonsense",
        "\"text\"",
        &one,
        &format!("[{many}]"),
        "[NaN]",
        "[\u{fffd}",
    ] {
        let (status, reply) = server.post(&token, bad);
        assert_eq!(
            (status, &reply["error"]["code"]),
            (422, &json!("unreadable")),
            "{}",
            &bad[..bad.len().min(60)]
        );
    }
    let not_utf8 =
        server.post_with("/v1/reports", &format!("authorization: Bearer {token}\r\n"), b"[\"\xff\xfe\"]");
    assert_eq!(not_utf8.0, 422);
    assert_eq!(server.count("session"), 0);
    let (status, reply) = server.post(&token, &format!("[{}]", vec![one.as_str(); 256].join(",")));
    assert_eq!((status, reply["results"].as_array().unwrap().len()), (200, 256));
    assert_eq!(server.count("session"), 1);
}

#[test]
fn the_same_report_a_hundred_times_at_once_is_one() {
    let server = Server::start();
    let token = server.token();
    let body = report(&json!({}));
    let applied: usize = std::thread::scope(|scope| {
        let post = || usize::from(server.deliver(&token, &body)["status"] == "applied");
        let posts: Vec<_> = (0..100).map(|_| scope.spawn(post)).collect();
        posts.into_iter().map(|post| post.join().unwrap()).sum()
    });
    assert_eq!(applied, 1);
    assert_eq!((server.count("session"), server.count("usage")), (json!(1), json!(2)));
    let sums = server.collector.sql("SELECT requests, billed_nanousd FROM team_week WHERE requests > 0");
    assert_eq!(sums, [json!({"requests": 4, "billed_nanousd": 295_084_000})]);
}

/// Asks as the bearer of `token` what is missing; the weeks of the answer.
fn missing(server: &Server, token: &str, keys: &Value) -> (u16, Vec<String>) {
    let bearer = format!("authorization: Bearer {token}\r\n");
    let (status, reply) = server.post_with("/v1/sessions/missing", &bearer, keys.to_string().as_bytes());
    let keys = reply["missing"].as_array().into_iter().flatten();
    (status, keys.map(|key| key["week"].as_str().unwrap().to_owned()).collect())
}

/// The key of the golden report in any week, with a rank of its ledger or of another one.
fn key(week: &str, epoch: u64, seq: u64) -> Value {
    let golden: Value = serde_json::from_str(&report(&json!({}))).unwrap();
    let rank = json!({"parser": 1, "epoch": epoch, "seq": seq});
    json!({"session_id": golden["session_id"], "repo": golden["repo"], "week": week, "rank": rank})
}

/// The birth of the ledger the golden report is from.
const BORN: u64 = 1_795_320_000;

#[test]
fn a_sweep_learns_what_is_missing() {
    let server = Server::start();
    let token = server.token();
    server.deliver(&token, &report(&json!({})));
    let asked = json!([key("2026-W47", BORN, 7), key("2026-W47", BORN, 8), key("2026-W46", BORN, 1)]);
    let both = vec!["2026-W47".to_owned(), "2026-W46".to_owned()];
    assert_eq!(missing(&server, &token, &asked), (200, both));
    assert_eq!(missing(&server, &token, &json!(vec![key("2026-W47", BORN, 7); 4097])).0, 422);
    assert_eq!(missing(&server, &token, &json!([{"session_id": 5}])).0, 422);
}

#[test]
fn nobody_learns_of_a_key_that_another_owner_has() {
    let server = Server::start();
    let (own, other) = (server.token(), server.collector.token("github.com/acme/web"));
    server.deliver(&own, &report(&json!({})));
    let asks = |token: &str, epoch, seq| missing(&server, token, &json!([key("2026-W47", epoch, seq)])).1;
    for seq in [0, 7, 8, 1_000_000] {
        assert!(asks(&other, BORN - 1, seq).is_empty() && asks(&other, BORN + 1, seq).is_empty(), "{seq}");
    }
    assert_eq!(asks(&other, BORN, 8), ["2026-W47"], "from the same ledger, through another repository");
    assert_eq!(asks(&own, BORN + 1, 1), ["2026-W47"], "from a ledger made anew, through the same repository");
    let strict = server.collector.cpvo(&["token", "issue", "--repo", "github.com/acme/web", "--strict"]);
    assert!(asks(strict.success().trim(), BORN, 8).is_empty());
}

#[test]
fn what_lies_ahead_of_the_clock_is_taken_when_its_time_has_come() {
    let server = Server::start();
    let token = server.token();
    let at = |seconds: i64| {
        let at = jiff::Timestamp::from_second(crate::tokens::now() + seconds).unwrap();
        json!({"started_at": at.to_string(), "ended_at": null, "usage": [], "commits": [], "pull_requests": []})
    };
    let ahead = |changes: Value| {
        let mut changes = changes;
        let at: jiff::Timestamp = changes["started_at"].as_str().unwrap().parse().unwrap();
        changes["week"] = json!(meter::Week::of(at).to_string());
        report(&changes)
    };
    let answer = server.deliver(&token, &ahead(at(3600)));
    assert_eq!((&answer["status"], &answer["retry"]), (&json!("rejected"), &json!("later")), "{answer}");
    // ten minutes ahead are taken; the rest of the way the clock goes while it is offered again
    let soon = ahead(at(610));
    let first = server.deliver(&token, &soon);
    assert_eq!((&first["code"], &first["retry"]), (&json!("future"), &json!("later")), "{first}");
    tests::wait::until("the report's time to come", || {
        (server.deliver(&token, &soon)["status"] == "applied").then_some(())
    });
    assert_eq!(server.count("session"), 1);
}
