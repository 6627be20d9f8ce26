//! The commands of `cpvo` as an admin types them: the real program, real files, real shells.

mod hooks_config;

use std::path::Path;
use std::process::{Command, Output};

/// `cpvo` in `folder`, with no home and no settings but those of the test.
fn cpvo(folder: &Path, args: &[&str]) -> Output {
    let program = env!("CARGO_BIN_EXE_cpvo");
    let output =
        Command::new(program).args(args).current_dir(folder).env_clear().env("HOME", folder).output();
    output.expect("cpvo starts")
}

#[track_caller]
fn succeeds(folder: &Path, args: &[&str]) -> String {
    let output = cpvo(folder, args);
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("stdout is UTF-8")
}

/// What the one line on stderr says.
#[track_caller]
fn fails(folder: &Path, args: &[&str]) -> String {
    let output = cpvo(folder, args);
    assert!(!output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8(output.stderr).expect("stderr is UTF-8")
}
