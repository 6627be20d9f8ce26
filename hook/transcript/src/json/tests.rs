//! The walker against a reader that holds the whole document.

use super::{Object, Shape, Source, Stencils, Value, Visitor, Want, Window, read, unescape};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::io::{Read, Result};

static ITEM: Object<&str> = Object::new(&[("a", Want::Scalar("o.x.a"))]);
static INNER: Object<&str> = Object::new(&[("a", Want::Scalar("o.a")), ("x", Want::Items("o.x", &ITEM))]);
static TWIN: Object<&str> = Object::new(&[("a", Want::Scalar("p.a"))]);
static ENTRY: Object<&str> = Object::new(&[("a", Want::Scalar("m.a"))]);
static ROOT: Object<&str> = Object::new(&[
    ("a", Want::Scalar("a")),
    ("é\n", Want::Scalar("é")),
    ("o", Want::Object("o", &INNER)),
    ("p", Want::Object("p", &TWIN)),
    ("m", Want::Entries("m", &ENTRY)),
    ("t", Want::Opening("t")),
]);

/// Path → what stands there.
#[derive(Debug, Default, PartialEq)]
struct Found {
    at: BTreeMap<String, String>,
    items: usize,
    entry: String,
}

impl Found {
    fn forget(&mut self, path: &str) {
        self.at.retain(|known, _| !known.starts_with(path));
    }
}

impl Visitor<&str> for Found {
    fn value(&mut self, field: &str, value: Value<'_>) {
        let path = match (field, value) {
            ("o.x", Value::Item) => {
                self.items += 1;
                format!("o.x {}", self.items)
            }
            ("o.x.a", _) => format!("o.x {} a", self.items),
            ("m", Value::Entry(key)) => {
                key.clone_into(&mut self.entry);
                self.forget(&format!("m {key} "));
                format!("m {key}")
            }
            ("m.a", _) => format!("m {} a", self.entry),
            ("o" | "p", _) => {
                self.forget(field);
                field.to_owned()
            }
            ("m" | "o.x", _) => {
                self.items = 0;
                self.forget(&format!("{field} "));
                field.to_owned()
            }
            _ => field.to_owned(),
        };
        let value = match value {
            Value::Entry(_) => "Entry".to_owned(),
            Value::Opening(_) => "Opening".to_owned(),
            Value::Text(raw) => text(unescape(raw).as_deref()),
            other => format!("{other:?}"),
        };
        self.at.insert(path, value);
    }

    fn clear(&mut self) {
        *self = Self::default();
    }
}

fn text(text: Option<&str>) -> String {
    text.map_or("Unreadable".to_owned(), |text| format!("Text({text:?})"))
}

/// A file that gives its bytes piece by piece.
struct Pieces<'a>(Vec<&'a [u8]>);

impl Read for Pieces<'_> {
    fn read(&mut self, window: &mut [u8]) -> Result<usize> {
        self.0.retain(|piece| !piece.is_empty());
        self.0.first_mut().map_or(Ok(0), |piece| piece.read(window))
    }
}

fn walk(pieces: &[&[u8]]) -> Option<BTreeMap<String, String>> {
    let mut stencils = Stencils::default();
    let mut walk = |end: &'static [u8]| {
        let mut found = Found::default();
        let (mut pieces, mut window) = (Pieces([pieces, &[end]].concat()), Window::default());
        let shape = read(&mut Source::new(&mut pieces, &mut window), &ROOT, &mut stencils, &mut found);
        (shape == Shape::Whole).then_some(found.at)
    };
    let first = walk(b"");
    assert_eq!(walk(b"\n"), first, "its end makes no difference");
    assert_eq!(walk(b"\n"), first, "nor that it fits the one before");
    first
}

/// The same of one line after another.
fn walk_lines(lines: &[Vec<u8>]) -> Vec<Option<BTreeMap<String, String>>> {
    let (mut stencils, mut window) = (Stencils::default(), Window::default());
    let text = lines.join(&b'\n');
    let mut file = text.as_slice();
    let mut source = Source::new(&mut file, &mut window);
    let mut all = Vec::new();
    for _ in lines {
        let mut found = Found::default();
        let shape = read(&mut source, &ROOT, &mut stencils, &mut found);
        all.push((shape == Shape::Whole).then_some(found.at));
        source.end_line().unwrap();
    }
    all
}

/// The same from a parsed document.
fn reference(document: &serde_json::Value) -> BTreeMap<String, String> {
    use serde_json::Value as Json;
    let scalar = |json: &Json| match json {
        Json::Null => format!("{:?}", Value::Null),
        Json::Bool(bool) => format!("{:?}", Value::Bool(*bool)),
        Json::Number(number) => format!("{:?}", Value::Number(number.to_string().as_bytes())),
        Json::String(known) => text(Some(known)),
        Json::Array(_) | Json::Object(_) => format!("{:?}", Value::Other),
    };
    let opening = |json: &Json| match json {
        Json::String(_) => "Opening".to_owned(),
        other => scalar(other),
    };
    let mut at = BTreeMap::new();
    let mut put = |path: &str, value: String| at.insert(path.to_owned(), value);
    for (key, json) in document.as_object().unwrap() {
        match (key.as_str(), json) {
            ("a", _) => drop(put("a", scalar(json))),
            ("é\n", _) => drop(put("é", scalar(json))),
            ("t", _) => drop(put("t", opening(json))),
            ("o", Json::Object(inner)) => {
                put("o", "Open".into());
                inner.get("a").map(|json| put("o.a", scalar(json)));
                match inner.get("x") {
                    Some(Json::Array(items)) => {
                        put("o.x", "Open".into());
                        for (index, item) in items.iter().filter_map(Json::as_object).enumerate() {
                            put(&format!("o.x {}", index + 1), "Item".into());
                            item.get("a").map(|json| put(&format!("o.x {} a", index + 1), scalar(json)));
                        }
                    }
                    Some(other) => drop(put("o.x", opening(other))),
                    None => {}
                }
            }
            ("p", Json::Object(inner)) => {
                put("p", "Open".into());
                inner.get("a").map(|json| put("p.a", scalar(json)));
            }
            ("m", Json::Object(entries)) => {
                put("m", "Open".into());
                for (key, entry) in entries {
                    put(&format!("m {key}"), "Entry".into());
                    entry.get("a").map(|json| put(&format!("m {key} a"), scalar(json)));
                }
            }
            ("o" | "p" | "m", other) => drop(put(key, opening(other))),
            _ => {}
        }
    }
    at
}

/// JSON text of any shape, its keys mostly those that are looked for; spaces, escapes and repeated keys included.
fn json() -> impl Strategy<Value = String> {
    let text = prop_oneof![
        "[a-z é\u{1F600}]{0,6}".prop_map(|text| text.replace('é', "\\u00e9")),
        Just(r#"\\\"\\\\"#.to_owned()),
        Just(r"\ud83d\ude00\b\f\/\t".to_owned()),
        Just(r"{}[],:\\".to_owned()),
    ]
    .prop_map(|text| format!("\"{text}\""));
    let scalar = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        Just("false".to_owned()),
        any::<i64>().prop_map(|n| n.to_string()),
        text,
    ];
    let key = prop_oneof![
        4 => Just("\"a\""), 3 => Just("\"o\""), 2 => Just("\"x\""), 2 => Just("\"m\""),
        1 => Just(r#""\u00e9\n""#), 1 => Just("\"t\""), 1 => Just(r#""\u0061""#), 1 => Just("\"\""),
    ];
    let space = prop_oneof![3 => Just(""), 1 => Just(" "), 1 => Just("\t\r ")];
    scalar.prop_recursive(5, 40, 5, move |inner| {
        let list = prop::collection::vec((space.clone(), inner.clone()), 0..4);
        let list = list.prop_map(|items| {
            let items: Vec<String> =
                items.into_iter().map(|(space, item)| format!("{space}{item}{space}")).collect();
            format!("[{}]", items.join(","))
        });
        let entries = prop::collection::vec((key.clone(), space.clone(), inner), 0..6);
        let entries = entries.prop_map(|entries| {
            let entries =
                entries.into_iter().map(|(key, space, value)| format!("{space}{key}{space}:{space}{value}"));
            format!("{{{}}}", entries.collect::<Vec<_>>().join(","))
        });
        prop_oneof![1 => list, 3 => entries]
    })
}

fn object() -> impl Strategy<Value = String> {
    let entries = prop::collection::vec(
        (prop_oneof![Just("a"), Just("o"), Just("p"), Just("m"), Just("t"), Just("z")], json()),
        0..7,
    );
    entries.prop_map(|entries| {
        let entries: Vec<String> =
            entries.into_iter().map(|(key, value)| format!("\"{key}\":{value}")).collect();
        format!("{{{}}}", entries.join(","))
    })
}

fn pieces<'a>(text: &'a [u8], cuts: &[prop::sample::Index]) -> Vec<&'a [u8]> {
    let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(text.len() + 1)).collect();
    at.extend([0, text.len()]);
    at.sort_unstable();
    at.windows(2).map(|pair| &text[pair[0]..pair[1]]).collect()
}

proptest! {
    #[test]
    fn finds_what_a_whole_reader_finds(text in object(), cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6)) {
        let expected = reference(&serde_json::from_str(&text).unwrap());
        prop_assert_eq!(walk(&pieces(text.as_bytes(), &cuts)), Some(expected.clone()), "{}", &text);
        let bytes: Vec<&[u8]> = text.as_bytes().chunks(1).collect();
        prop_assert_eq!(walk(&bytes), Some(expected));
    }

    #[test]
    fn a_line_cut_off_anywhere_is_malformed(text in object(), cut in any::<prop::sample::Index>()) {
        prop_assert_eq!(walk(&[&text.as_bytes()[..cut.index(text.len())]]), None);
    }

    #[test]
    fn what_it_reads_of_a_damaged_line_does_not_depend_on_the_pieces(
        text in object(),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
    ) {
        let mut bytes = text.into_bytes();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        prop_assert_eq!(walk(&pieces(&bytes, &cuts)), walk(&[&bytes]));
    }

    #[test]
    fn what_a_line_says_does_not_depend_on_those_before(
        shapes in prop::collection::vec(0..7_usize, 2..12),
        values in prop::collection::vec((json(), json(), json()), 12),
        damage in prop::collection::vec((any::<prop::sample::Index>(), prop_oneof![Just(b'"'), any::<u8>()]), 12),
    ) {
        let lines: Vec<Vec<u8>> = shapes.iter().zip(&values).zip(&damage).map(|((shape, (a, b, c)), (at, byte))| {
            let mut line = match shape {
                0 => format!(r#"{{"a":{a},"o":{{"a":{b},"x":[{{"a":{c}}},{{}},7]}},"z":{b},"t":{c},"a":null}}"#),
                1 => format!(r#"{{"a":{a},"o":{b},"z":[],"t":"{}"}}"#, "x".repeat(99)),
                2 => format!(r#"{{"o":{{"x":{a}}},"m":{b},"o":{{"a":{c} }}}} "#),
                // the same bytes in one object and in the other, behind what tells them apart
                _ => format!(r#"{{"{}":{{"a":{a},"z":{b},"a":{},"z":{c}}}}}"#, ["o", "p"][shape % 2], shape / 2),
            }.into_bytes();
            let at = at.index(4 * line.len());
            // every fourth is damaged
            if let Some(spot) = line.get_mut(at).filter(|_| *byte != b'\n') {
                *spot = *byte;
            }
            line
        }).collect();
        let alone: Vec<_> = lines.iter().map(|line| walk(&[line])).collect();
        prop_assert_eq!(walk_lines(&lines), alone);
    }

    #[test]
    fn only_numbers_are_numbers(token in "-?[-+.0-9]{0,4}([eE][-+]?[0-9]{0,2})?") {
        let valid = serde_json::from_str::<serde_json::Number>(&token).is_ok();
        let found = walk(&[format!("{{\"a\":{token}}}").as_bytes()]);
        prop_assert_eq!(found, valid.then(|| [("a".to_owned(), format!("{:?}", Value::Number(token.as_bytes())))].into()));
    }
}

#[track_caller]
fn check(text: &[u8], expected: Option<&[(&str, &str)]>) {
    let expected = expected.map(|found| {
        found
            .iter()
            .map(|(path, value)| ((*path).to_owned(), (*value).to_owned()))
            .collect::<BTreeMap<_, _>>()
    });
    assert_eq!(walk(&[text]), expected, "{}", String::from_utf8_lossy(text));
}

#[test]
fn what_cannot_be_read_is_said() {
    check(b"{\"a\":\"\xff\"}", Some(&[("a", "Unreadable")]));
    check(b"{\"a\":\"x\0y\"}", Some(&[("a", "Unreadable")]));
    check(br#"{"a":"\ud800"}"#, Some(&[("a", "Unreadable")]));
    check(br#"{"a":"\x"}"#, Some(&[("a", "Unreadable")]));
    let long = format!("{{\"a\":\"{}\"}}", "x".repeat(5000));
    check(long.as_bytes(), Some(&[("a", "Unreadable")]));
    let long: Vec<&[u8]> = long.as_bytes().chunks(7).collect();
    assert_eq!(walk(&long).unwrap()["a"], "Unreadable");
}

#[test]
fn what_is_no_object_is_malformed() {
    for bad in [
        "",
        "[]",
        "1",
        "nul",
        "{",
        "{}}",
        "{} {}",
        "{\"a\"}",
        "{\"a\":1,}",
        "{\"a\":01}",
        "{\"a\":tru}",
        "\0\0",
        "{a:1}",
    ] {
        check(bad.as_bytes(), None);
    }
    check(format!("{{\"a\":1{}}}", "0".repeat(5000)).as_bytes(), None);
    check(b"{\"z\":{\"\xff\":[]}}", Some(&[]));
}

#[test]
fn depth_costs_nothing() {
    for depth in [10_000, 10_000_000] {
        let nested = format!("{{\"z\":{}{},\"a\":1}}", "[".repeat(depth), "]".repeat(depth));
        check(nested.as_bytes(), Some(&[("a", "Number([49])")]));
        check(&nested.as_bytes()[..depth + 9], None);
        let wrong_place = "{\"o\":".repeat(depth);
        check(wrong_place.as_bytes(), None);
    }
}
