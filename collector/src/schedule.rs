//! Syncs and judges from time to time while `cpvo serve` runs, in a thread of its own, and judges soon after reports came.
//!
//! Nobody waits for it: it ends with the program, and what it had begun in the database is then undone.

use crate::config::{Clock, Config};
use crate::judge::judge_all;
use crate::source::web::{Pace, REQUEST_MAX};
use crate::store::db::Access;
use crate::store::news::news_waiting;
use crate::store::open;
use crate::sync::{Round, in_order, wait_for};
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

/// How long to wait.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pauses {
    /// From one sync to the next.
    pub sync: Duration,
    /// From one look for news to the next: what stays the same from one to the next is judged.
    pub look: Duration,
}

/// News that does not stop is judged after so many looks.
const LOOKS_MAX: u32 = 12;

/// Takes a turn at once and then after each pause; `None` where there is nothing to read.
pub(crate) fn start(config: &Config, pauses: Pauses, now: Clock) -> Result<Option<Schedule>> {
    if config.sources.is_empty() || pauses.sync.is_zero() {
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
            if watch(&config, pauses, now, &wait).is_err() {
                return;
            }
        }
    })?;
    Ok(Some(Schedule { _running: running }))
}

/// Judges what comes in until the next sync. Fails when it is to end.
fn watch(config: &Config, pauses: Pauses, now: Clock, wait: &dyn Fn(Duration) -> Result<()>) -> Result<()> {
    let (mut known, mut looks) = (None, 0);
    let mut left = pauses.sync;
    while !left.is_zero() {
        let pause = left.min(pauses.look);
        wait(pause)?;
        left -= pause;
        let waiting = match open(&config.db, Access::Read, now()).and_then(|mut db| news_waiting(&mut db)) {
            Ok(waiting) => waiting,
            Err(error) => {
                tracing::warn!(error = format!("{error:#}"), "could not look for news");
                continue;
            }
        };
        looks = if waiting.is_some() { looks + 1 } else { 0 };
        if waiting.is_some() && (waiting == known || looks == LOOKS_MAX) {
            judge(config, now);
            looks = 0;
        }
        known = waiting;
    }
    Ok(())
}

fn judge(config: &Config, now: Clock) {
    let at = now();
    let judged =
        open(&config.db, Access::Write, at).and_then(|mut db| judge_all(&mut db, at, at, |_, _| Ok(())));
    if let Err(error) = judged {
        tracing::warn!(error = format!("{error:#}"), "could not judge");
    }
}

/// What fails is said, and tried again at the next turn.
fn turn(config: &Config, pace: Pace) {
    let mut db = match open(&config.db, Access::Write, (pace.now)()) {
        Ok(db) => db,
        Err(error) => return tracing::warn!(error = format!("{error:#}"), "could not sync"),
    };
    if let Err(error) = wait_for(&mut db, &config.sources) {
        tracing::warn!(error = format!("{error:#}"), "could not note which sources there are");
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
    judge(config, pace.now);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Options;
    use crate::http::reports::tests::deliver;
    use crate::store::fixture::{now, rows};
    use crate::store::price::price_publish;
    use ::tests::host::Reply;
    use ::tests::host::github::{GitHub, commit, request};
    use ::tests::wait::until;
    use meter::PriceBook;
    use serde_json::json;
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
        let brief = Duration::from_millis(20);
        let often = Pauses { sync: brief, look: brief };
        let schedule = start(&config, often, now).unwrap();
        until("a change to be judged", || {
            let mut db = open(&config.db, Access::Read, now()).ok()?;
            (rows(&mut db, "SELECT state FROM change") == ["verified"]).then_some(())
        });
        drop(schedule);
        assert!(start(&config, Pauses { sync: Duration::ZERO, ..often }, now).unwrap().is_none());

        // a report is judged long before the next sync
        let schedule = start(&config, Pauses { sync: Duration::from_hours(24), ..often }, now).unwrap();
        let classes = |config: &Config| {
            let mut db = open(&config.db, Access::Write, now()).ok()?;
            let judged = rows(&mut db, "SELECT judged_at FROM judged") == [now().to_string()];
            judged.then(|| rows(&mut db, "SELECT COUNT(*) FROM attribution_span"))
        };
        until("the turn at the start", || (classes(&config)? == ["0"]).then_some(()));
        let mut db = open(&config.db, Access::Write, now()).unwrap();
        db.transaction(|db| price_publish(db, &PriceBook::embedded(), now())).unwrap();
        deliver(&mut db, &json!({})).unwrap();
        until("the report to be judged", || (classes(&config)? == ["1"]).then_some(()));
        drop(schedule);
        assert!(start(&Config { sources: Vec::new(), ..config }, often, now).unwrap().is_none());
    }
}
