//! PostgreSQL: its connection, its prepared statements and its values.

use super::{Access, Row, Value, about};
use crate::listing::{Cell, Listing};
use anyhow::{Context, Result, bail};
use postgres::types::{IsNull, ToSql, Type, to_sql_checked};
use std::collections::HashMap;
use std::time::Duration;

const CONNECT_WAIT: Duration = Duration::from_secs(10);

pub(crate) struct Postgres {
    client: postgres::Client,
    prepared: HashMap<String, postgres::Statement>,
}

impl Postgres {
    pub(super) fn open(address: &str, access: Access) -> Result<Self> {
        let mut settings: postgres::Config = address.parse()?;
        settings.application_name("cpvo").connect_timeout(CONNECT_WAIT);
        let mut client = settings.connect(postgres::NoTls)?;
        if access == Access::Read {
            client.batch_execute("SET default_transaction_read_only = on")?;
        }
        Ok(Self { client, prepared: HashMap::new() })
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
    let field = |(index, column): (usize, &postgres::Column)| {
        Ok(match *column.type_() {
            Type::INT8 => row.try_get::<_, Option<i64>>(index)?.into(),
            Type::TEXT => row.try_get::<_, Option<String>>(index)?.into(),
            ref other => bail!("column {} has the type {other}; cast it to BIGINT or TEXT", column.name()),
        })
    };
    row.columns().iter().enumerate().map(field).collect::<Result<_>>().map(Row)
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
