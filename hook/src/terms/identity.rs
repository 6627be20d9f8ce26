//! Who a session is claimed for, and how much of that leaves the machine.

use crate::checkout::git::{self, Asked};
use crate::checkout::repository::nearest;
use crate::config::Config;
use crate::terms::{Identity, Terms};
use anyhow::{Context, Result, bail};
use meter::{Developer, Email};
use std::cell::RefCell;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// Whom the folders asked for so far belong to.
pub(crate) struct Identities<'a> {
    config: &'a Config,
    /// The hook's own folder: what counts where a session's folder names nobody.
    own: PathBuf,
    emails: RefCell<HashMap<PathBuf, Option<Email>>>,
    /// What git was asked and has not yet been heard.
    asked: RefCell<HashMap<PathBuf, Asked>>,
}

impl<'a> Identities<'a> {
    pub(crate) fn new(config: &'a Config, own: &Path) -> Self {
        Self { config, own: own.to_owned(), emails: RefCell::default(), asked: RefCell::default() }
    }

    /// Has git look for whom [`Self::claimed`] will name, while other work is done.
    pub(crate) fn ask(&self, folder: &Path) {
        if let Some(folder) = nearest(folder).filter(|_| self.named().is_none()) {
            self.asked.borrow_mut().insert(folder.to_owned(), git::email(folder));
        }
    }

    /// The developer whose session last stood in `folder`.
    pub(crate) fn claimed(&self, folder: Option<&Path>) -> Developer {
        if let Some(developer) = self.named() {
            return developer;
        }
        let email = folder.and_then(|folder| self.email(folder)).or_else(|| self.email(&self.own));
        email.map_or_else(|| os_user(self.config), Developer::Email)
    }

    /// `CPVO_DEVELOPER`; what is no email maps to nobody.
    fn named(&self) -> Option<Developer> {
        let name = self.config.developer.as_deref().map(str::trim).filter(|name| !name.is_empty())?;
        Some(name.parse().map_or_else(|_| Developer::OsUser(bounded(name)), Developer::Email))
    }

    fn email(&self, folder: &Path) -> Option<Email> {
        let folder = nearest(folder)?;
        if let Some(email) = self.emails.borrow().get(folder) {
            return email.clone();
        }
        let asked = self.asked.borrow_mut().remove(folder).unwrap_or_else(|| git::email(folder));
        let email = asked.answer().and_then(|text| text.trim().parse().ok());
        self.emails.borrow_mut().insert(folder.to_owned(), email.clone());
        email
    }
}

fn os_user(config: &Config) -> Developer {
    Developer::OsUser(bounded(config.os_user.as_deref().unwrap_or("unknown")))
}

fn bounded(name: &str) -> meter::Text<64> {
    name.chars().filter(|c| !c.is_control()).take(16).collect::<String>().parse().unwrap_or_default()
}

/// What may leave of `developer`, under `terms`.
pub(crate) fn sent(developer: &Developer, config: &Config, terms: &Terms) -> Result<Developer> {
    match config.identity(terms) {
        Identity::Person => Ok(developer.clone()),
        Identity::Team => {
            let team =
                config.team.as_deref().context("CPVO_IDENTITY=team needs `team = \"…\"` in config.toml")?;
            Ok(Developer::Team(team.parse().context("team in config.toml")?))
        }
        Identity::Pseudonym => {
            bail!("CPVO_IDENTITY=pseudonym needs a device that is enrolled; nothing is sent until then")
        }
    }
}
