//! `Secret`: the key of this installation, by which names are hashed that may not leave it.

use anyhow::{Result, anyhow};
use sha2::{Digest, Sha256};

#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret([u8; 32]);

impl Secret {
    pub(crate) fn of(key: [u8; 32]) -> Self {
        Self(key)
    }

    /// The first `digits` hexadecimal digits of a keyed hash of `text`.
    pub(crate) fn hash(&self, text: &str, digits: usize) -> String {
        // a key of fixed length in front is enough: nobody is shown a hash to extend
        let hash = Sha256::new().chain_update(self.0).chain_update(text).finalize();
        let mut hex = hex(&hash);
        hex.truncate(digits);
        hex
    }
}

/// Random bytes from the system.
pub(crate) fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| anyhow!("cannot draw random bytes: {error}"))?;
    Ok(bytes)
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    let digit = |half: u8| char::from_digit(half.into(), 16).unwrap_or_default();
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 0xf)]).collect()
}
