//! `sweep`: reads what is new, delivers, and says what was sent.

use super::arguments::Choice;
use super::table::{self, Table, all, counted};
use crate::config::Config;
use crate::delivery::deliver::Summary;
use crate::state::ledger::Patience;
use crate::sweep::{Bounds, Swept};
use crate::terms::scope::Only;
use crate::terms::stage::Stage;
use crate::totals::ByModel;
use crate::work::{self, DELIVERY_MAX, Moment};
use anyhow::{Result, bail};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use jiff::Timestamp;
use serde_json::json;
use std::collections::BTreeSet;
use std::io::Write;
use std::process::ExitCode;
use std::time::Instant;

pub(super) fn run(config: &Config, now: Timestamp, choice: &Choice) -> Result<ExitCode> {
    let stage = super::stage(config, choice)?;
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
    let (swept, ledger) = swept.unzip();
    let summary = work::deliver_all(&stage, config, moment, ledger)?;
    let mut out = std::io::stdout().lock();
    if choice.json {
        writeln!(out, "{}", machine(swept.as_ref(), &summary))?;
    } else {
        write!(out, "{}", person(&stage, swept.as_ref(), &summary))?;
    }
    Ok(if summary.troubles.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A bar over the bytes there are, on a terminal only.
pub(super) fn progress_bar() -> ProgressBar {
    let style = ProgressStyle::with_template(
        "reading transcripts {bar:30} {decimal_bytes} of {decimal_total_bytes} {eta}",
    );
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
    json!({"read": read, "sent": sent, "requests": requests(summary), "refused": summary.refused, "put_off": summary.put_off, "troubles": summary.troubles}).to_string()
}

fn requests(summary: &Summary) -> u64 {
    summary.sent.values().map(|models| all(models.values()).requests).sum()
}

fn person(stage: &Stage, swept: Option<&Swept>, summary: &Summary) -> String {
    let mut lines = vec![match swept {
        None => "another sweep is reading: what it finds is sent with the next delivery".to_owned(),
        Some(swept) if swept.files == 0 => "no new lines in any transcript".to_owned(),
        Some(swept) => format!(
            "read {} of {}: {} with new lines",
            human(swept.bytes),
            counted(swept.files, "transcript"),
            counted(swept.sessions.len() as u64, "session")
        ),
    }];
    lines.push(sent(stage, summary));
    if summary.refused > 0 {
        lines.push(format!("{} set aside: cpvo-hook status says why", counted(summary.refused, "report")));
    }
    if summary.put_off > 0 {
        lines
            .push(format!("{} not taken yet: cpvo-hook status says why", counted(summary.put_off, "report")));
    }
    let troubles = swept.map(|swept| swept.troubles.as_slice()).unwrap_or_default();
    lines.extend(troubles.iter().chain(&summary.troubles).map(|trouble| format!("trouble: {trouble}")));
    let text = lines.join("\n") + "\n";
    if summary.sent.is_empty() {
        return text;
    }
    let mut models = ByModel::new();
    for (model, sum) in summary.sent.values().flatten() {
        *models.entry(model.clone()).or_default() += *sum;
    }
    text + "\n" + &table::text(&[Table::models("model", &models), Table::days(&summary.sent)])
}

/// What was sent, or why nothing was and what comes next.
fn sent(stage: &Stage, summary: &Summary) -> String {
    let sessions: BTreeSet<_> = summary.taken.iter().map(|key| &key.session).collect();
    let Only { since, repo } = &stage.scene.only;
    let Some(collector) = &stage.scene.terms.address else {
        return "nothing was sent: no collector is named here\ncpvo hooks-config has a repository ship one; CPVO_URL names one in a shell"
            .to_owned();
    };
    match summary.taken.len() as u64 {
        0 if !summary.troubles.is_empty() || summary.refused + summary.put_off > 0 => {
            "nothing was sent".to_owned()
        }
        0 if since.is_some() || repo.is_some() => {
            "nothing that waits is wanted: leave out --since or --repo to send the rest".to_owned()
        }
        0 => format!("nothing waits to be sent: {collector} has everything in scope"),
        reports => format!(
            "sent {} of {}: {}",
            counted(reports, "report"),
            counted(sessions.len() as u64, "session"),
            counted(requests(summary), "response")
        ),
    }
}

fn human(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{} kB", bytes / 1_000),
        _ => format!("{}.{} MB", bytes / 1_000_000, bytes % 1_000_000 / 100_000),
    }
}
