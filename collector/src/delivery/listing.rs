//! The measures of a team for programs: seconds, counts and dollars, each with what it rests on.

use super::TeamDelivery;
use crate::listing::{Cell, Fields};
use meter::delivery::{Cohort, Delivery, Flow, Portion, Surviving, Took, Usual};
use meter::{Interval, wilson};

type Named = (&'static str, Cell);

pub(super) fn fields(one: &TeamDelivery) -> Fields {
    let delivery = &one.delivery;
    let (cycle, tally) = (&delivery.cycle, delivery.tally);
    let requests = one.requests.as_ref();
    let failed = wilson(tally.disqualified, tally.attempted());
    let (low, high) = failed.map(|Interval { low, high }| (low, high)).unzip();
    let (added_low, added_high) = delivery.share_added.map(|Interval { low, high }| (low, high)).unzip();
    let (broke_low, broke_high) = delivery.broke_added.map(|Interval { low, high }| (low, high)).unzip();
    let mut fields = vec![
        ("team", Cell::text(&one.team)),
        ("name", Cell::text(&one.name)),
        ("spend_usd", Cell::number(one.spend)),
        ("changes", Cell::number(delivery.changes)),
        ("usd_per_change", Cell::optional(one.cost_of_a_change())),
        ("repairs", Cell::number(delivery.repairs)),
        ("rework_usd", Cell::number(delivery.rework)),
        ("attempted", Cell::number(tally.attempted())),
        ("failed", Cell::number(tally.disqualified)),
        ("failed_share_low", Cell::optional(low)),
        ("failed_share_high", Cell::optional(high)),
        ("shipments", Cell::optional(one.shipments.map(|all| all.count))),
        ("shipments_rework", Cell::optional(one.shipments.map(|all| all.rework))),
        ("usd_per_shipment", Cell::optional(one.cost_of_a_shipment())),
        ("requests_open", Cell::optional(requests.map(|requests| requests.open))),
        ("requests_merged", Cell::optional(requests.map(|requests| requests.merged))),
        ("requests_given_up", Cell::optional(requests.map(|requests| requests.given_up))),
    ];
    fields.extend(took(["coding_changes", "coding_median_seconds", "coding_p75_seconds"], cycle.coding));
    fields.extend(took(["pickup_changes", "pickup_median_seconds", "pickup_p75_seconds"], cycle.pickup));
    fields.extend(took(["review_changes", "review_median_seconds", "review_p75_seconds"], cycle.review));
    fields.extend(took(["open_changes", "open_median_seconds", "open_p75_seconds"], cycle.open));
    fields.extend(took(["deploy_changes", "deploy_median_seconds", "deploy_p75_seconds"], cycle.deploy));
    fields.extend(took(["lead_changes", "lead_median_seconds", "lead_p75_seconds"], cycle.lead));
    fields.extend(took(["epics", "epic_median_seconds", "epic_p75_seconds"], one.epics));
    fields
        .extend(took(["restore_changes", "restore_median_seconds", "restore_p75_seconds"], delivery.restore));
    fields.extend(work(delivery));
    fields.extend(flow(delivery));
    fields.extend(lines(delivery.surviving));
    fields.extend(outages(delivery));
    let assisted = [
        "assisted_changes",
        "assisted_attempted",
        "assisted_verified",
        "assisted_broke",
        "assisted_cost_usd",
    ];
    fields.extend(cohort(assisted, &delivery.assisted));
    let heavy = ["heavy_changes", "heavy_attempted", "heavy_verified", "heavy_broke", "heavy_cost_usd"];
    fields.extend(cohort(heavy, &delivery.heavy));
    let none = [
        "no_known_ai_changes",
        "no_known_ai_attempted",
        "no_known_ai_verified",
        "no_known_ai_broke",
        "no_known_ai_cost_usd",
    ];
    fields.extend(cohort(none, &delivery.no_known_ai));
    fields.extend([
        ("assisted_share_added_low", Cell::optional(added_low)),
        ("assisted_share_added_high", Cell::optional(added_high)),
        ("assisted_broke_added_low", Cell::optional(broke_low)),
        ("assisted_broke_added_high", Cell::optional(broke_high)),
    ]);
    Fields(fields)
}

fn work(delivery: &Delivery) -> Vec<Named> {
    let names = [
        ("new_value_changes", "new_value_usd"),
        ("lights_on_changes", "lights_on_usd"),
        ("unclear_changes", "unclear_usd"),
    ];
    let portions = names.into_iter().zip(&delivery.composition);
    let told = |((changes, cost), portion): ((&'static str, &'static str), &Portion)| {
        [(changes, Cell::number(portion.changes)), (cost, Cell::number(portion.cost))]
    };
    portions.flat_map(told).collect()
}

/// Nothing of it where no lines were counted.
fn lines(surviving: Option<Surviving>) -> [Named; 7] {
    let count = |of: fn(Surviving) -> u64| Cell::optional(surviving.map(of));
    [
        ("lines_changes", count(|it| it.changes as u64)),
        ("lines_of_changes", count(|it| it.of as u64)),
        ("lines_mostly_gone_changes", count(|it| it.mostly_gone as u64)),
        ("lines_added", count(|it| it.lines.added)),
        ("lines_surviving", count(|it| it.lines.surviving)),
        ("lines_usd", Cell::optional(surviving.map(|it| it.cost))),
        ("usd_per_surviving_line", Cell::optional(surviving.and_then(Surviving::cost_of_a_line))),
    ]
}

fn outages(delivery: &Delivery) -> Vec<Named> {
    let outages = delivery.outages;
    let mut fields = vec![
        ("incidents", Cell::number(outages.opened)),
        ("incidents_open", Cell::number(outages.open)),
        ("broke", Cell::number(delivery.broke)),
    ];
    let names = ["incidents_resolved", "incident_median_seconds", "incident_p75_seconds"];
    fields.extend(took(names, outages.lasted));
    fields
}

fn flow(delivery: &Delivery) -> Vec<Named> {
    let (flow, reviews) = (delivery.flow, delivery.reviews);
    let mut fields = vec![
        ("flow_changes", Cell::number(flow.map_or(0, |flow| flow.changes))),
        ("flow_active_seconds", Cell::optional(flow.map(|flow| flow.active.as_secs()))),
        ("flow_lead_seconds", Cell::optional(flow.map(|flow| flow.lead.as_secs()))),
        ("flow_efficiency", Cell::optional(flow.map(Flow::efficiency))),
    ];
    fields.extend(usual(["rounds_changes", "rounds_median", "rounds_p75"], reviews.rounds));
    fields.extend(usual(["comments_changes", "comments_median", "comments_p75"], reviews.comments));
    let names = ["review_estimate_changes", "review_estimate_median_seconds", "review_estimate_p75_seconds"];
    fields.extend(took(names, reviews.estimate));
    fields.push(("review_usd", Cell::number(delivery.review_cost)));
    fields
}

fn usual([changes, median, p75]: [&'static str; 3], usual: Option<Usual>) -> [Named; 3] {
    [
        (changes, Cell::number(usual.map_or(0, |usual| usual.changes))),
        (median, Cell::optional(usual.map(|usual| usual.median))),
        (p75, Cell::optional(usual.map(|usual| usual.p75))),
    ]
}

fn took([changes, median, p75]: [&'static str; 3], took: Option<Took>) -> [Named; 3] {
    [
        (changes, Cell::number(took.map_or(0, |took| took.changes))),
        (median, Cell::optional(took.map(|took| took.median.as_secs()))),
        (p75, Cell::optional(took.map(|took| took.p75.as_secs()))),
    ]
}

fn cohort([changes, attempted, verified, broke, cost]: [&'static str; 5], cohort: &Cohort) -> [Named; 5] {
    [
        (changes, Cell::number(cohort.changes)),
        (attempted, Cell::number(cohort.tally.attempted())),
        (verified, Cell::number(cohort.tally.verified)),
        (broke, Cell::number(cohort.broke)),
        (cost, Cell::number(cohort.cost)),
    ]
}
