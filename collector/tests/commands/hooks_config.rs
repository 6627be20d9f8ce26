//! `cpvo hooks-config` on repositories, and its hook lines in every shell the client may use.

use super::{Collector, fails, succeeds};
use serde_json::Value;
use std::fs;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

const URL: &str = "https://cpvo.acme.example";

fn repository() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn configure(repo: &Path, more: &[&str]) -> String {
    let flags = ["hooks-config", "--repo", ".", "--url", URL, "--token", "t.t.t", "--since", "2026-01-01"];
    succeeds(repo, &[&flags, more].concat())
}

fn settings(repo: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(repo.join(".claude/settings.json")).unwrap()).unwrap()
}

#[test]
fn a_repository_is_configured_once_and_restored() {
    let repo = repository();
    let said = configure(repo.path(), &["--developers", "@Acme.example,bob@else.example"]);
    assert!(said.contains("wrote .claude/settings.json") && said.contains("wrote .claude/CPVO.md"), "{said}");
    let env = &settings(repo.path())["env"];
    let expected = [
        ("CPVO_URL", URL),
        ("CPVO_TOKEN", "t.t.t"),
        ("CPVO_DEVELOPERS", "@acme.example,bob@else.example"),
        ("CPVO_SINCE", "2026-01-01"),
    ];
    for (name, value) in expected {
        assert_eq!(env[name], value);
    }
    let notice = fs::read_to_string(repo.path().join(".claude/CPVO.md")).unwrap();
    for fact in [
        URL,
        "@acme.example,bob@else.example",
        "2026-01-01",
        "CPVO_DISABLE=1",
        "pseudonym` sends nothing for now",
        "read on the collector's own machine only",
    ] {
        assert!(notice.contains(fact), "{fact} is missing in:\n{notice}");
    }
    let again = succeeds(repo.path(), &["hooks-config", "--repo", "."]);
    assert!(again.contains("unchanged .claude/settings.json") && !again.contains("wrote"), "{again}");
    succeeds(repo.path(), &["hooks-config", "--repo", ".", "--remove"]);
    assert!(!repo.path().join(".claude").exists());
}

#[test]
fn what_was_there_stays_and_comes_back() {
    let repo = repository();
    let path = repo.path().join(".claude/settings.json");
    fs::create_dir(repo.path().join(".claude")).unwrap();
    let theirs = "{\n\t\"permissions\": {\"allow\": []}\n}";
    fs::write(&path, theirs).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o604)).unwrap();
    configure(repo.path(), &[]);
    assert!(
        fs::read_to_string(&path).unwrap().starts_with("{\n\t\"permissions\": {\"allow\": []},\n\t\"env\"")
    );
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o604);
    succeeds(repo.path(), &["hooks-config", "--repo", ".", "--remove"]);
    assert_eq!(fs::read_to_string(&path).unwrap(), theirs);
    assert_eq!(fs::read_dir(repo.path().join(".claude")).unwrap().count(), 1, "a temporary file stayed");
}

#[test]
fn each_named_folder_gets_its_own_settings() {
    let repo = repository();
    fs::create_dir_all(repo.path().join("packages/a")).unwrap();
    configure(repo.path(), &["--folder", "packages/a"]);
    assert_eq!(settings(repo.path()), settings(&repo.path().join("packages/a")));
    let out = fails(repo.path(), &["hooks-config", "--repo", ".", "--url", URL, "--folder", "packages/b"]);
    assert!(out.contains("packages/b is not a folder of"), "{out}");
    succeeds(repo.path(), &["hooks-config", "--repo", ".", "--folder", "packages/a", "--remove"]);
    assert!(!repo.path().join("packages/a/.claude").exists());
}

#[test]
fn what_is_not_right_is_left_alone() {
    let repo = repository();
    let path = repo.path().join(".claude/settings.json");
    fs::create_dir(repo.path().join(".claude")).unwrap();
    for (bad, reason) in [
        (&b"{\n  \"a\": 1,\n}"[..], ".claude/settings.json: not JSON: trailing comma at line 3 column 1"),
        (
            b"{\"hooks\": 5}",
            ".claude/settings.json: hooks must be an object, not a number (line 1 column 11)",
        ),
        (b"{\"a\": \"\xff\"}", ".claude/settings.json is not UTF-8"),
    ] {
        fs::write(&path, bad).unwrap();
        for flags in [&["--url", URL][..], &["--remove"]] {
            if flags == ["--remove"] && bad.starts_with(b"{\"hooks\"") {
                continue; // nothing of ours is in it, and it is JSON
            }
            let error = fails(repo.path(), &[&["hooks-config", "--repo", "."], flags].concat());
            assert!(error.contains(reason), "{error}");
        }
        assert_eq!(fs::read(&path).unwrap(), bad);
        assert!(!repo.path().join(".claude/CPVO.md").exists());
    }
    fs::remove_file(&path).unwrap();
    fs::write(repo.path().join(".claude/CPVO.md"), "# mine\n").unwrap();
    let error = fails(repo.path(), &["hooks-config", "--repo", ".", "--url", URL]);
    assert!(error.contains("cpvo did not write it"), "{error}");
    assert!(!path.exists());
}

#[test]
fn what_is_taken_out_is_said_and_what_stays() {
    let repo = repository();
    fs::create_dir_all(repo.path().join("packages/a")).unwrap();
    configure(repo.path(), &["--folder", "packages/a"]);
    let remove = ["hooks-config", "--repo", ".", "--remove"];
    let said = succeeds(repo.path(), &remove);
    assert!(said.contains("removed .claude/settings.json") && said.contains("cpvo token revoke"), "{said}");
    assert!(said.contains("packages/a/.claude/settings.json still has hooks"), "{said}");
    let said = succeeds(repo.path(), &[&remove[..], &["--folder", "packages/a"]].concat());
    assert!(!said.contains("still has hooks") && !said.contains("nothing"), "{said}");
    assert_eq!(succeeds(repo.path(), &remove), "nothing of cpvo was there\n");
    assert!(!repo.path().join("packages/a/.claude").exists());
}

#[test]
fn settings_that_are_not_ours_to_replace_are_refused() {
    let repo = repository();
    let path = repo.path().join(".claude/settings.json");
    fs::create_dir(repo.path().join(".claude")).unwrap();
    assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
    let error = fails(repo.path(), &["hooks-config", "--repo", ".", "--url", URL]);
    assert!(error.contains("not a regular file"), "{error}");
    fs::remove_file(&path).unwrap();
    fs::write(&path, "{}").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o444)).unwrap();
    let error = fails(repo.path(), &["hooks-config", "--repo", ".", "--url", URL]);
    assert!(error.contains("read-only"), "{error}");
    assert_eq!(fs::read_to_string(&path).unwrap(), "{}");
}

#[test]
fn the_owner_stays_and_no_empty_file_is_left() {
    let repo = repository();
    let path = repo.path().join(".claude/settings.json");
    fs::create_dir(repo.path().join(".claude")).unwrap();
    fs::write(&path, "").unwrap();
    chown(&path, Some(65534), Some(65534)).expect("the tests run as root");
    configure(repo.path(), &[]);
    let there = fs::metadata(&path).unwrap();
    assert_eq!((there.uid(), there.gid()), (65534, 65534));
    succeeds(repo.path(), &["hooks-config", "--repo", ".", "--remove"]);
    assert!(!path.exists());
}

#[test]
fn a_link_is_followed_within_the_repository_only() {
    let (repo, other) = (repository(), repository());
    fs::create_dir_all(repo.path().join(".claude")).unwrap();
    fs::create_dir(repo.path().join("shared")).unwrap();
    let link = repo.path().join(".claude/settings.json");
    fs::write(repo.path().join("shared/settings.json"), "{}").unwrap();
    symlink("../shared/settings.json", &link).unwrap();
    configure(repo.path(), &[]);
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert!(fs::read_to_string(repo.path().join("shared/settings.json")).unwrap().contains(URL));
    let outside = other.path().join("settings.json");
    fs::write(&outside, "{}").unwrap();
    for target in [outside.as_path(), Path::new("nowhere.json")] {
        fs::remove_file(&link).unwrap();
        symlink(target, &link).unwrap();
        fails(repo.path(), &["hooks-config", "--repo", ".", "--url", URL]);
    }
    assert_eq!(fs::read_to_string(&outside).unwrap(), "{}");
}

/// A repository that git knows by a remote.
fn with_remote() -> TempDir {
    let repo = repository();
    for args in [&["init", "-q"][..], &["remote", "add", "origin", "git@github.com:acme/pay.git"]] {
        assert!(Command::new("git").arg("-C").arg(repo.path()).args(args).status().unwrap().success());
    }
    repo
}

fn token(repo: &Path) -> String {
    settings(repo)["env"]["CPVO_TOKEN"].as_str().unwrap().to_owned()
}

#[test]
fn a_token_that_is_refused_is_replaced() {
    let (collector, other, repo) = (Collector::start(), Collector::start(), with_remote());
    let flags = ["hooks-config", "--repo", repo.path().to_str().unwrap()];
    succeeds(&collector.folder(), &flags);
    let first = token(repo.path());
    let list = succeeds(&collector.folder(), &["token", "list"]);
    let id = list.lines().nth(1).and_then(|line| line.split_whitespace().next()).unwrap();
    succeeds(&collector.folder(), &["token", "revoke", id]);
    let said = succeeds(&collector.folder(), &flags);
    assert!(said.starts_with("the token was revoked: a new one takes its place\n"), "{said}");
    let second = token(repo.path());
    assert_ne!(first, second);
    let said = succeeds(&collector.folder(), &flags);
    assert!(!said.contains("new one") && token(repo.path()) == second, "{said}");
    // the same address, so not another collector to the settings, but other keys
    let said = succeeds(&other.folder(), &flags);
    assert!(said.contains("the token is not of this collector: a new one"), "{said}");
    assert_ne!(token(repo.path()), second);
    succeeds(&collector.folder(), &[&flags[..], &["--token", "t.t.t"]].concat());
    assert_eq!(token(repo.path()), "t.t.t", "what is given is not judged");
}

#[test]
fn another_collector_is_replaced_where_that_is_asked_for() {
    let (collector, repo) = (Collector::start(), with_remote());
    let file = repo.path().join(".claude/settings.json");
    let flags = ["hooks-config", "--repo", repo.path().to_str().unwrap()];
    configure(repo.path(), &[]);
    let theirs = fs::read_to_string(&file).unwrap();
    let toml = collector.folder().join("cpvo.toml");
    let text = fs::read_to_string(&toml).unwrap();
    for url in ["", "url = \"https://ours.example\"\n"] {
        fs::write(&toml, format!("{url}{text}")).unwrap();
        let error = fails(&collector.folder(), &flags);
        assert!(error.contains(URL) && error.contains("give --url"), "{error}");
        assert_eq!(fs::read_to_string(&file).unwrap(), theirs);
    }
    assert_eq!(succeeds(&collector.folder(), &["token", "list"]).lines().count(), 1, "one was made");
    let said = succeeds(&collector.folder(), &[&flags[..], &["--url", "https://ours.example"]].concat());
    assert!(said.contains(&format!("replaced {URL} in .claude/settings.json: --remove does not")), "{said}");
    assert_eq!(settings(repo.path())["env"]["CPVO_URL"], "https://ours.example");
    // with a token of ours it is our own address that moves
    fs::write(&toml, format!("url = \"https://moved.example\"\n{text}")).unwrap();
    let said = succeeds(&collector.folder(), &flags);
    assert!(said.starts_with("replaced https://ours.example in"), "{said}");
}

#[test]
fn where_the_collector_is_a_token_is_made_once() {
    let (collector, repo) = (Collector::start(), repository());
    let path = repo.path().to_str().unwrap();
    let git = |args: &[&str]| {
        assert!(Command::new("git").arg("-C").arg(path).args(args).status().unwrap().success());
    };
    let flags = ["hooks-config", "--repo", path];
    let error = fails(&collector.folder(), &flags);
    assert!(error.contains("name a repository with --repo"), "{error}");
    git(&["init", "-q"]);
    let error = fails(&collector.folder(), &flags);
    assert!(error.contains("has no remote yet"), "{error}");
    git(&["remote", "add", "upstream", "https://github.com/other/pay"]);
    git(&["remote", "add", "origin", "git@GitHub.com:acme/pay.git"]);
    let said = succeeds(&collector.folder(), &flags);
    assert!(said.contains("only this machine reaches http://127.0.0.1:7878"), "{said}");
    let first = settings(repo.path());
    assert_eq!(first["env"]["CPVO_TOKEN"].as_str().unwrap().split('.').count(), 3);
    assert_eq!(first["env"]["CPVO_URL"], "http://127.0.0.1:7878", "what cpvo.toml says");
    succeeds(&collector.folder(), &flags);
    assert_eq!(settings(repo.path()), first);
    let other = repository();
    fs::create_dir(other.path().join("a")).unwrap();
    program(&other.path().join("a/.claude/settings.json"), "{\"hooks\": 5}");
    let error = fails(
        &collector.folder(),
        &["hooks-config", "--repo", other.path().to_str().unwrap(), "--folder", "a"],
    );
    assert!(error.contains("a/.claude/settings.json: hooks must be an object"), "{error}");
    assert!(!other.path().join(".claude").exists());
    let tokens = succeeds(&collector.folder(), &["token", "list"]);
    assert_eq!(tokens.lines().count(), 2, "a token was made for settings that are not right: {tokens}");
    assert_eq!(tokens.matches("github.com/acme/pay").count(), 1, "{tokens}");
    let error = fails(&collector.folder(), &[&flags[..], &["--url", URL, "--bootstrap"]].concat());
    assert!(error.contains("the collector offers no cpvo-hook yet"), "{error}");
    let hooks = collector.folder().join("hooks/x86_64-unknown-linux-musl");
    program(&hooks.join("cpvo-hook"), "program");
    let error = fails(
        &collector.folder(),
        &[&flags[..], &["--url", "http://cpvo.acme.example", "--bootstrap"]].concat(),
    );
    assert!(error.contains("https://"), "{error}");
    assert_eq!(settings(repo.path()), first);
}

#[test]
fn wrong_flags_are_named() {
    let repo = repository();
    for (flags, reason) in [
        (&["--url", "cpvo.acme.example"][..], "http(s)://"),
        (&["--url", "https://ana:secret@cpvo.acme.example"], "without user or query"),
        (&["--url", "http://cpvo.acme.example"], "must begin with https://"),
        (&["--url", URL, "--token", "hello"], "is no token"),
        (&["--developers", "acme.example"], "@ and a domain"),
        (&["--since", "yesterday"], "YYYY-MM-DD"),
        (&[], "--url"),
        (&["--url", URL, "--bootstrap"], "cpvo.toml"),
    ] {
        let error = fails(repo.path(), &[&["hooks-config", "--repo", "."], flags].concat());
        assert!(error.contains(reason), "{error}");
    }
    assert!(!repo.path().join(".claude").exists());
}

/// Runs a hook line of a fresh repository as the client does, in `shell`.
fn hook(shell: &str, home: &Path, event: &str) -> Output {
    let repo = repository();
    configure(repo.path(), &[]);
    let line = settings(repo.path())["hooks"][event][0]["hooks"][0]["command"].as_str().unwrap().to_owned();
    let mut child = Command::new(shell)
        .args(["-c", &line])
        .env_clear()
        .env("HOME", home)
        .env("PATH", "/usr/bin:/bin")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{shell}: {error}; on Debian: apt-get install {shell}"));
    // a shell that finds no program may be gone before the line is written
    let _ = child.stdin.take().unwrap().write_all(b"{\"session_id\":\"x\"}\n");
    child.wait_with_output().unwrap()
}

#[track_caller]
fn silent(shell: &str, output: &Output) {
    let Output { status, stdout, stderr } = output;
    assert_eq!((status.code(), &**stdout, &**stderr), (Some(0), &b""[..], &b""[..]), "{shell}");
}

fn program(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn without_the_program_the_line_is_silent_in_every_shell() {
    for shell in ["sh", "dash", "bash", "zsh"] {
        let home = repository();
        for event in ["SessionStart", "SessionEnd"] {
            silent(shell, &hook(shell, home.path(), event));
        }
    }
}

#[test]
fn the_program_is_found_and_whatever_it_does_stays_silent() {
    for shell in ["sh", "dash", "bash", "zsh"] {
        for folder in [".local/bin", ".cargo/bin"] {
            let home = repository();
            let path = home.path().join(folder).join("cpvo-hook");
            program(&path, "#!/bin/sh\necho \"$1 $(cat)\" >\"$HOME/said\"; echo out; echo err >&2; exit 3\n");
            silent(shell, &hook(shell, home.path(), "SessionEnd"));
            let said = fs::read_to_string(home.path().join("said")).unwrap();
            assert_eq!(said, "session-end {\"session_id\":\"x\"}\n", "{shell}");
            for broken in ["#!/nowhere\n", "\u{7f}ELF", "#!/bin/sh\nkill -9 $$\n"] {
                program(&path, broken);
                silent(shell, &hook(shell, home.path(), "SessionStart"));
            }
        }
    }
}
