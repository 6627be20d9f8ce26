//! The verdict: what a collector's answer to one report means for it.

use crate::delivery::outbox::{Offer, versions};
use crate::delivery::report::PARSER;
use crate::state::ledger::{Collector, Outcome};
use jiff::Timestamp;
use meter::{Answer, FaultCode, Rank, Retry, Status};

/// What becomes of a report.
pub(crate) enum Verdict {
    Keep(Outcome, String),
    /// The ledger is to take the epoch after this one: that of another ledger's snapshot, of what this one was before it
    /// was put back, or now.
    Epoch(u64),
    /// The stored snapshot of this ledger has that number.
    Raise(u64),
}

/// Whether the answers are about the reports that were sent, in their order.
pub(crate) fn fits(batch: &[Offer], answers: &[Answer]) -> bool {
    let about = |(Offer { key, .. }, answer): (&Offer, &Answer)| {
        let same = |said: &Option<String>, sent: &str| said.as_deref().is_none_or(|said| said == sent);
        same(&answer.session_id, key.session.as_str())
            && same(&answer.repo, key.repo.as_str())
            && same(&answer.week, &key.week.to_string())
    };
    batch.len() == answers.len() && batch.iter().zip(answers).all(about)
}

/// What to do about `answer`, at `now`.
pub(crate) fn judge(answer: Answer, offer: &Offer, collector: &Collector, now: Timestamp) -> Verdict {
    let said = answer.fault.as_ref().map(|fault| fault.message.clone()).unwrap_or_default();
    match (answer.status, answer.fault, answer.stored_rank) {
        (Status::Applied | Status::Same, _, _) => Verdict::Keep(Outcome::Done, String::new()),
        (Status::Stale, _, Some(stored)) => overtake(stored, offer, collector, now),
        (Status::Stale, _, None) => Verdict::Keep(Outcome::Later, "stale without a rank".to_owned()),
        (Status::Held, _, _) => Verdict::Keep(Outcome::Held, versions(collector) + &said),
        (Status::Rejected, Some(fault), _) => match fault.retry {
            Retry::Never => Verdict::Keep(Outcome::Refused, versions(collector) + &said),
            // born while the clock was ahead, which it is no longer
            Retry::Later if fault.code == FaultCode::Future && collector.epoch > epoch_max(now) => {
                Verdict::Epoch(seconds(now))
            }
            Retry::Later => Verdict::Keep(Outcome::Later, said),
            Retry::AfterUpgrade => Verdict::Keep(Outcome::Upgrade, versions(collector) + &said),
        },
        (Status::Rejected, None, _) => Verdict::Keep(Outcome::Later, "rejected without a reason".to_owned()),
    }
}

/// A higher rank is stored: this ledger outranks it, unless what is stored is fuller or read by newer rules.
fn overtake(stored: Rank, offer: &Offer, collector: &Collector, now: Timestamp) -> Verdict {
    let own = Rank { parser: PARSER, epoch: collector.epoch, seq: offer.seq };
    match () {
        () if offer.partial || stored < own => Verdict::Keep(Outcome::Done, String::new()),
        () if stored.parser > own.parser => {
            let note = format!("{}a newer hook has sent this session", versions(collector));
            Verdict::Keep(Outcome::Upgrade, note)
        }
        // its answer was lost, and the report has changed since without a new number
        () if (stored.epoch, stored.seq) == (own.epoch, own.seq) => Verdict::Raise(stored.seq),
        // outbidding it would lead to where no epoch is left for any ledger
        () if stored.epoch > epoch_max(now) => {
            let note = format!("stored under epoch {}, which lies in the future", stored.epoch);
            Verdict::Keep(Outcome::Later, note)
        }
        () => Verdict::Epoch(stored.epoch),
    }
}

/// Epochs are births of ledgers: a clock may be a day ahead.
fn epoch_max(now: Timestamp) -> u64 {
    seconds(now) + 86_400
}

fn seconds(now: Timestamp) -> u64 {
    u64::try_from(now.as_second()).unwrap_or_default()
}
