//! Releases and deployments as GitHub tells them, and when changes shipped by them.

use super::*;
use crate::judge::judge_all;
use crate::store::service::service_retain;
use ::tests::host::github::{deployment, release};

fn teams_that_ship(ship: &str) -> String {
    format!("[[team]]\nid = \"pay\"\nship = \"{ship}\"\nrepositories = [\"github.com/acme/pay\"]\n")
}

/// A deployment that came to this end a day after it was begun.
fn deployed(id: &str, environment: &str, landed: u64, day_of: u64, end: &str) -> Value {
    let (begun, ended, gone) = (day(day_of), day(day_of + 1), day(day_of + 2));
    let statuses = [("PENDING", begun.as_str()), (end, &ended), ("INACTIVE", &gone)];
    deployment(id, environment, &sha(landed), &statuses)
}

#[test]
fn a_change_ships_with_what_its_host_released_or_deployed() {
    let host = StandIn::start("acme/pay");
    for number in 1..=5 {
        squash(&host, number, &format!("Add {number}"), &day(number));
    }
    host.state().releases =
        vec![release("v1", &sha(2), &day(6), false), release("v2-rc", &sha(5), &day(7), true)];
    host.state().deployments = vec![
        deployed("D_1", "production", 1, 8, "SUCCESS"),
        deployed("D_2", "staging", 5, 9, "SUCCESS"),
        deployed("D_3", "production", 4, 10, "SUCCESS"),
        deployed("D_4", "production", 5, 12, "FAILURE"),
    ];
    let service = service(&host, "releases = true\nenvironments = ['production']");
    let staging = self::service(&host, "environments = ['staging']");
    on_both(|db| {
        let shipped = |db: &mut Db, ship: &str| {
            teams(db, &teams_that_ship(ship), now());
            judge_all(db, now(), now(), |_, _| Ok(())).unwrap();
            rows(db, "SELECT number, SUBSTR(shipped_at, 1, 10) FROM change ORDER BY number")
        };
        syncs(db, &service);
        let released = ["1|2026-10-06", "2|2026-10-06", "3|9999-12-01", "4|9999-12-01", "5|9999-12-01"];
        assert_eq!(shipped(db, "release"), released);
        let deployed = ["1|2026-10-09", "2|2026-10-11", "3|2026-10-11", "4|2026-10-11", "5|9999-12-01"];
        assert_eq!(shipped(db, "deployment"), deployed);
        let known = rows(db, "SELECT * FROM shipment ORDER BY ship, name");
        assert_eq!(known.len(), 3);
        syncs(db, &service);
        assert_eq!(rows(db, "SELECT * FROM shipment ORDER BY ship, name"), known, "twice is the same");
        syncs(db, &staging);
        assert_eq!(rows(db, "SELECT name FROM shipment"), ["D_2"], "only what is asked for by now");
        syncs(db, &service);
        assert_eq!(rows(db, "SELECT * FROM shipment ORDER BY ship, name"), known, "also what is old");
        syncs(db, &staging);
        service_retain(db, &[]).unwrap();
        syncs(db, &service);
        assert_eq!(rows(db, "SELECT * FROM shipment ORDER BY ship, name"), known, "no source meanwhile");
    });
}
