//! `POST /v1/reports`: authenticate → map identity → price → upsert. The heart of the collector.

use super::answer::{applied, rejected, settled, turned_away};
use super::auth::Grant;
use super::error::Error;
use super::{App, body};
use crate::people::{identity, owner_after};
use crate::store::db::Db;
use crate::store::people::{Person, developer_seen, person_find};
use crate::store::session::{Head, session_give, session_known, session_put};
use crate::store::sum::CostBasis;
use crate::store::usage::{Usage, usage_compare, usage_put};
use crate::store::week::week_extend;
use anyhow::Result;
use axum::Json;
use axum::body::Body;
use axum::extract::State;
use jiff::Timestamp;
use meter::{
    Admission, Answer, Billing, Fault, FaultCode, NanoUsd, PriceBook, REPORTS_MAX, Repo, Report, Retry, Row,
    RowKey, Sender, Stored, Trust, Week, admit,
};
use serde::Serialize;
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use std::sync::Arc;

const ROW_NANOUSD_MAX: i64 = 10_000_000_000_000;
const REPORT_NANOUSD_MAX: i64 = 100_000_000_000_000;

#[derive(Serialize)]
pub(super) struct Results {
    results: Vec<Answer>,
}

/// One answer per report, in order; each is given after the COMMIT that keeps it.
pub(super) async fn post(
    State(app): State<Arc<App>>,
    grant: Grant, // authenticate
    body: Body,
) -> Result<Json<Results>, Error> {
    let body = body::read(body).await?;
    let now = (app.now)();
    let reports: Vec<&RawValue> = body::list(&body, REPORTS_MAX)?;
    app.rates.take(&grant.token_id, reports.len(), now)?;
    let queue = |json: &&RawValue| {
        let delivery = accept(json.get(), &grant, now)?;
        let book = Arc::clone(&app.book);
        Ok(app.store.write(move |db| ingest(db, &book, &delivery, now)))
    };
    let queued: Vec<Result<_, Fault>> = reports.iter().map(queue).collect();
    let mut results = Vec::with_capacity(reports.len());
    for (json, queued) in reports.iter().zip(queued) {
        let stored = match queued {
            Ok(write) => settled(write.await)?,
            Err(fault) => Err(fault),
        };
        let answer = stored.unwrap_or_else(|fault| rejected(json.get(), fault));
        app.counters.count(answer.status);
        results.push(answer);
    }
    Ok(Json(Results { results }))
}

/// A report that may be stored.
struct Delivery {
    report: Report,
    /// SHA-256 of its content.
    digest: String,
    /// The token that delivered it, and the repository whose settings carry that.
    token_id: String,
    via_repo: Repo,
}

fn accept(json: &str, grant: &Grant, now: Timestamp) -> Result<Delivery, Fault> {
    let report = Report::parse(json)?;
    report.check_time(now)?;
    if grant.strict && report.repo != grant.via_repo {
        let message = format!("repo: the token may report {} only", grant.via_repo);
        return Err(Fault::new(FaultCode::Forbidden, Retry::Never, message));
    }
    let digest = crate::keys::hex(&Sha256::digest(report.content()));
    Ok(Delivery { report, digest, token_id: grant.token_id.clone(), via_repo: grant.via_repo.clone() })
}

/// Stores one report whole; an error, also a fault of the report, leaves nothing of it behind.
fn ingest(db: &mut Db, book: &PriceBook, delivery: &Delivery, now: Timestamp) -> Result<Answer> {
    let Delivery { report, digest, token_id, via_repo } = delivery;
    let sender = Sender {
        install_id: report.install_id.clone(),
        developer: report.developer.clone(),
        trust: Trust::Claimed,
    };
    let (requests, output) = (report.requests(), report.output());
    let new = Stored { rank: report.rank, partial: report.partial, requests, output, digest: digest.clone() };
    let known = session_known(db, report)?;
    let admission = admit(known.owner.as_ref(), known.snapshot.as_ref(), &sender, &new);
    if admission != Admission::Apply {
        return turned_away(db, report, admission, known.snapshot);
    }
    let owner = owner_after(known.owner.as_ref().zip(known.rank), sender, report.rank);
    developer_seen(db, &owner.developer, now)?;
    if known.owner.is_some_and(|former| former != owner) {
        session_give(db, report, &owner, now)?;
    }

    let person = person_find(db, &owner.developer)?; // map identity
    let price = |row| price(book, report, row); // price
    let costs = within_limit(report.usage.iter().map(price).collect::<Result<_, Fault>>()?)?;
    let rows = report.usage.iter().zip(costs).map(|(row, cost)| usage(report, &owner, &person, row, cost));

    let change = usage_compare(db, report, rows)?; // upsert
    change.sums.check_room(db)?;
    week_extend(db, report.week, Week::of(now))?;
    session_put(db, &Head { report, owner: &owner, digest, token_id, via_repo, now })?;
    usage_put(db, report, change)?;
    Ok(applied(report))
}

type Cost = Option<(NanoUsd, String)>;

fn price(book: &PriceBook, report: &Report, row: &Row) -> Result<Cost, Fault> {
    let Some(priced) = book.cost(report.provider, row) else { return Ok(None) };
    if priced.cost.0 > ROW_NANOUSD_MAX {
        return Err(too_dear(format!("usage: a row of {} costs {}", row.key.model, priced.cost.dollars())));
    }
    Ok(Some((priced.cost, priced.price.id.clone())))
}

fn within_limit(costs: Vec<Cost>) -> Result<Vec<Cost>, Fault> {
    let total = NanoUsd(costs.iter().flatten().map(|(cost, _)| cost.0).sum()); // 4,000 rows within their limit
    if total.0 > REPORT_NANOUSD_MAX {
        return Err(too_dear(format!("usage: the report costs {}", total.dollars())));
    }
    Ok(costs)
}

fn too_dear(what: String) -> Fault {
    Fault::new(FaultCode::CostLimit, Retry::Never, what + ", more than one can")
}

fn usage(report: &Report, owner: &Sender, person: &Person, row: &Row, cost: Cost) -> (RowKey, Usage) {
    let basis = match report.billing {
        Billing::Subscription => CostBasis::ListEquivalent,
        Billing::Api | Billing::Unknown => CostBasis::List,
    };
    let usage = Usage {
        developer: identity(&owner.developer),
        team: person.team_at(row.key.hour).to_owned(),
        requests: row.requests,
        tokens: row.tokens,
        cost,
        basis,
    };
    (row.key.clone(), usage)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::attribute::tests::attribute_anew;
    use crate::store::cordon::cordon_add;
    use crate::store::fixture::{cluster, json_of, now, on_both, rows, teams};
    use meter::Status;
    use meter::attribution::Cordon;
    use proptest::collection::vec;
    use proptest::option;
    use proptest::prelude::*;
    use proptest::test_runner::TestRunner;
    use serde_json::{Value, json};

    const TEAMS: &str = r#"
[[team]]
id = "payments"
members = [{ email = "ana@acme.example", aliases = ["ana@old.example"] }]
[[team]]
id = "search"
members = [{ email = "bob@acme.example" }]
"#;

    /// Delivers the golden report with `changes`, as the writer does.
    pub(crate) fn deliver(db: &mut Db, changes: &Value) -> Result<Answer> {
        let grant =
            Grant { token_id: "f0".to_owned(), via_repo: "github.com/acme/pay".parse()?, strict: false };
        let delivery = accept(&json_of(changes), &grant, now())?;
        db.transaction(|db| ingest(db, &PriceBook::embedded(), &delivery, now()))
    }

    fn status(db: &mut Db, changes: &Value) -> Status {
        deliver(db, changes).unwrap().status
    }

    fn fault(db: &mut Db, changes: &Value) -> FaultCode {
        deliver(db, changes).unwrap_err().downcast::<Fault>().unwrap().code
    }

    fn rank(epoch: u64, seq: u64) -> Value {
        json!({"parser": 1, "epoch": epoch, "seq": seq})
    }

    /// A row of the golden week.
    fn usage_row(hour: u8, model: &str, output: u64) -> Value {
        json!({
            "hour": format!("2026-11-22T{hour:02}:00:00Z"), "branch": "main", "model": model, "agent": "main",
            "workflow": "main", "speed": "standard", "geo": "", "prompt_band": "100k", "requests": 1,
            "input": 0, "output": output, "cache_read": 0, "cache_write_5m": 0, "cache_write_1h": 0, "web_search": 0,
        })
    }

    const TEAM_WEEK: &str = "SELECT team, requests, tokens, billed_nanousd, list_equivalent_nanousd, unpriced_rows FROM team_week";

    #[test]
    fn a_report_reaches_its_team_priced() {
        on_both(|db| {
            teams(db, TEAMS, now());
            assert_eq!(status(db, &json!({})), Status::Applied);
            assert_eq!(rows(db, TEAM_WEEK), ["payments|4|124961|295084000|0|0", "payments|0|0|0|0|0"]);
            let spend = "SELECT team, developer, repo, branch, model, hour, week, trust, cost_basis, cost_nanousd, price_id
                FROM spend ORDER BY model";
            assert_eq!(
                rows(db, spend),
                [
                    "payments|ana@acme.example|github.com/acme/pay|feature/PAY-42|claude-opus-5-5|2026-11-22T04:00:00Z|2026-W47|claimed|list|10204000|claude-opus-5-5:base",
                    "payments|ana@acme.example|github.com/acme/pay|feature/PAY-42|claude-sonnet-5-5|2026-11-22T04:00:00Z|2026-W47|claimed|list|284880000|claude-sonnet-5-5:base"
                ]
            );
            assert_eq!(rows(db, "SELECT week FROM week ORDER BY week"), ["2026-W47", "2026-W48"]);
            assert_eq!(rows(db, "SELECT via_repo, token_id FROM session"), ["github.com/acme/pay|f0"]);
            assert_eq!(rows(db, "SELECT sha, branch FROM session_commit").len(), 1);
            assert_eq!(rows(db, "SELECT number, action FROM session_pull_request"), ["17|created"]);
        });
    }

    #[test]
    fn a_snapshot_replaces_the_former_one_whole() {
        on_both(|db| {
            let rows_of = |seq, usage: &[Value]| json!({"rank": rank(1, seq), "usage": usage});
            let (four, five) = (usage_row(4, "claude-opus-5-5", 100), usage_row(5, "claude-opus-5-5", 7));
            assert_eq!(status(db, &rows_of(1, &[four.clone(), five])), Status::Applied);
            assert_eq!(status(db, &rows_of(2, &[usage_row(4, "claude-opus-5-5", 101)])), Status::Applied);
            let hours = "SELECT hour, output FROM usage";
            assert_eq!(rows(db, hours), ["2026-11-22T04:00:00Z|101"]);
            assert_eq!(status(db, &rows_of(1, &[four])), Status::Stale);
            assert_eq!(rows(db, hours), ["2026-11-22T04:00:00Z|101"]);
            assert_eq!(status(db, &rows_of(3, &[])), Status::Applied);
            assert!(rows(db, hours).is_empty() && rows(db, TEAM_WEEK).is_empty());
            assert_eq!(rows(db, "SELECT cost_nanousd, counts FROM usage_sum"), ["0|0"]);
        });
    }

    #[test]
    fn the_same_report_again_changes_nothing_but_the_rank() {
        on_both(|db| {
            deliver(db, &json!({"rank": rank(1, 1)})).unwrap();
            let before = rows(db, "SELECT * FROM usage ORDER BY model");
            for (seq, kept) in [(9, 9), (2, 9)] {
                assert_eq!(status(db, &json!({"rank": rank(1, seq)})), Status::Same);
                assert_eq!(rows(db, "SELECT seq FROM session"), [kept.to_string()]);
            }
            assert_eq!(rows(db, "SELECT * FROM usage ORDER BY model"), before);
        });
    }

    #[test]
    fn another_ledger_with_less_is_held_with_the_stored_rank() {
        on_both(|db| {
            deliver(db, &json!({"rank": rank(1, 7)})).unwrap();
            let less = json!({"rank": rank(2, 1), "usage": [usage_row(4, "claude-opus-5-5", 1)]});
            let answer = deliver(db, &less).unwrap();
            assert_eq!((answer.status, answer.stored_rank.unwrap().seq), (Status::Held, 7));
            assert_eq!(answer.fault.unwrap().code, FaultCode::Fewer);
            assert_eq!(rows(db, "SELECT COUNT(*) FROM usage"), ["2"]);
        });
    }

    #[test]
    fn a_stranger_cannot_write_into_a_session() {
        on_both(|db| {
            deliver(db, &json!({})).unwrap();
            let mallory = json!({
                "install_id": "f".repeat(32), "developer": {"email": "mallory@acme.example"}, "rank": rank(1_795_690_000, 9),
                "week": "2026-W46", "usage": [], "started_at": null, "ended_at": null,
            });
            let answer = deliver(db, &mallory).unwrap();
            assert_eq!(answer.fault.unwrap().code, FaultCode::Owned);
            assert_eq!(rows(db, "SELECT developer FROM developer"), ["ana@acme.example"]);
            assert_eq!(rows(db, "SELECT COUNT(*) FROM session"), ["1"]);
        });
    }

    #[test]
    fn from_one_installation_the_newest_email_wins_for_the_whole_session() {
        on_both(|db| {
            teams(db, TEAMS, now());
            let first = json!({"rank": rank(1, 1), "developer": {"email": "bob@acme.example"}});
            deliver(db, &first).unwrap();
            let other_repo = json!({"repo": "github.com/acme/web", "rank": rank(1, 2)});
            assert_eq!(status(db, &other_repo), Status::Applied);
            let whose = "SELECT DISTINCT team, developer FROM spend";
            assert_eq!(rows(db, whose), ["payments|ana@acme.example"]);
            assert_eq!(rows(db, "SELECT subject FROM audit WHERE action = 'owner_changed'").len(), 1);
            let older = json!({"repo": "github.com/acme/old", "rank": rank(1, 0), "developer": {"email": "bob@acme.example"}});
            assert_eq!(status(db, &older), Status::Applied);
            assert_eq!(rows(db, whose), ["payments|ana@acme.example"]);
        });
    }

    #[test]
    fn a_session_given_away_moves_no_other() {
        on_both(|db| {
            teams(db, TEAMS, now());
            let other = "8b41c8a0-0000-4000-8000-000000000001";
            deliver(db, &json!({"session_id": other, "rank": rank(1, 1)})).unwrap();
            let bob = json!({"rank": rank(1, 1), "developer": {"email": "bob@acme.example"}});
            deliver(db, &bob).unwrap();
            // a mark that goes where the other session's rows are judged again
            let mark = format!("UPDATE usage SET team = 'mark' WHERE session_id = '{other}'");
            db.batch(&mark).unwrap();
            deliver(db, &json!({"repo": "github.com/acme/web", "rank": rank(1, 2)})).unwrap();
            let teams = "SELECT DISTINCT team, developer FROM usage ORDER BY team";
            assert_eq!(rows(db, teams), ["mark|ana@acme.example", "payments|ana@acme.example"]);
            db.batch(&mark.replace("mark", "payments")).unwrap();
            check_sums(db);
        });
    }

    #[test]
    fn what_has_no_price_is_visible_and_never_zero() {
        on_both(|db| {
            deliver(db, &json!({"usage": [usage_row(4, "claude-next-9", 50)]})).unwrap();
            assert_eq!(rows(db, TEAM_WEEK)[0], "unassigned|1|50|0|0|1");
            assert_eq!(
                rows(db, "SELECT COUNT(*) FROM usage WHERE cost_nanousd IS NULL AND price_id IS NULL"),
                ["1"]
            );
        });
    }

    #[test]
    fn a_subscription_is_priced_at_list_and_kept_apart() {
        on_both(|db| {
            deliver(db, &json!({"billing": "subscription"})).unwrap();
            assert_eq!(rows(db, TEAM_WEEK)[0], "unassigned|4|124961|0|295084000|0");
        });
    }

    #[test]
    fn impossible_costs_are_refused_and_leave_nothing() {
        on_both(|db| {
            let dear = |rows: u8| {
                let row = |hour| usage_row(hour, "claude-opus-5-5", 400_000_000);
                json!({"usage": (0..rows).map(row).collect::<Vec<_>>()})
            };
            assert_eq!(
                fault(db, &json!({"usage": [usage_row(4, "claude-opus-5-5", 10_000_000_000)]})),
                FaultCode::CostLimit
            );
            assert_eq!(fault(db, &dear(20)), FaultCode::CostLimit);
            for table in ["session", "usage", "developer", "team_week_sum", "week"] {
                assert!(rows(db, &format!("SELECT * FROM {table}")).is_empty(), "{table}");
            }
            assert_eq!(status(db, &dear(10)), Status::Applied);
        });
    }

    #[test]
    fn a_database_whose_sums_are_full_says_so() {
        on_both(|db| {
            db.batch("UPDATE usage_sum SET cost_nanousd = 9000000000000000000").unwrap();
            assert_eq!(fault(db, &json!({})), FaultCode::Full);
            assert!(rows(db, "SELECT * FROM session").is_empty());
            db.batch("UPDATE usage_sum SET cost_nanousd = 0, counts = 9000000000000000000").unwrap();
            assert_eq!(fault(db, &json!({})), FaultCode::Full);
        });
    }

    #[test]
    fn an_os_user_maps_to_nobody_and_a_team_to_itself() {
        on_both(|db| {
            teams(db, TEAMS, now());
            let whose = |db: &mut Db, id: &str, developer: Value| {
                deliver(db, &json!({"session_id": id, "developer": developer})).unwrap();
                rows(db, &format!("SELECT DISTINCT team, developer FROM spend WHERE session_id = '{id}'"))
                    .remove(0)
            };
            let id = |n| format!("8b41c8a0-0000-4000-8000-00000000000{n}");
            assert_eq!(whose(db, &id(1), json!({"os_user": "ana"})), "unassigned|os_user:ana");
            assert_eq!(whose(db, &id(2), json!({"team": "payments"})), "payments|team:payments");
            assert_eq!(whose(db, &id(3), json!({"team": "nowhere"})), "unassigned|team:nowhere");
            assert_eq!(whose(db, &id(4), json!({"email": "Ana@OLD.example"})), "payments|ana@acme.example");
            assert_eq!(whose(db, &id(5), json!({"pseudonym": "fox"})), "unassigned|pseudonym:fox");
            assert_eq!(rows(db, "SELECT developer FROM unassigned ORDER BY developer").len(), 3);
        });
    }

    #[test]
    fn a_strict_token_reports_its_own_repository_only() {
        let grant =
            |repo: &str, strict| Grant { token_id: "f0".to_owned(), via_repo: repo.parse().unwrap(), strict };
        let json = include_str!("../../../meter/golden/report.json");
        let code = |grant: &Grant| accept(json, grant, now()).err().map(|fault| fault.code);
        assert_eq!(code(&grant("github.com/acme/web", true)), Some(FaultCode::Forbidden));
        assert_eq!(code(&grant("github.com/acme/web", false)), None);
        assert_eq!(code(&grant("github.com/acme/pay", true)), None);
    }

    /// What can happen to a collector.
    #[derive(Debug, Clone)]
    enum Deed {
        /// Session, week, developer, subscription, rows of (hour, model, output).
        Deliver(u8, bool, usize, bool, Vec<(u8, usize, u64)>),
        /// For each developer the team of an undated line, or none, and whether it says since when.
        Edit([Option<usize>; 3], bool),
        /// The first team has a new id.
        Rename,
        /// All spend is told where it went, maybe after a commit of the sessions has landed, maybe behind a cordon.
        Judge(bool, bool),
    }

    const WHO: [&str; 3] = ["ana@acme.example", "bob@acme.example", "eve@acme.example"];

    fn deed() -> impl Strategy<Value = Deed> {
        let row = (0..20u8, 0..3usize, 1..1000u64);
        prop_oneof![
            5 => (0..3u8, any::<bool>(), 0..3usize, any::<bool>(), vec(row, 0..4))
                .prop_map(|(session, week, who, plan, rows)| Deed::Deliver(session, week, who, plan, rows)),
            3 => (proptest::array::uniform3(option::of(0..2usize)), any::<bool>()).prop_map(|(who, dated)| Deed::Edit(who, dated)),
            1 => Just(Deed::Rename),
            3 => any::<(bool, bool)>().prop_map(|(landed, cordoned)| Deed::Judge(landed, cordoned)),
        ]
    }

    fn perform(db: &mut Db, step: u64, deed: &Deed, renamed: &mut bool) {
        match deed {
            Deed::Deliver(session, later, who, plan, cells) => {
                let (week, day) = if *later { ("2026-W48", "24") } else { ("2026-W47", "22") };
                let row = |(hour, model, output): &(u8, usize, u64)| {
                    let mut row = usage_row(
                        *hour,
                        ["claude-opus-5-5", "claude-haiku-5-5", "claude-next-9"][*model],
                        *output,
                    );
                    row["hour"] = json!(format!("2026-11-{day}T{hour:02}:00:00Z"));
                    row["branch"] = json!(["", "main"][usize::from(hour % 3 / 2)]);
                    row
                };
                let mut usage: Vec<Value> = cells.iter().map(row).collect();
                usage.dedup_by_key(|row| (row["hour"].clone(), row["model"].clone()));
                usage.sort_by_key(|row| (row["hour"].to_string(), row["model"].to_string()));
                usage.dedup_by_key(|row| (row["hour"].clone(), row["model"].clone()));
                let report = json!({
                    "session_id": format!("8b41c8a0-0000-4000-8000-00000000000{session}"), "week": week,
                    "rank": rank(1, step), "developer": {"email": WHO[*who]}, "usage": usage,
                    "billing": if *plan { "subscription" } else { "api" }, "started_at": null, "ended_at": null,
                });
                deliver(db, &report).unwrap();
            }
            Deed::Edit(members, dated) => {
                let first = if *renamed { "id = \"neo\"\nformerly = [\"pay\"]" } else { "id = \"pay\"" };
                let from = if *dated { ", from = \"2026-11-23\"" } else { "" };
                let lines = |team| {
                    let here = |who: &usize| members[*who] == Some(team);
                    let line = |who| format!("{{ email = \"{}\"{from} }},", WHO[who]);
                    (0..3).filter(here).map(line).collect::<String>()
                };
                let text = format!(
                    "[[team]]\n{first}\nmembers = [{}]\n[[team]]\nid = \"web\"\nmembers = [{}]",
                    lines(0),
                    lines(1)
                );
                teams(db, &text, "2026-11-24T05:00:00Z".parse().unwrap());
            }
            Deed::Rename => *renamed = true,
            Deed::Judge(landed, cordoned) => {
                let branch = cordoned.then(|| "main".to_owned());
                db.batch("DELETE FROM cordon").unwrap();
                if branch.is_some() {
                    cordon_add(db, &Cordon { branch, ..Cordon::default() }, "a test", now()).unwrap();
                }
                if *landed {
                    land(db, "d728cec1f0a94f0f0b2b7c8d9e0f1a2b3c4d5e6f");
                }
                attribute_anew(db, now());
                let unjudged = "SELECT team FROM team_week_class WHERE class = 'unjudged'";
                assert_eq!(rows(db, unjudged), [""; 0]);
            }
        }
    }

    /// The golden report's commit lands on the tracked branch.
    fn land(db: &mut Db, sha: &str) {
        db.batch(&format!(
            "INSERT INTO source (repo, kind, branch, cursor, synced_at)
                VALUES ('github.com/acme/pay', 'clone', 'main', '{sha}', '') ON CONFLICT DO NOTHING;
            INSERT INTO change (repo, sha, landed, title, author, merged_at, shipped_at) VALUES
                ('github.com/acme/pay', '{sha}', 1, 'Add x', 'ana@acme.example', '2026-11-23T05:00:00Z', '')
                ON CONFLICT DO NOTHING;
            INSERT INTO change_commit VALUES ('github.com/acme/pay', '{sha}', '{sha}', '') ON CONFLICT DO NOTHING"
        ))
        .unwrap();
    }

    /// Every sum kept beside `usage` equals the sum over it, and every row is where its developer was.
    #[track_caller]
    fn check_sums(db: &mut Db) {
        const SUMS: &str = "usage_rows, unpriced_rows, requests, input, output, cache_read, cache_write_5m,
            cache_write_1h, web_search, billed_nanousd, list_equivalent_nanousd";
        let counted = "SELECT team, week, COUNT(*), SUM(CASE WHEN cost_nanousd IS NULL THEN 1 ELSE 0 END), SUM(requests),
            SUM(input), SUM(output), SUM(cache_read), SUM(cache_write_5m), SUM(cache_write_1h), SUM(web_search),
            SUM(CASE WHEN cost_basis = 'list' THEN COALESCE(cost_nanousd, 0) ELSE 0 END),
            SUM(CASE WHEN cost_basis = 'list_equivalent' THEN COALESCE(cost_nanousd, 0) ELSE 0 END)
            FROM usage GROUP BY team, week ORDER BY team, week";
        let kept = format!("SELECT team, week, {SUMS} FROM team_week_sum ORDER BY team, week");
        assert_eq!(rows(db, &kept), rows(db, counted));
        let by_part = counted.replace("team, week", "team, week, repo, model");
        let kept =
            format!("SELECT team, week, repo, model, {SUMS} FROM spend_sum ORDER BY team, week, repo, model");
        assert_eq!(rows(db, &kept), rows(db, &by_part));
        let total =
            "SELECT COALESCE(SUM(cost_nanousd), 0), COALESCE(SUM(requests + input + output + cache_read
            + cache_write_5m + cache_write_1h + web_search), 0) FROM usage";
        assert_eq!(rows(db, "SELECT cost_nanousd, counts FROM usage_sum"), rows(db, total));
        let judged = "SELECT team, week, class, CAST(SUM(cost_nanousd) AS BIGINT) FROM attribution
            GROUP BY team, week, class HAVING SUM(cost_nanousd) <> 0 ORDER BY team, week, class";
        let kept = "SELECT team, week, class, cost_nanousd FROM class_sum WHERE cost_nanousd <> 0
            ORDER BY team, week, class";
        assert_eq!(rows(db, kept), rows(db, judged));
        let cordoned =
            "SELECT team, week, CAST(SUM(cost_nanousd) AS BIGINT) FROM attribution WHERE class = 'cordon'
            GROUP BY team, week HAVING SUM(cost_nanousd) <> 0 ORDER BY team, week";
        let kept = "SELECT team, week, cordon_nanousd FROM team_week_sum WHERE cordon_nanousd <> 0 ORDER BY team, week";
        assert_eq!(rows(db, kept), rows(db, cordoned));
        let by_class = "SELECT team, week, CAST(SUM(cost_nanousd) AS BIGINT) FROM team_week_class
            GROUP BY team, week ORDER BY team, week";
        let whole = "SELECT team, week, CAST(SUM(cost_nanousd) AS BIGINT) FROM usage
            GROUP BY team, week HAVING SUM(cost_nanousd) <> 0 ORDER BY team, week";
        assert_eq!(rows(db, by_class), rows(db, whole), "the classes sum to the spend");
        let astray = "SELECT u.developer, u.hour, u.team FROM usage AS u WHERE u.team <> COALESCE((
                SELECT m.team FROM developer AS d JOIN team_member AS m ON m.developer = d.member
                WHERE d.developer = u.developer AND m.superseded_at IS NULL AND m.valid_from <= u.hour
                    AND (m.valid_until IS NULL OR u.hour < m.valid_until)
            ), 'unassigned')";
        assert_eq!(rows(db, astray), [""; 0]);
        let one_each = "SELECT team, week, COUNT(*) FROM team_week GROUP BY team, week HAVING COUNT(*) > 1";
        assert_eq!(rows(db, one_each), [""; 0]);
        let ahead = format!("SELECT team, week FROM team_week WHERE week > '{}'", Week::of(now()));
        assert_eq!(rows(db, &ahead), [""; 0]);
    }

    #[test]
    fn a_report_of_a_week_to_come_adds_no_week() {
        on_both(|db| {
            let bare = |week: &str| json!({"week": week, "usage": [], "started_at": null, "ended_at": null});
            assert_eq!(
                deliver(db, &bare("9999-W51")).unwrap_err().downcast::<Fault>().unwrap().code,
                FaultCode::Future
            );
            let grant = Grant {
                token_id: "f0".to_owned(),
                via_repo: "github.com/acme/pay".parse().unwrap(),
                strict: false,
            };
            let eve = "2026-11-29T23:55:00Z".parse().unwrap(); // the next week is allowed, and not begun
            let delivery = accept(&json_of(&bare("2026-W49")), &grant, eve).unwrap();
            db.transaction(|db| ingest(db, &PriceBook::embedded(), &delivery, eve)).unwrap();
            deliver(db, &json!({})).unwrap();
            check_sums(db);
            assert_eq!(rows(db, "SELECT week FROM week ORDER BY week"), ["2026-W47", "2026-W48"]);
        });
    }

    #[test]
    fn the_rollup_is_the_sum_after_any_deeds() {
        let _server = cluster(); // one for all cases
        let mut runner = TestRunner::new(ProptestConfig::with_cases(24));
        let cases = runner.run(&vec(deed(), 1..14), |deeds| {
            on_both(|db| {
                let mut renamed = false;
                for (step, deed) in (1..).zip(&deeds) {
                    perform(db, step, deed, &mut renamed);
                    check_sums(db);
                }
            });
            Ok(())
        });
        cases.unwrap();
    }
}
