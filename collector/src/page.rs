//! The page: spend by team and week as figures, a chart and its table. The same rows as `cpvo weekly`,
//! arranged; nothing is computed in the browser.

use crate::chart::{Frame, Series, stacked};
use crate::people::UNASSIGNED;
use crate::store::team_week::TeamWeek;
use crate::weekly::{UNASSIGNED_QUERY, UNPRICED_QUERY, WEEKS_DEFAULT, Weekly};
use anyhow::Result;
use askama::Template;
use jiff::SignedDuration;
use meter::{NanoUsd, Week};
use std::cmp::Reverse;

/// Teams with a colour of their own; all others are drawn as one.
const COLOURS: [&str; 6] = ["s1", "s2", "s3", "s4", "s5", "s6"];
const WIDE: Frame = Frame { width: 1120, height: 340 };
const NARROW: Frame = Frame { width: 360, height: 260 };

#[derive(Template)]
#[template(path = "page.html")]
struct Page {
    computed_at: String,
    /// How many weeks the page offers, and how many were asked for.
    spans: [u16; 3],
    asked: u16,
    figures: Vec<Figure>,
    wide: String,
    narrow: String,
    keys: Vec<Key>,
    columns: Vec<Column>,
    rows: Vec<Row>,
    all: Row,
    list_equivalent: bool,
    unpriced_rows: u64,
    unassigned: bool,
    unassigned_query: &'static str,
    unpriced_query: &'static str,
}

struct Figure {
    label: String,
    amount: String,
    remark: String,
}

/// What a colour of the chart stands for.
struct Key {
    class: &'static str,
    name: String,
}

struct Column {
    week: String,
    /// Short, as the chart has it.
    name: String,
    monday: String,
}

struct Row {
    name: String,
    unassigned: bool,
    cells: Vec<Option<Cell>>,
    total: String,
}

struct Cell {
    amount: String,
    list_equivalent: Option<String>,
    unpriced: bool,
}

/// A team and its weeks, oldest first; `None` before its first.
struct Team<'a> {
    name: &'a str,
    unassigned: bool,
    weeks: Vec<Option<&'a TeamWeek>>,
    total: NanoUsd,
}

/// The page for the `asked` last weeks.
pub(crate) fn page(weekly: &Weekly, asked: u16) -> Result<String> {
    let weeks = weeks(weekly);
    let teams = teams(weekly, &weeks);
    let columns: Vec<String> = weeks.iter().map(|week| short(*week, &weeks)).collect();
    let (series, keys) = series(&teams, weeks.len());
    let figures = figures(&teams, &weeks);
    let summary = figures.iter().map(|figure| format!("{}: {}", figure.label, figure.amount));
    let summary = format!("Spend by team and week. {}.", summary.collect::<Vec<_>>().join("; "));
    let page = Page {
        computed_at: weekly.computed_at.strftime("%-d %B %Y, %H:%M UTC").to_string(),
        spans: [WEEKS_DEFAULT, 26, 52],
        asked,
        wide: stacked(&columns, &series, WIDE, &summary)?,
        narrow: stacked(&columns, &series, NARROW, &summary)?,
        figures,
        keys,
        columns: weeks.iter().rev().map(|week| column(*week, &weeks)).collect(),
        rows: teams.iter().map(row).collect(),
        all: all(&teams, weeks.len()),
        list_equivalent: weekly.list_equivalent().0 != 0,
        unpriced_rows: weekly.unpriced_rows(),
        unassigned: weekly.has_unassigned(),
        unassigned_query: UNASSIGNED_QUERY,
        unpriced_query: UNPRICED_QUERY,
    };
    Ok(page.render()?)
}

/// The weeks that any team has, oldest first.
fn weeks(weekly: &Weekly) -> Vec<Week> {
    let mut weeks: Vec<Week> = weekly.weeks.iter().map(|row| row.week).collect();
    weeks.sort_unstable();
    weeks.dedup();
    weeks
}

/// The teams, the largest spend first and what no team carries last.
fn teams<'a>(weekly: &'a Weekly, weeks: &[Week]) -> Vec<Team<'a>> {
    let mut teams: Vec<Team> = Vec::new();
    let mut sorted: Vec<&TeamWeek> = weekly.weeks.iter().collect();
    sorted.sort_by_key(|row| &row.team);
    for rows in sorted.chunk_by(|a, b| a.team == b.team) {
        let in_week = |week: &Week| rows.iter().find(|row| row.week == *week).copied();
        teams.push(Team {
            name: &rows[0].name,
            unassigned: rows[0].team == UNASSIGNED,
            weeks: weeks.iter().map(in_week).collect(),
            total: sum(rows.iter().map(|row| row.spend())),
        });
    }
    teams.sort_by_key(|team| (team.unassigned, Reverse(team.total)));
    teams
}

/// What is drawn: the largest teams, the rest as one, and what no team carries.
fn series<'a>(teams: &'a [Team], weeks: usize) -> (Vec<Series<'a>>, Vec<Key>) {
    let (named, unassigned): (Vec<&Team>, Vec<&Team>) = teams.iter().partition(|team| !team.unassigned);
    let of = |team: &Team| team.weeks.iter().map(|row| row.map_or(NanoUsd(0), TeamWeek::spend)).collect();
    let mut series = Vec::new();
    for (team, class) in named.iter().zip(COLOURS) {
        series.push(Series { name: team.name, class, spend: of(team) });
    }
    if let Some(rest) = named.get(COLOURS.len()..).filter(|rest| !rest.is_empty()) {
        let week = |week: usize| sum(rest.iter().filter_map(|team| team.weeks[week]).map(TeamWeek::spend));
        series.push(Series { name: "other teams", class: "rest", spend: (0..weeks).map(week).collect() });
    }
    for team in unassigned {
        series.push(Series { name: team.name, class: "unassigned", spend: of(team) });
    }
    let keys = series.iter().map(|one| Key { class: one.class, name: one.name.to_owned() }).collect();
    (series, keys)
}

fn figures(teams: &[Team], weeks: &[Week]) -> Vec<Figure> {
    let spent =
        |index: usize| sum(teams.iter().filter_map(|team| team.weeks[index]).map(TeamWeek::spend)).dollars();
    let mut figures = Vec::new();
    for (label, back) in [("This week so far", 1), ("Last week", 2)] {
        if let Some(index) = weeks.len().checked_sub(back) {
            let remark = format!("{}, {}", weeks[index], dates(weeks[index]));
            figures.push(Figure { label: label.to_owned(), amount: spent(index), remark });
        }
    }
    if weeks.len() > 2 {
        let amount = sum(teams.iter().map(|team| team.total)).dollars();
        let remark = format!("{} to {}", weeks[0], weeks[weeks.len() - 1]);
        figures.push(Figure { label: format!("{} weeks", weeks.len()), amount, remark });
    }
    figures
}

fn column(week: Week, weeks: &[Week]) -> Column {
    let monday = week.start().strftime("%-d %b").to_string();
    Column { week: week.to_string(), name: short(week, weeks), monday }
}

/// `W47`, with its year where that is not the year of the newest.
fn short(week: Week, weeks: &[Week]) -> String {
    let (name, newest) = (week.to_string(), weeks.last().map(Week::to_string).unwrap_or_default());
    match name.split_once('-') {
        Some((year, number)) if newest.starts_with(year) => number.to_owned(),
        Some((year, number)) => format!("{number} {year}"),
        None => name,
    }
}

fn row(team: &Team) -> Row {
    let cell = |row: &TeamWeek| Cell {
        amount: row.spend().dollars(),
        list_equivalent: (row.list_equivalent.0 != 0).then(|| row.list_equivalent.dollars()),
        unpriced: row.unpriced_rows > 0,
    };
    Row {
        name: team.name.to_owned(),
        unassigned: team.unassigned,
        cells: team.weeks.iter().rev().map(|row| row.map(cell)).collect(),
        total: team.total.dollars(),
    }
}

fn all(teams: &[Team], weeks: usize) -> Row {
    let cell = |week: usize| {
        let rows = || teams.iter().filter_map(move |team| team.weeks[week]);
        let list_equivalent = sum(rows().map(|row| row.list_equivalent));
        Some(Cell {
            amount: sum(rows().map(TeamWeek::spend)).dollars(),
            list_equivalent: (list_equivalent.0 != 0).then(|| list_equivalent.dollars()),
            unpriced: rows().any(|row| row.unpriced_rows > 0),
        })
    };
    Row {
        name: "All".to_owned(),
        unassigned: false,
        cells: (0..weeks).rev().map(cell).collect(),
        total: sum(teams.iter().map(|team| team.total)).dollars(),
    }
}

/// Monday and Sunday: `16–22 Nov`, `30 Nov – 6 Dec`.
fn dates(week: Week) -> String {
    let (monday, sunday) = (week.start(), week.end() - SignedDuration::from_hours(24));
    let (first, last) = (monday.strftime("%-d %b").to_string(), sunday.strftime("%-d %b").to_string());
    match first.split_once(' ') {
        Some((day, month)) if last.ends_with(month) => format!("{day}–{last}"),
        _ => format!("{first} – {last}"),
    }
}

/// The collector keeps a database's sum within 64 bits.
fn sum(amounts: impl Iterator<Item = NanoUsd>) -> NanoUsd {
    NanoUsd(amounts.fold(0, |sum, amount| sum.saturating_add(amount.0)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::fixture::{team_week, weekly};

    fn row(team: &str, week: &str, dollars: i64) -> TeamWeek {
        team_week(team, week, dollars * 1_000_000_000)
    }

    fn html(weeks: Vec<TeamWeek>) -> String {
        page(&weekly(weeks), 12).unwrap()
    }

    /// The text between the tags of the table, a line for each row.
    fn table(html: &str) -> Vec<String> {
        let (_, table) = html.split_once("<table>").unwrap();
        let (table, _) = table.split_once("</table>").unwrap();
        let cells = |row: &str| {
            let texts = row.split('<').filter_map(|part| part.split_once('>')).map(|(_, text)| text.trim());
            texts.filter(|text| !text.is_empty()).collect::<Vec<_>>().join(" ")
        };
        table.split("<tr").skip(1).map(|row| cells(&format!("<tr{row}"))).collect()
    }

    #[test]
    fn the_largest_team_comes_first_and_what_no_team_carries_last() {
        let html = html(vec![
            row("small", "2027-W01", 1),
            row(UNASSIGNED, "2027-W01", 900),
            row("large", "2026-W53", 1500),
            row("large", "2027-W01", 20),
        ]);
        let expected = [
            "Team Sum W01 4 Jan W53 2026 28 Dec",
            "large $1,520.00 $20.00 $1,500.00",
            "small $1.00 $1.00",
            "unassigned $900.00 $900.00",
            "All $2,421.00 $921.00 $1,500.00",
        ];
        assert_eq!(table(&html), expected);
        assert!(html.contains("whom no team lists") && html.contains("unassigned, W01: $900.00"));
        assert!(html.contains("2027-W01, 4–10 Jan") && html.contains("2026-W53, 28 Dec – 3 Jan"));
    }

    #[test]
    fn what_is_estimated_or_missing_is_marked_and_explained() {
        let plain = html(vec![row("a", "2027-W01", 5)]);
        let mut odd = row("a", "2027-W01", 5);
        odd.list_equivalent = NanoUsd(2_000_000_000);
        odd.unpriced_rows = 4;
        let odd = html(vec![odd]);
        for said in [
            "List-price equivalent",
            "4 rows of usage",
            "<sup>≈?</sup>",
            "$2.00 of it is list-price equivalent",
        ] {
            assert!(odd.contains(said) && !plain.contains(said), "{said}");
        }
    }

    #[test]
    fn many_teams_share_the_last_colours() {
        let teams = (1..=9).map(|team| row(&format!("t{team}"), "2027-W01", 100 - team));
        let html = html(teams.collect());
        assert!(html.contains("t6, W01: $94.00") && !html.contains("t7, W01"));
        assert!(html.contains("other teams, W01: $276.00"));
        assert_eq!(table(&html).len(), 11);
    }

    #[test]
    fn names_are_text_wherever_they_stand() {
        let html = html(vec![row("<script>\"'&</script>", "2027-W01", 5)]);
        assert!(!html.contains("<script"));
        assert!(html.matches("&#60;script&#62;").count() >= 3, "{html}");
    }
}
