//! `totals`: what the transcripts in scope come to, read afresh; nothing is stored or sent.

use super::sweep::progress_bar;
use crate::config::Config;
use crate::install::Install;
use crate::ledger::{Folder, Ledger, Patience};
use crate::places::Places;
use crate::scope::Routes;
use crate::secret::Secret;
use crate::stage::Stage;
use crate::sweep::{self, Reader};
use crate::totals::{self, ByModel, Sum, Totals};
use crate::walk::{self, Transcript};
use anyhow::{Result, bail};
use jiff::Timestamp;
use meter::{PriceBook, Quality};
use std::collections::HashMap;
use std::io::Write;

pub(super) fn run(config: &Config, now: Timestamp, all: bool, json: bool) -> Result<()> {
    let stage = Stage::set(&crate::current_folder(), config, all);
    if let Some(reason) = stage.closed(config) {
        bail!("nothing is read: {reason}");
    }
    let (mut files, mut troubles) = walk::find(&sweep::roots(config));
    files.sort_by(|a, b| (a.modified, &a.path).cmp(&(b.modified, &b.path)));
    let (remembered, secret) = memory(config, now)?;
    let scene = &stage.scene;
    let mut reader = Reader::new(config, &scene.terms, Places::new(remembered, &secret), &scene.folder);
    let bar = progress_bar();
    bar.set_length(files.iter().map(|file| file.size).sum());
    let mut read = |file: &Transcript| reader.read(file, None, scene.terms.since);
    let (histories, unread) = totals::read(&files, &mut read, &|bytes| bar.inc(bytes));
    bar.finish_and_clear();
    troubles.extend(unread);
    tell(&troubles);
    let mut routes = Routes::new(config, scene, reader.places.roots());
    let totals = histories.total(&PriceBook::embedded(), &mut |history, repo| {
        let roots = reader.places.roots_of(repo, history.seen.folders.iter());
        let developer = history.seen.developer.as_ref().unwrap_or(&stage.developer);
        routes.of(repo, roots).ok().flatten().filter(|terms| scene.admits(terms, developer))
    });
    let mut out = std::io::stdout().lock();
    if json {
        writeln!(out, "{}", serde_json::to_string(&totals)?)?;
    } else {
        write!(out, "{}", person(&totals, all))?;
    }
    Ok(())
}

/// The repositories of folders that are gone, where a sweep has been here, and the key to name those without remote.
fn memory(config: &Config, now: Timestamp) -> Result<(HashMap<String, Folder>, Secret)> {
    Ok(match Ledger::open_existing(&config.state, Patience::Worker, now)? {
        Some(ledger) => (ledger.folder_all()?, Install::load(&config.state)?.secret),
        None => (HashMap::new(), Secret::of([0; 32])),
    })
}

/// On stderr, as stdout is for the totals alone; who does not listen need not be told.
fn tell(troubles: &[String]) {
    for trouble in troubles {
        drop(writeln!(std::io::stderr(), "cpvo-hook: {trouble}"));
    }
}

fn person(totals: &Totals, all: bool) -> String {
    if totals.by_model.is_empty() {
        let hint = if all { "" } else { "; --all counts every session on this machine" };
        return format!("no response in scope{hint}\n");
    }
    let mut table = Table::default();
    table.head(&format!("{} by model", counted(totals.sessions as u64, "session")));
    table.models("", &totals.by_model);
    if totals.by_model.len() > 1 {
        table.row("all models".to_owned(), all_of(&totals.by_model));
    }
    if !totals.overhead.is_empty() {
        table.head("the client's own housekeeping");
        table.models("", &totals.overhead);
    }
    table.head("by day (UTC)");
    for (day, models) in &totals.by_day {
        table.models(&format!("{day}  "), models);
    }
    table.text() + &doubts(&totals.quality)
}

fn all_of(models: &ByModel) -> Sum {
    models.values().fold(Sum::default(), |mut all, sum| {
        all += *sum;
        all
    })
}

/// What a reader of the numbers should know of them.
fn doubts(quality: &Quality) -> String {
    let said = [
        (quality.malformed, "line", "could not be read"),
        (quality.interrupted, "response", "cut off: output is a lower bound"),
        (quality.unknown_usage, "request", "without a response: usage unknown"),
        (quality.unitemised, "session", "with housekeeping that cannot be told apart"),
        (quality.adopted, "response", "whose first session is not known"),
    ];
    let said = said.into_iter().filter(|(count, ..)| *count > 0);
    said.fold(String::new(), |text, (count, noun, what)| text + &counted(count, noun) + " " + what + "\n")
}

fn counted(count: u64, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

const COLUMNS: [&str; 7] =
    ["responses", "input", "output", "cache read", "written 5m", "written 1h", "searches"];

/// Lines of a name and numbers; a line without numbers is a heading.
#[derive(Default)]
struct Table(Vec<(String, Option<Sum>)>);

impl Table {
    fn head(&mut self, text: &str) {
        self.0.push((text.to_owned(), None));
    }

    fn row(&mut self, name: String, sum: Sum) {
        self.0.push((name, Some(sum)));
    }

    fn models(&mut self, before: &str, models: &ByModel) {
        for (model, sum) in models {
            self.row(format!("{before}{model}"), *sum);
        }
    }

    fn text(&self) -> String {
        let wide = self.0.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
        let line = |name: &str, cells: [String; 7]| {
            let cells = cells.map(|cell| format!("  {cell:>10}"));
            format!("{name:wide$}{}\n", cells.concat())
        };
        let mut text = String::new();
        for (name, sum) in &self.0 {
            let gap = if text.is_empty() { "" } else { "\n" };
            text += &match sum {
                None => gap.to_owned() + &line(name, COLUMNS.map(str::to_owned)),
                Some(Sum { requests, tokens }) => line(
                    name,
                    [
                        *requests,
                        tokens.input,
                        tokens.output,
                        tokens.cache_read,
                        tokens.cache_write_5m,
                        tokens.cache_write_1h,
                        tokens.web_search,
                    ]
                    .map(short),
                ),
            };
        }
        text + "\n"
    }
}

/// Three digits of a number and its size, cut and never rounded up: `999`, `1.23k`, `45.6M`.
fn short(number: u64) -> String {
    let sizes = [("T", 1_000_000_000_000), ("B", 1_000_000_000), ("M", 1_000_000), ("k", 1_000)];
    let Some((unit, size)) = sizes.into_iter().find(|(_, size)| number >= *size) else {
        return number.to_string();
    };
    let hundredths = number / (size / 100).max(1);
    let (whole, part) = (hundredths / 100, hundredths % 100);
    match whole {
        0..10 => format!("{whole}.{part:02}{unit}"),
        10..100 => format!("{whole}.{}{unit}", part / 10),
        _ => format!("{whole}{unit}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use meter::Tokens;

    #[test]
    fn numbers_are_short_and_never_too_large() {
        let cases = [
            (0, "0"),
            (999, "999"),
            (1_000, "1.00k"),
            (9_999, "9.99k"),
            (45_678, "45.6k"),
            (999_999, "999k"),
            (1_234_567, "1.23M"),
            (56_789_000_000, "56.7B"),
            (7_000_000_000_000, "7.00T"),
        ];
        for (number, expected) in cases {
            assert_eq!(short(number), expected);
        }
    }

    #[test]
    fn a_person_reads_models_days_and_doubts() {
        let tokens = |input| Tokens { input, output: 1_234, ..Tokens::default() };
        let sum = |requests, input| Sum { requests, tokens: tokens(input) };
        let models: ByModel =
            [("claude-opus-5-5".parse().unwrap(), sum(2, 50)), ("x".parse().unwrap(), sum(1, 7_000_000))]
                .into();
        let totals = Totals {
            sessions: 1,
            by_day: [("2026-11-22".parse().unwrap(), models.clone())].into(),
            overhead: [("x".parse().unwrap(), sum(0, 9))].into(),
            by_model: models,
            quality: Quality { lines: 9, malformed: 1, ..Quality::default() },
            ..Totals::default()
        };
        insta::assert_snapshot!(person(&totals, false), @r"
        1 session by model              responses       input      output  cache read  written 5m  written 1h    searches
        claude-opus-5-5                         2          50       1.23k           0           0           0           0
        x                                       1       7.00M       1.23k           0           0           0           0
        all models                              3       7.00M       2.46k           0           0           0           0

        the client's own housekeeping   responses       input      output  cache read  written 5m  written 1h    searches
        x                                       0           9       1.23k           0           0           0           0

        by day (UTC)                    responses       input      output  cache read  written 5m  written 1h    searches
        2026-11-22  claude-opus-5-5             2          50       1.23k           0           0           0           0
        2026-11-22  x                           1       7.00M       1.23k           0           0           0           0

        1 line could not be read
        ");
        assert_eq!(
            person(&Totals::default(), false),
            "no response in scope; --all counts every session on this machine\n"
        );
    }
}
