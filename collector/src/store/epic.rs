//! What is larger than a ticket: epics and projects, the changes that are for them, and how long those took.

use super::db::{Db, Row, values};
use super::shipping::UNSHIPPED;
use anyhow::Result;
use jiff::{SignedDuration, Timestamp};
use meter::Repo;
use meter::outcome::project_of;
use std::collections::{BTreeMap, BTreeSet};

/// Keeps what the ticket of a key is a part of.
pub(crate) fn epic_put(db: &mut Db, tracker: &str, key: &str, epic: Option<&str>) -> Result<()> {
    let sql = "UPDATE ticket_key SET epic = $3 WHERE tracker = $1 AND key = $2";
    db.execute(sql, &values![tracker, key, epic])?;
    Ok(())
}

/// Keeps which changes of a repository name which tickets of these projects, by the sha of the one and the key of the
/// other.
pub(crate) fn change_key_put(
    db: &mut Db,
    repo: &Repo,
    projects: &BTreeSet<String>,
    named: &BTreeSet<(String, String)>,
) -> Result<()> {
    let rows = db.query("SELECT sha, key FROM change_key WHERE repo = $1", &values![repo.as_str()])?;
    let mut known: BTreeSet<(String, String)> =
        rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect::<Result<_>>()?;
    known.retain(|(_, key)| projects.contains(project_of(key)));
    for (sql, changed) in [
        ("DELETE FROM change_key WHERE repo = $1 AND sha = $2 AND key = $3", known.difference(named)),
        ("INSERT INTO change_key (repo, sha, key) VALUES ($1, $2, $3)", named.difference(&known)),
    ] {
        for (sha, key) in changed {
            db.execute(sql, &values![repo.as_str(), sha, key])?;
        }
    }
    Ok(())
}

/// How long each epic took of which a team shipped something since `first`: from the first session on a change for it,
/// else its request, else its merge, to the last one that shipped. By team, whose own changes alone count.
pub(crate) fn epic_list(db: &mut Db, first: Timestamp) -> Result<BTreeMap<String, Vec<SignedDuration>>> {
    let rows = db.query(
        "SELECT e.team, MIN(e.began_at), MAX(e.shipped_at) FROM (
            SELECT c.team, k.tracker, k.epic, c.shipped_at, COALESCE((
                SELECT MIN(u.hour) FROM attribution_span AS a
                JOIN usage AS u ON u.session_id = a.session_id AND u.repo = a.repo AND u.week = a.week
                    AND u.hour BETWEEN a.first_hour AND a.last_hour AND u.branch = a.branch
                WHERE a.change_repo = c.repo AND a.change = c.sha AND a.class IN ('commit', 'branch', 'carried')
            ), p.opened_at, c.merged_at) AS began_at
            FROM ticket_key AS k
            JOIN change_key AS n ON n.key = k.key
            JOIN change AS c ON c.repo = n.repo AND c.sha = n.sha
            LEFT JOIN pull_request AS p ON p.repo = c.repo AND p.number = c.number AND p.merged_at IS NOT NULL
            WHERE k.epic IS NOT NULL AND c.state IN ('pending', 'verified', 'disqualified') AND c.shipped_at < $2
         ) AS e
         GROUP BY e.team, e.tracker, e.epic HAVING MAX(e.shipped_at) >= $1",
        &values![first.to_string(), UNSHIPPED.to_string()],
    )?;
    let mut epics: BTreeMap<String, Vec<SignedDuration>> = BTreeMap::new();
    let took = |row: &Row| {
        let (began, shipped): (Timestamp, Timestamp) = (row.parse(1)?, row.parse(2)?);
        Ok::<_, anyhow::Error>(shipped.duration_since(began).max(SignedDuration::ZERO))
    };
    for row in &rows {
        epics.entry(row.get(0)?).or_default().push(took(row)?);
    }
    Ok(epics)
}
