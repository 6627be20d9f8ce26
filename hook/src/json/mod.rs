//! A JSON object read in pieces of any size, keeping only the scalars at named paths.
//!
//! Transcript lines hold whole files and system prompts; what counts is a few dozen bytes of each. The walker
//! skips the rest at the speed of a search for the next quote, in memory that depends neither on the length of
//! a line nor on how deep it nests: containers nobody asked for are a counter, not a stack.
//!
//! What it vouches for: of a valid line it gives the values any JSON reader gives, the last one where a key
//! repeats; a line cut off anywhere is malformed. In parts nobody asked for it checks only that strings end
//! and brackets balance.

mod token;
mod wanted;

use token::{SCALAR_BYTES_MAX, after, before, opening, string_end, unescape, word};
pub(crate) use wanted::{Object, Value, Visitor, Want};

#[derive(Debug, Clone, Copy, PartialEq)]
enum State {
    Start,
    FirstKey,
    Key,
    Colon,
    FirstItem,
    Value,
    Comma,
    /// In a string at its first or a later byte; `odd`: an odd number of backslashes came just before.
    Text {
        token: Token,
        odd: bool,
    },
    Scalar,
    /// In a container nobody asked for.
    Skip,
    Done,
    Broken,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Token {
    Key,
    Kept,
    Opening,
    Ignored,
    /// In a container nobody asked for.
    Skipped,
}

enum Level<F: 'static> {
    Object(&'static Object<F>),
    Items(F, &'static Object<F>),
    Entries(F, &'static Object<F>),
}

pub(crate) struct Walker<F: 'static> {
    root: &'static Object<F>,
    state: State,
    /// The open containers on a named path; never more than the names are deep.
    levels: Vec<Level<F>>,
    /// What the value to come is wanted as.
    want: Option<Want<F>>,
    /// Open containers below the named ones.
    skipped: u64,
    /// The beginning of a token that the last piece cut off.
    pending: Vec<u8>,
}

impl<F: Copy + 'static> Walker<F> {
    pub(crate) fn new(root: &'static Object<F>) -> Self {
        Self { root, state: State::Start, levels: Vec::new(), want: None, skipped: 0, pending: Vec::new() }
    }

    /// Reads the next piece of a line.
    pub(crate) fn feed(&mut self, mut bytes: &[u8], visitor: &mut impl Visitor<F>) {
        while let Some(first) = bytes.first() {
            bytes = match self.state {
                State::Broken => return,
                State::Text { token, odd } => self.text(bytes, token, odd, visitor),
                State::Scalar => self.scalar(bytes, visitor),
                State::Skip => self.skip(bytes),
                _ => {
                    if !matches!(first, b' ' | b'\t' | b'\r' | b'\n') {
                        self.state = self.punctuation(*first, visitor);
                    }
                    // the first byte of a number or a word belongs to its token
                    if self.state == State::Scalar { bytes } else { after(bytes, 1) }
                }
            };
        }
    }

    /// Nothing but space was read yet.
    pub(crate) fn is_at_start(&self) -> bool {
        self.state == State::Start
    }

    /// One whole object was read, and nothing but space can follow.
    pub(crate) fn is_whole(&self) -> bool {
        self.state == State::Done
    }

    /// Ends the line, and makes ready for the next; true where it was one whole object.
    pub(crate) fn finish(&mut self) -> bool {
        let whole = self.is_whole();
        self.state = State::Start;
        self.levels.clear();
        self.pending.clear();
        self.skipped = 0;
        whole
    }

    fn punctuation(&mut self, byte: u8, visitor: &mut impl Visitor<F>) -> State {
        match (self.state, byte) {
            (State::Start, b'{') => self.open(Level::Object(self.root)),
            (State::FirstKey | State::Key, b'"') => State::Text { token: Token::Key, odd: false },
            (State::Colon, b':') => State::Value,
            (State::FirstKey, b'}') | (State::FirstItem, b']') => self.close(),
            (State::Comma, b'}') if !self.in_list() => self.close(),
            (State::Comma, b']') if self.in_list() => self.close(),
            (State::Comma, b',') if self.in_list() => {
                self.want = self.item();
                State::Value
            }
            (State::Comma, b',') => State::Key,
            (State::Value | State::FirstItem, _) => self.begin(byte, visitor),
            _ => State::Broken,
        }
    }

    /// The first byte of a value.
    fn begin(&mut self, byte: u8, visitor: &mut impl Visitor<F>) -> State {
        match (byte, self.want) {
            (b'"', Some(Want::Scalar(_))) => State::Text { token: Token::Kept, odd: false },
            (b'"', Some(_)) if !self.in_list() => State::Text { token: Token::Opening, odd: false },
            (b'"', _) => State::Text { token: Token::Ignored, odd: false },
            (b'{', Some(Want::Object(field, object))) => {
                match self.levels.last() {
                    Some(Level::Object(_)) => visitor.value(field, Value::Open),
                    Some(Level::Items(..)) => visitor.value(field, Value::Item),
                    // announced with its key
                    Some(Level::Entries(..)) | None => {}
                }
                self.open(Level::Object(object))
            }
            (b'{', Some(Want::Entries(field, object))) => {
                visitor.value(field, Value::Open);
                self.open(Level::Entries(field, object))
            }
            (b'[', Some(Want::Items(field, object))) => {
                visitor.value(field, Value::Open);
                self.open(Level::Items(field, object))
            }
            (b'{' | b'[', _) => {
                self.announce(Value::Other, visitor);
                self.skipped = 1;
                State::Skip
            }
            (b'-' | b'0'..=b'9' | b't' | b'f' | b'n', _) => State::Scalar,
            _ => State::Broken,
        }
    }

    /// Tells the wanted field what it got instead; items that are no objects concern nobody.
    fn announce(&self, value: Value<'_>, visitor: &mut impl Visitor<F>) {
        if let Some(want) = self.want
            && matches!(self.levels.last(), Some(Level::Object(_)))
        {
            visitor.value(want.field(), value);
        }
    }

    fn in_list(&self) -> bool {
        matches!(self.levels.last(), Some(Level::Items(..)))
    }

    fn item(&self) -> Option<Want<F>> {
        match self.levels.last() {
            Some(Level::Items(field, object)) => Some(Want::Object(*field, object)),
            _ => None,
        }
    }

    fn open(&mut self, level: Level<F>) -> State {
        self.levels.push(level);
        self.want = self.item();
        if self.in_list() { State::FirstItem } else { State::FirstKey }
    }

    fn close(&mut self) -> State {
        self.levels.pop();
        if self.levels.is_empty() { State::Done } else { State::Comma }
    }

    /// The rest of a string, up to its quote or the end of the piece.
    fn text<'a>(
        &mut self,
        bytes: &'a [u8],
        token: Token,
        mut odd: bool,
        visitor: &mut impl Visitor<F>,
    ) -> &'a [u8] {
        let end = string_end(bytes, &mut odd);
        let part = before(bytes, end.unwrap_or(bytes.len()));
        let wanted = matches!(token, Token::Key | Token::Kept | Token::Opening);
        if wanted && (end.is_none() || !self.pending.is_empty()) {
            self.keep(part);
        }
        let Some(end) = end else {
            self.state = State::Text { token, odd };
            return &[];
        };
        if wanted {
            let pending = std::mem::take(&mut self.pending);
            self.found(if pending.is_empty() { part } else { &pending }, token, visitor);
            self.pending = pending;
            self.pending.clear();
        }
        let rest = after(bytes, end + 1);
        match token {
            Token::Key => self.past_key(rest, visitor),
            Token::Kept | Token::Opening | Token::Ignored => self.past_value(rest),
            Token::Skipped => {
                self.state = State::Skip;
                rest
            }
        }
    }

    /// Behind a key. What the client always writes next is taken at once: it is most of the work.
    fn past_key<'a>(&mut self, bytes: &'a [u8], visitor: &mut impl Visitor<F>) -> &'a [u8] {
        self.state = State::Colon;
        match bytes {
            [b':', first @ (b'"' | b'{' | b'[' | b'-' | b'0'..=b'9' | b'a'..=b'z'), ..] => {
                self.state = self.begin(*first, visitor);
                after(bytes, if self.state == State::Scalar { 1 } else { 2 })
            }
            _ => bytes,
        }
    }

    /// Behind a value, likewise.
    fn past_value<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        self.state = State::Comma;
        match bytes {
            [b',', b'"', rest @ ..] if !self.in_list() => {
                self.state = State::Text { token: Token::Key, odd: false };
                rest
            }
            _ => bytes,
        }
    }

    /// Remembers the beginning of a token, and one byte more than it may have.
    fn keep(&mut self, part: &[u8]) {
        let room = (SCALAR_BYTES_MAX + 1).saturating_sub(self.pending.len());
        self.pending.extend_from_slice(before(part, room));
    }

    /// A whole string, as written.
    fn found(&mut self, raw: &[u8], token: Token, visitor: &mut impl Visitor<F>) {
        match token {
            Token::Kept => {
                let text = unescape(raw);
                self.announce(text.as_deref().map_or(Value::Unreadable, Value::Text), visitor);
            }
            Token::Opening => self.announce(Value::Opening(opening(raw)), visitor),
            _ => self.key(raw, visitor),
        }
    }

    fn key(&mut self, raw: &[u8], visitor: &mut impl Visitor<F>) {
        self.want = match self.levels.last() {
            Some(Level::Object(object)) => object.want(raw),
            Some(Level::Entries(field, object)) => {
                let key = unescape(raw);
                visitor.value(*field, key.as_deref().map_or(Value::Unreadable, Value::Entry));
                Some(Want::Object(*field, object))
            }
            _ => None,
        };
    }

    /// A number, `true`, `false` or `null`, up to what ends it.
    fn scalar<'a>(&mut self, bytes: &'a [u8], visitor: &mut impl Visitor<F>) -> &'a [u8] {
        let ends = |byte: &u8| matches!(byte, b',' | b'}' | b']' | b' ' | b'\t' | b'\r' | b'\n');
        let end = bytes.iter().position(ends);
        let part = before(bytes, end.unwrap_or(bytes.len()));
        if end.is_none() || !self.pending.is_empty() {
            self.keep(part);
        }
        let Some(end) = end else { return &[] };
        let pending = std::mem::take(&mut self.pending);
        let Some(value) = word(if pending.is_empty() { part } else { &pending }) else {
            self.state = State::Broken;
            return &[];
        };
        self.announce(value, visitor);
        self.pending = pending;
        self.pending.clear();
        self.past_value(after(bytes, end))
    }

    /// Past a container nobody asked for.
    fn skip<'a>(&mut self, mut bytes: &'a [u8]) -> &'a [u8] {
        while let Some((first, rest)) = bytes.split_first() {
            bytes = rest;
            match first {
                b'"' => {
                    let mut odd = false;
                    let Some(end) = string_end(bytes, &mut odd) else {
                        self.state = State::Text { token: Token::Skipped, odd };
                        return &[];
                    };
                    bytes = after(bytes, end + 1);
                }
                b'{' | b'[' => self.skipped += 1,
                b'}' | b']' => {
                    self.skipped -= 1;
                    if self.skipped == 0 {
                        return self.past_value(bytes);
                    }
                }
                _ => {}
            }
        }
        bytes
    }
}

#[cfg(test)]
mod tests;
