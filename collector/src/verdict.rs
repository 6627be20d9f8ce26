//! `cpvo verdict`: is the bet paying off? The last mature quarter of each team against the two before it.

use crate::config::{Clock, Options};
use crate::listing::{Cell, Fields, Whole};
use crate::store::db::Access;
use crate::weekly::{Asked, Standing, period_fields, share_text, silence, weekly};
use anyhow::Result;
use jiff::Timestamp;
use meter::outcome::{BEFORE, Comparison, Period, QUARTER};
use meter::{Interval, NanoUsd, Ppm};
use serde::Serialize;
use std::fmt::Write as _;
use std::io::{Write, stdout};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// One team by its id, or `unassigned` [default: all]
    #[arg(long)]
    team: Option<String>,
    #[command(flatten)]
    whole: Whole,
}

#[derive(Serialize)]
struct Answer {
    computed_at: Timestamp,
    teams: Vec<TeamVerdict>,
}

pub(crate) fn run(Args { team, whole }: Args, options: &Options, now: Clock) -> Result<()> {
    let config = options.load()?;
    config.db.ensure_there()?;
    let mut db = crate::store::open(&config.db, Access::Read, now())?;
    let standings = db.snapshot(|db| {
        let asked = Asked::of_team(team.as_deref(), 1);
        asked.check(db)??;
        Ok(weekly(db, &asked, now())?.standings)
    })?;
    let text = if whole.is_json() {
        let teams = standings.iter().map(TeamVerdict::of).collect();
        serde_json::to_string_pretty(&Answer { computed_at: now(), teams })? + "\n"
    } else if standings.is_empty() {
        "no verdict yet: nothing was judged; `cpvo weekly` says what comes next\n".to_owned()
    } else {
        standings.iter().map(told).collect()
    };
    Ok(stdout().lock().write_all(text.as_bytes())?)
}

/// The verdict in one line.
pub(crate) fn headline(one: &Standing) -> String {
    let name = &one.judging.name;
    match &one.comparison {
        Ok(comparison) => format!("{name}: {}", comparison.verdict.as_str()),
        Err(needed) => {
            let weeks = if *needed == 1 { "week" } else { "weeks" };
            format!("{name}: no verdict yet, {needed} more mature {weeks} needed")
        }
    }
}

/// The headline, and the numbers it rests on.
fn told(one: &Standing) -> String {
    let mut text = headline(one) + "\n";
    for line in grounds(one) {
        let _ = writeln!(text, "  {line}");
    }
    text
}

/// Both numbers and how far they moved; without a verdict what is known so far.
pub(crate) fn grounds(one: &Standing) -> Vec<String> {
    let Ok(comparison) = &one.comparison else {
        let takes = QUARTER + BEFORE;
        return vec![
            format!(
                "it takes {takes} mature weeks since the first spend: {QUARTER} to judge, {BEFORE} to compare with"
            ),
            format!(
                "last {} mature weeks: {}; {}",
                one.period.weeks,
                cost(&one.period),
                survived(&one.period)
            ),
        ];
    };
    let Comparison { last, before, cpvo, share, .. } = comparison;
    let factor = |Ppm(factor): Ppm| signed(Ppm(factor - 1_000_000));
    let moved = |interval: &Option<Interval<Ppm>>, points: fn(Ppm) -> String, unit: &str| match interval {
        Some(Interval { low, high }) => format!("{} to {} {unit} at 95 %", points(*low), points(*high)),
        None => "too little to compare".to_owned(),
    };
    let mut grounds = vec![
        format!("last {QUARTER} mature weeks: {}; {}", cost(last), survived(last)),
        format!("the {BEFORE} before them: {}; {}", cost(before), survived(before)),
        format!("cost per verified outcome: {}", moved(cpvo, factor, "%")),
        format!("verified share: {}", moved(share, signed, "points")),
    ];
    grounds.extend(doubts(comparison));
    grounds
}

/// In percent, with the sign that it has before it is rounded: a fall to -0 is no rise.
fn signed(share: Ppm) -> String {
    let sign = if share < Ppm(0) { '-' } else { '+' };
    format!("{sign}{}", share.percent().abs())
}

/// Why no cost can be compared, though there are weeks enough.
pub(crate) fn doubts(Comparison { last, before, .. }: &Comparison) -> impl Iterator<Item = String> {
    let silent = before.unmeasured;
    let silence_before = (silent > 0)
        .then(|| format!("no session was reported in {silent} of the {BEFORE} weeks before them"));
    let unpriced = match last.unpriced_rows + before.unpriced_rows {
        0 => None,
        1 => Some("1 row of usage has no price: cpvo prices".to_owned()),
        rows => Some(format!("{rows} rows of usage have no price: cpvo prices")),
    };
    [silence(last), silence_before, unpriced].into_iter().flatten()
}

fn cost(period: &Period) -> String {
    let reach =
        |Interval { low, high }: Interval<NanoUsd>| format!(" ({}–{})", low.dollars(), high.dollars());
    match period.cpvo {
        Some(each) => {
            format!("{}{} an outcome", each.dollars(), period.cpvo_interval.map_or_else(String::new, reach))
        }
        None if period.tally.verified > 0 => {
            format!("cost of an outcome unknown, {} spent", period.cost.dollars())
        }
        None => format!("no verified outcome, {} spent", period.cost.dollars()),
    }
}

fn survived(period: &Period) -> String {
    let tally = period.tally;
    if tally.attempted() == 0 {
        return "no change decided".to_owned();
    }
    let of = format!("{} of {}", tally.verified, tally.attempted());
    let share = share_text(tally);
    if share == of { format!("{of} verified") } else { format!("{of} verified, {share}") }
}

/// The same for programs.
#[derive(Serialize)]
struct TeamVerdict {
    #[serde(flatten)]
    team: Fields,
    /// `null` while mature weeks are missing.
    verdict: Option<&'static str>,
    weeks_needed: usize,
    last: Option<Fields>,
    before: Option<Fields>,
    cpvo_factor_low: Cell,
    cpvo_factor_high: Cell,
    share_added_low: Cell,
    share_added_high: Cell,
}

impl TeamVerdict {
    fn of(one: &Standing) -> Self {
        let comparison = one.comparison.as_ref().ok();
        let low = |interval: Option<Interval<Ppm>>| Cell::optional(interval.map(|interval| interval.low));
        let high = |interval: Option<Interval<Ppm>>| Cell::optional(interval.map(|interval| interval.high));
        let (cpvo, share) =
            (comparison.and_then(|found| found.cpvo), comparison.and_then(|found| found.share));
        Self {
            team: one.fields(),
            verdict: comparison.map(|comparison| comparison.verdict.as_str()),
            weeks_needed: one.comparison.as_ref().err().copied().unwrap_or(0),
            last: comparison.map(|comparison| period_fields(&comparison.last)),
            before: comparison.map(|comparison| period_fields(&comparison.before)),
            cpvo_factor_low: low(cpvo),
            cpvo_factor_high: high(cpvo),
            share_added_low: low(share),
            share_added_high: high(share),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use meter::outcome::{Mature, Tally, compare};

    #[track_caller]
    fn check(change: impl Fn(usize, &mut Mature), expected: &[&str]) {
        let tally = Tally { verified: 9, disqualified: 1, pending: 0 };
        let week = Mature { cost: NanoUsd(5), reported: true, tally, ..Mature::default() };
        let mut weeks = vec![week; BEFORE + QUARTER];
        for (number, week) in weeks.iter_mut().enumerate() {
            change(number, week);
        }
        assert_eq!(doubts(&compare(&weeks).unwrap()).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn what_falls_by_less_than_a_percent_does_not_rise() {
        let shown = [-31_000, -15_000, -4_999, 0, 4_999, 31_000].map(|share| signed(Ppm(share)));
        assert_eq!(shown, ["-3", "-2", "-0", "+0", "+0", "+3"]);
    }

    #[test]
    fn what_keeps_a_verdict_away_is_said() {
        let silent = |week: &mut Mature| (week.cost, week.reported) = (NanoUsd(0), false);
        let stopped = "no session was reported in 13 of the last 13 weeks: is cpvo-hook still there?";
        let late = "no session was reported in 2 of the 26 weeks before them";
        check(|_, _| (), &[]);
        check(
            |number, week| {
                if number >= BEFORE {
                    silent(week);
                }
            },
            &[stopped],
        );
        check(
            |number, week| {
                if number < 2 {
                    silent(week);
                }
            },
            &[late],
        );
        check(
            |number, week| week.unpriced_rows = u64::from(number == 38),
            &["1 row of usage has no price: cpvo prices"],
        );
        check(|_, week| week.unpriced_rows = 2, &["78 rows of usage have no price: cpvo prices"]);
    }
}
