//! Which change a commit on the tracked branch lands, told from its message.

use super::mention::takes_back;

/// What the message of a landing commit says of the change.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Landing {
    /// Of its pull or merge request; a change without one is known by its sha alone.
    pub number: Option<u64>,
    /// Without the number.
    pub title: String,
    /// The branch it was made on.
    pub branch: Option<String>,
}

impl Landing {
    /// The first form that fits names the change.
    pub fn of(message: &str) -> Self {
        let (subject, body) = subject_and_body(message);
        merge(&subject, body).or_else(|| numbered(&subject)).unwrap_or_else(|| Self {
            number: trailer(body),
            title: subject,
            branch: None,
        })
    }

    /// Whether the number is that of the request it takes back, which landed before as `title`: a subject such as
    /// `Revert title (#12)` does not say whose number it has.
    pub fn borrows_number_of(&self, title: &str) -> bool {
        self.title != title && takes_back(&self.title)
    }
}

/// The number of a request; no host counts further.
pub(super) fn number(text: &str) -> Option<u64> {
    text.parse::<u32>().ok().map(u64::from)
}

/// The first line, whole also where a host has cut it off and gone on in the body, and the rest.
pub(super) fn subject_and_body(message: &str) -> (String, &str) {
    let message = message.trim_start();
    let (subject, body) = message.split_once('\n').unwrap_or((message, ""));
    let (subject, body) = (subject.trim_end(), body.trim());
    let (next, rest) = body.split_once('\n').unwrap_or((body, ""));
    match (uncut(subject), next.trim_end().strip_prefix('…').or_else(|| next.trim_end().strip_prefix("...")))
    {
        (Some(start), Some(end)) => (format!("{start}{end}"), rest.trim_start()),
        _ => (subject.to_owned(), body),
    }
}

/// A text without the mark that it was cut off; `None` where it was not.
pub(super) fn uncut(text: &str) -> Option<&str> {
    text.strip_suffix('…').or_else(|| text.strip_suffix("..."))
}

/// A title and the number of its request behind it: `title (#12)`, `title (!12)`.
pub(super) fn behind(text: &str) -> Option<(&str, u64)> {
    let inner = text.trim_end().strip_suffix(')')?;
    let (title, digits) = inner.rsplit_once('(')?;
    Some((title.trim_end(), number(digits.strip_prefix(['#', '!'])?)?))
}

fn numbered(subject: &str) -> Option<Landing> {
    let (title, number) = behind(subject)?;
    Some(Landing { number: Some(number), title: title.to_owned(), branch: None })
}

/// The forms in which hosts and merge bots name what they merge.
fn merge(subject: &str, body: &str) -> Option<Landing> {
    let first_line = body.lines().map(str::trim).find(|line| !line.is_empty() && !is_see(line));
    let title = |given: Option<&str>| given.or(first_line).unwrap_or(subject).to_owned();
    let landing = |number: Option<u64>, branch: Option<&str>, given| {
        Some(Landing { number, title: title(given), branch: branch.map(str::to_owned) })
    };
    if let Some(rest) = subject.strip_prefix("Merge pull request #") {
        let (digits, from) = rest.split_once(" from ")?;
        let branch = from.trim().split_once('/').map_or(from.trim(), |(_, branch)| branch);
        return landing(Some(number(digits)?), Some(branch), None);
    }
    if let Some(rest) = subject.strip_prefix("Merge branch '") {
        let (branch, into) = rest.split_once('\'')?;
        let number = body.lines().filter(|line| is_see(line)).find_map(|line| after(line, "!"));
        let ours = into.is_empty() || into.starts_with(" into ");
        return if ours { landing(number, Some(branch), None) } else { None };
    }
    if let Some(rest) = subject.strip_prefix("Auto merge of #") {
        let branch = rest.split_once(" - ").and_then(|(_, from)| from.split(',').next()?.split_once(':'));
        return landing(Some(leading(rest)?), branch.map(|(_, branch)| branch.trim()), None);
    }
    if let Some(rest) = subject.strip_prefix("Merge #").or_else(|| subject.strip_prefix("Merged PR ")) {
        let number = leading(rest)?;
        let given = rest.split_once(": ").map(|(_, title)| title);
        return landing(Some(number), None, given.or_else(|| queued(first_line?, number)));
    }
    let rest = subject.strip_prefix("Merged in ")?;
    let (branch, digits) = rest.split_once(" (pull request #")?;
    landing(Some(leading(digits)?), Some(branch), None)
}

/// The title in `7: title r=ben a=ana`, as bors lists what it merges.
fn queued(line: &str, number: u64) -> Option<&str> {
    let rest = line.strip_prefix(&format!("{number}: "))?;
    Some(rest.split_once(" r=").map_or(rest, |(title, _)| title))
}

fn is_see(line: &str) -> bool {
    line.trim_start().starts_with("See merge request ")
}

/// The number a trailer names.
fn trailer(body: &str) -> Option<u64> {
    let of = |line: &str| {
        let (key, value) = line.trim().split_once(' ')?;
        match key {
            "Part-of:" => after(value, "/merge_requests/"),
            "PR-URL:" => after(value, "/pull/"),
            "PR" => leading(value.strip_prefix("Close #")?),
            _ => None,
        }
    };
    body.lines().rev().find_map(of)
}

fn after(text: &str, mark: &str) -> Option<u64> {
    leading(text.rsplit_once(mark)?.1)
}

fn leading(text: &str) -> Option<u64> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    number(&text[..digits])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(message: &str, number: u64, title: &str, branch: &str) {
        let landing = Landing::of(message);
        let got =
            (landing.number.unwrap_or(0), landing.title.as_str(), landing.branch.as_deref().unwrap_or(""));
        assert_eq!(got, (number, title, branch), "{message}");
    }

    #[test]
    fn every_form_of_landing_is_known() {
        check("Merge pull request #7 from acme/feature/x\n\nAdd x\n\nwhy", 7, "Add x", "feature/x");
        check("Merge branch 'x' into 'main'\n\nAdd x\n\nSee merge request acme/pay!7", 7, "Add x", "x");
        check("Merge branch 'x' into 'main'\n\nSee merge request !7", 7, "Merge branch 'x' into 'main'", "x");
        check("Auto merge of #7 - ana:x, r=ben\n\nAdd x", 7, "Add x", "x");
        check("Merge #7\n\n7: Add x r=ben a=ana", 7, "Add x", "");
        check("Merge #7: Add x", 7, "Add x", "");
        check("Merged PR 7: Add x", 7, "Add x", "");
        check("Merged in x (pull request #7)\n\nAdd x", 7, "Add x", "x");
        check("Add x (#7)", 7, "Add x", "");
        check("Add x (!7)  \n\nwhy", 7, "Add x", "");
        check("Merge remote branch (#7)", 7, "Merge remote branch", "");
        check("Add x\n\nPart-of: <https://git.example/acme/pay/-/merge_requests/7>", 7, "Add x", "");
        check("Add x\n\nPR-URL: https://github.com/acme/pay/pull/7\nReviewed-By: b", 7, "Add x", "");
        check("Add x\n\nPR Close #7", 7, "Add x", "");
        check(
            "Add a long thing that is cu…\n\n…t off (#7)\n\nwhy",
            7,
            "Add a long thing that is cut off",
            "",
        );
        check("Add a long thing that is cu...\n\n...t off (#7)", 7, "Add a long thing that is cut off", "");
    }

    #[test]
    fn what_has_no_number_of_its_own_is_a_direct_change() {
        check("Add x", 0, "Add x", "");
        check("Revert \"Add x (#7)\"", 0, "Revert \"Add x (#7)\"", "");
        check("Fix #7", 0, "Fix #7", "");
        check("Add x (see #7)", 0, "Add x (see #7)", "");
        check("Add x\n\nsee the PR-URL: https://github.com/acme/pay/pull/7 there", 0, "Add x", "");
        check("Merge branch 'x' into 'main'\n\nAdd x", 0, "Add x", "x");
        check(
            "Merge branch 'main' of github.com:acme/pay",
            0,
            "Merge branch 'main' of github.com:acme/pay",
            "",
        );
        check("Add x (#18446744073709551615)", 0, "Add x (#18446744073709551615)", "");
        check("Merge pull request #7seven from acme/x", 0, "Merge pull request #7seven from acme/x", "");
        check("", 0, "", "");
    }

    #[test]
    fn a_revert_may_have_the_number_of_what_it_takes_back() {
        let borrows = |message: &str| Landing::of(message).borrows_number_of("Add x");
        for of_another in ["Revert Add x (#7)", "revert: Add x (#7)", "chore: revert add the x (#7)"] {
            assert!(borrows(of_another), "{of_another}");
        }
        for its_own in ["Add x (#7)", "Add x, second part (#7)", "ci(reverts): allow them (#7)"] {
            assert!(!borrows(its_own), "{its_own}");
        }
        assert!(!Landing::of("Revert Add x (#7)").borrows_number_of("Revert Add x"), "it landed twice");
    }
}
