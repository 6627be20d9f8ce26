//! The page of all teams: where each stands by its last mature weeks.

use super::{Stand, instant};
use crate::weekly::Weekly;
use anyhow::Result;
use askama::Template;

#[derive(Template)]
#[template(path = "teams.html")]
struct Page {
    computed_at: String,
    list_equivalent: bool,
    rows: Vec<Stand>,
}

pub(crate) fn all_teams(weekly: &Weekly) -> Result<String> {
    let mature = weekly.standings.iter().filter(|one| one.period.weeks > 0);
    let page = Page {
        computed_at: instant(weekly.computed_at),
        list_equivalent: weekly.list_equivalent().0 != 0,
        rows: mature.map(Stand::of).collect(),
    };
    Ok(page.render()?)
}
