//! Delivery: offers what waits to each collector until nothing does, the time is up, or it says no.

use crate::delivery::network::Network;
use crate::delivery::outbox::{Batch, Offer, Outbox, versions};
use crate::delivery::post::{Line, Reply};
use crate::delivery::report::PARSER;
use crate::delivery::verdict::{self, Verdict};
use crate::state::ledger::{Collector, Delivery, Key, Ledger, Outcome, Refusal, Waiting};
use crate::state::secret::Secret;
use crate::terms::scope::Destination;
use crate::totals::{self, ByDay};
use anyhow::Result;
use jiff::Timestamp;
use meter::{Answer, REPORTS_MAX, Rank};
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::rc::Rc;
use std::time::{Duration, Instant};

const MISSING_MAX: usize = 4096;
/// How often a collector is asked what it lacks.
const MISSING_SECONDS: i64 = 3600;
/// Attempts of one delivery to reach a collector, the pause growing between them.
const ATTEMPTS_MAX: u32 = 3;
const PAUSE: Duration = Duration::from_millis(1500);
/// Deliveries that may fail in a row before the next one waits, how long it does then, and at most.
const FAILURES_FREE: i64 = 3;
const BACKOFF: Duration = Duration::from_mins(1);
const BACKOFF_MAX: Duration = Duration::from_mins(30);
/// What brings a delivery back whose credentials were refused.
pub(crate) const UNTIL_CHANGED: &str = "nothing is sent until CPVO_URL or CPVO_TOKEN changes";
/// A collector that answers the same report over and over is not asked a fourth time in one delivery.
const OFFERS_MAX: u32 = 3;

/// What may be done in one delivery, and what it needs to know.
#[derive(Clone, Copy)]
pub(crate) struct Terms<'a> {
    pub now: Timestamp,
    pub deadline: Instant,
    pub secret: &'a Secret,
    pub network: &'a Network,
    /// Somebody asked for it: waits that nobody imposed do not count.
    pub asked: bool,
    /// Also ask each collector what it lacks.
    pub heal: bool,
}

/// What became of a delivery.
#[derive(Debug, Default)]
pub(crate) struct Summary {
    /// Reports a collector took.
    pub taken: Vec<Key>,
    /// What they count.
    pub sent: ByDay,
    pub refused: u64,
    /// Reports to be offered again.
    pub put_off: u64,
    /// What stood in the way, one sentence for each collector.
    pub troubles: Vec<String>,
}

/// Delivers everything that waits.
pub(crate) fn run(ledger: &mut Ledger, outbox: &mut Outbox, terms: Terms) -> Result<Summary> {
    let mut summary = Summary::default();
    let destinations = outbox.destinations(ledger)?;
    let due = due(ledger, &destinations, terms)?;
    for to in destinations {
        let collector = ledger.collector(to.address.origin())?;
        let mut run = Run {
            terms,
            to: &to,
            line: Line::new(terms.network, &to, terms.deadline),
            collector,
            offers: HashMap::new(),
            queue: VecDeque::new(),
            looked: None,
        };
        let trouble = run.deliver(ledger, outbox, &mut summary)?;
        let heal = trouble.is_none() && due.contains(to.address.origin());
        let trouble = if heal { run.heal(ledger, outbox, &mut summary)? } else { trouble };
        summary.troubles.extend(trouble.map(|trouble| format!("{}: {trouble}", to.address)));
    }
    Ok(summary)
}

/// The collectors to ask what they lack: decided before any is asked, as one may be asked with several tokens.
fn due(ledger: &Ledger, all: &[Rc<Destination>], terms: Terms) -> Result<BTreeSet<String>> {
    let mut due = BTreeSet::new();
    for to in all {
        let asked_at = ledger.collector(to.address.origin())?.asked_at;
        if terms.heal && !(0..MISSING_SECONDS).contains(&(terms.now.as_second() - asked_at)) {
            due.insert(to.address.origin().to_owned());
        }
    }
    Ok(due)
}

/// A delivery to one collector with one token.
struct Run<'a> {
    terms: Terms<'a>,
    to: &'a Destination,
    line: Line<'a>,
    collector: Collector,
    offers: HashMap<Key, u32>,
    /// What is left of what waited in the snapshot `looked` of the ledger; `None` where it is to be looked up again.
    queue: VecDeque<Waiting>,
    looked: Option<u64>,
}

impl Run<'_> {
    /// Offers batch after batch; gives what stopped it, if anything did.
    fn deliver(
        &mut self,
        ledger: &mut Ledger,
        outbox: &mut Outbox,
        summary: &mut Summary,
    ) -> Result<Option<String>> {
        if let Some(reason) = self.must_wait(ledger)? {
            return Ok(Some(reason));
        }
        if let Err(error) = outbox.may_send(self.to) {
            return Ok(Some(format!("{error:#}")));
        }
        let (mut batch_max, mut attempts) = (REPORTS_MAX, 0);
        loop {
            let Batch { offers: batch, body, .. } = self.batch(ledger, outbox, batch_max)?;
            if batch.is_empty() {
                return Ok(None);
            }
            // an answer that is lost must not leave the one before it standing for what is stored there
            ledger.delivery_offered(&self.collector.origin, batch.iter().map(|offer| &offer.key))?;
            let reply = self.line.reports(&body);
            if !matches!(reply, Reply::Taken(_)) {
                // what was taken off the queue still waits
                self.looked = None;
            }
            match reply {
                Reply::Taken(answers) if verdict::fits(&batch, &answers) => {
                    attempts = 0;
                    self.record(ledger, &batch, answers, summary)?;
                }
                Reply::TooMuch(words) if batch.len() == 1 => {
                    let note =
                        format!("{}the collector refused it alone: {words}", versions(&self.collector));
                    self.note(ledger, &batch, Outcome::Refused, &note)?;
                    summary.refused += 1;
                    batch_max = REPORTS_MAX;
                }
                Reply::TooMuch(_) => batch_max = batch.len() / 2,
                Reply::Denied(words) => return self.stop(ledger, words).map(Some),
                Reply::Wait(wait) => return self.wait(ledger, wait).map(Some),
                Reply::Taken(_) => {
                    return self.fail(ledger, "its answer is not about what was sent").map(Some);
                }
                Reply::Failed(words) => {
                    attempts += 1;
                    if attempts == ATTEMPTS_MAX || !self.pause(attempts) {
                        return self.fail(ledger, &words).map(Some);
                    }
                }
            }
        }
    }

    /// Why nothing may be sent now.
    fn must_wait(&self, ledger: &Ledger) -> Result<Option<String>> {
        let credentials = self.to.credentials(self.terms.secret);
        if let Some(refusal) = ledger.refusal(&self.collector.origin, &credentials)? {
            return Ok(Some(format!("{}; {UNTIL_CHANGED}", refusal.words)));
        }
        let Collector { failures, failure, retry_at, .. } = &self.collector;
        let seconds = retry_at - self.terms.now.as_second();
        let wait = (1..=3600).contains(&seconds);
        Ok(match failures {
            0 => wait.then(|| format!("asked for a pause of {seconds} more seconds")),
            _ if self.terms.asked => None,
            _ => wait
                .then(|| format!("{failures} deliveries failed ({failure}): the next in {seconds} seconds")),
        })
    }

    /// The next reports to offer, and their JSON. What waits is looked up once, and again where the ledger moved on.
    fn batch(&mut self, ledger: &mut Ledger, outbox: &mut Outbox, max: usize) -> Result<Batch> {
        loop {
            let batch = ledger.at_once(|| {
                let seq = Some(ledger.report_seq()?);
                if self.looked != seq {
                    self.queue = outbox.waiting(ledger, &self.collector, self.to)?;
                    self.queue
                        .retain(|next| self.offers.get(&next.key).is_none_or(|offers| *offers < OFFERS_MAX));
                    self.looked = seq;
                }
                outbox.batch(ledger, (&self.collector, self.to), &mut self.queue, max)
            })?;
            if batch.unchanged.is_empty() {
                return Ok(batch);
            }
            ledger.delivery_unchanged(&self.collector.origin, &batch.unchanged)?;
            if !batch.offers.is_empty() {
                return Ok(batch);
            }
        }
    }

    /// Keeps what the collector answered to each report.
    fn record(
        &mut self,
        ledger: &mut Ledger,
        batch: &[Offer],
        answers: Vec<Answer>,
        summary: &mut Summary,
    ) -> Result<()> {
        self.succeed(ledger)?;
        let mut kept = Vec::new();
        let mut epoch = None;
        for (offer, answer) in batch.iter().zip(answers) {
            let Offer { key, seq, digest, .. } = offer;
            *self.offers.entry(key.clone()).or_default() += 1;
            match verdict::judge(answer, offer, &self.collector, self.terms.now) {
                Verdict::Keep(outcome, note) => {
                    match outcome {
                        Outcome::Done => {
                            summary.taken.push(key.clone());
                            totals::merge(&mut summary.sent, &offer.usage);
                        }
                        Outcome::Refused => summary.refused += 1,
                        // offered once in a delivery: asking again at once changes nothing
                        Outcome::Held | Outcome::Later | Outcome::Upgrade => {
                            summary.put_off += 1;
                            *self.offers.entry(key.clone()).or_default() = OFFERS_MAX;
                        }
                    }
                    let (key, digest) = (key.clone(), digest.clone());
                    kept.push(Delivery { key, seq: *seq, digest, outcome, note });
                }
                Verdict::Epoch(stored) => epoch = epoch.max(Some(stored + 1)),
                Verdict::Raise(floor) => ledger.report_raise(key, floor)?,
            }
        }
        ledger.delivery_record(&self.collector.origin, &kept, self.terms.now)?;
        if let Some(epoch) = epoch {
            self.collector.epoch = epoch;
            ledger.collector_epoch(&self.collector)?;
            self.looked = None;
        }
        Ok(())
    }

    /// Has the collector name what it lacks, and sends that.
    fn heal(
        &mut self,
        ledger: &mut Ledger,
        outbox: &mut Outbox,
        summary: &mut Summary,
    ) -> Result<Option<String>> {
        let mut done = Vec::new();
        for (key, seq) in ledger.delivery_done(&self.collector.origin)? {
            if outbox.goes(ledger, &key, self.to)? {
                done.push((key, seq));
            }
        }
        for keys in done.chunks(MISSING_MAX) {
            let asked: Vec<_> = keys.iter().map(|(key, seq)| {
                let rank = Rank { parser: PARSER, epoch: self.collector.epoch, seq: *seq };
                serde_json::json!({"session_id": key.session, "repo": key.repo, "week": key.week, "rank": rank})
            }).collect();
            match self.line.missing(&serde_json::to_string(&asked)?) {
                Reply::Taken(missing) => {
                    let missing = missing.into_iter().map(|key| Key {
                        session: key.session_id,
                        repo: key.repo,
                        week: key.week,
                    });
                    let missing: Vec<Key> = missing.collect();
                    self.offers.retain(|key, _| !missing.contains(key));
                    ledger.delivery_forget(&self.collector.origin, &missing)?;
                }
                Reply::Denied(words) => return self.stop(ledger, words).map(Some),
                Reply::Wait(wait) => return self.wait(ledger, wait).map(Some),
                Reply::TooMuch(words) | Reply::Failed(words) => return self.fail(ledger, &words).map(Some),
            }
        }
        self.collector.asked_at = self.terms.now.as_second();
        ledger.collector_set(&self.collector)?;
        self.looked = None;
        self.deliver(ledger, outbox, summary)
    }

    fn note(&self, ledger: &mut Ledger, batch: &[Offer], outcome: Outcome, note: &str) -> Result<()> {
        let answers = batch.iter().map(|Offer { key, seq, digest, .. }| Delivery {
            key: key.clone(),
            seq: *seq,
            digest: digest.clone(),
            outcome,
            note: note.to_owned(),
        });
        ledger.delivery_record(&self.collector.origin, &answers.collect::<Vec<_>>(), self.terms.now)
    }

    fn succeed(&mut self, ledger: &mut Ledger) -> Result<()> {
        if self.collector.version != self.line.version {
            // another version may take what that one did not
            self.collector.version.clone_from(&self.line.version);
            self.looked = None;
        }
        self.collector.failures = 0;
        self.collector.retry_at = 0;
        self.collector.success_at = self.terms.now.as_second();
        ledger.collector_set(&self.collector)
    }

    /// These credentials are of no use; others may be.
    fn stop(&self, ledger: &mut Ledger, words: String) -> Result<String> {
        let credentials = self.to.credentials(self.terms.secret);
        let refusal = Refusal { words, at: self.terms.now.as_second() };
        ledger.refusal_set(&self.collector.origin, &credentials, &refusal)?;
        Ok(refusal.words)
    }

    fn wait(&mut self, ledger: &mut Ledger, wait: Duration) -> Result<String> {
        let seconds = i64::try_from(wait.as_secs()).unwrap_or(i64::MAX);
        self.collector.failures = 0;
        self.collector.retry_at = self.terms.now.as_second().saturating_add(seconds);
        self.note_failure(ledger, &format!("asked for a pause of {seconds} seconds"))
    }

    fn fail(&mut self, ledger: &mut Ledger, words: &str) -> Result<String> {
        self.collector.failures += 1;
        let wait = jittered(backoff(self.collector.failures)).as_secs();
        self.collector.retry_at = self.terms.now.as_second().saturating_add_unsigned(wait);
        self.note_failure(ledger, words)
    }

    fn note_failure(&mut self, ledger: &mut Ledger, words: &str) -> Result<String> {
        self.collector.failure_at = self.terms.now.as_second();
        words.clone_into(&mut self.collector.failure);
        // after a failure it is worth asking what arrived all the same
        self.collector.asked_at = 0;
        ledger.collector_set(&self.collector)?;
        Ok(words.to_owned())
    }

    /// Waits before the next attempt; `false` where no time is left for it.
    fn pause(&self, attempts: u32) -> bool {
        let pause = jittered(PAUSE * attempts);
        let left = self.terms.deadline.saturating_duration_since(Instant::now());
        if pause >= left {
            return false;
        }
        std::thread::sleep(pause);
        true
    }
}

/// How long no delivery is begun after so many that failed in a row. The first ones cost nothing: a collector that
/// is started again gets what waits at the next start.
fn backoff(failures: i64) -> Duration {
    match failures - FAILURES_FREE {
        ..0 => Duration::ZERO,
        doublings => (BACKOFF * (1 << doublings.min(8))).min(BACKOFF_MAX),
    }
}

/// Between half of it and half as much again: not as long as anybody else.
fn jittered(pause: Duration) -> Duration {
    let jitter = crate::state::secret::random::<1>().map_or(128, |[byte]| byte);
    pause * (128 + u32::from(jitter)) / 256
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(failures: i64, minutes: u64) {
        assert_eq!(backoff(failures), Duration::from_mins(minutes), "after {failures} failures");
    }

    #[test]
    fn a_collector_that_keeps_failing_is_asked_ever_more_rarely() {
        check(0, 0);
        check(2, 0);
        check(3, 1);
        check(4, 2);
        check(7, 16);
        check(8, 30);
        check(i64::MAX, 30);
    }

    #[test]
    fn jitter_takes_or_adds_at_most_half() {
        let pause = Duration::from_mins(1);
        for _ in 0..100 {
            assert!((pause / 2..pause * 3 / 2).contains(&jittered(pause)));
        }
    }
}
