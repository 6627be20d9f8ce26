//! What is answered to one report.

use crate::store::StoreError;
use crate::store::db::Db;
use crate::store::session::session_rank;
use anyhow::Result;
use meter::{Admission, Answer, Fault, FaultCode, Repo, Report, Retry, SessionId, Status, Stored, Week};
use serde::Deserialize;

pub(super) fn applied(report: &Report) -> Answer {
    Answer {
        session_id: Some(report.session_id.to_string()),
        repo: Some(report.repo.to_string()),
        week: Some(report.week.to_string()),
        status: Status::Applied,
        stored_rank: None,
        fault: None,
    }
}

/// The answer to a report that is not applied; an equal one may raise the stored rank.
pub(super) fn turned_away(
    db: &mut Db,
    report: &Report,
    admission: Admission,
    stored: Option<Stored>,
) -> Result<Answer> {
    let stored_rank = stored.map(|stored| stored.rank);
    let answer = |status, stored_rank, fault| Answer { status, stored_rank, fault, ..applied(report) };
    Ok(match admission {
        Admission::Apply => applied(report),
        Admission::Same => {
            if Some(report.rank) > stored_rank {
                session_rank(db, report)?;
            }
            answer(Status::Same, None, None)
        }
        Admission::Stale => answer(Status::Stale, stored_rank, None),
        Admission::Held => {
            let message = "another ledger's snapshot has more requests or output; only that ledger or newer reading rules may lower it";
            let fault = Fault::new(FaultCode::Fewer, Retry::AfterUpgrade, message);
            answer(Status::Held, stored_rank, Some(fault))
        }
        Admission::Owned => {
            let fault = Fault::new(FaultCode::Owned, Retry::Never, "the session belongs to another identity");
            answer(Status::Rejected, None, Some(fault))
        }
    })
}

/// Tells a fault of the report from one of the store.
pub(super) fn settled(stored: Result<Answer, StoreError>) -> Result<Result<Answer, Fault>, StoreError> {
    match stored {
        Ok(answer) => Ok(Ok(answer)),
        Err(StoreError::Failed(error)) => Ok(Err(error.downcast().unwrap_or_else(|error| {
            tracing::error!(error = format!("{error:#}"), "could not store a report");
            Fault::new(FaultCode::Internal, Retry::Later, "the collector could not store it")
        }))),
        Err(busy) => Err(busy),
    }
}

/// The answer to a report that is refused, with as much of its key as can be told.
pub(super) fn rejected(json: &str, fault: Fault) -> Answer {
    let key: Key = serde_json::from_str(json).unwrap_or_default();
    Answer {
        session_id: key.session_id.and_then(|id| SessionId::try_from(id).ok()).map(Into::into),
        repo: key.repo.and_then(|repo| Repo::try_from(repo).ok()).map(Into::into),
        week: key.week.and_then(|week| Week::try_from(week).ok()).map(Into::into),
        status: Status::Rejected,
        stored_rank: None,
        fault: Some(fault),
    }
}

#[derive(Default, Deserialize)]
struct Key {
    session_id: Option<String>,
    repo: Option<String>,
    week: Option<String>,
}
