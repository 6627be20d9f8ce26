//! When a change reached users: with its merge, or with the first release or deployment that contains it.

use super::Shipped;
use crate::vocabulary::words;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

words! {
    /// What brings the changes of a repository to users.
    Ship { Merge = "merge", Release = "release", Deployment = "deployment" }
}

/// What brings the changes that are merged from then on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ShipRule {
    pub from: Timestamp,
    pub ship: Ship,
}

/// A release or deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shipment {
    pub ship: Ship,
    pub at: Timestamp,
    /// The place of the newest change that it contains, in the order of landing.
    pub landed: i64,
}

/// When each change, by its place and its merge, reached users; `None` where it has not.
pub fn shipped(
    changes: &[(i64, Timestamp)],
    rules: &[ShipRule],
    shipments: &[Shipment],
) -> Vec<Option<Timestamp>> {
    let mut first: BTreeMap<Ship, BTreeMap<i64, Timestamp>> = BTreeMap::new();
    let mut in_time: Vec<&Shipment> = shipments.iter().collect();
    in_time.sort_by_key(|shipment| shipment.at);
    for Shipment { ship, at, landed } in in_time {
        let first = first.entry(*ship).or_default();
        // what contains no newer change than one before it brings nothing
        if first.last_key_value().is_none_or(|(newest, _)| newest < landed) {
            first.insert(*landed, *at);
        }
    }
    let of = |(place, merged_at): &(i64, Timestamp)| {
        let rule = rules.iter().filter(|rule| rule.from <= *merged_at).max();
        match rule.map_or(Ship::Merge, |rule| rule.ship) {
            Ship::Merge => Some(*merged_at),
            ship => {
                let (_, at) = first.get(&ship)?.range(place..).next()?;
                Some(*at.max(merged_at))
            }
        }
    };
    changes.iter().map(of).collect()
}

/// Whether a tag is one of a release: `v1.2`, `pay/1.2.3`, `release-2026.11`; not `v1.2.0-rc1`, `nightly`.
pub fn is_release(tag: &str) -> bool {
    let name = tag.rsplit('/').next().unwrap_or_default();
    let start = name.find(|c: char| c.is_ascii_digit()).unwrap_or(name.len());
    let (before, version) = name.split_at(start);
    let (version, _build) = version.split_once('+').unwrap_or((version, ""));
    let parts: Vec<&str> = version.split('.').collect();
    let before = before.to_lowercase();
    let says_before = ["alpha", "beta", "pre", "rc", "dev", "nightly", "canary", "test"];
    parts.len() >= 2
        && parts.iter().all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()))
        && (before.is_empty() || before == "v" || before.ends_with(['-', '_', '@']) || before.ends_with("-v"))
        && !before.split(['-', '_', '@']).any(|word| says_before.contains(&word))
}

/// The releases or deployments of some weeks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Shipments {
    pub count: usize,
    /// Those that brought what repairs something.
    pub rework: usize,
}

impl Shipments {
    /// Of those of each repository, and of what shipped.
    pub fn of<'a>(sent: impl Iterator<Item = (&'a str, Timestamp)>, changes: &[&Shipped]) -> Self {
        let repairs = changes.iter().filter(|change| change.is_repair);
        let repairs: BTreeSet<(&str, Timestamp)> =
            repairs.map(|change| (change.repo.as_str(), change.shipped_at)).collect();
        let mut all = Self::default();
        for one in sent {
            all.count += 1;
            all.rework += usize::from(repairs.contains(&one));
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::SignedDuration;

    fn at(hour: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_hours(hour)
    }

    /// Changes of places 1 to 4, merged at hours 10 to 40.
    #[track_caller]
    fn check(rules: &[(i64, Ship)], shipments: &[(Ship, i64, i64)], expected: [Option<i64>; 4]) {
        let changes: Vec<_> = (1..5).map(|place| (place, at(10 * place))).collect();
        let rules: Vec<_> =
            rules.iter().map(|(from, ship)| ShipRule { from: at(*from), ship: *ship }).collect();
        let shipments: Vec<_> = shipments
            .iter()
            .map(|(ship, hour, landed)| Shipment { ship: *ship, at: at(*hour), landed: *landed })
            .collect();
        assert_eq!(shipped(&changes, &rules, &shipments), expected.map(|hour| hour.map(at)));
    }

    #[test]
    fn a_change_ships_with_the_first_that_contains_it() {
        use Ship::{Deployment, Merge, Release};
        let merged = [Some(10), Some(20), Some(30), Some(40)];
        check(&[], &[(Release, 90, 4)], merged);
        check(&[(0, Merge)], &[(Release, 90, 4)], merged);
        check(&[(0, Release)], &[], [None; 4]);
        check(&[(0, Release)], &[(Release, 50, 3)], [Some(50), Some(50), Some(50), None]);
        check(
            &[(0, Release)],
            &[(Release, 50, 4), (Release, 25, 2)],
            [Some(25), Some(25), Some(50), Some(50)],
        );
        check(&[(0, Release)], &[(Release, 25, 2), (Release, 60, 1)], [Some(25), Some(25), None, None]);
        check(&[(0, Deployment)], &[(Release, 50, 4), (Deployment, 60, 4)], [Some(60); 4]);
        check(&[(0, Release)], &[(Release, 5, 4)], merged);
        check(&[(25, Release)], &[(Release, 90, 4)], [Some(10), Some(20), Some(90), Some(90)]);
        check(&[(25, Release), (35, Merge)], &[(Release, 90, 4)], [Some(10), Some(20), Some(90), Some(40)]);
        check(&[(0, Release)], &[(Release, 50, 0)], [None; 4]);
    }

    #[test]
    fn a_release_has_a_version_and_comes_after_nothing() {
        for tag in
            ["1.2", "v1.2.3", "pay/v1.2", "release-2026.11.3", "pay-v1.2.3", "@acme/pay@1.2.3", "v1.2+a"]
        {
            assert!(is_release(tag), "{tag}");
        }
        for tag in [
            "v1",
            "v1.2.0-rc1",
            "1.2b1",
            "nightly",
            "nightly-2026.11",
            "rc-1.2",
            "v1.2.x",
            "",
            "a1.2",
            "v1..2",
        ] {
            assert!(!is_release(tag), "{tag}");
        }
    }
}
