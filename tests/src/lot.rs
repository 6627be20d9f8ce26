//! How much of what could be tried is tried: a few cases that a seed draws, or all of them under `scripts/test --full`.

use crate::dice::Dice;
use std::process;

/// Dice whose seed is printed, for `CPVO_TEST_SEED` to repeat what it decided.
#[expect(clippy::print_stdout, reason = "a failure is repeated with the seed that is printed before it")]
pub fn dice(name: &str) -> Dice {
    let seed = number("CPVO_TEST_SEED").unwrap_or_else(|| u64::from(process::id()));
    println!("{name}: CPVO_TEST_SEED={seed}");
    Dice::new(seed)
}

/// All of them in a full test, else a few.
pub fn draw<T>(dice: &mut Dice, mut all: Vec<T>, few: usize) -> Vec<T> {
    while !is_full() && all.len() > few {
        all.swap_remove(dice.index(all.len()));
    }
    all
}

/// Whether `scripts/test --full` runs.
pub fn is_full() -> bool {
    variable("CPVO_TEST_FULL").is_some()
}

/// A number the caller of the tests may set.
pub fn number(name: &str) -> Option<u64> {
    variable(name).map(|said| said.parse().unwrap_or_else(|_| panic!("{name} is a number, not {said:?}")))
}

#[expect(clippy::disallowed_methods, reason = "the door of what the caller of the tests asks for")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
