//! Every kind of line, made by hand, beside what it must mean.

use super::*;
use crate::lines::Lines;
use meter::PicoUsd;
use proptest::prelude::*;
use serde_json::{Value, json};

mod usage;

const OWN: &str = "8b41c8a0-0000-4000-8000-000000000001";
const OTHER: &str = "8b41c8a0-0000-4000-8000-000000000002";

fn parse(line: &[u8]) -> Parsed {
    let mut line = line;
    Parser::default().read(&mut Source::new(&mut line, &mut json::Window::default())).1
}

#[track_caller]
fn line(json: &Value) -> Line {
    match parse(json.to_string().as_bytes()) {
        Parsed::Line(line) => line,
        Parsed::Malformed => panic!("malformed: {json}"),
    }
}

/// A whole response line as the client writes it.
fn assistant() -> Value {
    json!({
        "parentUuid": "1", "isSidechain": false, "type": "assistant", "uuid": "u1",
        "message": {
            "id": "msg_01", "type": "message", "role": "assistant", "model": "claude-opus-5-5",
            "content": [{"type": "tool_use", "input": {"usage": {"output_tokens": 7}, "model": "x"}}],
            "stop_reason": "tool_use",
            "usage": {
                "input_tokens": 11, "cache_creation_input_tokens": 300, "cache_read_input_tokens": 2000,
                "output_tokens": 57, "server_tool_use": {"web_search_requests": 2, "web_fetch_requests": 9},
                "cache_creation": {"ephemeral_1h_input_tokens": 200, "ephemeral_5m_input_tokens": 100},
                "inference_geo": "not_available", "iterations": [], "speed": "standard",
            },
        },
        "requestId": "req_1", "requestRef": "r1", "requestedModel": "claude-opus-5-5[1m]",
        "timestamp": "2026-11-22T04:32:09.739Z", "entrypoint": "cli", "cwd": "/src/pay", "sessionId": OWN,
        "version": "2.1.330", "gitBranch": "main", "costUSD": 9,
    })
}

/// The response line with `change` made to it.
#[track_caller]
fn response(change: impl Fn(&mut Value)) -> Response {
    let mut json = assistant();
    change(&mut json);
    match line(&json).kind {
        Kind::Response(response) => *response,
        other => panic!("{other:?}"),
    }
}

fn usage(json: &mut Value) -> &mut Value {
    &mut json["message"]["usage"]
}

fn tokens(input: u64, output: u64, read: u64, (minutes, hour): (u64, u64), web_search: u64) -> Tokens {
    Tokens { input, output, cache_read: read, cache_write_5m: minutes, cache_write_1h: hour, web_search }
}

fn iteration(kind: &str, counts: [u64; 5]) -> Value {
    let [input, output, read, written, hour] = counts;
    json!({
        "type": kind, "input_tokens": input, "output_tokens": output, "cache_read_input_tokens": read,
        "cache_creation_input_tokens": written, "cache_creation": {"ephemeral_1h_input_tokens": hour},
    })
}

#[test]
fn a_response_line_says_who_what_where_and_when() {
    let line = line(&assistant());
    assert_eq!(line.at, Some("2026-11-22T04:32:09.739Z".parse().unwrap()));
    assert_eq!(
        (line.cwd.as_deref(), line.branch.as_str(), line.sidechain),
        (Some("/src/pay"), "main", false)
    );
    assert_eq!((line.session, line.origin), (OWN.parse().ok(), None));
    assert_eq!((line.version, line.entrypoint), ("2.1.330".parse().ok(), "cli".parse().ok()));
    let expected = Response {
        id: "msg_01".into(),
        request_id: Some("req_1".into()),
        request_ref: Some("r1".into()),
        model: "claude-opus-5-5".parse().unwrap(),
        slices: vec![(Band::To100k, tokens(11, 57, 2000, (100, 200), 2))],
        speed: Speed::Standard,
        geo: Geo::Elsewhere,
        subagent: false,
        workflow: "main".parse().unwrap(),
        finished: true,
    };
    assert_eq!(line.kind, Kind::Response(Box::new(expected)));
}

#[test]
fn only_names_the_client_brings_along_leave_the_machine() {
    let named = |agent: Value, skill: Value, plugin: Value, side: bool| {
        let response = response(|json| {
            (json["attributionAgent"], json["attributionSkill"]) = (agent.clone(), skill.clone());
            (json["attributionPlugin"], json["isSidechain"]) = (plugin.clone(), json!(side));
        });
        (response.workflow.as_str().to_owned(), response.subagent)
    };
    let none = || json!(null);
    assert_eq!(named(none(), none(), none(), false), ("main".into(), false));
    assert_eq!(named(json!("Explore"), none(), none(), true), ("Explore".into(), true));
    assert_eq!(named(none(), json!("review"), none(), false), ("review".into(), false));
    assert_eq!(named(json!("acme-secret"), none(), none(), true), ("other".into(), true));
    assert_eq!(named(none(), json!("review"), json!("acme-plugin"), false), ("other".into(), false));
    assert_eq!(named(none(), none(), none(), true), ("other".into(), true));
}

#[test]
fn copies_name_their_origin() {
    let with = |key: &str, value: Value| {
        let mut json = assistant();
        json[key] = value;
        line(&json).origin.map(String::from)
    };
    assert_eq!(with("requestSessionId", json!(OTHER)).as_deref(), Some(OTHER));
    assert_eq!(with("forkedFrom", json!({"sessionId": OTHER, "messageUuid": "x"})).as_deref(), Some(OTHER));
    assert_eq!(with("requestSessionId", json!("../../x")), None);
}

#[test]
fn a_branch_is_a_name_or_nothing() {
    for (branch, expected) in [("main", "main"), ("HEAD", ""), ("a\u{1b}b", ""), (&*"b".repeat(300), "")] {
        let mut json = assistant();
        json["gitBranch"] = json!(branch);
        assert_eq!(line(&json).branch.as_str(), expected);
    }
}

#[track_caller]
fn check(json: &Value, expected: &Kind) {
    assert_eq!(line(json).kind, *expected, "{json}");
}

#[test]
fn a_turn_is_what_a_person_sent() {
    let said = |content: Value| json!({"type": "user", "message": {"role": "user", "content": content}});
    let with = |key: &str, value: Value| {
        let mut json = said(json!("hi"));
        json[key] = value;
        json
    };
    check(&said(json!("fix the build")), &Kind::Turn);
    check(&said(json!([{"type": "text", "text": "fix the build"}, {"type": "image"}])), &Kind::Turn);
    check(&said(json!("<command-message>review</command-message>")), &Kind::Turn);
    check(&with("origin", json!({"kind": "human"})), &Kind::Turn);
    check(&with("origin", json!({"kind": "task-notification"})), &Kind::Other);
    check(&with("promptSource", json!("system")), &Kind::Other);
    check(&with("isMeta", json!(true)), &Kind::Other);
    check(&with("isCompactSummary", json!(true)), &Kind::Other);
    check(&with("isSidechain", json!(true)), &Kind::Other);
    check(&said(json!("<local-command-stdout>x")), &Kind::Other);
    check(&said(json!("<command-name>/clear</command-name>")), &Kind::Other);
}

#[test]
fn tool_results_give_errors_and_hints() {
    let result = |errors: Value, result: Value| json!({"type": "user", "message": {"content": errors}, "toolUseResult": result});
    let failed = json!([
        {"type": "tool_result", "is_error": true, "content": "x"},
        {"type": "tool_result", "is_error": false},
        {"type": "tool_result", "is_error": true},
    ]);
    check(
        &result(failed, json!("Error: x")),
        &Kind::ToolResult(ToolResult { errors: 2, ..ToolResult::default() }),
    );
    let commit = json!({"stdout": "…", "gitOperation": {"commit": {"sha": "d728cec", "kind": "committed", "branch": "b"}}});
    let hint = CommitHint { sha: "d728cec".into(), branch: Some("b".into()) };
    check(
        &result(json!([]), commit),
        &Kind::ToolResult(ToolResult { commit: Some(hint), ..ToolResult::default() }),
    );
    for (word, action) in [
        ("created", PullRequestAction::Created),
        ("ready", PullRequestAction::Edited),
        ("zzz", PullRequestAction::Named),
    ] {
        let touched = json!({"gitOperation": {"pr": {"number": 17, "url": "https://x/17", "action": word}}});
        let hint = PullRequestHint { number: 17, action, url: Some("https://x/17".into()) };
        let expected = ToolResult { pull_request: Some(hint), ..ToolResult::default() };
        check(&result(json!([{"type": "tool_result"}]), touched), &Kind::ToolResult(expected));
    }
}

#[test]
fn other_lines_that_count() {
    let stopped = json!({
        "type": "user", "interruptedMessageId": "msg_01",
        "message": {"content": [{"type": "text", "text": "[Request interrupted by user]"}]},
    });
    check(&stopped, &Kind::Interrupted { message: Some("msg_01".into()) });
    check(&json!({"type": "system", "subtype": "api_error"}), &Kind::ApiError);
    check(&json!({"type": "system", "subtype": "compact_boundary"}), &Kind::Compaction);
    check(&json!({"type": "api-request", "id": "r1"}), &Kind::Request { id: "r1".into() });
    let link = json!({"type": "pr-link", "prNumber": 17, "prRepository": "acme/pay"});
    check(&link, &Kind::PullRequestLink { number: 17, repository: Some("acme/pay".into()) });
    check(&json!({"type": "pr-link", "prNumber": -1}), &Kind::Other);
}

#[test]
fn usage_elsewhere_never_counts() {
    let message = assistant()["message"].clone();
    for other in ["progress", "user", "api-request-blob", "attachment"] {
        let json = json!({"type": other, "message": message, "data": {"message": {"type": "assistant", "message": message}}});
        assert!(!matches!(line(&json).kind, Kind::Response(_) | Kind::Unmetered { .. }), "{other}");
    }
    check(&json!({"message": message}), &Kind::Other);
}

#[test]
fn the_account_of_the_client_is_read_without_floats() {
    let state = json!({"type": "cost-state", "totalCostUSD": 1.5, "hasUnknownModelCost": false, "modelUsage": {
        "claude-opus-5-5": {"inputTokens": 68, "outputTokens": 344, "thinkingTokens": 0, "cacheReadInputTokens": 10000,
            "cacheCreationInputTokens": 1500, "cacheCreationEphemeral1hInputTokens": 1000, "webSearchRequests": 1,
            "costUSD": 0.019_652_000_000_000_003},
    }});
    let models = vec![ModelCost {
        model: "claude-opus-5-5".parse().unwrap(),
        tokens: tokens(68, 344, 10_000, (500, 1000), 1),
        cost: PicoUsd(19_652_000_000),
    }];
    check(&state, &Kind::CostState(Box::new(CostState { models, unknown_model: false })));
    for bad in ["-1", "1.5"] {
        let text = state.to_string().replace(":344", &format!(":{bad}"));
        assert_eq!(parse(text.as_bytes()), Parsed::Malformed);
    }
}

#[test]
fn decimals_are_dollars() {
    let cases = [
        ("0", Some(0)),
        ("1", Some(1_000_000_000_000)),
        ("0.5", Some(500_000_000_000)),
        ("1.2e-7", Some(120_000)),
        ("1E+2", Some(100_000_000_000_000)),
        ("0.0000000000004", Some(0)),
        ("0.0000000000005", Some(1)),
        ("1e-99", Some(0)),
        ("-1", None),
        ("", None),
        ("1e99", None),
        ("x", None),
        ("1e99999999999", None),
    ];
    for (decimal, pico) in cases {
        assert_eq!(super::usage::pico_usd(decimal), pico.map(PicoUsd), "{decimal}");
    }
}

#[test]
fn how_a_line_is_written_is_nothing_to_what_it_says() {
    fn dressed(json: &Value, key: &impl Fn(&str) -> String) -> String {
        match json {
            // the last member first
            Value::Object(members) => {
                let members = members.iter().rev();
                let members = members.map(|(name, value)| format!("{} : {}", key(name), dressed(value, key)));
                format!("{{ {} }}", members.collect::<Vec<_>>().join(" ,\t"))
            }
            Value::Array(items) => {
                let items: Vec<String> = items.iter().map(|item| dressed(item, key)).collect();
                format!("[ {} ]", items.join(" , "))
            }
            other => other.to_string(),
        }
    }
    let plain = |key: &str| format!("\"{key}\"");
    let escaped =
        |key: &str| key.chars().map(|c| format!("\\u{:04x}", u32::from(c))).collect::<Vec<_>>().concat();
    let quoted = |key: &str| plain(&escaped(key));
    for json in [
        assistant(),
        json!({"type": "user", "message": {"content": [{"type": "tool_result", "is_error": true}]}}),
    ] {
        let expected = Parsed::Line(line(&json));
        assert_eq!(parse(dressed(&json, &plain).as_bytes()), expected);
        assert_eq!(parse(dressed(&json, &quoted).as_bytes()), expected);
    }
    let escaped = assistant().to_string().replace("\"assistant\"", "\"\\u0061ssistant\"");
    assert_eq!(parse(escaped.as_bytes()), Parsed::Line(line(&assistant())));
}

#[test]
fn damage_outside_what_counts_costs_nothing() {
    let text = assistant().to_string();
    let damaged = text.replace("\"x\"", "\"\u{1}PLACE\"");
    let damaged = [
        damaged.split("PLACE").next().unwrap().as_bytes(),
        b"\xff\0",
        damaged.split("PLACE").nth(1).unwrap().as_bytes(),
    ]
    .concat();
    assert_eq!(parse(&damaged), parse(text.as_bytes()));
    let deep = text.replacen("\"x\"", &format!("{}{}", "[".repeat(10_000), "]".repeat(10_000)), 1);
    assert_eq!(parse(deep.as_bytes()), parse(text.as_bytes()));
    let twice =
        text.replacen("\"usage\":", "\"usage\":{\"input_tokens\":999,\"speed\":\"fast\"},\"usage\":", 2);
    assert_eq!(parse(twice.as_bytes()), parse(text.as_bytes()));
}

proptest! {
    #[test]
    fn no_bytes_are_too_strange(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        parse(&bytes);
    }

    #[test]
    fn one_wrong_byte_never_makes_a_panic(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = assistant().to_string().into_bytes();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        parse(&bytes);
    }

    #[test]
    fn what_a_line_says_does_not_depend_on_the_lines_before(
        changes in prop::collection::vec((0..8_usize, 0..6_usize), 1..12),
    ) {
        let keys = ["cwd", "gitBranch", "sessionId", "requestSessionId", "version", "entrypoint", "timestamp", "uuid"];
        let values = [json!(null), json!(""), json!("HEAD"), json!(OTHER), json!("/a\"b"), json!(5)];
        let lines: Vec<String> = changes.into_iter().map(|(key, value)| {
            let mut json = assistant();
            json[keys[key]] = values[value].clone();
            json["message"]["model"] = values[(key + value) % values.len()].clone();
            json.to_string()
        }).collect();
        let mut all = Vec::new();
        let mut file = std::io::Cursor::new(lines.join("\n"));
        Lines::default().read(&mut file, 0..u64::MAX, &mut |parsed| all.push(parsed)).unwrap();
        prop_assert_eq!(all, lines.iter().map(|line| parse(line.as_bytes())).collect::<Vec<_>>());
    }

    #[test]
    fn slices_add_up_to_the_whole(parts in prop::collection::vec((0..300_000_u64, 0..500_u64, 0..500_u64), 1..5), off in 0..3_u64) {
        let iterations: Vec<Value> = parts.iter().map(|(read, written, hour)| iteration("message", [1, 2, *read, *written, *hour])).collect();
        let count = iterations.len() as u64;
        let written: u64 = parts.iter().map(|part| part.1).sum();
        let response = response(|json| *usage(json) = json!({
            "input_tokens": count, "output_tokens": 2 * count + off / 2, "cache_creation_input_tokens": written,
            "cache_read_input_tokens": parts.iter().map(|part| part.0).sum::<u64>(),
            "cache_creation": {"ephemeral_1h_input_tokens": written / 2}, "iterations": iterations,
        }));
        let sum = response.tokens();
        prop_assert_eq!((sum.input, sum.output, sum.cache_write_1h), (count, 2 * count + off / 2, written / 2));
        prop_assert_eq!(sum.cache_write_5m, written - written / 2);
    }
}
