//! Requests as their hosts have them, and what they tell of the changes they became.

use super::change::kept;
use super::db::{Db, Value, values};
use super::ticket::ticket_put;
use crate::source::{Effort, LandedCommit, MEMBERS_MAX, Request};
use anyhow::Result;
use jiff::Timestamp;
use meter::Repo;

/// Stores a request as it is now, and completes the change it became.
pub(crate) fn request_put(db: &mut Db, repo: &Repo, service: &str, request: &Request) -> Result<()> {
    head_put(db, repo, request)?;
    let key = values![repo.as_str(), request.number];
    db.execute("DELETE FROM pull_request_commit WHERE repo = $1 AND number = $2 AND landed = 0", &key)?;
    let says = request.commits.len() <= MEMBERS_MAX;
    for (place, commit) in (1_u64..).zip(&request.commits) {
        let message = if says { kept(&commit.message) } else { "" };
        db.execute(
            "INSERT INTO pull_request_commit (repo, number, sha, landed, place, author, message)
             VALUES ($1, $2, $3, $4, $5, $6, $7)
             ON CONFLICT (repo, number, sha) DO UPDATE SET place = excluded.place, author = excluded.author",
            &values![
                repo.as_str(),
                request.number,
                &commit.sha,
                request.fast_forward,
                place,
                &commit.author,
                message
            ],
        )?;
    }
    db.execute("DELETE FROM pull_request_file WHERE repo = $1 AND number = $2", &key)?;
    for path in &request.files {
        db.execute(
            "INSERT INTO pull_request_file (repo, number, path) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
            &values![repo.as_str(), request.number, path],
        )?;
    }
    db.execute("DELETE FROM pull_request_ticket WHERE repo = $1 AND number = $2", &key)?;
    for ticket in &request.tickets {
        ticket_put(db, service, ticket)?;
        db.execute(
            "INSERT INTO pull_request_ticket (repo, number, ticket) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
            &values![repo.as_str(), request.number, &ticket.url],
        )?;
    }
    request_complete(db, repo, request.number)
}

fn head_put(db: &mut Db, repo: &Repo, request: &Request) -> Result<()> {
    let mut labels: Vec<String> = request.labels.iter().map(|label| label.to_lowercase()).collect();
    labels.sort();
    let mut row: Vec<Value> = values![
        repo.as_str(),
        request.number,
        &request.title,
        kept(&request.body),
        &request.base_branch,
        request.head_repo.as_ref()
    ]
    .into();
    row.extend(values![&request.head_branch, request.author.as_ref(), whole(request.opened_at)]);
    row.extend(values![request.merged_at.map(whole), request.closed_at.map(whole)]);
    row.extend(values![request.merge_sha.as_ref(), labels.join("\n")]);
    let Effort { lines, reviewed_at, reviews } = request.effort;
    row.extend(values![lines, reviewed_at.map(whole), reviews]);
    db.execute(
        "INSERT INTO pull_request (repo, number, title, body, base_branch, head_repo, head_branch, author,
            opened_at, merged_at, closed_at, merge_sha, labels, lines_changed, reviewed_at, reviews)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
         ON CONFLICT (repo, number) DO UPDATE SET title = excluded.title, body = excluded.body,
            base_branch = excluded.base_branch, head_repo = excluded.head_repo,
            head_branch = excluded.head_branch, author = excluded.author, opened_at = excluded.opened_at,
            merged_at = excluded.merged_at, closed_at = excluded.closed_at, merge_sha = excluded.merge_sha,
            labels = excluded.labels, lines_changed = excluded.lines_changed, reviewed_at = excluded.reviewed_at,
            reviews = excluded.reviews",
        &row,
    )?;
    Ok(())
}

/// In whole seconds, so that instants sort as the text they are stored as.
pub(super) fn whole(at: Timestamp) -> String {
    Timestamp::from_second(at.as_second()).unwrap_or(at).to_string()
}

/// Remembers which request brought a commit to the tracked branch, where it is known.
pub(crate) fn request_landed(db: &mut Db, repo: &Repo, landed: &LandedCommit) -> Result<()> {
    let Some(number) = landed.number else { return Ok(()) };
    let LandedCommit { commit, .. } = landed;
    db.execute(
        "INSERT INTO pull_request_commit (repo, number, sha, landed, place, author, message)
         SELECT repo, number, $3, 1, 0, $4, $5 FROM pull_request WHERE repo = $1 AND number = $2
         ON CONFLICT (repo, number, sha) DO UPDATE SET landed = 1",
        &values![repo.as_str(), number, &commit.sha, &commit.author, kept(&commit.message)],
    )?;
    Ok(())
}

/// The request that brought a commit to the tracked branch, as its host says.
pub(super) fn request_of_commit(db: &mut Db, repo: &Repo, sha: &str) -> Result<Option<u64>> {
    let rows = db.query(
        "SELECT number FROM pull_request WHERE repo = $1 AND merge_sha = $2 AND merged_at IS NOT NULL
         UNION SELECT number FROM pull_request_commit WHERE repo = $1 AND sha = $2 AND landed = 1
         ORDER BY number LIMIT 1",
        &values![repo.as_str(), sha],
    )?;
    rows.first().map(|row| row.get(0)).transpose()
}

/// Whether a commit was stored before its host said which request brought it: it lies in another change.
pub(crate) fn request_missed(db: &mut Db, repo: &Repo, sha: &str) -> Result<bool> {
    let Some(number) = request_of_commit(db, repo, sha)? else { return Ok(false) };
    let rows = db.query(
        "SELECT c.sha FROM change_commit AS m JOIN change AS c ON c.repo = m.repo AND c.sha = m.change_sha
         WHERE m.repo = $1 AND m.sha = $2 AND (c.number IS NULL OR c.number <> $3)",
        &values![repo.as_str(), sha, number],
    )?;
    Ok(!rows.is_empty())
}

/// Completes the change that a request became: who made it where, in which commits and files.
pub(super) fn request_complete(db: &mut Db, repo: &Repo, number: u64) -> Result<()> {
    let key = values![repo.as_str(), number];
    let merged =
        "SELECT c.sha FROM change AS c JOIN pull_request AS p ON p.repo = c.repo AND p.number = c.number
        WHERE c.repo = $1 AND c.number = $2 AND p.merged_at IS NOT NULL";
    let Some(change) = db.query(merged, &key)?.first().map(|row| row.get::<String>(0)).transpose()? else {
        return Ok(());
    };
    let row = values![repo.as_str(), number, &change];
    db.execute(
        "UPDATE change SET
            head_branch = (SELECT head_branch FROM pull_request WHERE repo = $1 AND number = $2),
            author = COALESCE((SELECT author FROM pull_request_commit
                WHERE repo = $1 AND number = $2 AND place > 0 AND author <> '' ORDER BY place LIMIT 1), author)
         WHERE repo = $1 AND sha = $3",
        &row,
    )?;
    db.execute(
        "INSERT INTO change_commit (repo, sha, change_sha, message)
         SELECT repo, sha, $3, message FROM pull_request_commit WHERE repo = $1 AND number = $2
         ON CONFLICT DO NOTHING",
        &row,
    )?;
    db.execute(
        "INSERT INTO change_file (repo, change_sha, path)
         SELECT repo, $3, path FROM pull_request_file WHERE repo = $1 AND number = $2 ON CONFLICT DO NOTHING",
        &row,
    )?;
    Ok(())
}
