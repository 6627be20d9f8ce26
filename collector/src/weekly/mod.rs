//! `cpvo weekly`: what each team spent and what came of it, week by week. The page and `/v1/weeks` show the same.

mod asked;
mod costs;
mod standing;
mod table;
mod work;

use crate::config::{Clock, Options};
use crate::listing::{Cell, Fields, Format, Listing};
use crate::people::UNASSIGNED;
use crate::store::closing::closing_list;
use crate::store::db::{Access, Db};
use crate::store::delivered::delivered_list;
use crate::store::filter::{Filter, filtered_list};
use crate::store::team_week::{Judging, Loan, TeamWeek, judging_list, loan_list, team_week_list};
use anyhow::Result;
use jiff::{Timestamp, Unit};
use meter::outcome::{ByStrictness, Tally};
use meter::{Interval, NanoUsd, Week, wilson};
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;
use std::io::{Write, stdout};
use std::ops::RangeInclusive;

pub(crate) use asked::{Asked, OF_NO_MODEL, Unasked, team_known};
pub(crate) use costs::Costs;
pub(crate) use standing::{Standing, period_fields, silence};
pub(crate) use table::{
    NO_SOURCE, UNASSIGNED_QUERY, UNKNOWN, UNPRICED_QUERY, incomplete, share_text, side_text, trend_text,
};

/// Weeks shown where nothing else is asked for.
pub(crate) const WEEKS_DEFAULT: u16 = 12;
/// Ten years.
pub(crate) const WEEKS_MAX: u16 = 520;

#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    asked: Asked,
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

/// What makes spend a team's.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Basis {
    /// That of the team whose people spent it
    #[default]
    People,
    /// That of the team whose change it built, else of the team whose people spent it
    Work,
}

/// The answer and when it was true: newest week first, in it the largest spend first.
pub(crate) struct Weekly {
    pub computed_at: Timestamp,
    pub asked: Asked,
    pub weeks: Vec<TeamWeek>,
    pub standings: Vec<Standing>,
    /// Empty where nobody asked.
    pub costs: Vec<Costs>,
}

pub(crate) fn run(Args { asked, format }: Args, options: &Options, now: Clock) -> Result<()> {
    let config = options.load()?;
    config.db.ensure_there()?;
    let now = now();
    let mut db = crate::store::open(&config.db, Access::Read, now)?;
    let weekly = db.snapshot(|db| {
        asked.check_at(db, now)??;
        weekly(db, &asked, now)?.with_costs(db)
    })?;
    let text = match format {
        Format::Table => table::report(&weekly),
        Format::Json => weekly.json()? + "\n",
        Format::Csv => weekly.listing().render(Format::Csv)?,
    };
    Ok(stdout().lock().write_all(text.as_bytes())?)
}

/// The weeks asked for, and where each team stands by now.
pub(crate) fn weekly(db: &mut Db, asked: &Asked, now: Timestamp) -> Result<Weekly> {
    let (filter, span) = (asked.filter(), asked.span(now));
    let (known_from, this_week) =
        ((*span.start()).min(weeks_back(now, u16::try_from(standing::WEEKS)?)), Week::of(now));
    let mut judgings = judging_list(db, asked.team.as_deref())?;
    let mut rows = if filter.is_partial() {
        part(db, &filter, known_from..=this_week, &mut judgings)?
    } else {
        whole(db, &filter, known_from)?
    };
    if asked.basis == Basis::Work {
        let loans = loan_list(db, asked.team.as_deref())?;
        work::move_spend(&mut rows, &mut judgings, loans, known_from..=this_week);
    }
    let standings = standing::standings(judgings, &rows, this_week);
    rows.retain(|row| span.contains(&row.week));
    rows.sort_by_cached_key(|row| {
        (Reverse(row.week), row.team == UNASSIGNED, Reverse(row.spend()), row.team.clone())
    });
    let computed_at = now.round(Unit::Second)?;
    Ok(Weekly { computed_at, asked: asked.clone(), weeks: rows, standings, costs: Vec::new() })
}

fn whole(db: &mut Db, filter: &Filter, first: Week) -> Result<Vec<TeamWeek>> {
    let mut rows = team_week_list(db, first, filter.team.as_deref())?;
    let closed = closing_list(db, first)?;
    for row in &mut rows {
        row.closing = closed.get(&(row.team.clone(), row.week)).copied();
    }
    Ok(rows)
}

/// What a week is closed with is told of whole weeks only. A bet on a part began when the part was first paid for.
fn part(
    db: &mut Db,
    filter: &Filter,
    weeks: RangeInclusive<Week>,
    judgings: &mut Vec<Judging>,
) -> Result<Vec<TeamWeek>> {
    if filter.model.is_some() {
        judgings.clear();
    }
    let rows = filtered_list(db, filter, weeks, judgings)?;
    for judging in judgings {
        let of_team = || rows.iter().filter(|row| row.team == judging.team);
        judging.first_spend = of_team().filter(|row| row.requests > 0).map(|row| row.week).min();
        let undecided = of_team().filter(|row| row.week >= judging.immature_from);
        judging.undecided = NanoUsd(undecided.map(|row| row.spend().0).sum());
    }
    Ok(rows)
}

/// The first of so many weeks that end with the one `now` is in.
pub(crate) fn weeks_back(now: Timestamp, weeks: u16) -> Week {
    (1..weeks).fold(Week::of(now), |week, _| week.previous())
}

/// What the numbers are, for whoever reads them without this program.
#[derive(Serialize)]
struct Units {
    week: &'static str,
    tokens: &'static str,
    billed_usd: &'static str,
    list_equivalent_usd: &'static str,
    lent_usd: &'static str,
    borrowed_usd: &'static str,
    spend_usd: &'static str,
    cordon_usd: &'static str,
    unpriced_rows: &'static str,
    attempted: &'static str,
    pending: &'static str,
    verified_share: &'static str,
    targeted_share: &'static str,
    literal_share: &'static str,
    cpvo_usd: &'static str,
    mature: &'static str,
    closed_at: &'static str,
    restatements: &'static str,
    late_spend_usd: &'static str,
    cadence: &'static str,
    costs: &'static str,
}

const UNITS: Units = Units {
    week: "ISO 8601 week in UTC; of a change the one it shipped in",
    tokens: "tokens: input + output + cache_read + cache_write_5m + cache_write_1h",
    billed_usd: "US dollars at list price",
    list_equivalent_usd: "US dollars, list-price equivalent of what a subscription pays",
    lent_usd: "on the basis of work: what the team's people spent on building changes of other teams",
    borrowed_usd: "on the basis of work: what people of other teams spent on building the team's changes",
    spend_usd: "billed_usd + list_equivalent_usd; on the basis of work - lent_usd + borrowed_usd",
    cordon_usd: "of spend_usd, what no outcome is to pay for",
    unpriced_rows: "usage rows whose model has no price, in no sum of dollars",
    attempted: "changes decided: verified + disqualified; null before the first judging",
    pending: "changes not decided yet, in no share",
    verified_share: "verified / attempted of mature weeks; low and high: Wilson interval at 95 %",
    targeted_share: "targeted_verified / targeted_attempted of mature weeks, whichever strictness holds",
    literal_share: "the same where suspected hotfixes and reverts that share a file count, too",
    cpvo_usd: "(spend_usd - cordon_usd) / verified of mature weeks, null where changes shipped without a reported session; low and high: log-ratio interval over the weeks at 95 %",
    mature: "1: no change of the week can be decided otherwise any more, as of computed_at",
    closed_at: "when a judging first found the week mature; null while it is open",
    restatements: "how often the outcomes of the week became others since it closed",
    late_spend_usd: "of billed_usd and list_equivalent_usd, what was reported after the week closed",
    cadence: "changes that ship in a usual week of the last 8: rare < 1, weekly 1 to 4, daily 5 to 24, continuous 25 or more; hold teams of one cadence against each other only",
    costs: "verified outcomes that shipped in these weeks, each with all its spend; percentiles (nearest rank) of those with_spend; top_tenth_share: what of their cost the dearest tenth took",
};

/// What part of the weeks these are.
#[derive(Serialize)]
struct Filtered {
    #[serde(flatten)]
    filter: Filter,
    from: Week,
    to: Week,
    #[serde(skip_serializing_if = "Option::is_none")]
    outcomes: Option<&'static str>,
}

#[derive(Serialize)]
pub(crate) struct Answer {
    computed_at: Timestamp,
    basis: Basis,
    #[serde(skip_serializing_if = "Option::is_none")]
    filter: Option<Filtered>,
    units: Units,
    teams: Listing,
    costs: Listing,
    weeks: Listing,
}

impl Weekly {
    /// With what the outcomes cost one by one, which takes longer than all the rest.
    pub(crate) fn with_costs(self, db: &mut Db) -> Result<Self> {
        let Some(first) = self.weeks.iter().map(|row| row.week).min().filter(|_| self.has_outcomes()) else {
            return Ok(self);
        };
        let mut delivered = delivered_list(db, first.start(), self.asked.team.as_deref())?;
        let end = self.asked.span(self.computed_at).end().end();
        let repo = self.asked.repo.as_ref();
        delivered.retain(|one| one.shipped_at < end && repo.is_none_or(|repo| *repo == one.repo));
        let costs = costs::costs(&self.standings, &delivered);
        Ok(Self { costs, ..self })
    }

    pub(crate) fn json(&self) -> Result<String> {
        Ok(serde_json::to_string_pretty(&self.answer())?)
    }

    pub(crate) fn answer(&self) -> Answer {
        Answer {
            computed_at: self.computed_at,
            basis: self.asked.basis,
            filter: self.filtered(),
            units: UNITS,
            teams: standing::listing(&self.standings),
            costs: costs::listing(&self.costs),
            weeks: self.listing(),
        }
    }

    /// `None` where nothing but a team or a number of weeks was asked for.
    fn filtered(&self) -> Option<Filtered> {
        let (asked, filter) = (&self.asked, self.asked.filter());
        let (from, to) = asked.span(self.computed_at).into_inner();
        let outcomes = asked.model.is_some().then_some(OF_NO_MODEL);
        let is_any = filter.is_partial() || asked.from.is_some() || asked.to.is_some();
        is_any.then_some(Filtered { filter, from, to, outcomes })
    }

    fn listing(&self) -> Listing {
        Listing::of(self.weeks.iter().map(fields).collect())
    }

    pub(crate) fn list_equivalent(&self) -> NanoUsd {
        NanoUsd(self.weeks.iter().fold(0, |sum, row| sum.saturating_add(row.list_equivalent.0)))
    }

    pub(crate) fn unpriced_rows(&self) -> u64 {
        self.weeks.iter().map(|row| row.unpriced_rows).sum()
    }

    /// Whether a cost of an outcome is not of all that was spent.
    pub(crate) fn has_cordon(&self) -> bool {
        let mut mature = self.weeks.iter().filter_map(TeamWeek::mature);
        mature.any(|mature| mature.cordon.0 != 0) || self.standings.iter().any(|one| one.period.cordon.0 != 0)
    }

    pub(crate) fn has_unassigned(&self) -> bool {
        self.weeks.iter().any(|row| row.team == UNASSIGNED && row.requests > 0)
    }

    /// Whether anything was judged yet.
    pub(crate) fn has_outcomes(&self) -> bool {
        self.weeks.iter().any(|row| row.outcomes.is_some())
    }
}

fn fields(row: &TeamWeek) -> Fields {
    let tokens = &row.tokens;
    let (outcomes, mature) = (row.outcomes.as_ref(), row.mature());
    let tally = outcomes.map(|outcomes| outcomes.tally);
    let count = |of: fn(Tally) -> u64| tally.map_or(Cell::Null, |tally| Cell::number(of(tally)));
    let decided = mature.map(|mature| mature.tally);
    let by_strictness = mature.map(|mature| mature.by_strictness);
    let each = mature.and_then(|mature| mature.cpvo());
    let loan = |of: fn(Loan) -> NanoUsd| Cell::optional(row.loan.map(of));
    let mut fields = vec![
        ("team", Cell::text(&row.team)),
        ("name", Cell::text(&row.name)),
        ("week", Cell::text(row.week.to_string())),
        ("requests", Cell::number(row.requests)),
        ("input", Cell::number(tokens.input)),
        ("output", Cell::number(tokens.output)),
        ("cache_read", Cell::number(tokens.cache_read)),
        ("cache_write_5m", Cell::number(tokens.cache_write_5m)),
        ("cache_write_1h", Cell::number(tokens.cache_write_1h)),
        ("web_search", Cell::number(tokens.web_search)),
        ("tokens", Cell::number(tokens.total())),
        ("billed_usd", Cell::number(row.billed)),
        ("list_equivalent_usd", Cell::number(row.list_equivalent)),
        ("lent_usd", loan(|loan| loan.lent)),
        ("borrowed_usd", loan(|loan| loan.borrowed)),
        ("spend_usd", Cell::number(row.spend())),
        ("cordon_usd", Cell::number(row.cordon)),
        ("unpriced_rows", Cell::number(row.unpriced_rows)),
        ("attempted", count(Tally::attempted)),
        ("verified", count(|tally| tally.verified)),
        ("disqualified", count(|tally| tally.disqualified)),
        ("pending", count(|tally| tally.pending)),
    ];
    fields.extend(share_fields(decided.unwrap_or_default()));
    fields.extend(strictness_fields(by_strictness));
    fields.extend([
        ("cpvo_usd", Cell::optional(each)),
        ("mature", Cell::number(u8::from(mature.is_some()))),
        ("policy_id", Cell::optional(outcomes.map(|outcomes| outcomes.policy_id))),
        ("computed_at", outcomes.map_or(Cell::Null, |outcomes| Cell::text(outcomes.computed_at.to_string()))),
        ("closed_at", row.closing.map_or(Cell::Null, |closing| Cell::text(closing.closed_at.to_string()))),
        ("restatements", Cell::optional(row.closing.map(|closing| closing.restatements))),
        ("late_spend_usd", Cell::optional(row.late_spend())),
    ]);
    Fields(fields)
}

/// The verified share with its interval.
fn share_fields(tally: Tally) -> [(&'static str, Cell); 3] {
    let interval = wilson(tally.verified, tally.attempted());
    let (low, high) = interval.map(|Interval { low, high }| (low, high)).unzip();
    [
        ("verified_share", Cell::optional(tally.share())),
        ("verified_share_low", Cell::optional(low)),
        ("verified_share_high", Cell::optional(high)),
    ]
}

/// The verified share by either strictness.
fn strictness_fields(by_strictness: Option<ByStrictness>) -> [(&'static str, Cell); 6] {
    let side = |side: fn(ByStrictness) -> Tally| {
        let tally = by_strictness.map(side);
        [
            Cell::optional(tally.map(Tally::attempted)),
            Cell::optional(tally.map(|tally| tally.verified)),
            Cell::optional(tally.and_then(Tally::share)),
        ]
    };
    let [targeted_attempted, targeted_verified, targeted_share] = side(|both| both.targeted);
    let [literal_attempted, literal_verified, literal_share] = side(|both| both.literal);
    [
        ("targeted_attempted", targeted_attempted),
        ("targeted_verified", targeted_verified),
        ("targeted_share", targeted_share),
        ("literal_attempted", literal_attempted),
        ("literal_verified", literal_verified),
        ("literal_share", literal_share),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::fixture::{team_week, weekly};

    #[test]
    #[expect(clippy::too_many_lines, reason = "a snapshot is as long as what it shows")]
    fn programs_read_every_digit() {
        insta::assert_snapshot!(weekly(vec![team_week("payments", "2026-W47", 1_234_560_000_001)]).json().unwrap(), @r#"
        {
          "computed_at": "2026-11-22T07:00:00Z",
          "basis": "people",
          "units": {
            "week": "ISO 8601 week in UTC; of a change the one it shipped in",
            "tokens": "tokens: input + output + cache_read + cache_write_5m + cache_write_1h",
            "billed_usd": "US dollars at list price",
            "list_equivalent_usd": "US dollars, list-price equivalent of what a subscription pays",
            "lent_usd": "on the basis of work: what the team's people spent on building changes of other teams",
            "borrowed_usd": "on the basis of work: what people of other teams spent on building the team's changes",
            "spend_usd": "billed_usd + list_equivalent_usd; on the basis of work - lent_usd + borrowed_usd",
            "cordon_usd": "of spend_usd, what no outcome is to pay for",
            "unpriced_rows": "usage rows whose model has no price, in no sum of dollars",
            "attempted": "changes decided: verified + disqualified; null before the first judging",
            "pending": "changes not decided yet, in no share",
            "verified_share": "verified / attempted of mature weeks; low and high: Wilson interval at 95 %",
            "targeted_share": "targeted_verified / targeted_attempted of mature weeks, whichever strictness holds",
            "literal_share": "the same where suspected hotfixes and reverts that share a file count, too",
            "cpvo_usd": "(spend_usd - cordon_usd) / verified of mature weeks, null where changes shipped without a reported session; low and high: log-ratio interval over the weeks at 95 %",
            "mature": "1: no change of the week can be decided otherwise any more, as of computed_at",
            "closed_at": "when a judging first found the week mature; null while it is open",
            "restatements": "how often the outcomes of the week became others since it closed",
            "late_spend_usd": "of billed_usd and list_equivalent_usd, what was reported after the week closed",
            "cadence": "changes that ship in a usual week of the last 8: rare < 1, weekly 1 to 4, daily 5 to 24, continuous 25 or more; hold teams of one cadence against each other only",
            "costs": "verified outcomes that shipped in these weeks, each with all its spend; percentiles (nearest rank) of those with_spend; top_tenth_share: what of their cost the dearest tenth took"
          },
          "teams": [],
          "costs": [],
          "weeks": [
            {
              "team": "payments",
              "name": "payments",
              "week": "2026-W47",
              "requests": 3,
              "input": 1000000,
              "output": 234567,
              "cache_read": 0,
              "cache_write_5m": 0,
              "cache_write_1h": 0,
              "web_search": 0,
              "tokens": 1234567,
              "billed_usd": 1234.560000001,
              "list_equivalent_usd": 0.000000000,
              "lent_usd": null,
              "borrowed_usd": null,
              "spend_usd": 1234.560000001,
              "cordon_usd": 0.000000000,
              "unpriced_rows": 0,
              "attempted": null,
              "verified": null,
              "disqualified": null,
              "pending": null,
              "verified_share": null,
              "verified_share_low": null,
              "verified_share_high": null,
              "targeted_attempted": null,
              "targeted_verified": null,
              "targeted_share": null,
              "literal_attempted": null,
              "literal_verified": null,
              "literal_share": null,
              "cpvo_usd": null,
              "mature": 0,
              "policy_id": null,
              "computed_at": null,
              "closed_at": null,
              "restatements": null,
              "late_spend_usd": null
            }
          ]
        }
        "#);
    }

    #[test]
    fn spreadsheets_get_the_same_fields() {
        let csv = weekly(vec![team_week("=cmd", "2026-W47", 1)]).listing().render(Format::Csv).unwrap();
        assert!(csv.ends_with(
            "'=cmd,'=cmd,2026-W47,3,1000000,234567,0,0,0,0,1234567,0.000000001,0.000000000,,,0.000000001,0.000000000,0,,,,,,,,,,,,,,,0,,,,,\n"
        ));
    }
}
