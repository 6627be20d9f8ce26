//! `POST /v1/incidents`: what broke for users, told by whatever watches, and told again when it works.

use super::App;
use super::auth::Herald;
use super::body;
use super::error::Error;
use crate::store::incident::{Kept, Witness, incident_cause, incident_tell};
use axum::Json;
use axum::body::Body;
use axum::extract::State;
use meter::delivery::Incident;
use serde::Serialize;
use std::sync::Arc;

const SERVICE: &str = "api";
/// Reports that one incident weighs as much as in what a token may deliver.
const WEIGHT: usize = 50;

#[derive(Serialize)]
pub(super) struct Told {
    id: String,
    status: Kept,
    /// The change it comes from, as far as that has landed.
    change: Option<String>,
}

/// Keeps an incident of the token's repository. One that is told again replaces what was told; the answer comes after
/// the COMMIT.
pub(super) async fn post(
    State(app): State<Arc<App>>,
    herald: Herald,
    body: Body,
) -> Result<Json<Told>, Error> {
    let body = body::read(body).await?;
    let now = (app.now)();
    app.rates.take(&herald.token_id, WEIGHT, now)?;
    let incident = Incident::parse(&body, now).map_err(Error::Unreadable)?;
    let write = app.store.write(move |db| {
        let actor = format!("token {}", herald.token_id);
        let witness = Witness { actor: &actor, service: SERVICE, repo: &herald.repo };
        let status = incident_tell(db, &witness, &incident, now)?;
        let change = incident_cause(db, &witness, incident.id.as_str())?;
        Ok(Told { id: incident.id.into(), status, change })
    });
    Ok(Json(write.await?))
}
