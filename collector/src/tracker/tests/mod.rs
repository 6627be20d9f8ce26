//! Both trackers, read through stand-ins of their APIs into both databases.

mod asked;
mod faults;
mod reported;

use super::*;
use crate::judge::judge_all;
use crate::store::change::{change_forget, source_read};
use crate::store::dispute::{Reason, dispute_add};
use crate::store::epic::epic_list;
use crate::store::evidence::disqualification_list;
use crate::store::fixture::{cluster, now, on_both, rows, teams};
use crate::store::news::repo_news;
use crate::sync::{Round, wait_for};
use ::tests::host::Reply;
use ::tests::host::board::{Board, Card};
use ::tests::host::jira::Jira;
use ::tests::host::linear::Linear;
use serde_json::{Value, json};
use std::cell::RefCell;
use std::path::Path;
use std::time::Duration;

const TOKEN: &str = "hunter2";
const REPO: &str = "github.com/acme/pay";

fn source(text: &str) -> Source {
    let mut source: Source = toml::from_str(text).unwrap();
    let variable = |name: &str| match name {
        "JIRA_EMAIL" => Some("bot@acme.example".to_owned()),
        "JIRA_TOKEN" | "LINEAR_TOKEN" => Some(TOKEN.to_owned()),
        _ => None,
    };
    source.settle(Path::new(""), &variable).unwrap();
    source
}

fn jira() -> (Jira, Source) {
    let host = Jira::start(&[("PAY", "PAY"), ("SHOP", "SHOP")], 3);
    let source = source(&format!("kind = 'jira'\nurl = '{}'\nprojects = ['pay', 'SHOP']", host.url()));
    (host, source)
}

fn linear() -> (Linear, Source) {
    let host = Linear::start("acme", &["PAY", "SHOP"], 3);
    let text =
        format!("kind = 'linear'\nworkspace = 'acme'\nteams = ['PAY', 'SHOP']\nurl = '{}'", host.url());
    let source = source(&text);
    (host, source)
}

/// Runs `check` on a board of each tracker and a database of each kind.
fn each(check: impl Fn(&mut Db, &Board, &Source)) {
    let _server = cluster(); // the same for both
    let ((jira, of_jira), (linear, of_linear)) = (jira(), linear());
    for (board, source) in [(&jira.board, &of_jira), (&linear.board, &of_linear)] {
        on_both(|db| {
            board.cards().clear();
            begin(db);
            check(db, board, source);
        });
    }
}

/// Teams, and a repository that was read just now.
fn begin(db: &mut Db) {
    teams(db, "", now());
    db.execute(
        &format!("INSERT INTO source VALUES ('{REPO}', 'clone', 'main', 'x', '{}', NULL)", now()),
        &[],
    )
    .unwrap();
}

fn syncs(db: &mut Db, source: &Source) -> Result<(String, Vec<u64>)> {
    let waits = RefCell::new(Vec::new());
    let wait = |time: Duration| {
        waits.borrow_mut().push(time.as_secs());
        Ok(())
    };
    let pace = Pace { now, answer_max: Duration::from_secs(30), until: None, wait: &wait };
    wait_for(db, std::slice::from_ref(source))?;
    let told = Round::new(&[]).read(db, source, pace)?.to_string();
    Ok((told, waits.into_inner()))
}

#[track_caller]
fn reads(db: &mut Db, source: &Source, tickets: usize) {
    let (told, _) = syncs(db, source).unwrap();
    assert_eq!(told, format!("{} ({}): {tickets} tickets read", source.name(), source.kind()));
}

/// A change that landed at noon of the day in November 2026.
fn land(db: &mut Db, number: usize, day: u8, (branch, message): (&str, &str)) {
    let title = message.lines().next().unwrap();
    let sql = format!(
        "INSERT INTO change (repo, sha, landed, number, title, head_branch, author, merged_at, shipped_at) VALUES
            ('{REPO}', 'a{number}', {number}, {number}, '{title}', '{branch}', '', '{at}', '{at}')",
        at = format_args!("2026-11-{day:02}T12:00:00Z"),
    );
    db.execute(&sql, &[]).unwrap();
    let commit =
        format!("INSERT INTO change_commit VALUES ('{REPO}', 'a{number}', 'a{number}', '{message}')");
    db.execute(&commit, &[]).unwrap();
    repo_news(db, &REPO.parse().unwrap()).unwrap();
}

#[track_caller]
fn judged(db: &mut Db, at: &str, expected: &[&str]) {
    judge_all(db, at.parse().unwrap(), now(), |_, _| Ok(())).unwrap();
    assert_eq!(rows(db, "SELECT number, state FROM change ORDER BY number"), expected, "{at}");
}

const EVENTS: &str = "SELECT k.key, e.event, e.happened_at, COALESCE(e.actor, '-') FROM ticket_key AS k
    JOIN ticket_event AS e ON e.ticket = k.ticket ORDER BY k.key, e.place";

#[test]
fn a_change_fails_where_its_ticket_is_opened_again() {
    each(|db, board, source| {
        land(db, 1, 20, ("x", "PAY-1: Add x"));
        land(db, 2, 20, ("ana/pay-2-add-y", "Add y"));
        land(db, 3, 20, ("x", "Add z\n\nFixes SHOP-3"));
        land(db, 4, 20, ("x", "PAY-4: Add v"));
        land(db, 5, 21, ("x", "PAY-1: Add more of x"));
        land(db, 6, 23, ("x", "PAY-1: Mend x"));
        let done = ("done", "2026-11-20T13:00:00Z", "ana");
        board.put(Card::new(
            "PAY-1",
            &[("doing", "2026-11-19T13:00:00Z", "ana"), done, ("todo", "2026-11-22T12:00:00Z", "ben")],
        ));
        let at_once =
            [done, ("doing", "2026-11-22T12:00:00Z", "ana"), ("done", "2026-11-22T12:10:00Z", "ana")];
        board.put(Card::new("PAY-2", &at_once));
        let dropped = ("dropped", "2026-11-20T13:00:00Z", "ana");
        board.put(Card::new("SHOP-3", &[dropped, ("todo", "2026-11-22T12:00:00Z", "ben")]));
        board.put(Card::new("PAY-4", &[done]));
        board.put(Card::new("PAY-77", &[done, ("todo", "2026-11-22T12:00:00Z", "ben")]));
        reads(db, source, 4);
        judged(
            db,
            "2026-11-22T11:59:59Z",
            &["1|pending", "2|pending", "3|pending", "4|pending", "5|pending", "6|"],
        );
        let states = ["1|disqualified", "2|pending", "3|pending", "4|pending", "5|disqualified", "6|pending"];
        judged(db, "2026-11-25T12:00:00Z", &states);
        let url = if source.kind() == "jira" {
            format!("http://{}/browse", source.name())
        } else {
            "https://linear.app/acme/issue".to_owned()
        };
        let evidence = "SELECT sha, kind, rule, by_url, happened_at FROM disqualification ORDER BY sha";
        let expected =
            ["a1", "a5"].map(|sha| format!("{sha}|reopen|ticket|{url}/PAY-1|2026-11-22T12:00:00Z"));
        assert_eq!(rows(db, evidence), expected);
        let reopens = "SELECT sha, misclick, in_window FROM reopen ORDER BY sha";
        assert_eq!(rows(db, reopens), ["a1|0|1", "a2|1|1", "a5|0|1"]);
        let service = format!("{}|{}|{}", source.name(), source.kind(), now());
        assert_eq!(rows(db, "SELECT name, kind, synced_at FROM service"), [service]);
    });
}

#[test]
fn what_is_learnt_of_a_ticket_is_judged() {
    let done = ("done", "2026-11-20T13:00:00Z", "ana");
    let again = Card::new("PAY-1", &[done, ("todo", "2026-11-22T12:00:00Z", "ben")]);
    let host = Jira::start(&[("PAY", "PAY"), ("SHOP", "SHOP")], 3);
    let of =
        |projects: &str| source(&format!("kind = 'jira'\nurl = '{}'\nprojects = [{projects}]", host.url()));
    on_both(|db| {
        begin(db);
        host.board.cards().clear();
        land(db, 1, 20, ("x", "SHOP-3: Add x\n\nFixes PAY-1"));
        host.board.put(Card::new("PAY-1", &[done]));
        reads(db, &of("'PAY'"), 1);
        judged(db, "2026-11-25T12:00:00Z", &["1|pending"]);
        host.board.put(again.clone());
        reads(db, &of("'PAY'"), 1);
        judged(db, "2026-11-25T12:00:00Z", &["1|disqualified"]);
        reads(db, &of("'PAY', 'SHOP'"), 0);
        judged(db, "2026-11-25T12:00:00Z", &["1|pending"]); // its title names another, whose project nobody knew
    });
}

#[test]
fn a_state_that_was_deleted_hides_no_reopen() {
    each(|db, board, source| {
        land(db, 1, 20, ("x", "PAY-1: Add x"));
        let moves = [
            ("gone", "2026-11-19T13:00:00Z", "ana"),
            ("done", "2026-11-20T13:00:00Z", "ana"),
            ("gone", "2026-11-21T13:00:00Z", "ana"),
            ("doing", "2026-11-22T12:00:00Z", "ben"),
        ];
        board.put(Card::new("PAY-1", &moves));
        reads(db, source, 1);
        let expected = ["PAY-1|done|2026-11-20T13:00:00Z|ana", "PAY-1|reopened|2026-11-22T12:00:00Z|ben"];
        assert_eq!(rows(db, EVENTS), expected);
    });
}

#[test]
fn weeks_wait_for_a_tracker_until_it_is_no_source_any_more() {
    each(|db, _, source| {
        let early = "2026-11-20T12:00:00Z";
        let stands = |db: &mut Db| source_read(db).unwrap()[&REPO.parse().unwrap()].to_string();
        assert_eq!(stands(db), now().to_string());
        reads(db, source, 0);
        db.execute(&format!("UPDATE service SET synced_at = '{early}'"), &[]).unwrap();
        assert_eq!(stands(db), early);
        wait_for(db, std::slice::from_ref(source)).unwrap();
        assert_eq!(stands(db), early);
        db.execute("UPDATE service SET synced_at = NULL", &[]).unwrap();
        assert_eq!(stands(db), "1970-01-01T00:00:00Z");
        wait_for(db, &[]).unwrap();
        assert_eq!(stands(db), now().to_string());
    });
}

#[test]
fn weeks_wait_for_a_tracker_that_was_never_reached() {
    let (jira, source) = jira();
    on_both(|db| {
        begin(db);
        jira.host().fail([Some(Reply::Status(401, vec![], String::new()))]);
        syncs(db, &source).unwrap_err();
        let stands = source_read(db).unwrap()[&REPO.parse().unwrap()];
        assert_eq!(stands, Timestamp::UNIX_EPOCH);
    });
}

#[test]
fn a_key_of_two_trackers_stands_for_the_tickets_of_both() {
    let ((jira, of_jira), (linear, of_linear)) = (jira(), linear());
    let again = |day: &str| {
        let (done, todo) = (format!("2026-11-{day}T13:00:00Z"), format!("2026-11-{day}T18:00:00Z"));
        Card::new("PAY-1", &[("done", &done, "ana"), ("todo", &todo, "ben")])
    };
    for (first, second) in [("10", "20"), ("20", "10")] {
        jira.board.put(again(first));
        linear.board.put(again(second));
        on_both(|db| {
            begin(db);
            land(db, 1, 20, ("x", "PAY-1: Add x"));
            reads(db, &of_jira, 1);
            reads(db, &of_linear, 1);
            judged(db, "2026-11-25T12:00:00Z", &["1|disqualified"]);
        });
    }
}

#[test]
fn a_dispute_is_about_all_tickets_that_were_opened_again() {
    each(|db, board, source| {
        land(db, 1, 20, ("x", "PAY-1, PAY-2, PAY-3, PAY-4: Add x"));
        let done = ("done", "2026-11-20T13:00:00Z", "ana");
        let todo = ("todo", "2026-11-21T13:00:00Z", "ben");
        board.put(Card::new("PAY-1", &[done, todo]));
        board.put(Card::new("PAY-2", &[done, ("todo", "2026-11-22T13:00:00Z", "ben")]));
        let misclick = [done, todo, ("done", "2026-11-21T13:05:00Z", "ben")];
        board.put(Card::new("PAY-3", &misclick));
        board.put(Card::new("PAY-4", &[done]));
        reads(db, source, 4);
        let at = "2026-11-25T12:00:00Z";
        judged(db, at, &["1|disqualified"]);
        let repo = REPO.parse().unwrap();
        let held = |db: &mut Db| {
            let held = disqualification_list(db, &repo).unwrap().remove("a1").unwrap_or_default();
            held.into_iter()
                .map(|it| (it.by_url.unwrap()[..].rsplit('/').next().unwrap().to_owned(), it.at))
                .collect::<Vec<_>>()
        };
        let evidence = [("PAY-1", 21), ("PAY-2", 22)];
        assert_eq!(held(db), evidence.map(|(key, day)| (key.to_owned(), format!("2026-11-{day}T13:00:00Z"))));
        let dispute = |db: &mut Db| {
            dispute_add(db, (REPO, "a1"), Reason { text: "about y", by: "ana" }, now()).unwrap()
        };
        assert_eq!(dispute(db), 2);
        judged(db, at, &["1|pending"]);
        assert_eq!(held(db), []);
        assert_eq!(dispute(db), 0);
    });
}

#[test]
fn an_epic_lasts_from_its_first_change_to_its_last() {
    each(|db, board, source| {
        for (number, day) in [(1, 10), (2, 12), (3, 20), (4, 22)] {
            land(db, number, day, ("x", &format!("PAY-{number}: Add x")));
        }
        land(db, 5, 24, ("x", "Fix a typo"));
        let request = format!(
            "INSERT INTO pull_request (repo, number, title, body, base_branch, head_repo, head_branch, author,
                opened_at, merged_at, closed_at, merge_sha, labels) VALUES ('{REPO}', 1, 'Add x', '', 'main',
                '{REPO}', 'x', 'github:ana', '2026-11-01T12:00:00Z', '2026-11-10T12:00:00Z',
                '2026-11-10T12:00:00Z', 'a1', '')"
        );
        db.execute(&request, &[]).unwrap();
        let part =
            |key, of: &str, moves: &[_]| Card { part_of: Some(of.to_owned()), ..Card::new(key, moves) };
        // the third is a part of the second, the fourth of a project
        for (key, of) in [("PAY-1", "PAY-90"), ("PAY-2", "PAY-90"), ("PAY-3", "PAY-2"), ("PAY-4", "roadmap")]
        {
            board.put(part(key, of, &[]));
        }
        let epics = |db: &mut Db| rows(db, "SELECT key, epic FROM ticket_key ORDER BY key");
        let days = |db: &mut Db| {
            judge_all(db, now(), now(), |_, _| Ok(())).unwrap();
            let epics = epic_list(db, "2026-11-15T00:00:00Z".parse().unwrap()).unwrap();
            let mut days: Vec<i64> = epics.values().flatten().map(|took| took.as_hours() / 24).collect();
            days.sort_unstable();
            days
        };
        reads(db, source, 4);
        let is_jira = source.kind() == "jira";
        let third = if is_jira { "PAY-3|PAY-90" } else { "PAY-3|PAY-2" };
        assert_eq!(epics(db), ["PAY-1|PAY-90", "PAY-2|PAY-90", third, "PAY-4|roadmap"]);
        assert_eq!(days(db), if is_jira { [0, 19] } else { [0, 0] }, "what ended before is not told");
        board.put(part("PAY-1", "roadmap", &[("doing", "2026-11-24T12:00:00Z", "ana")]));
        reads(db, source, 4);
        assert_eq!(days(db), if is_jira { [8, 21] } else { [0, 21] });
        let (known, before) = (epics(db), "UPDATE change SET merged_at = '2026-01-01T12:00:00Z'");
        db.execute(before, &[]).unwrap();
        reads(db, source, 0);
        db.execute("UPDATE ticket_key SET epic = NULL, revision = '' WHERE ticket IS NOT NULL", &[]).unwrap();
        reads(db, source, 4);
        assert_eq!(epics(db), known, "an upgrade fills in what was not asked for before");
        db.transaction(|db| key_miss(db, source.name(), "PAY-1")).unwrap();
        reads(db, source, 0);
        db.transaction(|db| change_forget(db, &REPO.parse().unwrap())).unwrap();
        assert!(rows(db, "SELECT * FROM change_key").is_empty());
    });
}
