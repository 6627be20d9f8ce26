//! Rows as Apache Parquet. Columns have their types even where there are no rows; dollars are decimals, none is rounded.

use crate::store::db::Value;
use crate::store::sheet::{Kind, Sheet};
use ::parquet::data_type::{ByteArray, ByteArrayType, Int64Type};
use ::parquet::file::writer::SerializedFileWriter;
use ::parquet::schema::parser::parse_message_type;
use anyhow::{Context, Result};
use std::sync::Arc;

/// Rows that are compressed and read as one.
const GROUP_MAX: usize = 1 << 16;

pub(super) fn parquet(sheet: &Sheet) -> Result<Vec<u8>> {
    let column = |(name, kind): &(&str, Kind)| match kind {
        Kind::Text => format!("optional binary {name} (UTF8);"),
        Kind::Count => format!("optional int64 {name};"),
        Kind::Dollars => format!("optional int64 {name} (DECIMAL(18,9));"),
    };
    let columns: String = sheet.columns.iter().map(column).collect();
    let schema = parse_message_type(&format!("message cpvo {{ {columns} }}"))?;
    let mut writer = SerializedFileWriter::new(Vec::new(), Arc::new(schema), Arc::default())?;
    for rows in sheet.rows.chunks(GROUP_MAX) {
        let mut group = writer.next_row_group()?;
        for (index, (name, kind)) in sheet.columns.iter().enumerate() {
            let mut column = group.next_column()?.with_context(|| format!("no column {name}"))?;
            let values = rows.iter().map(|row| &row[index]);
            let present: Vec<i16> = values.clone().map(|value| i16::from(*value != Value::Null)).collect();
            match kind {
                Kind::Text => {
                    let texts: Vec<ByteArray> = values.filter_map(text).collect();
                    column.typed::<ByteArrayType>().write_batch(&texts, Some(&present), None)?;
                }
                Kind::Count | Kind::Dollars => {
                    let numbers: Vec<i64> = values.filter_map(number).collect();
                    column.typed::<Int64Type>().write_batch(&numbers, Some(&present), None)?;
                }
            }
            column.close()?;
        }
        group.close()?;
    }
    Ok(writer.into_inner()?)
}

fn text(value: &Value) -> Option<ByteArray> {
    if let Value::Text(text) = value { Some(ByteArray::from(text.as_ref())) } else { None }
}

fn number(value: &Value) -> Option<i64> {
    if let Value::Int(number) = value { Some(*number) } else { None }
}
