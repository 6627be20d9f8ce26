//! A running collector with an empty database, and requests byte by byte.

use serde_json::Value;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::time::Duration;
use tempfile::TempDir;
use tests::collector::Collector;

pub(crate) const REPO: &str = "github.com/acme/pay";
const GOLDEN: &str = include_str!("../../../meter/golden/report.json");
/// Far beyond every limit of the server, so that only a server that never answers reaches it.
const PATIENCE: Duration = Duration::from_mins(2);

pub(crate) struct Server {
    pub collector: Collector,
    folder: TempDir,
}

/// A status and the body as JSON, `null` where it is none.
pub(crate) type Reply = (u16, Value);

impl Server {
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let collector = Collector::start(&folder.path().join("cpvo"), folder.path(), "cpvo.db");
        Self { collector, folder }
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.collector.url().trim_start_matches("http://")).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// Posts with whatever headers are wanted.
    pub(crate) fn post_with(&self, path: &str, headers: &str, body: &[u8]) -> Reply {
        let mut stream = self.connect();
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\n{headers}\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).unwrap();
        let _ = stream.write_all(body); // the answer to a body too large may come before its end
        reply(&mut stream)
    }

    pub(crate) fn post(&self, token: &str, body: &str) -> Reply {
        self.post_with("/v1/reports", &format!("authorization: Bearer {token}\r\n"), body.as_bytes())
    }

    /// Gets a page as text.
    pub(crate) fn get(&self, path: &str) -> (u16, String) {
        let mut stream = self.connect();
        let head = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        let status = text.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
        (status, text.split_once("\r\n\r\n").map_or("", |(_, body)| body).to_owned())
    }

    /// Delivers one report; its answer.
    #[track_caller]
    pub(crate) fn deliver(&self, token: &str, report: &str) -> Value {
        let (status, reply) = self.post(token, &format!("[{report}]"));
        assert_eq!(status, 200, "{reply}");
        reply["results"][0].clone()
    }

    pub(crate) fn token(&self) -> String {
        self.collector.token(REPO)
    }

    /// The PEM file of the collector's only key.
    pub(crate) fn key(&self) -> PathBuf {
        let keys = fs::read_dir(self.folder.path().join("cpvo/keys")).unwrap();
        keys.map(|entry| entry.unwrap().path()).next().unwrap()
    }

    pub(crate) fn count(&self, table: &str) -> Value {
        self.collector.sql(&format!("SELECT COUNT(*) AS n FROM {table}"))[0]["n"].clone()
    }
}

/// Reads until the server closes.
pub(crate) fn reply(stream: &mut TcpStream) -> Reply {
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes); // a reset after the answer is no fault of the answer
    let text = String::from_utf8_lossy(&bytes);
    let status = text.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    let body = text.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    (status, serde_json::from_str(body).unwrap_or_default())
}

/// The golden report with some fields changed.
pub(crate) fn report(changes: &Value) -> String {
    let mut report: Value = serde_json::from_str(GOLDEN).unwrap();
    for (field, value) in changes.as_object().unwrap() {
        report[field] = value.clone();
    }
    report.to_string()
}
