//! `POST /v1/sessions/missing`: what this collector lacks or has lower, so that a sweep can heal it.

use super::auth::Grant;
use super::error::Error;
use super::{App, body};
use crate::store::db::Db;
use crate::store::session::session_rank_of;
use axum::Json;
use axum::body::Body;
use axum::extract::State;
use meter::{Rank, Repo, SessionId, Week};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

const KEYS_MAX: usize = 4096;

/// A report the hook has.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    session_id: SessionId,
    repo: Repo,
    week: Week,
    rank: Rank,
}

#[derive(Serialize)]
pub(super) struct Key {
    session_id: SessionId,
    repo: Repo,
    week: Week,
}

#[derive(Serialize)]
pub(super) struct Missing {
    missing: Vec<Key>,
}

/// A token names no owner, so who asks for a stored key shows that it is his: by the ledger it came from, whose
/// birth its rank carries, or by the repository it came through. Nobody else's key is answered, whatever rank is
/// tried. That a key is stored is learnt by whoever knows its session's UUID, as `owned` tells it too.
pub(super) async fn post(
    State(app): State<Arc<App>>,
    grant: Grant,
    body: Body,
) -> Result<Json<Missing>, Error> {
    let body = body::read(body).await?;
    let kept: Vec<Kept> = body::list(&body, KEYS_MAX)?;
    let lacks = move |db: &mut Db| {
        let mut missing = Vec::new();
        for Kept { session_id, repo, week, rank } in kept {
            if grant.strict && repo != grant.via_repo {
                continue;
            }
            let lacks = match session_rank_of(db, &session_id, &repo, week)? {
                None => true,
                Some((stored, via)) => stored < rank && (stored.epoch == rank.epoch || via == grant.via_repo),
            };
            if lacks {
                missing.push(Key { session_id, repo, week });
            }
        }
        Ok(missing)
    };
    Ok(Json(Missing { missing: app.store.read(lacks).await? }))
}
