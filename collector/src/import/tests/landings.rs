//! Each way a request lands, and what becomes of a branch that was rewritten.

use super::*;

#[test]
fn each_way_to_land_is_one_change() {
    let host = landings();
    let service = service(&host, "");
    on_both(|db| {
        assert_eq!(syncs(db, &service).changes, 4);
        let expected = [
            "0|first||ana@acme.example",
            "1|Add x|feature/1|ben@acme.example",
            "2|Add y, second part|feature/2|ana@acme.example",
            "0|Fix a typo||ana@acme.example",
        ];
        assert_eq!(rows(db, CHANGES), expected);
        let commits =
            "SELECT COUNT(*) FROM change_commit WHERE change_sha = (SELECT sha FROM change WHERE number = 2)";
        assert_eq!(rows(db, commits), ["4"]);
    });
}

#[test]
fn what_landed_before_the_start_is_left_alone() {
    let host = landings();
    let service = service(&host, "since = '2026-10-03'");
    on_both(|db| {
        let imported = syncs(db, &service);
        assert_eq!((imported.requests, imported.landed, imported.changes), (1, 3, 2));
        assert_eq!(syncs(db, &service).changes, 2);
    });
}

#[test]
fn a_branch_that_was_rewritten_is_read_anew() {
    let host = landings();
    let service = service(&host, "");
    on_both(|db| {
        syncs(db, &service);
        let whole = host.state().commits.clone();
        host.state().commits.truncate(4);
        host.state().commits.push(commit(&sha(5), &day(5), "Fix another typo", None));
        assert_eq!(syncs(db, &service).changes, 4);
        let titles = rows(db, "SELECT title FROM change ORDER BY landed");
        assert_eq!(titles[1..], ["Add x", "Add y, second part", "Fix another typo"]);
        host.state().commits = whole;
    });
}

#[test]
fn a_branch_that_was_rewritten_is_unknown_until_all_of_it_is_read() {
    let host = landings();
    let service = service(&host, "");
    let whole = host.state().commits.clone();
    on_both(|db| {
        syncs(db, &service);
        let mut state = host.state();
        state.commits.clear();
        for number in 1..=150 {
            state.commits.push(commit(&sha(5000 + number), &day(5), &format!("Add {number}"), None));
        }
        drop(state);
        let known = |db: &mut Db| source_read(db).unwrap()[&service.repo];
        let mut cut_off = |questions: usize| {
            let refused = Some(Reply::Status(401, vec![], String::new()));
            host.host().fail(vec![None; questions].into_iter().chain([refused]));
            sync_with(db, &service, false).unwrap_err();
            assert_eq!(known(db), Timestamp::UNIX_EPOCH, "{questions}");
            change_count(db, &service.repo).unwrap()
        };
        // requests, branch, and both pages, behind which the history that was known is not
        assert_eq!(cut_off(4), 0);
        assert_eq!(cut_off(3), 100);
        assert_eq!(cut_off(2), 100);
        assert_eq!(syncs(db, &service).changes, 150);
        assert_eq!(known(db), now());
        host.state().commits = whole.clone();
    });
}

#[test]
fn another_branch_takes_the_place_of_the_one_before() {
    let host = landings();
    let service = service(&host, "");
    on_both(|db| {
        syncs(db, &service);
        let main = host.state().clone();
        let mut state = host.state();
        state.branch = Some("trunk".to_owned());
        state.commits.truncate(4);
        state.commits.push(commit(&sha(5), &day(5), "Fix another typo", None));
        drop(state);
        assert_eq!(syncs(db, &service).changes, 4);
        let titles = rows(db, "SELECT title FROM change ORDER BY landed");
        assert_eq!(titles[1..], ["Add x", "Add y, second part", "Fix another typo"]);
        assert_eq!(rows(db, "SELECT branch FROM source"), ["trunk"]);
        *host.state() = main;
    });
}

#[test]
fn a_commit_that_bears_a_time_of_long_ago_is_no_rewrite() {
    let host = landings();
    let service = service(&host, "");
    on_both(|db| {
        syncs(db, &service);
        let mut state = host.state();
        state.commits.push(commit(&sha(5), "2026-08-01T12:00:00Z", "Made long ago", None));
        state.commits.push(commit(&sha(6), &day(6), "Fix another typo", None));
        drop(state);
        let imported = syncs(db, &service);
        assert_eq!((imported.landed, imported.changes), (1, 5));
        host.state().commits.truncate(5);
    });
}

#[test]
fn the_past_is_not_read_beyond_a_page() {
    let host = StandIn::start("acme/pay");
    let long_ago = |number: u64| commit(&sha(1000 + number), "2026-08-01T12:00:00Z", "Old", None);
    host.state().commits = (1..=350).map(long_ago).collect();
    let service = service(&host, "");
    on_both(|db| {
        let before = host.queries().len();
        host.state().commits.push(commit(&sha(1), &day(1), "Add x", None));
        assert_eq!(syncs(db, &service).changes, 1);
        assert_eq!(host.queries()[before..][2..], ["History 100"; 2]);
        host.state().commits.pop();
        host.state().commits.push(commit(&sha(2), &day(2), "Add y", None));
        let before = host.queries().len();
        assert_eq!(syncs(db, &service).changes, 1);
        assert_eq!(host.queries()[before..][2..], ["History 100"; 4], "once more, as it was rewritten");
        assert_eq!(rows(db, "SELECT title FROM change"), ["Add y"]);
        host.state().commits.pop();
    });
}
