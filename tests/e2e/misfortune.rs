//! What befalls the hook's state on a developer's machine: nothing is lost at the collector, nothing counted twice.

use rustix::process::geteuid;
use serde_json::Value;
use std::fs::{self, OpenOptions, Permissions};
use std::io::{Seek, SeekFrom, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::thread;
use tests::World;
use tests::lot;
use tests::machine::Machine;
use tests::processes;
use tests::program::{Seen, command, run, run_with, through};

/// SQLite's.
const PAGE_BYTES: usize = 4096;

/// The same program with no more rights than the owner of its files: root may write where nobody may.
fn with_usual_rights(program: Command) -> Command {
    if !geteuid().is_root() {
        return program;
    }
    through(&["setpriv", "--bounding-set=-dac_override,-dac_read_search"], &program)
}

/// Takes the right to write in a folder, or gives it back.
fn writable(folder: &Path, writable: bool) {
    let all = fs::read_dir(folder)
        .expect("a folder")
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.is_file());
    for path in all.chain([folder.to_owned()]) {
        let execute = if path.is_dir() { 0o100 } else { 0 };
        let write = if writable { 0o200 } else { 0 };
        fs::set_permissions(path, Permissions::from_mode(0o400 | write | execute))
            .expect("rights of our own");
    }
}

#[test]
fn a_read_only_home_loses_nothing() {
    let world = World::equipped();
    for (name, used) in [("new", false), ("used", true)] {
        let machine = Machine::new(&world, name);
        let machine = if used { machine.used() } else { machine };
        let kept = if used { machine.folder.join("state") } else { machine.folder.clone() };
        writable(&kept, false);
        for event in ["session-start", "session-end"] {
            let mut hook = with_usual_rights(machine.hook(&[event]));
            assert_eq!(run_with(&mut hook, machine.told(0).as_bytes()), Seen::silent(), "{name}: {event}");
        }
        processes::await_end(&machine.folder);
        let seen = run(&mut with_usual_rights(machine.hook(&["sweep"])));
        assert!(seen.code == 1 && seen.stderr.contains("cannot"), "{name}: {seen:?}");
        assert_ne!(machine.stored(), machine.truth, "{name}: it could write");
        writable(&kept, true);
        machine.recovers(name);
    }
}

#[test]
fn hooks_and_sweeps_at_once_deliver_everything_once() {
    let world = World::equipped();
    let mut machine = Machine::new(&world, "busy");
    (0..6).for_each(|output| machine.begin(&[output, 31]));
    thread::scope(|scope| {
        for session in 0..machine.sessions.len() {
            let machine = &machine;
            scope.spawn(move || machine.event("session-end", session));
            scope.spawn(move || machine.event("session-start", session));
            if session % 2 == 0 {
                scope.spawn(|| run(&mut machine.hook(&["sweep"])).success());
            }
        }
    });
    processes::await_end(&machine.folder);
    assert_eq!(machine.stored(), machine.truth, "all of it without another event");
    machine.recovers("busy");
}

#[test]
fn a_lost_ledger_is_rebuilt_without_a_double_count() {
    let world = World::equipped();
    let mut machine = Machine::new(&world, "lost").used();
    fs::remove_dir_all(machine.folder.join("state")).unwrap();
    machine.recovers("lost");
    machine.respond(1, 23);
    fs::remove_file(machine.folder.join("state/ledger.db")).unwrap();
    machine.event("session-end", 1);
    machine.recovers("lost again, with its log left behind");
}

#[test]
fn a_copied_home_lowers_nothing_of_the_original() {
    let world = World::equipped();
    let mut original = Machine::new(&world, "original").used();
    original.deliver();
    let folder = world.folder().join("copy");
    run(command("cp", &world.home).args(["-a"]).args([&original.folder, &folder])).success();
    original.respond(0, 37);
    original.recovers("the original");
    // the copy goes on with the session too, less than the original did
    let path = original.sessions[0].path.strip_prefix(&original.folder).expect("a transcript of the machine");
    let lines = fs::read_to_string(folder.join(path)).expect("its copy");
    let mut line: Value = serde_json::from_str(lines.lines().last().expect("a line")).expect("JSON");
    line["message"]["id"] = "msg_of_the_copy".into();
    line["message"]["usage"]["output_tokens"] = 3.into();
    fs::write(folder.join(path), format!("{lines}{line}\n")).expect("the copy is written");
    let mut copy = Machine { world: &world, folder, sessions: Vec::new(), truth: original.truth.clone() };
    copy.begin(&[43]);
    copy.deliver();
    assert_eq!(copy.stored(), copy.truth, "the original's session is as it was, the copy's own is there");
    original.recovers("the original, after the copy");
}

#[test]
fn a_spoilt_page_of_the_ledger_is_survived() {
    let world = World::equipped();
    // pages that lie in the log hide those of the database: who is the last to close it empties it
    let settled = |machine: &Machine| {
        let path = machine.folder.join("state/ledger.db");
        run(command("sqlite3", &machine.folder).arg(&path).arg("SELECT * FROM meta")).success();
        path
    };
    let usual = Machine::new(&world, "usual").used();
    let pages = fs::read(settled(&usual)).unwrap().len() / PAGE_BYTES;
    let mut given_up = 0;
    let mut dice = lot::dice("spoilt page");
    for page in lot::draw(&mut dice, (0..pages).collect(), 8) {
        let mut machine = Machine::new(&world, &format!("page {page}")).used();
        let mut ledger = OpenOptions::new().write(true).open(settled(&machine)).unwrap();
        ledger.seek(SeekFrom::Start((page * PAGE_BYTES) as u64)).unwrap();
        ledger.write_all(&[0xa5; PAGE_BYTES]).unwrap();
        machine.respond(2, 29);
        machine.event("session-end", 2);
        machine.event("session-start", 2);
        machine.recovers(&format!("page {page} of {pages}"));
        given_up += u32::from(machine.has_given_up());
    }
    assert!(given_up > 0, "no page mattered");
}
