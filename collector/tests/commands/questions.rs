//! What admins ask: `weekly`, `prices`, `sql`, and the page that says the same.

use super::{Collector, command, fails, get, succeeds};
use serde_json::Value;
use std::fs;
use std::process::{Command, Stdio};
use tests::program::{checkout, run_with};

#[test]
fn an_empty_collector_says_what_comes_next() {
    let collector = Collector::start();
    let table = succeeds(&collector.folder(), &["weekly"]);
    assert!(table.contains("No spend yet") && table.contains("cpvo hooks-config --repo PATH"), "{table}");
    let json: Value =
        serde_json::from_str(&succeeds(&collector.folder(), &["weekly", "--format", "json"])).unwrap();
    assert_eq!(json["weeks"], Value::Array(Vec::new()));
    let page = get(&collector.url(), "/", &[]);
    assert!(page.contains("No spend yet"), "{page}");
    let error = fails(&collector.folder(), &["weekly", "--team", "nobody"]);
    assert!(error.contains("there is no team \"nobody\""), "{error}");
    succeeds(&collector.folder(), &["weekly", "--team", "unassigned"]);
}

#[test]
fn faults_are_told_in_plain_words() {
    let folder = tempfile::tempdir().unwrap();
    succeeds(folder.path(), &["init"]);
    for question in [&["weekly"][..], &["sql", "SELECT 1"]] {
        let error = fails(folder.path(), question);
        assert_eq!(error, "cpvo: no database yet at cpvo.db: start `cpvo serve`\n");
    }
    let collector = Collector::start();
    for (query, expected) in
        [("", "the query is empty"), ("SELECT FROM", "syntax error"), ("SELECT * FROM nowhere", "nowhere")]
    {
        let error = fails(&collector.folder(), &["sql", query]);
        assert!(error.contains(expected) && !error.contains("Error code"), "{error}");
    }
    let error = fails(&collector.folder(), &["token", "revoke", "abc"]);
    assert!(error.contains("there is no token abc; `cpvo token list`"), "{error}");
}

#[test]
fn the_page_loads_nothing_from_elsewhere_and_answers_to_this_machine_only() {
    let collector = Collector::start();
    let page = get(&collector.url(), "/", &[]).to_lowercase();
    let policy = "content-security-policy: default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; \
                  form-action 'self'; frame-ancestors 'none'";
    assert!(page.contains(policy), "{page}");
    for loaded in ["<script", "style=\"", "src=\"", "http://", "https://", "url("] {
        let body = page.split_once("\r\n\r\n").unwrap().1;
        assert!(!body.contains(loaded), "{loaded} in {body}");
    }
    assert!(get(&collector.url(), "/", &["--compressed"]).contains("content-encoding: gzip"));
    let assets: Vec<&str> = page.split("href=\"").filter(|rest| rest.starts_with("/assets/")).collect();
    let assets: Vec<&str> = assets.iter().filter_map(|rest| rest.split('"').next()).collect();
    assert_eq!(assets.len(), 2, "{page}");
    for path in &assets {
        let answer = get(&collector.url(), path, &[]);
        assert!(answer.starts_with("HTTP/1.1 200") && !answer.contains("url("), "{path}: {answer}");
        assert!(answer.contains("cache-control: public, max-age=31536000, immutable"), "{answer}");
    }
    for path in ["/", assets[0], "/v1/weeks"] {
        let answer = get(&collector.url(), path, &["--header", "host: evil.example"]);
        assert!(answer.starts_with("HTTP/1.1 403"), "{path}: {answer}");
    }
}

#[test]
fn what_goes_wrong_is_a_page_for_people_and_json_for_programs() {
    let collector = Collector::start();
    let weeks = "must be 1 to 520, such as 12, not";
    for (path, status, said) in [
        ("/?weeks=abc", 422, "Weeks: must be 1 to 520, such as 12, not &#34;abc&#34;."),
        ("/?weeks=0", 422, weeks),
        ("/?weeks=521", 422, weeks),
        ("/?sort=b", 422, "Sort: unknown field `sort`"),
        ("/teams/nobody", 404, "There is no team &#34;nobody&#34;"),
        ("/teams/%ff", 404, "No such page."),
        ("/changes/%ff", 404, "No such page."),
        ("/assets/style.css", 404, "No such page."),
        ("/nowhere", 404, "No such page."),
    ] {
        let answer = get(&collector.url(), path, &[]);
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status}")) && answer.contains(said),
            "{path}: {answer}"
        );
        for part in ["content-type: text/html", "default-src 'none'", "<h1>", "href=\"/teams\""] {
            assert!(answer.contains(part), "{part} of {path}: {answer}");
        }
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("content-length: {}", body.len())), "{path}: {answer}");
    }
    let post = &["--request", "POST"][..];
    for (path, more, status) in [
        ("/v1/nowhere", &[][..], 404),
        ("/v1/weeks?weeks=abc", &[], 422),
        ("/v1/teams/nobody", &[], 404),
        ("/v1/weeks?team=a&sort=b", &[], 422),
        ("/v1/teams/%FF", &["--header", "accept-encoding: gzip"], 400),
        ("/v1/export/%FF", &[], 400),
        ("/v1/hook/%FF", &[], 400),
        ("/v1/weeks", post, 405),
        ("/v1/reports", &[], 405),
    ] {
        let answer = get(&collector.url(), path, more);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{path}: {answer}");
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.contains("application/json") && body.starts_with("{\"error\""), "{path}: {answer}");
    }
}

#[test]
fn a_file_is_given_out_by_its_name() {
    let collector = Collector::start();
    let ask = |path: &str, more: &[&str]| get(&collector.url(), &format!("/v1/export/{path}"), more);
    let weeks = ask("weeks.csv?from=2026-01-01&until=2026-02-01&team=unassigned", &[]);
    assert!(weeks.starts_with("HTTP/1.1 200") && weeks.contains("\r\n\r\nteam,name,"), "{weeks}");
    assert!(weeks.contains("content-disposition: attachment; filename=\"cpvo-weeks.csv\"\r\n"), "{weeks}");
    assert!(ask("focus.csv", &[]).contains("\r\n\r\nBilledCost,BillingAccountId,"));
    assert!(ask("spend.json", &[]).ends_with("\r\n\r\n[]\n"));
    for (path, status) in [
        ("people.csv", 404),
        ("spend.xls", 404),
        ("spend.csv?team=nobody", 404),
        ("spend.csv?from=yesterday", 422),
        ("spend.csv?until=9999-12-31", 422),
        ("spend.csv?developer=ana", 422),
    ] {
        assert!(ask(path, &[]).starts_with(&format!("HTTP/1.1 {status}")), "{path}");
    }
    assert!(ask("spend.csv", &["--header", "host: evil.example"]).starts_with("HTTP/1.1 403"));
    let both = fails(&collector.folder(), &["export", "weeks", "--format", "focus"]);
    assert!(both.contains("leave out what a row is"), "{both}");
}

/// The last byte has no place: what is before it was written long ago, and only the end tells.
#[test]
fn a_file_that_the_disk_does_not_take_whole_is_a_failure() {
    const HELD_ALREADY: u64 = 1 << 20;
    let collector = Collector::start();
    let folder = collector.folder();
    let export = ["export", "spend", "--format", "parquet"];
    let size = command(&folder, &export).output().unwrap().stdout.len();
    let short = |missing: u64| {
        let path = folder.join("spend.parquet");
        fs::File::create(&path).unwrap().set_len(HELD_ALREADY).unwrap();
        let limit = HELD_ALREADY + u64::try_from(size).unwrap() - missing;
        let mut command = Command::new("sh");
        command.args(["-c", "trap '' XFSZ; exec prlimit --fsize=\"$0\" \"$@\"", &limit.to_string()]);
        command.arg(env!("CARGO_BIN_EXE_cpvo")).args(export).current_dir(&folder).env("HOME", &folder);
        command.stdout(fs::OpenOptions::new().append(true).open(&path).unwrap()).output().unwrap()
    };
    let whole = short(0);
    assert!(whole.status.success(), "{whole:?}");
    let cut = short(1);
    assert_eq!(cut.status.code(), Some(1), "{cut:?}");
    assert!(String::from_utf8_lossy(&cut.stderr).contains("File too large"), "{cut:?}");
}

#[test]
fn prometheus_reads_the_metrics() {
    let promtool = checkout().join(".cache/prometheus/usr/bin/promtool");
    assert!(promtool.exists(), "{} is missing: run scripts/needs first", promtool.display());
    let collector = Collector::start();
    let answer = get(&collector.url(), "/metrics", &[]);
    let (head, text) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.contains("content-type: text/plain; version=0.0.4; charset=utf-8"), "{head}");
    let mut check = Command::new(promtool);
    run_with(check.args(["check", "metrics"]), text.as_bytes()).success();
    let labels = text.lines().filter_map(|line| line.split_once('{')?.1.split_once('='));
    assert!(labels.clone().count() > 0 && labels.clone().all(|(label, _)| label == "status"), "{text}");
}

#[test]
fn programs_are_given_out_by_target_and_nothing_else_is() {
    let collector = Collector::start();
    let folder = collector.folder().join("hooks/aarch64-apple-darwin");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("cpvo-hook"), "program").unwrap();
    let answer = get(&collector.url(), "/v1/hook/aarch64-apple-darwin", &[]);
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("content-length: 7\r\n"), "{answer}");
    assert!(answer.ends_with("\r\n\r\nprogram"), "{answer}");
    for target in [
        "x86_64-apple-darwin",
        "..",
        "../cpvo.toml",
        "%2e%2e%2fcpvo.toml",
        "aarch64-apple-darwin%00",
        "aarch64-apple-darwin/../../cpvo.toml",
        "..%5ccpvo.toml",
        "/etc/passwd",
    ] {
        let answer = get(&collector.url(), &format!("/v1/hook/{target}"), &["--path-as-is"]);
        assert!(answer.starts_with("HTTP/1.1 404"), "{target}: {answer}");
    }
}

#[test]
fn a_query_only_reads() {
    let collector = Collector::start();
    let ask = |query: &str| fails(&collector.folder(), &["sql", query]);
    for query in [
        "DELETE FROM audit",
        "DROP TABLE usage",
        "PRAGMA user_version = 5",
        "INSERT INTO week VALUES ('', '', '')",
    ] {
        let error = ask(query);
        assert!(error.contains("only reads") || error.contains("readonly"), "{query}: {error}");
    }
    assert!(ask("SELECT 1; DELETE FROM audit").contains("Multiple statements"));
    assert!(ask("SELECT nothing FROM usage").contains("nothing"));
    let rows = succeeds(
        &collector.folder(),
        &["sql", "SELECT 1 AS one, '=x' AS text, NULL AS none", "--format", "json"],
    );
    assert_eq!(rows.split_whitespace().collect::<String>(), r#"[{"one":1,"text":"=x","none":null}]"#);
    let csv = succeeds(&collector.folder(), &["sql", "SELECT -1 AS one, '=x' AS text", "--format", "csv"]);
    assert_eq!(csv, "one,text\n-1,'=x\n");
    let tables = succeeds(&collector.folder(), &["sql"]);
    for name in ["session", "usage", "spend", "team_week", "unassigned", "audit"] {
        assert!(tables.lines().any(|line| line.split_whitespace().next() == Some(name)), "{name}: {tables}");
    }
}

#[test]
fn prices_need_no_collector() {
    let folder = tempfile::tempdir().unwrap();
    let prices: Value =
        serde_json::from_str(&succeeds(folder.path(), &["prices", "--format", "json"])).unwrap();
    let opus = prices
        .as_array()
        .unwrap()
        .iter()
        .find(|price| price["model"] == "claude-opus-5-5" && price["kind"] == "fast");
    assert_eq!(opus.unwrap()["output"].to_string(), "40.0");
    assert!(succeeds(folder.path(), &["prices"]).contains("USD per million tokens"));
}

#[test]
fn who_stops_reading_is_told_nothing_and_the_work_is_done() {
    let folder = tempfile::tempdir().unwrap();
    let unread = |args: &[&str]| {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = command(folder.path(), args);
        let output = command.stdout(writer).stderr(Stdio::piped()).spawn().unwrap().wait_with_output();
        let output = output.unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{args:?}");
        assert!(output.status.success(), "{args:?}");
    };
    unread(&["init"]);
    for made in ["cpvo.toml", "teams.toml", "keys"] {
        assert!(folder.path().join(made).exists(), "{made}");
    }
    unread(&["hooks-config", "--repo", ".", "--url", "https://cpvo.acme.example", "--token", "a.b.c"]);
    for made in [".claude/CPVO.md", ".claude/settings.json"] {
        assert!(folder.path().join(made).exists(), "{made}");
    }
    unread(&["token", "issue", "--repo", "git.example/acme/pay"]);
    for args in
        [&["token", "list"][..], &["weekly"], &["prices"], &["sql"], &["sql", "SELECT 1"], &["--help"]]
    {
        unread(args);
    }
}
