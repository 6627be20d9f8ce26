//! Clones that are fetched before they are read: what comes of it, what is run, and what happens where it fails.

use super::*;
use jiff::SignedDuration;
use rustix::fs::{CWD, FileType, Mode, OFlags, mknodat, open};
use rustix::io::Errno;
use std::cell::RefCell;
use std::io::Read;
use std::net::TcpListener;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

/// A clone of `of` beside it that fetches by itself.
fn cloned(repository: &Repository, of: &LocalClone, name: &str, how: &[&str]) -> LocalClone {
    let path = of.path.with_file_name(name);
    let (from, to) = (of.path.display().to_string(), path.display().to_string());
    repository.git(&[&["clone", "--quiet", "--no-local"], how, &[&from, &to]].concat());
    LocalClone { path, fetch: true, ..of.clone() }
}

fn in_clone(repository: &Repository, clone: &LocalClone, args: &[&str]) -> String {
    repository.git(&[&["-C", &clone.path.display().to_string()], args].concat())
}

fn reads(db: &mut Db, clone: &LocalClone) -> Result<String> {
    let pace = Pace { now, answer_max: REQUEST_MAX, until: None, wait: &PAUSED };
    Ok(sync_source(db, &Source::Clone(clone.clone()), &[], pace)?.to_string())
}

const TITLES: &str = "SELECT title FROM change ORDER BY landed";

#[test]
fn a_clone_fetches_its_branch_and_the_tags_alone() {
    on_both(|db| {
        let (folder, repository, source) = repository();
        repository.git(&["tag", "v1"]);
        let trap = folder.path().join("trap");
        let clones = [("usual", &[][..]), ("mirror", &["--mirror"]), ("named", &["--origin=upstream"])]
            .map(|(name, how)| cloned(&repository, &source, name, how));
        repository.git(&["switch", "--quiet", "-c", "feature/x"]);
        repository.commit_at(&day(2), "Elsewhere");
        repository.git(&["switch", "--quiet", "main"]);
        repository.commit_at(&day(3), "Add x (#1)");
        repository.git(&["tag", "--force", "v1"]);
        repository.git(&["tag", "v2", "feature/x"]);
        for clone in clones {
            let hooks = in_clone(&repository, &clone, &["rev-parse", "--git-path", "hooks"]);
            let hook = clone.path.join(hooks).join("reference-transaction");
            fs::create_dir_all(hook.parent().unwrap()).unwrap();
            fs::write(&hook, format!("#!/bin/sh\ntouch {}\n", trap.display())).unwrap();
            fs::set_permissions(&hook, Permissions::from_mode(0o755)).unwrap();
            for only in [LocalClone { fetch: false, ..clone.clone() }, clone.clone()] {
                let told = reads(db, &only).unwrap();
                assert!(told.contains(": 1 commits landed since"), "{told}");
            }
            assert_eq!(rows(db, TITLES), ["first", "Add x"]);
            assert_eq!(
                rows(
                    db,
                    "SELECT t.tag, COALESCE(c.title, '-') FROM tag AS t LEFT JOIN change AS c ON c.sha = t.sha ORDER BY t.tag"
                ),
                ["v1|Add x", "v2|-"]
            );
            let branches = in_clone(&repository, &clone, &["for-each-ref", "--format=%(refname)"]);
            assert!(!branches.contains("feature/x"), "{branches}");
            assert!(!trap.exists(), "{}", clone.path.display());
            db.transaction(|db| change_forget(db, &clone.repo)).unwrap();
        }
    });
}

#[test]
fn a_branch_that_the_clone_lacks_is_fetched() {
    let (_folder, repository, source) = repository();
    let clone = cloned(&repository, &source, "narrow", &["--single-branch"]);
    repository.git(&["switch", "--quiet", "-c", "next"]);
    repository.commit_at(&day(2), "Add x (#1)");
    let clone = LocalClone { branch: Some("next".to_owned()), ..clone };
    on_both(|db| {
        reads(db, &clone).unwrap();
        assert_eq!(rows(db, TITLES), ["first", "Add x"]);
    });
}

#[test]
fn what_a_clone_had_is_read_where_it_cannot_be_fetched() {
    on_both(|db| {
        let (folder, repository, source) = repository();
        let fails = |db: &mut Db, clone: &LocalClone, expected: &str| {
            let error = format!("{:#}", reads(db, clone).unwrap_err());
            assert!(error.starts_with("the clone of github.com/acme/pay in /"), "{error}");
            assert!(error.contains(expected), "{expected:?} is not in {error:?}");
            assert_eq!(rows(db, TITLES), ["first"]);
            db.transaction(|db| change_forget(db, &clone.repo)).unwrap();
        };
        fails(db, &LocalClone { fetch: true, ..source.clone() }, "could not fetch it: it has no remote");
        let program = folder.path().join("program");
        for (setting, named) in [
            ("core.sshCommand", "core.sshcommand"),
            ("credential.https://github.com.helper", "credential.https://github.com.helper"),
            ("remote.origin.uploadpack", "remote.origin.uploadpack"),
            ("remote.origin.proxy", "remote.origin.proxy"),
            ("hook.x.command", "hook.x.command"),
            ("http.sslVerify", "http.sslverify"),
            ("http.https://github.com.proxy", "http.https://github.com.proxy"),
            ("http.extraHeader", "http.extraheader"),
        ] {
            let clone = cloned(&repository, &source, "odd", &[]);
            in_clone(&repository, &clone, &["config", setting, &program.display().to_string()]);
            fails(db, &clone, &format!("names a program to run or whom to trust ({named})"));
            fs::remove_dir_all(clone.path).unwrap();
        }
        for (address, expected) in [
            ("ext::touch trap", "transport 'ext' not allowed"),
            ("http://127.0.0.1:1/", "'http' not allowed"),
        ] {
            let clone = cloned(&repository, &source, "odd", &[]);
            in_clone(&repository, &clone, &["config", "protocol.allow", "always"]);
            in_clone(&repository, &clone, &["config", "protocol.ext.allow", "always"]);
            in_clone(&repository, &clone, &["remote", "set-url", "origin", address]);
            fails(db, &clone, expected);
            fs::remove_dir_all(clone.path).unwrap();
        }
        let clone = cloned(&repository, &source, "linked", &[]);
        let elsewhere = folder.path().join("elsewhere");
        fs::write(&elsewhere, "mine").unwrap();
        std::os::unix::fs::symlink(&elsewhere, clone.path.join(".git/FETCH_HEAD")).unwrap();
        fails(db, &clone, "its FETCH_HEAD is a link");
        assert_eq!(fs::read_to_string(&elsewhere).unwrap(), "mine");
        fs::remove_dir_all(clone.path).unwrap();
        let clone = cloned(&repository, &source, "renamed", &[]);
        repository.git(&["branch", "--move", "main", "trunk"]);
        fails(db, &clone, "its remote origin has no branch \"main\", which was renamed or deleted: name the");
        let clone = cloned(&repository, &source, "left", &[]);
        fs::rename(&source.path, folder.path().join("gone")).unwrap();
        fails(db, &clone, "does not appear to be a git repository");
    });
}

/// Whether a fetch has come that gets no answer; an hour later it is for `then`.
static CAME: AtomicBool = AtomicBool::new(false);

fn then() -> Timestamp {
    now() + SignedDuration::from_hours(CAME.load(Ordering::Relaxed).into())
}

#[test]
fn a_fetch_that_does_not_end_is_ended() {
    let (_folder, repository, source) = repository();
    let clone = cloned(&repository, &source, "patient", &[]);
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    silent.set_nonblocking(true).unwrap();
    let address = format!("https://{}/pay.git", silent.local_addr().unwrap());
    in_clone(&repository, &clone, &["remote", "set-url", "origin", &address]);
    in_clone(&repository, &clone, &["config", "http.proxy", ""]);
    on_both(|db| {
        let late = "git fetch did not answer by 2026-11-25T12:10:00Z and was ended";
        for (is_stopped, expected) in [(false, late), (true, "cpvo stops")] {
            CAME.store(false, Ordering::Relaxed);
            let connection = RefCell::new(None);
            let wait = |time| {
                if let Ok((stream, _)) = silent.accept() {
                    connection.replace(Some(stream));
                    CAME.store(true, Ordering::Relaxed);
                    ensure!(!is_stopped, "cpvo stops");
                }
                PAUSED(time)
            };
            let pace = Pace { now: then, answer_max: REQUEST_MAX, until: None, wait: &wait };
            let error = sync_source(db, &Source::Clone(clone.clone()), &[], pace).unwrap_err();
            assert!(format!("{error:#}").ends_with(&format!("could not fetch it: {expected}")), "{error:#}");
            assert_eq!(rows(db, TITLES), ["first"]);
            let mut connection = connection.into_inner().unwrap();
            connection.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
            connection.read_to_end(&mut Vec::new()).expect("whoever git had started to end with it");
        }
    });
}

/// A clock that goes on by a minute whenever it is looked at.
fn in_haste() -> Timestamp {
    static MINUTES: AtomicI64 = AtomicI64::new(0);
    now() + SignedDuration::from_mins(MINUTES.fetch_add(1, Ordering::Relaxed))
}

#[test]
fn a_git_that_never_answers_is_ended_and_the_next_source_is_read() {
    let (folder, repository, source) = repository();
    let silent = cloned(&repository, &source, "silent", &[]);
    let pipe = folder.path().join("pipe");
    mknodat(CWD, &pipe, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    in_clone(&repository, &silent, &["config", "include.path", &pipe.display().to_string()]);
    let said = format!("the clone of github.com/acme/pay in {}: git ", silent.path.display());
    let sources = [LocalClone { fetch: false, ..silent.clone() }, silent, source].map(Source::Clone);
    on_both(|db| {
        let mut round = Round::new(&sources);
        let pace = Pace { now, answer_max: REQUEST_MAX, until: None, wait: &PAUSED };
        for silent in &sources[..2] {
            let error = format!("{:#}", round.read(db, silent, Pace { now: in_haste, ..pace }).unwrap_err());
            assert!(error.starts_with(&said), "{error}");
            assert!(
                error.contains(" did not answer by 2026-11-2") && error.ends_with(" and was ended"),
                "{error}"
            );
            let writing = open(&pipe, OFlags::WRONLY | OFlags::NONBLOCK, Mode::empty());
            assert_eq!(writing.err(), Some(Errno::NXIO), "it still reads");
        }
        round.read(db, &sources[2], pace).unwrap();
        assert_eq!(rows(db, TITLES), ["first"]);
    });
}
