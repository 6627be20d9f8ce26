//! What the pages load, each under a name that changes with what it holds: a browser may keep it for good.

use sha2::{Digest, Sha256};
use std::fmt::Write;
use std::sync::LazyLock;

/// Digits of the digest that are part of a name.
const DIGITS: usize = 10;

pub(crate) struct Asset {
    pub path: String,
    pub kind: &'static str,
    pub text: &'static str,
}

pub(crate) static STYLE: LazyLock<Asset> = LazyLock::new(|| {
    Asset::of("style", "css", "text/css; charset=utf-8", include_str!("../../assets/style.css"))
});
pub(crate) static ICON: LazyLock<Asset> =
    LazyLock::new(|| Asset::of("icon", "svg", "image/svg+xml", include_str!("../../assets/icon.svg")));

pub(crate) fn find(path: &str) -> Option<&'static Asset> {
    [&*STYLE, &*ICON].into_iter().find(|asset| asset.path == path)
}

impl Asset {
    fn of(name: &str, end: &str, kind: &'static str, text: &'static str) -> Self {
        let mut digest = String::new();
        for byte in &Sha256::digest(text)[..DIGITS / 2] {
            let _ = write!(digest, "{byte:02x}"); // writing to a String cannot fail
        }
        Self { path: format!("/assets/{name}-{digest}.{end}"), kind, text }
    }
}
