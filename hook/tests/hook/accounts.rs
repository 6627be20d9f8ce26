//! What only the client's own account of a session counts, and when it proves nothing.

use crate::collector::Collector;
use crate::reading::{last, stage, totals};
use crate::world::{ONE, TWO, but, prompt, response, ship};
use serde_json::{Value, json};

#[test]
fn what_only_the_client_s_account_counts_is_a_row_of_its_own() {
    let (collector, world, pay) = stage();
    let compaction =
        but(prompt(ONE, &pay), &[("type", json!("system")), ("subtype", json!("compact_boundary"))]);
    let account = |output: u64, cost: f64| {
        json!({"type": "cost-state", "sessionId": ONE, "totalCostUSD": cost, "hasUnknownModelCost": false,
            "modelUsage": {"claude-opus-5-5": {"inputTokens": 110, "outputTokens": output, "cacheReadInputTokens": 0,
                "cacheCreationInputTokens": 0, "webSearchRequests": 0, "costUSD": cost}}})
    };
    world.write(ONE, &[prompt(ONE, &pay), response(ONE, "a", &pay, 7), compaction, account(57, 0.00158)]);
    world.sweep(&pay);
    let report = last(&collector, ONE);
    let overhead = report["usage"].as_array().unwrap().iter().find(|row| row["agent"] == "overhead").unwrap();
    assert_eq!(
        (&overhead["requests"], &overhead["input"], &overhead["output"]),
        (&json!(0), &json!(100), &json!(50))
    );
    assert_eq!((&report["shape"]["compactions"], &report["quality"]["unitemised"]), (&json!(1), &json!(0)));
    // a difference that no kind of request costs is not guessed at
    world.append(ONE, &[account(57, 0.5)]);
    world.sweep(&pay);
    let report = last(&collector, ONE);
    assert!(report["usage"].as_array().unwrap().iter().all(|row| row["agent"] != "overhead"));
    assert_eq!(report["quality"]["unitemised"], 1);
}

/// What only the client's account counts: 100 input and 50 output tokens beside the response of `a`.
pub(crate) fn account(session: &str) -> Value {
    json!({"type": "cost-state", "sessionId": session, "totalCostUSD": 0.00158, "hasUnknownModelCost": false,
        "modelUsage": {"claude-opus-5-5": {"inputTokens": 110, "outputTokens": 57, "cacheReadInputTokens": 0,
            "cacheCreationInputTokens": 0, "webSearchRequests": 0, "costUSD": 0.00158}}})
}

fn overhead(collector: &Collector, session: &str) -> (bool, u64) {
    let report = last(collector, session);
    let itemised = report["usage"].as_array().unwrap().iter().any(|row| row["agent"] == "overhead");
    (itemised, report["quality"]["unitemised"].as_u64().unwrap())
}

#[test]
fn what_since_cut_off_is_no_overhead() {
    let (collector, world, pay) = stage();
    let early = json!({"type": "mode", "sessionId": ONE, "cwd": pay, "timestamp": "2026-11-02T10:00:00Z"});
    world.write(ONE, &[early, response(ONE, "a", &pay, 7), account(ONE)]);
    let settings = |since: &str| json!({"CPVO_URL": collector.url(), "CPVO_SINCE": since});
    ship(&pay, &settings("2026-11-10"));
    world.sweep(&pay);
    assert_eq!(overhead(&collector, ONE), (false, 1));
    ship(&pay, &settings("2026-11-01"));
    world.sweep(&pay);
    assert_eq!(overhead(&collector, ONE), (true, 0));
}

#[test]
fn an_account_older_than_a_response_proves_nothing() {
    let (collector, world, pay) = stage();
    world.write(ONE, &[response(ONE, "a", &pay, 7), account(ONE)]);
    world.sweep(&pay);
    assert_eq!(overhead(&collector, ONE), (true, 0));
    let resumed = but(response(ONE, "b", &pay, 5), &[("timestamp", json!("2026-11-18T11:00:00Z"))]);
    world.append(ONE, &[resumed]);
    world.sweep(&pay);
    assert_eq!(overhead(&collector, ONE), (false, 1));
}

#[test]
fn an_original_met_after_its_copy_counts_nothing_twice() {
    let (collector, world, pay) = stage();
    world.write(TWO, &[response(TWO, "a", &pay, 7)]);
    world.sweep(&pay);
    world.write(ONE, &[prompt(ONE, &pay), response(ONE, "a", &pay, 7), account(ONE)]);
    world.sweep(&pay);
    totals(&collector, &[("pay", 7)]);
    assert_eq!(overhead(&collector, ONE), (false, 1));
}
