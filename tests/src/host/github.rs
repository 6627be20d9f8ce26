//! GitHub as far as `cpvo sync` knows it: one repository with its requests, issues and history.

use super::{Asked, Host, Reply};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex, MutexGuard};

/// A repository as GitHub has it; lists are whole, pages are cut when they are asked for.
#[derive(Debug, Clone, Default)]
pub struct State {
    pub name_with_owner: String,
    /// The last one touched is the newest.
    pub requests: Vec<Value>,
    pub issues: Vec<Value>,
    /// The tracked branch, where it is not `main`.
    pub branch: Option<String>,
    /// Its history, the oldest first; each one's first parent is the one before it, unless it names one.
    pub commits: Vec<Value>,
    /// Releases and deployments, the newest last.
    pub releases: Vec<Value>,
    pub deployments: Vec<Value>,
    /// What users reported, in whatever order.
    pub reported: Vec<Value>,
    /// What is left of the hour's points, and when the next hour begins.
    pub rate: Option<(u32, String)>,
}

/// A running stand-in for the GraphQL API.
pub struct GitHub {
    host: Host,
    state: Arc<Mutex<State>>,
}

impl GitHub {
    pub fn start(name_with_owner: &str) -> Self {
        let state = State { name_with_owner: name_with_owner.to_owned(), ..State::default() };
        let state = Arc::new(Mutex::new(state));
        let shared = Arc::clone(&state);
        let host = Host::start(move |asked| answer(asked, &lock(&shared)));
        Self { host, state }
    }

    pub fn host(&self) -> &Host {
        &self.host
    }

    pub fn url(&self) -> String {
        format!("{}/graphql", self.host.url())
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// The queries asked so far, each with its page size where it has one: `Requests 25`.
    pub fn queries(&self) -> Vec<String> {
        let shown = |asked: Asked| {
            let (name, first) =
                (asked.body["operationName"].clone(), asked.body["variables"]["first"].clone());
            format!("{} {}", name.as_str().unwrap_or_default(), first.as_u64().unwrap_or_default())
        };
        self.host.asked().into_iter().map(shown).collect()
    }
}

impl State {
    /// Puts a request in front: it was touched just now.
    pub fn touch(&mut self, request: Value) {
        self.requests.retain(|known| known["number"] != request["number"]);
        self.requests.push(request);
    }

    fn issue(&self, id: &Value) -> Value {
        self.issues.iter().find(|issue| issue["id"] == *id).cloned().unwrap_or(Value::Null)
    }
}

/// A request that was opened, and merged where `merged` says when and by which commit.
pub fn request(number: u64, title: &str, touched: &str, merged: Option<(&str, &str)>) -> Value {
    json!({
        "id": format!("PR_{number}"), "number": number, "title": title, "body": "",
        "updatedAt": touched, "createdAt": "2026-10-01T08:00:00Z",
        "mergedAt": merged.map(|(at, _)| at), "closedAt": merged.map(|(at, _)| at),
        "baseRefName": "main", "headRefName": format!("feature/{number}"),
        "headRepository": {"nameWithOwner": "acme/pay"},
        "author": {"__typename": "User", "login": "ana"},
        "mergeCommit": merged.map(|(_, sha)| json!({"oid": sha})),
        "labels": {"nodes": []}, "commits": [], "files": [], "closingIssuesReferences": [],
    })
}

/// A commit of a request.
pub fn pushed(sha: &str, message: &str, email: &str) -> Value {
    json!({"commit": {"oid": sha, "message": message, "author": {"email": email}}})
}

/// A commit of the branch, and the request it came by.
pub fn commit(sha: &str, at: &str, message: &str, number: Option<u64>) -> Value {
    let merged = number.map(|number| json!({"number": number, "mergedAt": at, "baseRefName": "main"}));
    json!({
        "oid": sha, "committedDate": at, "message": message, "author": {"email": "ana@acme.example"},
        "associatedPullRequests": {"nodes": merged.into_iter().collect::<Vec<_>>()},
    })
}

/// An issue and what happened to it: `closed by PullRequest`, `closed as NOT_PLANNED`, `reopened`, each at a time.
pub fn issue(id: &str, events: &[(&str, &str)]) -> Value {
    let event = |(what, at): &(&str, &str)| {
        let actor = json!({"login": "ana"});
        match what.split_once(' ') {
            Some((_, closer)) if closer.starts_with("by") => json!({
                "__typename": "ClosedEvent", "createdAt": at, "stateReason": "COMPLETED", "actor": actor,
                "closer": {"__typename": "PullRequest"},
            }),
            Some((_, reason)) => json!({
                "__typename": "ClosedEvent", "createdAt": at, "stateReason": reason.trim_start_matches("as "),
                "actor": actor, "closer": null,
            }),
            None => json!({"__typename": "ReopenedEvent", "createdAt": at, "actor": actor}),
        }
    };
    let nodes: Vec<Value> = events.iter().map(event).collect();
    let number = id.trim_start_matches("I_");
    json!({
        "id": id, "url": format!("https://github.com/acme/pay/issues/{number}"),
        "timelineItems": {"nodes": nodes},
    })
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().expect("no thread of the host panics")
}

fn answer(asked: &Asked, state: &State) -> Reply {
    let variables = &asked.body["variables"];
    let mut errors = Vec::new();
    let mut data = match asked.body["operationName"].as_str().unwrap_or_default() {
        "Requests" => json!({"repository": requests(variables, state)}),
        "Shipping" => json!({"repository": shipping(variables, state)}),
        "Issues" => json!({"repository": {"issues": reported_since(variables, state)}}),
        "Rest" => json!({"node": rest(variables, state)}),
        "Tickets" => {
            let ids = variables["ids"].as_array().cloned().unwrap_or_default();
            let nodes: Vec<Value> = ids.iter().map(|id| state.issue(id)).collect();
            let gone = (0..nodes.len()).filter(|place| nodes[*place].is_null());
            errors = gone.map(|place| not_found(place, &ids[place])).collect();
            json!({ "nodes": nodes })
        }
        "Branch" => json!({"repository": branch(variables, state)}),
        "History" => json!({"repository": {"object": history(variables, state)}}),
        other => return Reply::Json(json!({"errors": [{"message": format!("no operation {other}")}]})),
    };
    data["rateLimit"] = match &state.rate {
        Some((remaining, reset_at)) => json!({"remaining": remaining, "resetAt": reset_at}),
        None => json!({"remaining": 5000, "resetAt": "2026-11-25T13:00:00Z"}),
    };
    let mut reply = json!({ "data": data });
    if !errors.is_empty() {
        reply["errors"] = json!(errors);
    }
    Reply::Json(reply)
}

fn not_found(place: usize, id: &Value) -> Value {
    json!({
        "type": "NOT_FOUND", "path": ["nodes", place],
        "message": format!("Could not resolve to a node with the global id of '{}'.", id.as_str().unwrap_or_default()),
    })
}

fn requests(variables: &Value, state: &State) -> Value {
    let newest: Vec<&Value> = state.requests.iter().rev().collect();
    let after = variables["after"].as_str().map(str::to_owned);
    let from = after.map_or(0, |after| {
        newest.iter().position(|request| request["id"] == after).map_or(newest.len(), |place| place + 1)
    });
    let first = usize::try_from(variables["first"].as_u64().unwrap_or(1)).unwrap_or(1);
    let page: Vec<Value> =
        newest.iter().skip(from).take(first).map(|request| cut(request, variables, state)).collect();
    let end = page.last().map(|request| request["id"].clone());
    json!({
        "nameWithOwner": state.name_with_owner,
        "pullRequests": {"pageInfo": {"hasNextPage": from + page.len() < newest.len(), "endCursor": end}, "nodes": page},
    })
}

/// A request as its page has it: the first of each list.
fn cut(request: &Value, variables: &Value, state: &State) -> Value {
    let mut request = request.clone();
    request["commits"] = connection(&request["commits"], None, 100);
    if variables["files"] == true {
        request["files"] = connection(&request["files"], None, 100);
    } else {
        request.as_object_mut().expect("a request is an object").remove("files");
    }
    request["closingIssuesReferences"] = connection(&issues(&request, state), None, 5);
    request
}

fn issues(request: &Value, state: &State) -> Value {
    let ids = request["closingIssuesReferences"].as_array().cloned().unwrap_or_default();
    ids.iter().map(|id| state.issue(id)).collect()
}

fn connection(list: &Value, after: Option<&Value>, first: usize) -> Value {
    let all = list.as_array().cloned().unwrap_or_default();
    let from = after.and_then(|after| after.as_str()?.parse().ok()).unwrap_or(0);
    let nodes: Vec<Value> = all.iter().skip(from).take(first).cloned().collect();
    let end = from + nodes.len();
    json!({"pageInfo": {"hasNextPage": end < all.len(), "endCursor": end.to_string()}, "nodes": nodes})
}

fn rest(variables: &Value, state: &State) -> Value {
    let Some(request) = state.requests.iter().find(|request| request["id"] == variables["id"]) else {
        return Value::Null;
    };
    let mut rest = json!({});
    for (with, list, after, first) in [
        ("withCommits", "commits", "commits", 100),
        ("withFiles", "files", "files", 100),
        ("withIssues", "closingIssuesReferences", "issues", 20),
    ] {
        if variables[with] == true {
            let all = if list == "closingIssuesReferences" {
                issues(request, state)
            } else {
                request[list].clone()
            };
            rest[list] = connection(&all, Some(&variables[after]), first);
        }
    }
    rest
}

/// A release that is out, or is said not to be.
pub fn release(tag: &str, sha: &str, at: &str, is_prerelease: bool) -> Value {
    json!({
        "tagName": tag, "isDraft": false, "isPrerelease": is_prerelease, "createdAt": at, "publishedAt": at,
        "tagCommit": {"oid": sha},
    })
}

/// A deployment to an environment and what became of it: `SUCCESS`, each at a time.
pub fn deployment(id: &str, environment: &str, sha: &str, statuses: &[(&str, &str)]) -> Value {
    let status = |(state, at): &(&str, &str)| json!({"state": state, "createdAt": at});
    json!({
        "id": id, "environment": environment, "createdAt": statuses[0].1, "commitOid": sha,
        "statuses": {"nodes": statuses.iter().map(status).collect::<Vec<_>>()},
    })
}

fn shipping(variables: &Value, state: &State) -> Value {
    let first = usize::try_from(variables["first"].as_u64().unwrap_or(1)).unwrap_or(1);
    let page = |all: &[Value]| {
        let newest: Vec<Value> = all.iter().rev().cloned().collect();
        connection(&json!(newest), Some(&variables["after"]), first)
    };
    let asked = variables["environments"].as_array().cloned().unwrap_or_default();
    let meant = state.deployments.iter().filter(|one| asked.contains(&one["environment"])).cloned();
    let mut repository = json!({});
    if variables["releases"] == true {
        repository["releases"] = page(&state.releases);
    }
    if variables["deployments"] == true {
        repository["deployments"] = page(&meant.collect::<Vec<_>>());
    }
    repository
}

/// An issue with these labels, as it was touched last: `NOT_PLANNED` or why else it was closed then.
pub fn reported(number: u64, text: &str, labels: &[&str], touched: &str, closed: Option<&str>) -> Value {
    let labels: Vec<Value> = labels.iter().map(|label| json!({"name": label})).collect();
    json!({
        "url": format!("https://github.com/acme/pay/issues/{number}"), "title": "Checkout is down", "body": text,
        "createdAt": "2026-10-05T10:00:00Z", "updatedAt": touched, "closedAt": closed.map(|_| touched),
        "stateReason": closed, "labels": {"nodes": labels},
    })
}

fn reported_since(variables: &Value, state: &State) -> Value {
    let at = |issue: &Value| issue["updatedAt"].as_str().unwrap_or_default().to_owned();
    let since = variables["since"].as_str().unwrap_or_default();
    let mut issues: Vec<Value> =
        state.reported.iter().filter(|issue| &*at(issue) >= since).cloned().collect();
    issues.sort_by_key(at);
    let first = usize::try_from(variables["first"].as_u64().unwrap_or(1)).unwrap_or(1);
    connection(&json!(issues), Some(&variables["after"]), first)
}

fn branch(variables: &Value, state: &State) -> Value {
    let name = state.branch.as_deref().unwrap_or("main");
    let reference = state.commits.last().map(|tip| json!({"name": name, "target": {"oid": tip["oid"]}}));
    let mut repository = json!({"nameWithOwner": state.name_with_owner});
    if variables["default"] == true {
        repository["defaultBranchRef"] = json!(reference);
    } else {
        repository["ref"] = json!(reference.filter(|_| variables["branch"] == format!("refs/heads/{name}")));
    }
    repository
}

fn history(variables: &Value, state: &State) -> Value {
    let oid = |commit: &Value| commit["oid"].clone();
    let Some(place) = state.commits.iter().position(|commit| oid(commit) == variables["oid"]) else {
        return Value::Null;
    };
    let first = usize::try_from(variables["first"].as_u64().unwrap_or(1)).unwrap_or(1);
    let whole = |place: usize| {
        let mut commit = state.commits[place].clone();
        let parent = place.checked_sub(1).map(|before| json!({"oid": oid(&state.commits[before])}));
        if commit["parents"].is_null() {
            commit["parents"] = json!({"nodes": parent.into_iter().collect::<Vec<_>>()});
        }
        commit
    };
    json!({"history": {"nodes": (0..=place).rev().take(first).map(whole).collect::<Vec<_>>()}})
}
