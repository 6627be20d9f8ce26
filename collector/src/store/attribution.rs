//! Where spend went: spans of hours by session and branch, and their sums by team, week and class.

use super::db::{Db, values};
use super::ground::Target;
use super::news::session_news;
use super::page::{Lane, Place};
use anyhow::Result;
use meter::Hour;
use meter::attribution::{Class, Rule, Verdict};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Where the spend of a session on a branch went, from one hour to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Span {
    pub lane: Arc<Lane>,
    pub first_hour: Hour,
    pub last_hour: Hour,
    pub class: Class,
    pub rule: Rule,
    pub target: Option<Arc<Target>>,
}

impl Span {
    /// Of one hour.
    pub(crate) fn of(place: &Place, verdict: Verdict, targets: &[Arc<Target>]) -> Self {
        Self {
            lane: Arc::clone(&place.lane),
            first_hour: place.hour,
            last_hour: place.hour,
            class: verdict.class,
            rule: verdict.rule,
            target: verdict.work.map(|work| Arc::clone(&targets[work])),
        }
    }

    pub(crate) fn key(&self) -> (&str, &str, Hour) {
        (&self.lane.repo, &self.lane.branch, self.first_hour)
    }

    /// Whether the other one goes on with the same.
    pub(crate) fn goes_on(&self, next: &Self) -> bool {
        (&self.lane, self.class, self.rule, &self.target) == (&next.lane, next.class, next.rule, &next.target)
    }

    pub(crate) fn covers(&self, place: &Place) -> bool {
        self.lane == place.lane && (self.first_hour..=self.last_hour).contains(&place.hour)
    }
}

/// The indexes of the spans besides their key, as the migrations made them.
const INDEXES: [(&str, &str); 3] = [
    ("attribution_span_of_change", "(change_repo, change)"),
    ("attribution_span_of_branch", "(repo, branch)"),
    ("attribution_span_of_wait", "(first_hour) WHERE rule = 'no_request_yet'"),
];

/// Where there are no spans yet, all there are to be are stored faster without indexes. [`spans_index`] brings them back.
pub(crate) fn spans_begin(db: &mut Db) -> Result<()> {
    if !db.query("SELECT rule FROM attribution_span LIMIT 1", &[])?.is_empty() {
        return Ok(());
    }
    INDEXES.iter().try_for_each(|(name, _)| db.batch(&format!("DROP INDEX IF EXISTS {name}")))
}

/// Makes the indexes that a judging from nothing went without, be it this one or one that did not end.
pub(crate) fn spans_index(db: &mut Db) -> Result<()> {
    let create = |(name, of): &(_, _)| format!("CREATE INDEX IF NOT EXISTS {name} ON attribution_span {of}");
    INDEXES.iter().map(create).try_for_each(|sql: String| db.batch(&sql))
}

/// Replaces the spans of a session, the former ones known.
pub(crate) fn spans_put(db: &mut Db, session: &str, former: &[Span], spans: &[Span]) -> Result<()> {
    if !former.is_empty() {
        db.execute("DELETE FROM attribution_span WHERE session_id = $1", &values![session])?;
    }
    for span in spans {
        let target = span.target.as_ref();
        db.execute(
            "INSERT INTO attribution_span (
                session_id, repo, week, branch, first_hour, last_hour, class, rule, change_repo, change, number
             ) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
            &values![
                session,
                &span.lane.repo,
                &*span.lane.week,
                &span.lane.branch,
                span.first_hour.to_string(),
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
pub(crate) struct ClassSums(BTreeMap<(Arc<str>, Arc<str>, Class), i64>);

impl ClassSums {
    pub(crate) fn add(&mut self, team: Arc<str>, week: Arc<str>, class: Class, nanousd: i64) {
        *self.0.entry((team, week, class)).or_default() += nanousd;
    }

    pub(crate) fn store(self, db: &mut Db) -> Result<()> {
        for ((team, week, class), nanousd) in self.0.iter().filter(|(_, nanousd)| **nanousd != 0) {
            db.execute(
                "INSERT INTO class_sum AS s (team, week, class, cost_nanousd) VALUES ($1, $2, $3, $4)
                 ON CONFLICT (team, week, class) DO UPDATE SET cost_nanousd = s.cost_nanousd + excluded.cost_nanousd",
                &values![&**team, &**week, class.as_str(), *nanousd],
            )?;
            if *class == Class::Cordon {
                let sql = "UPDATE team_week_sum SET cordon_nanousd = cordon_nanousd + $3 WHERE team = $1 AND week = $2";
                db.execute(sql, &values![&**team, &**week, *nanousd])?;
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
        let (team, week) = (row.get::<String>(0)?.into(), row.get::<String>(1)?.into());
        change.add(team, week, row.word(2, Class::from_word)?, -row.get::<i64>(3)?);
    }
    change.store(db)?;
    db.execute("DELETE FROM attribution_span WHERE session_id = $1", &key)?;
    session_news(db, "SELECT $1 AS session_id", &key)
}

/// The sums of a team go on under its new id.
pub(crate) fn class_sum_rename(db: &mut Db, former: &str, id: &str) -> Result<()> {
    let rows =
        db.query("SELECT week, class, cost_nanousd FROM class_sum WHERE team = $1", &values![former])?;
    let mut change = ClassSums::default();
    for row in &rows {
        let (week, class): (Arc<str>, _) = (row.get::<String>(0)?.into(), row.word(1, Class::from_word)?);
        change.add(id.into(), Arc::clone(&week), class, row.get(2)?);
        change.add(former.into(), week, class, -row.get::<i64>(2)?);
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
