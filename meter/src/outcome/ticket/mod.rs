//! When a ticket that changes closed was opened again, and which of them that counts against.

mod board;
mod key;

pub use board::{Move, Standing, moved};
pub use key::{Texts, project_of, ticket_keys};

use jiff::{SignedDuration, Timestamp};

/// Who opens a ticket and closes it again so soon, as no work at all, had the wrong button.
const MISCLICK_MAX: SignedDuration = SignedDuration::from_mins(10);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    Closed {
        /// Somebody closed it: it is known that no change did.
        by_hand: bool,
        /// As work that is done, not as a duplicate or as not planned.
        as_done: bool,
    },
    /// It was moved to where work is done; whether a change did that is not told.
    Done,
    Reopened,
}

/// A ticket was closed or opened again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TicketEvent {
    pub at: Timestamp,
    pub actor: Option<String>,
    pub step: Step,
}

/// A ticket was opened again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reopen {
    pub at: Timestamp,
    /// The changes it counts against, by their place.
    pub changes: Vec<usize>,
    /// It is listed, and counts against nobody.
    pub misclick: bool,
}

/// Reads what happened to a ticket, in order of time; `merged` says when each change that is to close it landed.
///
/// What a change did is what it landed since the ticket was last opened: earlier ones have failed already.
pub fn reopens(events: &[TicketEvent], merged: &[Timestamp]) -> Vec<Reopen> {
    let mut found = Vec::new();
    let mut closed = false;
    let mut since = Timestamp::MIN;
    for (index, event) in events.iter().enumerate() {
        match event.step {
            Step::Closed { by_hand, as_done } => closed |= as_done && !by_hand,
            Step::Done => closed = true,
            Step::Reopened if closed => {
                let landed = |merged: &Timestamp| since < *merged && *merged <= event.at;
                let changes: Vec<usize> =
                    (0..merged.len()).filter(|change| landed(&merged[*change])).collect();
                let misclick = events.get(index + 1).is_some_and(|next| is_misclick(event, next, merged));
                if !changes.is_empty() {
                    found.push(Reopen { at: event.at, changes, misclick });
                }
                if !misclick {
                    (closed, since) = (false, event.at);
                }
            }
            Step::Reopened => since = event.at,
        }
    }
    found
}

fn is_misclick(reopened: &TicketEvent, next: &TicketEvent, merged: &[Timestamp]) -> bool {
    let at_rest = || !merged.iter().any(|merged| reopened.at < *merged && *merged <= next.at);
    let undone = match next.step {
        Step::Closed { as_done, .. } => !as_done,
        Step::Done => at_rest(), // back where it was, and nothing was done meanwhile
        Step::Reopened => false,
    };
    undone
        && reopened.actor.is_some()
        && next.actor == reopened.actor
        && next.at.duration_since(reopened.at) <= MISCLICK_MAX
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minutes: i64) -> Timestamp {
        Timestamp::from_second(minutes * 60).unwrap()
    }

    /// Steps as `minute what who`: `done` by a change, `hand` by a person, `dropped` as not planned, `board` by a move
    /// to where work is done, `open` again.
    #[track_caller]
    fn check(steps: &str, merged: &[i64], expected: &[(i64, &[usize], bool)]) {
        let step = |text: &str| {
            let mut words = text.split(' ');
            let (minute, what) = (words.next().unwrap().parse().unwrap(), words.next().unwrap());
            let step = match what {
                "open" => Step::Reopened,
                "board" => Step::Done,
                what => Step::Closed { by_hand: what == "hand", as_done: what != "dropped" },
            };
            TicketEvent { at: at(minute), actor: words.next().map(str::to_owned), step }
        };
        let events: Vec<_> = steps.split(", ").filter(|text| !text.is_empty()).map(step).collect();
        let merged: Vec<_> = merged.iter().map(|minute| at(*minute)).collect();
        let found: Vec<_> = reopens(&events, &merged);
        let found: Vec<_> =
            found.iter().map(|it| (it.at.as_second() / 60, it.changes.as_slice(), it.misclick)).collect();
        assert_eq!(found, expected, "{steps}");
    }

    #[test]
    fn a_reopen_counts_against_what_landed_since_the_last_one() {
        check("10 done, 50 open", &[10], &[(50, &[0], false)]);
        check("10 done", &[10], &[]);
        check("", &[10], &[]);
        check("10 done, 50 open, 60 done", &[10, 60], &[(50, &[0], false)]);
        check("10 done, 50 open, 60 done, 90 open", &[10, 60], &[(50, &[0], false), (90, &[1], false)]);
        check("10 done, 50 open", &[5, 10], &[(50, &[0, 1], false)]);
        check("10 done, 50 open", &[60], &[]);
        let at_once = [(50, [0, 1].as_slice(), false), (90, &[2], false)];
        check("10 done, 50 open, 60 done, 90 open", &[10, 50, 60], &at_once);
        check("1 hand, 5 open, 10 done, 50 open", &[3, 10], &[(50, &[1], false)]);
        check("10 done, 50 open, 90 open", &[10, 60], &[(50, &[0], false)]);
    }

    #[test]
    fn only_a_change_that_closed_it_failed() {
        check("10 hand, 50 open", &[9], &[]);
        check("10 dropped, 50 open", &[9], &[]);
        check("10 done, 20 hand, 50 open", &[10], &[(50, &[0], false)]);
    }

    #[test]
    fn the_wrong_button_counts_against_nobody() {
        check("10 done, 50 open ana, 59 dropped ana", &[10], &[(50, &[0], true)]);
        check("10 done, 50 open ana, 60 dropped ana", &[10], &[(50, &[0], true)]);
        check("10 done, 50 open ana, 61 dropped ana", &[10], &[(50, &[0], false)]);
        check("10 done, 50 open ana, 55 dropped ben", &[10], &[(50, &[0], false)]);
        check("10 done, 50 open, 55 dropped", &[10], &[(50, &[0], false)]);
        check("10 done, 50 open ana, 55 done ana", &[10], &[(50, &[0], false)]);
        let again = "10 done, 50 open ana, 55 dropped ana, 90 open ben";
        check(again, &[10], &[(50, &[0], true), (90, &[0], false)]);
    }

    #[test]
    fn a_board_does_not_tell_who_closed_it() {
        check("12 board, 50 open", &[10], &[(50, &[0], false)]);
        check("12 board, 50 open, 60 board, 90 open", &[10, 55], &[(50, &[0], false), (90, &[1], false)]);
        check("12 board ana, 50 open ana, 60 board ana", &[10], &[(50, &[0], true)]);
        check("12 board ana, 50 open ana, 61 board ana", &[10], &[(50, &[0], false)]);
        check("12 board ana, 50 open ana, 60 board ben", &[10], &[(50, &[0], false)]);
        check("12 board ana, 50 open ana, 60 board ana", &[10, 55], &[(50, &[0], false)]);
        check("12 board ana, 50 open ana, 60 board ana", &[10, 60], &[(50, &[0], false)]);
        check("12 board, 50 open ana, 60 dropped ana", &[10], &[(50, &[0], true)]);
    }
}
