//! What went wrong with a page, in words and with what to do about it.

use anyhow::Result;
use askama::Template;

#[derive(Template)]
#[template(path = "fault.html")]
struct Page<'a> {
    title: &'a str,
    words: String,
    advice: &'a str,
}

/// `words` as an error has them: in lower case, without a full stop.
pub(crate) fn fault(title: &str, words: &str, advice: &str) -> Result<String> {
    let mut letters = words.chars();
    let first = letters.next().into_iter().flat_map(char::to_uppercase);
    let words = first.chain(letters).collect();
    Ok(Page { title, words, advice }.render()?)
}
