//! A git host or tracker of the tests' own: real sockets, answers of the shape the real one gives, faults on order.

pub mod board;
pub mod github;
pub mod gitlab;
pub mod jira;
pub mod linear;

use crate::fake_api::Request;
use serde_json::Value;
use std::collections::VecDeque;
use std::io::{self, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;

/// What a host was asked.
#[derive(Debug, Clone)]
pub struct Asked {
    pub method: String,
    pub path: String,
    pub query: String,
    /// As who asks calls it.
    pub host: String,
    /// The header that holds the token.
    pub authorization: String,
    pub body: Value,
}

/// What it answers.
#[derive(Debug, Clone)]
pub enum Reply {
    Json(Value),
    /// A status with headers and a body.
    Status(u16, Vec<(&'static str, String)>, String),
    /// Nothing, for as long as the other side waits.
    Silent,
}

struct Log {
    asked: Vec<Asked>,
    faults: VecDeque<Option<Reply>>,
}

/// A running host; its threads end with the connections.
pub struct Host {
    address: SocketAddr,
    log: Arc<Mutex<Log>>,
}

impl Host {
    pub fn start(answer: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port on loopback");
        let address = listener.local_addr().expect("the address just bound");
        let log = Arc::new(Mutex::new(Log { asked: Vec::new(), faults: VecDeque::new() }));
        let (shared, answer) = (Arc::clone(&log), Arc::new(answer));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (log, answer) = (Arc::clone(&shared), Arc::clone(&answer));
                // who asks may also go away
                thread::spawn(move || drop(serve(stream, &log, answer.as_ref())));
            }
        });
        Self { address, log }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// All that was asked so far, the oldest first.
    pub fn asked(&self) -> Vec<Asked> {
        lock(&self.log).asked.clone()
    }

    /// Answers the next questions with these instead; `None` lets one through.
    pub fn fail(&self, faults: impl IntoIterator<Item = Option<Reply>>) {
        lock(&self.log).faults.extend(faults);
    }
}

fn lock(log: &Mutex<Log>) -> MutexGuard<'_, Log> {
    log.lock().expect("no thread of the host panics")
}

fn serve(stream: TcpStream, log: &Mutex<Log>, answer: &dyn Fn(&Asked) -> Reply) -> io::Result<()> {
    let mut to = stream.try_clone()?;
    let mut from = BufReader::new(stream);
    while let Some(request) = Request::read(&mut from)? {
        let asked = Asked {
            authorization: request.header("authorization").unwrap_or_default().to_owned(),
            host: request.header("host").unwrap_or_default().to_owned(),
            body: serde_json::from_slice(&request.body).unwrap_or_default(),
            method: request.method,
            path: request.path,
            query: request.query,
        };
        let fault = {
            let mut log = lock(log);
            log.asked.push(asked.clone());
            log.faults.pop_front().flatten()
        };
        match fault.unwrap_or_else(|| answer(&asked)) {
            Reply::Json(body) => send(&mut to, 200, &[], &body.to_string())?,
            Reply::Status(status, headers, body) => send(&mut to, status, &headers, &body)?,
            Reply::Silent => while from.read(&mut [0; 512])? > 0 {},
        }
    }
    Ok(())
}

fn send(to: &mut TcpStream, status: u16, headers: &[(&str, String)], body: &str) -> io::Result<()> {
    write!(to, "HTTP/1.1 {status} -\r\ncontent-length: {}\r\n", body.len())?;
    for (name, value) in headers {
        write!(to, "{name}: {value}\r\n")?;
    }
    write!(to, "\r\n{body}")?;
    to.flush()
}
