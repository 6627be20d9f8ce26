//! Databases for tests: each test runs on SQLite and on PostgreSQL, each time on an empty one.

use super::db::{Access, Db};
use super::team_week::{Outcomes, TeamWeek};
use super::{open, people::teams_apply, price::price_publish};
use crate::config::{Database, Secret};
use crate::people::file::parse;
use crate::weekly::{Asked, Weekly};
use jiff::Timestamp;
use meter::outcome::{ByStrictness, Tally};
use meter::{NanoUsd, PriceBook, Tokens, Week};
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use tempfile::TempDir;
use tests::Cluster;

/// The Wednesday all tests happen on.
pub(crate) fn now() -> Timestamp {
    "2026-11-25T12:00:00Z".parse().unwrap()
}

/// An empty database that lives as long as this.
pub(crate) struct Home {
    pub database: Database,
    folder: TempDir,
    _cluster: Option<Arc<Cluster>>,
}

/// One empty database of each kind.
pub(crate) fn homes() -> [Home; 2] {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let cluster = cluster();
    let name = format!("test_{}", COUNT.fetch_add(1, Ordering::Relaxed));
    let database = Database::Postgres(Secret(cluster.database(&name)));
    [of_sqlite(), Home { database, folder: tempfile::tempdir().unwrap(), _cluster: Some(cluster) }]
}

fn of_sqlite() -> Home {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::Sqlite(folder.path().join("data/cpvo.db"));
    Home { database, folder, _cluster: None }
}

/// One server for all tests that run at a time; it stops with the last of them, be it by a panic.
pub(crate) fn cluster() -> Arc<Cluster> {
    static CLUSTER: Mutex<Weak<Cluster>> = Mutex::new(Weak::new());
    let mut shared = CLUSTER.lock().unwrap_or_else(PoisonError::into_inner);
    shared.upgrade().unwrap_or_else(|| {
        let cluster = Arc::new(Cluster::start());
        *shared = Arc::downgrade(&cluster);
        cluster
    })
}

impl Home {
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn open(&self) -> Db {
        open(&self.database, Access::Write, now()).unwrap()
    }

    fn run(&self, check: impl Fn(&mut Db)) {
        let mut db = self.open();
        db.transaction(|db| price_publish(db, &PriceBook::embedded(), now())).unwrap();
        check(&mut db);
    }
}

/// Runs `check` on a database of each kind that knows the list prices.
pub(crate) fn on_both(check: impl Fn(&mut Db)) {
    for home in homes() {
        home.run(&check);
    }
}

/// On the one that is quick to be had, for tests of many cases.
pub(crate) fn on_sqlite(check: impl Fn(&mut Db)) {
    of_sqlite().run(check);
}

/// Takes in a teams.toml at `now`.
pub(crate) fn teams(db: &mut Db, text: &str, now: Timestamp) {
    db.transaction(|db| teams_apply(db, &parse(text).unwrap(), now)).unwrap();
}

/// A session of one hour of one team's developer, with one row of each count from 1 request and 1 input to 6 searches.
pub(crate) fn spend(db: &mut Db, team: &str, model: &str, hour: &str, cost: Option<i64>) {
    let week = Week::of(hour.parse().unwrap());
    let (starts_at, ends_at) = (week.start(), week.end());
    let (id, email) = (format!("{team} {model} {hour}"), format!("ana@{team}.example"));
    let repo = format!("h.x/a/{team}");
    let price = format!("SELECT MIN(price_id) FROM price WHERE model = '{model}'");
    let cost = cost.map_or("NULL".to_owned(), |cost| cost.to_string());
    db.batch(&format!(
        "INSERT INTO developer (developer, kind) VALUES ('{email}', 'email') ON CONFLICT DO NOTHING;
         INSERT INTO session (session_id, repo, week, developer, trust, install_id, token_id, via_repo, parser, epoch,
            seq, digest, partial, requests, client, client_version, entrypoint, hook_version, environment, provider,
            billing, end_reason, turns, subagents, tool_errors, api_errors, compactions, prompt_max, lines, malformed,
            synthetic, interrupted, unknown_usage, unitemised, adopted, stored_at)
         VALUES ('{id}', '{repo}', '{week}', '{email}', 'claimed', 'i', 't', '{repo}', 1, 1, 1, 'd', 0, 1, 'c', '1',
            'cli', '1', 'local', 'anthropic', 'api', 'other', 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, '{hour}');
         INSERT INTO usage VALUES ('{id}', '{repo}', '{week}', '{hour}', '', '{model}', 'main', 'main', 'standard', '',
            '100k', 'hook', '{email}', '{team}', 1, 1, 2, 3, 4, 5, 6, {cost}, ({price}), 'list');
         INSERT INTO spend_sum SELECT team, week, repo, model, 1, CASE WHEN cost_nanousd IS NULL THEN 1 ELSE 0 END, requests,
            input, output, cache_read, cache_write_5m, cache_write_1h, web_search, COALESCE(cost_nanousd, 0), 0
            FROM usage WHERE session_id = '{id}'
            ON CONFLICT (team, week, repo, model) DO UPDATE SET usage_rows = spend_sum.usage_rows + 1,
                billed_nanousd = spend_sum.billed_nanousd + excluded.billed_nanousd;
         DELETE FROM team_week_sum;
         INSERT INTO team_week_sum SELECT team, week, SUM(usage_rows), SUM(unpriced_rows), SUM(requests), SUM(input),
            SUM(output), SUM(cache_read), SUM(cache_write_5m), SUM(cache_write_1h), SUM(web_search), SUM(billed_nanousd),
            SUM(list_equivalent_nanousd), 0 FROM spend_sum GROUP BY team, week;
         INSERT INTO week VALUES ('{week}', '{starts_at}', '{ends_at}') ON CONFLICT DO NOTHING"
    ))
    .unwrap();
}

/// A verified change that one session of [`spend`] built.
pub(crate) fn change(db: &mut Db, (repo, sha): (&str, &str), merged_at: &str, session: &str) {
    let hour = session.rsplit(' ').next().unwrap();
    let week = Week::of(hour.parse().unwrap());
    db.batch(&format!(
        "INSERT INTO source (repo, kind, branch, cursor, synced_at) VALUES ('{repo}', 'clone', 'main', 'x', '')
            ON CONFLICT DO NOTHING;
         INSERT INTO change (repo, sha, landed, title, author, merged_at, shipped_at, state)
         VALUES ('{repo}', '{sha}', 1, '<b>', 'ana@pay.example', '{merged_at}', '{merged_at}', 'verified');
         INSERT INTO attribution_span
         VALUES ('{session}', '{repo}', '{week}', '', '{hour}', '{hour}', 'commit', 'commit', '{repo}', '{sha}', NULL)"
    ))
    .unwrap();
}

/// A team's week with `billed` nano-dollars.
pub(crate) fn team_week(team: &str, week: &str, billed: i64) -> TeamWeek {
    TeamWeek {
        team: team.to_owned(),
        name: team.to_owned(),
        week: week.parse().unwrap(),
        requests: 3,
        tokens: Tokens { input: 1_000_000, output: 234_567, ..Tokens::default() },
        billed: NanoUsd(billed),
        list_equivalent: NanoUsd(0),
        cordon: NanoUsd(0),
        unpriced_rows: 0,
        loan: None,
        closing: None,
        outcomes: None,
    }
}

/// A team's week of so many dollars with what it verified, lost and waits for.
pub(crate) fn judged(team: &str, week: &str, dollars: i64, mature: bool, counts: [u64; 3]) -> TeamWeek {
    let [verified, disqualified, pending] = counts;
    let tally = Tally { verified, disqualified, pending };
    let decided = Tally { pending: 0, ..tally };
    let by_strictness = ByStrictness { targeted: decided, literal: decided };
    let outcomes = Outcomes { tally, by_strictness, mature, policy_id: 2, computed_at: now() };
    TeamWeek { outcomes: Some(outcomes), ..team_week(team, week, dollars * 1_000_000_000) }
}

/// The answer with these weeks alone.
pub(crate) fn weekly(weeks: Vec<TeamWeek>) -> Weekly {
    let computed_at = "2026-11-22T07:00:00Z".parse().unwrap();
    Weekly { computed_at, asked: Asked::of_team(None, 12), weeks, standings: Vec::new(), costs: Vec::new() }
}

/// All rows of a query, fields joined by `|`.
pub(crate) fn rows(db: &mut Db, sql: &str) -> Vec<String> {
    let line = |row: Vec<crate::listing::Cell>| {
        row.iter().map(crate::listing::Cell::shown).collect::<Vec<_>>().join("|")
    };
    db.listing(sql).unwrap().rows.into_iter().map(line).collect()
}

/// The golden report of the wire format with some fields changed.
pub(crate) fn json_of(changes: &serde_json::Value) -> String {
    let golden = include_str!("../../../meter/golden/report.json");
    let mut json: serde_json::Value = serde_json::from_str(golden).unwrap();
    for (field, value) in changes.as_object().unwrap() {
        json[field] = value.clone();
    }
    json.to_string()
}
