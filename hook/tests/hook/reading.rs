//! What transcripts add up to, however they change between two sweeps.

use crate::collector::Collector;
use crate::world::{ONE, TWO, World, but, newest, prompt, response, ship, write};
use rusqlite::Connection;
use serde_json::{Value, json};
use std::path::PathBuf;

pub(crate) fn stage() -> (Collector, World, PathBuf) {
    let (collector, world) = (Collector::start(), World::new());
    let pay = world.repository("pay", Some(&collector.url()));
    (collector, world, pay)
}

#[track_caller]
pub(crate) fn totals(collector: &Collector, expected: &[(&str, u64)]) {
    let expected =
        expected.iter().map(|(name, output)| (format!("git.example/acme/{name}"), *output)).collect();
    assert_eq!(newest(&collector.reports()), expected);
}

pub(crate) fn last(collector: &Collector, session: &str) -> Value {
    collector.reports().into_iter().rfind(|report| report["session_id"] == session).unwrap()
}

#[test]
fn two_repositories_in_one_session_keep_their_own_rows() {
    let (collector, world, pay) = stage();
    let shop = world.repository("shop", Some(&collector.url()));
    world.write(ONE, &[response(ONE, "a", &pay, 7), response(ONE, "b", &shop, 5)]);
    world.session_end(&pay, ONE);
    collector.await_requests(2);
    totals(&collector, &[("pay", 7), ("shop", 5)]);
    world.append(ONE, &[response(ONE, "c", &shop, 1)]);
    world.sweep(&shop);
    world.append(ONE, &[response(ONE, "d", &pay, 2)]);
    world.sweep(&pay);
    totals(&collector, &[("pay", 9), ("shop", 6)]);
    let tokens = collector.requests();
    let token = |repo: &str| {
        let about = |report: &Value| report["repo"] == format!("git.example/acme/{repo}");
        tokens.iter().find(|sent| sent.body.as_array().unwrap().iter().any(about)).unwrap().token.clone()
    };
    assert_eq!(
        (token("pay"), token("shop")),
        ("Bearer token-of-pay".to_owned(), "Bearer token-of-shop".to_owned())
    );
    // the other repository's branch is not the one the client names
    let shop = last(&collector, ONE);
    let branches: Vec<_> = collector
        .reports()
        .iter()
        .map(|report| (report["repo"].clone(), report["usage"][0]["branch"].clone()))
        .collect();
    assert!(branches.contains(&(json!("git.example/acme/pay"), json!("main"))), "{shop}");
    assert!(branches.contains(&(json!("git.example/acme/shop"), json!(""))));
}

#[test]
fn lines_outside_any_repository_belong_to_the_one_it_started_in() {
    let (collector, world, pay) = stage();
    let away = tempfile::tempdir().unwrap();
    world.write(ONE, &[response(ONE, "a", &pay, 7), response(ONE, "b", away.path(), 5)]);
    world.sweep(&pay);
    totals(&collector, &[("pay", 12)]);
}

#[test]
fn a_vanished_folder_keeps_its_repository() {
    let (collector, world, pay) = stage();
    let elsewhere = tempfile::tempdir().unwrap();
    let linked = elsewhere.path().join("linked");
    world.git(&pay, &["commit", "-q", "--allow-empty", "-m", "first"]);
    world.git(&pay, &["worktree", "add", "-q", linked.to_str().unwrap()]);
    world.write(ONE, &[response(ONE, "a", &linked, 7), response(ONE, "b", &pay.join("gone"), 1)]);
    world.sweep(&pay);
    world.git(&pay, &["worktree", "remove", "--force", linked.to_str().unwrap()]);
    world.append(ONE, &[response(ONE, "c", &linked, 5)]);
    world.sweep(&pay);
    totals(&collector, &[("pay", 13)]);
}

#[test]
fn a_file_that_grows_shrinks_or_is_replaced_is_read_right() {
    let (collector, world, pay) = stage();
    world.write(ONE, &[prompt(ONE, &pay), response(ONE, "a", &pay, 7)]);
    world.sweep(&pay);
    world.append(ONE, &[response(ONE, "b", &pay, 5)]);
    world.sweep(&pay);
    totals(&collector, &[("pay", 12)]);
    assert_eq!(last(&collector, ONE)["shape"]["turns"], 1);
    assert_eq!(last(&collector, ONE)["quality"]["lines"], 3);
    // shrunk: what happened stays, what the lines say is counted afresh
    world.write(ONE, &[prompt(ONE, &pay)]);
    world.append(ONE, &[]);
    world.sweep(&pay);
    totals(&collector, &[("pay", 12)]);
    assert_eq!(last(&collector, ONE)["quality"]["lines"], 1);
    // replaced by another file of more lines
    let path = world.transcript(ONE);
    std::fs::remove_file(&path).unwrap();
    world.write(
        ONE,
        &[prompt(ONE, &pay), prompt(ONE, &pay), response(ONE, "a", &pay, 7), response(ONE, "c", &pay, 1)],
    );
    world.sweep(&pay);
    totals(&collector, &[("pay", 13)]);
    assert_eq!(last(&collector, ONE)["shape"]["turns"], 2);
    // moved, as the client does when a worktree is left
    std::fs::create_dir_all(world.path(".claude/projects/-moved")).unwrap();
    std::fs::rename(&path, world.path(".claude/projects/-moved").join(path.file_name().unwrap())).unwrap();
    assert_eq!(world.sweep(&pay)["read"]["bytes"], 0);
    totals(&collector, &[("pay", 13)]);
}

#[test]
fn copies_of_a_file_in_several_places_count_once() {
    let (collector, world, pay) = stage();
    let early = [prompt(ONE, &pay), response(ONE, "a", &pay, 7)];
    let api_error =
        but(prompt(ONE, &pay), &[("isApiErrorMessage", json!(true)), ("type", json!("assistant"))]);
    let lines = [&early[..], &[prompt(ONE, &pay), api_error]].concat();
    world.write(ONE, &lines);
    let name = format!("{ONE}.jsonl");
    // a home that was copied twice, once before the session ended
    write(&world.path(".config/claude/projects/-work").join(&name), &lines);
    write(&world.path(".claude/projects/-old").join(&name), &early);
    world.sweep(&pay);
    totals(&collector, &[("pay", 7)]);
    let report = last(&collector, ONE);
    assert_eq!((&report["shape"]["turns"], &report["quality"]["lines"]), (&json!(2), &json!(4)));
}

#[test]
fn a_half_written_line_is_read_when_it_is_whole() {
    let (collector, world, pay) = stage();
    let line = response(ONE, "a", &pay, 7).to_string();
    world.write(ONE, &[prompt(ONE, &pay)]);
    let path = world.transcript(ONE);
    let begin = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, format!("{begin}{}", &line[..90])).unwrap();
    world.sweep(&pay);
    assert_eq!(last(&collector, ONE)["quality"]["malformed"], 0);
    std::fs::write(&path, format!("{begin}{line}\n")).unwrap();
    world.sweep(&pay);
    totals(&collector, &[("pay", 7)]);
}

#[test]
fn a_fork_s_copies_belong_to_the_session_that_paid() {
    let (collector, world, pay) = stage();
    let copied = but(response(TWO, "a", &pay, 7), &[("requestSessionId", json!(ONE))]);
    world.write(TWO, &[copied, response(TWO, "b", &pay, 5)]);
    world.sweep(&pay);
    assert_eq!(last(&collector, ONE)["partial"], true);
    assert_eq!(last(&collector, TWO)["partial"], false);
    totals(&collector, &[("pay", 12)]);
    world.write(ONE, &[response(ONE, "a", &pay, 7), response(ONE, "c", &pay, 1)]);
    world.sweep(&pay);
    assert_eq!(last(&collector, ONE)["partial"], false);
    totals(&collector, &[("pay", 13)]);
}

#[test]
fn the_original_owns_what_a_fork_copied_without_saying_so() {
    let (collector, world, pay) = stage();
    // the fork's file is the older one on disk
    world.write(
        ONE,
        &[
            response(ONE, "a", &pay, 7),
            but(response(ONE, "b", &pay, 5), &[("timestamp", json!("2026-11-19T10:00:00Z"))]),
        ],
    );
    world.write(
        TWO,
        &[
            but(prompt(TWO, &pay), &[("timestamp", json!("2026-11-17T10:00:00Z"))]),
            response(TWO, "a", &pay, 7),
        ],
    );
    world.sweep(&pay);
    totals(&collector, &[("pay", 12)]);
    let owner = |session: &str| {
        last(&collector, session)["usage"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| row["output"].as_u64().unwrap())
            .sum::<u64>()
    };
    assert_eq!((owner(ONE), owner(TWO)), (5, 7));
}

#[test]
fn a_copy_met_later_that_names_nobody_stays_where_it_was_and_is_said() {
    let (collector, world, pay) = stage();
    world.write(ONE, &[response(ONE, "a", &pay, 7)]);
    world.sweep(&pay);
    world.write(TWO, &[response(TWO, "a", &pay, 7), response(TWO, "b", &pay, 5)]);
    world.sweep(&pay);
    totals(&collector, &[("pay", 12)]);
    let adopted = |session: &str| last(&collector, session)["quality"]["adopted"].clone();
    assert_eq!((adopted(ONE), adopted(TWO)), (json!(1), json!(0)));
    let afresh = world.json(&pay, &["totals", "--json"]);
    assert_eq!(afresh["quality"]["adopted"], 1);
}

#[test]
fn subagents_are_part_of_their_session() {
    let (collector, world, pay) = stage();
    world.write(ONE, &[prompt(ONE, &pay), response(ONE, "a", &pay, 7)]);
    let agent = world.transcript(ONE).with_extension("").join("subagents/agent-x.jsonl");
    write(
        &agent,
        &[but(response(ONE, "s", &pay, 5), &[("isSidechain", json!(true)), ("agentId", json!("x"))])],
    );
    world.session_end(&pay, ONE);
    collector.await_requests(1);
    let report = last(&collector, ONE);
    assert_eq!(report["shape"]["subagents"], 1);
    let agents: Vec<_> = report["usage"].as_array().unwrap().iter().map(|row| row["agent"].clone()).collect();
    assert_eq!(agents, [json!("main"), json!("subagent")]);
}

#[test]
fn nothing_before_since_is_read_until_since_is_earlier() {
    let (collector, world, pay) = stage();
    let early = but(response(ONE, "a", &pay, 7), &[("timestamp", json!("2026-11-02T10:00:00Z"))]);
    world.write(ONE, &[early, response(ONE, "b", &pay, 5)]);
    let settings = |since: &str| json!({"CPVO_URL": collector.url(), "CPVO_SINCE": since});
    ship(&pay, &settings("2026-11-10"));
    world.sweep(&pay);
    totals(&collector, &[("pay", 5)]);
    ship(&pay, &settings("2026-11-01"));
    world.sweep(&pay);
    totals(&collector, &[("pay", 12)]);
}

#[test]
fn a_session_over_two_weeks_is_two_reports() {
    let (collector, world, pay) = stage();
    let later = but(response(ONE, "b", &pay, 5), &[("timestamp", json!("2026-11-23T00:00:00Z"))]);
    world.write(ONE, &[response(ONE, "a", &pay, 7), later]);
    world.sweep(&pay);
    let weeks: Vec<_> = collector
        .reports()
        .iter()
        .map(|report| (report["week"].clone(), report["usage"][0]["output"].clone()))
        .collect();
    assert_eq!(weeks, [(json!("2026-W47"), json!(7)), (json!("2026-W48"), json!(5))]);
}

#[test]
fn the_commits_of_a_session_are_those_git_has_and_its_developer_wrote() {
    let (collector, world, pay) = stage();
    let commit = |args: &[&str]| {
        world.git(&pay, &[&["commit", "-q", "--allow-empty", "-m", "x"], args].concat());
        world.git(&pay, &["rev-parse", "HEAD"])
    };
    let at = |time: &str| {
        let mut lines = vec![prompt(ONE, &pay), response(ONE, "a", &pay, 7)];
        for line in &mut lines {
            line["timestamp"] = json!(time);
        }
        lines
    };
    // the reflog bears the clock's time, so the session ends now
    let now = world.git(&pay, &["log", "--no-walk", "-1", "--format=%cI", &commit(&[])]);
    world.git(&pay, &["switch", "-q", "-c", "feature/x"]);
    let amended = commit(&[]);
    let made = commit(&["--amend", "-m", "better"]);
    world.git(&pay, &["-c", "user.email=bob@x.example", "commit", "-q", "--allow-empty", "-m", "his"]);
    let another_s = world.git(&pay, &["rev-parse", "HEAD"]);
    let hinted = "0123abc";
    let mut lines = at(&now);
    lines[0]["type"] = json!("user");
    lines[0]["toolUseResult"] = json!({"gitOperation": {"commit": {"sha": hinted, "branch": "feature/x"}}});
    world.write(ONE, &lines);
    world.session_end(&pay, ONE);
    collector.await_requests(1);
    let commits: Vec<Value> = last(&collector, ONE)["commits"].as_array().unwrap().clone();
    let on =
        |sha: &str| commits.iter().find(|commit| commit["sha"] == sha).map(|commit| commit["branch"].clone());
    assert_eq!(on(&made), Some(json!("feature/x")), "{commits:?}");
    assert_eq!((on(&amended), on(&another_s)), (None, None));
    assert!(commits.iter().all(|commit| commit["sha"].as_str().unwrap().len() == 40));
}

#[test]
fn commits_that_could_not_be_kept_are_looked_for_again() {
    let (collector, world, pay) = stage();
    world.sweep(&pay);
    world.git(&pay, &["commit", "-q", "--allow-empty", "-m", "x"]);
    let made = world.git(&pay, &["log", "--no-walk", "-1", "--format=%cI %H"]);
    let (at, sha) = made.split_once(' ').unwrap();
    world.write(ONE, &[but(response(ONE, "a", &pay, 7), &[("timestamp", json!(at))])]);
    let ledger = Connection::open(world.state().join("ledger.db")).unwrap();
    // as if the sweep had been killed after the lines were stored
    let killed = "CREATE TRIGGER killed BEFORE INSERT ON git_commit BEGIN SELECT RAISE(ABORT, 'killed'); END";
    ledger.execute_batch(killed).unwrap();
    assert!(!world.hook(&pay, &["sweep"], "").status.success());
    ledger.execute_batch("DROP TRIGGER killed").unwrap();
    world.sweep(&pay);
    assert_eq!(last(&collector, ONE)["commits"][0]["sha"], sha);
}

#[test]
fn a_time_no_week_reaches_is_malformed_and_holds_up_nothing() {
    let (collector, world, pay) = stage();
    let ancient = but(response(ONE, "a", &pay, 7), &[("timestamp", json!("1970-01-01T00:00:00Z"))]);
    world.write(ONE, &[prompt(ONE, &pay), ancient, response(ONE, "b", &pay, 5)]);
    world.write(TWO, &[json!({"type": "mode", "sessionId": TWO, "cwd": pay})]);
    let timeless = std::fs::File::options().append(true).open(world.transcript(TWO)).unwrap();
    timeless.set_modified(std::time::UNIX_EPOCH).unwrap();
    let swept = world.sweep(&pay);
    assert_eq!(collector.reports().len(), 1, "{swept}");
    totals(&collector, &[("pay", 5)]);
    assert_eq!(last(&collector, ONE)["quality"]["malformed"], 1);
}

#[test]
fn a_pull_request_of_another_repository_stays_here() {
    let (collector, world, pay) = stage();
    let made = |number: u32, url: &str| {
        let operation = json!({"pr": {"number": number, "action": "created", "url": url}});
        but(prompt(ONE, &pay), &[("toolUseResult", json!({"gitOperation": operation}))])
    };
    let lines = [
        made(1, "https://git.example/acme/pay/pull/1"),
        made(2, "https://git.example/acme/payroll/pull/2"),
        made(3, "https://git.example/secret/plan/pull/3"),
    ];
    world.write(ONE, &lines);
    world.append(ONE, &[response(ONE, "a", &pay, 7)]);
    world.sweep(&pay);
    let report = last(&collector, ONE);
    let numbers: Vec<&Value> = report["pull_requests"]
        .as_array()
        .unwrap()
        .iter()
        .map(|pull_request| &pull_request["number"])
        .collect();
    assert_eq!(numbers, [&json!(1)]);
}

#[test]
fn what_was_read_before_since_stays_here() {
    let (collector, world, pay) = stage();
    let at = |time: &str| json!(format!("{time}T10:00:00Z"));
    let early = but(response(ONE, "a", &pay, 7), &[("timestamp", at("2026-11-02"))]);
    let same_week = but(prompt(ONE, &pay), &[("timestamp", at("2026-11-16"))]);
    world.write(ONE, &[early, same_week, response(ONE, "b", &pay, 5)]);
    // another collector's terms had it read
    ship(&pay, &json!({}));
    world.sweep(&pay);
    ship(&pay, &json!({"CPVO_URL": collector.url(), "CPVO_SINCE": "2026-11-17"}));
    world.sweep(&pay);
    let reports = collector.reports();
    assert_eq!(reports.len(), 1, "{reports:?}");
    assert_eq!(reports[0]["started_at"], "2026-11-17T00:00:00Z");
}

#[test]
fn a_copy_behind_own_lines_takes_none_of_them_away() {
    let (collector, world, pay) = stage();
    let copied = but(response(ONE, "c", &pay, 1), &[("requestSessionId", json!(TWO))]);
    world.write(ONE, &[prompt(ONE, &pay), response(ONE, "a", &pay, 7), copied]);
    world.sweep(&pay);
    assert_eq!(last(&collector, ONE)["shape"]["turns"], 1);
}

#[test]
fn a_removed_folder_leaves_the_session_to_the_one_before() {
    let (collector, world, pay) = stage();
    world.git(&pay, &["config", "user.email", "ana@work.example"]);
    let gone = world.path("gone");
    world.write(ONE, &[response(ONE, "a", &pay, 7), response(ONE, "b", &gone, 5)]);
    world.sweep(&pay);
    assert_eq!(last(&collector, ONE)["developer"]["email"], "ana@work.example");
}
