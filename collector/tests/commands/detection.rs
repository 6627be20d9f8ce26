//! How well reverts are found: every form people and hosts write, in repositories made with real git, scored by pair.

use super::outcomes::clone;
use super::succeeds;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use tests::carved::{Carved, TakenBack};
use tests::lot;

/// Of one form: how often it was played and how often it was found.
type Scores = BTreeMap<&'static str, (usize, usize)>;

/// What `cpvo` says took back what, by commit.
#[expect(clippy::print_stdout, reason = "what is wrong is read, not counted")]
fn found(seed: u64, scores: &mut Scores) -> (usize, usize, usize) {
    let (folder, repository) = clone();
    let carved = Carved::new(repository, seed, if lot::is_full() { 90 } else { 18 });
    for command in ["sync", "judge"] {
        succeeds(folder.path(), &[command]);
    }
    let told = succeeds(folder.path(), &["changes", "--repo", "github.com/acme/pay", "--format", "json"]);
    let told: Vec<Value> = serde_json::from_str(&told).unwrap();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut found = BTreeSet::new();
    for change in &told {
        for by in change["reverts"].as_array().unwrap().iter().filter(|by| by["kind"] == "revert") {
            found.insert((text(&by["by_sha"]), text(&change["sha"])));
        }
    }
    let mut hits = 0;
    for TakenBack { form, by, of } in &carved.truth {
        let hit = found.remove(&(by.clone(), of.clone()));
        let score = scores.entry(form).or_default();
        *score = (score.0 + 1, score.1 + usize::from(hit));
        hits += usize::from(hit);
    }
    for (by, of) in &found {
        println!("wrong:\n{}", carved.repository.git(&["log", "--no-walk", "--format=%h %B", by, of]));
        let decoy =
            carved.decoys.iter().find(|(_, sha)| sha == by).map_or("something else", |(form, _)| form);
        scores.entry(decoy).or_default().1 += 1;
    }
    (carved.truth.len(), hits, found.len())
}

#[test]
fn reverts_are_found_in_every_form_and_nowhere_else() {
    let mut scores = Scores::new();
    for seed in 0..lot::number("CPVO_TEST_HISTORIES").unwrap_or(2) {
        let (pairs, hits, wrong) = found(seed, &mut scores);
        let percent = |part: usize, whole: usize| 100 * part / whole.max(1);
        let (precision, recall) = (percent(hits, hits + wrong), percent(hits, pairs));
        println!(
            "seed {seed}: {pairs} pairs, {hits} found, {wrong} wrong: precision {precision} %, recall {recall} %"
        );
        let table = || scores.iter().map(|(form, (of, found))| format!("{form:<30} {found:>4} of {of}\n"));
        assert!(precision >= 98 && recall >= 92, "seed {seed}:\n{}", table().collect::<String>());
    }
    for (form, (of, found)) in &scores {
        println!("{form:<30} {found:>4} of {of}");
    }
}
