//! What a repository's settings say already: a refused token goes, another collector's address stays.

use super::merge::{self, Wanted};
use super::place::Place;
use crate::config::Config;
use crate::token;
use anyhow::{Context, Result, ensure};
use jiff::Timestamp;

/// The address the collector listens at, where that is one to be reached at.
pub(super) fn listens(config: &Config) -> Option<String> {
    (!config.listen.ip().is_unspecified()).then(|| format!("http://{}", config.listen))
}

/// Gives up a token that was there and that the collector refuses. Returns what to say of it.
pub(super) fn give_up_refused(
    wanted: &mut Wanted,
    config: &Config,
    now: Timestamp,
) -> Result<Option<String>> {
    let Some(token) = &wanted.token else { return Ok(None) };
    let Some(refusal) = token::refusal(config, token, now)? else { return Ok(None) };
    wanted.token = None;
    Ok(Some(format!("{}: a new one takes its place", refusal.reason)))
}

/// Refuses to take over what reports to another collector, unless `--url` `asked` for it.
/// Returns what to say of an address that goes.
pub(super) fn replaced(
    settings: &Place,
    wanted: &Wanted,
    asked: bool,
    config: Option<&Config>,
    now: Timestamp,
) -> Result<Option<String>> {
    let name = settings.name().display();
    let variable = |name: &str| merge::variable(settings.text().unwrap_or_default(), name);
    let Some(there) = variable("CPVO_URL").with_context(|| name.to_string())? else { return Ok(None) };
    let token = variable("CPVO_TOKEN")?;
    let kept = wanted.url.as_deref() == Some(there.trim_end_matches('/'));
    let renewed = token.is_some() && wanted.token.is_none();
    let free = asked || (kept && !renewed) || is_own(&there, token.as_deref(), config, now)?;
    ensure!(free, "{name} reports to another collector, {there}: give --url to replace it");
    Ok((!kept).then(|| format!("replaced {there} in {name}: --remove does not bring it back")))
}

/// Whether settings report to this collector: by its address, or with a token that it signed.
fn is_own(url: &str, token: Option<&str>, config: Option<&Config>, now: Timestamp) -> Result<bool> {
    let Some(config) = config else { return Ok(false) };
    let own = config.url.clone().or_else(|| listens(config));
    if own.is_some_and(|own| own.trim_end_matches('/') == url.trim_end_matches('/')) {
        return Ok(true);
    }
    let Some(token) = token else { return Ok(false) };
    Ok(token::refusal(config, token, now)?.is_none_or(|refusal| !refusal.foreign))
}
