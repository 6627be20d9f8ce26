//! Points by two amounts, each a link: spend to the right, what came of it upwards.

use crate::chart::{Frame, Label, Scale, Unit};
use crate::listing::clipped;
use anyhow::Result;
use askama::Template;

/// Of a name beside its point.
const NAME_CHARS_MAX: usize = 16;
/// From a point to its name.
const BESIDE: i64 = 11;

/// A letter of a name, about, and a line of names.
const CHAR: i64 = 7;
const LINE: i64 = 13;
/// Room for half of the last name of the scale.
const EDGE: i64 = 12;

pub(crate) struct Spot {
    pub name: String,
    /// Of the page behind it.
    pub href: String,
    /// Nano-dollars.
    pub spend: i64,
    pub outcomes: i64,
    pub title: String,
}

#[derive(Template)]
#[template(path = "scatter.svg")]
struct Drawing<'a> {
    frame: Frame,
    summary: &'a str,
    left: i64,
    right: i64,
    bottom: i64,
    up: Vec<Label>,
    along: Vec<Label>,
    /// Where the line of all points together ends.
    together: Option<(i64, i64)>,
    dots: Vec<Dot>,
}

struct Dot {
    x: i64,
    y: i64,
    is_left: bool,
    label_x: i64,
    label_y: i64,
    name: String,
    href: String,
    title: String,
}

/// Draws `spots` with the line on which an outcome costs what it cost all of them together.
pub(crate) fn scatter(spots: &[Spot], frame: Frame, summary: &str) -> Result<String> {
    let highest = |of: fn(&Spot) -> i64| i128::from(spots.iter().map(of).max().unwrap_or(0));
    let up = frame.scale(Unit::Changes, highest(|spot| spot.outcomes));
    let along = Scale::of(Unit::Dollars, highest(|spot| spot.spend), 0, frame.right() - EDGE - Frame::LEFT);
    let x = |spend: i128| Frame::LEFT - along.y(spend);
    let sum = |of: fn(&Spot) -> i64| spots.iter().map(|spot| i128::from(of(spot))).sum::<i128>();
    let (spend, outcomes) = (sum(|spot| spot.spend), sum(|spot| spot.outcomes));
    let together = (spend > 0 && outcomes > 0).then(|| {
        // up to the edge it meets first
        let end = along.top.min(up.top * spend / outcomes);
        (x(end), up.y(end * outcomes / spend))
    });
    let mut named = Vec::new();
    let dots = spots.iter().map(|spot| {
        let (x, y) = (x(spot.spend.into()), up.y(spot.outcomes.into()));
        let name = clipped(&spot.name, NAME_CHARS_MAX);
        let place = place(&named, (x, y), &name, frame);
        let dot = Dot {
            x,
            y,
            is_left: place.is_left,
            label_x: place.x,
            label_y: place.y + 4,
            name,
            href: spot.href.clone(),
            title: spot.title.clone(),
        };
        named.push(place);
        dot
    });
    let dots = dots.collect();
    let drawing = Drawing {
        frame,
        summary,
        left: Frame::LEFT,
        right: frame.right(),
        bottom: frame.bottom(),
        up: up.lines(),
        along: along.lines().into_iter().map(|line| Label { at: Frame::LEFT - line.at, ..line }).collect(),
        together,
        dots,
    };
    Ok(drawing.render()?)
}

/// Where a name stands, and how far it reaches.
#[derive(Clone, Copy)]
struct Place {
    x: i64,
    y: i64,
    is_left: bool,
    from: i64,
    to: i64,
}

/// Beside its point where no other name stands: right of it, left, or a line lower.
fn place(named: &[Place], (x, y): (i64, i64), name: &str, frame: Frame) -> Place {
    let length = i64::try_from(name.chars().count()).unwrap_or(0) * CHAR;
    let right = |y| Place { x: x + BESIDE, y, is_left: false, from: x + BESIDE, to: x + BESIDE + length };
    let left = |y| Place { x: x - BESIDE, y, is_left: true, from: x - BESIDE - length, to: x - BESIDE };
    let is_free = |one: &Place| {
        let inside = one.from >= Frame::LEFT && one.to <= frame.width;
        let over =
            |other: &&Place| (one.y - other.y).abs() < LINE && one.from < other.to && other.from < one.to;
        inside && !named.iter().any(|other| over(&other))
    };
    let places = [0, LINE, -LINE].into_iter().flat_map(|lower| [right(y + lower), left(y + lower)]);
    places.into_iter().find(is_free).unwrap_or(left(y))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_beside_each_other_and_inside() {
        let frame = Frame { width: 400, height: 200 };
        let mut named = Vec::new();
        let mut check = |at: (i64, i64), is_left: bool, y: i64| {
            let found = place(&named, at, "Payments", frame);
            assert_eq!((found.is_left, found.y), (is_left, y), "{at:?}");
            named.push(found);
        };
        check((200, 50), false, 50);
        check((204, 52), true, 52);
        check((202, 51), false, 51 + LINE);
        check((390, 120), true, 120);
    }

    #[test]
    fn the_line_of_all_ends_at_the_edge_it_meets_first() {
        let frame = Frame { width: 400, height: 200 };
        let spot = |name: &str, dollars: i64, outcomes: i64| Spot {
            name: name.to_owned(),
            href: format!("/changes?team={name}"),
            spend: dollars * 1_000_000_000,
            outcomes,
            title: format!("<{name}>"),
        };
        let svg = scatter(&[spot("a", 100, 40), spot("b", 300, 40)], frame, "a & b").unwrap();
        for drawn in [
            r#"<line class="together" x1="60" x2="273" y1="170" y2="12"/>"#,
            r#"<a href="/changes?team=a" aria-label="&#60;a&#62;"><circle class="dot" cx="166" cy="12" r="6">"#,
            r#"<text x="391" y="16">b</text>"#,
            r#"role="group" aria-label="a &#38; b""#,
        ] {
            assert!(svg.contains(drawn), "{drawn} in {svg}");
        }
    }
}
