//! `GET /v1/hook/{target}`: the `cpvo-hook` of one kind of machine, for the script that installs it.

use super::App;
use super::error::Error;
use crate::platforms::Platform;
use anyhow::Context;
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::IntoResponse;
use bytes::Bytes;
use std::collections::HashMap;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

/// The programs as they were last read: each is in memory once, however many connections take it.
#[derive(Debug, Default)]
pub(crate) struct Programs(Mutex<HashMap<PathBuf, (Edition, Bytes)>>);

/// What differs when a file was replaced.
type Edition = (SystemTime, u64);

impl Programs {
    fn read(&self, path: PathBuf) -> std::io::Result<Bytes> {
        let about = std::fs::metadata(&path)?;
        let edition = (about.modified()?, about.len());
        // held while reading, so that many first connections read once
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, program)) = kept.get(&path).filter(|(known, _)| *known == edition) {
            return Ok(program.clone());
        }
        let program = Bytes::from(std::fs::read(&path)?);
        kept.insert(path, (edition, program.clone()));
        Ok(program)
    }
}

pub(super) async fn get(
    State(app): State<Arc<App>>,
    Path(target): Path<String>,
) -> Result<impl IntoResponse, Error> {
    let path = Platform::of_target(&target).ok_or(Error::NotFound)?.path(&app.hooks_dir);
    let read =
        tokio::task::spawn_blocking(move || app.programs.read(path.clone()).map_err(|error| (path, error)));
    match read.await.context("reading was cut short").map_err(Error::Internal)? {
        Ok(program) => Ok(([(header::CONTENT_TYPE, "application/octet-stream")], program)),
        Err((_, error)) if error.kind() == ErrorKind::NotFound => Err(Error::NotFound),
        Err((path, error)) => {
            let about = format!("could not read {}", path.display());
            Err(Error::Internal(anyhow::Error::new(error).context(about)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_held_once_until_it_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cpvo-hook");
        std::fs::write(&path, "first").unwrap();
        let programs = Programs::default();
        let read = || programs.read(path.clone()).unwrap();
        assert_eq!(read().as_ptr(), read().as_ptr());
        std::fs::write(&path, "the second").unwrap();
        assert_eq!(read(), "the second");
        std::fs::remove_file(&path).unwrap();
        assert_eq!(programs.read(path.clone()).unwrap_err().kind(), ErrorKind::NotFound);
    }
}
