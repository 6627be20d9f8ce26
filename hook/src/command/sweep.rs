//! `sweep`: reads what is new, delivers, and says what was sent.

use crate::config::Config;
use crate::deliver::Summary;
use crate::ledger::Patience;
use crate::stage::Stage;
use crate::sweep::{Bounds, Swept};
use crate::work::{self, DELIVERY_MAX, Moment};
use anyhow::{Result, bail};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use jiff::Timestamp;
use serde_json::json;
use std::collections::BTreeSet;
use std::io::Write;
use std::process::ExitCode;
use std::time::Instant;

pub(super) fn run(config: &Config, now: Timestamp, all: bool, json: bool) -> Result<ExitCode> {
    let stage = Stage::set(&crate::current_folder(), config, all);
    if let Some(reason) = stage.closed(config) {
        bail!("nothing is read or sent: {reason}");
    }
    let bar = progress_bar();
    let swept = work::sweep_once(&stage, config, now, Bounds::TYPED, &|read, total| {
        bar.set_length(total);
        bar.set_position(read);
    })?;
    bar.finish_and_clear();
    let deadline = Instant::now() + DELIVERY_MAX;
    let moment = Moment { now, deadline, patience: Patience::Worker, asked: true, heal: true };
    let summary = work::deliver_all(&stage, config, moment)?;
    let swept = swept.map(|(swept, _)| swept);
    let text =
        if json { machine(swept.as_ref(), &summary) } else { person(&stage, swept.as_ref(), &summary) };
    writeln!(std::io::stdout(), "{text}")?;
    Ok(if summary.troubles.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A bar over the bytes there are, on a terminal only.
pub(super) fn progress_bar() -> ProgressBar {
    let style = ProgressStyle::with_template("reading transcripts {bar:30} {bytes}/{total_bytes} {eta}");
    let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr_with_hz(10));
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

fn machine(swept: Option<&Swept>, summary: &Summary) -> String {
    let sent: Vec<_> = summary
        .taken
        .iter()
        .map(|key| json!({"session_id": key.session, "repo": key.repo, "week": key.week}))
        .collect();
    let read = swept.map(|swept| json!({"transcripts": swept.files, "bytes": swept.bytes, "sessions": swept.sessions.len(), "troubles": swept.troubles}));
    json!({"read": read, "sent": sent, "requests": summary.requests, "refused": summary.refused, "troubles": summary.troubles}).to_string()
}

fn person(stage: &Stage, swept: Option<&Swept>, summary: &Summary) -> String {
    let mut lines = Vec::new();
    match swept {
        None => lines.push("another sweep is reading".to_owned()),
        Some(swept) if swept.files == 0 => lines.push("no new lines in any transcript".to_owned()),
        Some(swept) => lines.push(format!(
            "read {} of {}: {} with new lines",
            human(swept.bytes),
            count(swept.files, "transcript"),
            count(swept.sessions.len() as u64, "session")
        )),
    }
    let sessions: BTreeSet<_> = summary.taken.iter().map(|key| &key.session).collect();
    match (&stage.scene.terms.address, summary.taken.len()) {
        (None, 0) => lines.push(
            "no collector is named here: CPVO_URL is not set, and this repository ships none".to_owned(),
        ),
        (_, 0) => lines.push("nothing was sent".to_owned()),
        (_, reports) => lines.push(format!(
            "sent {} of {}: {}",
            count(reports as u64, "report"),
            count(sessions.len() as u64, "session"),
            count(summary.requests, "response")
        )),
    }
    if summary.refused > 0 {
        lines.push(format!("{} set aside: see cpvo-hook status", count(summary.refused, "report")));
    }
    let troubles =
        swept.map(|swept| swept.troubles.as_slice()).unwrap_or_default().iter().chain(&summary.troubles);
    lines.extend(troubles.map(|trouble| format!("trouble: {trouble}")));
    lines.join("\n")
}

fn count(number: u64, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

fn human(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{} kB", bytes / 1_000),
        _ => format!("{}.{} MB", bytes / 1_000_000, bytes % 1_000_000 / 100_000),
    }
}
