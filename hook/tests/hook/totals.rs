//! What `totals` counts is what a sweep sends, to the token, whatever lies on the machine.

use crate::accounts::account;
use crate::collector::Collector;
use crate::reading::stage;
use crate::routing::claim;
use crate::world::{ONE, TWO, World, but, prompt, response, ship, write};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;

const THREE: &str = "00000000-0000-4000-8000-000000000003";
const COUNTS: [&str; 7] =
    ["requests", "input", "output", "cache_read", "cache_write_5m", "cache_write_1h", "web_search"];

type Counts = BTreeMap<String, u64>;

fn add(counts: &mut Counts, name: &str, part: &Value) {
    for (field, count) in part.as_object().unwrap() {
        if let Some(count) = count.as_u64().filter(|count| *count > 0) {
            *counts.entry(format!("{name} {field}")).or_default() += count;
        }
    }
}

/// What the newest snapshots of all reports say.
fn received(collector: &Collector) -> Counts {
    let mut newest = BTreeMap::new();
    for report in collector.reports() {
        newest.insert(["session_id", "repo", "week"].map(|name| report[name].to_string()), report);
    }
    let mut counts = Counts::new();
    for report in newest.values() {
        add(&mut counts, "quality", &report["quality"]);
        for row in report["usage"].as_array().unwrap() {
            let numbers = COUNTS.map(|name| (name.to_owned(), row[name].clone()));
            let numbers = Value::Object(numbers.into_iter().collect());
            let text = |name: &str| row[name].as_str().unwrap().to_owned();
            let session = report["session_id"].as_str().unwrap();
            let names = match text("agent").as_str() {
                "overhead" => vec![format!("overhead {}", text("model"))],
                _ => vec![
                    format!("{session} {}", text("model")),
                    format!("{} {}", &text("hour")[..10], text("model")),
                ],
            };
            for name in names {
                add(&mut counts, &name, &numbers);
            }
        }
    }
    counts
}

/// What `totals` says.
fn counted(world: &World, folder: &Path) -> Counts {
    let totals = world.json(folder, &["totals", "--json"]);
    let mut counts = Counts::new();
    add(&mut counts, "quality", &totals["quality"]);
    let models = |counts: &mut Counts, name: &str, models: &Value| {
        for (model, sum) in models.as_object().unwrap() {
            add(counts, &format!("{name} {model}"), sum);
        }
    };
    models(&mut counts, "overhead", &totals["overhead"]);
    for part in ["by_session", "by_day"] {
        for (name, part) in totals[part].as_object().unwrap() {
            models(&mut counts, name, part);
        }
    }
    counts
}

/// Sweeps what `history` left on the machine; gives the sum of output.
#[track_caller]
fn check(output: u64, history: fn(&World, &Path, &Collector)) {
    let (collector, world, pay) = stage();
    history(&world, &pay, &collector);
    world.sweep(&pay);
    let received = received(&collector);
    assert_eq!(counted(&world, &pay), received);
    let outputs = received.iter().filter(|(name, _)| name.starts_with("0000") && name.ends_with(" output"));
    assert_eq!(outputs.map(|(_, count)| count).sum::<u64>(), output, "{received:?}");
}

#[test]
fn a_checkout_without_settings_counts_only_for_a_session_that_was_also_elsewhere() {
    check(19, |world, pay, _| {
        let clone = claim(world, pay, "clone", &json!({}));
        world.write(ONE, &[prompt(ONE, pay), response(ONE, "a", pay, 7)]);
        world.write(TWO, &[prompt(TWO, &clone), response(TWO, "b", &clone, 5)]);
        world.write(THREE, &[response(THREE, "c", pay, 2), response(THREE, "d", &clone, 10)]);
    });
}

#[test]
fn other_people_s_and_other_collectors_repositories_count_nothing() {
    check(7, |world, pay, collector| {
        ship(pay, &json!({"CPVO_URL": collector.url(), "CPVO_DEVELOPERS": "@acme.example"}));
        let foreign = claim(world, pay, "claims", &json!({"CPVO_URL": "https://claims.example"}));
        let theirs = world.repository("theirs", Some(&collector.url()));
        world.git(&theirs, &["config", "user.email", "bob@home.example"]);
        let away = world.repository("away", None);
        world.write(ONE, &[prompt(ONE, pay), response(ONE, "a", pay, 7), response(ONE, "x", &away, 1)]);
        world.write(TWO, &[prompt(TWO, &theirs), response(TWO, "b", &theirs, 5)]);
        world.write(THREE, &[response(THREE, "c", &foreign, 2)]);
    });
}

#[test]
fn lines_in_no_repository_and_before_their_time_count_alike() {
    check(15, |world, pay, collector| {
        let other = world.repository("other", None);
        ship(&other, &json!({"CPVO_URL": collector.url(), "CPVO_SINCE": "2026-11-18T09:59:30Z"}));
        let early = |line: Value| but(line, &[("timestamp", json!("2026-11-18T09:59:10Z"))]);
        world.write(ONE, &[response(ONE, "a", pay, 7), response(ONE, "b", &world.path("nowhere"), 5)]);
        let later = but(response(TWO, "e", &other, 2), &[("timestamp", json!("2026-11-25T10:00:00Z"))]);
        let lines =
            [early(response(TWO, "c", &other, 90)), response(TWO, "d", &other, 1), prompt(TWO, &other)];
        world.write(TWO, &[&lines[..], &[later]].concat());
    });
}

#[test]
fn an_original_met_with_its_copies_is_as_itemised_as_in_the_ledger() {
    check(12, |world, pay, _| {
        world.write(ONE, &[prompt(ONE, pay), response(ONE, "a", pay, 7), account(ONE)]);
        world.write(TWO, &[response(TWO, "a", pay, 7), response(TWO, "b", pay, 5), account(TWO)]);
    });
}

#[test]
fn overhead_counts_where_the_whole_session_does() {
    check(7, |world, pay, _| {
        world.write(ONE, &[prompt(ONE, pay), response(ONE, "a", pay, 7), account(ONE)]);
    });
    check(7, |world, pay, _| {
        let away = world.repository("away", None);
        world.write(ONE, &[prompt(ONE, &away), response(ONE, "a", pay, 7), account(ONE)]);
    });
}

#[test]
fn an_older_copy_s_account_says_nothing() {
    check(7, |world, pay, _| {
        let early = [prompt(ONE, pay), but(account(ONE), &[("modelUsage", json!({}))])];
        world.write(ONE, &[&early[..], &[response(ONE, "a", pay, 7), account(ONE)]].concat());
        write(&world.path(".config/claude/projects/-work").join(format!("{ONE}.jsonl")), &early);
    });
}

#[test]
fn copies_and_vanished_folders_count_alike() {
    check(14, |world, pay, _| {
        let gone = claim(world, pay, "gone", &json!({}));
        let lines = [prompt(ONE, &gone), response(ONE, "a", &gone, 7), json!([1])];
        world.write(ONE, &lines);
        write(&world.path(".config/claude/projects/-work").join(format!("{ONE}.jsonl")), &lines[..2]);
        world.write(TWO, &[response(TWO, "b", pay, 7)]);
        world.hook(pay, &["sweep"], "");
        std::fs::remove_dir_all(&gone).unwrap();
    });
}
