//! Clocks that are wrong: programs of the world told another time than the machine's.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// Has the program and all it starts believe that it is so many hours later.
#[track_caller]
pub fn set(program: &mut Command, hours: i64) -> &mut Command {
    program.env("LD_PRELOAD", library()).env("FAKETIME", format!("{hours:+}h")).env("NO_FAKE_STAT", "1")
}

/// libfaketime, in the folder of whatever platform this is.
#[track_caller]
fn library() -> PathBuf {
    let platforms = fs::read_dir("/usr/lib").expect("libraries").flatten().map(|entry| entry.path());
    let mut libraries = platforms.map(|platform| platform.join("faketime/libfaketime.so.1"));
    libraries.find(|library| library.exists()).expect("libfaketime: run scripts/needs, which installs it")
}
