//! Real repositories read and judged: what landed, what took it back, what a clone may lack.

use super::*;
use crate::judge::judge_repo;
use crate::store::change::{source_read, source_reread};
use crate::store::fixture::{now, on_both, rows, teams};
use ::tests::git::Repository;
use std::fs;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use tempfile::TempDir;

const TEAMS: &str = r#"
[[team]]
id = "payments"
window_days = 7
repositories = ["github.com/acme/pay"]
[[team]]
id = "search"
members = [{ email = "ana@acme.example" }]
"#;

/// A repository whose first commit is of 1 October 2026, and the source that reads it.
fn repository() -> (TempDir, Repository, LocalClone) {
    let folder = tempfile::tempdir().unwrap();
    let settings = "[user]\n\tname = Ana\n\temail = ana@acme.example\n";
    fs::write(folder.path().join(".gitconfig"), settings).unwrap();
    let path = folder.path().join("pay");
    let repository = Repository::create(&path, folder.path(), "https://github.com/acme/pay.git");
    repository.git(&["remote", "remove", "origin"]); // it is where others fetch from
    repository.git_at(&day(1), &["commit", "--quiet", "--amend", "--no-edit", "--date", &day(1)]);
    let repo = "github.com/acme/pay".parse().unwrap();
    (folder, repository, LocalClone { repo, path, branch: None })
}

fn day(day: u8) -> String {
    format!("2026-10-{day:02}T12:00:00Z")
}

fn write(repository: &Repository, file: &str, text: &str) {
    fs::write(repository.path.join(file), text).unwrap();
}

/// Squashed, merged and direct changes, each as a host lands it, and what took them back.
fn history(repository: &Repository) {
    write(repository, "x.rs", "x");
    repository.commit_at(&day(2), "Add x (#1)");
    repository.git(&["switch", "--quiet", "-c", "feature/y"]);
    write(repository, "y.rs", "y");
    repository.commit_at(&day(2), "Add y");
    write(repository, "z.rs", "z");
    repository.commit_at(&day(3), "Add z");
    repository.git(&["switch", "--quiet", "main"]);
    let message = "Merge pull request #2 from acme/feature/y\n\nAdd y and z";
    repository.git_at(&day(3), &["merge", "--quiet", "--no-ff", "-m", message, "feature/y"]);
    repository.commit_at(&day(4), "Fix a typo");
    fs::remove_file(repository.path.join("x.rs")).unwrap();
    repository.commit_at(&day(5), "Revert \"Add x (#1)\" (#3)");
    write(repository, "x.rs", "x");
    repository.commit_at(&day(6), "Reland \"Add x (#1)\" (#4)");
    repository.git(&["config", "user.email", "49699333+dependabot[bot]@users.noreply.github.com"]);
    repository.commit_at(&day(7), "Bump y (#5)\n\nReverts #4");
    repository.git(&["config", "--unset", "user.email"]);
    let merge = repository.git(&["rev-parse", ":/Merge pull"]);
    repository.git_at(&day(20), &["revert", "--no-edit", "-m", "1", &merge]);
}

const STATES: &str =
    "SELECT COALESCE(number, 0), title, team, state, excluded_as FROM change ORDER BY landed";
const REVERTS: &str = "SELECT c.number, r.kind, r.rule, r.partial, r.in_window FROM revert AS r
    JOIN change AS c ON c.repo = r.repo AND c.sha = r.sha ORDER BY c.landed, r.reverted_at";

fn judge_at(db: &mut Db, source: &LocalClone, at: &str) {
    db.transaction(|db| judge_repo(db, &source.repo, at.parse().unwrap())).unwrap();
}

#[test]
fn a_host_is_asked_before_the_clone_of_its_repository() {
    let source = |kind: &str| format!("[[source]]\nkind = '{kind}'\nrepo = 'github.com/acme/pay'\n");
    let text = source("clone") + "path = 'pay'\n" + &source("github") + "token_env = 'PAY_TOKEN'\n";
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("cpvo.toml"), text).unwrap();
    let options = Options { config: Some(folder.path().join("cpvo.toml")), db: None };
    let sources = options.load().unwrap().sources;
    assert_eq!(in_order(&sources).map(Source::kind).collect::<Vec<_>>(), ["github", "clone"]);
}

#[test]
fn what_landed_is_told_apart_and_judged() {
    let (_folder, repository, source) = repository();
    history(&repository);
    on_both(|db| {
        teams(db, TEAMS, now());
        assert_eq!(sync(db, &source, now()).unwrap(), 8);
        judge_at(db, &source, "2026-11-25T12:00:00Z");
        let title = "Revert \"Merge pull request #2 from acme/feature/y\"";
        assert_eq!(
            rows(db, STATES),
            [
                "0|first|payments|verified|",
                "1|Add x|payments|disqualified|",
                "2|Add y and z|payments|verified|",
                "0|Fix a typo|payments|verified|",
                "3|Revert \"Add x (#1)\"|payments|excluded|revert",
                "4|Reland \"Add x (#1)\"|payments|verified|",
                "5|Bump y|payments|excluded|dependencies",
                &format!("0|{title}|payments|excluded|revert"),
            ]
        );
        let reverts = ["1|revert|number|0|1", "1|reland|number|0|1", "2|revert|commit|0|0"];
        assert_eq!(rows(db, REVERTS), reverts);
        assert_eq!(
            rows(db, "SELECT kind, rule, happened_at FROM disqualification"),
            ["revert|number|2026-10-05T12:00:00Z"]
        );
        assert_eq!(rows(db, "SELECT COUNT(*) FROM change_commit"), ["10"]);
        let files = "SELECT path FROM change_file AS f JOIN change AS c ON c.sha = f.change_sha
            WHERE c.number = 2 ORDER BY path";
        assert_eq!(rows(db, files), ["y.rs", "z.rs"]);
    });
}

#[test]
fn the_instant_decides() {
    let (_folder, repository, source) = repository();
    history(&repository);
    let state = "SELECT COALESCE(state, 'none') FROM change WHERE number IN (1, 2) ORDER BY number";
    on_both(|db| {
        teams(db, TEAMS, now());
        sync(db, &source, now()).unwrap();
        for (at, states) in [
            ("2026-10-02T12:00:00Z", ["pending", "none"]),
            ("2026-10-05T11:59:59Z", ["pending", "pending"]),
            ("2026-10-05T12:00:00Z", ["disqualified", "pending"]),
            ("2026-10-10T11:59:59Z", ["disqualified", "pending"]),
            ("2026-10-10T12:00:00Z", ["disqualified", "verified"]),
            ("2026-10-02T12:00:00Z", ["pending", "none"]),
        ] {
            judge_at(db, &source, at);
            assert_eq!(rows(db, state), states, "{at}");
        }
    });
}

#[test]
fn to_do_it_again_changes_nothing_and_step_by_step_is_the_same() {
    let (_folder, repository, source) = repository();
    let all = |db: &mut Db| {
        let tables = ["change", "change_commit", "change_file", "revert", "disqualification", "source"];
        tables.map(|table| {
            let mut rows = rows(db, &format!("SELECT * FROM {table}"));
            rows.sort();
            rows
        })
    };
    let at = "2026-11-25T12:00:00Z";
    let other = tempfile::tempdir().unwrap();
    let early = other.path().join("early");
    repository.git(&["clone", "--quiet", ".", &early.display().to_string()]);
    history(&repository);
    on_both(|db| {
        let mut stepwise = LocalClone { path: early.clone(), ..source.clone() };
        let first = sync(db, &stepwise, now()).unwrap();
        stepwise.path.clone_from(&source.path);
        assert_eq!((first, sync(db, &stepwise, now()).unwrap()), (1, 7));
        judge_at(db, &source, at);
        let stepped = all(db);
        assert_eq!(sync(db, &source, now()).unwrap(), 0);
        judge_at(db, &source, at);
        assert_eq!(all(db), stepped);
        db.transaction(|db| change_forget(db, &source.repo)).unwrap();
        assert_eq!(sync(db, &source, now()).unwrap(), 8);
        judge_at(db, &source, at);
        assert_eq!(all(db), stepped);
    });
}

#[test]
fn a_branch_that_was_rewritten_is_read_anew() {
    let (_folder, repository, source) = repository();
    let first = repository.git(&["rev-parse", "HEAD"]);
    on_both(|db| {
        for title in ["Add x", "Add y"] {
            repository.git(&["reset", "--quiet", "--hard", &first]);
            repository.commit_at(&day(2), title);
            assert_eq!(sync(db, &source, now()).unwrap(), 2);
            assert_eq!(rows(db, "SELECT title FROM change ORDER BY landed"), ["first", title]);
        }
    });
}

#[test]
fn a_request_that_lands_twice_is_one_change() {
    let (_folder, repository, source) = repository();
    repository.commit_at(&day(2), "Add x, first part (#1)");
    let second = repository.commit_at(&day(2), "Add x, second part (#1)");
    repository.commit_at(&day(3), &format!("Undo (#2)\n\nThis reverts commit {}.", &second[..7]));
    on_both(|db| {
        teams(db, TEAMS, now());
        sync(db, &source, now()).unwrap();
        judge_at(db, &source, "2026-11-25T12:00:00Z");
        let states = [
            "0|first|payments|verified|",
            "1|Add x, first part|payments|disqualified|",
            "2|Undo|payments|excluded|revert",
        ];
        assert_eq!(rows(db, STATES), states);
    });
}

#[test]
fn a_revert_that_keeps_the_number_of_its_target_is_a_change_of_its_own() {
    let (_folder, repository, source) = repository();
    write(&repository, "x.rs", "x");
    repository.commit_at(&day(2), "feat: x (#1)");
    fs::remove_file(repository.path.join("x.rs")).unwrap();
    repository.commit_at(&day(3), "Revert feat: x (#1)");
    repository.commit_at(&day(4), "Revert something else (#2)");
    on_both(|db| {
        teams(db, TEAMS, now());
        sync(db, &source, now()).unwrap();
        judge_at(db, &source, "2026-11-25T12:00:00Z");
        let states = [
            "0|first|payments|verified|",
            "1|feat: x|payments|disqualified|",
            "0|Revert feat: x|payments|excluded|revert",
            "2|Revert something else|payments|verified|",
        ];
        assert_eq!(rows(db, STATES), states);
        assert_eq!(rows(db, REVERTS), ["1|revert|number|0|1"]);
    });
}

#[test]
fn a_tag_marks_a_hotfix_and_a_revert() {
    let (_folder, repository, source) = repository();
    for (on, text, message) in
        [(2, "1", "Add x (#1)"), (3, "2", "Mend the sum (#2)"), (9, "3", "Back to before (#3)")]
    {
        write(&repository, "x.rs", text);
        repository.commit_at(&day(on), message);
    }
    on_both(|db| {
        teams(db, TEAMS, now());
        repository.git(&["tag", "-f", "v1.0", "HEAD"]);
        sync(db, &source, now()).unwrap();
        judge_at(db, &source, "2026-11-25T12:00:00Z");
        let verified = |number: u8, title: &str| format!("{number}|{title}|payments|verified|");
        let untagged = [
            verified(0, "first"),
            verified(1, "Add x"),
            verified(2, "Mend the sum"),
            verified(3, "Back to before"),
        ];
        assert_eq!(rows(db, STATES), untagged);
        repository.git(&["tag", "-m", "to production", "v1.0.1-hotfix", "HEAD~1"]);
        repository.git(&["tag", "revert-2-sum", "HEAD"]);
        assert_eq!(sync(db, &source, now()).unwrap(), 0);
        judge_at(db, &source, "2026-11-25T12:00:00Z");
        let tagged = [
            verified(0, "first"),
            "1|Add x|payments|disqualified|".to_owned(),
            "2|Mend the sum|payments|excluded|hotfix".to_owned(),
            "3|Back to before|payments|excluded|revert".to_owned(),
        ];
        assert_eq!(rows(db, STATES), tagged);
        assert_eq!(rows(db, "SELECT kind, rule FROM disqualification"), ["hotfix|tag"]);
        assert_eq!(rows(db, REVERTS), ["2|revert|tag|0|1"]);
        repository.git(&["tag", "-d", "v1.0.1-hotfix", "revert-2-sum"]);
    });
}

#[test]
fn a_message_is_read_in_its_own_encoding() {
    let (folder, repository, source) = repository();
    let message = folder.path().join("message");
    fs::write(&message, b"Gr\xf6\xdfe (#1)").unwrap();
    repository.git(&["config", "i18n.commitEncoding", "ISO-8859-1"]);
    repository.git(&["config", "i18n.logOutputEncoding", "ISO-8859-1"]);
    let args = ["commit", "--quiet", "--allow-empty", "--file", &message.display().to_string()];
    repository.git_at(&day(2), &args);
    on_both(|db| {
        sync(db, &source, now()).unwrap();
        assert_eq!(rows(db, "SELECT title FROM change WHERE number = 1"), ["Größe"]);
    });
}

#[test]
fn what_is_no_attempt_is_never_disqualified() {
    let (_folder, repository, source) = repository();
    repository.git(&["config", "user.email", "49699333+dependabot[bot]@users.noreply.github.com"]);
    repository.commit_at(&day(2), "Bump y (#1)");
    repository.git(&["config", "--unset", "user.email"]);
    repository.commit_at(&day(3), "Revert \"Bump y (#1)\" (#2)");
    on_both(|db| {
        sync(db, &source, now()).unwrap();
        judge_at(db, &source, "2026-11-25T12:00:00Z");
        assert_eq!(rows(db, REVERTS), ["1|revert|number|0|1"]);
        assert!(rows(db, "SELECT * FROM disqualification").is_empty());
    });
}

#[test]
fn a_change_is_its_repositorys_else_its_authors() {
    let (_folder, repository, source) = repository();
    repository.git(&["config", "user.email", "stranger@acme.example"]);
    repository.commit_at(&day(2), "Add x (#1)");
    let both = "[[team]]\nid = \"other\"\nrepositories = [\"github.com/acme/pay\"]\n";
    let policies = "SELECT p.team, p.window_days FROM change AS c
        JOIN policy AS p ON p.policy_id = c.policy_id ORDER BY landed";
    on_both(|db| {
        sync(db, &source, now()).unwrap();
        for (text, expected) in [
            (String::new(), ["unassigned|14", "unassigned|14"]),
            (TEAMS.to_owned(), ["payments|7", "payments|7"]),
            (TEAMS.replace("window_days = 7", "window_days = 30"), ["payments|7", "payments|7"]),
            (TEAMS.to_owned() + both, ["search|14", "unassigned|14"]),
        ] {
            teams(db, &text, now());
            judge_at(db, &source, "2026-11-24T12:00:00Z");
            assert_eq!(rows(db, policies), expected, "{text}");
        }
    });
}

#[track_caller]
fn refused(source: &LocalClone, expected: &str) {
    on_both(|db| {
        let error = format!("{:#}", sync(db, source, now()).unwrap_err());
        assert!(error.contains(expected), "{expected:?} is not in {error:?}");
        assert!(rows(db, "SELECT sha FROM change").is_empty());
    });
}

#[test]
fn a_clone_that_lacks_a_part_is_refused() {
    let (folder, repository, source) = repository();
    history(&repository);
    repository.git(&["config", "uploadpack.allowFilter", "true"]);
    let address = format!("file://{}", source.path.display());
    let clone = |name: &str, how: &[&str]| {
        let path = folder.path().join(name);
        repository.git(&[&["clone", "--quiet"], how, &[&address, &path.display().to_string()]].concat());
        LocalClone { path, ..source.clone() }
    };
    refused(&clone("shallow", &["--depth=2"]), "git fetch --unshallow");
    refused(&clone("treeless", &["--filter=tree:0", "--no-checkout"]), "without trees (tree:0)");
    let at = |path: &Path| LocalClone { path: path.to_owned(), ..source.clone() };
    refused(&at(&folder.path().join("nowhere")), "no such folder");
    refused(&at(folder.path()), "not a git repository");
    fs::create_dir(source.path.join("inner")).unwrap();
    refused(&at(&source.path.join("inner")), "name its top folder");
    refused(&LocalClone { branch: Some("nope".to_owned()), ..source.clone() }, "no branch \"nope\"");
    let detached = clone("detached", &["--no-local"]);
    let git = |path: &Path, args: &[&str]| {
        repository.git(&[&["-C", &path.display().to_string()], args].concat());
    };
    git(&detached.path, &["checkout", "--quiet", "--detach"]);
    git(&detached.path, &["remote", "remove", "origin"]);
    refused(&detached, "HEAD is detached");
    let named = LocalClone { branch: Some("main".to_owned()), ..detached };
    on_both(|db| assert_eq!(sync(db, &named, now()).unwrap(), 8));
}

#[test]
fn a_clone_without_file_contents_is_read_without_fetching_any() {
    let (folder, repository, source) = repository();
    history(&repository);
    repository.git(&["config", "uploadpack.allowFilter", "true"]);
    let path = folder.path().join("blobless");
    let (address, to) = (format!("file://{}", source.path.display()), path.display().to_string());
    repository.git(&["clone", "--quiet", "--filter=blob:none", "--no-checkout", &address, &to]);
    fs::rename(&source.path, folder.path().join("gone")).unwrap();
    let blobless = LocalClone { path, ..source };
    on_both(|db| assert_eq!(sync(db, &blobless, now()).unwrap(), 8));
}

#[test]
fn a_clone_with_a_lost_commit_says_so() {
    let (_folder, repository, source) = repository();
    history(&repository);
    let lost = lose(&repository, ":/Add z");
    refused(&source, &lost);
}

/// Takes an object out of the repository; returns its id.
fn lose(repository: &Repository, object: &str) -> String {
    let lost = repository.git(&["rev-parse", object]);
    let (start, rest) = lost.split_at(2);
    fs::remove_file(repository.path.join(".git/objects").join(start).join(rest)).unwrap();
    lost
}

#[test]
fn what_was_read_stays_where_a_rewritten_branch_lost_a_part() {
    for part in ["HEAD~1", "HEAD~1^{tree}"] {
        on_both(|db| {
            let (_folder, repository, source) = repository();
            history(&repository);
            sync(db, &source, now()).unwrap();
            let stored = |db: &mut Db| {
                ["change", "change_commit", "change_file", "source"]
                    .map(|table| rows(db, &format!("SELECT * FROM {table}")))
            };
            let before = stored(db);
            repository.git(&["reset", "--quiet", "--hard", "HEAD~1"]);
            for name in ["v.rs", "w.rs"] {
                write(&repository, name, "text");
                repository.commit_at(&day(21), name);
            }
            let lost = lose(&repository, part);
            let error = format!("{:#}", sync(db, &source, now()).unwrap_err());
            assert!(error.contains(&lost), "{lost} is not in {error:?}");
            assert_eq!(stored(db), before, "{part}");
        });
    }
}

#[test]
fn a_sync_is_dated_also_where_nothing_landed() {
    let (_folder, _repository, source) = repository();
    on_both(|db| {
        for (at, landed) in [("2026-11-25T12:00:00Z", 1), ("2026-11-26T12:00:00Z", 0)] {
            assert_eq!(sync(db, &source, at.parse().unwrap()).unwrap(), landed);
            assert_eq!(rows(db, "SELECT synced_at FROM source"), [at]);
        }
    });
}

#[test]
fn a_clone_is_known_up_to_its_last_fetch() {
    let (folder, repository, source) = repository();
    repository.git(&["branch", "feature/x"]);
    let own = source.path.display().to_string();
    let clone = |name: &str, how: &str| {
        let path = folder.path().join(name);
        repository.git(&["clone", "--quiet", how, &own, &path.display().to_string()]);
        let git = if how == "--mirror" { path.clone() } else { path.join(".git") };
        (LocalClone { path, ..source.clone() }, git)
    };
    let touch = |file: PathBuf, on: u8| {
        let at: Timestamp = day(on).parse().unwrap();
        fs::File::options().write(true).open(file).unwrap().set_modified(at.into()).unwrap();
    };
    let known = "SELECT synced_at FROM source";
    clone("fork", "--no-local");
    let clones =
        [clone("usual", "--no-local"), clone("named", "--origin=upstream"), clone("mirror", "--mirror")];
    on_both(|db| {
        for (clone, git) in &clones {
            let fetch = |args: &[&str]| {
                let at = clone.path.display().to_string();
                let fetch = ["-C", &at, "-c", "alias.try=!git fetch --quiet \"$@\"; true", "try"];
                repository.git(&[&fetch, args].concat());
            };
            let mut syncs = |on: u8, note: &str| {
                let pace = Pace { now, answer_max: REQUEST_MAX, until: None, wait: &|_| Ok(()) };
                let told = sync_source(db, &Source::Clone(clone.clone()), &[], pace).unwrap();
                assert_eq!(rows(db, known), [day(on)], "{}", git.display());
                assert!(told.to_string().contains(note), "{told}");
            };
            drop(fs::remove_file(git.join("FETCH_HEAD")));
            touch(git.join("config"), 3); // another one may be written anew without a fetch
            syncs(3, "; the clone was last fetched 53 days ago: git -C /");
            fetch(&[]);
            touch(git.join("FETCH_HEAD"), 10);
            syncs(10, "46 days ago");
            for elsewhere in [&["origin", "feature/x"][..], &["../nowhere"], &["../fork", "main"]] {
                fetch(elsewhere);
                syncs(10, "46 days ago");
            }
            db.transaction(|db| change_forget(db, &clone.repo)).unwrap();
        }
        sync(db, &source, now()).unwrap();
        assert_eq!(rows(db, known), [now().to_string()], "what others fetch from is never stale");
    });
}

#[test]
fn a_clone_is_known_up_to_the_last_sync_that_read_all_of_it() {
    on_both(|db| {
        let (folder, repository, source) = repository();
        let mut known = Timestamp::UNIX_EPOCH;
        for at in ["2026-11-25T12:00:00Z", "2026-11-26T12:00:00Z"] {
            let commit = "commit refs/heads/main\ncommitter A <a@acme.example> 1790942400 +0000\ndata 1\nx\n";
            let (first, rest) = (commit.to_owned() + "from refs/heads/main^0\n", commit.repeat(PAGE + 100));
            fs::write(folder.path().join("commits"), first + &rest).unwrap();
            repository.git(&["-c", "alias.load=!git fast-import --quiet <../commits", "load"]);
            write(&repository, "x.rs", at);
            repository.commit_at(&day(3), "Add x");
            write(&repository, "x.rs", "another text");
            repository.commit_at(&day(3), "Mend x");
            lose(&repository, "HEAD~1^{tree}");
            let before = change_count(db, &source.repo).unwrap();
            sync(db, &source, at.parse().unwrap()).unwrap_err();
            assert!(change_count(db, &source.repo).unwrap() > before, "a page was stored");
            let stands = |db: &mut Db| source_read(db).unwrap()[&source.repo];
            assert_eq!(stands(db), known);
            write(&repository, "x.rs", at);
            repository.git(&["add", "x.rs"]);
            repository.git(&["write-tree"]);
            known = at.parse().unwrap();
            let stored = change_count(db, &source.repo).unwrap();
            let rest = sync(db, &source, known).unwrap();
            assert_eq!(stands(db), known);
            assert_eq!(i64::try_from(rest).unwrap(), change_count(db, &source.repo).unwrap() - stored);
            assert_eq!(stored - before, i64::try_from(PAGE).unwrap(), "the next sync went on behind it");
        }
        let whole = change_count(db, &source.repo).unwrap();
        db.transaction(|db| source_reread(db, &source.repo)).unwrap();
        assert_eq!(i64::try_from(sync(db, &source, known).unwrap()).unwrap(), whole);
        assert_eq!(change_count(db, &source.repo).unwrap(), whole, "all pages of one sync");
    });
}

#[test]
fn nothing_of_a_clone_is_run_and_no_name_is_taken_for_a_commit() {
    let (folder, repository, source) = repository();
    let (trap, program) = (folder.path().join("trap"), folder.path().join("program"));
    fs::write(&program, format!("#!/bin/sh\ntouch {}\n", trap.display())).unwrap();
    fs::set_permissions(&program, Permissions::from_mode(0o755)).unwrap();
    let fake = format!("\u{1}{}", "a".repeat(40));
    let odd = [fake.as_str(), "with\nline", "ünï", "M", " "];
    for name in odd {
        write(&repository, name, "text");
    }
    repository.commit_at(&day(2), "Odd \u{1}names (#1)\n\n\u{1}M\n\u{1e}\u{1f}");
    // a signature that git would have checked by a program of the clone's choice
    let signature = "gpgsig -----BEGIN PGP SIGNATURE-----\n \n x\n -----END PGP SIGNATURE-----\n\n";
    let signed =
        repository.git(&["cat-file", "commit", "HEAD"]).replacen("\n\n", &format!("\n{signature}"), 1);
    let file = folder.path().join("signed");
    fs::write(&file, signed + "\n").unwrap();
    let signed = repository.git(&["hash-object", "-t", "commit", "-w", &file.display().to_string()]);
    repository.git(&["update-ref", "refs/heads/main", &signed]);
    for setting in ["core.fsmonitor", "diff.external", "core.pager", "gpg.program"] {
        repository.git(&["config", setting, &program.display().to_string()]);
    }
    repository.git(&["config", "log.showSignature", "true"]);
    on_both(|db| {
        assert_eq!(sync(db, &source, now()).unwrap(), 2);
        let mut files = rows(
            db,
            "SELECT f.path FROM change_file AS f JOIN change AS c ON c.sha = f.change_sha
            WHERE c.number = 1",
        );
        files.sort();
        let mut expected = odd;
        expected.sort_unstable();
        assert_eq!(files, expected);
    });
    assert!(!trap.exists());
}
