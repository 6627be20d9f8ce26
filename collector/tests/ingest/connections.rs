//! Clients that are slow, endless or many, and how the server comes and goes.

use crate::server::{REPO, Server, reply, report};
use serde_json::json;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, Stdio};
use tests::collector::Collector;

#[test]
fn headers_that_never_end_are_cut_off() {
    let server = Server::start();
    let mut slow = server.connect();
    slow.write_all(b"POST /v1/reports HTTP/1.1\r\nhost: x\r\nx-slow: ").unwrap();
    let mut idle = server.connect();
    for stream in [&mut slow, &mut idle] {
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).expect("the server closes");
    }
    assert_eq!(server.deliver(&server.token(), &report(&json!({})))["status"], "applied");
}

#[test]
fn a_body_that_never_ends_is_cut_off() {
    let server = Server::start();
    let token = server.token();
    let head = format!("POST /v1/reports HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n");
    let mut slow = server.connect();
    slow.write_all(format!("{head}content-length: 1000\r\n\r\n[").as_bytes()).unwrap();
    let (status, body) = reply(&mut slow);
    assert_eq!((status, &body["error"]["code"]), (408, &json!("slow")));
}

#[test]
fn a_body_too_large_is_refused_before_its_end() {
    let server = Server::start();
    let token = server.token();
    let bearer = format!("authorization: Bearer {token}\r\n");
    let large = vec![b' '; (4 << 20) + 1];
    assert_eq!(server.post_with("/v1/reports", &bearer, &large).0, 413);
    let mut endless = server.connect();
    let head = format!("POST /v1/reports HTTP/1.1\r\nhost: x\r\n{bearer}transfer-encoding: chunked\r\n\r\n");
    endless.write_all(head.as_bytes()).unwrap();
    let chunk = [b"10000\r\n".as_slice(), &vec![b' '; 0x10000], b"\r\n"].concat();
    while endless.write_all(&chunk).is_ok() {} // until the server will hear no more
    assert_eq!(server.deliver(&token, &report(&json!({})))["status"], "applied");
}

#[test]
fn a_stranger_is_refused_before_the_body_is_read() {
    let server = Server::start();
    let mut stream = server.connect();
    stream
        .write_all(
            b"POST /v1/reports HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 4000000\r\n\r\n",
        )
        .unwrap();
    assert_eq!(reply(&mut stream).0, 401);
}

#[test]
fn asked_to_stop_it_answers_what_is_under_way() {
    let mut server = Server::start();
    let token = server.token();
    let body = format!("[{}]", report(&json!({})));
    let mut stream = server.connect();
    let head = format!(
        "POST /v1/reports HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\nexpect: 100-continue\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut proceed = [0; 25];
    stream.read_exact(&mut proceed).unwrap(); // `HTTP/1.1 100 Continue`: the request is under way
    std::thread::scope(|scope| {
        let stopping = scope.spawn(|| server.collector.stop());
        tests::wait::until("the listener to close", || {
            std::net::TcpStream::connect(stream.peer_addr().unwrap()).is_err().then_some(())
        });
        stream.write_all(body.as_bytes()).unwrap();
        let (status, reply) = reply(&mut stream);
        assert_eq!((status, &reply["results"][0]["status"]), (200, &json!("applied")));
        stopping.join().unwrap();
    });
    assert_eq!(server.count("session"), 1);
}

#[test]
fn two_collectors_share_a_database() {
    let server = Server::start();
    let folder = &server.collector.folder;
    let second = Collector::start(folder, folder, "cpvo.db");
    let token = second.token(REPO);
    assert_eq!(server.deliver(&token, &report(&json!({})))["status"], "applied");
    let url = second.url();
    assert_ne!(url, server.collector.url());
    let mut stream = std::net::TcpStream::connect(url.trim_start_matches("http://")).unwrap();
    let body = format!("[{}]", report(&json!({})));
    let head = format!(
        "POST /v1/reports HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: Bearer {token}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    assert_eq!(reply(&mut stream).1["results"][0]["status"], "same");
}

#[test]
fn what_was_answered_survives_a_kill() {
    let mut server = Server::start();
    let token = server.token();
    for n in 0..20 {
        let id = format!("8b41c8a0-0000-4000-8000-{n:012}");
        assert_eq!(server.deliver(&token, &report(&json!({"session_id": id})))["status"], "applied");
    }
    server.collector.kill();
    assert_eq!(server.count("session"), 20);
    server.collector.serve();
    assert_eq!(server.deliver(&token, &report(&json!({})))["status"], "applied");
}

#[test]
fn one_connection_carries_many_requests() {
    let server = Server::start();
    let mut stream = server.connect();
    for _ in 0..3 {
        stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"ok\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            answer.push(byte[0]);
        }
        assert!(answer.starts_with(b"HTTP/1.1 200 OK\r\n"));
    }
}

#[test]
fn a_token_that_delivers_too_much_is_told_when_to_come_back() {
    let server = Server::start();
    let bearer = format!("authorization: Bearer {}\r\nconnection: close\r\n", server.token());
    let body = format!("[{}]", ["{}"; 256].join(","));
    let head =
        format!("POST /v1/reports HTTP/1.1\r\nhost: x\r\n{bearer}content-length: {}\r\n\r\n", body.len());
    let post = || {
        let mut stream = server.connect();
        stream.write_all([head.as_bytes(), body.as_bytes()].concat().as_slice()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        (!answer.starts_with("HTTP/1.1 200 ")).then_some(answer)
    };
    let answer = (0..1000).find_map(|_| post()).expect("an end of what a token may deliver");
    assert!(answer.starts_with("HTTP/1.1 429 "), "{answer}");
    let (_, after) = answer.split_once("\r\nretry-after: ").expect("when to come back");
    let seconds: u32 = after.split_once("\r\n").unwrap().0.parse().unwrap();
    assert!((1..=13).contains(&seconds), "{answer}"); // 256 reports at 20 a second
    assert!(answer.contains(&format!("come back in {seconds} seconds")), "{answer}");
    assert_eq!(server.post(&server.token(), "[{}]").0, 200, "another token has a rate of its own");
}

#[test]
fn a_database_that_takes_nothing_is_told_as_busy() {
    let server = Server::start();
    let token = server.token();
    let mut other = Command::new("sqlite3")
        .arg(server.collector.folder.join("cpvo.db"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("Debian's package sqlite3");
    let (mut asks, says) = (other.stdin.take().unwrap(), other.stdout.take().unwrap());
    asks.write_all(b"BEGIN IMMEDIATE; SELECT 'held';\n").unwrap();
    let mut line = String::new();
    BufReader::new(says).read_line(&mut line).unwrap();
    assert_eq!(line, "held\n");

    let mut stream = server.connect();
    let body = format!("[{}]", report(&json!({})));
    let head = format!(
        "POST /v1/reports HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: Bearer {token}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("\r\nretry-after: 5\r\n"), "{answer}");

    asks.write_all(b"ROLLBACK;\n").unwrap();
    drop(asks);
    assert!(other.wait().unwrap().success());
    assert_eq!(server.deliver(&token, &report(&json!({})))["status"], "applied");
}
