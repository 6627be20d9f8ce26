//! `cpvo hooks-config`: makes a repository's sessions report, by merging our hooks into its settings.

mod address;
mod bootstrap;
mod document;
mod merge;
mod place;
mod previous;

use crate::config::{Clock, Config, Options};
use crate::token;
use address::{address, day, developer, guarded, is_local, token_text};
use anyhow::{Context, Result, anyhow, bail, ensure};
use askama::Template;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use merge::Wanted;
use meter::Repo;
use place::Place;
use std::io::{Write, stdout};
use std::path::{Path, PathBuf};
use std::process::Command;

/// What both files of ours say, and no other file.
const OURS: &str = "Written by `cpvo hooks-config";

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The repository's folder
    #[arg(long, value_name = "PATH")]
    repo: PathBuf,
    /// The collector's address, as developers' machines reach it
    #[arg(long, value_parser = address)]
    url: Option<String>,
    /// Whose sessions may be reported, such as @acme.example or ana@acme.example; all others stay untouched
    #[arg(long, value_delimiter = ',', value_parser = developer)]
    developers: Vec<String>,
    /// A write-only token [default: the one that is there, else a new one where cpvo.toml is found]
    #[arg(long, value_parser = token_text)]
    token: Option<String>,
    /// The day before which nothing is read [default: the one that is there, else today]
    #[arg(long, value_name = "DATE", value_parser = day)]
    since: Option<Date>,
    /// A folder in which sessions are started too: Claude Code reads the settings of that folder alone
    #[arg(long, value_name = "FOLDER")]
    folder: Vec<PathBuf>,
    /// Also ship a script that installs cpvo-hook from the collector where it is missing
    #[arg(long)]
    bootstrap: bool,
    /// Take everything out again
    #[arg(long, conflicts_with_all = ["url", "developers", "token", "since", "bootstrap"])]
    remove: bool,
}

/// The notice to developers.
#[derive(Template)]
#[template(path = "CPVO.md")]
struct Notice<'a> {
    url: &'a str,
    developers: Option<&'a str>,
    since: Option<&'a str>,
    bootstrap: bool,
}

/// The files of one `.claude` folder.
struct Folder {
    settings: Place,
    notice: Place,
    script: Place,
}

pub(crate) fn run(args: Args, options: &Options, now: Clock) -> Result<()> {
    let root = args.repo.canonicalize().with_context(|| format!("could not open {}", args.repo.display()))?;
    let folders = [Path::new("")].into_iter().chain(args.folder.iter().map(PathBuf::as_path));
    let folders = folders.map(|folder| Folder::read(&root, folder)).collect::<Result<Vec<_>>>()?;
    if args.remove {
        return remove(&root, &folders);
    }
    let config = options.load_if_any()?;
    let script = match (args.bootstrap, &config) {
        (false, _) => folders[0].script.text().map(str::to_owned),
        (true, Some(config)) => Some(bootstrap::script(&bootstrap::pins(&config.hooks_dir)?)),
        (true, None) => {
            bail!("--bootstrap writes the SHA-256 of the collector's programs: run it where cpvo.toml is")
        }
    };
    let (asked, token_given) = (args.url.is_some(), args.token.is_some());
    let mut wanted = wanted(args, &folders[0].settings, config.as_ref(), now)?;
    wanted.bootstrap = script.is_some();
    // everything that can be wrong is found before a token is made and before a file is written
    merged(&folders, &wanted)?;
    let mut changes = Vec::new();
    if let (Some(config), false) = (&config, token_given) {
        changes.extend(previous::give_up_refused(&mut wanted, config, now())?);
    }
    for Folder { settings, .. } in &folders {
        changes.extend(previous::replaced(settings, &wanted, asked, config.as_ref(), now())?);
    }
    if wanted.token.is_none()
        && let Some(config) = &config
    {
        wanted.token = Some(token::issue_for(config, remote(&root)?, now())?);
    }
    add(&folders, &wanted, script.as_deref(), &changes)
}

impl Folder {
    fn read(root: &Path, folder: &Path) -> Result<Self> {
        ensure!(root.join(folder).is_dir(), "{} is not a folder of {}", folder.display(), root.display());
        let read = |name: &str| Place::read(root, &folder.join(".claude").join(name));
        let folder = Self {
            settings: read("settings.json")?,
            notice: read("CPVO.md")?,
            script: read("cpvo-bootstrap.sh")?,
        };
        folder.settings.ensure_writable()?;
        folder.notice.ensure_ours(OURS)?;
        folder.script.ensure_ours(OURS)?;
        Ok(folder)
    }
}

/// What the flags ask for, else what is there already, else what the configuration and the clock say.
fn wanted(args: Args, there: &Place, config: Option<&Config>, now: Clock) -> Result<Wanted> {
    let settings = there.text().unwrap_or_default();
    let there =
        |name: &str| merge::variable(settings, name).with_context(|| there.name().display().to_string());
    let configured = config.and_then(|config| config.url.clone());
    let url = args.url.or(configured).or(there("CPVO_URL")?);
    let url = url.or_else(|| config.and_then(previous::listens));
    let url = url.context("no collector to report to: name its address with --url")?;
    let url = address(&url).map_err(|fault| anyhow!("the collector's address {url} {fault}"))?;
    if args.bootstrap && !guarded(&url) {
        bail!("a program is downloaded over https:// only, and {url} is not on this machine");
    }
    let developers = (!args.developers.is_empty()).then(|| args.developers.join(","));
    let today = now().to_zoned(TimeZone::UTC).date();
    let since = args.since.map(|day| day.to_string()).or(there("CPVO_SINCE")?);
    Ok(Wanted {
        url: Some(url),
        token: args.token.or(there("CPVO_TOKEN")?),
        developers: developers.or(there("CPVO_DEVELOPERS")?),
        since: Some(since.unwrap_or_else(|| today.to_string())),
        bootstrap: false,
    })
}

fn merged(folders: &[Folder], wanted: &Wanted) -> Result<Vec<String>> {
    let merged = folders.iter().map(|Folder { settings, .. }| {
        merge::add(settings.text(), wanted).with_context(|| settings.name().display().to_string())
    });
    merged.collect()
}

fn add(folders: &[Folder], wanted: &Wanted, script: Option<&str>, changes: &[String]) -> Result<()> {
    let url = wanted.url.as_deref().unwrap_or_default();
    let notice = Notice {
        url,
        developers: wanted.developers.as_deref(),
        since: wanted.since.as_deref(),
        bootstrap: wanted.bootstrap,
    };
    let notice = notice.render()? + "\n";
    // a reader that has seen enough must not leave the work half done
    let mut said = Vec::new();
    for change in changes {
        writeln!(said, "{change}")?;
    }
    for (folder, settings) in folders.iter().zip(&merged(folders, wanted)?) {
        let texts =
            [(&folder.script, script), (&folder.notice, Some(&*notice)), (&folder.settings, Some(settings))];
        for (place, text) in texts {
            let word = if place.set(text)? { "wrote" } else { "unchanged" };
            if text.is_some() {
                writeln!(said, "{word} {}", place.name().display())?;
            }
        }
    }
    if is_local(url) {
        writeln!(
            said,
            "warning: only this machine reaches {url}; `url` in cpvo.toml, or --url, names the public address"
        )?;
    }
    if wanted.token.is_none() {
        writeln!(said, "no token yet: `cpvo token issue` makes one, --token adds it")?;
    }
    if wanted.developers.is_none() {
        writeln!(
            said,
            "whoever works in this repository is reported; --developers @your.domain leaves guests out"
        )?;
    }
    writeln!(said, "commit these files: sessions of whoever pulls them are reported from then on")?;
    Ok(stdout().write_all(&said)?)
}

fn remove(root: &Path, folders: &[Folder]) -> Result<()> {
    // all are read before one is written
    let stripped = folders.iter().map(|Folder { settings, .. }| match settings.text() {
        Some(text) => merge::remove(text).with_context(|| settings.name().display().to_string()),
        None => Ok(None),
    });
    let stripped = stripped.collect::<Result<Vec<_>>>()?;
    let mut said = Vec::new();
    let (mut any, mut token) = (false, false);
    for (folder, settings) in folders.iter().zip(&stripped) {
        token |= merge::variable(folder.settings.text().unwrap_or_default(), "CPVO_TOKEN")?.is_some();
        for (place, text) in
            [(&folder.settings, settings.as_deref()), (&folder.notice, None), (&folder.script, None)]
        {
            if place.set(text)? {
                let word = if text.is_some() { "restored" } else { "removed" };
                writeln!(said, "{word} {}", place.name().display())?;
                any = true;
            }
        }
    }
    if !any {
        writeln!(said, "nothing of cpvo was there")?;
    }
    if token {
        writeln!(said, "the token stays valid until `cpvo token revoke`; `cpvo token list` shows its id")?;
    }
    for folder in place::others(root).into_iter().filter(|folder| !is_clean(root, folder)) {
        let settings = folder.join(".claude/settings.json");
        let (settings, folder) = (settings.display(), folder.display());
        writeln!(said, "{settings} still has hooks of cpvo: `--folder {folder} --remove` takes them out")?;
    }
    Ok(stdout().write_all(&said)?)
}

/// Whether the settings of a folder hold nothing of ours, as far as they can be read.
fn is_clean(root: &Path, folder: &Path) -> bool {
    let settings = Place::read(root, &folder.join(".claude/settings.json"));
    let text = settings.as_ref().ok().and_then(Place::text).unwrap_or_default();
    merge::remove(text).map_or(true, |stripped| stripped.as_deref() == Some(text))
}

/// The repository as the hook will name it.
fn remote(root: &Path) -> Result<Repo> {
    let git = |args: &[&str]| -> Result<String> {
        let output =
            Command::new("git").arg("-C").arg(root).args(args).output().context("could not run git")?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            bail!(
                "git does not know {}: name a repository with --repo, or pass --token ({said})",
                root.display()
            );
        }
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let remotes = git(&["remote"])?;
    ensure!(
        !remotes.is_empty(),
        "{} has no remote yet: `git remote add origin URL` names it, or pass --token",
        root.display()
    );
    let name = remotes.lines().find(|name| *name == "origin").or(remotes.lines().next()).unwrap_or_default();
    Repo::of_remote(&git(&["remote", "get-url", name])?)
        .with_context(|| format!("{} has no remote that names a host: pass --token", root.display()))
}
