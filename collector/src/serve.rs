//! `cpvo serve`: the collector, from opening its database to draining at SIGTERM.

use crate::config::{Clock, Options};
use crate::http::{self, App, Counters, Hosts, Programs, Rates};
use crate::keys;
use crate::people::watch::Follower;
use crate::schedule::{self, Pauses};
use crate::store::Store;
use crate::store::price::price_publish;
use crate::store::week::week_extend;
use anyhow::{Context, Result};
use meter::{PriceBook, Week};
use notify::RecommendedWatcher;
use std::convert::Infallible;
use std::future::pending;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

const WEEK_CHECK: Duration = Duration::from_mins(10);
/// What came in is judged when nothing more comes for so long.
const NEWS_LOOK: Duration = Duration::from_secs(5);

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The address to listen on [default: what the configuration says, else 127.0.0.1:7878]
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// How events are written to standard error
    #[arg(long, value_enum, default_value = "text")]
    log: Log,
    /// Stop where standard input ends: whoever holds its other end has gone
    #[arg(long, hide = true)]
    while_stdin: bool,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Log {
    Text,
    Json,
}

pub(crate) fn run(args: &Args, options: &Options, now: Clock) -> Result<()> {
    let config = options.load()?;
    log(args.log);
    let listen = args.listen.unwrap_or(config.listen);
    let keys = keys::verifying(&config.keys)?;
    let (store, threads) = Store::start(&config.db, now())?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let served = runtime.block_on(async {
        let book = Arc::new(PriceBook::embedded());
        prepare(&store, &book, now).await?;
        let hosts = Hosts::new(listen);
        let (programs, rates) = (Programs::default(), Rates::default());
        let (counters, hooks_dir) = (Counters::default(), config.hooks_dir.clone());
        let app = Arc::new(App { store, book, keys, counters, hosts, hooks_dir, programs, rates, now });
        let _watcher = follow_teams(&config.teams, &app).await?;
        let _weeks = tokio::spawn(turn_weeks(app.store.clone(), now));
        let listener =
            TcpListener::bind(listen).await.with_context(|| format!("could not listen on {listen}"))?;
        let _schedule = schedule::start(&config, Pauses { sync: config.sync_every, look: NEWS_LOOK }, now)?;
        announce(listener.local_addr()?)?;
        http::serve(listener, app, stop(threads.writer_ended, stdin_end(args.while_stdin)?)?).await
    });
    drop(runtime);
    threads.running.join()?;
    served
}

/// What the database must hold before the first report.
async fn prepare(store: &Store, book: &Arc<PriceBook>, now: Clock) -> Result<()> {
    let book = Arc::clone(book);
    store.write(move |db| price_publish(db, &book, now())).await?;
    Ok(())
}

async fn follow_teams(path: &Path, app: &Arc<App>) -> Result<RecommendedWatcher> {
    let counting = Arc::clone(app);
    let refused = move || {
        counting.counters.teams_refused.fetch_add(1, Ordering::Relaxed);
    };
    let (store, now) = (app.store.clone(), app.now);
    Follower { path: path.to_owned(), store, now, refused: Box::new(refused) }.start().await
}

/// Adds each new week as it begins, so that a team without spend in it has its row.
async fn turn_weeks(store: Store, now: Clock) {
    let mut turns = tokio::time::interval(WEEK_CHECK);
    loop {
        turns.tick().await;
        let week = Week::of(now());
        if let Err(error) = store.write(move |db| week_extend(db, week, week)).await {
            tracing::warn!(%error, "could not begin the week");
        }
    }
}

fn announce(address: SocketAddr) -> Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "listening on http://{address}")?;
    Ok(out.flush()?)
}

/// Done where standard input ends; never where it does not matter.
fn stdin_end(matters: bool) -> Result<impl Future<Output = ()>> {
    let (end, ended) = oneshot::channel::<Infallible>();
    let watch = move || {
        let _end = end;
        drop(io::copy(&mut io::stdin(), &mut io::sink()));
    };
    let watching =
        matters.then(|| thread::Builder::new().name("stdin".to_owned()).spawn(watch)).transpose()?;
    Ok(async move {
        match watching {
            Some(_) => drop(ended.await),
            None => pending().await,
        }
    })
}

/// Done at SIGTERM or Ctrl-C, where standard input ends, or when the store can write no more.
fn stop(
    writer_ended: oneshot::Receiver<()>,
    stdin_ended: impl Future<Output = ()>,
) -> Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => tracing::info!("stopping"),
            _ = interrupt.recv() => tracing::info!("stopping"),
            () = stdin_ended => tracing::info!("stopping"),
            _ = writer_ended => tracing::error!("the store's writer ended"),
        }
    })
}

fn log(form: Log) {
    let events = tracing_subscriber::fmt().with_writer(io::stderr).with_target(false);
    match form {
        Log::Text => events.with_ansi(false).init(),
        Log::Json => events.json().init(),
    }
}
