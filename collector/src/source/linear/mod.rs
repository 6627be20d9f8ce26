//! Linear as a source: the tickets that changes name, and how they were moved from state to state.

mod incidents;
mod payload;

use super::graphql;
use super::token::Token;
use super::tracker::{Found, Incidents, Report, Tracker, settle_projects};
use super::web::{self, Credentials, Pace, Web, onwards};
use anyhow::{Context, Result, bail, ensure};
use jiff::Timestamp;
use meter::outcome::{Move, project_of};
use payload::{Histories, History, Issue, Issues, Moves, Teams};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;

const QUERIES: &str = include_str!("queries.graphql");
const USUAL: &str = "https://api.linear.app/graphql";
/// A personal key is sent as it is; every other token bears its scheme.
const PERSONAL: &str = "lin_api_";
const ISSUES: u32 = 100;
/// Each with fifty moves: a query may cost 10,000 points.
const HISTORIES: u32 = 25;

/// A workspace named in cpvo.toml.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Workspace {
    /// As its addresses have it: `acme` of linear.app/acme.
    #[serde(rename = "workspace")]
    url_key: String,
    /// The keys of the teams whose tickets changes name; a former one as well.
    pub teams: Vec<String>,
    #[serde(flatten)]
    pub incidents: Incidents,
    /// The address of the API, where it is not Linear's own.
    url: Option<String>,
    #[serde(flatten)]
    token: Token,
    #[serde(skip)]
    pub name: String,
}

impl Workspace {
    pub(super) fn settle(&mut self, folder: &Path, variable: &dyn Fn(&str) -> Option<String>) -> Result<()> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        ensure!(
            !self.url_key.is_empty() && self.url_key.bytes().all(plain),
            "workspace must be as its address has it, such as acme of linear.app/acme"
        );
        self.name = format!("linear.app/{}", self.url_key);
        if let Some(url) = &self.url {
            web::address(url).with_context(|| format!("url {url:?}"))?;
        }
        settle_projects("teams", &mut self.teams)?;
        self.incidents.settle("teams", &self.teams)?;
        self.token.settle(folder, "LINEAR_TOKEN", variable)
    }
}

pub(crate) struct Linear<'a> {
    web: Web<'a>,
    name: &'a str,
}

impl<'a> Linear<'a> {
    pub(crate) fn open(workspace: &'a Workspace, pace: Pace<'a>) -> Result<Self> {
        let token = workspace.token.read()?;
        let is_personal = token.0.starts_with(PERSONAL);
        let credentials = if is_personal { Credentials::bare(token) } else { Credentials::bearer(token) };
        let web = Web::new(workspace.url.as_deref().unwrap_or(USUAL), credentials, pace)?;
        let linear = Self { web, name: &workspace.name };
        let seen: Teams = linear.ask("Teams", &mut 1, |_| json!({"keys": workspace.teams}))?;
        let of = seen.organization.url_key;
        ensure!(
            of == workspace.url_key,
            "the token is of the workspace {of:?}, not of {:?}",
            workspace.url_key
        );
        for key in &workspace.teams {
            if !seen.teams.nodes.iter().any(|team| team.key == *key) {
                tracing::warn!(team = key, "there is no such team any more, or the token may not see it");
            }
        }
        if seen.teams.nodes.is_empty() {
            bail!("there is no team {}, or the token may not see it", workspace.teams.join(", "));
        }
        Ok(linear)
    }

    fn ask<T: DeserializeOwned>(
        &self,
        query: &str,
        size: &mut u32,
        variables: impl Fn(u32) -> Value,
    ) -> Result<T> {
        graphql::ask(&self.web, (QUERIES, query), variables, size)
    }

    /// The issues of one team by their numbers.
    fn of_team(&self, team: &str, numbers: &[u64], found: &mut BTreeMap<String, Found>) -> Result<()> {
        let (mut size, mut after) = (ISSUES, None::<String>);
        loop {
            let page: Issues = self.ask(
                "Issues",
                &mut size,
                |first| json!({"team": team, "numbers": numbers, "first": first, "after": after}),
            )?;
            after = onwards(after.as_ref(), page.issues.page_info.next())?;
            found.extend(page.issues.nodes.into_iter().map(Issue::into_found));
            if after.is_none() {
                return Ok(());
            }
        }
    }

    /// The issue that once had this key.
    fn moved(&self, key: &str) -> Result<Option<Found>> {
        let answer: Option<payload::One> = self.ask("Issue", &mut 1, |_| json!({"id": key}))?;
        let issue = answer.map(|answer| answer.issue).filter(|issue| issue.had(key));
        Ok(issue.map(|issue| issue.into_found().1))
    }

    /// The moves of an issue, those included that did not fit into its page.
    fn whole(&self, id: &str, mut moves: Moves) -> Result<Vec<Move>> {
        let (mut all, mut after) = (Vec::new(), None);
        loop {
            after = onwards(after.as_ref(), moves.page_info.next())?;
            all.extend(moves.nodes.into_iter().filter_map(payload::Change::into_move));
            if after.is_none() {
                break;
            }
            let rest: History = self.ask("History", &mut 1, |_| json!({"id": id, "after": after}))?;
            moves = rest.issue.history;
        }
        all.sort_by_key(|one| one.at);
        Ok(all)
    }
}

impl Tracker for Linear<'_> {
    fn find(&self, keys: &[String]) -> Result<BTreeMap<String, Found>> {
        let mut numbers: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
        for key in keys {
            let team = project_of(key);
            numbers.entry(team).or_default().extend(key[team.len() + 1..].parse::<u64>());
        }
        let mut found = BTreeMap::new();
        for (team, numbers) in numbers {
            self.of_team(team, &numbers, &mut found)?;
        }
        for key in keys {
            if !found.contains_key(key) {
                found.extend(self.moved(key)?.map(|issue| (key.clone(), issue)));
            }
        }
        Ok(found)
    }

    fn moves(&self, ids: &[String]) -> Result<BTreeMap<String, Vec<Move>>> {
        let mut found = BTreeMap::new();
        let (mut size, mut after) = (HISTORIES, None::<String>);
        while !ids.is_empty() {
            let page: Histories = self.ask(
                "Histories",
                &mut size,
                |first| json!({"ids": ids, "first": first, "after": after}),
            )?;
            after = onwards(after.as_ref(), page.issues.page_info.next())?;
            for issue in page.issues.nodes {
                let moves = self.whole(&issue.id, issue.history)?;
                found.insert(issue.id, moves);
            }
            if after.is_none() {
                break;
            }
        }
        Ok(found)
    }

    fn reported(&self, asked: &Incidents, since: Timestamp, report: Report) -> Result<()> {
        self.touched(&asked.projects(), since, report)
    }

    fn address(&self, key: &str) -> String {
        format!("https://{}/issue/{key}", self.name)
    }
}
