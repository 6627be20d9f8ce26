//! What brings changes to users: the rules, the releases and deployments, and when each change shipped by them.

use super::db::{Db, Row, values};
use super::news::repo_news;
use super::request::whole;
use crate::people::file::Teams;
use anyhow::Result;
use jiff::Timestamp;
use meter::Repo;
use meter::delivery::{Ship, ShipRule, Shipment, shipped};
use std::collections::BTreeMap;

/// When a change ships that has not: no clock gets there.
pub(crate) const UNSHIPPED: Timestamp = Timestamp::constant(253_399_622_400, 0);

/// Makes the rules those of teams.toml. Returns whether any is new or gone.
pub(super) fn shipping_put(db: &mut Db, teams: &Teams) -> Result<bool> {
    let mut known: BTreeMap<Repo, Vec<ShipRule>> = BTreeMap::new();
    for row in db.query("SELECT valid_from, ship, repo FROM shipping ORDER BY repo, valid_from", &[])? {
        known.entry(row.parse(2)?).or_default().push(rule(&row)?);
    }
    if known == teams.shipping {
        return Ok(false);
    }
    db.execute("DELETE FROM shipping", &[])?;
    for (repo, rules) in &teams.shipping {
        for ShipRule { from, ship } in rules {
            db.execute(
                "INSERT INTO shipping (repo, valid_from, ship) VALUES ($1, $2, $3)",
                &values![repo.as_str(), whole(*from), ship.as_str()],
            )?;
        }
    }
    Ok(true)
}

fn rule(row: &Row) -> Result<ShipRule> {
    Ok(ShipRule { from: row.parse(0)?, ship: row.word(1, Ship::from_word)? })
}

/// A release or deployment as a service tells it.
pub(crate) struct Told {
    pub ship: Ship,
    pub name: String,
    pub sha: String,
    /// The newest commit of the tracked branch in it.
    pub base_sha: Option<String>,
    pub at: Timestamp,
}

/// What a service has told of a repository, by name.
pub(crate) fn shipment_list(
    db: &mut Db,
    repo: &Repo,
    service: &str,
    ship: Ship,
) -> Result<BTreeMap<String, Told>> {
    let rows = db.query(
        "SELECT name, sha, base_sha, shipped_at FROM shipment WHERE repo = $1 AND service = $2 AND ship = $3",
        &values![repo.as_str(), service, ship.as_str()],
    )?;
    let told = |row: &Row| {
        let name: String = row.get(0)?;
        let told =
            Told { ship, name: name.clone(), sha: row.get(1)?, base_sha: row.get(2)?, at: row.parse(3)? };
        Ok((name, told))
    };
    rows.iter().map(told).collect()
}

pub(crate) fn shipment_put(db: &mut Db, repo: &Repo, service: &str, told: &Told) -> Result<()> {
    let stored = db.execute(
        "INSERT INTO shipment AS s (repo, service, ship, name, sha, base_sha, shipped_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT (repo, service, ship, name) DO UPDATE SET sha = excluded.sha, base_sha = excluded.base_sha,
            shipped_at = excluded.shipped_at
         WHERE (s.sha, COALESCE(s.base_sha, ''), s.shipped_at)
            <> (excluded.sha, COALESCE(excluded.base_sha, ''), excluded.shipped_at)",
        &values![
            repo.as_str(),
            service,
            told.ship.as_str(),
            &told.name,
            &told.sha,
            told.base_sha.as_ref(),
            whole(told.at)
        ],
    )?;
    if stored > 0 { repo_news(db, repo) } else { Ok(()) }
}

/// Forgets what a service no longer tells.
pub(crate) fn shipment_remove(db: &mut Db, repo: &Repo, service: &str, ship: Ship, name: &str) -> Result<()> {
    let removed = db.execute(
        "DELETE FROM shipment WHERE repo = $1 AND service = $2 AND ship = $3 AND name = $4",
        &values![repo.as_str(), service, ship.as_str(), name],
    )?;
    if removed > 0 { repo_news(db, repo) } else { Ok(()) }
}

/// Forgets all that a service has told.
pub(crate) fn shipment_forget(db: &mut Db, repo: &Repo, service: &str) -> Result<()> {
    let told = "DELETE FROM shipment WHERE repo = $1 AND service = $2";
    if db.execute(told, &values![repo.as_str(), service])? > 0 { repo_news(db, repo) } else { Ok(()) }
}

/// Tells of each change of a repository when it shipped.
pub(crate) fn change_ship(db: &mut Db, repo: &Repo) -> Result<()> {
    let key = values![repo.as_str()];
    let sql = "SELECT valid_from, ship FROM shipping WHERE repo = $1";
    let rules: Vec<ShipRule> = db.query(sql, &key)?.iter().map(rule).collect::<Result<_>>()?;
    if rules.iter().all(|rule| rule.ship == Ship::Merge) {
        let sql = "UPDATE change SET shipped_at = merged_at WHERE repo = $1 AND shipped_at <> merged_at";
        return db.execute(sql, &key).map(drop);
    }
    // a commit that a merge brought is in a release that need not contain the merge
    let shipments = db.query(
        "SELECT s.ship, s.shipped_at, c.landed FROM shipment AS s
         JOIN change_commit AS m ON m.repo = s.repo AND m.sha = COALESCE(s.base_sha, s.sha)
         JOIN change AS c ON c.repo = m.repo AND c.sha = m.change_sha
         WHERE s.repo = $1 AND (s.base_sha IS NOT NULL OR m.sha = c.sha)",
        &key,
    )?;
    let shipment = |row: &Row| {
        Ok(Shipment { ship: row.word(0, Ship::from_word)?, at: row.parse(1)?, landed: row.get(2)? })
    };
    let shipments: Vec<Shipment> = shipments.iter().map(shipment).collect::<Result<_>>()?;
    let rows = db.query("SELECT landed, merged_at, sha, shipped_at FROM change WHERE repo = $1", &key)?;
    let landed: Vec<(i64, Timestamp)> =
        rows.iter().map(|row| Ok((row.get(0)?, row.parse(1)?))).collect::<Result<_>>()?;
    for (row, at) in rows.iter().zip(shipped(&landed, &rules, &shipments)) {
        let at = at.unwrap_or(UNSHIPPED);
        if at != row.parse(3)? {
            let sql = "UPDATE change SET shipped_at = $3 WHERE repo = $1 AND sha = $2";
            db.execute(sql, &values![repo.as_str(), row.get::<String>(2)?, at.to_string()])?;
        }
    }
    Ok(())
}

/// A release or deployment that is what ships, with the team that owns all of its repository.
pub(crate) struct Sent {
    pub team: String,
    pub repo: String,
    pub at: Timestamp,
}

/// Those since `first`, in repositories where they are what ships; what two services tell of is one,
/// and so are two of one instant and commit.
pub(crate) fn sent_list(db: &mut Db, first: Timestamp) -> Result<Vec<Sent>> {
    let rows = db.query(
        "SELECT DISTINCT team, repo, sent_at, sha FROM (
            SELECT o.team, s.repo, MIN(s.shipped_at) AS sent_at, MIN(s.sha) AS sha FROM shipment AS s
            JOIN (
                SELECT r.repo, MIN(r.team) AS team FROM team_repository AS r JOIN team AS t ON t.team = r.team
                WHERE t.ended_at IS NULL GROUP BY r.repo HAVING COUNT(*) = 1 AND MAX(r.paths) = ''
            ) AS o ON o.repo = s.repo
            JOIN shipping AS h ON h.repo = s.repo AND h.ship = s.ship AND h.valid_from = (
                SELECT MAX(k.valid_from) FROM shipping AS k WHERE k.repo = s.repo AND k.valid_from <= s.shipped_at
            )
            GROUP BY o.team, s.repo, s.ship, s.name
         ) AS n WHERE sent_at >= $1",
        &values![whole(first)],
    )?;
    rows.iter().map(|row| Ok(Sent { team: row.get(0)?, repo: row.get(1)?, at: row.parse(2)? })).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::judge_all;
    use crate::store::delivered::delivered_list;
    use crate::store::fixture::{now, on_both, rows, teams};
    use crate::store::policy::policy_lags;

    const TEAMS: &str = "
[[team]]
id = \"pay\"
ship = \"release\"
repositories = [\"github.com/acme/pay\"]
[[team]]
id = \"web\"
repositories = [{ repo = \"github.com/acme/web\", ship = \"deployment\", ship_from = \"2026-10-15\" }]";

    const HISTORY: &str = "
INSERT INTO source VALUES ('github.com/acme/pay', 'clone', 'main', 'x', '2026-11-25T00:00:00Z', NULL);
INSERT INTO change (repo, sha, landed, number, title, author, merged_at, shipped_at) VALUES
    ('github.com/acme/pay', 'a1', 1, 1, 'one', 'x', '2026-10-01T10:00:00Z', '2026-10-01T10:00:00Z'),
    ('github.com/acme/pay', 'a2', 2, 2, 'two', 'x', '2026-10-02T10:00:00Z', '2026-10-02T10:00:00Z'),
    ('github.com/acme/pay', 'a3', 3, 3, 'three', 'x', '2026-10-20T10:00:00Z', '2026-10-20T10:00:00Z'),
    ('github.com/acme/pay', 'a4', 4, 4, 'Revert \"three (#3)\"', 'x', '2026-10-21T10:00:00Z', '2026-10-21T10:00:00Z');
INSERT INTO change_commit VALUES ('github.com/acme/pay', 'a1', 'a1', 'one (#1)');
INSERT INTO change_commit VALUES ('github.com/acme/pay', 'm2', 'a2', 'wip');
INSERT INTO change_commit VALUES ('github.com/acme/pay', 'a4', 'a4', 'Revert \"three (#3)\" (#4)');
INSERT INTO change_file VALUES ('github.com/acme/pay', 'a3', 'x');
INSERT INTO change_file VALUES ('github.com/acme/pay', 'a4', 'x');";

    fn pay() -> Repo {
        "github.com/acme/pay".parse().unwrap()
    }

    fn release(name: &str, sha: &str, base_sha: Option<&str>, at: &str) -> Told {
        let (name, sha, base_sha) = (name.to_owned(), sha.to_owned(), base_sha.map(str::to_owned));
        Told { ship: Ship::Release, name, sha, base_sha, at: at.parse().unwrap() }
    }

    const SHIPPED: &str = "SELECT number, shipped_at, state FROM change ORDER BY number";

    #[test]
    fn the_rules_are_those_of_the_file() {
        on_both(|db| {
            teams(db, TEAMS, now());
            let stored = "SELECT repo, valid_from, ship FROM shipping ORDER BY repo";
            let expected = [
                "github.com/acme/pay|1970-01-01T00:00:00Z|release",
                "github.com/acme/web|2026-10-15T00:00:00Z|deployment",
            ];
            assert_eq!(rows(db, stored), expected);
            teams(db, &TEAMS.replace("release", "merge"), now());
            assert_eq!(rows(db, stored), expected[1..]);
        });
    }

    #[test]
    fn a_change_is_judged_from_when_it_shipped() {
        on_both(|db| {
            teams(db, TEAMS, now());
            db.batch(HISTORY).unwrap();
            let judged = |db: &mut Db| {
                judge_all(db, now(), now(), |_, _| Ok(())).unwrap();
                rows(db, SHIPPED)
            };
            let waits = |number: u8, state: &str| format!("{number}|9999-12-01T00:00:00Z|{state}");
            let unshipped =
                [waits(1, "pending"), waits(2, "pending"), waits(3, "disqualified"), waits(4, "excluded")];
            assert_eq!(judged(db), unshipped);
            for told in ["SELECT * FROM team_week_tally", "SELECT * FROM change_tally"] {
                assert_eq!(rows(db, told), [""; 0], "what has not shipped is in no week");
            }
            assert_eq!(
                rows(db, "SELECT read_due_at FROM repo_news"),
                [""],
                "time alone decides nothing of it"
            );
            let told = [
                release("v1.0", "b1", Some("a1"), "2026-10-05T10:00:00Z"),
                release("v1.1", "m2", Some("m2"), "2026-11-20T10:00:00Z"),
            ];
            for told in &told {
                shipment_put(db, &pay(), "clone", told).unwrap();
            }
            for told in [
                release("v1.0", "a1", None, "2026-10-05T11:00:00Z"),
                release("v0.9", "m2", None, "2026-10-04T10:00:00Z"),
            ] {
                shipment_put(db, &pay(), "github", &told).unwrap();
            }
            let shipped =
                ["1|2026-10-05T10:00:00Z|verified".to_owned(), "2|2026-11-20T10:00:00Z|pending".to_owned()];
            assert_eq!(judged(db)[..2], shipped);
            assert_eq!(judged(db)[2..], unshipped[2..]);
            let weeks = "SELECT week, verified, pending FROM team_week_tally ORDER BY week";
            assert_eq!(rows(db, weeks), ["2026-W41|1|0", "2026-W47|0|1"]);
            let sent = |db: &mut Db| -> Vec<String> {
                let since = "2026-10-01T00:00:00Z".parse().unwrap();
                let sent = sent_list(db, since).unwrap();
                let mut sent: Vec<String> =
                    sent.into_iter().map(|one| format!("{} {}", one.team, one.at)).collect();
                sent.sort();
                sent
            };
            let each_once =
                ["pay 2026-10-04T10:00:00Z", "pay 2026-10-05T10:00:00Z", "pay 2026-11-20T10:00:00Z"];
            assert_eq!(sent(db), each_once);
            shipment_remove(db, &pay(), "clone", Ship::Release, "v1.1").unwrap();
            assert_eq!(judged(db)[1], unshipped[1]);
            teams(db, &TEAMS.replace("release", "merge"), now());
            let merged = ["1|2026-10-01T10:00:00Z|verified", "2|2026-10-02T10:00:00Z|verified"];
            assert_eq!(judged(db)[..2], merged);
            assert!(sent(db).is_empty());
        });
    }

    #[test]
    fn what_is_learnt_late_of_shipping_restates_the_weeks_that_closed() {
        let closed = "SELECT week, closed_verified, verified, restatements FROM team_week_closing
            WHERE team = 'pay' AND week IN ('2026-W40', '2026-W41') ORDER BY week";
        on_both(|db| {
            teams(db, TEAMS, now());
            db.batch(HISTORY).unwrap();
            let told = |db: &mut Db| {
                judge_all(db, now(), now(), |_, _| Ok(())).unwrap();
                rows(db, closed)
            };
            let first = release("v0.9", "a1", None, "2026-10-01T12:00:00Z");
            shipment_put(db, &pay(), "clone", &first).unwrap();
            assert_eq!(told(db), ["2026-W40|1|1|0", "2026-W41|0|0|0"]);
            let late = release("v1.0", "m2", Some("m2"), "2026-10-05T10:00:00Z");
            shipment_put(db, &pay(), "clone", &late).unwrap();
            assert_eq!(told(db), ["2026-W40|1|1|0", "2026-W41|0|1|1"]);
            teams(db, &TEAMS.replace("release", "merge"), now());
            assert_eq!(told(db), ["2026-W40|1|2|1", "2026-W41|0|0|2"]);
        });
    }

    #[test]
    fn a_repair_that_has_not_shipped_restored_nothing() {
        on_both(|db| {
            teams(db, TEAMS, now());
            db.batch(HISTORY).unwrap();
            let without_repair = release("v1.0", "a3", None, "2026-10-20T12:00:00Z");
            db.batch("INSERT INTO change_commit VALUES ('github.com/acme/pay', 'a3', 'a3', 'three (#3)')")
                .unwrap();
            shipment_put(db, &pay(), "clone", &without_repair).unwrap();
            let restored = |db: &mut Db| {
                judge_all(db, now(), now(), |_, _| Ok(())).unwrap();
                let all = delivered_list(db, Timestamp::UNIX_EPOCH, None).unwrap();
                all.iter().find(|one| one.sha == "a3").unwrap().restored_at.map(|at| at.to_string())
            };
            assert_eq!(restored(db), None);
            assert_eq!(policy_lags(db, "pay").unwrap().count(), 1);
            let repair = release("v1.1", "a4", None, "2026-10-22T12:00:00Z");
            shipment_put(db, &pay(), "clone", &repair).unwrap();
            assert_eq!(restored(db).as_deref(), Some("2026-10-22T12:00:00Z"));
            let after_it = release("v1.0", "a3", None, "2026-10-23T12:00:00Z");
            shipment_put(db, &pay(), "clone", &after_it).unwrap();
            judge_all(db, now(), now(), |_, _| Ok(())).unwrap();
            assert_eq!(policy_lags(db, "pay").unwrap().count(), 0, "taken back before it shipped");
            shipment_remove(db, &pay(), "clone", Ship::Release, "v1.0").unwrap();
            shipment_remove(db, &pay(), "clone", Ship::Release, "v1.1").unwrap();
            judge_all(db, now(), now(), |_, _| Ok(())).unwrap();
            assert_eq!(policy_lags(db, "pay").unwrap().count(), 0);
        });
    }
}
