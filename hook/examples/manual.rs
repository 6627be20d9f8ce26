//! Writes the man pages and the shells' completions of `cpvo-hook` into the folder it is given.
//!
//! An example, so that the program itself need not carry what one machine needs once.

use clap::{Command, CommandFactory, ValueEnum};
use clap_complete::Shell;
use std::path::Path;

#[path = "../src/command/arguments.rs"]
mod arguments;

fn main() -> std::io::Result<()> {
    let folder = std::env::args_os().nth(1).ok_or_else(|| std::io::Error::other("which folder?"))?;
    write(Path::new(&folder))
}

fn write(folder: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    let program = arguments::Program::command();
    clap_mangen::generate_to(shown(&program), folder)?;
    for shell in Shell::value_variants() {
        clap_complete::generate_to(*shell, &mut shown(&program), "cpvo-hook", folder)?;
    }
    Ok(())
}

/// The program without the commands that no person types.
fn shown(program: &Command) -> Command {
    let typed = program.get_subcommands().filter(|command| !command.is_hide_set()).cloned();
    let bare = Command::new("cpvo-hook").version(env!("CARGO_PKG_VERSION")).subcommands(typed);
    let about = |text: Option<&clap::builder::StyledStr>| text.cloned().unwrap_or_default();
    bare.about(about(program.get_about()))
        .long_about(about(program.get_long_about()))
        .after_help(about(program.get_after_help()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_a_person_types_is_in_the_manual_and_no_other() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path()).unwrap();
        let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap_or_default();
        let (page, bash) = (read("cpvo-hook.1"), read("cpvo-hook.bash"));
        for name in ["sweep", "totals", "preview", "me", "status"] {
            assert!(
                bash.contains(name) && page.contains(&format!("cpvo\\-hook\\-{name}(1)")),
                "{name}: {page}"
            );
        }
        for name in ["detached", "work"] {
            assert!(!bash.contains(name) && !page.contains(name), "{name}");
        }
        let totals = read("cpvo-hook-totals.1");
        assert!(totals.contains("\\-\\-since") && totals.contains("Examples"), "{totals}");
    }
}
