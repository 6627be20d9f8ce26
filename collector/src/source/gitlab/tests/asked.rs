//! Releases, deployments and incidents as GitLab tells them.

use super::*;
use crate::judge::judge_all;
use crate::store::fixture::teams;
use ::tests::host::gitlab::{deployment, release, reported};

fn shipped(db: &mut Db, ship: &str) -> Vec<String> {
    let file =
        format!("[[team]]\nid = \"pay\"\nship = \"{ship}\"\nrepositories = [\"gitlab.com/acme/pay\"]\n");
    teams(db, &file, now());
    judge_all(db, now(), now(), |_, _| Ok(())).unwrap();
    rows(db, "SELECT number, SUBSTR(shipped_at, 1, 10) FROM change ORDER BY number")
}

#[test]
fn a_change_ships_with_what_its_project_released_or_deployed() {
    let host = StandIn::start("acme/pay");
    for iid in 1..=4 {
        merge(&host, iid, "Add x", &day(iid));
    }
    host.state().releases = vec![
        release("v1.0", &sha(2), &day(6), false),
        release("v1.1-rc1", &sha(3), &day(7), false),
        release("v2.0", &sha(4), &day(8), true),
    ];
    host.state().deployments = vec![
        deployment(1, "production", &sha(1), "success", (&day(8), Some(&day(9)))),
        deployment(2, "staging", &sha(4), "success", (&day(9), None)),
        deployment(3, "production", &sha(4), "failed", (&day(10), Some(&day(10)))),
        deployment(4, "production", &sha(3), "success", (&day(12), None)),
    ];
    let both = service(&host, "releases = true\nenvironments = ['production']");
    let staging = service(&host, "environments = ['staging']");
    let known = "SELECT name FROM shipment ORDER BY name";
    on_both(|db| {
        syncs(db, &both);
        assert_eq!(rows(db, known), ["1", "4", "v1.0"]);
        assert_eq!(shipped(db, "release"), ["1|2026-10-06", "2|2026-10-06", "3|9999-12-01", "4|9999-12-01"]);
        assert_eq!(
            shipped(db, "deployment"),
            ["1|2026-10-09", "2|2026-10-12", "3|2026-10-12", "4|9999-12-01"]
        );
        syncs(db, &staging);
        assert_eq!(rows(db, known), ["2"], "only what is asked for by now");
        syncs(db, &both);
        assert_eq!(rows(db, known), ["1", "4", "v1.0"], "also what is old");
    });
}

#[test]
fn issues_with_these_labels_tell_what_broke_and_what_it_came_from() {
    let host = StandIn::start("acme/pay");
    merge(&host, 1, "Add x", &day(1));
    let mut duplicate = reported(14, "caused by !1", &["incident"], &day(9), true);
    duplicate["_links"]["closed_as_duplicate_of"] = json!("https://gitlab.com/api/v4/projects/7/issues/13");
    let mut typed = reported(15, "Root cause: #1", &[], &day(9), false);
    typed["issue_type"] = json!("incident");
    host.state().issues = vec![
        reported(11, "Caused by !1", &["Incident"], &day(6), true),
        reported(13, "Caused by !1", &["bug"], &day(8), false),
        duplicate,
        typed,
    ];
    let before = host.state().issues.clone();
    let service = service(&host, "incidents = ['incident']");
    let told = "SELECT SUBSTR(incident, 38), opened_at, COALESCE(resolved_at, '-'), COALESCE(number, 0) FROM incident
        WHERE service = 'gitlab' ORDER BY incident";
    let at = "2026-10-05T10:00:00Z";
    on_both(|db| {
        syncs(db, &service);
        let typed = format!("15|{at}|-|0"); // a number behind # is that of an issue
        assert_eq!(rows(db, told), [format!("11|{at}|{}|1", day(6)), typed.clone()]);
        host.state().issues[0] = reported(11, "Caused by !1", &["pay"], &day(10), true);
        syncs(db, &service);
        assert_eq!(rows(db, told), [typed], "its label was taken away");
        host.state().issues.clone_from(&before);
    });
}
