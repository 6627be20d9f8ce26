//! The page of a team: its verdict with all grounds, its cuts, where its spend went, what shipped and at what cost,
//! and how it delivers.

use super::changes::{name, short_sha};
use super::cuts::{Cut, cuts, policy_text};
use super::spread::spread;
use super::{Headline, instant, series, short, teams, weeks};
use crate::breakdown::portions;
use crate::delivery::{Deliveries, TeamDelivery, deliveries};
use crate::listing::{self, Listing};
use crate::store::db::Db;
use crate::store::delivered::{Delivered, Titles, delivered_list, title_list};
use crate::store::filter::{ModelSum, model_sums};
use crate::store::policy::{PolicyChange, policy_changes};
use crate::store::service::Signs;
use crate::verdict::grounds;
use crate::weekly::{Standing, WEEKS_DEFAULT, Weekly, incomplete, side_text, weeks_back};
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
    list_equivalent: bool,
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
    review: String,
    models: Vec<Model>,
    /// What the outcomes cost one by one, where anything is known of it.
    spread: Vec<Cut>,
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

/// What was spent on a model.
struct Model {
    name: String,
    requests: u64,
    tokens: String,
    amount: String,
    share: String,
}

impl Model {
    fn of(one: &ModelSum, spend: &[(&'static str, NanoUsd)]) -> Self {
        let all = spend.iter().map(|(_, part)| part.0).sum();
        Self {
            name: one.model.clone(),
            requests: one.requests,
            tokens: listing::short(one.tokens),
            amount: incomplete(one.unpriced_rows).to_owned() + &one.spend.dollars(),
            share: percent(one.spend.0, all),
        }
    }
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
    models: Vec<ModelSum>,
    delivered: Vec<Delivered>,
    titles: Titles,
    signs: Signs,
}

impl Told {
    /// `weekly` is the team's own.
    pub(crate) fn read(db: &mut Db, weekly: Weekly) -> Result<Self> {
        let (team, weeks) = (weekly.asked.team.as_deref().unwrap_or_default(), weekly.asked.weeks);
        let first = weeks_back(weekly.computed_at, weeks);
        Ok(Self {
            policies: policy_changes(db, Some(team), first.start())?,
            deliveries: deliveries(db, &weekly, weeks)?,
            spend: portions(db, team, first)?,
            models: model_sums(db, team, first)?,
            delivered: delivered_list(db, first.start(), Some(team))?,
            titles: title_list(db, first.start(), team)?,
            signs: Signs::read(db)?,
            weekly,
        })
    }
}

/// The page of a team.
pub(crate) fn team(told: &Told, id: &str) -> Result<String> {
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
        asked: weekly.asked.weeks,
        verdict: standing.map(Headline::of),
        grounds: standing.map(grounds).unwrap_or_default(),
        strictness: standing.and_then(Strictness::of),
        cuts: cuts(&teams, &series(&teams, weeks.len()), &weeks, &names, policies)?,
        policies: policies.iter().map(policy_text).collect(),
        told: words.collect::<Vec<_>>().join("; "),
        portions,
        review: review(&told.delivered),
        models: told.models.iter().map(|one| Model::of(one, spend)).collect(),
        spread: spread(&told.delivered)?.into_iter().collect(),
        list_equivalent: weekly.list_equivalent().0 != 0,
        changes,
        more,
        delivery: delivery.map(Delivery::of),
    };
    Ok(page.render()?)
}

/// All of the spend as one bar; each part ends where its sum with those before it does, so that nothing is lost.
fn bar(spend: &[(&'static str, NanoUsd)]) -> Vec<Portion> {
    let all: i64 = spend.iter().map(|(_, part)| part.0).sum();
    let mut sum = 0;
    let mut bar = Vec::new();
    for ((name, part), class) in spend.iter().zip(COLOURS) {
        let from = part_of(sum, all, 1000);
        sum += part.0;
        if part.0 > 0 {
            let share = percent(part.0, all);
            let width = part_of(sum, all, 1000) - from;
            bar.push(Portion { name, class, amount: part.dollars(), share, from, width });
        }
    }
    bar
}

/// How many of so many parts of all it is.
fn part_of(some: i64, all: i64, parts: i64) -> i64 {
    i64::try_from(i128::from(some) * i128::from(parts) / i128::from(all.max(1))).unwrap_or_default()
}

fn percent(some: i64, all: i64) -> String {
    format!("{} %", Ppm(part_of(some, all, 1_000_000)).percent())
}

/// What others' reviews added to the cost of what shipped.
fn review(delivered: &[Delivered]) -> String {
    let sum = |of: fn(&Delivered) -> NanoUsd| delivered.iter().map(|one| of(one).0).sum::<i64>();
    let (review, cost) = (sum(|one| one.spent.review), sum(|one| one.spent.cost));
    if review == 0 {
        return String::new();
    }
    let (review_told, cost_told) = (NanoUsd(review).dollars(), NanoUsd(cost).dollars());
    format!(
        "Review tax: {review_told} of the {cost_told} that what shipped cost, {}, went into reviewing it.",
        percent(review, cost)
    )
}

/// The dearest, and how many more there are.
fn changes(Told { delivered, titles, signs, .. }: &Told) -> (Vec<Change>, usize) {
    let mut sorted: Vec<&Delivered> = delivered.iter().collect();
    sorted.sort_by_key(|one| (Reverse(one.spent.cost), Reverse(one.shipped_at)));
    let row = |one: &&Delivered| {
        let (number, title) = titles.get(&(one.repo.clone(), one.sha.clone())).cloned().unwrap_or_default();
        Change {
            name: name(&one.repo, &one.sha, number, signs),
            repo: one.repo.clone(),
            sha: short_sha(&one.sha).to_owned(),
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
    use crate::weekly::{Asked, weekly};
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
            let answer = weekly(db, &Asked::of_team(Some("pay"), 12), now()).unwrap();
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
            let html = team(&Told::read(db, answer).unwrap(), "pay").unwrap();
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
