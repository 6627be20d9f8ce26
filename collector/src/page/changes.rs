//! The page that lists changes: of a team, a repository or some weeks, each with its cost and what became of it.

use super::overview::Form;
use super::{Overview, instant};
use crate::store::db::Db;
use crate::store::landed::{Landed, landed_list};
use crate::store::service::Signs;
use crate::weekly::{Asked, UNKNOWN};
use anyhow::Result;
use askama::Template;
use jiff::Timestamp;
use meter::NanoUsd;
use meter::outcome::State;

/// What the database tells of them.
pub(crate) struct Listed {
    asked: Asked,
    at: Timestamp,
    overview: Overview,
    landed: Vec<Landed>,
    count: usize,
    signs: Signs,
}

impl Listed {
    pub(crate) fn read(db: &mut Db, asked: Asked, at: Timestamp) -> Result<Self> {
        let (landed, count) = landed_list(db, &asked.filter(), &asked.span(at))?;
        let overview = Overview { models: Vec::new(), ..Overview::choices(db)? };
        Ok(Self { at, overview, landed, count, signs: Signs::read(db)?, asked })
    }
}

#[derive(Template)]
#[template(path = "changes.html")]
struct Page {
    computed_at: String,
    form: Form,
    weeks: String,
    rows: Vec<Row>,
    more: usize,
}

struct Row {
    repo: String,
    sha: String,
    name: String,
    team: Option<String>,
    state: String,
    is_lost: bool,
    because: String,
    cost: String,
    day: String,
    title: String,
}

pub(crate) fn changes(listed: &Listed) -> Result<String> {
    let Listed { asked, at, overview, landed, count, signs } = listed;
    let (first, last) = asked.span(*at).into_inner();
    let page = Page {
        computed_at: instant(*at),
        form: Form::of(asked, overview),
        weeks: if first == last { first.to_string() } else { format!("{first} to {last}") },
        rows: landed.iter().map(|one| row(one, signs)).collect(),
        more: count - landed.len(),
    };
    Ok(page.render()?)
}

fn row(one: &Landed, signs: &Signs) -> Row {
    Row {
        name: name(&one.repo, &one.sha, one.number, signs),
        repo: one.repo.clone(),
        sha: short_sha(&one.sha).to_owned(),
        team: one.team.clone(),
        state: one.state.clone().unwrap_or_else(|| "not judged yet".to_owned()),
        is_lost: one.state.as_deref() == Some(State::Disqualified.as_str()),
        because: one.because.clone().unwrap_or_default(),
        cost: one.cost.map_or_else(|| UNKNOWN.to_owned(), NanoUsd::dollars),
        day: one.shipped_at.strftime("%-d %b %Y").to_string(),
        title: one.title.clone(),
    }
}

/// `pay#17`, or `pay@1a2b3c4d5e` where no request is known.
pub(super) fn name(repo: &str, sha: &str, number: Option<u64>, signs: &Signs) -> String {
    let short = repo.rsplit('/').next().unwrap_or_default();
    let (sign, sha) = (signs.of(repo), short_sha(sha));
    number.map_or_else(|| format!("{short}@{sha}"), |number| format!("{short}{sign}{number}"))
}

pub(super) fn short_sha(sha: &str) -> &str {
    sha.get(..10).unwrap_or(sha)
}
