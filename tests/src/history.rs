//! A laptop's history of sessions, as large as asked for, and what it comes to: material for measuring, not
//! for proving (that is the corpus of features).
//!
//! The mix of lines is what Claude Code 2.1.330 writes in a session of tools. Every session opens with some
//! 150 kB of prompts, schemas and attachments. Each response then has one line for the request, one to three for
//! its blocks (the same usage in each) and one for the tool's result, which holds the result twice: mostly a few
//! kilobytes, seldom hundreds. So of the bytes some three quarters are tool results and snapshots, and only one
//! line in three has usage. Two sessions in ten ran a subagent, one in thirty is a fork that begins with a copy
//! of another. The text is this checkout's own source, with the quotes and breaks that code has.

use crate::dice::Dice;
use crate::program::checkout;
use anyhow::{Context, Result};
use jiff::Timestamp;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::ops::AddAssign;
use std::path::{Path, PathBuf};

const MODELS: [&str; 4] = ["claude-opus-5-5", "claude-opus-5-5", "claude-sonnet-5-5", "claude-haiku-5-5"];
/// The first session of a history begins here.
const START_S: i64 = 1_793_000_000;

/// What the responses of a history come to, counted as they were made up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Sum {
    pub requests: u64,
    pub input: u64,
    pub output: u64,
    pub cache_read: u64,
    pub cache_write: u64,
}

impl AddAssign for Sum {
    fn add_assign(&mut self, other: Self) {
        self.requests += other.requests;
        self.input += other.input;
        self.output += other.output;
        self.cache_read += other.cache_read;
        self.cache_write += other.cache_write;
    }
}

/// A history on disk.
#[derive(Debug, Default)]
pub struct History {
    pub files: Vec<PathBuf>,
    pub bytes: u64,
    pub lines: u64,
    pub by_model: BTreeMap<&'static str, Sum>,
}

impl History {
    /// Writes sessions in `cwd` below `projects` until they have `bytes`; the same seed writes the same ones.
    pub fn write(projects: &Path, cwd: &Path, bytes: u64, seed: u64) -> Result<Self> {
        let folder =
            projects.join(cwd.display().to_string().replace(|c: char| !c.is_ascii_alphanumeric(), "-"));
        fs::create_dir_all(&folder)?;
        let (words, mut dice, mut history) = (Words::of_this_checkout()?, Dice::new(seed), Self::default());
        let mut parent: Option<(String, String)> = None;
        for serial in 0.. {
            if history.bytes >= bytes {
                break;
            }
            let mut session = Session::begin(&mut dice, &words, cwd, serial);
            match parent.take().filter(|_| serial % 30 == 29) {
                Some((id, text)) => session.copy(&id, &text),
                None => session.open(),
            }
            session.turns(14);
            let mut main = std::mem::take(&mut session.text);
            if serial % 5 == 0 {
                let agent = session.agent.insert(session.dice.hex(17)).clone();
                session.turns(10);
                let folder = folder.join(&session.id).join("subagents");
                history
                    .keep(folder.join(format!("agent-{agent}.jsonl")), &std::mem::take(&mut session.text))?;
            }
            session.close();
            main += &session.text;
            history.keep(folder.join(format!("{}.jsonl", session.id)), &main)?;
            *history.by_model.entry(session.model).or_default() += session.sum;
            parent = Some((session.id, main));
        }
        Ok(history)
    }

    fn keep(&mut self, path: PathBuf, text: &str) -> Result<()> {
        fs::create_dir_all(path.parent().context("a transcript lies in a folder")?)?;
        fs::write(&path, text)?;
        self.files.push(path);
        self.bytes += text.len() as u64;
        self.lines += text.lines().count() as u64;
        Ok(())
    }

    /// All models together.
    pub fn total(&self) -> Sum {
        self.by_model.values().fold(Sum::default(), |mut all, sum| {
            all += *sum;
            all
        })
    }
}

/// Lines of source text, ready to stand in a string of JSON.
struct Words(Vec<String>);

impl Words {
    fn of_this_checkout() -> Result<Self> {
        let mut paths: Vec<PathBuf> = Vec::new();
        for entry in fs::read_dir(checkout().join("hook/src"))? {
            paths.extend(Some(entry?.path()).filter(|path| path.is_file()));
        }
        paths.sort();
        let mut lines = Vec::new();
        for path in paths {
            for line in fs::read_to_string(path)?.lines() {
                let quoted = serde_json::to_string(&format!("{line}\n"))?;
                lines.push(quoted[1..quoted.len() - 1].to_owned());
            }
        }
        Ok(Self(lines))
    }

    /// About so many bytes of text.
    fn some(&self, dice: &mut Dice, bytes: usize) -> String {
        let mut text = String::with_capacity(bytes + 200);
        let from = dice.index(self.0.len());
        for line in self.0.iter().cycle().skip(from) {
            if text.len() >= bytes {
                break;
            }
            text += line;
        }
        text
    }
}

struct Session<'a> {
    dice: &'a mut Dice,
    words: &'a Words,
    cwd: &'a Path,
    id: String,
    /// The subagent that writes.
    agent: Option<String>,
    model: &'static str,
    at_ms: i64,
    /// Its responses so far, and what of their cache writes lasts an hour.
    sum: Sum,
    hour: u64,
    text: String,
}

impl<'a> Session<'a> {
    fn begin(dice: &'a mut Dice, words: &'a Words, cwd: &'a Path, serial: i64) -> Self {
        let (id, model) = (dice.session_id(), *dice.pick(&MODELS));
        let at_ms = (START_S + serial * 600) * 1000;
        Self {
            dice,
            words,
            cwd,
            id,
            agent: None,
            model,
            at_ms,
            sum: Sum::default(),
            hour: 0,
            text: String::new(),
        }
    }

    fn time(&mut self) -> String {
        self.at_ms += 100 + self.dice.roll(9_000).cast_signed();
        format!("{:.3}", Timestamp::from_millisecond(self.at_ms).unwrap_or_default())
    }

    /// One line: the client's common fields around `middle`.
    fn line(&mut self, kind: &str, middle: &str) {
        let (parent, own, time) = (self.dice.session_id(), self.dice.session_id(), self.time());
        let (id, cwd, side) = (&self.id, self.cwd.display(), self.agent.is_some());
        let agent = self.agent.as_ref().map_or(String::new(), |id| format!(r#""agentId":"{id}","#));
        // writing to a String cannot fail
        let _ = writeln!(
            self.text,
            r#"{{"parentUuid":"{parent}","isSidechain":{side},{agent}{middle},"type":"{kind}","uuid":"{own}","timestamp":"{time}","userType":"external","entrypoint":"cli","cwd":"{cwd}","sessionId":"{id}","version":"2.1.330","gitBranch":"main"}}"#
        );
    }

    /// One line about the session.
    fn note(&mut self, kind: &str, rest: &str) {
        let _ = writeln!(self.text, r#"{{"type":"{kind}","sessionId":"{}",{rest}}}"#, self.id);
    }

    fn words(&mut self, bytes: usize) -> String {
        self.words.some(self.dice, bytes)
    }

    /// What stands in front of every conversation.
    fn open(&mut self) {
        self.note("queue-operation", r#""operation":"dequeue""#);
        self.prompt();
        for bytes in [700, 400, 600, 1_800, 6_200, 500, 600, 200, 600] {
            let (text, shown) = (self.words(bytes), self.words(bytes));
            self.line("attachment", &format!(r#""attachment":{{"type":"environment","content":"{text}"}},"rendered":[{{"content":"{shown}"}}]"#));
        }
        self.snapshot(7_000);
        let mut tools = Vec::new();
        for _ in 0..12 {
            let (text, hint) = (self.words(1_500), self.words(120));
            let fields = ["command", "timeout", "description", "path", "limit"]
                .map(|name| format!(r#""{name}":{{"description":"{hint}","type":"string"}}"#));
            tools.push(format!(
                r#"{{"name":"Tool","description":"{text}","input_schema":{{"$schema":"https://json-schema.org/draft/2020-12/schema","type":"object","properties":{{{}}},"required":["command"],"additionalProperties":false}}}}"#,
                fields.join(",")
            ));
        }
        let (system, time) = (self.words(7_000), self.time());
        self.note(
            "api-request-shape",
            &format!(r#""timestamp":"{time}","version":"2.1.330","shape":{{"system":[{{"type":"text","text":"{system}"}}],"tools":[{}]}}"#, tools.join(",")),
        );
        for bytes in [11_000, 10_000] {
            let text = self.words(bytes);
            self.note("api-request-blob", &format!(r#""hash":"{:064}","message":{{"role":"user","content":[{{"type":"text","text":"{text}"}}]}}"#, 1));
        }
        self.snapshot(56_000);
    }

    fn snapshot(&mut self, bytes: usize) {
        let parts: Vec<String> = (0..10).map(|_| format!("\"{}\"", self.words(bytes / 10))).collect();
        self.line(
            "attachment",
            &format!(r#""attachment":{{"type":"prompt_snapshot","systemPrompt":[{}]}}"#, parts.join(",")),
        );
    }

    fn prompt(&mut self) {
        let bytes = self.dice.index(3_000);
        let text = self.words(bytes);
        self.line("user", &format!(r#""message":{{"role":"user","content":"{text}"}}"#));
    }

    /// About so many responses, each with the tool it called.
    fn turns(&mut self, mean: usize) {
        let count = 1 + self.dice.index(2 * mean);
        for turn in 0..count {
            if turn % 12 == 11 {
                self.prompt();
            }
            let request = self.dice.session_id();
            let (time, digest) = (self.time(), "0".repeat(600));
            self.note("api-request", &format!(r#""id":"{request}","timestamp":"{time}","version":"2.1.330","params":{{"model":"{}","max_tokens":128000}},"requestDigest":"{digest}""#, self.model));
            self.response(&request);
            if turn + 1 < count {
                self.tool_result();
            }
            if turn % 3 == 0 {
                let text = self.words(200);
                self.note("last-prompt", &format!(r#""lastPrompt":"{text}""#));
                self.note("mode", r#""mode":"normal""#);
            }
        }
    }

    fn response(&mut self, request: &str) {
        let id = self.dice.hex(24);
        let (input, output) = (self.dice.roll(40), 1 + self.dice.roll(2_000));
        let (read, hour, five) = (self.dice.roll(150_000), self.dice.roll(3_000), self.dice.roll(500));
        let blocks = 1 + self.dice.index(3);
        for block in ["thinking", "text", "tool_use"].into_iter().skip(3 - blocks) {
            let bytes = 200 + self.dice.index(900);
            let text = self.words(bytes);
            let model = self.model;
            self.line("assistant", &format!(
                r#""message":{{"id":"msg_{id}","type":"message","role":"assistant","model":"{model}","content":[{{"type":"{block}","{block}":"{text}"}}],"stop_reason":"tool_use","stop_sequence":null,"usage":{{"input_tokens":{input},"cache_creation_input_tokens":{},"cache_read_input_tokens":{read},"output_tokens":{output},"output_tokens_details":{{"thinking_tokens":0}},"server_tool_use":{{"web_search_requests":0,"web_fetch_requests":0}},"service_tier":"standard","cache_creation":{{"ephemeral_1h_input_tokens":{hour},"ephemeral_5m_input_tokens":{five}}},"inference_geo":"not_available","iterations":[],"speed":"standard","fallback_credit":null}},"stop_details":null}},"apiBlockIndex":0,"requestId":"req_{id}","requestRef":"{request}","requestedModel":"{model}","effort":"medium","madeBy":"model""#,
                hour + five
            ));
        }
        self.sum += Sum { requests: 1, input, output, cache_read: read, cache_write: hour + five };
        self.hour += hour;
    }

    /// Mostly 400 to 50,000 bytes, every hundredth an image of hundreds of kilobytes.
    fn tool_result(&mut self) {
        let bytes = (200 << self.dice.index(7)) + self.dice.index(200);
        let text = if self.dice.index(100) == 0 {
            self.dice.hex(200).repeat(500 + self.dice.index(1_500))
        } else {
            self.words(bytes)
        };
        let id = self.dice.hex(20);
        self.line("user", &format!(
            r#""message":{{"role":"user","content":[{{"tool_use_id":"toolu_{id}","type":"tool_result","content":"{text}"}}]}},"toolUseResult":{{"type":"text","file":{{"filePath":"/src/lib.rs","content":"{text}","numLines":120,"startLine":1}}}}"#
        ));
    }

    /// Ends with the client's own account.
    fn close(&mut self) {
        let (model, hour, sum) = (self.model, self.hour, self.sum);
        let Sum { input, output, cache_read, cache_write, .. } = sum;
        self.note("cost-state", &format!(r#""totalCostUSD":1.5,"modelUsage":{{"{model}":{{"inputTokens":{input},"outputTokens":{output},"cacheReadInputTokens":{cache_read},"cacheCreationInputTokens":{cache_write},"cacheCreationEphemeral1hInputTokens":{hour},"webSearchRequests":0,"costUSD":1.5}}}},"hasUnknownModelCost":false"#));
    }

    /// Begins with a copy of another session, as a fork does.
    fn copy(&mut self, other: &str, text: &str) {
        let own = format!(r#""sessionId":"{other}""#);
        self.text = text.replace(&own, &format!(r#""requestSessionId":"{other}","sessionId":"{}""#, self.id));
    }
}
