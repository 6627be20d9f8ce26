//! The real programs: where they are, the clean environment they run in, and how they are ended.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Write;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

/// Where Debian keeps the programs a session calls.
const SYSTEM_PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// A binary of this workspace, built beside the running one; tests lie one folder deeper.
#[track_caller]
pub fn binary(name: &str) -> PathBuf {
    let mut folder = std::env::current_exe().expect("the path of the running program");
    folder.pop();
    if folder.ends_with("deps") {
        folder.pop();
    }
    let binary = folder.join(name);
    assert!(binary.exists(), "{} is missing: run `cargo build --workspace` first", binary.display());
    binary
}

/// The top folder of the checkout.
pub fn checkout() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the package lies in the checkout")
}

/// A command that knows nothing of the machine the tests run on but its system programs.
pub fn command(program: impl AsRef<OsStr>, home: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .env_clear()
        .env("HOME", home)
        .env("PATH", format!("{}:{SYSTEM_PATH}", home.join(".local/bin").display()))
        .env("LANG", "C.UTF-8")
        .env("SHELL", "/bin/bash")
        .stdin(Stdio::null());
    command
}

/// The same command, started by another that is given its words.
pub fn through(starter: &[&str], program: &Command) -> Command {
    let mut words = starter.iter();
    let mut command = command(words.next().expect("a program to start it"), Path::new("/"));
    command.args(words).arg(program.get_program()).args(program.get_args());
    command.envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
    if let Some(folder) = program.get_current_dir() {
        command.current_dir(folder);
    }
    command
}

/// What a person saw of a command that ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    pub stdout: String,
    pub stderr: String,
    /// As a shell says it: 128 + the signal that ended it.
    pub code: i32,
}

impl From<Output> for Seen {
    fn from(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        let code = output.status.code().or_else(|| Some(128 + output.status.signal()?)).unwrap_or(-1);
        Self { stdout: text(output.stdout), stderr: text(output.stderr), code }
    }
}

impl Seen {
    /// Success without a word.
    pub fn silent() -> Self {
        Self { stdout: String::new(), stderr: String::new(), code: 0 }
    }

    /// The standard output of a command that must succeed.
    #[track_caller]
    pub fn success(self) -> String {
        assert_eq!(self.code, 0, "exit code {}\nstdout: {}\nstderr: {}", self.code, self.stdout, self.stderr);
        self.stdout
    }
}

/// Runs a command to its end.
#[track_caller]
pub fn run(command: &mut Command) -> Seen {
    command.output().unwrap_or_else(|error| panic!("could not run {command:?}: {error}")).into()
}

/// Runs a command to its end with `input` on its standard input.
#[track_caller]
pub fn run_with(command: &mut Command, input: &[u8]) -> Seen {
    let mut running = Running::start(command.stdin(Stdio::piped()));
    let mut stdin = running.child_mut().stdin.take().expect("standard input is piped");
    // a program that does not read its input may be gone by now
    let _ = stdin.write_all(input);
    drop(stdin);
    running.finish()
}

/// A program of our own that still runs; it and its children end with this value, also when a test panics.
pub struct Running(Option<Child>);

impl Running {
    #[track_caller]
    pub fn start(command: &mut Command) -> Self {
        Self::spawn(command.stdout(Stdio::piped()).stderr(Stdio::piped()))
    }

    /// Starts a program that lasts; both its outputs go to `log`.
    #[track_caller]
    pub fn start_logged(command: &mut Command, log: &Path) -> Self {
        let file = File::create(log).expect("a log file");
        let copy = file.try_clone().expect("a second handle of the log file");
        Self::spawn(command.stdout(file).stderr(copy))
    }

    #[track_caller]
    fn spawn(command: &mut Command) -> Self {
        let child = command.process_group(0).spawn();
        Self(Some(child.unwrap_or_else(|error| panic!("could not start {command:?}: {error}"))))
    }

    pub fn child_mut(&mut self) -> &mut Child {
        self.0.as_mut().expect("a child until it is finished")
    }

    /// Sends a signal to the program alone.
    pub fn signal(&mut self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(self.child_mut());
        rustix::process::kill_process(pid, signal).expect("the program still runs");
    }

    /// Waits for its end.
    #[track_caller]
    pub fn finish(mut self) -> Seen {
        let child = self.0.take().expect("a child until it is finished");
        child.wait_with_output().expect("the output of a child").into()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            let group = rustix::process::Pid::from_child(child);
            // it may have ended by itself
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
            let _ = child.wait();
        }
    }
}
