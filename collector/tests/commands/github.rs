//! GitHub as a source: `cpvo sync` against a stand-in for its API, as an admin runs it.

use super::{command, succeeds};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;
use tests::host::Reply;
use tests::host::github::{GitHub, commit, request};
use tests::wait::until;

const TOKEN: &str = "ghp_hunter2";

/// A collector's folder whose cpvo.toml names the stand-in, which has forty requests.
fn source(name_with_owner: &str) -> (TempDir, GitHub) {
    let host = GitHub::start(name_with_owner);
    for number in 1..=40 {
        let (sha, at) = (format!("{number:040x}"), format!("2026-10-{:02}T12:00:00Z", number / 2 + 1));
        let title = format!("Add {number}");
        host.state().touch(request(number, &title, &at, Some((&at, &sha))));
        host.state().commits.push(commit(&sha, &at, &format!("{title} (#{number})"), Some(number)));
    }
    let folder = tempfile::tempdir().unwrap();
    succeeds(folder.path(), &["init"]);
    let settings = fs::read_to_string(folder.path().join("cpvo.toml")).unwrap();
    let source = format!(
        "\n[[source]]\nkind = \"github\"\nrepo = \"github.com/acme/pay\"\nurl = \"{}\"\nsince = \"2026-09-01\"\n",
        host.url()
    );
    fs::write(folder.path().join("cpvo.toml"), settings + &source).unwrap();
    (folder, host)
}

fn sync(folder: &Path, more: &[&str]) -> Command {
    let mut sync = command(folder, &[&["sync"], more].concat());
    sync.env("GITHUB_TOKEN", TOKEN);
    sync
}

#[track_caller]
fn text(output: Output) -> (bool, String, String) {
    let [out, err] = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    assert!(!out.contains("hunter2") && !err.contains("hunter2"), "{out}{err}");
    (output.status.success(), out, err)
}

#[test]
fn a_sync_that_is_killed_between_two_pages_goes_on_where_it_stood() {
    let (folder, host) = source("acme/pay");
    host.host().fail([None, None, Some(Reply::Silent)]);
    let mut killed = sync(folder.path(), &[]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    until("the second page to be asked for", || (host.queries().len() == 3).then_some(()));
    killed.kill().unwrap();
    killed.wait().unwrap();
    let (ok, out, err) = text(sync(folder.path(), &["--json"]).output().unwrap());
    assert!(ok, "{err}");
    let told: Value = serde_json::from_str(&out).unwrap();
    let expected = json!([{
        "source": "github.com/acme/pay", "kind": "github", "requests": 15, "landed": 40, "tickets": 0, "changes": 40,
    }]);
    assert_eq!(told, expected);
    let after = |asked: usize| host.host().asked()[asked].body["variables"]["after"].clone();
    assert_eq!([after(2), after(4)], ["PR_16", "PR_16"]);
    let judged = "github.com/acme/pay: 40 verified, 0 disqualified, 0 pending, 0 excluded\n";
    assert_eq!(succeeds(folder.path(), &["judge", "--at", "2026-12-01T00:00:00Z"]), judged);
}

#[test]
fn a_renamed_repository_is_followed_and_said() {
    let (folder, _host) = source("acme/payments");
    let (ok, out, err) = text(sync(folder.path(), &[]).output().unwrap());
    assert!(ok, "{err}");
    assert_eq!(
        out,
        "github.com/acme/pay (github): 40 requests, 40 commits, 0 tickets read, 40 changes in all\n"
    );
    assert!(err.contains("renamed") && err.contains("acme/payments"), "{err}");
}

#[test]
fn a_source_that_fails_is_named_and_harms_no_other() {
    let (folder, host) = source("acme/pay");
    let settings = fs::read_to_string(folder.path().join("cpvo.toml")).unwrap();
    let other = "\n[[source]]\nkind = \"clone\"\nrepo = \"github.com/acme/web\"\npath = \"web\"\n";
    fs::write(folder.path().join("cpvo.toml"), settings + other).unwrap();
    let (ok, out, err) = text(sync(folder.path(), &[]).output().unwrap());
    assert!(!ok && out.contains("github.com/acme/pay (github): 40 requests"), "{out}");
    assert!(err.contains("the clone of github.com/acme/web") && err.contains("no such folder"), "{err}");
    assert!(err.contains("1 of 2 sources could not be read"), "{err}");
    let words = format!("{{\"message\": \"Bad credentials: {TOKEN}\"}}");
    host.host().fail([Some(Reply::Status(401, vec![], words))]);
    let (ok, _, err) = text(sync(folder.path(), &["github.com/acme/pay"]).output().unwrap());
    assert!(!ok && err.contains("does not take the token: Bad credentials: …"), "{err}");
    let mut bare = sync(folder.path(), &["github.com/acme/pay"]);
    let (ok, _, err) = text(bare.env_remove("GITHUB_TOKEN").output().unwrap());
    assert!(!ok && err.contains("GITHUB_TOKEN is not set"), "{err}");
}
