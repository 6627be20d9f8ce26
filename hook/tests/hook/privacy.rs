//! What never leaves: other people's projects, other identities, and words.

use crate::collector::Collector;
use crate::world::{ONE, TWO, World, response, ship};
use serde_json::{Value, json};

#[test]
fn a_foreign_identity_opens_no_socket_and_writes_no_file() {
    let (collector, world) = (Collector::start(), World::new().with("CPVO_DEVELOPERS", "@other.example"));
    let pay = world.repository("pay", Some(&collector.url()));
    world.write(ONE, &[response(ONE, "a", &pay, 7)]);
    world.event(&pay, "session-start", &world.said(&pay, ONE, "SessionStart").to_string());
    world.session_end(&pay, ONE);
    world.event(&pay, "session-end", "not JSON");
    for command in ["sweep", "preview", "me", "status"] {
        world.hook(&pay, &[command], "");
    }
    // the worker, in the foreground: whether the detached one came to the same end could only be waited for
    world.event(&pay, "work", "");
    let output =
        world.hook(&pay, &["work", "sweep", "--session", ONE, "--folder", pay.to_str().unwrap()], "");
    assert!(output.status.success());
    assert!(collector.requests().is_empty());
    assert!(!world.state().exists());
}

#[test]
fn a_session_of_a_foreign_identity_is_neither_stored_nor_sent() {
    let (collector, world) = (Collector::start(), World::new());
    let pay = world.repository("pay", Some(&collector.url()));
    ship(&pay, &json!({"CPVO_URL": collector.url(), "CPVO_DEVELOPERS": "@acme.example"}));
    let other = world.repository("other", Some(&collector.url()));
    world.git(&other, &["config", "user.email", "bob@home.example"]);
    world.write(ONE, &[response(ONE, "a", &pay, 7)]);
    world.write(TWO, &[response(TWO, "b", &other, 5)]);
    world.sweep(&pay);
    assert_eq!(collector.reports().len(), 1);
    for file in std::fs::read_dir(world.state()).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        assert!(!bytes.windows(16).any(|window| window == b"bob@home.example"));
    }
}

#[test]
fn whose_a_session_is_outlives_its_folders() {
    let (collector, world) = (Collector::start(), World::new());
    let pay = world.repository("pay", Some(&collector.url()));
    let tree = world.repository("tree", Some(&collector.url()));
    world.git(&tree, &["config", "user.email", "bob@acme.example"]);
    world.write(ONE, &[response(ONE, "a", &tree, 7)]);
    world.sweep(&tree);
    std::fs::remove_dir_all(&tree).unwrap();
    // another checkout of it speaks now
    world.git(&pay, &["remote", "set-url", "origin", "git@git.example:acme/tree.git"]);
    world.append(ONE, &[response(ONE, "b", &tree, 5), response(ONE, "c", &pay.join("gone/too"), 1)]);
    world.sweep(&pay);
    let developers: Vec<Value> =
        collector.reports().iter().map(|report| report["developer"]["email"].clone()).collect();
    assert_eq!(developers, [json!("bob@acme.example"), json!("bob@acme.example")]);
}

#[test]
fn no_repository_can_widen_the_scope() {
    let (collector, world) = (Collector::start(), World::new());
    let pay = world.repository("pay", None);
    ship(&pay, &json!({"CPVO_URL": collector.url(), "CPVO_SCOPE": "all"}));
    let private = world.repository("private", None);
    world.write(ONE, &[response(ONE, "a", &pay, 7)]);
    world.write(TWO, &[response(TWO, "b", &private, 5)]);
    world.sweep(&pay);
    // the client hands a repository's settings on as the environment
    let world = world.with("CPVO_URL", &collector.url()).with("CPVO_SCOPE", "all");
    world.sweep(&pay);
    let repos: Vec<Value> = collector.reports().iter().map(|report| report["repo"].clone()).collect();
    assert_eq!(repos, [json!("git.example/acme/pay")]);
    let status = world.json(&pay, &["status", "--json"]);
    assert!(status["problems"][0].as_str().unwrap().contains("CPVO_SCOPE=all is ignored"), "{status}");
    // the user may
    let world = world.with("CPVO_SCOPE", "");
    world.json(&pay, &["sweep", "--all", "--json"]);
    assert_eq!(collector.reports().len(), 2);
}

#[test]
fn a_preview_is_what_is_sent_byte_by_byte() {
    let (collector, world) = (Collector::start(), World::new());
    let pay = world.repository("pay", Some(&collector.url()));
    // a report carries the birth of the ledger, which a preview alone must not bring about
    world.sweep(&pay);
    world.write(ONE, &[response(ONE, "a", &pay, 7)]);
    let preview = world.hook(&pay, &["preview"], "").stdout;
    assert!(collector.requests().is_empty());
    world.sweep(&pay);
    assert_eq!(String::from_utf8(preview).unwrap().trim_end(), collector.requests()[0].text);
}

#[test]
fn a_secret_planted_anywhere_stays_here() {
    let (collector, world) = (Collector::start(), World::new());
    let pay = world.repository("pay", Some(&collector.url()));
    let kinds = [
        "assistant",
        "user",
        "system",
        "attachment",
        "summary",
        "ai-title",
        "last-prompt",
        "mode",
        "file-history-snapshot",
        "queue-operation",
        "worktree-state",
        "tools-used",
        "progress",
        "pr-link",
        "api-request",
        "cost-state",
        "hook",
    ];
    let lines: Vec<Value> = kinds
        .iter()
        .flat_map(|kind| {
            let mut line = planted(&response(ONE, "a", &pay, 7), kind);
            line["type"] = json!(kind);
            let plain = response(ONE, kind, &pay, 7);
            // a line that counts beside one that is secret throughout
            [line, plain]
        })
        .collect();
    world.write(ONE, &lines);
    world.sweep(&pay);
    let sent = collector.requests();
    let usage = &sent[0].body[0]["usage"];
    assert_eq!(usage[0]["requests"], kinds.len(), "{}", sent[0].text);
    assert_eq!(usage[1]["model"], "unknown", "{}", sent[0].text);
    for request in sent {
        assert!(!request.text.contains("SECRET"), "{}", request.text);
    }
}

/// The line with a secret in every string but those that are sent by design, and in fields it never had.
fn planted(line: &Value, kind: &str) -> Value {
    let mut line = line.clone();
    for name in [
        "requestId",
        "version",
        "entrypoint",
        "uuid",
        "agentId",
        "slug",
        "title",
        "summary",
        "prompt",
        "url",
        "prUrl",
        "prRepository",
        "attributionSkill",
        "attributionAgent",
        "requestedModel",
        "effort",
    ] {
        line[name] = json!(format!("SECRET {name} {kind}"));
    }
    line["message"]["content"] = json!([{"type": "text", "text": "SECRET text"}, {"type": "tool_use", "input": {"command": "SECRET"}}]);
    line["message"]["stop_sequence"] = json!("SECRET");
    line["toolUseResult"] = json!({"stdout": "SECRET", "usage": {"output_tokens": 9},
        "gitOperation": {"commit": {"sha": "SECRET", "branch": "SECRET"}, "pr": {"number": 1, "action": "SECRET", "url": "SECRET"}}});
    line["message"]["id"] = json!(format!("msg_SECRET{kind}"));
    line["message"]["model"] = json!("SECRET model");
    line["modelUsage"] = json!({"SECRET account": {"inputTokens": 1, "outputTokens": 9, "costUSD": 1}});
    plant(&mut line, true);
    line
}

#[test]
fn a_repository_turned_off_is_off_for_a_sweep_from_anywhere() {
    for off in [json!({"CPVO_DISABLE": "1"}), json!({"CPVO_SCOPE": "off"})] {
        let (collector, world) = (Collector::start(), World::new());
        let pay = world.repository("pay", Some(&collector.url()));
        let quiet = world.repository("quiet", Some(&collector.url()));
        let local = json!({"env": off}).to_string();
        std::fs::write(quiet.join(".claude/settings.local.json"), local).unwrap();
        world.write(ONE, &[response(ONE, "a", &pay, 7)]);
        world.write(TWO, &[response(TWO, "b", &quiet, 5)]);
        world.sweep(&pay);
        world.json(&pay, &["sweep", "--all", "--json"]);
        let repos: Vec<Value> = collector.reports().iter().map(|report| report["repo"].clone()).collect();
        assert_eq!(repos, [json!("git.example/acme/pay")], "{off}");
        assert_eq!(world.json(&pay, &["totals", "--json"])["sessions"], 1, "{off}");
        let closed = world.json(&quiet, &["status", "--json"])["closed"].to_string();
        assert!(closed.contains("settings.local.json"), "{closed}");
    }
}

#[test]
fn a_person_s_own_settings_name_no_collector() {
    let (collector, world) = (Collector::start(), World::new());
    let pay = world.repository("pay", None);
    let local = json!({"env": {"CPVO_URL": collector.url(), "CPVO_SCOPE": "all"}}).to_string();
    std::fs::write(pay.join(".claude/settings.local.json"), local).unwrap();
    world.write(ONE, &[response(ONE, "a", &pay, 7)]);
    world.sweep(&pay);
    assert_eq!(collector.reports().len(), 0);
}

/// Puts a secret into every string of the line, at any depth, but those that place and name it by design.
fn plant(value: &mut Value, top: bool) {
    match value {
        Value::String(text) => text.insert_str(0, "SECRET "),
        Value::Array(items) => items.iter_mut().for_each(|item| plant(item, false)),
        Value::Object(fields) => {
            let design = ["type", "sessionId", "timestamp", "cwd", "gitBranch"];
            let planted = fields.iter_mut().filter(|(name, _)| !top || !design.contains(&name.as_str()));
            planted.for_each(|(_, value)| plant(value, false));
        }
        _ => {}
    }
}

#[test]
fn no_state_is_written_where_the_client_happens_to_run() {
    for folder in ["", "state", "./.cpvo"] {
        let (collector, world) = (Collector::start(), World::new().with("CPVO_STATE_DIR", folder));
        let pay = world.repository("pay", Some(&collector.url()));
        world.write(ONE, &[response(ONE, "a", &pay, 7)]);
        let entries = || std::fs::read_dir(&pay).unwrap().count();
        let before = entries();
        world.sweep(&pay);
        assert_eq!((entries(), collector.reports().len()), (before, 1), "{folder}");
        let status = world.json(&pay, &["status", "--json"]);
        assert!(status["problems"][0].as_str().unwrap().contains("no absolute path"), "{status}");
    }
}
