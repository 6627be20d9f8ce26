//! `Config`: the environment and the user's own `config.toml`, read once and passed down.
//!
//! A repository's settings cannot be told from the shell's variables, so the environment may only narrow
//! what the user's file and the organisation's managed settings allow.

use crate::delivery::network::Network;
use crate::terms::collector::Address;
use crate::terms::settings;
use crate::terms::{Branches, Identity, Scope, Terms, truthy};
use anyhow::{Context, Result};
use directories::{BaseDirs, ProjectDirs};
use meter::{Billing, Environment, Provider};
use serde::Deserialize;
use std::path::PathBuf;

/// Where a variable's value is found: in the environment or in a file that stands for it.
pub(crate) type Lookup<'a> = dyn Fn(&str) -> Option<String> + 'a;

#[derive(Debug, Clone)]
pub(crate) struct Config {
    /// `CPVO_DISABLE=1`: touch nothing.
    pub disabled: bool,
    /// What the environment asks for.
    pub environment: Terms,
    /// What the user's own file asks for.
    pub own: Terms,
    /// Collectors a repository may report to, from the user's file; `None` means any.
    pub collectors: Option<Vec<Address>>,
    /// The widest scope the user and the organisation allow.
    pub scope_max: Scope,
    /// `CPVO_SCOPE=all` was asked for by the environment, which may not.
    pub scope_ignored: bool,
    pub developer: Option<String>,
    pub team: Option<String>,
    pub os_user: Option<String>,
    pub client: ClientEnvironment,
    /// Deliver before the session's end returns: the machine may not outlive it.
    pub inline: bool,
    pub network: Network,
    pub state: PathBuf,
    pub home: Option<PathBuf>,
    pub claude_config_dir: Option<String>,
    pub xdg_config_home: Option<String>,
    /// Values that could not be read, one sentence each.
    pub faults: Vec<String>,
}

/// What the client's variables tell of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ClientEnvironment {
    pub environment: Environment,
    pub provider: Provider,
    pub billing: Billing,
}

/// The user's `config.toml`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct UserFile {
    url: Option<String>,
    token: Option<String>,
    scope: Option<String>,
    identity: Option<String>,
    branches: Option<String>,
    developers: Vec<String>,
    since: Option<String>,
    developer: Option<String>,
    team: Option<String>,
    collectors: Option<Vec<String>>,
}

impl Config {
    /// Reads the process environment and the user's files.
    pub(crate) fn read() -> Result<Self> {
        let project =
            ProjectDirs::from("", "", "cpvo").context("no home folder: set HOME or CPVO_STATE_DIR")?;
        let home = BaseDirs::new().map(|dirs| dirs.home_dir().to_owned());
        let file = project.config_dir().join("config.toml");
        let state = project.state_dir().unwrap_or_else(|| project.data_local_dir()).to_owned();
        let mut faults = Vec::new();
        let user = user_file(&file, &mut faults);
        let managed = settings::managed_scope();
        Ok(Self { state, home, ..Self::from(&variable, user, managed, faults) }
            .placed(variable("CPVO_STATE_DIR")))
    }

    fn from(variable: &Lookup<'_>, user: UserFile, managed: Option<Scope>, mut faults: Vec<String>) -> Self {
        let mut environment = Terms::parse(variable, &mut faults);
        let mut own_faults = Vec::new();
        let own = Terms::parse(|name| user.get(name), &mut own_faults);
        faults.extend(own_faults.into_iter().map(|fault| format!("config.toml: {fault}")));
        let scope_max = managed.into_iter().chain(own.scope).max().unwrap_or(Scope::Repo);
        let scope_ignored = environment.scope == Some(Scope::All) && scope_max < Scope::All;
        environment.scope = environment.scope.filter(|scope| *scope < Scope::All);
        let client = ClientEnvironment::from(variable, billing(variable, &mut faults));
        let inline = inline(variable, &mut faults).unwrap_or(client.environment != Environment::Local);
        let collectors = user.collectors.as_ref().map(|list| {
            list.iter()
                .filter_map(|url| {
                    url.parse().map_err(|_| faults.push(format!("config.toml: collectors: {url}"))).ok()
                })
                .collect()
        });
        Self {
            disabled: truthy(variable("CPVO_DISABLE").as_deref()),
            environment,
            own,
            collectors,
            scope_max,
            scope_ignored,
            developer: variable("CPVO_DEVELOPER").or(user.developer),
            team: user.team,
            os_user: variable("USER").or_else(|| variable("USERNAME")).or_else(|| variable("LOGNAME")),
            client,
            inline,
            network: Network::read(variable),
            state: PathBuf::new(),
            home: None,
            claude_config_dir: variable("CLAUDE_CONFIG_DIR"),
            xdg_config_home: variable("XDG_CONFIG_HOME"),
            faults,
        }
    }

    fn placed(mut self, state: Option<String>) -> Self {
        match state.map(PathBuf::from) {
            Some(folder) if folder.is_absolute() => self.state = folder,
            // it would lie wherever the client happens to be started, the repository included
            Some(folder) => self.faults.push(format!(
                "CPVO_STATE_DIR: \"{}\" is no absolute path; {} is used",
                folder.display(),
                self.state.display()
            )),
            None => {}
        }
        self
    }

    /// The scope in force: the narrowest that the environment, the repository and the user's file ask for.
    pub(crate) fn scope(&self, current: &Terms) -> Scope {
        [self.environment.scope, current.scope, self.own.scope]
            .into_iter()
            .flatten()
            .chain([self.scope_max])
            .min()
            .unwrap_or(Scope::Repo)
    }

    /// How much of the identity may leave, where `terms` ask for theirs.
    pub(crate) fn identity(&self, terms: &Terms) -> Identity {
        let asked = [terms.identity, self.environment.identity, self.own.identity];
        asked.into_iter().flatten().min().unwrap_or(Identity::Person)
    }

    /// Whether branch names may leave, where `terms` ask for theirs.
    pub(crate) fn branches(&self, terms: &Terms) -> Branches {
        let asked = [terms.branches, self.environment.branches, self.own.branches];
        asked.into_iter().flatten().min().unwrap_or(Branches::Plain)
    }

    /// Whether the user's file lets a repository report there.
    pub(crate) fn allows(&self, address: &Address) -> bool {
        self.collectors
            .as_ref()
            .is_none_or(|list| list.iter().any(|allowed| allowed.origin() == address.origin()))
    }
}

impl UserFile {
    /// The file's value under the name the environment uses.
    fn get(&self, name: &str) -> Option<String> {
        match name {
            "CPVO_URL" => self.url.clone(),
            "CPVO_TOKEN" => self.token.clone(),
            "CPVO_SCOPE" => self.scope.clone(),
            "CPVO_IDENTITY" => self.identity.clone(),
            "CPVO_BRANCHES" => self.branches.clone(),
            "CPVO_DEVELOPERS" => Some(self.developers.join(",")),
            "CPVO_SINCE" => self.since.clone(),
            _ => None,
        }
    }
}

impl ClientEnvironment {
    fn from(variable: &Lookup<'_>, billing: Option<Billing>) -> Self {
        let set = |name: &str| variable(name).is_some_and(|value| !value.is_empty());
        let on = |name: &str| truthy(variable(name).as_deref());
        let remote =
            ["CODESPACES", "REMOTE_CONTAINERS", "GITPOD_WORKSPACE_ID", "CLAUDE_CODE_REMOTE", "DEVCONTAINER"];
        let environment = match () {
            () if on("CI")
                || ["GITHUB_ACTIONS", "GITLAB_CI", "BUILDKITE", "TF_BUILD"].into_iter().any(set) =>
            {
                Environment::Ci
            }
            () if remote.into_iter().any(|name| set(name) && variable(name).as_deref() != Some("false")) => {
                Environment::Remote
            }
            () => Environment::Local,
        };
        let provider = match () {
            () if on("CLAUDE_CODE_USE_BEDROCK") => Provider::Bedrock,
            () if on("CLAUDE_CODE_USE_VERTEX") => Provider::Vertex,
            () if on("CLAUDE_CODE_USE_FOUNDRY") => Provider::Foundry,
            () if variable("ANTHROPIC_BASE_URL").is_some_and(|url| !url.contains("//api.anthropic.com")) => {
                Provider::Gateway
            }
            () => Provider::Anthropic,
        };
        let metered = ["ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"].into_iter().any(set);
        let billing = match billing {
            Some(billing) => billing,
            None if provider != Provider::Anthropic || metered => Billing::Api,
            None if set("CLAUDE_CODE_OAUTH_TOKEN") => Billing::Subscription,
            None => Billing::Unknown,
        };
        Self { environment, provider, billing }
    }
}

/// How tokens are paid, where somebody says so.
pub(crate) fn billing(lookup: &Lookup<'_>, faults: &mut Vec<String>) -> Option<Billing> {
    let words = [("api", Billing::Api), ("subscription", Billing::Subscription)];
    word(lookup, "CPVO_BILLING", &words, faults)
}

/// Whether to deliver before the session's end returns, where somebody says so.
pub(crate) fn inline(lookup: &Lookup<'_>, faults: &mut Vec<String>) -> Option<bool> {
    word(lookup, "CPVO_DELIVER", &[("inline", true), ("detached", false)], faults)
}

/// What one of `words` means; any other is named in `faults` and means nothing.
fn word<T: Copy>(
    lookup: &Lookup<'_>,
    name: &str,
    words: &[(&str, T)],
    faults: &mut Vec<String>,
) -> Option<T> {
    let said = lookup(name).map(|said| said.trim().to_owned()).filter(|said| !said.is_empty())?;
    let found = words.iter().find(|(word, _)| *word == said);
    if found.is_none() {
        let allowed: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        faults.push(format!("{name}: {said:?} must be {}; it is ignored", allowed.join(" or ")));
    }
    found.map(|(_, meaning)| *meaning)
}

fn user_file(path: &std::path::Path, faults: &mut Vec<String>) -> UserFile {
    let Ok(text) = std::fs::read_to_string(path) else { return UserFile::default() };
    toml::from_str(&text).unwrap_or_else(|error| {
        // a broken file may have narrowed the scope: until it is repaired nothing is read or sent
        faults.push(format!("{}: {}; nothing is sent until it is repaired", path.display(), error.message()));
        UserFile { scope: Some("off".to_owned()), ..UserFile::default() }
    })
}

/// The folder this process was started in.
pub(crate) fn current_folder() -> PathBuf {
    std::env::current_dir().unwrap_or_default()
}

#[expect(clippy::disallowed_methods, reason = "the one door of the environment")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn config(pairs: &[(&str, &str)], user: &str, managed: Option<Scope>) -> Config {
        let lookup =
            |name: &str| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        Config::from(&lookup, toml::from_str(user).unwrap(), managed, Vec::new())
    }

    #[track_caller]
    fn scope(environment: &str, user: &str, managed: Option<Scope>, expected: Scope, ignored: bool) {
        let config = config(&[("CPVO_SCOPE", environment)], user, managed);
        assert_eq!((config.scope(&Terms::default()), config.scope_ignored), (expected, ignored));
    }

    #[test]
    fn the_environment_only_narrows() {
        scope("", "", None, Scope::Repo, false);
        scope("all", "", None, Scope::Repo, true);
        scope("off", "scope = 'all'", None, Scope::Off, false);
        scope("repo", "scope = 'all'", None, Scope::Repo, false);
        scope("", "scope = 'all'", None, Scope::All, false);
        scope("all", "scope = 'all'", None, Scope::All, false);
        scope("", "", Some(Scope::All), Scope::All, false);
        scope("", "scope = 'off'", Some(Scope::All), Scope::Off, false);
        scope("repo", "scope = 'off'", None, Scope::Off, false);

        let said = config(
            &[("CPVO_IDENTITY", "person"), ("CPVO_BRANCHES", "plain")],
            "identity = 'team'\nbranches = 'hashed'",
            None,
        );
        assert_eq!(said.identity(&Terms::default()), Identity::Team);
        assert_eq!(said.branches(&Terms::default()), Branches::Hashed);
    }

    #[track_caller]
    fn client(pairs: &[(&str, &str)], environment: Environment, provider: Provider, billing: Billing) {
        let seen = config(pairs, "", None).client;
        assert_eq!(seen, ClientEnvironment { environment, provider, billing }, "{pairs:?}");
    }

    #[test]
    fn the_client_s_variables_tell_provider_and_billing() {
        use {Billing as B, Environment as E, Provider as P};
        client(&[], E::Local, P::Anthropic, B::Unknown);
        client(&[("ANTHROPIC_API_KEY", "k")], E::Local, P::Anthropic, B::Api);
        client(&[("CLAUDE_CODE_OAUTH_TOKEN", "k")], E::Local, P::Anthropic, B::Subscription);
        client(&[("CLAUDE_CODE_USE_BEDROCK", "1")], E::Local, P::Bedrock, B::Api);
        client(&[("CLAUDE_CODE_USE_BEDROCK", "0"), ("CI", "false")], E::Local, P::Anthropic, B::Unknown);
        client(&[("CLAUDE_CODE_USE_VERTEX", "true"), ("CI", "true")], E::Ci, P::Vertex, B::Api);
        client(&[("ANTHROPIC_BASE_URL", "https://llm.acme.example")], E::Local, P::Gateway, B::Api);
        client(
            &[("ANTHROPIC_BASE_URL", "https://api.anthropic.com"), ("CPVO_BILLING", "subscription")],
            E::Local,
            P::Anthropic,
            B::Subscription,
        );
        client(&[("CODESPACES", "true")], E::Remote, P::Anthropic, B::Unknown);
    }

    #[test]
    fn machines_that_end_with_the_session_deliver_first() {
        assert!(!config(&[], "", None).inline);
        assert!(config(&[("CI", "true")], "", None).inline);
        assert!(!config(&[("CI", "true"), ("CPVO_DELIVER", "detached")], "", None).inline);
        assert!(config(&[("CPVO_DELIVER", "inline")], "", None).inline);
    }

    #[test]
    fn an_unknown_key_or_broken_file_sends_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.toml");
        std::fs::write(&path, "scoop = 'off'").unwrap();
        let mut faults = Vec::new();
        let user = user_file(&path, &mut faults);
        assert!(faults[0].contains("scoop"), "{faults:?}");
        assert_eq!(Config::from(&|_| None, user, None, faults).scope(&Terms::default()), Scope::Off);
    }
}
