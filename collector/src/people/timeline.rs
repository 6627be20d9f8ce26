//! When a member was in which team: how an edit of teams.toml changes a history that is never lost.

use super::UNASSIGNED;
use jiff::Timestamp;
use meter::Hour;

/// A member's time in one team: from the first hour to the first hour no more.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Stay {
    pub from: Hour,
    pub until: Option<Hour>,
    pub team: String,
}

/// What a line of teams.toml asks for one member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wish {
    pub team: String,
    pub from: Option<Hour>,
    pub until: Option<Hour>,
}

/// The hour before which nothing is counted.
pub(crate) fn all_time() -> Hour {
    Hour::of(Timestamp::UNIX_EPOCH)
}

impl Stay {
    fn holds(&self, hour: Hour) -> bool {
        self.from <= hour && self.until.is_none_or(|until| hour < until)
    }

    pub(crate) fn overlaps(&self, other: &Self) -> bool {
        self.until.is_none_or(|until| other.from < until) && other.until.is_none_or(|until| self.from < until)
    }

    fn is_empty(&self) -> bool {
        self.until.is_some_and(|until| until <= self.from)
    }

    /// What is left of the stay outside `other`.
    fn without(self, other: &Self) -> Vec<Self> {
        if !self.overlaps(other) {
            return vec![self];
        }
        let before = Self { until: Some(other.from), ..self.clone() };
        let after = other.until.map(|until| Self { from: until, ..self });
        [Some(before), after].into_iter().flatten().filter(|stay| !stay.is_empty()).collect()
    }
}

/// The team a member was in at an hour.
pub(crate) fn team_at(history: &[Stay], hour: Hour) -> &str {
    history.iter().find(|stay| stay.holds(hour)).map_or(UNASSIGNED, |stay| &stay.team)
}

/// The history after teams.toml asks `wishes` of a member, read at `now`.
///
/// Without a wish the member leaves now. A dated wish holds for exactly the time it says, in the past
/// too. An undated one goes on where the member is in that team, counts for all time where the member
/// was never in any, and else starts now.
pub(crate) fn revise(history: &[Stay], wishes: &[Wish], now: Hour) -> Vec<Stay> {
    let asked: Vec<Stay> =
        wishes.iter().map(|wish| start(history, wish, now)).filter(|stay| !stay.is_empty()).collect();
    let says = |stay: &Stay, old: &Stay| stay.overlaps(old) || stay.until == Some(old.from);
    let restated = |old: &Stay| asked.iter().any(|stay| stay.team == old.team && says(stay, old));
    let mut kept: Vec<Stay> = history.iter().filter(|old| !restated(old)).cloned().collect();
    for stay in &mut kept {
        if stay.holds(now) {
            stay.until = Some(now);
        }
    }
    kept.retain(|stay| stay.from < now && !stay.is_empty());
    for stay in &asked {
        kept = kept.into_iter().flat_map(|old| old.without(stay)).collect();
    }
    kept.extend(asked);
    kept.sort();
    kept
}

fn start(history: &[Stay], wish: &Wish, now: Hour) -> Stay {
    let in_team = |stay: &&Stay| stay.team == wish.team && wish.until.is_none_or(|until| stay.from < until);
    let last = history.iter().filter(in_team).max();
    let going_on = last.filter(|stay| wish.until.is_some() || stay.until.is_none_or(|until| now < until));
    let undated = match going_on {
        Some(stay) => stay.from,
        None if history.is_empty() || wish.until.is_some_and(|until| until <= now) => all_time(),
        None => now,
    };
    Stay { from: wish.from.unwrap_or(undated), until: wish.until, team: wish.team.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// `d3` is the third day of 2026-11, `-` all time or no end.
    fn hour(day: &str) -> Option<Hour> {
        let day: u32 = day.strip_prefix('d')?.parse().unwrap();
        Some(format!("2026-11-{day:02}T00:00:00Z").parse().unwrap())
    }

    /// `pay d1..d5, web d5..-`
    fn stays(text: &str) -> Vec<Stay> {
        wishes(text)
            .into_iter()
            .map(|wish| Stay { from: wish.from.unwrap_or(all_time()), until: wish.until, team: wish.team })
            .collect()
    }

    fn wishes(text: &str) -> Vec<Wish> {
        let one = |text: &str| {
            let (team, time) = text.trim().split_once(' ').unwrap();
            let (from, until) = time.split_once("..").unwrap();
            Wish { team: team.to_owned(), from: hour(from), until: hour(until) }
        };
        text.split(',').filter(|text| !text.trim().is_empty()).map(one).collect()
    }

    /// Read on the tenth; reading it twice changes nothing more.
    #[track_caller]
    fn check(history: &str, wished: &str, expected: &str) {
        let now = hour("d10").unwrap();
        let revised = revise(&stays(history), &wishes(wished), now);
        assert_eq!(revised, stays(expected));
        assert_eq!(revise(&revised, &wishes(wished), now), revised);
    }

    #[test]
    fn an_undated_line() {
        check("", "pay -..-", "pay -..-");
        check("pay -..-", "pay -..-", "pay -..-");
        check("pay d2..-", "pay -..-", "pay d2..-");
        check("pay -..-", "web -..-", "pay -..d10, web d10..-");
        check("pay -..d3", "pay -..-", "pay -..d3, pay d10..-");
        check("pay -..d4, web d4..-", "pay -..-", "pay -..d4, web d4..d10, pay d10..-");
        check("pay -..d10, web d10..-", "pay -..-", "pay -..d10, pay d10..-");
        check("pay d4..d20", "pay -..-", "pay d4..-");
        check("pay d4..-", "web -..d2", "web -..d2, pay d4..d10");
        check("pay d4..-", "web -..d20", "pay d4..d10, web d10..d20");
    }

    #[test]
    fn a_removed_line_closes() {
        check("pay -..-", "", "pay -..d10");
        check("pay -..d3", "", "pay -..d3");
        check("pay d20..-", "", "");
    }

    #[test]
    fn a_dated_line_holds_for_the_past_too() {
        check("", "pay d3..-", "pay d3..-");
        check("pay -..-", "pay d3..-", "pay d3..-");
        check("pay -..-", "web d3..-", "pay -..d3, web d3..-");
        check("pay -..-", "pay -..d3, web d3..-", "pay -..d3, web d3..-");
        check("pay -..-", "web d3..d5", "pay -..d3, web d3..d5, pay d5..d10");
        check("pay -..-", "pay -..d5", "pay -..d5");
        check("pay d1..d3", "pay d5..-", "pay d1..d3, pay d5..-");
        check("pay -..-", "web d20..-", "pay -..d10, web d20..-");
        check("pay -..-", "pay -..d20, web d20..-", "pay -..d20, web d20..-");
    }

    fn history() -> impl Strategy<Value = Vec<Stay>> {
        proptest::collection::vec((0..3usize, 1..20u32, 0..8u32), 0..5).prop_map(|parts| {
            let mut history: Vec<Stay> = Vec::new();
            for (team, from, days) in parts {
                let until = (days > 0).then(|| hour(&format!("d{}", from + days)).unwrap());
                let team = ["pay", "web", "ops"][team].to_owned();
                let stay = Stay { from: hour(&format!("d{from}")).unwrap(), until, team };
                if !history.iter().any(|old| old.overlaps(&stay)) {
                    history.push(stay);
                }
            }
            history.sort();
            history
        })
    }

    proptest! {
        #[test]
        fn a_member_is_never_in_two_teams(before in history(), after in history(), dated: bool) {
            let now = hour("d10").unwrap();
            let wish = |stay: &Stay| Wish {
                team: stay.team.clone(), from: dated.then_some(stay.from), until: stay.until,
            };
            let mut wishes: Vec<Wish> = after.iter().map(wish).collect();
            wishes.truncate(if dated { 5 } else { 1 });
            let revised = revise(&before, &wishes, now);
            for (index, stay) in revised.iter().enumerate() {
                prop_assert!(revised[index + 1..].iter().all(|other| !stay.overlaps(other)), "{:?}", revised);
            }
            prop_assert_eq!(revise(&revised, &wishes, now), revised);
        }

        #[test]
        fn the_past_changes_only_where_a_date_says_so(before in history(), team in 0..3usize, day in 1..10u32) {
            let now = hour("d10").unwrap();
            let wishes = [Wish { team: ["pay", "web", "ops"][team].to_owned(), from: None, until: None }];
            let revised = revise(&before, &wishes, now);
            let past = hour(&format!("d{day}")).unwrap();
            if !before.is_empty() {
                prop_assert_eq!(team_at(&revised, past), team_at(&before, past));
            }
        }
    }
}
