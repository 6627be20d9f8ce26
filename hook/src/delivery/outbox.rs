//! The outbox: which reports wait for which collector, and their text. Derived from the ledger, never stored.

use crate::config::Config;
use crate::delivery::report::{self, Imprint};
use crate::reader::overhead;
use crate::state::install::Install;
use crate::state::ledger::{Collector, Content, Key, Ledger, Waiting};
use crate::terms::identity::{self, Identities};
use crate::terms::scope::{Destination, Routes, Scene};
use crate::terms::stage::Stage;
use crate::totals::{self, ByDay};
use anyhow::Result;
use jiff::SignedDuration;
use meter::{Developer, Hour, PriceBook, Quality, REPORTS_MAX, Repo, Report, SessionId};
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::path::PathBuf;
use std::rc::Rc;

const BATCH_BYTES_MAX: usize = 4 << 20;

/// A report on its way.
pub(crate) struct Offer {
    pub key: Key,
    pub seq: u64,
    /// Of all that it says but its rank.
    pub digest: String,
    pub partial: bool,
    pub usage: ByDay,
}

/// What one request carries.
pub(crate) struct Batch {
    pub offers: Vec<Offer>,
    pub body: String,
    /// Snapshots met on the way that say what was answered already.
    pub unchanged: Vec<(Key, u64)>,
}

pub(crate) struct Outbox<'a> {
    config: &'a Config,
    scene: &'a Scene,
    install: &'a Install,
    /// As of the snapshot `seq` of the ledger.
    routes: Routes<'a>,
    seq: Option<u64>,
    /// By session and repository.
    found: HashMap<(SessionId, Repo), Option<Rc<Destination>>>,
    /// Which checkouts keep sessions from being sent.
    pub conflicts: BTreeSet<String>,
    identities: &'a Identities<'a>,
    /// Read only where some session's overhead is to be told.
    prices: Option<PriceBook>,
}

impl<'a> Outbox<'a> {
    pub(crate) fn new(config: &'a Config, stage: &'a Stage<'a>, install: &'a Install) -> Self {
        let scene = &stage.scene;
        Self {
            config,
            scene,
            install,
            routes: Routes::new(config, scene, HashMap::new()),
            seq: None,
            found: HashMap::new(),
            conflicts: BTreeSet::new(),
            identities: &stage.identities,
            prices: None,
        }
    }

    /// Looks up where checkouts are, where the ledger moved on since.
    fn refresh(&mut self, ledger: &Ledger) -> Result<()> {
        let seq = Some(ledger.report_seq()?);
        if self.seq != seq {
            self.routes = Routes::new(self.config, self.scene, ledger.folder_roots()?);
            self.found.clear();
            self.seq = seq;
        }
        Ok(())
    }

    /// Every collector some report goes to, as often as there are terms to send under.
    pub(crate) fn destinations(&mut self, ledger: &Ledger) -> Result<Vec<Rc<Destination>>> {
        ledger.at_once(|| {
            self.refresh(ledger)?;
            let mut found = Vec::new();
            for (repo, roots) in ledger.report_stands()? {
                let destination = self.destination(&repo, roots).map(Rc::new);
                found.extend(destination.filter(|destination| !found.contains(destination)));
            }
            Ok(found)
        })
    }

    /// Where the reports of a session about a repository go.
    fn route(&mut self, ledger: &Ledger, key: &Key) -> Result<Option<Rc<Destination>>> {
        let stand = (key.session.clone(), key.repo.clone());
        if let Some(found) = self.found.get(&stand) {
            return Ok(found.clone());
        }
        let roots = ledger.session_roots(&key.session, &key.repo)?;
        let found = self.destination(&key.repo, roots).map(Rc::new);
        self.found.insert(stand, found.clone());
        Ok(found)
    }

    fn destination(&mut self, repo: &Repo, roots: Vec<PathBuf>) -> Option<Destination> {
        let terms = self.routes.of(repo, roots).unwrap_or_else(|conflict| {
            self.conflicts.insert(conflict);
            None
        });
        terms.and_then(Destination::of)
    }

    /// Whether the report of `key` goes there.
    pub(crate) fn goes(&mut self, ledger: &Ledger, key: &Key, to: &Destination) -> Result<bool> {
        Ok(self.route(ledger, key)?.is_some_and(|found| *found == *to))
    }

    /// The reports for `to` that `collector` has not acknowledged as they are, oldest first.
    pub(crate) fn waiting(
        &mut self,
        ledger: &Ledger,
        collector: &Collector,
        to: &Destination,
    ) -> Result<VecDeque<Waiting>> {
        self.refresh(ledger)?;
        let mut mine = VecDeque::new();
        for waiting in ledger.report_waiting(&collector.origin, &versions(collector))? {
            let Waiting { key, made, developer, .. } = &waiting;
            let last = key.week.end().saturating_sub(SignedDuration::from_nanos(1))?;
            if !self.scene.only.wants(&key.repo, last) {
                continue;
            }
            let early = to.terms.since.is_some_and(|since| key.week.end() <= since);
            if early && !made || !self.goes(ledger, key, to)? {
                continue;
            }
            let developer = self.developer(developer.as_ref());
            if self.scene.admits(&to.terms, &developer) {
                mine.push_back(waiting);
            }
        }
        Ok(mine)
    }

    /// Takes as many of the reports that wait as one request carries.
    pub(crate) fn batch(
        &mut self,
        ledger: &Ledger,
        (collector, to): (&Collector, &Destination),
        waiting: &mut VecDeque<Waiting>,
        max: usize,
    ) -> Result<Batch> {
        let mut batch = Batch { offers: Vec::new(), body: String::from("["), unchanged: Vec::new() };
        while let Some(next) = waiting.front().filter(|_| batch.offers.len() < max.max(1)) {
            let report = self.report(ledger, collector, to, next)?;
            let digest = self.install.secret.hash(&report.content(), 32);
            if next.answered.as_ref() == Some(&digest) {
                batch.unchanged.push((next.key.clone(), next.seq));
                waiting.pop_front();
                continue;
            }
            let text = serde_json::to_string(&report)?;
            if !batch.offers.is_empty() {
                if batch.body.len() + text.len() + 2 > BATCH_BYTES_MAX {
                    break;
                }
                batch.body.push(',');
            }
            batch.body.push_str(&text);
            let (partial, usage) = (report.partial, totals::by_day(&report.usage));
            batch.offers.push(Offer { key: next.key.clone(), seq: next.seq, digest, partial, usage });
            waiting.pop_front();
        }
        batch.body.push(']');
        Ok(batch)
    }

    /// The body of the next request, as `preview` shows it; `None` where nothing waits.
    pub(crate) fn next(&mut self, ledger: &Ledger, to: &Destination) -> Result<Option<String>> {
        ledger.at_once(|| {
            let collector = ledger.collector(to.address.origin())?;
            let mut waiting = self.waiting(ledger, &collector, to)?;
            let batch = self.batch(ledger, (&collector, to), &mut waiting, REPORTS_MAX)?;
            Ok(Some(batch.body).filter(|_| !batch.offers.is_empty()))
        })
    }

    /// Whether the identity may be told as the terms ask: nothing is sent under a wider one.
    pub(crate) fn may_send(&mut self, to: &Destination) -> Result<()> {
        let anybody = self.identities.claimed(None);
        identity::sent(&anybody, self.config, &to.terms).map(drop)
    }

    /// The report of `key` as `to` would get it.
    fn report(
        &mut self,
        ledger: &Ledger,
        collector: &Collector,
        to: &Destination,
        Waiting { key, seq, developer, .. }: &Waiting,
    ) -> Result<Report> {
        let mut content = ledger.content(key, to.terms.since)?;
        self.itemise(ledger, to, key, &mut content)?;
        let claimed = self.developer(developer.as_ref());
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

    /// A session nobody was named for is the one's who delivers it.
    fn developer(&mut self, named: Option<&Developer>) -> Developer {
        named.cloned().unwrap_or_else(|| self.identities.claimed(None))
    }
}

/// What a report that was not taken is offered again for, once it differs.
pub(crate) fn versions(collector: &Collector) -> String {
    format!("hook {}, collector {}: ", env!("CARGO_PKG_VERSION"), collector.version)
}
