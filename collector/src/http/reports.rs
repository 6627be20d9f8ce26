//! `POST /v1/reports`: authenticate → map identity → price → upsert. The heart of the collector.

use super::answer::{applied, rejected, settled, turned_away};
use super::auth::Grant;
use super::error::Error;
use super::{App, body};
use crate::people::{identity, owner_after};
use crate::store::db::Db;
use crate::store::people::{Person, developer_seen, person_find};
use crate::store::session::{Head, session_give, session_known, session_put};
use crate::store::sum::CostBasis;
use crate::store::usage::{Usage, usage_compare, usage_put};
use crate::store::week::week_extend;
use anyhow::Result;
use axum::Json;
use axum::body::Body;
use axum::extract::State;
use jiff::Timestamp;
use meter::{
    Admission, Answer, Billing, Fault, FaultCode, NanoUsd, PriceBook, REPORTS_MAX, Report, Retry, Row,
    RowKey, Sender, Stored, Trust, Week, admit,
};
use serde::Serialize;
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use std::sync::Arc;

const ROW_NANOUSD_MAX: i64 = 10_000_000_000_000;
const REPORT_NANOUSD_MAX: i64 = 100_000_000_000_000;

#[derive(Serialize)]
pub(super) struct Results {
    results: Vec<Answer>,
}

/// One answer per report, in order; each is given after the COMMIT that keeps it.
pub(super) async fn post(
    State(app): State<Arc<App>>,
    grant: Grant, // authenticate
    body: Body,
) -> Result<Json<Results>, Error> {
    let body = body::read(body).await?;
    let now = (app.now)();
    let reports: Vec<&RawValue> = body::list(&body, REPORTS_MAX)?;
    let queue = |json: &&RawValue| {
        let report = accept(json.get(), &grant, now)?;
        let (book, via_repo) = (Arc::clone(&app.book), grant.via_repo.clone());
        Ok(app.store.write(move |db| ingest(db, &book, via_repo.as_str(), &report, now)))
    };
    let queued: Vec<Result<_, Fault>> = reports.iter().map(queue).collect();
    let mut results = Vec::with_capacity(reports.len());
    for (json, queued) in reports.iter().zip(queued) {
        let stored = match queued {
            Ok(write) => settled(write.await)?,
            Err(fault) => Err(fault),
        };
        let answer = stored.unwrap_or_else(|fault| rejected(json.get(), fault));
        app.counters.count(answer.status);
        results.push(answer);
    }
    Ok(Json(Results { results }))
}

/// A report as it may be stored, or what is wrong with it.
fn accept(json: &str, grant: &Grant, now: Timestamp) -> Result<Report, Fault> {
    let report = Report::parse(json)?;
    report.check_time(now)?;
    if grant.strict && report.repo != grant.via_repo {
        let message = format!("repo: the token may report {} only", grant.via_repo);
        return Err(Fault::new(FaultCode::Forbidden, Retry::Never, message));
    }
    Ok(report)
}

/// Stores one report whole; an error, also a fault of the report, leaves nothing of it behind.
fn ingest(db: &mut Db, book: &PriceBook, via_repo: &str, report: &Report, now: Timestamp) -> Result<Answer> {
    let sender = Sender {
        install_id: report.install_id.clone(),
        developer: report.developer.clone(),
        trust: Trust::Claimed,
    };
    let digest = crate::keys::hex(&Sha256::digest(report.content()));
    let new = Stored { rank: report.rank, partial: report.partial, requests: report.requests(), digest };
    let known = session_known(db, report)?;
    let admission = admit(known.owner.as_ref(), known.snapshot.as_ref(), &sender, &new);
    if admission != Admission::Apply {
        return turned_away(db, report, admission, known.snapshot);
    }
    let owner = owner_after(known.owner.as_ref().zip(known.rank), sender, report.rank);
    developer_seen(db, &owner.developer, now)?;
    if known.owner.is_some_and(|former| former != owner) {
        session_give(db, report, &owner, now)?;
    }

    let person = person_find(db, &owner.developer)?; // map identity
    let price = |row| price(book, report, row); // price
    let costs = within_limit(report.usage.iter().map(price).collect::<Result<_, Fault>>()?)?;
    let rows = report.usage.iter().zip(costs).map(|(row, cost)| usage(report, &owner, &person, row, cost));

    let change = usage_compare(db, report, rows)?; // upsert
    change.sums.check_room(db)?;
    week_extend(db, report.week, Week::of(now).max(report.week))?;
    session_put(db, &Head { report, owner: &owner, digest: &new.digest, via_repo, now })?;
    usage_put(db, report, change)?;
    Ok(applied(report))
}

type Cost = Option<(NanoUsd, String)>;

fn price(book: &PriceBook, report: &Report, row: &Row) -> Result<Cost, Fault> {
    let Some(priced) = book.cost(report.provider, row) else { return Ok(None) };
    if priced.cost.0 > ROW_NANOUSD_MAX {
        return Err(too_dear(format!("usage: a row of {} costs {}", row.key.model, priced.cost.dollars())));
    }
    Ok(Some((priced.cost, priced.price.id.clone())))
}

fn within_limit(costs: Vec<Cost>) -> Result<Vec<Cost>, Fault> {
    let total = NanoUsd(costs.iter().flatten().map(|(cost, _)| cost.0).sum()); // 4,000 rows within their limit
    if total.0 > REPORT_NANOUSD_MAX {
        return Err(too_dear(format!("usage: the report costs {}", total.dollars())));
    }
    Ok(costs)
}

fn too_dear(what: String) -> Fault {
    Fault::new(FaultCode::CostLimit, Retry::Never, what + ", more than one can")
}

fn usage(report: &Report, owner: &Sender, person: &Person, row: &Row, cost: Cost) -> (RowKey, Usage) {
    let basis = match report.billing {
        Billing::Subscription => CostBasis::ListEquivalent,
        Billing::Api | Billing::Unknown => CostBasis::List,
    };
    let usage = Usage {
        developer: identity(&owner.developer),
        team: person.team_at(row.key.hour).to_owned(),
        requests: row.requests,
        tokens: row.tokens,
        cost,
        basis,
    };
    (row.key.clone(), usage)
}
