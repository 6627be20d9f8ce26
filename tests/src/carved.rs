//! Histories made with real git in which changes are taken back in every way people and hosts do it, beside those
//! that only speak of it. What took back what is known, so that a reader of such histories can be scored.

use crate::dice::Dice;
use crate::git::Repository;
use jiff::{SignedDuration, Timestamp};
use std::fs;
use std::path::Path;

/// A change that took back another one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct TakenBack {
    pub form: &'static str,
    pub by: String,
    pub of: String,
}

/// A repository and what happened in it.
pub struct Carved {
    pub repository: Repository,
    /// Everything that was taken back, as it happened.
    pub truth: Vec<TakenBack>,
    /// Changes that take nothing back, with what they are.
    pub decoys: Vec<(&'static str, String)>,
    changes: Vec<Change>,
    dice: Dice,
    at: Timestamp,
    numbers: u64,
}

/// A change that still stands.
#[derive(Debug, Clone)]
struct Change {
    sha: String,
    number: u64,
    title: String,
    file: String,
    merged: bool,
}

type Play = fn(&mut Carved, &Change) -> String;

/// How a change is taken back; each says the commit that landed it.
const FORMS: [(&str, Play); 18] = [
    ("git revert", |home, of| {
        home.revert(of);
        home.head()
    }),
    ("git revert, squashed", |home, of| {
        home.revert(of);
        let message = home.repository.git(&["log", "-1", "--format=%B"]);
        let (subject, body) = message.split_once('\n').unwrap_or((&message, ""));
        let number = home.number();
        home.reword(&format!("{subject} (#{number})\n{body}"))
    }),
    ("the host's button, merged", |home, of| {
        let branch = format!("revert-{}-feature-{}", of.number, of.number);
        let number = home.number();
        let message = format!("Merge pull request #{number} from acme/{branch}\n\nRevert \"{}\"", of.title);
        home.revert_on(&branch, of, &message)
    }),
    ("the host's button, squashed", |home, of| {
        let number = home.number();
        home.take(
            of,
            &format!(
                "Revert \"{} (#{})\" (#{number})\n\nReverts acme/pay#{}",
                of.title, of.number, of.number
            ),
        )
    }),
    ("a bot's, without a number", |home, of| {
        let body = format!("This reverts commit {}.\n\nReason for revert: broke the nightly build", of.sha);
        home.take(of, &format!("Revert \"{} (#{})\"\n\n{body}", of.title, of.number))
    }),
    ("a short hash", |home, of| {
        let number = home.number();
        home.take(of, &format!("Take the cache out (#{number})\n\nThis reverts commit {}.", &of.sha[..8]))
    }),
    ("a cut title", |home, of| {
        let (number, cut) = (home.number(), of.title.chars().take(38).collect::<String>());
        home.take(of, &format!("Revert \"{cut}…\" (#{number})"))
    }),
    ("the title alone", |home, of| home.take(of, &format!("Revert \"{}\"", of.title))),
    ("a scope", |home, of| {
        let number = home.number();
        home.take(of, &format!("revert(pay): {} (#{}) (#{number})", of.title, of.number))
    }),
    ("a type and a hash", |home, of| {
        let number = home.number();
        home.take(of, &format!("revert: {} (#{number})\n\nThis reverts commit {}.", of.title, of.sha))
    }),
    ("a sign before it", |home, of| {
        let number = home.number();
        home.take(of, &format!("⏪ Revert \"{}\" (#{number})", of.title))
    }),
    ("a reference", |home, of| {
        let number = home.number();
        home.take(
            of,
            &format!(
                "Fall back to the old path (#{number})\n\nReverts #{}, which broke the build.",
                of.number
            ),
        )
    }),
    ("an address", |home, of| {
        let number = home.number();
        let address = format!("https://github.com/acme/pay/pull/{}", of.number);
        home.take(of, &format!("Fall back again (#{number})\n\nReverts {address}"))
    }),
    ("a list", |home, of| {
        let number = home.number();
        home.take(of, &format!("Back to what worked (#{number})\n\nReverts:\n- #{}", of.number))
    }),
    ("a part", |home, of| {
        let number = home.number();
        home.write(&of.file, "a part of it\n");
        home.land(&format!("Soften it (#{number})\n\nThis partially reverts commit {}.", of.sha))
    }),
    ("two hashes", |home, of| {
        let number = home.number();
        let other = home.stand(of);
        home.take_file(&other);
        let by = home
            .take(of, &format!("Both out (#{number})\n\nThis reverts commits {} and {}.", other.sha, of.sha));
        home.truth.push(TakenBack { form: "two hashes", by: by.clone(), of: other.sha });
        by
    }),
    ("another host's branch", |home, of| {
        let (number, branch) = (home.number(), format!("revert-{}", &of.sha[..8]));
        let message = format!(
            "Merge branch '{branch}' into 'main'\n\nRevert \"{}\"\n\nSee merge request acme/pay!{number}",
            of.title
        );
        home.revert_on(&branch, of, &message)
    }),
    ("a trailer of the merge", |home, of| {
        let (number, branch) = (home.number(), format!("out-with-{}", of.number));
        home.revert_on(
            &branch,
            of,
            &format!("Merge pull request #{number} from acme/{branch}\n\nOut with it"),
        )
    }),
];

/// What speaks of a change and takes nothing back.
const DECOYS: [(&str, Play); 9] = [
    ("a bare word", |home, of| home.aside(of, "Revert to the former parser", "")),
    ("a quotation", |home, of| {
        let body = format!("The log of the other team said:\n\n> This reverts commit {}.", of.sha);
        home.aside(of, "Explain what happened", &body)
    }),
    ("another repository's", |home, of| {
        home.aside(of, "Pin what we build upon", &format!("Reverts upstream/core#{}", of.number))
    }),
    ("a list of changes", |home, of| {
        let body = format!("* Revert \"{}\" (#9001)\n* {} (#{})", of.title, of.title, of.number);
        home.aside(of, "Release 1.2", &body)
    }),
    ("a test of it", |home, of| {
        home.aside(of, "Test both ways", &format!("A test for a revert of #{}.", of.number))
    }),
    ("a word in a title", |home, of| home.aside(of, &format!("Fix the revert button of #{}", of.number), "")),
    ("a refusal", |home, of| {
        home.aside(of, "Keep it", &format!("We did not revert #{}, it was not the cause.", of.number))
    }),
    ("a condition", |home, of| {
        home.aside(of, "Watch the queue", &format!("If this breaks, revert #{} first.", of.number))
    }),
    ("a commit of its own", |home, _| {
        let (number, branch) = (home.number(), format!("second-thoughts-{}", home.numbers));
        home.repository.git(&["switch", "--quiet", "--create", &branch]);
        home.write(&format!("src/{number}.rs"), "too early\n");
        let early = home.land("Try something");
        home.at += SignedDuration::from_mins(7);
        home.repository.git_at(&home.at.to_string(), &["revert", "--no-edit", &early]);
        home.write(&format!("src/{number}.rs"), "something else\n");
        home.land("Do it otherwise");
        home.merge(&branch, &format!("Merge pull request #{number} from acme/{branch}\n\nSomething else"))
    }),
];

impl Carved {
    /// A history of `steps` steps, the same for the same seed but for its ids.
    #[track_caller]
    pub fn new(repository: Repository, seed: u64, steps: u64) -> Self {
        let at = Timestamp::from_second(1_790_000_000).expect("a time"); // September 2026
        let dice = Dice::new(seed);
        let (truth, decoys, changes) = (Vec::new(), Vec::new(), Vec::new());
        let mut carved = Self { repository, truth, decoys, changes, dice, at, numbers: 0 };
        for _ in 0..6 {
            carved.build();
        }
        for step in 0..steps {
            carved.build();
            let of = carved.pick();
            // every form in turn, whatever the dice say of the rest
            let (form, play) = FORMS[usize::try_from(step).unwrap_or(0) % FORMS.len()];
            let by = play(&mut carved, &of);
            carved.changes.retain(|change| change.sha != of.sha);
            carved.truth.push(TakenBack { form, by: by.clone(), of: of.sha });
            if carved.dice.once_in(4) {
                // bringing it again takes nothing back that people were given
                carved.at += SignedDuration::from_mins(7);
                let merged =
                    carved.repository.git(&["rev-list", "--parents", "-1", &by]).split(' ').count() > 2;
                let main: &[&str] = if merged { &["-m", "1"] } else { &[] };
                let args = [&["revert", "--no-edit"], main, &[&by]].concat();
                carved.repository.git_at(&carved.at.to_string(), &args);
                let again = carved.head();
                carved.decoys.push(("bringing it again", again));
            }
            let (form, play) = *carved.dice.pick(&DECOYS);
            let of = carved.pick();
            let sha = play(&mut carved, &of);
            carved.decoys.push((form, sha));
        }
        carved
    }

    /// Builds something and lands it by a squash or a merge.
    fn build(&mut self) {
        const VERBS: [&str; 5] = ["Add", "Speed up", "Rework", "Check", "Show"];
        const THINGS: [&str; 6] =
            ["the ledger", "retries", "the settlement", "limits", "the export", "invoices"];
        const REASONS: [&str; 4] = ["for large accounts", "of failed payments", "on the page", "at night"];
        let number = self.number();
        let title = format!(
            "{} {} {} {number}",
            self.dice.pick(&VERBS),
            self.dice.pick(&THINGS),
            self.dice.pick(&REASONS)
        );
        let (file, merged) = (format!("src/{number}.rs"), self.dice.once_in(3));
        let branch = format!("feature-{number}");
        if merged {
            self.repository.git(&["switch", "--quiet", "--create", &branch]);
        }
        self.write(&file, &format!("{title}\n"));
        let sha = if merged {
            self.land(&title);
            self.merge(&branch, &format!("Merge pull request #{number} from acme/{branch}\n\n{title}"))
        } else {
            self.land(&format!("{title} (#{number})\n\nAs agreed."))
        };
        self.changes.push(Change { sha, number, title, file, merged });
    }

    fn number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    fn pick(&mut self) -> Change {
        self.dice.pick(&self.changes).clone()
    }

    /// Another change that stands; it stands no longer.
    fn stand(&mut self, but: &Change) -> Change {
        self.changes.retain(|change| change.sha != but.sha);
        let index = self.dice.index(self.changes.len());
        self.changes.remove(index)
    }

    fn head(&self) -> String {
        self.repository.git(&["rev-parse", "HEAD"])
    }

    fn write(&self, file: &str, text: &str) {
        let path = self.repository.path.join(file);
        fs::create_dir_all(path.parent().unwrap_or(Path::new("."))).expect("a folder for the file");
        fs::write(path, text).expect("a file to commit");
    }

    fn land(&mut self, message: &str) -> String {
        self.at += SignedDuration::from_mins(7);
        self.repository.commit_at(&self.at.to_string(), message)
    }

    fn reword(&mut self, message: &str) -> String {
        self.repository.git_at(&self.at.to_string(), &["commit", "--quiet", "--amend", "--message", message]);
        self.head()
    }

    fn merge(&mut self, branch: &str, message: &str) -> String {
        self.at += SignedDuration::from_mins(7);
        self.repository.git(&["switch", "--quiet", "main"]);
        let args = ["merge", "--quiet", "--no-ff", "--message", message, branch];
        self.repository.git_at(&self.at.to_string(), &args);
        self.head()
    }

    /// `git revert`, with the message git makes.
    fn revert(&mut self, of: &Change) {
        self.at += SignedDuration::from_mins(7);
        let main: &[&str] = if of.merged { &["-m", "1"] } else { &[] };
        let args = [&["revert", "--no-edit"], main, &[&of.sha]].concat();
        self.repository.git_at(&self.at.to_string(), &args);
    }

    fn revert_on(&mut self, branch: &str, of: &Change, message: &str) -> String {
        self.repository.git(&["switch", "--quiet", "--create", branch]);
        self.revert(of);
        self.merge(branch, message)
    }

    fn take_file(&self, of: &Change) {
        fs::remove_file(self.repository.path.join(&of.file)).expect("the file of a change that stands");
    }

    /// Takes a change back by hand, saying `message`.
    fn take(&mut self, of: &Change, message: &str) -> String {
        self.take_file(of);
        self.land(message)
    }

    /// Lands something else that says this.
    fn aside(&mut self, _of: &Change, title: &str, body: &str) -> String {
        let number = self.number();
        self.write(&format!("docs/{number}.md"), &format!("{title}\n"));
        self.land(&format!("{title} (#{number})\n\n{body}"))
    }
}
