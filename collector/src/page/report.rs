//! A page of tables: what each says in a sentence, and what is to be said where there is nothing.

use super::instant;
use crate::listing::{Cell, Listing, short};
use crate::weekly::WEEKS_DEFAULT;
use anyhow::Result;
use askama::Template;
use jiff::Timestamp;
use meter::{NanoUsd, Ppm, Week};

#[derive(Template)]
#[template(path = "report.html")]
pub(crate) struct Report {
    pub title: String,
    /// Its address, where the bar has it.
    pub at: &'static str,
    /// Of which weeks, in which units.
    pub basis: String,
    /// How many weeks were asked for, where that can be asked.
    pub weeks: Option<u16>,
    pub sections: Vec<Section>,
    /// Where the database has it.
    pub view: &'static str,
}

/// A table with what it says.
pub(crate) struct Section {
    pub title: &'static str,
    /// Between backticks: what to type.
    pub said: String,
    pub table: Listing,
    /// Where there are no rows.
    pub empty: &'static str,
    /// What the address of each row's own page begins with.
    pub pages: Option<&'static str>,
}

/// What a report is asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked {
    pub now: Timestamp,
    pub weeks: u16,
    pub first: Week,
}

impl Asked {
    /// What holds for all of its figures.
    pub(super) fn basis(&self) -> String {
        format!(
            "At list price, subscriptions at their list-price equivalent. ISO weeks in UTC, from {} on. As of {}.",
            self.first,
            instant(self.now)
        )
    }
}

impl Report {
    /// How many weeks the page offers, each with whether they were asked for.
    fn spans(&self) -> [(u16, bool); 3] {
        [WEEKS_DEFAULT, 26, 52].map(|span| (span, self.weeks == Some(span)))
    }

    pub(crate) fn html(&self) -> Result<String> {
        Ok(self.render()?)
    }
}

pub(super) fn dollars(cost: NanoUsd) -> Cell {
    Cell::Number(cost.dollars())
}

/// A count of what there is much of.
pub(super) fn many(count: u64) -> Cell {
    Cell::Number(short(count))
}

/// Nothing of nothing.
pub(super) fn percent(part: u64, all: u64) -> Cell {
    Ppm::share(part, all).map_or(Cell::Null, |share| Cell::Number(format!("{} %", share.percent())))
}

/// The collector keeps a database's sum of money within 64 bits, and none is less than nothing.
pub(super) fn nanos(cost: NanoUsd) -> u64 {
    cost.0.try_into().unwrap_or_default()
}

/// `2026-11-22 14:00` of an hour or instant in UTC.
pub(super) fn minute(at: &str) -> Cell {
    Cell::Text(at.get(..16).unwrap_or(at).replace('T', " "))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::store::fixture::now;
    use crate::weekly::weeks_back;

    /// The last twelve weeks.
    pub(in crate::page) fn asked() -> Asked {
        Asked { now: now(), weeks: WEEKS_DEFAULT, first: weeks_back(now(), WEEKS_DEFAULT) }
    }

    /// The cells of each row, joined.
    pub(in crate::page) fn lines(section: &Section) -> Vec<String> {
        let row = |row: &Vec<Cell>| row.iter().map(Cell::shown).collect::<Vec<_>>().join(" | ");
        section.table.rows.iter().map(row).collect()
    }

    #[test]
    fn what_a_table_holds_is_text_and_what_is_empty_says_so() {
        let section = |rows: Vec<Vec<Cell>>| Section {
            title: "Rows",
            said: "What they <are>: `cpvo sql 'SELECT 1'`.".to_owned(),
            table: Listing::new(&["Name", "Count"], rows),
            empty: "There is none.",
            pages: Some("/repositories/"),
        };
        let report = |section| Report {
            title: "Title".to_owned(),
            at: "/models",
            basis: asked().basis(),
            weeks: Some(12),
            sections: vec![section],
            view: "spend",
        };
        let html = report(section(vec![vec![Cell::text("a/<b>\" c"), Cell::number(7)]])).html().unwrap();
        assert!(
            html.contains("<a href=\"/repositories/a/%3Cb%3E%22%20c\">a/&#60;b&#62;&#34; c</a>"),
            "{html}"
        );
        let said =
            "<p class=\"remark\">What they &#60;are&#62;: <code>cpvo sql &#39;SELECT 1&#39;</code>.</p>";
        assert!(html.contains(said), "{html}");
        assert!(html.contains("from 2026-W37 on. As of 25 November 2026, 12:00 UTC."), "{html}");
        assert!(html.contains("<a href=\"/models\" aria-current=\"page\">Models</a>"), "{html}");
        assert!(!html.contains("There is none"));
        let html = report(section(Vec::new())).html().unwrap();
        assert!(html.contains("<p>There is none.</p>") && !html.contains("<table"), "{html}");
    }
}
