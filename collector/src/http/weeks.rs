//! `GET /v1/weeks?team=T&weeks=12&basis=people`: what `cpvo weekly --format json` prints, asked in the same words.

use super::App;
use super::error::Error;
use crate::store::db::Db;
use crate::weekly::{Asked, Weekly, weekly};
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::header;
use axum::response::IntoResponse;
use std::sync::Arc;

pub(super) type Choice = Result<Query<Asked>, QueryRejection>;

pub(super) async fn get(State(app): State<Arc<App>>, choice: Choice) -> Result<impl IntoResponse, Error> {
    let weekly = load(&app, asked(choice)?, Weekly::with_costs).await?;
    let json = weekly.json().map_err(Error::Internal)?;
    Ok(([(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")], json))
}

pub(super) fn asked(choice: Choice) -> Result<Asked, Error> {
    let Query(asked) = choice.map_err(|fault| Error::query(&fault))?;
    Ok(asked)
}

/// What is asked for, with more where that is needed.
pub(super) async fn load<T: Send + 'static>(
    app: &App,
    asked: Asked,
    more: fn(Weekly, &mut Db) -> anyhow::Result<T>,
) -> Result<T, Error> {
    let now = (app.now)();
    let answer = app.store.read(move |db| {
        Ok(match asked.check_at(db, now)? {
            Ok(()) => Ok(more(weekly(db, &asked, now)?, db)?),
            Err(unasked) => Err(unasked),
        })
    });
    Ok(answer.await??)
}
