//! `cpvo change`: one change from the sessions that built it, over branch, request and merge, to its survival.

use crate::config::{Clock, Options};
use crate::listing::{Cell, Listing, Whole, short, visible};
use crate::store::db::{Access, Db};
use crate::store::dispute::{Dispute, dispute_list};
use crate::store::evidence::{Disqualification, Reversal, disqualification_list, reversal_list};
use crate::store::incident::{Shown, incident_list};
use crate::store::service::Signs;
use crate::store::story::{Head, Made, Part, change_find, change_head, change_made, change_parts};
use anyhow::{Result, bail};
use jiff::Timestamp;
use meter::{NanoUsd, Repo};
use serde::Serialize;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::{Write as _, stdout};

/// Fewer digits of a sha name nothing.
const SHA_MIN: usize = 7;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Its number, its sha or the first digits of that, alone or behind its repository: github.com/acme/pay#17
    #[arg(value_name = "ID")]
    id: String,
    #[command(flatten)]
    whole: Whole,
}

/// All that is known of a change.
pub(crate) struct Story {
    repo: String,
    /// What stands before a number.
    sign: char,
    sha: String,
    head: Head,
    parts: Vec<Part>,
    made: Vec<Made>,
    disqualifications: Vec<Disqualification>,
    disputes: Vec<Dispute>,
    reverts: Vec<Reversal>,
    incidents: Vec<Shown>,
    repairs: Vec<Repair>,
}

/// A change that repairs it, and what that took.
#[derive(Serialize)]
struct Repair {
    by_number: Option<u64>,
    by_sha: String,
    shipped_at: Option<Timestamp>,
    after_seconds: Option<i64>,
    cost_usd: Cell,
    #[serde(skip)]
    cost: NanoUsd,
}

pub(crate) fn run(Args { id, whole }: Args, options: &Options, now: Clock) -> Result<()> {
    let config = options.load()?;
    config.db.ensure_there()?;
    let mut db = crate::store::open(&config.db, Access::Read, now())?;
    let story = db.snapshot(|db| {
        let (repo, sha) = find(db, &id)?;
        story(db, repo, sha)
    })?;
    let text = if whole.is_json() { story.json()? + "\n" } else { story.told() };
    Ok(stdout().lock().write_all(text.as_bytes())?)
}

/// No change is called so, or several are.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct UnknownChange(String);

/// The one change that is meant.
pub(crate) fn find(db: &mut Db, id: &str) -> Result<(String, String)> {
    let (repo, name) = id.rsplit_once(['#', '@', '!']).unwrap_or(("", id));
    let number = name.parse().ok().filter(|_| name.len() < SHA_MIN);
    let is_sha = name.len() >= SHA_MIN && name.bytes().all(|byte| byte.is_ascii_hexdigit());
    if number.is_none() && !is_sha {
        let what = format!("{id:?} names no change: give its number, or {SHA_MIN} digits of its sha or more");
        bail!(UnknownChange(what));
    }
    // a sha that is too short is the start of none
    let sha = if is_sha { name.to_lowercase() } else { "-".to_owned() };
    let mut found = change_find(db, number, &sha)?;
    found.retain(|(of, _)| repo.is_empty() || repo == of);
    found.sort();
    match found.as_slice() {
        [one] => Ok(one.clone()),
        [] => bail!(UnknownChange(format!("no change {id} was read; `cpvo changes` lists all of them"))),
        several => {
            let names: Vec<String> =
                several.iter().map(|(repo, sha)| format!("{repo}@{}", shortened(sha))).collect();
            bail!(UnknownChange(format!("{id} names several changes: {}", names.join(", "))))
        }
    }
}

pub(crate) fn story(db: &mut Db, repo: String, sha: String) -> Result<Story> {
    let of: Repo = repo.parse()?;
    let head = change_head(db, &repo, &sha)?;
    let disqualifications = disqualification_list(db, &of)?.remove(&sha).unwrap_or_default();
    Ok(Story {
        repairs: repairs(db, &repo, &head, &disqualifications)?,
        head,
        disqualifications,
        disputes: dispute_list(db, &of)?.remove(&sha).unwrap_or_default(),
        parts: change_parts(db, &repo, &sha)?,
        made: change_made(db, &repo, &sha)?,
        incidents: incident_list(db, &repo, &sha)?,
        reverts: reversal_list(db, &of)?.remove(&sha).unwrap_or_default(),
        sign: Signs::read(db)?.of(&repo),
        repo,
        sha,
    })
}

fn repairs(db: &mut Db, repo: &str, head: &Head, all: &[Disqualification]) -> Result<Vec<Repair>> {
    let mut repairs = Vec::new();
    for by_sha in all.iter().filter_map(|one| one.by_sha.as_ref()).collect::<BTreeSet<_>>() {
        let by = change_head(db, repo, by_sha)?;
        let cost = cost(&change_parts(db, repo, by_sha)?, |_| true);
        repairs.push(Repair {
            by_number: by.number,
            by_sha: by_sha.clone(),
            shipped_at: by.shipped(),
            after_seconds: by
                .shipped()
                .zip(head.shipped())
                .map(|(by, at)| by.duration_since(at).as_secs().max(0)),
            cost_usd: Cell::number(cost),
            cost,
        });
    }
    repairs.sort_by_key(|repair| repair.shipped_at);
    Ok(repairs)
}

/// What was spent by rules that are not `cordon`, all of it or what is meant.
fn cost(parts: &[Part], is_meant: impl Fn(&Part) -> bool) -> NanoUsd {
    let counted = parts.iter().filter(|part| part.class != "cordon" && is_meant(part));
    NanoUsd(counted.map(|part| part.cost.0).sum())
}

fn shortened(sha: &str) -> &str {
    sha.get(..10).unwrap_or(sha)
}

#[derive(Serialize)]
struct Answer<'a> {
    repo: &'a str,
    number: Option<u64>,
    sha: &'a str,
    title: &'a str,
    head_branch: Option<&'a str>,
    author: &'a str,
    opened_at: Option<&'a str>,
    merged_at: &'a str,
    shipped_at: Option<Timestamp>,
    team: Option<&'a str>,
    state: Option<&'a str>,
    excluded_as: Option<&'a str>,
    policy_id: Option<i64>,
    window_days: Option<u32>,
    decided_at: Option<Timestamp>,
    cost_usd: Cell,
    review_cost_usd: Cell,
    ai_assisted: bool,
    spend: Listing,
    commits: Listing,
    disqualifications: &'a [Disqualification],
    /// What no longer counts, as an admin found it wrong.
    disputes: &'a [Dispute],
    reverts: &'a [Reversal],
    /// That come from it; none disqualifies by itself.
    incidents: &'a [Shown],
    repairs: &'a [Repair],
}

impl Story {
    fn cost(&self, is_meant: impl Fn(&Part) -> bool) -> NanoUsd {
        cost(&self.parts, is_meant)
    }

    fn json(&self) -> Result<String> {
        let head = &self.head;
        let answer = Answer {
            repo: &self.repo,
            number: head.number,
            sha: &self.sha,
            title: &head.title,
            head_branch: head.branch.as_deref(),
            author: &head.author,
            opened_at: head.opened_at.as_deref(),
            merged_at: &head.merged_at,
            shipped_at: head.shipped(),
            team: head.team.as_deref(),
            state: head.state.as_deref(),
            excluded_as: head.excluded_as.as_deref(),
            policy_id: head.policy.map(|(id, _)| id),
            window_days: head.policy.map(|(_, policy)| policy.window_days),
            decided_at: head.policy.zip(head.shipped()).map(|((_, policy), at)| policy.decided_at(at)),
            cost_usd: Cell::number(self.cost(|_| true)),
            review_cost_usd: Cell::number(self.cost(|part| part.class == "review")),
            ai_assisted: self
                .parts
                .iter()
                .any(|part| ["ci", "commit", "branch"].contains(&part.class.as_str())),
            spend: self.spend(Cell::number, Cell::number),
            commits: self.commits(|sha| sha),
            disqualifications: &self.disqualifications,
            disputes: &self.disputes,
            reverts: &self.reverts,
            incidents: &self.incidents,
            repairs: &self.repairs,
        };
        Ok(serde_json::to_string_pretty(&answer)?)
    }

    fn spend(&self, tokens: impl Fn(u64) -> Cell, cost: impl Fn(NanoUsd) -> Cell) -> Listing {
        let columns = [
            "session",
            "developer",
            "branch",
            "first_hour",
            "last_hour",
            "class",
            "rule",
            "tokens",
            "cost_usd",
        ];
        let row = |part: &Part| {
            let texts = [
                &part.session,
                &part.developer,
                &part.branch,
                &part.first_hour,
                &part.last_hour,
                &part.class,
                &part.rule,
            ];
            let numbers = [tokens(part.tokens), cost(part.cost)];
            texts.map(Cell::text).into_iter().chain(numbers).collect()
        };
        Listing::new(&columns, self.parts.iter().map(row).collect())
    }

    fn commits(&self, shown: impl Fn(&str) -> &str) -> Listing {
        let row = |made: &Made| {
            let texts = [shown(&made.sha), &made.session, &made.branch, &made.committed_at];
            texts.map(Cell::text).into()
        };
        Listing::new(&["commit", "session", "branch", "committed_at"], self.made.iter().map(row).collect())
    }

    /// As `cpvo change` takes it.
    pub(crate) fn name(&self) -> String {
        match self.head.number {
            Some(number) => format!("{}{}{number}", self.repo, self.sign),
            None => format!("{}@{}", self.repo, shortened(&self.sha)),
        }
    }

    pub(crate) fn head(&self) -> &Head {
        &self.head
    }

    /// What was spent on it by class, and in how many sessions of how many people: nobody is named.
    pub(crate) fn spend_by_class(&self) -> Listing {
        let classes: BTreeSet<&str> = self.parts.iter().map(|part| part.class.as_str()).collect();
        let row = |class: &str| {
            let parts = || self.parts.iter().filter(|part| part.class == class);
            let sessions = parts().map(|part| &part.session).collect::<BTreeSet<_>>().len();
            let people = parts().map(|part| &part.developer).collect::<BTreeSet<_>>().len();
            let tokens = parts().map(|part| part.tokens).sum();
            let cost = NanoUsd(parts().map(|part| part.cost.0).sum());
            let counts = [Cell::number(sessions), Cell::number(people)];
            let sums = [Cell::Number(short(tokens)), Cell::Number(cost.dollars())];
            [Cell::text(class)].into_iter().chain(counts).chain(sums).collect()
        };
        let columns = ["class", "sessions", "people", "tokens", "cost"];
        Listing::new(&columns, classes.into_iter().map(row).collect())
    }

    /// From its branch to what became of it: a name, and what is to be said of it.
    pub(crate) fn way(&self) -> Vec<(String, String)> {
        let text = self.landing() + &self.survival();
        let line =
            |line: &str| line.split_once(' ').map(|(name, text)| (name.to_owned(), text.trim().to_owned()));
        text.lines().filter_map(line).collect()
    }

    /// Whether anything speaks against it that could be found wrong.
    pub(crate) fn is_disputable(&self) -> bool {
        !self.disqualifications.is_empty()
    }

    /// The same for people, in the order it happened.
    fn told(&self) -> String {
        let mut text = format!("{}  {}\n\n", self.name(), visible(&self.head.title));
        if self.parts.is_empty() {
            text += "spend     none is known to have built it\n";
        } else {
            let review = self.cost(|part| part.class == "review");
            let _ = writeln!(
                text,
                "spend     {}, of it review {}",
                self.cost(|_| true).dollars(),
                review.dollars()
            );
            let cost = |cost: NanoUsd| Cell::Number(cost.dollars());
            text += &indented(&self.spend(|tokens| Cell::Number(short(tokens)), cost).table());
        }
        if !self.made.is_empty() {
            text += "commits   made in these sessions, and part of it\n";
            text += &indented(&self.commits(shortened).table());
        }
        text + &self.landing() + &self.survival()
    }

    fn landing(&self) -> String {
        let (head, mut text) = (&self.head, String::new());
        let branch = visible(head.branch.as_deref().unwrap_or("not known"));
        let _ = writeln!(text, "branch    {branch}, by {}", visible(&head.author));
        if let (Some(number), Some(opened_at)) = (head.number, &head.opened_at) {
            let _ = writeln!(text, "request   {}{number}, opened {opened_at}", self.sign);
        }
        let (commits, files) = (counted(head.commits, "commit"), counted(head.files, "file"));
        let _ =
            writeln!(text, "merged    {} as {}, {commits}, {files}", head.merged_at, shortened(&self.sha));
        let _ = match head.shipped() {
            Some(at) => writeln!(text, "shipped   {at}"),
            None => writeln!(text, "shipped   not yet"),
        };
        text
    }

    fn survival(&self) -> String {
        let mut text = String::new();
        let by = |number: Option<u64>, sha: &str| match number {
            Some(number) => format!("{}{number}", self.sign),
            None => shortened(sha).to_owned(),
        };
        for one in &self.reverts {
            let (who, part) = (by(one.by_number, &one.by_sha), if one.partial { ", in part" } else { "" });
            let late = if one.in_window { "" } else { ", after its window" };
            let _ = writeln!(text, "{:<9} {} by {who} ({}){part}{late}", one.kind, one.at, one.rule);
        }
        for Repair { by_number, by_sha, after_seconds, cost, .. } in &self.repairs {
            let (who, cost) = (by(*by_number, by_sha), cost.dollars());
            let after =
                after_seconds.map(|seconds| format!("shipped {} hours after it and ", seconds / 3600));
            let _ = writeln!(text, "repair    {who} {}cost {cost}", after.unwrap_or_default());
        }
        for Dispute { kind, rule, evidence, reason, by, at, .. } in &self.disputes {
            let by = by.as_ref().map_or_else(String::new, |by| format!(" by {}", visible(by)));
            let what = if evidence.contains('/') { evidence } else { shortened(evidence) };
            let _ = writeln!(
                text,
                "disputed  {at}{by}, {kind} by {} ({rule}): {}",
                visible(what),
                visible(reason)
            );
        }
        for Shown { service, id, opened, resolved } in &self.incidents {
            let until = resolved.as_ref().map_or("not resolved yet".to_owned(), |at| format!("until {at}"));
            let _ = writeln!(text, "incident  {opened}, {until}: {} ({service})", visible(id));
        }
        let (Some(state), Some((id, policy))) = (&self.head.state, self.head.policy) else {
            return text + "state     not judged yet: run `cpvo judge`\n";
        };
        let team = self.head.team.as_deref().unwrap_or_default();
        let ends = policy.decided_at(self.head.shipped_at);
        let why = match state.as_str() {
            "excluded" => format!("as {}", self.head.excluded_as.as_deref().unwrap_or_default()),
            "pending" if self.head.shipped().is_none() => "it has not shipped".to_owned(),
            "pending" => format!("until {ends}"),
            "verified" => format!("nothing took it back until {ends}"),
            _ => {
                let all: Vec<String> = self.disqualifications.iter().map(|one| one.told(self.sign)).collect();
                all.join(", ")
            }
        };
        let days = policy.window_days;
        let _ = writeln!(text, "state     {state}: {why}; policy {id} of {team}, {days} days");
        text
    }
}

fn counted(count: u64, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

fn indented(table: &str) -> String {
    table.lines().map(|line| format!("          {line}").trim_end().to_owned() + "\n").collect()
}
