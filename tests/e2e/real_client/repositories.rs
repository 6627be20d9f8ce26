//! Sessions that change branch, work tree or repository.

use super::{Played, scenario};
use tests::fake_api::{run, say};

#[test]
fn branch_switch() {
    scenario("branch switch", |world| {
        world.api.script("main", [say("On main.").billed(1, 10)]);
        world.api.script(
            "feature",
            [
                run("true").billed(2, 20).on("feature/PAY-42"),
                say("On it.").billed(3, 30).on("feature/PAY-42"),
            ],
        );
        let mut played = Played::default();
        let session = played.ended(world.session("go [[main]]", &[]), &[]);
        played.claims.clear();
        world.repo.git(&["switch", "--quiet", "--create", "feature/PAY-42"]);
        played.ended(world.session("go [[feature]]", &["--resume", &session]), &[]);
        played
    });
}

#[test]
fn worktree() {
    scenario("worktree", |world| {
        world.api.script(
            "script",
            [run("true").billed(1, 10).on("feature/tree"), say("Done.").billed(2, 20).on("feature/tree")],
        );
        let tree = world.repo.worktree("pay-tree", "feature/tree");
        let mut played = Played::default();
        played.ended(world.start_in(&tree.path, "go [[script]]", &[]).finish(), &[]);
        played
    });
}

#[test]
fn worktree_of_the_client() {
    scenario("client's worktree", |world| {
        world.api.script("script", [say("Done.").billed(1, 10).on("worktree-tree")]);
        let mut played = Played::default();
        played.ended(world.session("go [[script]]", &["--worktree", "tree"]), &[]);
        played
    });
}

#[test]
fn two_repositories_in_one_session() {
    scenario("two repositories", |world| {
        let search = world.another_repo("search");
        let (here, there) = (world.repo.path.display().to_string(), search.path.display().to_string());
        let other = |step: tests::fake_api::Step| step.in_repo("github.com/acme/search").on("");
        world.api.script(
            "script",
            [
                run(&format!("cd {there} && pwd")).billed(1, 10),
                other(run(&format!("cd {here} && pwd"))).billed(2, 20),
                say("Back home.").billed(3, 30),
            ],
        );
        world.api.script("own", [say("In search.").billed(4, 40).in_repo("github.com/acme/search")]);
        let mut played = Played::default();
        played.ended(world.session("go [[script]]", &["--add-dir", &there]), &[]);
        // a session of each repository sweeps: neither may take the other's rows away
        played.ended(world.start_in(&search.path, "go [[own]]", &[]).finish(), &[]);
        if world.collector.is_some() {
            world.hook(&search.path, &["sweep"]).success();
            world.hook(&world.repo.path, &["sweep"]).success();
        }
        played
    });
}

#[test]
fn resumed_from_another_folder() {
    scenario("resumed elsewhere", |world| {
        let search = world.another_repo("search");
        world.api.script("here", [say("In pay.").billed(1, 10)]);
        world.api.script("there", [say("In search.").billed(2, 20).in_repo("github.com/acme/search").on("")]);
        let mut played = Played::default();
        let session = played.ended(world.session("go [[here]]", &[]), &[]);
        played.claims.clear();
        played.ended(world.start_in(&search.path, "go [[there]]", &["--resume", &session]).finish(), &[]);
        played
    });
}
