//! A session's end where others hold or overtake what it needs, or nobody answers.

use crate::collector::{Collector, Manner};
use crate::world::{ONE, World, newest, response, ship};
use rusqlite::Connection;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use tests::wait::until;

/// A session of which the collector knows the first of two responses.
fn stage(world: World) -> (Collector, World, PathBuf) {
    let collector = Collector::start();
    let pay = world.repository("pay", Some(&collector.url()));
    world.write(ONE, &[response(ONE, "a", &pay, 7)]);
    world.sweep(&pay);
    world.append(ONE, &[response(ONE, "b", &pay, 5)]);
    (collector, world, pay)
}

fn inline() -> World {
    World::new().with("CPVO_DELIVER", "inline")
}

fn ledger(world: &World) -> Connection {
    Connection::open(world.state().join("ledger.db")).unwrap()
}

/// Has the next `times` readings come too late, as if another process had stored those lines first.
fn overtake(world: &World, times: u32) {
    let trigger = "CREATE TRIGGER overtake BEFORE UPDATE ON file WHEN (SELECT times FROM overtaken) > 0
        BEGIN UPDATE overtaken SET times = times - 1; SELECT RAISE(IGNORE); END";
    let table = format!("CREATE TABLE overtaken (times INTEGER); INSERT INTO overtaken VALUES ({times});");
    ledger(world).execute_batch(&(table + trigger)).unwrap();
}

#[test]
fn a_session_that_is_overtaken_is_read_again() {
    let (collector, world, pay) = stage(World::new());
    overtake(&world, 2);
    world.session_end(&pay, ONE);
    let stored: i64 =
        ledger(&world).query_one("SELECT count(*) FROM response", [], |row| row.get(0)).unwrap();
    assert_eq!(stored, 2);
    // one request asked what is missing
    collector.await_requests(3);
    assert_eq!(newest(&collector.reports())["git.example/acme/pay"], 12);
}

#[test]
fn a_session_that_is_overtaken_again_and_again_is_left_to_the_detached_process() {
    let (collector, world, pay) = stage(World::new());
    overtake(&world, 3);
    world.session_end(&pay, ONE);
    collector.await_requests(3);
    assert_eq!(newest(&collector.reports())["git.example/acme/pay"], 12);
}

#[test]
fn where_the_machine_ends_with_the_session_it_is_read_until_it_is_stored() {
    let (collector, world, pay) = stage(inline());
    overtake(&world, 7);
    world.session_end(&pay, ONE);
    assert_eq!(newest(&collector.reports())["git.example/acme/pay"], 12);
}

/// Runs the hook while another process delivers, which ends when the hook waits for it.
#[cfg(target_os = "linux")]
fn behind_another_delivery(world: &World, folder: &Path, args: &[&str], said: &str) -> Output {
    let path = world.state().join("deliver.lock");
    let lock = std::fs::File::open(&path).unwrap();
    lock.lock().unwrap();
    let mut hook = world.start(folder, args, said, Stdio::piped());
    let files = format!("/proc/{}/fd", hook.id());
    until("a hook that waits for the lock", || {
        assert!(hook.try_wait().unwrap().is_none(), "it ended without the lock");
        let mut files = std::fs::read_dir(&files).unwrap().flatten();
        files.any(|file| std::fs::read_link(file.path()).is_ok_and(|file| file == path)).then_some(())
    });
    drop(lock);
    hook.wait_with_output().unwrap()
}

#[test]
#[cfg(target_os = "linux")]
fn where_the_machine_ends_with_the_session_another_delivery_is_waited_for() {
    let (collector, world, pay) = stage(inline());
    let said = world.said(&pay, ONE, "SessionEnd").to_string();
    assert!(behind_another_delivery(&world, &pay, &["session-end"], &said).status.success());
    assert_eq!(newest(&collector.reports())["git.example/acme/pay"], 12);
}

#[test]
#[cfg(target_os = "linux")]
fn a_typed_sweep_waits_for_another_delivery() {
    let (collector, world, pay) = stage(World::new());
    let output = behind_another_delivery(&world, &pay, &["sweep"], "");
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains("sent 1 report of 1 session"), "{said}");
    assert_eq!(newest(&collector.reports())["git.example/acme/pay"], 12);
}

#[test]
fn where_the_machine_ends_with_the_session_a_silent_collector_has_ten_seconds() {
    let (collector, world, pay) = stage(inline());
    let before = collector.requests().len();
    collector.behave(Manner::Silent);
    world.session_end(&pay, ONE);
    // it gave up while it waited for the first answer; with more time it would have asked again
    assert_eq!(collector.requests().len() - before, 1);
    assert_eq!(world.json(&pay, &["status", "--json"])["waiting"], 1);
}

#[test]
fn an_address_that_cannot_be_reached_holds_up_nobody() {
    // a port nobody listens on, and a name that never resolves
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for url in [format!("http://{closed}"), "https://cpvo.invalid".to_owned()] {
        let (collector, world, pay) = stage(World::new());
        ship(&pay, &json!({"CPVO_URL": url}));
        world.session_end(&pay, ONE);
        until("a delivery that failed", || {
            let status = world.json(&pay, &["status", "--json"]);
            assert_eq!(status["waiting"], 1);
            let problem = status["problems"][0].as_str()?.to_owned();
            problem.starts_with(&format!("{url}: the last delivery failed")).then_some(())
        });
        ship(&pay, &json!({"CPVO_URL": collector.url()}));
        world.sweep(&pay);
        assert_eq!(newest(&collector.reports())["git.example/acme/pay"], 12, "{url}");
    }
}
