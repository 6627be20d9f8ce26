//! Incidents as a monitoring tells them, and what a token for them may do.

use crate::server::{REPO, Server, report};
use serde_json::{Value, json};

fn post(server: &Server, token: &str, body: &str) -> (u16, Value) {
    server.post_with("/v1/incidents", &format!("authorization: Bearer {token}\r\n"), body.as_bytes())
}

fn token(server: &Server) -> String {
    let issued = server.collector.cpvo(&["token", "issue", "--repo", REPO, "--incidents"]).success();
    issued.trim().to_owned()
}

#[test]
fn a_monitoring_tells_incidents_and_delivers_nothing() {
    let server = Server::start();
    let token = token(&server);
    let incident = |resolved: Value| {
        json!({"id": "INC-1", "opened": "2026-11-20T10:00:00Z", "resolved": resolved, "sha": "a".repeat(40)})
            .to_string()
    };
    let answer = |status: &str| json!({"id": "INC-1", "status": status, "change": null});
    assert_eq!(post(&server, &token, &incident(Value::Null)), (200, answer("added")));
    let resolved = incident(json!("2026-11-20T12:00:00+01:00"));
    assert_eq!(post(&server, &token, &resolved), (200, answer("changed")));
    assert_eq!(post(&server, &token, &resolved), (200, answer("same")));
    let stored = server.collector.sql("SELECT repo, service, incident, opened_at, resolved_at FROM incident");
    let expected = json!([{
        "repo": REPO, "service": "api", "incident": "INC-1", "opened_at": "2026-11-20T10:00:00Z",
        "resolved_at": "2026-11-20T11:00:00Z",
    }]);
    assert_eq!(json!(stored), expected);
    let (status, refusal) = server.post(&token, &format!("[{}]", report(&json!({}))));
    assert_eq!((status, &refusal["error"]["code"]), (403, &json!("forbidden")));
    assert!(server.collector.cpvo(&["token", "list"]).success().contains("incidents"));
}

#[test]
fn what_is_no_incident_is_refused_by_its_field() {
    let server = Server::start();
    let token = token(&server);
    for (body, reason) in [
        (json!({"id": "x", "opened": "yesterday"}).to_string(), "opened: "),
        (json!({"id": "x", "opened": "2999-01-01T00:00:00Z"}).to_string(), "opened: lies in the future"),
        (json!({"id": "x"}).to_string(), "missing field `opened`"),
        ("x".to_owned(), "expected value"),
    ] {
        let (status, reply) = post(&server, &token, &body);
        let message = reply["error"]["message"].as_str().unwrap_or_default().to_owned();
        assert!(status == 422 && message.starts_with(reason), "{body}: {status} {message}");
    }
    let good = json!({"id": "x", "opened": "2026-11-20T10:00:00Z"}).to_string();
    assert_eq!(post(&server, &server.token(), &good).0, 403, "a token for reports tells no incident");
    assert_eq!(post(&server, "", &good).0, 401);
    let listed = server.collector.cpvo(&["token", "list"]).success();
    let line = listed.lines().find(|line| line.contains("incidents")).unwrap();
    let id = line.split_whitespace().next().unwrap();
    server.collector.cpvo(&["token", "revoke", id]).success();
    assert_eq!(post(&server, &token, &good).0, 401);
    assert_eq!(server.count("incident"), 0);
}
