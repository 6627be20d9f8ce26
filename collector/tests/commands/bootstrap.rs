//! The script that `--bootstrap` ships, against a real collector: what it installs, and what it refuses.

use super::{Collector, succeeds};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Output};
use tempfile::TempDir;
use tests::wait::until;

/// A program that says what `cpvo-hook --version` would.
const PROGRAM: &str = "#!/bin/sh\necho cpvo-hook 0.1.0\n";

/// A repository whose developers get the hook from `collector`.
struct Repository {
    folder: TempDir,
    home: TempDir,
    url: String,
}

impl Repository {
    fn new(collector: &Collector, more: &[&str]) -> Self {
        let (folder, home) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let path = folder.path().to_str().unwrap();
        let url = collector.url();
        let flags = ["hooks-config", "--repo", path, "--url", &url, "--token", "t.t.t", "--bootstrap"];
        succeeds(&collector.folder(), &[&flags, more].concat());
        Self { folder, home, url }
    }

    fn script(&self) -> PathBuf {
        self.folder.path().join(".claude/cpvo-bootstrap.sh")
    }

    fn installed(&self) -> PathBuf {
        self.home.path().join(".local/bin/cpvo-hook")
    }

    /// Starts a session as the client does: by the line in the settings.
    fn session(&self, environment: &[(&str, &str)]) -> Output {
        let settings = fs::read_to_string(self.folder.path().join(".claude/settings.json")).unwrap();
        let settings: serde_json::Value = serde_json::from_str(&settings).unwrap();
        let line = settings["hooks"]["SessionStart"][1]["hooks"][0]["command"].as_str().unwrap();
        let mut shell = Command::new("sh");
        shell.args(["-c", line]).current_dir(self.folder.path()).env_clear();
        shell.env("HOME", self.home.path()).env("PATH", "/usr/bin:/bin").env("CPVO_URL", &self.url);
        shell.env("CLAUDE_PROJECT_DIR", self.folder.path()).envs(environment.iter().copied());
        shell.output().unwrap()
    }

    /// Runs the script to its end, as the session's own child never is.
    fn run(&self, environment: &[(&str, &str)]) {
        let script = fs::read_to_string(self.script()).unwrap();
        let foreground = script.replace("(install &)", "(install)");
        assert_ne!(foreground, script);
        fs::write(self.script(), foreground).unwrap();
        let output = self.session(environment);
        fs::write(self.script(), script).unwrap();
        silent(&output);
    }

    #[track_caller]
    fn nothing_installed(&self) {
        let left = fs::read_dir(self.home.path().join(".local/bin")).map_or(0, Iterator::count);
        assert_eq!(left, 0, "something was left in ~/.local/bin");
    }
}

#[track_caller]
fn silent(Output { status, stdout, stderr }: &Output) {
    assert_eq!((status.code(), &**stdout, &**stderr), (Some(0), &b""[..], &b""[..]));
}

fn target() -> &'static str {
    if cfg!(target_arch = "aarch64") { "aarch64-unknown-linux-gnu" } else { "x86_64-unknown-linux-gnu" }
}

fn offer(collector: &Collector, program: &str) {
    let folder = collector.folder().join("hooks").join(target());
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("cpvo-hook"), program).unwrap();
}

#[test]
fn the_pinned_program_is_installed_behind_the_session() {
    let collector = Collector::start();
    offer(&collector, PROGRAM);
    let repository = Repository::new(&collector, &[]);
    silent(&repository.session(&[]));
    until("the program to be installed", || repository.installed().exists().then_some(()));
    assert_eq!(fs::read_to_string(repository.installed()).unwrap(), PROGRAM);
    assert_eq!(fs::metadata(repository.installed()).unwrap().permissions().mode() & 0o777, 0o755);
    offer(&collector, "another");
    repository.run(&[]);
    assert_eq!(fs::read_to_string(repository.installed()).unwrap(), PROGRAM, "what is there was replaced");
}

#[test]
fn another_program_than_the_pinned_one_is_thrown_away() {
    let collector = Collector::start();
    offer(&collector, PROGRAM);
    let repository = Repository::new(&collector, &[]);
    offer(&collector, &format!("{PROGRAM}# changed\n"));
    repository.run(&[]);
    repository.nothing_installed();
    offer(&collector, PROGRAM);
    repository.run(&[]);
    assert!(repository.installed().exists(), "the test would not have seen an installation");
}

#[test]
fn a_program_that_does_not_run_here_is_thrown_away() {
    let collector = Collector::start();
    offer(&collector, "#!/nowhere\n");
    let repository = Repository::new(&collector, &[]);
    repository.run(&[]);
    repository.nothing_installed();
}

#[test]
fn guests_the_switched_off_and_open_networks_get_nothing() {
    let collector = Collector::start();
    offer(&collector, PROGRAM);
    let repository = Repository::new(&collector, &["--developers", "@acme.example"]);
    let own = collector.url();
    let ana = ("CPVO_DEVELOPER", "Ana@acme.example");
    let only = ("CPVO_DEVELOPERS", "bob@acme.example, @acme.example");
    let port = own.rsplit(':').next().unwrap();
    let named = format!("http://user@127.0.0.1:{port}");
    let outside = format!("http://127.0.0.1.nip.example:{port}");
    for environment in [
        &[only, ("CPVO_DEVELOPER", "eve@else.example")][..],
        &[only, ("CPVO_DEVELOPER", "eve@sub.acme.example")],
        &[only, ("CPVO_DEVELOPER", "")],
        &[("CPVO_DEVELOPERS", "@acme.example,"), ("CPVO_DEVELOPER", "")],
        &[ana, ("CPVO_DISABLE", "1")],
        &[ana, ("CPVO_URL", "http://0.0.0.0:1")],
        &[ana, ("CPVO_URL", "ftp://127.0.0.1:1")],
        &[ana, ("CPVO_URL", &named)],
        &[ana, ("CPVO_URL", &outside)],
        &[ana, ("CPVO_URL", "")],
        &[ana, ("HOME", "")],
    ] {
        repository.run(environment);
        repository.nothing_installed();
    }
    repository.run(&[only, ana]);
    assert!(repository.installed().exists(), "ana is one of them");
}

#[test]
fn the_script_is_silent_where_programs_are_missing() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../hooks-config/cpvo-bootstrap.sh");
    let mut shell = Command::new("/bin/sh");
    silent(&shell.arg(script).env_clear().env("HOME", "/nowhere").env("PATH", "/nowhere").output().unwrap());
}

#[test]
fn without_the_collector_the_session_starts_all_the_same() {
    let mut collector = Collector::start();
    offer(&collector, PROGRAM);
    let repository = Repository::new(&collector, &[]);
    collector.stop();
    repository.run(&[]);
    repository.nothing_installed();
    fs::remove_file(repository.script()).unwrap();
    silent(&repository.session(&[]));
}

#[test]
fn the_script_is_kept_by_a_later_run_and_goes_with_the_rest() {
    let collector = Collector::start();
    offer(&collector, PROGRAM);
    let repository = Repository::new(&collector, &[]);
    let path = repository.folder.path().to_str().unwrap();
    let script = fs::read_to_string(repository.script()).unwrap();
    let moved = ["hooks-config", "--repo", path, "--url", "https://cpvo.acme.example", "--token", "t.t.t"];
    succeeds(&collector.folder(), &moved);
    assert_eq!(fs::read_to_string(repository.script()).unwrap(), script);
    succeeds(&collector.folder(), &["hooks-config", "--repo", path, "--remove"]);
    assert!(!repository.folder.path().join(".claude").exists());
}
