//! Which clones are read, how far they are known, and what is said of the others.

use super::*;

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
fn weeks_wait_for_a_clone_that_is_not_there() {
    let (_folder, _, clone) = repository();
    let missing = LocalClone { path: clone.path.join("missing"), ..clone };
    let sources = [Source::Clone(missing.clone())];
    on_both(|db| {
        wait_for(db, &sources).unwrap();
        let never = [(missing.repo.clone(), Timestamp::UNIX_EPOCH)];
        assert!(source_read(db).unwrap().into_iter().eq(never));
        sync(db, &missing, now()).unwrap_err();
        sync(db, &LocalClone { path: missing.path.parent().unwrap().to_owned(), ..missing.clone() }, now())
            .unwrap();
        wait_for(db, &sources).unwrap();
        let known = source_read(db).unwrap()[&missing.repo];
        assert!(known > Timestamp::UNIX_EPOCH);
        let host = Progress { cursor: String::new(), synced_at: None };
        service_put(db, missing.repo.as_str(), "github", &host).unwrap();
        wait_for(db, &sources).unwrap();
        assert_eq!(source_read(db).unwrap()[&missing.repo], known, "no host tells of it any more");
    });
}

#[test]
fn nothing_of_a_clone_is_run_and_no_name_is_taken_for_a_commit() {
    let (folder, repository, source) = repository();
    let (trap, program) = (folder.path().join("trap"), folder.path().join("program"));
    fs::write(&program, format!("#!/bin/sh\ntouch {}\n", trap.display())).unwrap();
    fs::set_permissions(&program, Permissions::from_mode(0o755)).unwrap();
    // a patch of a submodule can be shown by a git of its own, which knows nothing of how ours was asked
    repository.git(&["init", "--quiet", "sub"]);
    for step in ["one", "two"] {
        write(&repository, "sub/file", step);
        repository.git(&["-C", "sub", "add", "file"]);
        let name = ["-c", "user.name=Ana", "-c", "user.email=ana@acme.example"];
        repository.git(&[&["-C", "sub"], &name[..], &["commit", "--quiet", "-m", step]].concat());
        repository.commit_at(&day(1), step);
    }
    repository.git(&["-C", "sub", "checkout", "--quiet", "HEAD~1"]);
    repository.commit_at(&day(1), "one again");
    repository.git(&["-C", "sub", "config", "diff.external", &program.display().to_string()]);
    repository.git(&["config", "diff.submodule", "diff"]);
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
    repository.git(&["config", "diff.orderFile", "/nonexistent"]);
    on_both(|db| {
        assert_eq!(sync(db, &source, now()).unwrap(), 5);
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

#[test]
fn a_repository_that_comes_back_as_a_clone_is_read_as_one() {
    on_both(|db| {
        let (_folder, repository, source) = repository();
        history(&repository);
        let head = repository.git(&["rev-parse", "HEAD"]);
        let (tip, clone) = (Cursor { kind: "github", branch: "main", commit: &head }, source.repo.as_str());
        source_put(db, &source.repo, &tip, now()).unwrap();
        sources_await(db, &[]).unwrap();
        sources_await(db, &[(clone, "clone")]).unwrap();
        assert_ne!(sync(db, &source, now()).unwrap(), 0);
        sources_await(db, &[]).unwrap();
        sources_await(db, &[]).unwrap();
        sources_await(db, &[(clone, "clone")]).unwrap();
        assert_eq!(sync(db, &source, now()).unwrap(), 0, "what it was read to is known");
    });
}
