//! teams.toml edited while the collector runs.

use crate::server::{Server, report};
use serde_json::{Value, json};
use tests::wait::until;

fn teams_of(server: &Server) -> Vec<Value> {
    server.collector.sql("SELECT DISTINCT team FROM usage")
}

#[test]
fn an_edit_counts_and_a_broken_one_keeps_the_last_good_map() {
    let server = Server::start();
    let token = server.token();
    server.deliver(&token, &report(&json!({})));
    assert_eq!(teams_of(&server), [json!({"team": "payments"})]);

    server.collector.teams("[[team]]\nid = \"payments\"\nmembers = 5\n");
    until("the refusal to be logged", || {
        server.collector.log().contains("the last good map stays").then_some(())
    });
    assert!(server.collector.log().contains("line 3"), "{}", server.collector.log());
    let (_, metrics) = server.get("/metrics");
    assert!(metrics.contains("cpvo_teams_refused_total 1"), "{metrics}");
    let other = report(&json!({"session_id": "8b41c8a0-0000-4000-8000-000000000001"}));
    server.deliver(&token, &other);
    assert_eq!(teams_of(&server), [json!({"team": "payments"})]);

    server.collector.teams(
        "[[team]]\nid = \"web\"\nmembers = [{ email = \"ana@acme.example\", from = \"2026-01-01\" }]\n",
    );
    until("the past to follow", || (teams_of(&server) == [json!({"team": "web"})]).then_some(()));
    let weeks = server.collector.sql("SELECT team, requests FROM team_week WHERE requests > 0");
    assert_eq!(weeks, [json!({"team": "web", "requests": 8})]);
    let audit =
        server.collector.sql("SELECT action FROM audit WHERE subject = 'ana@acme.example' ORDER BY audit_id");
    assert_eq!(audit.last().unwrap()["action"], "membership_changed");
}
