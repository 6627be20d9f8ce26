//! How many people work with Claude Code. Counts alone: nobody is named, and nobody is ranked.

use super::report::{Asked, Report, Section, percent};
use crate::listing::{Cell, Listing};
use crate::people::UNASSIGNED;
use crate::store::adoption::{active_list, adopting_list};
use crate::store::db::Db;
use anyhow::Result;
use meter::Hour;

pub(crate) fn adoption(db: &mut Db, asked: Asked) -> Result<Report> {
    Ok(Report {
        title: "Adoption".to_owned(),
        at: "/adoption",
        basis: asked.basis(),
        weeks: Some(asked.weeks),
        sections: vec![weeks(db, asked)?, teams(db, asked)?],
        view: "coverage",
    })
}

fn weeks(db: &mut Db, asked: Asked) -> Result<Section> {
    let weeks = active_list(db, asked.first)?;
    let rows = weeks.iter().map(|one| {
        vec![
            Cell::text(&one.week),
            Cell::number(one.developers),
            Cell::number(one.sessions),
            Cell::number(one.turns),
            Cell::number(one.authors),
            Cell::number(one.reporting),
            percent(one.reporting, one.authors),
        ]
    });
    let columns =
        ["Week", "Active developers", "Sessions", "Prompts", "Authors", "of them reporting", "Coverage"];
    Ok(Section {
        title: "Week by week",
        said: "Active: a session with a request, not of a machine of continuous integration. Authors landed something in a \
            repository that reports; coverage is the share of them with a reported session in that week."
            .to_owned(),
        table: Listing::new(&columns, rows.collect()),
        empty: "No week yet: the collector waits for its first report.",
        pages: None,
    })
}

fn teams(db: &mut Db, asked: Asked) -> Result<Section> {
    let mut teams = adopting_list(db, asked.first, Hour::of(asked.now))?;
    // by name: an order by use would be a ranking
    teams.sort_by(|one, other| {
        (one.team == UNASSIGNED, &one.team).cmp(&(other.team == UNASSIGNED, &other.team))
    });
    let rows = teams.iter().map(|one| {
        vec![
            Cell::text(&one.team),
            Cell::number(one.members),
            Cell::number(one.developers),
            Cell::number(one.sessions),
            Cell::number(one.weeks),
        ]
    });
    let columns = ["Team", "Members today", "Active developers", "Sessions", "Weeks with any"];
    Ok(Section {
        title: "By team",
        said: "Whoever was active in these weeks, again without machines, in the team of that hour; members may have come and gone since.".to_owned(),
        table: Listing::new(&columns, rows.collect()),
        empty: "No session in these weeks.",
        pages: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::report::tests::{asked, lines};
    use crate::store::fixture::{on_both, spend, teams};

    #[test]
    fn people_are_counted_once_a_week_and_never_named() {
        on_both(|db| {
            let members = "[[team]]\nid = \"pay\"\nmembers = [
                { email = \"ana@pay.example\" },
                { email = \"bo@pay.example\", until = \"2027-01-01\" },
                { email = \"cy@pay.example\", until = \"2027-01-01\" },
                { email = \"di@pay.example\", from = \"2027-01-01\" }]";
            teams(db, members, "2026-11-01T00:00:00Z".parse().unwrap());
            for hour in ["2026-11-16T10:00:00Z", "2026-11-17T10:00:00Z", "2026-11-23T10:00:00Z"] {
                spend(db, "pay", "claude-opus-5-5", hour, Some(5));
            }
            spend(db, "web", "claude-opus-5-5", "2026-11-17T10:00:00Z", Some(5));
            for team in ["pay", "ops"] {
                spend(db, team, "claude-opus-5-5", "2026-11-10T10:00:00Z", Some(5));
            }
            db.batch("UPDATE session SET environment = 'ci' WHERE week = '2026-W46'").unwrap();
            let told = adoption(db, asked()).unwrap();
            let [weeks, teams] = &told.sections[..] else { panic!("two sections") };
            assert_eq!(
                lines(weeks),
                [
                    "2026-W48 | 1 | 1 | 1 | 0 | 0 | ",
                    "2026-W47 | 2 | 3 | 3 | 0 | 0 | ",
                    "2026-W46 | 0 | 0 | 0 | 0 | 0 | "
                ]
            );
            assert_eq!(lines(teams), ["pay | 3 | 1 | 3 | 2", "web | 0 | 1 | 1 | 1"]);
            assert!(!told.html().unwrap().contains("ana@"));
        });
    }
}
