//! A laptop's clock that jumps by a day, a week or a year: what was sent by a wrong time stands, and what could not be
//! sent by it is delivered once the clock is right again.

use std::fs;
use tests::World;
use tests::clock;
use tests::machine::Machine;
use tests::processes;
use tests::program::{Seen, run, run_with};

/// Days a clock is ahead, or behind.
const JUMPS: [i64; 6] = [1, -1, 7, -7, 365, -365];

/// A session's end and a sweep by a clock that is wrong by so many days.
#[track_caller]
fn used_by_clock(machine: &Machine, days: i64) {
    let mut hook = machine.hook(&["session-end"]);
    let seen = run_with(clock::set(&mut hook, days), machine.told(0).as_bytes());
    assert_eq!(seen, Seen::silent(), "{days} days");
    processes::await_end(&machine.folder);
    run(clock::set(&mut machine.hook(&["sweep"]), days)).success();
}

fn lose_ledger(machine: &Machine) {
    fs::remove_dir_all(machine.folder.join("state")).expect("the hook's state");
}

#[test]
fn a_ledger_delivers_through_every_jump() {
    let world = World::equipped();
    let mut machine = Machine::new(&world, "machine").used();
    for days in JUMPS {
        machine.respond(0, 23);
        used_by_clock(&machine, days);
        assert_eq!(machine.stored(), machine.truth, "{days} days");
        machine.respond(1, 29);
        machine.recovers(&format!("{days} days, and back"));
    }
}

#[test]
fn a_ledger_begun_by_a_wrong_clock_delivers_by_a_right_one() {
    let world = World::equipped();
    for days in JUMPS {
        let machine = Machine::new(&world, &format!("new, {days}"));
        used_by_clock(&machine, days);
        machine.recovers(&format!("begun {days} days from now"));
    }
}

#[test]
fn a_ledger_lost_while_the_clock_is_wrong_doubles_nothing() {
    let world = World::equipped();
    for days in JUMPS {
        let mut machine = Machine::new(&world, &format!("used, {days}")).used();
        machine.deliver();
        lose_ledger(&machine);
        machine.respond(0, 23);
        used_by_clock(&machine, days);
        machine.respond(1, 29);
        machine.recovers(&format!("lost {days} days from now"));
        lose_ledger(&machine);
        machine.respond(2, 31);
        machine.recovers(&format!("lost {days} days from now, and again"));
    }
}
