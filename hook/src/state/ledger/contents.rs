//! `Content`: everything the ledger knows for one report, loaded for `report.rs` to write it.

use super::reports::Key;
use super::{Ledger, Session, instant, tokens};
use anyhow::{Context, Result};
use jiff::Timestamp;
use meter::{
    Agent, Band, Commit, Geo, Hour, PullRequest, PullRequestAction, Quality, Repo, Row, RowKey, Shape, Speed,
};
use rusqlite::{ToSql, params};

#[derive(Debug, Clone, Default)]
pub(crate) struct Content {
    pub session: Session,
    /// One for each response, or part of one.
    pub rows: Vec<Row>,
    pub commits: Vec<Commit>,
    pub pull_requests: Vec<PullRequest>,
    pub started_at: Option<Timestamp>,
    pub ended_at: Option<Timestamp>,
    pub shape: Shape,
    pub quality: Quality,
}

impl Ledger {
    /// What there is for `key`; what lies before `since` is left out.
    pub(crate) fn content(&self, key: &Key, since: Option<Timestamp>) -> Result<Content> {
        let session = self.session(&key.session)?.unwrap_or_default();
        let mut content = Content { session, ..Content::default() };
        for repo in raw(key, &content.session) {
            self.responses(key, &repo, since, &mut content)?;
            self.shares(key, &repo, &mut content)?;
            self.mentions(key, &repo, &mut content)?;
        }
        if let Some(since) = since {
            content.bound(since, key);
        }
        content.commits.sort();
        content.pull_requests.sort();
        Ok(content)
    }

    fn responses(
        &self,
        key: &Key,
        repo: &str,
        since: Option<Timestamp>,
        content: &mut Content,
    ) -> Result<()> {
        let mut select = self.db.prepare_cached(
            "SELECT at, CASE WHEN ?5 THEN branch ELSE '' END, model, agent, workflow, speed, geo, band, input,
                 output, cache_read, cache_write_5m, cache_write_1h, web_search, finished, part, adopted
             FROM slot JOIN response ON response.slot = slot.id
             WHERE session = ?1 AND repo = ?2 AND at >= ?3 AND at < ?4",
        )?;
        // a branch is known only in the repository the session started in
        let branches = !repo.is_empty() && repo == content.session.start_repo;
        let from = since.map_or(key.week.start(), |since| since.max(key.week.start()));
        let bounds = params![
            key.session.as_str(),
            repo,
            from.as_millisecond(),
            key.week.end().as_millisecond(),
            branches
        ];
        let mut rows = select.query(bounds)?;
        while let Some(row) = rows.next()? {
            let (finished, first): (bool, bool) = (row.get(14)?, row.get::<_, i64>(15)? == 0);
            content.quality.interrupted += u64::from(!finished && first);
            content.quality.adopted += u64::from(row.get(16)? && first);
            content.rows.push(Row { key: row_key(row)?, requests: first.into(), tokens: tokens(row, 8)? });
        }
        Ok(())
    }

    fn shares(&self, key: &Key, repo: &str, content: &mut Content) -> Result<()> {
        let mut select = self.db.prepare_cached(
            "SELECT started, ended, turns, subagents, tool_errors, api_errors, compactions, prompt_max, lines,
                 malformed, synthetic, unknown_usage
             FROM counted WHERE session = ?1 AND repo = ?2 AND week = ?3",
        )?;
        let week = key.week.to_string();
        let mut rows = select.query([key.session.as_str(), repo, &week])?;
        while let Some(row) = rows.next()? {
            let count = |index: usize| row.get::<_, i64>(index).map(i64::cast_unsigned);
            let at = |index: usize| row.get::<_, Option<i64>>(index).map(|at| at.map(instant));
            content.started_at = content.started_at.into_iter().chain(at(0)?).min();
            content.ended_at = content.ended_at.into_iter().chain(at(1)?).max();
            let (shape, quality) = (&mut content.shape, &mut content.quality);
            shape.turns += count(2)?;
            shape.subagents += count(3)?;
            shape.tool_errors += count(4)?;
            shape.api_errors += count(5)?;
            shape.compactions += count(6)?;
            shape.prompt_max = shape.prompt_max.max(count(7)?);
            quality.lines += count(8)?;
            quality.malformed += count(9)?;
            quality.synthetic += count(10)?;
            quality.unknown_usage += count(11)?;
        }
        let mut select = self.db.prepare_cached(
            "SELECT count(DISTINCT id) FROM request WHERE session = ?1 AND repo = ?2 AND week = ?3",
        )?;
        let unanswered: i64 = select.query_row([key.session.as_str(), repo, &week], |row| row.get(0))?;
        content.quality.unknown_usage += unanswered.cast_unsigned();
        Ok(())
    }

    fn mentions(&self, key: &Key, repo: &str, content: &mut Content) -> Result<()> {
        let bounds: [&dyn ToSql; 4] = [
            &key.session.as_str(),
            &repo,
            &key.week.start().as_millisecond(),
            &key.week.end().as_millisecond(),
        ];
        let mut select = self.db.prepare_cached(
            "SELECT sha, branch, at FROM git_commit WHERE session = ?1 AND repo = ?2 AND at >= ?3 AND at < ?4",
        )?;
        let mut rows = select.query(bounds)?;
        while let Some(row) = rows.next()? {
            let (sha, branch): (String, String) = (row.get(0)?, row.get(1)?);
            content.commits.push(Commit {
                sha: sha.parse()?,
                branch: branch.parse()?,
                at: instant(row.get(2)?),
            });
        }
        let mut select = self.db.prepare_cached(
            "SELECT number, action, at FROM pull_request WHERE session = ?1 AND repo = ?2 AND at >= ?3 AND at < ?4",
        )?;
        let mut rows = select.query(bounds)?;
        while let Some(row) = rows.next()? {
            let action: String = row.get(1)?;
            let Some(action) = PullRequestAction::from_word(&action) else { continue };
            content.pull_requests.push(PullRequest { number: row.get(0)?, action, at: instant(row.get(2)?) });
        }
        Ok(())
    }
}

impl Content {
    /// Counts are kept by week: of the week `since` lies in they are left whole.
    fn bound(&mut self, since: Timestamp, key: &Key) {
        self.commits.retain(|commit| commit.at >= since);
        self.pull_requests.retain(|pull_request| pull_request.at >= since);
        if key.week.end() <= since || self.ended_at.is_some_and(|at| at < since) {
            (self.started_at, self.ended_at) = (None, None);
            (self.shape, self.quality) = (Shape::default(), Quality::default());
        }
        self.started_at = self.started_at.map(|at| at.max(since));
    }
}

/// The repositories, as lines have them, that `key` is about.
fn raw(key: &Key, session: &Session) -> Vec<String> {
    let named = Some(key.repo.to_string()).filter(|_| !key.repo.is_none());
    let home =
        if session.start_repo.is_empty() { Repo::none().to_string() } else { session.start_repo.clone() };
    let unnamed = Some(String::new()).filter(|_| home == key.repo.as_str());
    named.into_iter().chain(unnamed).collect()
}

/// The columns from the second on, as `responses` selects them.
fn row_key(row: &rusqlite::Row) -> Result<RowKey> {
    let text = |index: usize| row.get::<_, String>(index);
    let bad = "the ledger holds a word that no report knows";
    Ok(RowKey {
        hour: Hour::of(instant(row.get(0)?)),
        branch: text(1)?.parse()?,
        model: text(2)?.parse()?,
        agent: Agent::from_word(&text(3)?).context(bad)?,
        workflow: text(4)?.parse()?,
        speed: Speed::from_word(&text(5)?).context(bad)?,
        geo: Geo::from_word(&text(6)?).context(bad)?,
        band: Band::from_word(&text(7)?).context(bad)?,
    })
}
