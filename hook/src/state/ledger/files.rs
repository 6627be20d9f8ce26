//! How far each transcript was read.

use super::{Ledger, instant};
use anyhow::Result;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// Where a transcript stands, what it looked like then, and what its next line inherits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cursor {
    pub path: PathBuf,
    pub device: u64,
    pub inode: u64,
    pub size: u64,
    /// Nanoseconds since 1970.
    pub modified: i64,
    pub offset: u64,
    /// How much of the beginning `head` is the hash of.
    pub head_bytes: u64,
    pub head: u64,
    /// Of the last line that had one.
    pub at: Option<Timestamp>,
    pub cwd: Option<String>,
    /// Nothing of it may be stored.
    pub skipped: bool,
}

/// What tells a file that changed from one that did not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Look {
    pub device: u64,
    pub inode: u64,
    pub size: u64,
    pub modified: i64,
}

/// A cursor the ledger has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Known {
    pub id: i64,
    pub cursor: Cursor,
}

impl Known {
    pub(crate) fn look(&self) -> Look {
        let Cursor { device, inode, size, modified, .. } = self.cursor;
        Look { device, inode, size, modified }
    }
}

const COLUMNS: &str = "id, path, device, inode, size, modified, offset, head_bytes, head, at, cwd, skipped";

impl Ledger {
    /// What every file looked like when it was last read, by path as [`text`] writes it.
    pub(crate) fn file_looks(&self) -> Result<HashMap<String, Look>> {
        let mut select = self.db.prepare("SELECT path, device, inode, size, modified FROM file")?;
        let looks = select.query_map([], |row| {
            let number = |index: usize| row.get::<_, i64>(index).map(i64::cast_unsigned);
            let look =
                Look { device: number(1)?, inode: number(2)?, size: number(3)?, modified: row.get(4)? };
            Ok((row.get(0)?, look))
        })?;
        // a map that knows its size at once does not grow step by step
        let looks: Vec<(String, Look)> = looks.collect::<Result<_, _>>()?;
        Ok(looks.into_iter().collect())
    }

    pub(crate) fn file(&self, path: &Path) -> Result<Option<Known>> {
        let mut select = self.db.prepare_cached(&format!("SELECT {COLUMNS} FROM file WHERE path = ?1"))?;
        Ok(select.query_row([text(path)], known).optional()?)
    }

    /// The cursors of files that had this name, wherever they were.
    pub(crate) fn file_named(&self, path: &Path) -> Result<Vec<Known>> {
        let mut select = self.db.prepare_cached(&format!("SELECT {COLUMNS} FROM file WHERE name = ?1"))?;
        let files = select.query_map([name(path)], known)?;
        Ok(files.collect::<Result<_, _>>()?)
    }

    /// Has every file read again from its beginning.
    pub(crate) fn file_forget_all(&mut self, skipped_only: bool) -> Result<()> {
        self.write(|db| {
            // the head stays: a file that is read again from 0 replaces its share
            db.execute("UPDATE file SET offset = 0, size = -1 WHERE skipped OR NOT ?1", [skipped_only])?;
            Ok(())
        })
    }
}

/// Writes the cursor and gives its id; `None` where another reader was faster than the one that began at `known`.
pub(super) fn advance(db: &Connection, known: Option<&Known>, cursor: &Cursor) -> Result<Option<i64>> {
    let values = params![
        text(&cursor.path),
        name(&cursor.path),
        cursor.device.cast_signed(),
        cursor.inode.cast_signed(),
        cursor.size.cast_signed(),
        cursor.modified,
        cursor.offset.cast_signed(),
        cursor.head_bytes.cast_signed(),
        cursor.head.cast_signed(),
        cursor.at.map(Timestamp::as_millisecond),
        cursor.cwd,
        cursor.skipped,
    ];
    let Some(Known { id, cursor: Cursor { offset, .. } }) = known else {
        let mut insert = db.prepare_cached(
            "INSERT INTO file (path, name, device, inode, size, modified, offset, head_bytes, head, at, cwd, skipped)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12) ON CONFLICT (path) DO NOTHING",
        )?;
        return Ok((insert.execute(values)? > 0).then(|| db.last_insert_rowid()));
    };
    let mut update = db.prepare_cached(
        "UPDATE file SET path = ?1, name = ?2, device = ?3, inode = ?4, size = ?5, modified = ?6, offset = ?7,
             head_bytes = ?8, head = ?9, at = ?10, cwd = ?11, skipped = ?12
         WHERE id = ?13 AND offset = ?14",
    )?;
    let updated = update.execute(&*[values, params![id, offset.cast_signed()]].concat())?;
    Ok((updated > 0).then_some(*id))
}

fn known(row: &Row) -> rusqlite::Result<Known> {
    let number = |index: usize| row.get::<_, i64>(index).map(i64::cast_unsigned);
    let cursor = Cursor {
        path: PathBuf::from(row.get::<_, String>(1)?),
        device: number(2)?,
        inode: number(3)?,
        size: number(4)?,
        modified: row.get(5)?,
        offset: number(6)?,
        head_bytes: number(7)?,
        head: number(8)?,
        at: row.get::<_, Option<i64>>(9)?.map(instant),
        cwd: row.get(10)?,
        skipped: row.get(11)?,
    };
    Ok(Known { id: row.get(0)?, cursor })
}

/// A path as the ledger keeps it. One that is not UTF-8 keeps a lossy name: it is only compared.
pub(crate) fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

fn name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}
