//! Writes a `Report` from what the ledger knows: pure and deterministic.

use crate::ledger::{Content, Key};
use crate::secret::Secret;
use crate::terms::Branches;
use meter::{
    Billing, Branch, COMMITS_MAX, Client, Developer, EndReason, Environment, Hour, InstallId,
    PULL_REQUESTS_MAX, Provider, REPORT_BYTES_MAX, ROWS_MAX, Rank, Report, Row, RowKey, SCHEMA, Tokens, Word,
};
use std::collections::{BTreeMap, HashMap};

/// Version of the rules by which transcripts are read.
pub(crate) const PARSER: u32 = meter::PARSER_MAX;
/// Room for what is not rows: commits, pull requests, the head.
const ROWS_BYTES_MAX: usize = REPORT_BYTES_MAX / 2;
const MERGED: &str = "*";

/// What every report of this installation says.
#[derive(Clone)]
pub(crate) struct Imprint<'a> {
    pub install_id: &'a InstallId,
    pub secret: &'a Secret,
    pub branches: Branches,
    pub epoch: u64,
}

/// The report of `key` as it stands.
pub(crate) fn build(
    key: &Key,
    seq: u64,
    content: Content,
    developer: Developer,
    imprint: &Imprint,
) -> Report {
    let name = |branch: &Branch| named(branch, imprint);
    let Content { session, rows, mut commits, mut pull_requests, started_at, ended_at, shape, quality } =
        content;
    let rows =
        rows.into_iter().map(|row| Row { key: RowKey { branch: name(&row.key.branch), ..row.key }, ..row });
    for commit in &mut commits {
        commit.branch = name(&commit.branch);
    }
    // the latest tell most
    commits.drain(..commits.len().saturating_sub(COMMITS_MAX));
    pull_requests.drain(..pull_requests.len().saturating_sub(PULL_REQUESTS_MAX));
    Report {
        schema: SCHEMA,
        session_id: key.session.clone(),
        repo: key.repo.clone(),
        week: key.week,
        rank: Rank { parser: PARSER, epoch: imprint.epoch, seq },
        partial: !session.own,
        install_id: imprint.install_id.clone(),
        client: Client {
            name: word("claude-code"),
            version: word(&session.version),
            entrypoint: word(&session.entrypoint),
            hook: word(env!("CARGO_PKG_VERSION")),
        },
        environment: Environment::from_word(&session.environment).unwrap_or(Environment::Local),
        provider: Provider::from_word(&session.provider).unwrap_or(Provider::Unknown),
        billing: Billing::from_word(&session.billing).unwrap_or(Billing::Unknown),
        developer,
        started_at,
        ended_at,
        end_reason: EndReason::from_word(&session.end_reason).unwrap_or(EndReason::Swept),
        usage: bounded(rows.collect()),
        commits,
        pull_requests,
        shape,
        quality,
    }
}

fn named(branch: &Branch, imprint: &Imprint) -> Branch {
    if imprint.branches == Branches::Plain || branch.as_str().is_empty() {
        return branch.clone();
    }
    format!("hashed/{}", imprint.secret.hash(branch.as_str(), 16)).parse().unwrap_or_default()
}

fn word(text: &str) -> Word {
    text.parse().unwrap_or_default()
}

/// One row for each key, within the limits of a report: the rarest branches give way first.
fn bounded(rows: Vec<Row>) -> Vec<Row> {
    let rows = fold(rows);
    if fits(&rows) {
        return rows;
    }
    let mut requests: HashMap<Branch, u64> = HashMap::new();
    for row in &rows {
        *requests.entry(row.key.branch.clone()).or_default() += row.requests;
    }
    let mut branches: Vec<(u64, Branch)> =
        requests.into_iter().map(|(branch, requests)| (requests, branch)).collect();
    branches.sort();
    // how many branches must give way is searched for: a report may name thousands
    let merged = |count: usize| {
        let gone: Vec<&Branch> = branches.iter().take(count).map(|(_, branch)| branch).collect();
        let merge = |row: &Row| {
            let mut row = row.clone();
            if gone.contains(&&row.key.branch) {
                row.key.branch = MERGED.parse().unwrap_or_default();
            }
            row
        };
        fold(rows.iter().map(merge).collect())
    };
    let (mut fewest, mut most) = (1, branches.len());
    while fewest < most {
        let middle = usize::midpoint(fewest, most);
        if fits(&merged(middle)) { most = middle } else { fewest = middle + 1 }
    }
    let mut rows = merged(most);
    for widen in [any_workflow, whole_day] {
        if !fits(&rows) {
            for row in &mut rows {
                widen(&mut row.key);
            }
            rows = fold(rows);
        }
    }
    rows.truncate(ROWS_MAX);
    rows
}

fn any_workflow(key: &mut RowKey) {
    key.workflow = "other".parse().unwrap_or_default();
}

fn whole_day(key: &mut RowKey) {
    let seconds = key.hour.start().as_second();
    let day = jiff::Timestamp::from_second(seconds - seconds.rem_euclid(86_400));
    key.hour = day.map_or(key.hour, Hour::of);
}

fn fits(rows: &[Row]) -> bool {
    let bytes =
        || rows.iter().map(|row| serde_json::to_string(row).map_or(0, |json| json.len() + 1)).sum::<usize>();
    rows.len() <= ROWS_MAX && bytes() <= ROWS_BYTES_MAX
}

fn fold(rows: Vec<Row>) -> Vec<Row> {
    let mut folded: BTreeMap<RowKey, (u64, Tokens)> = BTreeMap::new();
    for row in rows {
        let (requests, tokens) = folded.entry(row.key).or_default();
        *requests += row.requests;
        *tokens += row.tokens;
    }
    folded.into_iter().map(|(key, (requests, tokens))| Row { key, requests, tokens }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use meter::{Agent, Band, Geo, Speed};

    fn row(branch: &str, hour: i64, requests: u64) -> Row {
        let at = jiff::Timestamp::from_second(1_795_320_000 + hour * 3600).unwrap();
        Row {
            key: RowKey {
                hour: Hour::of(at),
                branch: branch.parse().unwrap(),
                model: "claude-opus-5-5".parse().unwrap(),
                agent: Agent::Main,
                workflow: "main".parse().unwrap(),
                speed: Speed::Standard,
                geo: Geo::Elsewhere,
                band: Band::To100k,
            },
            requests,
            tokens: Tokens { input: requests, ..Tokens::default() },
        }
    }

    fn report(rows: Vec<Row>, branches: Branches) -> Report {
        let key = Key {
            session: "8b41c8a0-0000-4000-8000-000000000001".parse().unwrap(),
            repo: "github.com/acme/pay".parse().unwrap(),
            week: "2026-W47".parse().unwrap(),
        };
        let install_id = "a".repeat(32).try_into().unwrap();
        let imprint = Imprint { install_id: &install_id, secret: &Secret::of([1; 32]), branches, epoch: 9 };
        let content = Content { rows, ..Content::default() };
        build(&key, 3, content, Developer::Email("ana@acme.example".parse().unwrap()), &imprint)
    }

    #[test]
    fn rows_of_one_key_are_one_row() {
        let report = report(vec![row("b", 1, 2), row("a", 1, 1), row("b", 1, 3)], Branches::Plain);
        assert_eq!(report.usage, [row("a", 1, 1), row("b", 1, 5)]);
        assert_eq!(report.rank, Rank { parser: PARSER, epoch: 9, seq: 3 });
        assert!(report.partial);
    }

    #[test]
    fn the_rarest_branches_merge_until_the_report_fits() {
        let mut rows: Vec<Row> = (0..5000).map(|n| row(&format!("b{n:04}"), 1, 1 + n % 7)).collect();
        rows.push(row("main", 1, 9));
        let total: u64 = rows.iter().map(|row| row.requests).sum();
        let report = report(rows, Branches::Plain);
        assert!(fits(&report.usage) && report.usage.len() > 1000, "{}", report.usage.len());
        assert_eq!(report.requests(), total);
        assert!(report.usage.iter().any(|row| row.key.branch.as_str() == "main"));
        assert!(report.usage.iter().all(|row| row.key.branch.as_str() != "b0000"));
        assert!(serde_json::to_string(&report).unwrap().len() <= REPORT_BYTES_MAX);
    }

    #[test]
    fn no_token_is_dropped_to_make_a_report_fit() {
        let rows = (0..6000).map(|n| {
            let mut row = row("main", n % 24, 1);
            row.key.workflow = format!("w{}", n / 72).parse().unwrap();
            row.key.model = format!("m{}", n / 24).parse().unwrap();
            row
        });
        let report = report(rows.collect(), Branches::Plain);
        assert!(fits(&report.usage), "{}", report.usage.len());
        assert_eq!(report.requests(), 6000);
    }

    #[test]
    fn hashed_branches_keep_apart_what_is_apart_and_say_nothing() {
        let report =
            report(vec![row("PAY-42-layoffs", 1, 1), row("main", 1, 1), row("", 1, 1)], Branches::Hashed);
        assert_eq!(report.usage.len(), 3);
        let json = serde_json::to_string(&report).unwrap();
        assert!(!json.contains("PAY-42") && json.contains(r#""branch":"""#), "{json}");
    }

    #[test]
    fn what_was_read_is_what_a_collector_reads() {
        let report = report(vec![row("b", 1, 2)], Branches::Plain);
        let json = serde_json::to_string(&report).unwrap();
        assert_eq!(Report::parse(&json).unwrap(), report);
    }
}
