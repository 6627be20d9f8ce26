//! `cpvo init`: writes what a first start needs, where there is none.

use crate::config::{Clock, FILE_NAME, LISTEN_DEFAULT, Options};
use crate::keys;
use anyhow::{Context, Result};
use meter::Email;
use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

#[derive(clap::Args)]
pub(crate) struct Args {}

pub(crate) fn run(_args: &Args, options: &Options, _now: Clock) -> Result<()> {
    let file = options.config.clone().unwrap_or_else(|| PathBuf::from(FILE_NAME));
    let db = database(options.db.as_deref(), &file)?;
    // said at the end: a reader that has seen enough must not leave the work half done
    let mut out = Vec::new();
    let wrote = create(&file, &config_text(&db), 0o640)?; // may hold the password of a database
    tell(&mut out, &file, wrote)?;
    let config = Options { config: Some(file), db: None }.load()?;
    let wrote = create(&config.teams, &teams_text(git_email().as_ref()), 0o644)?;
    tell(&mut out, &config.teams, wrote)?;
    if keys::any(&config.keys) {
        tell(&mut out, &config.keys, false)?;
    } else {
        tell(&mut out, &keys::create(&config.keys)?, true)?;
    }
    writeln!(
        out,
        "\nnext: put your teams into {}, start `cpvo serve`,\n      and run `cpvo hooks-config --repo PATH` for each repository",
        config.teams.display()
    )?;
    Ok(std::io::stdout().write_all(&out)?)
}

/// The database as a configuration in another folder has to name it.
fn database(flag: Option<&str>, file: &Path) -> Result<String> {
    let db = flag.unwrap_or("cpvo.db");
    let here = file.parent().is_none_or(|folder| folder.as_os_str().is_empty());
    if flag.is_none() || here || db.contains("://") {
        return Ok(db.to_owned());
    }
    let path = std::path::absolute(db)?;
    Ok(path.to_str().context("--db: the path is no UTF-8")?.to_owned())
}

/// Writes a file where there is none; says whether it did.
fn create(path: &Path, text: &str, mode: u32) -> Result<bool> {
    use std::os::unix::fs::OpenOptionsExt;
    let about = || format!("could not write {}", path.display());
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).with_context(about)?;
    }
    match OpenOptions::new().write(true).create_new(true).mode(mode).open(path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
        file => file.and_then(|mut file| file.write_all(text.as_bytes())).with_context(about).map(|()| true),
    }
}

fn tell(out: &mut impl Write, path: &Path, wrote: bool) -> Result<()> {
    let what = if wrote { "wrote" } else { "kept " };
    Ok(writeln!(out, "{what} {}", path.display())?)
}

fn config_text(db: &str) -> String {
    let db = toml::Value::from(db);
    format!(
        "# The collector; paths are relative to this file.\n\
         listen = \"{LISTEN_DEFAULT}\"\n\
         # url = \"https://cpvo.acme.example\"  # how developers reach it, where that is not `listen`\n\
         db = {db}\n\
         teams = \"teams.toml\"\n\
         keys = \"keys\"\n\
         # [[source]]                           # where changes are read from\n\
         # kind = \"clone\"\n\
         # repo = \"github.com/acme/pay\"\n\
         # path = \"../pay\"\n"
    )
}

const WINDOW: &str = "window_days = 14  # that a change must survive; frozen once the team was first read\n";

fn teams_text(email: Option<&Email>) -> String {
    let head = "# Who is in which team. Read again at every edit; `from` and `until` are UTC days.\n\n[[team]]\nid = \"";
    match email {
        Some(email) => {
            let local = email.as_str().split('@').next().unwrap_or_default();
            let id = toml::Value::from(format!("team-{local}"));
            let email = toml::Value::from(email.as_str());
            format!("{}{id}\nmembers = [{{ email = {email} }}]\n{WINDOW}", head.trim_end_matches('"'))
        }
        None => format!("{head}first\"\nmembers = []  # {{ email = \"ana@acme.example\" }}\n{WINDOW}"),
    }
}

/// Who runs this, as git knows them.
fn git_email() -> Option<Email> {
    let output = Command::new("git").args(["config", "user.email"]).output().ok()?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::people::file::parse;

    #[test]
    fn the_first_team_is_that_of_git() {
        let ana = "ana@acme.example".parse().unwrap();
        let teams = parse(&teams_text(Some(&ana))).unwrap();
        assert_eq!(teams.list[0].id, "team-ana");
        assert!(teams.members.contains_key("ana@acme.example"));
        assert_eq!(parse(&teams_text(None)).unwrap().list.len(), 1);
    }

    #[test]
    fn what_is_there_stays() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("cpvo/cpvo.toml");
        assert!(create(&file, &config_text("cpvo.db"), 0o640).unwrap());
        assert!(!create(&file, "broken", 0o640).unwrap());
        Options { config: Some(file), db: None }.load().unwrap();
    }
}
