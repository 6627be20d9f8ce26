//! Disqualifications that an admin disputes: kept with the reason, and no longer counted.

use super::audit::{Event, audit_add};
use super::db::{Db, Row, values};
use super::evidence::DISQUALIFICATIONS;
use super::news::repo_news;
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
    /// The account of the admin; `None` where it was not kept yet.
    pub by: Option<String>,
    pub at: String,
    /// When what it is about happened.
    #[serde(skip)]
    happened_at: Timestamp,
}

/// Why somebody finds it wrong.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reason<'a> {
    pub text: &'a str,
    /// The account of the admin.
    pub by: &'a str,
}

/// Disputes all that disqualifies a change by now; returns how many that is.
pub(crate) fn dispute_add(
    db: &mut Db,
    (repo, sha): (&str, &str),
    reason: Reason,
    now: Timestamp,
) -> Result<u64> {
    let disputed = db.execute(
        &format!(
            "INSERT INTO dispute (repo, sha, kind, rule, evidence, reason, disputed_by, recorded_at, happened_at)
         SELECT repo, sha, kind, rule, COALESCE(by_url, by_sha), $3, $4, $5, MAX(happened_at)
         FROM ({DISQUALIFICATIONS}) AS d WHERE repo = $1 AND sha = $2
         GROUP BY repo, sha, kind, rule, COALESCE(by_url, by_sha)
         ON CONFLICT (repo, sha, kind, evidence) DO UPDATE SET reason = excluded.reason,
            disputed_by = excluded.disputed_by, recorded_at = excluded.recorded_at, happened_at = excluded.happened_at
         WHERE excluded.happened_at > COALESCE(dispute.happened_at, dispute.recorded_at)"
        ),
        &values![repo, sha, reason.text, reason.by, now.to_string()],
    )?;
    if disputed > 0 {
        repo_news(db, &repo.parse()?)?;
        let (subject, detail) = (format!("{repo}@{sha}"), reason.text.to_owned());
        audit_add(db, now, &Event { actor: reason.by, action: "disputed", subject: &subject, detail })?;
    }
    Ok(disputed)
}

/// All of a repository, by the change they are about.
pub(crate) fn dispute_list(db: &mut Db, repo: &Repo) -> Result<BTreeMap<String, Vec<Dispute>>> {
    let mut disputes: BTreeMap<String, Vec<Dispute>> = BTreeMap::new();
    let sql = "SELECT sha, kind, rule, evidence, reason, disputed_by, recorded_at, COALESCE(happened_at, recorded_at)
        FROM dispute WHERE repo = $1 ORDER BY recorded_at, kind, evidence";
    let read = |row: &Row| {
        let (kind, rule, evidence) = (row.get(1)?, row.get(2)?, row.get(3)?);
        let (reason, by, at, happened_at) = (row.get(4)?, row.get(5)?, row.get(6)?, row.parse(7)?);
        Ok::<_, anyhow::Error>(Dispute { kind, rule, evidence, reason, by, at, happened_at })
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

    /// Whether it is about a ticket that was opened again at `at`: what came later is another matter.
    pub(crate) fn voids(&self, ticket: &str, at: Timestamp) -> bool {
        self.evidence == ticket && at <= self.happened_at
    }
}
