//! How a home may come to be: files that grow piece by piece, sweeps in between, and what befalls a laptop.

use super::Link;
use super::home::Home;
use super::laptop::{Laptop, Laptops};
use crate::dice::Dice;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// What may happen beside files and sweeps.
#[derive(Debug, Clone, Copy)]
pub struct Trouble {
    pub name: &'static str,
    /// Where it is off, the rest of the plot stays as it is.
    pub on: bool,
    befall: fn(&mut Plot, &mut Dice),
}

const fn trouble(name: &'static str, befall: fn(&mut Plot, &mut Dice)) -> Trouble {
    Trouble { name, on: true, befall }
}

pub const TROUBLES: [Trouble; 5] = [
    trouble("swept twice", |plot, _| plot.sweep()),
    trouble("ledger lost", |plot, _| plot.laptop.forget(0)),
    trouble("ledger lost, clock wrong", forget_at_a_wrong_time),
    trouble("older transcripts gone", vanish),
    trouble("second copy of the home", |plot, _| plot.copy()),
];

/// Hours a clock may be wrong by; a collector's epochs are trusted up to a day ahead.
const WRONG_HOURS: [i64; 4] = [-20, -5, 5, 20];

/// A home on its way to being whole.
pub struct Plot<'a> {
    home: &'a Home,
    laptops: &'a Laptops,
    laptop: Laptop<'a>,
    /// Other laptops with the home as it once was.
    copies: Vec<Laptop<'a>>,
    /// Bytes of each file that are there.
    arrived: Vec<usize>,
    /// Bytes of each file that some sweep has read.
    swept: Vec<usize>,
    /// Files that were deleted.
    gone: BTreeSet<usize>,
    /// What happened.
    told: Vec<String>,
}

impl<'a> Plot<'a> {
    /// Plays `home` to its end, by the seed.
    #[track_caller]
    pub fn play(seed: u64, home: &'a Home, laptops: &'a Laptops, troubles: &[Trouble]) -> Self {
        let laptop = laptops.laptop(home, &format!("home-{seed}"));
        let none = vec![0; home.files.len()];
        let (arrived, swept) = (none.clone(), none);
        let (copies, gone, told) = (Vec::new(), BTreeSet::new(), Vec::new());
        let mut plot = Self { home, laptops, laptop, copies, arrived, swept, gone, told };
        let mut dice = Dice::new(!seed).apart();
        while plot.arrive(&mut dice) {
            if dice.once_in(3) {
                plot.sweep();
                let (trouble, mut own) = (*dice.pick(troubles), dice.apart());
                if own.once_in(2) && trouble.on {
                    plot.told.push(trouble.name.to_owned());
                    (trouble.befall)(&mut plot, &mut own);
                }
            }
        }
        plot.sweep();
        let swept = plot.copies.iter().map(|copy| format!("{} sweeps: {}", copy.name(), copy.sweep()));
        plot.told.extend(swept);
        plot.sweep();
        plot
    }

    /// What happened and what the hook says now, for whom the result surprises.
    pub fn story(&self) -> String {
        self.told.join("\n") + "\n" + &self.laptop.hook(&["status"]).stdout
    }

    /// Some more of a file comes; `false` where all of them are there.
    fn arrive(&mut self, dice: &mut Dice) -> bool {
        let whole = |file: usize| self.arrived[file] == self.home.files[file].bytes().len();
        let mut coming: Vec<usize> = (0..self.home.files.len()).filter(|file| !whole(*file)).collect();
        coming.retain(|file| self.home.files[*file].after.is_none_or(whole));
        if coming.is_empty() {
            return false;
        }
        let file = *dice.pick(&coming);
        let bytes = self.home.files[file].bytes();
        let (from, left) = (self.arrived[file], bytes.len() - self.arrived[file]);
        let piece = if dice.once_in(2) { left } else { 1 + dice.index(left) };
        let path = self.path(file);
        self.arrived[file] = from + piece;
        if self.path(file) != path {
            self.laptop.rename(&path, &self.path(file));
        }
        self.laptop.put(&self.path(file), &bytes[..from + piece]);
        self.told.push(format!(
            "{} has {} of {} bytes",
            self.path(file).display(),
            from + piece,
            bytes.len()
        ));
        if piece == left {
            self.complete(file);
        }
        self.link(&self.laptop);
        true
    }

    /// Where a file lies by now: it moves with its last piece.
    fn path(&self, file: usize) -> PathBuf {
        let file_there = &self.home.files[file];
        let whole = self.arrived[file] == file_there.bytes().len();
        file_there.moved_from.clone().filter(|_| !whole).unwrap_or_else(|| file_there.path.clone())
    }

    /// The second copy of a file comes with its last piece.
    fn complete(&self, file: usize) {
        let file = &self.home.files[file];
        if let Some((path, lines)) = &file.copy {
            self.laptop.put(path, &file.first(*lines));
        }
    }

    /// Second names come as soon as there is something to name.
    fn link(&self, laptop: &Laptop) {
        let made = |link: &&Link| {
            laptop.path.join(&link.to).exists() && laptop.path.join(&link.at).symlink_metadata().is_err()
        };
        self.home.links.iter().filter(made).for_each(|link| link.make(&laptop.path));
    }

    #[track_caller]
    fn sweep(&mut self) {
        self.told.push(format!("sweep: {}", self.laptop.sweep()));
        self.swept.clone_from(&self.arrived);
    }

    /// Another laptop gets all that is there, and goes on by itself.
    fn copy(&mut self) {
        let name = format!("{}-copy-{}", self.laptop.name(), self.copies.len());
        let laptop = self.laptops.laptop(self.home, &name);
        for file in (0..self.home.files.len()).filter(|file| !self.gone.contains(file)) {
            if self.arrived[file] > 0 {
                laptop.put(&self.path(file), &self.home.files[file].bytes()[..self.arrived[file]]);
            }
        }
        self.link(&laptop);
        self.told.push(format!("{name} sweeps: {}", laptop.sweep()));
        self.copies.push(laptop);
    }
}

fn forget_at_a_wrong_time(plot: &mut Plot, dice: &mut Dice) {
    let hours = *dice.pick(&WRONG_HOURS);
    plot.told.push(format!("{hours} hours"));
    plot.laptop.forget(3_600 * hours);
}

/// Deletes sessions that were read to their end, with those that hold their responses without a name.
fn vanish(plot: &mut Plot, dice: &mut Dice) {
    let mut sessions: BTreeSet<usize> = (0..plot.home.sessions.len()).filter(|_| dice.once_in(2)).collect();
    loop {
        let files = &plot.home.files;
        let unread = |file: usize| plot.swept[file] < files[file].bytes().len();
        let kept = |file: usize| !sessions.contains(&files[file].session);
        let bound = |file: usize| files[file].after.is_some_and(|origin| !kept(origin)) && kept(file);
        let unread_of =
            |session: usize| (0..files.len()).any(|file| files[file].session == session && unread(file));
        let copied = |session: usize| {
            (0..files.len()).any(|file| {
                bound(file) && files[file].after.is_some_and(|origin| files[origin].session == session)
            })
        };
        let before = sessions.len();
        sessions = sessions.iter().copied().filter(|one| !unread_of(*one) && !copied(*one)).collect();
        if sessions.len() == before {
            break;
        }
    }
    for file in 0..plot.home.files.len() {
        if sessions.contains(&plot.home.files[file].session) && plot.gone.insert(file) {
            plot.told.push(format!("{} is gone", plot.path(file).display()));
            plot.laptop.remove(&plot.path(file));
            if let Some((path, _)) = &plot.home.files[file].copy {
                plot.laptop.remove(path);
            }
        }
    }
    let there = |path: &Path| plot.laptop.path.join(path).exists();
    let lasting = |link: &&Link| link.hard && there(&link.at) && !there(&link.to);
    plot.home.links.iter().filter(lasting).for_each(|link| plot.laptop.remove(&link.at));
}
