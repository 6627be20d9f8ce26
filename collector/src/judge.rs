//! `cpvo judge`: what became of each change. The rules are `meter::outcome`; this hands them what is stored, and takes
//! the database for itself only to store what they say. What has no news is not judged again.

use crate::attribute::{Ahead, attribute};
use crate::breakdown::breakdown;
use crate::config::{Clock, Options};
use crate::history::{changes, excluded_as};
use crate::people::file::parse;
use crate::store::change::{source_list, source_read};
use crate::store::closing::closing_record;
use crate::store::db::{Access, Db};
use crate::store::dispute::dispute_list;
use crate::store::news::{Done, Run, news, news_of, progress_list, repo_judged, run_begin};
use crate::store::outcome::{
    Found, Judgement, Stored, Weight, change_commits, change_due, change_judge, change_list, judging_begin,
    objection_add, owners_find, revert_add,
};
use crate::store::people::teams_apply;
use crate::store::policy::{Held, policy_complaints, policy_list};
use crate::store::shipping::{UNSHIPPED, change_ship};
use crate::store::tally::{Tallies, judging_record, tally_replace};
use crate::store::ticket::{FoundReopen, reopen_add};
use crate::store::work::{WorkChange, work_compare};
use crate::tickets::Reopened;
use anyhow::{Context, Result};
use jiff::Timestamp;
use meter::outcome::{ByStrictness, Change, Judged, Objection, Policy, State, Strictness, Tally, judge};
use meter::{Repo, Week};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::io::{Write, stderr, stdout};
use std::mem::take;

/// Changes that are stored in one transaction, more or less: histories lie among each other, and each of them would
/// write most of what the others wrote anew.
const STORED_MAX: usize = 16_384;

#[derive(Default, clap::Args)]
pub(crate) struct Args {
    /// The instant whose states are told, such as 2026-11-22T00:00:00Z [default: now]
    #[arg(long, value_name = "TIME")]
    at: Option<Timestamp>,
    /// Judge what has no news, too
    #[arg(long)]
    all: bool,
}

pub(crate) fn run(args: &Args, options: &Options, now: Clock) -> Result<()> {
    let config = options.load()?;
    let now = now();
    config.db.ensure_there()?;
    let mut db = crate::store::open(&config.db, Access::Write, now)?;
    let teams =
        fs::read_to_string(&config.teams).map_err(anyhow::Error::from).and_then(|text| Ok(parse(&text)?));
    let teams = teams.with_context(|| format!("could not take in {}", config.teams.display()))?;
    db.transaction(|db| teams_apply(db, &teams, now))?;
    let at = args.at.unwrap_or(now);
    if source_list(&mut db)?.is_empty() {
        writeln!(stdout().lock(), "nothing to judge yet: add a [[source]] to cpvo.toml, then `cpvo sync`")?;
        return Ok(());
    }
    if args.all {
        news(&mut db)?;
    }
    // said at the end: a reader that has seen enough must not leave the judging half done
    let mut out = Vec::new();
    judge_all(&mut db, at, now, |repo, told| Ok(writeln!(out, "{repo}: {told}")?))?;
    if at != now {
        writeln!(stderr().lock(), "outcomes are told as of {at} until the next judging")?;
    }
    for complaint in policy_complaints(&mut db, &teams)?.into_iter().chain(teams.shared(now)) {
        writeln!(stderr().lock(), "{complaint}")?;
    }
    // spend is what it is now, whenever outcomes are told of
    out.extend_from_slice(db.snapshot(|db| breakdown(db, Week::of(now)))?.as_bytes());
    Ok(stdout().lock().write_all(&out)?)
}

/// Judges what has news as of `at`, or of when the sources were last read, tells `each` what became of the changes of
/// every repository, and then which change each dollar built.
pub(crate) fn judge_all(
    db: &mut Db,
    at: Timestamp,
    now: Timestamp,
    mut each: impl FnMut(&Repo, &str) -> Result<()>,
) -> Result<()> {
    let at = whole(at);
    let run = db.unsynced(|db| judge_known(db, at, now, &mut each))?;
    db.transaction(|db| {
        run.check(db)?;
        run.end(db)?;
        if at != whole(now) {
            return Ok(()); // what is told of another instant closes nothing
        }
        closing_record(db, now)
    })
}

/// What is told before the end: a judging that did not end is begun again.
fn judge_known(
    db: &mut Db,
    at: Timestamp,
    now: Timestamp,
    mut each: impl FnMut(&Repo, &str) -> Result<()>,
) -> Result<Run> {
    let run = db.transaction(|db| run_begin(db, at))?;
    let ahead = Ahead::read(db, run)?;
    let mut known = source_read(db)?;
    for read_at in known.values_mut() {
        *read_at = at.min(whole(*read_at)); // what came later is not known: it may take anything back
    }
    let progress = progress_list(db)?;
    let all: BTreeSet<&Repo> = known.keys().chain(progress.keys()).collect();
    // where a host told of requests, and nothing landed yet, all is read
    let dated = all.into_iter().map(|repo| (repo, known.get(repo).copied().unwrap_or(at)));
    let is_judged = |(repo, read_at)| progress.get(repo).is_some_and(|done| done.is_judged(read_at, at));
    let due: Vec<_> = dated.filter(|one| !is_judged(*one)).collect();
    let mut told: BTreeMap<_, _> = progress.iter().map(|(repo, done)| (repo, done.told.clone())).collect();
    told.extend(due.iter().map(|(repo, _)| *repo).zip(judge_repos(db, &due, run)?));
    known.keys().try_for_each(|repo| each(repo, &told[repo]))?;
    db.transaction(|db| {
        run.check(db)?;
        judging_record(db, &known, at, now)
    })?;
    attribute(db, run, ahead)?;
    Ok(run)
}

/// In whole seconds, so that instants sort as the text they are stored as.
fn whole(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second()).unwrap_or(at)
}

/// How many changes became what, by either strictness.
#[derive(Debug, Default)]
struct Told {
    states: Vec<State>,
    by_strictness: ByStrictness,
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let excluded = self.states.iter().filter(|state| **state == State::Excluded).count();
        let Tally { verified, disqualified, pending } = Tally::of(self.states.iter().copied());
        write!(
            f,
            "{verified} verified, {disqualified} disqualified, {pending} pending, {excluded} excluded"
        )?;
        if !self.by_strictness.differs() {
            return Ok(());
        }
        let ByStrictness { targeted, literal } = self.by_strictness;
        let share = |tally: Tally| format!("{} of {}", tally.verified, tally.attempted());
        write!(f, " (verified: targeted {}, literal {})", share(targeted), share(literal))
    }
}

/// Judges the changes of each repository that landed by its instant; returns what became of them, in words.
pub(crate) fn judge_repos(db: &mut Db, repos: &[(&Repo, Timestamp)], run: Run) -> Result<Vec<String>> {
    let (mut told, mut seen) = (Vec::new(), Vec::new());
    let mut count = 0;
    for (repo, read_at) in repos {
        let news = db.transaction(|db| {
            run.check(db)?;
            change_ship(db, repo)?;
            news_of(db, repo)
        })?;
        let one = db.snapshot(|db| Seen::read(db, repo, *read_at, run))?;
        count += one.stored.len();
        seen.push((*repo, *read_at, news, one));
        if count >= STORED_MAX {
            told.extend(store(db, take(&mut seen), run)?);
            count = 0;
        }
    }
    told.extend(store(db, seen, run)?);
    Ok(told)
}

/// Stores repositories, each read after so much news.
fn store(db: &mut Db, seen: Vec<(&Repo, Timestamp, i64, Seen)>, run: Run) -> Result<Vec<String>> {
    db.transaction(|db| {
        run.check(db)?;
        let store = |(repo, read_at, news, seen): (&Repo, Timestamp, i64, Seen)| {
            let seen = if news == news_of(db, repo)? {
                seen
            } else {
                change_ship(db, repo)?;
                Seen::read(db, repo, read_at, run)?
            };
            seen.store(db, repo, read_at, run)
        };
        seen.into_iter().map(store).collect()
    })
}

/// A repository as it was read, and what its changes are judged to be.
struct Seen {
    news: i64,
    work: WorkChange,
    stored: Vec<Stored>,
    changes: Vec<Change>,
    judged: Judged,
    reopened: Reopened,
    /// By the place of the change: what it is judged by, and what that says.
    judgements: Vec<(Held, Judgement)>,
    tallies: Tallies,
    due_at: Option<Timestamp>,
    read_due_at: Option<Timestamp>,
    told: Told,
}

impl Seen {
    fn read(db: &mut Db, repo: &Repo, read_at: Timestamp, run: Run) -> Result<Self> {
        let (news, commits) = (news_of(db, repo)?, change_commits(db, repo)?);
        let work = work_compare(db, repo, run.at, &commits)?;
        let (stored, disputes) = (change_list(db, repo, read_at)?, dispute_list(db, repo)?);
        let reopened = Reopened::find(db, repo, read_at, (&stored, &commits), disputes)?;
        let changes = changes(db, repo, &stored, commits, &reopened)?;
        let (mut owners, policies) = (owners_find(db, repo)?, policy_list(db)?);
        let judged = judge(&changes, policies.reach());
        let mut seen = Self {
            due_at: change_due(db, repo, run.at)?,
            read_due_at: change_due(db, repo, read_at)?,
            judgements: Vec::with_capacity(stored.len()),
            tallies: Tallies::new(),
            told: Told::default(),
            news,
            work,
            stored,
            changes,
            judged,
            reopened,
        };
        for index in 0..seen.stored.len() {
            let team = owners.team_of(db, &seen.stored[index])?;
            seen.judge(index, &team, policies.all(&team), read_at);
        }
        Ok(seen)
    }

    /// Judges one change by all policies of its team, the one that holds last.
    fn judge(&mut self, index: usize, team: &str, policies: &[Held], at: Timestamp) {
        let one = &self.stored[index];
        let is_cordoned = self.work.cordoned.contains(&one.sha);
        let state_by = |policy| {
            if is_cordoned { State::Excluded } else { self.judged.state(&self.changes, index, policy, at) }
        };
        for held in policies.iter().filter(|_| one.shipped_at != UNSHIPPED) {
            let counts =
                self.tallies.entry((team.to_owned(), Week::of(one.shipped_at), held.id)).or_default();
            counts.tally.count(state_by(held.policy));
            counts.by_strictness.count(|strictness| state_by(Policy { strictness, ..held.policy }));
            let decided_at =
                Some(held.policy.decided_at(one.shipped_at)).filter(|decided_at| *decided_at > at);
            self.read_due_at = self.read_due_at.into_iter().chain(decided_at).min();
        }
        let held = policies.last().copied().unwrap_or_default();
        let state = state_by(held.policy);
        self.told.by_strictness.count(|strictness| state_by(Policy { strictness, ..held.policy }));
        self.told.states.push(state);
        let judgement = Judgement {
            team: team.to_owned(),
            policy_id: held.id,
            state: state.as_str().to_owned(),
            excluded_as: (if is_cordoned {
                Some("cordon")
            } else {
                excluded_as(one, self.judged.natures[index])
            })
            .or_else(|| self.judged.is_hotfix(&self.changes, index, held.policy).then_some("hotfix"))
            .map(str::to_owned),
        };
        self.judgements.push((held, judgement));
    }

    fn store(self, db: &mut Db, repo: &Repo, read_at: Timestamp, run: Run) -> Result<String> {
        judging_begin(db, repo, read_at)?;
        for index in 0..self.stored.len() {
            self.store_change(db, repo, index)?;
        }
        tally_replace(db, repo, &self.tallies)?;
        self.work.store(db, repo, run)?;
        let told = self.told.to_string();
        let Self { news, due_at, read_due_at, .. } = self;
        let done = Done { news, judged_at: read_at, due_at, read_due_at, told: &told };
        repo_judged(db, repo, &done)?;
        Ok(told)
    }

    /// Stores what became of a change, with its evidence.
    fn store_change(&self, db: &mut Db, repo: &Repo, index: usize) -> Result<()> {
        let (one, (held, judgement)) = (&self.stored[index], &self.judgements[index]);
        if one.judgement.as_ref() != Some(judgement) {
            change_judge(db, repo, &one.sha, judgement)?;
        }
        for found in self.reopened.of(&one.sha) {
            let (ticket, reopen) = found;
            let in_window = self.changes[index].in_window(reopen.at, held.policy);
            let is_attempt = judgement.state != State::Excluded.as_str();
            let disqualifies = in_window && self.reopened.counts(&one.sha, found) && is_attempt;
            reopen_add(db, repo, &FoundReopen { sha: &one.sha, ticket, reopen, in_window, disqualifies })?;
        }
        for revert in self.judged.of(index) {
            let in_window = Judged::in_window(&self.changes, revert, held.policy);
            revert_add(db, repo, &Found { target: one, by: &self.stored[revert.by], revert, in_window })?;
        }
        if self.work.cordoned.contains(&one.sha) {
            return Ok(());
        }
        for objection in self.judged.objections(index) {
            if let Some(weight) = weight(&self.judged, &self.changes, objection, held.policy) {
                objection_add(db, repo, (one, &self.stored[objection.by]), objection, weight)?;
            }
        }
        Ok(())
    }
}

/// What an objection does to its target; `None` where it is nothing.
fn weight(judged: &Judged, changes: &[Change], objection: &Objection, policy: Policy) -> Option<Weight> {
    let literal = Policy { strictness: Strictness::Literal, ..policy };
    if judged.disqualifies(changes, objection, policy) {
        return Some(Weight::Disqualifies);
    }
    judged.disqualifies(changes, objection, literal).then_some(Weight::Suspected)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::store::dispute::{Reason, dispute_add};
    use crate::store::fixture::{now, on_both, rows, teams};

    /// Judges one repository, whatever is new of it.
    pub(crate) fn judge_repo_at(db: &mut Db, repo: &Repo, at: Timestamp) {
        let run = db.transaction(|db| run_begin(db, at)).unwrap();
        judge_repos(db, &[(repo, at)], run).unwrap();
    }

    /// Judges all there is.
    fn judge_anew(db: &mut Db, at: Timestamp) {
        news(db).unwrap();
        judge_all(db, at, now(), |_, _| Ok(())).unwrap();
    }

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
            judge_anew(db, now());
            let expected = ["h.x/a/docs|", "h.x/a/pay|verified", "h.x/a/risk|verified", "h.x/a/web|pending"];
            assert_eq!(rows(db, states), expected, "what was never read whole is not judged");
            let expected = ["pay|2026-10-10T12:00:00Z|2026-W39".to_owned(), format!("risk|{read}|2026-W45")];
            assert_eq!(rows(db, judgings), expected);
            let mature = "SELECT team, mature FROM team_week WHERE week = '2026-W40' AND team <> 'unassigned'
                ORDER BY team";
            assert_eq!(rows(db, mature), ["pay|0", "risk|1"]);

            let early = "2026-10-05T12:00:00Z";
            judge_all(db, early.parse().unwrap(), now(), |_, _| Ok(())).unwrap();
            let expected = ["h.x/a/docs|", "h.x/a/pay|pending", "h.x/a/risk|pending", "h.x/a/web|pending"];
            assert_eq!(rows(db, states), expected, "an earlier instant is taken");

            db.execute(&format!("UPDATE service SET synced_at = '{read}'"), &[]).unwrap();
            judge_anew(db, now());
            assert_eq!(rows(db, "SELECT DISTINCT state FROM change"), ["verified"]);
            assert_eq!(rows(db, mature), ["docs|1", "pay|1", "risk|1"]);
        });
    }

    #[test]
    fn a_ticket_opened_again_in_time_speaks_against_an_attempt() {
        let states = "SELECT number, state FROM change ORDER BY number";
        let found = "SELECT ticket, in_window FROM reopen ORDER BY ticket";
        let against = "SELECT by_url FROM disqualification";
        on_both(|db| {
            teams(db, "", now());
            source(db, "h.x/a/pay", "2026-11-20T12:00:00Z");
            land(db, "h.x/a/pay", 1, 1, "Add x");
            land(db, "h.x/a/pay", 2, 2, "Merge remote-tracking branch x");
            land(db, "h.x/a/pay", 3, 3, "Add y");
            for (number, reopened) in [(1, 5), (2, 5), (3, 25)] {
                let ticket = format!(
                    "INSERT INTO ticket VALUES ('t{number}', 'github', '{number}');
                    INSERT INTO pull_request_ticket VALUES ('h.x/a/pay', {number}, 't{number}');
                    INSERT INTO ticket_event VALUES ('t{number}', 1, '2026-10-04T12:00:00Z', 'closed', 'ana', 0, 1),
                        ('t{number}', 2, '2026-10-{reopened:02}T12:00:00Z', 'reopened', 'ben', 0, 0)"
                );
                db.batch(&ticket).unwrap();
            }
            judge_anew(db, now());
            assert_eq!(rows(db, states), ["1|disqualified", "2|excluded", "3|verified"]);
            assert_eq!(rows(db, found), ["t1|1", "t2|1", "t3|0"]);
            assert_eq!(rows(db, against), ["t1"]);

            let reason = Reason { text: "another matter", by: "ana" };
            dispute_add(db, ("h.x/a/pay", "a1"), reason, now()).unwrap();
            judge_anew(db, now());
            assert_eq!(rows(db, states), ["1|verified", "2|excluded", "3|verified"]);
            assert_eq!(rows(db, found), ["t1|1", "t2|1", "t3|0"]);
            assert_eq!(rows(db, against), [""; 0]);

            db.execute("DELETE FROM ticket_event WHERE ticket = 't1' AND place = 2", &[]).unwrap();
            judge_anew(db, now());
            assert_eq!(rows(db, found), ["t2|1", "t3|0"]);
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
                judge_anew(db, now());
                assert_eq!(rows(db, states), expected, "{title}: {body}");
            }
            db.execute("DELETE FROM pull_request", &[]).unwrap();
            db.execute("UPDATE change SET title = 'Follow-up to #1' WHERE number = 2", &[]).unwrap();
            judge_anew(db, now());
            assert_eq!(
                rows(db, states),
                ["1|disqualified|", hotfix],
                "the title of a merge stands in its body"
            );
        });
    }
}
