//! From the end of a session to the table an admin reads.

use tests::World;
use tests::transcript::{Transcript, tokens};

#[test]
fn a_session_becomes_a_priced_row_of_its_team() {
    let world = World::equipped();
    let mut session = Transcript::begin(&world.home, &world.repo.path);
    session.prompt("Add refunds");
    session.response(tokens(100));
    session.switch("feature/PAY-42");
    session.response(tokens(200));
    world.session_ends(&session);

    let stored = world.await_stored(&[tokens(100), tokens(200)]);
    let branches: Vec<&str> = stored.places().map(|place| place.branch.as_str()).collect();
    assert_eq!(branches, ["feature/PAY-42", "main"]);
    assert!(stored.places().all(|place| place.team == "payments" && place.session_id == session.session));
    // 10 input at 4, 1000 cache reads at 0.2, 20 + 30 cache writes at 5 and 8, 100 output at 20 USD per million
    assert_eq!(
        stored.total(|place| place.branch == "main").cost_nanousd,
        40_000 + 200_000 + 100_000 + 240_000 + 2_000_000
    );

    let weekly = world.collector().cpvo(&["weekly"]).success();
    assert!(weekly.contains("payments") && weekly.contains("$0.01"), "{weekly}");
}

#[test]
fn a_growing_session_is_counted_once() {
    let world = World::equipped();
    let mut session = Transcript::begin(&world.home, &world.repo.path);
    session.response(tokens(1));
    world.session_ends(&session);
    world.await_stored(&[tokens(1)]);
    session.response(tokens(2));
    world.session_ends(&session);
    world.session_ends(&session);
    world.await_stored(&[tokens(1), tokens(2)]);
    world.hook(&world.repo.path, &["sweep"]).success();
    world.await_stored(&[tokens(1), tokens(2)]);
}

#[test]
fn a_model_without_a_price_is_shown_and_not_guessed() {
    let world = World::equipped();
    let mut session = Transcript::begin(&world.home, &world.repo.path);
    session.response_of("claude-unheard-9", tokens(7));
    world.session_ends(&session);
    world.await_stored(&[tokens(7)]);
    let costs = world.collector().sql("SELECT cost_nanousd FROM usage");
    assert!(costs.len() == 1 && costs[0]["cost_nanousd"].is_null(), "{costs:?}");
    let weeks = world.collector().sql("SELECT unpriced_rows FROM team_week WHERE team = 'payments'");
    assert_eq!(weeks[0]["unpriced_rows"], 1);
}

#[test]
fn a_session_that_never_ended_is_found_at_the_next_start() {
    let world = World::equipped();
    let mut killed = Transcript::begin(&world.home, &world.repo.path);
    killed.response(tokens(5));
    let next = Transcript::begin(&world.home, &world.repo.path);
    world.session_starts(&next);
    let stored = world.await_stored(&[tokens(5)]);
    assert!(stored.places().all(|place| place.session_id == killed.session));
    let reasons = world.collector().sql("SELECT end_reason FROM session");
    assert_eq!(reasons[0]["end_reason"], "swept");
}

#[test]
fn words_stay_on_the_machine() {
    let world = World::equipped();
    let mut session = Transcript::begin(&world.home, &world.repo.path);
    session.prompt("the-secret-plan");
    session.response(tokens(9));
    world.session_ends(&session);
    world.await_stored(&[tokens(9)]);
    let database = std::fs::read_dir(&world.collector().folder).unwrap().flatten();
    for file in database.filter(|file| file.path().is_file()) {
        let bytes = String::from_utf8_lossy(&std::fs::read(file.path()).unwrap()).into_owned();
        let name = file.file_name();
        assert!(!bytes.contains("the-secret-plan") && !bytes.contains("words that stay here"), "{name:?}");
        let folder = world.folder().display().to_string();
        assert!(!bytes.contains(&format!("{folder}/home")), "a path of the developer in {name:?}");
    }
}
