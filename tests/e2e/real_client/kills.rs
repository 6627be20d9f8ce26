//! Sessions killed at moments nobody chose: what the client had written by then is stored after the next start.

use serde_json::Value;
use std::collections::BTreeMap;
use std::iter;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};
use tests::World;
use tests::fake_api::{run, say};
use tests::lot;
use tests::wait::{attempt, moment};

/// Sessions of a usual run; `scripts/test --full` kills 500.
const FEW: u64 = 6;
/// How many sessions end between two lines that say so.
const PACE: usize = 50;

/// Output tokens by response, as far as the client has written them.
type Responses = BTreeMap<String, u64>;

/// What a transcript says was billed; `None` where it holds no line that was ever dated.
fn written(transcript: &str) -> Option<Responses> {
    let lines = || transcript.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines().find(|line| line["timestamp"].is_string())?;
    let mut responses = Responses::new();
    for line in
        lines().filter(|line| line["type"] == "assistant" && line["message"]["model"] != "<synthetic>")
    {
        let message = &line["message"];
        let output = message["usage"]["output_tokens"].as_u64().unwrap_or_default();
        let known = responses.entry(message["id"].as_str().unwrap_or_default().to_owned()).or_default();
        *known = output.max(*known);
    }
    Some(responses)
}

/// Requests and output tokens of each session the collector knows.
fn stored(world: &World) -> BTreeMap<String, (u64, u64)> {
    let rows = world.collector().sql(
        "SELECT session.session_id AS id, COALESCE(SUM(usage.requests), 0) AS requests,
             COALESCE(SUM(usage.output), 0) AS output
         FROM session LEFT JOIN usage USING (session_id, repo, week) GROUP BY session.session_id",
    );
    let number = |row: &Value, name: &str| row[name].as_u64().expect("a count");
    let session = |row: &Value| row["id"].as_str().expect("a session").to_owned();
    rows.iter().map(|row| (session(row), (number(row, "requests"), number(row, "output")))).collect()
}

/// Starts sessions two at a time and kills each at some moment of the time a whole one takes.
#[expect(clippy::print_stdout, reason = "how far it is, for scripts/test --full")]
fn kill(world: &World, deeds: Vec<(String, Duration)>) {
    let deeds = Mutex::new(deeds);
    let next = || {
        let mut deeds = deeds.lock().expect("nobody panics with it");
        if deeds.len().is_multiple_of(PACE) {
            println!("killed sessions: {} to go", deeds.len());
        }
        deeds.pop()
    };
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                for (session, length) in iter::from_fn(next) {
                    let client = world.start("go [[work]]", &["--session-id", &session]);
                    moment(length);
                    // kills it, if it has not ended
                    drop(client);
                }
            });
        }
    });
}

#[test]
fn killed_at_any_moment() {
    let world = World::equipped();
    world.api.script(
        "work",
        [run("true").billed(1, 10), run("echo more").billed(2, 20), say("Done.").billed(3, 30)],
    );
    let begun = Instant::now();
    assert_eq!(world.session("go [[work]]", &[]).code, 0);
    let whole = begun.elapsed();
    let mut dice = lot::dice("killed sessions");
    let count = lot::number("CPVO_TEST_KILLS").unwrap_or(FEW);
    let deeds: Vec<_> = (0..count)
        .map(|index| {
            let id = dice.hex(30);
            let id = format!("{}-{}-4{}-8{}-{}", &id[..8], &id[8..12], &id[12..15], &id[15..18], &id[18..]);
            let permille = u32::try_from(dice.roll(1100)).unwrap_or(0);
            // one at least is given all its time
            (id, if index == 0 { whole * 2 } else { whole * permille / 1000 })
        })
        .collect();
    let sessions: Vec<String> = deeds.iter().map(|(session, _)| session.clone()).collect();
    kill(&world, deeds);

    // the next start
    assert_eq!(world.session("go", &[]).code, 0);
    let texts: Vec<Option<Responses>> =
        sessions.iter().map(|session| world.transcript(session).and_then(|text| written(&text))).collect();
    let truth: BTreeMap<String, (u64, u64)> = iter::zip(&sessions, &texts)
        .filter_map(|(session, responses)| {
            let responses = responses.as_ref()?;
            Some((session.clone(), (responses.len() as u64, responses.values().sum())))
        })
        .collect();
    let found = || -> BTreeMap<_, _> {
        stored(&world).into_iter().filter(|(session, _)| sessions.contains(session)).collect()
    };
    let equal = attempt(|| (found() == truth).then_some(()));
    assert!(equal.is_some(), "written {truth:#?}\nstored {:#?}\n{}", found(), world.diagnosis());
    world.hook(&world.repo.path, &["sweep"]).success();
    assert_eq!(found(), truth, "after one more sweep");

    let bills = world
        .api
        .bills()
        .into_iter()
        .filter(|bill| bill.complete && sessions.contains(&bill.session))
        .count();
    let kept: usize = texts.iter().flatten().map(BTreeMap::len).sum();
    assert!(bills > 0, "no session came as far as an answer");
    println!(
        "killed sessions: {count} started, {} stored, {} of which the client had written nothing; \
         {bills} responses billed, {kept} stored, the others never written by the client; 0 lost, 0 doubled",
        truth.len(),
        sessions.len() - truth.len(),
    );
}
