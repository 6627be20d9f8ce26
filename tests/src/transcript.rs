//! Transcripts as Claude Code writes them, made by hand for stories that need no client.

use jiff::{SignedDuration, Timestamp};
use meter::Tokens;
use serde_json::{Value, json};
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// The model of hand-made responses.
pub const MODEL: &str = "claude-opus-5-5";

/// One session's file, written line by line.
pub struct Transcript {
    pub session: String,
    pub path: PathBuf,
    pub folder: PathBuf,
    branch: String,
    at: Timestamp,
    file: File,
}

fn serial() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

impl Transcript {
    /// A new session that started in `folder` a minute ago.
    #[track_caller]
    pub fn begin(home: &Path, folder: &Path) -> Self {
        let session = format!("00000000-0000-4000-8000-{:012}", serial());
        let project = folder.display().to_string().replace(|c: char| !c.is_ascii_alphanumeric(), "-");
        let projects = home.join(".claude/projects").join(project);
        fs::create_dir_all(&projects).expect("a folder of transcripts");
        let path = projects.join(format!("{session}.jsonl"));
        let file = OpenOptions::new().create(true).append(true).open(&path).expect("a transcript");
        let at = a_minute_ago();
        let mut transcript =
            Self { session, path, folder: folder.to_owned(), branch: "main".to_owned(), at, file };
        transcript.write(&json!({"type": "mode", "mode": "normal", "sessionId": transcript.session}));
        transcript
    }

    /// What follows is said on this branch.
    pub fn switch(&mut self, branch: &str) {
        branch.clone_into(&mut self.branch);
    }

    /// A prompt a person sent.
    pub fn prompt(&mut self, text: &str) {
        let line = self.line("user", &json!({"role": "user", "content": text}));
        self.write(&line);
    }

    /// A response, as one line per content block: each says the same usage.
    pub fn response(&mut self, tokens: Tokens) -> String {
        self.response_of(MODEL, tokens)
    }

    pub fn response_of(&mut self, model: &str, tokens: Tokens) -> String {
        let id = format!("msg_hand{:018}", serial());
        for kind in ["thinking", "text"] {
            let message = json!({
                "id": id, "type": "message", "role": "assistant", "model": model, "stop_reason": "end_turn",
                "content": [{"type": kind, kind: "words that stay here"}], "usage": usage(&tokens),
            });
            let mut line = self.line("assistant", &message);
            line["requestId"] = json!(id.replace("msg", "req"));
            self.write(&line);
        }
        id
    }

    /// The instant of the last line.
    pub fn at(&self) -> Timestamp {
        self.at
    }

    /// The client saw that a pull request of the session's repository was asked for.
    pub fn asks_for(&mut self, number: u64, url: &str) {
        let mut line = self.line("user", &json!({"role": "user", "content": "done"}));
        line["toolUseResult"] =
            json!({"gitOperation": {"pr": {"number": number, "action": "created", "url": url}}});
        self.write(&line);
    }

    fn line(&mut self, kind: &str, message: &Value) -> Value {
        self.at += SignedDuration::from_secs(1);
        json!({
            "type": kind, "message": message, "uuid": format!("00000000-0000-4000-9000-{:012}", serial()),
            "parentUuid": null, "isSidechain": false, "userType": "external", "entrypoint": "cli",
            "timestamp": self.at.to_string(), "cwd": self.folder, "sessionId": self.session,
            "version": "2.1.330", "gitBranch": self.branch,
        })
    }

    fn write(&mut self, line: &Value) {
        writeln!(self.file, "{line}").expect("a line of the transcript");
    }
}

fn usage(tokens: &Tokens) -> Value {
    json!({
        "input_tokens": tokens.input,
        "output_tokens": tokens.output,
        "cache_read_input_tokens": tokens.cache_read,
        "cache_creation_input_tokens": tokens.cache_write_5m + tokens.cache_write_1h,
        "cache_creation": {
            "ephemeral_5m_input_tokens": tokens.cache_write_5m,
            "ephemeral_1h_input_tokens": tokens.cache_write_1h,
        },
        "server_tool_use": {"web_search_requests": tokens.web_search, "web_fetch_requests": 0},
        "service_tier": "standard", "inference_geo": "not_available", "speed": "standard", "iterations": [],
    })
}

#[expect(clippy::disallowed_methods, reason = "a transcript is written as time goes by")]
fn a_minute_ago() -> Timestamp {
    Timestamp::now() - SignedDuration::from_mins(1)
}

/// Tokens of a small response, told apart by their output.
pub fn tokens(output: u64) -> Tokens {
    Tokens { input: 10, output, cache_read: 1000, cache_write_5m: 20, cache_write_1h: 30, web_search: 0 }
}
