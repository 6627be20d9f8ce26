//! How a team delivers: what leaders ask beside the cost of an outcome. Of teams, never of people.

mod flow;
mod incident;
mod kind;
mod lines;
mod shipping;

pub use flow::{Flow, Reviewed, Reviews, Usual, review_estimate};
pub use incident::{Incident, Outage, Outages};
pub use kind::{Kind, Labels, Portion, is_labelled};
pub use lines::{Lines, Surviving, state_at};
pub use shipping::{Ship, ShipRule, Shipment, Shipments, is_release, shipped};

use crate::interval::{Interval, Ppm, share_change};
use crate::money::NanoUsd;
use crate::outcome::{State, Tally};
use crate::percentile::percentile;
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;

/// A change that shipped, as far as its sources tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shipped {
    pub repo: String,
    pub state: State,
    /// It takes another change back or mends it.
    pub is_repair: bool,
    /// Nothing of the week it shipped in can be lost any more.
    pub is_mature: bool,
    pub cost: NanoUsd,
    /// Tokens that are known to have built it.
    pub tokens: u64,
    /// Added and deleted.
    pub lines: Option<u64>,
    /// What was left of its lines when its window had passed; `None` where they were not counted.
    pub survived: Option<Lines>,
    pub began_at: Option<Timestamp>,
    pub opened_at: Option<Timestamp>,
    /// By somebody else for the first time.
    pub reviewed_at: Option<Timestamp>,
    pub merged_at: Timestamp,
    pub shipped_at: Timestamp,
    /// When the first change that repairs it shipped.
    pub restored_at: Option<Timestamp>,
    /// An incident is known to come from it.
    pub broke: bool,
    pub reviewed: Reviewed,
    /// UTC hours in which a session is known to have built it.
    pub active_hours: u64,
    /// Of the cost what reviewing took.
    pub review_cost: NanoUsd,
    /// What it is for; `None` where it is no work, such as a branch brought up to date.
    pub kind: Option<Kind>,
}

/// How much of a change Claude Code is known to have built; never that nobody used it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Assistance {
    NoneKnown,
    Assisted,
    /// More tokens a line than three of four assisted changes of its repository.
    Heavy,
}

impl Assistance {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoneKnown => "no known AI",
            Self::Assisted => "AI-assisted",
            Self::Heavy => "AI-heavy",
        }
    }
}

/// Of each change, held against those of its repository that shipped since `since`.
pub fn assistance(changes: &[Shipped], since: Timestamp) -> Vec<Assistance> {
    // tokens a line; in millionths, as half a token a line differs from none
    let density = |change: &Shipped| {
        let lines = change.lines.filter(|lines| *lines > 0 && change.tokens > 0)?;
        Some(u128::from(change.tokens) * 1_000_000 / u128::from(lines))
    };
    let mut of_repo: BTreeMap<&str, Vec<u128>> = BTreeMap::new();
    for change in changes.iter().filter(|change| change.shipped_at >= since) {
        of_repo.entry(&change.repo).or_default().extend(density(change));
    }
    for all in of_repo.values_mut() {
        all.sort_unstable();
    }
    let of = |change: &Shipped| {
        let three_quarters = of_repo.get(change.repo.as_str()).and_then(|all| percentile(all, 75));
        match density(change).zip(three_quarters) {
            Some((one, three_quarters)) if one > three_quarters => Assistance::Heavy,
            _ if change.tokens > 0 => Assistance::Assisted,
            _ => Assistance::NoneKnown,
        }
    };
    changes.iter().map(of).collect()
}

/// How long something takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Took {
    pub changes: usize,
    pub median: SignedDuration,
    pub p75: SignedDuration,
}

impl Took {
    pub fn of(all: impl IntoIterator<Item = SignedDuration>) -> Option<Self> {
        let mut all: Vec<SignedDuration> = all.into_iter().collect();
        all.sort_unstable();
        Some(Self { changes: all.len(), median: percentile(&all, 50)?, p75: percentile(&all, 75)? })
    }

    /// Between two instants of each change; what began after its end took no time.
    fn between(
        changes: &[&Shipped],
        begin: impl Fn(&Shipped) -> Option<Timestamp>,
        end: impl Fn(&Shipped) -> Option<Timestamp>,
    ) -> Option<Self> {
        let spans = changes.iter().filter_map(|change| Some(end(change)?.duration_since(begin(change)?)));
        Self::of(spans.map(|span| span.max(SignedDuration::ZERO)))
    }
}

/// From the first session on a change to its users.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cycle {
    /// Until the request was opened.
    pub coding: Option<Took>,
    /// Until somebody else reviewed it.
    pub pickup: Option<Took>,
    /// Until it was merged.
    pub review: Option<Took>,
    /// Until it shipped, where that was later.
    pub deploy: Option<Took>,
    /// From the request to the merge, whoever reviewed it.
    pub open: Option<Took>,
    /// All of it.
    pub lead: Option<Took>,
}

impl Cycle {
    fn of(changes: &[&Shipped]) -> Self {
        let took = |begin: fn(&Shipped) -> Option<Timestamp>, end: fn(&Shipped) -> Option<Timestamp>| {
            Took::between(changes, begin, end)
        };
        let merged = |change: &Shipped| Some(change.merged_at);
        Self {
            coding: took(|change| change.began_at, |change| change.opened_at),
            pickup: took(|change| change.opened_at, |change| change.reviewed_at),
            review: took(|change| change.reviewed_at, merged),
            deploy: took(merged, |change| {
                (change.shipped_at > change.merged_at).then_some(change.shipped_at)
            }),
            open: took(|change| change.opened_at, merged),
            lead: took(|change| change.began_at.or(change.opened_at), |change| Some(change.shipped_at)),
        }
    }
}

/// The changes of one assistance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cohort {
    pub changes: usize,
    /// Of its mature weeks.
    pub tally: Tally,
    /// Those an incident is known to come from.
    pub broke: usize,
    pub lead: Option<Took>,
    pub cost: NanoUsd,
}

impl Cohort {
    fn of(changes: &[&Shipped]) -> Self {
        Self {
            changes: changes.len(),
            tally: tally(changes),
            broke: broke(changes),
            lead: Cycle::of(changes).lead,
            cost: cost(changes),
        }
    }
}

/// What a team shipped in some weeks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Attempts at an outcome.
    pub changes: usize,
    pub repairs: usize,
    /// What the repairs cost.
    pub rework: NanoUsd,
    /// What all of it was for, repairs and dependency updates too.
    pub composition: [Portion; 3],
    /// Of the attempts, as are the next two.
    pub flow: Option<Flow>,
    pub reviews: Reviews,
    /// What sessions that reviewed them cost.
    pub review_cost: NanoUsd,
    pub cycle: Cycle,
    /// Of the attempts, those of mature weeks: the lost ones are the failures.
    pub tally: Tally,
    /// Of the attempts, those of mature weeks that spend is known of; `None` where no lines were counted.
    pub surviving: Option<Surviving>,
    /// From shipping a failure to shipping its repair.
    pub restore: Option<Took>,
    /// Those that began in these weeks, whichever change they come from.
    pub outages: Outages,
    /// Attempts that an incident is known to come from.
    pub broke: usize,
    pub no_known_ai: Cohort,
    /// AI-heavy ones, too.
    pub assisted: Cohort,
    pub heavy: Cohort,
    /// How far the verified share of assisted changes lies above that of the others: an association, no cause.
    pub share_added: Option<Interval<Ppm>>,
    /// The same of the share that an incident comes from.
    pub broke_added: Option<Interval<Ppm>>,
}

impl Delivery {
    /// Of changes with their assistance, and of incidents.
    pub fn of(changes: &[(&Shipped, Assistance)], outages: &[Outage]) -> Self {
        let composition =
            Portion::of(changes.iter().filter_map(|(change, _)| Some((change.kind?, change.cost))));
        let (repairs, rest): (Vec<_>, Vec<_>) = changes.iter().partition(|(change, _)| change.is_repair);
        let attempts: Vec<(&Shipped, Assistance)> =
            rest.into_iter().filter(|(change, _)| change.state != State::Excluded).collect();
        let only = |is_meant: &dyn Fn(Assistance) -> bool| -> Vec<&Shipped> {
            attempts.iter().filter(|(_, how)| is_meant(*how)).map(|(change, _)| *change).collect()
        };
        let cohort = |is_meant: &dyn Fn(Assistance) -> bool| Cohort::of(&only(is_meant));
        let (all, repairs) = (only(&|_| true), repairs.iter().map(|(one, _)| *one).collect::<Vec<_>>());
        let (no_known_ai, assisted) =
            (cohort(&|how| how == Assistance::NoneKnown), cohort(&|how| how > Assistance::NoneKnown));
        let counts = |cohort: &Cohort| (cohort.tally.verified, cohort.tally.attempted());
        let broken = |cohort: &Cohort| (cohort.broke as u64, cohort.changes as u64);
        Self {
            changes: all.len(),
            repairs: repairs.len(),
            rework: cost(&repairs),
            composition,
            flow: Flow::of(&all),
            reviews: Reviews::of(&all),
            review_cost: sum(all.iter().map(|change| change.review_cost)),
            cycle: Cycle::of(&all),
            tally: tally(&all),
            surviving: Surviving::of(&all),
            restore: Took::between(&all, |change| Some(change.shipped_at), |change| change.restored_at),
            outages: Outages::of(outages),
            broke: broke(&all),
            share_added: share_change(counts(&assisted), counts(&no_known_ai)),
            broke_added: share_change(broken(&assisted), broken(&no_known_ai)),
            no_known_ai,
            assisted,
            heavy: cohort(&|how| how == Assistance::Heavy),
        }
    }
}

fn broke(changes: &[&Shipped]) -> usize {
    changes.iter().filter(|change| change.broke).count()
}

fn tally(changes: &[&Shipped]) -> Tally {
    Tally::of(changes.iter().filter(|change| change.is_mature).map(|change| change.state))
}

fn cost(changes: &[&Shipped]) -> NanoUsd {
    sum(changes.iter().map(|change| change.cost))
}

/// A collector keeps the sum of all spend within 64 bits.
fn sum(costs: impl Iterator<Item = NanoUsd>) -> NanoUsd {
    NanoUsd(costs.fold(0, |sum, cost| sum.saturating_add(cost.0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Merged so many hours after midnight, and shipped an hour later.
    fn shipped(repo: &str, hour: i64, tokens: u64, lines: u64) -> Shipped {
        Shipped {
            repo: repo.to_owned(),
            state: State::Verified,
            is_repair: false,
            is_mature: true,
            cost: NanoUsd(i64::try_from(tokens).unwrap()),
            tokens,
            lines: Some(lines),
            survived: None,
            began_at: (tokens > 0).then(|| at(hour - 5)),
            opened_at: Some(at(hour - 3)),
            reviewed_at: Some(at(hour - 2)),
            merged_at: at(hour),
            shipped_at: at(hour + 1),
            restored_at: None,
            broke: false,
            reviewed: Reviewed { rounds: Some(tokens), comments: Some(2 * tokens) },
            active_hours: 2 * u64::from(tokens > 0),
            review_cost: NanoUsd(1),
            kind: None,
        }
    }

    fn at(hour: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_hours(hour)
    }

    fn hours(took: Option<Took>) -> Option<(usize, i64, i64)> {
        took.map(|took| (took.changes, took.median.as_hours(), took.p75.as_hours()))
    }

    fn delivery(changes: &[Shipped]) -> Delivery {
        Delivery::of(&changes.iter().zip(assistance(changes, Timestamp::MIN)).collect::<Vec<_>>(), &[])
    }

    #[test]
    fn three_of_four_assisted_changes_of_a_repository_are_not_heavy() {
        let of = |changes: &[(&str, u64, u64)]| -> Vec<&str> {
            let changes: Vec<Shipped> =
                changes.iter().map(|(repo, tokens, lines)| shipped(repo, 9, *tokens, *lines)).collect();
            assistance(&changes, Timestamp::MIN).into_iter().map(Assistance::as_str).collect()
        };
        let (none, some, heavy) = ("no known AI", "AI-assisted", "AI-heavy");
        let four = [("a", 10, 10), ("a", 50, 10), ("a", 300, 100), ("a", 40, 10), ("a", 0, 10)];
        assert_eq!(of(&four), [some, heavy, some, some, none]);
        assert_eq!(of(&[("a", 10, 10), ("a", 50, 10), ("a", 300, 1)]), [some; 3], "of three none is above");
        assert_eq!(of(&[("a", 9, 9); 8]), [some; 8], "all alike");
        let other = [("b", 1, 1000), ("b", 2, 1000), ("b", 3, 1000), ("b", 4, 1000), ("b", 5, 0)];
        assert_eq!(of(&[&four[..], &other].concat())[5..], [some, some, some, heavy, some]);
    }

    #[test]
    fn changes_of_long_ago_move_no_quartile() {
        let lately = [10, 20, 30, 40].map(|tokens| shipped("a", 1000, tokens, 1));
        let long_ago = [35, 1, 100, 100, 100, 100].map(|tokens| shipped("a", 9, tokens, 1));
        let of_b = [shipped("b", 9, 5, 1)];
        let all = [&lately[..], &long_ago, &of_b].concat();
        let (some, heavy) = (Assistance::Assisted, Assistance::Heavy);
        assert_eq!(assistance(&all, at(1001))[..6], [some, some, some, heavy, heavy, some]);
        assert_eq!(assistance(&all, at(1001))[..4], assistance(&lately, at(1001)));
        assert_eq!(assistance(&all, at(1001)).last(), Some(&some), "held against none");
    }

    #[test]
    fn a_cycle_is_split_where_its_parts_are_known() {
        let mut changes = [shipped("a", 10, 7, 1), shipped("a", 20, 0, 1), shipped("a", 30, 7, 1)];
        changes[2].opened_at = Some(at(20));
        changes[2].reviewed_at = None;
        changes[2].shipped_at = changes[2].merged_at;
        let cycle = delivery(&changes).cycle;
        assert_eq!(hours(cycle.coding), Some((2, 0, 2)), "the third was opened before its first session");
        assert_eq!(hours(cycle.pickup), Some((2, 1, 1)));
        assert_eq!(hours(cycle.review), Some((2, 2, 2)));
        assert_eq!(hours(cycle.deploy), Some((2, 1, 1)), "the third shipped with its merge");
        assert_eq!(hours(cycle.open), Some((3, 3, 10)));
        assert_eq!(hours(cycle.lead), Some((3, 5, 6)), "6, 4 and 5 hours");
        assert_eq!(hours(delivery(&[]).cycle.lead), None);
    }

    #[test]
    fn failures_are_those_of_mature_weeks_and_repairs_are_no_attempts() {
        let mut changes: Vec<Shipped> = (0..6).map(|hour| shipped("a", 10 * hour, 5, 1)).collect();
        changes[0].state = State::Disqualified;
        changes[0].restored_at = Some(at(4));
        (changes[1].state, changes[1].is_mature) = (State::Disqualified, false);
        (changes[2].state, changes[2].is_repair) = (State::Excluded, true);
        changes[3].state = State::Excluded;
        (changes[2].kind, changes[4].kind) = (Some(Kind::LightsOn), Some(Kind::NewValue));
        let delivery = delivery(&changes);
        assert_eq!((delivery.changes, delivery.repairs, delivery.rework), (4, 1, NanoUsd(5)));
        assert_eq!(delivery.composition.map(|one| one.changes), [1, 1, 0], "a repair is work, too");
        let Tally { verified, disqualified, pending } = delivery.tally;
        assert_eq!((verified, disqualified, pending), (2, 1, 0));
        assert_eq!(hours(delivery.restore), Some((1, 3, 3)));
    }

    #[test]
    fn assisted_changes_are_held_against_those_without_known_ai() {
        let mut changes: Vec<Shipped> =
            (0..110).map(|hour| shipped("a", hour, 7 * u64::from(hour < 70), 1)).collect();
        changes.iter_mut().skip(30).take(40).step_by(3).for_each(|lost| lost.state = State::Disqualified);
        let delivery = delivery(&changes);
        assert_eq!((delivery.assisted.changes, delivery.no_known_ai.changes), (70, 40));
        assert_eq!((delivery.assisted.tally.verified, delivery.no_known_ai.tally.verified), (56, 40));
        assert_eq!((delivery.assisted.cost, delivery.no_known_ai.cost), (NanoUsd(490), NanoUsd(0)));
        assert_eq!(delivery.share_added, share_change((56, 70), (40, 40)));
        assert_eq!(delivery.heavy.changes, 0);
    }
    #[test]
    fn an_incident_comes_from_a_change_and_disqualifies_nothing_by_itself() {
        let mut changes: Vec<Shipped> =
            (0..50).map(|hour| shipped("a", hour, 7 * u64::from(hour < 30), 1)).collect();
        changes.iter_mut().step_by(10).for_each(|change| change.broke = true);
        let delivery = delivery(&changes);
        assert_eq!((delivery.broke, delivery.assisted.broke, delivery.no_known_ai.broke), (5, 3, 2));
        assert_eq!(delivery.broke_added, share_change((3, 30), (2, 20)));
        assert_eq!(delivery.share_added, share_change((30, 30), (20, 20)));
        assert_eq!((delivery.tally.disqualified, delivery.outages.opened), (0, 0));
    }
    #[test]
    fn flow_and_reviews_are_those_of_the_attempts() {
        let mut changes = [shipped("a", 10, 3, 400), shipped("a", 20, 1, 400), shipped("a", 30, 0, 400)];
        changes[1].active_hours = 100;
        let whole = delivery(&changes);
        let flow = whole.flow.unwrap();
        assert_eq!(
            (flow.changes, flow.active.as_hours(), flow.lead.as_hours()),
            (2, 8, 12),
            "never over the lead"
        );
        assert_eq!(flow.efficiency(), Ppm(666_666));
        let rounds = whole.reviews.rounds.unwrap();
        assert_eq!((rounds.changes, rounds.median, rounds.p75), (3, 1, 3));
        assert_eq!(whole.reviews.comments.unwrap().median, 2);
        assert_eq!(hours(whole.reviews.estimate), Some((3, 1, 1)), "0, 60 and 90 minutes");
        assert_eq!(whole.review_cost, NanoUsd(3));
        for change in &mut changes {
            change.state = State::Excluded;
        }
        let nothing = delivery(&changes);
        assert_eq!((nothing.flow, nothing.reviews.rounds, nothing.review_cost), (None, None, NanoUsd(0)));
    }
    #[test]
    fn a_shipment_that_brings_a_repair_is_rework() {
        let mut changes = [shipped("a", 10, 1, 1), shipped("a", 20, 1, 1), shipped("b", 30, 1, 1)];
        changes[1].is_repair = true;
        let sent = [("a", at(11)), ("a", at(21)), ("b", at(21)), ("b", at(31))];
        let told = Shipments::of(sent.into_iter(), &changes.each_ref());
        assert_eq!((told.count, told.rework), (4, 1));
    }

    #[test]
    fn lines_that_survive_cost_what_their_changes_did() {
        let mut changes: Vec<Shipped> = (0..8).map(|hour| shipped("a", hour, 60, 1)).collect();
        let lines = |added, surviving| Some(Lines { added, surviving });
        changes[0].survived = lines(10, 5);
        (changes[1].survived, changes[1].state) = (lines(11, 5), State::Disqualified);
        changes[2].survived = lines(0, 0);
        (changes[3].survived, changes[3].is_mature) = (lines(100, 100), false);
        (changes[4].survived, changes[4].state) = (lines(100, 100), State::Excluded);
        (changes[5].survived, changes[5].cost) = (lines(100, 100), NanoUsd(0));
        changes[6].state = State::Pending;
        let surviving = delivery(&changes).surviving.unwrap();
        let expected = Surviving {
            changes: 3,
            of: 4,
            lines: Lines { added: 21, surviving: 10 },
            cost: NanoUsd(180),
            mostly_gone: 1,
        };
        assert_eq!(surviving, expected);
        assert_eq!(surviving.cost_of_a_line(), Some(NanoUsd(18)));
        changes[0].survived = lines(10, 0);
        changes[1].survived = None;
        let nothing = delivery(&changes).surviving.unwrap();
        assert_eq!((nothing.changes, nothing.mostly_gone, nothing.cost_of_a_line()), (2, 1, None));
        assert_eq!(delivery(&[shipped("a", 1, 60, 1)]).surviving, None);
    }
}
