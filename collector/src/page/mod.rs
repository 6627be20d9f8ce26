//! The page: the verdict in words, the cuts as charts, and the tables they come from. The same rows as
//! `cpvo weekly`, arranged; nothing is computed in the browser.

mod adoption;
pub(crate) mod assets;
mod bands;
mod caching;
mod change;
mod changes;
mod collected;
mod cuts;
mod fault;
mod models;
mod overview;
mod policies;
mod quality;
mod report;
mod repository;
mod spread;
mod team;
mod teams;

use crate::chart::Series;
use crate::people::UNASSIGNED;
use crate::store::policy::PolicyChange;
use crate::store::team_week::TeamWeek;
use crate::verdict::{doubts, grounds, headline};
use crate::weekly::{
    Basis, NO_SOURCE, Standing, UNASSIGNED_QUERY, UNPRICED_QUERY, Weekly, incomplete, side_text, trend_text,
};
use anyhow::Result;
use askama::Template;
use bands::{Band, bands};
use cuts::{Cut, WeekRow, by_week, cuts, policy_text};
use jiff::{SignedDuration, Timestamp};
use meter::outcome::{Period, Verdict};
use meter::{Interval, NanoUsd, Week};
use overview::Form;
use std::cmp::Reverse;

pub(crate) use adoption::adoption;
pub(crate) use caching::caching;
pub(crate) use change::change;
pub(crate) use changes::{Listed, changes};
pub(crate) use collected::collected;
pub(crate) use fault::fault;
pub(crate) use models::models;
pub(crate) use overview::Overview;
pub(crate) use policies::policies;
pub(crate) use quality::quality;
pub(crate) use report::{Asked, Report};
pub(crate) use repository::{NoRepository, repositories, repository};
pub(crate) use team::{Told, team};
pub(crate) use teams::all_teams;

/// Teams with a colour of their own; all others are drawn as one.
const COLOURS: [&str; 6] = ["s1", "s2", "s3", "s4", "s5", "s6"];
/// Teams whose verdict stands on top; the others' is in the table.
const VERDICTS: usize = 6;

const BY_WORK: &str = "Spend of the team whose change it built. ";
const OF_NOW: &str = "Verdicts are as of now, whatever weeks are shown.";

#[derive(Template)]
#[template(path = "page.html")]
struct Page {
    computed_at: String,
    /// Whose spend it is, where that is not the people's.
    by_work: &'static str,
    form: Form,
    verdicts: Vec<Headline>,
    figures: Vec<Figure>,
    cuts: Vec<Cut>,
    bands: Vec<Band>,
    is_judged: bool,
    by_week: Vec<WeekRow>,
    columns: Vec<Column>,
    rows: Vec<Row>,
    all: Row,
    /// Where the verdicts are of other weeks than those shown.
    of_now: &'static str,
    list_equivalent: bool,
    unpriced_rows: u64,
    unassigned: bool,
    unassigned_query: &'static str,
    unpriced_query: &'static str,
    no_source: &'static str,
    /// Policies that took the place of others, as the charts mark them.
    policies: Vec<String>,
}

/// What is to be said of a team's bet, and on what grounds.
struct Headline {
    words: String,
    grounds: String,
    class: &'static str,
}

/// Where a team stands, as a row.
struct Stand {
    team: String,
    name: String,
    cost: String,
    targeted: String,
    literal: String,
    cpvo: String,
    interval: String,
    trend: String,
    verdict: String,
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
    team: String,
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
    id: &'a str,
    name: &'a str,
    unassigned: bool,
    weeks: Vec<Option<&'a TeamWeek>>,
    total: NanoUsd,
}

/// The page for the weeks asked for, of one team or of all.
pub(crate) fn page(weekly: &Weekly, overview: &Overview) -> Result<String> {
    let weeks = weeks(weekly);
    let teams = teams(weekly, &weeks);
    let names: Vec<String> = weeks.iter().map(|week| short(*week, &weeks)).collect();
    let is_judged = weekly.has_outcomes();
    let policies: &[PolicyChange] = if is_judged { &overview.policies } else { &[] };
    let page = Page {
        computed_at: instant(weekly.computed_at),
        by_work: if weekly.asked.basis == Basis::Work { BY_WORK } else { "" },
        form: Form::of(&weekly.asked, overview),
        verdicts: verdicts(&weekly.standings),
        figures: figures(&teams, &weeks, Week::of(weekly.computed_at)),
        cuts: cuts(&teams, &series(&teams, weeks.len()), &weeks, &names, policies)?,
        bands: bands(&weekly.standings)?,
        is_judged,
        by_week: by_week(&teams, &weeks),
        policies: policies.iter().map(policy_text).collect(),
        columns: weeks.iter().rev().map(|week| column(*week, &weeks)).collect(),
        rows: teams.iter().map(row).collect(),
        all: all(&teams, weeks.len()),
        of_now: if weekly.asked.from.or(weekly.asked.to).is_some() { OF_NOW } else { "" },
        list_equivalent: weekly.list_equivalent().0 != 0,
        unpriced_rows: weekly.unpriced_rows(),
        unassigned: weekly.has_unassigned(),
        unassigned_query: UNASSIGNED_QUERY,
        unpriced_query: UNPRICED_QUERY,
        no_source: if is_judged || weekly.asked.model.is_some() { "" } else { NO_SOURCE },
    };
    Ok(page.render()?)
}

fn instant(at: Timestamp) -> String {
    at.strftime("%-d %B %Y, %H:%M UTC").to_string()
}

/// What is to be said of the largest teams; of one alone with all of its grounds.
fn verdicts(standings: &[Standing]) -> Vec<Headline> {
    let teams: Vec<&Standing> = standings.iter().filter(|one| one.judging.team != UNASSIGNED).collect();
    let grounds = |one: &Standing| if teams.len() == 1 { grounds(one).join("; ") } else { in_short(one) };
    teams.iter().take(VERDICTS).map(|one| Headline { grounds: grounds(one), ..Headline::of(one) }).collect()
}

impl Headline {
    /// Without grounds.
    fn of(one: &Standing) -> Self {
        let class = match one.comparison.as_ref().map(|comparison| comparison.verdict) {
            Ok(Verdict::PayingOff) => "good",
            Ok(Verdict::NotPaying) => "bad",
            Ok(Verdict::NoClearDirection) | Err(_) => "open",
        };
        Self { words: headline(one), grounds: String::new(), class }
    }
}

/// Both numbers, of the last quarter and of the two before it.
fn in_short(one: &Standing) -> String {
    let of = |period: &Period| {
        let each = period.cpvo.map_or_else(|| "none".to_owned(), NanoUsd::dollars);
        let share =
            period.tally.share().map_or_else(|| "none".to_owned(), |share| format!("{} %", share.percent()));
        (each, share)
    };
    let Ok(comparison) = &one.comparison else { return String::new() };
    let ((each, share), (each_before, share_before)) = (of(&comparison.last), of(&comparison.before));
    let moved = format!("{each} an outcome, was {each_before}; {share} verified, was {share_before}");
    doubts(comparison).fold(moved, |text, doubt| text + "; " + &doubt)
}

impl Stand {
    fn of(one: &Standing) -> Self {
        let Period { cost, tally, by_strictness, cpvo, cpvo_interval, unpriced_rows, .. } = &one.period;
        let reach =
            |Interval { low, high }: &Interval<NanoUsd>| format!("{}–{}", low.dollars(), high.dollars());
        let or_empty = |text: Option<String>| text.unwrap_or_default();
        let told = |each: NanoUsd| incomplete(*unpriced_rows).to_owned() + &each.dollars();
        let none = || {
            if cost.0 > 0 && tally.verified == 0 { "no verified outcome".to_owned() } else { String::new() }
        };
        Self {
            team: one.judging.team.clone(),
            name: one.judging.name.clone(),
            cost: cost.dollars(),
            targeted: side_text(by_strictness.targeted),
            literal: side_text(by_strictness.literal),
            cpvo: cpvo.map_or_else(none, told),
            interval: or_empty(cpvo_interval.as_ref().map(reach)),
            trend: or_empty(one.trend.as_ref().map(trend_text)),
            verdict: match &one.comparison {
                Ok(comparison) => comparison.verdict.as_str().to_owned(),
                Err(needed) => format!("needs {needed} more weeks"),
            },
        }
    }
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
            id: &rows[0].team,
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
fn series<'a>(teams: &'a [Team], weeks: usize) -> Vec<Series<'a>> {
    let (named, unassigned): (Vec<&Team>, Vec<&Team>) = teams.iter().partition(|team| !team.unassigned);
    let of = |team: &Team| team.weeks.iter().map(|row| row.map_or(0, |row| row.spend().0)).collect();
    let mut series = Vec::new();
    for (team, class) in named.iter().zip(COLOURS) {
        series.push(Series { name: team.name, class, amounts: of(team) });
    }
    if let Some(rest) = named.get(COLOURS.len()..).filter(|rest| !rest.is_empty()) {
        let week = |week: usize| sum(rest.iter().filter_map(|team| team.weeks[week]).map(TeamWeek::spend)).0;
        series.push(Series { name: "other teams", class: "rest", amounts: (0..weeks).map(week).collect() });
    }
    for team in unassigned {
        series.push(Series { name: team.name, class: "unassigned", amounts: of(team) });
    }
    series
}

fn keys(series: &[Series]) -> Vec<Key> {
    series.iter().map(|one| Key { class: one.class, name: one.name.to_owned() }).collect()
}

fn figures(teams: &[Team], weeks: &[Week], now: Week) -> Vec<Figure> {
    let spent =
        |index: usize| sum(teams.iter().filter_map(|team| team.weeks[index]).map(TeamWeek::spend)).dollars();
    let mut figures = Vec::new();
    for (label, back) in [("This week so far", 1), ("Last week", 2)] {
        let index = weeks.len().checked_sub(back).filter(|_| weeks.last() >= Some(&now));
        if let Some(index) = index {
            let remark = format!("{}, {}", weeks[index], dates(weeks[index]));
            figures.push(Figure { label: label.to_owned(), amount: spent(index), remark });
        }
    }
    if weeks.len() > 2 || figures.is_empty() && !weeks.is_empty() {
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
        team: team.id.to_owned(),
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
        team: String::new(),
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
    use crate::store::fixture::{judged, team_week, weekly};

    fn row(team: &str, week: &str, dollars: i64) -> TeamWeek {
        team_week(team, week, dollars * 1_000_000_000)
    }

    fn html(weeks: Vec<TeamWeek>) -> String {
        page(&weekly(weeks), &Overview::default()).unwrap()
    }

    /// The text between the tags of the table, a line for each row.
    fn table(html: &str) -> Vec<String> {
        let (_, table) = html.split_once("<table class=\"by-team\">").unwrap();
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
    fn outcomes_are_cuts_of_their_own_once_they_are_judged() {
        let before = html(vec![row("a", "2027-W01", 5)]);
        assert!(before.contains("add [[source]] to cpvo.toml") && !before.contains("Verified share"));
        let after = html(vec![
            judged("a", "2026-W52", 400, true, [28, 12, 0]),
            judged("b", "2026-W52", 20, true, [0, 2, 0]),
            judged("a", "2026-W53", 400, true, [3, 1, 0]),
            judged("a", "2027-W01", 400, false, [9, 1, 7]),
        ]);
        assert!(!after.contains("add [[source]]"));
        for drawn in [
            "<title>verified, W52 2026: 28</title>",
            "<title>lost, W52 2026: 14</title>",
            "<title>pending, W01: 7</title>",
            "<title>W52 2026: 28 of 42, 67 % (52–79)</title>",
            "<title>W52 2026: $15.00</title>",
            "<title>W53 2026: $133.33</title>",
            "<title>what came of it can still change</title>",
        ] {
            assert!(after.contains(drawn), "{drawn}");
        }
        assert!(!after.contains("<title>W53 2026: 3 of 4"), "no share of a handful");
        assert!(!after.contains("<title>W01: "), "neither share nor cost of a week that can still change");
    }

    #[test]
    fn four_mature_weeks_are_one_with_an_interval() {
        let week = |number: u8, dollars| judged("a", &format!("2026-W{number}"), dollars, true, [10, 1, 0]);
        let weeks =
            [(40, 100), (41, 140), (42, 90), (43, 120)].map(|(number, dollars)| week(number, dollars));
        assert!(!html(weeks[..3].to_vec()).contains("class=\"band\""), "three have none");
        let html = html(weeks.to_vec());
        assert!(html.contains("<title>W42: $9.00</title>"));
        assert!(html.contains("<title>W43: $12.00, in four weeks $11.25 ("), "{html}");
        assert_eq!(html.matches("class=\"band\"").count(), 2, "wide and narrow");
    }

    #[test]
    fn another_policy_is_marked_in_its_week_and_said() {
        let weeks = vec![
            judged("a", "2026-W52", 400, true, [28, 12, 0]),
            judged("a", "2026-W53", 400, true, [3, 1, 0]),
        ];
        let policy = PolicyChange {
            name: "<a>".to_owned(),
            at: "2026-12-29T10:00:00Z".parse().unwrap(),
            policy: meter::outcome::Policy::default(),
            reason: "late reverts".to_owned(),
        };
        let elsewhere = PolicyChange { at: "2026-06-29T10:00:00Z".parse().unwrap(), ..policy.clone() };
        let weekly = weekly(weeks);
        let page = |policies: &[PolicyChange]| {
            page(&weekly, &Overview { policies: policies.to_vec(), ..Overview::default() }).unwrap()
        };
        assert!(!page(&[]).contains("Another policy"));
        let html = page(&[policy, elsewhere]);
        let said =
            "&#60;a&#62;, since 29 December 2026: 14 days, hotfixes within 72 hours, targeted (late reverts)";
        assert!(html.contains(&format!("<li>{said}</li>")), "{html}");
        let marks: Vec<&str> = html.lines().filter(|line| line.contains("class=\"mark\"")).collect();
        assert_eq!(marks.len(), 8, "in all four charts, wide and narrow");
        assert!(marks.iter().all(|mark| mark.contains(said)));
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
