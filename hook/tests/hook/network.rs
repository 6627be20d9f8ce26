//! Between the hook and its collector: certificates of a company's own, and proxies.

use crate::collector::Collector;
use crate::world::{ONE, World, newest, response};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// A name that leads nowhere but through a proxy.
const FAR: &str = "cpvo.invalid";

/// A repository whose collector has a certificate for `name`, and the file that names who issued it.
fn stage(name: &str, port: impl Fn(SocketAddr) -> u16) -> (Collector, World, PathBuf, String) {
    let (collector, issuer) = Collector::start_https(name);
    let world = World::new();
    let pay = world.repository("pay", Some(&format!("https://{name}:{}", port(collector.address))));
    world.write(ONE, &[response(ONE, "a", &pay, 7)]);
    let certificates = world.path("issuer.pem");
    std::fs::write(&certificates, issuer).unwrap();
    (collector, world, pay, certificates.display().to_string())
}

#[track_caller]
fn sends_nothing(world: &World, pay: &Path, trouble: &str) {
    let said = world.sweep(pay);
    assert_eq!(said["sent"], json!([]));
    assert!(said["troubles"][0].as_str().unwrap().contains(trouble), "{said}");
}

#[test]
fn a_private_certificate_is_believed_where_its_issuer_is_named() {
    let (collector, world, pay, certificates) = stage("localhost", |address| address.port());
    sends_nothing(&world, &pay, "certificate");
    let missing = world.path("missing.pem").display().to_string();
    let world = world.with("SSL_CERT_FILE", &missing);
    sends_nothing(&world, &pay, &format!("no certificate from SSL_CERT_FILE {missing}"));
    assert!(collector.requests().is_empty());
    let world = world.with("SSL_CERT_FILE", &certificates);
    assert_eq!(world.sweep(&pay)["sent"].as_array().unwrap().len(), 1);
    assert_eq!(newest(&collector.reports())["git.example/acme/pay"], 7);
}

/// Passes everything on to one address, and keeps what it was asked for.
struct Proxy {
    url: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    fn before(collector: &Collector) -> Self {
        let (listener, to) = (TcpListener::bind("127.0.0.1:0").unwrap(), collector.address);
        let url = format!("http://ana:secret@{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::default());
        let kept = Arc::clone(&asked);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                tunnel(&stream, to, &kept);
            }
        });
        Self { url, asked }
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

fn tunnel(client: &TcpStream, to: SocketAddr, asked: &Mutex<Vec<String>>) {
    let head: Vec<String> =
        BufReader::new(client).lines().map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
    let allowed =
        head.iter().any(|line| line.eq_ignore_ascii_case("proxy-authorization: Basic YW5hOnNlY3JldA=="));
    asked.lock().unwrap().push(format!("{} {allowed}", head.first().unwrap()));
    let server = TcpStream::connect(to).unwrap();
    let mut answering = client;
    answering.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
    for (mut from, mut to) in
        [(client, &server), (&server, client)].map(|(a, b)| (a.try_clone().unwrap(), b.try_clone().unwrap()))
    {
        std::thread::spawn(move || std::io::copy(&mut from, &mut to));
    }
}

#[test]
fn a_proxy_is_asked_for_the_collector_unless_it_is_to_be_reached_without() {
    let (collector, world, pay, certificates) = stage(FAR, |_| 8443);
    let proxy = Proxy::before(&collector);
    let world = world.with("SSL_CERT_FILE", &certificates).with("HTTPS_PROXY", &proxy.url);
    let world = world.with("NO_PROXY", "other.invalid, .invalid");
    sends_nothing(&world, &pay, &format!("https://{FAR}:8443: "));
    assert!(proxy.asked().is_empty());
    let world = world.with("NO_PROXY", "other.invalid");
    assert_eq!(world.sweep(&pay)["sent"].as_array().unwrap().len(), 1);
    assert_eq!(proxy.asked(), [format!("CONNECT {FAR}:8443 HTTP/1.1 true")]);
    assert_eq!(newest(&collector.reports())["git.example/acme/pay"], 7);
}

#[test]
fn a_proxy_that_cannot_be_used_is_not_passed_by() {
    let (collector, world, pay, certificates) = stage("localhost", |address| address.port());
    let socks = "socks5://ana:secret@127.0.0.1:1080";
    let world = world.with("SSL_CERT_FILE", &certificates).with("ALL_PROXY", socks);
    // what is on this machine needs none
    assert_eq!(world.sweep(&pay)["sent"].as_array().unwrap().len(), 1);
    let asked = collector.requests().len();
    let shop = world.repository("shop", Some(&format!("https://{FAR}")));
    world.append(ONE, &[response(ONE, "b", &shop, 5)]);
    sends_nothing(&world, &shop, "ALL_PROXY is no address of a proxy");
    let status: Value = world.json(&shop, &["status", "--json"]);
    assert!(!status.to_string().contains("secret"), "{status}");
    assert_eq!(collector.requests().len(), asked);
}
