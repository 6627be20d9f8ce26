//! As much of HTTP/1.1 as the client speaks: requests with a length, answers whole or in chunks.

use serde_json::Value;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;

pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: String,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    /// The next request of a connection; `None` where the client closed it.
    pub(crate) fn read(from: &mut BufReader<TcpStream>) -> io::Result<Option<Self>> {
        let mut line = String::new();
        if from.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        let mut words = line.split_whitespace().map(str::to_owned);
        let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        let (path, query) = (path.to_owned(), query.to_owned());
        let mut request = Self { method, path, query, headers: Vec::new(), body: Vec::new() };
        loop {
            line.clear();
            from.read_line(&mut line)?;
            let Some((name, value)) = line.trim_end().split_once(':') else { break };
            request.headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let length = request.header("content-length").map_or(Ok(0), str::parse).map_err(io::Error::other)?;
        request.body.resize(length, 0);
        from.read_exact(&mut request.body)?;
        Ok(Some(request))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

pub(crate) fn answer(to: &mut impl Write, status: u16, body: &Value) -> io::Result<()> {
    let body = body.to_string();
    let length = body.len();
    write!(
        to,
        "HTTP/1.1 {status} -\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    )?;
    to.flush()
}

/// A stream of server-sent events, each a chunk of its own.
pub(crate) struct Events<'a, W: Write> {
    to: &'a mut W,
}

impl<'a, W: Write> Events<'a, W> {
    pub(crate) fn open(to: &'a mut W, request_id: &str) -> io::Result<Self> {
        write!(
            to,
            "HTTP/1.1 200 -\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\nrequest-id: {request_id}\r\n\r\n"
        )?;
        Ok(Self { to })
    }

    /// Sends one event; its data says the kind once more, as the API does.
    pub(crate) fn send(&mut self, kind: &str, mut data: Value) -> io::Result<()> {
        data["type"] = kind.into();
        let event = format!("event: {kind}\ndata: {data}\n\n");
        write!(self.to, "{:x}\r\n{event}\r\n", event.len())?;
        self.to.flush()
    }

    pub(crate) fn close(self) -> io::Result<()> {
        self.to.write_all(b"0\r\n\r\n")?;
        self.to.flush()
    }
}
