//! `GET /` and what the page loads: no script, no style in the page, nothing from another host.

use super::App;
use super::error::Error;
use super::html::{GUARDS, drawn};
use super::weeks::{self, Choice, asked};
use crate::change::{UnknownChange, find, story};
use crate::page::{self, Listed, Overview, Told, assets, page};
use crate::weekly::{Asked, Basis, WEEKS_DEFAULT};
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::{Uri, header};
use axum::response::{IntoResponse, Response};
use std::sync::Arc;

/// A name says what it holds: another content has another name.
const FOR_GOOD: &str = "public, max-age=31536000, immutable";

pub(super) async fn get(State(app): State<Arc<App>>, choice: Choice) -> Result<Response, Error> {
    let (weekly, overview) = weeks::load(&app, asked(choice)?, |weekly, db| {
        let overview = Overview::read(db, &weekly)?;
        Ok((weekly, overview))
    })
    .await?;
    drawn(move || page(&weekly, &overview)).await
}

/// `GET /teams`: all of them, by what holds now.
pub(super) async fn teams(State(app): State<Arc<App>>) -> Result<Response, Error> {
    let weekly = weeks::load(&app, Asked::of_team(None, WEEKS_DEFAULT), |weekly, _| Ok(weekly)).await?;
    drawn(move || page::all_teams(&weekly)).await
}

/// `GET /teams/{team}?weeks=12`.
pub(super) async fn team(
    State(app): State<Arc<App>>,
    path: Result<Path<String>, PathRejection>,
    choice: Choice,
) -> Result<Response, Error> {
    let Path(team) = path.map_err(|_| Error::NotFound)?;
    let asked = asked(choice)?;
    if asked != Asked::of_team(None, asked.weeks) {
        let words = "only weeks can be asked for here: the page is of one team and of what its people spent";
        return Err(Error::Unreadable(words.to_owned()));
    }
    let of_team = Asked::of_team(Some(&team), asked.weeks);
    let told = weeks::load(&app, of_team, |weekly, db| Told::read(db, weekly)).await?;
    drawn(move || page::team(&told, &team)).await
}

/// `GET /changes?team=T&repo=R&weeks=12`.
pub(super) async fn changes(State(app): State<Arc<App>>, choice: Choice) -> Result<Response, Error> {
    let (asked, now) = (asked(choice)?, (app.now)());
    if asked.model.is_some() || asked.basis != Basis::People {
        return Err(Error::Unreadable("changes are asked for by team, repo and weeks".to_owned()));
    }
    let listed = app.store.read(move |db| match asked.check_at(db, now)? {
        Ok(()) => Ok(Ok(Listed::read(db, asked, now)?)),
        Err(unasked) => Ok(Err(unasked)),
    });
    let listed = listed.await??;
    drawn(move || page::changes(&listed)).await
}

/// `GET /changes/{id}`, by the name that `cpvo change` takes.
pub(super) async fn change(
    State(app): State<Arc<App>>,
    path: Result<Path<String>, PathRejection>,
) -> Result<Response, Error> {
    let Path(id) = path.map_err(|_| Error::NotFound)?;
    let story = app.store.read(move |db| match find(db, &id) {
        Ok((repo, sha)) => Ok(Ok(story(db, repo, sha)?)),
        Err(error) => error.downcast::<UnknownChange>().map(Err),
    });
    let story = story.await??;
    drawn(move || page::change(&story)).await
}

/// What pages load, by the name they give it.
pub(super) async fn asset(uri: Uri) -> Result<Response, Error> {
    let asset = assets::find(uri.path()).ok_or(Error::NotFound)?;
    let kind = [(header::CONTENT_TYPE, asset.kind), (header::CACHE_CONTROL, FOR_GOOD)];
    Ok((GUARDS, kind, asset.text).into_response())
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
