//! `cpvo demo`: what the invented company shows is what its story says, on both databases.

use super::{command, fails, get, succeeds};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Stdio;
use tests::postgres::Cluster;
use tests::processes::{Process, children};
use tests::wait::until;

/// USD for a million of each: input, output, cache reads, cache writes; as the client's own price list has it.
const PRICES: [(&str, [f64; 4]); 2] =
    [("claude-opus-5-5", [4.0, 20.0, 0.2, 5.0]), ("claude-sonnet-5-5", [2.0, 10.0, 0.1, 2.5])];

fn spend_usd(counts: &Value) -> f64 {
    let of = |(model, prices): &(&str, [f64; 4])| {
        let tokens = ["input", "output", "cache_read", "cache_write"]
            .map(|kind| counts["models"][model][kind].as_f64());
        tokens.iter().zip(prices).map(|(count, price)| count.unwrap_or(0.0) * price / 1e6).sum::<f64>()
    };
    PRICES.iter().map(of).sum()
}

/// Makes a company in `folder` and compares every team and week.
#[track_caller]
fn check(folder: &Path, weeks: usize, more: &[&str]) {
    let [span, asked] = [weeks, weeks + 1].map(|weeks| weeks.to_string()); // what landed first was begun a week before
    let make = ["demo", "--no-serve", "--listen", "127.0.0.1:0", "--weeks", &span];
    let told = succeeds(folder, &[more, &make].concat());
    assert!(
        told.contains("DEMO DATA") && told.contains("cpvo --config cpvo-demo/cpvo.toml verdict"),
        "{told}"
    );
    let asked = ["--config", "cpvo-demo/cpvo.toml", "weekly", "--weeks", &asked, "--format", "json"];
    let weekly: Value = serde_json::from_str(&succeeds(folder, &asked)).unwrap();
    let text = std::fs::read_to_string(folder.join("cpvo-demo/truth.json")).unwrap();
    let truth: Value = serde_json::from_str(&text).unwrap();
    let mut compared = 0;
    for (team, expected) in truth.as_object().unwrap() {
        for (week, counts) in expected.as_object().unwrap() {
            let rows = weekly["weeks"].as_array().unwrap();
            let row = rows.iter().find(|row| row["team"] == *team && row["week"] == *week).expect("a row");
            for count in ["verified", "disqualified", "pending"] {
                assert_eq!(row[count].as_u64().unwrap_or(0), counts[count], "{count} of {team} in {week}");
            }
            let (spend, expected) = (row["spend_usd"].as_f64().unwrap(), spend_usd(counts));
            assert!((spend - expected).abs() < 1e-6, "{team} in {week}: {spend}, {expected}");
            compared += 1;
        }
    }
    assert!(compared > 5 * (weeks - 2), "{compared} weeks of five teams and one stranger");
}

#[test]
fn every_team_and_week_is_as_the_story_says() {
    let folder = tempfile::tempdir().unwrap();
    check(folder.path(), 12, &[]);
    let synced = succeeds(folder.path(), &["--config", "cpvo-demo/cpvo.toml", "sync"]);
    assert!(synced.contains(": 0 commits landed since the last time"), "{synced}");
    let once_more = fails(folder.path(), &["demo", "--folder", ".", "--no-serve"]);
    assert!(once_more.contains("holds something else"), "{once_more}");
}

#[test]
fn it_serves_its_page_until_it_is_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let mut demo = command(folder.path(), &["demo", "--listen", "127.0.0.1:0", "--weeks", "2"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines: Vec<String> = BufReader::new(demo.stdout.as_mut().unwrap())
        .lines()
        .map(Result::unwrap)
        .take_while(|line| !line.starts_with("listening on "))
        .collect();
    let page = lines.iter().find_map(|line| line.strip_prefix("the page:  ")).unwrap();
    let html = get(page.split_whitespace().next().unwrap(), "", &[]);
    assert!(html.contains("Payments"), "{html}");
    let second = fails(folder.path(), &["demo", "--listen", "127.0.0.1:0", "--weeks", "2"]);
    assert!(second.contains("a demo runs in cpvo-demo: stop it first"), "{second}");
    kill_process(Pid::from_child(&demo), Signal::TERM).unwrap();
    assert!(demo.wait().unwrap().success());
}

#[test]
fn it_is_the_same_on_postgres() {
    let (cluster, folder) = (Cluster::start(), tempfile::tempdir().unwrap());
    check(folder.path(), 6, &["--db", &cluster.database("demo")]);
}

#[test]
fn its_collector_ends_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut demo = command(folder.path(), &["demo", "--listen", "127.0.0.1:0"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let serves = |process: &Process| {
        // nothing is left of one that ended, whether or not anybody waited for it
        let words = std::fs::read(format!("/proc/{}/cmdline", process.pid)).unwrap_or_default();
        String::from_utf8_lossy(&words).contains("\0serve\0")
    };
    let by = Process { pid: demo.id() };
    let collector = until("its collector to start", || children(&by).into_iter().find(serves));
    demo.kill().unwrap();
    demo.wait().unwrap();
    until("its collector to end", || (!serves(&collector)).then_some(()));
}
