//! The cuts of the page: what was spent, what came of it, which share of that survived and what a verified outcome
//! cost. Each is drawn twice, for a wide and for a narrow screen.

use super::{Key, Team, keys};
use crate::chart::{Band, Columns, Frame, Mark, Point, Points, Series, Unit, points, stacked};
use crate::listing::short;
use crate::store::policy::PolicyChange;
use crate::store::team_week::{Outcomes, TeamWeek};
use crate::weekly::{incomplete, share_text};
use anyhow::Result;
use meter::outcome::{Mature, Period, Tally};
use meter::{Interval, NanoUsd, Week, wilson};
use std::fmt::Write;

pub(super) const WIDE: Frame = Frame { width: 560, height: 180 };
pub(super) const NARROW: Frame = Frame { width: 360, height: 220 };
/// Changes of a week that has a share of its own.
const SHARE_MIN: u64 = 5;
/// Mature weeks that are drawn as one: fewer have no interval.
const RUNNING: usize = 4;

/// A chart and what its colours stand for.
pub(super) struct Cut {
    pub title: &'static str,
    pub wide: String,
    pub narrow: String,
    pub keys: Vec<Key>,
    pub remark: String,
}

/// What a week came to over the teams of the page.
struct Total {
    /// `None` before the first judging.
    outcomes: Option<Tally>,
    /// Where the week is mature for each of its teams.
    mature: Option<Period>,
    /// The same as one week, without teams whose cost nobody knows.
    whole: Option<Mature>,
}

/// The spend alone where nothing was judged yet.
pub(super) fn cuts(
    teams: &[Team],
    spend: &[Series],
    weeks: &[Week],
    names: &[String],
    policies: &[PolicyChange],
) -> Result<Vec<Cut>> {
    let totals: Vec<Total> = (0..weeks.len()).map(|week| Total::of(teams, week)).collect();
    let is_judged = totals.iter().any(|total| total.outcomes.is_some());
    let last_mature = totals.iter().rposition(|total| total.mature.is_some());
    let mark = |change: &PolicyChange| {
        let column = weeks.iter().position(|week| *week == Week::of(change.at))?;
        Some(Mark { column, title: policy_text(change) })
    };
    let columns = Columns {
        names,
        immature_from: if is_judged { last_mature.map_or(0, |last| last + 1) } else { names.len() },
        marks: if is_judged { policies.iter().filter_map(mark).collect() } else { Vec::new() },
    };
    let mut cuts = vec![cut("Spend", "", keys(spend), |frame| {
        stacked(
            &columns,
            spend,
            Unit::Dollars,
            frame,
            &summary("Spend by team and week", &spend_total(spend)),
        )
    })?];
    if !is_judged {
        return Ok(cuts);
    }
    let outcomes = outcomes(&totals);
    cuts.push(cut("Changes", "", keys(&outcomes), |frame| {
        stacked(&columns, &outcomes, Unit::Changes, frame, &summary("Changes by week", &told(&outcomes)))
    })?);
    let shares = Points::from(dots(&totals, names, share));
    let of_five = "With its 95 % interval, from five changes on. Hatched: can still change.";
    cuts.push(cut("Verified share", of_five, Vec::new(), |frame| {
        points(&columns, &shares, Unit::Share, frame, &summary("Verified share by week", &titles(&shares)))
    })?);
    let running: Vec<Option<Period>> = (0..totals.len()).map(|week| running(&totals, week)).collect();
    let dots = totals.iter().zip(names).zip(&running);
    let dots = dots.map(|((total, name), running)| cost(name, total.mature.as_ref()?, running.as_ref()));
    let costs =
        Points { dots: dots.collect(), bands: running.iter().map(|one| band(one.as_ref()?)).collect() };
    let without = "Spend divided by verified changes; the line: four weeks up to each as one, in their 95 % interval. Hatched: can still change.";
    cuts.push(cut("Cost per verified outcome", without, Vec::new(), |frame| {
        points(
            &columns,
            &costs,
            Unit::Dollars,
            frame,
            &summary("Cost per verified outcome by week", &titles(&costs)),
        )
    })?);
    Ok(cuts)
}

pub(super) fn cut(
    title: &'static str,
    remark: &str,
    keys: Vec<Key>,
    draw: impl Fn(Frame) -> Result<String>,
) -> Result<Cut> {
    Ok(Cut { title, wide: draw(WIDE)?, narrow: draw(NARROW)?, keys, remark: remark.to_owned() })
}

impl Total {
    fn of(teams: &[Team], week: usize) -> Self {
        let rows = || teams.iter().filter_map(|team| team.weeks[week]);
        let judged: Vec<Outcomes> = rows().filter_map(|row| row.outcomes).collect();
        let mature: Option<Vec<Mature>> = rows().map(TeamWeek::mature).collect();
        let mature = mature.filter(|all| !all.is_empty());
        let tally = judged.iter().map(|outcomes| outcomes.tally).sum();
        Self {
            outcomes: (!judged.is_empty()).then_some(tally),
            whole: mature.as_deref().map(Mature::total),
            mature: mature.map(|all| Period::of(&all)),
        }
    }
}

/// A week of all the charts in numbers.
pub(super) struct WeekRow {
    pub week: String,
    pub monday: String,
    pub tokens: String,
    pub spend: String,
    pub verified: String,
    pub lost: String,
    pub pending: String,
    pub share: String,
    pub cpvo: String,
    /// Of the four weeks up to it.
    pub running: String,
}

/// The newest week first.
pub(super) fn by_week(teams: &[Team], weeks: &[Week]) -> Vec<WeekRow> {
    let totals: Vec<Total> = (0..weeks.len()).map(|week| Total::of(teams, week)).collect();
    let row = |index: usize| {
        let rows = || teams.iter().filter_map(move |team| team.weeks[index]);
        let Total { outcomes, mature, .. } = &totals[index];
        let count = |of: fn(Tally) -> u64| outcomes.map_or_else(String::new, |tally| of(tally).to_string());
        let mature = mature.as_ref();
        let told = |period: &Period| {
            let each = period.cpvo.map(NanoUsd::dollars).unwrap_or_default();
            period.cpvo_interval.map_or(each.clone(), |Interval { low, high }| {
                format!("{each} ({}–{})", low.dollars(), high.dollars())
            })
        };
        WeekRow {
            week: weeks[index].to_string(),
            monday: weeks[index].start().strftime("%-d %b").to_string(),
            tokens: short(rows().map(|row| row.tokens.total()).sum()),
            spend: super::sum(rows().map(TeamWeek::spend)).dollars(),
            verified: count(|tally| tally.verified),
            lost: count(|tally| tally.disqualified),
            pending: count(|tally| tally.pending),
            share: mature.map(|period| share_text(period.tally)).unwrap_or_default(),
            cpvo: mature.and_then(|period| period.cpvo).map(NanoUsd::dollars).unwrap_or_default(),
            running: running(&totals, index).as_ref().map(told).unwrap_or_default(),
        }
    };
    (0..weeks.len()).rev().map(row).collect()
}

/// What holds since when, and why.
pub(super) fn policy_text(PolicyChange { name, at, policy, reason }: &PolicyChange) -> String {
    format!("{name}, since {}: {policy} ({reason})", at.strftime("%-d %B %Y"))
}

/// The weeks up to `week`, where all of them are mature.
fn running(totals: &[Total], week: usize) -> Option<Period> {
    let first = (week + 1).checked_sub(RUNNING)?;
    let weeks: Option<Vec<Mature>> = totals.get(first..=week)?.iter().map(|total| total.whole).collect();
    Some(Period::of(&weeks?))
}

fn band(running: &Period) -> Option<Band> {
    let Interval { low, high } = running.cpvo_interval?;
    Some(Band { middle: running.cpvo?.0, interval: (low.0, high.0) })
}

/// Verified below, what is lost above it, and what waits on top.
fn outcomes(totals: &[Total]) -> [Series<'static>; 3] {
    let of = |name, class, count: fn(Tally) -> u64| {
        let amount =
            |total: &Total| i64::try_from(count(total.outcomes.unwrap_or_default())).unwrap_or(i64::MAX);
        Series { name, class, amounts: totals.iter().map(amount).collect() }
    };
    [
        of("verified", "verified", |tally| tally.verified),
        of("lost", "lost", |tally| tally.disqualified),
        of("pending", "pending", |tally| tally.pending),
    ]
}

fn dots(
    totals: &[Total],
    names: &[String],
    point: impl Fn(&str, &Period) -> Option<Point>,
) -> Vec<Option<Point>> {
    let weeks = totals.iter().zip(names);
    weeks.map(|(total, name)| total.mature.as_ref().and_then(|mature| point(name, mature))).collect()
}

fn share(week: &str, Period { tally, .. }: &Period) -> Option<Point> {
    if tally.attempted() < SHARE_MIN {
        return None;
    }
    let Interval { low, high } = wilson(tally.verified, tally.attempted())?;
    let title = format!("{week}: {} of {}, {}", tally.verified, tally.attempted(), share_text(*tally));
    Some(Point { amount: tally.share()?.0, interval: Some((low.0, high.0)), title })
}

fn cost(week: &str, mature: &Period, running: Option<&Period>) -> Option<Point> {
    let each = mature.cpvo?;
    let mut title = format!("{week}: {}{}", incomplete(mature.unpriced_rows), each.dollars());
    if let Some(Band { middle, interval: (low, high) }) = running.and_then(band) {
        let [middle, low, high] = [middle, low, high].map(|amount| NanoUsd(amount).dollars());
        let _ = write!(title, ", in four weeks {middle} ({low}–{high})"); // writing to a String cannot fail
    }
    Some(Point { amount: each.0, interval: None, title })
}

fn spend_total(spend: &[Series]) -> String {
    let total = |one: &Series| format!("{} {}", one.name, NanoUsd(sum(one)).dollars());
    spend.iter().map(total).collect::<Vec<_>>().join(", ")
}

fn told(outcomes: &[Series]) -> String {
    outcomes.iter().map(|one| format!("{} {}", sum(one), one.name)).collect::<Vec<_>>().join(", ")
}

fn titles(points: &Points) -> String {
    let titles: Vec<&str> = points.dots.iter().flatten().map(|point| point.title.as_str()).collect();
    if titles.is_empty() { "none yet".to_owned() } else { titles.join("; ") }
}

fn sum(one: &Series) -> i64 {
    one.amounts.iter().fold(0, |sum, amount| sum.saturating_add(*amount))
}

fn summary(title: &str, numbers: &str) -> String {
    format!("{title}. {numbers}.")
}
