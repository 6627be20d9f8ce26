//! Follows teams.toml: each edit that can be read becomes the map; one that cannot leaves the last good one.

use super::file::{Fault, parse};
use crate::config::Clock;
use crate::store::db::Db;
use crate::store::people::teams_apply;
use crate::store::policy::policy_complaints;
use crate::store::{Store, StoreError};
use anyhow::{Context, Result};
use notify::event::ModifyKind;
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use std::fs;
use std::io::{ErrorKind, Write, stderr};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::sync::mpsc::{Receiver, channel};
use tokio::time::timeout;

/// An editor writes a file in several steps.
const SETTLE_WAIT: Duration = Duration::from_millis(200);
/// Not every edit is told: the file may lie on a share, or be a link that was turned elsewhere.
const LOOK_PAUSE: Duration = Duration::from_mins(1);
/// Until a text that the store did not take is offered again.
const RETRY_PAUSE: Duration = Duration::from_secs(5);

/// One teams.toml, the store it is kept in, and whom to tell when it cannot be read.
pub(crate) struct Follower {
    pub path: PathBuf,
    pub store: Store,
    pub now: Clock,
    pub refused: Box<dyn Fn() + Send + Sync>,
}

/// What was last seen of the file and is done with.
#[derive(PartialEq, Eq)]
enum Seen {
    Text(String),
    Unreadable(ErrorKind),
}

/// Why a text did not become the map.
enum Failure {
    /// It is not right, and stays so until it is edited.
    Refused(Fault),
    /// The text is right; the store may take it later.
    Store(StoreError),
}

impl Follower {
    /// Takes in the file as it is, then follows its edits while the returned watcher lives.
    pub(crate) async fn start(self) -> Result<RecommendedWatcher> {
        let (edited, edits) = channel(1);
        // the file itself is edited where a link leads to; a broken link is seen once it is mended
        let target = self.path.canonicalize().unwrap_or_else(|_| self.path.clone());
        let names = [&self.path, &target].map(|path| path.file_name().map(ToOwned::to_owned));
        let concerns = move |event: &Event| {
            // a file is replaced by a rename, perhaps of a link in its folder; the database writes there too
            let replaced =
                matches!(event.kind, EventKind::Create(_) | EventKind::Modify(ModifyKind::Name(_)));
            let ours =
                event.paths.iter().any(|path| names.iter().any(|name| path.file_name() == name.as_deref()));
            // our own reading is an access
            replaced || ours && !matches!(event.kind, EventKind::Access(_))
        };
        let tell = move |event: notify::Result<Event>| {
            if event.is_ok_and(|event| concerns(&event)) {
                let _ = edited.try_send(()); // one that waits already tells the same
            }
        };
        let mut watcher = notify::recommended_watcher(tell).context("could not watch files")?;
        for folder in [folder(&self.path), folder(&target)] {
            let about = || format!("could not watch {}", folder.display());
            watcher.watch(folder, RecursiveMode::NonRecursive).with_context(about)?;
        }
        let mut last = Seen::Text(String::new());
        let taken = self.take_in(&mut last).await;
        if let Err(Failure::Refused(fault)) = &taken {
            // once, to whoever starts the collector; events never quote the file
            let _ = writeln!(stderr(), "{}: {fault}", self.path.display());
        }
        tokio::spawn(self.follow(edits, last, taken));
        Ok(watcher)
    }

    async fn follow(self, mut edits: Receiver<()>, mut last: Seen, mut taken: Result<(), Failure>) {
        loop {
            let pause = if matches!(taken, Err(Failure::Store(_))) { RETRY_PAUSE } else { LOOK_PAUSE };
            match timeout(pause, edits.recv()).await {
                Ok(None) => return,
                Ok(Some(())) => tokio::time::sleep(SETTLE_WAIT).await,
                Err(_) => {}
            }
            taken = self.take_in(&mut last).await;
        }
    }

    /// Stores the file where it is not as it was `last`.
    async fn take_in(&self, last: &mut Seen) -> Result<(), Failure> {
        let seen = match fs::read_to_string(&self.path) {
            Ok(text) => Seen::Text(text),
            Err(error) => Seen::Unreadable(error.kind()),
        };
        if seen == *last {
            return Ok(());
        }
        let file = self.path.display();
        let taken = match &seen {
            Seen::Text(text) => self.store_text(text).await,
            Seen::Unreadable(kind) => {
                tracing::warn!(%file, error = %kind, "could not read the teams; the last map stays");
                (self.refused)();
                Ok(())
            }
        };
        match &taken {
            Ok(()) => {}
            Err(Failure::Refused(Fault { line, kind, .. })) => {
                tracing::error!(%file, line, kind, "could not take in the teams; the last good map stays");
                (self.refused)();
            }
            Err(Failure::Store(error)) => {
                tracing::warn!(%file, %error, "could not store the teams; tried again soon");
                return taken;
            }
        }
        *last = seen;
        taken
    }

    async fn store_text(&self, text: &str) -> Result<(), Failure> {
        let teams = parse(text).map_err(Failure::Refused)?;
        let (count, now) = (teams.list.len(), (self.now)());
        let shared = teams.shared(now);
        let applied = move |db: &mut Db| {
            teams_apply(db, &teams, now)?;
            policy_complaints(db, &teams)
        };
        let complaints = self.store.write(applied).await.map_err(Failure::Store)?;
        tracing::info!(teams = count, "teams read");
        for told in shared {
            tracing::warn!("{told}");
        }
        if !complaints.is_empty() {
            let teams = complaints.len();
            tracing::warn!(
                teams,
                "the file asks for another policy than holds; `cpvo judge` names the teams"
            );
        }
        Ok(())
    }
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
