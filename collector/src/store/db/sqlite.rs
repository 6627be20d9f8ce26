//! SQLite: how its file is opened and shared, and its values.

use super::{Access, Fields, Row, Value, about};
use crate::listing::{Cell, Listing};
use anyhow::{Context, Result, bail};
use rusqlite::config::DbConfig;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, ErrorCode, OpenFlags};
use std::fs::{self, DirBuilder, OpenOptions, Permissions};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::thread;
use std::time::Duration;

const BUSY_WAIT: Duration = Duration::from_secs(5);
const BUSY_PAUSE: Duration = Duration::from_millis(10);
const STATEMENTS_KEPT: usize = 64;

/// SQLite numbers `$2` by where it first appears and `?2` by its number.
fn numbered(sql: &str) -> String {
    sql.replace('$', "?")
}

pub(super) fn open(path: &Path, access: Access) -> Result<Connection> {
    let flags = match access {
        Access::Read => OpenFlags::SQLITE_OPEN_READ_ONLY,
        Access::Write => {
            create(path)?;
            OpenFlags::SQLITE_OPEN_READ_WRITE
        }
    };
    let connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(BUSY_WAIT)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
    // keeps -wal and -shm, so that a user who may only read finds them
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    connection.execute_batch("PRAGMA trusted_schema = OFF; PRAGMA cache_size = -65536")?;
    match access {
        Access::Read => connection.execute_batch("PRAGMA query_only = ON")?,
        Access::Write => {
            keep_wal(&connection)?;
            connection.execute_batch(
                "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA journal_size_limit = 67108864",
            )?;
        }
    }
    Ok(connection)
}

/// SQLite does not wait by itself where two connections turn a new file to WAL at once.
fn keep_wal(connection: &Connection) -> rusqlite::Result<()> {
    let mut waited = Duration::ZERO;
    loop {
        match connection.execute_batch("PRAGMA journal_mode = WAL") {
            Err(error)
                if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) && waited < BUSY_WAIT =>
            {
                thread::sleep(BUSY_PAUSE);
                waited += BUSY_PAUSE;
            }
            done => return done,
        }
    }
}

pub(super) fn execute(connection: &Connection, sql: &str, values: &[Value]) -> Result<u64> {
    let mut statement = connection.prepare_cached(&numbered(sql)).with_context(about(sql))?;
    let changed = statement.execute(rusqlite::params_from_iter(values)).with_context(about(sql))?;
    Ok(u64::try_from(changed)?)
}

pub(super) fn query(connection: &Connection, sql: &str, values: &[Value]) -> Result<Vec<Row>> {
    let mut statement = connection.prepare_cached(&numbered(sql)).with_context(about(sql))?;
    let width = statement.column_count();
    let rows = statement.query_map(rusqlite::params_from_iter(values), |row| read(row, width));
    rows.and_then(Iterator::collect).with_context(about(sql))
}

pub(super) fn each(
    connection: &Connection,
    sql: &str,
    values: &[Value],
    mut read: impl FnMut(&Fields) -> Result<()>,
) -> Result<()> {
    let mut statement = connection.prepare_cached(&numbered(sql)).with_context(about(sql))?;
    let mut rows = statement.query(rusqlite::params_from_iter(values)).with_context(about(sql))?;
    while let Some(row) = rows.next().with_context(about(sql))? {
        read(&Fields::Sqlite(row))?;
    }
    Ok(())
}

/// An empty file of mode 0640, which SQLite gives its companions too, in a folder of mode 0750, whatever the
/// umask. A folder or file that was there keeps its mode.
fn create(path: &Path) -> Result<()> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty() && !folder.exists()) {
        DirBuilder::new().recursive(true).mode(0o750).create(folder)?;
        fs::set_permissions(folder, Permissions::from_mode(0o750))?;
    }
    match OpenOptions::new().write(true).create_new(true).mode(0o640).open(path) {
        Ok(file) => Ok(file.set_permissions(Permissions::from_mode(0o640))?),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error.into()),
    }
}

impl rusqlite::ToSql for Value<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Int(number) => ValueRef::Integer(*number),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
        }))
    }
}

fn read(row: &rusqlite::Row, width: usize) -> rusqlite::Result<Row> {
    (0..width).map(|column| Ok(value(row, column)?.into_owned())).collect::<rusqlite::Result<_>>().map(Row)
}

pub(super) fn value<'a>(row: &'a rusqlite::Row, column: usize) -> rusqlite::Result<Value<'a>> {
    Ok(match row.get_ref(column)? {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => Value::Int(number),
        ValueRef::Text(bytes) => Value::Text(String::from_utf8_lossy(bytes)),
        other => Value::Text(text(other).unwrap_or_default().into()),
    })
}

fn text(value: ValueRef) -> Option<String> {
    Some(match value {
        ValueRef::Null => return None,
        ValueRef::Integer(number) => number.to_string(),
        ValueRef::Real(number) => number.to_string(),
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => String::from_utf8_lossy(bytes).into_owned(),
    })
}

pub(super) fn listing(connection: &Connection, sql: &str) -> Result<Listing> {
    let mut statement = connection.prepare(sql)?;
    if !statement.readonly() {
        bail!("this query would write, and `cpvo sql` only reads");
    }
    let columns: Vec<String> = statement.column_names().map(str::to_owned).collect();
    let width = columns.len();
    let read = |row: &rusqlite::Row| (0..width).map(|column| row.get_ref(column).map(cell)).collect();
    let rows = statement.query_map([], read)?.collect::<rusqlite::Result<_>>()?;
    Ok(Listing { columns, rows })
}

fn cell(value: ValueRef) -> Cell {
    let text = text(value);
    match (value, text) {
        (_, None) => Cell::Null,
        (ValueRef::Integer(_) | ValueRef::Real(_), Some(digits)) => Cell::Number(digits),
        (_, Some(text)) => Cell::Text(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_is_on_the_disk_when_it_returns() {
        let folder = tempfile::tempdir().unwrap();
        let writer = open(&folder.path().join("cpvo.db"), Access::Write).unwrap();
        let pragma =
            |name: &str| writer.query_row(&format!("PRAGMA {name}"), [], |row| read(row, 1)).unwrap();
        assert_eq!(pragma("synchronous").get::<i64>(0).unwrap(), 2, "2 is FULL");
        assert_eq!(pragma("journal_mode").get::<String>(0).unwrap(), "wal");
        assert!(pragma("foreign_keys").get::<bool>(0).unwrap());
    }
}
