//! Brings a database to the schema this program knows: numbered texts, applied once each, in order.
//!
//! Append-only: a text that was released is never edited. All of it happens in one transaction as the
//! one writer, so two collectors that start at once both come up.

use super::db::{Db, values};
use anyhow::{Context, Result, bail};
use jiff::Timestamp;
use std::collections::BTreeMap;

const MIGRATIONS: &[(&str, &str)] = &[
    ("0001_spend", include_str!("../../migrations/0001_spend.sql")),
    ("0002_outcomes", include_str!("../../migrations/0002_outcomes.sql")),
    ("0003_output", include_str!("../../migrations/0003_output.sql")),
    ("0004_requests", include_str!("../../migrations/0004_requests.sql")),
    ("0005_weeks", include_str!("../../migrations/0005_weeks.sql")),
    ("0006_attribution", include_str!("../../migrations/0006_attribution.sql")),
    ("0007_work", include_str!("../../migrations/0007_work.sql")),
    ("0008_tickets", include_str!("../../migrations/0008_tickets.sql")),
    ("0009_strictness", include_str!("../../migrations/0009_strictness.sql")),
    ("0010_effort", include_str!("../../migrations/0010_effort.sql")),
    ("0011_trackers", include_str!("../../migrations/0011_trackers.sql")),
    ("0012_news", include_str!("../../migrations/0012_news.sql")),
    ("0013_closing", include_str!("../../migrations/0013_closing.sql")),
    ("0014_incidents", include_str!("../../migrations/0014_incidents.sql")),
    ("0015_work_labels", include_str!("../../migrations/0015_work_labels.sql")),
    ("0016_comments", include_str!("../../migrations/0016_comments.sql")),
    ("0017_code_owners", include_str!("../../migrations/0017_code_owners.sql")),
    ("0018_read_due", include_str!("../../migrations/0018_read_due.sql")),
    ("0019_both_strictnesses", include_str!("../../migrations/0019_both_strictnesses.sql")),
    ("0020_shipping", include_str!("../../migrations/0020_shipping.sql")),
    ("0021_disputed_by", include_str!("../../migrations/0021_disputed_by.sql")),
    ("0022_epics", include_str!("../../migrations/0022_epics.sql")),
    ("0023_inverse", include_str!("../../migrations/0023_inverse.sql")),
    ("0024_parts", include_str!("../../migrations/0024_parts.sql")),
    ("0025_asked", include_str!("../../migrations/0025_asked.sql")),
    ("0026_line_survival", include_str!("../../migrations/0026_line_survival.sql")),
    ("0027_change_size", include_str!("../../migrations/0027_change_size.sql")),
];

const LEDGER: &str = "CREATE TABLE IF NOT EXISTS migration (
    version BIGINT NOT NULL PRIMARY KEY, name TEXT NOT NULL, applied_at TEXT NOT NULL)";

/// Applies what is missing; refuses a database that is newer than this program.
pub(crate) fn migrate(db: &mut Db, now: Timestamp) -> Result<()> {
    apply(db, MIGRATIONS, now)
}

fn apply(db: &mut Db, migrations: &[(&str, &str)], now: Timestamp) -> Result<()> {
    db.transaction(|db| {
        db.batch(LEDGER)?;
        let applied = version(db)?;
        for (index, (name, text)) in migrations.iter().enumerate().skip(usize::try_from(applied)?) {
            db.batch(text).with_context(|| format!("migration {name} failed"))?;
            let row = values![i64::try_from(index + 1)?, *name, now.to_string()];
            db.execute("INSERT INTO migration (version, name, applied_at) VALUES ($1, $2, $3)", &row)?;
        }
        Ok(())
    })
}

/// Fails unless the database has exactly the schema this program knows: for commands that only read.
pub(crate) fn check(db: &mut Db) -> Result<()> {
    let applied = version(db).context("this is no cpvo database: run `cpvo serve` first")?;
    if applied < known() {
        bail!(
            "the database has schema {applied}, this cpvo reads {}: run `cpvo serve` to bring it up",
            known()
        );
    }
    Ok(())
}

/// Tables and views by name, each with the first line of the comment above it.
pub(crate) fn catalogue() -> Vec<(&'static str, &'static str)> {
    let entries = MIGRATIONS.iter().flat_map(|(_, text)| described(text));
    entries.collect::<BTreeMap<_, _>>().into_iter().collect() // a view that was made anew as it is now
}

fn described(text: &'static str) -> Vec<(&'static str, &'static str)> {
    let mut entries = Vec::new();
    let mut comment = None;
    for line in text.lines() {
        let created = line.strip_prefix("CREATE TABLE ").or_else(|| line.strip_prefix("CREATE VIEW "));
        if let Some(name) = created.and_then(|rest| rest.split_whitespace().next()) {
            entries.push((name, comment.unwrap_or_default()));
        }
        // the first line of a comment is its sentence; the lines below it say more
        if !line.starts_with("DROP ") {
            comment = line.strip_prefix("-- ").map(|words| comment.unwrap_or(words));
        }
    }
    entries
}

fn version(db: &mut Db) -> Result<i64> {
    let rows = db.query("SELECT version, name FROM migration ORDER BY version DESC LIMIT 1", &[])?;
    let Some(row) = rows.first() else { return Ok(0) };
    let (version, name): (i64, String) = (row.get(0)?, row.get(1)?);
    if version > known() {
        bail!("the database has schema {version} ({name}), this cpvo knows {}: use a newer cpvo", known());
    }
    Ok(version)
}

fn known() -> i64 {
    i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Database;
    use crate::store::db::Access;
    use crate::store::fixture::{homes, now, on_both, rows};
    use crate::store::{Store, open};

    #[test]
    fn every_table_and_view_is_described() {
        let catalogue = catalogue();
        for name in [
            "session",
            "usage",
            "developer",
            "team_member",
            "price",
            "audit",
            "spend",
            "team_week",
            "unassigned",
            "change",
            "disqualification",
            "policy",
            "team_week_policy",
        ] {
            assert!(catalogue.iter().any(|(known, _)| *known == name), "{name}");
        }
        for (name, line) in catalogue {
            assert!(line.len() > 10, "{name} has no comment");
        }
    }

    #[test]
    fn collectors_that_start_at_once_all_come_up() {
        for home in homes() {
            std::thread::scope(|scope| {
                let start = || drop(Store::start(&home.database, now()).unwrap());
                let starts: Vec<_> = (0..4).map(|_| scope.spawn(start)).collect();
                for start in starts {
                    start.join().unwrap();
                }
            });
            let versions = rows(&mut home.open(), "SELECT version FROM migration ORDER BY version");
            assert_eq!(versions.len(), MIGRATIONS.len());
        }
    }

    #[test]
    fn output_is_summed_for_reports_that_came_before_it() {
        let session = |repo: &str, week: &str| {
            format!(
                "INSERT INTO session VALUES ('s', '{repo}', '{week}', 'ana', 'claimed', 'i', 't', '{repo}', 1, 1, 1,
                    'd', 0, 2, 'c', '1', 'cli', '1', 'local', 'anthropic', 'api', NULL, NULL, 'other',
                    1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 'now');"
            )
        };
        let usage = |repo: &str, week: &str, model: &str, output: i64| {
            format!(
                "INSERT INTO usage VALUES ('s', '{repo}', '{week}', 'h', '', '{model}', 'main', 'main', 'standard', '',
                    'max', 'hook', 'ana', 'unassigned', 1, 7, {output}, 7, 7, 7, 0, NULL, NULL, 'list');"
            )
        };
        let reports = [
            "INSERT INTO developer (developer, kind) VALUES ('ana', 'os_user');".to_owned(),
            session("none", "2026-W46"),
            session("none", "2026-W47"),
            session("other", "2026-W46"),
            usage("none", "2026-W46", "opus", 3_000_000_000),
            usage("none", "2026-W46", "haiku", 4),
            usage("none", "2026-W47", "opus", 5),
        ];
        for home in homes() {
            let mut db = Db::open(&home.database, Access::Write).unwrap();
            apply(&mut db, &MIGRATIONS[..2], now()).unwrap();
            db.batch(&reports.concat()).unwrap();
            migrate(&mut db, now()).unwrap();
            let output = "SELECT repo, week, output FROM session ORDER BY repo, week";
            let expected = ["none|2026-W46|3000000004", "none|2026-W47|5", "other|2026-W46|0"];
            assert_eq!(rows(&mut db, output), expected);
        }
    }

    #[test]
    fn a_newer_schema_is_refused_by_name() {
        for home in homes() {
            let newer = "INSERT INTO migration VALUES (99, '0099_tomorrow', '2027-01-01T00:00:00Z')";
            home.open().batch(newer).unwrap();
            for access in [Access::Read, Access::Write] {
                let error = open(&home.database, access, now()).err().unwrap();
                assert!(format!("{error:#}").contains("schema 99 (0099_tomorrow)"), "{error:#}");
            }
        }
    }

    #[test]
    fn reading_needs_a_database_that_is_there() {
        for home in homes() {
            let error = open(&home.database, Access::Read, now()).err().unwrap();
            let expected = match home.database {
                Database::Sqlite(_) => "could not open the database",
                Database::Postgres(_) => "cpvo serve",
            };
            assert!(format!("{error:#}").contains(expected), "{error:#}");
        }
    }

    #[test]
    fn every_table_and_view_answers() {
        on_both(|db| {
            for (name, _) in catalogue() {
                rows(db, &format!("SELECT * FROM {name}"));
            }
            assert!(rows(db, "SELECT * FROM price").len() > 20);
        });
    }
}
