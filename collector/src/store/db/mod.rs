//! `Db`: one connection to SQLite or PostgreSQL behind one SQL text. The only room that names a driver.
//!
//! What holds the two together: placeholders are `$1`, columns are TEXT and BIGINT, keys are natural,
//! dates are ISO text made in Rust, and one writer at a time changes the database on both.

mod postgresql;
mod row;
mod sqlite;

use crate::config::Database;
use crate::listing::Listing;
use anyhow::{Context, Result, anyhow};

use postgresql::Postgres;
pub(crate) use row::{Fields, Row, Value, values};

/// The PostgreSQL advisory lock of whoever writes; any number no other program on the server takes.
const WRITER_LOCK: i64 = 0x6370_766f;

pub(crate) enum Db {
    Sqlite(rusqlite::Connection),
    Postgres(Box<Postgres>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    Read,
    Write,
}

impl Db {
    pub(crate) fn open(database: &Database, access: Access) -> Result<Self> {
        match database {
            Database::Sqlite(path) => {
                let about = || format!("could not open the database {}", path.display());
                sqlite::open(path, access).map(Self::Sqlite).with_context(about)
            }
            Database::Postgres(address) => {
                let opened =
                    Postgres::open(address, access).context("could not open the PostgreSQL database");
                Ok(Self::Postgres(Box::new(opened?)))
            }
        }
    }

    /// Another connection to the same database, which only reads, and whole tables.
    pub(crate) fn reader(&self) -> Result<Self> {
        let database = match self {
            Self::Sqlite(connection) => {
                Database::Sqlite(connection.path().context("the database has no file")?.into())
            }
            Self::Postgres(postgres) => Database::Postgres(postgres.address.clone()),
        };
        let mut reader = Self::open(&database, Access::Read)?;
        if let Self::Sqlite(_) = reader {
            reader.batch("PRAGMA cache_size = -2048")?; // it reads each page once
        }
        Ok(reader)
    }

    /// Leaves everything in the database file itself, for who copies it while no collector runs.
    pub(crate) fn settle(&mut self) -> Result<()> {
        match self {
            Self::Sqlite(_) => self.batch("PRAGMA wal_checkpoint(TRUNCATE)"),
            Self::Postgres(_) => Ok(()),
        }
    }

    /// Runs one statement; returns the count of rows it changed.
    pub(crate) fn execute(&mut self, sql: &str, values: &[Value]) -> Result<u64> {
        match self {
            Self::Sqlite(connection) => sqlite::execute(connection, sql, values),
            Self::Postgres(postgres) => postgres.execute(sql, values),
        }
    }

    pub(crate) fn query(&mut self, sql: &str, values: &[Value]) -> Result<Vec<Row>> {
        match self {
            Self::Sqlite(connection) => sqlite::query(connection, sql, values),
            Self::Postgres(postgres) => postgres.query(sql, values),
        }
    }

    /// Hands over what a query finds row by row, and keeps nothing of it.
    pub(crate) fn each(
        &mut self,
        sql: &str,
        values: &[Value],
        read: impl FnMut(&Fields) -> Result<()>,
    ) -> Result<()> {
        match self {
            Self::Sqlite(connection) => sqlite::each(connection, sql, values, read),
            Self::Postgres(postgres) => postgres.each(sql, values, read),
        }
    }

    /// What a query finds, read row by row.
    pub(crate) fn list<T>(
        &mut self,
        sql: &str,
        values: &[Value],
        read: impl Fn(&Fields) -> Result<T>,
    ) -> Result<Vec<T>> {
        let mut list = Vec::new();
        self.each(sql, values, |row| {
            list.push(read(row)?);
            Ok(())
        })?;
        Ok(list)
    }

    /// The one row a statement must find.
    pub(crate) fn query_one(&mut self, sql: &str, values: &[Value]) -> Result<Row> {
        self.query(sql, values)?.pop().ok_or_else(|| anyhow!("no row from: {sql}"))
    }

    /// Runs any number of statements without parameters.
    pub(crate) fn batch(&mut self, sql: &str) -> Result<()> {
        match self {
            Self::Sqlite(connection) => connection.execute_batch(sql).with_context(about(sql)),
            Self::Postgres(postgres) => postgres.batch(sql),
        }
    }

    /// Starts a transaction as the one writer; a second one waits.
    pub(crate) fn begin(&mut self) -> Result<()> {
        match self {
            Self::Sqlite(_) => self.batch("BEGIN IMMEDIATE"),
            // each statement must see what was committed while the lock was waited for
            Self::Postgres(_) => self.batch(&format!(
                "BEGIN ISOLATION LEVEL READ COMMITTED; SELECT pg_advisory_xact_lock({WRITER_LOCK})"
            )),
        }
    }

    pub(crate) fn commit(&mut self) -> Result<()> {
        self.batch("COMMIT")
    }

    /// All of `work` or nothing of it.
    pub(crate) fn transaction<T>(&mut self, work: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        self.begin()?;
        match work(self) {
            Ok(done) => self.commit().map(|()| done),
            Err(error) => {
                self.batch("ROLLBACK")?;
                Err(error)
            }
        }
    }

    /// Does what can be done again from what is stored: its commits do not wait for the disk, and the next one that
    /// does keeps them all.
    pub(crate) fn unsynced<T>(&mut self, work: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        let [without, with] = match self {
            Self::Sqlite(_) => ["PRAGMA synchronous = NORMAL", "PRAGMA synchronous = FULL"],
            Self::Postgres(_) => ["SET synchronous_commit = off", "SET synchronous_commit = on"],
        };
        self.batch(without)?;
        let done = work(self);
        self.batch(with)?;
        done
    }

    /// Runs `work` on one consistent picture of the database.
    pub(crate) fn snapshot<T>(&mut self, work: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        self.batch(match self {
            Self::Sqlite(_) => "BEGIN",
            Self::Postgres(_) => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
        })?;
        let done = work(self);
        self.batch("ROLLBACK")?;
        done
    }

    /// All of `work` or nothing of it, within a transaction. The outer error means that the connection is
    /// no longer to be trusted; the inner one that the work failed and left nothing behind.
    pub(crate) fn savepoint<T>(&mut self, work: impl FnOnce(&mut Self) -> Result<T>) -> Result<Result<T>> {
        self.batch("SAVEPOINT work")?;
        let done = work(self);
        self.batch(if done.is_ok() { "RELEASE work" } else { "ROLLBACK TO work; RELEASE work" })?;
        Ok(done)
    }

    /// The answer to any one query of an admin; it cannot write.
    pub(crate) fn listing(&mut self, sql: &str) -> Result<Listing> {
        match self {
            Self::Sqlite(connection) => sqlite::listing(connection, sql),
            Self::Postgres(postgres) => postgres.listing(sql),
        }
    }
}

/// Whether an error means that the server or the way to it is gone, not that something is wrong with the work.
pub(crate) fn is_lost(error: &anyhow::Error) -> bool {
    let lost = |error: &postgres::Error| {
        // 57P..: the server shuts down, has crashed or does not take connections yet
        error.is_closed() || error.code().is_some_and(|code| code.code().starts_with("57P"))
    };
    error.chain().any(|cause| cause.is::<std::io::Error>() || cause.downcast_ref().is_some_and(lost))
}

/// Names a statement by its first words, for an error.
fn about(sql: &str) -> impl FnOnce() -> String {
    move || format!("the database refused: {}", sql.split_whitespace().take(8).collect::<Vec<_>>().join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::fixture::{on_both, rows};
    use anyhow::bail;

    #[test]
    fn only_what_can_be_done_again_does_not_wait_for_the_disk() {
        on_both(|db| {
            let (ask, [without, with]) = match db {
                Db::Sqlite(_) => ("PRAGMA synchronous", ["1", "2"]),
                Db::Postgres(_) => ("SHOW synchronous_commit", ["off", "on"]),
            };
            assert_eq!(rows(db, ask), [with]);
            assert_eq!(db.unsynced(|db| Ok(rows(db, ask))).unwrap(), [without]);
            assert_eq!(rows(db, ask), [with]);
            db.unsynced(|_| -> Result<()> { bail!("changed its mind") }).unwrap_err();
            assert_eq!(rows(db, ask), [with], "after a failure");
        });
    }
}
