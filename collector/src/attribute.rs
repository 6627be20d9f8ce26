//! Tells where spend went of which anything is new. The rules are `meter::attribution`; this hands them what is stored,
//! a page of sessions at a time or all there are, and takes the database for itself only to store what it found.

use crate::store::attribution::{ClassSums, Span, spans_begin, spans_index, spans_put};
use crate::store::db::Db;
use crate::store::map::{Grounds, Map};
use crate::store::news::Run;
use crate::store::page::{Page, Place, Sessions, Worked, page_next, page_read, session_told};
use anyhow::{Result, anyhow};
use meter::attribution::{Action, Commit, Session, Slot};
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::thread::{self, JoinHandle};

/// Sessions with news that are read at a time.
const PAGE: u32 = 512;
/// Sessions that are stored in one transaction.
const STORED_MAX: usize = 16_384;

/// The sessions of a judging from nothing, read by a thread of their own while histories are judged.
pub(crate) struct Ahead(Option<JoinHandle<Result<Sessions>>>);

impl Ahead {
    pub(crate) fn read(db: &Db, run: Run) -> Result<Self> {
        if !run.from_nothing {
            return Ok(Self(None));
        }
        let mut reader = db.reader()?;
        let read = move || reader.snapshot(|db| page_read(db, &Page::All));
        Ok(Self(Some(thread::Builder::new().name("sessions".to_owned()).spawn(read)?)))
    }
}

/// Attributes every session with news.
pub(crate) fn attribute(db: &mut Db, run: Run, ahead: Ahead) -> Result<()> {
    if let Some(reading) = ahead.0 {
        return attribute_all(db, run, reading);
    }
    if page_next(db, "", 1)?.is_none() {
        return Ok(());
    }
    let map = db.snapshot(|db| Map::read(db, run.at))?;
    let mut after = String::new();
    while let Some(last) = page_next(db, &after, PAGE)? {
        let page = Page::News { after, last: last.clone() };
        let sessions = db.snapshot(|db| page_read(db, &page))?;
        let grounds = db.snapshot(|db| map.ground_of_page(db, &page, &sessions))?;
        attribute_part(db, run, &told(&grounds, &sessions))?;
        after = last;
    }
    Ok(())
}

/// Attributes all there are. The next part is told by a thread of its own while one is stored.
fn attribute_all(db: &mut Db, run: Run, reading: JoinHandle<Result<Sessions>>) -> Result<()> {
    let grounds = db.snapshot(|db| Map::read(db, run.at)?.ground_of_all(db))?;
    let sessions = reading.join().map_err(|_| anyhow!("the thread that reads sessions ended"))??;
    db.transaction(|db| {
        run.check(db)?;
        spans_begin(db)
    })?;
    thread::scope(|scope| {
        let (parts, next) = sync_channel(1);
        let (grounds, sessions) = (&grounds, &sessions);
        scope.spawn(move || {
            let mut all = sessions.chunks(STORED_MAX);
            all.try_for_each(|part| parts.send(told(grounds, part))) // until storing one failed
        });
        next.into_iter().try_for_each(|part| attribute_part(db, run, &part))
    })?;
    db.transaction(|db| {
        run.check(db)?;
        spans_index(db)
    })
}

/// A session, and where its spend went.
type Told<'a> = (&'a str, &'a Worked, Vec<Span>);

fn told<'a>(grounds: &Grounds, sessions: &'a [(Arc<str>, Worked)]) -> Vec<Told<'a>> {
    sessions.iter().map(|(id, session)| (&**id, session, spans(grounds, session))).collect()
}

fn attribute_part(db: &mut Db, run: Run, told: &[Told]) -> Result<()> {
    db.transaction(|db| {
        run.check(db)?;
        store(db, told)
    })
}

/// Stores what is different of those that had no news since.
fn store(db: &mut Db, told: &[Told]) -> Result<()> {
    let mut sums = ClassSums::default();
    for (id, session, spans) in told {
        if !session_told(db, id, session.news)? || session.spans == *spans {
            continue;
        }
        for place in &session.places {
            for (spans, sign) in [(&session.spans, -1), (spans, 1)] {
                if let Some(span) = span_of(spans, place) {
                    let (team, week) = (Arc::clone(&place.team), Arc::clone(&place.lane.week));
                    sums.add(team, week, span.class, sign * place.nanousd);
                }
            }
        }
        spans_put(db, id, &session.spans, spans)?;
    }
    sums.store(db)
}

/// Where the spend of one session went.
fn spans(known: &Grounds, session: &Worked) -> Vec<Span> {
    let verdicts = known.ground.attribute(&seen(session));
    let mut spans: Vec<Span> = Vec::new();
    for (place, verdict) in session.places.iter().zip(verdicts) {
        let next = Span::of(place, verdict, &known.targets);
        match spans.last_mut().filter(|span| span.goes_on(&next)) {
            Some(span) => span.last_hour = place.hour,
            None => spans.push(next),
        }
    }
    spans
}

/// The span that covers the hour of a slot.
fn span_of<'a>(spans: &'a [Span], place: &Place) -> Option<&'a Span> {
    let after = spans.partition_point(|span| span.key() <= place.key());
    spans[..after].last().filter(|span| span.covers(place))
}

/// The session as the rules see it.
fn seen(session: &Worked) -> Session<'_> {
    Session {
        developer: &session.developer,
        is_ci: session.is_ci,
        commits: session
            .commits
            .iter()
            .map(|one| Commit { repo: &one.repo, branch: &one.branch, sha: &one.sha, at: one.at })
            .collect(),
        actions: session
            .actions
            .iter()
            .map(|one| Action { repo: &one.repo, number: one.number, action: one.action, at: one.at })
            .collect(),
        slots: session
            .places
            .iter()
            .map(|one| Slot { repo: &one.lane.repo, branch: &one.lane.branch, hour: one.hour })
            .collect(),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::http::reports::tests::deliver;
    use crate::judge::tests::judge_repo_at;
    use crate::store::cordon::{cordon_add, cordon_end};
    use crate::store::fixture::{now, on_both, rows, teams};
    use crate::store::news::{news, run_begin};
    use crate::store::outcome::change_commits;
    use crate::store::work::work_compare;
    use jiff::Timestamp;
    use meter::attribution::Cordon;
    use serde_json::{Value, json};

    /// Attributes all there is.
    pub(crate) fn attribute_anew(db: &mut Db, at: Timestamp) {
        news(db).unwrap();
        let run = db.transaction(|db| run_begin(db, at)).unwrap();
        let repo = "github.com/acme/pay".parse().unwrap();
        let commits = change_commits(db, &repo).unwrap();
        db.transaction(|db| work_compare(db, &repo, at, &commits)?.store(db, &repo, run)).unwrap();
        let ahead = Ahead::read(db, run).unwrap();
        attribute(db, run, ahead).unwrap();
    }

    const TEAMS: &str = r#"
[[team]]
id = "payments"
repositories = ["github.com/acme/pay"]
members = [{ email = "ana@acme.example" }, { email = "ben@acme.example", aliases = ["github:ben"] }]
"#;
    /// Request 1 landed as a squash, request 2 as a merge, 3 is open, 4 was given up; 5 landed, and nobody lists it;
    /// 6 was rebased, and only its host knows which commit that is.
    const HISTORY: &str = "
INSERT INTO source (repo, kind, branch, cursor, synced_at) VALUES ('github.com/acme/pay', 'clone', 'main', 'x', '');
INSERT INTO change (repo, sha, landed, number, title, head_branch, author, merged_at, shipped_at) VALUES
    ('github.com/acme/pay', 'a1', 1, 1, 'one', NULL, 'ben@acme.example', '2026-11-23T10:00:00Z', '2026-11-23T10:00:00Z'),
    ('github.com/acme/pay', 'a2', 2, 2, 'two', 'two', 'ana@acme.example', '2026-11-23T11:00:00Z', '2026-11-23T11:00:00Z'),
    ('github.com/acme/pay', 'a6', 4, NULL, 'six', NULL, 'ana@acme.example', '2026-11-23T12:00:00Z', '2026-11-23T12:00:00Z'),
    ('github.com/acme/pay', 'a5', 3, 5, 'five', NULL, 'ana@acme.example', '2026-11-23T12:00:00Z', '2026-11-23T12:00:00Z');
INSERT INTO change_commit VALUES ('github.com/acme/pay', 'a1', 'a1', ''), ('github.com/acme/pay', 'a2', 'a2', ''),
    ('github.com/acme/pay', 'a5', 'a5', '');
INSERT INTO pull_request (repo, number, title, body, base_branch, head_repo, head_branch, author, opened_at, merged_at, closed_at, labels)
VALUES
    ('github.com/acme/pay', 1, '', '', 'main', 'github.com/ben/pay', 'one', 'github:ben', '2026-11-22T05:00:00Z',
        '2026-11-23T10:00:00Z', '2026-11-23T10:00:00Z', 'spike'),
    ('github.com/acme/pay', 3, '', '', 'main', 'github.com/acme/pay', 'three', 'github:ben', '2026-11-22T05:00:00Z', NULL, NULL, ''),
    ('github.com/acme/pay', 4, '', '', 'main', 'github.com/acme/pay', 'four', NULL, '2026-11-22T05:00:00Z', NULL,
        '2026-11-22T09:00:00Z', '');
INSERT INTO pull_request (repo, number, title, body, base_branch, head_repo, head_branch, author, opened_at, merged_at, closed_at,
    merge_sha, labels)
VALUES ('github.com/acme/pay', 6, '', '', 'main', 'github.com/acme/pay', 'six', NULL, '2026-11-22T05:00:00Z',
    '2026-11-23T12:00:00Z', '2026-11-23T12:00:00Z', 'a6', '');";

    /// The golden report of one of the sessions, with its spend of an hour each on these branches.
    fn report(session: u8, branches: &[&str], changes: &Value) -> Value {
        let row = |(hour, branch): (usize, &&str)| {
            json!({
                "hour": format!("2026-11-22T{hour:02}:00:00Z"), "branch": branch, "model": "claude-opus-5-5",
                "agent": "main", "workflow": "main", "speed": "standard", "geo": "", "prompt_band": "100k",
                "requests": 1, "input": 0, "output": 1000, "cache_read": 0, "cache_write_5m": 0, "cache_write_1h": 0,
                "web_search": 0,
            })
        };
        let mut report = json!({
            "session_id": format!("8b41c8a0-0000-4000-8000-00000000000{session}"), "rank": {"parser": 1, "epoch": 1, "seq": 1},
            "usage": (4..).zip(branches).map(row).collect::<Vec<_>>(), "commits": [], "pull_requests": [],
        });
        for (name, value) in changes.as_object().unwrap() {
            report[name] = value.clone();
        }
        report
    }

    fn at_four(number: u64, action: &str) -> Value {
        json!([{"number": number, "action": action, "at": "2026-11-22T04:30:00Z"}])
    }

    const WENT: &str = "SELECT SUBSTR(session_id, 36), SUBSTR(hour, 12, 2), branch, class, rule, change, number FROM attribution
        ORDER BY session_id, hour";

    fn judged(db: &mut Db) -> Vec<String> {
        attribute_anew(db, now());
        rows(db, WENT)
    }

    #[test]
    fn spend_goes_where_the_session_was() {
        on_both(|db| {
            teams(db, TEAMS, now());
            db.batch(HISTORY).unwrap();
            let sha = "d728cec1f0a94f0f0b2b7c8d9e0f1a2b3c4d5e6f";
            let commits = json!([{"sha": sha, "branch": "x", "at": "2026-11-22T05:30:00Z"}]);
            db.batch(&format!("INSERT INTO change_commit VALUES ('github.com/acme/pay', '{sha}', 'a2', '')"))
                .unwrap();
            let ben = json!({"email": "ben@acme.example"});
            for report in [
                report(1, &["x", "x", "x", "main"], &json!({"commits": commits})),
                report(2, &["one", "one"], &json!({"repo": "github.com/ben/pay", "developer": ben})),
                report(3, &["one"], &json!({"repo": "github.com/ben/pay"})),
                report(4, &["main", "two", "three", "four"], &json!({})),
                report(5, &["five", "five", "main"], &json!({"pull_requests": at_four(5, "created")})),
                report(6, &["main"], &json!({"pull_requests": at_four(3, "reviewed")})),
                report(7, &[""], &json!({"repo": "none"})),
                report(8, &["two"], &json!({"environment": "ci"})),
                report(9, &["six"], &json!({})),
            ] {
                deliver(db, &report).unwrap();
            }
            let expected = [
                "1|04|x|commit|commit|a2|2",
                "1|05|x|commit|commit|a2|2",
                "1|06|x|commit|commit|a2|2",
                "1|07|main|unattributed|default_branch||",
                "2|04|one|branch|head_branch|a1|1",
                "2|05|one|branch|head_branch|a1|1",
                "3|04|one|review|head_branch|a1|1",
                "4|04|main|carried|carried|a2|2",
                "4|05|two|branch|head_branch|a2|2",
                "4|06|three|review|head_branch||3",
                "4|07|four|abandoned|head_branch||4",
                "5|04|five|branch|head_branch|a5|5",
                "5|05|five|branch|head_branch|a5|5",
                "5|06|main|unattributed|default_branch||",
                "6|04|main|review|named||3",
                "7|04||unattributed|unknown_repository||",
                "8|04|two|ci|environment|a2|2",
                "9|04|six|branch|head_branch|a6|6",
            ];
            assert_eq!(judged(db), expected);
            assert_eq!(rows(db, "SELECT COUNT(*) FROM attribution_span"), ["14"]);
            let cost = "SELECT number, team, state, cost_nanousd, review_nanousd, sessions, ai_assisted FROM change_cost
                WHERE number IS NOT NULL ORDER BY number";
            let costs = ["1|||60000000|20000000|2|1", "2|||120000000|0|3|1", "5|||40000000|0|1|1"];
            assert_eq!(rows(db, cost), costs);
            let covered = "SELECT repo, week, authors, reporting_authors FROM coverage";
            assert_eq!(
                rows(db, covered),
                ["github.com/acme/pay|2026-W48|2|0"],
                "they reported the week before"
            );
        });
    }

    #[test]
    fn to_judge_again_changes_nothing_and_more_rows_of_history_cost_nothing() {
        on_both(|db| {
            teams(db, TEAMS, now());
            db.batch(HISTORY).unwrap();
            deliver(db, &report(1, &["two", "two", "main"], &json!({}))).unwrap();
            deliver(db, &report(2, &["three"], &json!({"developer": {"email": "ben@acme.example"}})))
                .unwrap();
            let all = |db: &mut Db| {
                let spans =
                    rows(db, "SELECT * FROM attribution_span ORDER BY session_id, branch, first_hour");
                let sums = rows(db, "SELECT * FROM class_sum ORDER BY team, week, class");
                (spans, sums, rows(db, "SELECT * FROM team_week_class ORDER BY team, week, class"))
            };
            attribute_anew(db, now());
            let first = all(db);
            attribute_anew(db, now());
            assert_eq!(all(db), first);
            db.batch(
                "UPDATE pull_request SET labels = 'one' WHERE number = 3;
                INSERT INTO pull_request_commit VALUES ('github.com/acme/pay', 3, 'b1', 0, 1, 'x', ''),
                    ('github.com/acme/pay', 3, 'b2', 0, 2, 'x', '')",
            )
            .unwrap();
            attribute_anew(db, now());
            assert_eq!(all(db), first, "a label and commits more");
            let more = json!({"pull_requests": at_four(99, "commented"), "rank": {"parser": 1, "epoch": 1, "seq": 2}});
            deliver(db, &report(1, &["two", "two", "main"], &more)).unwrap();
            let unjudged = "SELECT cost_nanousd FROM team_week_class WHERE class = 'unjudged'";
            assert_eq!(rows(db, unjudged), ["60000000"], "until the next judging");
            attribute_anew(db, now());
            assert_eq!(all(db), first, "an action on a request nobody knows");
        });
    }

    #[test]
    fn spans_have_their_indexes_again_whatever_became_of_the_judging() {
        on_both(|db| {
            let indexes = |db: &mut Db| {
                let all = match db {
                    Db::Sqlite(_) => {
                        "SELECT sql FROM sqlite_schema WHERE tbl_name = 'attribution_span' AND type = 'index'
                        ORDER BY name"
                    }
                    Db::Postgres(_) => {
                        "SELECT indexdef FROM pg_indexes WHERE tablename = 'attribution_span' ORDER BY indexname"
                    }
                };
                rows(db, all)
            };
            let migrated = indexes(db);
            db.batch(HISTORY).unwrap();
            deliver(db, &report(1, &["three"], &json!({}))).unwrap();
            attribute_anew(db, now());
            assert_eq!(indexes(db), migrated);
            db.batch("DELETE FROM attribution_span").unwrap();
            spans_begin(db).unwrap();
            assert_eq!(indexes(db).len() + 3, migrated.len());
            attribute_anew(db, now());
            assert_eq!(indexes(db), migrated, "after one that did not end");
            spans_begin(db).unwrap();
            assert_eq!(indexes(db), migrated, "where there are spans");
        });
    }

    #[test]
    fn what_lands_later_moves_the_spend_that_built_it() {
        on_both(|db| {
            db.batch(HISTORY).unwrap();
            deliver(db, &report(1, &["three"], &json!({}))).unwrap();
            assert_eq!(judged(db), ["1|04|three|in-flight|head_branch||3"]);
            db.batch(
                "UPDATE pull_request SET merged_at = '2026-11-23T13:00:00Z', closed_at = '2026-11-23T13:00:00Z'
                    WHERE number = 3;
                INSERT INTO change (repo, sha, landed, number, title, author, merged_at, shipped_at) VALUES
                    ('github.com/acme/pay', 'a3', 4, 3, 'three', 'x', '2026-11-23T13:00:00Z', '2026-11-23T13:00:00Z')",
            )
            .unwrap();
            assert_eq!(judged(db), ["1|04|three|branch|head_branch|a3|3"]);
            attribute_anew(db, "2026-11-23T12:00:00Z".parse().unwrap());
            assert_eq!(rows(db, WENT), ["1|04|three|in-flight|head_branch||3"], "as it was before");
        });
    }

    #[test]
    fn what_a_session_spends_while_all_are_judged_is_judged_next() {
        on_both(|db| {
            db.batch(HISTORY).unwrap();
            let rank = |seq: u8| json!({"rank": {"parser": 1, "epoch": 1, "seq": seq}});
            deliver(db, &report(1, &["two"], &rank(1))).unwrap();
            deliver(db, &report(2, &["two"], &rank(1))).unwrap();
            attribute_anew(db, now());
            db.batch("UPDATE attribution_span SET rule = 'carried'").unwrap(); // all is to be told anew
            let map = Map::read(db, now()).unwrap();
            for seq in 2..4 {
                let sessions = page_read(db, &Page::All).unwrap();
                let grounds = map.ground_of_all(db).unwrap();
                deliver(db, &report(1, &["two", "two"][..usize::from(4 - seq)], &rank(seq))).unwrap();
                db.transaction(|db| store(db, &told(&grounds, &sessions))).unwrap();
                let unjudged = "SELECT SUBSTR(session_id, 36) FROM session_news";
                assert_eq!(rows(db, unjudged), ["1"], "snapshot {seq}");
                assert_eq!(rows(db, "SELECT SUBSTR(session_id, 36) FROM attribution_span"), ["2"]);
            }
        });
    }

    #[test]
    fn a_cordon_takes_spend_out_and_gives_it_back() {
        on_both(|db| {
            teams(db, TEAMS, now());
            db.batch(HISTORY).unwrap();
            deliver(db, &report(1, &["two", "spike/x"], &json!({}))).unwrap();
            deliver(db, &report(2, &["one"], &json!({"repo": "github.com/ben/pay"}))).unwrap();
            let cordoned = "SELECT team, cordon_nanousd FROM team_week_sum";
            let free = ["branch", "never-PR", "review"];
            let classes = |db: &mut Db| {
                attribute_anew(db, "2027-01-01T00:00:00Z".parse().unwrap());
                rows(db, "SELECT class FROM attribution ORDER BY session_id, hour")
            };
            assert_eq!(classes(db), free);
            let text = |text: &str| Some(text.to_owned());
            let rules = [
                (Cordon { branch: text("spike/*"), ..Cordon::default() }, ["branch", "cordon", "review"]),
                (Cordon { label: text("spike"), ..Cordon::default() }, ["branch", "never-PR", "cordon"]),
                (
                    Cordon { repo: text("github.com/acme/pay"), ..Cordon::default() },
                    ["cordon", "cordon", "cordon"],
                ),
            ];
            for (rule, expected) in rules {
                let id = cordon_add(db, &rule, "a spike", now()).unwrap();
                assert_eq!(classes(db), expected);
                let count = expected.iter().filter(|class| **class == "cordon").count();
                assert_eq!(rows(db, cordoned), [format!("payments|{}", count * 20_000_000)]);
                assert!(cordon_end(db, id, "it is over", now()).unwrap());
                assert!(!cordon_end(db, id, "it is over", now()).unwrap());
            }
            assert_eq!(classes(db), free);
            assert_eq!(rows(db, cordoned), ["payments|0"]);
            assert_eq!(rows(db, "SELECT COUNT(*) FROM audit WHERE actor = 'admin'"), ["6"]);
        });
    }

    #[test]
    fn a_change_behind_a_cordon_is_no_attempt() {
        on_both(|db| {
            db.batch(HISTORY).unwrap();
            let branch = Some("two".to_owned());
            cordon_add(db, &Cordon { branch, ..Cordon::default() }, "a spike", now()).unwrap();
            let repo = "github.com/acme/pay".parse().unwrap();
            judge_repo_at(db, &repo, now());
            let states = "SELECT title, state, excluded_as FROM change ORDER BY title";
            let expected = ["five|pending|", "one|pending|", "six|pending|", "two|excluded|cordon"];
            assert_eq!(rows(db, states), expected);
            assert_eq!(rows(db, "SELECT SUM(pending) FROM team_week_tally"), ["3"]);
        });
    }

    #[test]
    fn what_is_lent_is_borrowed() {
        on_both(|db| {
            let web = "[[team]]\nid = \"web\"\nmembers = [{ email = \"eve@acme.example\" }]\n";
            teams(db, &(TEAMS.to_owned() + web), now());
            db.batch(HISTORY).unwrap();
            let eve =
                json!({"developer": {"email": "eve@acme.example"}, "pull_requests": at_four(5, "created")});
            deliver(db, &report(1, &["five", "five", "main"], &eve)).unwrap();
            deliver(db, &report(2, &["five"], &json!({}))).unwrap();
            let repo = "github.com/acme/pay".parse().unwrap();
            judge_repo_at(db, &repo, now());
            attribute_anew(db, now());
            let work = "SELECT team, week, spend_nanousd, lent_nanousd, borrowed_nanousd, work_nanousd FROM team_week_work
                ORDER BY team, week";
            let expected = [
                "payments|2026-W47|20000000|0|40000000|60000000",
                "web|2026-W47|60000000|40000000|0|20000000",
            ];
            assert_eq!(rows(db, work), expected);
        });
    }
}
