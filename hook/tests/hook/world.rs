//! A home of its own, repositories made by git, transcripts made by hand.

use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use tempfile::TempDir;

pub(crate) const ONE: &str = "00000000-0000-4000-8000-000000000001";
pub(crate) const TWO: &str = "00000000-0000-4000-8000-000000000002";

pub(crate) struct World {
    home: TempDir,
    /// Variables of every program that is run.
    pub(crate) variables: BTreeMap<String, String>,
}

impl World {
    pub(crate) fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let config = "[user]\n\tname = Ana\n\temail = ana@acme.example\n[init]\n\tdefaultBranch = main\n";
        std::fs::write(home.path().join(".gitconfig"), config).unwrap();
        Self { home, variables: BTreeMap::new() }
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.variables.insert(name.to_owned(), value.to_owned());
        self
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.path("state")
    }

    /// A repository of that name at the host, which ships settings for a collector if one is given.
    pub(crate) fn repository(&self, name: &str, url: Option<&str>) -> PathBuf {
        let folder = self.path(name);
        std::fs::create_dir_all(folder.join(".claude")).unwrap();
        self.git(&folder, &["init", "-q"]);
        self.git(&folder, &["remote", "add", "origin", &format!("git@git.example:acme/{name}.git")]);
        if let Some(url) = url {
            ship(&folder, &json!({"CPVO_URL": url, "CPVO_TOKEN": format!("token-of-{name}")}));
        }
        folder
    }

    pub(crate) fn git(&self, folder: &Path, args: &[&str]) -> String {
        let output = self.command("git").current_dir(folder).args(args).output().unwrap();
        assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Where the client keeps the transcript of a session.
    pub(crate) fn transcript(&self, session: &str) -> PathBuf {
        self.path(".claude/projects/-work").join(format!("{session}.jsonl"))
    }

    pub(crate) fn write(&self, session: &str, lines: &[Value]) {
        write(&self.transcript(session), lines);
    }

    pub(crate) fn append(&self, session: &str, lines: &[Value]) {
        let mut file = std::fs::OpenOptions::new().append(true).open(self.transcript(session)).unwrap();
        for line in lines {
            writeln!(file, "{line}").unwrap();
        }
    }

    /// Runs the program with only the world's variables.
    pub(crate) fn hook(&self, folder: &Path, args: &[&str], stdin: &str) -> Output {
        self.start(folder, args, stdin, Stdio::piped()).wait_with_output().unwrap()
    }

    /// The same for who does not wait for it, or does not read what it prints.
    pub(crate) fn start(&self, folder: &Path, args: &[&str], stdin: &str, stdout: impl Into<Stdio>) -> Child {
        let mut command = self.command(env!("CARGO_BIN_EXE_cpvo-hook"));
        let command = command.current_dir(folder).args(args);
        let mut child = command.stdin(Stdio::piped()).stdout(stdout).stderr(Stdio::piped()).spawn().unwrap();
        // the program may end without reading what it is told
        child.stdin.take().unwrap().write_all(stdin.as_bytes()).ok();
        child
    }

    /// A hook event, which must be silent and succeed whatever happens.
    #[track_caller]
    pub(crate) fn event(&self, folder: &Path, name: &str, stdin: &str) {
        let output = self.hook(folder, &[name], stdin);
        let said = [output.stdout, output.stderr].concat();
        assert!(output.status.success(), "{:?}", output.status);
        assert_eq!(String::from_utf8_lossy(&said), "");
    }

    #[track_caller]
    pub(crate) fn session_end(&self, folder: &Path, session: &str) {
        self.event(folder, "session-end", &self.said(folder, session, "SessionEnd").to_string());
    }

    pub(crate) fn said(&self, folder: &Path, session: &str, event: &str) -> Value {
        json!({"session_id": session, "transcript_path": self.transcript(session), "cwd": folder,
            "hook_event_name": event, "reason": "prompt_input_exit", "source": "startup"})
    }

    /// What `sweep --json` says.
    #[track_caller]
    pub(crate) fn sweep(&self, folder: &Path) -> Value {
        self.json(folder, &["sweep", "--json"])
    }

    #[track_caller]
    pub(crate) fn json(&self, folder: &Path, args: &[&str]) -> Value {
        let output = self.hook(folder, args, "");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{args:?}: {said}"))
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env_clear().env("HOME", self.home.path()).env("USER", "ana");
        #[expect(clippy::disallowed_methods, reason = "git is where the user's shell finds it")]
        command.env("PATH", std::env::var_os("PATH").unwrap());
        command.env("CPVO_STATE_DIR", self.state()).envs(&self.variables);
        command
    }
}

/// The settings a repository ships.
pub(crate) fn ship(folder: &Path, variables: &Value) {
    let settings = json!({"env": variables}).to_string();
    std::fs::write(folder.join(".claude/settings.json"), settings).unwrap();
}

pub(crate) fn write(path: &Path, lines: &[Value]) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let lines: Vec<String> = lines.iter().map(Value::to_string).collect();
    std::fs::write(path, lines.join("\n") + "\n").unwrap();
}

/// A response of a model, as the client writes it.
pub(crate) fn response(session: &str, id: &str, folder: &Path, output: u64) -> Value {
    json!({"type": "assistant", "sessionId": session, "timestamp": "2026-11-18T10:00:00.000Z", "cwd": folder,
        "gitBranch": "main", "version": "2.1.330", "entrypoint": "cli", "requestId": format!("req_{id}"),
        "message": {"id": format!("msg_{id}"), "type": "message", "role": "assistant", "model": "claude-opus-5-5",
            "stop_reason": "end_turn", "content": [],
            "usage": {"input_tokens": 10, "output_tokens": output, "cache_read_input_tokens": 0,
                "cache_creation_input_tokens": 0}}})
}

/// A prompt of a person.
pub(crate) fn prompt(session: &str, folder: &Path) -> Value {
    json!({"type": "user", "sessionId": session, "timestamp": "2026-11-18T09:59:00.000Z", "cwd": folder,
        "gitBranch": "main", "version": "2.1.330", "uuid": "u", "message": {"role": "user", "content": "go"}})
}

/// The same line with other values at some paths.
pub(crate) fn but(mut line: Value, changes: &[(&str, Value)]) -> Value {
    for (name, value) in changes {
        line[*name] = value.clone();
    }
    line
}

/// Output tokens of the newest snapshot of each report, by repository.
pub(crate) fn newest(reports: &[Value]) -> BTreeMap<String, u64> {
    let mut newest: BTreeMap<(String, String, String), u64> = BTreeMap::new();
    for report in reports {
        let key = ["session_id", "repo", "week"].map(|name| report[name].as_str().unwrap().to_owned());
        let output = report["usage"].as_array().unwrap().iter().map(|row| row["output"].as_u64().unwrap());
        newest.insert(key.into(), output.sum());
    }
    let mut repos = BTreeMap::new();
    for ((_, repo, _), output) in newest {
        *repos.entry(repo).or_default() += output;
    }
    repos
}
