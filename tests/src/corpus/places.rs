//! Where files lie and what else is in them: links, second copies, several roots, and lines that are none.

use super::file::Link;
use super::home::{Home, Root, encoded};
use super::session::Doubt;
use serde_json::json;

/// The project's folder lies elsewhere and is linked.
pub(super) fn linked_folder(home: &mut Home, _: usize) {
    let (spot, name) = (home.grounds.pay(), home.dice.hex(6));
    let folder = std::path::PathBuf::from("elsewhere").join(&name);
    let session = home.begin_in(&folder, spot);
    let root = home.dice.pick(&home.roots.clone()).projects.clone();
    home.links.push(Link { at: root.join(format!("-linked-{name}")), to: folder, hard: false });
    home.turn(session);
}

fn second_name(home: &mut Home, session: usize, hard: bool) {
    let to = home.files[home.sessions[session].file].path.clone();
    let root = home.dice.pick(&home.roots.clone()).projects.clone();
    let folder = root.join(format!("-again-{}", home.dice.hex(6)));
    let at = folder.join(to.file_name().expect("a file has a name"));
    home.links.push(Link { at, to, hard });
    home.turn(session);
}

pub(super) fn linked_file(home: &mut Home, session: usize) {
    second_name(home, session, false);
}

pub(super) fn hard_link(home: &mut Home, session: usize) {
    second_name(home, session, true);
}

/// A second file of the same lines, or of the first of them, under any root.
pub(super) fn second_copy(home: &mut Home, session: usize) {
    home.turn(session);
    let root = home.dice.pick(&home.roots.clone()).projects.clone();
    let file = &mut home.files[home.sessions[session].file];
    let name = file.path.file_name().expect("a file has a name");
    let lines = file.lines.len();
    file.copy.get_or_insert((root.join("-backup").join(name), lines));
}

/// The other place a client without `CLAUDE_CONFIG_DIR` keeps its files.
pub(super) fn xdg_root(home: &mut Home, _: usize) {
    home.xdg = true;
    new_root(home, Root { projects: "xdg/claude/projects".into(), entry: "xdg/claude".into() });
}

/// `CLAUDE_CONFIG_DIR` lists several folders; one is a `projects` folder itself.
pub(super) fn listed_roots(home: &mut Home, _: usize) {
    home.listed = Some(*home.dice.pick(&[',', ':']));
    let name = format!("listed-{}", home.dice.hex(4));
    let projects = std::path::PathBuf::from(&name).join("projects");
    let entry = if home.dice.once_in(2) { projects.clone() } else { name.into() };
    new_root(home, Root { projects, entry });
}

fn new_root(home: &mut Home, root: Root) {
    let spot = home.grounds.pay();
    let folder = root.projects.join(encoded(&spot.path));
    if !home.roots.iter().any(|known| known.projects == root.projects) {
        home.roots.push(root);
    }
    let session = home.begin_in(&folder, spot);
    home.turn(session);
}

fn garbage(home: &mut Home, session: usize, bytes: &[u8]) {
    let file = home.sessions[session].file;
    home.push(file, [bytes, b"\n"].concat(), None, None);
    home.count(session, "malformed");
}

/// Lines that are no JSON, or hold counts that none can be.
pub(super) fn malformed_lines(home: &mut Home, session: usize) {
    let file = home.sessions[session].file;
    let mut impossible = home.frame(file, "assistant");
    impossible["message"] = json!({"id": "msg_impossible", "model": "claude-opus-5-5",
        "usage": {"input_tokens": -5, "output_tokens": 1.5}});
    let impossible = impossible.to_string();
    let lines: [&[u8]; 5] = [b"not json", b"\0\0\0\0", b"{\"a\":", b"\xff\xfe", impossible.as_bytes()];
    let line = *home.dice.pick(&lines);
    garbage(home, session, line);
    home.turn(session);
}

/// A line the client was killed in, with the next one behind it on the same line.
pub(super) fn half_line(home: &mut Home, session: usize) {
    let file = home.sessions[session].file;
    let whole = home.frame(file, "user").to_string();
    let half = whole.len() / 2;
    garbage(home, session, [&whole.as_bytes()[..half], whole.as_bytes()].concat().as_slice());
    home.turn(session);
}

/// The last line has no end yet.
pub(super) fn half_last_line(home: &mut Home, session: usize) {
    home.turn(session);
    let file = home.sessions[session].file;
    let whole = home.frame(file, "assistant").to_string();
    home.files[file].half = whole.as_bytes()[..whole.len() / 2].to_vec();
}

/// An error the client shows as a response.
pub(super) fn synthetic(home: &mut Home, session: usize) {
    let file = home.sessions[session].file;
    let mut line = home.frame(file, "assistant");
    line["message"] = json!({"id": line["uuid"], "role": "assistant", "model": "<synthetic>", "content": [],
        "usage": {"input_tokens": 0, "output_tokens": 0}});
    line["isApiErrorMessage"] = json!(true);
    home.note(file, &line);
    home.count(session, "synthetic");
    home.sessions[session].doubts.insert(Doubt::Interrupted);
    home.turn(session);
}

/// A person stops the response after some of it.
pub(super) fn interrupted(home: &mut Home, session: usize) {
    let file = home.sessions[session].file;
    home.prompt(file, "a long story");
    let mut answer = home.answer();
    (answer.finished, answer.drafts, answer.adds_up) = (false, false, false);
    answer.tokens.output = 1 + home.dice.roll(5);
    let bill = home.respond(file, &answer);
    let mut line = home.frame(file, "user");
    line["message"] =
        json!({"role": "user", "content": [{"type": "text", "text": "[Request interrupted by user]"}]});
    line["interruptedMessageId"] = json!(home.bills[bill].message);
    home.note(file, &line);
    home.sessions[session].doubts.insert(Doubt::Interrupted);
    home.turn(session);
}

/// A request nobody answered.
pub(super) fn unanswered(home: &mut Home, session: usize) {
    home.ask(home.sessions[session].file);
    home.count(session, "unknown_usage");
    home.sessions[session].doubts.insert(Doubt::Unanswered);
    home.turn(session);
}

/// A response whose usage is missing or null.
pub(super) fn without_usage(home: &mut Home, session: usize) {
    let file = home.sessions[session].file;
    let mut line = home.frame(file, "assistant");
    line["message"] = json!({"id": format!("msg_{}", home.serial()), "model": "claude-opus-5-5"});
    if home.dice.once_in(2) {
        line["message"]["usage"] = serde_json::Value::Null;
    }
    home.note(file, &line);
    home.count(session, "unknown_usage");
    home.sessions[session].doubts.insert(Doubt::Unanswered);
    home.turn(session);
}

/// Lines of other types that look like responses.
pub(super) fn decoys(home: &mut Home, session: usize) {
    let file = home.sessions[session].file;
    let usage = json!({"input_tokens": 500, "output_tokens": 600, "cache_read_input_tokens": 700});
    let message = json!({"id": "msg_decoy", "role": "assistant", "model": "claude-opus-5-5", "usage": usage});
    for kind in ["api-request-blob", "attachment", "file-history-snapshot", "last-prompt"] {
        let mut line = home.frame(file, kind);
        line["message"] = message.clone();
        home.note(file, &line);
    }
    let quoted = json!({"type": "assistant", "message": message}).to_string();
    home.prompt(file, &quoted);
    home.turn(session);
}
