//! Where a team stands: its last mature weeks as one, which way they go, and whether the bet pays off.

use super::{share_fields, strictness_fields};
use crate::listing::{Cell, Fields, Listing};
use crate::people::UNASSIGNED;
use crate::store::team_week::{Judging, TeamWeek};
use meter::outcome::{BEFORE, CADENCE_WEEKS, Cadence, Comparison, Mature, Period, QUARTER, compare, costs};
use meter::{Direction, Interval, Trend, Week, trend};
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// Mature weeks that are told as one.
pub(crate) const LAST: usize = 4;
/// What a verdict takes, and the longest a week can take to mature.
pub(super) const WEEKS: usize = BEFORE + QUARTER + 14;

pub(crate) struct Standing {
    pub judging: Judging,
    pub cadence: Option<Cadence>,
    /// The first and the last week of `period`.
    pub span: Option<(Week, Week)>,
    /// The last mature weeks since the first spend, up to four.
    pub period: Period,
    /// Of the cost per verified outcome over the last mature quarter.
    pub trend: Option<Trend>,
    /// The last mature quarter against the two before it, or how many more mature weeks that takes.
    pub comparison: Result<Comparison, usize>,
}

/// Of all teams that have a mature week or spend that waits for one; the largest cost first.
pub(super) fn standings(judgings: Vec<Judging>, rows: &[TeamWeek], now: Week) -> Vec<Standing> {
    let mut of_team: BTreeMap<&str, Vec<&TeamWeek>> = BTreeMap::new();
    for row in rows {
        of_team.entry(&row.team).or_default().push(row);
    }
    let stand = |judging: Judging| {
        let mut rows = of_team.remove(judging.team.as_str()).unwrap_or_default();
        rows.sort_unstable_by_key(|row| row.week);
        let mature = |row: &&TeamWeek| row.mature().map(|mature| (row.week, mature));
        let weeks: Vec<(Week, Mature)> = rows.iter().filter_map(mature).collect();
        let cadence = cadence(rows.iter().filter(|row| row.week < now));
        (!weeks.is_empty() || judging.undecided.0 > 0)
            .then(|| Standing { cadence, ..Standing::of(judging, &weeks) })
    };
    let mut standings: Vec<Standing> = judgings.into_iter().filter_map(stand).collect();
    standings.sort_by_cached_key(|one| {
        (one.judging.team == UNASSIGNED, Reverse(one.period.cost), one.judging.team.clone())
    });
    standings
}

/// Of the last weeks, given oldest first: what shipped in them, decided or not.
fn cadence<'a>(weeks: impl DoubleEndedIterator<Item = &'a &'a TeamWeek>) -> Option<Cadence> {
    let shipped = weeks.rev().filter_map(|row| row.outcomes).map(|outcomes| outcomes.tally);
    Cadence::of(shipped.take(CADENCE_WEEKS).map(|tally| tally.attempted() + tally.pending))
}

impl Standing {
    pub(super) fn of(judging: Judging, weeks: &[(Week, Mature)]) -> Self {
        // before the first spend there is no bet
        let bet = weeks.iter().filter(|(week, _)| judging.spends_in(*week)).copied();
        let (weeks, bet): (Vec<Week>, Vec<Mature>) = bet.unzip();
        let of_last = |number: usize| bet.len().saturating_sub(number)..;
        let quarter = &bet[of_last(QUARTER)];
        Self {
            span: weeks[of_last(LAST)].first().copied().zip(weeks.last().copied()),
            period: Period::of(&bet[of_last(LAST)]),
            trend: trend(&costs(quarter)),
            comparison: compare(&bet),
            cadence: None,
            judging,
        }
    }

    /// What the team is, and how it was judged.
    pub(crate) fn fields(&self) -> Fields {
        let judging = &self.judging;
        Fields(vec![
            ("team", Cell::text(&judging.team)),
            ("name", Cell::text(&judging.name)),
            ("policy_id", Cell::number(judging.policy_id)),
            ("window_days", Cell::number(judging.policy.window_days)),
            ("computed_at", Cell::text(judging.computed_at.to_string())),
        ])
    }
}

/// Numerator, denominator, ratio and interval of several weeks.
pub(crate) fn period_fields(period: &Period) -> Fields {
    let tally = period.tally;
    let (low, high) = period.cpvo_interval.map(|Interval { low, high }| (low, high)).unzip();
    let mut fields = vec![
        ("weeks", Cell::number(period.weeks)),
        ("unmeasured_weeks", Cell::number(period.unmeasured)),
        ("cost_usd", Cell::number(period.cost)),
        ("unpriced_rows", Cell::number(period.unpriced_rows)),
        ("attempted", Cell::number(tally.attempted())),
        ("verified", Cell::number(tally.verified)),
        ("disqualified", Cell::number(tally.disqualified)),
    ];
    fields.extend(share_fields(tally));
    fields.extend([
        ("cpvo_usd", Cell::optional(period.cpvo)),
        ("cpvo_low_usd", Cell::optional(low)),
        ("cpvo_high_usd", Cell::optional(high)),
    ]);
    Fields(fields)
}

/// That the last weeks shipped without a session.
pub(crate) fn silence(last: &Period) -> Option<String> {
    let Period { weeks, unmeasured, .. } = last;
    (*unmeasured > 0).then(|| {
        format!(
            "no session was reported in {unmeasured} of the last {weeks} weeks: is cpvo-hook still there?"
        )
    })
}

/// For programs: the last mature weeks of each team as one.
pub(super) fn listing(standings: &[Standing]) -> Listing {
    let row = |one: &Standing| {
        let (first, last) = one.span.unzip();
        let week = |week: Option<Week>| week.map_or(Cell::Null, |week| Cell::text(week.to_string()));
        let mut fields = one.fields();
        fields.0.extend([("first_week", week(first)), ("last_week", week(last))]);
        fields.0.extend(period_fields(&one.period).0);
        fields.0.extend(strictness_fields(Some(one.period.by_strictness)));
        fields.0.extend([
            ("trend", one.trend.map_or(Cell::Null, |trend| Cell::text(way(trend.direction)))),
            ("trend_weekly", Cell::optional(one.trend.map(|trend| trend.weekly))),
            ("trend_weeks", Cell::optional(one.trend.map(|trend| trend.weeks))),
            ("immature_spend_usd", Cell::number(one.judging.undecided)),
        ]);
        fields
    };
    Listing::of(standings.iter().map(row).collect())
}

/// Which way a cost goes, in words.
pub(crate) fn way(direction: Direction) -> &'static str {
    match direction {
        Direction::Down => "falling",
        Direction::Flat => "no clear direction",
        Direction::Up => "rising",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::db::{Db, values};
    use crate::store::fixture::{now, on_both};
    use crate::store::week::week_extend;
    use crate::weekly::{Asked, weekly, weeks_back};
    use meter::NanoUsd;
    use std::ops::RangeInclusive;

    fn standings(db: &mut Db, team: Option<&str>) -> Vec<Standing> {
        weekly(db, &Asked::of_team(team, 1), now()).unwrap().standings
    }

    #[test]
    fn a_team_stands_on_its_mature_weeks_since_its_first_spend() {
        on_both(|db| {
            db.batch("INSERT INTO team (team, name) VALUES ('pay', 'Payments'), ('idle', 'Idle')").unwrap();
            db.batch(
                "INSERT INTO judging VALUES ('pay', 1, 1, '2026-11-25T00:00:00Z', '2026-W46'),
                    ('idle', 1, 1, '2026-11-25T00:00:00Z', '2026-W46')",
            )
            .unwrap();
            let week = |number: u16| weeks_back(now(), number).to_string();
            for number in 1..=50 {
                let changes = values![week(number), i64::from(number)];
                db.execute("INSERT INTO team_week_tally VALUES ('pay', $1, 1, $2, 1, 0)", &changes).unwrap();
            }
            let spend = |db: &mut Db, numbers: RangeInclusive<u16>| {
                let spend =
                    "INSERT INTO team_week_sum VALUES ('pay', $1, 1, 0, 1, 1, 1, 1, 1, 1, 1, 2, 3, 1)";
                for number in numbers {
                    db.execute(spend, &values![week(number)]).unwrap();
                }
            };
            spend(db, 1..=40);
            week_extend(db, weeks_back(now(), 50), weeks_back(now(), 1)).unwrap();
            let short = standings(db, None);
            assert_eq!(short[0].comparison.as_ref().err(), Some(&2), "before its first spend nothing counts");
            spend(db, 41..=45);
            let all = standings(db, None);
            assert_eq!(all.len(), 1, "who neither spends nor ships stands nowhere");
            let one = &all[0];
            assert_eq!((one.judging.name.as_str(), one.judging.undecided), ("Payments", NanoUsd(15)));
            assert_eq!(one.cadence, Some(Cadence::Daily), "6 of a median week among the last 8");
            let tally = one.period.tally;
            assert_eq!((one.period.weeks, one.period.cost, tally.verified), (4, NanoUsd(16), 4 + 5 + 6 + 7));
            let span = one.span.map(|(first, last)| (first.to_string(), last.to_string()));
            assert_eq!(span, Some(("2026-W42".to_owned(), "2026-W45".to_owned())));
            assert_eq!(one.trend.map(|trend| (trend.direction, trend.weeks)), Some((Direction::Up, 13)));
            let comparison = one.comparison.as_ref().unwrap();
            assert_eq!(
                comparison.before.tally.verified,
                (17..43).sum::<u64>(),
                "45 weeks, 3 of them immature"
            );
            assert_eq!(standings(db, Some("idle")).len(), 0);
            db.execute("DELETE FROM team_week_sum WHERE week < $1", &values![week(4)]).unwrap();
            let began = &standings(db, None)[0].period;
            let changes = (began.tally.verified, began.unmeasured);
            assert_eq!(
                (began.weeks, began.cost, changes),
                (1, NanoUsd(4), (4, 0)),
                "before it there is no bet"
            );
        });
    }
}
