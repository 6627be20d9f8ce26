//! GitLab as far as `cpvo sync` knows it: one project with its merge requests, issues and history.

use super::{Asked, Host, Reply};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex, MutexGuard};

/// The project's number; that of a fork which may be seen; that of one which is gone.
pub const PROJECT: u64 = 7;
pub const FORK: u64 = 8;
pub const GONE: u64 = 9;

/// A project as GitLab has it; lists are whole, pages are cut when they are asked for.
#[derive(Debug, Clone, Default)]
pub struct State {
    pub path_with_namespace: String,
    /// Each with `commits` (newest first), `diffs`, `notes` and the numbers of `closes_issues`.
    pub requests: Vec<Value>,
    pub issues: Vec<Value>,
    /// Releases and deployments, the oldest first.
    pub releases: Vec<Value>,
    pub deployments: Vec<Value>,
    /// The tracked branch, where it is not `main`.
    pub branch: Option<String>,
    /// Its history, the oldest first; each one's first parent is the one before it.
    pub commits: Vec<Value>,
    /// Headers of every answer.
    pub headers: Vec<(&'static str, String)>,
}

/// A running stand-in for the REST API.
pub struct GitLab {
    host: Host,
    state: Arc<Mutex<State>>,
}

impl GitLab {
    pub fn start(path_with_namespace: &str) -> Self {
        let state = State { path_with_namespace: path_with_namespace.to_owned(), ..State::default() };
        let state = Arc::new(Mutex::new(state));
        let shared = Arc::clone(&state);
        let host = Host::start(move |asked| answer(asked, &lock(&shared)));
        Self { host, state }
    }

    pub fn host(&self) -> &Host {
        &self.host
    }

    pub fn url(&self) -> String {
        format!("{}/api/v4", self.host.url())
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// What was asked so far of the lists of requests and of commits: `merge_requests 32 1`, its page size and number.
    pub fn pages(&self) -> Vec<String> {
        let shown = |asked: Asked| {
            let list = asked.path.rsplit('/').next().unwrap_or_default().to_owned();
            let is_page = asked.path.split('/').count() < 8 && asked.query.contains("per_page");
            let [size, page] = ["per_page", "page"].map(|name| parameter(&asked, name).unwrap_or_default());
            is_page.then(|| format!("{list} {size} {page}"))
        };
        self.host.asked().into_iter().filter_map(shown).collect()
    }
}

impl State {
    /// Puts a request in its place: it was touched just now.
    pub fn touch(&mut self, request: Value) {
        self.requests.retain(|known| known["iid"] != request["iid"]);
        self.requests.push(request);
    }
}

/// A request that was opened, and merged where `merged` says when and by which commit.
pub fn request(iid: u64, title: &str, touched: &str, merged: Option<(&str, &str)>) -> Value {
    json!({
        "id": 1000 + iid, "iid": iid, "project_id": PROJECT, "title": title, "description": null,
        "state": if merged.is_some() { "merged" } else { "opened" },
        "created_at": "2026-10-01T08:00:00.123Z", "updated_at": touched,
        "merged_at": merged.map(|(at, _)| at), "closed_at": null,
        "target_branch": "main", "source_branch": format!("feature/{iid}"),
        "source_project_id": PROJECT, "target_project_id": PROJECT,
        "author": {"id": 1, "username": "ana", "name": "Ana"},
        "merge_commit_sha": merged.map(|(_, sha)| sha), "squash_commit_sha": null,
        "sha": format!("{:040x}", 1000 + iid), "labels": [], "draft": false,
        "commits": [], "diffs": [], "closes_issues": [], "notes": [],
    })
}

/// A commit of a request or of the branch.
pub fn commit(sha: &str, at: &str, message: &str) -> Value {
    json!({
        "id": sha, "short_id": &sha[..8], "title": message.lines().next(), "message": message,
        "author_name": "Ana", "author_email": "Ana@acme.example", "committed_date": at,
    })
}

/// What somebody said on a request; with `*` before it, what the host notes of what they did.
pub fn note(author: &str, at: &str, body: &str) -> Value {
    json!({
        "id": 3000, "type": null, "body": body.trim_start_matches('*'), "system": body.starts_with('*'),
        "author": {"id": 2, "username": author, "name": author}, "created_at": at, "updated_at": at,
        "noteable_type": "MergeRequest", "resolvable": false,
    })
}

/// An issue and what happened to it: `closed by 3`, `closed`, `reopened`, each at a time.
pub fn issue(iid: u64, events: &[(&str, &str)]) -> Value {
    let event = |(what, at): &(&str, &str)| {
        let (state, closer) = what.split_once(" by ").unwrap_or((*what, ""));
        json!({
            "id": 1, "user": {"id": 1, "username": "ana"}, "created_at": at, "resource_type": "Issue",
            "state": state, "source_commit": null, "source_merge_request_id": closer.parse::<u64>().ok(),
        })
    };
    json!({
        "id": 2000 + iid, "iid": iid, "project_id": PROJECT, "title": "An issue", "moved_to_id": null,
        "web_url": format!("https://gitlab.com/acme/pay/-/issues/{iid}"),
        "_links": {"closed_as_duplicate_of": null},
        "events": events.iter().map(event).collect::<Vec<_>>(),
    })
}

/// An issue with these labels, as it was touched last.
pub fn reported(iid: u64, text: &str, labels: &[&str], touched: &str, is_closed: bool) -> Value {
    let mut issue = issue(iid, &[]);
    issue["title"] = json!("Checkout is down");
    issue["description"] = json!(text);
    issue["created_at"] = json!("2026-10-05T10:00:00Z");
    issue["updated_at"] = json!(touched);
    issue["closed_at"] = json!(is_closed.then_some(touched));
    issue["labels"] = json!(labels);
    issue["issue_type"] = json!("issue");
    issue
}

pub fn release(tag: &str, sha: &str, at: &str, is_upcoming: bool) -> Value {
    json!({
        "tag_name": tag, "name": tag, "created_at": at, "released_at": at, "upcoming_release": is_upcoming,
        "commit": {"id": sha},
    })
}

/// A deployment, when it was touched last, and when its job ended where it had one.
pub fn deployment(
    id: u64,
    environment: &str,
    sha: &str,
    status: &str,
    (touched, ended): (&str, Option<&str>),
) -> Value {
    json!({
        "id": id, "iid": id, "sha": sha, "status": status, "created_at": touched, "updated_at": touched,
        "environment": {"name": environment},
        "deployable": ended.map(|ended| json!({"id": 5, "finished_at": ended})),
    })
}

fn deployed(asked: &Asked, state: &State) -> Vec<Value> {
    let [environment, status] = ["environment", "status"].map(|name| parameter(asked, name));
    let is_asked = |one: &Value| {
        Some(one["environment"]["name"].as_str().unwrap_or_default()) == environment.as_deref()
            && Some(one["status"].as_str().unwrap_or_default()) == status.as_deref()
    };
    touched(asked, &state.deployments).into_iter().filter(is_asked).collect()
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().expect("no thread of the host panics")
}

fn parameter(asked: &Asked, name: &str) -> Option<String> {
    let pairs = asked.query.split('&').filter_map(|pair| pair.split_once('='));
    pairs.filter(|(known, _)| *known == name).map(|(_, value)| value.to_owned()).next()
}

fn answer(asked: &Asked, state: &State) -> Reply {
    let steps: Vec<&str> = asked.path.split('/').skip(4).collect(); // behind /api/v4/projects
    let number = |step: &str| step.parse::<u64>().ok();
    let lists = |list: &Value| page(asked, state, list.as_array().map(Vec::as_slice).unwrap_or_default());
    let own = |steps: &[&str]| match steps {
        [] => whole(state, &project(PROJECT, &state.path_with_namespace, state)),
        ["merge_requests"] => page(asked, state, &touched(asked, &state.requests)),
        ["issues"] => page(asked, state, &touched(asked, &state.issues)),
        ["releases"] => page(asked, state, &state.releases),
        ["deployments"] => page(asked, state, &deployed(asked, state)),
        ["merge_requests", iid, list] => {
            match state.requests.iter().find(|it| it["iid"] == json!(number(iid))) {
                Some(request) if *list == "closes_issues" => lists(&closes(request, state)),
                Some(request) => lists(&request[*list]),
                None => missing("Not found"),
            }
        }
        ["issues", iid] | ["issues", iid, _] => {
            match state.issues.iter().find(|it| it["iid"] == json!(number(iid))) {
                Some(issue) if steps.len() == 2 => whole(state, issue),
                Some(issue) => lists(&issue["events"]),
                None => missing("Not found"),
            }
        }
        ["repository", "branches", name] => {
            let branch = state.branch.as_deref().unwrap_or("main");
            match state.commits.last() {
                Some(tip) if *name == branch => {
                    whole(state, &json!({"name": name, "commit": {"id": tip["id"]}}))
                }
                _ => missing("Branch Not Found"),
            }
        }
        ["repository", "commits"] => lists(&behind(asked, state)),
        _ => missing("Not Found"),
    };
    match steps.split_first() {
        Some((id, rest)) if number(id) == Some(PROJECT) => own(rest),
        Some((id, [])) if number(id) == Some(FORK) => whole(state, &project(FORK, "ben/pay", state)),
        Some((id, rest)) if id.replace("%2F", "/") == state.path_with_namespace => own(rest),
        // it had that name before
        Some((id, [])) if id.contains("%2F") && *id != "acme%2Fnone" => {
            let to = format!("http://{}/api/v4/projects/{PROJECT}", asked.host);
            Reply::Status(301, vec![("location", to)], String::new())
        }
        _ => missing("Project Not Found"),
    }
}

fn missing(what: &str) -> Reply {
    Reply::Status(404, vec![], json!({"message": format!("404 {what}")}).to_string())
}

fn whole(state: &State, body: &Value) -> Reply {
    Reply::Status(200, state.headers.clone(), body.to_string())
}

fn project(id: u64, path: &str, state: &State) -> Value {
    let is_empty = state.commits.is_empty();
    let branch = (!is_empty).then(|| state.branch.as_deref().unwrap_or("main"));
    json!({"id": id, "path_with_namespace": path, "default_branch": branch, "empty_repo": is_empty})
}

/// The requests or issues that were touched since, the oldest first.
fn touched(asked: &Asked, all: &[Value]) -> Vec<Value> {
    let since = parameter(asked, "updated_after").unwrap_or_default();
    let at = |one: &Value| one["updated_at"].as_str().unwrap_or_default().trim_end_matches('Z').to_owned();
    let is_new = |one: &&Value| at(one).as_str() >= since.trim_end_matches('Z');
    let mut requests: Vec<Value> = all.iter().filter(is_new).cloned().collect();
    requests.sort_by_key(at);
    for list in ["commits", "diffs", "closes_issues", "notes"] {
        requests.iter_mut().filter_map(Value::as_object_mut).for_each(|request| drop(request.remove(list)));
    }
    requests
}

fn closes(request: &Value, state: &State) -> Value {
    let numbers = request["closes_issues"].as_array().cloned().unwrap_or_default();
    let issue = |number: &Value| match state.issues.iter().find(|issue| issue["iid"] == *number) {
        Some(issue) => issue.clone(),
        None => json!({"id": number, "title": "kept elsewhere"}),
    };
    numbers.iter().map(issue).collect()
}

fn behind(asked: &Asked, state: &State) -> Value {
    let sha = parameter(asked, "ref_name").unwrap_or_default();
    let Some(place) = state.commits.iter().position(|commit| commit["id"] == json!(sha)) else {
        return json!([]);
    };
    let whole = |place: usize| {
        let mut commit = state.commits[place].clone();
        let parent = place.checked_sub(1).map(|before| state.commits[before]["id"].clone());
        commit["parent_ids"] = parent.into_iter().collect();
        commit
    };
    (0..=place).rev().map(whole).collect()
}

fn page(asked: &Asked, state: &State, all: &[Value]) -> Reply {
    let number = |name| parameter(asked, name).and_then(|value| value.parse::<usize>().ok()).unwrap_or(1);
    let (size, page) = (number("per_page"), number("page"));
    let items: Vec<&Value> = all.iter().skip((page - 1) * size).take(size).collect();
    let next = if page * size < all.len() { (page + 1).to_string() } else { String::new() };
    let mut headers = state.headers.clone();
    headers.push(("x-next-page", next));
    Reply::Status(200, headers, json!(items).to_string())
}
