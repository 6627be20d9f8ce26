//! `GET /` and what the page loads: no script, no style in the page, nothing from another host.

use super::App;
use super::error::Error;
use super::weeks::{self, Asked};
use crate::change::{UnknownChange, find, story};
use crate::page::{self, Told, page};
use crate::store::policy::policy_changes;
use crate::weekly::{Basis, team_known, weekly};
use anyhow::Context;
use axum::extract::{Path, State};
use axum::http::HeaderName;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use meter::Week;
use std::sync::Arc;

const STYLE: &str = include_str!("../../assets/style.css");
const ICON: &str = include_str!("../../assets/icon.svg");

const GUARDS: [(HeaderName, &str); 5] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

pub(super) async fn get(State(app): State<Arc<App>>, asked: Asked) -> Result<Response, Error> {
    let choice = weeks::choice(asked)?;
    let (span, team) = (choice.weeks, choice.team.clone());
    let (weekly, policies) = weeks::load(&app, choice, |weekly, db, team| {
        let first = weekly.weeks.iter().map(|row| row.week).min();
        let since = first.map_or(weekly.computed_at, Week::start);
        Ok((weekly, policy_changes(db, team, since)?))
    })
    .await?;
    drawn(move || page(&weekly, &policies, span, team.as_deref())).await
}

/// `GET /teams/{team}?weeks=12`.
pub(super) async fn team(
    State(app): State<Arc<App>>,
    Path(team): Path<String>,
    asked: Asked,
) -> Result<Response, Error> {
    let weeks::Choice { team: other, weeks: span, basis } = weeks::choice(asked)?;
    if other.is_some() || basis != Basis::People {
        let words = "only weeks can be asked for here: the page is of one team and of what its people spent";
        return Err(Error::Unreadable(words.to_owned()));
    }
    let (now, id) = ((app.now)(), team.clone());
    let told = app.store.read(move |db| {
        if let Err(unknown) = team_known(db, Some(&id))? {
            return Ok(Err(unknown));
        }
        let weekly = weekly(db, Some(&id), span, Basis::People, now)?;
        Ok(Ok(Told::read(db, weekly, &id, span)?))
    });
    let told = told.await??;
    drawn(move || page::team(&told, &team, span)).await
}

/// `GET /changes/{id}`, by the name that `cpvo change` takes.
pub(super) async fn change(State(app): State<Arc<App>>, Path(id): Path<String>) -> Result<Response, Error> {
    let story = app.store.read(move |db| match find(db, &id) {
        Ok((repo, sha)) => Ok(Ok(story(db, repo, sha)?)),
        Err(error) => error.downcast::<UnknownChange>().map(Err),
    });
    let story = story.await??;
    drawn(move || page::change(&story)).await
}

/// Ten years of many teams take a while to draw, in which this thread would answer nobody.
async fn drawn(draw: impl FnOnce() -> anyhow::Result<String> + Send + 'static) -> Result<Response, Error> {
    let drawn = tokio::task::spawn_blocking(draw).await;
    let html = drawn.context("drawing was cut short").and_then(|html| html).map_err(Error::Internal)?;
    let kind = [(header::CONTENT_TYPE, "text/html; charset=utf-8"), (header::CACHE_CONTROL, "no-store")];
    Ok((GUARDS, kind, html).into_response())
}

pub(super) async fn style() -> impl IntoResponse {
    (GUARDS, [(header::CONTENT_TYPE, "text/css; charset=utf-8"), (header::CACHE_CONTROL, "no-cache")], STYLE)
}

pub(super) async fn icon() -> impl IntoResponse {
    (GUARDS, [(header::CONTENT_TYPE, "image/svg+xml"), (header::CACHE_CONTROL, "no-cache")], ICON)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::{Counters, Hosts, Programs, Rates};
    use crate::store::Store;
    use crate::store::fixture::{homes, now};
    use axum::extract::Query;
    use axum::http::StatusCode;
    use std::sync::atomic::{AtomicU64, Ordering};
    use tokio::runtime::Builder;

    #[test]
    fn the_page_is_drawn_beside_the_thread_that_answers() {
        let [home, _] = homes();
        let keys = home.folder().join("keys");
        crate::keys::create(&keys).unwrap();
        let (store, threads) = Store::start(&home.database, now()).unwrap();
        let app = App {
            store,
            book: Arc::new(meter::PriceBook::embedded()),
            keys: crate::keys::verifying(&keys).unwrap(),
            counters: Counters::default(),
            hosts: Hosts::new(([127, 0, 0, 1], 0).into()),
            hooks_dir: keys,
            programs: Programs::default(),
            rates: Rates::default(),
            now,
        };
        let beside = Arc::new(AtomicU64::new(0));
        let counting = Arc::clone(&beside);
        let count = move || _ = counting.fetch_add(1, Ordering::Relaxed);
        let runtime = Builder::new_current_thread().enable_all().on_thread_start(count).build().unwrap();
        let asked = Query::try_from_uri(&"/?weeks=12".parse().unwrap());
        let page = runtime.block_on(get(State(Arc::new(app)), asked)).unwrap();
        assert_eq!((page.status(), beside.load(Ordering::Relaxed)), (StatusCode::OK, 1));
        threads.running.join().unwrap();
    }
}
