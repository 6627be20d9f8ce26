//! Debian's own `sqlite3 -readonly` on the live file, as the server's user and as a second one.

use crate::server::{Server, report};
use serde_json::json;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

const NOBODY: u32 = 65534;
/// A group that neither the server's user nor `nobody` has by itself.
const READERS: u32 = 64000;

const RELATIONS: [&str; 19] = [
    "session",
    "usage",
    "developer",
    "team",
    "team_member",
    "team_repository",
    "price",
    "audit",
    "token",
    "spend",
    "team_week",
    "unassigned",
    "source",
    "change",
    "change_commit",
    "change_file",
    "revert",
    "disqualification",
    "policy",
];

fn sqlite(mut command: Command, db: &Path, query: &str) -> String {
    let output = command.args(["-readonly"]).arg(db).arg(query).output().expect("Debian's package sqlite3");
    assert!(output.status.success(), "{query}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn as_second_user() -> Command {
    let mut command = Command::new("setpriv");
    command.args([&format!("--reuid={NOBODY}"), &format!("--regid={READERS}"), "--clear-groups", "sqlite3"]);
    command
}

#[test]
fn it_answers_each_table_and_view_while_reports_arrive() {
    let server = Server::start();
    let token = server.token();
    let db = server.collector.folder.join("cpvo.db");
    share(&server.collector.folder);
    let (done, arrived) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for n in (0_u64..).take_while(|_| !done.load(Ordering::Relaxed)) {
                let id = format!("8b41c8a0-0000-4000-8000-{n:012}");
                assert_eq!(server.deliver(&token, &report(&json!({"session_id": id})))["status"], "applied");
                arrived.fetch_add(1, Ordering::Relaxed);
            }
        });
        for relation in RELATIONS {
            let query = format!("SELECT COUNT(*) FROM {relation}");
            sqlite(Command::new("sqlite3"), &db, &query);
            let before = arrived.load(Ordering::Relaxed);
            sqlite(as_second_user(), &db, &query);
            tests::wait::until("a report to arrive while it asks", || {
                sqlite(as_second_user(), &db, &query);
                (arrived.load(Ordering::Relaxed) > before).then_some(())
            });
        }
        done.store(true, Ordering::Relaxed);
    });
}

#[test]
fn it_answers_after_the_collector_has_stopped() {
    let mut server = Server::start();
    server.deliver(&server.token(), &report(&json!({})));
    let db = server.collector.folder.join("cpvo.db");
    let mode =
        |name: &str| fs::metadata(server.collector.folder.join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!([mode("cpvo.db"), mode("cpvo.db-wal"), mode("cpvo.db-shm")], [0o640; 3]);
    share(&server.collector.folder);
    server.collector.stop();
    let query = "SELECT requests FROM team_week WHERE requests > 0";
    assert_eq!(sqlite(Command::new("sqlite3"), &db, query), "4\n");
    assert_eq!(sqlite(as_second_user(), &db, query), "4\n");
}

/// Gives the folder to the group of readers, as an admin does.
fn share(folder: &Path) {
    assert!(
        rustix::process::geteuid().is_root(),
        "only root can become a second user: run this test as root"
    );
    for path in [folder, folder.parent().unwrap()] {
        chown(path, None, Some(READERS)).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o750)).unwrap();
    }
    for name in ["cpvo.db", "cpvo.db-wal", "cpvo.db-shm"] {
        chown(folder.join(name), None, Some(READERS)).unwrap();
        assert_eq!(fs::metadata(folder.join(name)).unwrap().mode() & 0o777, 0o640);
    }
}
