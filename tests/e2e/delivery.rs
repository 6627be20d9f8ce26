//! Networks and collectors that fail: the session ends as if nothing were, the next start delivers.

use tests::World;
use tests::front::Weather;
use tests::transcript::{Transcript, tokens};
use tests::wait::until;

fn transcript(world: &World) -> Transcript {
    Transcript::begin(&world.home, &world.repo.path)
}

fn ended(world: &World, output: u64) {
    let mut session = transcript(world);
    session.response(tokens(output));
    world.session_ends(&session);
}

fn started(world: &World) {
    world.session_starts(&transcript(world));
}

/// Reports the hook says it has not yet delivered.
fn waiting(world: &World) -> u64 {
    let status = world.hook(&world.repo.path, &["status", "--json"]).stdout;
    let status: serde_json::Value = serde_json::from_str(&status).expect("the hook's status");
    status["waiting"].as_u64().expect("a count of what waits")
}

#[test]
fn offline_then_online() {
    let mut world = World::equipped();
    world.collector.as_mut().unwrap().stop();
    ended(&world, 1);
    ended(&world, 2);
    assert_eq!(waiting(&world), 2);
    world.collector.as_mut().unwrap().serve();
    started(&world);
    world.await_stored(&[tokens(1), tokens(2)]);
    until("nothing to wait for an answer any more", || (waiting(&world) == 0).then_some(()));
}

#[test]
fn a_collector_that_never_answers_is_not_waited_for() {
    let (world, front) = World::behind_a_front();
    front.turn(Weather::Silent);
    ended(&world, 1);
    // the hook has returned, its worker has not been answered
    until("a delivery that waits for an answer", || (front.waiting() > 0).then_some(()));
    front.turn(Weather::Fair);
    started(&world);
    world.await_stored(&[tokens(1)]);
}

#[test]
fn garbage_for_an_answer_loses_nothing() {
    let (world, front) = World::behind_a_front();
    front.turn(Weather::Garbage);
    ended(&world, 1);
    until("a delivery", || (front.met() > 0).then_some(()));
    front.turn(Weather::Fair);
    started(&world);
    world.await_stored(&[tokens(1)]);
}

#[test]
fn a_collector_restored_from_an_old_backup_is_healed() {
    let mut world = World::equipped();
    let (mut long, mut short) = (transcript(&world), transcript(&world));
    long.response(tokens(1));
    short.response(tokens(2));
    world.session_ends(&long);
    world.session_ends(&short);
    world.await_stored(&[tokens(1), tokens(2)]);
    let backup = world.folder().join("backup");
    world.collector.as_mut().unwrap().back_up(&backup);

    // one session goes on, one is new, one is as the backup has it
    long.response(tokens(4));
    world.session_ends(&long);
    ended(&world, 8);
    let before = world.await_stored(&[tokens(1), tokens(2), tokens(4), tokens(8)]);
    until("every answer", || (waiting(&world) == 0).then_some(()));
    world.collector.as_mut().unwrap().restore(&backup);
    world.await_stored(&[tokens(1), tokens(2)]);

    world.hook(&world.repo.path, &["sweep"]).success();
    let after = world.await_stored(&[tokens(1), tokens(2), tokens(4), tokens(8)]);
    assert_eq!(before.to_string(), after.to_string());
}

#[test]
fn a_revoked_token_stops_delivery_until_there_is_another() {
    let world = World::equipped();
    ended(&world, 1);
    world.await_stored(&[tokens(1)]);
    let collector = world.collector();
    let tokens_issued = collector.sql("SELECT token_id FROM token");
    for token in &tokens_issued {
        collector.cpvo(&["token", "revoke", token["token_id"].as_str().unwrap()]).success();
    }
    ended(&world, 2);
    let status = until("a refused delivery", || {
        let status = world.hook(&world.repo.path, &["status"]);
        (status.code == 1).then_some(status)
    });
    assert!(status.stdout.contains("401"), "{status:?}");
    world.await_stored(&[tokens(1)]);
    assert_eq!(waiting(&world), 1);

    world.renew_token();
    started(&world);
    world.await_stored(&[tokens(1), tokens(2)]);
}
