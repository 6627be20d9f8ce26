//! The outbox: which reports wait for which collector, and their text. Derived from the ledger, never stored.

use crate::config::Config;
use crate::identity::{self, Identities};
use crate::install::Install;
use crate::ledger::{Collector, Key, Ledger};
use crate::report::{self, Imprint};
use crate::scope::{Destination, Routes, Scene};
use anyhow::Result;
use meter::{Developer, Repo, Report};
use std::collections::{BTreeMap, BTreeSet};

pub(crate) struct Outbox<'a> {
    config: &'a Config,
    scene: &'a Scene,
    install: &'a Install,
    routes: Routes<'a>,
    identities: Identities<'a>,
}

impl<'a> Outbox<'a> {
    pub(crate) fn new(
        config: &'a Config,
        scene: &'a Scene,
        install: &'a Install,
        ledger: &Ledger,
    ) -> Result<Self> {
        let routes = Routes::new(config, scene, ledger.folder_roots()?);
        let identities = Identities::new(config, &scene.folder);
        Ok(Self { config, scene, install, routes, identities })
    }

    /// Every collector some report goes to, with the repositories whose reports go there.
    pub(crate) fn destinations(&mut self, ledger: &Ledger) -> Result<Vec<(Destination, BTreeSet<Repo>)>> {
        let mut found: BTreeMap<(String, String), (Destination, BTreeSet<Repo>)> = BTreeMap::new();
        for repo in ledger.report_repos()? {
            let Some(destination) = self.routes.of(&repo) else { continue };
            let token = destination.token.as_ref().map(|token| token.as_str().to_owned()).unwrap_or_default();
            let place = (destination.address.to_string(), token);
            found.entry(place).or_insert_with(|| (destination, BTreeSet::new())).1.insert(repo);
        }
        Ok(found.into_values().collect())
    }

    /// The reports of `repos` that `collector` has not acknowledged as they are, oldest first.
    pub(crate) fn waiting(
        &mut self,
        ledger: &Ledger,
        collector: &Collector,
        to: &Destination,
        repos: &BTreeSet<Repo>,
    ) -> Result<Vec<(Key, u64)>> {
        let mut waiting = ledger.report_waiting(&collector.origin, &versions(collector))?;
        waiting.retain(|(key, _)| repos.contains(&key.repo));
        let mut mine = Vec::new();
        for (key, seq) in waiting {
            let developer = self.developer(ledger, &key)?;
            if self.scene.terms.admit(&developer) && to.terms.admit(&developer) {
                mine.push((key, seq));
            }
        }
        Ok(mine)
    }

    /// Whether the identity may be told as the terms ask: nothing is sent under a wider one.
    pub(crate) fn may_send(&mut self, to: &Destination) -> Result<()> {
        let anybody = self.identities.claimed(None);
        identity::sent(&anybody, self.config, &to.terms).map(drop)
    }

    /// The report of `key` as `to` would get it.
    pub(crate) fn report(
        &mut self,
        ledger: &Ledger,
        collector: &Collector,
        to: &Destination,
        (key, seq): &(Key, u64),
    ) -> Result<Report> {
        let content = ledger.content(key, to.terms.since)?;
        let claimed = self.developer(ledger, key)?;
        let imprint = Imprint {
            install_id: &self.install.id,
            secret: &self.install.secret,
            branches: self.config.branches(&to.terms),
            epoch: collector.epoch,
        };
        let developer = identity::sent(&claimed, self.config, &to.terms)?;
        Ok(report::build(key, *seq, content, developer, &imprint))
    }

    fn developer(&mut self, ledger: &Ledger, key: &Key) -> Result<Developer> {
        let known = ledger.session(&key.session)?.and_then(|session| session.developer);
        Ok(known.unwrap_or_else(|| self.identities.claimed(None)))
    }
}

/// What a report that waits for an upgrade is offered again for, once it differs.
pub(crate) fn versions(collector: &Collector) -> String {
    format!("hook {}, collector {}: ", env!("CARGO_PKG_VERSION"), collector.version)
}
