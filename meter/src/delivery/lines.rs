//! What a line cost that was still there when the window of its change had passed.

use super::{Shipped, cost};
use crate::money::NanoUsd;
use crate::outcome::State;
use jiff::Timestamp;

/// Lines that a change added, and those of them that were left when its window had passed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Lines {
    pub added: u64,
    pub surviving: u64,
}

/// In which state a branch is looked at: its commits are told by when they were made, oldest first. It is the last one
/// behind `landed` before the first that was made after `due`.
pub fn state_at(made: &[Timestamp], landed: usize, due: Timestamp) -> usize {
    let later = made.iter().skip(landed + 1).position(|at| *at > due);
    later.map_or(made.len().saturating_sub(1), |further| landed + further)
}

/// What is left of the lines of some changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Surviving {
    /// Those whose lines were counted.
    pub changes: usize,
    /// All of mature weeks that spend is known of.
    pub of: usize,
    pub lines: Lines,
    /// Of those that were counted.
    pub cost: NanoUsd,
    /// Those that have less than half of their lines left.
    pub mostly_gone: usize,
}

impl Surviving {
    /// `None` where no lines were counted.
    pub(super) fn of(attempts: &[&Shipped]) -> Option<Self> {
        let is_decided = |one: &&&Shipped| one.is_mature && one.state != State::Pending && one.cost.0 > 0;
        let decided: Vec<&Shipped> = attempts.iter().filter(is_decided).copied().collect();
        let counted: Vec<&Shipped> = decided.iter().filter(|one| one.survived.is_some()).copied().collect();
        let lines: Vec<Lines> = counted.iter().filter_map(|one| one.survived).collect();
        let sum = |of: fn(&Lines) -> u64| lines.iter().map(of).fold(0, u64::saturating_add);
        let is_gone = |one: &&Lines| one.surviving < one.added.div_ceil(2);
        (!counted.is_empty()).then(|| Self {
            changes: counted.len(),
            of: decided.len(),
            lines: Lines { added: sum(|one| one.added), surviving: sum(|one| one.surviving) },
            cost: cost(&counted),
            mostly_gone: lines.iter().filter(is_gone).count(),
        })
    }

    /// `None` where no line is left.
    pub fn cost_of_a_line(self) -> Option<NanoUsd> {
        let lines = i64::try_from(self.lines.surviving).ok()?;
        self.cost.0.checked_div(lines).map(NanoUsd)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_branch_is_looked_at_before_the_first_later_commit() {
        let second = |second: &i64| Timestamp::from_second(*second).unwrap();
        let check = |made: &[i64], landed: usize, due: i64, expected: usize| {
            let made: Vec<Timestamp> = made.iter().map(second).collect();
            assert_eq!(state_at(&made, landed, second(&due)), expected, "{made:?} {landed} {due}");
        };
        check(&[10, 20, 30, 40], 0, 30, 2);
        check(&[10, 20, 30, 40], 0, 29, 1);
        check(&[10, 20, 30, 40], 1, 20, 1);
        check(&[10, 20, 30, 40], 3, 99, 3);
        check(&[10, 20, 30, 40], 0, 99, 3);
        check(&[10, 20, 99, 25], 0, 30, 1); // what lies behind a later one came later
        check(&[99, 20, 25, 40], 0, 30, 2); // its own clock was wrong
        check(&[10], 0, 5, 0);
    }
}
