//! `totals` and `sweep` as a person reads them: word for word, down to what there is to do where there is nothing.

use crate::collector::{Collector, raw};
use crate::reading::stage;
use crate::world::{ONE, TWO, World, but, prompt, response};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

fn says(world: &World, folder: &Path, args: &[&str]) -> String {
    let output = world.hook(folder, args, "");
    let said = [output.stdout, output.stderr].concat();
    String::from_utf8(said).unwrap()
}

/// Two models on three days in two repositories.
fn history() -> (Collector, World, PathBuf) {
    let (collector, world, pay) = stage();
    let shop = world.repository("shop", Some(&collector.url()));
    let on = |line: Value, day: &str| but(line, &[("timestamp", json!(format!("2026-11-{day}T10:00:00Z")))]);
    let mut small = response(TWO, "c", &shop, 123_456);
    small["message"]["model"] = json!("claude-haiku-5-5");
    small["message"]["usage"]["cache_read_input_tokens"] = json!(45_678_901);
    world.write(
        ONE,
        &[prompt(ONE, &pay), response(ONE, "a", &pay, 4_000), on(response(ONE, "b", &pay, 50), "25")],
    );
    world.write(TWO, &[on(small, "11")]);
    (collector, world, pay)
}

#[test]
fn totals_are_read_by_model_and_by_day() {
    let (_collector, world, pay) = history();
    insta::assert_snapshot!(says(&world, &pay, &["totals"]), @r"
    2 sessions, 3 responses

    model             responses  input  output  cached  written
    claude-haiku-5-5          1     10   123 k  45.6 M        0
    claude-opus-5-5           2     20   4.0 k       0        0
    all                       3     30   127 k  45.6 M        0

    day (UTC)         responses  input  output  cached  written
    2026-11-11                1     10   123 k  45.6 M        0
    2026-11-18                1     10   4.0 k       0        0
    2026-11-25                1     10      50       0        0
    ");
    insta::assert_snapshot!(says(&world, &pay, &["totals", "--repo", "pay", "--since", "2026-11-20"]), @r"
    1 session, 1 response

    model            responses  input  output  cached  written
    claude-opus-5-5          1     10      50       0        0

    day (UTC)        responses  input  output  cached  written
    2026-11-25               1     10      50       0        0
    ");
}

#[test]
fn a_sweep_says_what_was_sent_and_what_comes_next() {
    let (collector, world, pay) = history();
    insta::assert_snapshot!(says(&world, &pay, &["sweep", "--repo", "acme/shop"]), @r"
    read 1 kB of 2 transcripts: 2 sessions with new lines
    sent 1 report of 1 session: 1 response

    model             responses  input  output  cached  written
    claude-haiku-5-5          1     10   123 k  45.6 M        0

    day (UTC)         responses  input  output  cached  written
    2026-11-11                1     10   123 k  45.6 M        0
    ");
    insta::assert_snapshot!(says(&world, &pay, &["sweep", "--since", "2027-01-01"]), @r"
    no new lines in any transcript
    nothing that waits is wanted: leave out --since or --repo to send the rest
    ");
    assert_eq!(collector.reports().len(), 1);
    insta::assert_snapshot!(says(&world, &pay, &["sweep", "--since", "2026-11-23"]), @r"
    no new lines in any transcript
    sent 1 report of 1 session: 1 response

    model            responses  input  output  cached  written
    claude-opus-5-5          1     10      50       0        0

    day (UTC)        responses  input  output  cached  written
    2026-11-25               1     10      50       0        0
    ");
    assert_eq!(collector.reports().len(), 2);
    insta::assert_snapshot!(says(&world, &pay, &["sweep"]), @r"
    no new lines in any transcript
    sent 1 report of 1 session: 1 response

    model            responses  input  output  cached  written
    claude-opus-5-5          1     10   4.0 k       0        0

    day (UTC)        responses  input  output  cached  written
    2026-11-18               1     10   4.0 k       0        0
    ");
    assert_eq!(collector.reports().len(), 3);
    insta::assert_snapshot!(says(&world, &pay, &["sweep"]).replace(&collector.url(), "URL"), @r"
    no new lines in any transcript
    nothing waits to be sent: URL has everything in scope
    ");
    collector.behave(raw("401 Unauthorized", r#"{"error":{"message":"unknown token"}}"#));
    world.append(ONE, &[response(ONE, "z", &pay, 1)]);
    insta::assert_snapshot!(says(&world, &pay, &["sweep"]).replace(&collector.url(), "URL"), @r"
    read 448 B of 1 transcript: 1 session with new lines
    nothing was sent
    trouble: URL: 401 Unauthorized: unknown token
    ");
}

#[test]
fn where_there_is_nothing_it_is_said_what_comes_next() {
    let world = World::new();
    let bare = world.repository("bare", None);
    insta::assert_snapshot!(says(&world, &bare, &["totals"]), @r"
    no response in scope
    no collector is named here; --all counts every session on this machine
    ");
    insta::assert_snapshot!(says(&world, &bare, &["totals", "--all"]), @r"
    no response in scope
    use Claude Code once, then try again
    ");
    insta::assert_snapshot!(says(&world, &bare, &["totals", "--all", "--repo", "x"]), @r"
    no response in scope
    leave out --since or --repo to see more
    ");
    insta::assert_snapshot!(says(&world, &bare, &["totals", "--since", "soon"]), @r#"cpvo-hook: --since: "soon" is no date like 2026-11-01"#);
    insta::assert_snapshot!(says(&world, &bare, &["sweep"]), @r"
    no new lines in any transcript
    nothing was sent: no collector is named here
    cpvo hooks-config has a repository ship one; CPVO_URL names one in a shell
    ");
    let (collector, world, pay) = stage();
    insta::assert_snapshot!(says(&world, &pay, &["totals"]), @r"
    no response in scope
    --all counts every session on this machine
    ");
    insta::assert_snapshot!(says(&world, &pay, &["sweep"]).replace(&collector.url(), "URL"), @r"
    no new lines in any transcript
    nothing waits to be sent: URL has everything in scope
    ");
}

#[test]
fn help_shows_examples() {
    let world = World::new();
    let pay = world.repository("pay", None);
    let help = |args: &[&str]| {
        let help = says(&world, &pay, args);
        assert!(help.lines().all(|line| line.chars().count() <= 80), "{help}");
        help
    };
    for command in ["preview", "me", "status", "session-start"] {
        help(&[command, "--help"]);
    }
    help(&["-h"]);
    for command in ["sweep", "totals"] {
        let help = help(&[command, "--help"]);
        for word in ["Examples:", "--since <DATE>", "--repo <REPO>", "--json | jq"] {
            assert!(help.contains(word), "{word}: {help}");
        }
    }
}
