//! The host of the invented company: answers what `cpvo sync` asks GitHub, on loopback, while the demo runs.

use super::repository::{Landed, merged, message};
use super::story::{Request, Story};
use anyhow::Result;
use axum::Json;
use axum::Router;
use axum::extract::State;
use axum::routing::post;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

/// Runs until it is dropped.
pub(super) struct Host {
    pub url: String,
    _runtime: Runtime,
}

/// All repositories as GitHub has them.
#[derive(Debug, Default)]
pub(super) struct Hosted {
    repositories: HashMap<String, Repository>,
    issues: HashMap<String, Value>,
}

#[derive(Debug, Default)]
struct Repository {
    /// The one touched last comes first.
    requests: Vec<Value>,
    /// The newest first.
    commits: Vec<Value>,
}

impl Host {
    pub(super) fn start(hosted: Hosted) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"))?;
        let url = format!("http://{}/graphql", listener.local_addr()?);
        let routes = Router::new().route("/graphql", post(answer)).with_state(Arc::new(hosted));
        runtime.spawn(async move { axum::serve(listener, routes).await });
        Ok(Self { url, _runtime: runtime })
    }
}

impl Hosted {
    pub(super) fn add(&mut self, story: &Story, repo: &str, landed: &Landed) {
        let mut of_repo: Vec<(usize, &Request)> =
            story.requests.iter().enumerate().filter(|(_, one)| one.repo == repo).collect();
        of_repo.sort_by_key(|(_, one)| (std::cmp::Reverse(touched(one)), one.number));
        for (_, request) in of_repo.iter().filter(|(_, one)| one.has_ticket()) {
            self.issues.insert(ticket_id(request), issue(request));
        }
        let requests = of_repo.iter().map(|(place, one)| pull_request(story, one, landed.get(place)));
        let requests = requests.collect();
        let mut commits: Vec<Value> = Vec::new();
        let mut parent: Option<&String> = None;
        for (place, request) in merged(story, repo) {
            let sha = landed.get(&place);
            commits.push(json!({
                "oid": sha, "committedDate": at(request.merged_at), "message": message(story, request),
                "author": {"email": request.author_email()},
                "parents": {"nodes": parent.map(|oid| json!({"oid": oid})).into_iter().collect::<Vec<_>>()},
                "associatedPullRequests": {"nodes": [
                    {"number": request.number, "mergedAt": at(request.merged_at), "baseRefName": "main"},
                ]},
            }));
            parent = sha;
        }
        commits.reverse();
        self.repositories.insert(repo.to_owned(), Repository { requests, commits });
    }
}

fn at(at: Option<Timestamp>) -> Option<String> {
    at.map(|at| at.to_string())
}

fn touched(request: &Request) -> Timestamp {
    request.merged_at.or(request.closed_at).unwrap_or(request.opened_at)
}

fn ticket_id(request: &Request) -> String {
    format!("I_{}_{}", request.repo, request.number - 1)
}

fn pull_request(story: &Story, request: &Request, sha: Option<&String>) -> Value {
    let is_bot = request.author.ends_with("[bot]");
    let actor = |name: &str, kind: &str| json!({"__typename": kind, "login": name.trim_end_matches("[bot]")});
    let reviews = request.reviewed.iter();
    let reviews =
        reviews.map(|(name, at)| json!({"submittedAt": at.to_string(), "author": actor(name, "User")}));
    let commit = json!({
        "oid": request.commit, "message": story.title(request), "author": {"email": request.author_email()},
    });
    let tickets = request.has_ticket().then(|| issue(request));
    json!({
        "id": format!("PR_{}_{}", request.repo, request.number), "number": request.number,
        "title": story.title(request), "body": story.body(request), "updatedAt": touched(request).to_string(),
        "createdAt": request.opened_at.to_string(), "mergedAt": at(request.merged_at),
        "closedAt": at(request.merged_at.or(request.closed_at)), "baseRefName": "main",
        "headRefName": request.branch, "headRepository": {"nameWithOwner": request.repo},
        "author": actor(&request.author, if is_bot { "Bot" } else { "User" }),
        "mergeCommit": sha.map(|oid| json!({"oid": oid})), "labels": {"nodes": []},
        "additions": request.lines, "deletions": request.lines / 3,
        "reviews": {"nodes": reviews.collect::<Vec<_>>()},
        "commits": whole(&[json!({"commit": commit})]),
        "files": whole(&request.files.iter().map(|path| json!({"path": path})).collect::<Vec<_>>()),
        "closingIssuesReferences": whole(tickets.as_slice()),
    })
}

fn issue(request: &Request) -> Value {
    let actor = json!({"login": request.author});
    let closed = request.merged_at.or(request.closed_at).map(|at| {
        json!({
            "__typename": "ClosedEvent", "createdAt": at.to_string(), "stateReason": "COMPLETED", "actor": actor,
            "closer": {"__typename": "PullRequest"},
        })
    });
    let reopened = request.reopened_at.map(|at| {
        json!({"__typename": "ReopenedEvent", "createdAt": at.to_string(), "actor": {"login": "support"}})
    });
    let number = request.number - 1;
    json!({
        "id": ticket_id(request), "url": format!("https://github.com/{}/issues/{number}", request.repo),
        "timelineItems": {"nodes": closed.into_iter().chain(reopened).collect::<Vec<_>>()},
    })
}

/// A list that fits into one page.
fn whole(nodes: &[Value]) -> Value {
    json!({"pageInfo": {"hasNextPage": false, "endCursor": null}, "nodes": nodes})
}

async fn answer(State(hosted): State<Arc<Hosted>>, Json(asked): Json<Value>) -> Json<Value> {
    let variables = &asked["variables"];
    let text = |name: &str| variables[name].as_str().unwrap_or_default();
    let name = format!("{}/{}", text("owner"), text("name"));
    let repository = hosted.repositories.get(&name);
    let first = usize::try_from(variables["first"].as_u64().unwrap_or(1)).unwrap_or(1);
    let mut data = match (asked["operationName"].as_str().unwrap_or_default(), repository) {
        ("Tickets", _) => {
            let ids = variables["ids"].as_array().map(Vec::as_slice).unwrap_or_default();
            let found = ids.iter().map(|id| hosted.issues.get(id.as_str().unwrap_or_default()));
            json!({"nodes": found.collect::<Vec<_>>()})
        }
        ("Requests", Some(repository)) => {
            json!({"repository": repository.page(&name, variables["after"].as_str(), first)})
        }
        ("Branch", Some(repository)) => {
            let target = repository.commits.first().map(|tip| json!({"oid": tip["oid"]}));
            let main = json!({"name": "main", "target": target});
            json!({"repository": {"nameWithOwner": name, "defaultBranchRef": main, "ref": main}})
        }
        ("History", Some(repository)) => {
            let from = repository.commits.iter().skip_while(|commit| commit["oid"] != variables["oid"]);
            let nodes: Vec<&Value> = from.take(first).collect();
            json!({"repository": {"object": {"history": {"nodes": nodes}}}})
        }
        _ => json!({"repository": null}),
    };
    data["rateLimit"] = json!({"remaining": 5000, "resetAt": "2099-01-01T00:00:00Z"});
    Json(json!({ "data": data }))
}

impl Repository {
    fn page(&self, name: &str, after: Option<&str>, first: usize) -> Value {
        let place = |after| self.requests.iter().position(|request| request["id"] == after);
        let from = after.and_then(place).map_or(0, |place| place + 1);
        let nodes: Vec<&Value> = self.requests[from..].iter().take(first).collect();
        let more = from + nodes.len() < self.requests.len();
        let end = nodes.last().map(|request| &request["id"]);
        json!({
            "nameWithOwner": name,
            "pullRequests": {"pageInfo": {"hasNextPage": more, "endCursor": end}, "nodes": nodes},
        })
    }
}
