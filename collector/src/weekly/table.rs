//! The table for people: what its numbers are, and what to do about those that are missing.

use super::standing::{LAST, Standing, silence, way};
use super::{Basis, OF_NO_MODEL, UNASSIGNED, Weekly, costs};
use crate::listing::{Cell, Listing, short};
use crate::store::team_week::{Loan, TeamWeek};
use meter::outcome::{ByStrictness, Tally};
use meter::{Direction, Interval, NanoUsd, TREND_WEEKS_MIN, Trend, wilson};
use std::fmt::Write as _;

/// The column of the team.
const TEAM: usize = 1;
/// A cost that nobody knows.
pub(crate) const UNKNOWN: &str = "–";
const HUNDREDS: NanoUsd = NanoUsd(100_000_000_000);
/// Fewer changes have no percentage.
const SHARE_MIN: u64 = 5;
/// Fewer changes are a low volume.
const VOLUME_MIN: u64 = 20;

/// Who the unassigned are, for whoever can map them.
pub(crate) const UNASSIGNED_QUERY: &str = "cpvo sql 'SELECT * FROM unassigned'";
/// Which models lack a price.
pub(crate) const UNPRICED_QUERY: &str =
    "cpvo sql 'SELECT model, COUNT(*) AS rows FROM usage WHERE cost_nanousd IS NULL GROUP BY model'";
/// What was learnt about weeks after they closed.
const RESTATED_QUERY: &str = "cpvo sql 'SELECT * FROM team_week_closing WHERE restatements > 0'";
/// Why there are no outcomes.
pub(crate) const NO_SOURCE: &str =
    "no source yet: add [[source]] to cpvo.toml, then `cpvo sync && cpvo judge`";

pub(super) fn report(weekly: &Weekly) -> String {
    if weekly.weeks.is_empty() && !weekly.asked.is_of_weeks() {
        return "\
Nothing was spent there: no week asked for has spend or a change of this kind.
`cpvo weekly` shows everything.
"
        .to_owned();
    }
    if weekly.weeks.is_empty() {
        return "\
No spend yet. Next: `cpvo hooks-config --repo PATH` in a repository, and a Claude Code session there;
or `cpvo-hook sweep` on a machine that has sessions already.
"
        .to_owned();
    }
    let mut text = weeks(weekly).fitted(TEAM);
    if weekly.has_outcomes() {
        text += &standings(&weekly.standings);
        text += &costs::block(&weekly.costs);
    }
    text + &notes(weekly)
}

/// A line for each team and week; outcomes once there are some.
fn weeks(weekly: &Weekly) -> Listing {
    let columns: &[&str] = match (weekly.has_outcomes(), weekly.asked.basis) {
        (false, _) => &["week", "team", "requests", "tokens", "spend"],
        (true, Basis::People) => &["week", "team", "tokens", "spend", "verified", "share", "CPVO"],
        (true, Basis::Work) => &["week", "team", "spend", "lent", "borrowed", "verified", "CPVO"],
    };
    let mut week = None;
    let row = |row: &TeamWeek| {
        let new = week.replace(row.week) != Some(row.week);
        let week = Cell::Text(if new { row.week.to_string() } else { String::new() });
        let mut cells = vec![week, Cell::text(&row.name)];
        let (tokens, spend) = (Cell::Number(short(row.tokens.total())), Cell::Number(spend(row)));
        if !weekly.has_outcomes() {
            cells.extend([Cell::number(row.requests), tokens, spend]);
            return cells;
        }
        let [verified, share, each] = outcome_cells(row, &weekly.standings);
        cells.extend(match row.loan {
            None => [tokens, spend, verified, share, each],
            Some(Loan { lent, borrowed }) => {
                let last = if row.mature().is_some() { each } else { share };
                [spend, moved(lent), moved(borrowed), verified, last]
            }
        });
        cells
    };
    Listing::new(columns, weekly.weeks.iter().map(row).collect())
}

fn moved(spend: NanoUsd) -> Cell {
    Cell::optional((spend.0 > 0).then(|| spend.dollars()))
}

/// Dollars, marked where they are not only what was billed, or not all.
fn spend(row: &TeamWeek) -> String {
    let estimated = if row.list_equivalent.0 == 0 { "" } else { "≈" };
    format!("{estimated}{}{}", incomplete(row.unpriced_rows), row.spend().dollars())
}

/// The mark of dollars that lack what has no price.
pub(crate) fn incomplete(unpriced_rows: u64) -> &'static str {
    if unpriced_rows == 0 { "" } else { "?" }
}

/// Dollars without what is cordoned off, marked where that is anything.
fn uncordoned(dollars: NanoUsd, cordon: NanoUsd, unpriced_rows: u64) -> String {
    let cordoned = if cordon.0 == 0 { "" } else { "*" };
    format!("{cordoned}{}{}", incomplete(unpriced_rows), dollars.dollars())
}

/// Verified of decided, the share, and what each cost.
fn outcome_cells(row: &TeamWeek, standings: &[Standing]) -> [Cell; 3] {
    let Some(outcomes) = row.outcomes else { return [const { Cell::Null }; 3] };
    let tally = outcomes.tally;
    let decided = (tally.attempted() > 0).then_some(tally);
    let (share, each) = match row.mature() {
        None if tally.pending == 0 => ("not mature".to_owned(), None),
        None => (format!("{} pending", tally.pending), None),
        Some(mature) if mature.unmeasured() => {
            let spends = |one: &Standing| one.judging.team == row.team && one.judging.spends_in(row.week);
            (share_text(tally), standings.iter().any(spends).then(|| UNKNOWN.to_owned()))
        }
        Some(mature) => {
            let told = |each| uncordoned(each, mature.cordon, mature.unpriced_rows);
            (share_text(tally), mature.cpvo().map(told))
        }
    };
    let restated = if is_restated(row) { "†" } else { "" };
    [
        Cell::optional(decided.map(|tally| format!("{restated}{}", k_of_n(tally)))),
        Cell::Number(share),
        Cell::optional(each),
    ]
}

/// Whether its outcomes became others after it closed.
fn is_restated(row: &TeamWeek) -> bool {
    row.closing.is_some_and(|closing| closing.restatements > 0)
}

fn k_of_n(tally: Tally) -> String {
    format!("{}/{}", tally.verified, tally.attempted())
}

/// The share with its interval, and no percentage of a handful.
pub(crate) fn share_text(tally: Tally) -> String {
    let attempted = tally.attempted();
    let (Some(share), Some(Interval { low, high })) = (tally.share(), wilson(tally.verified, attempted))
    else {
        return String::new();
    };
    if attempted < SHARE_MIN {
        return format!("{} of {attempted}", tally.verified);
    }
    let low_volume = if attempted < VOLUME_MIN { "~" } else { "" };
    format!("{low_volume}{} % ({}–{})", share.percent(), low.percent(), high.percent())
}

/// The share by one strictness, with what it is of.
pub(crate) fn side_text(tally: Tally) -> String {
    if tally.attempted() < SHARE_MIN {
        k_of_n(tally)
    } else {
        format!("{}, {}", k_of_n(tally), share_text(tally))
    }
}

/// The last mature weeks of each team as one, and what cannot be divided.
fn standings(standings: &[Standing]) -> String {
    let busy = |one: &&Standing| one.period.cost.0 > 0 || one.period.tally.attempted() > 0;
    let mature: Vec<&Standing> = standings.iter().filter(busy).collect();
    if mature.is_empty() {
        return String::new();
    }
    let columns = ["team", "spend", "verified", "share", "CPVO", "at 95 %", "trend"];
    let row = |one: &&Standing| {
        let period = &one.period;
        let told = |dollars| uncordoned(dollars, period.cordon, period.unpriced_rows);
        let unknown = || (period.unmeasured > 0).then(|| UNKNOWN.to_owned());
        vec![
            Cell::text(&one.judging.name),
            Cell::Number(told(period.cost)),
            Cell::Number(k_of_n(period.tally)),
            Cell::Number(share_text(period.tally)),
            Cell::optional(period.cpvo.map(told).or_else(unknown)),
            Cell::optional(period.cpvo_interval.map(reach)),
            Cell::Text(one.trend.as_ref().map_or_else(String::new, trend_mark)),
        ]
    };
    let table = Listing::new(&columns, mature.iter().map(row).collect()).fitted(0);
    let mut text = format!("\nThe last {LAST} mature weeks of each team as one:\n\n{table}");
    for one in mature {
        let (name, period) = (&one.judging.name, &one.period);
        if let Some(silence) = silence(period) {
            let _ = writeln!(text, "{name}: {silence}");
        }
        let ByStrictness { targeted, literal } = period.by_strictness;
        if period.by_strictness.differs() {
            let (targeted, literal) = (side_text(targeted), side_text(literal));
            let _ = writeln!(text, "{name}: verified, targeted: {targeted}; literal: {literal}");
        }
        if period.tally.verified == 0 {
            let _ = writeln!(text, "{name}: no verified outcome, {} spent", period.cost.dollars());
        }
    }
    text
}

/// Both ends without the sign.
fn reach(Interval { low, high }: Interval<NanoUsd>) -> String {
    let dollars = if high < HUNDREDS { NanoUsd::dollars } else { NanoUsd::whole_dollars };
    format!("{}–{}", dollars(low), dollars(high)).replace('$', "")
}

/// Of hundreds of dollars nobody reads the cents.
pub(super) fn rough(cost: NanoUsd) -> String {
    if cost < HUNDREDS { cost.dollars() } else { cost.whole_dollars() }
}

/// An arrow and how fast.
fn trend_mark(trend: &Trend) -> String {
    let percent = trend.weekly.percent().abs();
    match trend.direction {
        Direction::Down => format!("↘ {percent} %"),
        Direction::Flat => "→".to_owned(),
        Direction::Up => format!("↗ {percent} %"),
    }
}

/// The same in words.
pub(crate) fn trend_text(trend: &Trend) -> String {
    match trend.direction {
        Direction::Flat => way(Direction::Flat).to_owned(),
        direction => format!("{} {} % a week", way(direction), trend.weekly.percent().abs()),
    }
}

fn notes(weekly: &Weekly) -> String {
    let mut text = "\nISO weeks in UTC, dollars at list price.".to_owned();
    if let Some(repo) = &weekly.asked.repo {
        let _ = write!(text, "\nonly {repo}: spend in it, and its changes");
    }
    if let Some(model) = &weekly.asked.model {
        let _ = write!(text, "\nonly {model}: {OF_NO_MODEL}");
    }
    if weekly.asked.basis == Basis::Work {
        text +=
            "\nspend: of the team whose change it built; lent to changes of others, borrowed for its own.";
    }
    let told_as_one = weekly.standings.iter().map(|one| one.period.unpriced_rows).sum();
    let (list_equivalent, unpriced) = (weekly.list_equivalent(), weekly.unpriced_rows().max(told_as_one));
    if list_equivalent.0 > 0 {
        let amount = list_equivalent.dollars();
        let _ = write!(text, "\n≈ {amount} is list-price equivalent: what a subscription paid for.");
    }
    if unpriced > 0 {
        let are = if unpriced == 1 { "row has no price and is" } else { "rows have no price and are" };
        let _ = write!(text, "\n? {unpriced} {are} in no sum: {UNPRICED_QUERY}");
    }
    if weekly.has_unassigned() {
        let _ = write!(text, "\n{UNASSIGNED}: identities in no team of teams.toml: {UNASSIGNED_QUERY}");
    }
    let judged =
        weekly.weeks.iter().filter_map(|row| row.outcomes).map(|outcomes| outcomes.computed_at).min();
    let Some(judged) = judged else {
        let unknown =
            if weekly.asked.model.is_some() { String::new() } else { format!("\noutcomes: {NO_SOURCE}") };
        return text + &unknown + "\n";
    };
    let but = if weekly.has_cordon() { "; * spend but what is cordoned off" } else { "" };
    let _ = writeln!(
        text,
        "
verified: of the changes decided, as judged {}; ~ of fewer than {VOLUME_MIN}.
share and CPVO (spend per verified change{but}): once nothing of the week can be lost.
weeks wait for their sources: what was not read yet (`cpvo sync`) may take a change back.
trend: of CPVO a week, over the last quarter, from {TREND_WEEKS_MIN} weeks on; → no clear direction.",
        judged.strftime("%Y-%m-%d %H:%M UTC")
    );
    if weekly.weeks.iter().any(is_restated) {
        let _ = writeln!(text, "† restated since it closed: {RESTATED_QUERY}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::listing::Format;
    use crate::store::closing::Closing;
    use crate::store::delivered::{Delivered, Spent};
    use crate::store::fixture::{judged, now, team_week, weekly};
    use crate::store::team_week::Judging;
    use meter::Week;
    use meter::delivery::Reviewed;
    use meter::outcome::{Cadence, Mature, Policy, State};

    #[test]
    fn people_read_a_table() {
        let weeks = vec![
            team_week("payments", "2026-W47", 1_234_560_000_001),
            team_week("risk", "2026-W47", 0),
            team_week("payments", "2026-W46", 5),
        ];
        insta::assert_snapshot!(report(&weekly(weeks)), @r#"
        week      team      requests  tokens      spend
        ────────────────────────────────────────────────
        2026-W47  payments         3    1.2M  $1,234.56
                  risk             3    1.2M      $0.00
        2026-W46  payments         3    1.2M      $0.00

        ISO weeks in UTC, dollars at list price.
        outcomes: no source yet: add [[source]] to cpvo.toml, then `cpvo sync && cpvo judge`
        "#);
    }

    #[test]
    fn what_is_estimated_or_missing_is_said() {
        let mut odd = team_week(UNASSIGNED, "2026-W47", 0);
        odd.list_equivalent = NanoUsd(2_500_000_000);
        odd.unpriced_rows = 4;
        insta::assert_snapshot!(report(&weekly(vec![odd])), @r#"
        week      team        requests  tokens    spend
        ────────────────────────────────────────────────
        2026-W47  unassigned         3    1.2M  ≈?$2.50

        ISO weeks in UTC, dollars at list price.
        ≈ $2.50 is list-price equivalent: what a subscription paid for.
        ? 4 rows have no price and are in no sum: cpvo sql 'SELECT model, COUNT(*) AS rows FROM usage WHERE cost_nanousd IS NULL GROUP BY model'
        unassigned: identities in no team of teams.toml: cpvo sql 'SELECT * FROM unassigned'
        outcomes: no source yet: add [[source]] to cpvo.toml, then `cpvo sync && cpvo judge`
        "#);
        insta::assert_snapshot!(report(&weekly(Vec::new())), @r#"
        No spend yet. Next: `cpvo hooks-config --repo PATH` in a repository, and a Claude Code session there;
        or `cpvo-hook sweep` on a machine that has sessions already.
        "#);
        let mut part = weekly(Vec::new());
        part.asked.team = Some("search".to_owned());
        insta::assert_snapshot!(report(&part), @r"
        Nothing was spent there: no week asked for has spend or a change of this kind.
        `cpvo weekly` shows everything.
        ");
    }

    fn standing(team: &str, weeks: &[Mature]) -> Standing {
        let judging = Judging {
            team: team.to_owned(),
            name: team.to_owned(),
            policy_id: 2,
            policy: Policy::default(),
            computed_at: now(),
            immature_from: "2026-W45".parse().unwrap(),
            first_spend: "2026-W01".parse().ok(),
            undecided: NanoUsd(0),
        };
        let first: Week = "2026-W30".parse().unwrap();
        let week = |number: usize| (0..number).fold(first, |week, _| week.next());
        let weeks: Vec<(Week, Mature)> =
            weeks.iter().enumerate().map(|(number, mature)| (week(number), *mature)).collect();
        Standing::of(judging, &weeks)
    }

    fn mature(dollars: i64, verified: u64, disqualified: u64) -> Mature {
        let tally = Tally { verified, disqualified, pending: 0 };
        Mature { cost: NanoUsd(dollars * 1_000_000_000), reported: true, tally, ..Mature::default() }
    }

    #[test]
    fn outcomes_stand_beside_spend() {
        let mut weekly = weekly(vec![
            judged("payments", "2026-W47", 1050, false, [0, 2, 5]),
            judged("platform", "2026-W47", 9, false, [0, 0, 0]),
            judged("payments", "2026-W44", 1050, true, [28, 12, 0]),
            judged("platform", "2026-W44", 12, true, [3, 1, 0]),
            judged("unassigned", "2026-W44", 7, true, [0, 0, 0]),
            judged("payments", "2026-W43", 1050, true, [5, 2, 0]),
        ]);
        let falling: Vec<Mature> = (0..9).map(|week| mature(100 - 9 * week, 7, 3)).collect();
        let rising: Vec<Mature> = (0..9).map(|week| mature(100 + 9 * week, 5, 0)).collect();
        weekly.standings = vec![
            standing("payments", &falling),
            standing("platform", &rising),
            standing("search", &[mature(90, 1, 1), mature(80, 2, 0), mature(10, 0, 0)]),
            standing("unassigned", &[mature(7, 0, 0)]),
            standing("young", &[]),
        ];
        insta::assert_snapshot!(report(&weekly), @r#"
        week      team        tokens      spend  verified          share     CPVO
        ──────────────────────────────────────────────────────────────────────────
        2026-W47  payments      1.2M  $1,050.00       0/2      5 pending
                  platform      1.2M      $9.00               not mature
        2026-W44  payments      1.2M  $1,050.00     28/40   70 % (55–82)   $37.50
                  platform      1.2M     $12.00       3/4         3 of 4    $4.00
                  unassigned    1.2M      $7.00
        2026-W43  payments      1.2M  $1,050.00       5/7  ~71 % (36–92)  $210.00

        The last 4 mature weeks of each team as one:

        team          spend  verified           share    CPVO      at 95 %  trend
        ───────────────────────────────────────────────────────────────────────────
        payments    $166.00     28/40    70 % (55–82)   $5.93    3.80–9.26  ↘ 14 %
        platform    $634.00     20/20  100 % (84–100)  $31.70  28.21–35.62  ↗ 7 %
        search      $180.00       3/4          3 of 4  $60.00
        unassigned    $7.00       0/0
        unassigned: no verified outcome, $7.00 spent

        ISO weeks in UTC, dollars at list price.
        unassigned: identities in no team of teams.toml: cpvo sql 'SELECT * FROM unassigned'
        verified: of the changes decided, as judged 2026-11-25 12:00 UTC; ~ of fewer than 20.
        share and CPVO (spend per verified change): once nothing of the week can be lost.
        weeks wait for their sources: what was not read yet (`cpvo sync`) may take a change back.
        trend: of CPVO a week, over the last quarter, from 8 weeks on; → no clear direction.
        "#);
    }

    #[test]
    fn what_another_strictness_would_say_is_told_where_it_says_another() {
        let by_literal = |verified| {
            let week = mature(100, 7, 3);
            let literal = Tally { verified, disqualified: 10 - verified, pending: 0 };
            Mature { by_strictness: ByStrictness { targeted: week.tally, literal }, ..week }
        };
        let mut weekly = weekly(vec![judged("payments", "2026-W44", 1050, true, [28, 12, 0])]);
        weekly.standings = vec![standing("payments", &[by_literal(6), by_literal(4)])];
        let said = "\npayments: verified, targeted: 14/20, 70 % (48–85); literal: 10/20, 50 % (30–70)\n";
        assert!(report(&weekly).contains(said), "{}", report(&weekly));
        weekly.standings = vec![standing("payments", &[by_literal(7), by_literal(7)])];
        assert!(!report(&weekly).contains("literal"), "they say the same");
    }

    #[test]
    fn costs_stand_by_cadence() {
        let mut weekly = weekly(vec![judged("payments", "2026-W44", 1050, true, [28, 12, 0])]);
        let week = [mature(100, 7, 3)];
        let cadences = [Cadence::Weekly, Cadence::Daily, Cadence::Weekly, Cadence::Rare];
        let teams = ["payments", "platform", "search", "idle"].into_iter().zip(cadences);
        weekly.standings = teams
            .map(|(team, cadence)| Standing { cadence: Some(cadence), ..standing(team, &week) })
            .collect();
        let outcome = |team: &str, dollars: i64, state| Delivered {
            repo: "github.com/acme/pay".to_owned(),
            sha: String::new(),
            team: team.to_owned(),
            state,
            excluded_as: None,
            opened_at: None,
            reviewed_at: None,
            reviewed: Reviewed::default(),
            lines: None,
            survived: None,
            merged_at: now(),
            shipped_at: now(),
            restored_at: None,
            labels: Vec::new(),
            spent: Spent { cost: NanoUsd(dollars * 1_000_000_000), ..Spent::default() },
        };
        let mut delivered: Vec<Delivered> =
            (0..12).map(|dollars| outcome("payments", 3 * dollars, State::Verified)).collect();
        delivered.push(outcome("platform", 1234, State::Verified));
        delivered.push(outcome("platform", 9999, State::Disqualified));
        delivered.push(outcome("search", 0, State::Verified));
        weekly.costs = costs::costs(&weekly.standings, &delivered);
        insta::assert_snapshot!(costs::block(&weekly.costs), @r"

        What each verified outcome of these weeks cost, among teams that ship alike:

        ships      team      known  median     p75     p90     max  top 10 %
        ─────────────────────────────────────────────────────────────────────
        5–24/week  platform    1/1  $1,234  $1,234  $1,234  $1,234     100 %
        1–4/week   payments  11/12  $18.00  $27.00  $30.00  $33.00      32 %
                   search      0/1
        ");
        insta::assert_snapshot!(costs::listing(&weekly.costs).render(Format::Csv).unwrap(), @r"
        team,name,cadence,verified,with_spend,median_usd,p75_usd,p90_usd,max_usd,top_tenth_share
        platform,platform,daily,1,1,1234.000000000,1234.000000000,1234.000000000,1234.000000000,1.000000
        payments,payments,weekly,12,11,18.000000000,27.000000000,30.000000000,33.000000000,0.318182
        search,search,weekly,1,0,,,,,
        ");
        assert!(report(&weekly).contains(&costs::block(&weekly.costs)));
        assert_eq!(costs::block(&weekly.costs[2..]), "", "nothing is known of it");
    }

    #[test]
    fn on_the_basis_of_work_loans_stand_beside_spend() {
        let row = |team: &str, mature, [lent, borrowed]: [i64; 2], counts| {
            let loan =
                Loan { lent: NanoUsd(lent * 1_000_000_000), borrowed: NanoUsd(borrowed * 1_000_000_000) };
            TeamWeek { loan: Some(loan), ..judged(team, "2026-W44", 1050, mature, counts) }
        };
        let mut weekly = weekly(vec![
            row("payments", true, [0, 150], [24, 12, 0]),
            row("platform with a long name that does not fit into a terminal", false, [150, 0], [3, 1, 2]),
            row("search", true, [0, 0], [0, 0, 0]),
        ]);
        weekly.asked.basis = Basis::Work;
        insta::assert_snapshot!(report(&weekly), @r"
        week      team                    spend     lent  borrowed  verified       CPVO
        ────────────────────────────────────────────────────────────────────────────────
        2026-W44  payments            $1,200.00            $150.00     24/36     $50.00
                  platform with a l…    $900.00  $150.00                 3/4  2 pending
                  search              $1,050.00

        ISO weeks in UTC, dollars at list price.
        spend: of the team whose change it built; lent to changes of others, borrowed for its own.
        verified: of the changes decided, as judged 2026-11-25 12:00 UTC; ~ of fewer than 20.
        share and CPVO (spend per verified change): once nothing of the week can be lost.
        weeks wait for their sources: what was not read yet (`cpvo sync`) may take a change back.
        trend: of CPVO a week, over the last quarter, from 8 weeks on; → no clear direction.
        ");
    }

    #[test]
    fn a_week_whose_outcomes_became_others_is_marked() {
        let closed = |restatements| {
            let closing = Some(Closing { closed_at: now(), restatements, spend: NanoUsd(0) });
            report(&weekly(vec![TeamWeek {
                closing,
                ..judged("payments", "2026-W40", 1, true, [24, 12, 0])
            }]))
        };
        assert!(
            closed(1).contains("  †24/36  ") && closed(1).contains("\n† restated since it closed: cpvo sql")
        );
        assert!(closed(0).contains("   24/36  ") && !closed(0).contains('†'));
    }

    #[test]
    fn a_cost_that_is_not_all_is_marked() {
        let week = |week: &str, dollars, change: fn(&mut TeamWeek)| {
            let mut row = judged("pay", week, dollars, true, [5, 1, 0]);
            change(&mut row);
            row
        };
        let silent = |row: &mut TeamWeek| row.requests = 0;
        let mut weekly = weekly(vec![
            week("2026-W33", 0, silent),
            week("2026-W32", 90, |row| row.unpriced_rows = 4),
            week("2026-W31", 90, |row| row.cordon = NanoUsd(40_000_000_000)),
            week("2026-W30", 100, |_| ()),
            week("2025-W52", 0, silent),
        ]);
        let mature: Vec<Mature> = weekly.weeks[..4].iter().rev().filter_map(TeamWeek::mature).collect();
        weekly.standings = vec![standing("pay", &mature)];
        insta::assert_snapshot!(report(&weekly), @r#"
        week      team  tokens    spend  verified          share     CPVO
        ──────────────────────────────────────────────────────────────────
        2026-W33  pay     1.2M    $0.00       5/6  ~83 % (44–97)        –
        2026-W32  pay     1.2M  ?$90.00       5/6  ~83 % (44–97)  ?$18.00
        2026-W31  pay     1.2M   $90.00       5/6  ~83 % (44–97)  *$10.00
        2026-W30  pay     1.2M  $100.00       5/6  ~83 % (44–97)   $20.00
        2025-W52  pay     1.2M    $0.00       5/6  ~83 % (44–97)

        The last 4 mature weeks of each team as one:

        team      spend  verified         share      CPVO  at 95 %  trend
        ──────────────────────────────────────────────────────────────────
        pay   *?$240.00     20/24  83 % (64–93)  *?$16.00
        pay: no session was reported in 1 of the last 4 weeks: is cpvo-hook still there?

        ISO weeks in UTC, dollars at list price.
        ? 4 rows have no price and are in no sum: cpvo sql 'SELECT model, COUNT(*) AS rows FROM usage WHERE cost_nanousd IS NULL GROUP BY model'
        verified: of the changes decided, as judged 2026-11-25 12:00 UTC; ~ of fewer than 20.
        share and CPVO (spend per verified change; * spend but what is cordoned off): once nothing of the week can be lost.
        weeks wait for their sources: what was not read yet (`cpvo sync`) may take a change back.
        trend: of CPVO a week, over the last quarter, from 8 weeks on; → no clear direction.
        "#);
    }

    #[test]
    fn a_share_says_how_much_it_rests_on() {
        for (verified, disqualified, text) in [
            (0, 0, ""),
            (3, 1, "3 of 4"),
            (5, 0, "~100 % (57–100)"),
            (13, 6, "~68 % (46–85)"),
            (14, 6, "70 % (48–85)"),
        ] {
            assert_eq!(share_text(Tally { verified, disqualified, pending: 3 }), text);
        }
    }
}
