//! A few sessions at a time of those with news: what they did and spent, and the ground they did it on.

use super::attribution::{Span, Spans};
use super::cordon::cordon_list;
use super::db::{Db, Row, Value, values};
use super::ground::Target;
use super::work::{Known, work_of_actions, work_of_commits, work_of_head};
use anyhow::Result;
use jiff::Timestamp;
use meter::attribution::{Cordon, Ground};
use meter::{Hour, PullRequestAction};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Those with news after one id, up to another.
#[derive(Debug, Clone)]
pub(crate) struct Page {
    pub after: String,
    pub last: String,
}

/// What is stored of one session, with everything that tells where its spend went.
#[derive(Debug, Default)]
pub(crate) struct Worked {
    pub news: i64,
    /// The member behind its developer, else the developer.
    pub developer: String,
    pub is_ci: bool,
    pub places: Vec<Place>,
    pub commits: Vec<Committed>,
    pub actions: Vec<Acted>,
    pub spans: Spans,
}

/// Where all rows of one hour on one branch are, and what they cost. A session has one developer, so that one hour
/// of it has one team.
#[derive(Debug)]
pub(crate) struct Place {
    pub repo: String,
    pub week: String,
    pub branch: String,
    pub hour: Hour,
    pub team: String,
    pub nanousd: i64,
}

#[derive(Debug)]
pub(crate) struct Committed {
    pub repo: String,
    pub branch: String,
    pub sha: String,
    pub at: Timestamp,
}

#[derive(Debug)]
pub(crate) struct Acted {
    pub repo: String,
    pub number: u64,
    pub action: PullRequestAction,
    pub at: Timestamp,
}

/// The next sessions after one id, in the database's own order.
pub(crate) fn page_next(db: &mut Db, after: &str, length: u32) -> Result<Option<Page>> {
    let rows = db.query(
        "SELECT MAX(session_id) FROM (
            SELECT session_id FROM session_news WHERE session_id > $1 ORDER BY session_id LIMIT $2
         ) AS p",
        &values![after, length],
    )?;
    let last = rows.first().map(|row| row.get::<Option<String>>(0)).transpose()?.flatten();
    Ok(last.map(|last| Page { after: after.to_owned(), last }))
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
        "SELECT session_id, news FROM session_news WHERE session_id > $1 AND session_id <= $2",
        |row, session| {
            session.news = row.get(1)?;
            Ok(())
        },
    )?;
    each(
        "SELECT n.session_id, COALESCE(d.member, s.developer), s.environment
         FROM session_news AS n CROSS JOIN session AS s LEFT JOIN developer AS d ON d.developer = s.developer
         WHERE n.session_id > $1 AND n.session_id <= $2 AND s.session_id = n.session_id",
        |row, session| {
            session.developer = row.get(1)?;
            session.is_ci |= row.get::<String>(2)? == "ci";
            Ok(())
        },
    )?;
    each(
        "SELECT n.session_id, u.repo, u.week, u.hour, u.branch, MIN(u.team),
            CAST(COALESCE(SUM(u.cost_nanousd), 0) AS BIGINT)
         FROM session_news AS n CROSS JOIN usage AS u
         WHERE n.session_id > $1 AND n.session_id <= $2 AND u.session_id = n.session_id
         GROUP BY n.session_id, u.repo, u.week, u.hour, u.branch",
        |row, session| {
            let (repo, week, branch) = (row.get(1)?, row.get(2)?, row.get(4)?);
            let (hour, team, nanousd) = (row.parse(3)?, row.get(5)?, row.get(6)?);
            session.places.push(Place { repo, week, branch, hour, team, nanousd });
            Ok(())
        },
    )?;
    each(
        "SELECT n.session_id, c.repo, c.branch, c.sha, c.committed_at
         FROM session_news AS n CROSS JOIN session_commit AS c
         WHERE n.session_id > $1 AND n.session_id <= $2 AND c.session_id = n.session_id",
        |row, session| {
            let (repo, branch, sha) = (row.get(1)?, row.get(2)?, row.get(3)?);
            session.commits.push(Committed { repo, branch, sha, at: row.parse(4)? });
            Ok(())
        },
    )?;
    each(
        "SELECT n.session_id, p.repo, p.number, p.action, p.acted_at
         FROM session_news AS n CROSS JOIN session_pull_request AS p
         WHERE n.session_id > $1 AND n.session_id <= $2 AND p.session_id = n.session_id",
        |row, session| {
            let action = row.word(3, PullRequestAction::from_word)?;
            session.actions.push(Acted { repo: row.get(1)?, number: row.get(2)?, action, at: row.parse(4)? });
            Ok(())
        },
    )?;
    each(
        "SELECT n.session_id, a.repo, a.branch, a.first_hour, a.week, a.last_hour, a.class, a.rule, a.change_repo,
            a.change, a.number
         FROM session_news AS n CROSS JOIN attribution_span AS a
         WHERE n.session_id > $1 AND n.session_id <= $2 AND a.session_id = n.session_id",
        |row, session| {
            session.spans.insert((row.get(1)?, row.get(2)?, row.parse(3)?), Span::read(row)?);
            Ok(())
        },
    )?;
    Ok(sessions)
}

impl Page {
    fn values(&self) -> [Value<'_>; 2] {
        values![&self.after, &self.last]
    }
}

/// Notes that a session was told anew with so much news; returns whether that is all of it.
pub(crate) fn session_told(db: &mut Db, session: &str, news: i64) -> Result<bool> {
    let sql = "DELETE FROM session_news WHERE session_id = $1 AND news = $2";
    Ok(db.execute(sql, &values![session, news])? > 0)
}

/// What is known of all repositories, at an instant.
pub(crate) struct Map {
    at: Timestamp,
    cordons: Vec<Cordon>,
    /// The branch that changes are read from, by repository.
    tracked: HashMap<String, String>,
    /// Repositories whose requests a host lists.
    listed: BTreeSet<String>,
}

/// The ground of a page, and what its work is by its place.
pub(crate) struct Grounds {
    pub ground: Ground,
    pub targets: Vec<Target>,
}

impl Map {
    pub(crate) fn read(db: &mut Db, at: Timestamp) -> Result<Self> {
        let cordons = cordon_list(db)?.into_iter().map(|held| held.cordon).collect();
        let sources = db.query("SELECT repo, branch FROM source WHERE branch <> ''", &[])?;
        let tracked = sources.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect::<Result<_>>()?;
        let listed = "SELECT name FROM service WHERE kind IN ('github', 'gitlab')
            UNION SELECT repo FROM work WHERE opened_at IS NOT NULL
            UNION SELECT head_repo FROM work WHERE opened_at IS NOT NULL AND head_repo IS NOT NULL";
        let listed = db.query(listed, &[])?.iter().map(|row| row.get(0)).collect::<Result<_>>()?;
        Ok(Self { at, cordons, tracked, listed })
    }

    /// The ground of some sessions.
    pub(crate) fn ground(
        &self,
        db: &mut Db,
        page: &Page,
        sessions: &BTreeMap<String, Worked>,
    ) -> Result<Grounds> {
        let places: BTreeSet<(&String, &String)> =
            sessions.values().flat_map(|one| &one.places).map(|place| (&place.repo, &place.branch)).collect();
        let mut found = work_of_actions(db, &page.values())?;
        for (repo, branch) in
            places.into_iter().filter(|(repo, branch)| self.tracked.get(*repo) != Some(*branch))
        {
            found.extend(work_of_head(db, repo, branch)?);
        }
        let mut commits = Vec::new();
        for (sha, known) in work_of_commits(db, &page.values())? {
            commits.push((sha, known.key()));
            found.push(known);
        }
        let works: BTreeMap<_, Known> = found.into_iter().map(|known| (known.key(), known)).collect();
        let mut ground = Ground::new(self.at, self.cordons.clone());
        for (repo, branch) in &self.tracked {
            ground.track(repo, branch);
        }
        self.listed.iter().for_each(|repo| ground.list_requests(repo));
        let mut targets = Vec::with_capacity(works.len());
        let mut numbers = HashMap::new();
        for (key, Known { target, work, head, .. }) in works {
            let place = ground.add(work);
            if let Some(number) = target.number {
                ground.add_number(&target.repo, number, place);
            }
            if let Some((repo, branch)) = head {
                ground.add_head(&repo, &branch, place);
            }
            targets.push(target);
            numbers.insert(key, place);
        }
        for (sha, key) in commits {
            ground.add_commit(&sha, numbers[&key]);
        }
        Ok(Grounds { ground, targets })
    }
}
