//! `GET /v1/weeks?team=T&weeks=12&basis=people`: what `cpvo weekly --format json` prints.

use super::App;
use super::error::Error;
use crate::store::db::Db;
use crate::weekly::{Basis, WEEKS_DEFAULT, WEEKS_MAX, Weekly, team_known, weekly};
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::header;
use axum::response::IntoResponse;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use std::sync::Arc;

/// What of the weeks is asked for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Choice {
    pub team: Option<String>,
    #[serde(default = "weeks_default", deserialize_with = "weeks_within")]
    pub weeks: u16,
    #[serde(default)]
    pub basis: Basis,
}

pub(super) type Asked = Result<Query<Choice>, QueryRejection>;

fn weeks_default() -> u16 {
    WEEKS_DEFAULT
}

pub(super) async fn get(State(app): State<Arc<App>>, asked: Asked) -> Result<impl IntoResponse, Error> {
    let weekly = load(&app, choice(asked)?, Weekly::with_costs).await?;
    let json = weekly.json().map_err(Error::Internal)?;
    Ok(([(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")], json))
}

pub(super) fn choice(asked: Asked) -> Result<Choice, Error> {
    let Query(choice) = asked.map_err(|fault| Error::query(&fault))?;
    Ok(choice)
}

fn weeks_within<'de, D: Deserializer<'de>>(value: D) -> Result<u16, D::Error> {
    let text = String::deserialize(value)?;
    let weeks = text.parse().ok().filter(|weeks| (1..=WEEKS_MAX).contains(weeks));
    weeks.ok_or_else(|| {
        D::Error::custom(format!("must be 1 to {WEEKS_MAX}, such as {WEEKS_DEFAULT}, not {text:?}"))
    })
}

/// What is chosen, with more where that is asked for.
pub(super) async fn load<T: Send + 'static>(
    app: &App,
    Choice { team, weeks, basis }: Choice,
    more: fn(Weekly, &mut Db, Option<&str>) -> anyhow::Result<T>,
) -> Result<T, Error> {
    let now = (app.now)();
    let answer = app.store.read(move |db| {
        let team = team.as_deref();
        Ok(match team_known(db, team)? {
            Ok(()) => Ok(more(weekly(db, team, weeks, basis, now)?, db, team)?),
            Err(unknown) => Err(unknown),
        })
    });
    Ok(answer.await??)
}
