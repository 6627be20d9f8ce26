//! Sessions of one prompt: the ways spend comes about.

use super::{Played, scenario};
use meter::Tokens;
use tests::World;
use tests::fake_api::{Block, Step, bash, delegate, read, run, say};

fn one_prompt(world: &World, args: &[&str]) -> Played {
    let mut played = Played::default();
    played.ended(world.session("go [[script]]", args), &[]);
    played
}

#[test]
fn plain() {
    scenario("plain", |world| {
        world.api.script("script", [say("Hello.").billed(12, 34)]);
        one_prompt(world, &[])
    });
}

#[test]
fn several_tools() {
    scenario("several tools", |world| {
        let readme = world.repo.path.join("README.md").display().to_string();
        let blocks = vec![
            Block::Thinking("Two tools will do.".to_owned()),
            Block::Text("I run two tools.".to_owned()),
            bash("echo one"),
            read(&readme),
        ];
        world.api.script(
            "script",
            [Step::of(blocks).billed(21, 222), run("exit 3").billed(5, 40), say("All done.").billed(6, 33)],
        );
        one_prompt(world, &[])
    });
}

#[test]
fn subagent() {
    scenario("subagent", |world| {
        world.api.script(
            "script",
            [delegate("do it [[inner]]").billed(10, 100), say("It is done.").billed(11, 44)],
        );
        world.api.script("inner", [run("echo inside").billed(17, 71), say("Did it.").billed(18, 72)]);
        one_prompt(world, &[])
    });
}

#[test]
fn overloaded_api() {
    scenario("overloaded api", |world| {
        world.api.script("script", [say("Got through.").billed(7, 61).after_overloads(2)]);
        // a refused request looks like one whose answer was lost
        Played { cut: (2, 0), ..one_prompt(world, &[]) }
    });
}

#[test]
fn every_price() {
    scenario("every price", |world| {
        let usual =
            Tokens { input: 1000, output: 200, cache_read: 300, cache_write_5m: 40, ..Tokens::default() };
        world.api.script(
            "script",
            [
                run("true").billed_all(usual).fast(),
                run("true").billed_all(usual).in_us(),
                run("true").billed_all(Tokens { web_search: 3, cache_write_1h: 50, ..usual }),
                say("Done.").billed_all(Tokens { cache_read: 150_000, ..usual }),
            ],
        );
        one_prompt(world, &[])
    });
}

#[test]
fn long_prompt() {
    scenario("long prompt", |world| {
        let share = |cache_read| Tokens { input: 10, output: 100, cache_read, ..Tokens::default() };
        world.api.script(
            "script",
            [
                run("true").billed_all(share(99_990)),
                run("true").billed_all(share(99_991)),
                say("Done.").iterated(vec![share(99_990), share(120_000)]),
            ],
        );
        one_prompt(world, &["--model", "claude-haiku-5-5"])
    });
}

#[test]
fn resume() {
    scenario("resume", |world| {
        world.api.script("first", [say("Hello.").billed(1, 10)]);
        world.api.script("second", [run("true").billed(2, 20), say("Hello again.").billed(3, 30)]);
        let mut played = Played::default();
        let session = played.ended(world.session("go [[first]]", &[]), &[]);
        let resumed = played.ended(world.session("go [[second]]", &["--resume", &session]), &[]);
        assert_eq!(resumed, session);
        // the first total was true when it was said
        played.claims.remove(0);
        played
    });
}

#[test]
fn fork() {
    scenario("fork", |world| {
        world.api.script("first", [run("true").billed(1, 10), say("Hello.").billed(2, 20)]);
        world.api.script("second", [say("Another way.").billed(3, 30)]);
        let mut played = Played::default();
        let parent = played.ended(world.session("go [[first]]", &[]), &[]);
        // the client counts a fork on from its parent's total
        let fork = played
            .ended(world.session("go [[second]]", &["--resume", &parent, "--fork-session"]), &[&parent]);
        assert_ne!(fork, parent);
        played
    });
}

#[test]
fn two_at_once() {
    scenario("two at once", |world| {
        world.api.script("one", [run("true").billed(1, 10), say("One.").billed(2, 20)]);
        world.api.script("two", [run("true").billed(3, 30), say("Two.").billed(4, 40)]);
        let mut played = Played::default();
        let (one, two) = (world.start("go [[one]]", &[]), world.start("go [[two]]", &[]));
        played.ended(one.finish(), &[]);
        played.ended(two.finish(), &[]);
        played
    });
}
