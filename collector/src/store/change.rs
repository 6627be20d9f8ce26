//! What landed, as sources read it: changes with their commits and files, and how far each source was read.

use super::db::{Db, values};
use super::news::{news, repo_news, run_end};
use super::request::{request_complete, request_of_commit};
use super::shipping::shipment_forget;
use super::tally::{Tallies, tally_replace};
use crate::source::Landed;
use anyhow::Result;
use jiff::Timestamp;
use meter::Repo;
use meter::outcome::Landing;
use std::collections::BTreeMap;

/// Bytes of a message that are kept; no reference to another change comes later.
const MESSAGE_BYTES_MAX: usize = 64 << 10;
/// Of a title; hosts take a quarter of it, but git any subject.
const TITLE_BYTES_MAX: usize = 1 << 10;

/// Where a source was read to.
pub(crate) struct Cursor<'a> {
    pub kind: &'a str,
    pub branch: &'a str,
    pub commit: &'a str,
}

/// Branch and newest commit of the last sync of a clone, and when all of it was last read.
pub(crate) fn source_cursor(db: &mut Db, repo: &Repo) -> Result<Option<(String, String, Timestamp)>> {
    let sql = "SELECT branch, cursor, synced_at FROM source WHERE repo = $1 AND kind = 'clone'";
    let rows = db.query(sql, &values![repo.as_str()])?;
    rows.first().map(|row| Ok((row.get(0)?, row.get(1)?, row.parse(2)?))).transpose()
}

pub(crate) fn source_put(db: &mut Db, repo: &Repo, cursor: &Cursor, now: Timestamp) -> Result<()> {
    let tracked = "SELECT repo FROM source WHERE repo = $1 AND branch = $2";
    if db.query(tracked, &values![repo.as_str(), cursor.branch])?.is_empty() {
        news(db)?;
    }
    db.execute(
        "INSERT INTO source (repo, kind, branch, cursor, synced_at) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (repo) DO UPDATE SET kind = excluded.kind, branch = excluded.branch,
            cursor = excluded.cursor, synced_at = excluded.synced_at",
        &values![repo.as_str(), cursor.kind, cursor.branch, cursor.commit, now.to_string()],
    )?;
    Ok(())
}

/// Stands before the kind of a source that cpvo.toml no longer names: what it told stays, and nobody waits for more.
const FORMER: &str = "former ";

/// Lets weeks wait for these repositories, be they ever read, and for no other. One that comes back as another kind
/// is read anew.
pub(crate) fn sources_await(db: &mut Db, repos: &[(&str, &str)]) -> Result<()> {
    for repo in source_list(db)?.iter().filter(|repo| repos.iter().all(|(name, _)| *name != repo.as_str())) {
        let left = "UPDATE source SET kind = $2 || kind WHERE repo = $1 AND kind NOT LIKE 'former%'";
        db.execute(left, &values![repo.as_str(), FORMER])?;
    }
    for (repo, kind) in repos {
        db.execute(
            "INSERT INTO source AS s (repo, kind, branch, cursor, synced_at) VALUES ($1, $2, '', '', $3)
             ON CONFLICT (repo) DO UPDATE SET kind = excluded.kind,
                cursor = CASE WHEN s.kind = $4 THEN s.cursor ELSE '' END
             WHERE s.kind LIKE 'former%'",
            &values![*repo, *kind, Timestamp::UNIX_EPOCH.to_string(), format!("{FORMER}{kind}")],
        )?;
    }
    Ok(())
}

/// The repositories that no source tells of any more.
pub(crate) fn source_former(db: &mut Db) -> Result<Vec<Repo>> {
    let rows = db.query("SELECT repo FROM source WHERE kind LIKE 'former%'", &[])?;
    rows.iter().map(|row| row.parse(0)).collect()
}

/// Has the clone of a repository read anew by the next sync.
pub(crate) fn source_reread(db: &mut Db, repo: &Repo) -> Result<()> {
    db.execute("UPDATE source SET cursor = '' WHERE repo = $1", &values![repo.as_str()])?;
    Ok(())
}

/// Says that all of a history was read at `now`.
pub(crate) fn source_synced(db: &mut Db, repo: &Repo, now: Timestamp) -> Result<()> {
    let row = values![repo.as_str(), now.to_string()];
    db.execute("UPDATE source SET synced_at = $2 WHERE repo = $1", &row)?;
    Ok(())
}

/// Every repository that changes were read from.
pub(crate) fn source_list(db: &mut Db) -> Result<Vec<Repo>> {
    let rows = db.query("SELECT repo FROM source", &[])?;
    let mut repos = rows.iter().map(|row| row.parse(0)).collect::<Result<Vec<Repo>>>()?;
    repos.sort();
    Ok(repos)
}

/// Up to when all that happened to each repository is known: where a clone and a host tell of it, by the one that
/// was read longer ago; and by every tracker, for any change may name its tickets. 1970 where one was never read whole.
pub(crate) fn source_read(db: &mut Db) -> Result<BTreeMap<Repo, Timestamp>> {
    let rows = db.query(
        "SELECT repo, synced_at FROM source UNION ALL
         SELECT s.repo, COALESCE(v.synced_at, '1970-01-01T00:00:00Z') FROM service AS v
         JOIN source AS s ON s.repo = v.name OR v.kind IN ('jira', 'linear')",
        &[],
    )?;
    let mut read: BTreeMap<Repo, Timestamp> = BTreeMap::new();
    for row in rows {
        let synced_at: Timestamp = row.parse(1)?;
        read.entry(row.parse(0)?).and_modify(|at| *at = synced_at.min(*at)).or_insert(synced_at);
    }
    Ok(read)
}

/// Forgets what was read of a repository, whose history is to be read anew: until then nothing of it is known.
pub(crate) fn change_forget(db: &mut Db, repo: &Repo) -> Result<()> {
    tally_replace(db, repo, &Tallies::new())?;
    repo_news(db, repo)?;
    run_end(db)?;
    for table in [
        "disqualification",
        "suspicion",
        "revert",
        "reopen",
        "inverse_patch",
        "change_file",
        "change_commit",
        "change_key",
        "change_size",
        "change",
        "tag",
    ] {
        db.execute(&format!("DELETE FROM {table} WHERE repo = $1"), &values![repo.as_str()])?;
    }
    // of each release its newest commit of the history that was
    shipment_forget(db, repo, "clone")?;
    source_reread(db, repo)?;
    source_synced(db, repo, Timestamp::UNIX_EPOCH)
}

pub(crate) fn change_count(db: &mut Db, repo: &Repo) -> Result<i64> {
    db.query_one("SELECT COUNT(*) FROM change WHERE repo = $1", &values![repo.as_str()])?.get(0)
}

/// What tells the order of landing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// A page holds what landed after all that is stored.
    AsRead,
    /// The times of the commits, which a host has set: its pages come newest first.
    ByTime,
}

/// Stores what landed. A request that lands in several commits is one change.
pub(crate) fn change_add(db: &mut Db, repo: &Repo, page: &[Landed], order: Order) -> Result<()> {
    if page.is_empty() {
        return Ok(());
    }
    repo_news(db, repo)?;
    let newest = "SELECT COALESCE(MAX(landed), 0) FROM change WHERE repo = $1";
    let mut place: i64 = db.query_one(newest, &values![repo.as_str()])?.get(0)?;
    for landed in page {
        let mut landing = Landing::of(&landed.commit.message);
        let brought_by = request_of_commit(db, repo, &landed.commit.sha)?;
        landing.number = brought_by.or(landing.number);
        let mut known = known(db, repo, landing.number)?;
        if brought_by.is_none() && known.as_ref().is_some_and(|(_, title)| landing.borrows_number_of(title)) {
            (landing.number, known) = (None, None);
        }
        let sha = if let Some((sha, _)) = known {
            sha
        } else {
            place = match order {
                Order::AsRead => place + 1,
                Order::ByTime => landed.commit.committed_at.as_second(),
            };
            put(db, repo, landed, &landing, place)?;
            landed.commit.sha.clone()
        };
        for commit in landed.members.iter().chain([&landed.commit]) {
            db.execute(
                "INSERT INTO change_commit (repo, sha, change_sha, message) VALUES ($1, $2, $3, $4)
                 ON CONFLICT DO NOTHING",
                &values![repo.as_str(), &commit.sha, &sha, kept(&commit.message)],
            )?;
        }
        for path in &landed.files {
            db.execute(
                "INSERT INTO change_file (repo, change_sha, path) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
                &values![repo.as_str(), &sha, path],
            )?;
        }
        if let Some(number) = landing.number {
            request_complete(db, repo, number)?;
        }
    }
    Ok(())
}

/// Lets a commit that landed by itself join the change of the request that brought it, as its host says by now.
pub(crate) fn change_join(db: &mut Db, repo: &Repo, sha: &str) -> Result<()> {
    let alone = "SELECT sha FROM change WHERE repo = $1 AND sha = $2 AND number IS NULL";
    let Some(number) = request_of_commit(db, repo, sha)? else { return Ok(()) };
    if db.query(alone, &values![repo.as_str(), sha])?.is_empty() {
        return Ok(());
    }
    if let Some((whole, _)) = known(db, repo, Some(number))? {
        for table in ["disqualification", "suspicion", "revert", "reopen"] {
            // the next judging finds them anew
            let said = if table == "reopen" { "sha = $2" } else { "$2 IN (sha, by_sha)" };
            db.execute(
                &format!("DELETE FROM {table} WHERE repo = $1 AND {said}"),
                &values![repo.as_str(), sha],
            )?;
        }
        let (alone, both) = (values![repo.as_str(), sha], values![repo.as_str(), sha, whole]);
        let moved = "UPDATE change_commit SET change_sha = $3 WHERE repo = $1 AND change_sha = $2";
        db.execute(moved, &both)?;
        let shared = "INSERT INTO change_file (repo, change_sha, path)
            SELECT repo, $3, path FROM change_file WHERE repo = $1 AND change_sha = $2 ON CONFLICT DO NOTHING";
        db.execute(shared, &both)?;
        db.execute("DELETE FROM change_file WHERE repo = $1 AND change_sha = $2", &alone)?;
        db.execute("DELETE FROM change WHERE repo = $1 AND sha = $2", &alone)?;
    } else {
        let row = values![repo.as_str(), sha, number];
        db.execute("UPDATE change SET number = $3 WHERE repo = $1 AND sha = $2", &row)?;
    }
    request_complete(db, repo, number)
}

/// The change of this number, and its title.
fn known(db: &mut Db, repo: &Repo, number: Option<u64>) -> Result<Option<(String, String)>> {
    let Some(number) = number else { return Ok(None) };
    let sql = "SELECT sha, title FROM change WHERE repo = $1 AND number = $2";
    let rows = db.query(sql, &values![repo.as_str(), number])?;
    rows.first().map(|row| Ok((row.get(0)?, row.get(1)?))).transpose()
}

fn put(db: &mut Db, repo: &Repo, landed: &Landed, landing: &Landing, place: i64) -> Result<()> {
    let first = landed.members.first().unwrap_or(&landed.commit);
    let merged_at = landed.commit.committed_at.to_string();
    db.execute(
        "INSERT INTO change (repo, sha, landed, number, title, head_branch, author, merged_at, shipped_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8) ON CONFLICT DO NOTHING",
        &values![
            repo.as_str(),
            &landed.commit.sha,
            place,
            landing.number,
            title(&landing.title),
            landing.branch.as_ref(),
            &first.author,
            merged_at
        ],
    )?;
    Ok(())
}

/// A title as far as it is kept.
pub(super) fn title(text: &str) -> &str {
    &text[..text.floor_char_boundary(TITLE_BYTES_MAX)]
}

/// A text as far as it is kept.
pub(super) fn kept(text: &str) -> &str {
    &text[..text.floor_char_boundary(MESSAGE_BYTES_MAX)]
}
