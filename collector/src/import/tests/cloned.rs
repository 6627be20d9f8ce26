//! A host beside a clone of the same repository.

use super::*;

/// A clone of what the host has, with the rebased request in commits of its own.
fn cloned(host: &StandIn, service: &Service) -> (tempfile::TempDir, LocalClone) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(".gitconfig"), "[user]\n\tname = Ana\n\temail = ana@acme.example\n")
        .unwrap();
    let path = folder.path().join("pay");
    let repository = Repository::create(&path, folder.path(), "https://github.com/acme/pay.git");
    let parts = ["first", "second"].map(|part| {
        std::fs::write(path.join(part), part).unwrap();
        repository.commit_at(&day(3), &format!("Add y, {part} part"))
    });
    repository.commit_at(&day(4), "Fix a typo");
    let named = |commit: &Value| commit["oid"].as_str().unwrap().to_owned();
    let mut state = host.state();
    for (place, part) in [2, 3].into_iter().zip(&parts) {
        assert!(parts.iter().all(|part| *part != named(&state.commits[place])));
        state.commits[place]["oid"] = json!(part);
    }
    state.requests[1]["mergeCommit"]["oid"] = json!(parts[1]);
    drop(state);
    (
        folder,
        LocalClone { repo: service.repo.clone(), path, branch: None, fetch: false, surviving_lines: false },
    )
}

const NUMBERS: &str = "SELECT COALESCE(number, 0), title, head_branch FROM change ORDER BY landed";
const GROUPED: [&str; 3] = ["0|first|", "2|Add y, first part|feature/2", "0|Fix a typo|"];

#[test]
fn with_a_clone_a_request_is_still_one_change() {
    let host = landings();
    let service = service(&host, "");
    let (_folder, clone) = cloned(&host, &service);
    on_both(|db| {
        sync(db, &clone, now()).unwrap();
        assert_eq!(rows(db, "SELECT COUNT(*) FROM change"), ["4"], "a clone alone cannot know");
        for _ in 0..2 {
            sync_with(db, &service, true).unwrap();
            sync(db, &clone, now()).unwrap();
            assert_eq!(rows(db, NUMBERS), GROUPED);
        }
        assert!(rows(db, "SELECT * FROM pull_request_file").is_empty(), "the clone knows the files");
    });
}

#[test]
fn what_a_clone_tells_before_its_host_is_one_change_later() {
    let host = landings();
    let service = service(&host, "");
    let (_folder, clone) = cloned(&host, &service);
    let whole = host.state().clone();
    on_both(|db| {
        host.state().requests.truncate(1);
        host.state().commits.truncate(1);
        sync_with(db, &service, true).unwrap();
        sync(db, &clone, now()).unwrap();
        assert_eq!(change_count(db, &service.repo).unwrap(), 4);
        *host.state() = whole.clone();
        sync_with(db, &service, true).unwrap();
        sync(db, &clone, now()).unwrap();
        assert_eq!(rows(db, NUMBERS), GROUPED);
        sync_with(db, &service, true).unwrap();
        assert_ne!(rows(db, "SELECT cursor FROM source"), [""], "once is enough");
    });
}

#[test]
fn what_a_clone_told_apart_is_one_change_once_the_host_alone_is_read() {
    let host = landings();
    let service = service(&host, "");
    let (_folder, clone) = cloned(&host, &service);
    let changes = "SELECT COALESCE(number, 0), title FROM change WHERE title LIKE 'Add y%'";
    let commits =
        "SELECT COUNT(*) FROM change_commit JOIN change AS c ON c.sha = change_sha WHERE number = 2";
    let files =
        "SELECT path FROM change_file JOIN change AS c ON c.sha = change_sha WHERE number = 2 ORDER BY path";
    on_both(|db| {
        sync(db, &clone, now()).unwrap();
        assert_eq!(rows(db, "SELECT COUNT(*) FROM change WHERE title LIKE 'Add y%'"), ["2"]);
        for _ in 0..2 {
            syncs(db, &service);
            assert_eq!(rows(db, changes), ["2|Add y, second part"]);
            assert_eq!(rows(db, commits), ["4"], "as pushed and as landed");
            assert_eq!(rows(db, files), ["first", "second"]);
        }
    });
}

#[test]
fn a_request_says_what_it_takes_back() {
    let host = StandIn::start("acme/pay");
    squash(&host, 1, "Add x", &day(1));
    squash(&host, 2, "Back to the old way", &day(2));
    let mut undo = host.state().requests[1].clone();
    undo["body"] = json!("Reverts acme/pay#1");
    host.state().touch(undo);
    let service = service(&host, "");
    on_both(|db| {
        syncs(db, &service);
        judge_repo_at(db, &service.repo, now());
        let reverts = "SELECT c.number, r.rule FROM revert AS r JOIN change AS c ON c.sha = r.sha";
        assert_eq!(rows(db, reverts), ["1|reference"]);
    });
}

#[test]
fn a_ticket_that_is_opened_again_is_found_although_its_request_rests() {
    let host = StandIn::start("acme/pay");
    for number in 1..=3 {
        squash(&host, number, &format!("Add {number}"), "2026-11-20T12:00:00Z");
        let id = format!("I_{number}");
        host.state().issues.push(issue(&id, &[("closed by PullRequest", "2026-11-20T12:00:01Z")]));
        host.state().requests.last_mut().unwrap()["closingIssuesReferences"] = json!([id]);
    }
    let fresh = host.state().clone();
    let service = service(&host, "");
    let states = "SELECT number, state FROM change ORDER BY number";
    on_both(|db| {
        teams(db, "", now());
        syncs(db, &service);
        judge_repo_at(db, &service.repo, now());
        assert_eq!(rows(db, states), ["1|pending", "2|pending", "3|pending"]);
        let closed = ("closed by PullRequest", "2026-11-20T12:00:01Z");
        host.state().issues = vec![
            issue("I_1", &[closed, ("reopened", "2026-11-22T12:00:00Z")]),
            issue(
                "I_2",
                &[
                    closed,
                    ("reopened", "2026-11-22T12:00:00Z"),
                    ("closed as NOT_PLANNED", "2026-11-22T12:09:00Z"),
                ],
            ),
        ];
        syncs(db, &service);
        for (at, expected) in [
            ("2026-11-22T11:59:59Z", ["1|pending", "2|pending", "3|pending"]),
            ("2026-11-25T12:00:00Z", ["1|disqualified", "2|pending", "3|pending"]),
        ] {
            judge_repo_at(db, &service.repo, at.parse().unwrap());
            assert_eq!(rows(db, states), expected, "{at}");
        }
        let evidence = "SELECT kind, rule, by_sha, by_url, happened_at FROM disqualification";
        let expected = "reopen|ticket||https://github.com/acme/pay/issues/1|2026-11-22T12:00:00Z";
        assert_eq!(rows(db, evidence), [expected]);
        assert_eq!(rows(db, "SELECT misclick, in_window FROM reopen ORDER BY ticket"), ["0|1", "1|1"]);
        *host.state() = fresh.clone();
    });
}
