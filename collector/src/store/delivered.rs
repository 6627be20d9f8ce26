//! What was delivered: each change that shipped, what is known of its way there, and what it cost.

use super::db::{Db, Row, Value, values};
use super::shipping::UNSHIPPED;
use anyhow::Result;
use jiff::Timestamp;
use meter::NanoUsd;
use meter::delivery::{Lines, Reviewed};
use meter::outcome::State;
use std::collections::BTreeMap;

/// A judged change with all that was spent on it, in whichever week.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Delivered {
    pub repo: String,
    pub sha: String,
    pub team: String,
    pub state: State,
    /// With excluded: what it is instead of an attempt.
    pub excluded_as: Option<String>,
    /// `None` where no host tells of its request.
    pub opened_at: Option<Timestamp>,
    /// By somebody else for the first time.
    pub reviewed_at: Option<Timestamp>,
    pub reviewed: Reviewed,
    /// Added and deleted.
    pub lines: Option<u64>,
    /// `None` where they were not counted.
    pub survived: Option<Lines>,
    pub merged_at: Timestamp,
    pub shipped_at: Timestamp,
    /// When the first change that repairs it shipped.
    pub restored_at: Option<Timestamp>,
    /// Of its request, in lower case.
    pub labels: Vec<String>,
    pub spent: Spent,
}

/// What a change cost without what is cordoned off.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Spent {
    pub cost: NanoUsd,
    /// Tokens that are known to have built it.
    pub built: u64,
    /// The first hour anybody built it.
    pub first_hour: Option<Timestamp>,
    /// Hours in which somebody built it.
    pub hours: u64,
    /// Of the cost what reviewing took.
    pub review: NanoUsd,
}

/// The changes that shipped since `first`, of one team or of all, in the order of shipping.
pub(crate) fn delivered_list(db: &mut Db, first: Timestamp, team: Option<&str>) -> Result<Vec<Delivered>> {
    let asked = values![first.to_string(), team.unwrap_or_default(), UNSHIPPED.to_string()];
    let rows = db.query(
        "SELECT c.repo, c.sha, c.team, c.state, c.excluded_as, p.opened_at, c.merged_at, c.shipped_at,
            p.reviewed_at, COALESCE(p.lines_changed, z.lines),
            (SELECT MIN(r.shipped_at) FROM disqualification AS d JOIN change AS r ON r.repo = d.repo AND r.sha = d.by_sha
             WHERE d.repo = c.repo AND d.sha = c.sha AND r.shipped_at < $3),
            COALESCE(p.labels, ''), p.reviews, p.comments, l.added, l.surviving
         FROM change AS c
         LEFT JOIN pull_request AS p ON p.repo = c.repo AND p.number = c.number AND p.merged_at IS NOT NULL
         LEFT JOIN change_size AS z ON z.repo = c.repo AND z.sha = c.sha
         LEFT JOIN line_survival AS l ON l.repo = c.repo AND l.sha = c.sha
         WHERE c.shipped_at >= $1 AND c.shipped_at < $3 AND (c.team = $2 OR $2 = '') AND c.state IS NOT NULL
         ORDER BY c.shipped_at, c.repo, c.sha",
        &asked,
    )?;
    let mut spent = spent(db, &asked[..2])?;
    let read = |row: &Row| {
        let (repo, sha): (String, String) = (row.get(0)?, row.get(1)?);
        Ok(Delivered {
            spent: spent.remove(&(repo.clone(), sha.clone())).unwrap_or_default(),
            repo,
            sha,
            team: row.get(2)?,
            state: row.word(3, State::from_word)?,
            excluded_as: row.get(4)?,
            opened_at: instant(row, 5)?,
            merged_at: row.parse(6)?,
            shipped_at: row.parse(7)?,
            reviewed_at: instant(row, 8)?,
            reviewed: Reviewed { rounds: row.get(12)?, comments: row.get(13)? },
            lines: row.get(9)?,
            survived: match (row.get(14)?, row.get(15)?) {
                (Some(added), Some(surviving)) => Some(Lines { added, surviving }),
                _ => None,
            },
            restored_at: instant(row, 10)?,
            labels: row.get::<String>(11)?.lines().map(str::to_owned).collect(),
        })
    };
    rows.iter().map(read).collect()
}

/// The number and title of changes, by repository and sha.
pub(crate) type Titles = BTreeMap<(String, String), (Option<u64>, String)>;

/// Of the changes of a team that shipped since `first`, by repository and sha.
pub(crate) fn title_list(db: &mut Db, first: Timestamp, team: &str) -> Result<Titles> {
    let rows = db.query(
        "SELECT repo, sha, number, title FROM change WHERE shipped_at >= $1 AND team = $2",
        &values![first.to_string(), team],
    )?;
    rows.iter().map(|row| Ok(((row.get(0)?, row.get(1)?), (row.get(2)?, row.get(3)?)))).collect()
}

fn instant(row: &Row, column: usize) -> Result<Option<Timestamp>> {
    Ok(row.get::<Option<String>>(column)?.map(|at| at.parse()).transpose()?)
}

/// By repository and sha; a change that is missing cost nothing that is known.
fn spent(db: &mut Db, asked: &[Value]) -> Result<BTreeMap<(String, String), Spent>> {
    let rows = db.query(
        "SELECT c.repo, c.sha, CAST(COALESCE(SUM(u.cost_nanousd), 0) AS BIGINT),
            CAST(COALESCE(SUM(CASE WHEN a.class IN ('ci', 'commit', 'branch')
                THEN u.input + u.output + u.cache_read + u.cache_write_5m + u.cache_write_1h END), 0) AS BIGINT),
            MIN(CASE WHEN a.class IN ('commit', 'branch', 'carried') THEN u.hour END),
            COUNT(DISTINCT CASE WHEN a.class IN ('commit', 'branch', 'carried') THEN u.hour END),
            CAST(COALESCE(SUM(CASE WHEN a.class = 'review' THEN u.cost_nanousd END), 0) AS BIGINT)
         FROM change AS c
         JOIN attribution_span AS a ON a.change_repo = c.repo AND a.change = c.sha
         JOIN usage AS u ON u.session_id = a.session_id AND u.repo = a.repo AND u.week = a.week
            AND u.hour BETWEEN a.first_hour AND a.last_hour AND u.branch = a.branch
         WHERE c.shipped_at >= $1 AND (c.team = $2 OR $2 = '') AND a.class <> 'cordon'
         GROUP BY c.repo, c.sha",
        asked,
    )?;
    let read = |row: &Row| {
        let spent = Spent {
            cost: NanoUsd(row.get(2)?),
            built: row.get(3)?,
            first_hour: instant(row, 4)?,
            hours: row.get(5)?,
            review: NanoUsd(row.get(6)?),
        };
        Ok(((row.get(0)?, row.get(1)?), spent))
    };
    rows.iter().map(read).collect()
}

/// Requests for the tracked branch of what a team alone owns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Requests {
    /// At this moment.
    pub open: usize,
    pub merged: usize,
    /// Closed without a merge.
    pub given_up: usize,
}

/// By team; those that were closed since `first`.
pub(crate) fn request_counts(db: &mut Db, first: Timestamp) -> Result<BTreeMap<String, Requests>> {
    let rows = db.query(
        "SELECT o.team, COUNT(CASE WHEN p.closed_at IS NULL THEN 1 END), COUNT(CASE WHEN p.merged_at >= $1 THEN 1 END),
            COUNT(CASE WHEN p.merged_at IS NULL AND p.closed_at >= $1 THEN 1 END)
         FROM pull_request AS p
         JOIN source AS s ON s.repo = p.repo AND s.branch = p.base_branch
         JOIN (
            SELECT r.repo, MIN(r.team) AS team FROM team_repository AS r JOIN team AS t ON t.team = r.team
            WHERE t.ended_at IS NULL GROUP BY r.repo HAVING COUNT(*) = 1 AND MAX(r.paths) = ''
         ) AS o ON o.repo = p.repo
         GROUP BY o.team",
        &values![first.to_string()],
    )?;
    let read = |row: &Row| {
        let count = |column| Ok::<_, anyhow::Error>(usize::try_from(row.get::<u64>(column)?)?);
        Ok((row.get(0)?, Requests { open: count(1)?, merged: count(2)?, given_up: count(3)? }))
    };
    rows.iter().map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::reports::tests::deliver;
    use crate::judge::judge_all;
    use crate::store::fixture::{now, on_both, teams};
    use serde_json::{Value as Json, json};

    const HISTORY: &str = "
INSERT INTO source VALUES ('github.com/acme/pay', 'clone', 'main', 'x', '2026-11-25T00:00:00Z', NULL);
INSERT INTO change (repo, sha, landed, number, title, head_branch, author, merged_at, shipped_at) VALUES
    ('github.com/acme/pay', 'a0', 1, 1, 'zero', 'zero', 'x', '2026-10-20T10:00:00Z', '2026-10-20T10:00:00Z'),
    ('github.com/acme/pay', 'a1', 2, 2, 'one', 'one', 'x', '2026-11-23T10:00:00Z', '2026-11-23T10:00:00Z'),
    ('github.com/acme/pay', 'a2', 3, 3, 'Revert \"one (#2)\"', 'two', 'x', '2026-11-23T12:00:00Z', '2026-11-23T12:00:00Z');
INSERT INTO line_survival VALUES ('github.com/acme/pay', 'a1', 1, 14, 'a2', 30, 20, '2026-11-25T00:00:00Z'),
    ('github.com/acme/pay', 'a2', 1, 14, 'a2', NULL, NULL, '2026-11-25T00:00:00Z');
INSERT INTO change_commit VALUES ('github.com/acme/pay', 'a2', 'a2', 'Revert \"one (#2)\" (#3)');
INSERT INTO pull_request (repo, number, title, body, base_branch, head_repo, head_branch, author, opened_at, merged_at,
    closed_at, labels, reviewed_at, lines_changed, reviews, comments)
VALUES ('github.com/acme/pay', 2, 'one', '', 'main', 'github.com/acme/pay', 'one', 'github:ana', '2026-11-22T06:00:00Z',
    '2026-11-23T10:00:00Z', '2026-11-23T10:00:00Z', 'bug
new ui', '2026-11-22T09:00:00Z', 40, 2, 7),
    ('github.com/acme/pay', 7, 'x', '', 'main', 'github.com/acme/pay', 'seven', NULL, '2026-11-22T06:00:00Z',
    NULL, NULL, '', NULL, NULL, NULL, NULL),
    ('github.com/acme/pay', 8, 'x', '', 'main', 'github.com/acme/pay', 'eight', NULL, '2026-11-22T06:00:00Z',
    NULL, '2026-11-23T06:00:00Z', '', NULL, NULL, NULL, NULL),
    ('github.com/acme/pay', 9, 'x', '', 'next', 'github.com/acme/pay', 'nine', NULL, '2026-11-22T06:00:00Z',
    NULL, NULL, '', NULL, NULL, NULL, NULL);";

    fn report(session: u8, email: &str, hours: &[u8], branch: &str) -> Json {
        let row = |hour: &u8| {
            json!({
                "hour": format!("2026-11-22T{hour:02}:00:00Z"), "branch": branch, "model": "claude-opus-5-5",
                "agent": "main", "workflow": "main", "speed": "standard", "geo": "", "prompt_band": "100k",
                "requests": 1, "input": 0, "output": 1000, "cache_read": 0, "cache_write_5m": 0, "cache_write_1h": 0,
                "web_search": 0,
            })
        };
        json!({
            "session_id": format!("8b41c8a0-0000-4000-8000-00000000000{session}"), "developer": {"email": email},
            "rank": {"parser": 1, "epoch": 1, "seq": 1}, "usage": hours.iter().map(row).collect::<Vec<_>>(),
            "commits": [], "pull_requests": [],
        })
    }

    #[test]
    fn a_change_is_told_with_its_request_and_its_spend() {
        on_both(|db| {
            let ana = "members = [{ email = \"ana@acme.example\", aliases = [\"github:ana\"] }]";
            let pay = "[[team]]\nid = \"pay\"\nrepositories = [\"github.com/acme/pay\"]\n";
            teams(db, &format!("{pay}{ana}\n"), now());
            db.batch(HISTORY).unwrap();
            deliver(db, &report(1, "ana@acme.example", &[4, 5], "one")).unwrap();
            deliver(db, &report(2, "ben@acme.example", &[3], "one")).unwrap();
            judge_all(db, now(), now(), |_, _| Ok(())).unwrap();
            let at = |text: &str| -> Timestamp { text.parse().unwrap() };
            let list = |db: &mut Db, first, team| delivered_list(db, at(first), team).unwrap();
            let found = list(db, "2026-11-01T00:00:00Z", Some("pay"));
            let spent = Spent {
                cost: NanoUsd(60_000_000),
                built: 2000,
                first_hour: Some(at("2026-11-22T04:00:00Z")),
                hours: 2,
                review: NanoUsd(20_000_000),
            };
            let one = Delivered {
                repo: "github.com/acme/pay".to_owned(),
                sha: "a1".to_owned(),
                team: "pay".to_owned(),
                state: State::Disqualified,
                excluded_as: None,
                opened_at: Some(at("2026-11-22T06:00:00Z")),
                reviewed_at: Some(at("2026-11-22T09:00:00Z")),
                reviewed: Reviewed { rounds: Some(2), comments: Some(7) },
                lines: Some(40),
                survived: Some(Lines { added: 30, surviving: 20 }),
                merged_at: at("2026-11-23T10:00:00Z"),
                shipped_at: at("2026-11-23T10:00:00Z"),
                restored_at: Some(at("2026-11-23T12:00:00Z")),
                labels: vec!["bug".to_owned(), "new ui".to_owned()],
                spent,
            };
            assert_eq!(found[0], one, "the review of another developer costs, and builds nothing");
            assert_eq!((found[1].state, found[1].excluded_as.as_deref()), (State::Excluded, Some("revert")));
            assert_eq!((found.len(), found[1].spent, found[1].survived), (2, Spent::default(), None));
            assert_eq!(list(db, "2026-10-01T00:00:00Z", None).len(), 3);
            assert!(list(db, "2026-10-01T00:00:00Z", Some("web")).is_empty());
            let counts = |db: &mut Db, first| request_counts(db, at(first)).unwrap();
            let pay = Requests { open: 1, merged: 1, given_up: 1 };
            assert_eq!(counts(db, "2026-11-22T00:00:00Z"), BTreeMap::from([("pay".to_owned(), pay)]));
            let late = Requests { merged: 1, given_up: 0, ..pay };
            assert_eq!(counts(db, "2026-11-23T08:00:00Z")["pay"], late);
        });
    }
}
