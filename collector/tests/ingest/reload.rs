//! teams.toml edited while the collector runs.

use crate::server::{Server, report};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::symlink;
use tests::wait::until;

const WEB: &str =
    "[[team]]\nid = \"web\"\nmembers = [{ email = \"ana@acme.example\", from = \"2026-01-01\" }]\n";

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
    assert!(server.collector.log().contains("line=3"), "{}", server.collector.log());
    let (_, metrics) = server.get("/metrics");
    assert!(metrics.contains("cpvo_teams_refused_total 1"), "{metrics}");
    let other = report(&json!({"session_id": "8b41c8a0-0000-4000-8000-000000000001"}));
    server.deliver(&token, &other);
    assert_eq!(teams_of(&server), [json!({"team": "payments"})]);

    server.collector.teams(WEB);
    until("the past to follow", || (teams_of(&server) == [json!({"team": "web"})]).then_some(()));
    let weeks = server.collector.sql("SELECT team, requests FROM team_week WHERE requests > 0");
    assert_eq!(weeks, [json!({"team": "web", "requests": 8})]);
    let audit =
        server.collector.sql("SELECT action FROM audit WHERE subject = 'ana@acme.example' ORDER BY audit_id");
    assert_eq!(audit.last().unwrap()["action"], "membership_changed");
}

#[test]
fn what_cannot_be_read_counts_once() {
    let server = Server::start();
    // replaced, as an editor does: a file that is written anew is empty for a moment, which can be read
    let edit = || {
        let new = server.collector.folder.join("teams.toml.new");
        fs::write(&new, b"\xff").unwrap();
        fs::rename(new, server.collector.folder.join("teams.toml")).unwrap();
    };
    edit();
    let refused = || server.get("/metrics").1.contains("cpvo_teams_refused_total 1\n");
    until("the refusal to be counted", || refused().then_some(()));
    // neither our reading it nor an edit that changes nothing is another refusal
    let mut looks = 0;
    until("fifty looks at the count", || {
        edit();
        assert!(refused(), "{}", server.collector.log());
        looks += 1;
        (looks == 50).then_some(())
    });
    assert_eq!(server.collector.log().matches("could not read the teams").count(), 1);
}

#[test]
fn an_edit_that_meets_a_busy_store_is_taken_in_later() {
    let server = Server::start();
    let token = server.token();
    server.deliver(&token, &report(&json!({})));
    let other = rusqlite::Connection::open(server.collector.folder.join("cpvo.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    server.collector.teams(WEB);
    until("the store to be too busy", || {
        server.collector.log().contains("could not store the teams").then_some(())
    });
    other.execute_batch("ROLLBACK").unwrap();
    until("the edit to count", || (teams_of(&server) == [json!({"team": "web"})]).then_some(()));
}

#[test]
fn a_link_is_followed_to_where_it_is_edited() {
    let shared = tempfile::tempdir().unwrap();
    let mut server = Server::start();
    let token = server.token();
    server.deliver(&token, &report(&json!({})));
    let (link, target) = (server.collector.folder.join("teams.toml"), shared.path().join("people.toml"));
    fs::copy(&link, &target).unwrap();
    fs::remove_file(&link).unwrap();
    symlink(&target, &link).unwrap();
    server.collector.stop();
    server.collector.serve();
    fs::write(&target, WEB).unwrap();
    until("the edit to count", || (teams_of(&server) == [json!({"team": "web"})]).then_some(()));
}
