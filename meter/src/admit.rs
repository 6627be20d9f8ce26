//! Whether a snapshot replaces the one the collector has.

use crate::report::{Developer, Rank};
use crate::text::InstallId;
use serde::{Deserialize, Serialize};

/// How the identity behind a report is known, weakest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trust {
    /// A repository token: whoever can read the repository.
    Claimed,
    /// A device key enrolled by a one-time code.
    Enrolled,
    /// The job identity of a CI system.
    Ci,
    /// A device key enrolled through the company's identity provider.
    Verified,
}

impl Trust {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Claimed => "claimed",
            Self::Enrolled => "enrolled",
            Self::Ci => "ci",
            Self::Verified => "verified",
        }
    }

    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Claimed, Self::Enrolled, Self::Ci, Self::Verified]
            .into_iter()
            .find(|trust| trust.as_str() == word)
    }
}

/// Who sends a snapshot, or sent the stored ones of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sender {
    pub install_id: InstallId,
    pub developer: Developer,
    pub trust: Trust,
}

/// What admission must know of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    pub rank: Rank,
    pub partial: bool,
    pub requests: u64,
    /// Output tokens: what grows where a response that was cut off is read again, whole.
    pub output: u64,
    /// A digest of the content without the rank.
    pub digest: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// Replace what is stored.
    Apply,
    /// Content is equal: keep the higher rank.
    Same,
    /// What is stored is newer, or full where this is partial.
    Stale,
    /// Another ledger's snapshot would lower the total.
    Held,
    /// The session belongs to another identity.
    Owned,
}

/// Judges `new` of `sender` against the snapshot `stored` under its key and the `owner` of its session.
///
/// Only a higher `parser` or the ledger that wrote the stored snapshot may lower a total; a partial
/// snapshot never replaces a full one, and a full one always replaces a partial one of a lower rank.
pub fn admit(owner: Option<&Sender>, stored: Option<&Stored>, sender: &Sender, new: &Stored) -> Admission {
    if owner.is_some_and(|owner| !may_write(owner, sender)) {
        return Admission::Owned;
    }
    let Some(stored) = stored else { return Admission::Apply };
    if new.digest == stored.digest {
        return Admission::Same;
    }
    if (new.partial && !stored.partial) || new.rank <= stored.rank {
        return Admission::Stale;
    }
    let same_ledger = new.rank.epoch == stored.rank.epoch;
    let newer_rules = new.rank.parser > stored.rank.parser;
    let completes = stored.partial && !new.partial;
    let lower = new.requests < stored.requests || new.output < stored.output;
    if !same_ledger && !newer_rules && !completes && lower {
        return Admission::Held;
    }
    Admission::Apply
}

/// A session belongs to the installation that first sent it; the same developer may go on elsewhere.
fn may_write(owner: &Sender, sender: &Sender) -> bool {
    if sender.trust != owner.trust {
        return sender.trust > owner.trust;
    }
    sender.install_id == owner.install_id || sender.developer == owner.developer
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sender(install: char, email: &str, trust: Trust) -> Sender {
        Sender {
            install_id: install.to_string().repeat(32).parse().unwrap(),
            developer: Developer::Email(email.parse().unwrap()),
            trust,
        }
    }

    fn snapshot(rank: (u32, u64, u64), requests: u64) -> Stored {
        let rank = Rank { parser: rank.0, epoch: rank.1, seq: rank.2 };
        Stored { rank, partial: false, requests, output: 50, digest: format!("{rank:?}{requests}") }
    }

    #[track_caller]
    fn check(stored: &Stored, new: &Stored, expected: Admission) {
        let ana = sender('a', "ana@acme.example", Trust::Claimed);
        assert_eq!(admit(Some(&ana), Some(stored), &ana, new), expected);
    }

    #[test]
    fn the_higher_rank_replaces() {
        check(&snapshot((1, 10, 1), 5), &snapshot((1, 10, 2), 6), Admission::Apply);
        check(&snapshot((1, 10, 2), 6), &snapshot((1, 10, 1), 5), Admission::Stale);
        check(&snapshot((1, 10, 9), 6), &snapshot((1, 11, 1), 7), Admission::Apply);
        check(&snapshot((1, 10, 2), 6), &snapshot((1, 10, 2), 7), Admission::Stale);
    }

    #[test]
    fn only_newer_rules_or_the_same_ledger_may_lower_a_total() {
        check(&snapshot((1, 10, 1), 5), &snapshot((1, 10, 2), 4), Admission::Apply);
        check(&snapshot((1, 10, 1), 5), &snapshot((1, 11, 1), 4), Admission::Held);
        check(&snapshot((1, 10, 1), 5), &snapshot((1, 11, 1), 5), Admission::Apply);
        check(&snapshot((1, 10, 1), 5), &snapshot((2, 11, 1), 4), Admission::Apply);
        let drafts = |rank| Stored { output: 49, ..snapshot(rank, 5) };
        check(&snapshot((1, 10, 1), 5), &drafts((1, 11, 1)), Admission::Held);
        let draft_and_more = Stored { output: 49, ..snapshot((1, 11, 1), 6) };
        check(&snapshot((1, 10, 1), 5), &draft_and_more, Admission::Held);
        check(&snapshot((1, 10, 1), 5), &drafts((1, 10, 2)), Admission::Apply);
        check(&drafts((1, 10, 1)), &snapshot((1, 11, 1), 5), Admission::Apply);
    }

    #[test]
    fn equal_content_is_the_same_whatever_its_rank() {
        let stored = snapshot((1, 10, 5), 5);
        for rank in [(1, 10, 1), (1, 10, 9), (2, 3, 1)] {
            check(&stored, &Stored { digest: stored.digest.clone(), ..snapshot(rank, 5) }, Admission::Same);
        }
    }

    #[test]
    fn partial_never_replaces_full() {
        let full = snapshot((1, 10, 1), 5);
        let part = Stored { partial: true, digest: "part".into(), ..snapshot((2, 12, 9), 9) };
        check(&full, &part, Admission::Stale);
        check(
            &Stored { rank: full.rank, ..part },
            &Stored { requests: 1, ..snapshot((1, 11, 1), 1) },
            Admission::Apply,
        );
    }

    #[test]
    fn a_session_stays_with_its_owner() {
        let ana = sender('a', "ana@acme.example", Trust::Claimed);
        let new = snapshot((1, 1, 1), 1);
        let judge = |other: &Sender| admit(Some(&ana), None, other, &new);
        assert_eq!(judge(&sender('a', "ana.new@acme.example", Trust::Claimed)), Admission::Apply);
        assert_eq!(judge(&sender('b', "ana@acme.example", Trust::Claimed)), Admission::Apply);
        assert_eq!(judge(&sender('b', "bob@acme.example", Trust::Claimed)), Admission::Owned);
        assert_eq!(judge(&sender('b', "bob@acme.example", Trust::Verified)), Admission::Apply);
        let enrolled = sender('a', "ana@acme.example", Trust::Enrolled);
        assert_eq!(admit(Some(&enrolled), None, &ana, &new), Admission::Owned);
    }

    proptest! {
        #[test]
        fn in_any_order_the_newest_of_one_ledger_wins(order in Just((1..=6u64).collect::<Vec<_>>()).prop_shuffle()) {
            let ana = sender('a', "ana@acme.example", Trust::Claimed);
            let mut stored: Option<Stored> = None;
            for seq in order.iter().chain(&order) {
                let new = snapshot((1, 10, *seq), 100 - seq);
                if admit(Some(&ana), stored.as_ref(), &ana, &new) == Admission::Apply {
                    stored = Some(new);
                }
            }
            prop_assert_eq!(stored.unwrap().rank.seq, 6);
        }
    }
}
