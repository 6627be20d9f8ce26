//! The page of a change, from the sessions that built it to what became of it. Nobody is named as having spent.

use crate::change::Story;
use crate::listing::Listing;
use anyhow::Result;
use askama::Template;

#[derive(Template)]
#[template(path = "change.html")]
struct Page<'a> {
    name: String,
    title: &'a str,
    team: Option<&'a str>,
    spend: Listing,
    way: Vec<(String, String)>,
    is_disputable: bool,
}

pub(crate) fn change(story: &Story) -> Result<String> {
    let head = story.head();
    let page = Page {
        name: story.name(),
        title: &head.title,
        team: head.team.as_deref(),
        spend: story.spend_by_class(),
        way: story.way(),
        is_disputable: story.is_disputable(),
    };
    Ok(page.render()?)
}
