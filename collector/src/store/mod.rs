//! Everything that touches the database. [`Store`] is a handle to the threads that own its connections.
//!
//! One thread writes: it takes what has queued up, runs it in one transaction with a savepoint for each
//! job, commits, and only then lets the answers go. A few threads read and never wait for a commit.
//!
//! No lock file keeps a second collector away: every transaction reads what it judges after it has become
//! the one writer, so a new collector may start before the old one has drained.

pub(crate) mod adoption;
pub(crate) mod attribution;
pub(crate) mod audit;
pub(crate) mod change;
pub(crate) mod charge;
pub(crate) mod closing;
pub(crate) mod cordon;
pub(crate) mod db;
pub(crate) mod delivered;
pub(crate) mod dispute;
pub(crate) mod epic;
pub(crate) mod evidence;
pub(crate) mod filter;
#[cfg(test)]
pub(crate) mod fixture;
pub(crate) mod ground;
pub(crate) mod incident;
pub(crate) mod label;
pub(crate) mod landed;
pub(crate) mod map;
pub(crate) mod mark;
pub(crate) mod migrate;
pub(crate) mod news;
pub(crate) mod outcome;
pub(crate) mod page;
pub(crate) mod people;
pub(crate) mod policy;
pub(crate) mod policy_log;
pub(crate) mod price;
pub(crate) mod quality;
pub(crate) mod repository;
pub(crate) mod request;
pub(crate) mod service;
pub(crate) mod session;
pub(crate) mod sheet;
pub(crate) mod shipping;
pub(crate) mod size;
pub(crate) mod story;
pub(crate) mod sum;
pub(crate) mod survival;
pub(crate) mod tally;
pub(crate) mod team_week;
pub(crate) mod ticket;
pub(crate) mod token;
pub(crate) mod tracker;
pub(crate) mod usage;
pub(crate) mod used;
pub(crate) mod week;
pub(crate) mod work;

use crate::config::Database;
use anyhow::{Context, Result, anyhow};
use db::{Access, Db};
use jiff::Timestamp;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use tokio::sync::oneshot;

/// Jobs that may wait; beyond it the caller is told to come back.
const QUEUE_MAX: usize = 4096;
/// Jobs that share one transaction.
const GROUP_MAX: usize = 128;
const READERS: usize = 3;

/// Opens the database for a command, brought to the schema of this program.
pub(crate) fn open(database: &Database, access: Access, now: Timestamp) -> Result<Db> {
    let mut db = Db::open(database, access)?;
    match access {
        Access::Write => migrate::migrate(&mut db, now)?,
        Access::Read => migrate::check(&mut db)?,
    }
    Ok(db)
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    /// The queue is full, or the database did not take or keep the job: nothing is stored, come back later.
    #[error("the store is busy")]
    Busy,
    /// The job itself failed; nothing of it is stored.
    #[error(transparent)]
    Failed(#[from] anyhow::Error),
}

/// Runs in the writer's transaction; what it returns is called after the COMMIT.
type Write = Box<dyn FnOnce(&mut Db) -> Result<Answer> + Send>;
type Answer = Box<dyn FnOnce() + Send>;
/// Fails only where the connection is to be opened anew.
type Read = Box<dyn FnOnce(&mut Db) -> Result<()> + Send>;

#[derive(Debug, Clone)]
pub(crate) struct Store {
    writes: SyncSender<Write>,
    reads: SyncSender<Read>,
}

/// The threads behind a [`Store`]; they end when its last handle is dropped and the queues are empty.
pub(crate) struct Threads {
    pub running: Running,
    /// Done when the writer has ended, be it by a panic.
    pub writer_ended: oneshot::Receiver<()>,
}

pub(crate) struct Running(Vec<JoinHandle<()>>);

impl Store {
    /// Opens the database, migrated, and starts the threads that own it.
    pub(crate) fn start(database: &Database, now: Timestamp) -> Result<(Self, Threads)> {
        let connection = open(database, Access::Write, now)?;
        let (writes, write_queue) = sync_channel(QUEUE_MAX);
        let (reads, read_queue) = sync_channel(QUEUE_MAX);
        let mut threads = Vec::new();
        let target = database.clone();
        let (writer_ends, writer_ended) = oneshot::channel();
        threads.push(spawn("store-write", move || {
            let _writer_ends: oneshot::Sender<()> = writer_ends;
            write_loop(connection, &target, &write_queue);
        })?);
        let queue = Arc::new(Mutex::new(read_queue));
        for _ in 0..READERS {
            let (target, queue) = (database.clone(), Arc::clone(&queue));
            threads.push(spawn("store-read", move || read_loop(&target, &queue))?);
        }
        Ok((Self { writes, reads }, Threads { running: Running(threads), writer_ended }))
    }

    /// Runs `work` in the writer's next transaction and answers after its COMMIT.
    ///
    /// The job is queued by the call itself, so that several can share one transaction before the first
    /// answer is waited for.
    pub(crate) fn write<T, W>(&self, work: W) -> impl Future<Output = Result<T, StoreError>> + use<T, W>
    where
        T: Send + 'static,
        W: FnOnce(&mut Db) -> Result<T> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let job = move |db: &mut Db| -> Result<Answer> {
            let done = db.savepoint(work)?;
            Ok(Box::new(move || drop(reply.send(done))))
        };
        let queued = self.writes.try_send(Box::new(job));
        async move {
            queued.map_err(|_| StoreError::Busy)?;
            Ok(answer.await.map_err(|_| StoreError::Busy)??)
        }
    }

    /// Done when the database answers a writer and a reader.
    pub(crate) async fn answers(&self) -> Result<(), StoreError> {
        let ask = |db: &mut Db| db.query_one("SELECT cost_nanousd FROM usage_sum", &[]).map(drop);
        self.read(ask).await?;
        self.write(ask).await
    }

    /// Runs `work` on one consistent picture of the database.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Db) -> Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        let job = move |db: &mut Db| {
            let done = db.snapshot(work);
            let healthy = if done.is_ok() { Ok(()) } else { Err(anyhow!("a query failed")) };
            drop(reply.send(done));
            healthy
        };
        self.reads.try_send(Box::new(job)).map_err(|_| StoreError::Busy)?;
        let done = answer.await.map_err(|_| StoreError::Busy)?;
        done.map_err(|error| if db::is_lost(&error) { StoreError::Busy } else { StoreError::Failed(error) })
    }
}

impl Running {
    /// Waits until everything queued is stored. A thread that panicked is an error.
    pub(crate) fn join(self) -> Result<()> {
        for thread in self.0 {
            thread.join().map_err(|_| anyhow!("a thread of the store panicked"))?;
        }
        Ok(())
    }
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>> {
    thread::Builder::new().name(name.to_owned()).spawn(work).context("could not start a thread of the store")
}

fn write_loop(first: Db, database: &Database, queue: &Receiver<Write>) {
    let mut connection = Some(first);
    while let Ok(job) = queue.recv() {
        let group = std::iter::once(job).chain(queue.try_iter().take(GROUP_MAX - 1));
        let done = with_connection(&mut connection, database, Access::Write, |db| write_group(db, group));
        match done {
            Ok(answers) => answers.into_iter().for_each(|answer| answer()),
            Err(error) => tracing::error!(error = format!("{error:#}"), "could not write to the database"),
        }
    }
    if let Some(Err(error)) = connection.as_mut().map(Db::settle) {
        tracing::warn!(error = format!("{error:#}"), "could not settle the database");
    }
}

fn write_group(db: &mut Db, group: impl Iterator<Item = Write>) -> Result<Vec<Answer>> {
    db.begin()?;
    let answers = group.map(|job| job(db)).collect::<Result<_>>()?;
    db.commit()?;
    Ok(answers)
}

fn read_loop(database: &Database, queue: &Mutex<Receiver<Read>>) {
    let mut connection = None;
    loop {
        let next = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = next else { return };
        if let Err(error) = with_connection(&mut connection, database, Access::Read, job) {
            tracing::warn!(error = format!("{error:#}"), "could not read from the database");
        }
    }
}

/// Runs `work` on the connection kept, or a new one; after a failure it is not used again.
fn with_connection<T>(
    kept: &mut Option<Db>,
    database: &Database,
    access: Access,
    work: impl FnOnce(&mut Db) -> Result<T>,
) -> Result<T> {
    let mut db = match kept.take() {
        Some(db) => db,
        None => Db::open(database, access)?,
    };
    let done = work(&mut db)?;
    *kept = Some(db);
    Ok(done)
}

#[cfg(test)]
mod tests {
    use super::db::values;
    use super::fixture::{homes, now, rows};
    use super::*;
    use anyhow::bail;
    use std::sync::mpsc::channel;

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
    }

    fn add(db: &mut Db, id: i64) -> Result<()> {
        let sql = "INSERT INTO audit VALUES ($1, 'now', 'test', 'added', 'x', '')";
        db.execute(sql, &values![id]).map(drop)
    }

    #[test]
    fn a_reader_whose_connection_was_lost_is_busy() {
        let [_, home] = homes();
        let (store, threads) = Store::start(&home.database, now()).unwrap();
        let ask =
            || runtime().block_on(store.read(|db| db.query_one("SELECT cost_nanousd FROM usage_sum", &[])));
        (0..20).for_each(|_| drop(ask().unwrap())); // every reader connects
        let cut = "SELECT CAST(pg_terminate_backend(pid, 5000) AS TEXT) FROM pg_stat_activity
            WHERE datname = current_database() AND pid <> pg_backend_pid()";
        let mut db = Db::open(&home.database, Access::Read).unwrap();
        assert!(db.query(cut, &[]).unwrap().len() > 1);
        let answers: Vec<_> = (0..20).map(|_| ask()).collect();
        assert!(answers.iter().any(|answer| matches!(answer, Err(StoreError::Busy))));
        assert!(!answers.iter().any(|answer| matches!(answer, Err(StoreError::Failed(_)))), "{answers:?}");
        drop(store);
        threads.running.join().unwrap();
    }

    #[test]
    fn a_job_that_fails_leaves_nothing_and_harms_no_other() {
        for home in homes() {
            let (store, threads) = Store::start(&home.database, now()).unwrap();
            let (before, failing, broken, after) = (
                store.write(|db| add(db, 1)),
                store.write(|db| -> Result<()> { add(db, 2).and_then(|()| bail!("changed its mind")) }),
                store.write(|db| add(db, 3).and_then(|()| add(db, 1))),
                store.write(|db| add(db, 4)),
            );
            runtime().block_on(async {
                before.await.unwrap();
                assert_eq!(failing.await.unwrap_err().to_string(), "changed its mind");
                assert!(matches!(broken.await, Err(StoreError::Failed(_))));
                after.await.unwrap();
            });
            drop(store);
            threads.running.join().unwrap();
            assert_eq!(rows(&mut home.open(), "SELECT audit_id FROM audit ORDER BY audit_id"), ["1", "4"]);
        }
    }

    #[test]
    fn what_is_answered_is_committed() {
        for home in homes() {
            let (store, _threads) = Store::start(&home.database, now()).unwrap();
            let (runtime, mut other) = (runtime(), home.open());
            for id in 1..=20 {
                runtime.block_on(store.write(move |db| add(db, id))).unwrap();
                assert_eq!(rows(&mut other, "SELECT COUNT(*) FROM audit"), [id.to_string()]);
            }
        }
    }

    #[test]
    fn a_commit_that_fails_answers_nobody_with_success() {
        for home in homes() {
            let deferred = "CREATE TABLE parent (id BIGINT PRIMARY KEY);
                CREATE TABLE child (id BIGINT REFERENCES parent (id) DEFERRABLE INITIALLY DEFERRED)";
            home.open().batch(deferred).unwrap();
            let (store, threads) = Store::start(&home.database, now()).unwrap();
            let (release, held) = channel::<()>();
            let first = store.write(move |_| Ok(held.recv()?)); // so that the next two share a transaction
            let good = store.write(|db| add(db, 1));
            let bad = store.write(|db| db.batch("INSERT INTO child VALUES (7)"));
            release.send(()).unwrap();
            runtime().block_on(async {
                drop(first.await);
                assert!(matches!(good.await, Err(StoreError::Busy)));
                assert!(matches!(bad.await, Err(StoreError::Busy)));
                store.write(|db| add(db, 2)).await.unwrap();
            });
            drop(store);
            threads.running.join().unwrap();
            assert_eq!(rows(&mut home.open(), "SELECT audit_id FROM audit"), ["2"]);
        }
    }

    #[test]
    fn a_full_queue_says_so_at_once_and_loses_nothing_it_took() {
        for home in homes() {
            let (store, threads) = Store::start(&home.database, now()).unwrap();
            let (release, held) = channel::<()>();
            let (started, starts) = channel::<()>();
            let first = store.write(move |_| {
                started.send(())?;
                Ok(held.recv()?)
            });
            starts.recv().unwrap();
            let taken: Vec<_> =
                (0..i64::try_from(QUEUE_MAX).unwrap()).map(|id| store.write(move |db| add(db, id))).collect();
            let refused = store.write(|db| add(db, -1));
            runtime().block_on(async {
                assert!(matches!(refused.await, Err(StoreError::Busy)));
                release.send(()).unwrap();
                first.await.unwrap();
                for job in taken {
                    job.await.unwrap();
                }
            });
            drop(store);
            threads.running.join().unwrap();
            let counted = rows(&mut home.open(), "SELECT COUNT(*), MIN(audit_id) FROM audit");
            assert_eq!(counted, [format!("{QUEUE_MAX}|0")]);
        }
    }

    #[test]
    fn a_panic_of_the_writer_is_told() {
        for home in homes() {
            let (store, threads) = Store::start(&home.database, now()).unwrap();
            let panicking = store.write(|_| -> Result<()> { panic!("a bug of ours") });
            runtime().block_on(async {
                assert!(matches!(panicking.await, Err(StoreError::Busy)));
                assert!(threads.writer_ended.await.is_err());
                assert!(matches!(store.write(|db| add(db, 1)).await, Err(StoreError::Busy)));
            });
            drop(store);
            assert!(threads.running.join().is_err());
        }
    }

    #[test]
    fn readers_cannot_write() {
        for home in homes() {
            let (store, _threads) = Store::start(&home.database, now()).unwrap();
            runtime().block_on(async {
                assert!(store.read(|db| add(db, 1)).await.is_err());
                assert_eq!(store.read(|db| Ok(rows(db, "SELECT 1 AS one"))).await.unwrap(), ["1"]);
            });
        }
    }
}
