//! What landed, as the rules see it: each change with what its commits, its request, its marks and its tickets say.

use crate::store::db::Db;
use crate::store::dispute::Dispute;
use crate::store::mark::{inverse_list, label_list, tag_list};
use crate::store::outcome::{Commits, Stored, change_files};
use crate::tickets::Reopened;
use anyhow::Result;
use meter::Repo;
use meter::outcome::{
    Change, Landing, Mending, Mention, Nature, Place, Told, Words, branch_words, tag_words, words,
};
use std::collections::BTreeMap;

/// Authors of whose changes nobody is the author. Coding agents are not among them: somebody asked for theirs.
const BOTS: [&str; 7] =
    ["dependabot", "renovate", "renovate-bot", "greenkeeper", "pyup-bot", "snyk-bot", "depfu"];

/// What landed, with all that is known to speak for or against it.
pub(crate) fn changes(
    db: &mut Db,
    repo: &Repo,
    stored: &[Stored],
    mut commits: Commits,
    reopened: &Reopened,
) -> Result<Vec<Change>> {
    let mut files = change_files(db, repo)?;
    let (tags, labels, inverses) = (tag_list(db, repo)?, label_list(db, repo)?, inverse_list(db, repo)?);
    let marks = Marks { tags, labels, inverses };
    let mut changes: Vec<Change> = Vec::with_capacity(stored.len());
    for one in stored {
        let commits = commits.remove(&one.sha).unwrap_or_default();
        let files = files.remove(&one.sha).unwrap_or_default();
        let against = reopened.of(&one.sha).iter().filter(|found| reopened.counts(&one.sha, found));
        changes.push(Change {
            mending: marks.mending(repo, one, &commits),
            disputed: reopened.disputes(&one.sha).iter().filter_map(Dispute::objection).collect(),
            reopened_at: against.map(|(_, reopen)| reopen.at).collect(),
            ..change(repo, one, commits, files, &marks)
        });
    }
    Ok(changes)
}

/// What changes are marked with besides their titles.
struct Marks {
    /// By the commit they stand for.
    tags: BTreeMap<String, Vec<String>>,
    /// By the number of the request.
    labels: BTreeMap<u64, Vec<String>>,
    /// What each change turns round.
    inverses: BTreeMap<String, String>,
}

impl Marks {
    fn tags_of(&self, commits: &[(String, String)]) -> Vec<String> {
        commits.iter().filter_map(|(sha, _)| self.tags.get(sha)).flatten().cloned().collect()
    }

    fn mending(&self, repo: &Repo, one: &Stored, commits: &[(String, String)]) -> Mending {
        let labels = one.number.and_then(|number| self.labels.get(&number));
        let mut mending = Mending::of(Told {
            title: &one.title,
            branch: one.head_branch.as_deref(),
            labels: labels.map_or(&[], Vec::as_slice),
            tags: &self.tags_of(commits),
        });
        for (_, message) in commits {
            mending.cite(message, repo);
        }
        mending.cite(&one.title, repo);
        mending.cite(&format!("{}\n{}", one.request_title, one.body), repo);
        mending
    }
}

fn change(
    repo: &Repo,
    one: &Stored,
    commits: Vec<(String, String)>,
    files: Vec<String>,
    marks: &Marks,
) -> Change {
    let landing = commits.iter().find(|(sha, _)| *sha == one.sha).map_or("", |(_, message)| message);
    let subject = landing.lines().next().unwrap_or_default().to_owned();
    let mut said = words(landing, repo);
    if !subject.starts_with(&one.title) || !one.body.is_empty() {
        // the title of a merge stands in its body, and what its request says is known by its host alone
        let of_request = words(&format!("{}\n\n{}", one.title, one.body), repo);
        said.is_repair |= of_request.is_repair;
        said.mentions.extend(of_request.mentions);
    }
    let button = one.head_branch.as_deref().and_then(branch_words);
    let mut named: Vec<Mention> = button.into_iter().collect();
    named.extend(marks.tags_of(&commits).iter().filter_map(|tag| tag_words(tag)));
    said.is_repair |= !named.is_empty();
    said.mentions.extend(named);
    said.mentions.extend(marks.inverses.get(&one.sha).map(|sha| Mention::inverse(sha)));
    let members = || commits.iter().filter(|(sha, _)| *sha != one.sha).map(|(_, message)| message);
    let brought = members().map(|message| Landing::of(message)).collect();
    let members: Vec<_> = members().map(|message| words(message, repo)).collect();
    said.is_repair |= !members.is_empty() && members.iter().all(|member| member.is_repair);
    let passing = |mention| Mention { place: Place::Passing, ..mention };
    said.mentions.extend(members.into_iter().flat_map(|member| member.mentions).map(passing));
    if is_bot(&one.author) {
        said = Words::default(); // it quotes what others did elsewhere
    }
    Change {
        sha: one.sha.clone(),
        number: one.number,
        title: one.title.clone(),
        subject,
        merged_at: one.merged_at,
        shipped_at: one.shipped_at,
        brought,
        commits: commits.into_iter().map(|(sha, _)| sha).collect(),
        files: files.into_iter().collect(),
        mentions: said.mentions,
        reopened_at: Vec::new(),
        mending: Mending::default(),
        disputed: Vec::new(),
        is_repair: said.is_repair,
        is_excluded: excluded_as(one, Nature::Change).is_some(),
    }
}

/// Whether the author is a bot that keeps dependencies up to date.
pub(crate) fn is_bot(author: &str) -> bool {
    let name = author.split('@').next().unwrap_or_default();
    let name = name.rsplit('+').next().unwrap_or_default();
    BOTS.contains(&name.trim_end_matches("[bot]")) || author == "bot@renovateapp.com"
}

/// Why a change is no attempt at an outcome.
pub(crate) fn excluded_as(one: &Stored, nature: Nature) -> Option<&'static str> {
    let brought_up_to_date = |title: &str| {
        title.starts_with("Merge remote-tracking branch ")
            || title.starts_with("Merge branch '") && title.contains("' of ")
    };
    if is_bot(&one.author) {
        Some("dependencies")
    } else if brought_up_to_date(&one.title) {
        Some("sync")
    } else {
        (nature == Nature::Revert).then_some("revert")
    }
}
