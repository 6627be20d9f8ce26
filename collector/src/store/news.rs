//! What came to be known since the last judging: whoever stores it notes it here, in the same transaction.

use super::db::{Db, Row, Value, values};
use anyhow::{Result, ensure};
use jiff::Timestamp;
use meter::Repo;
use meter::attribution::waiting_since;
use meter::outcome::RULES;
use std::collections::BTreeMap;

/// Of the rules that a judging goes by.
fn version() -> String {
    RULES.to_string()
}

/// Something is new of a repository.
pub(crate) fn repo_news(db: &mut Db, repo: &Repo) -> Result<()> {
    db.execute(
        "INSERT INTO repo_news AS r (repo, news) VALUES ($1, 1) ON CONFLICT (repo) DO UPDATE SET news = r.news + 1",
        &values![repo.as_str()],
    )?;
    Ok(())
}

/// Something is new that may concern every repository that is read.
pub(crate) fn repos_news(db: &mut Db) -> Result<()> {
    db.execute(
        "INSERT INTO repo_news AS r (repo, news) SELECT repo, 1 FROM source WHERE 1 = 1
         ON CONFLICT (repo) DO UPDATE SET news = r.news + 1",
        &[],
    )?;
    Ok(())
}

/// Something is new of the sessions that a query with these values selects.
pub(crate) fn session_news(db: &mut Db, sessions: &str, values: &[Value]) -> Result<()> {
    let sql = format!(
        "INSERT INTO session_news AS n (session_id, news) SELECT DISTINCT session_id, 1 FROM ({sessions}) AS s WHERE 1 = 1
         ON CONFLICT (session_id) DO UPDATE SET news = n.news + 1"
    );
    db.execute(&sql, values).map(drop)
}

/// Something is new that may concern everything.
pub(crate) fn news(db: &mut Db) -> Result<()> {
    db.execute("UPDATE judged SET version = ''", &[]).map(drop)
}

/// A judging that has begun.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Run {
    id: i64,
    pub at: Timestamp,
    /// All there is has news.
    pub from_nothing: bool,
}

/// Begins a judging as of `at`: from nothing where rules or settings are others, or time runs back.
pub(crate) fn run_begin(db: &mut Db, at: Timestamp) -> Result<Run> {
    let row = db.query_one("SELECT run, judged_at, version FROM judged", &[])?;
    let goes_on = row.get::<String>(2)? == version() && row.parse::<Timestamp>(1)? <= at;
    if goes_on {
        // whose branch has waited long enough for a request by now
        let waited =
            "SELECT session_id FROM attribution_span WHERE rule = 'no_request_yet' AND first_hour <= $1";
        session_news(db, waited, &values![waiting_since(at).to_string()])?;
    } else {
        db.execute("UPDATE repo_news SET judged_news = NULL", &[])?;
    }
    let run = Run { id: row.get::<i64>(0)? + 1, at, from_nothing: !goes_on };
    let sql = "UPDATE judged SET run = $1, judged_at = $2, version = $3";
    db.execute(sql, &values![run.id, at.to_string(), run.version()])?;
    Ok(run)
}

/// Ends the judging under way: what it told of is no more.
pub(crate) fn run_end(db: &mut Db) -> Result<()> {
    db.execute("UPDATE judged SET run = run + 1", &[]).map(drop)
}

/// Of a judging from nothing until it ends: one that did not is begun from nothing again.
const FROM_NOTHING: &str = "from nothing";

impl Run {
    fn version(self) -> String {
        if self.from_nothing { FROM_NOTHING.to_owned() } else { version() }
    }

    /// Ends it: all there is was judged.
    pub(crate) fn end(self, db: &mut Db) -> Result<()> {
        let sql = "UPDATE judged SET version = $2 WHERE run = $1";
        db.execute(sql, &values![self.id, version()]).map(drop)
    }

    /// Fails where the judging may store nothing more.
    pub(crate) fn check(self, db: &mut Db) -> Result<()> {
        let current = "SELECT run FROM judged WHERE run = $1 AND version = $2";
        let is_current = !db.query(current, &values![self.id, self.version()])?.is_empty();
        ensure!(is_current, "another judging began, or settings changed meanwhile: judge again");
        Ok(())
    }
}

/// What waits to be judged, in numbers that change with it; `None` where nothing does.
pub(crate) fn news_waiting(db: &mut Db) -> Result<Option<[i64; 3]>> {
    let row = db.query_one(
        "SELECT CAST(COALESCE((SELECT SUM(news) FROM session_news), 0) AS BIGINT),
            CAST(COALESCE((SELECT SUM(news - COALESCE(judged_news, 0)) FROM repo_news), 0) AS BIGINT),
            (SELECT COUNT(*) FROM judged WHERE version <> $1)",
        &values![version()],
    )?;
    let waiting = [row.get(0)?, row.get(1)?, row.get(2)?];
    Ok((waiting != [0; 3]).then_some(waiting))
}

/// How far a repository was judged.
pub(crate) struct Progress {
    pub news: i64,
    judged_news: Option<i64>,
    judged_at: Option<Timestamp>,
    due_at: Option<Timestamp>,
    read_due_at: Option<Timestamp>,
    /// What became of its changes, in words.
    pub told: String,
}

impl Progress {
    /// Whether nothing can be judged otherwise for `at`, with what was read by `read_at`.
    pub(crate) fn is_judged(&self, read_at: Timestamp, at: Timestamp) -> bool {
        self.judged_news == Some(self.news)
            && self.judged_at.is_some_and(|judged_at| judged_at <= read_at)
            && self.due_at.is_none_or(|due_at| at < due_at)
            && self.read_due_at.is_none_or(|due_at| read_at < due_at)
    }
}

/// How far each repository was judged of which anything is known.
pub(crate) fn progress_list(db: &mut Db) -> Result<BTreeMap<Repo, Progress>> {
    let rows =
        db.query("SELECT repo, news, judged_news, judged_at, due_at, read_due_at, told FROM repo_news", &[])?;
    rows.iter().map(|row| Ok((row.parse(0)?, Progress::read(row)?))).collect()
}

impl Progress {
    fn read(row: &Row) -> Result<Self> {
        let instant = |column| -> Result<Option<Timestamp>> {
            Ok(row.get::<Option<String>>(column)?.map(|text| text.parse()).transpose()?)
        };
        Ok(Self {
            news: row.get(1)?,
            judged_news: row.get(2)?,
            judged_at: instant(3)?,
            due_at: instant(4)?,
            read_due_at: instant(5)?,
            told: row.get::<Option<String>>(6)?.unwrap_or_default(),
        })
    }
}

/// How much came to be known of a repository.
pub(crate) fn news_of(db: &mut Db, repo: &Repo) -> Result<i64> {
    let rows = db.query("SELECT news FROM repo_news WHERE repo = $1", &values![repo.as_str()])?;
    rows.first().map_or(Ok(0), |row| row.get(0))
}

/// How a repository was judged with so much news.
pub(crate) struct Done<'a> {
    pub news: i64,
    pub judged_at: Timestamp,
    /// When its work is another next.
    pub due_at: Option<Timestamp>,
    /// When its changes are judged otherwise next, once it was read by then.
    pub read_due_at: Option<Timestamp>,
    pub told: &'a str,
}

/// Notes that all there is of a repository was judged.
pub(crate) fn repo_judged(db: &mut Db, repo: &Repo, done: &Done) -> Result<()> {
    let [due_at, read_due_at] = [done.due_at, done.read_due_at].map(|at| at.map(|at| at.to_string()));
    db.execute(
        "INSERT INTO repo_news (repo, news, judged_news, judged_at, due_at, read_due_at, told)
         VALUES ($1, $2, $2, $3, $4, $5, $6)
         ON CONFLICT (repo) DO UPDATE SET judged_news = excluded.judged_news, judged_at = excluded.judged_at,
            due_at = excluded.due_at, read_due_at = excluded.read_due_at, told = excluded.told",
        &values![repo.as_str(), done.news, done.judged_at.to_string(), due_at, read_due_at, done.told],
    )?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::reports::tests::deliver;
    use crate::judge::judge_all;
    use crate::people::file::parse;
    use crate::source::{Commit, Effort, Landed, Request, RequestCommit, Ticket};
    use crate::store::change::{Cursor, Order, change_add, change_forget, source_put, source_synced};
    use crate::store::cordon::{cordon_add, cordon_end};
    use crate::store::dispute::{Reason, dispute_add};
    use crate::store::fixture::{cluster, now, on_both, on_sqlite, rows, teams};
    use crate::store::mark::tag_replace;
    use crate::store::people::teams_apply;
    use crate::store::policy::policy_set;
    use crate::store::request::request_put;
    use crate::store::service;
    use crate::store::shipping::{Told, shipment_put, shipment_remove};
    use crate::store::ticket::ticket_put;
    use crate::store::tracker::{key_begin, key_miss, key_put, key_revisions};
    use jiff::SignedDuration;
    use meter::attribution::Cordon;
    use meter::delivery::Ship;
    use meter::outcome::{Policy, Step, TicketEvent, project_of};
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::select;
    use proptest::test_runner::TestRunner;
    use serde_json::json;

    const REPO: &str = "github.com/acme/pay";
    const FORK: &str = "github.com/ben/pay";
    const PEOPLE: [&str; 2] = ["ana@acme.example", "ben@acme.example"];
    const BRANCHES: [&str; 4] = ["main", "one", "two", ""];
    const KEYS: [&str; 2] = ["PAY-1", "SHOP-2"];
    const NAMES: [&str; 3] = ["PAY-1: Add", "Add\n\nFixes PAY-1\n", "SHOP-2: Add\n\nFixes PAY-1\n"];

    /// What a case does to what the judge reads, by small numbers that name whom and what.
    #[derive(Debug, Clone)]
    enum Deed {
        /// A session is where, on which branches; what it committed and which request it asked for or reviewed.
        Report {
            session: u8,
            is_fork: bool,
            branches: Vec<usize>,
            sha: Option<u8>,
            number: Option<(u64, bool)>,
        },
        /// What lands under which number, which tickets it names, and which number it takes back.
        Land {
            number: u64,
            sha: u8,
            names: usize,
            back: Option<u64>,
        },
        /// How a request stands: open, merged or given up.
        Request {
            number: u64,
            is_fork: bool,
            branch: usize,
            sha: u8,
            stands: u8,
            is_reopened: bool,
        },
        /// A ticket of a tracker is done and, after so many hours, opened again.
        Ticket(usize, Option<usize>),
        NoTicket(usize),
        /// How many days of the tracker were read.
        Tracker(Option<i64>),
        NoTracker,
        Cordon(bool),
        Dispute,
        Tag(u8),
        Window(u32),
        Teams(bool, bool),
        /// What brings changes to users from now on.
        Ship(Ship),
        /// A commit is in a release or a deployment; or there is none of the name any longer.
        Sent(Ship, Option<u8>),
        /// Its history is lost, and maybe read anew from here on.
        Forget(bool),
        /// So many days later, and whether all there is is to be judged then, too.
        Judge(i64, bool),
    }

    fn some<T: std::fmt::Debug>(of: impl Strategy<Value = T>) -> impl Strategy<Value = Option<T>> {
        proptest::option::weighted(0.8, of)
    }

    fn deed() -> impl Strategy<Value = Deed> {
        let (number, sha) = (|| 1..4_u64, || 1..6_u8);
        let branches = vec(0..BRANCHES.len(), 0..4);
        let ship = select(vec![Ship::Merge, Ship::Release, Ship::Deployment]);
        let asked = proptest::option::of((number(), any::<bool>()));
        prop_oneof![
            6 => (1..4_u8, any::<bool>(), branches, proptest::option::of(sha()), asked).prop_map(
                |(session, is_fork, branches, sha, number)| Deed::Report { session, is_fork, branches, sha, number }),
            4 => (number(), sha(), 0..=NAMES.len(), proptest::option::of(number())).prop_map(
                |(number, sha, names, back)| Deed::Land { number, sha, names, back }),
            4 => (number(), any::<bool>(), 1..3_usize, sha(), 0..3_u8, any::<bool>()).prop_map(
                |(number, is_fork, branch, sha, stands, is_reopened)|
                    Deed::Request { number, is_fork, branch, sha, stands, is_reopened }),
            3 => (0..KEYS.len(), some(1..80_usize)).prop_map(|(key, reopened)| Deed::Ticket(key, reopened)),
            1 => (0..KEYS.len()).prop_map(Deed::NoTicket),
            1 => some(0..100_i64).prop_map(Deed::Tracker),
            1 => Just(Deed::NoTracker),
            1 => any::<bool>().prop_map(Deed::Cordon),
            1 => Just(Deed::Dispute),
            1 => sha().prop_map(Deed::Tag),
            1 => (1..30_u32).prop_map(Deed::Window),
            1 => (any::<bool>(), any::<bool>()).prop_map(|(owns, alias)| Deed::Teams(owns, alias)),
            1 => any::<bool>().prop_map(Deed::Forget),
            2 => ship.clone().prop_map(Deed::Ship),
            3 => (ship, some(sha())).prop_map(|(ship, sha)| Deed::Sent(ship, sha)),
            16 => (0..10_i64, any::<bool>()).prop_map(|(days, all)| Deed::Judge(days, all)),
        ]
    }

    fn text(owns: bool, alias: bool) -> String {
        let owns = if owns { format!("repositories = [\"{REPO}\"]\n") } else { String::new() };
        let alias = if alias { ", aliases = [\"github:ben\"]" } else { "" };
        format!(
            "[[team]]\nid = \"pay\"\n{owns}members = [{{ email = \"ana@acme.example\" }}]
            [[team]]\nid = \"web\"\nmembers = [{{ email = \"ben@acme.example\"{alias} }}]\n"
        )
    }

    fn sha_of(sha: u8) -> String {
        format!("{sha:040x}")
    }

    /// The hour of a deed on the days before the reports can be later than now.
    fn hour(place: usize) -> Timestamp {
        let first: Timestamp = "2026-11-16T00:30:00Z".parse().unwrap();
        first + SignedDuration::from_hours(i64::try_from(place).unwrap() * 3)
    }

    fn report(db: &mut Db, place: usize, deed: &Deed) {
        let Deed::Report { session, is_fork, branches, sha, number } = deed else { return };
        let row = |(more, branch): (usize, &usize)| {
            json!({
                "hour": meter::Hour::of(hour(place + more)).to_string(), "branch": BRANCHES[*branch],
                "model": "claude-opus-5-5", "agent": "main", "workflow": "main", "speed": "standard", "geo": "",
                "prompt_band": "100k", "requests": 1, "input": 0, "output": 1000, "cache_read": 0, "cache_write_5m": 0,
                "cache_write_1h": 0, "web_search": 0,
            })
        };
        let commit = |sha: &u8| json!({"sha": sha_of(*sha), "branch": "one", "at": hour(place).to_string()});
        let action = |(number, created): &(u64, bool)| {
            let action = if *created { "created" } else { "reviewed" };
            json!({"number": number, "action": action, "at": hour(place).to_string()})
        };
        let changes = json!({
            "session_id": format!("8b41c8a0-0000-4000-8000-00000000000{session}"),
            "repo": if *is_fork { FORK } else { REPO }, "rank": {"parser": 1, "epoch": 1, "seq": place + 1},
            "developer": {"email": PEOPLE[usize::from(*session) % 2]},
            "usage": branches.iter().enumerate().map(row).collect::<Vec<_>>(),
            "commits": sha.iter().map(commit).collect::<Vec<_>>(),
            "pull_requests": number.iter().map(action).collect::<Vec<_>>(),
        });
        deliver(db, &changes).unwrap();
    }

    fn land(db: &mut Db, place: usize, deed: &Deed) -> Result<()> {
        let Deed::Land { number, sha, names, back } = deed else { return Ok(()) };
        let message = match (back, names) {
            (Some(back), _) => format!("Undo it (#{number})\n\nReverts #{back}"),
            (None, 0) => format!("Add (#{number})"), // its branch is nobody's to tell but the session's
            _ => format!("Merge pull request #{number} from acme/two\n\n{} {number}", NAMES[*names - 1]),
        };
        let (committed_at, author) = (hour(place), PEOPLE[usize::from(*sha) % 2].to_owned());
        let commit = Commit { sha: sha_of(*sha), parents: Vec::new(), committed_at, author, message };
        let landed = Landed { commit, members: Vec::new(), files: vec!["a.rs".to_owned()] };
        source(db)?;
        change_add(db, &REPO.parse()?, &[landed], Order::AsRead)
    }

    fn request(db: &mut Db, place: usize, deed: &Deed) -> Result<()> {
        asked(place, deed).map_or(Ok(()), |request| request_put(db, &REPO.parse()?, "github", &request))
    }

    fn asked(place: usize, deed: &Deed) -> Option<Request> {
        let Deed::Request { number, is_fork, branch, sha, stands, is_reopened } = deed else { return None };
        let at = |more: usize| hour(place + more);
        let closed =
            |at| TicketEvent { at, actor: None, step: Step::Closed { by_hand: false, as_done: true } };
        let opened = |at| TicketEvent { at, actor: None, step: Step::Reopened };
        let mut events = vec![closed(at(9))];
        events.extend(is_reopened.then(|| opened(at(60))));
        Some(Request {
            number: *number,
            title: "It".to_owned(),
            body: String::new(),
            base_branch: "main".to_owned(),
            head_repo: Some(if *is_fork { FORK } else { REPO }.to_owned()),
            head_branch: BRANCHES[*branch].to_owned(),
            author: Some("github:ben".to_owned()),
            opened_at: at(0),
            merged_at: (*stands == 1).then(|| at(8)),
            closed_at: (*stands > 0).then(|| at(8)),
            merge_sha: (*stands == 1).then(|| sha_of(*sha)),
            labels: if *is_fork { vec!["hotfix".to_owned()] } else { Vec::new() },
            commits: vec![RequestCommit {
                sha: sha_of(sha + 1),
                author: String::new(),
                message: String::new(),
            }],
            files: vec!["a.rs".to_owned()],
            fast_forward: *is_reopened,
            effort: Effort::default(),
            tickets: vec![Ticket { url: format!("https://h.x/{number}"), id: number.to_string(), events }],
        })
    }

    fn ticket(db: &mut Db, place: usize, deed: &Deed) -> Result<()> {
        let (Deed::Ticket(key, _) | Deed::NoTicket(key)) = deed else { return Ok(()) };
        let keys = [KEYS[*key].to_owned()];
        let revisions = key_revisions(db, "h.x")?;
        key_begin(db, &mut revisions.keys().map(|key| project_of(key)).collect(), &keys)?;
        let [key] = keys;
        let Deed::Ticket(_, reopened) = deed else { return key_miss(db, "h.x", &key) };
        let event = |hours: usize, step| {
            let at = hour(place) + SignedDuration::from_hours(i64::try_from(hours).unwrap());
            TicketEvent { at, actor: None, step }
        };
        let mut events = vec![event(0, Step::Done)];
        events.extend(reopened.map(|hours| event(hours, Step::Reopened)));
        let ticket = Ticket { url: format!("https://h.x/{key}"), id: key.clone(), events };
        key_put(db, ("h.x", "jira"), &key, (&ticket, &place.to_string()))
    }

    fn tracker(db: &mut Db, days: Option<i64>) -> Result<()> {
        let synced_at = days.map(|days| hour(0) + SignedDuration::from_hours(days * 24));
        let progress = service::Progress { cursor: String::new(), synced_at };
        service::service_put(db, "h.x", "jira", &progress)
    }

    /// The history is read by the clone that the source names.
    fn source(db: &mut Db) -> Result<()> {
        let repo = REPO.parse()?;
        source_put(db, &repo, &Cursor { kind: "clone", branch: "main", commit: "x" }, now())?;
        source_synced(db, &repo, now() + SignedDuration::from_hours(24 * 400))
    }

    fn perform(db: &mut Db, place: usize, deed: &Deed) -> Result<()> {
        let repo: Repo = REPO.parse()?;
        report(db, place, deed);
        db.transaction(|db| {
            land(db, place, deed)?;
            request(db, place, deed)?;
            ticket(db, place, deed)?;
            match deed {
                Deed::Tracker(days) => tracker(db, *days),
                Deed::NoTracker => service::service_retain(db, &[]),
                Deed::Cordon(true) => {
                    let branch = Some("two".to_owned());
                    cordon_add(db, &Cordon { branch, ..Cordon::default() }, "a test", now()).map(drop)
                }
                Deed::Cordon(false) => cordon_end(db, 1, "a test", now()).map(drop),
                Deed::Dispute => {
                    for row in db.query("SELECT DISTINCT sha FROM disqualification", &[])? {
                        let reason = Reason { text: "a test", by: "ana" };
                        dispute_add(db, (REPO, &row.get::<String>(0)?), reason, now())?;
                    }
                    Ok(())
                }
                Deed::Sent(ship, Some(sha)) => {
                    let (name, sha) = ("1.0".to_owned(), sha_of(*sha));
                    let told = Told { ship: *ship, name, sha, base_sha: None, at: hour(place) };
                    shipment_put(db, &repo, "github", &told)
                }
                Deed::Sent(ship, None) => shipment_remove(db, &repo, "github", *ship, "1.0"),
                Deed::Tag(sha) => tag_replace(db, &repo, &[("hotfix-1".to_owned(), sha_of(*sha))]),
                Deed::Window(window_days) => {
                    let policy = Policy { window_days: *window_days, ..Policy::default() };
                    policy_set(db, "pay", policy, "a test", now()).map(drop)
                }
                Deed::Forget(anew) => {
                    change_forget(db, &repo)?;
                    if *anew { source(db) } else { Ok(()) }
                }
                _ => Ok(()),
            }
        })?;
        if let Deed::Teams(owns, alias) = deed {
            teams(db, &text(*owns, *alias), now());
        }
        if let Deed::Ship(ship) = deed {
            let rule = format!("repositories = [{{ repo = \"{REPO}\", ship = \"{}\" }}]", ship.as_str());
            teams(db, &text(true, true).replace(&format!("repositories = [\"{REPO}\"]"), &rule), now());
        }
        Ok(())
    }

    /// All that a judging says.
    fn said(db: &mut Db) -> Vec<Vec<String>> {
        let queries = [
            "SELECT repo, sha, team, policy_id, state, excluded_as, shipped_at FROM change",
            "SELECT * FROM revert",
            "SELECT * FROM disqualification",
            "SELECT * FROM suspicion",
            "SELECT * FROM reopen",
            "SELECT * FROM change_tally",
            "SELECT * FROM team_week_tally",
            "SELECT * FROM judging",
            "SELECT * FROM work",
            "SELECT * FROM attribution_span",
            "SELECT * FROM class_sum WHERE cost_nanousd <> 0",
            "SELECT * FROM team_week_sum",
            "SELECT repo, told FROM repo_news",
            "SELECT session_id FROM session_news",
        ];
        let sorted = |sql: &str, db: &mut Db| {
            let mut rows = rows(db, sql);
            rows.sort();
            rows
        };
        queries.map(|sql| sorted(sql, db)).into()
    }

    #[test]
    fn whoever_stores_what_the_judge_reads_notes_it() {
        let repo: Repo = REPO.parse().unwrap();
        let land = |number, back| Deed::Land { number, sha: u8::try_from(number).unwrap(), names: 1, back };
        let request =
            Deed::Request { number: 3, is_fork: false, branch: 2, sha: 3, stands: 0, is_reopened: false };
        let asked = Deed::Report {
            session: 1,
            is_fork: false,
            branches: vec![1],
            sha: None,
            number: Some((1, true)),
        };
        let again = Deed::Ticket(0, Some(60));
        let deeds = [
            land(1, None),
            land(2, Some(1)),
            Deed::Dispute,
            request.clone(),
            asked,
            Deed::Tag(1),
            Deed::NoTicket(0), // the first key of its project
            again.clone(),
            Deed::Ticket(0, None),
            Deed::Teams(false, true),
            Deed::Teams(true, true),
            Deed::Teams(true, false),
            Deed::Window(3),
            Deed::Ship(Ship::Release),
            Deed::Sent(Ship::Release, Some(1)),
            Deed::Sent(Ship::Release, Some(2)),
            Deed::Sent(Ship::Release, None),
            Deed::Cordon(true),
            Deed::Cordon(false),
            Deed::Tracker(None),
            Deed::Forget(false),
        ];
        on_both(|db| {
            teams(db, &text(true, true), now());
            db.transaction(source).unwrap();
            for deed in &deeds {
                assert!(is_news(db, |db| perform(db, 0, deed)), "{deed:?}");
            }
            let moved = parse(&text(true, false).replace("ben@acme.example", "bea@acme.example")).unwrap();
            assert!(is_news(db, |db| teams_apply(db, &moved, now())));
            let cursor = Cursor { kind: "clone", branch: "trunk", commit: "x" };
            assert!(is_news(db, |db| source_put(db, &repo, &cursor, now())));
            let ship = Deed::Ship(Ship::Release);
            let sent = [Deed::Sent(Ship::Release, Some(1)), Deed::Sent(Ship::Release, None)];
            let tracked = Deed::Tracker(Some(1));
            let others =
                [Deed::Tag(1), Deed::Teams(true, true), tracked, again.clone(), request.clone(), ship];
            for deed in others.into_iter().chain(sent) {
                perform(db, 0, &deed).unwrap();
                assert!(!is_news(db, |db| perform(db, 0, &deed)), "{deed:?}, as it was");
            }
        });
    }

    /// Whether something waits to be judged after the deed, and nothing did before.
    fn is_news(db: &mut Db, deed: impl Fn(&mut Db) -> Result<()>) -> bool {
        judge_all(db, now(), now(), |_, _| Ok(())).unwrap();
        assert_eq!(news_waiting(db).unwrap(), None);
        deed(db).unwrap();
        news_waiting(db).unwrap().is_some()
    }

    #[test]
    fn a_ticket_of_a_request_is_news_as_far_as_more_happened_to_it() {
        let (repo, url): (Repo, _) = (REPO.parse().unwrap(), "https://h.x/3".to_owned());
        let event = |hours, step| TicketEvent { at: hour(hours), actor: None, step };
        let done = Ticket { url, id: "3".to_owned(), events: vec![event(1, Step::Done)] };
        let again = Ticket { events: vec![event(1, Step::Done), event(2, Step::Reopened)], ..done.clone() };
        let asked_for =
            Deed::Request { number: 3, is_fork: false, branch: 2, sha: 3, stands: 0, is_reopened: false };
        let request = asked(0, &asked_for).unwrap();
        let closing = |ticket: &Ticket| Request { tickets: vec![ticket.clone()], ..request.clone() };
        on_both(|db| {
            db.transaction(source).unwrap();
            let put = |ticket: &Ticket, db: &mut Db| request_put(db, &repo, "github", &closing(ticket));
            assert!(is_news(db, |db| put(&done, db)));
            assert!(!is_news(db, |db| put(&done, db)), "with its request, as it was");
            assert!(!is_news(db, |db| ticket_put(db, "github", &done)), "by itself, as it was");
            assert!(is_news(db, |db| put(&again, db)));
            assert!(is_news(db, |db| ticket_put(db, "github", &done)));
        });
    }

    #[test]
    fn what_is_decided_after_the_last_reading_is_judged_once_it_is_read() {
        let repo: Repo = REPO.parse().unwrap();
        let land = Deed::Land { number: 1, sha: 1, names: 1, back: None };
        on_both(|db| {
            perform(db, 0, &land).unwrap();
            let mut judged_anew = |read: i64, at: i64| {
                let then = |days: i64| hour(0) + SignedDuration::from_hours(days * 24);
                source_synced(db, &repo, then(read)).unwrap();
                db.batch("UPDATE repo_news SET told = 'as it was'").unwrap();
                let mut anew = None;
                judge_all(db, then(at), now(), |_, told| {
                    anew = Some(told != "as it was");
                    Ok(())
                })
                .unwrap();
                anew.unwrap()
            };
            assert!(judged_anew(10, 11));
            assert!(!judged_anew(10, 13));
            assert!(!judged_anew(10, 15), "it is decided by now, but was not read");
            assert!(!judged_anew(13, 15));
            assert!(judged_anew(14, 15));
            assert!(!judged_anew(15, 99));
        });
    }

    #[test]
    fn what_other_rules_judged_is_judged_anew() {
        on_both(|db| {
            db.transaction(source).unwrap();
            assert!(!is_news(db, |_| Ok(())), "by the same rules");
            let by = |rules: u32| format!("UPDATE judged SET version = '{rules}'");
            assert!(is_news(db, |db| db.batch(&by(RULES - 1))));
            assert!(!is_news(db, |db| db.batch(&by(RULES))));
        });
    }

    #[test]
    fn a_judging_from_nothing_that_did_not_end_is_begun_anew() {
        on_both(|db| {
            db.transaction(source).unwrap();
            let begin = |db: &mut Db| db.transaction(|db| run_begin(db, now())).unwrap();
            let first = begin(db);
            let second = begin(db);
            assert!(first.from_nothing && second.from_nothing);
            assert!(first.check(db).is_err(), "another one began");
            assert!(news_waiting(db).unwrap().is_some());
            second.check(db).unwrap();
            second.end(db).unwrap();
            assert!(!begin(db).from_nothing);
        });
    }

    #[test]
    fn what_time_or_a_session_tells_of_a_change_is_judged() {
        let opened_again = [
            Deed::Land { number: 1, sha: 1, names: 1, back: None },
            Deed::Ticket(0, Some(60)),
            Deed::Judge(0, false),
            Deed::Judge(9, true),
        ];
        let asked = [
            Deed::Land { number: 1, sha: 1, names: 0, back: None },
            Deed::Judge(0, false),
            Deed::Report {
                session: 1,
                is_fork: false,
                branches: vec![1],
                sha: None,
                number: Some((1, true)),
            },
            Deed::Judge(0, true),
        ];
        on_both(|db| judge_the_new(db, &opened_again));
        on_both(|db| judge_the_new(db, &asked));
    }

    #[test]
    fn what_is_new_is_all_that_is_to_be_judged() {
        let _server = cluster(); // one for all cases
        let run = |cases, check: &dyn Fn(&[Deed])| {
            let mut runner = TestRunner::new(ProptestConfig::with_cases(cases));
            let checked = runner.run(&vec(deed(), 1..48), |deeds| {
                check(&deeds);
                Ok(())
            });
            checked.unwrap();
        };
        run(96, &|deeds| on_sqlite(|db| judge_the_new(db, deeds)));
        run(4, &|deeds| on_both(|db| judge_the_new(db, deeds)));
    }

    /// Judges from time to time what is new, and then all there is: both say the same.
    fn judge_the_new(db: &mut Db, deeds: &[Deed]) {
        teams(db, &text(true, true), now());
        db.transaction(source).unwrap();
        let mut at = hour(1);
        for (place, deed) in deeds.iter().enumerate() {
            perform(db, place, deed).unwrap();
            let Deed::Judge(days, all) = deed else { continue };
            at += SignedDuration::from_hours(days * 24);
            judge_all(db, at, now(), |_, _| Ok(())).unwrap();
            if !all {
                continue;
            }
            let of_the_new = said(db);
            news(db).unwrap();
            judge_all(db, at, now(), |_, _| Ok(())).unwrap();
            assert_eq!(of_the_new, said(db), "at {at}");
        }
    }
}
