//! What tests of every git host need: a sync that waits for nothing, and all that it stored.

use super::Imported;
use crate::source::web::Pace;
use crate::store::db::Db;
use crate::store::fixture::{now, on_both, rows};
use ::tests::host::{Host, Reply};
use anyhow::Result;
use std::cell::RefCell;
use std::fmt::Debug;
use std::time::Duration;

pub(crate) const ANSWER_MAX: Duration = Duration::from_secs(30);

/// Lets a sync run that is told to wait and does not, and says for how many seconds each time.
pub(crate) fn unhurried(sync: impl FnOnce(Pace<'_>) -> Result<Imported>) -> Result<(Imported, Vec<u64>)> {
    let waits = RefCell::new(Vec::new());
    let wait = |time: Duration| {
        waits.borrow_mut().push(time.as_secs());
        Ok(())
    };
    let imported = sync(Pace { now, answer_max: ANSWER_MAX, until: None, wait: &wait })?;
    Ok((imported, waits.into_inner()))
}

/// Syncs against faults of a host: nothing is stored, why is said, and the token is not.
#[track_caller]
pub(crate) fn refused<T: Debug>(
    host: &Host,
    faults: &[Option<Reply>],
    sync: impl Fn(&mut Db) -> Result<T>,
    expected: &str,
) {
    on_both(|db| {
        host.fail(faults.iter().cloned());
        let error = format!("{:#}", sync(db).unwrap_err());
        assert!(error.contains(expected), "{expected:?} is not in {error:?}");
        assert!(!error.contains("hunter2"), "{error}");
        for table in ["pull_request", "change", "service"] {
            assert!(rows(db, &format!("SELECT * FROM {table}")).is_empty(), "{table}");
        }
    });
}

pub(crate) fn sha(number: u64) -> String {
    format!("{number:040x}")
}

/// Noon of a day in October 2026.
pub(crate) fn day(day: u64) -> String {
    format!("2026-10-{day:02}T12:00:00Z")
}

/// Everything that came of a sync, in one order.
pub(crate) fn stored(db: &mut Db) -> Vec<Vec<String>> {
    let tables = [
        "change",
        "change_commit",
        "change_file",
        "pull_request",
        "pull_request_commit",
        "pull_request_file",
        "pull_request_ticket",
        "ticket",
        "ticket_event",
        "source",
        "service",
    ];
    let sorted = |table: &str, db: &mut Db| {
        let mut rows = rows(db, &format!("SELECT * FROM {table}"));
        rows.sort();
        rows
    };
    tables.map(|table| sorted(table, db)).into()
}
