//! How far the numbers can be relied on: spend without a team, a price or a known person, and who does not report.

use super::report::{Asked, Report, Section, dollars, many, minute, nanos, percent};
use crate::http::Counters;
use crate::listing::{Cell, Listing};
use crate::store::db::Db;
use crate::store::quality::{
    Lacking, Trusted, covered_list, lacking, shared_list, stray_list, trusted_list, unpriced_list,
};
use anyhow::Result;

pub(crate) fn quality(db: &mut Db, asked: Asked, counters: &Counters) -> Result<Report> {
    let Asked { first, .. } = asked;
    Ok(Report {
        title: "Data quality".to_owned(),
        at: "/quality",
        basis: asked.basis(),
        weeks: Some(asked.weeks),
        sections: vec![
            unassigned(db, asked)?,
            unpriced(db, asked)?,
            coverage(db, asked)?,
            trust(&trusted_list(db, first)?),
            shared(db, asked)?,
            lacking_of(&lacking(db, first)?),
            answered(counters),
        ],
        view: "unassigned",
    })
}

fn unassigned(db: &mut Db, asked: Asked) -> Result<Section> {
    let rows = stray_list(db, asked.first)?.into_iter().map(|one| {
        vec![
            Cell::text(one.kind),
            Cell::number(one.identities),
            Cell::number(one.sessions),
            dollars(one.cost),
            minute(&one.last_hour),
        ]
    });
    Ok(Section {
        title: "Spend that no team carries",
        said: "Identities that no line of teams.toml lists, by how they are known. Who they are is for admins to ask: \
            `cpvo sql 'SELECT * FROM unassigned'`"
            .to_owned(),
        table: Listing::new(&["Known by", "Identities", "Sessions", "Spend", "Last hour"], rows.collect()),
        empty: "None: a team carries all of it.",
        pages: None,
    })
}

fn unpriced(db: &mut Db, asked: Asked) -> Result<Section> {
    let rows = unpriced_list(db, asked.first)?.into_iter().map(|one| {
        vec![
            Cell::text(one.model),
            Cell::number(one.rows),
            many(one.requests),
            many(one.tokens),
            minute(&one.first_hour),
            minute(&one.last_hour),
        ]
    });
    let columns = ["Model", "Rows of usage", "Requests", "Tokens", "First hour", "Last hour"];
    Ok(Section {
        title: "Models without a price",
        said: "Their tokens are counted and their dollars are in no sum, never as zero.".to_owned(),
        table: Listing::new(&columns, rows.collect()),
        empty: "None: every row of usage has a price.",
        pages: None,
    })
}

fn coverage(db: &mut Db, asked: Asked) -> Result<Section> {
    let rows = covered_list(db, asked.first)?.into_iter().map(|one| {
        let share = percent(one.reporting, one.authors);
        vec![Cell::text(one.repo), Cell::number(one.authors), Cell::number(one.reporting), share]
    });
    Ok(Section {
        title: "Who lands changes, and who of them reports",
        said: "In repositories that report: authors who landed something, counted once in each week, and those of them with \
            a reported session in that week. The rest worked without Claude Code, or without the hook."
            .to_owned(),
        table: Listing::new(&["Repository", "Authors × weeks", "Reporting", "Share"], rows.collect()),
        empty: "Nothing landed in a repository that reports: no source was read, or no session came from one.",
        pages: Some("/repositories/"),
    })
}

fn trust(all: &[Trusted]) -> Section {
    let spent: u64 = all.iter().map(|one| nanos(one.cost)).sum();
    let rows = all.iter().map(|one| {
        let share = percent(nanos(one.cost), spent);
        vec![
            Cell::text(&one.trust),
            Cell::text(&one.kind),
            Cell::number(one.sessions),
            dollars(one.cost),
            share,
        ]
    });
    Section {
        title: "How identities are known",
        said: "claimed: as the developer's machine says, delivered with the token of a repository. Each dollar carries it."
            .to_owned(),
        table: Listing::new(&["Trust", "Known by", "Sessions", "Spend", "Of all"], rows.collect()),
        empty: "No session yet.",
        pages: None,
    }
}

fn shared(db: &mut Db, asked: Asked) -> Result<Section> {
    let rows = shared_list(db, asked.first)?;
    let rows = rows.iter().map(|one| vec![Cell::number(one.identities), Cell::number(one.installs)]);
    Ok(Section {
        title: "One machine's user, several identities",
        said: "Installations of the hook, one for each user of a machine, whose sessions bear identities that teams.toml does \
            not know as one person: shared accounts, or a git email that changes. aliases of a member make them one."
            .to_owned(),
        table: Listing::new(&["Identities", "Installations"], rows.collect()),
        empty: "None: each installation bears one person's identities.",
        pages: None,
    })
}

fn lacking_of(all: &Lacking) -> Section {
    let row = |(name, count): (&str, u64)| vec![Cell::text(name), many(count), share(count, all.lines)];
    let rows = [
        ("lines read", all.lines),
        ("lines that are not JSON, or hold an impossible count", all.malformed),
        ("responses cut off before their final usage", all.interrupted),
        ("requests that left no response", all.unknown_usage),
        ("sessions with overhead that could not be told apart", all.unitemised),
        ("responses whose origin no remaining copy names", all.adopted),
    ];
    Section {
        title: "What transcripts lacked",
        said: "As the hooks counted it while they read; what is lacking is guessed nowhere.".to_owned(),
        table: Listing::new(
            &["Counted", "How often", "Of lines"],
            if all.lines > 0 { rows.map(row).into() } else { Vec::new() },
        ),
        empty: "No transcript was read yet.",
        pages: None,
    }
}

/// Too few for whole percent as a rule.
fn share(count: u64, lines: u64) -> Cell {
    meter::Ppm::share(count, lines).map_or(Cell::Null, |share| {
        let permille = share.permille();
        Cell::Number(format!("{}.{} %", permille / 10, permille % 10))
    })
}

fn answered(counters: &Counters) -> Section {
    let rows = counters.answered().into_iter();
    let rows = rows.map(|(status, count)| vec![Cell::text(status), Cell::number(count)]);
    Section {
        title: "How reports were answered",
        said: "Since this collector started. held: fewer requests than are stored, from another ledger; kept out until that \
            ledger or newer reading rules lower it. `cpvo-hook status` tells the developer."
            .to_owned(),
        table: Listing::new(&["Answer", "Reports"], rows.collect()),
        empty: "",
        pages: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::report::tests::{asked, lines};
    use crate::store::fixture::{on_both, spend};

    #[test]
    fn what_cannot_be_relied_on_is_counted() {
        on_both(|db| {
            spend(db, "pay", "claude-opus-5-5", "2026-11-17T10:00:00Z", Some(3_000_000_000));
            spend(db, "unassigned", "claude-opus-5-5", "2026-11-17T11:00:00Z", Some(1_000_000_000));
            spend(db, "unassigned", "odd-model", "2026-11-18T11:00:00Z", None);
            spend(db, "unassigned", "claude-opus-5-5", "2026-06-01T11:00:00Z", Some(7_000_000_000));
            let told = quality(db, asked(), &Counters::default()).unwrap();
            let section = |title: &str| lines(told.sections.iter().find(|one| one.title == title).unwrap());
            assert_eq!(section("Spend that no team carries"), ["email | 1 | 2 | $1.00 | 2026-11-18 11:00"]);
            let odd = "odd-model | 1 | 1 | 15 | 2026-11-18 11:00 | 2026-11-18 11:00";
            assert_eq!(section("Models without a price"), [odd]);
            assert_eq!(section("How identities are known"), ["claimed | email | 3 | $4.00 | 100 %"]);
            assert_eq!(
                section("One machine's user, several identities"),
                ["2 | 1"],
                "install i has ana@pay and ana@unassigned"
            );
            assert_eq!(section("How reports were answered")[3], "held | 0");
            assert!(!told.html().unwrap().contains("ana@"));
        });
    }
}
