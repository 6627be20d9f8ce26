//! Where a row may go: the scope and the routing rule, and what they are decided by.

use crate::checkout::repository::{self, Checkout};
use crate::config::Config;
use crate::state::secret::Secret;
use crate::terms::collector::{Address, Token};
use crate::terms::settings;
use crate::terms::{Scope, Terms};
use jiff::Timestamp;
use meter::{Developer, Repo};
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// What a person wants of what is in scope.
#[derive(Debug, Clone, Default)]
pub(crate) struct Only {
    pub since: Option<Timestamp>,
    /// The end of a repository's name.
    pub repo: Option<String>,
}

impl Only {
    /// Whether what happened in `repo` until `at` is wanted.
    pub(crate) fn wants(&self, repo: &Repo, at: Timestamp) -> bool {
        let repo = repo.as_str().to_lowercase();
        let named = |name: &String| format!("/{repo}").ends_with(&format!("/{}", name.to_lowercase()));
        self.since.is_none_or(|since| at >= since) && self.repo.as_ref().is_none_or(named)
    }
}

/// Where a hook runs, and what applies there.
#[derive(Debug, Clone)]
pub(crate) struct Scene {
    /// The environment's terms, else the repository's, else the user's own.
    pub terms: Terms,
    pub scope: Scope,
    /// Nothing earlier is sent, wherever it goes: the user's own bound.
    since: Option<Timestamp>,
    /// Where rows go whose repository ships nothing.
    fallback: Terms,
    pub only: Only,
}

impl Scene {
    /// `all` is what a user typed.
    pub(crate) fn of(folder: &Path, checkout: Option<&Checkout>, config: &Config, all: bool) -> Self {
        let shipped = checkout.and_then(|checkout| shipped_near(folder, checkout)).unwrap_or_default();
        let environment = config.environment.clone();
        let terms = environment.clone().or(shipped.clone()).or(config.own.clone());
        let narrowed = config.scope(&shipped);
        let scope = if all && narrowed > Scope::Off { Scope::All } else { narrowed };
        // an address that the repository itself ships speaks for its own rows only, where the user names one
        let from_shell = origin(&environment) != origin(&shipped);
        let fallback = match config.own.address {
            Some(_) if !from_shell || environment.address.is_none() => config.own.clone(),
            _ => terms.clone(),
        };
        Self { terms, scope, since: config.own.since, fallback, only: Only::default() }
    }

    /// Whether rows of this developer may go where `terms` send them.
    pub(crate) fn admits(&self, terms: &Terms, developer: &Developer) -> bool {
        self.terms.admit(developer) && terms.admit(developer)
    }
}

/// The terms in the checkout's top folder, or in the nearest one below it that `folder` lies in.
fn shipped_near(folder: &Path, checkout: &Checkout) -> Option<Terms> {
    folder
        .ancestors()
        .take_while(|path| path.starts_with(&checkout.root))
        .find_map(settings::shipped)
        .or_else(|| settings::shipped(&checkout.root))
}

/// A collector, the token for it, and the terms under which rows go there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Destination {
    pub address: Address,
    pub token: Option<Token>,
    pub terms: Terms,
}

impl Destination {
    /// None where no collector is named.
    pub(crate) fn of(terms: Terms) -> Option<Self> {
        Some(Self { address: terms.address.clone()?, token: terms.token.clone(), terms })
    }

    /// What a collector may refuse, without keeping the token itself.
    pub(crate) fn credentials(&self, secret: &Secret) -> String {
        let token = self.token.as_ref().map_or("", Token::as_str);
        secret.hash(&format!("{} {token}", self.address), 16)
    }
}

/// Where rows go.
pub(crate) struct Routes<'a> {
    config: &'a Config,
    scene: &'a Scene,
    /// Every checkout of each repository that some session stood in.
    known: HashMap<Repo, Vec<PathBuf>>,
    found: HashMap<(Repo, Vec<PathBuf>), Routed>,
}

/// The terms rows may be sent under, none, or which two checkouts disagree about them.
pub(crate) type Routed = Result<Option<Terms>, String>;

impl<'a> Routes<'a> {
    pub(crate) fn new(config: &'a Config, scene: &'a Scene, known: HashMap<Repo, Vec<PathBuf>>) -> Self {
        Self { config, scene, known, found: HashMap::new() }
    }

    /// What is in scope: the terms for rows of `repo` and a session that stood in its checkouts at `roots`.
    pub(crate) fn of(&mut self, repo: &Repo, roots: Vec<PathBuf>) -> Routed {
        let stand = (repo.clone(), roots);
        if let Some(found) = self.found.get(&stand) {
            return found.clone();
        }
        let found = self.find(&stand.0, &stand.1);
        self.found.insert(stand, found.clone());
        found
    }

    fn find(&self, repo: &Repo, roots: &[PathBuf]) -> Routed {
        let known = self.known.get(repo).map(Vec::as_slice).unwrap_or_default();
        let own: Vec<&PathBuf> = roots.iter().filter(|root| root.is_dir()).collect();
        // a folder that merely claims to be a checkout has no say while one is there that the session stood in
        let speaking = if own.is_empty() { known.iter().collect() } else { own };
        let grounds: Vec<Ground> = speaking.into_iter().map(|root| Ground::of(root)).collect();
        let shipped =
            agreed(repo, &grounds)?.map(|terms| Terms { token: self.token(&terms, known), ..terms });
        // who turned one checkout off meant the session
        let off = grounds.iter().any(|ground| ground.off);
        let shipped =
            shipped.map(|terms| Terms { scope: if off { Some(Scope::Off) } else { terms.scope }, ..terms });
        let allowed = |terms: &Terms| terms.address.as_ref().is_none_or(|to| self.config.allows(to));
        Ok(route(self.scene, shipped).filter(allowed))
    }

    /// The token to use under `terms`: it is replaced in one checkout before it is in the others.
    fn token(&self, terms: &Terms, known: &[PathBuf]) -> Option<Token> {
        let current = &self.scene.terms;
        let shipped = known.iter().filter_map(|root| settings::shipped(root));
        let replaced = |other: Terms| other.token == current.token && origin(&other) == origin(terms);
        if shipped.into_iter().any(replaced) { current.token.clone() } else { terms.token.clone() }
    }
}

/// A checkout a session stood in, and what is asked for there.
struct Ground {
    root: PathBuf,
    shipped: Option<Terms>,
    off: bool,
}

impl Ground {
    /// What the checkout itself does not say, the main working tree of its repository does.
    fn of(root: &Path) -> Self {
        let checkout = repository::find(root, &Secret::of([0; 32]));
        let (top, main) = checkout.as_ref().map_or((None, None), |found| (Some(&*found.root), found.main()));
        let folders = || [Some(root), top, main].into_iter().flatten();
        let shipped = folders().find_map(settings::shipped);
        Self { root: root.to_owned(), shipped, off: folders().any(settings::turned_off) }
    }
}

/// The terms that all of `grounds` ship, or how two of them differ.
fn agreed(repo: &Repo, grounds: &[Ground]) -> Result<Option<Terms>, String> {
    let mut shipped = grounds.iter().filter_map(|ground| Some((&ground.root, ground.shipped.as_ref()?)));
    let Some((first, terms)) = shipped.next() else { return Ok(None) };
    if let Some((other, _)) = shipped.find(|(_, other)| origin(other) != origin(terms)) {
        let (first, other) = (first.display(), other.display());
        return Err(format!(
            "{repo}: {first} and {other} name different collectors; sessions of both are not sent"
        ));
    }
    Ok(Some(terms.clone()))
}

/// The rule itself: `shipped` are the terms of the row's own repository.
fn route(scene: &Scene, shipped: Option<Terms>) -> Option<Terms> {
    Some(match (scene.scope, shipped) {
        (Scope::Off, _) | (Scope::Repo, None) => return None,
        (Scope::Repo, Some(shipped)) if origin(&shipped) != origin(&scene.terms) => return None,
        (Scope::Repo | Scope::All, Some(shipped)) if shipped.scope == Some(Scope::Off) => return None,
        (Scope::Repo | Scope::All, Some(shipped)) => {
            // another repository's own bound says nothing of this one's rows
            let since = shipped.since.or(scene.terms.since).max(scene.since);
            Terms { since, ..shipped.or(scene.terms.clone()) }
        }
        (Scope::All, None) => scene.fallback.clone(),
    })
}

fn origin(terms: &Terms) -> Option<&str> {
    terms.address.as_ref().map(Address::origin)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms(url: &str) -> Terms {
        Terms {
            address: url.parse().ok(),
            token: Token::parse(&format!("token-of-{url}")),
            ..Terms::default()
        }
    }

    #[test]
    fn a_repository_is_wanted_by_the_end_of_its_name() {
        let wants = |name: &str, at: i64| {
            let since = Timestamp::from_second(100).ok();
            let only = Only { since, repo: Some(name.to_owned()) };
            only.wants(&"git.example/Acme/pay".parse().unwrap(), Timestamp::from_second(at).unwrap())
        };
        for name in ["pay", "acme/pay", "git.example/Acme/pay"] {
            assert!(wants(name, 100) && !wants(name, 99), "{name}");
        }
        for name in ["ay", "acme", "example/acme/pay", "git.example/acme/pay2"] {
            assert!(!wants(name, 100), "{name}");
        }
    }

    #[track_caller]
    fn check(scope: Scope, shipped: Option<&str>, expected: Option<&str>) {
        let scene = Scene {
            terms: terms("https://here.example"),
            scope,
            since: None,
            fallback: terms("https://rest.example"),
            only: Only::default(),
        };
        let found = route(&scene, shipped.map(terms));
        let address = found.as_ref().and_then(|found| found.address.as_ref()).map(ToString::to_string);
        assert_eq!(address.as_deref(), expected, "{scope:?} {shipped:?}");
        if let Some(found) = found {
            assert_eq!(found.token.unwrap().as_str(), format!("token-of-{}", expected.unwrap()));
        }
    }

    #[test]
    fn rows_go_to_the_collector_their_own_repository_ships() {
        check(Scope::Repo, Some("https://here.example"), Some("https://here.example"));
        check(Scope::Repo, Some("https://else.example"), None);
        check(Scope::Repo, None, None);
        check(Scope::All, Some("https://here.example"), Some("https://here.example"));
        check(Scope::All, Some("https://else.example"), Some("https://else.example"));
        check(Scope::All, None, Some("https://rest.example"));
        check(Scope::Off, Some("https://here.example"), None);
        check(Scope::Off, None, None);
    }
}
