//! Rules that keep work out of the metric, such as experiments that were never meant to ship.

use crate::glob::matches;

/// Holds for what meets each part that is given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cordon {
    pub repo: Option<String>,
    /// A branch; `*` stands for any text.
    pub branch: Option<String>,
    /// A label of the request.
    pub label: Option<String>,
    /// Each file the change touches; `*` stands for any text.
    pub path: Option<String>,
}

impl Cordon {
    /// Whether spend in this place is cordoned off, whatever came of it.
    pub(super) fn holds_place(&self, repo: &str, branch: &str) -> bool {
        self.label.is_none() && self.path.is_none() && self.holds_branch(repo, Some(branch))
    }

    /// Whether work is cordoned off; `files` of one whose files are not known are empty.
    pub fn holds(&self, repo: &str, branch: Option<&str>, labels: &[String], files: &[String]) -> bool {
        let path = |pattern: &String| !files.is_empty() && files.iter().all(|file| matches(pattern, file));
        self.holds_branch(repo, branch)
            && self.label.as_ref().is_none_or(|label| labels.contains(label))
            && self.path.as_ref().is_none_or(path)
    }

    fn holds_branch(&self, repo: &str, branch: Option<&str>) -> bool {
        self.repo.as_ref().is_none_or(|of| of == repo)
            && self.branch.as_ref().is_none_or(|pattern| branch.is_some_and(|name| matches(pattern, name)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_that_is_given_must_hold() {
        let some = |text: &str| Some(text.to_owned());
        let (labels, files) = (["spike".to_owned()], ["lab/a.rs".to_owned(), "lab/b.rs".to_owned()]);
        let holds = |cordon: &Cordon| cordon.holds("acme/pay", Some("x"), &labels, &files);
        let by_branch = Cordon { repo: some("acme/pay"), branch: some("x"), ..Cordon::default() };
        assert!(holds(&by_branch) && by_branch.holds_place("acme/pay", "x"));
        assert!(!by_branch.holds_place("acme/web", "x") && !by_branch.holds_place("acme/pay", "y"));
        assert!(!by_branch.holds("acme/pay", None, &labels, &files));
        let by_label = Cordon { label: some("spike"), ..Cordon::default() };
        assert!(holds(&by_label) && !by_label.holds_place("acme/pay", "x"));
        assert!(!holds(&Cordon { label: some("lab"), ..Cordon::default() }));
        assert!(holds(&Cordon { path: some("lab/*"), ..Cordon::default() }));
        assert!(!holds(&Cordon { path: some("lab/a*"), ..Cordon::default() }), "one file is outside");
        assert!(!Cordon { path: some("*"), ..Cordon::default() }.holds("acme/pay", None, &labels, &[]));
    }
}
