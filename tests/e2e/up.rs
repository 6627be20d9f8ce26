//! A newcomer runs `scripts/up`, once without transcripts and once with their own.

use std::path::Path;
use std::process::Command;
use tempfile::TempDir;
use tests::program::{Seen, binary, checkout, run};
use tests::transcript::{Transcript, tokens};

/// A machine with a home and a folder for the collector's data; the collector ends with it.
struct Newcomer(TempDir);

impl Newcomer {
    fn arrive() -> Self {
        let machine =
            Self(tempfile::Builder::new().prefix("cpvo-up-").tempdir().expect("a temporary folder"));
        std::fs::create_dir(machine.home()).expect("a home");
        machine
    }

    fn home(&self) -> std::path::PathBuf {
        self.0.path().join("home")
    }

    fn script(&self, name: &str) -> Command {
        let mut command = Command::new(checkout().join("scripts").join(name));
        let target = binary("cpvo").parent().and_then(Path::parent).expect("the target folder").to_owned();
        // the toolchain needs its own variables and the machine's PATH; the client's folders are the newcomer's
        for variable in ["CLAUDE_CONFIG_DIR", "XDG_CONFIG_HOME", "CPVO_URL", "CPVO_TOKEN", "CPVO_DEVELOPER"] {
            command.env_remove(variable);
        }
        command
            .env("HOME", self.home())
            .env("CARGO_HOME", cargo_folder("CARGO_HOME", ".cargo"))
            .env("RUSTUP_HOME", cargo_folder("RUSTUP_HOME", ".rustup"))
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("CARGO_TARGET_DIR", target)
            .env("CPVO_PROFILE", "dev")
            .env("CPVO_DATA", self.0.path().join("data"))
            .env("CPVO_LISTEN", "127.0.0.1:0");
        command
    }

    #[track_caller]
    fn up(&self) -> String {
        run(&mut self.script("up")).success()
    }

    #[track_caller]
    fn down(&self) -> Seen {
        run(&mut self.script("down"))
    }
}

impl Drop for Newcomer {
    fn drop(&mut self) {
        // says so itself where nothing runs
        let _ = self.script("down").output();
    }
}

#[expect(clippy::disallowed_methods, reason = "the toolchain lies where this machine keeps it")]
fn cargo_folder(variable: &str, beside_home: &str) -> std::path::PathBuf {
    let home = || Path::new(&std::env::var_os("HOME").unwrap_or_default()).join(beside_home);
    std::env::var_os(variable).map_or_else(home, Into::into)
}

#[test]
fn without_transcripts_the_samples_are_shown_as_such() {
    let newcomer = Newcomer::arrive();
    let said = newcomer.up();
    assert!(said.contains("No Claude Code transcripts of yours were found."), "{said}");
    assert!(said.contains("SAMPLE DATA: four invented developers, in a database of its own."), "{said}");
    for team in ["payments", "platform", "unassigned"] {
        assert!(
            said.lines().any(|line| line.contains(team) && line.contains('$')),
            "no row of {team} in {said}"
        );
    }
    assert!(said.contains("The page: http://127.0.0.1:") && said.contains("scripts/down"), "{said}");
    assert!(
        !newcomer.0.path().join("data/cpvo.db").exists(),
        "samples never share a database with real rows"
    );
    assert!(newcomer.down().success().starts_with("stopped"));
}

#[test]
fn with_transcripts_the_first_table_names_a_team() {
    let newcomer = Newcomer::arrive();
    let folder = newcomer.0.path().join("pay");
    std::fs::create_dir(&folder).expect("a folder to work in");
    let mut session = Transcript::begin(&newcomer.home(), &folder);
    session.prompt("one prompt");
    session.response(tokens(1_000_000));
    let said = newcomer.up();
    assert!(!said.contains("SAMPLE DATA"), "{said}");
    let row = said.lines().find(|line| line.contains("team-")).unwrap_or_else(|| panic!("no team in {said}"));
    // a million tokens of output at 20 dollars a million, and little else
    assert!(row.contains("$20.00"), "{row}");
    assert!(newcomer.up().contains("$20.00"), "a second start shows the same");
}
