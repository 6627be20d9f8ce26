//! The measures for people: a line for each team, or all there is of one.

use super::{Deliveries, TeamDelivery};
use crate::listing::{Cell, Listing};
use crate::store::delivered::Requests;
use crate::weekly::share_text;
use jiff::SignedDuration;
use meter::delivery::{
    Assistance, Cohort, Delivery, Kind, Outages, Portion, Shipments, Surviving, Took, Usual,
};
use meter::outcome::Tally;
use meter::{Interval, NanoUsd, Ppm};
use std::fmt::Write as _;

/// What no source tells.
const UNKNOWN: &str = "–";

pub(super) fn report(deliveries: &Deliveries, in_full: bool) -> String {
    let Deliveries { first, last, weeks, teams, .. } = deliveries;
    if teams.iter().all(|one| one.delivery.changes + one.delivery.repairs == 0) {
        return format!(
            "nothing shipped from {first} to {last}: `cpvo sync && cpvo judge` read what lands\n"
        );
    }
    let text = if in_full {
        teams.iter().map(|one| told(one, *weeks)).collect()
    } else {
        Listing::new(&COLUMNS, teams.iter().map(line).collect()).fitted(0)
    };
    format!(
        "{text}
Changes that shipped from {first} to {last}; – is what no source tells.
lead: from the first session on a change, else its request, until it shipped.
failed: lost by revert, hotfix or reopened ticket, of mature weeks; restored: until
its repair shipped; rework: repairs of all that shipped; times are medians.
AI: a session is known to have built it; the rest may be anything.
"
    )
}

const COLUMNS: [&str; 8] = ["team", "shipped", "lead", "failed", "restored", "rework", "AI", "open"];

fn line(one: &TeamDelivery) -> Vec<Cell> {
    let delivery = &one.delivery;
    vec![
        Cell::text(&one.name),
        Cell::number(delivery.changes),
        Cell::Number(median(delivery.cycle.lead)),
        Cell::Number(failed(delivery.tally)),
        Cell::Number(median(delivery.restore)),
        Cell::Number(percent(delivery.repairs, delivery.changes + delivery.repairs)),
        Cell::Number(percent(delivery.assisted.changes, delivery.changes)),
        Cell::Number(one.requests.map_or_else(|| UNKNOWN.to_owned(), |requests| requests.open.to_string())),
    ]
}

/// Every measure of a team.
fn told(one: &TeamDelivery, weeks: u16) -> String {
    let TeamDelivery { name, delivery, .. } = one;
    let tenths = delivery.changes * 10 / usize::from(weeks);
    let head =
        format!("{name}: {} changes shipped, {}.{} a week\n", delivery.changes, tenths / 10, tenths % 10);
    let times = format!("\n{}", times(one).table());
    head + &times + &cohorts(delivery) + &work(delivery) + &flow(delivery) + &counts(one)
}

impl TeamDelivery {
    /// How long things take, and how changes with Claude Code did beside the others.
    pub(crate) fn tables(&self) -> [Listing; 2] {
        [times(self), cohort_table(&self.delivery)]
    }

    /// What else there is: a name, and what is to be said of it.
    pub(crate) fn lines(&self) -> Vec<(String, String)> {
        let text = flow(&self.delivery) + &counts(self);
        let line =
            |line: &str| line.split_once(' ').map(|(name, text)| (name.to_owned(), text.trim().to_owned()));
        text.lines().filter_map(line).collect()
    }
}

/// How long things take.
fn times(TeamDelivery { delivery, epics, .. }: &TeamDelivery) -> Listing {
    let cycle = &delivery.cycle;
    let spans = [
        ("coding", cycle.coding, "until its request was opened"),
        ("pickup", cycle.pickup, "until somebody else reviewed it"),
        ("review", cycle.review, "until it was merged"),
        ("open", cycle.open, "from the request to the merge"),
        ("reading", delivery.reviews.estimate, "what its reviews took, by an estimate"),
        ("deploy", cycle.deploy, "from the merge to the users"),
        ("lead", cycle.lead, "all of it"),
        ("epic", *epics, "from first session to last change"),
        ("restored", delivery.restore, "from a failure to its repair"),
        ("incident", delivery.outages.lasted, "from its opening to its end"),
    ];
    let span = |(name, took, what): (&str, Option<Took>, &str)| {
        let counted = took.map_or_else(|| UNKNOWN.to_owned(), |took| took.changes.to_string());
        vec![
            Cell::text(name),
            Cell::Number(counted),
            Cell::Number(median(took)),
            Cell::Number(took.map_or_else(String::new, |took| duration(took.p75))),
            Cell::text(what),
        ]
    };
    let columns = ["time", "changes", "median", "p75", "of a change"];
    Listing::new(&columns, spans.map(span).into())
}

/// With Claude Code and, as far as is known, without.
fn cohort_table(delivery: &Delivery) -> Listing {
    let cohorts = [
        (Assistance::Assisted, &delivery.assisted),
        (Assistance::Heavy, &delivery.heavy),
        (Assistance::NoneKnown, &delivery.no_known_ai),
    ];
    let columns = ["built with", "changes", "verified", "share", "broke", "lead", "cost"];
    Listing::new(&columns, cohorts.map(|(how, cohort)| cohort_line(how, cohort)).into())
}

fn cohorts(delivery: &Delivery) -> String {
    let mut text = format!("\n{}", cohort_table(delivery).table());
    let broke = delivery.broke_added.filter(|_| delivery.outages.opened > 0);
    for (what, added) in
        [("verified share of AI-assisted", delivery.share_added), ("share that broke of AI-assisted", broke)]
    {
        let Some(Interval { low, high }) = added else { continue };
        let (low, high) = (low.percent(), high.percent());
        let _ =
            writeln!(text, "{what} above no known AI: {low:+} to {high:+} points at 95 %, which is no cause");
    }
    text
}

/// What the work was for, where labels say it of any.
fn work(delivery: &Delivery) -> String {
    let portions = &delivery.composition;
    if portions.iter().all(|one| one.kind == Kind::Unclear || one.changes == 0) {
        return String::new();
    }
    let changes = portions.iter().map(|one| one.changes).sum();
    let cost = portions.iter().map(|one| one.cost.0).fold(0, i64::saturating_add);
    let cents = |cost: i64| usize::try_from(cost / 10_000_000).unwrap_or_default();
    let row = |one: &Portion| {
        vec![
            Cell::text(one.kind.as_str()),
            Cell::number(one.changes),
            Cell::Number(percent(one.changes, changes)),
            Cell::Number(one.cost.dollars()),
            Cell::Number(percent(cents(one.cost.0), cents(cost))),
        ]
    };
    let columns = ["work", "changes", "of all", "cost", "of the cost"];
    format!("\n{}", Listing::new(&columns, portions.iter().map(row).collect()).table())
}

/// A number with its noun; of none that is known a dash.
fn of_many(count: Option<u64>, noun: &str) -> String {
    match count {
        None => format!("{UNKNOWN} {noun}s"),
        Some(1) => format!("1 {noun}"),
        Some(count) => format!("{count} {noun}s"),
    }
}

/// What of the way was work, and how it was reviewed.
fn flow(delivery: &Delivery) -> String {
    let whole = |span: SignedDuration| span.as_hours();
    let flow = delivery.flow.map_or_else(
        || UNKNOWN.to_owned(),
        |flow| {
            let (active, lead) = (whole(flow.active), whole(flow.lead));
            format!("{} %, {active} of {lead} hours of {} changes", flow.efficiency().percent(), flow.changes)
        },
    );
    let usual = |usual: Option<Usual>, noun| of_many(usual.map(|usual| usual.median), noun);
    let (rounds, comments) =
        (usual(delivery.reviews.rounds, "round"), usual(delivery.reviews.comments, "comment"));
    let cost = delivery.review_cost.dollars();
    format!("\nflow      {flow}\nreviews   {rounds} and {comments} a change, {cost} of sessions\n")
}

/// What else there is, a line each.
fn counts(one: &TeamDelivery) -> String {
    let TeamDelivery { spend, delivery, requests, .. } = one;
    let (changes, tally) = (delivery.changes, delivery.tally);
    let mut text = match tally.attempted() {
        0 => format!("failed    {UNKNOWN}\n"),
        attempted => format!("failed    {}/{attempted}, {}\n", tally.disqualified, failed(tally)),
    };
    let (repairs, shipped) = (delivery.repairs, changes + delivery.repairs);
    let rework = delivery.rework.dollars();
    let _ = writeln!(text, "rework    {repairs}/{shipped}, {}, {rework}", percent(repairs, shipped));
    let (broke, Outages { opened, open, .. }) = (delivery.broke, delivery.outages);
    let share =
        share_text(Tally { verified: broke as u64, disqualified: (changes - broke) as u64, pending: 0 });
    let _ = match opened {
        0 => writeln!(text, "incidents {UNKNOWN}"),
        opened => writeln!(text, "incidents {opened}, {open} open; from {broke}/{changes} changes, {share}"),
    };
    let each = one.cost_of_a_change().map_or_else(|| UNKNOWN.to_owned(), NanoUsd::dollars);
    let _ = writeln!(text, "spend     {}, {each} a change shipped", spend.dollars());
    if let Some(surviving) = delivery.surviving {
        let _ = writeln!(text, "lines     {}", lines(surviving));
    }
    if let Some(Shipments { count, rework }) = one.shipments {
        let each = one.cost_of_a_shipment().map_or_else(|| UNKNOWN.to_owned(), NanoUsd::dollars);
        let rate = percent(rework, count);
        let _ =
            writeln!(text, "shipped   {count} times, {each} each; {rework}/{count} brought repairs, {rate}");
    }
    match requests {
        Some(Requests { open, merged, given_up }) => {
            let (closed, rate) = (merged + given_up, percent(*merged, merged + given_up));
            let _ = writeln!(text, "requests  {open} open; {merged}/{closed} merged, {rate}");
        }
        None => text += "requests  –\n",
    }
    text
}

/// What is left of the lines of changes, and what that cost.
fn lines(surviving: Surviving) -> String {
    let Surviving { changes, of, lines, cost, mostly_gone } = surviving;
    let each = surviving.cost_of_a_line().map_or_else(|| UNKNOWN.to_owned(), cents);
    let (left, added, cost) = (lines.surviving, lines.added, cost.dollars());
    format!(
        "{cost} for {left} left of {added}, {each} each; {changes}/{of} changes counted, {mostly_gone} mostly gone"
    )
}

/// A line costs less than a cent or so.
fn cents(cost: NanoUsd) -> String {
    if cost.0 >= 1_000_000_000 {
        return cost.dollars();
    }
    let tenths = (cost.0 + 500_000) / 1_000_000;
    format!("{}.{} ¢", tenths / 10, tenths % 10)
}

fn cohort_line(how: Assistance, cohort: &Cohort) -> Vec<Cell> {
    let Tally { verified, .. } = cohort.tally;
    vec![
        Cell::text(how.as_str()),
        Cell::number(cohort.changes),
        Cell::Number(format!("{verified}/{}", cohort.tally.attempted())),
        Cell::Number(share_text(cohort.tally)),
        Cell::number(cohort.broke),
        Cell::Number(median(cohort.lead)),
        Cell::Number(cohort.cost.dollars()),
    ]
}

/// The share that failed.
fn failed(Tally { verified, disqualified, .. }: Tally) -> String {
    share_text(Tally { verified: disqualified, disqualified: verified, pending: 0 })
}

fn median(took: Option<Took>) -> String {
    took.map_or_else(|| UNKNOWN.to_owned(), |took| duration(took.median))
}

/// In one unit, as people say it.
fn duration(span: SignedDuration) -> String {
    match span.as_hours() {
        0 => format!("{} min", span.as_mins()),
        hours @ 1..48 => format!("{hours} h"),
        hours => format!("{} d", hours / 24),
    }
}

fn percent(part: usize, all: usize) -> String {
    let share = Ppm::share(part as u64, all as u64);
    share.map_or_else(|| UNKNOWN.to_owned(), |share| format!("{} %", share.percent()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;
    use meter::delivery::{Lines, Outage, Reviewed, Shipped, assistance};
    use meter::outcome::State;

    /// Of every ten changes two were lost and repaired; half of all were built with Claude Code, one of them by much.
    fn changes(number: i64) -> Vec<Shipped> {
        let change = |number: i64| {
            let merged_at = Timestamp::UNIX_EPOCH + SignedDuration::from_hours(24 * number);
            let hours = |hours: i64| SignedDuration::from_hours(hours);
            let is_built = number % 2 == 0;
            Shipped {
                repo: "github.com/acme/pay".to_owned(),
                state: if number % 10 < 2 { State::Disqualified } else { State::Verified },
                is_repair: false,
                is_mature: true,
                cost: NanoUsd(if is_built { 12_340_000_000 } else { 0 }),
                tokens: if is_built { 1000 } else { 0 },
                lines: Some(if number == 4 { 10 } else { 100 }),
                survived: (number > 2)
                    .then_some(Lines { added: 90, surviving: if number < 6 { 44 } else { 80 } }),
                began_at: is_built.then(|| merged_at - hours(30)),
                opened_at: Some(merged_at - hours(20 + number)),
                reviewed_at: (number > 2).then(|| merged_at - hours(1)),
                merged_at,
                shipped_at: merged_at,
                restored_at: (number % 10 < 2).then(|| merged_at + hours(30 * number)),
                broke: number % 10 == 2,
                reviewed: Reviewed { rounds: (number > 2).then_some(2), comments: Some(5) },
                active_hours: if is_built { 3 } else { 0 },
                review_cost: NanoUsd(if is_built { 340_000_000 } else { 0 }),
                kind: Some(match number {
                    0..5 => Kind::LightsOn,
                    5..15 => Kind::NewValue,
                    _ => Kind::Unclear,
                }),
            }
        };
        let mut changes: Vec<Shipped> = (0..number).map(change).collect();
        changes.extend((number > 5).then(|| Shipped {
            is_repair: true,
            state: State::Excluded,
            ..change(2)
        }));
        changes
    }

    fn deliveries() -> Deliveries {
        let team = |name: &str, number, requests| {
            let changes = changes(number);
            let hour = |hour| Timestamp::UNIX_EPOCH + SignedDuration::from_hours(hour);
            let outage = |resolved_at| Outage { opened_at: hour(1), resolved_at };
            let outages = [outage(Some(hour(3))), outage(None), outage(Some(hour(8)))];
            let known = if number > 5 { &outages[..] } else { &[] };
            let of = Delivery::of(
                &changes.iter().zip(assistance(&changes, Timestamp::MIN)).collect::<Vec<_>>(),
                known,
            );
            TeamDelivery {
                team: name.to_lowercase(),
                name: name.to_owned(),
                spend: NanoUsd(1_234_560_000_000),
                requests,
                delivery: of,
                shipments: (number > 5).then_some(Shipments { count: 8, rework: 2 }),
                epics: Took::of((5..number).map(|hours| SignedDuration::from_hours(24 * hours))),
            }
        };
        let requests = Requests { open: 7, merged: 30, given_up: 2 };
        let week = |week: &str| week.parse().unwrap();
        Deliveries {
            computed_at: Timestamp::UNIX_EPOCH,
            first: week("2026-W36"),
            last: week("2026-W47"),
            weeks: 12,
            teams: vec![team("Payments", 30, Some(requests)), team("Search", 3, None), team("Idle", 0, None)],
        }
    }

    #[test]
    fn one_is_not_many() {
        let rounds = |count| of_many(count, "round");
        assert_eq!(
            [rounds(None), rounds(Some(0)), rounds(Some(1)), rounds(Some(2))],
            ["– rounds", "0 rounds", "1 round", "2 rounds"]
        );
    }

    #[test]
    fn a_line_for_each_team() {
        insta::assert_snapshot!(report(&deliveries(), false), @r"
        team      shipped  lead        failed  restored  rework    AI  open
        ────────────────────────────────────────────────────────────────────
        Payments       30  30 h  20 % (10–37)      12 d     3 %  50 %     7
        Search          3  30 h        2 of 3     0 min     0 %  67 %     –
        Idle            0     –                       –       –     –     –

        Changes that shipped from 2026-W36 to 2026-W47; – is what no source tells.
        lead: from the first session on a change, else its request, until it shipped.
        failed: lost by revert, hotfix or reopened ticket, of mature weeks; restored: until
        its repair shipped; rework: repairs of all that shipped; times are medians.
        AI: a session is known to have built it; the rest may be anything.
        ");
    }

    #[test]
    fn all_there_is_of_one_team() {
        let mut deliveries = deliveries();
        deliveries.teams.truncate(1);
        insta::assert_snapshot!(report(&deliveries, true), @r"
        Payments: 30 changes shipped, 2.5 a week

        time      changes  median     p75  of a change
        ─────────────────────────────────────────────────────────────────────────
        coding         15   0 min     4 h  until its request was opened
        pickup         27    35 h    42 h  until somebody else reviewed it
        review         27     1 h     1 h  until it was merged
        open           30    34 h    42 h  from the request to the merge
        reading        27  20 min  20 min  what its reviews took, by an estimate
        deploy          –       –          from the merge to the users
        lead           30    30 h    35 h  all of it
        epic           25    17 d    23 d  from first session to last change
        restored        6    12 d    25 d  from a failure to its repair
        incident        2     2 h     7 h  from its opening to its end

        built with   changes  verified          share  broke  lead     cost
        ────────────────────────────────────────────────────────────────────
        AI-assisted       15     12/15  ~80 % (55–93)      3  30 h  $185.10
        AI-heavy           1       1/1         1 of 1      0  30 h   $12.34
        no known AI       15     12/15  ~80 % (55–93)      0  35 h    $0.00
        verified share of AI-assisted above no known AI: -28 to +28 points at 95 %, which is no cause
        share that broke of AI-assisted above no known AI: -4 to +45 points at 95 %, which is no cause

        work                changes  of all    cost  of the cost
        ─────────────────────────────────────────────────────────
        new value                10    32 %  $61.70         31 %
        keep the lights on        6    19 %  $49.36         25 %
        unclear                  15    48 %  $86.38         44 %

        flow      10 %, 45 of 450 hours of 15 changes
        reviews   2 rounds and 5 comments a change, $5.10 of sessions
        failed    6/30, 20 % (10–37)
        rework    1/31, 3 %, $12.34
        incidents 3, 1 open; from 3/30 changes, 10 % (3–26)
        spend     $1,234.56, $41.15 a change shipped
        lines     $160.42 for 1004 left of 1170, 16.0 ¢ each; 13/15 changes counted, 1 mostly gone
        shipped   8 times, $154.32 each; 2/8 brought repairs, 25 %
        requests  7 open; 30/32 merged, 94 %

        Changes that shipped from 2026-W36 to 2026-W47; – is what no source tells.
        lead: from the first session on a change, else its request, until it shipped.
        failed: lost by revert, hotfix or reopened ticket, of mature weeks; restored: until
        its repair shipped; rework: repairs of all that shipped; times are medians.
        AI: a session is known to have built it; the rest may be anything.
        ");
        deliveries.teams[0].delivery = Delivery::of(&[], &[]);
        let nothing =
            "nothing shipped from 2026-W36 to 2026-W47: `cpvo sync && cpvo judge` read what lands\n";
        assert_eq!(report(&deliveries, true), nothing);
    }

    #[test]
    fn programs_read_seconds_and_counts() {
        let mut deliveries = deliveries();
        deliveries.teams.truncate(1);
        let json = serde_json::to_value(deliveries.answer()).unwrap();
        assert_eq!([&json["first_week"], &json["last_week"]], ["2026-W36", "2026-W47"]);
        assert_eq!(json["computed_at"], "1970-01-01T00:00:00Z");
        // what is measured of one thing in one line
        let mut text = String::new();
        let mut last = String::new();
        let listing = deliveries.listing();
        for (name, cell) in listing.columns.iter().zip(&listing.rows[0]) {
            let about = name.split('_').next().unwrap_or_default();
            text += if about == last { ", " } else { "\n" };
            let shown = if *cell == Cell::Null { "null" } else { cell.shown() };
            let _ = write!(text, "{name} {shown}");
            last = about.to_owned();
        }
        insta::assert_snapshot!(text, @r"
        team payments
        name Payments
        spend_usd 1234.560000000
        changes 30
        usd_per_change 41.152000000
        repairs 1
        rework_usd 12.340000000
        attempted 30
        failed 6, failed_share_low 0.095051, failed_share_high 0.373057
        shipments 8, shipments_rework 2
        usd_per_shipment 154.320000000
        requests_open 7, requests_merged 30, requests_given_up 2
        coding_changes 15, coding_median_seconds 0, coding_p75_seconds 14400
        pickup_changes 27, pickup_median_seconds 126000, pickup_p75_seconds 151200
        review_changes 27, review_median_seconds 3600, review_p75_seconds 3600
        open_changes 30, open_median_seconds 122400, open_p75_seconds 151200
        deploy_changes 0, deploy_median_seconds null, deploy_p75_seconds null
        lead_changes 30, lead_median_seconds 108000, lead_p75_seconds 126000
        epics 25
        epic_median_seconds 1468800, epic_p75_seconds 1987200
        restore_changes 6, restore_median_seconds 1080000, restore_p75_seconds 2160000
        new_value_changes 10, new_value_usd 61.700000000
        lights_on_changes 6, lights_on_usd 49.360000000
        unclear_changes 15, unclear_usd 86.380000000
        flow_changes 15, flow_active_seconds 162000, flow_lead_seconds 1620000, flow_efficiency 0.100000
        rounds_changes 27, rounds_median 2, rounds_p75 2
        comments_changes 30, comments_median 5, comments_p75 5
        review_estimate_changes 27, review_estimate_median_seconds 1200, review_estimate_p75_seconds 1200, review_usd 5.100000000
        lines_changes 13, lines_of_changes 15, lines_mostly_gone_changes 1, lines_added 1170, lines_surviving 1004, lines_usd 160.420000000
        usd_per_surviving_line 0.159780876
        incidents 3, incidents_open 1
        broke 3
        incidents_resolved 2
        incident_median_seconds 7200, incident_p75_seconds 25200
        assisted_changes 15, assisted_attempted 15, assisted_verified 12, assisted_broke 3, assisted_cost_usd 185.100000000
        heavy_changes 1, heavy_attempted 1, heavy_verified 1, heavy_broke 0, heavy_cost_usd 12.340000000
        no_known_ai_changes 15, no_known_ai_attempted 15, no_known_ai_verified 12, no_known_ai_broke 0, no_known_ai_cost_usd 0.000000000
        assisted_share_added_low -0.283209, assisted_share_added_high 0.283209, assisted_broke_added_low -0.041547, assisted_broke_added_high 0.451854
        ");
    }

    #[test]
    fn durations_are_said_in_one_unit() {
        for (minutes, said) in
            [(0, "0 min"), (59, "59 min"), (60, "1 h"), (47 * 60 + 59, "47 h"), (48 * 60, "2 d")]
        {
            assert_eq!(duration(SignedDuration::from_mins(minutes)), said);
        }
    }
}
