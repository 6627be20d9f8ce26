//! What the hooks cost the start of the real client: the same prompt in a world with them and in one without, in turns.
//!
//! `bench_client [RUNS]` needs the programs beside it, and the client where `scripts/real-client --install` puts it.

use jiff::Timestamp;
use tests::wait::until;
use tests::{World, processes};

const RUNS: usize = 30;

fn main() {
    let runs = std::env::args().nth(1).map_or(RUNS, |runs| runs.parse().expect("a number of runs"));
    let worlds = [World::bare(), World::equipped()];
    let mut times = [const { Vec::new() }; 2];
    // the first start in a new home does more than others
    for world in &worlds {
        session(world);
    }
    for run in 0..runs {
        // neither always comes first
        for which in [run % 2, 1 - run % 2] {
            times[which].push(session(&worlds[which]));
        }
    }
    say(&format!("claude -p, {runs} runs with and without the hooks in turns; milliseconds"));
    say("                               median   quartiles        min      max");
    for (part, of) in [("until its first request", 0), ("until it has ended", 1)] {
        let mut medians = Vec::new();
        for (name, times) in ["without", "with"].iter().zip(&times) {
            let mut times: Vec<i128> = times.iter().map(|both: &[i128; 2]| both[of]).collect();
            times.sort_unstable();
            let at = |quarter: usize| times[(times.len() - 1) * quarter / 4];
            let (median, low, high, least, most) = (at(2), at(1), at(3), at(0), at(4));
            say(&format!("{part:<23} {name:<7} {median:>5} {low:>6}-{high:<6} {least:>6} {most:>8}"));
            medians.push(median);
        }
        say(&format!("{part:<23} the hooks add {:+}", medians[1] - medians[0]));
    }
}

/// Milliseconds of one session until the client asked the model, and until it ended.
fn session(world: &World) -> [i128; 2] {
    let billed = world.api.bills().len();
    let start = now();
    let seen = world.session("say hello", &[]);
    let ended = now();
    let asked = world.api.bills().get(billed).expect("a request for the prompt").at;
    let since = |at: Timestamp| at.duration_since(start).as_millis();
    assert_eq!(seen.code, 0, "{seen:?}");
    // what the hooks leave behind is not measured with the next session
    until("the hooks' own processes to end", || {
        let left = processes::of(world.folder());
        (!left.iter().any(|process| process.runs("cpvo-hook"))).then_some(())
    });
    [since(asked), since(ended)]
}

#[expect(clippy::disallowed_methods, reason = "the fake API bills by this clock")]
fn now() -> Timestamp {
    Timestamp::now()
}

#[expect(clippy::print_stdout, reason = "a bench prints")]
fn say(line: &str) {
    println!("{line}");
}
