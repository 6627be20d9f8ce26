//! However a home comes to be, the collector holds what was billed: any order of files, any pieces, any
//! repetition, a hook that forgets, a clock that is wrong, transcripts that are gone, a home that was copied.

use std::collections::BTreeSet;
use std::fmt::Write;
use tests::corpus::{
    FEATURES, Feature, HOUSEKEEPING, Home, Overhead, Place, Plot, Rows, Stage, Sum, TROUBLES, Trouble, homes,
};

/// What the collector holds otherwise than the bills.
fn fault(stage: &Stage, seed: u64, features: &[Feature], troubles: &[Trouble]) -> Option<String> {
    stage.ship();
    let home = Home::of(seed, features, &stage.laptops.grounds);
    let plot = Plot::play(seed, &home, &stage.laptops, troubles);
    let (billed, stored) = (home.rows(), stage.stored(&home));
    (billed != stored).then(|| differences(&billed, &stored) + &plot.story())
}

#[track_caller]
fn check(stage: &Stage, seed: u64, features: &[Feature], troubles: &[Trouble]) {
    if fault(stage, seed, features, troubles).is_none() {
        return;
    }
    // a collector that has seen these sessions would remember them
    let afresh = |features: &[Feature], troubles: &[Trouble]| fault(&Stage::set(), seed, features, troubles);
    let (mut features, mut troubles) = (features.to_vec(), troubles.to_vec());
    for index in 0..troubles.len() {
        troubles[index].on = false;
        troubles[index].on = afresh(&features, &troubles).is_none();
    }
    for index in 0..features.len() {
        features[index].on = false;
        features[index].on = afresh(&features, &troubles).is_none();
    }
    let features_on = features.iter().filter(|feature| feature.on).map(|feature| feature.name);
    let troubles_on = troubles.iter().filter(|trouble| trouble.on).map(|trouble| trouble.name);
    let names: Vec<&str> = features_on.chain(troubles_on).collect();
    panic!("seed {seed}, {names:?}:\n{}", afresh(&features, &troubles).unwrap_or_default());
}

fn differences(billed: &Rows, stored: &Rows) -> String {
    let mut text = String::new();
    for (place, sum) in billed.iter().filter(|(place, sum)| stored.get(place) != Some(sum)) {
        writeln!(text, "billed {place:?}: {sum:?}").expect("a text");
    }
    for (place, sum) in stored.iter().filter(|(place, sum)| billed.get(place) != Some(sum)) {
        writeln!(text, "stored {place:?}: {sum:?}").expect("a text");
    }
    text
}

#[test]
fn however_a_home_comes_to_be_the_collector_holds_what_was_billed() {
    let stage = Stage::set();
    let features: Vec<Feature> = FEATURES.into_iter().chain(HOUSEKEEPING).collect();
    for seed in 0..homes(20, 300) {
        check(&stage, seed, &features, &TROUBLES);
    }
}

/// The rows without the sessions they are of.
fn of_anybody(rows: Rows) -> Rows {
    let mut all = Rows::new();
    for (place, Sum { requests, tokens }) in rows {
        let sum = all.entry(Place { session_id: String::new(), ..place }).or_default();
        sum.requests += requests;
        sum.tokens += tokens;
    }
    all
}

/// The one case in which a lost ledger counts twice: of a response that was delivered for its session, nothing is left
/// but a fork's copy that does not say whose it is. The collector has counted each before, as `adopted`.
#[test]
fn nothing_is_counted_twice_but_what_is_listed_as_adopted() {
    let stage = Stage::set();
    let nameless: Vec<Feature> =
        FEATURES.into_iter().filter(|feature| feature.name == "fork that names nobody").collect();
    let mut listed = 0;
    for seed in 0..homes(5, 100) {
        stage.ship();
        let home = Home::of(2_000 + seed, &nameless, &stage.laptops.grounds);
        let laptop = stage.laptops.laptop(&home, &format!("home-{seed}"));
        home.write(&laptop);
        laptop.sweep();
        let orphans = home.orphan(&laptop);
        laptop.sweep();
        assert_eq!(stage.stored(&home), home.rows(), "seed {seed}: the ledger remembers whose they are");
        laptop.forget(0);
        laptop.sweep();

        let mut expected = home.rows();
        for orphan in &orphans {
            orphan.add_to(&mut expected);
        }
        assert_eq!(of_anybody(stage.stored(&home)), of_anybody(expected), "seed {seed}");
        for session in orphans.iter().map(|orphan| &orphan.session).collect::<BTreeSet<_>>() {
            let adopted: Vec<_> = orphans.iter().filter(|orphan| orphan.session == *session).collect();
            assert_eq!(stage.adopted(session), adopted.len() as u64, "seed {seed}, session {session}");
            for orphan in adopted {
                println!("{session} {}: {:?}", orphan.message, orphan.tokens());
            }
        }
        listed += orphans.len();
    }
    println!("{listed} responses counted twice, as nothing is left that says whose they are");
    assert!(listed > 0, "no response lost its origin");
}

/// With its overhead a session costs what its client says it cost, to the nano-dollar; where that cannot be told,
/// the bills say why.
#[test]
fn a_session_costs_what_its_client_says_wherever_that_is_provable() {
    let stage = Stage::set();
    let features: Vec<Feature> = FEATURES.into_iter().chain(HOUSEKEEPING).collect();
    let (mut equal, mut untold) = (0, Vec::new());
    for seed in 0..homes(20, 300) {
        stage.ship();
        let home = Home::of(1_000 + seed, &features, &stage.laptops.grounds);
        let laptop = stage.laptops.laptop(&home, &format!("home-{seed}"));
        home.write(&laptop);
        laptop.sweep();
        let costs = stage.costs(&home);
        for (session, nanousd, overhead) in home.accounts() {
            let ours = costs.get(&session).copied().unwrap_or(0);
            match overhead {
                Overhead::Told(_) => {
                    assert_eq!(ours, nanousd, "seed {seed}, session {session}");
                    equal += 1;
                }
                Overhead::Untold(doubts) => untold.push(format!("{session}: {doubts:?}, {}", nanousd - ours)),
            }
        }
    }
    println!(
        "{equal} sessions cost what their client says; of these it cannot be told, with what the client has"
    );
    println!("beyond them in nano-dollars:\n{}", untold.join("\n"));
    assert!(equal > 0 && !untold.is_empty(), "{equal} sessions are provable, {} are not", untold.len());
}
