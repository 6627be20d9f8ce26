//! Incidents: what was told of them, whose they are, and which change each comes from.

use super::audit::{Event, audit_add};
use super::db::{Db, Row, Value, values};
use super::request::whole;
use crate::people::UNASSIGNED;
use crate::source::Issue;
use anyhow::Result;
use jiff::Timestamp;
use meter::Repo;
use meter::delivery::{Incident, Outage};
use meter::outcome::Target;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// What telling an incident did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kept {
    Added,
    Changed,
    /// It was told like that before.
    Same,
}

/// Who tells an incident, and where it happened.
pub(crate) struct Witness<'a> {
    pub actor: &'a str,
    pub service: &'a str,
    pub repo: &'a Repo,
}

/// Stores an incident as it is told now, and that it is another where it is; one that is told again without the commit it
/// comes from keeps the one it had. In one transaction.
pub(crate) fn incident_tell(
    db: &mut Db,
    Witness { actor, service, repo }: &Witness,
    told: &Incident,
    now: Timestamp,
) -> Result<Kept> {
    let key = values![repo.as_str(), *service, told.id.as_str()];
    let sha: Option<String> = if let Some(sha) = &told.sha {
        Some(sha.as_str().to_owned())
    } else {
        let known = "SELECT sha FROM incident WHERE repo = $1 AND service = $2 AND incident = $3";
        db.query(known, &key)?.first().map(|row| row.get(0)).transpose()?.flatten()
    };
    let from = sha.as_ref().map(|sha| format!(", from {sha}")).unwrap_or_default();
    let kept =
        incident_put(db, &key, &values![whole(told.opened), told.resolved.map(whole), sha, None::<i64>])?;
    let action = match kept {
        Kept::Added => "incident_told",
        Kept::Changed => "incident_changed",
        Kept::Same => return Ok(kept),
    };
    let until = told.resolved.map_or("it lasts".to_owned(), |at| format!("resolved {}", whole(at)));
    let detail = format!("{repo}: opened {}, {until}{from}", whole(told.opened));
    audit_add(db, now, &Event { actor, action, subject: told.id.as_str(), detail })?;
    Ok(kept)
}

/// Stores the incident that an issue of a host tells, or that it tells none.
pub(crate) fn issue_put(db: &mut Db, (repo, service): (&Repo, &str), issue: &Issue) -> Result<()> {
    let key = values![repo.as_str(), service, &issue.url];
    let Some(told) = &issue.incident else {
        let gone = "DELETE FROM incident WHERE repo = $1 AND service = $2 AND incident = $3";
        return db.execute(gone, &key).map(drop);
    };
    let (sha, number) = match &told.cause {
        Some(Target::Commit(id)) => (Some(id), None),
        Some(Target::Number(number)) => (None, Some(*number)),
        Some(Target::Title { .. }) | None => (None, None),
    };
    let row = values![whole(told.opened_at), told.resolved_at.map(whole), sha, number];
    incident_put(db, &key, &row).map(drop)
}

/// Forgets all incidents that a service has told.
pub(crate) fn incident_forget(db: &mut Db, repo: &Repo, service: &str) -> Result<()> {
    let told = "DELETE FROM incident WHERE repo = $1 AND service = $2";
    db.execute(told, &values![repo.as_str(), service]).map(drop)
}

/// Forgets all incidents at addresses that begin so, wherever they happened.
pub(crate) fn incident_clear(db: &mut Db, service: &str, address: &str) -> Result<()> {
    let told = "DELETE FROM incident WHERE service = $1 AND SUBSTR(incident, 1, LENGTH($2)) = $2";
    db.execute(told, &values![service, address]).map(drop)
}

fn incident_put(db: &mut Db, key: &[Value; 3], row: &[Value; 4]) -> Result<Kept> {
    let known = "SELECT opened_at, resolved_at, sha, number FROM incident
        WHERE repo = $1 AND service = $2 AND incident = $3";
    let known = db.query(known, key)?;
    let kept = match known.first() {
        Some(known) if known.is(row) => return Ok(Kept::Same),
        Some(_) => Kept::Changed,
        None => Kept::Added,
    };
    db.execute(
        "INSERT INTO incident (repo, service, incident, opened_at, resolved_at, sha, number)
         VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT (repo, service, incident) DO UPDATE SET opened_at = excluded.opened_at,
            resolved_at = excluded.resolved_at, sha = excluded.sha, number = excluded.number",
        &[key.as_slice(), row.as_slice()].concat(),
    )?;
    Ok(kept)
}

/// The change an incident comes from, as far as it is known.
pub(crate) fn incident_cause(db: &mut Db, witness: &Witness, incident: &str) -> Result<Option<String>> {
    let sql = "SELECT change FROM incident_cause WHERE repo = $1 AND service = $2 AND incident = $3";
    let rows = db.query(sql, &values![witness.repo.as_str(), witness.service, incident])?;
    rows.first().map(|row| row.get(0)).transpose()
}

/// The incidents that began since `first`, by the team of the change they come from, else by the one that owns all of
/// the repository.
pub(crate) fn outage_list(db: &mut Db, first: Timestamp) -> Result<BTreeMap<String, Vec<Outage>>> {
    let rows = db.query(
        "SELECT COALESCE(c.team, o.team, $2), i.opened_at, i.resolved_at FROM incident AS i
         LEFT JOIN incident_cause AS k ON k.repo = i.repo AND k.service = i.service AND k.incident = i.incident
         LEFT JOIN change AS c ON c.repo = k.repo AND c.sha = k.change
         LEFT JOIN (
            SELECT r.repo, MIN(r.team) AS team FROM team_repository AS r JOIN team AS t ON t.team = r.team
            WHERE t.ended_at IS NULL GROUP BY r.repo HAVING COUNT(*) = 1 AND MAX(r.paths) = ''
         ) AS o ON o.repo = i.repo
         WHERE i.opened_at >= $1",
        &values![whole(first), UNASSIGNED],
    )?;
    let mut outages: BTreeMap<String, Vec<Outage>> = BTreeMap::new();
    for row in rows {
        let resolved_at = row.get::<Option<String>>(2)?.map(|at| at.parse()).transpose()?;
        outages.entry(row.get(0)?).or_default().push(Outage { opened_at: row.parse(1)?, resolved_at });
    }
    Ok(outages)
}

/// The changes that incidents come from, by repository and sha.
pub(crate) fn broken_list(db: &mut Db) -> Result<BTreeSet<(String, String)>> {
    let rows = db.query("SELECT repo, change FROM incident_cause", &[])?;
    rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect()
}

/// An incident as it is shown with its change.
#[derive(Debug, Serialize)]
pub(crate) struct Shown {
    pub service: String,
    pub id: String,
    pub opened: String,
    pub resolved: Option<String>,
}

/// The incidents that come from a change.
pub(crate) fn incident_list(db: &mut Db, repo: &str, change: &str) -> Result<Vec<Shown>> {
    let rows = db.query(
        "SELECT i.service, i.incident, i.opened_at, i.resolved_at FROM incident AS i
         JOIN incident_cause AS k ON k.repo = i.repo AND k.service = i.service AND k.incident = i.incident
         WHERE i.repo = $1 AND k.change = $2",
        &values![repo, change],
    )?;
    let read = |row: &Row| {
        Ok(Shown { service: row.get(0)?, id: row.get(1)?, opened: row.get(2)?, resolved: row.get(3)? })
    };
    let mut all = rows.iter().map(read).collect::<Result<Vec<_>>>()?;
    all.sort_by(|one, other| (&one.opened, &one.id).cmp(&(&other.opened, &other.id)));
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::fixture::{now, on_both, rows, teams};

    const CHANGES: &str = "
INSERT INTO source VALUES ('github.com/acme/pay', 'clone', 'main', 'x', '2026-11-25T00:00:00Z', NULL);
INSERT INTO change (repo, sha, landed, number, title, author, merged_at, shipped_at, team) VALUES
    ('github.com/acme/pay', 'a1', 1, 7, 'one', 'x', '2026-11-23T10:00:00Z', '2026-11-23T10:00:00Z', 'web'),
    ('github.com/acme/pay', 'a2', 2, 8, 'two', 'x', '2026-11-23T12:00:00Z', '2026-11-23T12:00:00Z', 'web');
INSERT INTO change_commit VALUES ('github.com/acme/pay', '1111111aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', 'a1', '');
INSERT INTO change_commit VALUES ('github.com/acme/pay', '1111111bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb', 'a2', '');";

    fn told(id: &str, resolved: Option<&str>, sha: Option<&str>) -> Incident {
        Incident {
            id: id.parse().unwrap(),
            opened: "2026-11-24T10:00:00.5Z".parse().unwrap(),
            resolved: resolved.map(|at| at.parse().unwrap()),
            sha: sha.map(|sha| sha.parse().unwrap()),
        }
    }

    const COMMIT: &str = "1111111aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

    #[test]
    fn an_incident_is_told_as_often_as_one_likes() {
        on_both(|db| {
            db.batch(CHANGES).unwrap();
            let pay: Repo = "github.com/acme/pay".parse().unwrap();
            let witness = Witness { actor: "token 1", service: "api", repo: &pay };
            let put = |db: &mut Db, incident: &Incident| {
                db.transaction(|db| incident_tell(db, &witness, incident, now())).unwrap()
            };
            assert_eq!(put(db, &told("INC-1", None, None)), Kept::Added);
            assert_eq!(put(db, &told("INC-1", None, None)), Kept::Same);
            let resolved = told("INC-1", Some("2026-11-24T12:00:00Z"), Some(COMMIT));
            assert_eq!([put(db, &resolved), put(db, &resolved)], [Kept::Changed, Kept::Same]);
            assert_eq!(put(db, &told("INC-1", Some("2026-11-24T12:00:00Z"), None)), Kept::Same);
            let row =
                format!("github.com/acme/pay|api|INC-1|2026-11-24T10:00:00Z|2026-11-24T12:00:00Z|{COMMIT}|");
            assert_eq!(rows(db, "SELECT * FROM incident"), [row]);
            let audit = rows(db, "SELECT actor, action, subject, detail FROM audit ORDER BY audit_id");
            let told =
                "token 1|incident_told|INC-1|github.com/acme/pay: opened 2026-11-24T10:00:00Z, it lasts";
            assert!(audit.contains(&told.to_owned()), "{audit:?}");
            let changed = format!(
                "token 1|incident_changed|INC-1|github.com/acme/pay: opened 2026-11-24T10:00:00Z, resolved \
                 2026-11-24T12:00:00Z, from {COMMIT}"
            );
            assert_eq!(audit.last(), Some(&changed));
            assert_eq!(audit.iter().filter(|row| row.contains("INC-1")).count(), 2);
            assert_eq!(incident_cause(db, &witness, "INC-1").unwrap().as_deref(), Some("a1"));
        });
    }

    #[test]
    fn an_incident_comes_from_one_change_or_from_none_that_is_known() {
        on_both(|db| {
            teams(db, "[[team]]\nid = \"pay\"\nrepositories = [\"github.com/acme/pay\"]\n", now());
            db.batch(CHANGES).unwrap();
            let all = [
                ("commit", Some("1111111a"), None),
                ("several", Some("1111111"), None),
                ("unknown", Some("2222222"), Some(7)),
                ("request", None, Some(8)),
                ("nothing", None, None),
            ];
            for (incident, sha, number) in all {
                let (key, at) = ("github.com/acme/pay", "2026-11-24T10:00:00Z");
                db.execute(
                    "INSERT INTO incident VALUES ($1, 'github', $2, $3, NULL, $4, $5)",
                    &values![key, incident, at, sha, number.map(|number: u64| number)],
                )
                .unwrap();
            }
            db.batch("INSERT INTO incident VALUES ('github.com/acme/web', 'api', 'x', '2026-11-24T10:00:00Z', NULL, NULL, 8)")
                .unwrap();
            let causes = rows(db, "SELECT incident, change FROM incident_cause ORDER BY change");
            assert_eq!(causes, ["commit|a1", "request|a2"]);
            let mut since = |at: &str| -> Vec<(String, usize)> {
                let teams = outage_list(db, at.parse().unwrap()).unwrap();
                teams.into_iter().map(|(team, all)| (team, all.len())).collect()
            };
            let expected = [("pay", 3), ("unassigned", 1), ("web", 2)].map(|(team, n)| (team.to_owned(), n));
            assert_eq!(since("2026-11-24T10:00:00Z"), expected);
            assert!(since("2026-11-24T10:00:01Z").is_empty());
            let shown = incident_list(db, "github.com/acme/pay", "a2").unwrap();
            assert_eq!(shown.iter().map(|one| one.id.as_str()).collect::<Vec<_>>(), ["request"]);
            let broken = broken_list(db).unwrap();
            assert!(
                broken.len() == 2 && broken.contains(&("github.com/acme/pay".to_owned(), "a1".to_owned()))
            );
        });
    }
}
