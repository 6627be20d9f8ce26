//! `cpvo serve` reads its sources and judges by itself.

use crate::server::Server;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use tests::host::Reply;
use tests::host::github::{GitHub, commit, request};
use tests::wait::until;

#[expect(clippy::disallowed_methods, reason = "the server judges by the machine's clock")]
fn now() -> Timestamp {
    Timestamp::now()
}

#[test]
fn sources_are_read_and_judged_while_it_serves() {
    let host = GitHub::start("acme/pay");
    let at = (now() - SignedDuration::from_hours(60 * 24)).to_string();
    let sha = "a".repeat(40);
    host.state().touch(request(1, "Add x", &at, Some((&at, &sha))));
    host.state().commits.push(commit(&sha, &at, "Add x (#1)", Some(1)));
    let mut server = Server::start();
    let collector = &mut server.collector;
    collector.stop();
    let token = collector.folder.join("token");
    fs::write(&token, "ghp_hunter2\n").unwrap();
    fs::set_permissions(token, Permissions::from_mode(0o600)).unwrap();
    let settings = fs::read_to_string(collector.folder.join("cpvo.toml")).unwrap();
    let source = format!(
        "\n[[source]]\nkind = 'github'\nrepo = 'github.com/acme/pay'\nurl = '{}'\ntoken_file = 'token'\n",
        host.url()
    );
    fs::write(collector.folder.join("cpvo.toml"), settings + &source).unwrap();

    host.host().fail([Some(Reply::Status(401, vec![], "{\"message\": \"Bad credentials\"}".to_owned()))]);
    collector.serve();
    until("the failing source to be named", || {
        let log = collector.log();
        (log.contains("github.com/acme/pay") && log.contains("Bad credentials")).then_some(())
    });
    assert!(!collector.log().contains("hunter2"));
    collector.stop();
    collector.serve();
    until("the change to be judged", || {
        let states = collector.sql("SELECT number, state FROM change WHERE state IS NOT NULL");
        (states.len() == 1 && states[0]["number"] == json!(1)).then_some(())
    });
    collector.stop();

    host.host().fail([Some(Reply::Silent)]);
    let before = host.queries().len();
    collector.serve();
    until("the host to be asked", || (host.queries().len() > before).then_some(()));
    collector.stop();
    assert_eq!(host.queries().len(), before + 1, "nobody waited for its answer");
}
