//! The real Claude Code client, started the way a developer starts it, with the fake API behind it.

use crate::program::{Running, Seen, checkout, command};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const KEY: &str = "sk-ant-fake-key-of-the-tests";

/// Where `scripts/real-client` puts the program.
#[track_caller]
pub fn program() -> PathBuf {
    let program = checkout().join(".cache/claude-code/claude");
    assert!(program.exists(), "{} is missing: run scripts/real-client, which installs it", program.display());
    program
}

/// Answers what the client would ask a new user, so that a session starts with its prompt.
pub fn settle_in(home: &Path, trusted: &[&Path]) {
    let trust = json!({
        "hasTrustDialogAccepted": true, "hasCompletedProjectOnboarding": true, "projectOnboardingSeenCount": 9,
        "allowedTools": [],
    });
    let projects: serde_json::Map<String, Value> =
        trusted.iter().map(|path| (path.display().to_string(), trust.clone())).collect();
    let answers = json!({
        "hasCompletedOnboarding": true, "lastOnboardingVersion": "99.0.0", "theme": "dark", "numStartups": 5,
        "bypassPermissionsModeAccepted": true, "autoUpdates": false, "projects": projects,
        "customApiKeyResponses": {"approved": [&KEY[KEY.len() - 20..]], "rejected": []},
    });
    fs::write(home.join(".claude.json"), answers.to_string()).expect("the client's own state file");
}

/// The client in `folder`, with a clean environment.
#[track_caller]
pub fn client(home: &Path, folder: &Path, api: &str) -> Command {
    let mut client = command(program(), home);
    client
        .current_dir(folder)
        .env("TERM", "xterm-256color")
        .env("ANTHROPIC_BASE_URL", api)
        .env("ANTHROPIC_API_KEY", KEY)
        .env("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1")
        .env("DISABLE_AUTOUPDATER", "1")
        .env("DISABLE_TELEMETRY", "1")
        .env("IS_SANDBOX", "1")
        .args(["--permission-mode", "bypassPermissions"]);
    client
}

/// A session without a terminal: one prompt, its answer as JSON.
pub struct Headless(Running);

impl Headless {
    #[track_caller]
    pub fn start(mut client: Command, prompt: &str, args: &[&str]) -> Self {
        Self(Running::start(client.args(["-p", prompt, "--output-format", "json"]).args(args)))
    }

    pub fn signal(&mut self, signal: rustix::process::Signal) {
        self.0.signal(signal);
    }

    #[track_caller]
    pub fn finish(self) -> Seen {
        self.0.finish()
    }
}

/// What the client itself said at the end of a headless session.
pub struct Said {
    pub session: String,
    /// `total_cost_usd`; the client adds in floating point, which is exact to the nano-dollar here.
    pub nanousd: i64,
}

impl Said {
    #[track_caller]
    pub fn read(seen: &Seen) -> Self {
        let answer: Value = serde_json::from_str(&seen.stdout)
            .unwrap_or_else(|error| panic!("the client's answer is not JSON ({error}): {seen:?}"));
        let session = answer["session_id"].as_str().expect("session_id in the client's answer").to_owned();
        let cost = answer["total_cost_usd"].as_number().expect("total_cost_usd in the client's answer");
        Self { session, nanousd: nano(&cost.to_string()) }
    }
}

/// The last total the client wrote into a session's transcript.
#[track_caller]
pub fn stated_cost(transcript: &str) -> i64 {
    let mut lines = transcript.lines().rev().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let state = lines.find(|line| line["type"] == "cost-state").expect("a cost-state line");
    nano(&state["totalCostUSD"].to_string())
}

/// Decimal dollars as nano-dollars, rounded at the tenth digit.
fn nano(dollars: &str) -> i64 {
    let (mantissa, exponent) =
        dollars.split_once('e').map_or((dollars, 0), |(m, e)| (m, e.parse().unwrap_or(0)));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    // digits left of the point once the amount is in tenths of a nano-dollar
    let keep = i32::try_from(whole.len()).expect("a short number") + exponent + 10;
    let digits = format!("{whole}{fraction}");
    let zeros = std::iter::repeat('0');
    let tenths: String = digits.chars().chain(zeros).take(usize::try_from(keep).unwrap_or(0)).collect();
    (tenths.parse::<i64>().unwrap_or(0) + 5) / 10
}

#[cfg(test)]
mod tests {
    use super::nano;

    #[track_caller]
    fn check(dollars: &str, expected: i64) {
        assert_eq!(nano(dollars), expected, "{dollars}");
    }

    #[test]
    fn dollars_are_read_without_floating_point() {
        check("0", 0);
        check("12", 12_000_000_000);
        check("0.004184", 4_184_000);
        check("0.0041840000000000001", 4_184_000);
        check("0.0041839999999999999", 4_184_000);
        check("4e-7", 400);
        check("1.25e-8", 13);
        check("1e-12", 0);
    }
}
