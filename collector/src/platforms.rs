//! The machines `cpvo-hook` is built for, and where its programs lie on the collector.

use std::env::consts::{ARCH, OS};
use std::path::{Path, PathBuf};

/// One kind of machine.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Platform {
    /// As Rust names it.
    pub target: &'static str,
    /// As `uname -s` and `uname -m` name it, in a pattern of the shell.
    pub uname: &'static str,
    /// The program's file name there.
    pub program: &'static str,
}

/// Of two for the same machine the first goes before: a static program runs on every Linux.
pub(crate) const PLATFORMS: [Platform; 8] = [
    platform("x86_64-unknown-linux-musl", "Linux-x86_64"),
    platform("x86_64-unknown-linux-gnu", "Linux-x86_64"),
    platform("aarch64-unknown-linux-musl", "Linux-aarch64"),
    platform("aarch64-unknown-linux-gnu", "Linux-aarch64"),
    platform("x86_64-apple-darwin", "Darwin-x86_64"),
    platform("aarch64-apple-darwin", "Darwin-arm64"),
    windows("x86_64-pc-windows-msvc", "MINGW64*-x86_64"),
    windows("x86_64-pc-windows-gnu", "MINGW64*-x86_64"),
];

const fn platform(target: &'static str, uname: &'static str) -> Platform {
    Platform { target, uname, program: "cpvo-hook" }
}

const fn windows(target: &'static str, uname: &'static str) -> Platform {
    Platform { target, uname, program: "cpvo-hook.exe" }
}

impl Platform {
    pub(crate) fn of_target(target: &str) -> Option<&'static Self> {
        PLATFORMS.iter().find(|platform| platform.target == target)
    }

    /// What a plain `cargo build` makes here.
    pub(crate) fn of_this_machine() -> &'static Self {
        let system = match OS {
            "macos" => "apple-darwin",
            "windows" => "pc-windows-msvc",
            _ => "unknown-linux-gnu",
        };
        let [first, ..] = &PLATFORMS;
        Self::of_target(&format!("{ARCH}-{system}")).unwrap_or(first)
    }

    /// Its program under the folder of all of them; no part of the path comes from a request.
    pub(crate) fn path(&self, hooks_dir: &Path) -> PathBuf {
        hooks_dir.join(self.target).join(self.program)
    }
}
