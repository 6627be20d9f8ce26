//! Sessions in a terminal, typed by tmux.

use super::{Played, scenario};
use tests::World;
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

#[test]
fn exit() {
    scenario("/exit", |world| {
        hello(world);
        let terminal = world.terminal();
        terminal.enter("go [[hello]]");
        terminal.await_text("● Hello there.");
        Played { seen: vec![leave(terminal)], claims: Vec::new() }
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
        let seen = vec![leave(terminal)];
        let mut sessions: Vec<String> = world.api.bills().into_iter().map(|bill| bill.session).collect();
        sessions.dedup();
        assert_eq!(sessions.len(), 2, "/clear begins a new session");
        Played { seen, claims: Vec::new() }
    });
}
