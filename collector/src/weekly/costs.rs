//! What verified outcomes cost one by one, by team and cadence: a mean hides that a few took most of it.

use super::Standing;
use super::table::rough;
use crate::listing::{Cell, Fields, Listing};
use crate::store::delivered::Delivered;
use meter::outcome::{Cadence, Spread, State};
use std::cmp::Reverse;

/// The outcomes of a team that shipped in the weeks shown.
pub(crate) struct Costs {
    team: String,
    name: String,
    cadence: Option<Cadence>,
    verified: usize,
    /// `None` where no spend is known to have gone into any.
    spread: Option<Spread>,
}

/// Of each team that stands anywhere; those of one cadence together, the most frequent first.
pub(super) fn costs(standings: &[Standing], delivered: &[Delivered]) -> Vec<Costs> {
    let of_team = |one: &Standing| {
        let verified = || {
            let shipped = delivered.iter().filter(|change| change.team == one.judging.team);
            shipped.filter(|change| change.state == State::Verified)
        };
        (verified().count() > 0).then(|| Costs {
            team: one.judging.team.clone(),
            name: one.judging.name.clone(),
            cadence: one.cadence,
            verified: verified().count(),
            spread: Spread::of(verified().map(|change| change.spent.cost)),
        })
    };
    let mut costs: Vec<Costs> = standings.iter().filter_map(of_team).collect();
    costs.sort_by_key(|one| Reverse(one.cadence));
    costs
}

pub(super) fn listing(costs: &[Costs]) -> Listing {
    let row = |one: &Costs| {
        let spread = one.spread;
        Fields(vec![
            ("team", Cell::text(&one.team)),
            ("name", Cell::text(&one.name)),
            ("cadence", one.cadence.map_or(Cell::Null, |cadence| Cell::text(cadence.as_str()))),
            ("verified", Cell::number(one.verified)),
            ("with_spend", Cell::number(spread.map_or(0, |spread| spread.outcomes))),
            ("median_usd", Cell::optional(spread.map(|spread| spread.median))),
            ("p75_usd", Cell::optional(spread.map(|spread| spread.p75))),
            ("p90_usd", Cell::optional(spread.map(|spread| spread.p90))),
            ("max_usd", Cell::optional(spread.map(|spread| spread.max))),
            ("top_tenth_share", Cell::optional(spread.map(|spread| spread.top_share))),
        ])
    };
    Listing::of(costs.iter().map(row).collect())
}

/// The same for people.
pub(super) fn block(costs: &[Costs]) -> String {
    if costs.iter().all(|one| one.spread.is_none()) {
        return String::new();
    }
    let mut cadence = None;
    let row = |one: &Costs| {
        let new = cadence.replace(one.cadence) != Some(one.cadence);
        let a_week = one.cadence.filter(|_| new).map(|cadence| format!("{}/week", cadence.range()));
        let known = one.spread.map_or(0, |spread| spread.outcomes);
        let mut cells = vec![
            Cell::Text(a_week.unwrap_or_default()),
            Cell::text(&one.name),
            Cell::Number(format!("{known}/{}", one.verified)),
        ];
        cells.extend(match one.spread {
            Some(Spread { median, p75, p90, max, top_share, .. }) => {
                let dollars = [median, p75, p90, max].map(|cost| Cell::Number(rough(cost)));
                dollars.into_iter().chain([Cell::Number(format!("{} %", top_share.percent()))]).collect()
            }
            None => vec![Cell::Null; 5],
        });
        cells
    };
    let columns = ["ships", "team", "known", "median", "p75", "p90", "max", "top 10 %"];
    let table = Listing::new(&columns, costs.iter().map(row).collect()).fitted(1);
    format!("\nWhat each verified outcome of these weeks cost, among teams that ship alike:\n\n{table}")
}
