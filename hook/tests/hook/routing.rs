//! Where rows go when several folders claim to be checkouts of one repository.

use crate::collector::Collector;
use crate::reading::{stage, totals};
use crate::world::{ONE, TWO, World, newest, response, ship};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

const THREE: &str = "00000000-0000-4000-8000-000000000003";

/// Another folder that says it is a checkout of `pay`.
pub(crate) fn claim(world: &World, pay: &Path, name: &str, variables: &Value) -> PathBuf {
    let folder = world.repository(name, None);
    let origin = world.git(pay, &["remote", "get-url", "origin"]);
    world.git(&folder, &["remote", "set-url", "origin", &origin]);
    ship(&folder, variables);
    folder
}

fn sessions(collector: &Collector) -> Vec<String> {
    let named = |report: &Value| report["session_id"].as_str().unwrap().to_owned();
    collector.reports().iter().map(named).collect()
}

fn problems(world: &World, folder: &Path) -> String {
    world.json(folder, &["status", "--json"])["problems"].to_string()
}

#[test]
fn a_folder_that_claims_the_remote_neither_blocks_nor_redirects() {
    let (collector, world, pay) = stage();
    let foreign = Collector::start();
    let claims = claim(&world, &pay, "claims", &json!({"CPVO_URL": foreign.url()}));
    world.write(ONE, &[response(ONE, "a", &pay, 7)]);
    world.write(TWO, &[response(TWO, "b", &claims, 5)]);
    for folder in [&claims, &pay] {
        world.sweep(folder);
        world.json(folder, &["sweep", "--all", "--json"]);
        assert_eq!(problems(&world, folder), "[]");
    }
    assert_eq!((sessions(&collector), sessions(&foreign)), (vec![ONE.to_owned()], vec![TWO.to_owned()]));
}

#[test]
fn what_another_session_copied_goes_where_its_own_lines_stood() {
    let (collector, world, pay) = stage();
    let foreign = Collector::start();
    let claims = claim(&world, &pay, "claims", &json!({"CPVO_URL": foreign.url()}));
    let mut copy = response(TWO, "a", &pay, 7);
    copy["requestSessionId"] = json!(ONE);
    world.write(TWO, &[copy, response(TWO, "b", &claims, 5)]);
    world.sweep(&pay);
    assert_eq!((sessions(&collector), sessions(&foreign).len()), (vec![ONE.to_owned()], 0));
}

#[test]
fn a_session_of_two_checkouts_that_disagree_is_not_sent_and_status_says_so() {
    let (collector, world, pay) = stage();
    let foreign = Collector::start();
    let claims = claim(&world, &pay, "claims", &json!({"CPVO_URL": foreign.url()}));
    world.write(ONE, &[response(ONE, "a", &pay, 7)]);
    world.write(TWO, &[response(TWO, "b", &claims, 5), response(TWO, "c", &pay, 1)]);
    world.sweep(&claims);
    world.sweep(&pay);
    assert_eq!((sessions(&collector), sessions(&foreign).len()), (vec![ONE.to_owned()], 0));
    let said = problems(&world, &pay);
    assert!(said.contains("name different collectors") && said.contains("claims"), "{said}");
}

#[test]
fn where_its_own_checkouts_are_gone_the_others_speak() {
    let (collector, world, pay) = stage();
    let old = claim(&world, &pay, "old", &json!({"CPVO_URL": collector.url()}));
    world.write(ONE, &[response(ONE, "a", &old, 7)]);
    world.write(TWO, &[response(TWO, "b", &pay, 5)]);
    // read but not sent
    let away = world.repository("away", Some("https://away.example"));
    world.hook(&away, &["sweep"], "");
    std::fs::remove_dir_all(&old).unwrap();
    world.sweep(&pay);
    totals(&collector, &[("pay", 12)]);
    // and where they disagree nobody is believed
    claim(&world, &pay, "claims", &json!({"CPVO_URL": "https://claims.example"}));
    world.write(THREE, &[response(THREE, "c", &world.path("claims"), 1)]);
    world.append(ONE, &[response(ONE, "d", &old, 2)]);
    world.append(TWO, &[response(TWO, "e", &pay, 1)]);
    world.sweep(&pay);
    totals(&collector, &[("pay", 13)]);
    assert!(problems(&world, &pay).contains("name different collectors"));
}

#[test]
fn the_main_working_tree_speaks_for_a_linked_one_that_ships_nothing() {
    let (collector, world, pay) = stage();
    world.git(&pay, &["commit", "-q", "--allow-empty", "-m", "before the settings"]);
    let linked = world.path("linked");
    world.git(&pay, &["worktree", "add", "-q", linked.to_str().unwrap()]);
    let clone = claim(&world, &pay, "clone", &json!({}));
    world.write(ONE, &[response(ONE, "a", &linked, 7)]);
    world.write(TWO, &[response(TWO, "b", &clone, 5)]);
    world.sweep(&pay);
    assert_eq!(newest(&collector.reports()).values().sum::<u64>(), 7, "a clone of its own says nothing");
}

#[test]
fn an_old_checkout_s_token_is_not_used_for_the_current_one() {
    let (collector, world, pay) = stage();
    let old = json!({"CPVO_URL": collector.url(), "CPVO_TOKEN": "rotated"});
    let old = claim(&world, &pay, "a-old", &old);
    world.write(ONE, &[response(ONE, "a", &pay, 7)]);
    world.write(TWO, &[response(TWO, "b", &old, 5)]);
    assert_eq!(world.sweep(&pay)["sent"].as_array().unwrap().len(), 2);
    assert!(collector.requests().iter().all(|request| request.token == "Bearer token-of-pay"));
}
