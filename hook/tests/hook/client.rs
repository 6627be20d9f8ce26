//! What the client sees of the hook: nothing, whatever happens.

use crate::collector::{Collector, Manner, applied};
use crate::world::{ONE, TWO, World, newest, response};
use serde_json::json;

#[test]
fn a_session_s_end_is_delivered_by_a_process_of_its_own() {
    let (collector, world) = (Collector::start(), World::new());
    let pay = world.repository("pay", Some(&collector.url()));
    world.write(ONE, &[response(ONE, "a", &pay, 7)]);
    world.session_end(&pay, ONE);
    let requests = collector.await_requests(1);
    assert_eq!(
        (requests[0].path.as_str(), requests[0].token.as_str()),
        ("/v1/reports", "Bearer token-of-pay")
    );
    let report = &requests[0].body[0];
    assert_eq!(report["developer"], json!({"email": "ana@acme.example"}));
    assert_eq!(report["end_reason"], "prompt_input_exit");
    assert_eq!(newest(&collector.reports())["git.example/acme/pay"], 7);
}

#[test]
fn a_killed_session_is_found_at_the_next_start() {
    let (collector, world) = (Collector::start(), World::new());
    let pay = world.repository("pay", Some(&collector.url()));
    world.write(ONE, &[response(ONE, "a", &pay, 7)]);
    world.event(&pay, "session-start", &world.said(&pay, TWO, "SessionStart").to_string());
    let requests = collector.await_requests(1);
    assert_eq!(requests[0].body[0]["end_reason"], "swept");
    assert_eq!(requests[0].body[0]["session_id"], ONE);
}

#[test]
fn whatever_stdin_holds_the_client_notices_nothing() {
    let (collector, world) = (Collector::start(), World::new());
    let pay = world.repository("pay", Some(&collector.url()));
    let mut half = world.said(&pay, ONE, "SessionEnd");
    half.as_object_mut().unwrap().remove("cwd");
    let broken = json!({"session_id": "../../etc/passwd", "transcript_path": "/", "cwd": "/"});
    for stdin in ["", "not JSON", "{", "[]", "{}", &half.to_string(), &broken.to_string()] {
        for event in ["session-start", "session-end"] {
            world.event(&pay, event, stdin);
        }
    }
    // the transcript of a session without a prompt is never written
    world.session_end(&pay, ONE);
    assert!(world.json(&pay, &["status", "--json"])["log"][0].as_str().unwrap().contains("stdin"));
    assert!(collector.requests().is_empty());
}

#[test]
fn a_state_folder_that_cannot_be_written_is_no_concern_of_the_client() {
    let (collector, world) = (Collector::start(), World::new());
    let pay = world.repository("pay", Some(&collector.url()));
    world.write(ONE, &[response(ONE, "a", &pay, 7)]);
    std::fs::write(world.state(), "a file where the folder should be").unwrap();
    world.session_end(&pay, ONE);
    world.event(&pay, "session-start", &world.said(&pay, ONE, "SessionStart").to_string());
    let output = world.hook(&pay, &["sweep"], "");
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("state folder"));
}

#[test]
fn a_damaged_ledger_is_rebuilt_and_everything_sent_again() {
    let (collector, world) = (Collector::start(), World::new());
    let pay = world.repository("pay", Some(&collector.url()));
    world.write(ONE, &[response(ONE, "a", &pay, 7)]);
    world.sweep(&pay);
    for file in ["ledger.db-wal", "ledger.db-shm"] {
        std::fs::remove_file(world.state().join(file)).ok();
    }
    std::fs::write(world.state().join("ledger.db"), "garbage".repeat(1000)).unwrap();
    world.session_end(&pay, ONE);
    collector.await_requests(3);
    let reports = collector.reports();
    assert_eq!(reports.len(), 2);
    assert_eq!(reports[0]["usage"], reports[1]["usage"]);
    assert_eq!(reports[0]["install_id"], reports[1]["install_id"]);
}

#[test]
fn a_collector_that_never_answers_keeps_no_session_from_ending() {
    let (collector, world) = (Collector::start(), World::new());
    let pay = world.repository("pay", Some(&collector.url()));
    world.write(ONE, &[response(ONE, "a", &pay, 7)]);
    collector.behave(Manner::Silent);
    // returns although nothing was answered
    world.session_end(&pay, ONE);
    collector.await_requests(1);
    collector.behave(Manner::Rule(applied));
    collector.await_requests(2);
    assert_eq!(newest(&collector.reports())["git.example/acme/pay"], 7);
}

#[test]
fn where_the_machine_ends_with_the_session_it_delivers_first() {
    let (collector, world) = (Collector::start(), World::new().with("CI", "true"));
    let pay = world.repository("pay", Some(&collector.url()));
    world.write(ONE, &[response(ONE, "a", &pay, 7)]);
    world.session_end(&pay, ONE);
    assert_eq!(collector.reports()[0]["environment"], "ci");
}

#[test]
fn disabled_means_nothing_at_all() {
    let (collector, world) = (Collector::start(), World::new().with("CPVO_DISABLE", "1"));
    let pay = world.repository("pay", Some(&collector.url()));
    world.write(ONE, &[response(ONE, "a", &pay, 7)]);
    world.session_end(&pay, ONE);
    assert!(!world.hook(&pay, &["sweep"], "").status.success());
    assert!(collector.requests().is_empty() && !world.state().exists());
}
