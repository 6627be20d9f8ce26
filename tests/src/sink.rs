//! A collector that takes whatever it is sent: for measurements in which only the hook is to work.

use crate::fake_api::{Request, answer};
use serde_json::{Value, json};
use std::io::{self, BufReader};
use std::net::{TcpListener, TcpStream};
use std::thread;

/// Starts it and gives its address; its threads end with the connections of the hooks.
pub fn sink() -> io::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let url = format!("http://{}", listener.local_addr()?);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // a hook that goes away is done with it
            thread::spawn(move || drop(take(stream)));
        }
    });
    Ok(url)
}

fn take(stream: TcpStream) -> io::Result<()> {
    let mut to = stream.try_clone()?;
    let mut from = BufReader::new(stream);
    while let Some(request) = Request::read(&mut from)? {
        let sent: Vec<Value> = serde_json::from_slice(&request.body)?;
        let applied = |report: &Value| json!({"session_id": report["session_id"], "repo": report["repo"], "week": report["week"], "status": "applied"});
        let said = match request.path.as_str() {
            "/v1/reports" => json!({"results": sent.iter().map(applied).collect::<Vec<_>>()}),
            _ => json!({"missing": []}),
        };
        answer(&mut to, 200, &said)?;
    }
    Ok(())
}
