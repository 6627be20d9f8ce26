//! A ledger with spoilt bytes, in memory where the machine has a folder for that (`TMPDIR`).

#![no_main]

use std::sync::LazyLock;
use tempfile::TempDir;

static FOLDER: LazyLock<TempDir> = LazyLock::new(|| tempfile::tempdir().expect("a temporary folder"));

libfuzzer_sys::fuzz_target!(|spoilt: &[u8]| hook::fuzz::ledger(FOLDER.path(), spoilt));
