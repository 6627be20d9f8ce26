//! Tables of tokens for a person: by model and by day, numbers in three digits, eighty columns wide.

use crate::totals::{ByDay, ByModel, Sum};

/// A longer name stands on a line of its own.
const NAME_MAX: usize = 27;
/// Earlier days are one line.
const DAYS_MAX: usize = 31;

type Column = (&'static str, fn(&Sum) -> u64);

const COLUMNS: [Column; 5] = [
    ("responses", |sum| sum.requests),
    ("input", |sum| sum.tokens.input),
    ("output", |sum| sum.tokens.output),
    ("cached", |sum| sum.tokens.cache_read),
    ("written", |sum| sum.tokens.cache_write_5m.saturating_add(sum.tokens.cache_write_1h)),
];
/// Shown only where there were some.
const SEARCHES: Column = ("searches", |sum| sum.tokens.web_search);

/// Lines of a name and numbers, under a heading.
pub(super) struct Table {
    head: &'static str,
    lines: Vec<(String, Sum)>,
}

impl Table {
    pub(super) fn models(head: &'static str, models: &ByModel) -> Self {
        let mut lines: Vec<_> = models.iter().map(|(model, sum)| (model.to_string(), *sum)).collect();
        if models.len() > 1 {
            lines.push(("all".to_owned(), all(models.values())));
        }
        Self { head, lines }
    }

    pub(super) fn days(days: &ByDay) -> Self {
        let sums: Vec<_> = days.iter().map(|(day, models)| (day, all(models.values()))).collect();
        let (earlier, latest) = sums.split_at(sums.len().saturating_sub(DAYS_MAX));
        let mut lines = Vec::new();
        if !earlier.is_empty() {
            lines.push((
                counted(earlier.len() as u64, "day") + " before",
                all(earlier.iter().map(|(_, sum)| sum)),
            ));
        }
        lines.extend(latest.iter().map(|(day, sum)| (day.to_string(), *sum)));
        Self { head: "day (UTC)", lines }
    }
}

pub(super) fn all<'a>(sums: impl Iterator<Item = &'a Sum>) -> Sum {
    sums.fold(Sum::default(), |mut all, sum| {
        all += *sum;
        all
    })
}

/// The tables with their columns under each other, an empty line between.
pub(super) fn text(tables: &[Table]) -> String {
    let tables: Vec<&Table> = tables.iter().filter(|table| !table.lines.is_empty()).collect();
    let sums = || tables.iter().flat_map(|table| table.lines.iter().map(|(_, sum)| sum));
    let searched = sums().any(|sum| sum.tokens.web_search > 0);
    let columns: Vec<Column> = COLUMNS.into_iter().chain(Some(SEARCHES).filter(|_| searched)).collect();
    let width = |(head, count): &Column| {
        sums().map(|sum| short(count(sum)).len()).chain([head.len()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = columns.iter().map(width).collect();
    let names = tables.iter().flat_map(|table| table.lines.iter().map(|(name, _)| name.chars().count()));
    let heads = tables.iter().map(|table| table.head.len());
    let wide = names.filter(|wide| *wide <= NAME_MAX).chain(heads).max().unwrap_or(0);
    let line = |name: &str, cells: Vec<String>| {
        let cells = cells.iter().zip(&widths).map(|(cell, width)| format!("  {cell:>width$}"));
        let own_line = if name.chars().count() > wide { format!("{name}\n") } else { String::new() };
        let name = if own_line.is_empty() { name } else { "" };
        format!("{own_line}{name:wide$}{}\n", cells.collect::<String>())
    };
    let table = |table: &&Table| {
        let heads = columns.iter().map(|(head, _)| (*head).to_owned()).collect();
        let lines = table
            .lines
            .iter()
            .map(|(name, sum)| line(name, columns.iter().map(|(_, count)| short(count(sum))).collect()));
        line(table.head, heads) + &lines.collect::<String>()
    };
    tables.iter().map(table).collect::<Vec<_>>().join("\n")
}

/// Two or three digits of a number and its size, cut and never rounded up: `999`, `1.2 k`, `45.6 M`, `789 B`.
pub(super) fn short(number: u64) -> String {
    let sizes = [("T", 1_000_000_000_000), ("B", 1_000_000_000), ("M", 1_000_000), ("k", 1_000)];
    let Some((unit, size)) = sizes.into_iter().find(|(_, size)| number >= *size) else {
        return number.to_string();
    };
    match (number / size, number / (size / 10) % 10) {
        (whole @ 0..100, tenth) => format!("{whole}.{tenth} {unit}"),
        (whole, _) => format!("{whole} {unit}"),
    }
}

pub(super) fn counted(count: u64, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
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
            (1_000, "1.0 k"),
            (9_999, "9.9 k"),
            (45_678, "45.6 k"),
            (999_999, "999 k"),
            (1_234_567, "1.2 M"),
            (56_789_000_000, "56.7 B"),
            (7_000_000_000_000, "7.0 T"),
            (u64::MAX, "18446744 T"),
        ];
        for (number, expected) in cases {
            assert_eq!(short(number), expected);
        }
    }

    fn sum(requests: u64, input: u64, web_search: u64) -> Sum {
        let tokens = Tokens { input, output: 1_234, cache_read: 45_600_000, web_search, ..Tokens::default() };
        Sum { requests, tokens: Tokens { cache_write_5m: 400, cache_write_1h: 700, ..tokens } }
    }

    fn models(sums: &[(&str, Sum)]) -> ByModel {
        sums.iter().map(|(model, sum)| (model.parse().unwrap(), *sum)).collect()
    }

    #[test]
    fn columns_stand_under_each_other_and_a_long_name_alone() {
        let long = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";
        let models = models(&[("claude-sonnet-4-5-20250929", sum(2, 50, 0)), (long, sum(1, 7_000_000, 3))]);
        let days = [("2026-11-22".parse().unwrap(), models.clone())].into();
        insta::assert_snapshot!(text(&[Table::models("model", &models), Table::days(&days)]), @r"
        model                       responses  input  output  cached  written  searches
        claude-sonnet-4-5-20250929          2     50   1.2 k  45.6 M    1.1 k         0
        us.anthropic.claude-sonnet-4-5-20250929-v1:0
                                            1  7.0 M   1.2 k  45.6 M    1.1 k         3
        all                                 3  7.0 M   2.4 k  91.2 M    2.2 k         3

        day (UTC)                   responses  input  output  cached  written  searches
        2026-11-22                          3  7.0 M   2.4 k  91.2 M    2.2 k         3
        ");
    }

    #[test]
    fn days_before_a_month_are_one_line() {
        let day = |n: i64| {
            let day = jiff::civil::date(2026, 1, 1) + jiff::Span::new().days(n);
            (day, models(&[("claude-opus-5-5", sum(1, 10, 0))]))
        };
        let lines = |count: i64| {
            let text = text(&[Table::days(&(0..count).map(day).collect())]);
            let lines: Vec<&str> = text.lines().collect();
            (lines.len(), lines[1].to_owned())
        };
        assert_eq!(lines(31), (32, "2026-01-01          1     10   1.2 k  45.6 M    1.1 k".to_owned()));
        assert_eq!(lines(40), (33, "9 days before          9     90  11.1 k   410 M    9.9 k".to_owned()));
    }

    #[test]
    fn eighty_columns_are_enough() {
        let most = sum(99_900, 99_900_000, 9_990_000);
        let models = models(&[("claude-sonnet-4-5-20250929", most), ("claude-opus-5-5", most)]);
        let text = text(&[Table::models("model", &models)]);
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    }
}
