//! Mature weeks taken together, and whether the bet pays off: the last quarter against the two before it.

use super::tally::{ByStrictness, Tally, cpvo};
use crate::interval::{Direction, Interval, Ppm, cost_change, cost_interval, share_change, wilson};
use crate::money::NanoUsd;

/// Weeks of a quarter, and of the time it is compared with.
pub const QUARTER: usize = 13;
pub const BEFORE: usize = 2 * QUARTER;

/// A mature week of a team.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Mature {
    /// Spend without what was cordoned off.
    pub cost: NanoUsd,
    pub cordon: NanoUsd,
    /// Sessions were.
    pub reported: bool,
    /// Usage rows without a price, in no cost.
    pub unpriced_rows: u64,
    pub tally: Tally,
    pub by_strictness: ByStrictness,
}

impl Mature {
    /// Changes were judged, yet no session was reported: nobody knows what they cost.
    pub fn unmeasured(&self) -> bool {
        !self.reported && self.tally.attempted() > 0
    }

    /// The same week of several teams as one: those whose cost nobody knows are left out, as of every cost.
    pub fn total(teams: &[Self]) -> Self {
        let known = || teams.iter().filter(|team| !team.unmeasured());
        Self {
            cost: NanoUsd(known().fold(0, |sum, team| sum.saturating_add(team.cost.0))),
            cordon: NanoUsd(known().fold(0, |sum, team| sum.saturating_add(team.cordon.0))),
            reported: known().any(|team| team.reported),
            unpriced_rows: known().map(|team| team.unpriced_rows).sum(),
            tally: known().map(|team| team.tally).sum(),
            by_strictness: known().map(|team| team.by_strictness).sum(),
        }
    }

    /// Cost per verified outcome.
    pub fn cpvo(&self) -> Option<NanoUsd> {
        Period::of(&[*self]).cpvo
    }
}

/// Several mature weeks as one: ratios of sums.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Period {
    pub weeks: usize,
    /// Of the weeks, those that shipped without a reported session; in no cost per outcome.
    pub unmeasured: usize,
    pub cost: NanoUsd,
    pub cordon: NanoUsd,
    pub unpriced_rows: u64,
    pub tally: Tally,
    pub by_strictness: ByStrictness,
    pub share: Option<Interval<Ppm>>,
    /// Cost per verified outcome; `None` where nothing was verified at a known cost.
    pub cpvo: Option<NanoUsd>,
    /// `None` also from fewer than four weeks in which something happened.
    pub cpvo_interval: Option<Interval<NanoUsd>>,
}

impl Period {
    pub fn of(weeks: &[Mature]) -> Self {
        let sum = |of: fn(&Mature) -> NanoUsd| {
            NanoUsd(weeks.iter().fold(0, |sum, week| sum.saturating_add(of(week).0)))
        };
        let cost = sum(|week| week.cost);
        let tally = weeks.iter().map(|week| week.tally).sum::<Tally>();
        let measured = measured(weeks);
        Self {
            weeks: weeks.len(),
            unmeasured: weeks.len() - measured.len(),
            cost,
            cordon: sum(|week| week.cordon),
            unpriced_rows: weeks.iter().map(|week| week.unpriced_rows).sum(),
            tally,
            by_strictness: weeks.iter().map(|week| week.by_strictness).sum(),
            share: wilson(tally.verified, tally.attempted()),
            cpvo: cpvo(cost, NanoUsd(0), measured.iter().map(|(_, verified)| verified).sum()),
            cpvo_interval: cost_interval(&measured),
        }
    }

    /// Whether all that was spent is known.
    fn complete(&self) -> bool {
        self.unmeasured == 0 && self.unpriced_rows == 0
    }
}

/// The same of the weeks whose cost is known.
fn measured(weeks: &[Mature]) -> Vec<(NanoUsd, u64)> {
    let known: Vec<Mature> = weeks.iter().filter(|week| !week.unmeasured()).copied().collect();
    costs(&known)
}

/// The cost and the verified outcomes of each week.
pub fn costs(weeks: &[Mature]) -> Vec<(NanoUsd, u64)> {
    weeks.iter().map(|week| (week.cost, week.tally.verified)).collect()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// An outcome costs less, and no smaller share of the changes survives.
    PayingOff,
    /// An outcome costs no less, and a smaller share survives.
    NotPaying,
    NoClearDirection,
}

impl Verdict {
    pub fn of(cpvo: Direction, share: Direction) -> Self {
        match (cpvo, share) {
            (Direction::Down, Direction::Flat | Direction::Up) => Self::PayingOff,
            (Direction::Flat | Direction::Up, Direction::Down) => Self::NotPaying,
            _ => Self::NoClearDirection,
        }
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::PayingOff => "paying off",
            Self::NotPaying => "not paying",
            Self::NoClearDirection => "no clear direction",
        }
    }
}

/// The last quarter against the two before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comparison {
    pub last: Period,
    pub before: Period,
    /// The factor from the cost per verified outcome before to that of the last quarter.
    pub cpvo: Option<Interval<Ppm>>,
    /// What was added to the verified share.
    pub share: Option<Interval<Ppm>>,
    pub verdict: Verdict,
}

/// Compares the last of a team's mature weeks since its first spend, which are given oldest first; where not all that
/// was spent is known, without a direction. `Err` says how many more weeks it takes.
pub fn compare(weeks: &[Mature]) -> Result<Comparison, usize> {
    let Some(first) = weeks.len().checked_sub(BEFORE + QUARTER) else {
        return Err(BEFORE + QUARTER - weeks.len());
    };
    let (before, last) = weeks[first..].split_at(BEFORE);
    let of = |weeks: &[Mature]| (Period::of(weeks), measured(weeks));
    let ((last, last_costs), (before, before_costs)) = (of(last), of(before));
    let cpvo = cost_change(&last_costs, &before_costs);
    let counts = |period: &Period| (period.tally.verified, period.tally.attempted());
    let share = share_change(counts(&last), counts(&before));
    let way = |interval: Option<Interval<Ppm>>, level| interval.map(|interval| interval.against(&Ppm(level)));
    let verdict = match (way(cpvo, 1_000_000), way(share, 0)) {
        (Some(cpvo), Some(share)) if last.complete() && before.complete() => Verdict::of(cpvo, share),
        _ => Verdict::NoClearDirection,
    };
    Ok(Comparison { last, before, cpvo, share, verdict })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_branch_has_its_verdict() {
        use Direction::{Down, Flat, Up};
        for (cpvo, share, verdict) in [
            (Down, Down, "no clear direction"),
            (Down, Flat, "paying off"),
            (Down, Up, "paying off"),
            (Flat, Down, "not paying"),
            (Flat, Flat, "no clear direction"),
            (Flat, Up, "no clear direction"),
            (Up, Down, "not paying"),
            (Up, Flat, "no clear direction"),
            (Up, Up, "no clear direction"),
        ] {
            assert_eq!(Verdict::of(cpvo, share).as_str(), verdict, "{cpvo:?} {share:?}");
        }
    }

    /// Weeks of so many dollars, verified and lost changes each; every other week a dollar dearer.
    fn weeks(number: usize, dollars: i64, verified: u64, disqualified: u64) -> Vec<Mature> {
        let week = |index: i64| Mature {
            cost: NanoUsd((dollars + index % 2) * 1_000_000_000),
            reported: true,
            tally: Tally { verified, disqualified, pending: 0 },
            ..Mature::default()
        };
        (0..).take(number).map(week).collect()
    }

    #[track_caller]
    fn check(before: (i64, u64, u64), last: (i64, u64, u64), verdict: Verdict) {
        let of = |number, (dollars, verified, lost)| weeks(number, dollars, verified, lost);
        let all = [of(5, (900, 1, 9)), of(BEFORE, before), of(QUARTER, last)].concat();
        let found = compare(&all).unwrap();
        assert_eq!(found.verdict, verdict, "{found:?}");
        assert_eq!((found.last.weeks, found.before.weeks), (QUARTER, BEFORE));
    }

    #[test]
    fn the_last_quarter_is_held_against_the_two_before() {
        check((100, 10, 1), (50, 10, 1), Verdict::PayingOff);
        check((100, 10, 4), (50, 10, 0), Verdict::PayingOff);
        check((100, 10, 1), (100, 10, 5), Verdict::NotPaying);
        check((100, 10, 1), (150, 10, 5), Verdict::NotPaying);
        check((100, 10, 1), (50, 10, 5), Verdict::NoClearDirection);
        check((100, 10, 1), (100, 10, 1), Verdict::NoClearDirection);
        check((100, 10, 1), (150, 10, 1), Verdict::NoClearDirection);
        check((100, 10, 1), (100, 0, 0), Verdict::NoClearDirection);
        check((0, 10, 1), (100, 10, 1), Verdict::NoClearDirection);
    }

    #[test]
    fn an_outcome_is_not_cheaper_because_its_cost_is_unknown() {
        let paying = [weeks(BEFORE, 100, 10, 1), weeks(QUARTER, 50, 10, 1)].concat();
        let verdict = |change: fn(&mut Mature), weeks: &[usize]| {
            let mut all = paying.clone();
            for week in weeks {
                change(&mut all[*week]);
            }
            let found = compare(&all).unwrap();
            (found.verdict, found.before.unmeasured, found.last.unmeasured)
        };
        let stopped = |week: &mut Mature| *week = Mature { tally: week.tally, ..Mature::default() };
        assert_eq!(verdict(stopped, &[]), (Verdict::PayingOff, 0, 0));
        assert_eq!(verdict(stopped, &[38]), (Verdict::NoClearDirection, 0, 1));
        assert_eq!(verdict(stopped, &[0, 5]), (Verdict::NoClearDirection, 2, 0));
        let last: Vec<usize> = (26..39).collect();
        assert_eq!(verdict(stopped, &last), (Verdict::NoClearDirection, 0, 13));
        assert_eq!(verdict(|week| *week = Mature::default(), &[38]), (Verdict::PayingOff, 0, 0), "a holiday");
        for week in [0, 38] {
            assert_eq!(verdict(|week| week.unpriced_rows = 1, &[week]), (Verdict::NoClearDirection, 0, 0));
        }
    }

    #[test]
    fn a_week_without_measure_is_in_no_cost_of_an_outcome() {
        let known = weeks(6, 90, 3, 1);
        let silent = Mature { tally: known[0].tally, ..Mature::default() };
        let (alone, both) = (Period::of(&known), Period::of(&[known, vec![silent]].concat()));
        assert_eq!((both.cpvo, both.cpvo_interval), (alone.cpvo, alone.cpvo_interval));
        assert_eq!((both.tally.verified, both.unmeasured), (21, 1), "its changes are in the share");
        assert_eq!((silent.cpvo(), Period::of(&[silent]).cpvo), (None, None));
    }

    #[test]
    fn teams_of_a_week_are_one_without_those_whose_cost_nobody_knows() {
        let (known, idle) = (weeks(1, 90, 3, 1)[0], Mature::default());
        let silent = Mature { tally: known.tally, ..Mature::default() };
        let total = Mature::total(&[known, silent, idle, known]);
        assert_eq!((total.cost, total.tally.verified, total.reported), (NanoUsd(180_000_000_000), 6, true));
        assert_eq!(total.cpvo(), known.cpvo());
        assert_eq!(Mature::total(&[silent]), Mature::default());
    }

    #[test]
    fn too_few_weeks_say_how_many_more_it_takes() {
        assert_eq!(compare(&[]), Err(39));
        assert_eq!(compare(&weeks(38, 100, 10, 1)), Err(1));
        assert!(compare(&weeks(39, 100, 10, 1)).is_ok());
    }

    #[test]
    fn several_weeks_are_a_ratio_of_sums() {
        let period = Period::of(&[weeks(1, 90, 1, 0), weeks(1, 10, 4, 5)].concat());
        assert_eq!(period.cpvo, Some(NanoUsd(20_000_000_000)), "not the mean of 90 and 2.50");
        assert_eq!((period.tally.verified, period.tally.attempted()), (5, 10));
        assert_eq!(period.cpvo_interval, None, "two weeks");
        let nothing = Period::of(&weeks(6, 90, 0, 0));
        assert_eq!((nothing.cpvo, nothing.share, nothing.cost), (None, None, NanoUsd(543_000_000_000)));
    }
}
