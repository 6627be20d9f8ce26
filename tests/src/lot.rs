//! How much of what could be tried is tried: a few cases that a seed draws, or all of them under `scripts/test --full`.

use std::process;

/// Random numbers from a seed that is printed, and that `CPVO_TEST_SEED` repeats (splitmix64).
pub struct Lot(u64);

impl Lot {
    #[expect(clippy::print_stdout, reason = "a failure is repeated with the seed that is printed before it")]
    pub fn draw(name: &str) -> Self {
        let said = variable("CPVO_TEST_SEED").map(|seed| seed.parse().expect("CPVO_TEST_SEED is a number"));
        let seed = said.unwrap_or_else(|| u64::from(process::id()));
        println!("{name}: CPVO_TEST_SEED={seed}");
        Self(seed)
    }

    /// A number below `bound`.
    pub fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let bound = u64::try_from(bound).expect("a small bound");
        usize::try_from((mixed ^ (mixed >> 31)) % bound).expect("below a usize")
    }

    /// All of them in a full test, else `few`.
    pub fn some<T>(&mut self, mut all: Vec<T>, few: usize) -> Vec<T> {
        if !is_full() {
            while all.len() > few {
                let unlucky = self.below(all.len());
                all.swap_remove(unlucky);
            }
        }
        all
    }
}

/// Whether `scripts/test --full` runs.
pub fn is_full() -> bool {
    variable("CPVO_TEST_FULL").is_some()
}

/// A number `scripts/test` may set, such as how many sessions are killed.
pub fn number(name: &str, usual: usize) -> usize {
    variable(name).map_or(usual, |said| said.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

#[expect(clippy::disallowed_methods, reason = "the door of what scripts/test asks for")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
