//! The client at work in one home: sessions that stand somewhere, files they write, and what was billed meanwhile.

use super::account::Account;
use super::answer::{Answer, Ids};
use super::bill::{Bill, Copied};
use super::file::{File, Line, Link};
use super::grounds::{Grounds, Spot};
use super::session::{Doubt, Session};
use crate::dice::Dice;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// What a feature does to every response.
pub(super) type Manner = fn(&mut Answer, &mut Dice);

/// A folder of the client's own, and how `CLAUDE_CONFIG_DIR` would name it.
#[derive(Debug, Clone)]
pub(super) struct Root {
    pub projects: PathBuf,
    pub entry: PathBuf,
}

pub struct Home {
    pub(super) dice: Dice,
    pub(super) grounds: Grounds,
    pub(super) roots: Vec<Root>,
    /// `CLAUDE_CONFIG_DIR` lists the roots, with this between them.
    pub(super) listed: Option<char>,
    pub(super) xdg: bool,
    /// How responses may be written: what the features in force do to each.
    pub(super) manners: Vec<(bool, Manner)>,
    pub files: Vec<File>,
    pub links: Vec<Link>,
    pub sessions: Vec<Session>,
    pub bills: Vec<Bill>,
    pub quality: BTreeMap<&'static str, u64>,
    serial: u64,
}

impl Home {
    pub(super) fn new(seed: u64, grounds: &Grounds) -> Self {
        let root = Root { projects: ".claude/projects".into(), entry: ".claude".into() };
        Self {
            dice: Dice::new(seed).apart(),
            grounds: grounds.clone(),
            roots: vec![root],
            listed: None,
            xdg: false,
            manners: Vec::new(),
            files: Vec::new(),
            links: Vec::new(),
            sessions: Vec::new(),
            bills: Vec::new(),
            quality: BTreeMap::new(),
            serial: seed << 20,
        }
    }

    pub(super) fn serial(&mut self) -> u64 {
        self.serial += 1;
        self.serial
    }

    /// A new session that starts at `spot`, in a file of its own.
    pub(super) fn begin(&mut self, spot: Spot) -> usize {
        let root = self.dice.pick(&self.roots).projects.clone();
        let folder = root.join(encoded(&spot.path));
        self.begin_in(&folder, spot)
    }

    pub(super) fn begin_in(&mut self, folder: &Path, spot: Spot) -> usize {
        let id = self.dice.session_id();
        let autumn = Timestamp::constant(1_762_128_000, 0);
        let at = autumn + SignedDuration::from_millis(self.dice.roll(40 * 86_400_000).cast_signed());
        self.begin_at(folder.join(format!("{id}.jsonl")), id, spot, at)
    }

    pub(super) fn begin_at(&mut self, path: PathBuf, id: String, spot: Spot, at: Timestamp) -> usize {
        let (session, file) = (self.sessions.len(), self.files.len());
        self.sessions.push(Session {
            id,
            file,
            start: spot.clone(),
            spot,
            branch: None,
            at,
            doubts: BTreeSet::new(),
            account: Account::default(),
            written: None,
            hidden: BTreeMap::new(),
            compacted: false,
            forkable: true,
            in_scope: false,
            last: (at, None),
        });
        self.open(path, session, None);
        let line = self.frame(file, "queue-operation");
        self.note(file, &line);
        session
    }

    /// One more file of a session.
    pub(super) fn open(&mut self, path: PathBuf, session: usize, agent: Option<Value>) -> usize {
        self.files.push(File {
            path,
            moved_from: None,
            session,
            lines: Vec::new(),
            copy: None,
            agent,
            half: Vec::new(),
            after: None,
        });
        self.files.len() - 1
    }

    /// Time goes by.
    pub(super) fn wait(&mut self, session: usize, milliseconds: u64) {
        let gone = 1 + self.dice.roll(milliseconds);
        self.sessions[session].at += SignedDuration::from_millis(gone.cast_signed());
    }

    /// The frame of a line of `kind` that `file` gets next.
    pub(super) fn frame(&mut self, file: usize, kind: &str) -> Value {
        self.wait(self.files[file].session, 30_000);
        let uuid = format!("00000000-0000-4000-9000-{:012x}", self.serial());
        let session = &mut self.sessions[self.files[file].session];
        session.last = (session.at, session.repo());
        let mut line = json!({
            "parentUuid": null, "isSidechain": false, "type": kind, "uuid": uuid, "timestamp": session.at,
            "userType": "external", "entrypoint": "cli", "cwd": session.spot.path, "sessionId": session.id,
            "version": "2.1.330", "gitBranch": session.shown(),
        });
        for (name, value) in self.files[file].agent.iter().flat_map(|agent| agent.as_object().expect("names"))
        {
            line[name] = value.clone();
        }
        line
    }

    /// Writes a line that forks may copy; `bill` where it is part of a response.
    pub(super) fn say(&mut self, file: usize, line: Value, bill: Option<usize>) {
        let bytes = format!("{line}\n").into_bytes();
        self.push(file, bytes, Some(line), bill);
    }

    /// Writes a line of the client's own.
    pub(super) fn note(&mut self, file: usize, line: &Value) {
        self.push(file, format!("{line}\n").into_bytes(), None, None);
    }

    pub(super) fn push(&mut self, file: usize, bytes: Vec<u8>, message: Option<Value>, bill: Option<usize>) {
        let session = &mut self.sessions[self.files[file].session];
        session.in_scope |= session.is_shared();
        if !session.is_shared() {
            session.doubts.insert(Doubt::OutOfScope);
        }
        let at = session.at;
        self.files[file].lines.push(Line { bytes, at, message, bill });
    }

    /// Counts what is in scope.
    pub(super) fn count(&mut self, session: usize, what: &'static str) {
        if self.sessions[session].is_shared() {
            *self.quality.entry(what).or_default() += 1;
        }
    }

    /// A response as the features in force have it.
    pub(super) fn answer(&mut self) -> Answer {
        let mut answer = Answer::usual(&mut self.dice);
        for (on, manner) in self.manners.clone() {
            let mut own = self.dice.apart();
            if own.once_in(3) && on {
                manner(&mut answer, &mut own);
            }
        }
        answer
    }

    /// A prompt and the response to it.
    pub(super) fn turn(&mut self, session: usize) {
        let file = self.sessions[session].file;
        self.prompt(file, "go on");
        let answer = self.answer();
        self.respond(file, &answer);
    }

    pub(super) fn prompt(&mut self, file: usize, text: &str) {
        let mut line = self.frame(file, "user");
        line["message"] = json!({"role": "user", "content": text});
        self.say(file, line, None);
    }

    /// Bills a response and writes it to `file`, line by line.
    pub(super) fn respond(&mut self, file: usize, answer: &Answer) -> usize {
        let session = self.files[file].session;
        let (id, request) = self.names(session, answer);
        let bill = self.bills.len();
        let asked = self.dice.once_in(2).then(|| format!("ask_{:x}", self.serial()));
        // a busy client writes the request after the response
        let late = self.dice.once_in(4);
        if let Some(id) = asked.as_ref().filter(|_| !late) {
            self.request(file, id);
        }
        let mut at = None;
        for line in 1..=answer.lines {
            let last = line == answer.lines;
            let whole = last || !answer.drafts;
            let output = if whole { answer.tokens.output } else { answer.tokens.output.min(line) };
            let mut said = self.frame(file, "assistant");
            said["message"] = json!({
                "id": id, "type": "message", "role": "assistant", "model": answer.model,
                "content": [{"type": "text", "text": "words with \"usage\":{\"output_tokens\":99}"}],
                "stop_reason": if whole && answer.finished { json!("end_turn") } else { Value::Null },
                "usage": answer.usage(output),
            });
            for (name, value) in [("requestId", &request), ("requestRef", &asked)] {
                if let Some(value) = value {
                    said[name] = json!(value);
                }
            }
            if answer.own_price {
                said["costUSD"] = json!(9);
            }
            self.say(file, said, Some(bill));
            if output == answer.tokens.output {
                at.get_or_insert(self.sessions[session].at);
            }
            if let Some(id) = asked.as_ref().filter(|_| late && line == 1) {
                self.request(file, id);
            }
            if !last && self.dice.once_in(2) {
                self.tool_result(file);
            }
        }
        let now = &mut self.sessions[session];
        now.account.add(answer);
        now.doubts.extend(now.written.is_some().then_some(Doubt::Stale));
        self.bills.push(Bill {
            session: now.id.clone(),
            message: id,
            at: at.expect("a response has lines"),
            repo: now.repo().map(str::to_owned),
            branch: now.branch(),
            model: answer.model,
            agent: if self.files[file].agent.is_some() { "subagent" } else { "main" },
            speed: if answer.fast { "fast" } else { "standard" },
            geo: if answer.geo == "us" { "us" } else { "" },
            slices: answer.slices(),
            finished: answer.finished,
            copied: Copied::Never,
            copyable: answer.ids != Ids::Gateway || request.is_some(),
        });
        if !answer.finished {
            self.count(session, "interrupted");
        }
        bill
    }

    /// The ids of a response and of its request.
    fn names(&mut self, session: usize, answer: &Answer) -> (String, Option<String>) {
        let serial = self.serial();
        let request = answer.request_id.then(|| format!("req_{serial:020x}"));
        let id = match (answer.ids, &request) {
            (Ids::Anthropic(cloud), _) => format!("msg_{cloud}{serial:020x}"),
            (Ids::Gateway, Some(_)) => "chatcmpl-1".to_owned(),
            // counted from 1 in every session
            (Ids::Gateway, None) => {
                let id = &self.sessions[session].id;
                format!("gen-{}", 1 + self.bills.iter().filter(|bill| bill.session == *id).count())
            }
        };
        (id, request)
    }

    /// An attempt to ask the model.
    pub(super) fn ask(&mut self, file: usize) -> String {
        let id = format!("ask_{:x}", self.serial());
        self.request(file, &id);
        id
    }

    fn request(&mut self, file: usize, id: &str) {
        let mut line = self.frame(file, "api-request");
        line["id"] = json!(id);
        self.note(file, &line);
    }

    /// What came back from a tool, with a sum of its own that is part of nothing.
    pub(super) fn tool_result(&mut self, file: usize) {
        let mut line = self.frame(file, "user");
        line["message"] = json!({"role": "user", "content": [{"type": "tool_result", "content": "done", "is_error": false}]});
        line["toolUseResult"] = json!({"totalTokens": 7, "usage": {"input_tokens": 5, "output_tokens": 7}});
        self.say(file, line, None);
    }
}

/// A folder's name below `projects`, as the client makes it.
pub(super) fn encoded(path: &Path) -> String {
    path.display().to_string().replace(|c: char| !c.is_ascii_alphanumeric(), "-")
}
