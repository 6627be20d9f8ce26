//! The four cuts: what was spent, what came of it, which share survived and what a verified outcome cost.

use super::{Collector, command, fails, get, succeeds};
use jiff::{SignedDuration, Timestamp};
use meter::Week;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use tests::git::Repository;
use tests::wait::until;

const TEAMS: &str = r#"
[[team]]
id = "busy"
repositories = ["github.com/acme/busy"]
members = [{ email = "ana@acme.example" }]
[[team]]
id = "calm"
repositories = ["github.com/acme/calm"]
members = [{ email = "bob@acme.example" }]
"#;

/// A collector that knows two teams and their repositories, and the first of the last four mature weeks.
pub(super) struct Company {
    pub collector: Collector,
    pub repositories: [Repository; 2],
    past: Week,
}

impl Company {
    pub(super) fn found() -> Self {
        let collector = Collector::start();
        let home = collector.folder();
        fs::write(home.join(".gitconfig"), "[user]\n\tname = Ana\n\temail = ana@acme.example\n").unwrap();
        fs::write(home.join("teams.toml"), TEAMS).unwrap();
        let mut settings = fs::read_to_string(home.join("cpvo.toml")).unwrap();
        let repositories = ["busy", "calm"].map(|name| {
            let repo = format!("github.com/acme/{name}");
            let source = format!("kind = \"clone\"\nrepo = \"{repo}\"\npath = \"{name}\"\nbranch = \"main\"");
            settings = format!("{settings}\n[[source]]\n{source}\n");
            let repository = Repository::create(&home.join(name), &home, &format!("https://{repo}.git"));
            // what has no remote need not be fetched: it is known up to now, its first commit too
            repository.git(&["remote", "remove", "origin"]);
            repository
        });
        fs::write(home.join("cpvo.toml"), settings).unwrap();
        let has_calm = || get(&collector.url(), "/v1/weeks?team=calm", &[]).starts_with("HTTP/1.1 200");
        until("the teams to be read", || has_calm().then_some(()));
        let past = (0..6).fold(Week::of(now()), |week, _| week.previous());
        Self { collector, repositories, past }
    }

    pub(super) fn cpvo(&self, args: &[&str]) -> String {
        succeeds(&self.collector.folder(), args)
    }

    /// A week after the first.
    pub(super) fn week(&self, number: usize) -> Week {
        (0..number).fold(self.past, |week, _| week.next())
    }

    /// Lands so many changes on a Tuesday, and on the next day takes some of them back.
    pub(super) fn land(
        &self,
        repository: &Repository,
        week: usize,
        changes: std::ops::Range<usize>,
        lost: usize,
    ) {
        let day = |day: i64| (self.week(week).start() + SignedDuration::from_hours(24 * day)).to_string();
        for number in changes.clone() {
            repository.commit_at(&day(1), &format!("Add {number} (#{number})"));
        }
        for number in changes.take(lost) {
            repository
                .commit_at(&day(2), &format!("Revert \"Add {number} (#{number})\" (#{})", number + 500));
        }
    }

    /// Reports so many dollars of one week, as a hook would.
    fn spend(&self, email: &str, week: usize, dollars: u64) {
        self.report((email, "github.com/acme/pay"), week, dollars, &json!([]));
    }

    /// Reports what the last change of a repository cost that one person.
    pub(super) fn build(&self, email: &str, number: usize, week: usize, dollars: u64) {
        let sha = self.repositories[number].git(&["rev-parse", "HEAD"]);
        let at = self.week(week).start().to_string();
        let commits = json!([{"sha": sha.trim(), "branch": "feature/PAY-42", "at": at}]);
        let repo = ["github.com/acme/busy", "github.com/acme/calm"][number];
        self.report((email, repo), week, dollars, &commits);
    }

    fn report(&self, (email, repo): (&str, &str), week: usize, dollars: u64, commits: &Value) {
        let week = self.week(week);
        let mut report: Value =
            serde_json::from_str(include_str!("../../../meter/golden/report.json")).unwrap();
        let mut row = report["usage"][0].take();
        row["hour"] = json!(week.start().to_string());
        for (count, number) in [("input", 0), ("cache_read", 0), ("cache_write_5m", 0), ("cache_write_1h", 0)]
        {
            row[count] = json!(number);
        }
        row["output"] = json!(dollars * 50_000); // at 20 USD per million
        for (field, value) in [
            ("session_id", json!(format!("8b41c8a0-5f0e-4c8e-9a55-{:0>12}", dollars))),
            ("week", json!(week.to_string())),
            ("repo", json!(repo)),
            ("developer", json!({"email": email})),
            ("usage", json!([row])),
            ("started_at", Value::Null),
            ("ended_at", Value::Null),
            ("commits", commits.clone()),
            ("pull_requests", json!([])),
        ] {
            report[field] = value;
        }
        let token = self.cpvo(&["token", "issue", "--repo", repo]);
        let answer = post(&self.collector.url(), token.trim(), &json!([report]), &self.collector.folder());
        assert!(answer.contains("\"applied\""), "{answer}");
    }

    pub(super) fn weekly(&self, more: &[&str]) -> Value {
        serde_json::from_str(&self.cpvo(&[&["weekly", "--format", "json"], more].concat())).unwrap()
    }
}

#[expect(clippy::disallowed_methods, reason = "the program under test reads the same clock")]
fn now() -> Timestamp {
    Timestamp::now()
}

fn post(url: &str, token: &str, reports: &Value, folder: &Path) -> String {
    let body = folder.join("reports.json");
    fs::write(&body, reports.to_string()).unwrap();
    let output = Command::new("curl")
        .args(["-s", "-H", &format!("authorization: Bearer {token}"), "--data-binary"])
        .arg(format!("@{}", body.display()))
        .arg(format!("{url}/v1/reports"))
        .output();
    String::from_utf8(output.unwrap().stdout).unwrap()
}

/// The example of the specification: 40 changes of which 12 were lost, beside 30 of 30.
#[test]
fn the_worked_example() {
    let company = Company::found();
    let [busy, calm] = &company.repositories;
    let first = [0, 7, 15, 23, 30];
    for week in 0..4 {
        company.land(busy, week, week * 10..week * 10 + 10, [2, 4, 3, 3][week]);
        company.spend("ana@acme.example", week, 1050);
        company.land(calm, week, first[week]..first[week + 1], 0);
        company.spend("bob@acme.example", week, [980, 1120, 1121, 979][week]);
    }
    assert_eq!(company.weekly(&[])["teams"], json!([]), "nothing was judged");
    company.cpvo(&["sync"]);
    company.cpvo(&["judge"]);

    let weekly = company.weekly(&[]);
    let [first, second] = [0, 1].map(|team| &weekly["teams"][team]);
    check(
        first,
        &json!({"team": "busy", "attempted": 40, "verified": 28, "disqualified": 12, "verified_share": 0.7,
        "verified_share_low": 0.5457, "verified_share_high": 0.819_252, "cost_usd": 4200.0, "cpvo_usd": 150.0,
        "targeted_verified": 28, "targeted_share": 0.7, "literal_attempted": 40,
        "weeks": 4, "policy_id": 3, "window_days": 14, "immature_spend_usd": 0.0}),
    );
    check(
        second,
        &json!({"team": "calm", "attempted": 30, "verified": 30, "disqualified": 0, "verified_share": 1.0,
        "verified_share_low": 0.886_487, "verified_share_high": 1.0, "cost_usd": 4200.0, "cpvo_usd": 140.0}),
    );
    let weeks = weekly["weeks"].as_array().unwrap();
    let of = |team: &str, week: usize| {
        let week = company.week(week).to_string();
        weeks.iter().find(|row| row["team"] == team && row["week"] == *week).unwrap()
    };
    check(
        of("busy", 0),
        &json!({"attempted": 10, "verified": 8, "disqualified": 2, "pending": 0, "mature": 1,
        "verified_share": 0.8, "spend_usd": 1050.0, "cordon_usd": 0.0, "cpvo_usd": 131.25, "policy_id": 3}),
    );
    check(
        of("busy", 6),
        &json!({"attempted": 0, "pending": 1, "mature": 0, "verified_share": null,
        "verified_share_low": null, "cpvo_usd": null}),
    );

    let table = company.cpvo(&["weekly"]).split_whitespace().collect::<Vec<_>>().join(" ");
    for said in [
        "28/40 70 % (55–82) $150.00 125–181",
        "30/30 100 % (89–100) $140.00",
        "~80 % (49–94) $131.25",
        "1 pending",
    ] {
        assert!(table.contains(said), "{said}:\n{table}");
    }
}

#[test]
fn every_form_says_the_same() {
    let company = Company::found();
    company.land(&company.repositories[0], 0, 1..3, 1);
    company.spend("ana@acme.example", 0, 10);
    company.spend("bob@acme.example", 0, 5);
    company.cpvo(&["sync"]);
    company.cpvo(&["judge"]);
    let json = company.weekly(&["--weeks", "30"]);
    let answer = get(&company.collector.url(), "/v1/weeks?weeks=30&basis=people", &[]);
    let served: Value = serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap();
    assert_eq!([&served["weeks"], &served["teams"]], [&json["weeks"], &json["teams"]]);
    let work = company.weekly(&["--weeks", "30", "--basis", "work"]);
    let answer = get(&company.collector.url(), "/v1/weeks?weeks=30&basis=work", &[]);
    let served: Value = serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap();
    assert_eq!([&served["weeks"], &served["basis"]], [&work["weeks"], &json!("work")]);
    check(&work["weeks"][0], &json!({"lent_usd": 0.0, "borrowed_usd": 0.0}));
    let csv = company.cpvo(&["weekly", "--weeks", "30", "--format", "csv"]);
    let lines = json["weeks"].as_array().unwrap().iter().map(|row| row.as_object().unwrap().len());
    assert_eq!(
        csv.lines().skip(1).map(|line| line.split(',').count()).collect::<Vec<_>>(),
        lines.collect::<Vec<_>>()
    );
    let one = company.weekly(&["--team", "busy"]);
    assert!(one["weeks"].as_array().unwrap().iter().all(|row| row["team"] == "busy"));
    let table = company.cpvo(&["weekly"]);
    assert!(table.contains("calm: no verified outcome, $5.00 spent"), "{table}");
    let waits = "busy: no verdict yet, ";
    let verdict = company.cpvo(&["verdict"]);
    assert!(verdict.contains(waits), "{verdict}");
    let page = get(&company.collector.url(), "/", &[]);
    assert!(page.contains(waits) && page.contains("lost, W"), "{page}");
    for program in [&["--json"][..], &["--format", "json"]] {
        let asked = [&["verdict", "--team", "busy"], program].concat();
        let verdict: Value = serde_json::from_str(&company.cpvo(&asked)).unwrap();
        check(
            &verdict["teams"][0],
            &json!({"team": "busy", "verdict": null, "weeks_needed": 35, "last": null, "policy_id": 3}),
        );
    }
}

#[test]
fn what_leaders_ask_besides_is_served_as_it_is_printed() {
    let company = Company::found();
    company.land(&company.repositories[0], 0, 1..6, 2);
    company.land(&company.repositories[1], 1, 1..3, 0);
    company.spend("ana@acme.example", 0, 10);
    company.build("ana@acme.example", 1, 1, 5);
    company.cpvo(&["sync"]);
    company.cpvo(&["judge"]);
    let served = |path: &str| -> Value {
        let answer = get(&company.collector.url(), path, &[]);
        serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap()
    };
    let printed = |args: &[&str]| -> Value { serde_json::from_str(&company.cpvo(args)).unwrap() };

    let delivery = printed(&["delivery", "--format", "json"]);
    let busy = &delivery["teams"][0];
    check(
        busy,
        &json!({"team": "busy", "spend_usd": 15.0, "changes": 6, "repairs": 2, "rework_usd": 0.0, "attempted": 5,
        "failed": 2, "restore_changes": 2, "restore_median_seconds": 86400, "lead_changes": 0,
        "lead_median_seconds": null, "requests_open": null, "no_known_ai_changes": 6, "assisted_changes": 0}),
    );
    let team = served("/v1/teams/busy?weeks=12");
    assert_eq!(team["delivery"]["teams"], json!([busy]));
    let weekly = company.weekly(&["--team", "busy"]);
    for part in ["weeks", "teams", "costs", "units"] {
        assert_eq!(team[part], weekly[part], "{part}");
    }
    let work = served("/v1/teams/busy?weeks=12&basis=work");
    assert_eq!(work["teams"][0]["cost_usd"], json!(10.0), "the rest built what is calm's");
    assert_eq!(work["delivery"]["teams"], team["delivery"]["teams"]);
    assert_eq!(served("/v1/changes"), printed(&["changes", "--format", "json"]));
    let calm = "github.com/acme/calm";
    let of_calm = printed(&["changes", "--repo", calm, "--format", "json"]);
    assert_eq!(served(&format!("/v1/changes?repo={calm}")), of_calm);
    assert_eq!(of_calm.as_array().unwrap().len(), 3, "and the first commit");
    for (path, status) in [
        ("/v1/teams/nobody", "404"),
        ("/v1/teams/busy?weeks=0", "422"),
        ("/v1/teams/busy?repo=github.com/acme/busy", "422"),
        ("/v1/teams/busy?from=2026-W30", "422"),
        ("/v1/teams/busy?team=calm", "422"),
        ("/v1/changes?repo=github.com/acme/none", "404"),
        ("/v1/changes?colour=red", "422"),
    ] {
        let answer = get(&company.collector.url(), path, &[]);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{path}: {answer}");
    }
    for path in ["/v1/teams/busy", "/v1/changes"] {
        let answer = get(&company.collector.url(), path, &["--header", "host: evil.example"]);
        assert!(answer.starts_with("HTTP/1.1 403"), "{path}: {answer}");
    }
    let table = company.cpvo(&["delivery", "--team", "busy"]);
    assert!(table.contains("failed    2/5, ~40 % (12–77)"), "{table}");
    let csv = company.cpvo(&["delivery", "--format", "csv"]);
    assert!(csv.starts_with("team,name,spend_usd,changes") && csv.lines().count() > 2, "{csv}");
}

#[test]
fn a_team_and_each_of_its_changes_have_a_page() {
    const TITLE: &str = "Add <script>alert('x')</script> & \"y\"";
    let company = Company::found();
    company.land(&company.repositories[0], 0, 1..6, 2);
    company.repositories[1].commit_at(&company.week(0).start().to_string(), TITLE);
    company.build("ana@acme.example", 1, 0, 5);
    company.cpvo(&["sync"]);
    company.cpvo(&["judge"]);
    let url = company.collector.url();
    let sha = company.repositories[1].git(&["rev-parse", "HEAD"]);
    let busy = get(&url, "/teams/busy", &[]);
    for said in ["Where the spend went", "built $5.00, 100 %", "What shipped", "busy#1", "failed", "2/5"] {
        assert!(busy.contains(said), "{said}: {busy}");
    }
    let calm = get(&url, "/teams/calm", &[]);
    let change = get(&url, &format!("/changes/github.com/acme/calm@{}", sha.trim()), &[]);
    for page in [&calm, &change] {
        assert!(page.starts_with("HTTP/1.1 200") && page.contains("default-src 'none'"), "{page}");
        assert!(!page.contains("<script") && page.contains("&#60;script&#62;alert"), "{page}");
    }
    for said in ["commit", "$5.00", "verified: nothing took it back"] {
        assert!(change.contains(said), "{said}: {change}");
    }
    assert!(!change.contains("cpvo dispute"), "there is nothing to dispute: {change}");
    assert!(!change.contains("ana@acme.example</td>"), "nobody is named as having spent: {change}");
    let lost =
        company.cpvo(&["sql", "SELECT sha FROM disqualification ORDER BY sha LIMIT 1", "--format", "csv"]);
    let lost = lost.lines().last().unwrap();
    let page = get(&url, &format!("/changes/github.com/acme/busy@{lost}"), &[]);
    assert!(page.contains("cpvo dispute 'github.com/acme/busy"), "{page}");
    company.cpvo(&["dispute", lost, "--reason", "it was <b>y</b>"]);
    let page = get(&url, &format!("/changes/github.com/acme/busy@{lost}"), &[]);
    assert!(page.contains("disputed") && page.contains(": it was &#60;b&#62;y&#60;/b&#62;"), "{page}");
    for path in ["/teams/nobody", "/changes/github.com/acme/calm%2399", "/changes/x"] {
        let answer = get(&url, path, &[]);
        assert!(answer.starts_with("HTTP/1.1 404"), "{path}: {answer}");
    }
    for path in ["/teams/busy?basis=work", "/teams/busy?team=calm"] {
        let answer = get(&url, path, &[]);
        assert!(answer.starts_with("HTTP/1.1 422") && answer.contains("Only weeks"), "{path}: {answer}");
    }
    let answer = get(&url, "/teams/busy", &["--header", "host: evil.example"]);
    assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
}

#[test]
fn a_judging_that_nobody_listens_to_is_whole() {
    let company = Company::found();
    company.land(&company.repositories[0], 0, 1..6, 2);
    company.land(&company.repositories[1], 0, 1..4, 0);
    company.cpvo(&["sync"]);
    let folder = company.collector.folder();
    let mut judge = command(&folder, &["judge"]).stdout(Stdio::piped()).spawn().unwrap();
    drop(judge.stdout.take());
    assert!(judge.wait().unwrap().success());
    let weekly = company.weekly(&[]);
    let verified = |team: &str| {
        let weeks = weekly["weeks"].as_array().unwrap().iter().filter(|row| row["team"] == team);
        weeks.filter_map(|row| row["verified"].as_u64()).sum::<u64>()
    };
    assert_eq!([verified("busy"), verified("calm")], [3, 3]);
}

#[test]
fn a_team_nobody_knows_is_named() {
    let company = Company::found();
    for command in ["weekly", "verdict", "delivery"] {
        let error = fails(&company.collector.folder(), &[command, "--team", "x"]);
        assert!(error.contains("there is no team \"x\"; there are: busy, calm"), "{error}");
    }
    for path in ["/v1/weeks?team=x", "/?team=x"] {
        let answer = get(&company.collector.url(), path, &[]);
        assert!(answer.starts_with("HTTP/1.1 404") && answer.contains("here is no team"), "{answer}");
    }
    for path in ["/v1/weeks?team=busy", "/v1/weeks?team=unassigned"] {
        assert!(get(&company.collector.url(), path, &[]).starts_with("HTTP/1.1 200"), "{path}");
    }
}

/// Whether the row holds these fields.
#[track_caller]
fn check(row: &Value, expected: &Value) {
    for (field, value) in expected.as_object().unwrap() {
        assert_eq!(&row[field], value, "{field} of {row}");
    }
}
