//! A JSON text edited in place: what we insert can be taken out again to the byte.
//!
//! Settings files belong to the people who wrote them, so nothing is parsed and printed anew. Each edit
//! splices the text, and each layout says where it came from: an item appended to others starts at the
//! end of its neighbour; a container that was empty before keeps a blank first line; a container without
//! one is our own and goes with its last item.

use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::collections::HashSet;
use std::ops::Range;

/// One step from a container to what it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    Key(String),
    Index(usize),
}

pub(super) struct Document {
    text: String,
    /// `None` while the text is blank.
    root: Option<Node>,
}

/// A value and where it stands. Scalars have no items.
struct Node {
    span: Range<usize>,
    items: Vec<Item>,
}

/// A member of an object or an element of an array.
struct Item {
    start: usize,
    key: Option<String>,
    value: Node,
}

impl Document {
    pub(super) fn parse(text: &str) -> Result<Self> {
        let body = text.trim_start_matches('\u{feff}');
        if body.trim().is_empty() {
            return Ok(Self { text: text.to_owned(), root: None });
        }
        // serde_json judges; the scan below may then trust what it reads, nesting depth included
        serde_json::from_str::<Value>(body).map_err(|error| {
            let at_comment = line_tail(body, error.line(), error.column()).starts_with('/');
            let hint = if at_comment { " (comments are not JSON)" } else { "" };
            anyhow::anyhow!("not JSON: {error}{hint}")
        })?;
        let (root, _) = scan(text, text.len() - body.len())?;
        Ok(Self { text: text.to_owned(), root: Some(root) })
    }

    pub(super) fn into_text(self) -> String {
        self.text
    }

    pub(super) fn is_blank(&self) -> bool {
        self.root.is_none()
    }

    /// The value at a path; the empty path is the whole document.
    pub(super) fn value(&self, path: &[Step]) -> Option<Value> {
        let span = self.node(path)?.span.clone();
        serde_json::from_str(&self.text[span]).ok()
    }

    /// Line and column, from 1, of the value at a path.
    pub(super) fn position(&self, path: &[Step]) -> (usize, usize) {
        position(&self.text, self.node(path).map_or(0, |node| node.span.start))
    }

    /// Adds a member (`key`) or an element (no key) at the end of the container that `keys` lead to,
    /// making the containers that are missing.
    pub(super) fn insert(&mut self, keys: &[&str], key: Option<&str>, value: Value) -> Result<()> {
        let path: Vec<Step> = keys.iter().map(|key| Step::Key((*key).to_owned())).collect();
        let there = (0..=path.len()).rev().find(|depth| self.node(&path[..*depth]).is_some());
        let Some(depth) = there else {
            let value = wrap(keys, wrap_item(key, value));
            return self.create(&value);
        };
        match keys.get(depth..) {
            Some([missing, rest @ ..]) => {
                let value = wrap(rest, wrap_item(key, value));
                self.insert_into(&path[..depth], Some(missing), &value)
            }
            _ => self.insert_into(&path, key, &value),
        }
    }

    /// Puts another value where one stands.
    pub(super) fn replace(&mut self, path: &[Step], value: &Value) -> Result<()> {
        let span = self.node(path).context("nothing stands there")?.span.clone();
        let rendered = self.render(None, value, indent_of_line(&self.text, span.start));
        self.splice(span, &rendered)
    }

    /// Takes an item out, and with it each container of ours that it leaves empty.
    pub(super) fn remove(&mut self, path: &[Step]) -> Result<()> {
        let Some((step, above)) = path.split_last() else {
            let span = self.node(path).context("nothing stands there")?.span.clone();
            return self.splice(span, "");
        };
        let container = self.node(above).context("nothing stands there")?;
        let index = container.index(step).context("nothing stands there")?;
        let items = &container.items;
        let span = match (index, items.len()) {
            (_, 1) if self.was_empty(container) => self.filling(container),
            (_, 1) => return self.remove(above),
            (0, _) => items[0].start..items[1].start,
            _ => items[index - 1].value.span.end..items[index].value.span.end,
        };
        self.splice(span, "")
    }

    fn create(&mut self, value: &Value) -> Result<()> {
        let rendered = self.render(None, value, "");
        let end = self.text.len();
        self.splice(end..end, &rendered)
    }

    fn insert_into(&mut self, path: &[Step], key: Option<&str>, value: &Value) -> Result<()> {
        let container = self.node(path).context("nothing stands there")?;
        let newline = self.newline();
        let outer = indent_of_line(&self.text, container.span.start);
        let inner = format!("{outer}{}", self.indent());
        let (at, insertion) = if let Some(last) = container.items.last() {
            let own_line = self.text[..last.start].trim_end_matches([' ', '\t']).ends_with('\n');
            let inner = if own_line { indent_of_line(&self.text, last.start) } else { &inner };
            (last.value.span.end, format!(",{newline}{inner}{}", self.render(key, value, inner)))
        } else {
            let item = self.render(key, value, &inner);
            (container.span.start + 1, format!("{newline}{newline}{inner}{item}{newline}{outer}"))
        };
        self.splice(at..at, &insertion)
    }

    /// Whether the container was there before its first item: see the head of this file.
    fn was_empty(&self, container: &Node) -> bool {
        let inside = &self.text[container.span.start + 1..container.span.end];
        inside.starts_with("\n\n") || inside.starts_with("\r\n\r\n")
    }

    /// All that was put into an empty container.
    fn filling(&self, container: &Node) -> Range<usize> {
        let end = container.items.last().map_or(container.span.start + 1, |item| item.value.span.end);
        let closing = format!("{}{}", self.newline(), indent_of_line(&self.text, container.span.start));
        let closing = if self.text[end..].starts_with(&closing) { closing.len() } else { 0 };
        container.span.start + 1..end + closing
    }

    fn splice(&mut self, span: Range<usize>, insertion: &str) -> Result<()> {
        let mut text = std::mem::take(&mut self.text);
        text.replace_range(span, insertion);
        *self = Self::parse(&text)?;
        Ok(())
    }

    fn node(&self, path: &[Step]) -> Option<&Node> {
        path.iter().try_fold(self.root.as_ref()?, |node, step| Some(&node.items[node.index(step)?].value))
    }

    fn newline(&self) -> &'static str {
        match self.text.find('\n') {
            Some(at) if self.text[..at].ends_with('\r') => "\r\n",
            _ => "\n",
        }
    }

    /// One level of indentation, as the first item of the document has it.
    fn indent(&self) -> &str {
        let first = self.root.as_ref().and_then(|root| Some((root.span.start, root.items.first()?.start)));
        let between = first.map_or("", |(open, item)| &self.text[open + 1..item]);
        match between.rsplit_once('\n') {
            Some((_, indent)) if !indent.is_empty() => indent,
            _ => "  ",
        }
    }

    fn render(&self, key: Option<&str>, value: &Value, indent: &str) -> String {
        let mut bytes = Vec::new();
        let formatter = serde_json::ser::PrettyFormatter::with_indent(self.indent().as_bytes());
        let mut serializer = serde_json::Serializer::with_formatter(&mut bytes, formatter);
        serde::Serialize::serialize(value, &mut serializer).expect("a JSON value always prints");
        let value = String::from_utf8_lossy(&bytes).replace('\n', &format!("{}{indent}", self.newline()));
        match key {
            Some(key) => format!("{}: {value}", Value::from(key)),
            None => value,
        }
    }
}

impl Node {
    fn index(&self, step: &Step) -> Option<usize> {
        match step {
            Step::Key(key) => self.items.iter().position(|item| item.key.as_ref() == Some(key)),
            Step::Index(index) => (*index < self.items.len()).then_some(*index),
        }
    }
}

fn wrap_item(key: Option<&str>, value: Value) -> Value {
    match key {
        Some(key) => wrap(&[key], value),
        None => Value::Array(vec![value]),
    }
}

fn wrap(keys: &[&str], value: Value) -> Value {
    keys.iter()
        .rev()
        .fold(value, |value, key| Value::Object([((*key).to_owned(), value)].into_iter().collect()))
}

/// Reads the value that starts at `at` or after white space; returns it and where it ends.
fn scan(text: &str, at: usize) -> Result<(Node, usize)> {
    let bytes = text.as_bytes();
    let start = skip_space(bytes, at);
    if !matches!(bytes[start], b'{' | b'[') {
        let end = if bytes[start] == b'"' { string_end(bytes, start) } else { scalar_end(bytes, start) };
        return Ok((Node { span: start..end, items: Vec::new() }, end));
    }
    let (mut items, mut keys) = (Vec::new(), HashSet::new());
    let mut at = skip_space(bytes, start + 1);
    while !matches!(bytes[at], b'}' | b']') {
        let item_start = at;
        let mut key = None;
        if bytes[start] == b'{' {
            let end = string_end(bytes, at);
            let name: String = serde_json::from_str(&text[at..end])?;
            if !keys.insert(name.clone()) {
                let (line, column) = position(text, at);
                bail!("the key {name:?} appears twice in one object, again at line {line} column {column}");
            }
            key = Some(name);
            at = skip_space(bytes, end) + 1;
        }
        let (value, end) = scan(text, at)?;
        items.push(Item { start: item_start, key, value });
        at = skip_space(bytes, end);
        if bytes[at] == b',' {
            at = skip_space(bytes, at + 1);
        }
    }
    Ok((Node { span: start..at + 1, items }, at + 1))
}

fn skip_space(bytes: &[u8], at: usize) -> usize {
    let blank = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
    at + bytes[at..].iter().take_while(|byte| blank(byte)).count()
}

fn string_end(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while bytes[at] != b'"' {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    at + 1
}

fn scalar_end(bytes: &[u8], start: usize) -> usize {
    let ends = |byte: &u8| matches!(byte, b',' | b'}' | b']' | b' ' | b'\t' | b'\n' | b'\r');
    bytes[start..].iter().position(ends).map_or(bytes.len(), |length| start + length)
}

fn indent_of_line(text: &str, at: usize) -> &str {
    let line = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
    let blank = text[line..at].len() - text[line..at].trim_start_matches([' ', '\t']).len();
    &text[line..line + blank]
}

fn position(text: &str, at: usize) -> (usize, usize) {
    let before = &text[..at];
    let line = before.rfind('\n').map_or(0, |newline| newline + 1);
    (before.matches('\n').count() + 1, before[line..].chars().count() + 1)
}

fn line_tail(text: &str, line: usize, column: usize) -> &str {
    let line = text.lines().nth(line.saturating_sub(1)).unwrap_or_default();
    line.get(column.saturating_sub(1)..).unwrap_or_default()
}
