//! A developer's machine with a state and transcripts of its own: many of them share a world and its collector.

use crate::processes;
use crate::program::{Seen, binary, command, run, run_with};
use crate::transcript::{Transcript, tokens};
use crate::world::World;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;

#[must_use]
pub struct Machine<'a> {
    pub world: &'a World,
    pub folder: PathBuf,
    pub sessions: Vec<Transcript>,
    /// Output tokens by session, as written to the transcripts.
    pub truth: BTreeMap<String, u64>,
}

impl<'a> Machine<'a> {
    /// A new machine with two sessions nobody has read.
    pub fn new(world: &'a World, name: &str) -> Self {
        let folder = world.folder().join(name);
        let mut machine = Self { world, folder, sessions: Vec::new(), truth: BTreeMap::new() };
        machine.begin(&[5, 7]);
        machine.begin(&[11]);
        machine
    }

    /// The same machine after days of use: the first sessions are delivered, one has grown, one is new.
    pub fn used(mut self) -> Self {
        self.deliver();
        self.respond(0, 13);
        self.begin(&[17, 19]);
        self
    }

    /// A new session with these responses.
    pub fn begin(&mut self, outputs: &[u64]) {
        self.sessions.push(Transcript::begin(&self.folder, &self.world.repo.path));
        for output in outputs {
            self.respond(self.sessions.len() - 1, *output);
        }
    }

    /// One more response in a session.
    pub fn respond(&mut self, session: usize, output: u64) {
        let transcript = &mut self.sessions[session];
        transcript.response(tokens(output));
        *self.truth.entry(transcript.session.clone()).or_default() += output;
    }

    /// `cpvo-hook` on this machine, started in the world's repository.
    pub fn hook(&self, args: &[&str]) -> Command {
        let mut hook = command(binary("cpvo-hook"), &self.world.home);
        hook.current_dir(&self.world.repo.path)
            .args(args)
            .env("CPVO_STATE_DIR", self.folder.join("state"))
            .env("CLAUDE_CONFIG_DIR", self.folder.join(".claude"));
        hook
    }

    /// What the client tells a hook of a session.
    pub fn told(&self, session: usize) -> String {
        let Transcript { session, path, folder, .. } = &self.sessions[session];
        json!({"session_id": session, "transcript_path": path, "cwd": folder, "source": "startup", "reason": "other"})
            .to_string()
    }

    /// An event of a session, which must be silent and succeed whatever happens.
    #[track_caller]
    pub fn event(&self, name: &str, session: usize) {
        let seen = run_with(&mut self.hook(&[name]), self.told(session).as_bytes());
        assert_eq!(seen, Seen::silent(), "{name}");
    }

    /// The words that start a worker for a session.
    pub fn work<'w>(&'w self, job: &'w str, session: usize) -> [&'w str; 6] {
        let Transcript { session, folder, .. } = &self.sessions[session];
        ["work", job, "--session", session, "--folder", folder.to_str().expect("a folder in UTF-8")]
    }

    /// A person's sweep, and what it sent.
    #[track_caller]
    pub fn deliver(&self) -> usize {
        let said = run(&mut self.hook(&["sweep", "--json"])).success();
        let said: Value = serde_json::from_str(&said).expect("what the sweep says");
        said["sent"].as_array().expect("what it sent").len()
    }

    /// What the collector has stored for this machine.
    #[track_caller]
    pub fn stored(&self) -> BTreeMap<String, u64> {
        let query = "SELECT session_id, SUM(output) AS output FROM usage GROUP BY session_id";
        let rows = self.world.collector().sql(query);
        let stored = rows
            .iter()
            .filter_map(|row| Some((row["session_id"].as_str()?.to_owned(), row["output"].as_u64()?)));
        stored.filter(|(session, _)| self.truth.contains_key(session)).collect()
    }

    /// Whether the ledger was moved aside as damaged.
    pub fn has_given_up(&self) -> bool {
        self.folder.join("state/ledger.damaged").exists()
    }

    /// One more sweep stores the truth, and nothing is left to send after it.
    #[track_caller]
    pub fn recovers(&self, after: &str) {
        processes::await_end(&self.folder);
        self.deliver();
        assert_eq!(self.stored(), self.truth, "{after}: stored and true");
        assert_eq!(self.deliver(), 0, "{after}: something is sent again");
        assert_eq!(self.stored(), self.truth, "{after}: after one more sweep");
    }
}
