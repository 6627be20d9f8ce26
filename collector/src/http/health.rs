//! For the supervisor and the scraper: alive, ready, counts. Never a person, a repository or a branch.

use super::App;
use super::error::Error;
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use meter::Status;
use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

const STATUSES: [(Status, &str); 5] = [
    (Status::Applied, "applied"),
    (Status::Same, "same"),
    (Status::Stale, "stale"),
    (Status::Held, "held"),
    (Status::Rejected, "rejected"),
];

/// Since the start of this process.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    reports: [AtomicU64; STATUSES.len()],
    /// Edits of teams.toml that could not be read; the last good map went on.
    pub teams_refused: AtomicU64,
}

impl Counters {
    /// Each answer and how often it was given.
    pub(crate) fn answered(&self) -> [(&'static str, u64); STATUSES.len()] {
        std::array::from_fn(|index| (STATUSES[index].1, self.reports[index].load(Ordering::Relaxed)))
    }

    pub(super) fn count(&self, status: Status) {
        if let Some(index) = STATUSES.iter().position(|(known, _)| *known == status) {
            self.reports[index].fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// The process answers.
pub(super) async fn live() -> &'static str {
    "ok\n"
}

/// The database answers, for writing too.
pub(super) async fn ready(State(app): State<Arc<App>>) -> Result<&'static str, Error> {
    app.store.answers().await?;
    Ok("ready\n")
}

/// In the text format of Prometheus.
pub(super) async fn metrics(State(app): State<Arc<App>>) -> impl IntoResponse {
    let mut text = String::from(
        "# HELP cpvo_reports_total Reports by what was answered.\n# TYPE cpvo_reports_total counter\n",
    );
    for (word, count) in app.counters.answered() {
        let _ = writeln!(text, "cpvo_reports_total{{status=\"{word}\"}} {count}");
    }
    let refused = app.counters.teams_refused.load(Ordering::Relaxed);
    let _ = write!(
        text,
        "# HELP cpvo_teams_refused_total Edits of teams.toml that could not be read.\n\
         # TYPE cpvo_teams_refused_total counter\ncpvo_teams_refused_total {refused}\n"
    );
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text)
}
