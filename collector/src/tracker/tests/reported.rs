//! Tickets that tell incidents.

use super::*;
use crate::store::incident::{broken_list, outage_list};
use crate::store::service::service_retain;
use ::tests::host::Host;

const INCIDENTS: &str =
    "SELECT i.repo, i.incident, i.opened_at, COALESCE(i.resolved_at, '-'), COALESCE(i.number, 0)
    FROM incident AS i WHERE i.service <> 'api' ORDER BY i.incident";

/// Runs `check` on a board of each tracker and a database of each kind, with what makes a source of more words of
/// cpvo.toml.
fn each_told(check: impl Fn(&mut Db, &Board, &Host, &dyn Fn(&str) -> Source)) {
    let _server = cluster(); // the same for both
    let jira = Jira::start(&[("PAY", "PAY"), ("SHOP", "SHOP")], 2);
    let linear = Linear::start("acme", &["PAY", "SHOP"], 2);
    let of_jira = format!("kind = 'jira'\nurl = '{}'\nprojects = ['PAY', 'SHOP']", jira.url());
    let of_linear =
        format!("kind = 'linear'\nworkspace = 'acme'\nteams = ['PAY', 'SHOP']\nurl = '{}'", linear.url());
    for (board, host, named) in
        [(&jira.board, jira.host(), of_jira), (&linear.board, linear.host(), of_linear)]
    {
        on_both(|db| {
            board.cards().clear();
            begin(db);
            check(db, board, host, &|more| source(&format!("{named}\n{more}")));
        });
    }
}

fn told(
    key: &str,
    labels: &[&'static str],
    text: &str,
    moves: &[(&'static str, &str, &'static str)],
) -> Card {
    Card { labels: labels.to_vec(), text: text.to_owned(), ..Card::new(key, moves) }
}

const MAPPED: &str = "incidents = ['incident', 'sev*']\nrepos = { pay = 'github.com/acme/pay' }";
const DONE: (&str, &str, &str) = ("done", "2026-11-20T13:00:00Z", "ana");

/// The incidents as they are stored, without the address of the tracker.
fn stored(db: &mut Db) -> Vec<String> {
    let short = |row: String| {
        let (repo, rest) = row.split_once('|').unwrap();
        format!("{repo} {}", rest.rsplit('/').next().unwrap())
    };
    rows(db, INCIDENTS).into_iter().map(short).collect()
}

#[test]
fn tickets_with_these_labels_tell_what_broke_and_where() {
    each_told(|db, board, _, source_of| {
        land(db, 12, 1, ("x", "Add x"));
        board.put(told("PAY-1", &["Incident", "pay"], "Nobody can pay.\n\nCaused by #12.", &[DONE]));
        board.put(told("PAY-2", &["sev:2"], "root cause: https://github.com/acme/pay/pull/12", &[]));
        board.put(told("PAY-3", &["bug"], "caused by #12", &[]));
        board.put(told("PAY-4", &["incident"], "", &[("dropped", "2026-11-20T13:00:00Z", "ana")]));
        board.put(told("PAY-5", &["incident"], "", &[DONE, ("todo", "2026-11-21T13:00:00Z", "ana")]));
        board.put(told("SHOP-6", &["incident"], "", &[]));
        reads(db, &source_of(MAPPED), 0);
        let opened = "2026-10-01T08:00:00Z";
        let first = [
            format!("{REPO} PAY-1|{opened}|2026-11-20T13:00:00Z|12"),
            format!("{REPO} PAY-2|{opened}|-|12"),
            format!("{REPO} PAY-5|{opened}|-|0"),
        ];
        assert_eq!(stored(db), first);
        assert_eq!(broken_list(db).unwrap().len(), 1, "two come from one change");
        let began = outage_list(db, opened.parse().unwrap()).unwrap();
        assert_eq!(began.values().map(Vec::len).sum::<usize>(), 3);

        board.put(told("PAY-2", &["bug"], "", &[("done", "2026-11-25T11:55:00Z", "ana")]));
        reads(db, &source_of(MAPPED), 0);
        assert_eq!(stored(db), [&first[0][..], &first[2]], "its label was taken away");

        let elsewhere = MAPPED.replace("pay = 'github.com/acme/pay'", "SHOP = 'github.com/acme/shop'");
        reads(db, &source_of(&elsewhere), 0);
        assert_eq!(stored(db), [format!("github.com/acme/shop SHOP-6|{opened}|-|0")]);
        service_retain(db, &[]).unwrap();
        reads(db, &source_of(MAPPED), 0);
        assert_eq!(stored(db), [&first[0][..], &first[2]], "no source meanwhile");
        reads(db, &source_of(""), 0);
        assert_eq!(stored(db), [""; 0]);
    });
}

#[test]
fn only_tickets_that_were_touched_are_asked_for_again() {
    each_told(|db, board, host, source_of| {
        for number in 1..=4 {
            board.put(told(&format!("PAY-{number}"), &["incident"], "", &[]));
        }
        let source = source_of(MAPPED);
        let is_jira = source.kind() == "jira";
        let sinces = |from: usize| -> Vec<String> {
            let since = |body: &Value| {
                let jql = body["jql"].as_str().and_then(|jql| jql.split('"').nth(3));
                jql.or(body["variables"]["since"].as_str()).map(str::to_owned)
            };
            host.asked().split_off(from).iter().filter_map(|asked| since(&asked.body)).collect()
        };
        let before = host.asked().len();
        // cut off behind the first page of them
        let through = if is_jira { 3 + 1 } else { 1 };
        host.fail(vec![None; through].into_iter().chain([Some(Reply::Status(401, vec![], String::new()))]));
        syncs(db, &source).unwrap_err();
        assert_eq!(rows(db, INCIDENTS).len(), if is_jira { 2 } else { 0 });
        reads(db, &source, 0);
        assert_eq!(rows(db, INCIDENTS).len(), 4);
        reads(db, &source, 0);
        let year = if is_jira { "-525611m" } else { "2025-11-25T11:50:00Z" };
        let lately = if is_jira { "-11m" } else { "2026-11-25T11:50:00Z" };
        let asked = sinces(before);
        assert_eq!((asked.first().unwrap().as_str(), asked.last().unwrap().as_str()), (year, lately));
        // what was known by then is not asked for once more, where the tracker tells in order of time
        let mend = asked.iter().position(|since| since != year).map(|at| asked[at].as_str());
        assert_eq!(mend, Some(if is_jira { "-79451m" } else { lately }));
    });
}

#[test]
fn incidents_say_where_they_happen() {
    let refused = |more: &str| {
        let text = format!("kind = 'jira'\nurl = 'https://acme.atlassian.net'\nprojects = ['PAY']\n{more}");
        let mut source: Source = toml::from_str(&text).unwrap();
        source.settle(Path::new(""), &|_| None).unwrap_err().to_string()
    };
    assert!(refused("incidents = ['incident']").contains("incidents need repos"));
    assert!(refused("repos = { PAY = 'github.com/acme/pay' }").contains("incidents need repos"));
    let other = "incidents = ['incident']\nrepos = { shop = 'github.com/acme/pay' }";
    assert_eq!(refused(other), "repos: SHOP is none of its projects");
    assert!(refused("incidents = ['x']\nrepos = { PAY = 'none' }").contains("must be host/owner/name"));
}
