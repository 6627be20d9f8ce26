//! `GET /v1/hook/{target}`: the `cpvo-hook` of one kind of machine, for the script that installs it.

use super::App;
use super::error::Error;
use crate::platforms::Platform;
use anyhow::Context;
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::IntoResponse;
use std::io::ErrorKind;
use std::sync::Arc;

pub(super) async fn get(
    State(app): State<Arc<App>>,
    Path(target): Path<String>,
) -> Result<impl IntoResponse, Error> {
    let path = Platform::of_target(&target).ok_or(Error::NotFound)?.path(&app.hooks_dir);
    let read = tokio::task::spawn_blocking(move || std::fs::read(&path).map_err(|error| (path, error)));
    match read.await.context("reading was cut short").map_err(Error::Internal)? {
        Ok(program) => Ok(([(header::CONTENT_TYPE, "application/octet-stream")], program)),
        Err((_, error)) if error.kind() == ErrorKind::NotFound => Err(Error::NotFound),
        Err((path, error)) => {
            let about = format!("could not read {}", path.display());
            Err(Error::Internal(anyhow::Error::new(error).context(about)))
        }
    }
}
