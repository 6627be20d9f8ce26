//! What goes into a statement and what comes out: parameters, fields, rows.

use anyhow::{Context, Result};
use std::borrow::Cow;

/// A parameter or a field.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Value<'a> {
    Null,
    Int(i64),
    Text(Cow<'a, str>),
}

impl Value<'_> {
    pub(super) fn into_owned(self) -> Value<'static> {
        match self {
            Self::Null => Value::Null,
            Self::Int(number) => Value::Int(number),
            Self::Text(text) => Value::Text(text.into_owned().into()),
        }
    }
}

/// `[Value]` from anything that is one.
macro_rules! values {
    ($($value:expr),* $(,)?) => { [$($crate::store::db::Value::from($value)),*] };
}
pub(crate) use values;

/// A row of an answer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Row(pub(super) Vec<Value<'static>>);

/// A row as its driver has it while it is read: nothing of it is kept.
pub(crate) enum Fields<'a> {
    Sqlite(&'a rusqlite::Row<'a>),
    Postgres(&'a postgres::Row),
}

impl Fields<'_> {
    pub(crate) fn get<T: Field>(&self, column: usize) -> Result<T> {
        let value = self.value(column)?;
        T::read(&value).with_context(|| format!("column {column} holds {value:?}, not a {}", T::NAME))
    }

    pub(crate) fn text(&self, column: usize) -> Result<&str> {
        Ok(match self {
            Self::Sqlite(row) => row.get_ref(column)?.as_str()?,
            Self::Postgres(row) => row.try_get(column)?,
        })
    }

    /// A field that holds a word of a fixed vocabulary.
    pub(crate) fn word<T>(&self, column: usize, read: impl Fn(&str) -> Option<T>) -> Result<T> {
        let word = self.text(column)?;
        read(word).with_context(|| format!("column {column} holds the unknown word {word:?}"))
    }

    /// A field that holds text of a shape of its own.
    pub(crate) fn parse<T: std::str::FromStr>(&self, column: usize) -> Result<T> {
        self.word(column, |text| text.parse().ok())
    }

    fn value(&self, column: usize) -> Result<Value<'_>> {
        match self {
            Self::Sqlite(row) => Ok(super::sqlite::value(row, column)?),
            Self::Postgres(row) => super::postgresql::value(row, column),
        }
    }
}

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

/// Whatever it is.
impl Field for Value<'static> {
    const NAME: &str = "field";
    fn read(value: &Value) -> Option<Self> {
        Some(value.clone().into_owned())
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
