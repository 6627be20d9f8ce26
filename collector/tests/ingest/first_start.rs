//! From nothing to a running collector, and what a wrong setting says.

use crate::server::Server;
use serde_json::Value;
use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use tests::program::{binary, command, run};

#[test]
fn init_writes_what_is_missing_and_keeps_the_rest() {
    let home = tempfile::tempdir().unwrap();
    let init = || run(command(binary("cpvo"), home.path()).current_dir(home.path()).arg("init")).success();
    let first = init();
    for file in ["cpvo.toml", "teams.toml", "keys/"] {
        assert!(first.contains(&format!("wrote {file}")), "{first}");
    }
    fs::write(home.path().join("teams.toml"), "# mine\n").unwrap();
    let second = init();
    assert!(!second.contains("wrote") && second.contains("kept  teams.toml"), "{second}");
    assert_eq!(fs::read_to_string(home.path().join("teams.toml")).unwrap(), "# mine\n");
    assert_eq!(fs::read_dir(home.path().join("keys")).unwrap().count(), 1);
}

#[test]
fn the_group_may_read_what_a_strict_umask_made() {
    let home = tempfile::tempdir().unwrap();
    run(command(binary("cpvo"), home.path()).current_dir(home.path()).arg("init")).success();
    let mut strict = command("sh", home.path());
    strict
        .current_dir(home.path())
        .args(["-c", "umask 077; exec \"$0\" --db data/cpvo.db token issue --repo x.example/a/b"]);
    run(strict.arg(binary("cpvo"))).success();
    let mode = |name: &str| fs::metadata(home.path().join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!([mode("data"), mode("data/cpvo.db"), mode("data/cpvo.db-wal")], [0o750, 0o640, 0o640]);
}

#[test]
fn a_wrong_setting_is_named_with_its_file() {
    let home = tempfile::tempdir().unwrap();
    let cpvo = |args: &[&str]| run(command(binary("cpvo"), home.path()).current_dir(home.path()).args(args));
    let none = cpvo(&["serve"]);
    assert!(none.code == 1 && none.stderr.contains("cpvo init"), "{none:?}");
    cpvo(&["init"]).success();
    fs::write(home.path().join("cpvo.toml"), "listen = '127.0.0.1:0'\ncolour = 'red'\n").unwrap();
    let unknown = cpvo(&["serve"]);
    assert!(unknown.stderr.contains("cpvo.toml") && unknown.stderr.contains("colour"), "{unknown:?}");
    fs::write(home.path().join("cpvo.toml"), "").unwrap();
    fs::remove_dir_all(home.path().join("keys")).unwrap();
    let keyless = cpvo(&["serve"]);
    assert!(keyless.stderr.contains("could not read the keys"), "{keyless:?}");
}

#[test]
fn events_can_be_json() {
    let server = Server::start();
    let mut serve = command(binary("cpvo"), &server.collector.folder);
    serve.current_dir(&server.collector.folder).args(["serve", "--listen", "127.0.0.1:0", "--log", "json"]);
    let log = server.collector.folder.join("json.log");
    let mut running = tests::program::Running::start_logged(&mut serve, &log);
    let lines = || fs::read_to_string(&log).unwrap_or_default();
    tests::wait::until("the second collector to listen", || lines().contains("listening on").then_some(()));
    running.signal(rustix::process::Signal::TERM);
    assert_eq!(running.finish().code, 0);
    let said = lines();
    let events: Vec<&str> = said.lines().filter(|line| !line.starts_with("listening")).collect();
    assert!(events.len() >= 2, "{said}");
    for event in events {
        let event: Value = serde_json::from_str(event).unwrap();
        assert!(event["level"].is_string() && event["fields"]["message"].is_string(), "{event}");
    }
}

#[test]
fn it_is_alive_and_ready() {
    let server = Server::start();
    assert_eq!(server.get("/healthz"), (200, "ok\n".to_owned()));
    assert_eq!(server.get("/readyz"), (200, "ready\n".to_owned()));
    let (status, metrics) = server.get("/metrics");
    assert!(status == 200 && metrics.contains("cpvo_reports_total{status=\"applied\"} 0"), "{metrics}");
    assert_eq!(server.get("/nothing").0, 404);
}

#[test]
fn every_answer_says_which_version_gave_it() {
    let server = Server::start();
    let mut stream = server.connect();
    stream.write_all(b"GET /nothing HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.contains(concat!("\r\nserver: cpvo/", env!("CARGO_PKG_VERSION"), "\r\n")), "{answer}");
}
