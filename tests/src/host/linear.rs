//! Linear as far as `cpvo sync` knows it: a workspace with its teams, issues and their histories.

use super::board::{Board, CREATED, Card, Moved, State};
use super::{Asked, Host, Reply};
use serde_json::{Value, json};

/// A running stand-in for the GraphQL API.
pub struct Linear {
    host: Host,
    pub board: Board,
}

impl Linear {
    /// A workspace with these teams. A page of a history holds so many changes at most.
    pub fn start(workspace: &'static str, teams: &[&'static str], changes_max: usize) -> Self {
        let (board, teams) = (Board::default(), teams.to_vec());
        let shared = board.clone();
        let host = Host::start(move |asked| answer(asked, &shared, (workspace, &teams), changes_max));
        Self { host, board }
    }

    pub fn host(&self) -> &Host {
        &self.host
    }

    pub fn url(&self) -> String {
        format!("{}/graphql", self.host.url())
    }

    /// The queries asked so far, each with its page size where it has one: `Histories 25`.
    pub fn queries(&self) -> Vec<String> {
        let shown = |asked: Asked| {
            let first = asked.body["variables"]["first"].as_u64().unwrap_or_default();
            format!("{} {first}", asked.body["operationName"].as_str().unwrap_or_default())
        };
        self.host.asked().into_iter().map(shown).collect()
    }
}

fn kind(state: State) -> &'static str {
    match state {
        "todo" => "unstarted",
        "doing" => "started",
        "done" => "completed",
        "dropped" => "canceled",
        _ => "unheard",
    }
}

fn answer(asked: &Asked, board: &Board, (workspace, teams): (&str, &[&str]), changes_max: usize) -> Reply {
    let variables = &asked.body["variables"];
    let cards = board.cards();
    let data = match asked.body["operationName"].as_str().unwrap_or_default() {
        "Teams" => {
            let keys = variables["keys"].as_array().cloned().unwrap_or_default();
            let seen = teams.iter().filter(|team| keys.contains(&json!(team)));
            let nodes: Vec<Value> = seen.map(|team| json!({ "key": team })).collect();
            json!({"organization": {"urlKey": workspace}, "teams": {"nodes": nodes}})
        }
        "Issues" => {
            let numbers = variables["numbers"].as_array().cloned().unwrap_or_default();
            let team = variables["team"].as_str().unwrap_or_default();
            let named = |card: &&Card| numbers.iter().any(|number| card.key == format!("{team}-{number}"));
            json!({"issues": page(cards.iter().filter(named).map(issue).collect(), variables)})
        }
        "Issue" => match cards.iter().find(|card| variables["id"].as_str().is_some_and(|id| card.had(id))) {
            Some(card) => json!({"issue": issue(card)}),
            None => return not_found(),
        },
        "Reported" => {
            let teams = variables["teams"].as_array().cloned().unwrap_or_default();
            let since = variables["since"].as_str().unwrap_or_default();
            let touched = |card: &&Card| {
                teams.iter().filter_map(Value::as_str).any(|team| card.is_of(team)) && card.updated() >= since
            };
            json!({"issues": page(cards.iter().filter(touched).map(told).collect(), variables)})
        }
        "Histories" => {
            let ids = variables["ids"].as_array().cloned().unwrap_or_default();
            let named = |card: &&Card| ids.contains(&json!(card.id()));
            let with =
                |card: &Card| json!({"id": card.id(), "history": history(card, &Value::Null, changes_max)});
            json!({"issues": page(cards.iter().filter(named).map(with).collect(), variables)})
        }
        "History" => match cards.iter().find(|card| json!(card.id()) == variables["id"]) {
            Some(card) => {
                let history = history(card, &variables["after"], changes_max);
                json!({"issue": {"id": card.id(), "history": history}})
            }
            None => return not_found(),
        },
        other => return Reply::Json(json!({"errors": [{"message": format!("no operation {other}")}]})),
    };
    Reply::Json(json!({ "data": data }))
}

fn not_found() -> Reply {
    let fault = json!({
        "message": "Entity not found: Issue", "path": ["issue"],
        "extensions": {"type": "invalid input", "code": "INPUT_ERROR", "statusCode": 400, "userError": true,
            "userPresentableMessage": "Could not find referenced Issue."},
    });
    Reply::Status(400, Vec::new(), json!({"errors": [fault], "data": null}).to_string())
}

fn issue(card: &Card) -> Value {
    let updated = card.updated().replace('Z', ".000Z");
    let of = card.part_of.as_ref();
    json!({
        "id": card.id(), "identifier": card.key, "previousIdentifiers": card.former, "updatedAt": updated,
        "project": of.filter(|of| !of.contains('-')).map(|id| json!({ "id": id })),
        "parent": of.filter(|of| of.contains('-')).map(|key| json!({ "identifier": key })),
    })
}

/// An issue with all that is asked of one that may be an incident.
fn told(card: &Card) -> Value {
    let completed =
        card.moves.iter().rfind(|moved| moved.to == "done").map(|moved| moved.at.replace('Z', ".000Z"));
    let labels: Vec<Value> = card.labels.iter().map(|name| json!({ "name": name })).collect();
    json!({
        "identifier": card.key, "createdAt": CREATED.replace('Z', ".000Z"), "completedAt": completed,
        "title": card.key, "description": card.text, "state": {"type": kind(card.state())},
        "labels": {"nodes": labels},
    })
}

fn page(nodes: Vec<Value>, variables: &Value) -> Value {
    let from = variables["after"].as_str().and_then(|after| after.parse().ok()).unwrap_or(0);
    let first = usize::try_from(variables["first"].as_u64().unwrap_or(50)).unwrap_or(50);
    let all = nodes.len();
    let page: Vec<Value> = nodes.into_iter().skip(from).take(first).collect();
    let end = from + page.len();
    json!({"pageInfo": {"hasNextPage": end < all, "endCursor": end.to_string()}, "nodes": page})
}

/// The newest first; every other entry is about something else than the state.
fn history(card: &Card, after: &Value, changes_max: usize) -> Value {
    let change = |(from, moved): (State, &Moved)| {
        let actor = moved.by.map(|by| json!({ "id": by }));
        let bot = moved.by.is_none().then(|| json!({"id": null, "name": "GitHub"}));
        let at = moved.at.replace('Z', ".000Z");
        let of = |from: Value, to: Value| json!({"createdAt": at, "actor": actor, "botActor": bot, "fromState": from, "toState": to});
        [of(json!({"type": kind(from)}), json!({"type": kind(moved.to)})), of(Value::Null, Value::Null)]
    };
    let nodes: Vec<Value> = card.steps().rev().flat_map(change).collect();
    page(nodes, &json!({"after": after, "first": changes_max}))
}
