//! `GET /v1/export/spend.csv?team=T&from=2026-10-01&until=2026-11-01`: what `cpvo export` writes, by its name.

use super::App;
use super::error::Error;
use super::html::GUARDS;
use crate::export::{Choice, File, export};
use crate::weekly::team_known;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use std::sync::Arc;

pub(super) async fn get(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    asked: Result<Query<Choice>, QueryRejection>,
) -> Result<Response, Error> {
    let Query(choice) = asked.map_err(|fault| Error::query(&fault))?;
    let file = File::named(&name).ok_or(Error::NotFound)?;
    let range = choice.range((app.now)()).map_err(|beyond| Error::Unreadable(beyond.to_string()))?;
    let bytes = app.store.read(move |db| match team_known(db, range.team.as_deref())? {
        Ok(()) => Ok(Ok(export(db, file, &range)?)),
        Err(unknown) => Ok(Err(unknown)),
    });
    let bytes = bytes.await??;
    let about = [
        (header::CONTENT_TYPE, file.media_type().to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"cpvo-{name}\"")),
        (header::CACHE_CONTROL, "no-store".to_owned()),
    ];
    Ok((GUARDS, about, bytes).into_response())
}
