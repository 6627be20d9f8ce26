//! `GET /v1/changes?repo=R`: what `cpvo changes --format json` prints.

use super::App;
use super::error::Error;
use crate::changes::{changes_of, json};
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::header;
use axum::response::IntoResponse;
use meter::Repo;
use serde::Deserialize;
use std::sync::Arc;

/// Whose changes are asked for: those of one repository or all.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Choice {
    repo: Option<Repo>,
}

pub(super) async fn get(
    State(app): State<Arc<App>>,
    asked: Result<Query<Choice>, QueryRejection>,
) -> Result<impl IntoResponse, Error> {
    let Query(Choice { repo }) = asked.map_err(|fault| Error::query(&fault))?;
    let changes = app.store.read(move |db| changes_of(db, repo.as_ref())).await??;
    let json = json(&changes).map_err(Error::Internal)?;
    Ok(([(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")], json))
}
