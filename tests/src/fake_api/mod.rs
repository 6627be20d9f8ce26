//! A Messages API that answers by script and remembers what it billed: the truth the stored rows are held against.

mod script;
mod wire;

pub use script::{Block, Hang, MODEL, Step, bash, delegate, read, run, say};

use crate::wait::until;
use jiff::Timestamp;
use script::{START_OUTPUT, place};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::io::{self, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use wire::Events;
pub(crate) use wire::{Request, answer};

/// One response the API sent, or began to send.
#[derive(Debug, Clone)]
pub struct Bill {
    pub at: Timestamp,
    pub message_id: String,
    pub session: String,
    /// Which subagent asked, if any.
    pub agent: Option<String>,
    /// The model that was asked for.
    pub model: String,
    pub step: Step,
    /// Whether the final usage was sent; a cut answer bills what nobody can read.
    pub complete: bool,
}

#[derive(Default)]
struct Log {
    scripts: HashMap<String, Vec<Step>>,
    overloads: HashMap<(String, usize), u32>,
    bills: Vec<Bill>,
    bodies: Vec<Value>,
}

/// A running fake API; its threads end with the connections of the clients.
pub struct FakeApi {
    address: SocketAddr,
    log: Arc<Mutex<Log>>,
}

impl FakeApi {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port on loopback");
        let address = listener.local_addr().expect("the address just bound");
        let log = Arc::<Mutex<Log>>::default();
        let shared = Arc::clone(&log);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let log = Arc::clone(&shared);
                // a client that goes away mid-answer is part of the scenarios
                thread::spawn(move || drop(serve(stream, &log)));
            }
        });
        Self { address, log }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Names a script, for prompts to ask for as `[[name]]`.
    pub fn script(&self, name: &str, steps: impl IntoIterator<Item = Step>) {
        lock(&self.log).scripts.insert(name.to_owned(), steps.into_iter().collect());
    }

    pub fn bills(&self) -> Vec<Bill> {
        lock(&self.log).bills.clone()
    }

    /// What the model was told, request by request.
    pub fn bodies(&self) -> Vec<Value> {
        lock(&self.log).bodies.clone()
    }

    /// Waits until the API has begun a response that will never end.
    #[track_caller]
    pub fn await_hang(&self) -> Bill {
        until("a response that hangs", || {
            self.bills().into_iter().find(|bill| bill.step.hang.is_some() && !bill.complete)
        })
    }
}

fn lock(log: &Mutex<Log>) -> MutexGuard<'_, Log> {
    log.lock().expect("no thread of the fake API panics")
}

fn serve(stream: TcpStream, log: &Mutex<Log>) -> io::Result<()> {
    let mut to = stream.try_clone()?;
    let mut from = BufReader::new(stream);
    while let Some(request) = Request::read(&mut from)? {
        match (request.method.as_str(), request.path.as_str()) {
            ("POST", "/v1/messages") => respond(&request, &mut to, log)?,
            ("POST", "/v1/messages/count_tokens") => answer(&mut to, 200, &json!({"input_tokens": 1000}))?,
            ("HEAD", _) => write!(to, "HTTP/1.1 200 -\r\ncontent-length: 0\r\n\r\n")?,
            _ => answer(&mut to, 404, &error("not_found_error"))?,
        }
    }
    Ok(())
}

fn error(kind: &str) -> Value {
    json!({"type": "error", "error": {"type": kind, "message": "scripted"}})
}

fn respond(request: &Request, to: &mut TcpStream, log: &Mutex<Log>) -> io::Result<()> {
    let body: Value = serde_json::from_slice(&request.body)?;
    let place = place(&body);
    let Some(bill) = begin(request, &body, place, &mut lock(log)) else {
        return answer(to, 529, &error("overloaded_error"));
    };
    if body["stream"] != true {
        finish(log, &bill.message_id);
        return answer(to, 200, &message(&bill, &bill.step.usage(), &content(&bill.step)));
    }
    stream(&bill, to, log)
}

/// Looks up the step and notes its bill; `None` where the step is to be overloaded first.
fn begin(request: &Request, body: &Value, place: Option<(String, usize)>, log: &mut Log) -> Option<Bill> {
    log.bodies.push(body.clone());
    let step = match &place {
        Some((name, at)) => log.scripts.get(name).and_then(|steps| steps.get(*at)).cloned(),
        None => None,
    };
    let step = step.unwrap_or_else(|| say("done"));
    let overloads = log.overloads.entry(place.unwrap_or_default()).or_default();
    if *overloads < step.overloaded {
        *overloads += 1;
        return None;
    }
    let header = |name| request.header(name).map(str::to_owned);
    let bill = Bill {
        at: now(),
        message_id: format!("msg_fake{:018}", log.bills.len()),
        session: header("x-claude-code-session-id").unwrap_or_default(),
        agent: header("x-claude-code-agent-id"),
        model: body["model"].as_str().unwrap_or_default().to_owned(),
        step,
        complete: false,
    };
    log.bills.push(bill.clone());
    Some(bill)
}

fn finish(log: &Mutex<Log>, message_id: &str) {
    if let Some(bill) = lock(log).bills.iter_mut().find(|bill| bill.message_id == message_id) {
        bill.complete = true;
    }
}

fn message(bill: &Bill, usage: &Value, content: &Value) -> Value {
    json!({
        "id": bill.message_id, "type": "message", "role": "assistant", "model": bill.model, "content": content,
        "stop_reason": bill.step.stop_reason(), "stop_sequence": null, "usage": usage,
    })
}

fn content(step: &Step) -> Value {
    let whole = |block: &Block| match block {
        Block::Thinking(thinking) => {
            json!({"type": "thinking", "thinking": thinking, "signature": "c2lnbmVk"})
        }
        Block::Text(text) => json!({"type": "text", "text": text}),
        Block::Tool { name, input } => {
            json!({"type": "tool_use", "id": "toolu_fake", "name": name, "input": input})
        }
    };
    step.blocks.iter().map(whole).collect()
}

/// Streams a response event by event. The final usage comes in one `message_delta`, as the real API sends it.
fn stream(bill: &Bill, to: &mut TcpStream, log: &Mutex<Log>) -> io::Result<()> {
    let mut peer = to.try_clone()?;
    let step = &bill.step;
    let usage = step.usage();
    let mut start = message(bill, &usage, &json!([]));
    start["stop_reason"] = Value::Null;
    start["usage"]["output_tokens"] = json!(START_OUTPUT);
    let mut events = Events::open(to, &bill.message_id.replace("msg", "req"))?;
    events.send("message_start", json!({ "message": start }))?;
    if step.hang == Some(Hang::Start) {
        return hang(&mut peer);
    }
    for (index, block) in step.blocks.iter().enumerate() {
        let (opened, delta) = halves(block, &format!("toolu_{}_{index}", bill.message_id));
        events.send("content_block_start", json!({"index": index, "content_block": opened}))?;
        events.send("content_block_delta", json!({"index": index, "delta": delta}))?;
        events.send("content_block_stop", json!({ "index": index }))?;
        if step.hang == Some(Hang::FirstBlock) {
            return hang(&mut peer);
        }
    }
    let delta = json!({"stop_reason": step.stop_reason(), "stop_sequence": null});
    events.send("message_delta", json!({"delta": delta, "usage": usage}))?;
    finish(log, &bill.message_id);
    events.send("message_stop", json!({}))?;
    events.close()
}

/// A block as the stream opens it, and the one delta that fills it.
fn halves(block: &Block, tool_id: &str) -> (Value, Value) {
    match block {
        Block::Thinking(thinking) => (
            json!({"type": "thinking", "thinking": "", "signature": ""}),
            json!({"type": "thinking_delta", "thinking": thinking}),
        ),
        Block::Text(text) => {
            (json!({"type": "text", "text": ""}), json!({"type": "text_delta", "text": text}))
        }
        Block::Tool { name, input } => (
            json!({"type": "tool_use", "id": tool_id, "name": name, "input": {}}),
            json!({"type": "input_json_delta", "partial_json": input.to_string()}),
        ),
    }
}

/// Holds the connection until the client leaves.
fn hang(peer: &mut TcpStream) -> io::Result<()> {
    while peer.read(&mut [0; 512])? > 0 {}
    Err(io::ErrorKind::ConnectionReset.into())
}

#[expect(clippy::disallowed_methods, reason = "an API bills when it answers")]
fn now() -> Timestamp {
    Timestamp::now()
}
