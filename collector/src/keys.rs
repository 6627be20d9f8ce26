//! The collector's signing keys: Ed25519, one PEM file each, named by the id a token carries.
//!
//! Every key in the folder verifies, so a new one can be added before an old one goes; the last by name signs.

use anyhow::{Context, Result, anyhow, bail};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// What RFC 8410 puts before the 32 secret bytes of an Ed25519 key in PKCS #8.
const PKCS8_HEAD: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];

/// The public halves, by id.
#[derive(Clone)]
pub(crate) struct Verifying(BTreeMap<String, DecodingKey>);

impl Verifying {
    pub(crate) fn get(&self, id: &str) -> Option<&DecodingKey> {
        self.0.get(id)
    }
}

pub(crate) struct Signing {
    id: String,
    key: EncodingKey,
}

impl Signing {
    pub(crate) fn sign(&self, claims: &impl Serialize) -> Result<String> {
        let header = Header { kid: Some(self.id.clone()), ..Header::new(Algorithm::EdDSA) };
        jsonwebtoken::encode(&header, claims, &self.key).context("could not sign a token")
    }
}

/// Writes a new key into `folder`, readable by its owner only. Returns its file.
pub(crate) fn create(folder: &Path) -> Result<PathBuf> {
    let mut random = [0; 40];
    getrandom::fill(&mut random).map_err(|error| anyhow!("no random bytes from the system: {error}"))?;
    let (id, secret) = random.split_at(8);
    let der = [&PKCS8_HEAD, secret].concat();
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", STANDARD.encode(der));
    let path = folder.join(format!("{}.pem", hex(id)));
    let write = || -> std::io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        file.write_all(pem.as_bytes())?;
        file.sync_all()
    };
    write().with_context(|| format!("could not write the key {}", path.display()))?;
    Ok(path)
}

/// Whether the folder holds a key.
pub(crate) fn any(folder: &Path) -> bool {
    files(folder).is_ok_and(|files| !files.is_empty())
}

pub(crate) fn verifying(folder: &Path) -> Result<Verifying> {
    let public = |(id, key): (String, EncodingKey)| {
        let jwk = Jwk::from_encoding_key(&key, Algorithm::EdDSA)?;
        Ok((id, DecodingKey::from_jwk(&jwk)?))
    };
    let keys = load(folder)?.into_iter().map(public).collect::<Result<_, jsonwebtoken::errors::Error>>();
    keys.map(Verifying).with_context(|| format!("a key in {} is no Ed25519 key", folder.display()))
}

pub(crate) fn signing(folder: &Path) -> Result<Signing> {
    let (id, key) = load(folder)?.pop().context("no key")?;
    Ok(Signing { id, key })
}

fn load(folder: &Path) -> Result<Vec<(String, EncodingKey)>> {
    let read = |path: &PathBuf| {
        let pem = fs::read(path).with_context(|| format!("could not read {}", path.display()))?;
        let key = EncodingKey::from_ed_pem(&pem)
            .with_context(|| format!("{} is no Ed25519 key", path.display()))?;
        let id = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        Ok((id, key))
    };
    let files = files(folder).with_context(|| format!("could not read the keys in {}", folder.display()))?;
    if files.is_empty() {
        bail!("there is no key in {}: run `cpvo init`", folder.display());
    }
    files.iter().map(read).collect()
}

fn files(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let paths = fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path()));
    let mut files = paths.collect::<std::io::Result<Vec<_>>>()?;
    files.retain(|path| path.extension().is_some_and(|extension| extension == "pem"));
    files.sort();
    Ok(files)
}

/// Bytes as lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_key_is_its_owners_only_and_signs() {
        let folder = tempfile::tempdir().unwrap();
        let keys = folder.path().join("keys");
        assert!(signing(&keys).is_err() && !any(&keys));
        let file = create(&keys).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&file), mode(&keys)), (0o600, 0o700));
        assert!(any(&keys));
        signing(&keys).unwrap().sign(&serde_json::json!({"exp": 1})).unwrap();
        verifying(&keys).unwrap();
    }

    #[test]
    fn what_is_no_key_is_named() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(
            folder.path().join("a.pem"),
            "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
        )
        .unwrap();
        let error = format!("{:#}", signing(folder.path()).err().unwrap());
        assert!(error.contains("a.pem"), "{error}");
    }
}
