//! Small histories made by hand, beside what they come to.

use super::*;
use crate::absorb;
use crate::reader::reading::Folders;
use crate::reader::walk;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::fs;
use std::path::PathBuf;
use transcript::Lines;

const OPUS: &str = "claude-opus-5-5";

fn id(letter: char) -> String {
    format!("8b41c8a0-0000-4000-8000-00000000000{letter}")
}

/// A line of a response: session, message id, second of the day, output.
fn said(session: char, message: &str, second: i64, output: u64) -> Value {
    let at = Timestamp::from_second(1_795_305_600 + second).unwrap();
    json!({
        "type": "assistant", "sessionId": id(session), "timestamp": at, "cwd": "/src/pay", "uuid": message,
        "message": {"id": message, "model": OPUS, "stop_reason": "end_turn", "usage": {
            "input_tokens": 10, "output_tokens": output, "cache_read_input_tokens": 1000,
            "cache_creation_input_tokens": 300, "cache_creation": {"ephemeral_1h_input_tokens": 100},
        }},
    })
}

/// What `said` comes to.
fn sum(outputs: &[u64]) -> Sum {
    let one = Tokens {
        input: 10,
        output: 0,
        cache_read: 1000,
        cache_write_5m: 200,
        cache_write_1h: 100,
        web_search: 0,
    };
    let mut sum = Sum::default();
    for output in outputs {
        sum += Sum { requests: 1, tokens: Tokens { output: *output, ..one } };
    }
    sum
}

/// The line as a fork copies it.
fn copied(line: &Value, into: char, origin: Option<char>) -> Value {
    let mut copy = line.clone();
    copy["sessionId"] = json!(id(into));
    if let Some(origin) = origin {
        copy["requestSessionId"] = json!(id(origin));
    }
    copy
}

fn with(mut line: Value, key: &str, value: Value) -> Value {
    line[key] = value;
    line
}

/// A folder is a repository of that name.
struct Named;

impl Folders for Named {
    fn repo(&mut self, folder: &str) -> Arc<str> {
        format!("git.example/acme/{}", folder.rsplit('/').next().unwrap()).into()
    }
}

fn fresh(file: &Transcript) -> Result<Option<Reading>> {
    absorb::read(file, None, None, (&mut Lines::default(), &mut Named), u64::MAX)
}

/// Files by path below the root, written and read in their order.
fn histories_of(files: &[(String, Vec<Value>)]) -> Histories {
    let home = tempfile::tempdir().unwrap();
    for (path, lines) in files {
        let path = home.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let text = lines.iter().map(Value::to_string).collect::<Vec<_>>().join("\n");
        fs::write(path, text + "\n").unwrap();
    }
    let (mut found, _) = walk::find(&[home.path().canonicalize().unwrap()]);
    let place = |file: &Transcript| files.iter().position(|(path, _)| file.path.ends_with(path));
    found.sort_by_key(place);
    let (histories, troubles) = read(&found, &mut fresh, &|_| {});
    assert_eq!(troubles, Vec::<String>::new());
    histories
}

fn total(histories: Histories, terms: &mut dyn FnMut(&History, &Repo) -> Option<Terms>) -> Totals {
    histories.total(&PriceBook::embedded(), &mut Scope { only: &Only::default(), terms })
}

fn totals_of(files: &[(String, Vec<Value>)]) -> Totals {
    total(histories_of(files), &mut |_, _| Some(Terms::default()))
}

fn main_file(session: char, lines: Vec<Value>) -> (String, Vec<Value>) {
    (format!("p/{}.jsonl", id(session)), lines)
}

/// Outputs of the responses each session must own.
#[track_caller]
fn check(files: &[(String, Vec<Value>)], expected: &[(char, &[u64])]) -> Totals {
    let totals = totals_of(files);
    let by_session: BTreeMap<SessionId, ByModel> = expected
        .iter()
        .map(|(session, outputs)| {
            (id(*session).parse().unwrap(), [(OPUS.parse().unwrap(), sum(outputs))].into())
        })
        .collect();
    assert_eq!(totals.by_session, by_session);
    let all: Vec<u64> = expected.iter().flat_map(|(_, outputs)| outputs.iter().copied()).collect();
    assert_eq!(totals.by_model, [(OPUS.parse().unwrap(), sum(&all))].into());
    totals
}

#[test]
fn one_response_on_many_lines_counts_once_and_whole() {
    let partial = with(said('a', "msg_1", 0, 1), "message", {
        let mut message = said('a', "msg_1", 0, 1)["message"].clone();
        (message["stop_reason"], message["usage"]["input_tokens"]) = (json!(null), json!(999));
        message
    });
    let totals = check(
        &[main_file('a', vec![partial, said('a', "msg_1", 2, 57), said('a', "msg_1", 9, 57)])],
        &[('a', &[57])],
    );
    assert_eq!((totals.sessions, totals.quality.interrupted, totals.quality.lines), (1, 0, 3));
}

#[test]
fn subagents_belong_to_their_session_wherever_they_lie() {
    let progress =
        json!({"type": "progress", "sessionId": id('a'), "data": {"message": said('a', "msg_2", 1, 20)}});
    let result = json!({"type": "user", "sessionId": id('a'), "toolUseResult": {"usage": said('a', "x", 1, 20)["message"]["usage"]}});
    check(
        &[
            main_file('a', vec![said('a', "msg_1", 0, 10), progress, result]),
            (format!("p/{}/subagents/agent-1.jsonl", id('a')), vec![said('a', "msg_2", 1, 20)]),
            (format!("p/{}/subagents/workflows/w/agent-2.jsonl", id('a')), vec![said('a', "msg_3", 2, 30)]),
            (format!("p/{}/subagents/workflows/w/journal.jsonl", id('a')), vec![said('a', "msg_9", 2, 99)]),
            ("p/agent-3.jsonl".to_owned(), vec![said('a', "msg_4", 3, 40)]),
        ],
        &[('a', &[10, 20, 30, 40])],
    );
}

#[test]
fn forks_never_count_what_they_copied() {
    let (first, second) = (said('a', "msg_1", 0, 10), said('a', "msg_2", 5, 20));
    let early = said('a', "msg_2", 4, 1);
    // cut in the middle of a response, and read before the original
    let fork =
        vec![copied(&first, '0', Some('a')), copied(&early, '0', Some('a')), said('0', "msg_3", 9, 30)];
    let of_fork =
        vec![copied(&first, '1', Some('a')), copied(&fork[2], '1', Some('0')), said('1', "msg_4", 12, 40)];
    let original = vec![first, early, second];
    let files = [main_file('a', original), main_file('0', fork), main_file('1', of_fork)];
    let totals = check(&files, &[('a', &[10, 20]), ('0', &[30]), ('1', &[40])]);
    assert_eq!((totals.sessions, totals.quality.adopted, totals.quality.lines), (3, 0, 5));
    // the original is gone: what its copies name stays its own
    check(&files[1..], &[('a', &[10, 1]), ('0', &[30]), ('1', &[40])]);
}

#[test]
fn copies_without_an_origin_go_to_the_oldest_session() {
    let line = said('a', "msg_1", 100, 10);
    let fork = vec![copied(&line, '0', None), said('0', "msg_2", 200, 20)];
    let files = [main_file('a', vec![said('a', "msg_0", 50, 5), line]), main_file('0', fork)];
    let totals = check(&files, &[('a', &[5, 10]), ('0', &[20])]);
    assert_eq!(totals.quality.adopted, 1);
    // some versions keep the id of the session that asked
    let kept = [main_file('0', vec![said('a', "msg_1", 100, 10), said('0', "msg_2", 200, 20)])];
    assert_eq!(check(&kept, &[('a', &[10]), ('0', &[20])]).quality.adopted, 0);
}

#[test]
fn replays_resumes_and_moves_add_nothing() {
    let line = said('a', "msg_1", 0, 10);
    let replay = with(with(line.clone(), "requestId", json!("req_new")), "isSidechain", json!(true));
    let moved = vec![line.clone(), said('a', "msg_2", 60, 20)];
    let files =
        [main_file('a', vec![line.clone(), replay, line]), (format!("moved/{}.jsonl", id('a')), moved)];
    check(&files, &[('a', &[10, 20])]);
}

#[test]
fn ids_of_a_gateway_may_repeat() {
    let line = |session, request: Value, second, output| {
        with(said(session, "gen-1", second, output), "requestId", request)
    };
    let own = vec![
        line('a', json!("req_1"), 0, 10),
        line('a', json!("req_2"), 1, 20),
        line('a', json!(null), 2, 30),
        line('a', json!(null), 3, 30),
    ];
    let mut fork: Vec<Value> = own.iter().map(|line| copied(line, '0', Some('a'))).collect();
    fork.push(line('0', json!(null), 9, 40));
    check(&[main_file('a', own), main_file('0', fork)], &[('a', &[10, 20, 30]), ('0', &[40])]);
}

#[test]
fn days_are_utc_and_an_hour_is_the_earliest_of_the_winning_lines() {
    let midnight = 86_400;
    let lines = vec![
        said('a', "msg_1", midnight - 2, 10),
        said('a', "msg_1", midnight + 2, 10),
        said('a', "msg_2", midnight - 1, 1),
        said('a', "msg_2", midnight, 20),
    ];
    let totals = check(&[main_file('a', lines)], &[('a', &[10, 20])]);
    let day = |output| [(OPUS.parse().unwrap(), sum(&[output]))].into();
    let days = [("2026-11-22".parse().unwrap(), day(10)), ("2026-11-23".parse().unwrap(), day(20))];
    assert_eq!(totals.by_day, days.into());
}

#[test]
fn a_line_without_time_or_folder_has_the_last_one() {
    let mut bare = said('a', "msg_2", 0, 20);
    (bare["timestamp"], bare["cwd"]) = (json!(null), json!(null));
    let there = with(said('a', "msg_1", 0, 10), "cwd", json!("/there"));
    let mut seen = Vec::new();
    let histories = histories_of(&[main_file('a', vec![there, bare])]);
    let totals = total(histories, &mut |_, repo| {
        seen.push(repo.to_string());
        Some(Terms::default())
    });
    assert_eq!((seen, totals.by_day.len()), (vec!["git.example/acme/there".to_owned()], 1));
}

#[test]
fn what_is_out_of_scope_is_not_there() {
    let elsewhere = |line: Value| with(line, "cwd", json!("/private"));
    let early = said('a', "msg_0", -60, 5);
    let lines = vec![early, said('a', "msg_1", 0, 10), elsewhere(said('a', "msg_2", 1, 20))];
    let other = vec![elsewhere(said('b', "msg_3", 2, 30)), json!("not an object")];
    let since = Timestamp::from_second(1_795_305_600).ok();
    let histories = histories_of(&[main_file('a', lines), main_file('b', other)]);
    let totals = total(histories, &mut |_, repo| {
        (repo.as_str() == "git.example/acme/pay").then(|| Terms { since, ..Terms::default() })
    });
    assert_eq!(totals.by_model, [(OPUS.parse().unwrap(), sum(&[10]))].into());
    assert_eq!(totals.quality, Quality { lines: 2, ..Quality::default() }, "lines count by week");
    assert_eq!((totals.sessions, totals.by_session.len()), (1, 1));
}

#[test]
fn copies_of_a_file_count_their_lines_once() {
    let lines = vec![said('a', "msg_1", 0, 10), json!([1]), said('a', "msg_2", 1, 20)];
    let copy = |folder: &str, lines: &[Value]| (format!("{folder}/{}.jsonl", id('a')), lines.to_vec());
    let once = check(&[copy("p", &lines)], &[('a', &[10, 20])]);
    let again = check(&[copy("p", &lines[..2]), copy("q", &lines), copy("r", &lines)], &[('a', &[10, 20])]);
    assert_eq!(again, once);
}

#[test]
fn what_holds_a_copy_explains_nothing() {
    let line = said('a', "msg_1", 0, 10);
    // the account of the one who copied counts what the other owns
    let account = with(account(90, "0.0040400000000000002"), "sessionId", json!(id('b')));
    let copies = main_file('b', vec![copied(&line, 'b', None), said('b', "msg_2", 9, 10), account]);
    let named = main_file('c', vec![copied(&line, 'c', Some('a'))]);
    for files in [vec![copies.clone(), main_file('a', vec![line])], vec![copies, named]] {
        let forwards = totals_of(&files);
        let backwards = totals_of(&files.iter().rev().cloned().collect::<Vec<_>>());
        assert_eq!((forwards.overhead.len(), forwards.quality.unitemised), (0, 1));
        assert_eq!(forwards, backwards);
    }
}

/// 0.0018 of output at 20 dollars per million, beside `said` with output 10.
fn account(more: u64, cost: &str) -> Value {
    json!({"type": "cost-state", "sessionId": id('a'), "modelUsage": {OPUS: {
        "inputTokens": 10, "outputTokens": 10 + more, "cacheReadInputTokens": 1000, "cacheCreationInputTokens": 300,
        "cacheCreationEphemeral1hInputTokens": 100, "webSearchRequests": 0,
        "costUSD": cost.parse::<serde_json::Number>().unwrap(),
    }}})
}

#[test]
fn overhead_is_what_only_the_account_has() {
    let lines = vec![said('a', "msg_1", 0, 10), account(0, "0.00224"), account(90, "0.0040400000000000002")];
    let totals = check(&[main_file('a', lines.clone())], &[('a', &[10])]);
    let expected = Sum { requests: 0, tokens: Tokens { output: 90, ..Tokens::default() } };
    assert_eq!((totals.overhead, totals.quality.unitemised), ([(OPUS.parse().unwrap(), expected)].into(), 0));
    let unanswered = json!({"type": "api-request", "sessionId": id('a'), "id": "r1"});
    let unsure = check(&[main_file('a', [lines, vec![unanswered]].concat())], &[('a', &[10])]);
    assert_eq!((unsure.overhead.len(), unsure.quality.unitemised, unsure.quality.unknown_usage), (0, 1, 1));
}

#[test]
fn quality_says_what_is_known_of_the_numbers() {
    let answered = with(said('a', "msg_1", 0, 10), "requestRef", json!("r1"));
    let mut cut = said('a', "msg_2", 1, 1);
    cut["message"]["stop_reason"] = json!(null);
    let mut unmetered = said('a', "msg_3", 1, 1);
    unmetered["message"]["usage"] = json!(null);
    let mut synthetic = said('a', "x", 1, 0);
    synthetic["message"]["model"] = json!("<synthetic>");
    let mut impossible = said('a', "msg_4", 1, 1);
    impossible["message"]["usage"]["input_tokens"] = json!(-1);
    let request = |name: &str| json!({"type": "api-request", "sessionId": id('a'), "id": name});
    // r3 is written after its response
    let late = with(said('a', "msg_5", 1, 1), "requestRef", json!("r3"));
    let lines = vec![
        cut,
        request("r1"),
        request("r2"),
        answered,
        late,
        request("r3"),
        unmetered,
        synthetic,
        impossible,
        json!([1]),
    ];
    let totals = check(&[main_file('a', lines)], &[('a', &[10, 1, 1])]);
    let expected = Quality {
        lines: 10,
        malformed: 2,
        synthetic: 1,
        interrupted: 1,
        unknown_usage: 2,
        ..Quality::default()
    };
    assert_eq!(totals.quality, expected);
}

#[test]
fn the_json_is_the_contract() {
    let totals =
        check(&[main_file('a', vec![said('a', "msg_1", 0, 10), account(90, "0.00404")])], &[('a', &[10])]);
    let model = json!({OPUS: {"requests": 1, "input": 10, "output": 10, "cache_read": 1000, "cache_write_5m": 200, "cache_write_1h": 100, "web_search": 0}});
    let overhead = json!({OPUS: {"requests": 0, "input": 0, "output": 90, "cache_read": 0, "cache_write_5m": 0, "cache_write_1h": 0, "web_search": 0}});
    let expected = json!({
        "sessions": 1, "by_model": model, "by_day": {"2026-11-22": model}, "by_session": {id('a'): model}, "overhead": overhead,
        "quality": {"lines": 2, "malformed": 0, "synthetic": 0, "interrupted": 0, "unknown_usage": 0, "unitemised": 0, "adopted": 0},
    });
    assert_eq!(serde_json::to_value(totals).unwrap(), expected);
}

#[test]
fn an_unreadable_file_is_said_and_passed() {
    let gone = Transcript {
        path: PathBuf::from("/nowhere/x.jsonl"),
        device: 0,
        inode: 0,
        size: 0,
        modified: 0,
        told: None,
        subagent: false,
    };
    let (histories, troubles) = read(&[gone], &mut fresh, &|_| {});
    assert_eq!((histories.sessions.len(), troubles.len()), (0, 1));
}

fn add(files: &[(char, Vec<Value>)]) -> Totals {
    let place = |(index, (session, lines)): (usize, &(char, Vec<Value>))| {
        (format!("{index}/{}.jsonl", id(*session)), lines.clone())
    };
    totals_of(&files.iter().enumerate().map(place).collect::<Vec<_>>())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn no_order_and_no_repetition_of_files_changes_a_total(
        lines in prop::collection::vec((0..3_usize, 0..4_u8, 0..5_i64, 0..4_u64, 0..4_usize), 1..24),
        order in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
    ) {
        let sessions = ['a', 'b', 'c'];
        let mut files: Vec<(char, Vec<Value>)> = sessions.iter().map(|session| (*session, Vec::new())).collect();
        for (session, message, second, output, origin) in lines {
            let line = said(sessions[session], &format!("msg_{message}"), second, output);
            let origin = sessions.get(origin).copied().filter(|origin| *origin != sessions[session]);
            files[session].1.push(copied(&line, sessions[session], origin));
        }
        let expected = add(&files);
        let shuffled: Vec<_> = order.iter().map(|index| index.get(&files).clone()).chain(files.iter().rev().cloned()).collect();
        prop_assert_eq!(add(&shuffled), expected);
    }
}
