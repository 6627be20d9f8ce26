//! What of the weeks is asked for, in the same words by a command and by an address.

use super::{Basis, WEEKS_DEFAULT, WEEKS_MAX, weeks_back};
use crate::people::UNASSIGNED;
use crate::store::db::Db;
use crate::store::filter::{Filter, model_list, repo_list};
use crate::store::team_week::team_list;
use anyhow::Result;
use jiff::Timestamp;
use meter::Week;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;

/// Why no outcome is shown of one model.
pub(crate) const OF_NO_MODEL: &str =
    "spend on this model alone: a change is built by several, so outcomes are not of one";

#[derive(Debug, Clone, PartialEq, Eq, clap::Args, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Asked {
    /// One team by its id, or `unassigned` [default: all]
    #[arg(long)]
    #[serde(default, deserialize_with = "given")]
    pub team: Option<String>,
    /// Only what was spent in this repository, and its changes
    #[arg(long)]
    #[serde(default, deserialize_with = "given")]
    pub repo: Option<String>,
    /// Only what was spent on this model
    #[arg(long)]
    #[serde(default, deserialize_with = "given")]
    pub model: Option<String>,
    /// How many weeks back from now, or from `--to`
    #[arg(long, default_value_t = WEEKS_DEFAULT, value_parser = clap::value_parser!(u16).range(1..=i64::from(WEEKS_MAX)))]
    #[serde(default = "weeks_default", deserialize_with = "weeks_within")]
    pub weeks: u16,
    /// From this week on, such as 2026-W30, instead of --weeks
    #[arg(long, value_name = "WEEK")]
    #[serde(default, deserialize_with = "given")]
    pub from: Option<Week>,
    /// Up to this week, it included [default: the one it is]
    #[arg(long, value_name = "WEEK")]
    #[serde(default, deserialize_with = "given")]
    pub to: Option<Week>,
    /// Whose spend it is
    #[arg(long, value_enum, default_value = "people")]
    #[serde(default)]
    pub basis: Basis,
}

/// Lists what there is.
type Known = fn(&mut Db) -> Result<Vec<String>>;

/// What is asked for cannot be told.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unasked {
    #[error("there is no {what} {name:?}; there are: {known}")]
    Unknown { what: &'static str, name: String, known: String },
    #[error("basis: what built a change is known of whole weeks of teams only: leave repo and model away")]
    Partial,
    #[error("from: {from} comes after {to}")]
    Backwards { from: Week, to: Week },
}

impl Asked {
    /// All of the last weeks of a team, or of every one.
    pub(crate) fn of_team(team: Option<&str>, weeks: u16) -> Self {
        let team = team.map(str::to_owned);
        Self { team, repo: None, model: None, weeks, from: None, to: None, basis: Basis::People }
    }

    pub(crate) fn on(self, basis: Basis) -> Self {
        Self { basis, ..self }
    }

    /// Whether nothing but a number of weeks is asked for, and whose spend they are.
    pub(crate) fn is_of_weeks(&self) -> bool {
        *self == Self::of_team(None, self.weeks).on(self.basis)
    }

    /// The same as parameters of an address, or of a command.
    pub(crate) fn words(&self) -> Vec<(&'static str, String)> {
        let text = |name, value: &Option<String>| value.clone().map(|value| (name, value));
        let week = |name, week: Option<Week>| week.map(|week| (name, week.to_string()));
        let weeks = self.from.is_none().then(|| ("weeks", self.weeks.to_string()));
        let basis = (self.basis == Basis::Work).then(|| ("basis", "work".to_owned()));
        let parts = [text("team", &self.team), text("repo", &self.repo), text("model", &self.model)];
        parts
            .into_iter()
            .chain([weeks, week("from", self.from), week("to", self.to), basis])
            .flatten()
            .collect()
    }

    pub(crate) fn filter(&self) -> Filter {
        Filter { team: self.team.clone(), repo: self.repo.clone(), model: self.model.clone() }
    }

    /// The weeks asked for that have begun, at most ten years of them.
    pub(crate) fn span(&self, now: Timestamp) -> RangeInclusive<Week> {
        let last = self.to.unwrap_or(Week::of(now)).min(Week::of(now));
        let back = |weeks| weeks_back(last.start(), weeks);
        self.from.map_or_else(|| back(self.weeks), |from| from.max(back(WEEKS_MAX)))..=last
    }

    /// Whether a week asked for has begun, and there is or was what is asked for.
    pub(crate) fn check_at(&self, db: &mut Db, now: Timestamp) -> Result<Result<(), Unasked>> {
        let (from, to) = self.span(now).into_inner();
        if from > to { Ok(Err(Unasked::Backwards { from, to })) } else { self.check(db) }
    }

    /// Whether there is or was what is asked for, whenever that was.
    pub(crate) fn check(&self, db: &mut Db) -> Result<Result<(), Unasked>> {
        if self.basis == Basis::Work && self.filter().is_partial() {
            return Ok(Err(Unasked::Partial));
        }
        let parts: [(_, _, Known); 3] = [
            ("team", self.team.as_ref().filter(|team| *team != UNASSIGNED), team_list),
            ("repository", self.repo.as_ref(), repo_list),
            ("model", self.model.as_ref(), model_list),
        ];
        for (what, name, known) in parts {
            let Some(name) = name else { continue };
            let known = known(db)?;
            if !known.contains(name) {
                return Ok(Err(Unasked::Unknown { what, name: name.clone(), known: known.join(", ") }));
            }
        }
        Ok(Ok(()))
    }
}

/// Whether there is or was the team that is asked for.
pub(crate) fn team_known(db: &mut Db, team: Option<&str>) -> Result<Result<(), Unasked>> {
    Asked::of_team(team, WEEKS_DEFAULT).check(db)
}

fn weeks_default() -> u16 {
    WEEKS_DEFAULT
}

fn weeks_within<'de, D: Deserializer<'de>>(value: D) -> Result<u16, D::Error> {
    let text = String::deserialize(value)?;
    let weeks = text.parse().ok().filter(|weeks| (1..=WEEKS_MAX).contains(weeks));
    weeks.ok_or_else(|| {
        D::Error::custom(format!("must be 1 to {WEEKS_MAX}, such as {WEEKS_DEFAULT}, not {text:?}"))
    })
}

/// A form sends what was left empty, too.
fn given<'de, D: Deserializer<'de>, T: FromStr<Err: Display>>(value: D) -> Result<Option<T>, D::Error> {
    let text = String::deserialize(value)?;
    if text.is_empty() {
        return Ok(None);
    }
    text.parse().map(Some).map_err(D::Error::custom)
}
