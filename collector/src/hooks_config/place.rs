//! One `.claude` folder of a repository: what is there is read before anything is written.

use anyhow::{Context, Result, bail, ensure};
use std::fs;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{MetadataExt, fchown};
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
        let odd = fs::metadata(&path).is_ok_and(|there| !there.is_file());
        ensure!(!odd, "{} is not a regular file: move it away first", name.display());
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

    /// Refuses a file that its owner made read-only: putting another in its place would go around that.
    pub(super) fn ensure_writable(&self) -> Result<()> {
        let locked = fs::metadata(&self.path).is_ok_and(|there| there.permissions().readonly());
        ensure!(!locked, "{} is read-only: `chmod u+w` it first", self.name.display());
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

    /// All of the new text or all of the old one, whenever the power fails; owner and permissions stay.
    fn write(&self, text: &str) -> Result<()> {
        let folder = self.path.parent().context("no folder")?;
        fs::create_dir_all(folder)?;
        let mut file = tempfile::Builder::new().prefix(".cpvo-").tempfile_in(folder)?;
        file.write_all(text.as_bytes())?;
        let permissions = match fs::metadata(&self.path) {
            Ok(there) => {
                let new = file.as_file().metadata()?;
                if (there.uid(), there.gid()) != (new.uid(), new.gid()) {
                    fchown(file.as_file(), Some(there.uid()), Some(there.gid()))
                        .context("its owner would change")?;
                }
                there.permissions()
            }
            Err(_) => permissions_of_new_file(folder)?,
        };
        file.as_file().set_permissions(permissions)?;
        file.as_file().sync_all()?;
        file.persist(&self.path)?;
        Ok(())
    }
}

/// The folders below `root` with a `.claude/settings.json`, as seen from it; links are not followed.
pub(super) fn others(root: &Path) -> Vec<PathBuf> {
    let (mut found, mut waiting) = (Vec::new(), vec![root.to_owned()]);
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let below = entry.file_type().is_ok_and(|kind| kind.is_dir());
            if below && ![".git", ".claude", "node_modules"].iter().any(|skipped| name == *skipped) {
                waiting.push(entry.path());
            }
        }
        if folder != root && folder.join(".claude/settings.json").is_file() {
            found.extend(folder.strip_prefix(root).map(Path::to_owned));
        }
    }
    found.sort();
    found
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
