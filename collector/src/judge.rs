//! `cpvo judge`: what became of each change. The rules are `meter::outcome`; this hands them what is stored.

use crate::attribute::attribute;
use crate::breakdown::breakdown;
use crate::config::{Clock, Options};
use crate::people::file::parse;
use crate::store::change::{source_list, source_read};
use crate::store::db::{Access, Db};
use crate::store::dispute::{Dispute, dispute_list};
use crate::store::ground::cordoned;
use crate::store::mark::{label_list, tag_list};
use crate::store::outcome::{
    Found, Judgement, Stored, Weight, change_commits, change_files, change_judge, change_list, judging_begin,
    objection_add, owners_find, revert_add,
};
use crate::store::people::teams_apply;
use crate::store::policy::{policy_complaints, policy_list};
use crate::store::tally::{Tallies, judging_record, tally_replace};
use crate::store::ticket::{FoundReopen, reopen_add};
use crate::tickets::{Commits, Reopened};
use anyhow::{Context, Result};
use jiff::Timestamp;
use meter::outcome::{
    Change, Judged, Mending, Mention, Nature, Objection, Place, Policy, State, Strictness, Tally,
    branch_words, judge, tag_words, words,
};
use meter::{Repo, Week};
use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io::{Write, stderr, stdout};

/// Authors of whose changes nobody is the author. Coding agents are not among them: somebody asked for theirs.
const BOTS: [&str; 7] =
    ["dependabot", "renovate", "renovate-bot", "greenkeeper", "pyup-bot", "snyk-bot", "depfu"];

#[derive(Default, clap::Args)]
pub(crate) struct Args {
    /// The instant whose states are told, such as 2026-11-22T00:00:00Z [default: now]
    #[arg(long, value_name = "TIME")]
    at: Option<Timestamp>,
}

pub(crate) fn run(args: &Args, options: &Options, now: Clock) -> Result<()> {
    let config = options.load()?;
    config.db.ensure_there()?;
    let mut db = crate::store::open(&config.db, Access::Write, now())?;
    let teams =
        fs::read_to_string(&config.teams).map_err(anyhow::Error::from).and_then(|text| Ok(parse(&text)?));
    let teams = teams.with_context(|| format!("could not take in {}", config.teams.display()))?;
    db.transaction(|db| teams_apply(db, &teams, now()))?;
    let at = args.at.unwrap_or_else(now);
    if source_list(&mut db)?.is_empty() {
        writeln!(stdout().lock(), "nothing to judge yet: add a [[source]] to cpvo.toml, then `cpvo sync`")?;
        return Ok(());
    }
    judge_all(&mut db, at, now(), |repo, told| Ok(writeln!(stdout().lock(), "{repo}: {told}")?))?;
    for complaint in policy_complaints(&mut db, &teams)?.into_iter().chain(teams.shared(now())) {
        writeln!(stderr().lock(), "{complaint}")?;
    }
    let spend = db.snapshot(|db| breakdown(db, Week::of(at)))?;
    Ok(stdout().lock().write_all(spend.as_bytes())?)
}

/// Judges every repository as of `at`, or of when its sources were last read, tells `each` what became of its changes,
/// and then which change each dollar built.
pub(crate) fn judge_all(
    db: &mut Db,
    at: Timestamp,
    now: Timestamp,
    mut each: impl FnMut(&Repo, Told) -> Result<()>,
) -> Result<()> {
    let mut known = source_read(db)?;
    for (repo, read_at) in &mut known {
        *read_at = at.min(*read_at); // what came later is not known: it may take anything back
        let told = db.transaction(|db| judge_repo(db, repo, *read_at))?;
        each(repo, told)?;
    }
    db.transaction(|db| judging_record(db, &known, at, now))?;
    attribute(db, at)
}

/// How many changes became what, by either strictness.
#[derive(Debug, Default)]
pub(crate) struct Told {
    states: Vec<State>,
    targeted: Tally,
    literal: Tally,
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let excluded = self.states.iter().filter(|state| **state == State::Excluded).count();
        let Tally { verified, disqualified, pending } = Tally::of(self.states.iter().copied());
        write!(
            f,
            "{verified} verified, {disqualified} disqualified, {pending} pending, {excluded} excluded"
        )?;
        if self.literal == self.targeted {
            return Ok(());
        }
        let share = |tally: Tally| format!("{} of {}", tally.verified, tally.attempted());
        write!(f, " (verified: targeted {}, literal {})", share(self.targeted), share(self.literal))
    }
}

/// Judges all changes of a repository that landed by `at`, in one transaction.
pub(crate) fn judge_repo(db: &mut Db, repo: &Repo, at: Timestamp) -> Result<Told> {
    let stored = change_list(db, repo, at)?;
    let commits = change_commits(db, repo)?;
    let disputes = dispute_list(db, repo)?;
    let reopened = Reopened::find(db, repo, at, (&stored, &commits), disputes)?;
    let changes = changes(db, repo, &stored, commits, &reopened)?;
    let (owners, policies) = (owners_find(db, repo)?, policy_list(db)?);
    let cordoned = cordoned(db, repo, at)?;
    let judged = judge(&changes, policies.reach());
    judging_begin(db, repo, at)?;
    let mut told = Told::default();
    let mut tallies = Tallies::new();
    for (index, one) in stored.iter().enumerate() {
        let team = owners.team_of(db, one)?;
        let is_cordoned = cordoned.contains(&one.sha);
        let state_by = |policy| {
            if is_cordoned { State::Excluded } else { judged.state(&changes, index, policy, at) }
        };
        for held in policies.all(&team) {
            let tally = tallies.entry((team.clone(), Week::of(one.shipped_at), held.id)).or_default();
            tally.count(state_by(held.policy));
        }
        let held = policies.of(&team);
        let state = state_by(held.policy);
        let judgement = Judgement {
            team,
            policy_id: held.id,
            state: state.as_str().to_owned(),
            excluded_as: (if is_cordoned { Some("cordon") } else { excluded_as(one, judged.natures[index]) })
                .or_else(|| judged.is_hotfix(&changes, index, held.policy).then_some("hotfix"))
                .map(str::to_owned),
        };
        if one.judgement.as_ref() != Some(&judgement) {
            change_judge(db, repo, &one.sha, &judgement)?;
        }
        for found in reopened.of(&one.sha) {
            let (ticket, reopen) = found;
            let in_window = changes[index].in_window(reopen.at, held.policy);
            let disqualifies = in_window && reopened.counts(&one.sha, found) && state != State::Excluded;
            reopen_add(db, repo, &FoundReopen { sha: &one.sha, ticket, reopen, in_window, disqualifies })?;
        }
        for revert in judged.of(index) {
            let in_window = Judged::in_window(&changes, revert, held.policy);
            revert_add(db, repo, &Found { target: one, by: &stored[revert.by], revert, in_window })?;
        }
        for objection in judged.objections(index).iter().filter(|_| !is_cordoned) {
            if let Some(weight) = weight(&judged, &changes, objection, held.policy) {
                objection_add(db, repo, (one, &stored[objection.by]), objection, weight)?;
            }
        }
        told.targeted.count(state_by(Policy { strictness: Strictness::Targeted, ..held.policy }));
        told.literal.count(state_by(Policy { strictness: Strictness::Literal, ..held.policy }));
        told.states.push(state);
    }
    tally_replace(db, repo, &tallies)?;
    Ok(told)
}

/// What landed, with all that is known to speak for or against it.
fn changes(
    db: &mut Db,
    repo: &Repo,
    stored: &[Stored],
    mut commits: Commits,
    reopened: &Reopened,
) -> Result<Vec<Change>> {
    let mut files = change_files(db, repo)?;
    let marks = Marks { tags: tag_list(db, repo)?, labels: label_list(db, repo)? };
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

/// What an objection does to its target; `None` where it is nothing.
fn weight(judged: &Judged, changes: &[Change], objection: &Objection, policy: Policy) -> Option<Weight> {
    let literal = Policy { strictness: Strictness::Literal, ..policy };
    if judged.disqualifies(changes, objection, policy) {
        return Some(Weight::Disqualifies);
    }
    judged.disqualifies(changes, objection, literal).then_some(Weight::Suspected)
}

/// What changes are marked with besides their titles.
struct Marks {
    /// By the commit they stand for.
    tags: BTreeMap<String, Vec<String>>,
    /// By the number of the request.
    labels: BTreeMap<u64, Vec<String>>,
}

impl Marks {
    fn tags_of(&self, commits: &[(String, String)]) -> Vec<String> {
        commits.iter().filter_map(|(sha, _)| self.tags.get(sha)).flatten().cloned().collect()
    }

    fn mending(&self, repo: &Repo, one: &Stored, commits: &[(String, String)]) -> Mending {
        let labels = one.number.and_then(|number| self.labels.get(&number));
        let mut mending = Mending::of(meter::outcome::Told {
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
    let named: Vec<_> =
        button.into_iter().chain(marks.tags_of(&commits).iter().filter_map(|tag| tag_words(tag))).collect();
    said.is_repair |= !named.is_empty();
    said.mentions.extend(named);
    let members: Vec<_> =
        commits.iter().filter(|(sha, _)| *sha != one.sha).map(|(_, message)| words(message, repo)).collect();
    said.is_repair |= !members.is_empty() && members.iter().all(|member| member.is_repair);
    let passing = |mention| Mention { place: Place::Passing, ..mention };
    said.mentions.extend(members.into_iter().flat_map(|member| member.mentions).map(passing));
    Change {
        sha: one.sha.clone(),
        number: one.number,
        title: one.title.clone(),
        subject,
        merged_at: one.merged_at,
        shipped_at: one.shipped_at,
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

/// Why a change is no attempt at an outcome.
fn excluded_as(one: &Stored, nature: Nature) -> Option<&'static str> {
    let brought_up_to_date = |title: &str| {
        title.starts_with("Merge remote-tracking branch ")
            || title.starts_with("Merge branch '") && title.contains("' of ")
    };
    let name = one.author.split('@').next().unwrap_or_default();
    let name = name.rsplit('+').next().unwrap_or_default();
    if BOTS.contains(&name.trim_end_matches("[bot]")) || one.author == "bot@renovateapp.com" {
        Some("dependencies")
    } else if brought_up_to_date(&one.title) {
        Some("sync")
    } else {
        (nature == Nature::Revert).then_some("revert")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::fixture::{now, on_both, rows, teams};

    /// A change of the day in October 2026.
    fn land(db: &mut Db, repo: &str, number: u64, day: u8, message: &str) {
        let sql = format!(
            "INSERT INTO change (repo, sha, landed, number, title, author, merged_at, shipped_at) VALUES
                ('{repo}', 'a{number}', {number}, {number}, '{message}', '', '{at}', '{at}')",
            at = format_args!("2026-10-{day:02}T12:00:00Z"),
        );
        db.execute(&sql, &[]).unwrap();
        let commit =
            format!("INSERT INTO change_commit VALUES ('{repo}', 'a{number}', 'a{number}', '{message}')");
        db.execute(&commit, &[]).unwrap();
    }

    fn source(db: &mut Db, repo: &str, synced_at: &str) {
        let sql = format!("INSERT INTO source VALUES ('{repo}', 'clone', 'main', 'x', '{synced_at}', NULL)");
        db.execute(&sql, &[]).unwrap();
    }

    #[test]
    fn weeks_wait_for_their_sources() {
        let states = "SELECT repo, state FROM change ORDER BY repo";
        let judgings = "SELECT team, computed_at, immature_from FROM judging
            WHERE team <> 'unassigned' ORDER BY team";
        let read = "2026-11-20T12:00:00Z";
        on_both(|db| {
            let team = |id: &str, repos: &str| format!("[[team]]\nid = \"{id}\"\nrepositories = [{repos}]\n");
            let text = team("docs", "\"h.x/a/docs\"") + &team("pay", "\"h.x/a/pay\", \"h.x/a/web\"");
            teams(db, &(text + &team("risk", "\"h.x/a/risk\"") + &team("new", "")), now());
            for (number, repo) in (1..).zip(["h.x/a/docs", "h.x/a/pay", "h.x/a/risk", "h.x/a/web"]) {
                source(db, repo, read);
                land(db, repo, number, 1, "Add x");
            }
            db.execute("INSERT INTO service VALUES ('h.x/a/docs', 'github', '', NULL)", &[]).unwrap();
            let stopped = "INSERT INTO service VALUES ('h.x/a/web', 'github', '', '2026-10-10T12:00:00Z')";
            db.execute(stopped, &[]).unwrap();
            judge_all(db, now(), now(), |_, _| Ok(())).unwrap();
            let expected = ["h.x/a/docs|", "h.x/a/pay|verified", "h.x/a/risk|verified", "h.x/a/web|pending"];
            assert_eq!(rows(db, states), expected, "what was never read whole is not judged");
            let expected = [
                "docs|1970-01-01T00:00:00Z|2000-W01".to_owned(),
                format!("new|{}|2026-W46", now()),
                "pay|2026-10-10T12:00:00Z|2026-W39".to_owned(),
                format!("risk|{read}|2026-W45"),
            ];
            assert_eq!(rows(db, judgings), expected);
            let mature = "SELECT team, mature FROM team_week WHERE week = '2026-W40' AND team <> 'unassigned'
                ORDER BY team";
            assert_eq!(rows(db, mature), ["pay|0", "risk|1"]);

            let early = "2026-10-05T12:00:00Z";
            judge_all(db, early.parse().unwrap(), now(), |_, _| Ok(())).unwrap();
            let expected = ["h.x/a/docs|", "h.x/a/pay|pending", "h.x/a/risk|pending", "h.x/a/web|pending"];
            assert_eq!(rows(db, states), expected, "an earlier instant is taken");

            db.execute(&format!("UPDATE service SET synced_at = '{read}'"), &[]).unwrap();
            judge_all(db, now(), now(), |_, _| Ok(())).unwrap();
            assert_eq!(rows(db, "SELECT DISTINCT state FROM change"), ["verified"]);
            assert_eq!(rows(db, mature), ["docs|1", "pay|1", "risk|1"]);
        });
    }

    #[test]
    fn a_request_says_what_it_mends() {
        let states = "SELECT number, state, excluded_as FROM change ORDER BY number";
        let hotfix = "2|excluded|hotfix";
        on_both(|db| {
            teams(db, "", now());
            source(db, "h.x/a/pay", "2026-11-20T12:00:00Z");
            land(db, "h.x/a/pay", 1, 1, "Add x");
            land(db, "h.x/a/pay", 2, 2, "Mend the sum");
            for (title, body, expected) in [
                ("Mend the sum", "It was wrong.", ["1|verified|", "2|verified|"]),
                ("Mend the sum", "fix regression from #1", ["1|disqualified|", hotfix]),
                ("Follow-up to #1", "", ["1|disqualified|", hotfix]),
                ("Mend the sum", "Follow-up to #1", ["1|verified|", "2|verified|"]),
            ] {
                db.execute("DELETE FROM pull_request", &[]).unwrap();
                let request = format!(
                    "INSERT INTO pull_request (repo, number, title, body, base_branch, head_branch, opened_at,
                        merged_at, labels)
                     VALUES ('h.x/a/pay', 2, '{title}', '{body}', 'main', 'sum', '2026-10-02T11:00:00Z',
                        '2026-10-02T12:00:00Z', '')"
                );
                db.execute(&request, &[]).unwrap();
                judge_all(db, now(), now(), |_, _| Ok(())).unwrap();
                assert_eq!(rows(db, states), expected, "{title}: {body}");
            }
            db.execute("DELETE FROM pull_request", &[]).unwrap();
            db.execute("UPDATE change SET title = 'Follow-up to #1' WHERE number = 2", &[]).unwrap();
            judge_all(db, now(), now(), |_, _| Ok(())).unwrap();
            assert_eq!(
                rows(db, states),
                ["1|disqualified|", hotfix],
                "the title of a merge stands in its body"
            );
        });
    }
}
