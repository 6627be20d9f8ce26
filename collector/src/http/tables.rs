//! Pages of tables: `/repositories`, `/models`, `/caching`, `/adoption`, `/quality`, `/policies` and `/collected`.

use super::App;
use super::error::Error;
use super::html::drawn;
use super::weeks::{self, Choice as Query};
use crate::page::{
    Asked, Report, adoption, caching, collected, models, policies, quality, repositories, repository,
};
use crate::store::db::Db;
use crate::weekly::{self, weeks_back};
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::response::Response;
use std::sync::Arc;

type Answer = Result<Response, Error>;

pub(super) async fn all_repositories(State(app): State<Arc<App>>, query: Query) -> Answer {
    told(&app, query, repositories).await
}

pub(super) async fn one_repository(
    State(app): State<Arc<App>>,
    path: Result<Path<String>, PathRejection>,
    query: Query,
) -> Answer {
    let Path(repo) = path.map_err(|_| Error::NotFound)?;
    let asked = asked(&app, query)?;
    let report = app.store.read(move |db| repository(db, asked, &repo)).await??;
    drawn(move || report.html()).await
}

pub(super) async fn by_model(State(app): State<Arc<App>>, query: Query) -> Answer {
    let book = Arc::clone(&app.book);
    told(&app, query, move |db, asked| models(db, asked, &book)).await
}

pub(super) async fn by_cache(State(app): State<Arc<App>>, query: Query) -> Answer {
    told(&app, query, caching).await
}

pub(super) async fn by_people(State(app): State<Arc<App>>, query: Query) -> Answer {
    told(&app, query, adoption).await
}

pub(super) async fn of_data(State(app): State<Arc<App>>, query: Query) -> Answer {
    let counting = Arc::clone(&app);
    told(&app, query, move |db, asked| quality(db, asked, &counting.counters)).await
}

pub(super) async fn of_policies(State(app): State<Arc<App>>) -> Answer {
    let report = app.store.read(policies).await?;
    drawn(move || report.html()).await
}

pub(super) async fn of_reports() -> Answer {
    drawn(|| collected().html()).await
}

async fn told(
    app: &App,
    query: Query,
    read: impl FnOnce(&mut Db, Asked) -> anyhow::Result<Report> + Send + 'static,
) -> Answer {
    let asked = asked(app, query)?;
    let report = app.store.read(move |db| read(db, asked)).await?;
    drawn(move || report.html()).await
}

fn asked(app: &App, query: Query) -> Result<Asked, Error> {
    let chosen = weeks::asked(query)?;
    let weeks = chosen.weeks;
    if chosen != weekly::Asked::of_team(None, weeks) {
        return Err(Error::Unreadable("only weeks can be asked for here".to_owned()));
    }
    let now = (app.now)();
    Ok(Asked { now, weeks, first: weeks_back(now, weeks) })
}
