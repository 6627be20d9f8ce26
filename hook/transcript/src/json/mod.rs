//! A JSON object on a line of its own, of which only the scalars at named paths are wanted.
//!
//! Transcript lines hold whole files and system prompts; what counts is a few dozen bytes of each. The walk
//! skips the rest at the speed of a search for the next quote, in memory that depends neither on the length of
//! a line nor on how deep it nests: it goes no deeper than the names do, and containers nobody asked for are a
//! counter, not a stack.
//!
//! Lines that fit an earlier one are walked at the places only where that one had other values: see [`stencil`].
//!
//! What it vouches for: of a valid line it gives the values any JSON reader gives, the last one where a key
//! repeats; a line cut off anywhere is malformed. In parts nobody asked for it checks only that strings end
//! and brackets balance.

mod source;
mod stencil;
mod string;
mod token;
mod wanted;

pub(crate) use source::{Source, Window};
pub(crate) use stencil::Stencils;
use stencil::{Hole, Met, Stencil, Trail};
use string::string_end;
pub(crate) use token::{SCALAR_BYTES_MAX, unescape};
use token::{after, before, opening, word};
pub(crate) use wanted::{Object, Value, Visitor, Want};

use memchr::memchr;

/// What a line was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Nothing but space.
    Blank,
    /// One whole object.
    Whole,
    Broken,
}

/// Reads the line that `source` stands at, and tells `visitor` what is wanted of it.
pub(crate) fn read<F: Copy>(
    source: &mut Source<'_>,
    root: &'static Object<F>,
    stencils: &mut Stencils<F>,
    visitor: &mut impl Visitor<F>,
) -> Shape {
    let start = source.gather();
    let mut walk = Walk { source, visitor, pending: Vec::new(), trail: None };
    if let Some(start) = start {
        if stencils.fit(|known| walk.again(known)) {
            return Shape::Whole;
        }
        walk.source.go_back(start);
        walk.visitor.clear();
        walk.trail = Some(Trail::new(start));
    }
    let Some(first) = walk.token() else { return Shape::Blank };
    let whole = first == b'{' && walk.members(root).is_some() && walk.token().is_none();
    if let (true, Some(start), Some(trail)) = (whole, start, walk.trail) {
        stencils.learn(source.line(start), trail);
    }
    if whole { Shape::Whole } else { Shape::Broken }
}

/// Every step is `None` where the line ends or is no JSON.
struct Walk<'a, 'f, V, F: 'static> {
    source: &'a mut Source<'f>,
    visitor: &'a mut V,
    /// A token that lies in several windows.
    pending: Vec<u8>,
    /// What is met on the way, where another line may go it again.
    trail: Option<Trail<F>>,
}

impl<V: Visitor<F>, F: Copy> Walk<'_, '_, V, F> {
    /// The next byte that is no space.
    fn token(&mut self) -> Option<u8> {
        loop {
            match self.source.next()? {
                b' ' | b'\t' | b'\r' => {}
                byte => return Some(byte),
            }
        }
    }

    /// Everything up to `close`, parted by commas; `part` gets the first byte of each.
    fn parted(&mut self, close: u8, mut part: impl FnMut(&mut Self, u8) -> Option<()>) -> Option<()> {
        let mut first = self.token()?;
        if first == close {
            return Some(());
        }
        loop {
            part(self, first)?;
            // what the client always writes is taken at once: it is most of the work
            if let [b',', next @ b'"', ..] = self.source.rest() {
                first = *next;
                self.source.advance(2);
                continue;
            }
            match self.token()? {
                b',' => first = self.token()?,
                byte => return (byte == close).then_some(()),
            }
        }
    }

    fn members(&mut self, object: &'static Object<F>) -> Option<()> {
        self.parted(b'}', |walk, first| {
            let (want, first) = walk.member(object, first)?;
            walk.value(want, first)
        })
    }

    /// What a key leads to, and the first byte of its value.
    fn member(&mut self, object: &'static Object<F>, first: u8) -> Option<(Option<Want<F>>, u8)> {
        let rest = self.source.rest();
        if first == b'"'
            && let Some(end) = memchr(b'"', rest)
            && !before(rest, end).contains(&b'\\')
            && let [b'"', b':', first @ b'"'..=b'{', ..] = after(rest, end)
        {
            let (want, first) = (object.named(before(rest, end)), *first);
            self.source.advance(end + 3);
            return Some((want, first));
        }
        self.key(first, |_, raw| object.want(raw))
    }

    /// The members of an object whose keys are data.
    fn entries(&mut self, field: F, object: &'static Object<F>) -> Option<()> {
        // what a key means here is told with it, and no two lines tell the same
        self.trail = None;
        self.parted(b'}', |walk, first| {
            let ((), first) = walk.key(first, |visitor, raw| {
                visitor.value(field, unescape(raw).as_deref().map_or(Value::Unreadable, Value::Entry));
            })?;
            if first == b'{' { walk.members(object) } else { walk.ignore(first) }
        })
    }

    /// Items that are no objects concern nobody.
    fn items(&mut self, field: F, object: &'static Object<F>) -> Option<()> {
        self.parted(b']', |walk, first| {
            if first != b'{' {
                return walk.ignore(first);
            }
            walk.meet(Met::Item(field));
            walk.visitor.value(field, Value::Item);
            walk.members(object)
        })
    }

    /// A key, and the first byte of its value.
    fn key<R>(&mut self, first: u8, take: impl FnOnce(&mut V, &[u8]) -> R) -> Option<(R, u8)> {
        if first != b'"' {
            return None;
        }
        let taken = self.string(take)?;
        let colon = self.token()?;
        Some((taken, self.token()?)).filter(|_| colon == b':')
    }

    fn value(&mut self, want: Option<Want<F>>, first: u8) -> Option<()> {
        let (Some(want), start) = (want, self.source.at()) else { return self.ignore(first) };
        let field = want.field();
        if want.opens(first) {
            self.meet(Met::Open(field));
            self.visitor.value(field, Value::Open);
        }
        match (first, want) {
            (b'{', Want::Object(_, object)) => return self.members(object),
            (b'{', Want::Entries(_, object)) => return self.entries(field, object),
            (b'[', Want::Items(_, object)) => return self.items(field, object),
            (b'"', Want::Scalar(_)) => self.string(|visitor, raw| visitor.value(field, Value::Text(raw))),
            (b'"', _) => self.string(|visitor, raw| visitor.value(field, Value::Opening(opening(raw)))),
            (b'{' | b'[', _) => {
                self.visitor.value(field, Value::Other);
                self.skip_container()
            }
            _ => self.scalar(|visitor, value| visitor.value(field, value)),
        }?;
        self.pass(Some(want), start);
        Some(())
    }

    /// A value nobody asked for.
    fn ignore(&mut self, first: u8) -> Option<()> {
        let start = self.source.at();
        match first {
            b'"' => self.skip_string(),
            b'{' | b'[' => self.skip_container(),
            _ => self.scalar(|_, _| {}),
        }?;
        self.pass(None, start);
        Some(())
    }

    /// Notes that a container opens here.
    fn meet(&mut self, met: Met<F>) {
        let at = self.source.at();
        if let Some(trail) = &mut self.trail {
            trail.note(met, at..at);
        }
    }

    /// Notes a value whose first byte stands before `start`.
    fn pass(&mut self, want: Option<Want<F>>, start: usize) {
        let end = self.source.at();
        if let Some(trail) = &mut self.trail {
            trail.note(Met::Value(want), start - 1..end);
        }
    }

    /// Takes the line as one of `known` with other values, and says as which. What was told is void where it is none.
    ///
    /// Those that begin alike are one way up to where they part: none of it is gone twice.
    fn again(&mut self, known: &[Stencil<F>]) -> Option<usize> {
        let (mut last, mut depth) = (known.first()?, 0);
        for (index, stencil) in known.iter().enumerate() {
            if !stencil.begins_as(last, depth) {
                continue;
            }
            last = stencil;
            while let Some(piece) = stencil.piece(depth) {
                let Some(behind) = self.source.rest().strip_prefix(piece.literal.as_slice()) else { break };
                match (&piece.hole, behind.first().copied()) {
                    (None, None) => {
                        piece.tell(self.visitor);
                        self.source.advance(piece.literal.len());
                        return Some(index);
                    }
                    // what is wanted of a container belongs to the shape of its line
                    (Some(Hole(want)), Some(first)) if !want.is_some_and(|want| want.opens(first)) => {
                        piece.tell(self.visitor);
                        self.source.advance(piece.literal.len() + 1);
                        self.value(*want, first)?;
                        depth += 1;
                    }
                    _ => break,
                }
            }
        }
        None
    }

    /// The rest of a string, as written.
    fn string<R>(&mut self, take: impl FnOnce(&mut V, &[u8]) -> R) -> Option<R> {
        let (mut odd, rest) = (false, self.source.rest());
        if let Some(end) = string_end(rest, &mut odd) {
            let taken = take(self.visitor, before(rest, end));
            self.source.advance(end + 1);
            return Some(taken);
        }
        self.pending.clear();
        loop {
            self.keep(self.source.rest().len());
            self.source.more()?;
            if let Some(end) = string_end(self.source.rest(), &mut odd) {
                self.keep(end);
                self.source.advance(end + 1);
                return Some(take(self.visitor, &self.pending));
            }
        }
    }

    /// Remembers a part of a token, and of all parts one byte more than it may have.
    fn keep(&mut self, bytes: usize) {
        let room = (SCALAR_BYTES_MAX + 1).saturating_sub(self.pending.len());
        self.pending.extend_from_slice(before(self.source.rest(), bytes.min(room)));
    }

    fn skip_string(&mut self) -> Option<()> {
        let mut odd = false;
        loop {
            if let Some(end) = string_end(self.source.rest(), &mut odd) {
                self.source.advance(end + 1);
                return Some(());
            }
            self.source.more()?;
        }
    }

    /// A number, `true`, `false` or `null`, up to what ends it; its first byte was taken already.
    fn scalar(&mut self, take: impl FnOnce(&mut V, Value<'_>)) -> Option<()> {
        let ends = |byte: &u8| matches!(byte, b',' | b'}' | b']' | b' ' | b'\t' | b'\r');
        self.source.back();
        let rest = self.source.rest();
        if let Some(end) = rest.iter().position(ends) {
            take(self.visitor, word(before(rest, end))?);
            self.source.advance(end);
            return Some(());
        }
        self.pending.clear();
        loop {
            self.keep(self.source.rest().len());
            self.source.more()?;
            if let Some(end) = self.source.rest().iter().position(ends) {
                self.keep(end);
                self.source.advance(end);
                take(self.visitor, word(&self.pending)?);
                return Some(());
            }
        }
    }

    /// Past a container nobody asked for, behind its first bracket.
    fn skip_container(&mut self) -> Option<()> {
        let mut depth = 1_u64;
        while depth > 0 {
            let (mut at, rest) = (0, self.source.rest());
            let mut text = false;
            while let Some(byte) = rest.get(at) {
                at += 1;
                match byte {
                    b'"' => {
                        let Some(end) = string_end(after(rest, at), &mut false) else {
                            text = true;
                            break;
                        };
                        at += end + 1;
                    }
                    b'{' | b'[' => depth += 1,
                    b'}' | b']' if depth == 1 => {
                        self.source.advance(at);
                        return Some(());
                    }
                    b'}' | b']' => depth -= 1,
                    _ => {}
                }
            }
            self.source.advance(at);
            if text { self.skip_string()? } else { self.source.more()? }
        }
        Some(())
    }
}

#[cfg(test)]
mod tests;
