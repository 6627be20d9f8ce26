//! What disqualified a change and what was done to it, as it is shown.

use super::db::{Db, Row, values};
use anyhow::Result;
use meter::Repo;
use serde::Serialize;
use std::collections::BTreeMap;

/// Why a change is no verified outcome.
#[derive(Debug, Serialize)]
pub(crate) struct Disqualification {
    pub kind: String,
    pub rule: String,
    pub by_number: Option<u64>,
    /// Of the change that did it; of a ticket that was opened again the address.
    pub by_sha: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by_url: Option<String>,
    pub at: String,
}

impl Disqualification {
    /// In words; `sign` stands before the number of a request.
    pub(crate) fn told(&self, sign: char) -> String {
        let by = match (self.by_number, &self.by_url) {
            (Some(number), _) => format!("{sign}{number}"),
            (None, Some(url)) => url.clone(),
            (None, None) => self.by_sha.iter().flat_map(|sha| sha.chars().take(10)).collect(),
        };
        format!("{} by {by} ({})", self.kind, self.rule)
    }
}

/// A change that took it back or brought it again.
#[derive(Debug, Serialize)]
pub(crate) struct Reversal {
    pub by_number: Option<u64>,
    pub by_sha: String,
    pub rule: String,
    pub at: String,
    pub kind: String,
    pub partial: bool,
    pub in_window: bool,
}

/// What disqualifies changes. Of several tickets of one change the table keeps one; the others are known by when each
/// was opened again.
pub(super) const DISQUALIFICATIONS: &str = "
    SELECT repo, sha, kind, rule, by_sha, by_url, happened_at FROM disqualification WHERE kind <> 'reopen'
    UNION ALL
    SELECT r.repo, r.sha, d.kind, d.rule, d.by_sha, r.ticket, r.reopened_at FROM reopen AS r
    JOIN disqualification AS d ON d.repo = r.repo AND d.sha = r.sha AND d.kind = 'reopen'
    WHERE r.misclick = 0 AND r.in_window = 1 AND NOT EXISTS (
        SELECT 1 FROM dispute AS v WHERE v.repo = r.repo AND v.sha = r.sha AND v.evidence = r.ticket
            AND r.reopened_at <= COALESCE(v.happened_at, v.recorded_at)
    )";

pub(crate) fn disqualification_list(
    db: &mut Db,
    repo: &Repo,
) -> Result<BTreeMap<String, Vec<Disqualification>>> {
    listed(db, repo, &format!("({DISQUALIFICATIONS})"), "d.by_url")
}

/// What would disqualify changes besides, were they judged literally.
pub(crate) fn suspicion_list(db: &mut Db, repo: &Repo) -> Result<BTreeMap<String, Vec<Disqualification>>> {
    listed(db, repo, "suspicion", "NULL")
}

fn listed(
    db: &mut Db,
    repo: &Repo,
    table: &str,
    url: &str,
) -> Result<BTreeMap<String, Vec<Disqualification>>> {
    let rows = db.query(
        &format!(
            "SELECT d.sha, d.kind, d.rule, c.number, c.sha, {url}, d.happened_at
             FROM {table} AS d LEFT JOIN change AS c ON c.repo = d.repo AND c.sha = d.by_sha
             WHERE d.repo = $1 ORDER BY d.happened_at, c.landed, d.kind, {url}"
        ),
        &values![repo.as_str()],
    )?;
    by_change(&rows, |row| {
        Ok(Disqualification {
            kind: row.get(1)?,
            rule: row.get(2)?,
            by_number: row.get(3)?,
            by_sha: row.get(4)?,
            by_url: row.get(5)?,
            at: row.get(6)?,
        })
    })
}

pub(crate) fn reversal_list(db: &mut Db, repo: &Repo) -> Result<BTreeMap<String, Vec<Reversal>>> {
    let rows = db.query(
        "SELECT r.sha, c.number, r.by_sha, r.rule, r.reverted_at, r.kind, r.partial, r.in_window
         FROM revert AS r JOIN change AS c ON c.repo = r.repo AND c.sha = r.by_sha
         WHERE r.repo = $1 ORDER BY c.landed",
        &values![repo.as_str()],
    )?;
    by_change(&rows, |row| {
        Ok(Reversal {
            by_number: row.get(1)?,
            by_sha: row.get(2)?,
            rule: row.get(3)?,
            at: row.get(4)?,
            kind: row.get(5)?,
            partial: row.get(6)?,
            in_window: row.get(7)?,
        })
    })
}

fn by_change<T>(rows: &[Row], read: impl Fn(&Row) -> Result<T>) -> Result<BTreeMap<String, Vec<T>>> {
    let mut changes: BTreeMap<String, Vec<T>> = BTreeMap::new();
    for row in rows {
        changes.entry(row.get(0)?).or_default().push(read(row)?);
    }
    Ok(changes)
}
