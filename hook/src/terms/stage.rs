//! `Stage`: where a command runs, for whom, and whether anything may happen there.

use crate::checkout::repository::{self, Checkout};
use crate::config::Config;
use crate::state::secret::Secret;
use crate::terms::Scope;
use crate::terms::identity::Identities;
use crate::terms::scope::Scene;
use crate::terms::settings;
use meter::Developer;
use std::path::Path;

pub(crate) struct Stage<'a> {
    pub scene: Scene,
    pub checkout: Option<Checkout>,
    /// Of everybody who was asked for on this stage: git is slow to tell.
    pub identities: Identities<'a>,
}

impl<'a> Stage<'a> {
    /// `all` is what a user typed.
    pub(crate) fn set(folder: &Path, config: &'a Config, all: bool) -> Self {
        // the name of a repository without remote is not needed here, so nothing need be kept to hash it
        let checkout = repository::find(folder, &Secret::of([0; 32]));
        let scene = Scene::of(folder, checkout.as_ref(), config, all);
        let identities = Identities::new(config, folder);
        identities.ask(folder);
        Self { scene, checkout, identities }
    }

    /// Who is here.
    pub(crate) fn developer(&self) -> Developer {
        self.identities.claimed(None)
    }

    fn turned_off(&self) -> bool {
        self.checkout.as_ref().is_some_and(|checkout| settings::turned_off(&checkout.root))
    }

    /// Why nothing may be read, stored or sent here, if so.
    pub(crate) fn closed(&self, config: &Config) -> Option<String> {
        match () {
            () if config.disabled => Some("CPVO_DISABLE is set".to_owned()),
            () if self.turned_off() => {
                Some("this checkout's .claude/settings.local.json turns it off".to_owned())
            }
            () if self.scene.scope == Scope::Off => Some("the scope is off".to_owned()),
            // git is not waited for where nobody is left out
            () if self.scene.terms.developers.is_empty() => None,
            () if !self.scene.terms.admit(&self.developer()) => {
                Some(format!("{} is not among CPVO_DEVELOPERS", self.developer().name()))
            }
            () => None,
        }
    }
}
