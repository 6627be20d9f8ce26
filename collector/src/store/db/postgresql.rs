//! PostgreSQL: its connection, its prepared statements and its values.

use super::{Access, Fields, Row, Value, about};
use crate::config::Secret;
use crate::listing::{Cell, Listing};
use anyhow::{Context, Result, bail};
use postgres::fallible_iterator::FallibleIterator;
use postgres::types::{IsNull, ToSql, Type, to_sql_checked};
use std::collections::HashMap;
use std::time::Duration;

const CONNECT_WAIT: Duration = Duration::from_secs(10);
/// After this much silence a dead server is looked for.
const KEEPALIVE: Duration = Duration::from_secs(10);

pub(crate) struct Postgres {
    pub(super) address: Secret,
    client: postgres::Client,
    prepared: HashMap<String, postgres::Statement>,
}

impl Postgres {
    pub(super) fn open(address: &Secret, access: Access) -> Result<Self> {
        let mut settings: postgres::Config = address.0.parse()?;
        settings.application_name("cpvo").connect_timeout(CONNECT_WAIT);
        settings
            .keepalives(true)
            .keepalives_idle(KEEPALIVE)
            .keepalives_interval(KEEPALIVE)
            .keepalives_retries(3);
        let mut client = settings.connect(postgres::NoTls)?;
        let encoding: String = client.query_one("SHOW server_encoding", &[])?.try_get(0)?;
        if encoding != "UTF8" {
            bail!("the database has the encoding {encoding}; create it with ENCODING 'UTF8'");
        }
        client.batch_execute(match access {
            Access::Read => "SET default_transaction_read_only = on",
            // what is acknowledged is on disk, whatever the server's default is
            Access::Write => "SET synchronous_commit = on",
        })?;
        Ok(Self { address: address.clone(), client, prepared: HashMap::new() })
    }

    pub(super) fn execute(&mut self, sql: &str, values: &[Value]) -> Result<u64> {
        let statement = self.prepare(sql)?;
        self.client.execute(&statement, &references(values)).with_context(about(sql))
    }

    pub(super) fn query(&mut self, sql: &str, values: &[Value]) -> Result<Vec<Row>> {
        let statement = self.prepare(sql)?;
        let rows = self.client.query(&statement, &references(values)).with_context(about(sql))?;
        rows.iter().map(read).collect()
    }

    pub(super) fn each(
        &mut self,
        sql: &str,
        values: &[Value],
        mut read: impl FnMut(&Fields) -> Result<()>,
    ) -> Result<()> {
        let statement = self.prepare(sql)?;
        let mut rows = self.client.query_raw(&statement, references(values)).with_context(about(sql))?;
        while let Some(row) = rows.next().with_context(about(sql))? {
            read(&Fields::Postgres(&row))?;
        }
        Ok(())
    }

    pub(super) fn batch(&mut self, sql: &str) -> Result<()> {
        self.client.batch_execute(sql).with_context(about(sql))
    }

    pub(super) fn listing(&mut self, sql: &str) -> Result<Listing> {
        // prepared, it is one statement: no second one can leave the read-only transaction
        let statement = self.client.prepare(sql)?;
        let columns = statement.columns();
        let numbers: Vec<bool> = columns.iter().map(|column| is_number(column.type_())).collect();
        let columns = columns.iter().map(|column| column.name().to_owned()).collect();
        self.batch("BEGIN READ ONLY")?;
        let answer = self.client.simple_query(sql);
        self.batch("ROLLBACK")?;
        let cell = |(text, is_number): (Option<&str>, &bool)| match text {
            None => Cell::Null,
            Some(digits) if *is_number => Cell::number(digits),
            Some(text) => Cell::text(text),
        };
        let mut rows = Vec::new();
        for message in answer? {
            if let postgres::SimpleQueryMessage::Row(row) = message {
                rows.push((0..row.len()).map(|column| row.get(column)).zip(&numbers).map(cell).collect());
            }
        }
        Ok(Listing { columns, rows })
    }

    fn prepare(&mut self, sql: &str) -> Result<postgres::Statement> {
        if let Some(statement) = self.prepared.get(sql) {
            return Ok(statement.clone());
        }
        let statement = self.client.prepare(sql).with_context(about(sql))?;
        self.prepared.insert(sql.to_owned(), statement.clone());
        Ok(statement)
    }
}

fn references<'a>(values: &'a [Value<'a>]) -> Vec<&'a (dyn ToSql + Sync)> {
    values.iter().map(|value| value as _).collect()
}

fn read(row: &postgres::Row) -> Result<Row> {
    (0..row.len()).map(|column| Ok(value(row, column)?.into_owned())).collect::<Result<_>>().map(Row)
}

pub(super) fn value(row: &postgres::Row, column: usize) -> Result<Value<'_>> {
    let about = row.columns().get(column).with_context(|| format!("no column {column}"))?;
    Ok(match *about.type_() {
        Type::INT8 => row.try_get::<_, Option<i64>>(column)?.into(),
        Type::TEXT => row.try_get::<_, Option<&str>>(column)?.into(),
        ref other => bail!("column {} has the type {other}; cast it to BIGINT or TEXT", about.name()),
    })
}

fn is_number(kind: &Type) -> bool {
    [Type::INT2, Type::INT4, Type::INT8, Type::FLOAT4, Type::FLOAT8, Type::NUMERIC].contains(kind)
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

#[cfg(test)]
mod tests {
    use crate::config::{Database, Secret};
    use crate::store::db::{Access, Db};
    use crate::store::fixture::cluster;

    fn open(address: &str) -> anyhow::Result<Db> {
        Db::open(&Database::Postgres(Secret(address.to_owned())), Access::Write)
    }

    fn setting(db: &mut Db, name: &str) -> String {
        db.query_one(&format!("SELECT current_setting('{name}')"), &[]).unwrap().get(0).unwrap()
    }

    #[test]
    fn the_defaults_of_the_server_do_not_matter() {
        let cluster = cluster();
        let address = cluster.database("defaults");
        let set = "ALTER DATABASE defaults SET default_transaction_isolation = 'serializable';
            ALTER DATABASE defaults SET synchronous_commit = 'off'";
        open(&address).unwrap().batch(set).unwrap();
        let mut db = open(&address).unwrap();
        db.begin().unwrap();
        assert_eq!(setting(&mut db, "transaction_isolation"), "read committed");
        assert_eq!(setting(&mut db, "synchronous_commit"), "on");
    }

    #[test]
    fn a_database_that_is_not_utf8_is_refused() {
        let cluster = cluster();
        let address = cluster.database("plain");
        let ascii =
            "CREATE DATABASE ascii ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0";
        open(&address).unwrap().batch(ascii).unwrap();
        let error = open(&address.replacen("plain", "ascii", 1)).err().unwrap();
        assert!(format!("{error:#}").contains("ENCODING 'UTF8'"), "{error:#}");
    }
}
