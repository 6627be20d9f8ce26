//! Whose a response is when several sessions hold it, settled once at the end of the run that met it.

use super::reports::Changes;
use super::responses::{adopt, forked, recorded};
use crate::reader::fold::{self, ResponseKey};
use anyhow::Result;
use meter::SessionId;
use rusqlite::{Connection, OptionalExtension};
use std::collections::BTreeMap;

/// Gives every response met in `run` to the rightful one of the sessions that hold it.
pub(super) fn settle(db: &Connection, run: i64, changes: &mut Changes) -> Result<()> {
    for (key, mut holders) in contended(db)? {
        let Some(old) = recorded(db, &key)?.filter(|old| old.run == run) else { continue };
        holders.push(old.held.place.session.to_string());
        let candidates =
            holders.iter().map(|session| Ok((session.parse::<SessionId>()?, own_at(db, session)?)));
        let Some(owner) = fold::owner(&candidates.collect::<Result<Vec<_>>>()?) else { continue };
        for holder in holders.iter().filter(|holder| *holder != owner.as_str()) {
            forked(db, holder, changes)?;
        }
        adopt(db, &key, old, &owner, changes)?;
    }
    db.execute("DELETE FROM contender", [])?;
    Ok(())
}

fn contended(db: &Connection) -> Result<BTreeMap<ResponseKey, Vec<String>>> {
    let mut select = db.prepare("SELECT key, session FROM contender")?;
    let mut rows = select.query([])?;
    let mut contended: BTreeMap<ResponseKey, Vec<String>> = BTreeMap::new();
    while let Some(row) = rows.next()? {
        contended.entry(ResponseKey::from_bytes(row.get(0)?)).or_default().push(row.get(1)?);
    }
    Ok(contended)
}

/// The oldest line of the session's own, in milliseconds.
fn own_at(db: &Connection, session: &str) -> Result<Option<i64>> {
    let mut select = db.prepare_cached("SELECT own_at FROM session WHERE id = ?1")?;
    Ok(select.query_row([session], |row| row.get(0)).optional()?.flatten())
}
