//! Sessions that do not end well, and collectors that are not there.

use super::{Played, scenario};
use rustix::process::Signal;
use tests::World;
use tests::client::Headless;
use tests::fake_api::{Hang, run, say};

/// A session in the middle of its second response, with all it knows so far in its transcript.
fn halfway(world: &World) -> Headless {
    world.api.script(
        "script",
        [run("true").billed(1, 10), say("Never finished.").billed(2, 20).hanging(Hang::FirstBlock)],
    );
    let session = world.start("go [[script]]", &[]);
    world.api.await_hang();
    let first = &world.api.bills()[0];
    let result = format!(r#""tool_use_id":"toolu_{}_0""#, first.message_id);
    world.await_transcript(&first.session, &[(&result, 1), (r#""type":"api-request""#, 2)]);
    session
}

#[test]
fn sigterm() {
    scenario("sigterm", |world| {
        let mut session = halfway(world);
        session.signal(Signal::TERM);
        let seen = session.finish();
        assert_eq!(seen.code, 143, "{seen:?}");
        Played { seen: vec![seen], cut: (1, 0), ..Played::default() }
    });
}

#[test]
fn sigkill_then_the_next_start() {
    scenario("sigkill, next start", |world| {
        let mut session = halfway(world);
        session.signal(Signal::KILL);
        let mut played = Played { seen: vec![session.finish()], cut: (1, 0), ..Played::default() };
        world.api.script("next", [say("A new day.").billed(3, 30)]);
        played.ended(world.session("go [[next]]", &[]), &[]);
        played
    });
}

#[test]
fn sigkill_then_resume() {
    scenario("sigkill, resume", |world| {
        let mut session = halfway(world);
        session.signal(Signal::KILL);
        let mut played = Played { seen: vec![session.finish()], cut: (1, 0), ..Played::default() };
        world.api.script("next", [say("Where was I?").billed(3, 30)]);
        let killed = world.api.bills()[0].session.clone();
        played.ended(world.session("go [[next]]", &["--resume", &killed]), &[]);
        // the client has forgotten what it spent before it was killed; the transcript has not
        played.claims.clear();
        played
    });
}

#[test]
fn collector_down_then_up() {
    scenario("collector down, up", |world| {
        world.api.script("down", [say("Nobody listens.").billed(1, 10)]);
        world.api.script("up", [say("Somebody does.").billed(2, 20)]);
        let mut played = Played::default();
        if let Some(collector) = &mut world.collector {
            collector.stop();
        }
        played.ended(world.session("go [[down]]", &[]), &[]);
        if let Some(collector) = &mut world.collector {
            collector.serve();
        }
        played.ended(world.session("go [[up]]", &[]), &[]);
        played
    });
}
