//! A page as an answer: nothing in it runs, nothing comes from elsewhere. What goes wrong with one is a page, too, and with
//! what programs ask for JSON.

use super::error::{Error, Words};
use crate::page;
use anyhow::Context;
use axum::Json;
use axum::extract::Request;
use axum::http::{HeaderName, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// Where programs are answered: in JSON, whatever happens.
const PROGRAMS: &str = "/v1/";

pub(super) const GUARDS: [(HeaderName, &str); 5] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

/// Ten years of many teams take a while to draw, in which this thread would answer nobody.
pub(super) async fn drawn(
    draw: impl FnOnce() -> anyhow::Result<String> + Send + 'static,
) -> Result<Response, Error> {
    let drawn = tokio::task::spawn_blocking(draw).await;
    let html = drawn.context("drawing was cut short").and_then(|html| html).map_err(Error::Internal)?;
    Ok(answer(html))
}

fn answer(html: String) -> Response {
    let kind = [(header::CONTENT_TYPE, "text/html; charset=utf-8"), (header::CACHE_CONTROL, "no-store")];
    (GUARDS, kind, html).into_response()
}

/// Around everything that a browser asks for.
pub(super) async fn readable(request: Request, next: Next) -> Response {
    let is_program = request.uri().path().starts_with(PROGRAMS);
    let response = next.run(request).await;
    if is_program { response } else { told(response) }
}

/// What no route leads to.
pub(super) async fn nowhere(uri: Uri) -> Response {
    let response = Error::NotFound.into_response();
    if uri.path().starts_with(PROGRAMS) { response } else { told(response) }
}

/// Around everything: a fault without words is of no handler (a path that is no text, a method, the time), and JSON below
/// `/v1/` all the same.
pub(super) async fn in_json(request: Request, next: Next) -> Response {
    let is_program = request.uri().path().starts_with(PROGRAMS);
    let response = next.run(request).await;
    let status = response.status();
    let is_fault = status.is_client_error() || status.is_server_error();
    if !is_program || !is_fault || response.extensions().get::<Words>().is_some() {
        return response;
    }
    let words = status.canonical_reason().unwrap_or("fault").to_lowercase();
    let code = words.replace(' ', "_");
    instead(response, Json(json!({"error": {"code": code, "message": words}})).into_response())
}

/// A fault as a page, with the status and headers it has.
fn told(fault: Response) -> Response {
    let status = fault.status();
    if !status.is_client_error() && !status.is_server_error() {
        return fault;
    }
    let (title, plain, advice) = advice(status);
    let words = fault.extensions().get().map_or(plain, |Words(words)| words);
    let Ok(html) = page::fault(title, words, advice) else { return fault };
    instead(fault, answer(html))
}

/// Another body for a fault, with its status and all headers that are not of the body.
fn instead(fault: Response, mut answer: Response) -> Response {
    *answer.status_mut() = fault.status();
    let mut headers = fault.into_parts().0.headers;
    for of_body in [header::CONTENT_TYPE, header::CONTENT_LENGTH, header::CONTENT_ENCODING] {
        headers.remove(of_body);
    }
    answer.headers_mut().extend(headers);
    answer
}

/// A title, what to say where nothing is said, and what to do.
fn advice(status: StatusCode) -> (&'static str, &'static str, &'static str) {
    match status {
        StatusCode::NOT_FOUND => (
            "There is no such page",
            "nothing is at this address",
            "It may have been mistyped, or be of another time. All there is can be reached from the links above.",
        ),
        StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY => (
            "This cannot be shown",
            "the address is not readable",
            "Mend what stands after the last / or the ? of the address, or begin anew from the links above.",
        ),
        StatusCode::FORBIDDEN => (
            "Not from here",
            "the page is not for everybody",
            "Reports are taken from everywhere; what they add up to is read where the collector runs.",
        ),
        StatusCode::METHOD_NOT_ALLOWED => {
            ("This cannot be done here", "a page is only read", "Open its address in a browser.")
        }
        StatusCode::SERVICE_UNAVAILABLE | StatusCode::REQUEST_TIMEOUT => (
            "The collector is busy",
            "it took too long",
            "Nothing is lost. Load this page again in a few seconds, or ask for fewer weeks.",
        ),
        _ => (
            "Something broke",
            "the collector could not answer",
            "Its log says what went wrong; `cpvo sql` and `cpvo weekly` ask the same database.",
        ),
    }
}
