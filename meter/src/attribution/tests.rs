//! Each rule with its edges, and what holds of any session on any ground.

use super::*;
use crate::vocabulary::PullRequestAction;
use proptest::prelude::*;

const REPO: &str = "github.com/acme/pay";
const WEB: &str = "github.com/acme/web";
const FORK: &str = "github.com/ben/pay";

/// An instant by its hour since the first of October.
fn at(hours: i64) -> Timestamp {
    later("2026-10-01T00:00:00Z".parse().unwrap(), SignedDuration::from_hours(hours))
}

fn minutes_past(hours: i64) -> Timestamp {
    later(at(hours), SignedDuration::from_mins(25))
}

/// A ground that tracks `main` of [`REPO`] and knows the requests that come to it.
fn ground(now: i64) -> Ground {
    let mut ground = Ground::new(at(now), Vec::new());
    ground.track(REPO, "main");
    ground.list_requests(REPO);
    ground
}

/// Adds a request by Ben on a branch, with one commit named after its number.
fn request(ground: &mut Ground, number: u64, branch: &str, opened: i64, fate: (Fate, Option<i64>)) -> usize {
    let work = ground.add(Work {
        author: Some("ben".to_owned()),
        opened_at: Some(at(opened)),
        closed_at: fate.1.map(minutes_past),
        fate: fate.0,
        is_cordoned: false,
    });
    ground.add_number(REPO, number, work);
    ground.add_head(REPO, branch, work);
    ground.add_commit(&format!("c{number}"), work);
    work
}

fn landed(hour: i64) -> (Fate, Option<i64>) {
    (Fate::Landed, Some(hour))
}

fn slot(branch: &str, hour: i64) -> Slot<'_> {
    Slot { repo: REPO, branch, hour: Hour::of(at(hour)) }
}

fn by<'a>(developer: &'a str, slots: &[Slot<'a>]) -> Session<'a> {
    Session { developer, slots: slots.to_vec(), ..Session::default() }
}

fn commit<'a>(branch: &'a str, sha: &'a str, hour: i64) -> Commit<'a> {
    Commit { repo: REPO, branch, sha, at: minutes_past(hour) }
}

fn action(number: u64, action: PullRequestAction, hour: i64) -> Action<'static> {
    Action { repo: REPO, number, action, at: minutes_past(hour) }
}

/// Says the verdicts as `class rule work`.
#[track_caller]
fn check(ground: &Ground, session: &Session, expected: &[&str]) {
    let shown = |verdict: &Verdict| {
        let work = verdict.work.map_or("-".to_owned(), |work| work.to_string());
        format!("{} {} {work}", verdict.class.as_str(), verdict.rule.as_str())
    };
    assert_eq!(ground.attribute(session).iter().map(shown).collect::<Vec<_>>(), expected, "{session:?}");
}

#[test]
fn a_row_goes_to_the_next_commit_of_its_place_else_to_the_last() {
    let mut ground = ground(100);
    for (number, branch, hour) in [(0, "x", 30), (1, "y", 31)] {
        request(&mut ground, number, branch, 0, landed(hour));
    }
    let slots =
        [slot("x", 4), slot("x", 5), slot("x", 6), slot("x", 8), slot("", 6), slot("", 8), slot("z", 5)];
    let mut session = by("ana", &slots);
    session.commits = vec![commit("x", "c0", 5), commit("y", "c1", 7)];
    let (first, second) = ("commit commit 0", "commit commit 1");
    check(&ground, &session, &[first, first, first, first, second, second, "in-flight no_request_yet -"]);
    session.commits = vec![commit("x", "c0", 5), commit("x", "c1", 7)];
    check(&ground, &by_slots(&session, &slots[..4]), &[first, first, second, second]);
}

fn by_slots<'a>(session: &Session<'a>, slots: &[Slot<'a>]) -> Session<'a> {
    let (commits, actions) = (session.commits.clone(), session.actions.clone());
    Session { developer: session.developer, is_ci: session.is_ci, commits, actions, slots: slots.to_vec() }
}

#[test]
fn an_amended_commit_is_passed_over_and_one_that_waits_is_not() {
    let mut ground = ground(100);
    request(&mut ground, 0, "other", 0, landed(30));
    let mut session = by("ana", &[slot("x", 4), slot("x", 6)]);
    session.commits = vec![commit("x", "amended", 5), commit("x", "c0", 7)];
    check(&ground, &session, &["commit commit 0", "commit commit 0"]);
    session.commits = vec![commit("x", "c0", 5), commit("x", "not landed", 7)];
    check(&ground, &session, &["commit commit 0", "in-flight no_request_yet -"]);
    session.commits = vec![commit("x", "c0", 2), commit("x", "not landed", 3)];
    check(&ground, &session, &["in-flight no_request_yet -"; 2]);
    request(&mut ground, 1, "waiting", 0, (Fate::Open, None));
    session.commits = vec![commit("x", "c1", 7), commit("x", "c0", 8)];
    check(&ground, &session, &["in-flight commit 1"; 2]);
}

#[test]
fn a_commit_in_several_changes_is_the_first_ones() {
    let mut ground = ground(100);
    let open = request(&mut ground, 0, "stacked", 0, (Fate::Open, None));
    let late = request(&mut ground, 1, "y", 0, landed(40));
    let early = request(&mut ground, 2, "z", 0, landed(30));
    let tied = request(&mut ground, 3, "w", 0, landed(30));
    for work in [open, late, early, tied, late, open] {
        ground.add_commit("shared", work);
    }
    let mut session = by("ana", &[slot("x", 4)]);
    session.commits = vec![commit("x", "shared", 5)];
    check(&ground, &session, &["commit commit 2"]);
}

#[test]
fn a_number_is_the_first_ones() {
    let mut ground = ground(100);
    request(&mut ground, 1, "x", 0, landed(30));
    let other = request(&mut ground, 2, "y", 0, landed(30));
    ground.add_number(REPO, 1, other);
    let actions = vec![action(1, PullRequestAction::Reviewed, 6)];
    check(&ground, &Session { actions, ..by("ana", &[slot("main", 5)]) }, &["review named 0"]);
}

#[test]
fn what_was_done_in_another_repository_tells_nothing() {
    let mut ground = ground(100);
    ground.track(WEB, "main");
    request(&mut ground, 1, "y", 0, landed(30));
    let web = ground.add(ground.works[0].clone());
    ground.add_number(WEB, 1, web);
    ground.add_head(WEB, "x", web);
    ground.add_commit("web", web);
    let of_web = |branch| Slot { repo: WEB, ..slot(branch, 6) };
    let (nothing, slots) = ("unattributed default_branch -", [slot("main", 5), of_web("x")]);
    check(&ground, &by("ben", &slots), &[nothing, "branch head_branch 1"]);
    let slots = [slot("main", 5), of_web("main")];
    let actions = vec![Action { repo: WEB, ..action(1, PullRequestAction::Reviewed, 6) }];
    check(&ground, &Session { actions, ..by("ana", &slots) }, &[nothing, "review named 1"]);
    let commits = vec![Commit { repo: WEB, ..commit("main", "web", 7) }];
    check(&ground, &Session { commits, ..by("ana", &slots) }, &[nothing, "commit commit 1"]);
}

#[test]
fn a_branch_is_its_requests_until_a_day_after() {
    let mut ground = ground(10_000);
    request(&mut ground, 0, "x", 10, landed(30));
    request(&mut ground, 1, "x", 200, landed(220));
    let ben = by("ben", &[0, 30, 31, 220, 244, 245].map(|hour| slot("x", hour)));
    let (first, second) = ("branch head_branch 0", "branch head_branch 1");
    check(&ground, &ben, &[first, first, second, second, second, "never-PR no_request -"]);
    let elsewhere = Slot { repo: FORK, ..slot("x", 5) };
    check(&ground, &by("ben", &[elsewhere]), &["unattributed unknown_repository -"]);
    ground.add_head(FORK, "x", 1);
    check(&ground, &by("ben", &[elsewhere]), &["branch head_branch 1"]);
}

#[test]
fn of_requests_that_are_open_at_once_the_one_that_lands_has_the_branch() {
    let mut ground = ground(1000);
    request(&mut ground, 0, "x", 10, (Fate::GivenUp, Some(30)));
    request(&mut ground, 1, "x", 12, landed(40));
    request(&mut ground, 2, "x", 14, landed(50));
    check(&ground, &by("ben", &[slot("x", 5)]), &["branch head_branch 1"]);
    request(&mut ground, 3, "y", 10, (Fate::GivenUp, Some(30)));
    request(&mut ground, 4, "y", 100, landed(140));
    let expected = ["abandoned head_branch 3", "branch head_branch 4"];
    check(&ground, &by("ben", &[slot("y", 5), slot("y", 120)]), &expected);
}

#[test]
fn what_did_not_land_says_why() {
    let mut ground = ground(1000);
    request(&mut ground, 0, "open", 10, (Fate::Open, None));
    request(&mut ground, 1, "given-up", 10, (Fate::GivenUp, Some(30)));
    let slots = [("open", 900), ("given-up", 20), ("new", 281), ("old", 280), ("main", 5), ("", 5), ("*", 5)];
    let expected = [
        "in-flight head_branch 0",
        "abandoned head_branch 1",
        "in-flight no_request_yet -",
        "never-PR no_request -",
        "unattributed default_branch -",
        "unattributed no_branch -",
        "unattributed no_branch -",
    ];
    for ((branch, hour), expected) in slots.into_iter().zip(expected) {
        check(&ground, &by("ben", &[slot(branch, hour)]), &[expected]);
    }
    let mut clone = Ground::new(at(1000), Vec::new());
    clone.track(REPO, "main");
    check(&clone, &by("ben", &[slot("x", 5)]), &["unattributed no_pr_source -"]);
}

#[test]
fn who_works_on_anothers_request_reviews_it() {
    let mut ground = ground(1000);
    request(&mut ground, 17, "x", 0, landed(30));
    request(&mut ground, 18, "y", 0, (Fate::Open, None));
    let mut ana = by("ana", &[slot("x", 5), slot("main", 5)]);
    check(&ground, &ana, &["review head_branch 0", "review carried 0"]);
    ana.slots = vec![slot("main", 5), slot("main", 9)];
    for word in [PullRequestAction::Reviewed, PullRequestAction::Named] {
        ana.actions = vec![action(17, word, 6), action(18, word, 8), action(99, word, 9)];
        check(&ground, &ana, &["review named 0", "review named 1"]);
    }
    ana.actions = vec![action(17, PullRequestAction::Created, 6), action(17, PullRequestAction::Reviewed, 6)];
    check(&ground, &ana, &["unattributed default_branch -"; 2]);
    ana.actions = vec![action(17, PullRequestAction::Reviewed, 6)];
    ana.commits = vec![commit("x", "c17", 7)];
    check(&ground, &ana, &["unattributed default_branch -"; 2]);
    let ben = Session { developer: "ben", commits: Vec::new(), ..by_slots(&ana, &ana.slots) };
    check(&ground, &ben, &["unattributed default_branch -"; 2]);
    ground.works[0].author = None;
    check(&ground, &by("ana", &[slot("x", 5)]), &["branch head_branch 0"]);
}

#[test]
fn what_began_on_the_default_branch_is_carried_to_one_branch() {
    let mut ground = ground(1000);
    request(&mut ground, 0, "x", 0, landed(90));
    request(&mut ground, 1, "y", 0, landed(90));
    request(&mut ground, 2, "z", 0, (Fate::Open, None));
    let to_x = "branch head_branch 0";
    let carried = |slots: &[Slot], expected: &[&str]| check(&ground, &by("ben", slots), expected);
    carried(&[slot("main", 5), slot("x", 29)], &["carried carried 0", to_x]);
    carried(&[slot("", 5), slot("x", 5)], &["carried carried 0", to_x]);
    carried(&[slot("main", 5), slot("x", 30)], &["unattributed default_branch -", to_x]);
    carried(&[slot("main", 5), slot("x", 4)], &["unattributed default_branch -", to_x]);
    let two = [slot("main", 5), slot("x", 6), slot("y", 6)];
    carried(&two, &["unattributed default_branch -", to_x, "branch head_branch 1"]);
    let next = [slot("main", 5), slot("x", 6), slot("y", 7)];
    carried(&next, &["carried carried 0", to_x, "branch head_branch 1"]);
    carried(&[slot("main", 5), slot("z", 6)], &["in-flight carried 2", "in-flight head_branch 2"]);
}

#[test]
fn ci_and_cordon_go_before_all_others() {
    let cordon = Cordon { branch: Some("spike/*".to_owned()), ..Cordon::default() };
    let mut ground = Ground { cordons: vec![cordon], ..ground(1000) };
    request(&mut ground, 0, "x", 0, landed(30));
    request(&mut ground, 1, "y", 0, landed(30));
    ground.works[1].is_cordoned = true;
    let slots = [slot("main", 5), slot("x", 5), slot("y", 5), slot("spike/a", 5)];
    let mut session = Session { is_ci: true, ..by("ben", &slots) };
    let (off, of_work) = ("cordon cordon -", "cordon cordon 1");
    check(&ground, &session, &["ci environment -", "ci environment 0", of_work, off]);
    session.actions = vec![action(0, PullRequestAction::CheckedOut, 5)];
    request(&mut ground, 2, "z", 0, landed(30));
    session.slots = vec![slot("main", 5), slot("z", 5)];
    check(&ground, &session, &["ci environment 0"; 2]);
    check(&ground, &by("ben", &[slot("main", 5), slot("spike/a", 6)]), &["cordon carried -", off]);
}

const BRANCHES: [&str; 5] = ["x", "y", "z", "main", ""];
const SHAS: [&str; 6] = ["c0", "c1", "c2", "c3", "c4", "c5"];

/// A ground and a session on it, of a few names, so that they meet often.
fn history() -> impl Strategy<Value = (Ground, Session<'static>)> {
    let asked = (0..3usize, 0..40i64, 0..40i64, 0..3u8, any::<bool>());
    (prop::collection::vec(asked, 0..5), session()).prop_map(|(requests, session)| {
        let mut ground = ground(800);
        for (number, (branch, opened, lasted, fate, is_cordoned)) in (0..).zip(requests) {
            let fate = match fate {
                0 => (Fate::Open, None),
                1 => (Fate::GivenUp, Some(opened + lasted)),
                _ => landed(opened + lasted),
            };
            let work = request(&mut ground, number, BRANCHES[branch], opened, fate);
            ground.works[work].is_cordoned = is_cordoned && number == 4;
        }
        (ground, session)
    })
}

fn session() -> impl Strategy<Value = Session<'static>> {
    let place = (0..2usize, 0..BRANCHES.len(), 0..40i64);
    let commits = prop::collection::vec((0..SHAS.len(), 0..40i64), 0..5);
    (prop::collection::vec(place, 0..12), commits, any::<bool>()).prop_map(|(places, mut commits, is_ci)| {
        let place = |(repo, branch, hour): (usize, usize, i64)| Slot {
            repo: [REPO, FORK][repo],
            ..slot(BRANCHES[branch], hour)
        };
        let slots: Vec<Slot> = places.into_iter().map(place).collect();
        commits.sort_by_key(|(_, hour)| *hour);
        let commits = commits.into_iter().map(|(sha, hour)| commit("x", SHAS[sha], hour)).collect();
        Session { is_ci, commits, ..by("ben", &slots) }
    })
}

proptest! {
    #[test]
    fn every_slot_goes_one_way_whatever_else_is_asked((ground, session) in history()) {
        let verdicts = ground.attribute(&session);
        prop_assert_eq!(verdicts.len(), session.slots.len());
        for verdict in &verdicts {
            let is_landed = verdict.work.is_some_and(|work| ground.works[work].fate == Fate::Landed);
            match verdict.class {
                Class::Commit | Class::Branch | Class::Carried => prop_assert!(is_landed),
                Class::NeverPr | Class::Unattributed => prop_assert!(verdict.work.is_none()),
                Class::Abandoned => prop_assert!(verdict.work.is_some() && !is_landed),
                Class::InFlight => prop_assert!(!is_landed),
                Class::Cordon | Class::Ci | Class::Review => {}
            }
            prop_assert_eq!(session.is_ci && verdict.class != Class::Cordon, verdict.class == Class::Ci);
        }
        let slots: Vec<Slot> = session.slots.iter().rev().copied().collect();
        let mut turned = ground.attribute(&by_slots(&session, &slots));
        turned.reverse();
        prop_assert_eq!(turned, verdicts);
    }
}
