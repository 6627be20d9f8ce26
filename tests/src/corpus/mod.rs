//! Homes full of transcripts, made by a seed, beside what they must come to.
//!
//! The generator plays the client: it knows what was billed because it billed it, and never reads what it wrote.

mod account;
mod answer;
mod bill;
mod features;
mod file;
mod grounds;
mod histories;
mod home;
mod laptop;
mod orphan;
mod places;
mod plot;
mod session;
mod stage;
mod truth;

pub use bill::{Bill, Copied};
pub use features::{FEATURES, Feature, HOUSEKEEPING};
pub use file::{File, Link};
pub use grounds::{Grounds, Spot};
pub use home::Home;
pub use laptop::{Laptop, Laptops};
pub use plot::{Plot, TROUBLES, Trouble};
pub use session::{Doubt, Session};
pub use stage::Stage;
pub use truth::{ByModel, Overhead, Place, Rows, Sum, Totals};

use crate::lot;
use features::Play;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

/// How many homes a test tries, each of another seed: `CPVO_TEST_HOMES`, else these.
pub fn homes(usual: u64, full: u64) -> u64 {
    lot::number("CPVO_TEST_HOMES").unwrap_or(if lot::is_full() { full } else { usual })
}

impl Home {
    /// The home of `seed`, made of these features: each happens about as often as the others.
    pub fn of(seed: u64, features: &[Feature], grounds: &Grounds) -> Self {
        let mut home = Self::new(seed, grounds);
        let mut happenings = Vec::new();
        for feature in features {
            match feature.play {
                Play::Happens(play) => happenings.push((feature.on, play)),
                Play::Answers(manner) => home.manners.push((feature.on, manner)),
            }
        }
        for _ in 0..=home.dice.roll(2) {
            let spot = home.grounds.pay();
            let session = home.begin(spot);
            home.turn(session);
        }
        let steps = if happenings.is_empty() { 4 } else { 6 + home.dice.roll(20) };
        for _ in 0..steps {
            home.dice = home.dice.apart();
            let session = home.dice.index(home.sessions.len());
            let plain = (true, Self::turn as fn(&mut Self, usize));
            let (on, play) = if happenings.is_empty() { plain } else { *home.dice.pick(&happenings) };
            let own = home.dice.apart();
            if on {
                play(&mut home, session);
            }
            home.dice = own;
        }
        // the others are still open, or were killed
        for session in 0..home.sessions.len() {
            if !home.dice.once_in(3) {
                account::end(&mut home, session);
            }
        }
        home
    }

    /// What the client and the hook are told by variables.
    pub fn variables(&self, home: &Path) -> Vec<(&'static str, String)> {
        let mut variables = Vec::new();
        if let Some(mark) = self.listed {
            let entries = self.roots.iter().map(|root| home.join(&root.entry).display().to_string());
            let nowhere = home.join("nowhere").display().to_string();
            let list: Vec<String> = entries.chain([nowhere]).collect();
            variables.push(("CLAUDE_CONFIG_DIR", list.join(&mark.to_string())));
        }
        if self.xdg {
            variables.push(("XDG_CONFIG_HOME", home.join("xdg").display().to_string()));
        }
        variables
    }

    /// Writes everything.
    #[track_caller]
    pub fn write(&self, laptop: &Laptop) {
        for file in &self.files {
            laptop.put(&file.path, &file.bytes());
            if let Some((path, lines)) = &file.copy {
                laptop.put(path, &file.first(*lines));
            }
        }
        for link in &self.links {
            link.make(&laptop.path);
        }
    }
}

impl Link {
    #[track_caller]
    pub fn make(&self, home: &Path) {
        let at = home.join(&self.at);
        fs::create_dir_all(at.parent().expect("a link lies in a folder")).expect("a folder for a link");
        if self.hard {
            fs::hard_link(home.join(&self.to), at).expect("a second name");
        } else {
            symlink(home.join(&self.to), at).expect("a link");
        }
    }
}
