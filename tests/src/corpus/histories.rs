//! How one history comes to stand in several places: subagents, forks, resumes, replays, and where sessions go.

use super::answer::Ids;
use super::bill::Copied;
use super::file::File;
use super::grounds::Spot;
use super::home::{Home, encoded};
use super::session::Doubt;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::path::PathBuf;

/// Folder of a session's own, beside its file.
fn own_folder(home: &Home, session: usize) -> PathBuf {
    home.files[home.sessions[session].file].path.with_extension("")
}

/// A subagent that writes to `path`, and answers once or twice.
fn delegate(home: &mut Home, session: usize, path: PathBuf, id: &str) -> usize {
    let agent = json!({"isSidechain": true, "agentId": id, "attributionAgent": "Explore"});
    let file = home.open(path, session, Some(agent));
    home.prompt(file, "look around");
    for _ in 0..=home.dice.roll(2) {
        let answer = home.answer();
        home.respond(file, &answer);
    }
    home.tool_result(home.sessions[session].file);
    file
}

pub(super) fn subagent(home: &mut Home, session: usize) {
    let id = home.dice.hex(8);
    let path = own_folder(home, session).join(format!("subagents/agent-{id}.jsonl"));
    delegate(home, session, path, &id);
}

/// A workflow's agents write below it, and its journal repeats them.
pub(super) fn workflow(home: &mut Home, session: usize) {
    let id = home.dice.hex(8);
    let folder = own_folder(home, session).join("subagents/workflows").join(home.dice.hex(6));
    let agent = delegate(home, session, folder.join(format!("agent-{id}.jsonl")), &id);
    let journal = File { path: folder.join("journal.jsonl"), ..home.files[agent].clone() };
    home.files.push(journal);
}

/// Older clients kept a subagent's file beside its session's.
pub(super) fn subagent_beside(home: &mut Home, session: usize) {
    let id = home.dice.hex(8);
    let path = home.files[home.sessions[session].file].path.with_file_name(format!("agent-{id}.jsonl"));
    delegate(home, session, path, &id);
}

/// The session repeats what its subagent says.
pub(super) fn progress_copies(home: &mut Home, session: usize) {
    let id = home.dice.hex(8);
    let path = own_folder(home, session).join(format!("subagents/agent-{id}.jsonl"));
    let agent = delegate(home, session, path, &id);
    let said: Vec<Value> = home.files[agent].lines.iter().filter_map(|line| line.message.clone()).collect();
    let file = home.sessions[session].file;
    for message in said {
        let mut line = home.frame(file, "progress");
        line["data"] = json!({"type": "agent_progress", "agentId": id, "message": message});
        home.note(file, &line);
    }
}

/// `/btw` replays what was said so far, each response under a request of its own.
pub(super) fn btw(home: &mut Home, session: usize) {
    let id = home.dice.hex(8);
    let path = own_folder(home, session).join(format!("subagents/agent-aside-{id}.jsonl"));
    let agent = json!({"isSidechain": true, "agentId": id});
    let main = home.sessions[session].file;
    let file = home.open(path, session, Some(agent.clone()));
    home.files[file].after = home.files[main].after;
    let later = home.dice.once_in(2);
    for line in home.files[main].lines.clone() {
        let Some(mut message) = line.message else { continue };
        let named = message["message"]["id"].as_str().is_some_and(|id| id.starts_with("msg_"));
        // another gateway's id and another request are another response
        if line.bill.is_some() && !named {
            continue;
        }
        message["isSidechain"] = json!(true);
        message["agentId"] = agent["agentId"].clone();
        if line.bill.is_some() {
            message["requestId"] = json!(format!("req_{:020x}", home.serial()));
        }
        if later {
            home.wait(session, 500);
            message["timestamp"] = json!(home.sessions[session].at);
        }
        home.say(file, message, line.bill);
    }
    let answer = home.answer();
    home.respond(file, &answer);
    home.turn(session);
}

/// How a fork's copies say whose they are.
#[derive(Clone, Copy, PartialEq)]
enum Naming {
    /// `sessionId` rewritten, `requestSessionId` added.
    Request,
    /// `sessionId` kept.
    Kept,
    /// `sessionId` rewritten, `forkedFrom` added.
    ForkedFrom,
    /// `sessionId` rewritten and nothing else.
    Nobody,
}

fn fork_as(home: &mut Home, session: usize, naming: Naming) {
    let parent = home.sessions[session].clone();
    if !parent.forkable {
        return home.turn(session);
    }
    let messages: Vec<_> =
        home.files[parent.file].lines.iter().filter(|line| line.message.is_some()).cloned().collect();
    let foreign = |line: &Value| is_copy(line) || line["sessionId"] != json!(parent.id);
    let copies_before = messages.iter().any(|line| line.message.as_ref().is_some_and(foreign));
    // what these clients made of copies of copies is not known
    let old = matches!(naming, Naming::ForkedFrom | Naming::Nobody);
    if messages.is_empty() || (old && (copies_before || !parent.start.is_shared())) {
        return home.turn(session);
    }
    home.wait(session, 600_000);
    let at = home.sessions[session].at;
    let id = home.dice.session_id();
    let path = home.files[parent.file].path.with_file_name(format!("{id}.jsonl"));
    let fork = home.begin_at(path, id.clone(), parent.start.clone(), at);
    let file = home.sessions[fork].file;
    let count = 1 + home.dice.index(messages.len());
    for line in &messages[..count] {
        let Some(mut copy) = line.message.clone() else { continue };
        if line.bill.is_some_and(|bill| naming == Naming::Nobody && !home.bills[bill].copyable) {
            continue;
        }
        let from = copy["sessionId"].clone();
        if naming != Naming::Kept {
            copy["sessionId"] = json!(id);
        }
        match naming {
            Naming::Request if copy.get("requestSessionId").is_none() => copy["requestSessionId"] = from,
            Naming::ForkedFrom => {
                copy["forkedFrom"] = json!({"sessionId": from, "messageUuid": copy["uuid"]});
            }
            _ => {}
        }
        if let Some(bill) = line.bill.map(|bill| &mut home.bills[bill]) {
            let says_whose = naming != Naming::Nobody;
            bill.copied = bill.copied.max(if says_whose { Copied::Named } else { Copied::Unnamed });
        }
        if naming == Naming::Nobody && copy["cwd"] == json!(home.grounds.private().path) {
            home.sessions[fork].doubts.insert(Doubt::OutOfScope);
        }
        home.say(file, copy, line.bill);
    }
    let shows = naming != Naming::Nobody || home.files[file].lines.iter().any(|line| line.bill.is_some());
    let forked = &mut home.sessions[fork];
    forked.branch.clone_from(&parent.branch);
    forked.doubts.extend(shows.then_some(Doubt::Forked));
    forked.forkable = !old;
    // headless forks go on with their parent's account, interactive ones begin their own
    if home.dice.once_in(2) && !old {
        home.sessions[fork].account = parent.account;
    }
    if naming == Naming::Nobody {
        home.files[file].after = Some(parent.file);
    }
    home.turn(fork);
    if home.dice.once_in(2) {
        home.turn(session);
    }
}

fn is_copy(line: &Value) -> bool {
    line.get("requestSessionId").is_some() || line.get("forkedFrom").is_some()
}

pub(super) fn fork(home: &mut Home, session: usize) {
    fork_as(home, session, Naming::Request);
}

pub(super) fn fork_that_keeps_ids(home: &mut Home, session: usize) {
    fork_as(home, session, Naming::Kept);
}

pub(super) fn fork_with_a_source(home: &mut Home, session: usize) {
    fork_as(home, session, Naming::ForkedFrom);
}

pub(super) fn fork_that_names_nobody(home: &mut Home, session: usize) {
    fork_as(home, session, Naming::Nobody);
}

pub(super) fn resume(home: &mut Home, session: usize) {
    home.wait(session, 2 * 86_400_000);
    home.turn(session);
}

/// The session goes on in another folder; its file stays.
fn go(home: &mut Home, session: usize, spot: Spot) {
    home.sessions[session].spot = spot;
    home.turn(session);
}

pub(super) fn another_repository(home: &mut Home, session: usize) {
    let spot = home.grounds.shop();
    go(home, session, spot);
}

pub(super) fn private_repository(home: &mut Home, session: usize) {
    let spot = home.grounds.private();
    go(home, session, spot);
}

pub(super) fn outside_any_repository(home: &mut Home, session: usize) {
    let spot = home.grounds.outside();
    go(home, session, spot);
}

pub(super) fn subfolder(home: &mut Home, session: usize) {
    let spot = home.grounds.subfolder();
    go(home, session, spot);
}

pub(super) fn vanished_folder(home: &mut Home, session: usize) {
    let spot = home.grounds.vanished();
    go(home, session, spot);
}

pub(super) fn back_home(home: &mut Home, session: usize) {
    let spot = home.sessions[session].start.clone();
    go(home, session, spot);
}

pub(super) fn another_branch(home: &mut Home, session: usize) {
    let branch = format!("feature/PAY-{}", home.dice.roll(3));
    home.sessions[session].branch = Some(branch);
    home.turn(session);
}

/// A session of a linked working tree, whose file the client moves when it is left.
pub(super) fn moved(home: &mut Home, _: usize) {
    let (tree, main) = (home.grounds.worktree(), home.grounds.pay());
    let session = home.begin(tree);
    home.turn(session);
    let file = home.sessions[session].file;
    home.sessions[session].spot = main.clone();
    let mut line = home.frame(file, "relocated");
    line["relocatedCwd"] = json!(main.path);
    home.note(file, &line);
    let from = home.files[file].path.clone();
    let root = from.ancestors().nth(2).expect("a folder of projects").to_owned();
    let name = from.file_name().expect("a file has a name");
    home.files[file].path = root.join(encoded(&main.path)).join(name);
    home.files[file].moved_from = Some(from);
    home.turn(session);
}

/// A response of many lines over the last instant before `midnight`.
fn cross(home: &mut Home, session: usize, midnight: Date) {
    let midnight = midnight.to_zoned(TimeZone::UTC).expect("a midnight").timestamp();
    let now = &mut home.sessions[session].at;
    *now = (*now).max(midnight - SignedDuration::from_secs(20));
    home.turn(session);
    let mut answer = home.answer();
    (answer.lines, answer.ids) = (4, Ids::Anthropic(""));
    home.respond(home.sessions[session].file, &answer);
}

fn day(at: Timestamp) -> Date {
    at.to_zoned(TimeZone::UTC).date()
}

pub(super) fn midnight(home: &mut Home, session: usize) {
    let tomorrow = day(home.sessions[session].at).tomorrow().expect("a tomorrow");
    cross(home, session, tomorrow);
}

pub(super) fn week_end(home: &mut Home, session: usize) {
    let today = day(home.sessions[session].at);
    let left = 7 - i64::from(today.weekday().to_monday_zero_offset());
    let monday = today.saturating_add(SignedDuration::from_hours(24 * left));
    cross(home, session, monday);
}

pub(super) fn year_end(home: &mut Home, session: usize) {
    cross(home, session, jiff::civil::date(2026, 1, 1));
}
