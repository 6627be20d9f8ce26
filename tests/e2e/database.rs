//! The database an admin asks, while reports arrive.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::thread;
use tests::World;
use tests::postgres::Cluster;
use tests::program::{Seen, command, run};
use tests::transcript::{Transcript, tokens};

/// Asks with Debian's own program as the server's user, or as another user of its group.
fn ask(world: &World, name: &str, as_another: bool) -> Seen {
    let folder = &world.collector().folder;
    let group = fs::metadata(folder).expect("the collector's folder").gid();
    let mut sqlite = if as_another {
        let mut other = command("setpriv", &world.home);
        other.args(["--reuid=65534", &format!("--regid={group}"), "--clear-groups", "sqlite3"]);
        other
    } else {
        command("sqlite3", &world.home)
    };
    run(sqlite.arg("-readonly").arg(folder.join("cpvo.db")).arg(format!("SELECT COUNT(*) FROM {name}")))
}

/// Every table and view there is.
fn names(world: &World) -> Vec<String> {
    let rows = world.collector().sql("SELECT name FROM sqlite_schema WHERE type IN ('table', 'view')");
    rows.iter().filter_map(|row| row["name"].as_str().map(str::to_owned)).collect()
}

#[test]
fn stock_sqlite_answers_two_users_while_reports_arrive() {
    let world = World::equipped();
    // the other user must be able to reach the folder; what lies in it keeps its own rights
    fs::set_permissions(world.folder(), Permissions::from_mode(0o711)).unwrap();
    let names = names(&world);
    for view in ["spend", "team_week", "unassigned"] {
        assert!(names.iter().any(|name| name == view), "no {view} in {names:?}");
    }
    thread::scope(|scope| {
        let writer = scope.spawn(|| {
            for output in 1..=20 {
                let mut session = Transcript::begin(&world.home, &world.repo.path);
                session.response(tokens(output));
                world.session_ends(&session);
            }
        });
        while !writer.is_finished() {
            for (name, as_another) in names.iter().flat_map(|name| [(name, false), (name, true)]) {
                let count = ask(&world, name, as_another).success();
                assert!(count.trim().parse::<u64>().is_ok(), "{name}: {count}");
            }
        }
    });
    world.await_stored(&(1..=20).map(tokens).collect::<Vec<_>>());
    assert_eq!(ask(&world, "session", true).success().trim(), "20");
    let refused = run(command("sqlite3", &world.home)
        .arg("-readonly")
        .arg(world.collector().folder.join("cpvo.db"))
        .arg("DELETE FROM usage"));
    assert_ne!(refused.code, 0);
}

#[test]
fn postgres_holds_the_same() {
    let cluster = Cluster::start();
    let world = World::equipped_on(&cluster.database("cpvo"));
    let mut session = Transcript::begin(&world.home, &world.repo.path);
    session.response(tokens(100));
    world.session_ends(&session);
    let stored = world.await_stored(&[tokens(100)]);
    assert!(stored.places().all(|place| place.team == "payments"));
    assert_eq!(stored.total(|_| true).cost_nanousd, 2_580_000);
    let weeks = world.collector().sql("SELECT spend_usd FROM team_week WHERE team = 'payments'");
    assert_eq!(weeks.len(), 1, "{weeks:?}");
    let weekly = world.collector().cpvo(&["weekly"]).success();
    assert!(weekly.contains("payments"), "{weekly}");
}
