//! Reading one transcript from where the ledger left off.

use crate::reader::reading::{Folders, Reading};
use crate::reader::walk::Transcript;
use crate::state::ledger::{Cursor, Known, Ledger, Look};
use anyhow::{Context, Result};
use jiff::Timestamp;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use transcript::Lines;

/// How much of a file's beginning tells it from another.
const HEAD_BYTES: u64 = 1024;

/// Whether the file changed since it looked like `known`.
pub(crate) fn is_new(file: &Transcript, known: Option<Look>) -> bool {
    let Transcript { device, inode, size, modified, .. } = *file;
    known != Some(Look { device, inode, size, modified })
}

/// How far the file was read, where it lies or where it lay before.
pub(crate) fn known(ledger: &Ledger, file: &Transcript) -> Result<Option<Known>> {
    match ledger.file(&file.path)? {
        Some(known) => Ok(Some(known)),
        None => moved(ledger, file),
    }
}

/// Reads what is new in `file`, no further than to the line that passes `most` bytes; `None` where no session can be told.
/// A cursor smaller than the file says that it goes on.
pub(crate) fn read(
    file: &Transcript,
    known: Option<&Known>,
    since: Option<Timestamp>,
    (lines, folders): (&mut Lines, &mut dyn Folders),
    most: u64,
) -> Result<Option<Reading>> {
    let path = &file.path;
    let mut opened = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
    let named = match file.session() {
        Some(session) => Some(session),
        None => lines.session(&mut opened).with_context(|| format!("cannot read {}", path.display()))?,
    };
    let Some(session) = named else { return Ok(None) };
    let cursor = resume(&mut opened, file, known)?;
    let mut reading = Reading::begin(cursor, session, file.subagent, since);
    let span = reading.from..reading.from.saturating_add(most);
    let end = lines
        .read(&mut opened, span.clone(), &mut |parsed| reading.take(parsed, folders))
        .with_context(|| format!("cannot read {}", path.display()))?;
    reading.cursor.offset = end;
    if end >= span.end {
        reading.cursor.size = file.size.min(end);
    }
    reading.finish(folders);
    Ok(Some(reading))
}

/// Where to go on: at the old offset if it is the same file grown, else at the beginning.
fn resume(opened: &mut File, file: &Transcript, known: Option<&Known>) -> Result<Cursor> {
    let same = known.map(|known| &known.cursor).filter(|cursor| {
        (cursor.device, cursor.inode) == (file.device, file.inode)
            && (1..=file.size).contains(&cursor.offset)
            && !cursor.skipped
    });
    let same = match same {
        Some(cursor) if head(opened, cursor.head_bytes)? == cursor.head => Some(cursor),
        _ => None,
    };
    let head_bytes = file.size.min(HEAD_BYTES);
    Ok(Cursor {
        path: file.path.clone(),
        device: file.device,
        inode: file.inode,
        size: file.size,
        modified: file.modified,
        offset: same.map_or(0, |cursor| cursor.offset),
        head_bytes,
        head: head(opened, head_bytes)?,
        at: same.and_then(|cursor| cursor.at),
        cwd: same.and_then(|cursor| cursor.cwd.clone()),
        skipped: false,
    })
}

/// A hash of the first `bytes` of the file (FNV-1a).
fn head(file: &mut File, bytes: u64) -> Result<u64> {
    file.seek(SeekFrom::Start(0))?;
    let mut text = Vec::new();
    file.take(bytes).read_to_end(&mut text)?;
    Ok(text
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)))
}

/// The cursor of a file that moved: of the same name and beginning, and no longer where it was.
fn moved(ledger: &Ledger, file: &Transcript) -> Result<Option<Known>> {
    let Some(candidates) = Some(ledger.file_named(&file.path)?).filter(|candidates| !candidates.is_empty())
    else {
        return Ok(None);
    };
    let mut opened = File::open(&file.path)?;
    for mut known in candidates {
        let cursor = &mut known.cursor;
        if !cursor.path.exists()
            && cursor.offset <= file.size
            && head(&mut opened, cursor.head_bytes)? == cursor.head
        {
            (cursor.device, cursor.inode) = (file.device, file.inode);
            return Ok(Some(known));
        }
    }
    Ok(None)
}
