//! Disqualifications that an admin disputes: kept with the reason, and no longer counted.

use super::audit::{Event, audit_add};
use super::db::{Db, Row, values};
use anyhow::Result;
use jiff::Timestamp;
use meter::Repo;
use meter::outcome::Cause;
use serde::Serialize;
use std::collections::BTreeMap;

/// A disqualification that does not count.
#[derive(Debug, Serialize)]
pub(crate) struct Dispute {
    pub kind: String,
    pub rule: String,
    /// The sha of the other change, or the address of the ticket.
    pub evidence: String,
    pub reason: String,
    pub at: String,
}

/// Disputes all that disqualifies a change by now; returns how many that is.
pub(crate) fn dispute_add(db: &mut Db, change: (&str, &str), reason: &str, now: Timestamp) -> Result<u64> {
    let (repo, sha) = change;
    let disputed = db.execute(
        "INSERT INTO dispute (repo, sha, kind, rule, evidence, reason, recorded_at)
         SELECT repo, sha, kind, rule, COALESCE(by_url, by_sha), $3, $4 FROM disqualification WHERE repo = $1 AND sha = $2
         ON CONFLICT DO NOTHING",
        &values![repo, sha, reason, now.to_string()],
    )?;
    if disputed > 0 {
        let (subject, detail) = (format!("{repo}@{sha}"), reason.to_owned());
        audit_add(db, now, &Event { actor: "cpvo dispute", action: "disputed", subject: &subject, detail })?;
    }
    Ok(disputed)
}

/// All of a repository, by the change they are about.
pub(crate) fn dispute_list(db: &mut Db, repo: &Repo) -> Result<BTreeMap<String, Vec<Dispute>>> {
    let mut disputes: BTreeMap<String, Vec<Dispute>> = BTreeMap::new();
    let sql = "SELECT sha, kind, rule, evidence, reason, recorded_at FROM dispute WHERE repo = $1
        ORDER BY recorded_at, kind, evidence";
    let read = |row: &Row| {
        let (kind, rule, evidence) = (row.get(1)?, row.get(2)?, row.get(3)?);
        Ok::<_, anyhow::Error>(Dispute { kind, rule, evidence, reason: row.get(4)?, at: row.get(5)? })
    };
    for row in db.query(sql, &values![repo.as_str()])? {
        disputes.entry(row.get(0)?).or_default().push(read(&row)?);
    }
    Ok(disputes)
}

impl Dispute {
    /// What it is about, where that is another change.
    pub(crate) fn objection(&self) -> Option<(Cause, String)> {
        Some((Cause::from_word(&self.kind)?, self.evidence.clone()))
    }
}
