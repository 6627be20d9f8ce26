//! Writes sample sessions of an invented company, so that a machine without transcripts has something to show.
//!
//! `samples FOLDER` makes one folder per developer: a home with transcripts of the last six weeks and the
//! repositories they worked in. They are read by the real hook and priced by the real collector.

use anyhow::{Context, Result};
use jiff::{SignedDuration, Timestamp, ToSpan, tz::TimeZone};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use tests::dice::Dice;

const WEEKS: i64 = 6;
/// The day each developer's sessions end on is this many hours before now at the latest.
const SETTLED: SignedDuration = SignedDuration::from_hours(2);

struct Developer {
    name: &'static str,
    email: &'static str,
    repositories: &'static [&'static str],
    sessions_per_week: u64,
    models: &'static [&'static str],
    /// The project key of their tickets.
    tickets: &'static str,
}

const DEVELOPERS: [Developer; 4] = [
    Developer {
        name: "ana",
        email: "ana@acme.example",
        repositories: &["pay", "ledger"],
        sessions_per_week: 6,
        models: &["claude-opus-5-5", "claude-opus-5-5", "claude-haiku-5-5"],
        tickets: "PAY",
    },
    Developer {
        name: "bob",
        email: "bob@acme.example",
        repositories: &["pay"],
        sessions_per_week: 4,
        models: &["claude-sonnet-5-5", "claude-sonnet-5-5", "claude-opus-5-5"],
        tickets: "PAY",
    },
    Developer {
        name: "chen",
        email: "chen@acme.example",
        repositories: &["infra"],
        sessions_per_week: 5,
        models: &["claude-sonnet-5-5", "claude-haiku-5-5"],
        tickets: "OPS",
    },
    Developer {
        name: "dee",
        email: "dee@partner.example",
        repositories: &["ledger"],
        sessions_per_week: 1,
        models: &["claude-sonnet-5-5"],
        tickets: "LED",
    },
];

fn main() -> Result<()> {
    let folder = std::env::args().nth(1).context("usage: samples FOLDER")?;
    #[expect(clippy::disallowed_methods, reason = "the door where time enters")]
    let now = Timestamp::now();
    let mut dice = Dice::new(47);
    for developer in &DEVELOPERS {
        write_developer(&PathBuf::from(&folder), developer, now, &mut dice)
            .with_context(|| format!("cannot write the sample sessions of {}", developer.name))?;
    }
    Ok(())
}

fn write_developer(folder: &Path, developer: &Developer, now: Timestamp, dice: &mut Dice) -> Result<()> {
    let own = folder.join(developer.name);
    fs::create_dir_all(own.join("home"))?;
    let own = own.canonicalize()?;
    for repository in developer.repositories {
        make_repository(&own.join(repository), repository, developer.email)?;
    }
    for week in 0..WEEKS {
        for _ in 0..developer.sessions_per_week {
            let Some(start) = working_hour(now, week, dice) else { continue };
            let repository = own.join(dice.pick(developer.repositories));
            write_session(&own.join("home"), &repository, developer, start, dice)?;
        }
    }
    Ok(())
}

fn make_repository(path: &Path, name: &str, email: &str) -> Result<()> {
    fs::create_dir_all(path)?;
    let remote = format!("https://github.com/acme/{name}.git");
    let steps: [&[&str]; 3] = [
        &["init", "-q", "-b", "main"],
        &["config", "user.email", email],
        &["remote", "add", "origin", &remote],
    ];
    for step in steps {
        let status = Command::new("git").args(step).current_dir(path).status().context("cannot run git")?;
        anyhow::ensure!(status.success(), "git {} failed in {}", step.join(" "), path.display());
    }
    Ok(())
}

/// An hour of a working day `weeks` weeks ago, or `None` if it has not come yet.
fn working_hour(now: Timestamp, weeks: i64, dice: &mut Dice) -> Option<Timestamp> {
    let today = now.to_zoned(TimeZone::UTC).date();
    let monday = today.checked_sub(i64::from(today.weekday().to_monday_zero_offset()).days()).ok()?;
    let day = i64::try_from(dice.roll(5)).ok()? - 7 * weeks;
    let date = monday.checked_add(day.days()).ok()?;
    let hour = i8::try_from(8 + dice.roll(9)).ok()?;
    let minute = i8::try_from(dice.roll(60)).ok()?;
    let start = date.at(hour, minute, 0, 0).to_zoned(TimeZone::UTC).ok()?.timestamp();
    (start.checked_add(SETTLED).ok()? < now).then_some(start)
}

fn write_session(
    home: &Path,
    repository: &Path,
    developer: &Developer,
    start: Timestamp,
    dice: &mut Dice,
) -> Result<()> {
    let session = dice.session_id();
    let branch = format!("feature/{}-{}", developer.tickets, 10 + dice.roll(30));
    let model = *dice.pick(developer.models);
    let cwd = repository.to_string_lossy().into_owned();
    let folder: String = cwd.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let projects = home.join(".claude").join("projects").join(folder);
    let mut at = start;
    let mut lines = Vec::new();
    let line = |kind: &str, at: Timestamp, sidechain: bool, message: Value| {
        let mut line = json!({
            "type": kind, "sessionId": session, "uuid": format!("{kind}-{at}"), "timestamp": at.to_string(), "cwd": cwd,
            "gitBranch": branch, "version": "2.1.330", "entrypoint": "cli", "isSidechain": sidechain,
            "userType": "external", "message": message,
        });
        if sidechain {
            line["attributionAgent"] = json!("Explore");
        }
        line
    };
    let mut cached = 12_000 + dice.roll(20_000);
    for _ in 0..2 + dice.roll(5) {
        lines.push(line("user", at, false, json!({ "role": "user", "content": "a prompt of the sample" })));
        for _ in 0..=dice.roll(8) {
            at = at.checked_add(SignedDuration::from_secs(20 + i64::try_from(dice.roll(90))?))?;
            lines.push(line("assistant", at, false, response(model, &mut cached, dice)));
        }
    }
    write_lines(&projects.join(format!("{session}.jsonl")), &lines)?;
    if dice.roll(3) == 0 {
        let agent = format!("agent-{}.jsonl", dice.hex(8));
        let mut cached = 4_000;
        let asked = line("user", start, true, json!({ "role": "user", "content": "a task of the sample" }));
        let found = line("assistant", at, true, response("claude-sonnet-5-5", &mut cached, dice));
        write_lines(&projects.join(&session).join("subagents").join(agent), &[asked, found])?;
    }
    Ok(())
}

fn response(model: &str, cached: &mut u64, dice: &mut Dice) -> Value {
    let written = 400 + dice.roll(4_000);
    let usage = json!({
        "input_tokens": 4 + dice.roll(300),
        "output_tokens": 80 + dice.roll(1_800),
        "cache_read_input_tokens": *cached,
        "cache_creation_input_tokens": written,
        "cache_creation": { "ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": written },
        "service_tier": "standard", "speed": "standard",
    });
    *cached += written;
    json!({
        "id": format!("msg_{}", dice.hex(24)), "type": "message", "role": "assistant", "model": model,
        "content": [{ "type": "text", "text": "an answer of the sample" }], "stop_reason": "end_turn", "usage": usage,
    })
}

fn write_lines(path: &Path, lines: &[Value]) -> Result<()> {
    let folder = path.parent().context("a transcript lies in a folder")?;
    fs::create_dir_all(folder)?;
    let lines: Vec<String> = lines.iter().map(Value::to_string).collect();
    fs::write(path, lines.join("\n") + "\n").with_context(|| format!("cannot write {}", path.display()))
}
