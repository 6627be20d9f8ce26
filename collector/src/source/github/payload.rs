//! What GitHub answers, and what of it is kept.

use super::incidents::OfIssues;
use super::shipping::OfShipping;
use crate::source::{Commit, Effort, LandedCommit, Request, RequestCommit, Ticket};
use jiff::Timestamp;
use meter::outcome::{Step, TicketEvent};
use serde::Deserialize;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Rate {
    pub remaining: u32,
    pub reset_at: Timestamp,
}

/// Every answer says what is left of the hour; an Enterprise server without limits says nothing.
pub(super) trait Rated {
    fn rate(&self) -> Option<&Rate>;
}

macro_rules! answers {
    ($($(#[$doc:meta])* $name:ident { $field:ident: $kind:ty })*) => { $(
        $(#[$doc])*
        #[derive(Debug, Deserialize)]
        #[serde(rename_all = "camelCase")]
        pub(super) struct $name {
            rate_limit: Option<Rate>,
            pub $field: $kind,
        }
        impl Rated for $name {
            fn rate(&self) -> Option<&Rate> {
                self.rate_limit.as_ref()
            }
        }
    )* };
}

answers! {
    Requests { repository: Option<OfRequests> }
    Rest { node: Option<RestOf> }
    Tickets { nodes: Vec<Option<Issue>> }
    Branch { repository: Option<OfBranch> }
    Commits { repository: Option<OfHistory> }
    Shipping { repository: Option<OfShipping> }
    Issues { repository: Option<OfIssues> }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OfRequests {
    pub name_with_owner: String,
    pub pull_requests: Connection<PullRequest>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OfBranch {
    pub name_with_owner: String,
    pub default_branch_ref: Option<Reference>,
    #[serde(rename = "ref")]
    pub reference: Option<Reference>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Reference {
    pub name: String,
    pub target: Option<Oid>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Oid {
    pub oid: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct OfHistory {
    pub object: Option<Object>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Object {
    pub history: Connection<HistoryCommit>,
}

/// A page of a list; what the token may not see is null.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Connection<T> {
    #[serde(default)]
    pub page_info: PageInfo,
    #[serde(default = "Vec::new")]
    pub nodes: Vec<Option<T>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PageInfo {
    has_next_page: bool,
    end_cursor: Option<String>,
}

impl PageInfo {
    /// Where the next page begins.
    pub(super) fn next(&self) -> Option<&str> {
        self.end_cursor.as_deref().filter(|_| self.has_next_page)
    }
}

impl<T> Connection<T> {
    pub(super) fn into_items(self) -> impl Iterator<Item = T> {
        self.nodes.into_iter().flatten()
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PullRequest {
    pub id: String,
    pub number: u64,
    title: String,
    body: String,
    pub updated_at: Timestamp,
    created_at: Timestamp,
    merged_at: Option<Timestamp>,
    closed_at: Option<Timestamp>,
    base_ref_name: String,
    head_ref_name: String,
    head_repository: Option<Named>,
    author: Option<Actor>,
    merge_commit: Option<Oid>,
    labels: Option<Connection<Label>>,
    additions: Option<u64>,
    deletions: Option<u64>,
    reviews: Option<Connection<Review>>,
    total_comments_count: Option<u64>,
    #[serde(flatten)]
    pub rest: RestOf,
}

/// The lists of a request, of which a page may hold the beginning only.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RestOf {
    pub commits: Option<Connection<OfRequest>>,
    pub files: Option<Connection<File>>,
    pub closing_issues_references: Option<Connection<Issue>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Named {
    name_with_owner: String,
}

#[derive(Debug, Deserialize)]
struct Actor {
    #[serde(default, rename = "__typename")]
    kind: String,
    login: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct Label {
    pub name: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Review {
    submitted_at: Option<Timestamp>,
    author: Option<Actor>,
}

#[derive(Debug, Deserialize)]
pub(super) struct OfRequest {
    commit: PushedCommit,
}

#[derive(Debug, Deserialize)]
struct PushedCommit {
    oid: String,
    message: String,
    author: Option<GitActor>,
}

#[derive(Debug, Deserialize)]
struct GitActor {
    email: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct File {
    path: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Issue {
    /// Both are missing where the id means something else than an issue by now.
    id: Option<String>,
    url: Option<String>,
    timeline_items: Option<Connection<Event>>,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "__typename")]
enum Event {
    #[serde(rename_all = "camelCase")]
    ClosedEvent {
        created_at: Timestamp,
        state_reason: Option<String>,
        actor: Option<Actor>,
        closer: Option<serde::de::IgnoredAny>,
    },
    #[serde(rename_all = "camelCase")]
    ReopenedEvent { created_at: Timestamp, actor: Option<Actor> },
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct HistoryCommit {
    oid: String,
    committed_date: Timestamp,
    message: String,
    author: Option<GitActor>,
    parents: Connection<Oid>,
    associated_pull_requests: Option<Connection<Associated>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Associated {
    number: u64,
    merged_at: Option<Timestamp>,
    base_ref_name: String,
}

impl PullRequest {
    /// The request as it is kept, for a repository on `host`.
    pub(super) fn into_request(self, host: &str) -> Request {
        let mut request = Request {
            effort: self.effort(),
            number: self.number,
            title: self.title,
            body: self.body,
            base_branch: self.base_ref_name,
            head_repo: self.head_repository.map(|head| format!("{host}/{}", head.name_with_owner)),
            head_branch: self.head_ref_name,
            author: self.author.map(|author| format!("github:{}", author.login)),
            opened_at: self.created_at,
            merged_at: self.merged_at,
            closed_at: self.closed_at,
            merge_sha: self.merge_commit.map(|commit| commit.oid),
            labels: self.labels.into_iter().flat_map(Connection::into_items).map(|it| it.name).collect(),
            fast_forward: false, // what a rebase lands are other commits
            commits: Vec::new(),
            files: Vec::new(),
            tickets: Vec::new(),
        };
        self.rest.move_into(&mut request);
        request
    }

    fn effort(&self) -> Effort {
        let login = |actor: &Option<Actor>| actor.as_ref().map(|actor| actor.login.clone());
        let author = login(&self.author);
        let is_bot = |review: &&Review| review.author.as_ref().is_some_and(|actor| actor.kind == "Bot");
        let is_in_time = |at: &Timestamp| self.merged_at.is_none_or(|merged_at| *at <= merged_at);
        let by_others = |reviews: &Connection<Review>| -> Vec<Timestamp> {
            let reviews = reviews.nodes.iter().flatten().filter(|it| !is_bot(it));
            let by_others = reviews.filter(|it| login(&it.author) != author);
            by_others.filter_map(|it| it.submitted_at).filter(is_in_time).collect()
        };
        let reviews = self.reviews.as_ref().map(by_others);
        Effort {
            lines: self.additions.zip(self.deletions).map(|(added, deleted)| added + deleted),
            reviewed_at: reviews.iter().flatten().min().copied(),
            reviews: reviews.map(|reviews| reviews.len() as u64),
            comments: self.total_comments_count,
        }
    }
}

impl RestOf {
    pub(super) fn move_into(self, request: &mut Request) {
        let commits = self.commits.into_iter().flat_map(Connection::into_items).map(|of| of.commit);
        request.commits.extend(commits.map(|commit| RequestCommit {
            sha: commit.oid,
            author: email(commit.author),
            message: commit.message,
        }));
        let files = self.files.into_iter().flat_map(Connection::into_items);
        request.files.extend(files.map(|file| file.path));
        let issues = self.closing_issues_references.into_iter().flat_map(Connection::into_items);
        request.tickets.extend(issues.filter_map(Issue::into_ticket));
    }
}

impl Issue {
    pub(super) fn into_ticket(self) -> Option<Ticket> {
        let events = self.timeline_items.into_iter().flat_map(Connection::into_items).map(Event::into_step);
        let mut events: Vec<TicketEvent> = events.collect();
        events.sort_by_key(|event| event.at);
        Some(Ticket { url: self.url?, id: self.id?, events })
    }
}

impl Event {
    fn into_step(self) -> TicketEvent {
        let (at, actor, step) = match self {
            Self::ClosedEvent { created_at, state_reason, actor, closer } => {
                let as_done = state_reason.as_deref().is_none_or(|reason| reason == "COMPLETED");
                (created_at, actor, Step::Closed { by_hand: closer.is_none(), as_done })
            }
            Self::ReopenedEvent { created_at, actor } => (created_at, actor, Step::Reopened),
        };
        TicketEvent { at, actor: actor.map(|actor| actor.login), step }
    }
}

impl HistoryCommit {
    /// The commit, where it is on the line of first parents, with the request that brought it to `branch`.
    pub(super) fn into_landed(self, branch: &str) -> LandedCommit {
        let brought = |it: &Associated| it.merged_at.is_some() && it.base_ref_name == branch;
        let requests = self.associated_pull_requests.into_iter().flat_map(Connection::into_items);
        let number = requests.filter(brought).map(|it| it.number).min();
        let commit = Commit {
            sha: self.oid,
            parents: self.parents.into_items().map(|parent| parent.oid).collect(),
            committed_at: self.committed_date,
            author: email(self.author),
            message: self.message.trim_end().to_owned(),
        };
        LandedCommit { commit, number }
    }
}

fn email(author: Option<GitActor>) -> String {
    author.and_then(|author| author.email).unwrap_or_default().to_lowercase()
}
