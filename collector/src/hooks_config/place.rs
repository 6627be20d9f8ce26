//! One `.claude` folder of a repository: what is there is read before anything is written.

use anyhow::{Context, Result, bail, ensure};
use std::fs;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

/// A file we may write, and what it holds now.
pub(super) struct Place {
    /// Where the bytes are: the end of a link, if it is one.
    path: PathBuf,
    /// As people name it, from the repository's root.
    name: PathBuf,
    text: Option<String>,
}

impl Place {
    /// Reads `name` under `root`, a folder without links in its path.
    pub(super) fn read(root: &Path, name: &Path) -> Result<Self> {
        let path = real_path(root, name)?;
        let text = match fs::read(&path) {
            Ok(bytes) => {
                let text = String::from_utf8(bytes);
                Some(text.with_context(|| format!("{} is not UTF-8", name.display()))?)
            }
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(error).with_context(|| format!("could not read {}", path.display())),
        };
        Ok(Self { path, name: name.to_owned(), text })
    }

    pub(super) fn name(&self) -> &Path {
        &self.name
    }

    pub(super) fn text(&self) -> Option<&str> {
        self.text.as_deref()
    }

    /// Refuses a file that we did not write.
    pub(super) fn ensure_ours(&self, mark: &str) -> Result<()> {
        let ours = self.text().is_none_or(|text| text.contains(mark));
        ensure!(ours, "{} is there and cpvo did not write it: move it away first", self.name.display());
        Ok(())
    }

    /// Makes the file hold `text`, or be gone; says whether that changed anything.
    pub(super) fn set(&self, text: Option<&str>) -> Result<bool> {
        if self.text() == text {
            return Ok(false);
        }
        if let Some(text) = text {
            self.write(text).with_context(|| format!("could not write {}", self.path.display()))?;
        } else {
            fs::remove_file(&self.path)
                .with_context(|| format!("could not remove {}", self.path.display()))?;
            // only an empty folder goes; any other is not ours
            let _ = self.path.parent().map(fs::remove_dir);
        }
        Ok(true)
    }

    /// All of the new text or all of the old one, whenever the power fails; permissions stay.
    fn write(&self, text: &str) -> Result<()> {
        let folder = self.path.parent().context("no folder")?;
        fs::create_dir_all(folder)?;
        let mut file = tempfile::Builder::new().prefix(".cpvo-").tempfile_in(folder)?;
        file.write_all(text.as_bytes())?;
        let permissions = match fs::metadata(&self.path) {
            Ok(there) => there.permissions(),
            Err(_) => permissions_of_new_file(folder)?,
        };
        file.as_file().set_permissions(permissions)?;
        file.as_file().sync_all()?;
        file.persist(&self.path)?;
        Ok(())
    }
}

/// Temporary files are private; what a repository ships has the permissions any new file has.
fn permissions_of_new_file(folder: &Path) -> Result<fs::Permissions> {
    let probe =
        tempfile::Builder::new().prefix(".cpvo-").make_in(folder, |path| fs::File::create_new(path))?;
    Ok(probe.as_file().metadata()?.permissions())
}

/// Follows links, but not out of the repository: somebody else's file is not ours to edit.
fn real_path(root: &Path, name: &Path) -> Result<PathBuf> {
    let mut path = root.to_owned();
    for part in name.components() {
        path.push(part);
        match fs::canonicalize(&path) {
            Ok(real) => path = real,
            Err(error) if error.kind() == ErrorKind::NotFound && !path.is_symlink() => {}
            Err(error) => return Err(error).with_context(|| format!("could not follow {}", path.display())),
        }
        if !path.starts_with(root) {
            bail!(
                "{} leads to {}, out of the repository: edit that file by itself",
                name.display(),
                path.display()
            );
        }
    }
    Ok(path)
}
