//! What Claude Code does at the start and at the end of a session, for stories that need no client.

use crate::program::{command, run_with};
use crate::transcript::Transcript;
use crate::world::World;
use serde_json::{Value, json};
use std::fs;
use std::process::Command;

impl World {
    /// A session starts: the hooks the repository ships run, and nobody notices.
    #[track_caller]
    pub fn session_starts(&self, transcript: &Transcript) {
        self.fire("SessionStart", transcript, ("source", "startup"));
    }

    /// A session ends.
    #[track_caller]
    pub fn session_ends(&self, transcript: &Transcript) {
        self.fire("SessionEnd", transcript, ("reason", "prompt_input_exit"));
    }

    /// Runs each shipped hook of an event through the shell, with the settings' variables and the client's JSON.
    #[track_caller]
    fn fire(&self, event: &str, transcript: &Transcript, (word, why): (&str, &str)) {
        let text =
            fs::read_to_string(transcript.folder.join(".claude/settings.json")).expect("shipped settings");
        let settings: Value = serde_json::from_str(&text).expect("settings are JSON");
        let mut input = json!({
            "session_id": transcript.session, "transcript_path": transcript.path, "cwd": transcript.folder,
            "hook_event_name": event,
        });
        input[word] = why.into();
        let groups = settings["hooks"][event].as_array().expect("hooks of the event");
        let hooks: Vec<&Value> =
            groups.iter().filter_map(|group| group["hooks"].as_array()).flatten().collect();
        assert!(!hooks.is_empty(), "no hooks for {event}");
        for hook in hooks {
            let mut shell = self.shell(transcript, &settings);
            shell.args(["-c", hook["command"].as_str().expect("a hook in shell form")]);
            let seen = run_with(&mut shell, format!("{input}\n").as_bytes());
            assert_eq!(
                (seen.code, seen.stdout.as_str(), seen.stderr.as_str()),
                (0, "", ""),
                "{event} of {hook}"
            );
        }
    }

    /// The shell the client starts a hook in.
    fn shell(&self, transcript: &Transcript, settings: &Value) -> Command {
        let mut shell = command("/bin/sh", &self.home);
        shell
            .current_dir(&transcript.folder)
            .env("CLAUDE_PROJECT_DIR", &transcript.folder)
            .env("CLAUDE_CODE_SESSION_ID", &transcript.session)
            .env("CLAUDE_CODE_ENTRYPOINT", "cli");
        for (name, value) in settings["env"].as_object().into_iter().flatten() {
            shell.env(name, value.as_str().expect("a variable is text"));
        }
        shell
    }
}
