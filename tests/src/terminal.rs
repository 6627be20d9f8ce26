//! A session in a terminal: tmux types what a person would type and shows what a person would see.

use crate::program::{command, run};
use crate::wait::{attempt, until};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A terminal of its own tmux server; closed with this value, also when a test panics.
pub struct Terminal {
    socket: PathBuf,
    home: PathBuf,
    exit: PathBuf,
}

impl Terminal {
    /// Starts `program` in a new terminal whose files lie in `folder`.
    #[track_caller]
    pub fn open(folder: &Path, home: &Path, program: &Command) -> Self {
        let (socket, exit, script) = (folder.join("tmux"), folder.join("exit"), folder.join("terminal.sh"));
        fs::write(&script, launch(program, &exit)).expect("a script for the terminal");
        let terminal = Self { socket, home: home.to_owned(), exit };
        let script = format!("sh {}", quoted(&script.display().to_string()));
        terminal.tmux(&["new-session", "-d", "-x", "150", "-y", "50", &script]);
        terminal
    }

    fn tmux(&self, args: &[&str]) -> String {
        let mut tmux = command("tmux", &self.home);
        run(tmux.arg("-S").arg(&self.socket).args(["-f", "/dev/null"]).args(args)).stdout
    }

    /// The lines on the screen that are not empty.
    pub fn screen(&self) -> Vec<String> {
        let screen = self.tmux(&["capture-pane", "-p"]);
        screen.lines().map(str::trim_end).filter(|line| !line.is_empty()).map(str::to_owned).collect()
    }

    /// Waits until a line of the screen holds `text`; the end of the program ends the wait.
    #[track_caller]
    pub fn await_text(&self, text: &str) {
        let shown = || self.screen().iter().any(|line| line.contains(text));
        let found = attempt(|| shown().then_some(true).or_else(|| self.exit.exists().then(shown)));
        assert_eq!(found, Some(true), "no {text:?} on the screen: {:#?}", self.screen());
    }

    /// Types a line once the prompt is there, and sends it when it is shown.
    #[track_caller]
    pub fn enter(&self, line: &str) {
        self.await_text("❯");
        self.tmux(&["send-keys", "-l", line]);
        self.await_text(line);
        self.tmux(&["send-keys", "Enter"]);
    }

    /// Presses a key, by tmux's name for it.
    pub fn press(&self, key: &str) {
        self.tmux(&["send-keys", key]);
    }

    /// Closes the window: the program is told by SIGHUP.
    pub fn close(self) {
        self.tmux(&["kill-session"]);
    }

    /// Waits for the end of the program and says its exit code.
    #[track_caller]
    pub fn finish(self) -> i32 {
        until("the end of the program in the terminal", || {
            fs::read_to_string(&self.exit).ok()?.trim().parse().ok()
        })
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.tmux(&["kill-server"]);
    }
}

/// A shell script that runs `program` and leaves its exit code behind.
fn launch(program: &Command, exit: &Path) -> String {
    let folder = program.get_current_dir().map(|path| path.display().to_string()).unwrap_or_default();
    let variables = program.get_envs().filter_map(|(name, value)| {
        Some(quoted(&format!("{}={}", name.to_string_lossy(), value?.to_string_lossy())))
    });
    let words = std::iter::once(program.get_program()).chain(program.get_args());
    let words = words.map(|word| quoted(&word.to_string_lossy()));
    let line: Vec<String> = variables.chain(words).collect();
    let exit = quoted(&exit.display().to_string());
    format!(
        "cd {} && env -i {}\necho $? > {exit}.new\nmv {exit}.new {exit}\n",
        quoted(&folder),
        line.join(" ")
    )
}

fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}
