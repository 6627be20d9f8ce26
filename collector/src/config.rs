//! `cpvo.toml` and the flags over it, read once into [`Config`]; paths are relative to the file.

use crate::source::Source;
use anyhow::{Context, Result, anyhow, bail};
use serde::Deserialize;
use std::fmt;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Tells the time; handed down from `main` so that tests can choose it.
pub(crate) type Clock = fn() -> jiff::Timestamp;

pub(crate) const FILE_NAME: &str = "cpvo.toml";
pub(crate) const LISTEN_DEFAULT: &str = "127.0.0.1:7878";

/// The flags every command understands.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Options {
    /// The configuration [default: cpvo.toml here, else in the user's configuration folder]
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The database: a path or postgres://… [default: what the configuration says]
    #[arg(long, global = true, value_name = "DB")]
    pub db: Option<String>,
}

/// Where the collector finds what it needs.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    pub listen: SocketAddr,
    /// The address developers' machines reach the collector at, where it is not `listen`.
    pub url: Option<String>,
    pub db: Database,
    pub teams: PathBuf,
    /// The folder of the signing keys.
    pub keys: PathBuf,
    /// The folder of the `cpvo-hook` binaries that `--bootstrap` downloads: `<target>/cpvo-hook`.
    pub hooks_dir: PathBuf,
    /// Where changes are read from.
    pub sources: Vec<Source>,
    /// How often they are read while `cpvo serve` runs; zero for never.
    pub sync_every: Duration,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Database {
    Sqlite(PathBuf),
    Postgres(Secret),
}

/// Text that never shows up in a log: a database address may hold a password.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(pub String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default = "listen_default")]
    listen: SocketAddr,
    url: Option<String>,
    #[serde(default = "db_default")]
    db: String,
    #[serde(default = "teams_default")]
    teams: PathBuf,
    #[serde(default = "keys_default")]
    keys: PathBuf,
    hooks_dir: Option<PathBuf>,
    #[serde(default)]
    source: Vec<Source>,
    #[serde(default = "sync_minutes_default")]
    sync_minutes: u32,
}

fn listen_default() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 7878))
}

fn sync_minutes_default() -> u32 {
    60
}

fn db_default() -> String {
    "cpvo.db".to_owned()
}

fn teams_default() -> PathBuf {
    "teams.toml".into()
}

fn keys_default() -> PathBuf {
    "keys".into()
}

impl Options {
    /// Reads the configuration these flags name, or the one that is found.
    pub(crate) fn load(&self) -> Result<Config> {
        let path = self.path()?;
        let text = fs::read_to_string(&path).with_context(|| format!("could not read {}", path.display()))?;
        let folder = path.parent().unwrap_or(Path::new(""));
        let config =
            parse(&text, folder, &variable).with_context(|| format!("{} is not right", path.display()))?;
        match &self.db {
            Some(db) => Ok(Config { db: Database::parse(db, Path::new(""))?, ..config }),
            None => Ok(config),
        }
    }

    /// As [`Self::load`], for commands that also work where no collector is configured.
    pub(crate) fn load_if_any(&self) -> Result<Option<Config>> {
        if self.path().is_err() {
            return Ok(None);
        }
        self.load().map(Some)
    }

    fn path(&self) -> Result<PathBuf> {
        if let Some(path) = &self.config {
            return Ok(path.clone());
        }
        let here = PathBuf::from(FILE_NAME);
        let user = user_folder().map(|folder| folder.join(FILE_NAME));
        [Some(here), user.clone()].into_iter().flatten().find(|path| path.is_file()).ok_or_else(|| {
            let or = user.map(|path| format!(" and no {}", path.display())).unwrap_or_default();
            anyhow!("no {FILE_NAME} here{or}: run `cpvo init`, or name one with --config")
        })
    }
}

#[expect(clippy::disallowed_methods, reason = "the door where the environment enters")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// The account of whoever runs this, be it as another user.
pub(crate) fn account() -> String {
    let told =
        ["SUDO_USER", "USER", "LOGNAME"].into_iter().filter_map(variable).find(|name| !name.is_empty());
    told.unwrap_or_else(|| format!("uid {}", rustix::process::getuid().as_raw()))
}

fn user_folder() -> Option<PathBuf> {
    Some(directories::ProjectDirs::from("", "", "cpvo")?.config_dir().to_owned())
}

fn parse(text: &str, folder: &Path, variable: &dyn Fn(&str) -> Option<String>) -> Result<Config> {
    let file: File = toml::from_str(text)?;
    let db = Database::parse(&file.db, folder)?;
    let beside = match &db {
        Database::Sqlite(path) => path.parent().unwrap_or(folder),
        Database::Postgres(_) => folder,
    };
    let hooks_dir = file.hooks_dir.map_or_else(|| beside.join("hooks"), |path| folder.join(path));
    let mut sources = file.source;
    for (index, source) in sources.iter_mut().enumerate() {
        source.settle(folder, variable).with_context(|| format!("source {}", index + 1))?;
    }
    let mut names: Vec<_> = sources.iter().map(|source| (source.name(), source.kind())).collect();
    names.sort_unstable();
    if let Some([(name, kind), _]) = names.array_windows().find(|[one, next]| one == next) {
        bail!("two sources of the kind {kind} read {name}");
    }
    let mut keys: Vec<_> = sources.iter().flat_map(Source::projects).collect();
    keys.sort_unstable();
    if let Some([key, _]) = keys.array_windows().find(|[one, next]| one == next) {
        bail!("two sources keep the tickets of {key}: a change that names {key}-1 could mean either");
    }
    Ok(Config {
        listen: file.listen,
        url: file.url,
        teams: folder.join(file.teams),
        keys: folder.join(file.keys),
        hooks_dir,
        db,
        sources,
        sync_every: Duration::from_mins(file.sync_minutes.into()),
    })
}

impl Database {
    /// For commands that read: before the first start there is nothing to open.
    pub(crate) fn ensure_there(&self) -> Result<()> {
        match self {
            Self::Sqlite(path) if !path.exists() => {
                bail!("no database yet at {}: start `cpvo serve`", path.display())
            }
            _ => Ok(()),
        }
    }

    pub(crate) fn parse(text: &str, folder: &Path) -> Result<Self> {
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            return Ok(Self::Postgres(Secret(text.to_owned())));
        }
        if text.is_empty() || text.contains("://") {
            bail!("db: must be a path or postgres://user@host/name");
        }
        Ok(Self::Sqlite(folder.join(text)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str, folder: &Path) -> Result<Config> {
        super::parse(text, folder, &|name| (name == "PAY_TOKEN").then(|| "hunter2".to_owned()))
    }

    #[test]
    fn paths_are_relative_to_the_file() {
        let config = parse("db = 'data/cpvo.db'\nteams = '/srv/teams.toml'", Path::new("/etc/cpvo")).unwrap();
        assert_eq!(config.db, Database::Sqlite("/etc/cpvo/data/cpvo.db".into()));
        assert_eq!(config.teams, Path::new("/srv/teams.toml"));
        assert_eq!(config.hooks_dir, Path::new("/etc/cpvo/data/hooks"));
        assert_eq!(config.listen.to_string(), LISTEN_DEFAULT);
    }

    #[test]
    fn sources_are_named_once() {
        let source = "[[source]]\nkind = 'clone'\nrepo = 'github.com/acme/pay'\npath = '../pay'\n";
        let config = parse(source, Path::new("/etc/cpvo")).unwrap();
        let Source::Clone(clone) = &config.sources[0] else { panic!("{config:?}") };
        assert_eq!(clone.path, Path::new("/etc/cpvo/../pay"));
        let error = |text: &str| format!("{:#}", parse(text, Path::new("")).unwrap_err());
        assert!(error(&source.repeat(2)).contains("two sources of the kind clone read github.com/acme/pay"));
        assert!(error(&source.replace("clone", "svn")).contains("svn"));
        assert!(error(&source.replace("github.com/acme/pay", "none")).contains("source 1: repo"));
        assert!(error(&(source.to_owned() + "colour = 'red'")).contains("colour"));
    }

    #[test]
    fn a_branch_is_named_plainly() {
        let clone = "kind = 'clone'\npath = 'pay'";
        for kind in [clone, "kind = 'github'", "kind = 'gitlab'"] {
            let settle = |branch: &str| {
                let text = format!("[[source]]\nrepo = 'h.x/acme/pay'\n{kind}\nbranch = \"{branch}\"");
                parse(&text, Path::new("")).map_err(|error| format!("{error:#}"))
            };
            for plain in ["main", "release/2026-11", "ana/x@y", "a.b", "é"] {
                settle(plain).unwrap();
            }
            for other in [
                "",
                "main^",
                "main~3",
                "HEAD^{/x}",
                "a..b",
                "@{-1}",
                "@",
                "a b",
                "-x",
                "x/",
                "/x",
                "a//b",
                ".x",
                "a.lock",
                "x:y",
                "*",
            ] {
                let error = settle(other).unwrap_err();
                assert!(error.contains("is no name of a branch"), "{other}: {error}");
            }
        }
    }

    #[test]
    fn a_service_is_asked_over_https_with_a_token_that_is_never_shown() {
        let source = "[[source]]\nkind = 'github'\nrepo = 'github.com/acme/pay'\ntoken_env = 'PAY_TOKEN'\n";
        let clone = "[[source]]\nkind = 'clone'\nrepo = 'github.com/acme/pay'\npath = 'pay'\n";
        let config = parse(&(source.to_owned() + clone), Path::new("")).unwrap();
        assert_eq!(config.sources.len(), 2, "a clone and a host may tell of one repository");
        assert!(!format!("{config:?}").contains("hunter2"));
        let error =
            |more: &str| format!("{:#}", parse(&(source.to_owned() + more), Path::new("")).unwrap_err());
        assert!(error("url = 'http://git.acme.example/api/graphql'").contains("source 1: url"));
        assert!(error("url = 'https://ana:secret@git.acme.example'").contains("neither credentials"));
        assert!(error("token_file = 'token'").contains("either token_env or token_file"));
        assert!(error("path = '.'").contains("path"));
        parse(&(source.to_owned() + "url = 'http://127.0.0.1:1/graphql'"), Path::new("")).unwrap();
    }

    #[test]
    fn a_tracker_says_whose_tickets_it_keeps() {
        let jira =
            "[[source]]\nkind = 'jira'\nurl = 'https://acme.atlassian.net/'\nprojects = ['pay', 'PAY']\n";
        let linear =
            "[[source]]\nkind = 'linear'\nworkspace = 'acme'\nteams = ['SHOP']\ntoken_env = 'PAY_TOKEN'\n";
        let config = parse(&(jira.to_owned() + linear), Path::new("")).unwrap();
        let told = config.sources.iter().map(|it| (it.name(), it.kind(), it.projects().concat()));
        let expected = [("acme.atlassian.net", "jira", "PAY"), ("linear.app/acme", "linear", "SHOP")];
        assert_eq!(told.collect::<Vec<_>>(), expected.map(|(name, kind, key)| (name, kind, key.to_owned())));
        assert!(!format!("{config:?}").contains("hunter2"));
        let error = |text: &str| format!("{:#}", parse(text, Path::new("")).unwrap_err());
        assert!(error(&(jira.to_owned() + &linear.replace("SHOP", "PAY"))).contains("the tickets of PAY"));
        assert!(error(&jira.repeat(2)).contains("two sources of the kind jira read acme.atlassian.net"));
        assert!(
            error(&jira.replace("'pay', 'PAY'", "")).contains("source 1: projects must name at least one")
        );
        assert!(error(&jira.replace("'pay'", "'PAY-42'")).contains("projects: \"PAY-42\" is none"));
        assert!(error(&jira.replace("https", "http")).contains("source 1: url"));
        assert!(
            error(&linear.replace("'acme'", "'linear.app/acme'")).contains("source 1: workspace must be")
        );
        assert!(error(&linear.replace("SHOP", "4")).contains("teams: \"4\" is none"));
        assert!(error(&(linear.to_owned() + "url = 'http://api.acme.example'")).contains("source 1: url"));
        assert!(error(&(linear.to_owned() + "colour = 'red'")).contains("colour"));
        assert!(error(&(jira.to_owned() + "token_env = 'A'\ntoken_file = 'b'")).contains("either token_env"));
    }

    #[test]
    fn a_wrong_key_is_named() {
        let error = format!("{:#}", parse("listn = '127.0.0.1:1'", Path::new("")).unwrap_err());
        assert!(error.contains("listn") && error.contains("line 1"), "{error}");
        for bad in ["db = ''", "db = 'mysql://x'", "listen = 'nowhere'", "db = 5", "[["] {
            assert!(parse(bad, Path::new("")).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_database_address_stays_out_of_logs() {
        let config = parse("db = 'postgres://cpvo:hunter2@db/cpvo'", Path::new("")).unwrap();
        assert!(!format!("{config:?}").contains("hunter2"));
    }
}
