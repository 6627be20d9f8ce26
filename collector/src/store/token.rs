//! Ingest tokens that were issued: never their text.

use super::db::{Db, values};
use anyhow::Result;
use jiff::Timestamp;
use meter::Repo;

/// What a token lets its bearer do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Deliver reports.
    Reports,
    /// Tell incidents of its repository.
    Incidents,
}

impl Scope {
    /// As the token and the database call it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Reports => "report:write",
            Self::Incidents => "incident:write",
        }
    }

    fn from_word(word: &str) -> Option<Self> {
        [Self::Reports, Self::Incidents].into_iter().find(|scope| scope.as_str() == word)
    }
}

/// An issued token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Token {
    pub id: String,
    /// The repository whose settings carry it.
    pub repo: Repo,
    /// Whether it may report that repository only.
    pub strict: bool,
    pub scope: Scope,
    pub issued_at: Timestamp,
    pub expires_at: Timestamp,
    pub revoked_at: Option<Timestamp>,
}

pub(crate) fn token_add(db: &mut Db, token: &Token) -> Result<()> {
    db.execute(
        "INSERT INTO token (token_id, repo, strict, issued_at, expires_at, scope) VALUES ($1, $2, $3, $4, $5, $6)",
        &values![
            &token.id,
            token.repo.as_str(),
            token.strict,
            token.issued_at.to_string(),
            token.expires_at.to_string(),
            token.scope.as_str()
        ],
    )?;
    Ok(())
}

pub(crate) fn token_list(db: &mut Db) -> Result<Vec<Token>> {
    let sql = "SELECT token_id, repo, strict, issued_at, expires_at, revoked_at, scope FROM token ORDER BY issued_at";
    let read = |row: super::db::Row| {
        Ok(Token {
            id: row.get(0)?,
            repo: row.parse(1)?,
            strict: row.get(2)?,
            issued_at: row.parse(3)?,
            expires_at: row.parse(4)?,
            revoked_at: row.get::<Option<String>>(5)?.map(|at| at.parse()).transpose()?,
            scope: row.word(6, Scope::from_word)?,
        })
    };
    db.query(sql, &[])?.into_iter().map(read).collect()
}

/// Returns whether there was a token of this id that was not revoked before.
pub(crate) fn token_revoke(db: &mut Db, id: &str, now: Timestamp) -> Result<bool> {
    let sql = "UPDATE token SET revoked_at = $2 WHERE token_id = $1 AND revoked_at IS NULL";
    Ok(db.execute(sql, &values![id, now.to_string()])? > 0)
}

/// A token this database does not know was signed all the same: it may be restored from an old backup.
pub(crate) fn token_is_revoked(db: &mut Db, id: &str) -> Result<bool> {
    let sql = "SELECT token_id FROM token WHERE token_id = $1 AND revoked_at IS NOT NULL";
    Ok(!db.query(sql, &values![id])?.is_empty())
}
