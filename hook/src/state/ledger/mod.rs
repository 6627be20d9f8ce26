//! The ledger: one SQLite database in the state folder, written in few durable transactions.
//!
//! It keeps facts (which response, which folder, which branch); what a report says is derived from them when
//! it is sent, so the newest snapshot replaces older ones by itself and nothing waits as a stored text.

mod accounts;
mod collectors;
mod commits;
mod contents;
mod files;
mod folders;
mod owners;
mod reports;
mod responses;
mod sessions;
mod store;

pub(crate) use collectors::{Collector, Delivery, Outcome, Refusal};
pub(crate) use commits::{MadeCommit, Trail};
pub(crate) use contents::Content;
pub(crate) use files::{Cursor, Known, Look, text};
pub(crate) use folders::Folder;
pub(crate) use reports::{Key, Waiting};
pub(crate) use sessions::{Event, Session};
pub(crate) use store::Stored;

use crate::reader::walk;
use crate::state::install::{create_state, private};
use anyhow::{Context, Result};
use jiff::Timestamp;
use meter::Tokens;
use rusqlite::backup::Backup;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, Row, Transaction, TransactionBehavior};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const SCHEMA: &str = include_str!("schema.sql");
const VERSION: i64 = 6;
/// "cpvo", so that a foreign database is known as such.
const APPLICATION: i64 = 0x6370_766f;
/// A write-ahead log is carried over to the database once it is this long: every process that opens the ledger
/// reads it first, and to empty a short one each time would cost more than all that was written to it.
const LOG_BYTES: u64 = 512 << 10;
/// Room for the ledger of a year: what was written to a page in one batch is written to again in the next.
const CACHE_KIB: i64 = 8 << 10;

/// How patient a caller is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Patience {
    /// A session's end: it leaves the work to the detached process rather than wait.
    Event,
    /// Somebody who waits for nothing else, and whose work can be done again: a power cut may undo it.
    Worker,
    /// The last chance: nobody comes back to it.
    Until(Instant),
}

impl Patience {
    fn left(self) -> Duration {
        match self {
            Self::Event => Duration::from_millis(100),
            Self::Worker => Duration::from_secs(20),
            Self::Until(deadline) => deadline.saturating_duration_since(Instant::now()),
        }
    }

    /// How long the write-ahead log may grow within one run; a session's end leaves it to others.
    fn log_pages(self) -> i64 {
        if self == Self::Event { 0 } else { 4096 }
    }

    fn synchronous(self) -> &'static str {
        if self == Self::Worker { "NORMAL" } else { "FULL" }
    }
}

pub(crate) struct Ledger {
    db: Connection,
    patience: Patience,
    state: PathBuf,
    opened: Timestamp,
}

impl Ledger {
    /// Opens the ledger in `state`; a damaged or foreign one is moved aside and begun anew.
    pub(crate) fn open(state: &Path, patience: Patience, now: Timestamp) -> Result<Self> {
        create_state(state)?;
        let path = path(state);
        match Self::try_open(&path, patience, now.as_second()) {
            Err(error) if is_damaged(&error) => {
                let epoch = old_epoch(&path).map_or(now.as_second(), |old| now.as_second().max(old + 1));
                set_aside(state, now)?;
                Self::try_open(&path, patience, epoch)
            }
            result => result,
        }
        .map(|db| Self { db, patience, state: state.to_owned(), opened: now })
        .with_context(|| format!("cannot open the ledger {}", path.display()))
    }

    /// Opens the ledger only where there is one: for commands that look without leaving a trace.
    pub(crate) fn open_existing(state: &Path, now: Timestamp) -> Result<Option<Self>> {
        if path(state).exists() { Self::open(state, Patience::Worker, now).map(Some) } else { Ok(None) }
    }

    /// A copy in memory of the ledger as it is, or an empty one: for commands that read on without leaving a trace.
    pub(crate) fn copy(state: &Path, now: Timestamp) -> Result<Self> {
        let path = path(state);
        let mut db = Connection::open_in_memory()?;
        if path.exists() {
            let original = Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
            original.busy_timeout(Patience::Worker.left())?;
            if version(&original).ok() == Some(VERSION) {
                Backup::new(&original, &mut db)?.step(-1)?;
            }
        }
        if version(&db)? != VERSION {
            create(&mut db, now.as_second())?;
        }
        Ok(Self { db, patience: Patience::Worker, state: state.to_owned(), opened: now })
    }

    fn try_open(path: &Path, patience: Patience, epoch: i64) -> Result<Connection> {
        private().create(true).truncate(false).open(path)?;
        let mut db = Connection::open(path)?;
        db.busy_timeout(patience.left())?;
        db.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        // no statement is planned anew for each value that is bound to it
        db.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        db.pragma_update(None, "wal_autocheckpoint", patience.log_pages())?;
        db.pragma_update(None, "cache_size", -CACHE_KIB)?;
        db.pragma_update(None, "synchronous", patience.synchronous())?;
        db.set_prepared_statement_cache_capacity(64);
        if version(&db)? != VERSION {
            create(&mut db, epoch)?;
        }
        own(&mut db, path, epoch)?;
        Ok(db)
    }

    fn write<T>(&mut self, work: impl FnOnce(&Transaction) -> Result<T>) -> Result<T> {
        self.db.busy_timeout(self.patience.left())?;
        let transaction = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let result = work(&transaction)?;
        transaction.commit()?;
        Ok(result)
    }

    /// The same, and no power cut undoes it or anything before it.
    fn write_durably<T>(&mut self, work: impl FnOnce(&Transaction) -> Result<T>) -> Result<T> {
        self.db.pragma_update(None, "synchronous", "FULL")?;
        let result = self.write(work);
        self.db.pragma_update(None, "synchronous", self.patience.synchronous())?;
        result
    }

    /// Looks at the ledger as it is at one moment, whatever others write meanwhile.
    pub(crate) fn at_once<T>(&self, look: impl FnOnce() -> Result<T>) -> Result<T> {
        let _moment = self.db.unchecked_transaction()?;
        look()
    }

    /// Has the database hold all there is, unless somebody is reading.
    pub(crate) fn checkpoint(&self) -> Result<()> {
        checkpoint(&self.db)
    }

    /// The same, where enough came together to be worth it.
    pub(crate) fn checkpoint_if_long(&self) -> Result<()> {
        let log = std::fs::metadata(with_ending(&path(&self.state), "-wal"));
        if log.is_ok_and(|log| log.len() >= LOG_BYTES) { self.checkpoint() } else { Ok(()) }
    }

    pub(crate) fn meta(&self, name: &str) -> Result<Option<String>> {
        meta(&self.db, name)
    }

    pub(crate) fn meta_set(&mut self, name: &str, value: &str) -> Result<()> {
        self.write(|db| meta_set(db, name, value))
    }
}

fn create(db: &mut Connection, epoch: i64) -> Result<()> {
    db.pragma_update(None, "journal_mode", "WAL")?;
    let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let version = version(&transaction)?;
    // another hook may have been first
    if version == VERSION {
        return Ok(());
    }
    let tables: i64 = transaction.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if version != 0 || tables != 0 {
        return Err(Foreign.into());
    }
    transaction.execute_batch(SCHEMA)?;
    meta_set(&transaction, "epoch", &epoch.to_string())?;
    transaction.pragma_update(None, "application_id", APPLICATION)?;
    transaction.pragma_update(None, "user_version", VERSION)?;
    transaction.commit()?;
    Ok(())
}

fn version(db: &Connection) -> Result<i64> {
    Ok(db.pragma_query_value(None, "user_version", |row| row.get(0))?)
}

/// A ledger that was copied or restored is another one: under the epoch it was born with it could lower what the
/// original has sent since.
fn own(db: &mut Connection, path: &Path, epoch: i64) -> Result<()> {
    let file = walk::birth(&std::fs::metadata(path)?);
    if meta(db, "file")?.as_ref() == Some(&file) {
        return Ok(());
    }
    let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // another hook may have been first
    let known = meta(&transaction, "file")?;
    if known.is_some_and(|known| known != file) {
        let epoch = epoch.max(meta_number(&transaction, "epoch")? + 1);
        meta_set(&transaction, "epoch", &epoch.to_string())?;
        transaction.execute("UPDATE collector SET epoch = max(epoch + 1, ?1)", [epoch])?;
        transaction.execute("DELETE FROM delivery", [])?;
    }
    meta_set(&transaction, "file", &file)?;
    transaction.commit()?;
    // who copies the database without its log copies this as well
    checkpoint(db)
}

fn checkpoint(db: &Connection) -> Result<()> {
    db.busy_timeout(Duration::ZERO)?;
    Ok(db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?)
}

fn meta(db: &Connection, name: &str) -> Result<Option<String>> {
    let mut select = db.prepare_cached("SELECT value FROM meta WHERE name = ?1")?;
    Ok(select.query_row([name], |row| row.get(0)).optional()?)
}

fn meta_set(db: &Connection, name: &str, value: &str) -> Result<()> {
    let mut insert = db.prepare_cached("INSERT OR REPLACE INTO meta (name, value) VALUES (?1, ?2)")?;
    insert.execute([name, value])?;
    Ok(())
}

/// A number that `meta` keeps as text.
fn meta_number(db: &Connection, name: &str) -> Result<i64> {
    Ok(meta(db, name)?.and_then(|text| text.parse().ok()).unwrap_or(0))
}

#[derive(Debug, thiserror::Error)]
#[error("not a ledger of this version")]
struct Foreign;

/// Whether the file itself is wrong, not the moment.
pub(crate) fn is_damaged(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        let code = cause.downcast_ref::<rusqlite::Error>().and_then(rusqlite::Error::sqlite_error_code);
        cause.is::<Foreign>() || matches!(code, Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
    })
}

/// Whether another process holds the ledger.
pub(crate) fn is_busy(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        let code = cause.downcast_ref::<rusqlite::Error>().and_then(rusqlite::Error::sqlite_error_code);
        matches!(code, Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
    })
}

/// Moves the ledger aside, where somebody may still look at it; one such copy is kept.
pub(crate) fn set_aside(state: &Path, now: Timestamp) -> Result<()> {
    let from = path(state);
    for ending in ["", "-wal", "-shm"] {
        let old = with_ending(&from, ending);
        let new = with_ending(&state.join("ledger.damaged"), ending);
        match std::fs::rename(&old, &new) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("cannot move {} aside at {now}", old.display()));
            }
            _ => {}
        }
    }
    Ok(())
}

fn old_epoch(path: &Path) -> Option<i64> {
    let db = Connection::open(path).ok()?;
    meta(&db, "epoch").ok()??.parse().ok()
}

fn path(state: &Path) -> PathBuf {
    state.join("ledger.db")
}

fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

/// The six columns from `first` on that every table of tokens has in this order.
fn tokens(row: &Row, first: usize) -> rusqlite::Result<Tokens> {
    let count = |index: usize| row.get::<_, i64>(first + index).map(i64::cast_unsigned);
    Ok(Tokens {
        input: count(0)?,
        output: count(1)?,
        cache_read: count(2)?,
        cache_write_5m: count(3)?,
        cache_write_1h: count(4)?,
        web_search: count(5)?,
    })
}

/// Milliseconds since 1970, as the tables keep instants.
fn instant(at: i64) -> Timestamp {
    Timestamp::from_millisecond(at).unwrap_or(Timestamp::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;
    use meter::Repo;

    const NOW: Timestamp = Timestamp::constant(1_795_320_000, 0);

    #[test]
    fn a_damaged_ledger_is_moved_aside_and_begun_anew() {
        let state = tempfile::tempdir().unwrap();
        std::fs::write(
            state.path().join("ledger.db"),
            "this is no database, however long it may be ".repeat(99),
        )
        .unwrap();
        let ledger = Ledger::open(state.path(), Patience::Worker, NOW).unwrap();
        assert_eq!(ledger.meta("epoch").unwrap().as_deref(), Some("1795320000"));
        assert!(state.path().join("ledger.damaged").exists());
    }

    #[test]
    fn a_newer_ledger_is_replaced_by_one_of_a_higher_epoch() {
        let state = tempfile::tempdir().unwrap();
        let ledger = Ledger::open(state.path(), Patience::Worker, NOW).unwrap();
        ledger.db.pragma_update(None, "user_version", 99).unwrap();
        drop(ledger);
        let earlier = NOW - jiff::SignedDuration::from_hours(5);
        let ledger = Ledger::open(state.path(), Patience::Worker, earlier).unwrap();
        assert_eq!(ledger.meta("epoch").unwrap().as_deref(), Some("1795320001"));
    }

    #[test]
    fn a_copied_ledger_has_an_epoch_of_its_own() {
        let (state, copy) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        drop(Ledger::open(state.path(), Patience::Worker, NOW).unwrap());
        std::fs::copy(path(state.path()), path(copy.path())).unwrap();
        let epoch = |folder: &Path| {
            Ledger::open(folder, Patience::Worker, NOW).unwrap().meta("epoch").unwrap().unwrap()
        };
        assert_eq!((epoch(state.path()), epoch(copy.path())), ("1795320000".into(), "1795320001".into()));
        assert_eq!(epoch(copy.path()), "1795320001", "once");
    }

    #[test]
    fn an_unreadable_report_is_said_and_holds_up_no_other() {
        let state = tempfile::tempdir().unwrap();
        let ledger = Ledger::open(state.path(), Patience::Worker, NOW).unwrap();
        let session = "00000000-0000-4000-8000-000000000001";
        for week in ["1970-W01", "2026-W47"] {
            let insert =
                "INSERT INTO report (session, repo, week, seq) VALUES (?1, 'git.example/a/b', ?2, 1)";
            ledger.db.execute(insert, [session, week]).unwrap();
        }
        assert_eq!(ledger.report_all().unwrap().len(), 1);
        assert_eq!(ledger.report_waiting("https://x.example", "").unwrap().len(), 1);
        let said = crate::state::log::last(state.path(), 1);
        assert!(said[0].contains("skipped a report: the ledger holds a key that is none"), "{said:?}");
    }

    #[test]
    fn a_log_is_carried_over_once_it_is_long() {
        let state = tempfile::tempdir().unwrap();
        let mut ledger = Ledger::open(state.path(), Patience::Worker, NOW).unwrap();
        let log = || std::fs::metadata(state.path().join("ledger.db-wal")).unwrap().len();
        ledger.meta_set("x", "y").unwrap();
        ledger.checkpoint_if_long().unwrap();
        assert!(log() > 0, "a short one");
        ledger.meta_set("x", &"y".repeat(1 << 20)).unwrap();
        ledger.checkpoint_if_long().unwrap();
        assert_eq!(log(), 0);
    }

    #[test]
    fn sessions_of_the_same_checkouts_are_routed_once() {
        let state = tempfile::tempdir().unwrap();
        let ledger = Ledger::open(state.path(), Patience::Worker, NOW).unwrap();
        let rows = "INSERT INTO folder (path, repo, root) VALUES
                ('/pay', 'h/a', '/pay'), ('/pay/x', 'h/a', '/pay'), ('/two', 'h/a', '/two'), ('/b', 'h/b', '/b');
            INSERT INTO session_folder (session, folder) VALUES
                ('1', '/pay'), ('2', '/pay/x'), ('2', '/b'), ('3', '/two'), ('3', '/pay'), ('4', '/gone');
            INSERT INTO report (session, repo, week, seq) VALUES
                ('1', 'h/a', '', 1), ('1', 'h/a', 'w', 1), ('2', 'h/a', '', 1), ('2', 'h/b', '', 1), ('3', 'h/a', '', 1),
                ('4', 'h/a', '', 1), ('4', 'no name', '', 1);";
        ledger.db.execute_batch(rows).unwrap();
        let shown = |(repo, roots): (Repo, Vec<PathBuf>)| format!("{repo} {roots:?}");
        let stands: Vec<String> = ledger.report_stands().unwrap().into_iter().map(shown).collect();
        let expected = [r"h/a []", r#"h/a ["/pay"]"#, r#"h/a ["/pay", "/two"]"#, r#"h/b ["/b"]"#];
        assert_eq!(stands, expected);
    }

    #[test]
    fn looking_leaves_no_trace() {
        let state = tempfile::tempdir().unwrap();
        assert!(Ledger::open_existing(&state.path().join("x"), NOW).unwrap().is_none());
        assert!(!state.path().join("x").exists());
    }

    #[cfg(unix)]
    #[test]
    fn the_state_is_the_user_s_alone() {
        use std::os::unix::fs::PermissionsExt;
        let home = tempfile::tempdir().unwrap();
        let state = home.path().join("cpvo");
        let mut ledger = Ledger::open(&state, Patience::Event, NOW).unwrap();
        ledger.meta_set("x", "y").unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&state), 0o700);
        for file in std::fs::read_dir(&state).unwrap() {
            assert_eq!(mode(&file.unwrap().path()), 0o600);
        }
    }
}
