//! Writes a `Report` from what the ledger knows: pure and deterministic.

use crate::state::ledger::{Content, Key};
use crate::state::secret::Secret;
use crate::terms::Branches;
use meter::{
    Billing, Branch, COMMITS_MAX, Client, Developer, EndReason, Environment, Hour, InstallId,
    PULL_REQUESTS_MAX, Provider, REPORT_BYTES_MAX, ROWS_MAX, Rank, Report, Row, RowKey, SCHEMA, Tokens, Word,
};
use std::collections::{BTreeMap, HashMap};

/// Version of the rules by which transcripts are read.
pub(crate) const PARSER: u32 = meter::PARSER_MAX;

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
    let mut report = Report {
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
        usage: Vec::new(),
        commits,
        pull_requests,
        shape,
        quality,
    };
    report.usage = bounded(rows.collect(), REPORT_BYTES_MAX.saturating_sub(json_bytes(&report)));
    report
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

/// What tells rows apart, and what it becomes where they are too many.
type Detail = (fn(&RowKey) -> String, fn(&mut RowKey));

/// In the order they are given up. Without any of them the rows of a week are few hundred, which fit beside as
/// many commits as a report may have.
const DETAILS: [Detail; 4] = [
    (|key| key.branch.to_string(), |key| key.branch = "*".parse().unwrap_or_default()),
    (|key| key.workflow.to_string(), |key| key.workflow = "other".parse().unwrap_or_default()),
    (|key| key.hour.to_string(), |key| key.hour = day(key.hour)),
    (|key| key.model.to_string(), |key| key.model = "unknown".parse().unwrap_or_default()),
];

/// The first hour of the day.
fn day(hour: Hour) -> Hour {
    let seconds = hour.start().as_second();
    let start = jiff::Timestamp::from_second(seconds - seconds.rem_euclid(86_400));
    start.map_or(hour, Hour::of)
}

/// One row for each key, within the limits of a report: the rarest branches give way first.
fn bounded(rows: Vec<Row>, bytes_max: usize) -> Vec<Row> {
    let mut rows = fold(rows);
    for detail in DETAILS {
        if fits(&rows, bytes_max) {
            break;
        }
        rows = coarser(&rows, detail, bytes_max);
    }
    rows
}

/// The rows with the rarest values of one detail merged: as few as are enough, else all.
fn coarser(rows: &[Row], (value, merge): Detail, bytes_max: usize) -> Vec<Row> {
    let mut requests: HashMap<String, u64> = HashMap::new();
    for row in rows {
        *requests.entry(value(&row.key)).or_default() += row.requests;
    }
    // no branch is not a rare one
    requests.remove("");
    let mut values: Vec<(u64, String)> = requests.into_iter().map(|(value, count)| (count, value)).collect();
    values.sort();
    let places: HashMap<&str, usize> =
        values.iter().enumerate().map(|(place, (_, value))| (value.as_str(), place)).collect();
    let places: Vec<Option<usize>> =
        rows.iter().map(|row| places.get(value(&row.key).as_str()).copied()).collect();
    let merged = |count: usize| {
        let mut rows = rows.to_vec();
        for (row, _) in rows.iter_mut().zip(&places).filter(|(_, place)| place.is_some_and(|p| p < count)) {
            merge(&mut row.key);
        }
        fold(rows)
    };
    let (mut fewest, mut most) = (1, values.len());
    while fewest < most {
        let middle = usize::midpoint(fewest, most);
        if fits(&merged(middle), bytes_max) { most = middle } else { fewest = middle + 1 }
    }
    merged(most)
}

fn fits(rows: &[Row], bytes_max: usize) -> bool {
    // a comma follows each
    rows.len() <= ROWS_MAX && rows.iter().map(|row| json_bytes(row) + 1).sum::<usize>() <= bytes_max
}

fn json_bytes(value: &impl serde::Serialize) -> usize {
    serde_json::to_string(value).map_or(0, |json| json.len())
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
    use meter::{Agent, Band, Commit, Geo, PullRequest, PullRequestAction, Speed};
    use proptest::prelude::*;

    fn row(branch: &str, hour: i64, requests: u64) -> Row {
        let at = jiff::Timestamp::from_second(1_794_787_200 + hour * 3600).unwrap();
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
        of(Content { rows, ..Content::default() }, branches)
    }

    fn of(content: Content, branches: Branches) -> Report {
        let key = Key {
            session: "8b41c8a0-0000-4000-8000-000000000001".parse().unwrap(),
            repo: "github.com/acme/pay".parse().unwrap(),
            week: "2026-W47".parse().unwrap(),
        };
        let install_id = "a".repeat(32).try_into().unwrap();
        let imprint = Imprint { install_id: &install_id, secret: &Secret::of([1; 32]), branches, epoch: 9 };
        build(&key, 3, content, Developer::Email("ana@acme.example".parse().unwrap()), &imprint)
    }

    #[test]
    fn rows_of_one_key_are_one_row() {
        let report = report(vec![row("b", 1, 2), row("a", 1, 1), row("b", 1, 3)], Branches::Plain);
        assert_eq!(report.usage, [row("a", 1, 1), row("b", 1, 5)]);
        assert_eq!(report.rank, Rank { parser: PARSER, epoch: 9, seq: 3 });
        assert!(report.partial);
    }

    /// Within every limit, and not a token less.
    #[track_caller]
    fn check(rows: &[Row], report: &Report) {
        let json = serde_json::to_string(report).unwrap();
        assert!(json.len() <= REPORT_BYTES_MAX, "{} bytes", json.len());
        assert_eq!(Report::parse(&json).unwrap(), *report);
        let sum = |rows: &[Row]| {
            rows.iter().fold((0, Tokens::default()), |(requests, mut tokens), row| {
                tokens += row.tokens;
                (requests + row.requests, tokens)
            })
        };
        assert_eq!(sum(&report.usage), sum(rows));
    }

    #[test]
    fn the_rarest_branches_merge_until_the_report_fits() {
        let mut rows: Vec<Row> = (0..5000).map(|n| row(&format!("b{n:04}"), 1, 1 + n % 7)).collect();
        rows.push(row("main", 1, 9));
        rows.push(row("", 1, 1));
        let report = report(rows.clone(), Branches::Plain);
        check(&rows, &report);
        assert!(report.usage.len() > 3000, "{}", report.usage.len());
        let branches: Vec<&str> = report.usage.iter().map(|row| row.key.branch.as_str()).collect();
        assert!(["main", "", "*"].iter().all(|branch| branches.contains(branch)));
        assert!(!branches.contains(&"b0000"));
    }

    #[test]
    fn a_report_fits_whatever_is_in_it() {
        // a quote is two bytes in JSON
        let long = |n: usize, most: usize| format!("{n:\"<most$}");
        let rows: Vec<Row> = (0..2500)
            .map(|n| {
                let mut row = row(&long(n, 255), i64::try_from(n).unwrap() % 120, 1);
                row.key.model = long(n, 128).parse().unwrap();
                row.key.workflow = long(n, 64).parse().unwrap();
                row
            })
            .collect();
        let at =
            |n: usize| jiff::Timestamp::new(1_795_320_000 + i64::try_from(n).unwrap(), 123_456_789).unwrap();
        let commit = |n: usize| Commit {
            sha: format!("{n:040x}").parse().unwrap(),
            branch: long(n, 255).parse().unwrap(),
            at: at(n),
        };
        let action = PullRequestAction::CheckedOut;
        let pull_request = |n: usize| PullRequest { number: u32::MAX, action, at: at(n) };
        let content = Content {
            rows: rows.clone(),
            commits: (0..=COMMITS_MAX).map(commit).collect(),
            pull_requests: (0..=PULL_REQUESTS_MAX).map(pull_request).collect(),
            ..Content::default()
        };
        let report = of(content, Branches::Plain);
        check(&rows, &report);
        assert_eq!((report.commits.len(), report.commits[0].at), (COMMITS_MAX, at(1)), "the latest stay");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(6))]
        #[test]
        fn no_token_is_dropped_to_make_a_report_fit(
            count in 4000..7000_i64,
            branches in 1..5000_i64,
            workflows in 1..200_i64,
            models in 1..300_i64,
            hours in 1..140_i64,
        ) {
            let rows: Vec<Row> = (0..count)
                .map(|n| {
                    let mut row = row(&format!("feature/{}", n % branches), n % hours, 1);
                    row.key.workflow = format!("w{}", n % workflows).parse().unwrap();
                    row.key.model = format!("claude-{}", n % models).parse().unwrap();
                    (row.requests, row.tokens.cache_read) = (n.cast_unsigned() % 4, n.cast_unsigned());
                    row
                })
                .collect();
            check(&rows, &report(rows.clone(), Branches::Plain));
        }
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
