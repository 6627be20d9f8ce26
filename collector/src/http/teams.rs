//! `GET /v1/teams/{team}?weeks=12&basis=people`: one team with its weeks, what its outcomes cost and how it delivers.

use super::App;
use super::error::Error;
use super::weeks::{Choice, asked};
use crate::delivery::{Answer, deliveries};
use crate::weekly::{self, Asked, weekly};
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::IntoResponse;
use serde::Serialize;
use std::sync::Arc;

/// What `cpvo weekly` says of it, and `cpvo delivery`.
#[derive(Serialize)]
struct Team {
    #[serde(flatten)]
    weekly: weekly::Answer,
    delivery: Answer,
}

pub(super) async fn get(
    State(app): State<Arc<App>>,
    Path(team): Path<String>,
    choice: Choice,
) -> Result<impl IntoResponse, Error> {
    let asked = asked(choice)?;
    let Asked { weeks, basis, .. } = asked;
    if asked != Asked::of_team(None, weeks).on(basis) {
        let words = "only weeks and basis can be asked for here: a team delivers as a whole";
        return Err(Error::Unreadable(words.to_owned()));
    }
    let now = (app.now)();
    let answer = app.store.read(move |db| {
        let asked = Asked::of_team(Some(&team), weeks);
        if let Err(unknown) = asked.check(db)? {
            return Ok(Err(unknown));
        }
        // as `cpvo delivery` says it: whoever's change spend built, it is the people's there
        let people = weekly(db, &asked, now)?;
        let delivery = deliveries(db, &people, weeks)?.answer();
        let weekly = weekly(db, &asked.on(basis), now)?.with_costs(db)?.answer();
        Ok(Ok(serde_json::to_string_pretty(&Team { weekly, delivery })?))
    });
    let json = answer.await??;
    Ok(([(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")], json))
}
