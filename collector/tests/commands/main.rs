//! The commands of `cpvo` as an admin types them: the real program, real files, real shells.

#![expect(clippy::unwrap_used, reason = "clippy knows only test functions, not what they call")]

mod bootstrap;
mod demo;
mod detection;
mod github;
mod hooks_config;
mod outcomes;
mod parts;
mod questions;
mod weekly;

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use tempfile::TempDir;

/// `cpvo` in `folder`, with no home and no settings but those of the test.
fn cpvo(folder: &Path, args: &[&str]) -> Output {
    command(folder, args).output().expect("cpvo starts")
}

fn command(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cpvo"));
    command.args(args).current_dir(folder).env_clear().env("HOME", folder);
    command
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

/// A collector of its own, as `cpvo init` sets it up, on a port the system chose.
struct Collector {
    folder: TempDir,
    server: Child,
    url: String,
}

impl Collector {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        succeeds(folder.path(), &["init"]);
        let mut server = Command::new(env!("CARGO_BIN_EXE_cpvo"))
            .args(["serve", "--listen", "127.0.0.1:0"])
            .current_dir(folder.path())
            .env_clear()
            .env("HOME", folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(server.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let url =
            line.trim().strip_prefix("listening on ").expect("the server says where it listens").to_owned();
        Self { folder, server, url }
    }

    fn folder(&self) -> PathBuf {
        self.folder.path().to_owned()
    }

    fn url(&self) -> String {
        self.url.clone()
    }

    fn stop(&mut self) {
        self.server.kill().unwrap();
        self.server.wait().unwrap();
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// The whole answer, headers first.
fn get(url: &str, path: &str, more: &[&str]) -> String {
    let output = Command::new("curl").args(["-s", "-i"]).args(more).arg(format!("{url}{path}")).output();
    String::from_utf8(output.expect("curl; on Debian: apt-get install curl").stdout).unwrap()
}
