//! Waiting for a foreign process: ask again until it holds, give up loudly after a bound.

use std::thread;
use std::time::{Duration, Instant};

/// Far beyond what any awaited thing takes on a busy machine; only a fault reaches it.
const PATIENCE: Duration = Duration::from_secs(30);
const INTERVAL: Duration = Duration::from_millis(20);

/// The first answer `ask` gives.
#[track_caller]
pub fn until<T>(awaited: &str, ask: impl FnMut() -> Option<T>) -> T {
    attempt(ask).unwrap_or_else(|| panic!("waited {PATIENCE:?} in vain for {awaited}"))
}

/// The same where the caller has more to say about a wait in vain.
pub fn attempt<T>(mut ask: impl FnMut() -> Option<T>) -> Option<T> {
    let start = Instant::now();
    while start.elapsed() < PATIENCE {
        if let Some(answer) = ask() {
            return Some(answer);
        }
        thread::sleep(INTERVAL);
    }
    None
}

/// Lets time pass: for a deed whose moment was drawn by lot.
pub fn moment(length: Duration) {
    thread::sleep(length);
}
