//! How many lines changes have, and how many are left when their windows have passed, by real git.

use super::*;
use crate::store::db::values;

const COUNTED: &str =
    "SELECT c.title, COALESCE(l.added, -1), COALESCE(l.surviving, -1) FROM line_survival AS l
    JOIN change AS c ON c.repo = l.repo AND c.sha = l.sha ORDER BY c.landed";

/// Lines like those of code, so many and of this name.
fn code(name: &str, count: usize) -> String {
    let line = |line: usize| format!("    let {name}_{line} = the_{line}_of(&{name}_at_{line});\n");
    (0..count).map(line).collect::<Vec<_>>().concat()
}

fn write_in(repository: &Repository, file: &str, text: &str) {
    fs::create_dir_all(repository.path.join(file).parent().unwrap()).unwrap();
    write(repository, file, text);
}

/// Commits a file on a day.
fn land(repository: &Repository, on: u8, message: &str, file: &str, text: &str) {
    write_in(repository, file, text);
    repository.commit_at(&day(on), message);
}

/// Judges, and has a session spend something on every change.
fn spend(db: &mut Db, source: &LocalClone) {
    judge_at(db, source, "2026-11-25T12:00:00Z");
    let spent =
        "INSERT INTO attribution_span (session_id, repo, week, branch, first_hour, last_hour, class, rule,
            change_repo, change)
        SELECT sha, repo, '2026-W40', '', merged_at, merged_at, 'commit', 'commit', repo, sha FROM change
        WHERE title <> 'By hand' ON CONFLICT DO NOTHING";
    db.execute(spent, &[]).unwrap();
}

#[test]
fn a_change_is_as_large_as_the_commits_that_landed_it() {
    let (_folder, repository, source) = repository();
    repository.git(&["switch", "--quiet", "-c", "feature/y"]);
    land(&repository, 2, "Begin y", "y.rs", &code("y", 10));
    land(&repository, 2, "Go on", "y.rs", &code("y", 12).replacen("let", "let mut", 3));
    repository.git(&["switch", "--quiet", "main"]);
    land(&repository, 2, "Add x (#1)", "x.rs", &code("x", 10));
    let merge =
        ["merge", "--quiet", "--no-ff", "-m", "Merge pull request #2 from acme/y\n\nAdd y", "feature/y"];
    repository.git_at(&day(3), &merge);
    land(&repository, 4, "Add more of x (#1)", "x.rs", &code("x", 12).replacen("let", "let mut", 2));
    repository.git(&["mv", "y.rs", "z.rs"]);
    land(&repository, 5, "Rename y (#3)", "b.bin", "\0\n1\n2\n");
    land(&repository, 5, "Measured (#4)", "m.rs", &code("m", 5));
    land(&repository, 5, "By hand", "h.rs", &code("h", 5));
    let sizes = "SELECT c.title, z.lines FROM change_size AS z
        JOIN change AS c ON c.repo = z.repo AND c.sha = z.sha ORDER BY c.landed";
    on_both(|db| {
        let request =
            "INSERT INTO pull_request (repo, number, title, body, base_branch, head_repo, head_branch,
                opened_at, merged_at, labels, lines_changed)
            VALUES ('github.com/acme/pay', 4, '', '', 'main', '', '', '2026-10-01T00:00:00Z', '2026-10-05T12:00:00Z', '', 7)";
        db.execute(request, &[]).unwrap();
        teams(db, TEAMS, now());
        sync(db, &source, now()).unwrap();
        spend(db, &source);
        assert_eq!(rows(db, sizes), [""; 0]);
        sync(db, &source, now()).unwrap();
        let expected = ["first|1", "Add x|16", "Add y|12", "Rename y|0"];
        assert_eq!(rows(db, sizes), expected);
        source_reread(db, &source.repo).unwrap();
        sync(db, &source, now()).unwrap();
        assert_eq!(rows(db, sizes), expected, "all of it was read anew");
    });
}

#[test]
fn a_change_that_lands_in_more_commits_is_measured_anew() {
    on_both(|db| {
        let (_folder, repository, source) = repository();
        land(&repository, 2, "Add x (#1)", "x.rs", &code("x", 10));
        teams(db, TEAMS, now());
        let sizes = |db: &mut Db| {
            sync(db, &source, now()).unwrap();
            rows(db, "SELECT lines FROM change_size ORDER BY lines")
        };
        assert_eq!(sizes(db), [""; 0]);
        spend(db, &source);
        assert_eq!(sizes(db), ["1", "10"]);
        land(&repository, 3, "Add more of x (#1)", "x.rs", &code("x", 15));
        sizes(db);
        assert_eq!(sizes(db), ["1", "15"]);
    });
}

/// How many were counted, and how many are left to the next time.
fn counts(db: &mut Db, source: &LocalClone, until: Option<Timestamp>) -> (u64, u64) {
    let wait = |_| Ok(());
    let pace = Pace { now, answer_max: REQUEST_MAX, until, wait: &wait };
    let counted = lines::count(db, source, pace).unwrap();
    (counted.changes, counted.left)
}

#[test]
fn a_line_survives_where_it_is_indented_moved_or_renamed_with_its_file() {
    let (_folder, repository, source) = repository();
    let land = |on: u8, message: &str, file: &str, text: &str| land(&repository, on, message, file, text);
    for name in ["kept", "indented", "moved", "rewritten", "renamed", "gone", "late"] {
        land(2, &format!("Add {name}"), &format!("{name}.rs"), &code(name, 10));
    }
    land(2, "By hand", "hand.rs", &code("hand", 10));
    land(3, "Add reverted", "reverted.rs", &code("reverted", 10));
    repository.git_at(&day(4), &["revert", "--no-edit", "HEAD"]);
    land(5, "Indent", "indented.rs", &code("indented", 10).replace("    let", "\t\t\tlet"));
    let moved = code("moved", 10);
    let (first, rest) = moved.split_at(4 * moved.len() / 10);
    land(5, "Move", "moved.rs", &format!("{rest}// and then\n{first}"));
    land(5, "Rewrite", "rewritten.rs", &code("rewritten", 10).replacen("let", "let mut", 4));
    repository.git(&["mv", "renamed.rs", "named.rs"]);
    land(5, "Rename", "named.rs", &code("renamed", 10).replacen("let", "let mut", 1));
    repository.git(&["rm", "--quiet", "gone.rs"]);
    land(5, "Remove", "kept.rs", &(code("kept", 10) + &code("new", 5)));
    land(12, "Too late", "late.rs", "");
    on_both(|db| {
        teams(db, TEAMS, now());
        sync(db, &source, now()).unwrap();
        assert_eq!(counts(db, &source, None), (0, 0), "nothing is judged, and nothing was spent");
        spend(db, &source);
        counts(db, &source, None);
        let expected = [
            "first|1|1",
            "Add kept|10|10",
            "Add indented|10|10",
            "Add moved|10|10",
            "Add rewritten|10|6",
            "Add renamed|10|9",
            "Add gone|10|0",
            "Add late|10|10",
            "Add reverted|10|0",
            "Indent|0|0",
            "Move|1|1",
            "Rewrite|4|4",
            "Rename|1|1",
            "Remove|5|5",
            "Too late|0|0",
        ];
        assert_eq!(rows(db, COUNTED), expected);
    });
}

#[test]
fn the_lines_of_a_change_are_those_that_it_brought_however_it_landed() {
    let (_folder, repository, source) = repository();
    let land = |on: u8, message: &str, file: &str, text: &str| land(&repository, on, message, file, text);
    repository.git(&["switch", "--quiet", "-c", "feature/y"]);
    land(2, "Begin y", "y.rs", &code("y", 10));
    land(2, "Go on", "y.rs", &code("y", 10).replacen("let", "let mut", 3));
    repository.git(&["switch", "--quiet", "main"]);
    land(2, "Add x (#1)", "x.rs", &code("x", 10));
    let merge =
        ["merge", "--quiet", "--no-ff", "-m", "Merge pull request #2 from acme/y\n\nAdd y", "feature/y"];
    repository.git_at(&day(3), &merge);
    land(4, "Add more of x (#1)", "x.rs", &code("x", 12).replacen("let", "let mut", 2));
    land(5, "Mend y (#3)", "y.rs", &code("y", 10).replacen("let", "let mut", 2));
    for file in ["vendor/z.rs", "Cargo.lock", "api.pb.go"] {
        write_in(&repository, file, &code("z", 10));
    }
    land(6, "Take in z (#4)", "z.bin", "\0\n1\n2\n");
    for file in 0..=100 {
        write_in(&repository, &format!("many/{file}.rs"), &code("many", 1));
    }
    land(6, "Add many (#5)", "w.rs", "");
    on_both(|db| {
        teams(db, TEAMS, now());
        sync(db, &source, now()).unwrap();
        spend(db, &source);
        assert_eq!(counts(db, &source, None), (6, 0));
        let expected =
            ["first|1|1", "Add x|12|12", "Add y|10|9", "Mend y|1|1", "Take in z|0|0", "Add many|-1|-1"];
        assert_eq!(rows(db, COUNTED), expected);
    });
}

#[test]
fn a_file_of_any_name_has_its_lines_counted() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let (_folder, repository, source) = repository();
    let name = |bytes| repository.path.join(OsStr::from_bytes(bytes));
    fs::write(name(b"gr\xf6\xdfe.rs"), code("x", 10)).unwrap();
    repository.commit_at(&day(2), "Add x (#1)");
    fs::rename(name(b"gr\xf6\xdfe.rs"), name(b"l\xe4nge.rs")).unwrap();
    fs::write(name(b"l\xe4nge.rs"), code("x", 10).replacen("let", "let mut", 3)).unwrap();
    repository.commit_at(&day(3), "Rename x (#2)");
    on_both(|db| {
        teams(db, TEAMS, now());
        sync(db, &source, now()).unwrap();
        spend(db, &source);
        counts(db, &source, None);
        assert_eq!(rows(db, COUNTED), ["first|1|1", "Add x|10|7", "Rename x|3|3"]);
    });
}

#[test]
fn lines_are_looked_at_when_a_window_ends_that_begins_with_a_release() {
    let (_folder, repository, source) = repository();
    land(&repository, 2, "Add x (#1)", "x.rs", &code("x", 10));
    repository.git_at(&day(10), &["tag", "-a", "-m", "v1.0", "v1.0"]);
    land(&repository, 12, "Rewrite x (#2)", "x.rs", &code("x", 10).replacen("let", "let mut", 4));
    land(&repository, 20, "Rewrite it again (#3)", "x.rs", &code("z", 10));
    let ships = TEAMS.replacen("window_days = 7", "window_days = 7\nship = \"release\"", 1);
    on_both(|db| {
        teams(db, &ships, now());
        sync(db, &source, now()).unwrap();
        spend(db, &source);
        db.execute("UPDATE change SET state = 'disqualified' WHERE number = 2", &[]).unwrap();
        assert_eq!(counts(db, &source, None), (2, 0), "what has not shipped has no window");
        assert_eq!(rows(db, COUNTED), ["first|1|1", "Add x|10|6"]);
    });
}

#[test]
fn lines_are_counted_once_and_anew_where_something_is_other() {
    on_both(|db| {
        let (_folder, repository, source) = repository();
        for number in 2..6 {
            let file = format!("{number}.rs");
            land(&repository, number, &format!("Add {number}"), &file, &code("x", 10));
        }
        land(&repository, 10, "Rewrite", "3.rs", &code("y", 10));
        teams(db, TEAMS, now());
        sync(db, &source, now()).unwrap();
        spend(db, &source);
        let early = Timestamp::UNIX_EPOCH;
        assert_eq!(counts(db, &source, Some(early)), (0, 6), "its turn was over");
        assert_eq!(counts(db, &source, None), (6, 0));
        assert_eq!(counts(db, &source, Some(early)), (0, 0), "all is known");
        assert_eq!(rows(db, COUNTED)[2], "Add 3|10|0");

        db.execute("UPDATE policy SET window_days = 3", &[]).unwrap();
        assert_eq!(counts(db, &source, None), (6, 0), "another window ends elsewhere");
        assert_eq!(rows(db, COUNTED)[2], "Add 3|10|10");

        let joined = "UPDATE change_commit SET change_sha = (SELECT sha FROM change WHERE title = 'Add 2')
            WHERE message = 'Add 4'";
        db.execute(joined, &[]).unwrap();
        db.execute("DELETE FROM change WHERE title = 'Add 4'", &[]).unwrap_err();
        let others =
            "DELETE FROM change_file WHERE change_sha = (SELECT sha FROM change WHERE title = 'Add 4')";
        db.execute(others, &[]).unwrap();
        db.execute("DELETE FROM change WHERE title = 'Add 4'", &[]).unwrap();
        assert_eq!(counts(db, &source, None), (1, 0), "it landed in two commits");
        assert_eq!(rows(db, COUNTED).len(), 5, "what is no change is not counted");
        assert_eq!(rows(db, COUNTED)[1], "Add 2|20|20");

        db.execute("UPDATE source SET synced_at = $1", &values!["2026-10-07T12:00:00Z"]).unwrap();
        db.execute("DELETE FROM line_survival", &[]).unwrap();
        assert_eq!(counts(db, &source, None), (3, 0), "what came after the last fetch is not known");
    });
}

#[test]
fn a_clone_counts_lines_where_it_is_asked_to_and_can() {
    let (folder, repository, source) = repository();
    history(&repository);
    repository.git(&["config", "uploadpack.allowFilter", "true"]);
    let path = folder.path().join("blobless");
    let (address, to) = (format!("file://{}", source.path.display()), path.display().to_string());
    repository.git(&["clone", "--quiet", "--filter=blob:none", "--no-checkout", &address, &to]);
    let trap = folder.path().join("trap");
    repository.git(&["config", "diff.trap.textconv", &format!("touch {}; cat", trap.display())]);
    fs::write(source.path.join(".git/info/attributes"), "* diff=trap\n").unwrap();
    let no_text = folder.path().join("attributes");
    fs::write(&no_text, "* -diff\n").unwrap();
    for (name, value) in [
        ("blame.ignoreRevsFile", ".git-blame-ignore-revs"),
        ("blame.date", "bogus"),
        ("core.bigFileThreshold", "1"),
        ("core.attributesFile", no_text.to_str().unwrap()),
    ] {
        repository.git(&["config", name, value]);
    }
    let reads = |db: &mut Db, clone: &LocalClone| {
        let wait = |_| Ok(());
        let pace = Pace { now, answer_max: REQUEST_MAX, until: None, wait: &wait };
        sync_source(db, &Source::Clone(clone.clone()), &[], pace)
    };
    on_both(|db| {
        teams(db, TEAMS, now());
        reads(db, &source).unwrap();
        spend(db, &source);
        let told = reads(db, &source).unwrap().to_string();
        assert!(!told.contains("lines") && rows(db, COUNTED).is_empty(), "{told}");
        let counting = LocalClone { surviving_lines: true, ..source.clone() };
        let told = reads(db, &counting).unwrap();
        let json = serde_json::to_value(&told).unwrap();
        assert_eq!((&json["lines_counted"], &json["lines_to_be_counted"]), (&5.into(), &0.into()));
        assert!(told.to_string().ends_with("8 changes in all; lines of 5 counted"), "{told}");
        let lines = rows(db, "SELECT SUM(added), SUM(surviving) FROM line_survival");
        assert_eq!(lines, ["5|4"], "its settings change nothing");
        assert!(!trap.exists(), "nothing of the clone is run");
        let blobless = LocalClone { path: path.clone(), ..counting };
        let error = format!("{:#}", reads(db, &blobless).unwrap_err());
        assert!(error.contains("could not count its lines: it is a partial clone without files"), "{error}");
    });
}
