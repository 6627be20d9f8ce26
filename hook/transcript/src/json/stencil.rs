//! Lines of one program: most are an earlier line with other values.
//!
//! A stencil is a line whose values were cut out where another line had others. Where a line fits, the walk tells
//! what it told of the first and stops at the holes only. That is no second opinion of what a line says: the same
//! bytes lead the same way, and what fills a hole is walked. A line that fits none is walked as a whole, and cuts
//! the holes that were missing.

use super::token::{opening, word};
use super::wanted::{Value, Visitor, Want};
use std::ops::Range;

/// The client writes no more shapes; what is written otherwise is read all the same.
const STENCILS_MAX: usize = 64;
/// Values of a line that is worth to be known.
const VALUES_MAX: usize = 512;
/// No line repeats what is longer.
const SAME_BYTES_MAX: usize = 96;

/// What the walk comes to, in the order it is written.
#[derive(Clone, Copy)]
pub(super) enum Met<F: 'static> {
    Open(F),
    Item(F),
    /// A value in which nothing else is wanted.
    Value(Option<Want<F>>),
}

struct Step<F: 'static> {
    met: Met<F>,
    span: Range<usize>,
    hole: bool,
}

/// The way through one line.
pub(super) struct Trail<F: 'static> {
    start: usize,
    steps: Vec<Step<F>>,
}

impl<F> Trail<F> {
    pub(super) fn new(start: usize) -> Self {
        Self { start, steps: Vec::new() }
    }

    pub(super) fn note(&mut self, met: Met<F>, span: Range<usize>) {
        if self.steps.len() <= VALUES_MAX {
            let span = span.start - self.start..span.end - self.start;
            let hole = span.len() > SAME_BYTES_MAX;
            self.steps.push(Step { met, span, hole });
        }
    }
}

/// The shapes of lines that were met, the usual ones first.
pub(crate) struct Stencils<F: 'static>(Vec<Stencil<F>>);

impl<F> Default for Stencils<F> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<F: Copy> Stencils<F> {
    /// Whether `again` finds the one that fits.
    pub(super) fn fit(&mut self, again: impl FnOnce(&[Stencil<F>]) -> Option<usize>) -> bool {
        let Some(index) = again(&self.0) else { return false };
        self.0.swap(index, index.saturating_sub(1));
        true
    }

    /// Has a line fit that fitted none.
    pub(super) fn learn(&mut self, line: &[u8], Trail { mut steps, .. }: Trail<F>) {
        if steps.len() > VALUES_MAX {
            return;
        }
        if let Some(known) = self.0.iter_mut().find(|known| known.is_of_shape(line, &steps)) {
            known.cut_where_other(line, &mut steps);
            *known = Stencil::new(line, steps);
        } else {
            self.0.truncate(STENCILS_MAX - 1);
            self.0.push(Stencil::new(line, steps));
        }
    }
}

/// A line with holes.
pub(super) struct Stencil<F: 'static> {
    /// What is left of it.
    text: Vec<u8>,
    steps: Vec<Step<F>>,
    /// One before each hole, and one after the last.
    pieces: Vec<Piece<F>>,
}

/// The bytes between two holes.
pub(super) struct Piece<F: 'static> {
    pub(super) literal: Vec<u8>,
    /// What they say.
    told: Vec<(F, Said)>,
    /// What follows, or nothing more.
    pub(super) hole: Option<Hole<F>>,
}

/// Where any value may stand, and what is wanted of it.
pub(super) struct Hole<F: 'static>(pub(super) Option<Want<F>>);

impl<F: Copy> Stencil<F> {
    fn new(line: &[u8], mut steps: Vec<Step<F>>) -> Self {
        let (mut text, mut pieces, mut told) = (Vec::new(), Vec::new(), Vec::new());
        let (mut at, mut first) = (0, 0);
        for step in &mut steps {
            text.extend_from_slice(part(line, &(at..step.span.start)));
            at = step.span.end;
            let (start, written) = (text.len(), part(line, &step.span));
            if let (Met::Value(want), true) = (step.met, step.hole) {
                let (literal, told) = (part(&text, &(first..start)).to_owned(), std::mem::take(&mut told));
                pieces.push(Piece { literal, told, hole: Some(Hole(want)) });
                first = start;
            } else {
                text.extend_from_slice(written);
                told.extend(said(step.met, written, &(start - first..text.len() - first)));
            }
            step.span = start..text.len();
        }
        text.extend_from_slice(part(line, &(at..line.len())));
        pieces.push(Piece { literal: part(&text, &(first..text.len())).to_owned(), told, hole: None });
        Self { text, steps, pieces }
    }

    /// Whether a line differs in nothing but values.
    fn is_of_shape(&self, line: &[u8], steps: &[Step<F>]) -> bool {
        let (mut at, mut other_at) = (0, 0);
        self.steps.len() == steps.len()
            && self.steps.iter().zip(steps).all(|(step, other)| {
                let same =
                    part(&self.text, &(at..step.span.start)) == part(line, &(other_at..other.span.start));
                (at, other_at) = (step.span.end, other.span.end);
                same
            })
            && part(&self.text, &(at..self.text.len())) == part(line, &(other_at..line.len()))
    }

    fn cut_where_other(&self, line: &[u8], steps: &mut [Step<F>]) {
        for (step, other) in self.steps.iter().zip(steps) {
            other.hole |= step.hole || part(&self.text, &step.span) != part(line, &other.span);
        }
    }

    pub(super) fn piece(&self, index: usize) -> Option<&Piece<F>> {
        self.pieces.get(index)
    }

    /// Whether the first pieces are those of another, and a hole follows each.
    pub(super) fn begins_as(&self, other: &Self, pieces: usize) -> bool {
        let mut both = self.pieces.iter().zip(&other.pieces).take(pieces);
        self.pieces.len() > pieces && both.all(|(one, another)| one.literal == another.literal)
    }
}

impl<F: Copy> Piece<F> {
    /// Tells what its bytes say.
    pub(super) fn tell(&self, visitor: &mut impl Visitor<F>) {
        for (field, said) in &self.told {
            visitor.value(*field, said.value(&self.literal));
        }
    }
}

fn part<'a>(bytes: &'a [u8], range: &Range<usize>) -> &'a [u8] {
    bytes.get(range.clone()).unwrap_or_default()
}

/// What is told of a value that stands alone, by the field.
fn said<F: Copy>(met: Met<F>, written: &[u8], span: &Range<usize>) -> Option<(F, Said)> {
    let want = match met {
        Met::Open(field) => return Some((field, Said::Plain(Value::Open))),
        Met::Item(field) => return Some((field, Said::Plain(Value::Item))),
        Met::Value(want) => want?,
    };
    let inner = span.start + 1..span.end.saturating_sub(1);
    let said = match (written, want) {
        ([b'"', ..], Want::Scalar(_)) => Said::Text(inner),
        ([b'"', raw @ .., _], _) => Said::Opening(inner.start..inner.start + opening(raw).len()),
        ([b'{' | b'[', ..], _) => Said::Plain(Value::Other),
        _ => match word(written)? {
            Value::Null => Said::Plain(Value::Null),
            Value::Bool(bool) => Said::Plain(Value::Bool(bool)),
            _ => Said::Number(span.clone()),
        },
    };
    Some((want.field(), said))
}

/// A value of a stencil's text.
enum Said {
    Plain(Value<'static>),
    Text(Range<usize>),
    Opening(Range<usize>),
    Number(Range<usize>),
}

impl Said {
    fn value<'a>(&self, text: &'a [u8]) -> Value<'a> {
        match self {
            Self::Plain(value) => *value,
            Self::Text(range) => Value::Text(part(text, range)),
            Self::Opening(range) => Value::Opening(part(text, range)),
            Self::Number(range) => Value::Number(part(text, range)),
        }
    }
}
