//! The weeks that views count: every one from the first with spend to now.

use super::db::{Db, values};
use anyhow::Result;
use meter::Week;

/// Makes the table reach from `first` or before to `now` and no further, without gaps.
pub(crate) fn week_extend(db: &mut Db, first: Week, now: Week) -> Result<()> {
    let row = db.query_one("SELECT MIN(week), MAX(week) FROM week", &[])?;
    let known =
        |column| row.get::<Option<String>>(column).map(|week| week.and_then(|week| week.parse().ok()));
    let (from, to): (Option<Week>, Option<Week>) = (known(0)?, known(1)?);
    let (Some(from), Some(to)) = (from, to) else { return week_add(db, first, now) };
    if first < from {
        week_add(db, first, now.min(from.previous()))?;
    }
    if now < to {
        // the clock ran ahead when these were added
        db.execute("DELETE FROM week WHERE week > $1", &values![now.to_string()])?;
    }
    week_add(db, to.next(), now)
}

fn week_add(db: &mut Db, first: Week, last: Week) -> Result<()> {
    let mut week = first;
    while week <= last {
        let row = values![week.to_string(), week.start().to_string(), week.end().to_string()];
        db.execute("INSERT INTO week (week, starts_at, ends_at) VALUES ($1, $2, $3)", &row)?;
        week = week.next();
    }
    Ok(())
}
