//! Rows for people and for programs: aligned on a terminal, exact in JSON, harmless in a spreadsheet.

use anyhow::Result;
use comfy_table::{CellAlignment, LineStyle, Table, TableStyle};
use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};
use serde_json::value::RawValue;

/// Columns of a terminal.
const WIDTH: usize = 80;
/// What is left of a text that is cut to fit into it.
const CLIPPED_MIN: usize = 8;

/// How a command prints what it found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    Table,
    Json,
    Csv,
}

/// How a command is asked for JSON that tells one thing and has no table.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct Whole {
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// As commands that print rows are asked for it
    #[arg(long, hide = true, value_parser = ["json"])]
    format: Option<String>,
}

impl Whole {
    pub(crate) fn is_json(&self) -> bool {
        self.json || self.format.is_some()
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Cell {
    Null,
    /// A number in digits, so that none is rounded on the way.
    Number(String),
    Text(String),
}

/// Rows under named columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listing {
    pub columns: Vec<String>,
    pub rows: Vec<Vec<Cell>>,
}

/// A row that names its columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fields(pub Vec<(&'static str, Cell)>);

impl Cell {
    pub(crate) fn number(number: impl std::fmt::Display) -> Self {
        Self::Number(format!("{number}"))
    }

    /// A number that may be missing.
    pub(crate) fn optional(number: Option<impl std::fmt::Display>) -> Self {
        number.map_or(Self::Null, Self::number)
    }

    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }
}

impl Listing {
    pub(crate) fn new(columns: &[&str], rows: Vec<Vec<Cell>>) -> Self {
        Self { columns: columns.iter().map(|name| (*name).to_owned()).collect(), rows }
    }

    /// Rows that name their columns, all of them the same.
    pub(crate) fn of(rows: Vec<Fields>) -> Self {
        let columns = rows.first().map(|row| row.0.iter().map(|(name, _)| (*name).to_owned()).collect());
        let cells = |row: Fields| row.0.into_iter().map(|(_, cell)| cell).collect();
        Self { columns: columns.unwrap_or_default(), rows: rows.into_iter().map(cells).collect() }
    }

    /// The rows in one of the formats; ends with a newline.
    pub(crate) fn render(&self, format: Format) -> Result<String> {
        Ok(match format {
            Format::Table => self.table(),
            Format::Json => serde_json::to_string_pretty(self)? + "\n",
            Format::Csv => self.csv(),
        })
    }

    /// The columns, each with whether it holds texts.
    pub(crate) fn heads(&self) -> Vec<(&str, bool)> {
        let is_text = |index| self.rows.iter().filter_map(|row| row.get(index)).any(Cell::is_text);
        self.columns.iter().enumerate().map(|(index, name)| (name.as_str(), is_text(index))).collect()
    }

    pub(crate) fn table(&self) -> String {
        const RULE: TableStyle =
            TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─'));
        let mut table = Table::new();
        table.load_style(RULE).set_header(self.columns.iter().map(|name| visible(name)));
        table.add_rows(self.rows.iter().map(|row| row.iter().map(|cell| visible(cell.shown()))));
        for (index, column) in table.column_iter_mut().enumerate() {
            column.set_padding((0, 1));
            if self.rows.iter().any(|row| matches!(row.get(index), Some(Cell::Number(_)))) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        table.trim_fmt() + "\n"
    }

    /// The table, with the texts of one column cut where it would be wider than a terminal.
    pub(crate) fn fitted(mut self, column: usize) -> String {
        let width = |text: &str| text.chars().count();
        let table = self.table();
        let beyond = table.lines().map(width).max().unwrap_or(0).saturating_sub(WIDTH);
        if beyond == 0 {
            return table;
        }
        let cells = || self.rows.iter().filter_map(|row| row.get(column));
        let widest = cells().map(|cell| width(&visible(cell.shown()))).max().unwrap_or(0);
        let chars = widest.saturating_sub(beyond).max(CLIPPED_MIN);
        for cell in self.rows.iter_mut().filter_map(|row| row.get_mut(column)) {
            *cell = Cell::Text(clipped(&visible(cell.shown()), chars));
        }
        self.table()
    }

    fn csv(&self) -> String {
        let names = self.columns.iter().map(|name| field(name)).collect();
        let row = |row: &Vec<Cell>| -> Vec<String> {
            let cell = |cell: &Cell| match cell {
                Cell::Number(number) => number.clone(),
                cell => field(cell.shown()),
            };
            row.iter().map(cell).collect()
        };
        let lines = std::iter::once(names).chain(self.rows.iter().map(row));
        lines.map(|fields| fields.join(",") + "\n").collect()
    }
}

impl Cell {
    pub(crate) fn is_text(&self) -> bool {
        matches!(self, Self::Text(_))
    }

    pub(crate) fn shown(&self) -> &str {
        match self {
            Self::Null => "",
            Self::Number(text) | Self::Text(text) => text,
        }
    }
}

/// A count in three digits and a letter: `1.2M`.
pub(crate) fn short(count: u64) -> String {
    const UNITS: [(u64, &str); 4] =
        [(1_000_000_000_000, "T"), (1_000_000_000, "B"), (1_000_000, "M"), (1_000, "k")];
    let Some((unit, letter)) = UNITS.into_iter().find(|(unit, _)| count >= *unit) else {
        return count.to_string();
    };
    let (whole, tenth) = (count / unit, count % unit * 10 / unit);
    if whole < 100 { format!("{whole}.{tenth}{letter}") } else { format!("{whole}{letter}") }
}

/// The beginning of a text that is wider than `chars`.
pub(crate) fn clipped(text: &str, chars: usize) -> String {
    match text.char_indices().nth(chars) {
        Some(_) => text.chars().take(chars - 1).chain(['…']).collect(),
        None => text.to_owned(),
    }
}

/// Text that cannot steer the terminal it is shown in.
pub(crate) fn visible(text: &str) -> String {
    escaped(text, steers)
}

/// A control, or a sign that turns the direction of what follows.
fn steers(c: char) -> bool {
    c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn escaped(text: &str, is_escaped: impl Fn(char) -> bool) -> String {
    let show = |c: char| if is_escaped(c) { c.escape_default().to_string() } else { c.to_string() };
    text.chars().map(show).collect()
}

/// A field that no spreadsheet takes for a formula; what is blank in it stays, quoted.
fn field(text: &str) -> String {
    // some also take the wide forms of the signs, and skip what is blank before them
    let signs = ['=', '+', '-', '@', '＝', '＋', '－', '＠'];
    let formula = text.starts_with(['\t', '\r', '\n']) || text.trim_start().starts_with(signs);
    let text = format!("{}{}", if formula { "'" } else { "" }, text.replace('"', "\"\""));
    let text = escaped(&text, |c| steers(c) && !c.is_whitespace());
    if text.contains(['"', ',', '\n', '\r']) { format!("\"{text}\"") } else { text }
}

impl Serialize for Listing {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut rows = to.serialize_seq(Some(self.rows.len()))?;
        for row in &self.rows {
            rows.serialize_element(&Object { columns: &self.columns, row })?;
        }
        rows.end()
    }
}

struct Object<'a> {
    columns: &'a [String],
    row: &'a [Cell],
}

impl Serialize for Object<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut members = to.serialize_map(Some(self.columns.len()))?;
        for (name, cell) in self.columns.iter().zip(self.row) {
            members.serialize_entry(name, cell)?;
        }
        members.end()
    }
}

impl Serialize for Fields {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_map(self.0.iter().map(|(name, cell)| (name, cell)))
    }
}

impl Serialize for Cell {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => to.serialize_none(),
            Self::Text(text) => to.serialize_str(text),
            // the digits as they are; what JSON has no number for, such as infinity, as text
            Self::Number(digits) => match RawValue::from_string(digits.clone()) {
                Ok(number) => number.serialize(to),
                Err(_) => to.serialize_str(digits),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listing() -> Listing {
        let rows = vec![
            vec![Cell::text("payments"), Cell::number("1234.000000001")],
            vec![Cell::text("=1+1, \"x\""), Cell::number(-5)],
            vec![Cell::text("\u{1b}[31mred\n"), Cell::Null],
        ];
        Listing::new(&["team", "spend_usd"], rows)
    }

    #[test]
    fn aligns_for_people_and_shows_what_would_steer_the_terminal() {
        let table = listing().table();
        let lines: Vec<&str> = table.lines().collect();
        assert_eq!(lines[0], "team                  spend_usd");
        assert_eq!(lines[2], "payments         1234.000000001");
        assert_eq!(lines[3], "=1+1, \"x\"                    -5");
        assert_eq!(lines[4], "\\u{1b}[31mred\\n");
    }

    #[test]
    fn what_turns_the_direction_is_shown() {
        for sign in ('\u{202a}'..='\u{202e}').chain('\u{2066}'..='\u{2069}') {
            let shown = format!("a{}b", sign.escape_default());
            assert_eq!([visible(&format!("a{sign}b")), field(&format!("a{sign}b"))], [&*shown, &*shown]);
        }
        assert_eq!(visible("مرحبا ü"), "مرحبا ü");
    }

    #[test]
    fn a_table_fits_a_terminal() {
        let row = |name: &str| vec![Cell::number(5), Cell::text(name), Cell::text("y".repeat(60))];
        let fitted = |names: &[&str]| {
            Listing::new(&["n", "name", "y"], names.iter().copied().map(row).collect()).fitted(1)
        };
        let exact = format!("{}…  {}", "a".repeat(13), "y".repeat(60));
        let table = fitted(&[&"a".repeat(90), "bo"]);
        assert!(table.contains(&exact), "{table}");
        assert!(table.lines().all(|line| line.chars().count() <= WIDTH), "{table}");
        assert!(fitted(&["abcdefghijkl"]).contains("abcdefghijkl"));
    }

    #[test]
    fn counts_shorten() {
        for (count, text) in [
            (0, "0"),
            (999, "999"),
            (1_000, "1.0k"),
            (12_345, "12.3k"),
            (99_999, "99.9k"),
            (999_999, "999k"),
            (1_234_567, "1.2M"),
            (2_000_000_000, "2.0B"),
            (u64::MAX, "18446744T"),
        ] {
            assert_eq!(short(count), text);
        }
    }

    #[test]
    fn what_is_too_wide_is_clipped() {
        for (text, clip) in [("", ""), ("äbcd", "äbcd"), ("äbcde", "äbc…")] {
            assert_eq!(clipped(text, 4), clip);
        }
    }

    #[test]
    fn keeps_every_digit_in_json() {
        let json = listing().render(Format::Json).unwrap();
        assert!(json.contains("\"spend_usd\": 1234.000000001"), "{json}");
        assert!(json.contains("\"spend_usd\": null"), "{json}");
        let odd = Listing::new(&["n"], vec![vec![Cell::number("inf")]]);
        assert_eq!(serde_json::to_string(&odd).unwrap(), r#"[{"n":"inf"}]"#);
    }

    #[test]
    fn no_field_is_a_formula_in_a_spreadsheet() {
        let csv = listing().render(Format::Csv).unwrap();
        assert_eq!(
            csv,
            "team,spend_usd\npayments,1234.000000001\n\"'=1+1, \"\"x\"\"\",-5\n\"\\u{1b}[31mred\n\",\n"
        );
        for formula in ["=cmd", "+1", "-1", "@x", "\tx", "\rx", "\nx", " =cmd", "＝cmd"] {
            assert!(field(formula).trim_start_matches('"').starts_with('\''), "{formula:?}");
        }
    }
}
