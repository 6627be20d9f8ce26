//! Where the token of a service is found: in a variable of the environment, or in a file.

use crate::config::Secret;
use anyhow::{Context, Result, ensure};
use std::fs;
use std::path::{Path, PathBuf};

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
                let text = fs::read_to_string(file);
                Secret(text.with_context(|| format!("could not read the token in {}", file.display()))?)
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
