//! The process a hook leaves behind: alone, giving way, holding nothing of the client's.

use std::fs::File;
use std::path::{Path, PathBuf};
use tests::World;
use tests::front::Weather;
use tests::machine::Machine;
use tests::processes::{self, NICE, PARENT, Process, SESSION, TERMINAL};
use tests::wait::until;

#[test]
fn a_worker_keeps_nothing_of_the_client_s() {
    let (world, front) = World::behind_a_front();
    for event in ["session-end", "session-start"] {
        front.turn(Weather::Silent);
        let machine = Machine::new(&world, event);
        machine.event(event, 0);
        until("a delivery that waits for an answer", || (front.waiting() > 0).then_some(()));
        let workers = processes::of(&machine.folder);
        let [worker] = workers.as_slice() else { panic!("{event}: {workers:?}") };

        let (own, is) = (Process::own(), |field| worker.stat(field).expect("a living worker"));
        assert_eq!(is(TERMINAL), "0", "{event}: no terminal");
        let number = |text: Option<String>| text.and_then(|text| text.parse::<i32>().ok()).expect("a number");
        let yielding = (number(own.stat(NICE)) + 10).min(19);
        assert_eq!(number(worker.stat(NICE)), yielding, "{event}: gives way");
        assert_ne!(Some(is(SESSION)), own.stat(SESSION), "{event}: it left the client's session");
        assert_ne!(is(PARENT), own.pid.to_string(), "{event}: it is nobody's child");
        assert_eq!(processes::children(worker), [], "{event}: it has waited for whom it started");

        assert_eq!(worker.folder(), Path::new("/"), "{event}");
        let (standard, more): (Vec<_>, Vec<_>) = worker.open().into_iter().partition(|(fd, _)| *fd < 3);
        assert!(standard.iter().all(|(_, path)| path == Path::new("/dev/null")), "{event}: {standard:?}");
        let state = machine.folder.join("state");
        // what this process was started with is nobody's doing
        let given = own.open();
        let foreign = |held: &(u32, PathBuf)| !held.1.starts_with(&state) && !given.contains(held);
        let foreign: Vec<_> = more.into_iter().filter(foreign).collect();
        let [(_, line)] = foreign.as_slice() else {
            panic!("{event}: more than its connection: {foreign:?}")
        };
        assert!(line.to_string_lossy().starts_with("socket:"), "{event}: {line:?}");

        front.turn(Weather::Fair);
        processes::await_end(&machine.folder);
    }
}

#[test]
fn while_one_delivers_others_wait_for_it() {
    let (world, front) = World::behind_a_front();
    front.turn(Weather::Silent);
    let mut machine = Machine::new(&world, "machine");
    machine.event("session-start", 0);
    until("a delivery that waits for an answer", || (front.waiting() > 0).then_some(()));
    machine.begin(&[3]);
    machine.event("session-end", 2);
    machine.event("session-start", 2);
    let lock = machine.folder.join("state/deliver.lock");
    until("the others to wait", || {
        let hooks = processes::of(&machine.folder).into_iter().filter(|process| process.runs("cpvo-hook"));
        let at_lock = hooks.filter(|hook| hook.open().iter().any(|(_, path)| *path == lock));
        (at_lock.count() == 3).then_some(())
    });
    assert_eq!(front.met(), 1);
    front.turn(Weather::Fair);
    processes::await_end(&machine.folder);
    assert_eq!(machine.stored(), machine.truth);
}

#[test]
fn while_one_sweeps_no_other_does() {
    let world = World::equipped();
    let machine = Machine::new(&world, "machine").used();
    let sweep = File::open(machine.folder.join("state/sweep.lock")).unwrap();
    sweep.lock().unwrap();
    machine.event("session-start", 0);
    processes::await_end(&machine.folder);
    machine.deliver();
    assert_ne!(machine.stored(), machine.truth, "another one swept");
    drop(sweep);
    machine.recovers("the first has ended");
}
