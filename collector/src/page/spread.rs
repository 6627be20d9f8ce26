//! What each verified outcome of a team cost: a mean hides that a few took most of it.

use super::cuts::{Cut, cut};
use crate::chart::{Columns, Series, Unit, stacked};
use crate::store::delivered::Delivered;
use anyhow::Result;
use meter::NanoUsd;
use meter::outcome::{Spread, State};
use std::fmt::Write as _;

/// A dollar, and what it is cut into for the cheapest.
const CENT: i64 = 10_000_000;
/// Steps of a scale on which each is about twice the one before.
const STEPS: [i64; 3] = [1, 2, 5];

/// `None` where no spend is known to have gone into any.
pub(super) fn spread(delivered: &[Delivered]) -> Result<Option<Cut>> {
    let verified = || delivered.iter().filter(|one| one.state == State::Verified).map(|one| one.spent.cost);
    let Some(of_all) = Spread::of(verified()) else { return Ok(None) };
    let costs: Vec<i64> = verified().map(|cost| cost.0).filter(|cost| *cost > 0).collect();
    let bins = bins(&costs);
    let names: Vec<String> = bins.iter().map(|(from, to, _)| named(*from, *to)).collect();
    let columns = Columns { names: &names, immature_from: names.len(), marks: Vec::new() };
    let amounts = bins.iter().map(|(_, _, count)| *count).collect();
    let series = [Series { name: "verified", class: "verified", amounts }];
    let Spread { median, p75, p90, max, top_share, outcomes } = of_all;
    let [median, p75, p90, max] = [median, p75, p90, max].map(NanoUsd::dollars);
    let mut remark = format!(
        "Half cost up to {median}, three of four up to {p75}, nine of ten up to {p90}, the dearest {max}; the dearest \
         tenth took {} % of it all.",
        top_share.percent()
    );
    let unknown = verified().count() - outcomes;
    if unknown > 0 {
        let _ = write!(remark, " Of {unknown} more no spend is known."); // writing to a String cannot fail
    }
    let summary = format!("Verified outcomes by what each cost. {remark}");
    cut("What an outcome cost", &remark, Vec::new(), |frame| {
        stacked(&columns, &series, Unit::Changes, frame, &summary)
    })
    .map(Some)
}

/// From the bin of the lowest to that of the highest, without gaps: from, to and how many.
fn bins(costs: &[i64]) -> Vec<(i64, i64, i64)> {
    let lowest = costs.iter().min().copied().unwrap_or(0);
    let highest = costs.iter().max().copied().unwrap_or(0);
    let edges = (0..11).flat_map(|power| STEPS.map(|step| step * CENT * 10_i64.pow(power)));
    let edges: Vec<i64> = std::iter::once(0).chain(edges).collect();
    let within = |from: i64, to: i64| costs.iter().filter(|cost| (from..to).contains(cost)).count();
    let bin = |pair: &[i64]| {
        let (from, to) = (pair[0], pair[1]);
        (to > lowest && from <= highest)
            .then(|| (from, to, i64::try_from(within(from, to)).unwrap_or(i64::MAX)))
    };
    edges.windows(2).filter_map(bin).collect()
}

/// `$5–10`.
fn named(from: i64, to: i64) -> String {
    let [from, to] = [from, to].map(|edge| Unit::Dollars.rounded(edge.into()));
    format!("{from}–{}", to.trim_start_matches('$'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_cost_is_in_one_bin() {
        let dollar = 100 * CENT;
        let told = |costs: &[i64]| {
            bins(costs)
                .iter()
                .map(|(from, to, count)| format!("{} {count}", named(*from, *to)))
                .collect::<Vec<_>>()
        };
        assert_eq!(told(&[dollar, 2 * dollar - 1, 12 * dollar]), ["$1–2 2", "$2–5 0", "$5–10 0", "$10–20 1"]);
        assert_eq!(told(&[1]), ["$0–0.01 1"]);
        assert_eq!(bins(&[i64::MAX / 100, 1]).iter().map(|(_, _, count)| count).sum::<i64>(), 2);
    }
}
