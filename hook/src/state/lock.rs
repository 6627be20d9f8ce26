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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_has_one_holder_at_a_time() {
        let state = tempfile::tempdir().unwrap();
        let try_to = |name: &str, patience: Patience| take(state.path(), name, patience).unwrap();
        let held = try_to("a.lock", Patience::Worker);
        assert!(held.is_some());
        assert!(try_to("a.lock", Patience::Worker).is_none());
        assert!(try_to("a.lock", Patience::Until(Instant::now())).is_none(), "however patient");
        assert!(try_to("b.lock", Patience::Worker).is_some(), "another lock");
        drop(held);
        assert!(try_to("a.lock", Patience::Worker).is_some());
    }
}
