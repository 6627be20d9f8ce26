//! Whose spend it is: identities, teams that change, several machines.

use std::fs;
use tests::World;
use tests::collector::TEAMS;
use tests::transcript::{Transcript, tokens};
use tests::wait::until;

fn ended(world: &World, output: u64) -> Transcript {
    let mut session = Transcript::begin(&world.home, &world.repo.path);
    session.response(tokens(output));
    world.session_ends(&session);
    session
}

/// The team and the output tokens of every row.
fn teams(world: &World) -> Vec<(String, u64)> {
    let rows = world.collector().sql("SELECT team, output FROM usage ORDER BY output");
    rows.into_iter()
        .map(|row| {
            let Row { team, output } = serde_json::from_value(row).expect("a row as asked for");
            (team, output)
        })
        .collect()
}

#[derive(serde::Deserialize)]
struct Row {
    team: String,
    output: u64,
}

#[test]
fn spend_belongs_to_the_developers_team() {
    let world = World::equipped();
    ended(&world, 1);
    world.work_as("Ben@ACME.example");
    ended(&world, 2);
    world.work_as("new@acme.example");
    ended(&world, 3);
    world.await_stored(&[tokens(1), tokens(2), tokens(3)]);
    let expected =
        [("payments", 1), ("search", 2), ("unassigned", 3)].map(|(team, output)| (team.to_owned(), output));
    assert_eq!(teams(&world), expected);
}

#[test]
fn a_guests_session_leaves_no_trace() {
    let (world, front) = World::behind_a_front();
    world.work_as("guest@elsewhere.example");
    let guest = ended(&world, 1);
    world.session_starts(&guest);
    let swept = world.hook(&world.repo.path, &["sweep"]);
    assert!(swept.stderr.contains("guest@elsewhere.example"), "{swept:?}");
    assert_eq!(front.met(), 0, "connections");
    assert!(!world.home.join(".local/state").exists(), "a guest's machine stays as it is");
}

#[test]
fn teams_change_without_a_restart() {
    let world = World::equipped();
    world.work_as("new@acme.example");
    ended(&world, 3);
    world.await_stored(&[tokens(3)]);
    assert_eq!(teams(&world), [("unassigned".to_owned(), 3)]);

    let joined = TEAMS.replace(
        r#"{ email = "ben@acme.example" }"#,
        r#"{ email = "ben@acme.example" }, { email = "new@acme.example" }"#,
    );
    world.collector().teams(&joined);
    until("the new member's spend under the team", || {
        (teams(&world) == [("search".to_owned(), 3)]).then_some(())
    });

    world.collector().teams("[[team]]\nid = \"broken\nmembers = []\n");
    until("a complaint about the broken edit", || {
        world.collector().log().contains("teams.toml").then_some(())
    });
    ended(&world, 4);
    world.await_stored(&[tokens(3), tokens(4)]);
    assert!(teams(&world).iter().all(|(team, _)| team == "search"), "the last good teams hold");
}

#[test]
fn two_machines_of_one_developer_add_up() {
    let world = World::equipped();
    let laptop = world.second_machine();
    ended(&world, 1);
    ended(&laptop, 2);
    world.await_stored(&[tokens(1), tokens(2)]);
}

#[test]
fn a_session_copied_to_a_second_machine_is_counted_once() {
    let world = World::equipped();
    let session = ended(&world, 1);
    world.await_stored(&[tokens(1)]);
    let laptop = world.second_machine();
    let mut copy = Transcript::begin(&laptop.home, &laptop.repo.path);
    let text = fs::read_to_string(&session.path).unwrap();
    fs::write(copy.path.with_file_name(session.path.file_name().unwrap()), text).unwrap();
    copy.response(tokens(2));
    laptop.hook(&laptop.repo.path, &["sweep"]).success();
    world.await_stored(&[tokens(1), tokens(2)]);
}
