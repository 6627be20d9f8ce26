//! A developer who only pulls: the first session brings `cpvo-hook`, the second one its rows, at the latest.

use super::settle;
use std::fs;
use tests::World;
use tests::fake_api::say;
use tests::front::Front;
use tests::program::Seen;
use tests::wait::until;

fn silent_session(world: &World, name: &str, output: u64) {
    world.api.script(name, [say("Hello.").billed(1, output)]);
    let Seen { stderr, code, .. } = world.session(&format!("go [[{name}]]"), &[]);
    assert_eq!((stderr.as_str(), code), ("", 0));
}

/// Waits until the download has come and its temporary file is gone; says what is installed then.
fn installed(world: &World, front: &Front) -> Vec<String> {
    until("the end of the installation", || {
        let folder = fs::read_dir(world.home.join(".local/bin")).ok()?.flatten();
        let names: Vec<String> = folder.map(|file| file.file_name().to_string_lossy().into_owned()).collect();
        let done = front.met() > 0 && !names.iter().any(|name| name.starts_with('.'));
        done.then_some(names)
    })
}

#[test]
fn pulling_is_enough() {
    let (world, front) = World::bootstrapping(false);
    silent_session(&world, "first", 10);
    assert_eq!(installed(&world, &front), ["cpvo-hook"]);
    silent_session(&world, "second", 20);
    settle("bootstrap", &world);
}

#[test]
fn a_program_nobody_vouched_for_is_not_installed() {
    let (world, front) = World::bootstrapping(true);
    silent_session(&world, "first", 10);
    assert_eq!(installed(&world, &front), [""; 0]);
    silent_session(&world, "second", 20);
    assert!(!world.home.join("owned").exists());
}
