//! What a person is shown: their spend, and what is wrong with what was asked for.

use crate::collector::Collector;
use crate::reading::stage;
use crate::world::{ONE, TWO, World, but, response, ship};
use serde_json::json;
use std::process::Stdio;

#[test]
fn one_s_own_spend_is_shown_by_week_repository_and_branch() {
    let (collector, world) = (Collector::start(), World::new());
    let pay = world.repository("pay", Some(&collector.url()));
    let shop = world.repository("shop", Some(&collector.url()));
    let feature = [("gitBranch", json!("feature/PAY-42"))];
    let last_week = [("timestamp", json!("2026-11-11T10:00:00Z"))];
    let mut unheard = response(TWO, "d", &shop, 5);
    unheard["message"]["model"] = json!("claude-unheard-9");
    world.write(
        ONE,
        &[
            response(ONE, "a", &pay, 4_000),
            but(response(ONE, "b", &pay, 1_000_000), &feature),
            but(response(ONE, "c", &pay, 2_000), &last_week),
        ],
    );
    world.write(TWO, &[response(TWO, "e", &shop, 7), unheard]);
    let output = world.hook(&pay, &["me"], "");
    insta::assert_snapshot!(String::from_utf8(output.stdout).unwrap(), @r"
    2026-W46  git.example/acme/pay          $0.04        1 responses  main
    2026-W47  git.example/acme/pay         $20.00        1 responses  feature/PAY-42
    2026-W47  git.example/acme/pay          $0.08        1 responses  main
    2026-W47  git.example/acme/shop         $0.00        2 responses  main  1 unpriced
    at list price; a subscription is not billed by tokens
    ");
    assert!(collector.requests().is_empty());
}

#[track_caller]
fn names(world: &World, settings: &str, problem: &str) {
    let pay = world.repository("pay", None);
    std::fs::write(pay.join(".claude/settings.json"), settings).unwrap();
    let status = world.json(&pay, &["status", "--json"]);
    let file = pay.join(".claude/settings.json").display().to_string();
    let problems = status["problems"].as_array().unwrap();
    let expected = problem.replace("FILE", &file);
    assert!(problems.contains(&json!(expected)), "{expected}\n{status}");
    assert!(!world.hook(&pay, &["status"], "").status.success());
}

#[test]
fn a_word_that_is_none_is_named_with_those_that_are() {
    let world = || World::new().with("CPVO_URL", "https://cpvo.invalid");
    for (name, word, said) in [
        ("CPVO_BILLING", "monthly", "must be api or subscription; it is ignored"),
        ("CPVO_DELIVER", "never", "must be inline or detached; it is ignored"),
        ("CPVO_SCOPE", "some", "must be repo or off; off is assumed"),
        ("CPVO_IDENTITY", "me", "must be person, pseudonym or team; nothing is sent until it is"),
        ("CPVO_BRANCHES", "short", "must be plain or hashed; hashed is assumed"),
        ("CPVO_SINCE", "may", "is no date like 2026-11-01; nothing is read until it is"),
    ] {
        names(&world().with(name, word), "{}", &format!("{name}: \"{word}\" {said}"));
        names(
            &world(),
            &json!({"env": {name: word}}).to_string(),
            &format!("FILE: {name}: \"{word}\" {said}"),
        );
    }
}

#[test]
fn an_address_that_cannot_be_used_is_named_with_its_file() {
    for (url, said) in [
        ("http://cpvo.acme.example", "http is for this machine only; use https://cpvo.acme.example"),
        ("cpvo.acme.example", "needs https:// before the host"),
        ("https://cpvo acme", "not a URL like https://cpvo.acme.example: invalid uri character"),
    ] {
        let settings = json!({"env": {"CPVO_URL": url}}).to_string();
        names(&World::new(), &settings, &format!("FILE: CPVO_URL: {said}"));
    }
}

#[test]
fn who_stops_reading_is_told_nothing() {
    let (collector, world) = (Collector::start(), World::new());
    let pay = world.repository("pay", Some(&collector.url()));
    world.write(ONE, &[response(ONE, "a", &pay, 7)]);
    ship(&pay, &json!({"CPVO_URL": collector.url()}));
    for args in [&["preview"][..], &["totals"], &["me"], &["status"], &["status", "--json"], &["sweep"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = world.start(&pay, args, "", Stdio::from(writer)).wait_with_output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{args:?}");
        assert!(output.status.success(), "{args:?}");
    }
}

#[test]
fn a_state_that_cannot_be_kept_is_a_problem() {
    let (_collector, world, pay) = stage();
    let world = world.with("CPVO_STATE_DIR", "/dev/null");
    let status = world.hook(&pay, &["status"], "");
    assert!(!status.status.success());
    let said = String::from_utf8(status.stdout).unwrap();
    assert!(said.contains("/dev/null is no folder that can be written"), "{said}");
}

#[test]
fn a_damaged_ledger_is_set_aside_and_said_and_the_next_sweep_sends_all() {
    let (collector, world, pay) = stage();
    world.write(ONE, &[response(ONE, "a", &pay, 7)]);
    world.sweep(&pay);
    let before = collector.reports().len();
    let path = world.state().join("ledger.db");
    let mut ledger = std::fs::read(&path).unwrap();
    let whole = ledger.len() - 4096; // opening it reads the first ones
    ledger[whole..].fill(0xa5);
    std::fs::write(&path, ledger).unwrap();
    // pages that lie in the log hide those of the database
    drop(std::fs::remove_file(world.state().join("ledger.db-wal")));
    let sweep = world.hook(&pay, &["sweep"], "");
    let said = String::from_utf8(sweep.stderr).unwrap();
    assert!(!sweep.status.success() && said.contains("is set aside: run this again"), "{said}");
    world.sweep(&pay);
    assert_eq!(collector.reports().len(), 2 * before);
}
