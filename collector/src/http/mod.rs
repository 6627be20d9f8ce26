//! Everything that knows HTTP: the routes on one screen, and the loop that serves them.

mod answer;
mod auth;
mod body;
mod changes;
mod dashboard;
mod error;
mod export;
mod health;
mod hook_binary;
mod hosts;
mod html;
mod incidents;
mod missing;
mod rate;
pub(crate) mod reports;
mod tables;
mod teams;
mod weeks;

use crate::config::Clock;
use crate::keys::Verifying;
use crate::store::Store;
use anyhow::Result;
use axum::Router;
use axum::http::header::SERVER;
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{get, post};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use meter::PriceBook;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tower_http::compression::CompressionLayer;
use tower_http::set_header::SetResponseHeaderLayer;
use tower_http::timeout::TimeoutLayer;

pub(crate) use auth::{REVOKED, Refusal, claims, token_id};
pub(crate) use health::Counters;
pub(crate) use hook_binary::Programs;
pub(crate) use hosts::Hosts;
pub(crate) use rate::Rates;

/// A client that has not sent its headers by then is cut off; so is an idle connection.
const HEADERS_WAIT: Duration = Duration::from_secs(10);
const REQUEST_WAIT: Duration = Duration::from_secs(30);
/// A client that does not read its answer is cut off by then. A connection in use is too: a hook's is over in
/// seconds, and 8 MB of `cpvo-hook` arrive in time at a quarter of a Mbit/s.
const CONNECTION_LIFE: Duration = Duration::from_mins(5);
/// How long requests under way may take once the server is to stop.
const DRAIN_WAIT: Duration = Duration::from_secs(10);
/// A hook offers what an older collector did not know again when this changes.
const VERSION: HeaderValue = HeaderValue::from_static(concat!("cpvo/", env!("CARGO_PKG_VERSION")));
const CONNECTIONS_MAX: usize = 2048;
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What every handler may use.
pub(crate) struct App {
    pub store: Store,
    pub book: Arc<PriceBook>,
    pub keys: Verifying,
    pub counters: Counters,
    /// Who may read the page.
    pub hosts: Hosts,
    /// The programs `/v1/hook` gives out.
    pub hooks_dir: PathBuf,
    pub programs: Programs,
    pub rates: Rates,
    pub now: Clock,
}

fn routes(app: Arc<App>) -> Router {
    let read = Router::new()
        .route("/", get(dashboard::get))
        .route("/teams", get(dashboard::teams))
        .route("/teams/{team}", get(dashboard::team))
        .route("/changes", get(dashboard::changes))
        .route("/changes/{*id}", get(dashboard::change))
        .route("/repositories", get(tables::all_repositories))
        .route("/repositories/{*repo}", get(tables::one_repository))
        .route("/models", get(tables::by_model))
        .route("/caching", get(tables::by_cache))
        .route("/adoption", get(tables::by_people))
        .route("/quality", get(tables::of_data))
        .route("/policies", get(tables::of_policies))
        .route("/collected", get(tables::of_reports))
        .route("/assets/{name}", get(dashboard::asset))
        .route("/v1/weeks", get(weeks::get))
        .route("/v1/teams/{team}", get(teams::get))
        .route("/v1/changes", get(changes::get))
        .route("/v1/export/{file}", get(export::get))
        .route_layer(from_fn_with_state(Arc::clone(&app), hosts::guard))
        .route_layer(from_fn(html::readable))
        .route_layer(CompressionLayer::new());
    Router::new()
        .merge(read)
        .route("/v1/reports", post(reports::post))
        .route("/v1/sessions/missing", post(missing::post))
        .route("/v1/incidents", post(incidents::post))
        .route("/v1/hook/{target}", get(hook_binary::get))
        .route("/healthz", get(health::live))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(health::metrics))
        .fallback(html::nowhere)
        .layer(SetResponseHeaderLayer::overriding(SERVER, VERSION))
        .layer(TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, REQUEST_WAIT))
        .layer(from_fn(html::in_json))
        .with_state(app)
}

/// Serves until `stop` is done, then lets requests under way finish.
pub(crate) async fn serve(
    listener: TcpListener,
    app: Arc<App>,
    stop: impl Future<Output = ()>,
) -> Result<()> {
    let service = TowerToHyperService::new(routes(app));
    let mut server = http1::Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(HEADERS_WAIT).max_buf_size(16 * 1024);
    let under_way = GracefulShutdown::new();
    let slots = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut stop = std::pin::pin!(stop);
    loop {
        let (stream, slot) = tokio::select! {
            accepted = accept(&listener, &slots) => accepted?,
            () = &mut stop => break,
        };
        let connection = under_way.watch(server.serve_connection(TokioIo::new(stream), service.clone()));
        tokio::spawn(async move {
            carry(connection, CONNECTION_LIFE).await;
            drop(slot);
        });
    }
    drop(listener);
    if tokio::time::timeout(DRAIN_WAIT, under_way.shutdown()).await.is_err() {
        tracing::warn!("requests were still under way at the stop");
    }
    Ok(())
}

async fn carry(connection: impl Future<Output = hyper::Result<()>>, life: Duration) {
    match tokio::time::timeout(life, connection).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "a connection broke"),
        Err(_) => tracing::debug!("a connection was cut off at the end of its life"),
    }
}

/// The next connection there is room for.
async fn accept(listener: &TcpListener, slots: &Arc<Semaphore>) -> Result<(TcpStream, OwnedSemaphorePermit)> {
    let slot = Arc::clone(slots).acquire_owned().await?;
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return Ok((stream, slot)),
            Err(error) => tracing::warn!(%error, "could not accept a connection"),
        }
        tokio::time::sleep(ACCEPT_PAUSE).await; // such as no file descriptors left
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::task::{Context, Waker};

    #[tokio::test]
    async fn a_connection_that_never_ends_is_cut_off() {
        let carried = carry(std::future::pending(), Duration::from_millis(1));
        tokio::time::timeout(Duration::from_mins(1), carried).await.expect("it ends");
    }

    #[tokio::test]
    async fn a_connection_beyond_the_limit_waits_for_the_end_of_another() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let _clients =
            (TcpStream::connect(address).await.unwrap(), TcpStream::connect(address).await.unwrap());
        let slots = Arc::new(Semaphore::new(1));
        let (_first, slot) = accept(&listener, &slots).await.unwrap();
        let mut second = std::pin::pin!(accept(&listener, &slots));
        assert!(second.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        drop(slot);
        drop(second.await.unwrap());
    }
}
