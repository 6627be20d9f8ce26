//! Jira Cloud as far as `cpvo sync` knows it: projects, statuses, issues and what was changed of them.

use super::board::{Board, CREATED, Card, State};
use super::{Asked, Host, Reply};
use serde_json::{Value, json};

/// A running stand-in for the REST API.
pub struct Jira {
    host: Host,
    pub board: Board,
}

impl Jira {
    /// A site with these projects, each by the key it is asked for and the one it has now. An answer holds so many
    /// changes at most.
    pub fn start(projects: &[(&'static str, &'static str)], changes_max: usize) -> Self {
        let (board, projects) = (Board::default(), projects.to_vec());
        let shared = board.clone();
        let host = Host::start(move |asked| answer(asked, &shared, &projects, changes_max));
        Self { host, board }
    }

    pub fn host(&self) -> &Host {
        &self.host
    }

    pub fn url(&self) -> String {
        self.host.url()
    }

    /// What was asked so far, each with how many issues it was about: `issue/bulkfetch 2`.
    pub fn queries(&self) -> Vec<String> {
        let shown = |asked: Asked| {
            let issues = asked.body["issueIdsOrKeys"].as_array().map_or(0, Vec::len);
            format!("{} {issues}", asked.path.trim_start_matches("/rest/api/3/"))
        };
        self.host.asked().into_iter().map(shown).collect()
    }
}

/// The id and the name of a status.
fn status(state: State) -> (&'static str, &'static str) {
    match state {
        "todo" => ("1", "To Do"),
        "doing" => ("3", "In Progress"),
        "done" => ("10001", "Done"),
        "dropped" => ("10002", "Cancelled"),
        _ => ("10009", "Waiting for QA"),
    }
}

fn statuses() -> Value {
    let categories =
        [("todo", 2, "new"), ("doing", 4, "indeterminate"), ("done", 3, "done"), ("dropped", 3, "done")];
    let all = categories.map(|(state, category, key)| {
        let (id, name) = status(state);
        json!({"id": id, "name": name, "statusCategory": {"id": category, "key": key}})
    });
    json!(all)
}

fn answer(asked: &Asked, board: &Board, projects: &[(&str, &str)], changes_max: usize) -> Reply {
    let route = asked.path.trim_start_matches("/rest/api/3/");
    if let Some(key) = route.strip_prefix("project/") {
        return match projects.iter().find(|(asked, _)| *asked == key) {
            Some((_, key)) => Reply::Json(json!({"id": "10000", "key": key, "name": "Pay"})),
            None => refusal(404, &format!("No project could be found with key '{key}'.")),
        };
    }
    let ids = asked.body["issueIdsOrKeys"].as_array().cloned().unwrap_or_default();
    let names: Vec<&str> = ids.iter().filter_map(Value::as_str).collect();
    let cards = board.cards();
    match route {
        "status" => Reply::Json(statuses()),
        "issue/bulkfetch" => {
            let found = cards.iter().filter(|card| names.iter().any(|name| card.had(name)));
            let issues: Vec<Value> = found.map(|card| issue(card, &cards)).collect();
            Reply::Json(json!({"expand": "names,schema", "issues": issues, "issueErrors": []}))
        }
        "changelog/bulkfetch" => {
            let found = cards.iter().filter(|card| names.iter().any(|name| card.has(name)));
            let changes: Vec<(String, Value)> = found.flat_map(changes).collect();
            let from = asked.body["nextPageToken"].as_str().map_or(0, |token| token.parse().unwrap_or(0));
            let page: Vec<_> = changes.iter().skip(from).take(changes_max).collect();
            let end = from + page.len();
            let log = |(id, change): &&(String, Value)| json!({"issueId": id, "changeHistories": [change]});
            let logs: Vec<Value> = page.iter().map(log).collect();
            let token = (end < changes.len()).then(|| end.to_string());
            Reply::Json(json!({"issueChangeLogs": logs, "nextPageToken": token}))
        }
        "search/jql" => {
            let jql = asked.body["jql"].as_str().unwrap_or_default();
            let mut found: Vec<&Card> = cards
                .iter()
                .filter(|card| {
                    projects.iter().any(|(_, key)| jql.contains(&format!("\"{key}\"")) && card.is_of(key))
                })
                .collect();
            found.sort_by_key(|card| card.updated());
            let from = asked.body["nextPageToken"].as_str().map_or(0, |token| token.parse().unwrap_or(0));
            let issues: Vec<Value> =
                found.iter().skip(from).take(changes_max).map(|card| told(card)).collect();
            let end = from + issues.len();
            let token = (end < found.len()).then(|| end.to_string());
            Reply::Json(json!({"issues": issues, "nextPageToken": token, "isLast": end == found.len()}))
        }
        _ => refusal(404, "No endpoint."),
    }
}

fn refusal(status: u16, words: &str) -> Reply {
    Reply::Status(status, Vec::new(), json!({"errorMessages": [words], "errors": {}}).to_string())
}

fn issue(card: &Card, cards: &[Card]) -> Value {
    let updated = card.updated().replace('Z', ".000+0000");
    let parent = |key: &String| {
        let level = u8::from(!cards.iter().any(|card| card.key == *key)); // a story is on the board
        json!({"id": "1", "key": key, "fields": {"issuetype": {"id": "1", "hierarchyLevel": level}}})
    };
    let fields = json!({"updated": updated, "parent": card.part_of.as_ref().map(parent)});
    json!({"id": card.id(), "key": card.key, "fields": fields})
}

/// An issue with all that is asked of one that may be an incident. A label with a capital is its type.
fn told(card: &Card) -> Value {
    let time = |at: &str| at.replace('Z', ".000+0000");
    let (id, name) = status(card.state());
    let ended = ["done", "dropped"].contains(&card.state());
    let category = if ended { "done" } else { "new" };
    let (types, labels): (Vec<&str>, Vec<&str>) =
        card.labels.iter().partition(|label| label.starts_with(char::is_uppercase));
    let resolution = ended.then(|| json!({"name": if name == "Done" { "Done" } else { "Won't Do" }}));
    let words = json!({"type": "text", "text": card.text});
    json!({"id": card.id(), "key": card.key, "fields": {
        "created": time(CREATED), "updated": time(card.updated()), "labels": labels, "resolution": resolution,
        "resolutiondate": ended.then(|| time(card.updated())), "statuscategorychangedate": time(card.updated()),
        "status": {"id": id, "name": name, "statusCategory": {"key": category}},
        "issuetype": {"name": types.first().unwrap_or(&"Task")}, "summary": card.key,
        "description": {"type": "doc", "version": 1, "content": [{"type": "paragraph", "content": [words]}]},
    }})
}

/// What was changed of an issue, the newest first. Work that is done has a resolution.
fn changes(card: &Card) -> Vec<(String, Value)> {
    let change = |(place, (from, moved)): (usize, (State, &super::board::Moved))| {
        let ((from, from_name), (to, to_name)) = (status(from), status(moved.to));
        let mut items = vec![json!({
            "field": "status", "fieldId": "status", "fieldtype": "jira",
            "from": from, "fromString": from_name, "to": to, "toString": to_name,
        })];
        if moved.to == "done" {
            items.insert(
                0,
                json!({
                    "field": "resolution", "fieldId": "resolution", "fieldtype": "jira",
                    "from": null, "fromString": null, "to": "10000", "toString": "Done",
                }),
            );
        }
        let author = moved.by.map(|by| json!({"accountId": by, "accountType": "atlassian"}));
        let created = moved.at.replace('Z', ".000+0000");
        (
            card.id(),
            json!({"id": (100 + place).to_string(), "author": author, "created": created, "items": items}),
        )
    };
    let steps: Vec<_> = card.steps().collect();
    steps.into_iter().enumerate().rev().map(change).collect()
}
