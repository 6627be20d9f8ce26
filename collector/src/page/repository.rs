//! The page of a repository, and of all of them: what was spent in it, and what came of it.

use super::report::{Asked, Report, Section, dollars, many, nanos, percent};
use super::sum;
use crate::listing::{Cell, Listing};
use crate::store::db::Db;
use crate::store::repository::{By, Landed, Part, repository_changes, repository_known, repository_spend};
use anyhow::Result;
use meter::{NanoUsd, Week};
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// Changes that are listed.
const CHANGES: usize = 25;

/// Nothing is known of such a repository.
#[derive(Debug, thiserror::Error)]
#[error("nothing is known of the repository {0:?}")]
pub(crate) struct NoRepository(String);

pub(crate) fn repositories(db: &mut Db, asked: Asked) -> Result<Report> {
    let parts = repository_spend(db, asked.first, None, By::Repo)?;
    Ok(Report {
        title: "Repositories".to_owned(),
        at: "/repositories",
        basis: asked.basis(),
        weeks: Some(asked.weeks),
        sections: vec![Section {
            pages: Some("/repositories/"),
            ..spend("Spend by repository", "Repository", &parts)
        }],
        view: "spend",
    })
}

pub(crate) fn repository(db: &mut Db, asked: Asked, repo: &str) -> Result<Result<Report, NoRepository>> {
    if !repository_known(db, repo)? {
        return Ok(Err(NoRepository(repo.to_owned())));
    }
    let mut by = |by| repository_spend(db, asked.first, Some(repo), by);
    let (weeks, teams, models) = (by(By::Week)?, by(By::Team)?, by(By::Model)?);
    let changes = repository_changes(db, asked.first, repo)?;
    Ok(Ok(Report {
        title: repo.to_owned(),
        at: "",
        basis: asked.basis(),
        weeks: Some(asked.weeks),
        sections: vec![
            by_week(&weeks, &changes),
            spend("Spend by team", "Team", &teams),
            spend("Spend by model", "Model", &models),
            dearest(repo, asked.first, &changes),
        ],
        view: "change_cost",
    }))
}

fn spend(title: &'static str, name: &str, parts: &[Part]) -> Section {
    let spent: u64 = parts.iter().map(|one| nanos(one.cost)).sum();
    let row = |one: &Part| {
        let share = percent(nanos(one.cost), spent);
        vec![Cell::text(&one.name), many(one.requests), many(one.tokens), dollars(one.cost), share]
    };
    Section {
        title,
        said: String::new(),
        table: Listing::new(
            &[name, "Requests", "Tokens", "Spend", "Of all"],
            parts.iter().map(row).collect(),
        ),
        empty: "No spend in these weeks.",
        pages: None,
    }
}

/// The newest week first.
fn by_week(weeks: &[Part], changes: &[Landed]) -> Section {
    let mut rows: BTreeMap<String, (NanoUsd, [usize; 3])> = BTreeMap::new();
    for one in weeks {
        rows.entry(one.name.clone()).or_default().0 = one.cost;
    }
    for one in changes {
        let Some(week) = one.week() else { continue };
        let (_, counts) = rows.entry(week.to_string()).or_default();
        match one.state.as_deref() {
            Some("verified") => counts[0] += 1,
            Some("disqualified") => counts[1] += 1,
            Some("pending") => counts[2] += 1,
            _ => {}
        }
    }
    let row = |(week, (cost, counts)): (String, (NanoUsd, [usize; 3]))| {
        [Cell::Text(week), dollars(cost)].into_iter().chain(counts.map(Cell::number)).collect()
    };
    Section {
        title: "Week by week",
        said: "Spend in the week it was spent, changes in the week they shipped.".to_owned(),
        table: Listing::new(
            &["Week", "Spend", "Verified", "Lost", "Pending"],
            rows.into_iter().rev().map(row).collect(),
        ),
        empty: "Nothing was spent or shipped in these weeks.",
        pages: None,
    }
}

fn dearest(repo: &str, first: Week, changes: &[Landed]) -> Section {
    let mut changes: Vec<&Landed> = changes.iter().filter(|one| one.merged_at >= first.start()).collect();
    changes.sort_by_key(|one| (Reverse(one.cost), Reverse(one.merged_at)));
    let all = sum(changes.iter().map(|one| one.cost));
    let row = |one: &&Landed| {
        vec![
            Cell::Text(format!("{repo}@{}", one.sha.get(..10).unwrap_or(&one.sha))),
            dollars(one.cost),
            Cell::text(one.state.as_deref().unwrap_or("not judged")),
            Cell::Text(one.merged_at.strftime("%-d %b %Y").to_string()),
            Cell::text(&one.title),
        ]
    };
    Section {
        title: "Changes, the dearest first",
        said: format!(
            "{} of {} that merged in these weeks; all of them cost {}, whenever it was spent.",
            changes.len().min(CHANGES),
            changes.len(),
            all.dollars()
        ),
        table: Listing::new(
            &["Change", "Cost", "State", "Merged", "Title"],
            changes.iter().take(CHANGES).map(row).collect(),
        ),
        empty: "No change merged in these weeks, or no source tells of this repository.",
        pages: Some("/changes/"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::report::tests::{asked, lines};
    use crate::store::fixture::{change, on_both, rows, spend};
    use crate::store::shipping::UNSHIPPED;

    #[test]
    fn a_repository_shows_its_own_spend_and_changes_alone() {
        on_both(|db| {
            spend(db, "pay", "claude-opus-5-5", "2026-11-17T10:00:00Z", Some(3_000_000_000));
            spend(db, "pay", "claude-sonnet-5-5", "2026-11-10T10:00:00Z", Some(1_000_000_000));
            spend(db, "pay", "claude-sonnet-5-5", "2026-06-10T10:00:00Z", Some(9_000_000_000));
            spend(db, "web", "claude-opus-5-5", "2026-11-17T10:00:00Z", Some(4_000_000_000));
            change(
                db,
                ("h.x/a/pay", "1111111111ff"),
                "2026-11-18T10:00:00Z",
                "pay claude-opus-5-5 2026-11-17T10:00:00Z",
            );
            let told = repository(db, asked(), "h.x/a/pay").unwrap().unwrap();
            let [weeks, teams, models, changes] = &told.sections[..] else { panic!("four sections") };
            assert_eq!(lines(weeks), ["2026-W47 | $3.00 | 1 | 0 | 0", "2026-W46 | $1.00 | 0 | 0 | 0"]);
            assert_eq!(lines(teams), ["pay | 2 | 30 | $4.00 | 100 %"]);
            let expected =
                ["claude-opus-5-5 | 1 | 15 | $3.00 | 75 %", "claude-sonnet-5-5 | 1 | 15 | $1.00 | 25 %"];
            assert_eq!(lines(models), expected);
            assert_eq!(lines(changes), ["h.x/a/pay@1111111111 | $3.00 | verified | 18 Nov 2026 | <b>"]);
            let in_sql = "SELECT COUNT(*), SUM(cost_nanousd) FROM usage WHERE repo = 'h.x/a/pay' AND week >= '2026-W37'";
            assert_eq!(rows(db, in_sql), ["2|4000000000"]);
            let all = repositories(db, asked()).unwrap();
            assert_eq!(lines(&all.sections[0])[1], "h.x/a/web | 1 | 15 | $4.00 | 50 %");
            assert!(repository(db, asked(), "h.x/a/none").unwrap().is_err());
        });
    }

    #[test]
    fn what_merged_before_the_first_week_counts_in_the_week_it_shipped() {
        on_both(|db| {
            for (sha, merged_at) in
                [("a", "2026-09-04T10:00:00Z"), ("b", "2026-09-08T10:00:00Z"), ("c", "2026-09-05T10:00:00Z")]
            {
                let hour = merged_at.replace("10:", "09:");
                spend(db, "pay", "claude-opus-5-5", &hour, Some(1_000_000_000));
                change(db, ("h.x/a/pay", sha), merged_at, &format!("pay claude-opus-5-5 {hour}"));
            }
            let released =
                |of: &str, at: &str| format!("UPDATE change SET shipped_at = '{at}' WHERE sha {of}");
            db.batch(&released("<> 'c'", "2026-09-09T10:00:00Z")).unwrap();
            db.batch(&released("= 'c'", &UNSHIPPED.to_string())).unwrap();
            let told = repository(db, asked(), "h.x/a/pay").unwrap().unwrap();
            assert_eq!(lines(&told.sections[0]), ["2026-W37 | $1.00 | 2 | 0 | 0"]);
            assert_eq!(lines(&told.sections[3]), ["h.x/a/pay@b | $1.00 | verified | 8 Sep 2026 | <b>"]);
        });
    }
}
