//! The outbox: which reports wait for which collector, and their text. Derived from the ledger, never stored.

use crate::config::Config;
use crate::identity::{self, Identities};
use crate::install::Install;
use crate::ledger::{Collector, Content, Key, Ledger};
use crate::overhead;
use crate::report::{self, Imprint};
use crate::scope::{Destination, Routes, Scene};
use anyhow::Result;
use meter::{Developer, Hour, PriceBook, Quality, Repo, Report, SessionId};
use std::collections::{BTreeSet, HashMap};

pub(crate) struct Outbox<'a> {
    config: &'a Config,
    scene: &'a Scene,
    install: &'a Install,
    routes: Routes<'a>,
    /// By session and repository.
    found: HashMap<(SessionId, Repo), Option<Destination>>,
    /// Which checkouts keep sessions from being sent.
    pub conflicts: BTreeSet<String>,
    identities: Identities<'a>,
    /// Read only where some session's overhead is to be told.
    prices: Option<PriceBook>,
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
        let (found, conflicts) = (HashMap::new(), BTreeSet::new());
        Ok(Self { config, scene, install, routes, found, conflicts, identities, prices: None })
    }

    /// Every collector some report goes to, as often as there are terms to send under.
    pub(crate) fn destinations(&mut self, ledger: &Ledger) -> Result<Vec<Destination>> {
        let mut found = Vec::new();
        for (key, _) in ledger.report_all()? {
            let Some(destination) = self.route(ledger, &key)? else { continue };
            if !found.contains(&destination) {
                found.push(destination);
            }
        }
        Ok(found)
    }

    /// Where the report of `key` goes.
    fn route(&mut self, ledger: &Ledger, key: &Key) -> Result<Option<Destination>> {
        let place = (key.session.clone(), key.repo.clone());
        if let Some(found) = self.found.get(&place) {
            return Ok(found.clone());
        }
        let found = self.routes.of(&key.repo, ledger.session_roots(key)?).unwrap_or_else(|conflict| {
            self.conflicts.insert(conflict);
            None
        });
        self.found.insert(place, found.clone());
        Ok(found)
    }

    /// Whether the report of `key` goes there.
    pub(crate) fn goes(&mut self, ledger: &Ledger, key: &Key, to: &Destination) -> Result<bool> {
        Ok(self.route(ledger, key)?.as_ref() == Some(to))
    }

    /// The reports for `to` that `collector` has not acknowledged as they are, oldest first.
    pub(crate) fn waiting(
        &mut self,
        ledger: &Ledger,
        collector: &Collector,
        to: &Destination,
    ) -> Result<Vec<(Key, u64)>> {
        let waiting = ledger.report_waiting(&collector.origin, &versions(collector))?;
        let mut mine = Vec::new();
        for (key, seq) in waiting {
            let early = to.terms.since.is_some_and(|since| key.week.end() <= since);
            if !self.goes(ledger, &key, to)? || early && !ledger.delivery_made(&collector.origin, &key)? {
                continue;
            }
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
        let mut content = ledger.content(key, to.terms.since)?;
        self.itemise(ledger, to, key, &mut content)?;
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

    /// Adds the session's overhead to the report its last line belongs to, or says that it cannot be told.
    fn itemise(&mut self, ledger: &Ledger, to: &Destination, key: &Key, content: &mut Content) -> Result<()> {
        let Some(account) = ledger.account(&key.session)?.filter(|account| account.last == *key) else {
            return Ok(());
        };
        if account.state.is_none() && account.compactions == 0 {
            return Ok(());
        }
        let (mut responses, mut quality) = (Vec::new(), Quality::default());
        let mut whole = !account.cut;
        for key in &account.keys {
            let part = ledger.content(key, None)?;
            let empty = part.rows.is_empty() && part.quality.lines == 0;
            whole &= empty || self.goes(ledger, key, to)?;
            whole &= part.started_at.is_none_or(|at| to.terms.since.is_none_or(|since| at >= since));
            quality.interrupted += part.quality.interrupted;
            quality.unknown_usage += part.quality.unknown_usage;
            responses.extend(part.rows);
        }
        let session = overhead::Session {
            account: account.state.as_ref(),
            responses: &responses,
            hour: Hour::of(account.last_at),
            whole,
            interruptions: account.interruptions + quality.interrupted,
            unknown_usage: quality.unknown_usage,
            forked: account.forked,
            stale: account.stale,
            compactions: account.compactions,
        };
        match overhead::rows(&session, self.prices.get_or_insert_with(PriceBook::embedded)) {
            Ok(rows) => content.rows.extend(rows),
            Err(_) => content.quality.unitemised = 1,
        }
        Ok(())
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
