//! Which tickets a tracker is asked about, and by which key it knows them.

use super::*;

#[test]
fn only_what_was_touched_is_read_again() {
    let ((jira, of_jira), (linear, of_linear)) = (jira(), linear());
    let histories = |asked: &[String]| {
        asked.iter().filter(|it| it.contains("changelog") || it.contains("Histor")).count()
    };
    for (board, source) in [(&jira.board, &of_jira), (&linear.board, &of_linear)] {
        let asked = || if source.kind() == "jira" { jira.queries() } else { linear.queries() };
        on_both(|db| {
            begin(db);
            for number in 1..=3 {
                land(db, number, 20, ("x", &format!("PAY-{number}: Add x")));
                board.put(Card::new(&format!("PAY-{number}"), &[("done", "2026-11-20T13:00:00Z", "ana")]));
            }
            reads(db, source, 3);
            let (before, known) = (asked().len(), rows(db, EVENTS));
            reads(db, source, 3);
            assert_eq!(histories(&asked()[before..]), 0);
            assert_eq!(rows(db, EVENTS), known);
            let again = [("done", "2026-11-20T13:00:00Z", "ana"), ("doing", "2026-11-22T12:00:00Z", "")];
            board.put(Card::new("PAY-2", &again));
            let before = asked().len();
            reads(db, source, 3);
            assert_eq!(
                histories(&asked()[before..]),
                if source.kind() == "jira" { 1 } else { 2 },
                "{:?}",
                &asked()[before..]
            );
            let events = rows(db, EVENTS);
            assert_eq!(events.len(), 4);
            let bot = if source.kind() == "jira" { "-" } else { "GitHub" };
            assert_eq!(events[2], format!("PAY-2|reopened|2026-11-22T12:00:00Z|{bot}"));
        });
    }
}

#[test]
fn a_ticket_that_was_moved_is_known_by_its_former_key() {
    each(|db, board, source| {
        let again = [("done", "2026-11-20T13:00:00Z", "ana"), ("todo", "2026-11-22T12:00:00Z", "ben")];
        board.put(Card { former: vec!["PAY-1".to_owned()], ..Card::new("OPS-9", &again) });
        board.put(Card { former: vec!["PAY-2".to_owned()], ..Card::new("SHOP-2", &again) });
        land(db, 1, 20, ("x", "PAY-1: Add x"));
        land(db, 2, 20, ("x", "PAY-2: Add y"));
        land(db, 3, 20, ("x", "SHOP-2: Add z"));
        reads(db, source, 3);
        judged(db, "2026-11-25T12:00:00Z", &["1|disqualified", "2|disqualified", "3|disqualified"]);
    });
}

#[test]
fn what_is_not_there_is_asked_for_while_it_may_count() {
    each(|db, board, source| {
        land(db, 1, 20, ("x", "PAY-1: Add x"));
        reads(db, source, 0);
        assert_eq!(rows(db, "SELECT key, ticket FROM ticket_key"), ["PAY-1|"]);
        let again = [("done", "2026-11-20T13:00:00Z", "ana"), ("todo", "2026-11-22T12:00:00Z", "ben")];
        board.put(Card::new("PAY-1", &again));
        reads(db, source, 1);
        judged(db, "2026-11-25T12:00:00Z", &["1|disqualified"]);
        board.cards().clear();
        reads(db, source, 0);
        judged(db, "2026-11-25T12:00:00Z", &["1|disqualified"]);
    });
}

#[test]
fn what_landed_long_ago_is_asked_for_once() {
    each(|db, board, source| {
        let long_ago =
            "UPDATE change SET merged_at = '2026-08-26T11:59:59Z', shipped_at = '2026-08-26T11:59:59Z'";
        land(db, 1, 20, ("x", "PAY-1: Add x"));
        db.execute(long_ago, &[]).unwrap();
        board.put(Card::new(
            "PAY-1",
            &[("done", "2026-08-27T13:00:00Z", "ana"), ("todo", "2026-08-28T12:00:00Z", "ben")],
        ));
        reads(db, source, 1);
        judged(db, "2026-11-25T12:00:00Z", &["1|disqualified"]);
        reads(db, source, 0);
        db.execute(&long_ago.replace("T11:59:59Z", "T12:00:00Z"), &[]).unwrap();
        reads(db, source, 1);
    });
}
