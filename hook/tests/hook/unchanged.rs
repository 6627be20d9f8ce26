//! What is read again and says the same is not sent again; what only looks leaves no trace.

use crate::collector::{Collector, Manner, applied, raw};
use crate::world::{ONE, TWO, World, newest, prompt, response, ship};
use serde_json::{Value, json};
use std::path::PathBuf;

fn stage() -> (Collector, World, PathBuf) {
    let (collector, world) = (Collector::start(), World::new());
    let pay = world.repository("pay", Some(&collector.url()));
    ship(&pay, &json!({"CPVO_URL": collector.url(), "CPVO_TOKEN": "t", "CPVO_SINCE": "2026-11-01"}));
    for (session, id) in [(ONE, "a"), (TWO, "b")] {
        world.write(session, &[prompt(session, &pay), response(session, id, &pay, 7)]);
    }
    (collector, world, pay)
}

/// The snapshot number of each report sent of a session.
fn sequence(reports: &[Value], session: &str) -> Vec<u64> {
    let of_session = reports.iter().filter(|report| report["session_id"] == session);
    of_session.map(|report| report["rank"]["seq"].as_u64().unwrap()).collect()
}

#[test]
fn a_sweep_from_another_folder_sends_nothing_again() {
    let (collector, world, pay) = stage();
    assert_eq!(world.sweep(&pay)["sent"].as_array().unwrap().len(), 2);
    // without a bound of its own: everything is read from the beginning
    let other = world.repository("other", Some(&collector.url()));
    let asked = collector.requests().len();
    let said = world.sweep(&other);
    assert_eq!((&said["read"]["transcripts"], &said["sent"]), (&json!(2), &json!([])));
    assert_eq!(world.json(&pay, &["status", "--json"])["waiting"], 0);
    assert_eq!(world.sweep(&pay)["sent"], json!([]));
    assert_eq!(collector.requests().len(), asked);

    // one of them goes on: it alone is sent, and the collector is asked for the other as it knows it
    world.append(ONE, &[response(ONE, "c", &pay, 1)]);
    collector.behave(raw("500 Oops", ""));
    world.sweep(&pay);
    collector.behave(Manner::Rule(applied));
    assert_eq!(world.sweep(&pay)["sent"].as_array().unwrap().len(), 1);
    let reports = collector.reports();
    let (one, two) = (sequence(&reports, ONE), sequence(&reports, TWO));
    assert!(one.is_sorted() && one.first() < one.last(), "{one:?}");
    assert_eq!(two.len(), 1);
    let missing = collector.requests().pop().unwrap();
    assert_eq!(missing.path, "/v1/sessions/missing");
    let asked = missing.body.as_array().unwrap().iter().find(|asked| asked["session_id"] == TWO).unwrap();
    assert_eq!(asked["rank"]["seq"], json!(two[0]));
    assert_eq!(newest(&reports)["git.example/acme/pay"], 15);
}

#[test]
fn a_transcript_that_was_only_written_anew_is_not_sent_again() {
    let (collector, world, pay) = stage();
    world.sweep(&pay);
    let (path, copy) = (world.transcript(ONE), world.path("copy"));
    std::fs::copy(&path, &copy).unwrap();
    std::fs::rename(&copy, &path).unwrap();
    let said = world.sweep(&pay);
    assert_eq!((&said["read"]["transcripts"], &said["sent"]), (&json!(1), &json!([])));
    assert_eq!(collector.reports().len(), 2);
}

#[test]
fn what_is_held_is_not_offered_again_for_being_read_again() {
    let (collector, world, pay) = stage();
    collector.behave(Manner::Rule(
        |_| json!({"status": "held", "code": "fewer", "message": "fewer requests", "retry": "later"}),
    ));
    world.sweep(&pay);
    let other = world.repository("other", Some(&collector.url()));
    world.sweep(&other);
    assert_eq!(collector.reports().len(), 2);
    assert_eq!(world.json(&pay, &["status", "--json"])["held"].as_array().unwrap().len(), 2);
}

#[test]
fn an_answer_that_is_lost_leaves_no_former_one_standing() {
    let (collector, mut world, pay) = stage();
    world.variables.insert("CPVO_DELIVER".to_owned(), "inline".to_owned());
    world.session_end(&pay, ONE);
    // the collector may have stored what it was sent all the same
    collector.behave(raw("HTTP/1.1 500 Internal Server Error", ""));
    world.variables.insert("CLAUDE_CODE_USE_BEDROCK".to_owned(), "1".to_owned());
    world.session_end(&pay, ONE);
    world.variables.remove("CLAUDE_CODE_USE_BEDROCK");
    collector.behave(Manner::Rule(applied));
    world.session_end(&pay, ONE);
    let reports = collector.reports();
    let providers: Vec<&Value> = reports.iter().map(|report| &report["provider"]).collect();
    assert_eq!((providers[0], providers[1]), (&json!("anthropic"), &json!("bedrock")));
    assert_eq!(providers.last(), Some(&&json!("anthropic")), "what it may have stored is replaced");
}

#[test]
fn who_looks_changes_nothing() {
    let (collector, world, pay) = stage();
    world.sweep(&pay);
    let kept = || {
        ["ledger.db", "ledger.db-wal"].map(|name| std::fs::read(world.state().join(name)).unwrap_or_default())
    };
    let before = kept();
    world.append(ONE, &[response(ONE, "c", &pay, 1)]);
    let other = world.repository("other", Some(&collector.url()));
    for folder in [&other, &pay] {
        let preview = world.json(folder, &["preview"]);
        assert_eq!(newest(preview.as_array().unwrap())["git.example/acme/pay"], 8);
        let me = world.json(folder, &["me", "--json"]);
        assert_eq!(me[0]["requests"], 3);
    }
    assert!(kept() == before, "the ledger was written to");
    assert_eq!(world.sweep(&pay)["sent"].as_array().unwrap().len(), 1, "what was looked at is still sent");
}
