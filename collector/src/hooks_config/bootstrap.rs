//! The script that installs `cpvo-hook` for whoever opens the repository, and the programs it trusts.

use crate::keys::hex;
use crate::platforms::{PLATFORMS, Platform};
use anyhow::{Context, Result, ensure};
use sha2::{Digest, Sha256};
use std::fmt::Write;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

const SHIPPED: &str = include_str!("../../../hooks-config/cpvo-bootstrap.sh");
/// Between these stand the programs; the shipped script shows the form and trusts none.
const PINS_BEGIN: &str = "case $(uname -s 2>/dev/null)-$(uname -m 2>/dev/null) in\n";
const PINS_END: &str = "*) exit 0 ;;\n";

/// A program and the SHA-256 it must have.
pub(super) struct Pin {
    platform: &'static Platform,
    sha256: String,
}

/// The programs the collector offers.
pub(super) fn pins(hooks_dir: &Path) -> Result<Vec<Pin>> {
    let mut pins = Vec::new();
    for platform in &PLATFORMS {
        let path = platform.path(hooks_dir);
        match fs::read(&path) {
            Ok(program) => pins.push(Pin { platform, sha256: hex(&Sha256::digest(program)) }),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error).with_context(|| format!("could not read {}", path.display())),
        }
    }
    let example = Platform::of_this_machine().path(hooks_dir);
    ensure!(
        !pins.is_empty(),
        "the collector offers no cpvo-hook yet: for machines like this one run \
         `cargo build --profile hook --package hook` and copy target/hook/cpvo-hook to {}",
        example.display()
    );
    Ok(pins)
}

/// The script that trusts these programs and no others.
pub(super) fn script(pins: &[Pin]) -> String {
    let mut cases = String::new();
    let mut covered = Vec::new();
    for Pin { platform, sha256 } in pins {
        if !covered.contains(&platform.uname) {
            covered.push(platform.uname);
            let Platform { target, uname, program } = platform;
            let _ =
                write!(cases, "{uname})\n    target={target} name={program}\n    sha256={sha256}\n    ;;\n");
        }
    }
    let (before, rest) = SHIPPED.split_once(PINS_BEGIN).expect("a test renders the shipped script");
    let (_, after) = rest.split_once(PINS_END).expect("a test renders the shipped script");
    format!("{before}{PINS_BEGIN}{cases}{PINS_END}{after}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pin(target: &str, sha256: char) -> Pin {
        Pin { platform: Platform::of_target(target).unwrap(), sha256: sha256.to_string().repeat(64) }
    }

    #[test]
    fn the_shipped_script_shows_the_form() {
        assert_eq!(script(&[pin("x86_64-unknown-linux-musl", '0')]), SHIPPED);
    }

    #[test]
    fn a_static_program_goes_before_one_for_the_same_machine() {
        let script = script(&[
            pin("x86_64-unknown-linux-musl", 'a'),
            pin("x86_64-unknown-linux-gnu", 'b'),
            pin("x86_64-pc-windows-msvc", 'c'),
        ]);
        assert!(script.contains("target=x86_64-unknown-linux-musl name=cpvo-hook\n"));
        assert!(script.contains("target=x86_64-pc-windows-msvc name=cpvo-hook.exe\n"));
        assert!(!script.contains("gnu") && !script.contains("0000"));
    }

    #[test]
    fn what_the_collector_offers_is_pinned_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let error = pins(folder.path()).err().unwrap().to_string();
        assert!(error.contains("--profile hook") && error.contains(std::env::consts::ARCH), "{error}");
        for target in ["aarch64-apple-darwin", "mips-unknown-linux-gnu"] {
            fs::create_dir(folder.path().join(target)).unwrap();
            fs::write(folder.path().join(target).join("cpvo-hook"), "abc").unwrap();
        }
        let pins = pins(folder.path()).unwrap();
        assert_eq!(pins.len(), 1);
        assert_eq!(pins[0].platform.target, "aarch64-apple-darwin");
        assert_eq!(pins[0].sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }
}
