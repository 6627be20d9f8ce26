//! Fetching a clone before it is read, where cpvo.toml says so: its tracked branch and the tags, and nothing else.
//!
//! Nobody is asked anything, and nothing is run that the clone names: no hook, no submodule, no upkeep, no program of
//! its own configuration. Its user's configuration and ssh hold.

use super::clone::{LocalClone, found, guard, named, remotes};
use super::git::Git;
use super::process::Refusal;
use super::web::Pace;
use anyhow::{Context, Result, anyhow, ensure};
use std::path::Path;

/// What a remote may be reached by, whatever the clone's configuration says.
const PROTOCOLS: &str = "file:https:ssh";
const SSH_OPTIONS: &str = "-o BatchMode=yes -o ConnectTimeout=30";
/// Tells what the user's environment has ssh called by.
const SSH_TOLD: &str = "alias.told=!printf %s \"$GIT_SSH_COMMAND\"";
/// Settings that name a program which a fetch would run, or whom it would trust.
const PROGRAMS: &str = r"^(core\.(sshcommand|askpass|alternaterefscommand)|credential\.(.*\.)?helper|hook\..*\.command|remote\..*\.(uploadpack|vcs)|http\.(.*\.)?ssl.*)$";
/// Settings that, where they are not empty, lead it to somebody else, to whom the user's credentials would go.
const DETOURS: &str = r"^(http\.(.*\.)?(proxy.*|curloptresolve|extraheader|cookiefile)|remote\..*\.proxy)$";

/// Brings the tracked branch and the tags up to what the remote has.
pub(crate) fn fetch(source: &LocalClone, pace: Pace) -> Result<()> {
    let git = Git { path: source.path.clone(), pace, is_alone: false };
    guard(&git)?;
    names_none(&git, PROGRAMS, "")?;
    names_none(&git, DETOURS, ".")?;
    // what was heard is told by that file, and git writes through a link to wherever it leads
    let heard = git.ask(&["rev-parse", "--path-format=absolute", "--git-dir"])?;
    ensure!(
        !Path::new(&heard).join("FETCH_HEAD").is_symlink(),
        "its FETCH_HEAD is a link, which a fetch would write through: remove it"
    );
    let remotes = remotes(&git)?;
    let name = named(&git, source.branch.as_deref(), &remotes)?;
    let known = found(&git, &name, &remotes)?.and_then(|known| Some((known.reference, known.remote?)));
    let first = remotes.into_iter().next().map(|remote| (format!("refs/remotes/{remote}/{name}"), remote));
    let (reference, remote) = known.or(first).context("it has no remote to be fetched from")?;
    let branch = format!("+refs/heads/{name}:{reference}");
    let args = [
        "fetch",
        "--quiet",
        "--tags",
        "--force",
        "--no-prune",
        "--no-recurse-submodules",
        "--no-auto-maintenance",
        "--",
        &remote,
        &branch,
    ];
    let ssh = match git.ask_if(&["-c", SSH_TOLD, "told"])? {
        None => git.ask_if(&["config", "core.sshCommand"])?,
        told => told,
    };
    let ssh = format!("{} {SSH_OPTIONS}", ssh.as_deref().unwrap_or("ssh"));
    let variables = [("GIT_ALLOW_PROTOCOL", PROTOCOLS), ("GIT_ASKPASS", ""), ("GIT_SSH_COMMAND", &ssh)];
    git.run(&args, &variables).map_err(|error| match error.downcast_ref::<Refusal>() {
        Some(refusal) if refusal.reason.contains("couldn't find remote ref") => anyhow!(
            "its remote {remote} has no branch {name:?}, which was renamed or deleted: name the tracked one by `branch`"
        ),
        _ => error,
    })
}

/// Refuses a clone whose own configuration has such a setting with such a value.
fn names_none(git: &Git, names: &str, value: &str) -> Result<()> {
    let settings = git.ask_if(&["config", "--show-scope", "--name-only", "--get-regexp", names, value])?;
    for line in settings.iter().flat_map(|settings| settings.lines()) {
        let (scope, name) = line.split_once('\t').unwrap_or_default();
        ensure!(
            !["local", "worktree"].contains(&scope),
            "its own configuration names a program to run or whom to trust ({name}): name it in that of the user, or unset it"
        );
    }
    Ok(())
}
