//! Whether two changes are about the same thing, told from the files they touch.

use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// A change of more files shares one with everybody.
const FILES_MANY: usize = 100;
/// Files that change with everything, by name.
const COMMON_NAMES: [&str; 16] = [
    "package-lock.json",
    "npm-shrinkwrap.json",
    "pnpm-lock.yaml",
    "bun.lockb",
    "go.sum",
    "cargo.toml",
    "package.json",
    "go.mod",
    "pyproject.toml",
    "setup.py",
    "setup.cfg",
    "pom.xml",
    "gemfile",
    "composer.json",
    "mix.exs",
    "requirements.txt",
];
const COMMON_STARTS: [&str; 5] = ["changelog", "changes.", "history.", "release-notes", "release_notes"];
const COMMON_ENDS: [&str; 9] =
    [".lock", ".snap", ".pb.go", "_pb2.py", ".g.dart", ".min.js", ".min.css", ".csproj", ".gradle"];
const COMMON_FOLDERS: [&str; 7] =
    ["vendor", "vendored", "third_party", "node_modules", "generated", "snapshots", "__snapshots__"];

/// Lock files, manifests, changelogs and what is generated or vendored: sharing it says nothing.
pub fn is_common(path: &str) -> bool {
    let path = path.to_ascii_lowercase();
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", &path));
    COMMON_NAMES.contains(&name)
        || COMMON_STARTS.iter().any(|start| name.starts_with(start))
        || COMMON_ENDS.iter().any(|end| name.ends_with(end))
        || folder.split('/').any(|part| COMMON_FOLDERS.contains(&part))
}

/// How much of what two changes touch is shared: so many files of so many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Overlap {
    shared: usize,
    all: usize,
    most: usize,
}

impl Overlap {
    /// At least one file; of a change that touches many, at least a twentieth of all.
    pub(super) fn is_same_area(self) -> bool {
        self.shared > 0 && (self.most <= FILES_MANY || self.shared * 20 >= self.all)
    }

    /// At least a quarter of all.
    pub(super) fn is_close(self) -> bool {
        self.shared > 0 && self.shared * 4 >= self.all
    }
}

/// What the changes so far touched.
#[derive(Default)]
pub(super) struct Touched<'a> {
    /// Each file's changes in the order of time, which by wrong clocks is not that of landing.
    of_file: HashMap<&'a str, Vec<(Timestamp, usize)>>,
    counts: Vec<usize>,
}

impl<'a> Touched<'a> {
    /// Adds the next change, of that time.
    pub(super) fn add(&mut self, files: &'a BTreeSet<String>, at: Timestamp) {
        let files = files.iter().filter(|path| !is_common(path));
        let mut count = 0;
        for path in files {
            let known = self.of_file.entry(path).or_default();
            let place = known.partition_point(|(before, _)| *before <= at);
            known.insert(place, (at, self.counts.len()));
            count += 1;
        }
        self.counts.push(count);
    }

    /// The former changes that are near and share files with these. None is near before the first `is_late` time.
    pub(super) fn overlaps(
        &self,
        files: &BTreeSet<String>,
        is_late: impl Fn(Timestamp) -> bool,
        is_near: impl Fn(usize) -> bool,
    ) -> Vec<(usize, Overlap)> {
        let mut shared: BTreeMap<usize, usize> = BTreeMap::new();
        let mut count = 0;
        for path in files.iter().filter(|path| !is_common(path)) {
            count += 1;
            let former = self.of_file.get(path.as_str()).map_or(&[][..], Vec::as_slice);
            let late = former.partition_point(|(at, _)| !is_late(*at));
            for (_, change) in former[late..].iter().filter(|(_, change)| is_near(*change)) {
                *shared.entry(*change).or_default() += 1;
            }
        }
        let overlap = |(change, shared): (usize, usize)| {
            let theirs = self.counts[change];
            (change, Overlap { shared, all: count + theirs - shared, most: count.max(theirs) })
        };
        shared.into_iter().map(overlap).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    fn files(names: &str) -> BTreeSet<String> {
        names.split(' ').filter(|name| !name.is_empty()).map(str::to_owned).collect()
    }

    #[track_caller]
    fn check(former: &str, files_now: &str, same_area: bool, close: bool) {
        let former = files(former);
        let mut touched = Touched::default();
        touched.add(&former, Timestamp::UNIX_EPOCH);
        let found = touched.overlaps(&files(files_now), |_| true, |_| true);
        let told = found.first().map_or((false, false), |(_, it)| (it.is_same_area(), it.is_close()));
        assert_eq!(told, (same_area, close), "{former:?} {files_now}");
    }

    #[test]
    fn one_file_makes_an_area_and_a_quarter_makes_it_close() {
        check("a b", "b c", true, true);
        check("a b c d", "d e", true, false);
        check("a b c", "c d", true, true);
        check("a", "b", false, false);
        check("", "", false, false);
    }

    #[test]
    fn what_changes_with_everything_says_nothing() {
        for common in [
            "Cargo.lock",
            "web/package.json",
            "CHANGELOG.md",
            "docs/changelog/4.txt",
            "src/api.pb.go",
            "vendor/x/y.go",
            "ui/__snapshots__/page.tsx",
            "tests/snapshots/a.txt",
        ] {
            let same = common.starts_with("docs/");
            check(common, common, same, same);
        }
    }

    #[test]
    fn a_change_of_everything_is_near_to_nothing() {
        let first = |count: u8| (0..count).map(|index| format!("f{index}")).collect::<Vec<_>>().join(" ");
        let many = first(200);
        check(&many, "f1 f2", false, false);
        check(&many, &first(10), true, false);
    }

    #[test]
    fn only_what_is_near_is_looked_at() {
        let file = files("a");
        let at = |second| Timestamp::from_second(second).unwrap();
        let mut touched = Touched::default();
        for second in (0..1000).chain([2000, 100, 1000]) {
            touched.add(&file, at(second));
        }
        let looked = Cell::new(0);
        let found = |since: i64, is_near: fn(usize) -> bool| -> Vec<usize> {
            let is_near = |change| {
                looked.set(looked.get() + 1);
                is_near(change)
            };
            let overlaps = touched.overlaps(&file, |time| time >= at(since), is_near);
            overlaps.iter().map(|(change, _)| *change).collect()
        };
        assert_eq!(found(999, |_| true), [999, 1000, 1002], "a clock was wrong");
        assert_eq!(found(999, |change| change != 1000), [999, 1002]);
        assert_eq!(found(2001, |_| true), [0; 0]);
        assert_eq!(looked.get(), 6);
    }
}
