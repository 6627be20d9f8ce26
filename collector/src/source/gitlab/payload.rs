//! What GitLab answers, and what of it is kept.

use crate::source::{Commit, Effort, LandedCommit, Request, RequestCommit, Ticket};
use jiff::{SignedDuration, Timestamp};
use meter::outcome::{Step, TicketEvent};
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};

/// How GitLab notes a review that was given by a button.
const REVIEWS: [&str; 2] = ["approved this merge request", "requested changes"];
/// What a reviewer says within this time of the first word is one review.
const ROUND: SignedDuration = SignedDuration::from_hours(1);
/// More are not counted, as with other hosts.
const REVIEWS_MAX: usize = 20;

#[derive(Debug, Deserialize)]
pub(super) struct Project {
    pub id: u64,
    pub path_with_namespace: String,
    /// Missing where there is no commit yet, and where the token may not read the code.
    pub default_branch: Option<String>,
    #[serde(default)]
    pub empty_repo: bool,
}

#[derive(Debug, Deserialize)]
pub(super) struct Branch {
    pub name: String,
    pub commit: Head,
}

#[derive(Debug, Deserialize)]
pub(super) struct Head {
    pub id: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct MergeRequest {
    pub iid: u64,
    title: String,
    description: Option<String>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub merged_at: Option<Timestamp>,
    closed_at: Option<Timestamp>,
    pub target_branch: String,
    source_branch: String,
    /// Missing where the fork is gone.
    pub source_project_id: Option<u64>,
    author: Option<User>,
    merge_commit_sha: Option<String>,
    squash_commit_sha: Option<String>,
    /// The newest of its commits.
    sha: Option<String>,
    #[serde(default)]
    labels: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct User {
    username: String,
}

impl User {
    /// By its name: whose token is a project's, and what calls itself so.
    fn is_bot(&self) -> bool {
        ["-bot", "_bot"].iter().any(|end| self.username.ends_with(end)) || self.username.contains("_bot_")
    }
}

/// A commit of a request or of a branch.
#[derive(Debug, Deserialize)]
pub(super) struct Pushed {
    id: String,
    #[serde(default)]
    parent_ids: Vec<String>,
    committed_date: Timestamp,
    message: String,
    author_email: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Diff {
    pub new_path: String,
}

/// An issue; where a foreign tracker is used, only what that calls it.
#[derive(Debug, Deserialize)]
pub(super) struct Issue {
    pub project_id: Option<u64>,
    pub iid: Option<u64>,
    web_url: Option<String>,
    moved_to_id: Option<u64>,
    #[serde(rename = "_links", default)]
    links: Links,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Links {
    pub closed_as_duplicate_of: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct StateEvent {
    user: Option<User>,
    created_at: Timestamp,
    state: String,
    #[serde(default)]
    source_commit: Closer,
    #[serde(default)]
    source_merge_request_id: Closer,
}

/// What closed an issue besides its user; older servers do not tell.
#[derive(Debug, Default, PartialEq, Eq)]
enum Closer {
    #[default]
    Untold,
    Nothing,
    Something,
}

impl<'de> Deserialize<'de> for Closer {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let told = Option::<IgnoredAny>::deserialize(from)?;
        Ok(if told.is_some() { Self::Something } else { Self::Nothing })
    }
}

impl MergeRequest {
    /// Whether its commits are what landed, as they were pushed.
    fn is_fast_forward(&self, tracked: &str) -> bool {
        let made = self.merge_commit_sha.as_ref().or(self.squash_commit_sha.as_ref());
        self.merged_at.is_some() && made.is_none() && self.target_branch == tracked
    }

    /// The request as it is kept, where `tracked` is the branch whose history counts.
    pub(super) fn into_request(self, head_repo: Option<String>, tracked: &str) -> Request {
        Request {
            number: self.iid,
            fast_forward: self.is_fast_forward(tracked),
            title: self.title,
            body: self.description.unwrap_or_default(),
            base_branch: self.target_branch,
            head_repo,
            head_branch: self.source_branch,
            author: self.author.map(|author| format!("gitlab:{}", author.username)),
            opened_at: self.created_at,
            merged_at: self.merged_at,
            closed_at: self.closed_at.or(self.merged_at),
            merge_sha: self.merged_at.and(self.merge_commit_sha.or(self.squash_commit_sha).or(self.sha)),
            labels: self.labels,
            commits: Vec::new(),
            files: Vec::new(),
            tickets: Vec::new(),
            effort: Effort::default(), // its notes tell
        }
    }
}

/// What was said on a request; the host itself notes there what was done to it.
#[derive(Debug, Deserialize)]
pub(super) struct Note {
    author: Option<User>,
    created_at: Timestamp,
    #[serde(default)]
    system: bool,
    #[serde(default)]
    body: String,
}

impl Note {
    /// Whether it is what a reviewer says, in words or by a button.
    fn reviews(&self) -> bool {
        !self.system || REVIEWS.iter().any(|done| self.body.starts_with(done))
    }
}

/// How a request was reviewed, by its notes: what a person besides the author says until it merges. What one says
/// within an hour is one review.
pub(super) fn effort(notes: &[Note], request: &Request) -> Effort {
    let account = |note: &Note| note.author.as_ref().map(|user| format!("gitlab:{}", user.username));
    let mut said: Vec<(Option<String>, Timestamp)> = notes
        .iter()
        .filter(|note| note.reviews() && !note.author.as_ref().is_some_and(User::is_bot))
        .map(|note| (account(note), note.created_at))
        .filter(|(who, at)| *who != request.author && request.merged_at.is_none_or(|merged| *at <= merged))
        .collect();
    said.sort();
    said.dedup_by(|next, first| next.0 == first.0 && next.1.duration_since(first.1) < ROUND);
    Effort {
        lines: None,
        reviewed_at: said.iter().map(|(_, at)| *at).min(),
        reviews: Some(said.len().min(REVIEWS_MAX) as u64),
        comments: Some(notes.iter().filter(|note| !note.system).count() as u64),
    }
}

impl Pushed {
    pub(super) fn into_commit(self) -> RequestCommit {
        RequestCommit { sha: self.id, author: email(self.author_email), message: self.message }
    }

    /// Which request brought it is told by the requests.
    pub(super) fn into_landed(self) -> LandedCommit {
        let commit = Commit {
            sha: self.id,
            parents: self.parent_ids,
            committed_at: self.committed_date,
            author: email(self.author_email),
            message: self.message.trim_end().to_owned(),
        };
        LandedCommit { commit, number: None }
    }
}

fn email(author: Option<String>) -> String {
    author.unwrap_or_default().to_lowercase()
}

impl Issue {
    pub(super) fn into_ticket(self, events: Vec<StateEvent>) -> Option<Ticket> {
        let is_dropped = self.links.closed_as_duplicate_of.is_some() || self.moved_to_id.is_some();
        let mut events: Vec<TicketEvent> = events.into_iter().filter_map(StateEvent::into_step).collect();
        events.sort_by_key(|event| event.at);
        if let Some(TicketEvent { step: Step::Closed { as_done, .. }, .. }) = events.last_mut() {
            *as_done = !is_dropped;
        }
        let id = format!("{}/{}", self.project_id?, self.iid?);
        Some(Ticket { url: self.web_url?, id, events })
    }
}

impl StateEvent {
    fn into_step(self) -> Option<TicketEvent> {
        let step = match self.state.as_str() {
            "closed" => {
                let by_hand =
                    [self.source_commit, self.source_merge_request_id] == [Closer::Nothing, Closer::Nothing];
                Step::Closed { by_hand, as_done: true }
            }
            "reopened" => Step::Reopened,
            _ => return None,
        };
        Some(TicketEvent { at: self.created_at, actor: self.user.map(|user| user.username), step })
    }
}
