//! What the collector says, and what becomes of the reports.

use crate::collector::{Collector, Manner, applied, raw};
use crate::world::{ONE, TWO, World, newest, response, ship};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

fn stage() -> (Collector, World, PathBuf) {
    let (collector, world) = (Collector::start(), World::new());
    let pay = world.repository("pay", Some(&collector.url()));
    world.write(ONE, &[response(ONE, "a", &pay, 7)]);
    world.write(TWO, &[response(TWO, "b", &pay, 5)]);
    (collector, world, pay)
}

#[track_caller]
fn delivers(collector: &Collector, world: &World, pay: &Path) {
    collector.behave(Manner::Rule(applied));
    let before = collector.reports().len();
    assert_eq!(world.sweep(pay)["sent"].as_array().unwrap().len(), 2);
    assert_eq!(newest(&collector.reports()[before..])["git.example/acme/pay"], 12);
    assert_eq!(world.sweep(pay)["sent"], json!([]));
}

#[test]
fn nothing_is_lost_while_the_collector_is_down() {
    let (collector, world, pay) = stage();
    // a port nobody listens on
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    ship(&pay, &json!({"CPVO_URL": format!("http://{closed}")}));
    let output = world.hook(&pay, &["sweep"], "");
    assert!(!output.status.success());
    let status = world.json(&pay, &["status", "--json"]);
    assert_eq!(status["waiting"], 2);
    assert!(status["problems"][0].as_str().unwrap().contains("the last delivery failed"), "{status}");
    ship(&pay, &json!({"CPVO_URL": collector.url()}));
    delivers(&collector, &world, &pay);
    assert!(world.hook(&pay, &["status"], "").status.success());
}

#[test]
fn garbage_is_no_answer() {
    for (head, body) in [
        ("200 OK", "hello"),
        ("200 OK", "{\"results\":[]}"),
        ("500 Oops", ""),
        ("302 Found\r\nlocation: http://127.0.0.1:1/", ""),
    ] {
        let (collector, world, pay) = stage();
        collector.behave(raw(head, body));
        assert_eq!(world.sweep(&pay)["sent"], json!([]), "{head} {body}");
        delivers(&collector, &world, &pay);
    }
}

#[test]
fn refused_credentials_stop_it_until_they_change() {
    let (collector, world, pay) = stage();
    collector.behave(raw("401 No", r#"{"error":{"code":"unauthorized","message":"token is revoked"}}"#));
    assert!(world.sweep(&pay)["troubles"][0].as_str().unwrap().contains("token is revoked"));
    let asked = collector.requests().len();
    world.sweep(&pay);
    assert_eq!(collector.requests().len(), asked, "it asked again with the same token");
    assert!(!world.hook(&pay, &["status"], "").status.success());
    ship(&pay, &json!({"CPVO_URL": collector.url(), "CPVO_TOKEN": "another"}));
    delivers(&collector, &world, &pay);
}

#[test]
fn a_refused_token_stops_its_own_repositories_only() {
    let (collector, world, pay) = stage();
    let other = world.repository("other", Some(&collector.url()));
    world.write(TWO, &[response(TWO, "b", &other, 5)]);
    collector.behave(Manner::Refuses("token-of-other"));
    for _ in 0..2 {
        world.sweep(&pay);
    }
    let refused = collector.requests().into_iter().filter(|request| request.token.ends_with("other"));
    assert_eq!(refused.count(), 1, "it asked again with the refused token");
    assert_eq!(newest(&collector.reports())["git.example/acme/pay"], 7);
    let output = world.hook(&pay, &["status", "--json"], "");
    assert!(!output.status.success());
    let status: Value = serde_json::from_slice(&output.stdout).unwrap();
    let problem = status["problems"][0].as_str().unwrap();
    assert!(problem.contains("git.example/acme/other") && problem.contains("token is revoked"), "{status}");
    assert!(!problem.contains("acme/pay"), "{status}");
    assert_eq!(status["waiting"], 1);
    ship(&other, &json!({"CPVO_URL": collector.url(), "CPVO_TOKEN": "another"}));
    assert_eq!(world.sweep(&pay)["sent"].as_array().unwrap().len(), 1);
    assert!(world.hook(&pay, &["status"], "").status.success());
}

#[test]
fn a_pause_that_was_asked_for_is_kept() {
    for head in ["429 Slow", "503 Busy"] {
        let (collector, world, pay) = stage();
        collector.behave(raw(&format!("{head}\r\nretry-after: 600"), ""));
        world.sweep(&pay);
        collector.behave(Manner::Rule(applied));
        let said = world.sweep(&pay);
        assert!(said["troubles"][0].as_str().unwrap().contains("pause"), "{said}");
        assert_eq!(collector.requests().len(), 1);
    }
}

#[test]
fn a_collector_that_keeps_failing_is_left_alone_for_a_while() {
    let (collector, world, pay) = stage();
    // the next start's work, in the foreground, and the requests that were ever made
    let deliver = || {
        world.hook(&pay, &["work", "sweep", "--session", ONE, "--folder", pay.to_str().unwrap()], "");
        collector.requests().iter().filter(|request| request.path == "/v1/reports").count()
    };
    // a failure that is not tried again at once
    collector.behave(raw("200 OK", "{\"results\":[]}"));
    for _ in 0..5 {
        deliver();
    }
    assert_eq!(deliver(), 3);
    let status = world.json(&pay, &["status", "--json"]);
    assert!(status["problems"][0].as_str().unwrap().contains("; tried again from "), "{status}");
    // who asks is not kept waiting
    world.sweep(&pay);
    collector.behave(Manner::Rule(applied));
    assert_eq!(deliver(), 4);
    let ledger = rusqlite::Connection::open(world.state().join("ledger.db")).unwrap();
    ledger.execute("UPDATE collector SET retry_at = retry_at - 1800", []).unwrap();
    assert_eq!(deliver(), 5);
    assert!(world.hook(&pay, &["status"], "").status.success());
}

#[test]
fn a_request_that_is_too_large_is_halved() {
    let (collector, world, pay) = stage();
    collector.behave(raw("413 Too Large", ""));
    assert_eq!(world.sweep(&pay)["refused"], 2);
    let sizes: Vec<usize> =
        collector.requests().iter().map(|sent| sent.body.as_array().unwrap().len()).collect();
    assert_eq!(sizes, [2, 1, 1]);
    collector.behave(Manner::Rule(applied));
    assert_eq!(world.sweep(&pay)["sent"], json!([]));
    assert_eq!(world.json(&pay, &["status", "--json"])["set_aside"].as_array().unwrap().len(), 2);
}

#[test]
fn one_report_s_fault_is_no_other_s() {
    let (collector, world, pay) = stage();
    collector.behave(Manner::Rule(|report| match report["session_id"].as_str() {
        Some(ONE) => {
            json!({"status": "rejected", "code": "owned", "message": "session of another", "retry": "never"})
        }
        _ => json!({"status": "applied"}),
    }));
    let said = world.sweep(&pay);
    assert_eq!((said["sent"].as_array().unwrap().len(), &said["refused"]), (1, &json!(1)));
    assert_eq!(world.sweep(&pay)["sent"], json!([]));
    let status = world.json(&pay, &["status", "--json"]);
    assert!(status["set_aside"][0].as_str().unwrap().contains("session of another"), "{status}");
    world.append(ONE, &[response(ONE, "c", &pay, 1)]);
    collector.behave(Manner::Rule(applied));
    assert_eq!(world.sweep(&pay)["sent"].as_array().unwrap().len(), 1, "new content is offered again");
}

#[test]
fn what_is_to_be_offered_later_is_offered_later() {
    let (collector, world, pay) = stage();
    collector.behave(Manner::Rule(
        |_| json!({"status": "rejected", "code": "future", "message": "ahead of the clock", "retry": "later"}),
    ));
    assert_eq!(world.sweep(&pay)["sent"], json!([]));
    assert_eq!(collector.reports().len(), 2, "once in a delivery is enough");
    delivers(&collector, &world, &pay);
}

#[test]
fn what_waits_for_an_upgrade_waits_for_it() {
    let (collector, world, pay) = stage();
    collector.behave(Manner::Rule(
        |_| json!({"status": "rejected", "code": "unknown", "message": "field x", "retry": "after_upgrade"}),
    ));
    world.sweep(&pay);
    collector.behave(Manner::Rule(applied));
    assert_eq!(world.sweep(&pay)["sent"], json!([]));
    assert_eq!(world.json(&pay, &["status", "--json"])["set_aside"].as_array().unwrap().len(), 2);
    // another answer of the same version changes nothing, one of the next everything
    world.append(ONE, &[response(ONE, "c", &pay, 1)]);
    assert_eq!(world.sweep(&pay)["sent"].as_array().unwrap().len(), 1);
    collector.upgrade("0.2.0");
    world.append(ONE, &[response(ONE, "d", &pay, 1)]);
    assert_eq!(world.sweep(&pay)["sent"].as_array().unwrap().len(), 2);
    assert!(world.hook(&pay, &["status"], "").status.success());
}

#[test]
fn a_ledger_younger_than_the_collector_s_takes_the_next_epoch_and_sends_all_again() {
    let (collector, world, pay) = stage();
    // an epoch above the ledger's own, and no more than a day ahead
    collector.behave(Manner::Rule(|report| match report["rank"]["epoch"].as_u64().unwrap() {
        epoch if epoch % 50_000 == 1 || report["session_id"] == ONE => json!({"status": "applied"}),
        epoch => json!({"status": "stale", "stored_rank":
            {"parser": 1, "epoch": (epoch / 50_000 + 1) * 50_000, "seq": 9}}),
    }));
    world.sweep(&pay);
    let ranks = |session: &str| -> Vec<u64> {
        let of_session = collector.reports().into_iter().filter(|report| report["session_id"] == session);
        of_session.map(|report| report["rank"]["epoch"].as_u64().unwrap()).collect()
    };
    assert_eq!(ranks(TWO).last().map(|epoch| epoch % 50_000), Some(1));
    assert_eq!(ranks(ONE).last(), ranks(TWO).last(), "every key is sent again");
    assert_eq!(world.sweep(&pay)["sent"], json!([]));
}

#[test]
fn a_ledger_put_back_behind_its_own_past_takes_the_next_epoch() {
    static BORN: AtomicU64 = AtomicU64::new(0);
    let (collector, world, pay) = stage();
    collector.behave(Manner::Rule(|report| {
        let epoch = report["rank"]["epoch"].as_u64().unwrap();
        let born =
            BORN.compare_exchange(0, epoch, Ordering::SeqCst, Ordering::SeqCst).unwrap_or_else(|born| born);
        if born == 0 || epoch == born {
            json!({"status": "stale", "stored_rank": {"parser": 1, "epoch": epoch, "seq": 40}})
        } else {
            json!({"status": "applied"})
        }
    }));
    assert_eq!(world.sweep(&pay)["sent"].as_array().unwrap().len(), 2);
    let epochs: BTreeSet<u64> =
        collector.reports().iter().map(|report| report["rank"]["epoch"].as_u64().unwrap()).collect();
    let born = BORN.load(Ordering::SeqCst);
    assert_eq!(epochs, BTreeSet::from([born, born + 1]), "as another ledger it can lower nothing");
    assert_eq!(world.sweep(&pay)["sent"], json!([]));
}

#[test]
fn what_is_held_is_shown_and_not_repeated() {
    let (collector, world, pay) = stage();
    collector.behave(Manner::Rule(
        |_| json!({"status": "held", "code": "fewer", "message": "fewer requests", "retry": "later"}),
    ));
    world.sweep(&pay);
    world.sweep(&pay);
    assert_eq!(collector.reports().len(), 2);
    let output = world.hook(&pay, &["status", "--json"], "");
    assert!(!output.status.success());
    let status: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(status["held"].as_array().unwrap().len(), 2, "{status}");
}

#[test]
fn a_collector_restored_from_a_backup_is_healed() {
    let (collector, world, pay) = stage();
    let key = json!({"session_id": TWO, "repo": "git.example/acme/pay", "week": "2026-W47"});
    collector.behave(Manner::Missing(vec![key]));
    assert_eq!(world.sweep(&pay)["sent"].as_array().unwrap().len(), 3, "both, and the lost one again");
    assert_eq!(collector.reports()[2]["session_id"], TWO);
    let asked = collector.requests().len();
    world.sweep(&pay);
    assert_eq!(collector.requests().len(), asked, "it is asked once an hour");
}

#[test]
fn a_collector_that_calls_everything_stale_is_given_up() {
    let (collector, world, pay) = stage();
    collector.behave(Manner::Rule(|report| {
        let seq = report["rank"]["seq"].as_u64().unwrap();
        json!({"status": "stale", "stored_rank": {"parser": 1, "epoch": report["rank"]["epoch"], "seq": seq + 1}})
    }));
    assert_eq!(world.sweep(&pay)["sent"], json!([]));
    assert!(collector.reports().len() <= 2 * 3 * 4, "{}", collector.reports().len());
    delivers(&collector, &world, &pay);
}

#[test]
fn an_epoch_of_the_future_is_not_outbid() {
    let (collector, world, pay) = stage();
    collector.behave(Manner::Rule(
        |_| json!({"status": "stale", "stored_rank": {"parser": 1, "epoch": 100_000_000_000_u64, "seq": 9}}),
    ));
    assert_eq!(world.sweep(&pay)["sent"], json!([]));
    assert_eq!(collector.reports().len(), 2, "once in a delivery is enough");
    let status = world.json(&pay, &["status", "--json"]);
    assert!(status["later"][0].as_str().unwrap().contains("lies in the future"), "{status}");
    delivers(&collector, &world, &pay);
    assert!(collector.reports()[2]["rank"]["epoch"].as_u64().unwrap() < 100_000_000_000);
}

#[test]
fn every_token_s_repositories_are_healed() {
    let (collector, world, pay) = stage();
    let other = world.repository("other", Some(&collector.url()));
    world.write(TWO, &[response(TWO, "b", &other, 5)]);
    world.sweep(&pay);
    let asked = collector.requests().into_iter().filter(|request| request.path == "/v1/sessions/missing");
    let mut tokens: Vec<String> = asked.map(|request| request.token).collect();
    tokens.sort();
    assert_eq!(tokens, ["Bearer token-of-other", "Bearer token-of-pay"]);
}

#[test]
fn what_waits_is_delivered_while_another_sweeps() {
    let (collector, world, pay) = stage();
    collector.behave(Manner::Rule(
        |_| json!({"status": "rejected", "code": "future", "message": "ahead of the clock", "retry": "later"}),
    ));
    world.sweep(&pay);
    let sweeps = std::fs::File::open(world.state().join("sweep.lock")).unwrap();
    sweeps.lock().unwrap();
    world.hook(&pay, &["work", "sweep", "--session", ONE, "--folder", pay.to_str().unwrap()], "");
    assert_eq!(collector.reports().len(), 4);
}
