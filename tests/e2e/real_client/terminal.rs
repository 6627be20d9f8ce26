//! Sessions in a terminal, typed by tmux.

use super::{Claim, Played, scenario};
use tests::World;
use tests::client::stated_cost;
use tests::fake_api::{run, say};
use tests::program::Seen;
use tests::terminal::Terminal;

/// What a person reads of the conversation: prompts and answers, without the client's own decoration.
fn conversation(terminal: &Terminal) -> String {
    let lines = terminal.screen().into_iter();
    lines.filter(|line| line.starts_with("❯ ") || line.starts_with("● ")).collect::<Vec<_>>().join("\n")
}

fn leave(terminal: Terminal) -> Seen {
    let stdout = conversation(&terminal);
    terminal.enter("/exit");
    Seen { stdout, stderr: String::new(), code: terminal.finish() }
}

fn hello(world: &World) {
    world.api.script("hello", [run("echo hello").billed(1, 10), say("Hello there.").billed(2, 20)]);
}

/// What came of it, with the totals the client wrote down for each session.
fn played(world: &World, seen: Vec<Seen>) -> Played {
    let mut sessions: Vec<String> = world.api.bills().into_iter().map(|bill| bill.session).collect();
    sessions.dedup();
    let claims = sessions.into_iter().map(|session| {
        let transcript = world.transcript(&session).expect("the session's transcript");
        Claim { nanousd: stated_cost(&transcript), sessions: vec![session] }
    });
    Played { seen, claims: claims.collect(), cut: (0, 0) }
}

#[test]
fn exit() {
    scenario("/exit", |world| {
        hello(world);
        let terminal = world.terminal();
        terminal.enter("go [[hello]]");
        terminal.await_text("● Hello there.");
        played(world, vec![leave(terminal)])
    });
}

#[test]
fn clear_then_exit() {
    scenario("/clear, /exit", |world| {
        hello(world);
        world.api.script("again", [say("Hello again.").billed(3, 30)]);
        let terminal = world.terminal();
        terminal.enter("go [[hello]]");
        terminal.await_text("● Hello there.");
        terminal.enter("/clear");
        terminal.enter("go [[again]]");
        terminal.await_text("● Hello again.");
        let played = played(world, vec![leave(terminal)]);
        assert_eq!(played.claims.len(), 2, "/clear begins a new session");
        played
    });
}

#[test]
fn closed_window() {
    scenario("window closed", |world| {
        hello(world);
        let terminal = world.terminal();
        terminal.enter("go [[hello]]");
        terminal.await_text("● Hello there.");
        terminal.close();
        Played::default()
    });
}

#[test]
fn interrupted_answer() {
    scenario("interrupted, /exit", |world| {
        world.api.script("long", [say("And another thing.").billed(1, 500).interrupted()]);
        let terminal = world.terminal();
        terminal.enter("go [[long]]");
        terminal.await_text("● And another thing.");
        terminal.press("Escape");
        terminal.await_text("Interrupted");
        // the client guesses what was generated until then; the transcript does not
        Played { seen: vec![leave(terminal)], claims: Vec::new(), cut: (0, 1) }
    });
}

#[test]
fn compaction() {
    scenario("/compact, /exit", |world| {
        hello(world);
        let summary = say("<summary>They said hello.</summary>").billed(3, 30);
        world.api.script("summary", [summary.for_the_client()]);
        let terminal = world.terminal();
        terminal.enter("go [[hello]]");
        terminal.await_text("● Hello there.");
        terminal.enter("/compact [[summary]]");
        terminal.await_text("Compacted");
        played(world, vec![leave(terminal)])
    });
}
