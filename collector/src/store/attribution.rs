//! Where spend went: spans of hours by session and branch, and their sums by team, week and class.

use super::db::{Db, Row, Value, values};
use super::ground::Target;
use anyhow::Result;
use meter::attribution::{Class, Rule, Verdict};
use meter::{Hour, PullRequestAction};
use std::collections::BTreeMap;

/// A part of all sessions: those after one id, up to another.
#[derive(Debug, Clone)]
pub(crate) struct Page {
    pub after: String,
    pub last: String,
}

impl Page {
    fn values(&self) -> [Value<'_>; 2] {
        values![&self.after, &self.last]
    }
}

/// What is stored of one session, with everything that tells where its spend went.
#[derive(Debug, Default)]
pub(crate) struct Worked {
    /// The member behind its developer, else the developer.
    pub developer: String,
    pub is_ci: bool,
    pub places: Vec<Place>,
    pub commits: Vec<Committed>,
    pub actions: Vec<Acted>,
    pub spans: Spans,
}

/// Where all rows of one hour on one branch are.
#[derive(Debug)]
pub(crate) struct Place {
    pub repo: String,
    pub week: String,
    pub branch: String,
    pub hour: Hour,
}

/// What they cost.
pub(crate) struct Spend {
    pub session: String,
    pub place: Place,
    pub team: String,
    pub nanousd: i64,
}

#[derive(Debug)]
pub(crate) struct Committed {
    pub repo: String,
    pub branch: String,
    pub sha: String,
    pub at: jiff::Timestamp,
}

#[derive(Debug)]
pub(crate) struct Acted {
    pub repo: String,
    pub number: u64,
    pub action: PullRequestAction,
    pub at: jiff::Timestamp,
}

/// Those of a session, by repository, branch and first hour.
pub(crate) type Spans = BTreeMap<(String, String, Hour), Span>;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Span {
    pub week: String,
    pub last_hour: Hour,
    pub class: Class,
    pub rule: Rule,
    pub target: Option<Target>,
}

impl Span {
    /// Of one hour.
    pub(crate) fn of(place: &Place, verdict: Verdict, targets: &[Target]) -> Self {
        Self {
            week: place.week.clone(),
            last_hour: place.hour,
            class: verdict.class,
            rule: verdict.rule,
            target: verdict.work.map(|work| targets[work].clone()),
        }
    }

    /// Whether the other one goes on with the same.
    pub(crate) fn goes_on(&self, next: &Self) -> bool {
        *self == Self { last_hour: self.last_hour, ..next.clone() }
    }
}

/// The next sessions after one id, in the database's own order.
pub(crate) fn page_next(db: &mut Db, after: &str, length: u32) -> Result<Option<Page>> {
    let rows = db.query(
        "SELECT MAX(session_id) FROM (
            SELECT DISTINCT session_id FROM session WHERE session_id > $1 ORDER BY session_id LIMIT $2
         ) AS p",
        &values![after, length],
    )?;
    let last = rows.first().map(|row| row.get::<Option<String>>(0)).transpose()?.flatten();
    Ok(last.map(|last| Page { after: after.to_owned(), last }))
}

/// Whether some session of the page was never judged, or has changed since.
pub(crate) fn page_is_new(db: &mut Db, page: &Page) -> Result<bool> {
    let rows = db.query(
        "SELECT s.session_id FROM session AS s WHERE s.session_id > $1 AND s.session_id <= $2 AND s.requests > 0
            AND NOT EXISTS (SELECT 1 FROM attribution_span AS a WHERE a.session_id = s.session_id)
         LIMIT 1",
        &page.values(),
    )?;
    Ok(!rows.is_empty())
}

/// The sessions of a page by their id.
pub(crate) fn page_read(db: &mut Db, page: &Page) -> Result<BTreeMap<String, Worked>> {
    let mut sessions: BTreeMap<String, Worked> = BTreeMap::new();
    let mut each = |sql: &str, read: fn(&Row, &mut Worked) -> Result<()>| -> Result<()> {
        for row in db.query(sql, &page.values())? {
            read(&row, sessions.entry(row.get(0)?).or_default())?;
        }
        Ok(())
    };
    each(
        "SELECT s.session_id, COALESCE(d.member, s.developer), s.environment
         FROM session AS s LEFT JOIN developer AS d ON d.developer = s.developer
         WHERE s.session_id > $1 AND s.session_id <= $2",
        |row, session| {
            session.developer = row.get(1)?;
            session.is_ci |= row.get::<String>(2)? == "ci";
            Ok(())
        },
    )?;
    // the key of usage answers this alone, however large the table is
    each(
        "SELECT session_id, repo, week, hour, branch FROM usage WHERE session_id > $1 AND session_id <= $2
         GROUP BY session_id, repo, week, hour, branch",
        |row, session| {
            session.places.push(place(row)?);
            Ok(())
        },
    )?;
    each(
        "SELECT session_id, repo, branch, sha, committed_at FROM session_commit
         WHERE session_id > $1 AND session_id <= $2",
        |row, session| {
            let (repo, branch, sha) = (row.get(1)?, row.get(2)?, row.get(3)?);
            session.commits.push(Committed { repo, branch, sha, at: row.parse(4)? });
            Ok(())
        },
    )?;
    each(
        "SELECT session_id, repo, number, action, acted_at FROM session_pull_request
         WHERE session_id > $1 AND session_id <= $2",
        |row, session| {
            let action = row.word(3, PullRequestAction::from_word)?;
            session.actions.push(Acted { repo: row.get(1)?, number: row.get(2)?, action, at: row.parse(4)? });
            Ok(())
        },
    )?;
    each(
        "SELECT session_id, repo, branch, first_hour, week, last_hour, class, rule, change_repo, change, number
         FROM attribution_span WHERE session_id > $1 AND session_id <= $2",
        |row, session| {
            session.spans.insert((row.get(1)?, row.get(2)?, row.parse(3)?), span(row)?);
            Ok(())
        },
    )?;
    Ok(sessions)
}

fn place(row: &Row) -> Result<Place> {
    Ok(Place { repo: row.get(1)?, week: row.get(2)?, hour: row.parse(3)?, branch: row.get(4)? })
}

/// What the sessions of a page spent. A session has one developer, so that one hour of it has one team.
pub(crate) fn page_spend(db: &mut Db, page: &Page) -> Result<Vec<Spend>> {
    let rows = db.query(
        "SELECT session_id, repo, week, hour, branch, MIN(team), CAST(COALESCE(SUM(cost_nanousd), 0) AS BIGINT)
         FROM usage WHERE session_id > $1 AND session_id <= $2 GROUP BY session_id, repo, week, hour, branch",
        &page.values(),
    )?;
    let spend = |row: &Row| {
        Ok(Spend { session: row.get(0)?, place: place(row)?, team: row.get(5)?, nanousd: row.get(6)? })
    };
    rows.iter().map(spend).collect()
}

fn span(row: &Row) -> Result<Span> {
    let target = match row.get(8)? {
        Some(repo) => Some(Target { repo, sha: row.get(9)?, number: row.get(10)? }),
        None => None,
    };
    Ok(Span {
        week: row.get(4)?,
        last_hour: row.parse(5)?,
        class: row.word(6, Class::from_word)?,
        rule: row.word(7, Rule::from_word)?,
        target,
    })
}

/// Replaces the spans of a session.
pub(crate) fn spans_put(db: &mut Db, session: &str, spans: &Spans) -> Result<()> {
    db.execute("DELETE FROM attribution_span WHERE session_id = $1", &values![session])?;
    for ((repo, branch, first_hour), span) in spans {
        let target = span.target.as_ref();
        db.execute(
            "INSERT INTO attribution_span (
                session_id, repo, week, branch, first_hour, last_hour, class, rule, change_repo, change, number
             ) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
            &values![
                session,
                repo,
                &span.week,
                branch,
                first_hour.to_string(),
                span.last_hour.to_string(),
                span.class.as_str(),
                span.rule.as_str(),
                target.map(|target| &target.repo),
                target.and_then(|target| target.sha.as_ref()),
                target.and_then(|target| target.number)
            ],
        )?;
    }
    Ok(())
}

/// Changes to the sums by team, week and class, gathered over many rows and stored at once.
#[derive(Debug, Default)]
pub(crate) struct ClassSums(BTreeMap<(String, String, String), i64>);

impl ClassSums {
    pub(crate) fn add(&mut self, team: &str, week: &str, class: &str, nanousd: i64) {
        *self.0.entry((team.to_owned(), week.to_owned(), class.to_owned())).or_default() += nanousd;
    }

    pub(crate) fn store(self, db: &mut Db) -> Result<()> {
        for ((team, week, class), nanousd) in self.0.iter().filter(|(_, nanousd)| **nanousd != 0) {
            db.execute(
                "INSERT INTO class_sum AS s (team, week, class, cost_nanousd) VALUES ($1, $2, $3, $4)
                 ON CONFLICT (team, week, class) DO UPDATE SET cost_nanousd = s.cost_nanousd + excluded.cost_nanousd",
                &values![team, week, class, *nanousd],
            )?;
            if class == Class::Cordon.as_str() {
                let sql = "UPDATE team_week_sum SET cordon_nanousd = cordon_nanousd + $3 WHERE team = $1 AND week = $2";
                db.execute(sql, &values![team, week, *nanousd])?;
            }
        }
        Ok(())
    }
}

/// Makes the usage of a session unjudged. Call it before any of it changes, in the same transaction.
pub(crate) fn attribution_forget(db: &mut Db, session: &str) -> Result<()> {
    let key = values![session];
    let sums = db.query(
        "SELECT team, week, class, CAST(COALESCE(SUM(cost_nanousd), 0) AS BIGINT) FROM attribution
         WHERE session_id = $1 GROUP BY team, week, class",
        &key,
    )?;
    let mut change = ClassSums::default();
    for row in &sums {
        let (team, week, class): (String, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        change.add(&team, &week, &class, -row.get::<i64>(3)?);
    }
    change.store(db)?;
    db.execute("DELETE FROM attribution_span WHERE session_id = $1", &key).map(drop)
}

/// The sums of a team go on under its new id.
pub(crate) fn class_sum_rename(db: &mut Db, former: &str, id: &str) -> Result<()> {
    let rows =
        db.query("SELECT week, class, cost_nanousd FROM class_sum WHERE team = $1", &values![former])?;
    let mut change = ClassSums::default();
    for row in &rows {
        let (week, class): (String, String) = (row.get(0)?, row.get(1)?);
        change.add(id, &week, &class, row.get(2)?);
        change.add(former, &week, &class, -row.get::<i64>(2)?);
    }
    change.store(db)?;
    db.execute("DELETE FROM class_sum WHERE team = $1", &values![former]).map(drop)
}

/// The spend of some weeks by team and class, `unjudged` too, the largest first.
pub(crate) fn spend_by_class(
    db: &mut Db,
    team: Option<&str>,
    first: meter::Week,
) -> Result<Vec<(String, String, i64)>> {
    let rows = db.query(
        "SELECT team, class, CAST(SUM(cost_nanousd) AS BIGINT) FROM team_week_class
         WHERE week >= $1 AND (team = $2 OR $2 = '') GROUP BY team, class",
        &values![first.to_string(), team.unwrap_or_default()],
    )?;
    let mut sums: Vec<(String, String, i64)> =
        rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).collect::<Result<_>>()?;
    sums.sort_by(|one, other| (&one.0, -one.2, &one.1).cmp(&(&other.0, -other.2, &other.1)));
    Ok(sums)
}
