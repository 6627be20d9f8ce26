//! Where the token of a service is found: in a variable of the environment, or in a file.

use crate::config::Secret;
use anyhow::{Context, Result, ensure};
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Whatever others than its owner and group may do with a file.
const OTHERS: u32 = 0o007;

#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Deserialize)]
pub(crate) struct Token {
    /// The variable that holds it.
    #[serde(rename = "token_env")]
    env: Option<String>,
    /// The file that holds it, read anew at each sync.
    #[serde(rename = "token_file")]
    file: Option<PathBuf>,
    #[serde(skip)]
    value: Option<Secret>,
}

impl Token {
    /// Takes it from the variable it names, or else from the `usual` one; a file is relative to `folder`.
    pub(super) fn settle(
        &mut self,
        folder: &Path,
        usual: &str,
        variable: &dyn Fn(&str) -> Option<String>,
    ) -> Result<()> {
        match &mut self.file {
            Some(file) => {
                ensure!(self.env.is_none(), "either token_env or token_file, not both");
                *file = folder.join(&*file);
            }
            None => self.value = variable(self.env.get_or_insert_with(|| usual.to_owned())).map(Secret),
        }
        Ok(())
    }

    pub(super) fn read(&self) -> Result<Secret> {
        let token = match (&self.file, &self.env) {
            (Some(file), _) => {
                secret(file).with_context(|| format!("could not read the token in {}", file.display()))?
            }
            (None, variable) => {
                let variable = variable.as_deref().unwrap_or_default();
                self.value.clone().with_context(|| format!("{variable} is not set; it holds the token"))?
            }
        };
        let text = token.0.trim();
        let visible = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
        ensure!(visible, "the token is empty or not one word");
        Ok(Secret(text.to_owned()))
    }
}

/// What a file holds that is nobody else's to read.
fn secret(path: &Path) -> Result<Secret> {
    let mut file = File::open(path)?;
    let mode = file.metadata()?.permissions().mode();
    ensure!(mode & OTHERS == 0, "everybody on this machine may read it: chmod 600 {}", path.display());
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    Ok(Secret(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, Permissions};

    #[test]
    fn a_token_that_everybody_may_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        fs::write(&path, "hunter2\n").unwrap();
        let mut token = Token { file: Some("token".into()), ..Token::default() };
        token.settle(folder.path(), "X", &|_| None).unwrap();
        for (mode, is_fine) in
            [(0o600, true), (0o400, true), (0o640, true), (0o604, false), (0o644, false), (0o666, false)]
        {
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            match token.read() {
                Ok(read) => assert!(is_fine && read.0 == "hunter2", "{mode:o}"),
                Err(error) => {
                    assert!(
                        !is_fine && format!("{error:#}").contains("may read it: chmod 600 /"),
                        "{error:#}"
                    );
                }
            }
        }
    }
}
