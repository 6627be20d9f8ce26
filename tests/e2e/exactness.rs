//! What `cpvo-hook totals` reads is what was billed: for every way of the corpus to mislead a reader, alone and
//! together.

use serde_json::Value;
use std::collections::BTreeSet;
use tests::corpus::{FEATURES, Feature, HOUSEKEEPING, Home, Laptops, Totals, homes};

/// Each number that differs, by its path.
fn differences(path: &str, billed: &Value, read: &Value) -> String {
    let objects = [billed, read].into_iter().filter_map(Value::as_object);
    let names: BTreeSet<&String> = objects.flat_map(|object| object.keys()).collect();
    if names.is_empty() && billed != read {
        return format!("{path}: billed {billed}, read {read}\n");
    }
    let within = |name: &String| differences(&format!("{path}/{name}"), &billed[name], &read[name]);
    names.into_iter().map(within).collect()
}

/// What `totals` says otherwise than the bills.
fn fault(laptops: &Laptops, seed: u64, features: &[Feature]) -> Option<String> {
    let home = Home::of(seed, features, &laptops.grounds);
    let laptop = laptops.laptop(&home, &format!("home-{seed}"));
    home.write(&laptop);
    let (mut expected, mut found) = (home.totals(), laptop.totals());
    for totals in [&mut expected, &mut found] {
        // how many lines there are is the reader's own count
        totals.quality.retain(|name, count| *count > 0 && name != "lines");
    }
    (expected != found).then(|| {
        let json = |totals: &Totals| serde_json::to_value(totals).expect("totals are JSON");
        differences("", &json(&expected), &json(&found))
    })
}

/// Turns off what the fault does not need.
fn reduce(laptops: &Laptops, seed: u64, features: &mut [Feature]) {
    for index in 0..features.len() {
        features[index].on = false;
        features[index].on = fault(laptops, seed, features).is_none();
    }
}

#[track_caller]
fn check(laptops: &Laptops, seed: u64, features: &[Feature]) {
    if fault(laptops, seed, features).is_none() {
        return;
    }
    let mut few = features.to_vec();
    reduce(laptops, seed, &mut few);
    let names: Vec<&str> = few.iter().filter(|feature| feature.on).map(|feature| feature.name).collect();
    panic!("seed {seed}, {names:?}:\n{}", fault(laptops, seed, &few).unwrap_or_default());
}

fn everything() -> Vec<Feature> {
    FEATURES.into_iter().chain(HOUSEKEEPING).collect()
}

#[test]
fn each_feature_alone_is_read_as_it_was_billed() {
    let laptops = Laptops::default();
    for (index, feature) in everything().into_iter().enumerate() {
        for seed in 0..2 {
            check(&laptops, 1_000 + 2 * index as u64 + seed, &[feature]);
        }
    }
}

#[test]
fn all_features_together_are_read_as_they_were_billed() {
    let laptops = Laptops::default();
    for seed in 0..homes(40, 1_000) {
        check(&laptops, seed, &everything());
    }
}
