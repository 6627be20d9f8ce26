//! `cpvo delivery`: how each team delivers, beside what its outcomes cost. The measures are `meter::delivery`; this
//! hands them what is stored.

mod listing;
mod table;

use crate::config::{Clock, Options};
use crate::listing::{Format, Listing};
use crate::people::UNASSIGNED;
use crate::store::db::{Access, Db};
use crate::store::delivered::{Delivered, Requests, delivered_list, request_counts};
use crate::store::epic::epic_list;
use crate::store::incident::{broken_list, outage_list};
use crate::store::label::team_labels;
use crate::store::shipping::{Sent, sent_list};
use crate::weekly::{Asked, WEEKS_DEFAULT, WEEKS_MAX, Weekly, weekly, weeks_back};
use anyhow::Result;
use jiff::Timestamp;
use meter::delivery::{Assistance, Delivery, Kind, Labels, Shipments, Shipped, Took, assistance};
use meter::{NanoUsd, Week};
use serde::Serialize;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{Write, stdout};

/// Weeks over which the changes of a repository are held against each other.
const ALIKE: u16 = 26;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// One team by its id, or `unassigned`, with every measure [default: all, with the main ones]
    #[arg(long)]
    team: Option<String>,
    /// How many weeks back from now
    #[arg(long, default_value_t = WEEKS_DEFAULT, value_parser = clap::value_parser!(u16).range(1..=i64::from(WEEKS_MAX)))]
    weeks: u16,
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

/// What was shipped in some weeks and when it was true.
pub(crate) struct Deliveries {
    computed_at: Timestamp,
    first: Week,
    last: Week,
    weeks: u16,
    /// The largest spend first.
    teams: Vec<TeamDelivery>,
}

pub(crate) struct TeamDelivery {
    team: String,
    name: String,
    /// Of the team's people, in these weeks.
    spend: NanoUsd,
    /// `None` where no host tells of requests that the team alone owns.
    requests: Option<Requests>,
    delivery: Delivery,
    /// `None` where changes ship with their merges.
    shipments: Option<Shipments>,
    /// Larger than a change: those of which it shipped something in these weeks.
    epics: Option<Took>,
}

impl TeamDelivery {
    /// All that was spent on each change that was accepted; `None` where there is none.
    fn cost_of_a_change(&self) -> Option<NanoUsd> {
        self.cost_of_each(self.delivery.changes)
    }

    /// The same for each release or deployment.
    fn cost_of_a_shipment(&self) -> Option<NanoUsd> {
        self.cost_of_each(self.shipments?.count)
    }

    fn cost_of_each(&self, count: usize) -> Option<NanoUsd> {
        self.spend.0.checked_div(i64::try_from(count).ok()?).map(NanoUsd)
    }
}

pub(crate) fn run(Args { team, weeks, format }: Args, options: &Options, now: Clock) -> Result<()> {
    let config = options.load()?;
    config.db.ensure_there()?;
    let mut db = crate::store::open(&config.db, Access::Read, now())?;
    let deliveries = db.snapshot(|db| {
        let asked = Asked::of_team(team.as_deref(), weeks);
        asked.check(db)??;
        let weekly = weekly(db, &asked, now())?;
        deliveries(db, &weekly, weeks)
    })?;
    let text = match format {
        Format::Table => table::report(&deliveries, team.is_some()),
        Format::Json => serde_json::to_string_pretty(&deliveries.answer())? + "\n",
        Format::Csv => deliveries.listing().render(Format::Csv)?,
    };
    Ok(stdout().lock().write_all(text.as_bytes())?)
}

impl Deliveries {
    /// Of the one team that was asked for.
    pub(crate) fn of_team(&self, team: &str) -> Option<&TeamDelivery> {
        self.teams.iter().find(|one| one.team == team)
    }
}

/// What the teams of these weeks shipped in them.
pub(crate) fn deliveries(db: &mut Db, weekly: &Weekly, weeks: u16) -> Result<Deliveries> {
    let now = weekly.computed_at;
    let first = weeks_back(now, weeks);
    let alike = weeks_back(now, ALIKE);
    let all = delivered_list(db, first.min(alike).start(), None)?;
    let mature: BTreeSet<(&str, Week)> = weekly
        .weeks
        .iter()
        .filter(|row| row.mature().is_some())
        .map(|row| (row.team.as_str(), row.week))
        .collect();
    let broken = broken_list(db)?;
    let is_mature = |one: &Delivered| mature.contains(&(one.team.as_str(), Week::of(one.shipped_at)));
    let (labels, none) = (team_labels(db)?, Labels::default());
    let labels_of = |one: &Delivered| labels.get(&one.team).unwrap_or(&none);
    let broke = |one: &Delivered| broken.contains(&(one.repo.clone(), one.sha.clone()));
    let shipped: Vec<Shipped> = all
        .iter()
        .map(|one| Shipped { is_mature: is_mature(one), broke: broke(one), ..seen(one, labels_of(one)) })
        .collect();
    let mut of_team: BTreeMap<&str, Vec<(&Shipped, Assistance)>> = BTreeMap::new();
    for ((one, shipped), assistance) in all.iter().zip(&shipped).zip(assistance(&shipped, alike.start())) {
        if one.shipped_at >= first.start() {
            of_team.entry(&one.team).or_default().push((shipped, assistance));
        }
    }
    let mut spend: BTreeMap<(&str, &str), NanoUsd> = BTreeMap::new();
    for row in &weekly.weeks {
        spend.entry((&row.team, &row.name)).or_default().0 += row.spend().0;
    }
    let mut requests = request_counts(db, first.start())?;
    let outages = outage_list(db, first.start())?;
    let mut epics = epic_list(db, first.start())?;
    let mut sent: BTreeMap<String, Vec<Sent>> = BTreeMap::new();
    for one in sent_list(db, first.start())? {
        sent.entry(one.team.clone()).or_default().push(one);
    }
    let shipments = |team: &str| {
        let sent = sent.get(team)?.iter().map(|one| (one.repo.as_str(), one.at));
        Some(Shipments::of(sent, &shipped.iter().collect::<Vec<_>>()))
    };
    let team = |((team, name), spend): ((&str, &str), NanoUsd)| TeamDelivery {
        team: team.to_owned(),
        name: name.to_owned(),
        spend,
        requests: requests.remove(team),
        shipments: shipments(team),
        epics: Took::of(epics.remove(team).unwrap_or_default()),
        delivery: Delivery::of(
            of_team.get(team).map_or(&[], Vec::as_slice),
            outages.get(team).map_or(&[], Vec::as_slice),
        ),
    };
    let mut teams: Vec<TeamDelivery> = spend.into_iter().map(team).collect();
    teams.sort_by_key(|one| (one.team == UNASSIGNED, Reverse(one.spend)));
    Ok(Deliveries { computed_at: now, first, last: Week::of(now), weeks, teams })
}

/// What a change is for: what repairs or updates something keeps the lights on, however it is labelled.
fn kind(one: &Delivered, labels: &Labels) -> Option<Kind> {
    match one.excluded_as.as_deref() {
        None => Some(labels.kind(&one.labels)),
        Some("revert" | "hotfix" | "dependencies") => Some(Kind::LightsOn),
        Some(_) => None,
    }
}

/// A change as the measures see it by itself.
fn seen(one: &Delivered, labels: &Labels) -> Shipped {
    Shipped {
        repo: one.repo.clone(),
        state: one.state,
        is_repair: matches!(one.excluded_as.as_deref(), Some("revert" | "hotfix")),
        is_mature: false,
        broke: false,
        kind: kind(one, labels),
        reviewed: one.reviewed,
        active_hours: one.spent.hours,
        review_cost: one.spent.review,
        cost: one.spent.cost,
        tokens: one.spent.built,
        lines: one.lines,
        survived: one.survived,
        began_at: one.spent.first_hour,
        opened_at: one.opened_at,
        reviewed_at: one.reviewed_at,
        merged_at: one.merged_at,
        shipped_at: one.shipped_at,
        restored_at: one.restored_at,
    }
}

#[derive(Serialize)]
pub(crate) struct Answer {
    computed_at: Timestamp,
    first_week: String,
    last_week: String,
    teams: Listing,
}

impl Deliveries {
    pub(crate) fn answer(&self) -> Answer {
        Answer {
            computed_at: self.computed_at,
            first_week: self.first.to_string(),
            last_week: self.last.to_string(),
            teams: self.listing(),
        }
    }

    pub(crate) fn listing(&self) -> Listing {
        Listing::of(self.teams.iter().map(listing::fields).collect())
    }
}
