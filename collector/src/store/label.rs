//! What the labels of requests say of a team's work.

use super::db::{Db, values};
use anyhow::Result;
use meter::delivery::{Kind, Labels};
use std::collections::BTreeMap;

/// Makes the labels of a team these.
pub(super) fn team_labels_put(db: &mut Db, team: &str, labels: &Labels) -> Result<()> {
    db.execute("DELETE FROM team_label WHERE team = $1", &values![team])?;
    for (kind, labels) in [(Kind::NewValue, &labels.new_value), (Kind::LightsOn, &labels.lights_on)] {
        for label in labels {
            db.execute(
                "INSERT INTO team_label (team, kind, label) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
                &values![team, kind.as_str(), label.as_str()],
            )?;
        }
    }
    Ok(())
}

/// The labels of every team that has some.
pub(crate) fn team_labels(db: &mut Db) -> Result<BTreeMap<String, Labels>> {
    let mut teams: BTreeMap<String, Labels> = BTreeMap::new();
    for row in db.query("SELECT team, kind, label FROM team_label ORDER BY team, kind, label", &[])? {
        let labels = teams.entry(row.get(0)?).or_default();
        let kind = row.word(1, Kind::from_word)?;
        let list = if kind == Kind::NewValue { &mut labels.new_value } else { &mut labels.lights_on };
        list.push(row.parse(2)?);
    }
    Ok(teams)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::fixture::{now, on_both, rows, teams};

    const FILE: &str =
        "[[team]]\nid = \"pay\"\nwork = { new_value = [\"Feature\"], lights_on = [\"bug\", \"bug\"] }
[[team]]\nid = \"web\"\n";

    #[test]
    fn the_labels_of_a_team_are_those_of_the_file() {
        on_both(|db| {
            teams(db, FILE, now());
            let labels = team_labels(db).unwrap();
            assert_eq!(labels.keys().collect::<Vec<_>>(), ["pay"]);
            assert_eq!(labels["pay"].kind(&["bug".to_owned()]), Kind::LightsOn);
            assert_eq!(labels["pay"].kind(&["feature".to_owned()]), Kind::NewValue);
            teams(
                db,
                &FILE.replace("bug", "chore").replace("\"pay\"", "\"cash\"\nformerly = [\"pay\"]"),
                now(),
            );
            let stored = rows(db, "SELECT team, kind, label FROM team_label ORDER BY kind");
            assert_eq!(stored, ["cash|keep the lights on|chore", "cash|new value|Feature"]);
        });
    }
}
