//! Claude Code's settings files: what a repository ships for us, and what silences its hooks.

use crate::config;
use crate::terms::{Scope, Terms, scope, truthy};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// A settings file is small; a larger one is not ours to read.
const BYTES_MAX: u64 = 1 << 20;
const SHIPPED: &str = ".claude/settings.json";
/// A person's own settings for one checkout.
const LOCAL: &str = ".claude/settings.local.json";

/// What the settings in `folder` ask for; `None` where they neither name a collector nor turn us off.
pub(crate) fn shipped(folder: &Path) -> Option<Terms> {
    let mut terms = asked(&folder.join(SHIPPED), &mut Vec::new()).unwrap_or_default();
    // a person's own file may only take away: what it names as a collector counts for nothing
    if let Some(local) = asked(&folder.join(LOCAL), &mut Vec::new()) {
        let narrower = |asked: Option<Scope>| asked.filter(|scope| *scope < Scope::All);
        terms.scope = terms.scope.into_iter().chain(narrower(local.scope)).min();
        terms.identity = terms.identity.into_iter().chain(local.identity).min();
        terms.branches = terms.branches.into_iter().chain(local.branches).min();
    }
    (terms.address.is_some() || terms.scope == Some(Scope::Off)).then_some(terms)
}

/// Whether a person's own settings in `folder` turn us off there.
pub(crate) fn turned_off(folder: &Path) -> bool {
    asked(&folder.join(LOCAL), &mut Vec::new()).is_some_and(|terms| terms.scope == Some(Scope::Off))
}

/// What the settings in `folder` say for us that cannot be read, each with its file.
pub(crate) fn faults(folder: &Path) -> Vec<String> {
    let mut faults = Vec::new();
    for path in [SHIPPED, LOCAL].map(|name| folder.join(name)) {
        let mut said = Vec::new();
        asked(&path, &mut said);
        faults.extend(said.iter().map(|fault| format!("{}: {fault}", path.display())));
    }
    faults
}

/// What one settings file asks for.
fn asked(path: &Path, faults: &mut Vec<String>) -> Option<Terms> {
    let settings = parse(path).ok()??;
    let variables = settings.get("env")?.as_object()?;
    let value = |name: &str| variables.get(name).and_then(Value::as_str).map(str::to_owned);
    let mut terms = Terms::parse(value, faults);
    // these reach the hook through the environment alone
    config::billing(&value, faults);
    config::inline(&value, faults);
    if truthy(value("CPVO_DISABLE").as_deref()) {
        terms.scope = Some(Scope::Off);
    }
    Some(terms)
}

/// The scope the organisation's managed settings ask for: the only environment that may widen.
pub(crate) fn managed_scope() -> Option<Scope> {
    let settings = parse(&managed_path()).ok()??;
    scope(settings.get("env")?.get("CPVO_SCOPE")?.as_str()?)
}

/// Why hooks would not run in `folder`, one sentence for each reason.
pub(crate) fn silenced(folder: &Path, user: Option<&Path>) -> Vec<String> {
    let mut reasons = Vec::new();
    let project = [SHIPPED, LOCAL].map(|name| folder.join(name));
    let user = user.map(|claude| claude.join("settings.json"));
    for path in project.into_iter().chain(user).chain([managed_path()]) {
        let settings = match parse(&path) {
            Ok(Some(settings)) => settings,
            Ok(None) => continue,
            Err(reason) => {
                reasons.push(format!("{}: {reason}; the client ignores the whole file", path.display()));
                continue;
            }
        };
        if settings.get("disableAllHooks") == Some(&Value::Bool(true)) {
            reasons.push(format!("{}: disableAllHooks is true", path.display()));
        }
        if path == managed_path() && settings.get("allowManagedHooksOnly") == Some(&Value::Bool(true)) {
            reasons.push(format!(
                "{}: allowManagedHooksOnly is true: a repository's hooks do not run",
                path.display()
            ));
        }
        reasons.extend(
            wrong(&settings)
                .map(|reason| format!("{}: {reason}; the client ignores the whole file", path.display())),
        );
    }
    reasons
}

/// The first value of a type the client refuses, among the keys that we know.
fn wrong(settings: &Value) -> Option<String> {
    let must = |key: &str, what: &str, right: fn(&Value) -> bool| match settings.get(key) {
        Some(value) if !right(value) => Some(format!("{key} must be {what}")),
        _ => None,
    };
    if !settings.is_object() {
        return Some("not an object".to_owned());
    }
    must("env", "an object of strings", |env| {
        env.as_object().is_some_and(|env| env.values().all(Value::is_string))
    })
    .or_else(|| must("hooks", "an object", Value::is_object))
    .or_else(|| must("model", "a string", Value::is_string))
    .or_else(|| must("disableAllHooks", "true or false", Value::is_boolean))
    .or_else(|| must("permissions", "an object", Value::is_object))
}

/// `Ok(None)` where there is no such file.
fn parse(path: &Path) -> Result<Option<Value>, String> {
    match std::fs::metadata(path) {
        Err(_) => return Ok(None),
        Ok(metadata) if metadata.len() > BYTES_MAX || !metadata.is_file() => {
            return Err("not a small file".to_owned());
        }
        Ok(_) => {}
    }
    let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
    serde_json::from_str(&text).map(Some).map_err(|error| error.to_string())
}

fn managed_path() -> PathBuf {
    PathBuf::from(match () {
        () if cfg!(target_os = "macos") => "/Library/Application Support/ClaudeCode/managed-settings.json",
        () if cfg!(windows) => r"C:\Program Files\ClaudeCode\managed-settings.json",
        () => "/etc/claude-code/managed-settings.json",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(settings: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join(".claude")).unwrap();
        std::fs::write(folder.path().join(".claude/settings.json"), settings).unwrap();
        folder
    }

    #[track_caller]
    fn ships(settings: &str, expected: Option<&str>) {
        let origin =
            shipped(folder(settings).path()).and_then(|terms| terms.address.map(|a| a.origin().to_owned()));
        assert_eq!(origin.as_deref(), expected, "{settings}");
    }

    #[test]
    fn a_repository_ships_what_its_env_names() {
        ships(r#"{"env":{"CPVO_URL":"https://c.example","OTHER":"x"}}"#, Some("https://c.example"));
        ships(r#"{"env":{"CPVO_URL":"http://c.example"}}"#, None);
        ships(r#"{"env":{"CPVO_URL":5}}"#, None);
        ships(r#"{"env":["CPVO_URL"]}"#, None);
        ships(r#"{"hooks":{}}"#, None);
        ships("{", None);
    }

    #[track_caller]
    fn silences(settings: &str, expected: &str) {
        let reasons = silenced(folder(settings).path(), None).join("\n");
        assert!(
            if expected.is_empty() { reasons.is_empty() } else { reasons.contains(expected) },
            "{reasons}"
        );
    }

    #[test]
    fn what_silences_the_hooks_is_named() {
        silences(r#"{"env":{"A":"b"},"hooks":{}}"#, "");
        silences(r#"{"disableAllHooks":true}"#, "disableAllHooks is true");
        silences(r#"{"model":5}"#, "model must be a string");
        silences(r#"{"env":{"A":1}}"#, "env must be an object of strings");
        silences("{", "line 1");
    }
}
