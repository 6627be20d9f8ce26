//! Incidents as issues tell them.

use super::*;
use crate::judge::judge_all;
use crate::store::incident::broken_list;
use crate::store::service::service_retain;
use ::tests::host::github::reported;

const INCIDENTS: &str =
    "SELECT incident, opened_at, COALESCE(resolved_at, '-'), COALESCE(sha, '-'), number FROM incident
    WHERE repo = 'github.com/acme/pay' AND service = 'github' ORDER BY incident";

fn told(number: u64, resolved: &str, cause: &str) -> String {
    format!("https://github.com/acme/pay/issues/{number}|2026-10-05T10:00:00Z|{resolved}|{cause}")
}

#[test]
fn issues_with_these_labels_tell_what_broke_and_what_it_came_from() {
    let host = StandIn::start("acme/pay");
    squash(&host, 1, "Add x", &day(1));
    let caused = format!("Nobody can pay.\n\nCaused by {}.", sha(1));
    host.state().reported = vec![
        reported(11, &caused, &["Incident", "pay"], &day(6), Some("COMPLETED")),
        reported(12, "Root cause: #1", &["sev:2"], &day(7), None),
        reported(13, "Caused by #1", &["bug"], &day(8), None),
        reported(14, "Caused by #1", &["incident"], &day(9), Some("NOT_PLANNED")),
    ];
    let before = host.state().reported.clone();
    let service = service(&host, "incidents = ['incident', 'sev*']");
    let others = self::service(&host, "incidents = ['bug']");
    let nothing = self::service(&host, "");
    on_both(|db| {
        syncs(db, &service);
        let first = [told(11, &day(6), &format!("{}|", sha(1))), told(12, "-", "-|1")];
        assert_eq!(rows(db, INCIDENTS), first);
        judge_all(db, now(), now(), |_, _| Ok(())).unwrap();
        assert_eq!(broken_list(db).unwrap().len(), 1, "both come from the one change");

        let asked = host.host().asked().len();
        host.state().reported[0] = reported(11, &caused, &["pay"], &day(10), Some("COMPLETED"));
        host.state().reported[1] = reported(12, "Root cause: #1", &["sev:2"], &day(11), Some("COMPLETED"));
        syncs(db, &service);
        assert_eq!(rows(db, INCIDENTS), [told(12, &day(11), "-|1")], "its label was taken away");
        let asked: Vec<Asked> = host.host().asked().split_off(asked);
        let since = |asked: &Asked| asked.body["variables"]["since"].as_str().map(str::to_owned);
        assert_eq!(asked.iter().find_map(since).as_deref(), Some("2026-10-09T11:50:00Z"), "what is new");

        syncs(db, &others);
        assert_eq!(rows(db, INCIDENTS), [told(13, "-", "-|1")], "other labels tell others");
        service_retain(db, &[]).unwrap();
        syncs(db, &service);
        assert_eq!(rows(db, INCIDENTS), [told(12, &day(11), "-|1")], "no source meanwhile");
        syncs(db, &nothing);
        assert_eq!(rows(db, INCIDENTS), [""; 0]);
        host.state().reported.clone_from(&before);
    });
}
