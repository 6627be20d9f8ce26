//! The other end of the wire: a socket that keeps what it is sent and answers as a story asks.

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

/// What was sent, and in which words.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) path: String,
    pub(crate) token: String,
    pub(crate) text: String,
    pub(crate) body: Value,
}

/// How requests are answered.
pub(crate) enum Manner {
    /// Each report by this rule; `missing` by an empty list.
    Rule(fn(&Value) -> Value),
    Missing(Vec<Value>),
    Raw(String),
    /// Refuses this token and takes what comes with any other.
    Refuses(&'static str),
    /// Accepts and never answers.
    Silent,
}

struct Shared {
    requests: Mutex<Vec<Request>>,
    manner: Mutex<Manner>,
    version: Mutex<&'static str>,
    arrived: Condvar,
    changed: Condvar,
}

pub(crate) struct Collector {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
}

/// An answer that is no collector's usual one.
pub(crate) fn raw(head: &str, body: &str) -> Manner {
    Manner::Raw(written(head, body))
}

fn written(head: &str, body: &str) -> String {
    format!("HTTP/1.1 {head}\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

pub(crate) fn applied(_: &Value) -> Value {
    json!({"status": "applied"})
}

impl Collector {
    pub(crate) fn start() -> Self {
        Self::serving(std::convert::identity)
    }

    /// The same behind TLS, for `name`, and the certificate of who vouches for it.
    pub(crate) fn start_https(name: &str) -> (Self, String) {
        let issuer = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let root = params.self_signed(&issuer).unwrap();
        let key = KeyPair::generate().unwrap();
        let leaf = CertificateParams::new([name.to_owned()]).unwrap();
        let leaf = leaf.signed_by(&key, &Issuer::new(params, issuer)).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let config =
            config.unwrap().with_no_client_auth().with_single_cert(vec![leaf.der().clone()], key).unwrap();
        let config = Arc::new(config);
        let encrypted = move |stream| {
            let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
            StreamOwned::new(connection, stream)
        };
        (Self::serving(encrypted), root.pem())
    }

    fn serving<S: Read + Write>(wrap: impl Fn(TcpStream) -> S + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            requests: Mutex::default(),
            manner: Mutex::new(Manner::Rule(applied)),
            version: Mutex::new("0.1.0"),
            arrived: Condvar::new(),
            changed: Condvar::new(),
        });
        let (served, wrap) = (Arc::clone(&shared), Arc::new(wrap));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (served, wrap) = (Arc::clone(&served), Arc::clone(&wrap));
                std::thread::spawn(move || serve(wrap(stream), &served));
            }
        });
        Self { address, shared }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn behave(&self, manner: Manner) {
        *self.shared.manner.lock().unwrap() = manner;
        self.shared.changed.notify_all();
    }

    /// What it calls itself from now on.
    pub(crate) fn upgrade(&self, version: &'static str) {
        *self.shared.version.lock().unwrap() = version;
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.shared.requests.lock().unwrap().clone()
    }

    /// Every report sent so far, in order.
    pub(crate) fn reports(&self) -> Vec<Value> {
        let sent = self.requests().into_iter().filter(|request| request.path == "/v1/reports");
        sent.flat_map(|request| request.body.as_array().cloned().unwrap_or_default()).collect()
    }

    /// Waits until `count` requests have arrived.
    #[track_caller]
    pub(crate) fn await_requests(&self, count: usize) -> Vec<Request> {
        let bound = Duration::from_mins(1);
        let requests = self.shared.requests.lock().unwrap();
        let short = |requests: &mut Vec<Request>| requests.len() < count;
        let (requests, timeout) = self.shared.arrived.wait_timeout_while(requests, bound, short).unwrap();
        assert!(!timeout.timed_out(), "waited for {count} requests, got {requests:?}");
        requests.clone()
    }
}

fn serve(stream: impl Read + Write, shared: &Shared) {
    let mut reader = BufReader::new(stream);
    while let Some(request) = receive(&mut reader) {
        // the manner is fixed before anybody can know of the request
        let manner = shared.manner.lock().unwrap();
        shared.requests.lock().unwrap().push(request.clone());
        shared.arrived.notify_all();
        let Some(answer) = answer(&request, manner, shared) else { return };
        if reader.get_mut().write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

fn receive(reader: &mut impl BufRead) -> Option<Request> {
    let mut first = String::new();
    reader.read_line(&mut first).ok().filter(|bytes| *bytes > 0)?;
    let (mut token, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|bytes| *bytes > 0)?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        match name.to_ascii_lowercase().as_str() {
            "authorization" => value.clone_into(&mut token),
            "content-length" => length = value.parse().unwrap(),
            _ => {}
        }
    }
    let mut text = vec![0; length];
    reader.read_exact(&mut text).ok()?;
    let text = String::from_utf8(text).unwrap();
    let path = first.split(' ').nth(1)?.to_owned();
    Some(Request { path, token, body: serde_json::from_str(&text).unwrap(), text })
}

fn answer(request: &Request, manner: MutexGuard<Manner>, shared: &Shared) -> Option<String> {
    if matches!(*manner, Manner::Silent) {
        // until the story goes on: then the connection is dropped without an answer
        drop(shared.changed.wait_while(manner, |manner| matches!(manner, Manner::Silent)).unwrap());
        return None;
    }
    let body = match (&*manner, request.path.as_str()) {
        (Manner::Raw(text), _) => return Some(text.clone()),
        (Manner::Refuses(token), _) if request.token.ends_with(token) => {
            return Some(written("401 No", r#"{"error":{"message":"token is revoked"}}"#));
        }
        (Manner::Missing(keys), "/v1/sessions/missing") => json!({"missing": keys}),
        (_, "/v1/sessions/missing") => json!({"missing": []}),
        (Manner::Rule(rule), _) => results(&request.body, *rule),
        (Manner::Missing(_) | Manner::Refuses(_) | Manner::Silent, _) => results(&request.body, applied),
    };
    let head = format!(
        "200 OK\r\ncontent-type: application/json\r\nserver: cpvo/{}",
        shared.version.lock().unwrap()
    );
    Some(written(&head, &body.to_string()))
}

fn results(reports: &Value, rule: fn(&Value) -> Value) -> Value {
    let answer = |report: &Value| {
        let mut answer = rule(report);
        for key in ["session_id", "repo", "week"] {
            answer[key] = report[key].clone();
        }
        answer
    };
    json!({"results": reports.as_array().unwrap().iter().map(answer).collect::<Vec<_>>()})
}
