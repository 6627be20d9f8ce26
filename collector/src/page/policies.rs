//! What people decided about the numbers: windows, cordons and disputes, with the reason each was given.

use super::report::{Report, Section, minute};
use crate::listing::{Cell, Listing};
use crate::store::db::Db;
use crate::store::policy_log::{Decision, decision_list};
use anyhow::Result;

pub(crate) fn policies(db: &mut Db) -> Result<Report> {
    let row = |one: &Decision| {
        let by = one.by.as_deref().unwrap_or("teams.toml");
        vec![
            minute(&one.at),
            Cell::text(&one.kind),
            Cell::text(&one.subject),
            Cell::text(&one.detail),
            Cell::text(&one.reason),
            Cell::text(by),
        ]
    };
    let rows = decision_list(db)?.iter().map(row).collect();
    let section = Section {
        title: "Every decision, the newest first",
        said: "window: how long a team's changes must survive; the one that holds judges all of its weeks, what each former one \
            says is in team_week_policy. cordon: kept out of the cost of outcomes. dispute: what disqualified a change counts no more."
            .to_owned(),
        table: Listing::new(&["When", "What", "Of", "Says", "Reason", "By"], rows),
        empty: "Nobody decided anything yet: no team of teams.toml has a window, nothing is kept out, nothing disputed.",
        pages: None,
    };
    Ok(Report {
        title: "Policy log".to_owned(),
        at: "/policies",
        basis: "What was decided about the numbers, by whom and why. Times in UTC.".to_owned(),
        weeks: None,
        sections: vec![section],
        view: "audit",
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::report::tests::lines;
    use crate::store::fixture::on_both;

    #[test]
    fn decisions_stand_in_the_order_of_time_with_reason_and_author() {
        on_both(|db| {
            db.batch(
                "INSERT INTO policy (policy_id, team, window_days, hotfix_hours, strictness, reason, recorded_at) VALUES
                    (2, 'pay', 14, 72, 'targeted', 'as teams.toml first said', '2026-01-01T00:00:00Z'),
                    (3, 'pay', 21, 72, 'literal', 'late reverts', '2026-03-01T00:00:00Z'),
                    (4, 'unassigned', 7, 72, 'targeted', 'nobody waits', '2026-06-01T00:00:00Z');
                 INSERT INTO cordon VALUES (1, NULL, 'spike/*', NULL, NULL, 'spikes', '2026-02-01T00:00:00Z', '2026-04-01T00:00:00Z');
                 INSERT INTO audit VALUES (1, '2026-03-01T00:00:00Z', 'cpvo window set', 'policy_set', 'pay', 'x'),
                    (2, '2026-04-01T00:00:00Z', 'admin', 'cordon_ended', 'cordon 1', 'over');
                 INSERT INTO dispute (repo, sha, kind, rule, evidence, reason, recorded_at, disputed_by) VALUES
                    ('h.x/a/pay', '1234567890abc', 'revert', 'title', 'e', 'about y', '2026-05-01T00:00:00Z', 'lea')",
            )
            .unwrap();
            let told = policies(db).unwrap();
            let expected = [
                "2026-06-01 00:00 | window | unassigned | 7 days, hotfixes within 72 hours, targeted | nobody waits | teams.toml",
                "2026-05-01 00:00 | dispute | h.x/a/pay@1234567890 | revert, title | about y | lea",
                "2026-04-01 00:00 | cordon ended | cordon 1 |  | over | admin",
                "2026-03-01 00:00 | window | pay | 21 days, hotfixes within 72 hours, literal | late reverts | cpvo window set",
                "2026-02-01 00:00 | cordon | cordon 1 | branch spike/* | spikes | admin",
                "2026-01-01 00:00 | window | pay | 14 days, hotfixes within 72 hours, targeted | as teams.toml first said | teams.toml",
            ];
            assert_eq!(lines(&told.sections[0]), expected);
        });
    }
}
