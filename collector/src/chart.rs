//! A chart of columns, one a week, stacked by team: data in, SVG out.
//!
//! Lengths are whole pixels of the drawing; colours and type come from the style sheet by class.

use anyhow::Result;
use askama::Template;
use meter::NanoUsd;

const LEFT: i64 = 60;
const RIGHT: i64 = 8;
const TOP: i64 = 12;
const BELOW: i64 = 30;
/// How far apart the lines of the scale are, at least.
const LINE_EVERY: i64 = 52;
/// How far apart the names of two columns are, at least.
const LABEL_EVERY: i64 = 48;
const COLUMN_MAX: i64 = 56;

/// The spend of one team, an amount for each column.
pub(crate) struct Series<'a> {
    pub name: &'a str,
    /// The class that colours it.
    pub class: &'static str,
    pub spend: Vec<NanoUsd>,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Frame {
    pub width: i64,
    pub height: i64,
}

#[derive(Template)]
#[template(path = "chart.svg")]
struct Drawing<'a> {
    frame: Frame,
    summary: &'a str,
    left: i64,
    right: i64,
    lines: Vec<Label>,
    labels: Vec<Label>,
    bars: Vec<Bar>,
}

/// Text at a place on one axis.
struct Label {
    at: i64,
    text: String,
}

struct Bar {
    x: i64,
    y: i64,
    width: i64,
    height: i64,
    class: &'static str,
    title: String,
}

/// Draws `columns` of `series`, the first series lowest. `summary` says the same in a sentence.
pub(crate) fn stacked(columns: &[String], series: &[Series], frame: Frame, summary: &str) -> Result<String> {
    let (right, bottom) = (frame.width - RIGHT, frame.height - BELOW);
    let count = i64::try_from(columns.len())?.max(1);
    let slot = (right - LEFT) / count;
    let centre = |column: i64| LEFT + slot * column + slot / 2;
    let total = |column: usize| -> i128 { series.iter().map(|one| i128::from(one.spend[column].0)).sum() };
    let scale = Scale::of((0..columns.len()).map(total).max().unwrap_or(0), bottom, bottom - TOP);
    let mut bars = Vec::new();
    for (column, week) in (0..).zip(columns) {
        let mut below = 0;
        for one in series {
            let Some(spend) = one.spend.get(usize::try_from(column)?).filter(|spend| spend.0 > 0) else {
                continue;
            };
            let low = scale.y(below);
            below += i128::from(spend.0);
            // a hair between two teams, but no team too thin to see
            let height = (low - scale.y(below) - 1).max(1);
            let width = (slot * 7 / 10).clamp(1, COLUMN_MAX);
            let title = format!("{}, {week}: {}", one.name, spend.dollars());
            bars.push(Bar {
                x: centre(column) - width / 2,
                y: low - height,
                width,
                height,
                class: one.class,
                title,
            });
        }
    }
    // counted from the newest, which always has its name
    let named = |column: &i64| (count - 1 - column) % (LABEL_EVERY / slot.max(1) + 1) == 0;
    let labels = (0..).zip(columns).filter(|(column, _)| named(column));
    let labels = labels.map(|(column, week)| Label { at: centre(column), text: week.clone() }).collect();
    Ok(Drawing { frame, summary, left: LEFT, right, lines: scale.lines(), labels, bars }.render()?)
}

/// Amounts of money as heights.
struct Scale {
    step: i128,
    top: i128,
    bottom: i64,
    height: i64,
}

impl Scale {
    /// The finest scale of 1, 2 or 5 times a power of ten whose lines are far enough apart.
    fn of(highest: i128, bottom: i64, height: i64) -> Self {
        let lines = i128::from(height / LINE_EVERY).max(1);
        let steps = (0..).flat_map(|power| [1, 2, 5].map(|digit| digit * 10_i128.pow(power)));
        let step = steps.take(100).find(|step| step * lines >= highest).unwrap_or(highest);
        Self { step, top: ((highest + step - 1) / step).max(1) * step, bottom, height }
    }

    fn y(&self, amount: i128) -> i64 {
        self.bottom - i64::try_from(amount * i128::from(self.height) / self.top).unwrap_or(0)
    }

    fn lines(&self) -> Vec<Label> {
        let line = |number| Label { at: self.y(number * self.step), text: rounded(number * self.step) };
        (0..=self.top / self.step).map(line).collect()
    }
}

/// A round amount in as few characters as it takes: `$20k`, `$0.5`.
fn rounded(nano: i128) -> String {
    const UNITS: [(i128, &str); 4] = [
        (1_000_000_000_000_000_000, "B"),
        (1_000_000_000_000_000, "M"),
        (1_000_000_000_000, "k"),
        (1_000_000_000, ""),
    ];
    let (unit, letter) = UNITS.into_iter().find(|(unit, _)| nano >= *unit).unwrap_or(UNITS[3]);
    let digits = unit.ilog10() as usize;
    let part = format!("{:0digits$}", nano % unit);
    let number = format!("{}.{}", nano / unit, part.trim_end_matches('0'));
    format!("${}{letter}", number.trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const FRAME: Frame = Frame { width: 400, height: 200 };

    #[test]
    fn amounts_on_the_scale_are_short() {
        for (nano, text) in [
            (0, "$0"),
            (50_000_000, "$0.05"),
            (2_000_000_000, "$2"),
            (500_000_000_000, "$500"),
            (1_500_000_000_000, "$1.5k"),
            (20_000_000_000_000_000, "$20M"),
        ] {
            assert_eq!(rounded(nano), text);
        }
    }

    #[test]
    fn a_team_is_a_part_of_its_column() {
        let columns = ["W46".to_owned(), "W47".to_owned()];
        let series = [
            Series { name: "a", class: "s1", spend: vec![NanoUsd(1_000_000_000), NanoUsd(0)] },
            Series {
                name: "<b>\"",
                class: "s2",
                spend: vec![NanoUsd(3_000_000_000), NanoUsd(2_000_000_000)],
            },
        ];
        let svg = stacked(&columns, &series, FRAME, "sum & more").unwrap();
        insta::assert_snapshot!(svg, @r##"
        <svg viewBox="0 0 400 200" role="img" aria-label="sum &#38; more">
          <line class="scale" x1="60" x2="392" y1="170" y2="170"/>
          <text class="amount" x="50" y="174">$0</text>
          <line class="scale" x1="60" x2="392" y1="91" y2="91"/>
          <text class="amount" x="50" y="95">$2</text>
          <line class="scale" x1="60" x2="392" y1="12" y2="12"/>
          <text class="amount" x="50" y="16">$4</text>
          <text class="week" x="143" y="192">W46</text>
          <text class="week" x="309" y="192">W47</text>
          <rect class="s1" x="115" y="132" width="56" height="38"><title>a, W46: $1.00</title></rect>
          <rect class="s2" x="115" y="13" width="56" height="118"><title>&#60;b&#62;&#34;, W46: $3.00</title></rect>
          <rect class="s2" x="281" y="92" width="56" height="78"><title>&#60;b&#62;&#34;, W47: $2.00</title></rect>
        </svg>
        "##);
    }

    proptest! {
        #[test]
        fn every_column_lies_in_its_frame(
            spend in prop::collection::vec(prop::collection::vec(0_i64..3_000_000_000_000_000_000, 60), 0..4),
            weeks in 0_usize..60,
        ) {
            let columns: Vec<String> = (0..weeks).map(|week| format!("W{week:02}")).collect();
            let series: Vec<Series> = spend
                .iter()
                .map(|all| Series { name: "a", class: "s1", spend: all[..weeks].iter().map(|nano| NanoUsd(*nano)).collect() })
                .collect();
            let svg = stacked(&columns, &series, FRAME, "").unwrap();
            for rect in svg.lines().filter(|line| line.contains("<rect")) {
                let number = |name: &str| -> i64 {
                    let (_, rest) = rect.split_once(&format!(" {name}=\"")).unwrap();
                    rest.split_once('"').unwrap().0.parse().unwrap()
                };
                prop_assert!(number("x") >= LEFT && number("x") + number("width") <= FRAME.width, "{rect}");
                prop_assert!(number("y") >= 0 && number("y") + number("height") <= FRAME.height - BELOW, "{rect}");
                prop_assert!(number("height") > 0 && number("width") > 0, "{rect}");
            }
        }

        #[test]
        fn the_scale_covers_the_highest_with_few_lines(highest in 0_i128..10_i128.pow(20)) {
            let scale = Scale::of(highest, 170, 158);
            prop_assert!(scale.top >= highest && scale.lines().len() <= 5, "{} lines", scale.lines().len());
            prop_assert!(scale.y(highest) >= 12);
        }
    }
}
