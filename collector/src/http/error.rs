//! What goes wrong with a request, as a status and JSON. Every fault of one report is part of a 200 instead.

use crate::change::UnknownChange;
use crate::changes::UnknownRepo;
use crate::page::NoRepository;
use crate::store::StoreError;
use crate::weekly::Unasked;
use axum::extract::rejection::QueryRejection;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde_json::json;

/// Seconds after which a client may come back.
const RETRY_AFTER: &str = "5";

#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// The code tells the client what to do about its credentials.
    #[error("{1}")]
    Unauthorized(&'static str, String),
    #[error("{0}")]
    Forbidden(String),
    #[error("no such page")]
    NotFound,
    #[error(transparent)]
    Unasked(#[from] Unasked),
    #[error(transparent)]
    UnknownRepo(#[from] UnknownRepo),
    #[error(transparent)]
    NoRepository(#[from] NoRepository),
    #[error(transparent)]
    UnknownChange(#[from] UnknownChange),
    #[error("the body took too long")]
    Slow,
    #[error("the body is larger than {0} bytes")]
    TooLarge(usize),
    #[error("{0}")]
    Unreadable(String),
    #[error("the collector is busy, come back later")]
    Busy,
    /// Seconds until it is less.
    #[error("the token delivers too many reports, come back in {0} seconds")]
    TooMany(i64),
    #[error("internal error")]
    Internal(anyhow::Error),
}

impl Error {
    /// What is asked for after the `?` of an address.
    pub(super) fn query(fault: &QueryRejection) -> Self {
        let text = fault.body_text();
        let said = text.strip_prefix("Failed to deserialize query string: ").unwrap_or(&text);
        Self::Unreadable(said.to_owned())
    }

    pub(super) fn status(&self) -> (StatusCode, &'static str) {
        match self {
            Self::Unauthorized(code, _) => (StatusCode::UNAUTHORIZED, code),
            Self::Forbidden(_) => (StatusCode::FORBIDDEN, "forbidden"),
            Self::NotFound
            | Self::Unasked(Unasked::Unknown { .. })
            | Self::UnknownRepo(_)
            | Self::NoRepository(_)
            | Self::UnknownChange(_) => (StatusCode::NOT_FOUND, "not_found"),
            Self::Slow => (StatusCode::REQUEST_TIMEOUT, "slow"),
            Self::TooLarge(_) => (StatusCode::PAYLOAD_TOO_LARGE, "too_large"),
            Self::Unreadable(_) | Self::Unasked(_) => (StatusCode::UNPROCESSABLE_ENTITY, "unreadable"),
            Self::Busy => (StatusCode::SERVICE_UNAVAILABLE, "busy"),
            Self::TooMany(_) => (StatusCode::TOO_MANY_REQUESTS, "too_many"),
            Self::Internal(_) => (StatusCode::INTERNAL_SERVER_ERROR, "internal"),
        }
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Busy => Self::Busy,
            StoreError::Failed(error) => Self::Internal(error),
        }
    }
}

/// What an answer of a fault says, for whoever says it in another form.
#[derive(Clone)]
pub(super) struct Words(pub String);

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let (status, code) = self.status();
        if let Self::Internal(error) = &self {
            tracing::error!(error = format!("{error:#}"), "a request failed");
        }
        let words = self.to_string();
        let body =
            (Extension(Words(words.clone())), Json(json!({"error": {"code": code, "message": words}})));
        match self {
            Self::Busy => (status, [(header::RETRY_AFTER, RETRY_AFTER)], body).into_response(),
            Self::TooMany(seconds) => {
                (status, [(header::RETRY_AFTER, seconds.to_string())], body).into_response()
            }
            Self::Unauthorized(..) => (status, [(header::WWW_AUTHENTICATE, "Bearer")], body).into_response(),
            // the rest of the body was not read: no second request can follow on this connection
            Self::TooLarge(_) | Self::Slow => (status, [(header::CONNECTION, "close")], body).into_response(),
            _ => (status, body).into_response(),
        }
    }
}
