//! Syncs and judges from time to time while `cpvo serve` runs, in a thread of its own.
//!
//! Nobody waits for it: it ends with the program, and what it had begun in the database is then undone.

use crate::config::{Clock, Config};
use crate::judge::judge_all;
use crate::source::web::{Pace, REQUEST_MAX};
use crate::store::db::Access;
use crate::sync::{Round, in_order};
use crate::tracker::wait_for_trackers;
use anyhow::{Result, bail};
use std::convert::Infallible;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

/// How long one source may take of a turn.
const TURN_MAX: Duration = Duration::from_mins(10);

/// The turns go on until this is dropped.
pub(crate) struct Schedule {
    _running: Sender<Infallible>,
}

/// Takes a turn at once and then `every` so often; `None` where there is nothing to read.
pub(crate) fn start(config: &Config, every: Duration, now: Clock) -> Result<Option<Schedule>> {
    if config.sources.is_empty() || every.is_zero() {
        return Ok(None);
    }
    let (running, ended) = channel();
    let config = config.clone();
    thread::Builder::new().name("schedule".to_owned()).spawn(move || {
        let wait = |time| match ended.recv_timeout(time) {
            Err(RecvTimeoutError::Timeout) => Ok(()),
            _ => bail!("cpvo stops"),
        };
        loop {
            turn(&config, Pace { now, answer_max: REQUEST_MAX, until: None, wait: &wait });
            if wait(every).is_err() {
                return;
            }
        }
    })?;
    Ok(Some(Schedule { _running: running }))
}

/// What fails is said, and tried again at the next turn.
fn turn(config: &Config, pace: Pace) {
    let mut db = match crate::store::open(&config.db, Access::Write, (pace.now)()) {
        Ok(db) => db,
        Err(error) => return tracing::warn!(error = format!("{error:#}"), "could not sync"),
    };
    if let Err(error) = wait_for_trackers(&mut db, &config.sources) {
        tracing::warn!(
            error = format!("{error:#}"),
            "could not forget the trackers that are no source any more"
        );
    }
    let mut round = Round::new(&config.sources);
    for source in in_order(&config.sources) {
        let until = (pace.now)().checked_add(TURN_MAX).ok(); // or one holds up the others
        match round.read(&mut db, source, Pace { until, ..pace }) {
            Ok(synced) => tracing::info!("{synced}"),
            Err(error) => {
                tracing::warn!(
                    source = source.name(),
                    error = format!("{error:#}"),
                    "could not read a source"
                );
            }
        }
    }
    if let Err(error) = judge_all(&mut db, (pace.now)(), (pace.now)(), |_, _| Ok(())) {
        tracing::warn!(error = format!("{error:#}"), "could not judge");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Options;
    use crate::store::fixture::{now, rows};
    use ::tests::host::Reply;
    use ::tests::host::github::{GitHub, commit, request};
    use ::tests::wait::until;
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn what_fails_is_tried_again_at_the_next_turn() {
        let host = GitHub::start("acme/pay");
        let (sha, at) = ("a".repeat(40), "2026-10-02T12:00:00Z");
        host.state().touch(request(1, "Add x", at, Some((at, &sha))));
        host.state().commits.push(commit(&sha, at, "Add x (#1)", Some(1)));
        host.host().fail([Some(Reply::Status(401, vec![], String::new()))]);
        let folder = tempfile::tempdir().unwrap();
        let token = folder.path().join("token");
        fs::write(&token, "hunter2").unwrap();
        fs::set_permissions(token, Permissions::from_mode(0o600)).unwrap();
        let file = folder.path().join("cpvo.toml");
        let source = format!(
            "[[source]]\nkind = 'github'\nrepo = 'github.com/acme/pay'\nurl = '{}'\ntoken_file = 'token'",
            host.url()
        );
        fs::write(&file, source).unwrap();
        let config = Options { config: Some(file), db: None }.load().unwrap();
        let every = Duration::from_millis(20);
        let schedule = start(&config, every, now).unwrap();
        until("a change to be judged", || {
            let mut db = crate::store::open(&config.db, Access::Read, now()).ok()?;
            (rows(&mut db, "SELECT state FROM change") == ["verified"]).then_some(())
        });
        drop(schedule);
        assert!(start(&config, Duration::ZERO, now).unwrap().is_none());
        assert!(start(&Config { sources: Vec::new(), ..config }, every, now).unwrap().is_none());
    }
}
