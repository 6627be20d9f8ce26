//! The identity of this installation: it outlives a ledger that had to be rebuilt.

use crate::state::secret::{Secret, hex, random};
use anyhow::{Context, Result};
use meter::InstallId;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;

pub(crate) struct Install {
    pub id: InstallId,
    pub secret: Secret,
}

impl Install {
    /// Reads the installation's identity in `state`, or draws one.
    pub(crate) fn load(state: &Path) -> Result<Self> {
        let path = state.join("install");
        if let Some(install) = std::fs::read(&path).ok().and_then(|bytes| Self::parse(&bytes)) {
            return Ok(install);
        }
        let bytes = random::<48>()?;
        create_state(state)?;
        create(&path, &bytes).with_context(|| format!("cannot write {}", path.display()))?;
        // another hook may have been first: what lies there now is the one identity
        let bytes = std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        Self::parse(&bytes).with_context(|| format!("{} is damaged: remove it", path.display()))
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let (id, key) = bytes.split_at_checked(16)?;
        let id = InstallId::try_from(hex(id)).ok()?;
        Some(Self { id, secret: Secret::of(key.try_into().ok()?) })
    }
}

/// Writes a new file of the user alone, durably, and only whole: a temporary file is linked into place.
fn create(path: &Path, bytes: &[u8]) -> Result<()> {
    let temporary = path.with_extension(hex(&random::<4>()?));
    let mut file = private().create_new(true).open(&temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    let placed = if path.exists() { std::fs::rename(&temporary, path) } else { place(&temporary, path) };
    drop(std::fs::remove_file(&temporary));
    placed?;
    if let Some(folder) = path.parent() {
        drop(File::open(folder).and_then(|folder| folder.sync_all()));
    }
    Ok(())
}

/// Like a rename, but never over a file that is there.
fn place(from: &Path, to: &Path) -> std::io::Result<()> {
    match std::fs::hard_link(from, to) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => std::fs::rename(from, to),
        _ => Ok(()),
    }
}

/// Options that create a file only the user can read.
pub(crate) fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Creates the state folder, for the user alone.
pub(crate) fn create_state(state: &Path) -> Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(state).with_context(|| format!("cannot create the state folder {}", state.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_installation_is_drawn_once_and_a_damaged_one_replaced() {
        let state = tempfile::tempdir().unwrap();
        let first = Install::load(state.path()).unwrap();
        let again = Install::load(state.path()).unwrap();
        assert_eq!((first.id.clone(), first.secret == again.secret), (again.id, true));
        std::fs::write(state.path().join("install"), "short").unwrap();
        assert_ne!(Install::load(state.path()).unwrap().id, first.id);
        assert_eq!(std::fs::read_dir(state.path()).unwrap().count(), 1);
    }
}
