//! What it means that a ticket was moved over the board of its tracker.

use super::{Step, TicketEvent};
use jiff::Timestamp;

/// What the state a ticket is in says of its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    Open,
    Done,
    /// It will not be done: a duplicate, or not wanted.
    Dropped,
}

/// A ticket was moved; `None` for a state that its tracker no longer knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Move {
    pub at: Timestamp,
    pub actor: Option<String>,
    pub from: Option<Standing>,
    pub to: Option<Standing>,
}

/// What happened to a ticket by its moves, in order of time.
pub fn moved(moves: impl IntoIterator<Item = Move>) -> Vec<TicketEvent> {
    let mut stood = None;
    let step = |Move { at, actor, from, to }| {
        let from = from.or(stood);
        stood = to.or(from);
        let step = match to? {
            Standing::Open if from.is_some_and(|from| from != Standing::Open) => Step::Reopened,
            Standing::Open => return None,
            Standing::Done => Step::Done,
            Standing::Dropped => Step::Closed { by_hand: true, as_done: false },
        };
        Some(TicketEvent { at, actor, step })
    };
    moves.into_iter().filter_map(step).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// States as letters: open, done, dropped as `x`, `?` for one that is not known.
    #[track_caller]
    fn check(states: &str, expected: &str) {
        let standing = |letter| match letter {
            'o' => Some(Standing::Open),
            'd' => Some(Standing::Done),
            'x' => Some(Standing::Dropped),
            _ => None,
        };
        let letters: Vec<char> = states.chars().collect();
        let moves = letters.windows(2).map(|pair| Move {
            at: Timestamp::UNIX_EPOCH,
            actor: None,
            from: standing(pair[0]),
            to: standing(pair[1]),
        });
        let letter = |event: TicketEvent| match event.step {
            Step::Done => 'd',
            Step::Closed { .. } => 'x',
            Step::Reopened => 'r',
        };
        assert_eq!(moved(moves).into_iter().map(letter).collect::<String>(), expected, "{states}");
    }

    #[test]
    fn a_ticket_is_opened_again_where_it_leaves_what_is_done() {
        check("ood", "d");
        check("odo", "dr");
        check("oddo", "ddr");
        check("odoodo", "drdr");
        check("oxo", "xr");
        check("odx", "dx");
    }

    #[test]
    fn a_state_that_is_gone_says_nothing() {
        check("od?o", "dr");
        check("od?do", "ddr");
        check("o?o", "");
        check("?o", "");
        check("?d", "d");
        check("ox?o", "xr");
    }
}
