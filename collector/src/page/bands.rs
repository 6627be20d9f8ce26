//! Spend and outcomes of teams that ship about as often: what no other comparison of teams is fair to. Each leads to
//! its changes.

use super::cuts::{NARROW, WIDE};
use crate::people::UNASSIGNED;
use crate::scatter::{Spot, scatter};
use crate::weekly::Standing;
use anyhow::Result;
use meter::outcome::Cadence;
use meter::{NanoUsd, Week};

/// The teams of one cadence, drawn and in numbers.
pub(super) struct Band {
    pub name: String,
    pub wide: String,
    pub narrow: String,
    pub rows: Vec<Row>,
    /// What an outcome cost all of them.
    pub together: String,
}

pub(super) struct Row {
    pub name: String,
    pub href: String,
    pub weeks: String,
    pub spend: String,
    pub verified: u64,
    pub cpvo: String,
}

/// Those with mature weeks, the most frequent cadence first. One alone is beside nobody.
pub(super) fn bands(standings: &[Standing]) -> Result<Vec<Band>> {
    let mut cadences: Vec<Cadence> = standings.iter().filter_map(|one| one.cadence).collect();
    cadences.sort_unstable();
    cadences.dedup();
    let mut bands = Vec::new();
    for cadence in cadences.into_iter().rev() {
        let is_of = |one: &&Standing| {
            one.cadence == Some(cadence) && one.period.cost.0 > 0 && one.judging.team != UNASSIGNED
        };
        let teams: Vec<(&Standing, (Week, Week))> =
            standings.iter().filter(is_of).filter_map(|one| Some((one, one.span?))).collect();
        if teams.len() > 1 {
            bands.push(band(cadence, &teams)?);
        }
    }
    Ok(bands)
}

fn band(cadence: Cadence, teams: &[(&Standing, (Week, Week))]) -> Result<Band> {
    let rows: Vec<Row> = teams.iter().map(|(one, span)| row(one, *span)).collect();
    let spot = |((one, _), row): (&(&Standing, _), &Row)| Spot {
        name: one.judging.name.clone(),
        href: row.href.clone(),
        spend: one.period.cost.0,
        outcomes: i64::try_from(one.period.tally.verified).unwrap_or(i64::MAX),
        title: format!(
            "{}, {}: {} for {} verified, {}",
            row.name, row.weeks, row.spend, row.verified, row.cpvo
        ),
    };
    let spots: Vec<Spot> = teams.iter().zip(&rows).map(spot).collect();
    let cost: i64 = teams.iter().map(|(one, _)| one.period.cost.0).sum();
    let verified: u64 = rows.iter().map(|row| row.verified).sum();
    let name = format!("Teams that ship {} a week", cadence.range());
    let summary = format!("{name}: spend to the right, verified changes upwards");
    Ok(Band {
        wide: scatter(&spots, WIDE, &summary)?,
        narrow: scatter(&spots, NARROW, &summary)?,
        together: each(NanoUsd(cost), verified),
        name,
        rows,
    })
}

fn row(one: &Standing, (first, last): (Week, Week)) -> Row {
    Row {
        name: one.judging.name.clone(),
        href: format!("/changes?team={}&from={first}&to={last}", encoded(&one.judging.team)),
        weeks: format!("{first} to {last}"),
        spend: one.period.cost.dollars(),
        verified: one.period.tally.verified,
        cpvo: one.period.cpvo.map_or_else(|| "none".to_owned(), |each| format!("{} each", each.dollars())),
    }
}

/// As a value in an address.
fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

fn each(cost: NanoUsd, verified: u64) -> String {
    let each = i64::try_from(verified).ok().and_then(|verified| cost.0.checked_div(verified));
    each.map_or_else(
        || "nothing was verified".to_owned(),
        |each| format!("{} an outcome", NanoUsd(each).dollars()),
    )
}
