//! The head of each report: whose session it is, and which snapshot of it is stored.

use super::audit::{Event, audit_add};
use super::db::{Db, Row, Value, values};
use super::news::repo_news;
use super::people::usage_give;
use crate::people;
use anyhow::Result;
use jiff::Timestamp;
use meter::{
    Hour, PullRequest, PullRequestAction, Rank, Repo, Report, Sender, SessionId, Stored, Trust, Week,
};
use std::collections::BTreeSet;
use std::sync::LazyLock;

/// What is stored of one session id, over all repositories and weeks.
#[derive(Debug)]
pub(crate) struct Known {
    pub owner: Option<Sender>,
    /// The highest rank stored under the session id.
    pub rank: Option<Rank>,
    /// The snapshot under the report's own key.
    pub snapshot: Option<Stored>,
}

/// A report about to be stored.
pub(crate) struct Head<'a> {
    pub report: &'a Report,
    /// Whose session it is from now on.
    pub owner: &'a Sender,
    pub digest: &'a str,
    /// The token that delivered it, and the repository whose settings carry that.
    pub token_id: &'a str,
    pub via_repo: &'a Repo,
    pub now: Timestamp,
}

pub(crate) fn session_known(db: &mut Db, report: &Report) -> Result<Known> {
    let rows = db.query(
        "SELECT repo, week, developer, trust, install_id, parser, epoch, seq, partial, requests, output, digest
         FROM session WHERE session_id = $1 ORDER BY parser, epoch, seq",
        &values![report.session_id.as_str()],
    )?;
    let mut known = Known { owner: None, rank: None, snapshot: None };
    for row in &rows {
        let rank = Rank { parser: row.get(5)?, epoch: row.get(6)?, seq: row.get(7)? };
        known.owner = Some(owner(row)?);
        known.rank = Some(rank);
        let (repo, week): (String, String) = (row.get(0)?, row.get(1)?);
        if repo == report.repo.as_str() && week == report.week.to_string() {
            let (partial, requests, output, digest) = (row.get(8)?, row.get(9)?, row.get(10)?, row.get(11)?);
            known.snapshot = Some(Stored { rank, partial, requests, output, digest });
        }
    }
    Ok(known)
}

fn owner(row: &Row) -> Result<Sender> {
    Ok(Sender {
        developer: row.word(2, people::developer)?,
        trust: row.word(3, Trust::from_word)?,
        install_id: row.word(4, |id| id.to_owned().try_into().ok())?,
    })
}

/// Keeps the higher rank of an equal snapshot.
pub(crate) fn session_rank(db: &mut Db, report: &Report) -> Result<()> {
    let Rank { parser, epoch, seq } = report.rank;
    db.execute(
        "UPDATE session SET parser = $4, epoch = $5, seq = $6 WHERE session_id = $1 AND repo = $2 AND week = $3",
        &values![
            report.session_id.as_str(),
            report.repo.as_str(),
            report.week.to_string(),
            parser,
            epoch,
            seq
        ],
    )?;
    Ok(())
}

/// Gives every report of the session, with its usage, to `owner`.
pub(crate) fn session_give(db: &mut Db, report: &Report, owner: &Sender, now: Timestamp) -> Result<()> {
    let (session, developer) = (report.session_id.as_str(), people::identity(&owner.developer));
    db.execute(
        "UPDATE session SET developer = $2, trust = $3, install_id = $4 WHERE session_id = $1",
        &values![session, &developer, owner.trust.as_str(), owner.install_id.as_str()],
    )?;
    usage_give(db, session, &owner.developer)?;
    let detail = format!("is {developer}, {}", owner.trust.as_str());
    audit_add(db, now, &Event { actor: "collector", action: "owner_changed", subject: session, detail })
}

/// The rank stored under a key, and the repository whose token brought it.
pub(crate) fn session_rank_of(
    db: &mut Db,
    id: &SessionId,
    repo: &Repo,
    week: Week,
) -> Result<Option<(Rank, Repo)>> {
    let rows = db.query(
        "SELECT parser, epoch, seq, via_repo FROM session WHERE session_id = $1 AND repo = $2 AND week = $3",
        &values![id.as_str(), repo.as_str(), week.to_string()],
    )?;
    let rank =
        |row: &Row| Ok((Rank { parser: row.get(0)?, epoch: row.get(1)?, seq: row.get(2)? }, row.parse(3)?));
    rows.first().map(rank).transpose()
}

/// Stores the report without its usage.
pub(crate) fn session_put(db: &mut Db, head: &Head) -> Result<()> {
    let report = head.report;
    db.execute(&PUT, &row(head))?;
    let commits = report.commits.iter();
    let commits = commits.map(|one| values![one.sha.as_str(), one.branch.as_str(), one.at.to_string()]);
    list_put(db, report, "session_commit", commits)?;
    let pull_requests = report.pull_requests.iter();
    let pull_requests = pull_requests.map(|one| values![one.number, one.action.as_str(), one.at.to_string()]);
    list_put(db, report, "session_pull_request", pull_requests)?;
    // the branch it was on when it asked for a request is the request's
    let known = "SELECT number FROM session_asked WHERE session_id = $1 AND repo = $2 AND week = $3";
    let had_asked = !db.query(known, &key(report))?.is_empty();
    let asked = asked(report);
    if had_asked || !asked.is_empty() {
        repo_news(db, &report.repo)?;
    }
    list_put(db, report, "session_asked", asked.iter().map(|(number, branch)| values![*number, *branch]))
}

/// The requests that the session asked for, with the branches it was on in that hour.
fn asked(report: &Report) -> BTreeSet<(u32, &str)> {
    let created = report.pull_requests.iter().filter(|one| one.action == PullRequestAction::Created);
    let on = |one: &PullRequest| {
        let (number, hour) = (one.number, Hour::of(one.at));
        let then = report.usage.iter().filter(move |row| row.key.hour == hour);
        then.map(move |row| (number, row.key.branch.as_str()))
    };
    created.flat_map(on).filter(|(_, branch)| !["", "*"].contains(branch)).collect()
}

const COLUMNS: &str = "session_id repo week developer trust install_id token_id via_repo parser epoch seq digest
    partial requests output client client_version entrypoint hook_version environment provider billing started_at ended_at
    end_reason turns subagents tool_errors api_errors compactions prompt_max lines malformed synthetic interrupted
    unknown_usage unitemised adopted stored_at";

static PUT: LazyLock<String> = LazyLock::new(|| {
    let columns: Vec<&str> = COLUMNS.split_whitespace().collect();
    let places: Vec<String> = (1..=columns.len()).map(|place| format!("${place}")).collect();
    let updates: Vec<String> = columns.iter().map(|column| format!("{column} = excluded.{column}")).collect();
    format!(
        "INSERT INTO session ({}) VALUES ({}) ON CONFLICT (session_id, repo, week) DO UPDATE SET {}",
        columns.join(", "),
        places.join(", "),
        updates[3..].join(", ")
    )
});

/// The fields in the order of [`COLUMNS`].
fn row<'a>(head: &Head<'a>) -> Vec<Value<'a>> {
    let report = head.report;
    let client = &report.client;
    let mut row = Vec::from(values![
        report.session_id.as_str(),
        report.repo.as_str(),
        report.week.to_string(),
        people::identity(&head.owner.developer),
        head.owner.trust.as_str(),
        head.owner.install_id.as_str(),
        head.token_id,
        head.via_repo.as_str(),
        report.rank.parser,
        report.rank.epoch,
        report.rank.seq,
        head.digest,
        report.partial,
        report.requests(),
        report.output(),
        client.name.as_str(),
        client.version.as_str(),
        client.entrypoint.as_str(),
        client.hook.as_str(),
        report.environment.as_str(),
        report.provider.as_str(),
        report.billing.as_str(),
        report.started_at.map(|at| at.to_string()),
        report.ended_at.map(|at| at.to_string()),
        report.end_reason.as_str(),
    ]);
    let meter::Shape { turns, subagents, tool_errors, api_errors, compactions, prompt_max } = report.shape;
    row.extend([turns, subagents, tool_errors, api_errors, compactions, prompt_max].map(Value::from));
    let meter::Quality { lines, malformed, synthetic, interrupted, unknown_usage, unitemised, adopted } =
        report.quality;
    row.extend(
        [lines, malformed, synthetic, interrupted, unknown_usage, unitemised, adopted].map(Value::from),
    );
    row.push(head.now.to_string().into());
    row
}

/// The key of a report.
fn key(report: &Report) -> [Value<'_>; 3] {
    values![report.session_id.as_str(), report.repo.as_str(), report.week.to_string()]
}

/// Replaces what the report's key had in `table` by `items`, each its last columns.
fn list_put<'a, const COLUMNS: usize>(
    db: &mut Db,
    report: &'a Report,
    table: &str,
    items: impl Iterator<Item = [Value<'a>; COLUMNS]>,
) -> Result<()> {
    let key = key(report);
    db.execute(&format!("DELETE FROM {table} WHERE session_id = $1 AND repo = $2 AND week = $3"), &key)?;
    let places: Vec<String> = (1..=key.len() + COLUMNS).map(|place| format!("${place}")).collect();
    let insert = format!("INSERT INTO {table} VALUES ({}) ON CONFLICT DO NOTHING", places.join(", "));
    for item in items {
        db.execute(&insert, &[key.as_slice(), &item].concat())?;
    }
    Ok(())
}
