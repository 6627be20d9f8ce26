//! Sessions of the real Claude Code client, from the prompt to the row in the database.
//!
//! Every scenario is played twice: in a world with the hooks, where the stored rows must equal the bill, and in a bare
//! world, where the person and the model must have seen exactly the same.

mod bootstrap;
mod endings;
mod headless;
mod kills;
mod repositories;
mod terminal;

use serde_json::Value;
use tests::World;
use tests::client::Said;
use tests::ledger::Ledger;
use tests::program::Seen;
use tests::wait::attempt;

/// What came of a scenario for the person who played it.
#[derive(Default)]
struct Played {
    seen: Vec<Seen>,
    claims: Vec<Claim>,
    /// Answers cut off that the stored sessions must own up to: with no usage at all, with that of their start.
    cut: (u64, u64),
}

/// A total the client itself stated, and the sessions it says it covers.
struct Claim {
    nanousd: i64,
    sessions: Vec<String>,
}

impl Played {
    /// Notes the end of a headless session, whose total covers `before` too; says its id.
    #[track_caller]
    fn ended(&mut self, seen: Seen, before: &[&str]) -> String {
        assert_eq!(seen.code, 0, "{seen:?}");
        let Said { session, nanousd } = Said::read(&seen);
        let sessions = before.iter().map(|id| (*id).to_owned()).chain([session.clone()]).collect();
        self.claims.push(Claim { nanousd, sessions });
        self.seen.push(seen);
        session
    }
}

/// Plays a scenario in both worlds and holds the results against each other.
#[track_caller]
fn scenario(name: &str, play: impl Fn(&mut World) -> Played) {
    let mut world = World::equipped();
    let played = play(&mut world);
    let stored = settle(name, &world);
    for Claim { nanousd, sessions } in &played.claims {
        let ours = stored.total(|place| sessions.contains(&place.session_id)).cost_nanousd;
        assert_eq!(ours, *nanousd, "{name}: cost of {sessions:?}, ours and the client's own\n{stored}");
    }
    assert_eq!(cut(&world), played.cut, "{name}: answers cut off");

    let mut bare = World::bare();
    let unhooked = play(&mut bare);
    for (ours, theirs) in played.seen.iter().zip(&unhooked.seen) {
        assert_eq!(normal_seen(&world, ours), normal_seen(&bare, theirs), "{name}: what the person saw");
    }
    assert_eq!(played.seen.len(), unhooked.seen.len(), "{name}: sessions seen");
    for (ours, theirs) in contexts(&world).iter().zip(&contexts(&bare)) {
        assert_same_text(name, ours, theirs);
    }
    assert_eq!(world.api.bodies().len(), bare.api.bodies().len(), "{name}: requests to the model");
}

/// Waits until the database says what was billed, prints both, and asks once more after one more sweep.
#[track_caller]
#[expect(clippy::print_stdout, reason = "the line scripts/real-client shows")]
fn settle(name: &str, world: &World) -> Ledger {
    let mut stored = Ledger::default();
    let equal = attempt(|| {
        stored = world.stored();
        (stored == world.billed()).then_some(())
    });
    let verdict = if equal.is_some() { "equal" } else { "DIFFERENT" };
    let billed = world.billed();
    println!("{name:<19} billed {}  stored {}  {verdict}", billed.total(|_| true), stored.total(|_| true));
    assert!(equal.is_some(), "{name}: billed\n{billed}stored\n{stored}{}", world.diagnosis());
    world.hook(&world.repo.path, &["sweep"]).success();
    assert_eq!(world.stored(), billed, "{name}: after one more sweep");
    assert_eq!(world.totals(), billed.by_model(), "{name}: the hook's own totals");
    stored
}

/// What the stored sessions say of answers that were cut off.
fn cut(world: &World) -> (u64, u64) {
    let query = "SELECT SUM(unknown_usage) AS unknown, SUM(interrupted) AS interrupted FROM session";
    let row = &world.collector().sql(query)[0];
    (row["unknown"].as_u64().unwrap_or_default(), row["interrupted"].as_u64().unwrap_or_default())
}

/// Fails on the first lines that differ: a whole context is too long to read.
#[track_caller]
fn assert_same_text(name: &str, ours: &str, theirs: &str) {
    for (ours, theirs) in ours.lines().zip(theirs.lines()) {
        assert_eq!(ours, theirs, "{name}: what the model saw");
    }
    assert_eq!(ours.lines().count(), theirs.lines().count(), "{name}: lines of what the model saw");
}

/// Times and ids of the client's answer, which differ from run to run.
const PASSING: [&str; 8] = [
    "duration_ms",
    "duration_api_ms",
    "ttft_ms",
    "ttft_stream_ms",
    "time_to_request_ms",
    "first_content_frame_ms",
    "session_id",
    "uuid",
];

fn normal_seen(world: &World, seen: &Seen) -> Seen {
    let stdout = match serde_json::from_str::<Value>(&seen.stdout) {
        Ok(mut answer) => {
            for field in PASSING {
                answer[field] = Value::Null;
            }
            answer.to_string()
        }
        Err(_) => seen.stdout.clone(),
    };
    Seen { stdout: world.anonymous(&stdout), stderr: world.anonymous(&seen.stderr), code: seen.code }
}

/// Tools that run at once end in any order: their results stand in that of their ids, whichever is marked as the last.
fn in_one_order(message: &mut Value) {
    let Some(blocks) = message["content"].as_array_mut() else { return };
    let (mut results, others): (Vec<Value>, Vec<Value>) =
        blocks.drain(..).partition(|block| block["type"] == "tool_result");
    results.sort_by_key(|result| result["tool_use_id"].to_string());
    if results.len() > 1 {
        for fields in results.iter_mut().filter_map(Value::as_object_mut) {
            fields.remove("cache_control");
        }
    }
    *blocks = results.into_iter().chain(others).collect();
}

/// Every request the model got, without what differs from run to run, in an order that does not.
fn contexts(world: &World) -> Vec<String> {
    let mut contexts: Vec<String> = world
        .api
        .bodies()
        .into_iter()
        .map(|mut body| {
            body["metadata"] = Value::Null; // ids of the device and the session
            body["messages"].as_array_mut().into_iter().flatten().for_each(in_one_order);
            world.anonymous(&serde_json::to_string_pretty(&body).expect("JSON"))
        })
        .collect();
    contexts.sort();
    contexts
}
