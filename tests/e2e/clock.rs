//! A laptop's clock that jumps by half a day, a week or a year: what was sent by a wrong time stands, and what could not be
//! sent by it is delivered once the clock is right again.

use std::fs;
use tests::World;
use tests::clock;
use tests::machine::Machine;
use tests::processes;
use tests::program::{Seen, run, run_with};

/// Hours a clock is ahead, or behind: not a day to the second, which is as far ahead as a ledger may be born.
const JUMPS: [i64; 6] = [12, -12, 7 * 24, -7 * 24, 365 * 24, -365 * 24];

/// A session's end and a sweep by a clock that is wrong by so many hours.
#[track_caller]
fn used_by_clock(machine: &Machine, hours: i64) {
    let mut hook = machine.hook(&["session-end"]);
    let seen = run_with(clock::set(&mut hook, hours), machine.told(0).as_bytes());
    assert_eq!(seen, Seen::silent(), "{hours} hours");
    processes::await_end(&machine.folder);
    run(clock::set(&mut machine.hook(&["sweep"]), hours)).success();
}

fn lose_ledger(machine: &Machine) {
    fs::remove_dir_all(machine.folder.join("state")).expect("the hook's state");
}

#[test]
fn a_ledger_delivers_through_every_jump() {
    let world = World::equipped();
    let mut machine = Machine::new(&world, "machine").used();
    for hours in JUMPS {
        machine.respond(0, 23);
        used_by_clock(&machine, hours);
        assert_eq!(machine.stored(), machine.truth, "{hours} hours");
        machine.respond(1, 29);
        machine.recovers(&format!("{hours} hours, and back"));
    }
}

#[test]
fn a_ledger_begun_by_a_wrong_clock_delivers_by_a_right_one() {
    let world = World::equipped();
    for hours in JUMPS {
        let machine = Machine::new(&world, &format!("new, {hours}"));
        used_by_clock(&machine, hours);
        machine.recovers(&format!("begun {hours} hours from now"));
    }
}

#[test]
fn a_ledger_lost_while_the_clock_is_wrong_doubles_nothing() {
    let world = World::equipped();
    for hours in JUMPS {
        let mut machine = Machine::new(&world, &format!("used, {hours}")).used();
        machine.deliver();
        lose_ledger(&machine);
        machine.respond(0, 23);
        used_by_clock(&machine, hours);
        machine.respond(1, 29);
        machine.recovers(&format!("lost {hours} hours from now"));
        lose_ledger(&machine);
        machine.respond(2, 31);
        machine.recovers(&format!("lost {hours} hours from now, and again"));
    }
}
