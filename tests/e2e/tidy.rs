//! The rules of the house that clippy cannot see.

use std::fs;
use std::path::Path;
use std::process::Command;

const PRODUCTION_LINES_MAX: usize = 400;
const ARCHITECTURE_LINES_MAX: usize = 120;

struct Source {
    /// Relative to the root, with `/`.
    path: String,
    text: String,
}

impl Source {
    /// The file without its unit tests; a file of tests has none.
    fn production(&self) -> &str {
        let tests = ["/tests.rs", "/fixture.rs"].iter().any(|name| self.path.ends_with(name));
        if tests || self.path.contains("/src/") && self.path.contains("/tests/") {
            return "";
        }
        self.text.split("\n#[cfg(test)]\n").next().unwrap_or_default()
    }

    fn is_in(&self, rooms: &[&str]) -> bool {
        rooms.iter().any(|room| self.path.starts_with(room))
    }

    /// Lines of production code, comments left out, that hold `word`.
    fn code_with(&self, word: &str) -> Vec<String> {
        let lines = self.production().lines().enumerate();
        let code = lines.filter(|(_, line)| !line.trim_start().starts_with("//") && line.contains(word));
        code.map(|(index, line)| format!("{}:{}: {}", self.path, index + 1, line.trim())).collect()
    }
}

fn root() -> &'static Path {
    tests::program::checkout()
}

/// Every file git knows or would take.
fn files() -> Vec<Source> {
    let list = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(root())
        .output()
        .expect("git lists the files");
    let names = String::from_utf8(list.stdout).expect("names in UTF-8");
    let text = |path: &str| {
        Some(Source { path: path.to_owned(), text: fs::read_to_string(root().join(path)).ok()? })
    };
    names.split_terminator('\0').filter_map(text).collect()
}

fn is_rust(path: &str) -> bool {
    Path::new(path).extension().is_some_and(|end| end == "rs")
}

fn rust() -> Vec<Source> {
    files().into_iter().filter(|file| is_rust(&file.path)).collect()
}

/// Production code of the crates.
fn crates() -> Vec<Source> {
    let rooms = ["meter/src/", "hook/src/", "hook/transcript/src/", "collector/src/"];
    rust().into_iter().filter(|file| file.is_in(&rooms)).collect()
}

#[track_caller]
fn nothing(found: &[String], rule: &str) {
    assert!(found.is_empty(), "{rule}:\n{}", found.join("\n"));
}

/// `word` stands in production code of these rooms only.
#[track_caller]
fn only_in(rooms: &[&str], words: &[&str], rule: &str) {
    let outside = crates().into_iter().filter(|file| !file.is_in(rooms)).collect::<Vec<_>>();
    let found = outside.iter().flat_map(|file| words.iter().flat_map(|word| file.code_with(word)));
    nothing(&found.collect::<Vec<_>>(), rule);
}

#[test]
fn every_file_opens_with_what_it_is_for() {
    let silent = rust().into_iter().filter(|file| !file.text.starts_with("//!")).map(|file| file.path);
    nothing(&silent.collect::<Vec<_>>(), "a Rust file starts with a `//!` line");
}

#[test]
fn files_stay_short() {
    let long = rust().into_iter().filter_map(|file| {
        let lines = file.production().lines().count();
        (lines > PRODUCTION_LINES_MAX).then(|| format!("{}: {lines} lines", file.path))
    });
    nothing(&long.collect::<Vec<_>>(), "the production part of a file has at most 400 lines");
}

#[test]
fn no_file_is_named_after_nothing() {
    let vague = ["util", "utils", "helpers", "common", "misc", "types"];
    let stem = |path: &str| Path::new(path).file_stem().unwrap().to_string_lossy().into_owned();
    let found = rust().into_iter().map(|file| file.path).filter(|path| vague.contains(&stem(path).as_str()));
    nothing(&found.collect::<Vec<_>>(), "a file is named after the noun it holds");
}

#[test]
fn drivers_are_named_in_one_file_each() {
    only_in(
        &["collector/src/store/db", "hook/src/state/ledger"],
        &["rusqlite::", "postgres::"],
        "drivers stay behind the stores",
    );
}

#[test]
fn sql_is_written_in_the_stores() {
    let statements = ["\"SELECT ", "\"INSERT ", "\"UPDATE ", "\"DELETE ", "\"CREATE "];
    only_in(
        &["collector/src/store/", "hook/src/state/ledger"],
        &statements,
        "SQL stays in the stores and migrations",
    );
}

#[test]
fn status_codes_are_named_at_the_door() {
    only_in(
        &["collector/src/http/", "hook/src/delivery/post.rs"],
        &["StatusCode"],
        "status codes stay at the two doors",
    );
}

#[test]
fn the_transcript_format_is_known_in_one_room() {
    let fields =
        ["cache_creation_input_tokens", "ephemeral_1h_input_tokens", "requestSessionId", "gitOperation"];
    only_in(&["hook/transcript/src/line"], &fields, "only one room knows the client's field names");
}

#[test]
fn money_is_never_a_float() {
    let found =
        crates().into_iter().filter(|file| file.is_in(&["meter/"]) && !file.is_in(&["meter/src/interval/"]));
    let found = found.flat_map(|file| [file.code_with("f64"), file.code_with("f32")].concat());
    nothing(&found.collect::<Vec<_>>(), "meter has no floats outside interval/");
}

#[test]
fn the_core_does_no_io() {
    let doors =
        ["std::fs", "std::env", "std::net", "std::process", "std::io", "SystemTime", "Timestamp::now"];
    let found = crates().into_iter().filter(|file| file.is_in(&["meter/"]));
    let found =
        found.flat_map(|file| doors.iter().flat_map(move |door| file.code_with(door)).collect::<Vec<_>>());
    nothing(&found.collect::<Vec<_>>(), "meter is handed data");
}

#[test]
fn the_two_programs_do_not_know_each_other() {
    let manifest = |room: &str| fs::read_to_string(root().join(room).join("Cargo.toml")).unwrap();
    let depends = |room: &str, on: &str| manifest(room).lines().any(|line| line.starts_with(on));
    for (room, on) in
        [("hook", "collector"), ("collector", "hook"), ("meter", "hook"), ("meter", "collector")]
    {
        assert!(!depends(room, on), "{room} depends on {on}");
    }
    for package in ["rusqlite", "postgres", "tokio", "ureq", "axum"] {
        assert!(!depends("meter", package), "meter depends on {package}");
    }
    for package in ["tokio", "axum", "jsonwebtoken"] {
        assert!(!depends("hook", package), "the hook depends on {package}");
    }
}

#[test]
fn migrations_are_numbered_without_gaps() {
    let folder = fs::read_dir(root().join("collector/migrations")).unwrap();
    let mut names: Vec<String> =
        folder.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    names.retain(|name| name.to_lowercase().ends_with(".sql"));
    names.sort();
    assert!(!names.is_empty());
    for (index, name) in names.iter().enumerate() {
        assert!(name.starts_with(&format!("{:04}_", index + 1)), "{name} is not number {}", index + 1);
    }
}

#[test]
fn tests_neither_sleep_nor_hide() {
    let hidden = ["#[ign".to_owned() + "ore", "thread::sl".to_owned() + "eep", "time::sl".to_owned() + "eep"];
    let waits = |file: &Source| file.path == "tests/src/wait.rs";
    let tests = |file: &Source| {
        let all = file.is_in(&["tests/", "hook/tests/", "collector/tests/"]);
        file.text[if all { 0 } else { file.production().len() }..].to_owned()
    };
    let sources = rust().into_iter().filter(|file| !waits(file));
    let found =
        sources.filter(|file| hidden.iter().any(|word| tests(file).contains(word))).map(|file| file.path);
    nothing(
        &found.collect::<Vec<_>>(),
        "a test waits for a condition (tests/src/wait.rs) and is never ignored",
    );
}

#[test]
fn no_path_of_one_machine() {
    let odd = ["/ro".to_owned() + "ot/", "/wo".to_owned() + "rk/", "/ho".to_owned() + "me/ubuntu"];
    let found = files().into_iter().filter(|file| odd.iter().any(|path| file.text.contains(path)));
    nothing(&found.map(|file| file.path).collect::<Vec<_>>(), "no path of one machine in the tree");
}

#[test]
fn the_map_is_short_and_true() {
    let map = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    assert!(
        map.lines().count() < ARCHITECTURE_LINES_MAX,
        "ARCHITECTURE.md has {} lines",
        map.lines().count()
    );
    for room in ["meter", "hook", "collector", "tests", "hooks-config", "scripts"] {
        assert!(map.contains(room), "ARCHITECTURE.md does not name {room}");
    }
    let sources: Vec<String> = rust().into_iter().map(|file| file.path).collect();
    let named = map.split('`').skip(1).step_by(2).filter(|name| is_rust(name));
    let lost = named.filter(|name| !sources.iter().any(|path| path.ends_with(name))).map(str::to_owned);
    nothing(&lost.collect::<Vec<_>>(), "ARCHITECTURE.md names files that are not there");
}
