//! What the README says is so.

use std::fs;
use tests::World;
use tests::program::{binary, checkout, command, run};
use tests::transcript::{Transcript, tokens};

fn readme() -> String {
    fs::read_to_string(checkout().join("README.md")).expect("a README")
}

/// The fenced blocks of one language.
fn blocks(language: &str) -> Vec<String> {
    let text = readme();
    let opening = format!("\n```{language}\n");
    let after = text.split(&opening).skip(1);
    after.filter_map(|rest| rest.split("\n```\n").next().map(str::to_owned)).collect()
}

/// What each query of the README says of the two sessions below, in its order; `*` is the time they were in.
const ANSWERS: [&str; 5] = [
    "*|payments|1|101060|2.0|0\n*|unassigned|1|201060|4.0|0",
    "main|github.com/acme/pay|1|2.0",
    "claude-opus-5-5|2|6.0|94.3",
    "unassigned|main|main|4.0\npayments|main|main|2.0",
    "stranger@acme.example|1|1|4.0|*",
];

#[test]
fn its_queries_say_on_the_live_file_what_was_spent() {
    let world = World::equipped();
    let spent = [("ana@acme.example", tokens(100_000)), ("stranger@acme.example", tokens(200_000))];
    for (email, tokens) in spent {
        world.work_as(email);
        let mut session = Transcript::begin(&world.home, &world.repo.path);
        session.response(tokens);
        world.session_ends(&session);
    }
    world.await_stored(&spent.map(|(_, tokens)| tokens));
    let file = world.collector().folder.join("cpvo.db");
    let ask =
        |query: &str| run(command("sqlite3", &world.home).arg("-readonly").arg(&file).arg(query)).success();
    let time = ask("SELECT week FROM spend LIMIT 1; SELECT hour FROM spend ORDER BY hour DESC LIMIT 1");
    let timeless = |rows: String| time.lines().fold(rows, |rows, time| rows.replace(time, "*"));
    let queries = blocks("sql");
    let answers: Vec<String> = queries.iter().map(|query| timeless(ask(query)).trim().to_owned()).collect();
    assert_eq!(answers, ANSWERS);
}

#[test]
fn the_path_it_quotes_is_the_code() {
    let code = fs::read_to_string(checkout().join("collector/src/http/reports.rs")).unwrap();
    let quoted = blocks("rust");
    assert_eq!(quoted.len(), 2);
    for block in &quoted {
        assert!(
            code.contains(block.as_str()),
            "collector/src/http/reports.rs has changed: quote it anew\n{block}"
        );
    }
    let lines: usize = quoted.iter().map(|block| block.lines().count()).sum();
    assert!(lines < 75, "the path has grown to {lines} lines");
}

#[test]
fn the_commands_it_names_exist() {
    let home = tempfile::tempdir().unwrap();
    for program in ["cpvo", "cpvo-hook"] {
        let help = run(command(binary(program), home.path()).arg("--help")).success();
        let text = readme();
        let named = text.split(['`', '\n']).filter_map(|part| part.strip_prefix(&format!("{program} ")));
        let mut count = 0;
        for word in named.filter_map(|rest| rest.split_whitespace().next()) {
            let known = help.lines().any(|line| line.split_whitespace().next() == Some(word));
            assert!(known, "README names `{program} {word}`");
            count += 1;
        }
        assert!(count > 2, "README names few commands of {program}");
    }
}
