//! `Db`: one connection to SQLite or PostgreSQL behind one SQL text. The only file that names a driver.
//!
//! What holds the two together: placeholders are `$1`, columns are TEXT and BIGINT, keys are natural,
//! dates are ISO text made in Rust, and one writer at a time changes the database on both.

use crate::config::Database;
use crate::listing::{Cell, Listing};
use anyhow::{Context, Result, anyhow, bail};
use postgres::types::{IsNull, ToSql, Type, to_sql_checked};
use rusqlite::config::DbConfig;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, OpenFlags};
use std::borrow::Cow;
use std::collections::HashMap;
use std::fs::{DirBuilder, OpenOptions};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::time::Duration;

const BUSY_WAIT: Duration = Duration::from_secs(5);
const STATEMENTS_KEPT: usize = 64;
/// The PostgreSQL advisory lock of whoever writes; any number no other program on the server takes.
const WRITER_LOCK: i64 = 0x6370_766f;

pub(crate) enum Db {
    Sqlite(Connection),
    Postgres { client: Box<postgres::Client>, prepared: HashMap<String, postgres::Statement> },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    Read,
    Write,
}

/// A parameter or a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value<'a> {
    Null,
    Int(i64),
    Text(Cow<'a, str>),
}

/// `[Value]` from anything that is one.
macro_rules! values {
    ($($value:expr),* $(,)?) => { [$($crate::store::db::Value::from($value)),*] };
}
pub(crate) use values;

impl Db {
    pub(crate) fn open(database: &Database, access: Access) -> Result<Self> {
        match database {
            Database::Sqlite(path) => {
                let about = || format!("could not open the database {}", path.display());
                sqlite_open(path, access).map(Self::Sqlite).with_context(about)
            }
            Database::Postgres(address) => {
                postgres_open(&address.0, access).context("could not open the PostgreSQL database")
            }
        }
    }

    /// Runs one statement; returns the count of rows it changed.
    pub(crate) fn execute(&mut self, sql: &str, values: &[Value]) -> Result<u64> {
        match self {
            Self::Sqlite(connection) => {
                let mut statement = connection.prepare_cached(&numbered(sql)).context(sql_context(sql))?;
                let changed =
                    statement.execute(rusqlite::params_from_iter(values)).context(sql_context(sql))?;
                Ok(u64::try_from(changed)?)
            }
            Self::Postgres { client, prepared } => {
                let statement = postgres_prepare(client, prepared, sql)?;
                client.execute(&statement, &references(values)).context(sql_context(sql))
            }
        }
    }

    pub(crate) fn query(&mut self, sql: &str, values: &[Value]) -> Result<Vec<Row>> {
        match self {
            Self::Sqlite(connection) => {
                let mut statement = connection.prepare_cached(&numbered(sql)).context(sql_context(sql))?;
                let width = statement.column_count();
                let rows =
                    statement.query_map(rusqlite::params_from_iter(values), |row| sqlite_row(row, width));
                rows.and_then(Iterator::collect).context(sql_context(sql))
            }
            Self::Postgres { client, prepared } => {
                let statement = postgres_prepare(client, prepared, sql)?;
                let rows = client.query(&statement, &references(values)).context(sql_context(sql))?;
                rows.iter().map(postgres_row).collect()
            }
        }
    }

    /// The one row a statement must find.
    pub(crate) fn query_one(&mut self, sql: &str, values: &[Value]) -> Result<Row> {
        self.query(sql, values)?.pop().ok_or_else(|| anyhow!("no row from: {sql}"))
    }

    /// Runs any number of statements without parameters.
    pub(crate) fn batch(&mut self, sql: &str) -> Result<()> {
        match self {
            Self::Sqlite(connection) => connection.execute_batch(sql).context(sql_context(sql)),
            Self::Postgres { client, .. } => client.batch_execute(sql).context(sql_context(sql)),
        }
    }

    /// Starts a transaction as the one writer; a second one waits.
    pub(crate) fn begin(&mut self) -> Result<()> {
        match self {
            Self::Sqlite(_) => self.batch("BEGIN IMMEDIATE"),
            Self::Postgres { .. } => {
                self.batch(&format!("BEGIN; SELECT pg_advisory_xact_lock({WRITER_LOCK})"))
            }
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

    /// Runs `work` on one consistent picture of the database.
    pub(crate) fn snapshot<T>(&mut self, work: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        self.batch(match self {
            Self::Sqlite(_) => "BEGIN",
            Self::Postgres { .. } => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
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
            Self::Sqlite(connection) => sqlite_listing(connection, sql),
            Self::Postgres { client, .. } => postgres_listing(client, sql),
        }
    }
}

/// A row of an answer.
#[derive(Debug)]
pub(crate) struct Row(Vec<Value<'static>>);

impl Row {
    pub(crate) fn get<T: Field>(&self, column: usize) -> Result<T> {
        let value = self.0.get(column).with_context(|| format!("no column {column}"))?;
        T::read(value).with_context(|| format!("column {column} holds {value:?}, not a {}", T::NAME))
    }

    /// Whether the row holds exactly these fields.
    pub(crate) fn is(&self, values: &[Value]) -> bool {
        self.0 == values
    }

    /// A field that holds a word of a fixed vocabulary.
    pub(crate) fn word<T>(&self, column: usize, read: impl Fn(&str) -> Option<T>) -> Result<T> {
        let word: String = self.get(column)?;
        read(&word).with_context(|| format!("column {column} holds the unknown word {word:?}"))
    }

    /// A field that holds text of a shape of its own.
    pub(crate) fn parse<T: std::str::FromStr>(&self, column: usize) -> Result<T> {
        self.word(column, |text| text.parse().ok())
    }
}

/// What a field can be read as.
pub(crate) trait Field: Sized {
    const NAME: &str;
    fn read(value: &Value) -> Option<Self>;
}

impl Field for i64 {
    const NAME: &str = "number";
    fn read(value: &Value) -> Option<Self> {
        if let Value::Int(number) = value { Some(*number) } else { None }
    }
}

impl Field for u64 {
    const NAME: &str = "count";
    fn read(value: &Value) -> Option<Self> {
        i64::read(value).and_then(|number| number.try_into().ok())
    }
}

impl Field for u32 {
    const NAME: &str = "small count";
    fn read(value: &Value) -> Option<Self> {
        i64::read(value).and_then(|number| number.try_into().ok())
    }
}

impl Field for bool {
    const NAME: &str = "0 or 1";
    fn read(value: &Value) -> Option<Self> {
        i64::read(value).map(|number| number != 0)
    }
}

impl Field for String {
    const NAME: &str = "text";
    fn read(value: &Value) -> Option<Self> {
        if let Value::Text(text) = value { Some(text.clone().into_owned()) } else { None }
    }
}

impl<T: Field> Field for Option<T> {
    const NAME: &str = T::NAME;
    fn read(value: &Value) -> Option<Self> {
        if *value == Value::Null { Some(None) } else { T::read(value).map(Some) }
    }
}

impl From<i64> for Value<'_> {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

/// No count of the wire is larger than 10^15.
impl From<u64> for Value<'_> {
    fn from(count: u64) -> Self {
        Self::Int(i64::try_from(count).unwrap_or(i64::MAX))
    }
}

impl From<u32> for Value<'_> {
    fn from(count: u32) -> Self {
        Self::Int(count.into())
    }
}

impl From<bool> for Value<'_> {
    fn from(yes: bool) -> Self {
        Self::Int(yes.into())
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text.into())
    }
}

impl<'a> From<&'a String> for Value<'a> {
    fn from(text: &'a String) -> Self {
        Self::Text(text.into())
    }
}

impl From<String> for Value<'_> {
    fn from(text: String) -> Self {
        Self::Text(text.into())
    }
}

impl<'a, T: Into<Value<'a>>> From<Option<T>> for Value<'a> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

fn sql_context(sql: &str) -> String {
    format!("the database refused: {}", sql.split_whitespace().take(8).collect::<Vec<_>>().join(" "))
}

// SQLite

/// SQLite numbers `$2` by where it first appears and `?2` by its number.
fn numbered(sql: &str) -> String {
    sql.replace('$', "?")
}

fn sqlite_open(path: &Path, access: Access) -> Result<Connection> {
    let flags = match access {
        Access::Read => OpenFlags::SQLITE_OPEN_READ_ONLY,
        Access::Write => {
            sqlite_create(path)?;
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
        Access::Write => connection.execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;
             PRAGMA journal_size_limit = 67108864",
        )?,
    }
    Ok(connection)
}

/// An empty file of mode 0640, which SQLite gives its companions too, in a folder of mode 0750.
fn sqlite_create(path: &Path) -> Result<()> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        DirBuilder::new().recursive(true).mode(0o750).create(folder)?;
    }
    match OpenOptions::new().write(true).create_new(true).mode(0o640).open(path) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(error.into()),
        _ => Ok(()),
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

fn sqlite_row(row: &rusqlite::Row, width: usize) -> rusqlite::Result<Row> {
    let field = |column| {
        Ok(match row.get_ref(column)? {
            ValueRef::Null => Value::Null,
            ValueRef::Integer(number) => Value::Int(number),
            other => Value::Text(sqlite_text(other).unwrap_or_default().into()),
        })
    };
    (0..width).map(field).collect::<rusqlite::Result<_>>().map(Row)
}

fn sqlite_text(value: ValueRef) -> Option<String> {
    Some(match value {
        ValueRef::Null => return None,
        ValueRef::Integer(number) => number.to_string(),
        ValueRef::Real(number) => number.to_string(),
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => String::from_utf8_lossy(bytes).into_owned(),
    })
}

fn sqlite_listing(connection: &Connection, sql: &str) -> Result<Listing> {
    let mut statement = connection.prepare(sql)?;
    if !statement.readonly() {
        bail!("this query would write, and `cpvo sql` only reads");
    }
    let columns: Vec<String> = statement.column_names().into_iter().map(str::to_owned).collect();
    let width = columns.len();
    let read = |row: &rusqlite::Row| (0..width).map(|column| row.get_ref(column).map(sqlite_cell)).collect();
    let rows = statement.query_map([], read)?.collect::<rusqlite::Result<_>>()?;
    Ok(Listing { columns, rows })
}

fn sqlite_cell(value: ValueRef) -> Cell {
    let text = sqlite_text(value);
    match (value, text) {
        (_, None) => Cell::Null,
        (ValueRef::Integer(_) | ValueRef::Real(_), Some(digits)) => Cell::Number(digits),
        (_, Some(text)) => Cell::Text(text),
    }
}

// PostgreSQL

fn postgres_open(address: &str, access: Access) -> Result<Db> {
    let mut settings: postgres::Config = address.parse()?;
    settings.application_name("cpvo").connect_timeout(Duration::from_secs(10));
    let mut client = settings.connect(postgres::NoTls)?;
    if access == Access::Read {
        client.batch_execute("SET default_transaction_read_only = on")?;
    }
    Ok(Db::Postgres { client: Box::new(client), prepared: HashMap::new() })
}

fn postgres_prepare(
    client: &mut postgres::Client,
    prepared: &mut HashMap<String, postgres::Statement>,
    sql: &str,
) -> Result<postgres::Statement> {
    if let Some(statement) = prepared.get(sql) {
        return Ok(statement.clone());
    }
    let statement = client.prepare(sql).context(sql_context(sql))?;
    prepared.insert(sql.to_owned(), statement.clone());
    Ok(statement)
}

fn references<'a>(values: &'a [Value<'a>]) -> Vec<&'a (dyn ToSql + Sync)> {
    values.iter().map(|value| value as _).collect()
}

impl ToSql for Value<'_> {
    fn to_sql(
        &self,
        kind: &Type,
        out: &mut bytes::BytesMut,
    ) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        match self {
            Self::Null => Ok(IsNull::Yes),
            Self::Int(number) => number.to_sql(kind, out),
            Self::Text(text) => text.as_ref().to_sql(kind, out),
        }
    }

    fn accepts(kind: &Type) -> bool {
        matches!(*kind, Type::INT8 | Type::TEXT)
    }

    to_sql_checked!();
}

fn postgres_row(row: &postgres::Row) -> Result<Row> {
    let field = |(index, column): (usize, &postgres::Column)| {
        Ok(match *column.type_() {
            Type::INT8 => row.try_get::<_, Option<i64>>(index)?.into(),
            Type::TEXT => row.try_get::<_, Option<String>>(index)?.into(),
            ref other => bail!("column {} has the type {other}; cast it to BIGINT or TEXT", column.name()),
        })
    };
    row.columns().iter().enumerate().map(field).collect::<Result<_>>().map(Row)
}

fn postgres_listing(client: &mut postgres::Client, sql: &str) -> Result<Listing> {
    // a statement of its own kind may be prepared only alone: no second one can leave the transaction
    let statement = client.prepare(sql)?;
    let number = |kind: &Type| {
        [Type::INT2, Type::INT4, Type::INT8, Type::FLOAT4, Type::FLOAT8, Type::NUMERIC].contains(kind)
    };
    let columns = statement.columns().iter().map(|column| column.name().to_owned()).collect();
    let numbers: Vec<bool> = statement.columns().iter().map(|column| number(column.type_())).collect();
    client.batch_execute("BEGIN READ ONLY")?;
    let answer = client.simple_query(sql);
    client.batch_execute("ROLLBACK")?;
    let mut rows = Vec::new();
    for message in answer? {
        if let postgres::SimpleQueryMessage::Row(row) = message {
            let cell = |(column, number): (usize, &bool)| match row.get(column) {
                None => Cell::Null,
                Some(digits) if *number => Cell::number(digits),
                Some(text) => Cell::text(text),
            };
            rows.push(numbers.iter().enumerate().map(cell).collect());
        }
    }
    Ok(Listing { columns, rows })
}
