//! What is looked for in an object, and how it is told.

use super::token::unescape;

/// Keys are told apart by a mark first.
const MARKS: usize = 64;

/// The keys of an object that matter.
pub(crate) struct Object<F: 'static> {
    keys: &'static [(&'static str, Want<F>)],
    /// The keys of each mark, as a set: most keys of a line are none of ours, and need not be compared.
    marked: [u64; MARKS],
}

impl<F: Copy> Object<F> {
    #[expect(clippy::indexing_slicing, reason = "every table is a constant: the compiler would stop")]
    pub(crate) const fn new(keys: &'static [(&'static str, Want<F>)]) -> Self {
        let mut marked = [0; MARKS];
        let mut index = 0;
        while index < keys.len() {
            marked[mark(keys[index].0.as_bytes())] |= 1 << index;
            index += 1;
        }
        Self { keys, marked }
    }

    /// What the key leads to that is written as `raw`.
    pub(super) fn want(&self, raw: &[u8]) -> Option<Want<F>> {
        // a name as it is needs no decoding, and no name has a backslash
        self.named(raw)
            .or_else(|| if raw.contains(&b'\\') { self.named(unescape(raw)?.as_bytes()) } else { None })
    }

    /// The same of a key without an escape.
    pub(super) fn named(&self, key: &[u8]) -> Option<Want<F>> {
        let mut left = *self.marked.get(mark(key))?;
        while left != 0 {
            let (name, want) = self.keys.get(left.trailing_zeros() as usize)?;
            if name.as_bytes() == key {
                return Some(*want);
            }
            left &= left - 1;
        }
        None
    }
}

/// Most names of one object differ in it.
const fn mark(key: &[u8]) -> usize {
    match key {
        [first, .., last] => (key.len() + 5 * *first as usize + 3 * *last as usize) % MARKS,
        _ => key.len(),
    }
}

/// What a key leads to. Everything but a scalar is announced by a [`Value`] of its field, too.
#[derive(Clone, Copy)]
pub(crate) enum Want<F: 'static> {
    Scalar(F),
    /// No more of a text than its first bytes.
    Opening(F),
    Object(F, &'static Object<F>),
    /// Every object in an array.
    Items(F, &'static Object<F>),
    /// Every object in an object whose keys are data.
    Entries(F, &'static Object<F>),
}

impl<F: Copy> Want<F> {
    /// Whether more is wanted of a value with this first byte than itself.
    pub(super) fn opens(self, first: u8) -> bool {
        matches!((self, first), (Self::Object(..) | Self::Entries(..), b'{') | (Self::Items(..), b'['))
    }

    pub(super) fn field(self) -> F {
        match self {
            Self::Scalar(field)
            | Self::Opening(field)
            | Self::Object(field, _)
            | Self::Items(field, _)
            | Self::Entries(field, _) => field,
        }
    }
}

/// What stood at a path.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Value<'a> {
    Null,
    Bool(bool),
    /// As written: the reader decides what a number may look like.
    Number(&'a [u8]),
    /// As written between its quotes: [`super::unescape`] gives the text.
    Text(&'a [u8]),
    /// A key that is too long or not Unicode.
    Unreadable,
    /// The first bytes of text, as written, where no more is wanted or anything else was.
    Opening(&'a [u8]),
    /// A container where none is wanted.
    Other,
    /// The wanted object or list opens; what was read of an earlier one under the same key is void.
    Open,
    /// One more object of [`Want::Items`] opens.
    Item,
    /// One more object of [`Want::Entries`] opens, under this key.
    Entry(&'a str),
}

/// Receives what was found, in the order it is written.
pub(crate) trait Visitor<F> {
    fn value(&mut self, field: F, value: Value<'_>);

    /// Forgets all of it.
    fn clear(&mut self);
}
