//! Where each team's spend of the last weeks went: what `cpvo judge` ends with.

use crate::listing::{Cell, Listing};
use crate::store::attribution::spend_by_class;
use crate::store::db::Db;
use anyhow::Result;
use meter::attribution::Class;
use meter::{NanoUsd, Ppm, Week};
use std::collections::BTreeMap;
use std::fmt::Write;

const WEEKS: u16 = 12;

/// What people ask for, each the sum of some classes.
const PARTS: [(&str, &[Class]); 6] = [
    ("built", &[Class::Commit, Class::Branch, Class::Carried]),
    ("review+ci", &[Class::Review, Class::Ci]),
    ("in flight", &[Class::InFlight]),
    ("dropped", &[Class::Abandoned, Class::NeverPr]),
    ("unattributed", &[Class::Unattributed]),
    ("cordon", &[Class::Cordon]),
];

/// The spend of one team by class, in nano-dollars.
type Classes = BTreeMap<String, i64>;

pub(crate) fn breakdown(db: &mut Db, now: Week) -> Result<String> {
    let first = (1..WEEKS).fold(now, |week, _| week.previous());
    let mut teams: BTreeMap<String, Classes> = BTreeMap::new();
    for (team, class, nanousd) in spend_by_class(db, None, first)? {
        teams.entry(team).or_default().insert(class, nanousd);
    }
    Ok(told(&teams))
}

/// The spend of one team since a week by what people ask for, and what nobody judged yet: all of it.
pub(crate) fn portions(db: &mut Db, team: &str, first: Week) -> Result<Vec<(&'static str, NanoUsd)>> {
    let classes: Classes = spend_by_class(db, Some(team), first)?
        .into_iter()
        .map(|(_, class, nanousd)| (class, nanousd))
        .collect();
    let mut portions: Vec<_> =
        PARTS.iter().map(|(name, part)| (*name, NanoUsd(sum(&classes, part)))).collect();
    let told: i64 = portions.iter().map(|(_, part)| part.0).sum();
    portions.push(("not judged yet", NanoUsd(classes.values().sum::<i64>() - told)));
    Ok(portions)
}

fn told(teams: &BTreeMap<String, Classes>) -> String {
    if teams.is_empty() {
        return String::new();
    }
    let parts = PARTS.iter().map(|(name, _)| *name);
    let columns: Vec<&str> = ["team", "spend"].into_iter().chain(parts).collect();
    let row = |(team, classes): (&String, &Classes)| {
        let total = classes.values().sum();
        let shares = PARTS.iter().map(|(_, part)| share(sum(classes, part), total));
        let first = [Cell::text(team), Cell::Number(NanoUsd(total).dollars())];
        first.into_iter().chain(shares.map(Cell::Number)).collect()
    };
    let mut text = format!("\nWhere the spend of the last {WEEKS} weeks went:\n\n");
    text += &Listing::new(&columns, teams.iter().map(row).collect()).fitted(0);
    for (team, classes) in teams {
        let total: i64 = classes.values().sum();
        let cordoned = sum(classes, &[Class::Cordon]);
        if i128::from(cordoned) * 3 >= i128::from(total) && cordoned > 0 {
            let _ = writeln!(
                text,
                "\nwarning: a cordon keeps {} of the spend of {team} out of its cost of an outcome; see `cpvo cordon list`",
                share(cordoned, total)
            );
        }
    }
    text
}

fn sum(classes: &Classes, part: &[Class]) -> i64 {
    part.iter().filter_map(|class| classes.get(class.as_str())).sum()
}

/// In per cent with one decimal.
fn share(part: i64, total: i64) -> String {
    let nanousd = |spend: i64| u64::try_from(spend).unwrap_or_default();
    let permille = Ppm::share(nanousd(part), nanousd(total)).map_or(0, Ppm::permille);
    format!("{}.{} %", permille / 10, permille % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cordon_of_a_third_is_said() {
        let classes = |some: &[(&str, i64)]| -> Classes {
            some.iter().map(|(class, dollars)| ((*class).to_owned(), dollars * 1_000_000_000)).collect()
        };
        let busy =
            classes(&[("commit", 500), ("branch", 100), ("review", 50), ("never-PR", 30), ("unjudged", 7)]);
        let teams = BTreeMap::from([
            ("payments".to_owned(), busy),
            ("risk".to_owned(), classes(&[("cordon", 1), ("ci", 2)])),
            ("search".to_owned(), classes(&[("cordon", 1), ("ci", 3)])),
        ]);
        insta::assert_snapshot!(told(&teams), @r"

        Where the spend of the last 12 weeks went:

        team        spend   built  review+ci  in flight  dropped  unattributed  cordon
        ───────────────────────────────────────────────────────────────────────────────
        payments  $687.00  87.3 %      7.3 %      0.0 %    4.4 %         0.0 %   0.0 %
        risk        $3.00   0.0 %     66.7 %      0.0 %    0.0 %         0.0 %  33.3 %
        search      $4.00   0.0 %     75.0 %      0.0 %    0.0 %         0.0 %  25.0 %

        warning: a cordon keeps 33.3 % of the spend of risk out of its cost of an outcome; see `cpvo cordon list`
        ");
        assert_eq!(told(&BTreeMap::new()), "");
    }
}
