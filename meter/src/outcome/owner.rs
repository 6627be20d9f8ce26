//! Whose a change is in a repository that several teams share.

use super::codeowners::CodeOwners;
use crate::glob::matches;
use std::collections::{BTreeMap, BTreeSet};

/// What a team owns of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    pub team: String,
    /// Patterns or folders; with no handles either: all that is in no other team's.
    pub paths: Vec<String>,
    /// By which CODEOWNERS names the team, in lower case.
    pub handles: Vec<String>,
}

impl Owner {
    fn has_rest(&self) -> bool {
        self.paths.is_empty() && self.handles.is_empty()
    }

    fn is_named(&self, file_owners: &[String]) -> bool {
        self.handles.iter().any(|handle| file_owners.contains(handle))
    }

    fn names(&self, file: &str) -> bool {
        let in_folder = |folder: &str| file.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'));
        self.paths.iter().any(|path| matches(path, file) || in_folder(path.trim_end_matches('/')))
    }
}

/// The team that owns most of the files; `None` where no team owns more of them than each other.
pub fn owner<'a>(owners: &[&'a Owner], files: &[String], code_owners: &CodeOwners) -> Option<&'a str> {
    if let [one] = owners
        && one.has_rest()
    {
        return Some(&one.team);
    }
    let any_handle = owners.iter().any(|owner| !owner.handles.is_empty());
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for file in files {
        let teams = |is_meant: &dyn Fn(&Owner) -> bool| -> BTreeSet<&'a str> {
            owners.iter().filter(|owner| is_meant(owner)).map(|owner| owner.team.as_str()).collect()
        };
        let file_owners = if any_handle { code_owners.of(file) } else { &[] };
        let named = teams(&|owner| owner.names(file) || owner.is_named(file_owners));
        let of_file = if named.is_empty() { teams(&Owner::has_rest) } else { named };
        for team in of_file {
            *counts.entry(team).or_default() += 1;
        }
    }
    let most = *counts.values().max()?;
    let mut first = counts.into_iter().filter(|(_, count)| *count == most);
    let (team, _) = first.next()?;
    first.next().is_none().then_some(team)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(owners: &[(&str, &str)], files: &str, expected: Option<&str>) {
        let list = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        let owners: Vec<Owner> = owners
            .iter()
            .map(|(team, words)| {
                let (handles, paths) = list(words).into_iter().partition(|word| word.starts_with('@'));
                Owner { team: (*team).to_owned(), paths, handles }
            })
            .collect();
        let code_owners =
            CodeOwners::parse("/services/pay/ @acme/pay\n/services/ @acme/api @acme/pay\n/apps/ @acme/web");
        let found = owner(&owners.iter().collect::<Vec<_>>(), &list(files), &code_owners);
        assert_eq!(found, expected, "{files}");
    }

    #[test]
    fn who_owns_most_of_the_files_owns_the_change() {
        let shared = [("pay", "services/pay/** libs/money"), ("web", "apps/*.ts"), ("core", "")];
        check(&shared, "services/pay/a.rs services/pay/x/b.rs apps/c.ts", Some("pay"));
        check(&shared, "services/pay/a.rs apps/x/c.ts apps/d.ts", Some("web"));
        check(&shared, "libs/money/a.rs", Some("pay"));
        check(&shared, "libs/moneybag/a.rs apps/readme.md services/pay/a.rs", Some("core"));
        check(&shared, "services/pay/a.rs apps/c.ts", None);
        check(&shared, "", None);
    }

    #[test]
    fn what_is_named_twice_counts_for_both() {
        let overlapping = [("pay", "services/**"), ("api", "services/api/")];
        check(&overlapping, "services/api/a services/api/b", None);
        check(&overlapping, "services/api/a services/b", Some("pay"));
        check(&overlapping, "docs/a", None);
        let twice = [("pay", "services/pay"), ("pay", "services/*"), ("web", "apps")];
        check(&twice, "services/pay/a apps/b", None);
    }

    #[test]
    fn codeowners_names_a_team_by_its_handles() {
        let handles = [("pay", "@acme/pay libs"), ("web", "@acme/web"), ("core", "")];
        check(&handles, "services/pay/a services/b apps/c", Some("pay"));
        check(&handles, "apps/a apps/b services/c", Some("web"));
        check(&handles, "libs/a", Some("pay"));
        check(&handles, "docs/a", Some("core"));
        check(&[("pay", "@acme/pay"), ("api", "@acme/api")], "services/a", None);
        check(&[("pay", "@acme/pay")], "docs/a", None);
    }

    #[test]
    fn all_of_a_repository_is_its_one_owner_s() {
        check(&[("pay", "")], "", Some("pay"));
        check(&[("pay", "")], "a b", Some("pay"));
        check(&[("pay", ""), ("web", "")], "a b", None);
        check(&[("pay", "services")], "", None);
        check(&[], "a", None);
    }
}
