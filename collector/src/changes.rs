//! `cpvo changes`: every change with what became of it and by what evidence.

use crate::config::{Clock, Options};
use crate::listing::{Cell, Format, Listing, clipped};
use crate::store::change::source_list;
use crate::store::db::{Access, Db};
use crate::store::dispute::{Dispute, dispute_list};
use crate::store::evidence::{
    Disqualification, Reversal, disqualification_list, reversal_list, suspicion_list,
};
use crate::store::outcome::{Stored, change_list};
use crate::store::service::Signs;
use crate::store::shipping::UNSHIPPED;
use anyhow::Result;
use jiff::Timestamp;
use meter::Repo;
use serde::Serialize;
use std::io::{Write, stdout};

/// Of a title, in a table.
const TITLE_CHARS_MAX: usize = 60;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// One repository [default: all]
    #[arg(long, value_name = "REPO")]
    repo: Option<Repo>,
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

/// A change as JSON has it; a state is `null` until the first `cpvo judge`.
#[derive(Serialize)]
pub(crate) struct Change {
    repo: Repo,
    /// What stands before a number.
    #[serde(skip)]
    sign: char,
    number: Option<u64>,
    sha: String,
    title: String,
    merged_at: Timestamp,
    shipped_at: Option<Timestamp>,
    team: Option<String>,
    state: Option<String>,
    excluded_as: Option<String>,
    policy_id: Option<i64>,
    disqualifications: Vec<Disqualification>,
    /// What would disqualify it besides, were its team judged literally.
    suspicions: Vec<Disqualification>,
    /// What does not count any more.
    disputes: Vec<Dispute>,
    /// Whatever the window.
    reverts: Vec<Reversal>,
}

/// No source tells of such a repository.
#[derive(Debug, thiserror::Error)]
#[error("no changes of {repo} were read; there are those of: {known}")]
pub(crate) struct UnknownRepo {
    repo: Repo,
    known: String,
}

pub(crate) fn run(Args { repo, format }: Args, options: &Options, now: Clock) -> Result<()> {
    let config = options.load()?;
    config.db.ensure_there()?;
    let mut db = crate::store::open(&config.db, Access::Read, now())?;
    let changes = db.snapshot(|db| Ok(changes_of(db, repo.as_ref())??))?;
    let text = match format {
        Format::Json => json(&changes)? + "\n",
        Format::Table => listing(&changes, TITLE_CHARS_MAX).table(),
        Format::Csv => listing(&changes, usize::MAX).render(format)?,
    };
    Ok(stdout().lock().write_all(text.as_bytes())?)
}

/// Those of one repository or of all, in the order of landing.
pub(crate) fn changes_of(db: &mut Db, repo: Option<&Repo>) -> Result<Result<Vec<Change>, UnknownRepo>> {
    let known = source_list(db)?;
    if let Some(repo) = repo.filter(|repo| !known.contains(repo)) {
        let known: Vec<&str> = known.iter().map(Repo::as_str).collect();
        return Ok(Err(UnknownRepo { repo: repo.clone(), known: known.join(", ") }));
    }
    let signs = Signs::read(db)?;
    let mut all = Vec::new();
    for one in known.into_iter().filter(|one| repo.is_none_or(|repo| repo == one)) {
        all.extend(changes(db, &one, signs.of(one.as_str()))?);
    }
    Ok(Ok(all))
}

pub(crate) fn json(changes: &[Change]) -> Result<String> {
    Ok(serde_json::to_string_pretty(changes)?)
}

/// Those of one repository, in the order of landing.
fn changes(db: &mut Db, repo: &Repo, sign: char) -> Result<Vec<Change>> {
    let mut disqualifications = disqualification_list(db, repo)?;
    let mut suspicions = suspicion_list(db, repo)?;
    let mut disputes = dispute_list(db, repo)?;
    let mut reverts = reversal_list(db, repo)?;
    let change = |Stored { sha, number, title, merged_at, shipped_at, judgement, .. }: Stored| {
        let judgement =
            judgement.map(|judged| (judged.team, judged.state, judged.excluded_as, judged.policy_id));
        let (team, state, excluded_as, policy_id) = match judgement {
            Some((team, state, excluded_as, policy_id)) => {
                (Some(team), Some(state), excluded_as, Some(policy_id))
            }
            None => (None, None, None, None),
        };
        Change {
            repo: repo.clone(),
            sign,
            number,
            title,
            merged_at,
            shipped_at: Some(shipped_at).filter(|at| *at != UNSHIPPED),
            team,
            state,
            excluded_as,
            policy_id,
            disqualifications: disqualifications.remove(&sha).unwrap_or_default(),
            suspicions: suspicions.remove(&sha).unwrap_or_default(),
            disputes: disputes.remove(&sha).unwrap_or_default(),
            reverts: reverts.remove(&sha).unwrap_or_default(),
            sha,
        }
    };
    Ok(change_list(db, repo, Timestamp::MAX)?.into_iter().map(change).collect())
}

/// The same for people and spreadsheets: one line a change, the newest first.
fn listing(changes: &[Change], title_chars_max: usize) -> Listing {
    let columns = ["repo", "change", "merged_at", "team", "state", "because", "title"];
    let text = |text: Option<&String>| text.map_or(Cell::Null, Cell::text);
    let named = |change: &Change| match change.number {
        Some(number) => format!("{}{number}", change.sign),
        None => change.sha.chars().take(10).collect(),
    };
    let row = |change: &Change| {
        let because = change.disqualifications.iter().map(|one| one.told(change.sign));
        let disputed = (!change.disputes.is_empty()).then(|| "disputed".to_owned());
        let unshipped = change.shipped_at.is_none().then(|| "not shipped yet".to_owned());
        let because: Vec<String> =
            because.chain(change.excluded_as.clone()).chain(disputed).chain(unshipped).collect();
        vec![
            Cell::text(change.repo.as_str()),
            Cell::Text(named(change)),
            Cell::text(change.merged_at.to_string()),
            text(change.team.as_ref()),
            text(change.state.as_ref()),
            Cell::Text(because.join(", ")),
            Cell::Text(clipped(&change.title, title_chars_max)),
        ]
    };
    Listing::new(&columns, changes.iter().rev().map(row).collect())
}
