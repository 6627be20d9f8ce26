//! Charts with a column a week: stacked bars, or points with their intervals and bands. Data in, SVG out.
//!
//! Lengths are whole pixels of the drawing; colours and type come from the style sheet by class.

use anyhow::Result;
use askama::Template;
use meter::{NanoUsd, Ppm};
use std::fmt::Write as _;

const LEFT: i64 = 60;
const RIGHT: i64 = 8;
const TOP: i64 = 12;
const BELOW: i64 = 30;
/// How far apart the lines of the scale are, at least.
const LINE_EVERY: i64 = 44;
/// How far apart the names of two columns are, at least.
const LABEL_EVERY: i64 = 48;
const COLUMN_MAX: i64 = 56;
const HATCH_EVERY: i64 = 8;
const HATCH_STEP: usize = 8;
/// How far a band goes beyond its first and its last column, so that one of one column is seen.
const BAND_BEYOND: i64 = 6;

/// What is counted, in whole numbers.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Unit {
    /// Nano-dollars.
    Dollars,
    Changes,
    /// Millionths of all; the scale is all of it.
    Share,
}

/// The weeks of a chart, oldest first.
pub(crate) struct Columns<'a> {
    pub names: &'a [String],
    /// Those from this one on can still change, and are hatched.
    pub immature_from: usize,
    /// What began in a column, to be seen on the axis.
    pub marks: Vec<Mark>,
}

/// Something that began in a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mark {
    pub column: usize,
    pub title: String,
}

/// One colour of stacked bars, an amount for each column.
pub(crate) struct Series<'a> {
    pub name: &'a str,
    /// The class that colours it.
    pub class: &'static str,
    pub amounts: Vec<i64>,
}

/// An amount with the interval it lies in.
pub(crate) struct Point {
    pub amount: i64,
    pub interval: Option<(i64, i64)>,
    pub title: String,
}

/// Where an amount lies that is known of several columns as one; as wide as it is uncertain.
#[derive(Clone, Copy)]
pub(crate) struct Band {
    pub middle: i64,
    pub interval: (i64, i64),
}

/// What is drawn in each column, where there is any.
pub(crate) struct Points {
    pub dots: Vec<Option<Point>>,
    pub bands: Vec<Option<Band>>,
}

impl From<Vec<Option<Point>>> for Points {
    fn from(dots: Vec<Option<Point>>) -> Self {
        Self { dots, bands: Vec::new() }
    }
}

impl Points {
    /// What the scale must reach. A band may leave it: a few uncertain weeks would press all others flat.
    fn highest(&self) -> i64 {
        let dots = self.dots.iter().flatten();
        let dots = dots.map(|point| point.interval.map_or(point.amount, |(_, high)| high.max(point.amount)));
        let known = dots.chain(self.bands.iter().flatten().map(|band| band.middle)).max().unwrap_or(0);
        let high = self.bands.iter().flatten().map(|band| band.interval.1).max().unwrap_or(0);
        high.min(known.saturating_mul(2)).max(known)
    }
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
    top: i64,
    bottom: i64,
    /// What can still change.
    hatched: Option<Hatched>,
    lines: Vec<Label>,
    labels: Vec<Label>,
    marks: Vec<Label>,
    bars: Vec<Bar>,
    ribbons: Vec<Ribbon>,
    dots: Vec<Dot>,
}

/// A part of the drawing behind all others: from here to its end, and the strokes across.
struct Hatched {
    from: i64,
    strokes: String,
}

impl Hatched {
    fn of(from: i64, frame: Frame) -> Self {
        let (width, height, bottom) = (frame.right() - from, frame.bottom() - TOP, frame.bottom());
        let mut strokes = String::new();
        for reach in (HATCH_EVERY..width + height).step_by(HATCH_STEP) {
            let (first, last) = ((reach - height).max(0), reach.min(width));
            let stroke = |x: i64| format!("{} {}", from + x, bottom - (reach - x));
            let _ = write!(strokes, "M{}L{}", stroke(first), stroke(last)); // writing to a String cannot fail
        }
        Self { from, strokes }
    }
}

/// Text at a place on one axis.
pub(crate) struct Label {
    pub at: i64,
    pub text: String,
}

struct Bar {
    x: i64,
    y: i64,
    width: i64,
    height: i64,
    class: &'static str,
    title: String,
}

/// A band over columns that follow each other, as corners: around it, and along its middle.
struct Ribbon {
    around: String,
    middle: String,
}

struct Dot {
    x: i64,
    y: i64,
    reach: Option<(i64, i64)>,
    title: String,
}

impl Unit {
    fn full(self, amount: i64) -> String {
        match self {
            Self::Dollars => NanoUsd(amount).dollars(),
            Self::Changes => amount.to_string(),
            Self::Share => format!("{} %", Ppm(amount).percent()),
        }
    }

    /// In as few characters as it takes, for the scale.
    pub(crate) fn rounded(self, amount: i128) -> String {
        match self {
            Self::Dollars => rounded(amount),
            Self::Changes => amount.to_string(),
            Self::Share => format!("{} %", amount / 10_000),
        }
    }
}

impl Frame {
    /// Where drawing begins, beside the names of the scale.
    pub(crate) const LEFT: i64 = LEFT;

    pub(crate) fn bottom(self) -> i64 {
        self.height - BELOW
    }

    pub(crate) fn right(self) -> i64 {
        self.width - RIGHT
    }

    pub(crate) fn scale(self, unit: Unit, highest: i128) -> Scale {
        Scale::of(unit, highest, self.bottom(), self.bottom() - TOP)
    }
}

/// Draws `columns` of `series`, the first series lowest. `summary` says the same in a sentence.
pub(crate) fn stacked(
    columns: &Columns,
    series: &[Series],
    unit: Unit,
    frame: Frame,
    summary: &str,
) -> Result<String> {
    let mut drawing = Drawing::of(columns, frame, summary);
    let total = |column: usize| -> i128 { series.iter().map(|one| i128::from(one.amounts[column])).sum() };
    let highest = (0..columns.names.len()).map(total).max().unwrap_or(0);
    let scale = frame.scale(unit, highest);
    let slot = columns.slot(frame);
    for (column, week) in columns.names.iter().enumerate() {
        let mut below = 0;
        for one in series.iter().filter(|one| one.amounts[column] > 0) {
            let amount = one.amounts[column];
            let low = scale.y(below);
            below += i128::from(amount);
            // a hair between two teams, but no team too thin to see
            let height = (low - scale.y(below) - 1).max(1);
            let width = (slot * 7 / 10).clamp(1, COLUMN_MAX);
            drawing.bars.push(Bar {
                x: columns.centre(column, frame) - width / 2,
                y: low - height,
                width,
                height,
                class: one.class,
                title: format!("{}, {week}: {}", one.name, unit.full(amount)),
            });
        }
    }
    drawing.lines = scale.lines();
    Ok(drawing.render()?)
}

/// Draws a point in each column that has one, before the bands.
pub(crate) fn points(
    columns: &Columns,
    points: &Points,
    unit: Unit,
    frame: Frame,
    summary: &str,
) -> Result<String> {
    let mut drawing = Drawing::of(columns, frame, summary);
    let scale = frame.scale(unit, points.highest().into());
    let y = |amount: i64| scale.y(amount.into()).max(TOP);
    let bands: Vec<(i64, Option<Band>)> = points
        .bands
        .iter()
        .enumerate()
        .map(|(column, band)| (columns.centre(column, frame), *band))
        .collect();
    for run in bands.chunk_by(|(_, one), (_, next)| one.is_some() == next.is_some()) {
        let run: Vec<(i64, Band)> = run.iter().filter_map(|(x, band)| Some((*x, (*band)?))).collect();
        drawing.ribbons.extend(Ribbon::of(&run, y));
    }
    for (column, point) in points.dots.iter().enumerate() {
        let Some(Point { amount, interval, title }) = point else { continue };
        drawing.dots.push(Dot {
            x: columns.centre(column, frame),
            y: y(*amount),
            reach: interval.map(|(low, high)| (y(low), y(high))),
            title: title.clone(),
        });
    }
    drawing.lines = scale.lines();
    Ok(drawing.render()?)
}

impl Ribbon {
    /// `run` has the place of each column.
    fn of(run: &[(i64, Band)], y: impl Fn(i64) -> i64) -> Option<Self> {
        let (first, last) = (run.first()?, run.last()?);
        let ends = [(first.0 - BAND_BEYOND, first.1), (last.0 + BAND_BEYOND, last.1)];
        let all: Vec<(i64, Band)> = [&ends[..1], run, &ends[1..]].concat();
        let corner = |x: &i64, amount: i64| format!("{x},{}", y(amount));
        let above = all.iter().map(|(x, band)| corner(x, band.interval.1));
        let below = all.iter().rev().map(|(x, band)| corner(x, band.interval.0));
        Some(Self {
            around: above.chain(below).collect::<Vec<_>>().join(" "),
            middle: all.iter().map(|(x, band)| corner(x, band.middle)).collect::<Vec<_>>().join(" "),
        })
    }
}

impl Columns<'_> {
    fn count(&self) -> i64 {
        i64::try_from(self.names.len()).unwrap_or(i64::MAX).max(1)
    }

    fn slot(&self, frame: Frame) -> i64 {
        (frame.right() - LEFT) / self.count()
    }

    fn centre(&self, column: usize, frame: Frame) -> i64 {
        let slot = self.slot(frame);
        LEFT + slot * i64::try_from(column).unwrap_or(0) + slot / 2
    }
}

impl<'a> Drawing<'a> {
    /// The weeks alone.
    fn of(columns: &Columns, frame: Frame, summary: &'a str) -> Self {
        let slot = columns.slot(frame);
        let every = usize::try_from(LABEL_EVERY / slot.max(1) + 1).unwrap_or(1);
        let newest = columns.names.len().saturating_sub(1);
        // counted from the newest, which always has its name
        let named =
            columns.names.iter().enumerate().filter(|(column, _)| (newest - column).is_multiple_of(every));
        let label = |(column, week): (usize, &String)| Label {
            at: columns.centre(column, frame),
            text: week.clone(),
        };
        let mark = |mark: &Mark| Label {
            at: columns.centre(mark.column, frame) - slot / 2,
            text: mark.title.clone(),
        };
        let hatched = (columns.immature_from < columns.names.len())
            .then(|| Hatched::of(columns.centre(columns.immature_from, frame) - slot / 2, frame));
        Self {
            frame,
            summary,
            left: LEFT,
            right: frame.right(),
            top: TOP,
            bottom: frame.bottom(),
            hatched,
            lines: Vec::new(),
            labels: named.map(label).collect(),
            marks: columns.marks.iter().map(mark).collect(),
            bars: Vec::new(),
            ribbons: Vec::new(),
            dots: Vec::new(),
        }
    }
}

/// Amounts as heights.
pub(crate) struct Scale {
    unit: Unit,
    step: i128,
    /// The highest amount that has a place.
    pub top: i128,
    bottom: i64,
    height: i64,
}

impl Scale {
    /// The finest scale of 1, 2 or 5 times a power of ten whose lines are far enough apart.
    pub(crate) fn of(unit: Unit, highest: i128, bottom: i64, height: i64) -> Self {
        let highest = if matches!(unit, Unit::Share) { 1_000_000 } else { highest };
        let lines = i128::from(height / LINE_EVERY).max(1);
        let steps = (0..).flat_map(|power| [1, 2, 5].map(|digit| digit * 10_i128.pow(power)));
        let step = steps.take(100).find(|step| step * lines >= highest).unwrap_or(highest);
        Self { unit, step, top: ((highest + step - 1) / step).max(1) * step, bottom, height }
    }

    pub(crate) fn y(&self, amount: i128) -> i64 {
        self.bottom - i64::try_from(amount * i128::from(self.height) / self.top).unwrap_or(0)
    }

    pub(crate) fn lines(&self) -> Vec<Label> {
        let line =
            |number| Label { at: self.y(number * self.step), text: self.unit.rounded(number * self.step) };
        (0..=self.top / self.step).map(line).collect()
    }
}

/// A round amount of money: `$20k`, `$0.5`.
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
        let names = ["W46".to_owned(), "W47".to_owned()];
        let columns = Columns { names: &names, immature_from: 2, marks: Vec::new() };
        let series = [
            Series { name: "a", class: "s1", amounts: vec![1_000_000_000, 0] },
            Series { name: "<b>\"", class: "s2", amounts: vec![3_000_000_000, 2_000_000_000] },
        ];
        let svg = stacked(&columns, &series, Unit::Dollars, FRAME, "sum & more").unwrap();
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

    #[test]
    fn a_point_stands_in_its_week_with_its_interval() {
        let names = ["W45".to_owned(), "W46".to_owned(), "W47".to_owned()];
        let columns = Columns { names: &names, immature_from: 2, marks: Vec::new() };
        let point =
            Point { amount: 700_000, interval: Some((500_000, 1_000_000)), title: "W45: 70 %".to_owned() };
        let svg =
            points(&columns, &vec![Some(point), None, None].into(), Unit::Share, FRAME, "share").unwrap();
        insta::assert_snapshot!(svg, @r#"
        <svg viewBox="0 0 400 200" role="img" aria-label="share">
          <path class="hatch" d="M280 162L288 170M280 154L296 170M280 146L304 170M280 138L312 170M280 130L320 170M280 122L328 170M280 114L336 170M280 106L344 170M280 98L352 170M280 90L360 170M280 82L368 170M280 74L376 170M280 66L384 170M280 58L392 170M280 50L392 162M280 42L392 154M280 34L392 146M280 26L392 138M280 18L392 130M282 12L392 122M290 12L392 114M298 12L392 106M306 12L392 98M314 12L392 90M322 12L392 82M330 12L392 74M338 12L392 66M346 12L392 58M354 12L392 50M362 12L392 42M370 12L392 34M378 12L392 26M386 12L392 18"/>
          <rect class="immature" x="280" y="12" width="112" height="158"><title>what came of it can still change</title></rect>
          <line class="scale" x1="60" x2="392" y1="170" y2="170"/>
          <text class="amount" x="50" y="174">0 %</text>
          <line class="scale" x1="60" x2="392" y1="91" y2="91"/>
          <text class="amount" x="50" y="95">50 %</text>
          <line class="scale" x1="60" x2="392" y1="12" y2="12"/>
          <text class="amount" x="50" y="16">100 %</text>
          <text class="week" x="115" y="192">W45</text>
          <text class="week" x="225" y="192">W46</text>
          <text class="week" x="335" y="192">W47</text>
          <line class="reach" x1="115" x2="115" y1="91" y2="12"/>
          <circle class="dot" cx="115" cy="60" r="4"><title>W45: 70 %</title></circle>
        </svg>
        "#);
    }

    #[test]
    fn a_band_is_drawn_where_it_is_known_and_as_far_as_the_scale_goes() {
        let names: Vec<String> = (43..48).map(|week| format!("W{week}")).collect();
        let marks = vec![Mark { column: 1, title: "<21> days".to_owned() }];
        let columns = Columns { names: &names, immature_from: 5, marks };
        let band = |middle, low, high| {
            let nano = |dollars: i64| dollars * 1_000_000_000;
            Some(Band { middle: nano(middle), interval: (nano(low), nano(high)) })
        };
        let bands = vec![None, band(10, 8, 12), band(10, 5, 90), None, band(5, 4, 6)];
        let points = points(&columns, &Points { dots: Vec::new(), bands }, Unit::Dollars, FRAME, "").unwrap();
        assert!(points.contains(r#"<line class="mark" x1="126" x2="126" y1="12" y2="170"><title>&#60;21&#62; days</title></line>"#), "{points}");
        let ribbons: Vec<&str> =
            points.lines().filter(|line| line.contains("class=\"band")).map(str::trim).collect();
        let expected = [
            // the second of both goes beyond twice the highest middle, where the scale ends
            r#"<polygon class="band" points="153,76 159,76 225,12 231,12 231,131 225,131 159,107 153,107"/>"#,
            r#"<polyline class="band-middle" points="153,91 159,91 225,91 231,91"/>"#,
            r#"<polygon class="band" points="351,123 357,123 363,123 363,139 357,139 351,139"/>"#,
            r#"<polyline class="band-middle" points="351,131 357,131 363,131"/>"#,
        ];
        assert_eq!(ribbons, expected);
    }

    proptest! {
        #[test]
        fn every_column_lies_in_its_frame(
            spend in prop::collection::vec(prop::collection::vec(0_i64..3_000_000_000_000_000_000, 60), 0..4),
            weeks in 0_usize..60,
        ) {
            let names: Vec<String> = (0..weeks).map(|week| format!("W{week:02}")).collect();
            let columns = Columns { names: &names, immature_from: weeks / 2, marks: Vec::new() };
            let series: Vec<Series> = spend
                .iter()
                .map(|all| Series { name: "a", class: "s1", amounts: all[..weeks].to_vec() })
                .collect();
            let svg = stacked(&columns, &series, Unit::Dollars, FRAME, "").unwrap();
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
            let scale = Scale::of(Unit::Dollars, highest, 170, 158);
            prop_assert!(scale.top >= highest && scale.lines().len() <= 5, "{} lines", scale.lines().len());
            prop_assert!(scale.y(highest) >= 12);
        }
    }
}
