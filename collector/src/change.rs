//! `cpvo change`: one change from the sessions that built it, over branch, request and merge, to its survival.

use crate::config::{Clock, Options};
use crate::listing::{Cell, Listing, short, visible};
use crate::store::db::{Access, Db};
use crate::store::evidence::{Disqualification, Reversal, disqualification_list, reversal_list};
use crate::store::story::{Head, Made, Part, change_find, change_head, change_made, change_parts};
use anyhow::{Result, bail};
use jiff::Timestamp;
use meter::{NanoUsd, Repo};
use serde::Serialize;
use std::fmt::Write as _;
use std::io::{Write as _, stdout};

/// Fewer digits of a sha name nothing.
const SHA_MIN: usize = 7;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Its number, its sha or the first digits of that, alone or behind its repository: github.com/acme/pay#17
    #[arg(value_name = "ID")]
    id: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// All that is known of a change.
struct Story {
    repo: String,
    sha: String,
    head: Head,
    parts: Vec<Part>,
    made: Vec<Made>,
    disqualifications: Vec<Disqualification>,
    reverts: Vec<Reversal>,
}

pub(crate) fn run(Args { id, json }: Args, options: &Options, now: Clock) -> Result<()> {
    let config = options.load()?;
    config.db.ensure_there()?;
    let mut db = crate::store::open(&config.db, Access::Read, now())?;
    let story = db.snapshot(|db| {
        let (repo, sha) = find(db, &id)?;
        story(db, repo, sha)
    })?;
    let text = if json { story.json()? + "\n" } else { story.told() };
    Ok(stdout().lock().write_all(text.as_bytes())?)
}

/// The one change that is meant.
pub(crate) fn find(db: &mut Db, id: &str) -> Result<(String, String)> {
    let (repo, name) = id.rsplit_once(['#', '@', '!']).unwrap_or(("", id));
    let number = name.parse().ok().filter(|_| name.len() < SHA_MIN);
    let is_sha = name.len() >= SHA_MIN && name.bytes().all(|byte| byte.is_ascii_hexdigit());
    if number.is_none() && !is_sha {
        bail!("{id:?} names no change: give its number, or {SHA_MIN} digits of its sha or more");
    }
    // a sha that is too short is the start of none
    let sha = if is_sha { name.to_lowercase() } else { "-".to_owned() };
    let mut found = change_find(db, number, &sha)?;
    found.retain(|(of, _)| repo.is_empty() || repo == of);
    found.sort();
    match found.as_slice() {
        [one] => Ok(one.clone()),
        [] => bail!("no change {id} was read; `cpvo changes` lists all of them"),
        several => {
            let names: Vec<String> =
                several.iter().map(|(repo, sha)| format!("{repo}@{}", shortened(sha))).collect();
            bail!("{id} names several changes: {}", names.join(", "))
        }
    }
}

fn story(db: &mut Db, repo: String, sha: String) -> Result<Story> {
    let of: Repo = repo.parse()?;
    Ok(Story {
        head: change_head(db, &repo, &sha)?,
        parts: change_parts(db, &repo, &sha)?,
        made: change_made(db, &repo, &sha)?,
        disqualifications: disqualification_list(db, &of)?.remove(&sha).unwrap_or_default(),
        reverts: reversal_list(db, &of)?.remove(&sha).unwrap_or_default(),
        repo,
        sha,
    })
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
    shipped_at: Timestamp,
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
    reverts: &'a [Reversal],
}

impl Story {
    /// What was spent on it by rules that are not `cordon`, all of it or on review alone.
    fn cost(&self, is_meant: impl Fn(&Part) -> bool) -> NanoUsd {
        let counted = self.parts.iter().filter(|part| part.class != "cordon" && is_meant(part));
        NanoUsd(counted.map(|part| part.cost.0).sum())
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
            shipped_at: head.shipped_at,
            team: head.team.as_deref(),
            state: head.state.as_deref(),
            excluded_as: head.excluded_as.as_deref(),
            policy_id: head.policy.map(|(id, _)| id),
            window_days: head.policy.map(|(_, policy)| policy.window_days),
            decided_at: head.policy.map(|(_, policy)| policy.decided_at(head.shipped_at)),
            cost_usd: Cell::number(self.cost(|_| true)),
            review_cost_usd: Cell::number(self.cost(|part| part.class == "review")),
            ai_assisted: self
                .parts
                .iter()
                .any(|part| ["ci", "commit", "branch"].contains(&part.class.as_str())),
            spend: self.spend(Cell::number, Cell::number),
            commits: self.commits(|sha| sha),
            disqualifications: &self.disqualifications,
            reverts: &self.reverts,
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

    /// The same for people, in the order it happened.
    fn told(&self) -> String {
        let head = &self.head;
        let name = match head.number {
            Some(number) => format!("{}#{number}", self.repo),
            None => format!("{}@{}", self.repo, shortened(&self.sha)),
        };
        let mut text = format!("{name}  {}\n\n", visible(&head.title));
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
        let branch = visible(head.branch.as_deref().unwrap_or("not known"));
        let _ = writeln!(text, "branch    {branch}, by {}", visible(&head.author));
        if let (Some(number), Some(opened_at)) = (head.number, &head.opened_at) {
            let _ = writeln!(text, "request   #{number}, opened {opened_at}");
        }
        let (commits, files) = (counted(head.commits, "commit"), counted(head.files, "file"));
        let _ =
            writeln!(text, "merged    {} as {}, {commits}, {files}", head.merged_at, shortened(&self.sha));
        let _ = writeln!(text, "shipped   {}", head.shipped_at);
        text + &self.survival()
    }

    fn survival(&self) -> String {
        let mut text = String::new();
        let by = |number: Option<u64>, sha: &str| match number {
            Some(number) => format!("#{number}"),
            None => shortened(sha).to_owned(),
        };
        for one in &self.reverts {
            let (who, part) = (by(one.by_number, &one.by_sha), if one.partial { ", in part" } else { "" });
            let late = if one.in_window { "" } else { ", after its window" };
            let _ = writeln!(text, "{:<9} {} by {who} ({}){part}{late}", one.kind, one.at, one.rule);
        }
        let (Some(state), Some((id, policy))) = (&self.head.state, self.head.policy) else {
            return text + "state     not judged yet: run `cpvo judge`\n";
        };
        let team = self.head.team.as_deref().unwrap_or_default();
        let ends = policy.decided_at(self.head.shipped_at);
        let why = match state.as_str() {
            "excluded" => format!("as {}", self.head.excluded_as.as_deref().unwrap_or_default()),
            "pending" => format!("until {ends}"),
            "verified" => format!("nothing took it back until {ends}"),
            _ => {
                let all: Vec<String> = self.disqualifications.iter().map(ToString::to_string).collect();
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
