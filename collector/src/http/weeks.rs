//! `GET /v1/weeks?team=T&weeks=12`: what `cpvo weekly --format json` prints.

use super::App;
use super::error::Error;
use crate::weekly::{WEEKS_DEFAULT, WEEKS_MAX, Weekly, weekly};
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::header;
use axum::response::IntoResponse;
use serde::Deserialize;
use std::sync::Arc;

/// What of the weeks is asked for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Choice {
    team: Option<String>,
    #[serde(default = "weeks_default")]
    pub weeks: u16,
}

pub(super) type Asked = Result<Query<Choice>, QueryRejection>;

fn weeks_default() -> u16 {
    WEEKS_DEFAULT
}

pub(super) async fn get(State(app): State<Arc<App>>, asked: Asked) -> Result<impl IntoResponse, Error> {
    let json = load(&app, choice(asked)?).await?.json().map_err(Error::Internal)?;
    Ok(([(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")], json))
}

pub(super) fn choice(asked: Asked) -> Result<Choice, Error> {
    let Query(choice) = asked.map_err(|fault| Error::Unreadable(fault.body_text()))?;
    match choice.weeks {
        1..=WEEKS_MAX => Ok(choice),
        _ => Err(Error::Unreadable(format!("weeks: must be 1 to {WEEKS_MAX}"))),
    }
}

pub(super) async fn load(app: &App, Choice { team, weeks }: Choice) -> Result<Weekly, Error> {
    let now = (app.now)();
    Ok(app.store.read(move |db| weekly(db, team.as_deref(), weeks, now)).await?)
}
