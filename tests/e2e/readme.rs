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

#[test]
fn its_queries_run_on_the_live_file() {
    let world = World::equipped();
    for email in ["ana@acme.example", "stranger@acme.example"] {
        world.work_as(email);
        let mut session = Transcript::begin(&world.home, &world.repo.path);
        session.response(tokens(100));
        world.session_ends(&session);
    }
    world.await_stored(&[tokens(100), tokens(100)]);
    let queries = blocks("sql");
    assert_eq!(queries.len(), 5);
    for query in queries {
        let file = world.collector().folder.join("cpvo.db");
        let rows = run(command("sqlite3", &world.home).arg("-readonly").arg(file).arg(&query)).success();
        assert!(!rows.trim().is_empty(), "no row from {query}");
    }
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
