//! What the page of all weeks shows beside them: what may be asked for, and which policies took the place of others.

use crate::store::db::Db;
use crate::store::filter::{model_list, repo_list};
use crate::store::policy::{PolicyChange, policy_changes};
use crate::store::team_week::team_list;
use crate::weekly::{Asked, OF_NO_MODEL, WEEKS_DEFAULT, Weekly};
use anyhow::Result;
use meter::Week;

/// How many weeks the form offers.
const SPANS: [u16; 5] = [WEEKS_DEFAULT, 26, 52, 104, 260];

/// What the database tells of it.
#[derive(Default)]
pub(crate) struct Overview {
    pub policies: Vec<PolicyChange>,
    pub teams: Vec<String>,
    pub repos: Vec<String>,
    pub models: Vec<String>,
}

impl Overview {
    pub(crate) fn read(db: &mut Db, weekly: &Weekly) -> Result<Self> {
        let first = weekly.weeks.iter().map(|row| row.week).min();
        let since = first.map_or(weekly.computed_at, Week::start);
        let policies = policy_changes(db, weekly.asked.team.as_deref(), since)?;
        Ok(Self { policies, ..Self::choices(db)? })
    }

    /// What may be asked for alone.
    pub(crate) fn choices(db: &mut Db) -> Result<Self> {
        let (teams, repos, models) = (team_list(db)?, repo_list(db)?, model_list(db)?);
        Ok(Self { policies: Vec::new(), teams, repos, models })
    }
}

/// A form that asks for a part of the weeks, filled with what was asked for.
pub(super) struct Form {
    pub selects: Vec<Select>,
    pub weeks: u16,
    pub from: String,
    pub to: String,
    /// The same as parameters of an address or a command.
    pub words: Vec<(&'static str, String)>,
    /// What it means for the figures.
    pub means: Vec<String>,
    pub is_any: bool,
}

pub(super) struct Select {
    pub name: &'static str,
    pub label: &'static str,
    pub options: Vec<Choice>,
}

pub(super) struct Choice {
    pub value: String,
    pub text: String,
    pub is_chosen: bool,
}

impl Form {
    /// Of nothing that there is none of.
    pub(super) fn of(asked: &Asked, overview: &Overview) -> Self {
        let any = |name, label, all: &[String], chosen: Option<&String>| {
            let none = Choice { value: String::new(), text: "all".to_owned(), is_chosen: chosen.is_none() };
            let one = |value: &String| Choice {
                value: value.clone(),
                text: value.clone(),
                is_chosen: chosen == Some(value),
            };
            let options = std::iter::once(none).chain(all.iter().map(one)).collect();
            Select { name, label, options }
        };
        let mut spans = SPANS.to_vec();
        spans.push(asked.weeks);
        spans.sort_unstable();
        spans.dedup();
        let span = |weeks: &u16| Choice {
            value: weeks.to_string(),
            text: weeks.to_string(),
            is_chosen: *weeks == asked.weeks,
        };
        let week = |week: Option<Week>| week.map_or_else(String::new, |week| week.to_string());
        let mut selects = vec![
            any("team", "Team", &overview.teams, asked.team.as_ref()),
            any("repo", "Repository", &overview.repos, asked.repo.as_ref()),
            any("model", "Model", &overview.models, asked.model.as_ref()),
        ];
        selects.retain(|select| select.options.len() > 1);
        selects.push(Select { name: "weeks", label: "Weeks", options: spans.iter().map(span).collect() });
        Self {
            selects,
            weeks: asked.weeks,
            from: week(asked.from),
            to: week(asked.to),
            words: asked.words(),
            means: means(asked),
            is_any: !asked.is_of_weeks(),
        }
    }
}

fn means(asked: &Asked) -> Vec<String> {
    let repo = asked.repo.as_ref().map(|repo| format!("Only {repo}: what was spent in it, and its changes."));
    let model = asked.model.as_ref().map(|model| format!("Only {model}: {OF_NO_MODEL}."));
    [repo, model].into_iter().flatten().collect()
}
