//! What the fake API is told to answer: a script is a list of steps, a step is one response.
//!
//! A prompt names its script, `[[plain]]`; the step is the number of answers that already follow that prompt. So the
//! API keeps no state between requests, and resumed, forked and parallel sessions need nothing special.

use meter::Tokens;
use serde_json::{Value, json};

/// The model sessions ask for, and what steps are billed under.
pub const MODEL: &str = "claude-opus-5-5";

/// Output tokens an answer begins with.
pub(crate) const START_OUTPUT: u64 = 1;

/// One part of an answer: one line of the client's transcript.
#[derive(Debug, Clone)]
pub enum Block {
    Thinking(String),
    Text(String),
    Tool { name: &'static str, input: Value },
}

/// Where a step stops sending and keeps the connection open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hang {
    /// After `message_start`: nothing of the answer is known but its prompt.
    Start,
    /// After the first whole block, before the final usage.
    FirstBlock,
}

/// One response: its blocks, what it is billed, and where its tokens belong.
#[derive(Debug, Clone)]
#[must_use]
pub struct Step {
    pub blocks: Vec<Block>,
    pub tokens: Tokens,
    pub speed: Option<&'static str>,
    pub geo: Option<&'static str>,
    /// `usage.iterations` of type message, each with its share of the tokens.
    pub iterations: Vec<Tokens>,
    /// Attempts answered with status 529 before this one succeeds.
    pub overloaded: u32,
    pub hang: Option<Hang>,
    /// Cut off by the person: the transcript keeps what `message_start` said.
    pub interrupted: bool,
    /// Asked by the client for its own housekeeping: no response line, only the session's account counts it.
    pub overhead: bool,
    /// The branch and the repository a right reader finds for it; `None` = the world's usual one.
    pub branch: Option<&'static str>,
    pub repo: Option<&'static str>,
}

/// An answer of plain text.
pub fn say(text: &str) -> Step {
    Step::of(vec![Block::Text(text.to_owned())])
}

/// An answer that runs a shell command.
pub fn run(command: &str) -> Step {
    Step::of(vec![bash(command)])
}

pub fn bash(command: &str) -> Block {
    Block::Tool { name: "Bash", input: json!({"command": command, "description": "a step of the script"}) }
}

pub fn read(path: &str) -> Block {
    Block::Tool { name: "Read", input: json!({ "file_path": path }) }
}

/// An answer that starts a subagent and waits for it.
pub fn delegate(prompt: &str) -> Step {
    let input = json!({
        "description": "a scripted agent", "prompt": prompt, "subagent_type": "general-purpose", "run_in_background": false,
    });
    Step::of(vec![Block::Text("Starting an agent.".to_owned()), Block::Tool { name: "Agent", input }])
}

impl Step {
    pub fn of(blocks: Vec<Block>) -> Self {
        Self {
            blocks,
            tokens: Tokens {
                input: 11,
                output: 57,
                cache_read: 2000,
                cache_write_5m: 100,
                cache_write_1h: 200,
                web_search: 0,
            },
            speed: None,
            geo: None,
            iterations: Vec::new(),
            overloaded: 0,
            hang: None,
            interrupted: false,
            overhead: false,
            branch: None,
            repo: None,
        }
    }

    /// Sets the two counts that tell steps apart; the cache keeps its usual ones.
    pub fn billed(mut self, input: u64, output: u64) -> Self {
        self.tokens = Tokens { input, output, ..self.tokens };
        self
    }

    pub fn billed_all(mut self, tokens: Tokens) -> Self {
        self.tokens = tokens;
        self
    }

    pub fn fast(mut self) -> Self {
        self.speed = Some("fast");
        self
    }

    pub fn in_us(mut self) -> Self {
        self.geo = Some("us");
        self
    }

    /// Splits the bill over iterations, whose sum it becomes.
    pub fn iterated(mut self, iterations: Vec<Tokens>) -> Self {
        self.tokens = iterations.iter().copied().sum();
        self.iterations = iterations;
        self
    }

    pub fn after_overloads(mut self, times: u32) -> Self {
        self.overloaded = times;
        self
    }

    pub fn hanging(mut self, at: Hang) -> Self {
        self.hang = Some(at);
        self
    }

    /// Hangs after its first block until a person has had enough.
    pub fn interrupted(self) -> Self {
        Self { interrupted: true, ..self.hanging(Hang::FirstBlock) }
    }

    pub fn for_the_client(mut self) -> Self {
        self.overhead = true;
        self
    }

    /// What the client is told of the bill: of an interrupted answer, only what it began with.
    pub fn told(&self) -> Tokens {
        let output = if self.interrupted { START_OUTPUT } else { self.tokens.output };
        Tokens { output, ..self.tokens }
    }

    pub fn on(mut self, branch: &'static str) -> Self {
        self.branch = Some(branch);
        self
    }

    pub fn in_repo(mut self, repo: &'static str) -> Self {
        self.repo = Some(repo);
        self
    }

    pub(crate) fn stop_reason(&self) -> &'static str {
        let tool = self.blocks.iter().any(|block| matches!(block, Block::Tool { .. }));
        if tool { "tool_use" } else { "end_turn" }
    }

    /// The `usage` object of the final `message_delta`.
    pub(crate) fn usage(&self) -> Value {
        let mut usage = counters(&self.tokens);
        usage["server_tool_use"] =
            json!({"web_search_requests": self.tokens.web_search, "web_fetch_requests": 0});
        usage["service_tier"] = json!("standard");
        usage["inference_geo"] = json!(self.geo.unwrap_or("not_available"));
        if let Some(speed) = self.speed {
            usage["speed"] = json!(speed);
        }
        if !self.iterations.is_empty() {
            usage["iterations"] = self.iterations.iter().map(iteration).collect();
        }
        usage
    }
}

fn counters(tokens: &Tokens) -> Value {
    json!({
        "input_tokens": tokens.input,
        "output_tokens": tokens.output,
        "cache_read_input_tokens": tokens.cache_read,
        "cache_creation_input_tokens": tokens.cache_write_5m + tokens.cache_write_1h,
        "cache_creation": {
            "ephemeral_5m_input_tokens": tokens.cache_write_5m,
            "ephemeral_1h_input_tokens": tokens.cache_write_1h,
        },
    })
}

fn iteration(tokens: &Tokens) -> Value {
    let mut usage = counters(tokens);
    usage["type"] = json!("message");
    usage
}

/// The script a conversation plays and the step it has reached.
pub(crate) fn place(body: &Value) -> Option<(String, usize)> {
    let messages = body["messages"].as_array()?;
    let (at, name) = messages.iter().enumerate().rev().find_map(|(at, message)| {
        let name = (message["role"] == "user").then(|| named(&message["content"])).flatten()?;
        Some((at, name))
    })?;
    let answers = messages[at + 1..].iter().filter(|message| message["role"] == "assistant").count();
    Some((name, answers))
}

/// The last script a message's texts name.
fn named(content: &Value) -> Option<String> {
    let texts: Vec<&str> = match content {
        Value::String(text) => vec![text],
        Value::Array(blocks) => blocks.iter().filter_map(|block| block["text"].as_str()).collect(),
        _ => Vec::new(),
    };
    texts.iter().rev().find_map(|text| {
        let (_, after) = text.rsplit_once("[[")?;
        Some(after.split_once("]]")?.0.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(messages: &Value, expected: Option<(&str, usize)>) {
        let place = place(&json!({ "messages": messages }));
        assert_eq!(place, expected.map(|(name, step)| (name.to_owned(), step)));
    }

    #[test]
    fn the_last_prompt_names_the_script_and_its_answers_the_step() {
        check(&json!([{"role": "user", "content": "go [[plain]]"}]), Some(("plain", 0)));
        check(
            &json!([
                {"role": "user", "content": [{"type": "text", "text": "a [[first]]"}]},
                {"role": "assistant", "content": []},
                {"role": "user", "content": [{"type": "tool_result", "content": "x"}, {"type": "text", "text": "b [[second]]"}]},
                {"role": "assistant", "content": []},
                {"role": "user", "content": [{"type": "tool_result", "content": "[[first]]"}]},
            ]),
            Some(("second", 1)),
        );
        check(&json!([{"role": "user", "content": "no script"}]), None);
        check(&json!([]), None);
    }
}
