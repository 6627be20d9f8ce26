//! A repository, a model or some weeks of all there is: in the same words for a command, a program and a page.

use super::weekly::Company;
use super::{fails, get};
use serde_json::{Value, json};

/// All spend of some weeks as JSON has them, in dollars.
fn spent(weekly: &Value) -> f64 {
    weekly["weeks"].as_array().unwrap().iter().map(|row| row["spend_usd"].as_f64().unwrap()).sum()
}

#[test]
fn a_part_of_the_weeks_is_the_same_for_whoever_asks() {
    let company = Company::found();
    company.land(&company.repositories[0], 0, 1..6, 2);
    company.land(&company.repositories[1], 0, 1..4, 0);
    company.build("ana@acme.example", 0, 0, 50);
    company.build("ana@acme.example", 1, 0, 7);
    company.build("bob@acme.example", 1, 1, 30);
    company.cpvo(&["sync"]);
    company.cpvo(&["judge"]);
    let url = company.collector.url();
    let parts =
        ["github.com/acme/busy", "github.com/acme/calm"].map(|repo| company.weekly(&["--repo", repo]));
    assert_eq!((spent(&company.weekly(&[])), parts.each_ref().map(spent)), (87.0, [50.0, 37.0]));
    let first = company.week(0).to_string();
    let of = |part: &Value, team: &str, field: &str| {
        let weeks = part["weeks"].as_array().unwrap();
        weeks.iter().find(|row| row["team"] == team && row["week"] == *first).unwrap()[field].clone()
    };
    let figures = |part, team| ["spend_usd", "verified", "cpvo_usd"].map(|field| of(part, team, field));
    assert_eq!(figures(&parts[0], "busy"), [json!(50.0), json!(3), json!(16.666_666_667)]);
    assert_eq!(
        figures(&parts[1], "busy"),
        [json!(7.0), json!(0), Value::Null],
        "spent in a repository of others"
    );
    let stands = ["team", "cost_usd"].map(|field| parts[1]["teams"][0][field].clone());
    assert_eq!(stands, [json!("calm"), json!(30.0)]);
    let asked = get(&url, "/v1/weeks?repo=github.com%2Facme%2Fbusy&team=&model=&weeks=12&from=&to=", &[]);
    let mut asked: Value = serde_json::from_str(asked.split_once("\r\n\r\n").unwrap().1).unwrap();
    asked["computed_at"] = parts[0]["computed_at"].clone();
    assert_eq!(asked, parts[0]);
    let page = get(&url, "/?repo=github.com%2Facme%2Fbusy&team=&model=&weeks=12&from=&to=", &[]);
    for said in [
        "Only github.com/acme/busy",
        "$50.00",
        "$16.67",
        "/v1/weeks?repo=github.com%2Facme%2Fbusy&amp;weeks=12",
    ] {
        assert!(page.contains(said), "{said}: {page}");
    }
    assert!(
        !page.contains("$57.00") && page.contains("<option value=\"github.com/acme/busy\" selected>"),
        "{page}"
    );

    let model = company.cpvo(&["sql", "SELECT DISTINCT model FROM usage", "--format", "csv"]);
    let model = model.lines().last().unwrap();
    let of_model = company.weekly(&["--model", model]);
    assert_eq!((spent(&of_model), of(&of_model, "busy", "verified")), (87.0, Value::Null));
    assert!(of_model["filter"]["outcomes"].as_str().unwrap().contains("built by several"), "{of_model}");
    let page = get(&url, &format!("/?model={model}"), &[]);
    assert!(page.contains("built by several") && !page.contains("Verified share"), "{page}");
    assert!(!page.contains("add [[source]]"), "{page}");

    let second = company.week(1).to_string();
    let one = company.weekly(&["--from", &second, "--to", &second]);
    assert_eq!((spent(&one), one["filter"]["to"].as_str()), (30.0, Some(second.as_str())));
    let text = company.cpvo(&["weekly", "--repo", "github.com/acme/calm"]);
    assert!(text.contains("only github.com/acme/calm: spend in it, and its changes"), "{text}");
}

#[test]
fn what_cannot_be_asked_for_is_said() {
    let company = Company::found();
    company.land(&company.repositories[0], 0, 1..6, 2);
    company.build("ana@acme.example", 0, 0, 50);
    company.cpvo(&["sync"]);
    company.cpvo(&["judge"]);
    let repo = "github.com/acme/busy";
    for (more, said) in [
        (
            ["--repo", "github.com/acme/x", "--weeks", "3"],
            "there is no repository \"github.com/acme/x\"; there are: github.com/acme/busy",
        ),
        (["--model", "gpt", "--weeks", "3"], "there is no model \"gpt\"; there are: claude-"),
        (["--repo", repo, "--basis", "work"], "leave repo and model away"),
        (["--from", "2026-W10", "--to", "2026-W09"], "2026-W10 comes after 2026-W09"),
        (["--from", "2199-W01", "--weeks", "3"], "from: 2199-W01 comes after "),
    ] {
        let error = fails(&company.collector.folder(), &[&["weekly"], &more[..]].concat());
        assert!(error.contains(said), "{error}");
    }
    let url = company.collector.url();
    for (path, status) in [
        ("/?repo=x", 404),
        ("/?model=x", 404),
        ("/?basis=work&repo=github.com/acme/busy", 422),
        ("/?from=2026-W10&to=2026-W09", 422),
        ("/v1/weeks?from=2199-W01", 422),
        ("/changes?from=2199-W01&to=2199-W05", 422),
        ("/?from=yesterday", 422),
        ("/changes?model=x", 422),
        ("/changes?team=x", 404),
    ] {
        let answer = get(&url, path, &[]);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{path}: {answer}");
    }
    let first = company.week(0).to_string();
    let listed = get(&url, &format!("/changes?team=busy&from={first}&to={first}"), &[]);
    for said in ["busy#5</a>", "$50.00", "disqualified", "revert", "verified", "<select name=\"repo\">"] {
        assert!(listed.contains(said), "{said}: {listed}");
    }
    assert!(!listed.contains("<select name=\"model\">"), "{listed}");
    assert!(
        listed.contains("<td>–</td>") && !listed.contains("$0.00"),
        "none is known of the others: {listed}"
    );
    let empty = get(&url, &format!("/changes?team=calm&from={first}&to={first}"), &[]);
    assert!(empty.starts_with("HTTP/1.1 200") && empty.contains("No change shipped there"), "{empty}");
}
