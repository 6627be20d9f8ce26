//! The page of a team: its verdict with all grounds, its cuts, where its spend went, what shipped and at what cost,
//! and how it delivers.

use super::cuts::{Cut, cuts, policy_text};
use super::{Headline, instant, series, short, teams, weeks};
use crate::breakdown::portions;
use crate::delivery::{Deliveries, TeamDelivery, deliveries};
use crate::listing::Listing;
use crate::store::db::Db;
use crate::store::delivered::{Delivered, Titles, delivered_list, title_list};
use crate::store::policy::{PolicyChange, policy_changes};
use crate::store::service::Signs;
use crate::verdict::grounds;
use crate::weekly::{Standing, WEEKS_DEFAULT, Weekly, side_text, weeks_back};
use anyhow::Result;
use askama::Template;
use meter::outcome::ByStrictness;
use meter::{NanoUsd, Ppm};
use std::cmp::Reverse;

/// Changes that are listed.
const CHANGES: usize = 25;
/// What each portion of the spend is coloured by, in the order of [`portions`].
const COLOURS: [&str; 7] = ["verified", "s5", "s2", "lost", "rest", "unassigned", "s4"];

#[derive(Template)]
#[template(path = "team.html")]
struct Page<'a> {
    id: &'a str,
    name: &'a str,
    computed_at: String,
    spans: [u16; 3],
    asked: u16,
    verdict: Option<Headline>,
    grounds: Vec<String>,
    strictness: Option<Strictness>,
    cuts: Vec<Cut>,
    /// Policies that took the place of others, as the charts mark them.
    policies: Vec<String>,
    portions: Vec<Portion>,
    /// The same in words.
    told: String,
    changes: Vec<Change>,
    /// Beyond those that are listed.
    more: usize,
    delivery: Option<Delivery>,
}

/// The verified share of the last mature weeks by either strictness.
struct Strictness {
    weeks: usize,
    targeted: String,
    literal: String,
}

impl Strictness {
    /// `None` before a week is mature.
    fn of(Standing { period, .. }: &Standing) -> Option<Self> {
        let ByStrictness { targeted, literal } = period.by_strictness;
        (period.weeks > 0).then(|| Self {
            weeks: period.weeks,
            targeted: side_text(targeted),
            literal: side_text(literal),
        })
    }
}

/// A part of a bar of a thousand.
struct Portion {
    name: &'static str,
    class: &'static str,
    amount: String,
    share: String,
    from: i64,
    width: i64,
}

struct Change {
    repo: String,
    sha: String,
    name: String,
    title: String,
    state: &'static str,
    day: String,
    cost: String,
}

struct Delivery {
    tables: [(&'static str, Listing); 2],
    lines: Vec<(String, String)>,
}

impl Delivery {
    fn of(team: &TeamDelivery) -> Self {
        let [times, cohorts] = team.tables();
        let tables = [("How long it takes", times), ("With Claude Code and without", cohorts)];
        Self { tables, lines: team.lines() }
    }
}

/// What the database tells of a team.
pub(crate) struct Told {
    weekly: Weekly,
    policies: Vec<PolicyChange>,
    deliveries: Deliveries,
    spend: Vec<(&'static str, NanoUsd)>,
    delivered: Vec<Delivered>,
    titles: Titles,
    signs: Signs,
}

impl Told {
    /// `weekly` is the team's own.
    pub(crate) fn read(db: &mut Db, weekly: Weekly, team: &str, asked: u16) -> Result<Self> {
        let first = weeks_back(weekly.computed_at, asked);
        Ok(Self {
            policies: policy_changes(db, Some(team), first.start())?,
            deliveries: deliveries(db, &weekly, asked)?,
            spend: portions(db, team, first)?,
            delivered: delivered_list(db, first.start(), Some(team))?,
            titles: title_list(db, first.start(), team)?,
            signs: Signs::read(db)?,
            weekly,
        })
    }
}

/// The page for the `asked` last weeks of a team.
pub(crate) fn team(told: &Told, id: &str, asked: u16) -> Result<String> {
    let Told { weekly, policies, deliveries, spend, .. } = told;
    let weeks = weeks(weekly);
    let teams = teams(weekly, &weeks);
    let names: Vec<String> = weeks.iter().map(|week| short(*week, &weeks)).collect();
    let standing = weekly.standings.iter().find(|one| one.judging.team == id);
    let (changes, more) = changes(told);
    let delivery = deliveries.of_team(id).filter(|_| !changes.is_empty());
    let portions = bar(spend);
    let words = portions.iter().map(|one| format!("{} {}, {}", one.name, one.amount, one.share));
    let page = Page {
        id,
        name: teams.first().map_or(id, |team| team.name),
        computed_at: instant(weekly.computed_at),
        spans: [WEEKS_DEFAULT, 26, 52],
        asked,
        verdict: standing.map(Headline::of),
        grounds: standing.map(grounds).unwrap_or_default(),
        strictness: standing.and_then(Strictness::of),
        cuts: cuts(&teams, &series(&teams, weeks.len()), &weeks, &names, policies)?,
        policies: policies.iter().map(policy_text).collect(),
        told: words.collect::<Vec<_>>().join("; "),
        portions,
        changes,
        more,
        delivery: delivery.map(Delivery::of),
    };
    Ok(page.render()?)
}

/// All of the spend as one bar; each part ends where its sum with those before it does, so that nothing is lost.
fn bar(spend: &[(&'static str, NanoUsd)]) -> Vec<Portion> {
    let all: i64 = spend.iter().map(|(_, part)| part.0).sum();
    let of_all = |sum: i64, parts: i64| {
        i64::try_from(i128::from(sum) * i128::from(parts) / i128::from(all.max(1))).unwrap_or_default()
    };
    let mut sum = 0;
    let mut bar = Vec::new();
    for ((name, part), class) in spend.iter().zip(COLOURS) {
        let from = of_all(sum, 1000);
        sum += part.0;
        if part.0 > 0 {
            let share = format!("{} %", Ppm(of_all(part.0, 1_000_000)).percent());
            let width = of_all(sum, 1000) - from;
            bar.push(Portion { name, class, amount: part.dollars(), share, from, width });
        }
    }
    bar
}

/// The dearest, and how many more there are.
fn changes(Told { delivered, titles, signs, .. }: &Told) -> (Vec<Change>, usize) {
    let mut sorted: Vec<&Delivered> = delivered.iter().collect();
    sorted.sort_by_key(|one| (Reverse(one.spent.cost), Reverse(one.shipped_at)));
    let row = |one: &&Delivered| {
        let (number, title) = titles.get(&(one.repo.clone(), one.sha.clone())).cloned().unwrap_or_default();
        let sha = one.sha.get(..10).unwrap_or(&one.sha).to_owned();
        let (repo, sign) = (one.repo.rsplit('/').next().unwrap_or_default(), signs.of(&one.repo));
        Change {
            name: number.map_or_else(|| format!("{repo}@{sha}"), |number| format!("{repo}{sign}{number}")),
            repo: one.repo.clone(),
            sha,
            title,
            state: one.state.as_str(),
            day: one.shipped_at.strftime("%-d %b").to_string(),
            cost: one.spent.cost.dollars(),
        }
    };
    let shown: Vec<Change> = sorted.iter().take(CHANGES).map(row).collect();
    let more = sorted.len() - shown.len();
    (shown, more)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::all_teams;
    use crate::store::fixture::{now, on_both};
    use crate::store::week::week_extend;
    use crate::weekly::{Basis, weekly};
    use proptest::prelude::*;

    #[test]
    fn the_share_stands_under_either_strictness() {
        on_both(|db| {
            db.batch(
                "INSERT INTO team (team, name) VALUES ('pay', 'Payments');
                 INSERT INTO judging VALUES ('pay', 1, 1, '2026-11-25T00:00:00Z', '2026-W46');
                 INSERT INTO team_week_tally VALUES ('pay', '2026-W44', 1, 28, 12, 0), ('pay', '2026-W46', 1, 2, 0, 5);
                 INSERT INTO change_tally VALUES ('h.x/a/pay', 'pay', '2026-W44', 1, 20, 10, 0, 20, 10, 17, 12),
                    ('h.x/a/web', 'pay', '2026-W44', 1, 8, 2, 0, 8, 2, 7, 3),
                    ('h.x/a/pay', 'pay', '2026-W46', 1, 2, 0, 5, 2, 0, 0, 2);
                 INSERT INTO team_week_sum VALUES ('pay', '2026-W44', 1, 0, 1, 1, 1, 1, 1, 1, 1, 2, 3, 1)",
            )
            .unwrap();
            week_extend(db, weeks_back(now(), 12), weeks_back(now(), 1)).unwrap();
            let answer = weekly(db, Some("pay"), 12, Basis::People, now()).unwrap();
            let json = serde_json::to_value(answer.answer()).unwrap();
            let told = |row: &serde_json::Value| {
                [
                    "targeted_verified",
                    "targeted_attempted",
                    "targeted_share",
                    "literal_verified",
                    "literal_attempted",
                    "literal_share",
                ]
                .map(|field| row[field].to_string())
                .join(" ")
            };
            let week = |week: &str| {
                let weeks = json["weeks"].as_array().unwrap();
                told(weeks.iter().find(|row| row["week"] == week).unwrap())
            };
            let expected = "28 40 0.7 24 39 0.615385";
            assert_eq!([week("2026-W44"), told(&json["teams"][0])], [expected, expected].map(str::to_owned));
            assert_eq!(week("2026-W46"), "null null null null null null", "it is not mature");

            let html = all_teams(&answer).unwrap();
            let cells = "<td>28/40, 70 % (55–82)</td><td>24/39, 62 % (46–75)</td>";
            assert!(html.contains(cells), "{html}");
            let html = team(&Told::read(db, answer, "pay", 12).unwrap(), "pay", 12).unwrap();
            let line = "targeted: 28/40, 70 % (55–82); literal: 24/39, 62 % (46–75).";
            assert!(html.contains(line), "{html}");
        });
    }

    proptest! {
        #[test]
        fn a_bar_is_all_of_the_spend(parts in prop::collection::vec(0..1_000_000_000_000_i64, 7)) {
            let spend: Vec<_> = parts.iter().map(|part| ("a part", NanoUsd(*part))).collect();
            let bar = bar(&spend);
            let mut end = 0;
            for one in &bar {
                prop_assert_eq!(one.from, end);
                end += one.width;
            }
            prop_assert_eq!(end, if parts.iter().any(|part| *part > 0) { 1000 } else { 0 });
        }
    }
}
