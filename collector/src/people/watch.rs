//! Follows teams.toml: each edit that can be read becomes the map; one that cannot leaves the last good one.

use super::file::parse;
use crate::config::Clock;
use crate::store::Store;
use crate::store::people::teams_apply;
use anyhow::{Context, Result};
use notify::event::ModifyKind;
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::sync::mpsc::{Receiver, channel};

/// An editor writes a file in several steps.
const SETTLE_WAIT: Duration = Duration::from_millis(200);

/// One teams.toml, the store it is kept in, and whom to tell when it cannot be read.
pub(crate) struct Follower {
    pub path: PathBuf,
    pub store: Store,
    pub now: Clock,
    pub refused: Box<dyn Fn() + Send + Sync>,
}

impl Follower {
    /// Takes in the file as it is, then follows its edits while the returned watcher lives.
    pub(crate) async fn start(self) -> Result<RecommendedWatcher> {
        let (edited, edits) = channel(1);
        let name = self.path.file_name().map(ToOwned::to_owned);
        let concerns = move |event: &Event| {
            // a file is replaced by a rename, perhaps of a link in its folder; the database writes there too
            let replaced =
                matches!(event.kind, EventKind::Create(_) | EventKind::Modify(ModifyKind::Name(_)));
            replaced || event.paths.iter().any(|path| path.file_name() == name.as_deref())
        };
        let tell = move |event: notify::Result<Event>| {
            if event.is_ok_and(|event| concerns(&event)) {
                let _ = edited.try_send(()); // one that waits already tells the same
            }
        };
        let folder =
            self.path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let about = || format!("could not watch {}", folder.display());
        let mut watcher = notify::recommended_watcher(tell).with_context(about)?;
        watcher.watch(folder, RecursiveMode::NonRecursive).with_context(about)?;
        let mut last = String::new();
        self.take_in(&mut last).await;
        tokio::spawn(self.follow(edits, last));
        Ok(watcher)
    }

    async fn follow(self, mut edits: Receiver<()>, mut last: String) {
        while edits.recv().await.is_some() {
            tokio::time::sleep(SETTLE_WAIT).await;
            self.take_in(&mut last).await;
        }
    }

    /// Stores the file where its text is not `last`.
    async fn take_in(&self, last: &mut String) {
        let text = match fs::read_to_string(&self.path) {
            Ok(text) if text == *last => return,
            Ok(text) => text,
            Err(error) => {
                tracing::warn!(file = %self.path.display(), %error, "could not read the teams; the last map stays");
                return (self.refused)();
            }
        };
        match self.store_text(&text).await {
            Ok(teams) => tracing::info!(teams, "teams read"),
            Err(error) => {
                let (file, error) = (self.path.display(), format!("{error:#}"));
                tracing::error!(%file, error, "could not take in the teams; the last good map stays");
                (self.refused)();
            }
        }
        *last = text;
    }

    async fn store_text(&self, text: &str) -> Result<usize> {
        let teams = parse(text)?;
        let (count, now) = (teams.list.len(), (self.now)());
        self.store.write(move |db| teams_apply(db, &teams, now)).await?;
        Ok(count)
    }
}
