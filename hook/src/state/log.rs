//! The log in the state folder: where a hook that may not speak says what went wrong.

use crate::state::install::private;
use anyhow::Result;
use jiff::Timestamp;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Two files of this size are kept.
const BYTES_MAX: u64 = 512 << 10;
const LINE_BYTES_MAX: usize = 2 << 10;

/// Adds one line. A log that cannot be written is nobody's business.
pub(crate) fn write(state: &Path, now: Timestamp, command: &str, message: &str) {
    drop(append(state, now, command, message));
}

fn append(state: &Path, now: Timestamp, command: &str, message: &str) -> Result<()> {
    crate::state::install::create_state(state)?;
    let path = path(state);
    if std::fs::metadata(&path).is_ok_and(|metadata| metadata.len() > BYTES_MAX) {
        std::fs::rename(&path, path.with_extension("1"))?;
    }
    let mut line: String = format!("{now:.0} {command}: {message}").replace(['\n', '\r'], " ");
    line.truncate(line.floor_char_boundary(LINE_BYTES_MAX));
    let mut file = private().append(true).create(true).open(&path)?;
    Ok(file.write_all(format!("{line}\n").as_bytes())?)
}

/// The last `count` lines, the newest last.
pub(crate) fn last(state: &Path, count: usize) -> Vec<String> {
    let text = std::fs::read(path(state)).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    lines.iter().skip(lines.len().saturating_sub(count)).map(|line| (*line).to_owned()).collect()
}

fn path(state: &Path) -> PathBuf {
    state.join("log")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_keeps_the_newest_and_stays_small() {
        let state = tempfile::tempdir().unwrap();
        let message = "x".repeat(5000);
        for n in 0..1500 {
            write(state.path(), Timestamp::UNIX_EPOCH, "sweep", &format!("{n} {message}\nforged line"));
        }
        let size: u64 = std::fs::read_dir(state.path())
            .unwrap()
            .map(|file| file.unwrap().metadata().unwrap().len())
            .sum();
        assert!(size <= 2 * BYTES_MAX + 8192, "{size}");
        let last = last(state.path(), 2);
        assert!(last[1].starts_with("1970-01-01T00:00:00Z sweep: 1499 xxx"), "{}", &last[1][..60]);
    }
}
