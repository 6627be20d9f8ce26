//! The pages in a real browser, of the invented company: whole on every screen, for everybody, with the right figures.

use serde_json::Value;
use std::fs;
use std::path::Path;
use tests::program::{Running, binary, checkout, command, run};
use tests::wait::until;

const WEEKS: &str = "12";

/// What the browser saw of the pages behind `paths`.
#[track_caller]
fn walk(home: &Path, url: &str, paths: &[&str]) -> Value {
    let browser = checkout().join(".cache/browser");
    assert!(browser.join("node_modules").exists(), "no browser's driver: run `scripts/needs`");
    // pictures of the last run stay, for whoever wants to look
    let shots = binary("cpvo").with_file_name("shots");
    fs::create_dir_all(&shots).expect("a folder for pictures");
    let mut node = command("node", home);
    node.arg(checkout().join("tests/browser/walk.mjs"))
        .arg(&browser)
        .arg("/usr/bin/chromium")
        .arg(&shots)
        .arg(url);
    let told = run(node.args(paths)).success();
    serde_json::from_str(&told).expect("JSON")
}

#[test]
fn the_pages_are_whole_for_everybody_and_say_what_the_commands_say() {
    let home = tempfile::Builder::new().prefix("cpvo-browser-").tempdir().expect("a temporary folder");
    let cpvo = |arguments: &[&str]| {
        let mut cpvo = command(binary("cpvo"), home.path());
        cpvo.current_dir(home.path()).args(arguments);
        cpvo
    };
    run(&mut cpvo(&["demo", "--no-serve", "--listen", "127.0.0.1:0"])).success();
    let (toml, log) = ("cpvo-demo/cpvo.toml", home.path().join("serve.log"));
    let _server =
        Running::start_logged(&mut cpvo(&["--config", toml, "serve", "--listen", "127.0.0.1:0"]), &log);
    let url = until("cpvo serve to listen", || {
        let log = fs::read_to_string(&log).unwrap_or_default();
        log.lines().find_map(|line| line.strip_prefix("listening on ").map(str::to_owned))
    });

    let (team, change) = (format!("/teams/payments?weeks={WEEKS}"), "/changes/github.com/acme/pay%2320");
    let part = format!("/?repo=github.com%2Facme%2Fpay&weeks={WEEKS}");
    let repository = "/repositories/github.com/acme/pay";
    let paths = [
        "/",
        "/?weeks=52",
        &part,
        "/?model=claude-opus-5-5",
        "/teams",
        &team,
        "/changes?team=payments",
        change,
        "/repositories",
        repository,
        "/models",
        "/caching",
        "/adoption",
        "/quality",
        "/policies",
        "/collected",
    ];
    let seen = walk(home.path(), &url, &paths);
    assert_eq!(seen["faults"], serde_json::json!([]));
    assert_eq!(
        seen["views"].as_array().map(Vec::len),
        Some(paths.len() * 4),
        "of each two widths, two themes"
    );
    for (path, more) in [("/", [].as_slice()), (&part, &["--repo", "github.com/acme/pay"])] {
        let asked = ["--config", toml, "weekly", "--weeks", WEEKS, "--format", "json"];
        let weekly = run(&mut cpvo(&[&asked, more].concat())).success();
        let weekly: Value = serde_json::from_str(&weekly).expect("JSON");
        let tables: Vec<Table> = serde_json::from_value(seen["tables"][path].clone()).expect("tables");
        check(&tables, weekly["weeks"].as_array().expect("weeks"));
    }
}

type Table = Vec<Vec<String>>;

/// What a page shows of each team, and of each week, is what the command says.
#[track_caller]
fn check(tables: &[Table], weeks: &[Value]) {
    let table = |first: &str, second: &str| {
        let found = tables.iter().find(|table| table[0][0] == first && table[0][1] == second);
        found.unwrap_or_else(|| panic!("no table of {first} and {second}"))
    };
    let (by_team, by_week) = (table("Team", "Sum"), table("Week", "Tokens"));
    let columns: Vec<&str> =
        by_team[0].iter().map(|name| name.split_whitespace().next().unwrap_or_default()).collect();
    let amount = |text: &str| -> f64 {
        let digits = text.chars().filter(|sign| sign.is_ascii_digit() || *sign == '.');
        digits.collect::<String>().parse().expect("dollars")
    };
    assert!(!weeks.is_empty());
    for row in weeks {
        let (name, week) = (row["name"].as_str().expect("a name"), row["week"].as_str().expect("a week"));
        let shown =
            by_team.iter().find(|shown| shown[0] == name).unwrap_or_else(|| panic!("no row of {name}"));
        let column = columns.iter().position(|column| week.ends_with(column)).expect("its column");
        let spend = row["spend_usd"].as_f64().expect("spend");
        let said = amount(&shown[column]);
        assert!((said - spend).abs() < 0.006, "{name} in {week}: {said} on the page, {spend}");
    }
    for shown in &by_week[1..] {
        let of_week =
            || weeks.iter().filter(|row| shown[0].starts_with(row["week"].as_str().expect("a week")));
        let sum = |field: &str| of_week().filter_map(|row| row[field].as_u64()).sum::<u64>().to_string();
        assert_eq!(shown[3..6], ["verified", "disqualified", "pending"].map(sum), "{}", shown[0]);
    }
}
