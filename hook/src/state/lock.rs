//! Locks between processes: files in the state folder, let go of by the system when their holder ends.

use crate::state::install::{create_state, private};
use crate::state::ledger::Patience;
use anyhow::{Context, Result};
use std::fs::{File, TryLockError};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

/// Between two looks at a lock that is waited for.
const PAUSE: Duration = Duration::from_millis(20);

/// A lock that is waited for where there is a deadline, and else only tried: its holder does the same work.
pub(crate) fn take(state: &Path, name: &str, patience: Patience) -> Result<Option<File>> {
    create_state(state)?;
    let path = state.join(name);
    let file = private().create(true).truncate(false).open(&path);
    let file = file.with_context(|| format!("cannot open {}", path.display()))?;
    loop {
        match (file.try_lock(), patience) {
            (Ok(()), _) => return Ok(Some(file)),
            (Err(TryLockError::WouldBlock), Patience::Until(deadline)) if Instant::now() < deadline => {
                thread::sleep(PAUSE);
            }
            (Err(TryLockError::WouldBlock), _) => return Ok(None),
            (Err(TryLockError::Error(error)), _) => {
                return Err(error).with_context(|| format!("cannot lock {}", path.display()));
            }
        }
    }
}
