//! What is exported, and what looks at a database, in programs that are not ours.

use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use tests::postgres::Cluster;
use tests::program::{Running, binary, checkout, command, run, run_with};
use tests::wait::until;

const CONTENTS: [&str; 3] = ["spend", "weeks", "changes"];

/// Tells of each sheet its types, its rows, and how many its CSV has otherwise than its Parquet; then sums.
const READ: &str = r#"
import decimal, duckdb, json

def sheet(name):
    parquet, csv = f"'{name}.parquet'", f"read_csv('{name}.csv', all_varchar = true, header = true)"
    text = "SELECT COLUMNS(*)::VARCHAR FROM"
    one = lambda sql: duckdb.sql(sql).fetchall()[0][0]
    odd = f"({text} {parquet} EXCEPT ALL {text} {csv}) UNION ALL ({text} {csv} EXCEPT ALL {text} {parquet})"
    columns = duckdb.sql(f"DESCRIBE SELECT * FROM {parquet}").fetchall()
    rows = [dict(zip([name for name, *_ in columns], row)) for row in duckdb.sql(f"SELECT * FROM {parquet}").fetchall()]
    same = rows == json.load(open(f"{name}.json"), parse_float=decimal.Decimal)
    return {"types": sorted({kind for _, kind, *_ in columns}), "rows": one(f"SELECT COUNT(*) FROM {parquet}"),
            "odd": one(f"SELECT COUNT(*) FROM ({odd})"), "json": same}

told = {name: sheet(name) for name in ["spend", "weeks", "changes"]}
told["spent"] = str(duckdb.sql("SELECT SUM(cost_usd) FROM 'spend.parquet'").fetchall()[0][0])
focus = "read_csv('focus.csv', all_varchar = true, header = true)"
[(listed, billed, tokens)] = duckdb.sql(
    f"SELECT SUM(ListCost::DECIMAL(18,9)), SUM(BilledCost::DECIMAL(18,9)), SUM(x_TokenCount::BIGINT) FROM {focus}").fetchall()
told["focus"] = [str(listed), str(billed + 0 == 0), str(tokens)]
print(json.dumps(told))
"#;

/// A program of Python's that `scripts/needs` installed.
fn python(program: &str) -> std::path::PathBuf {
    let path = checkout().join(".cache/python/bin").join(program);
    assert!(path.exists(), "{} is missing: run scripts/needs first", path.display());
    path
}

/// `cpvo` of an invented company in `home`.
fn company<'a>(home: &'a Path, weeks: &str, more: &[&str]) -> impl Fn(&[&str]) -> String + use<'a> {
    let cpvo = move |arguments: &[&str]| {
        run(command(binary("cpvo"), home).current_dir(home).args(arguments)).success()
    };
    cpvo(&[&["demo", "--no-serve", "--listen", "127.0.0.1:0", "--weeks", weeks], more].concat());
    move |arguments| cpvo(&[&["--config", "cpvo-demo/cpvo.toml"], arguments].concat())
}

#[test]
fn another_reader_finds_the_same_in_each_format() {
    let home = tempfile::Builder::new().prefix("cpvo-export-").tempdir().expect("a temporary folder");
    let cpvo = company(home.path(), "3", &[]);
    for content in CONTENTS {
        for format in ["csv", "json", "parquet"] {
            let line = format!(
                "exec {} --config cpvo-demo/cpvo.toml export {content} --format {format} > {content}.{format}",
                binary("cpvo").display()
            );
            run(command("sh", home.path()).current_dir(home.path()).args(["-c", &line])).success();
        }
    }
    fs::write(home.path().join("focus.csv"), cpvo(&["export", "--format", "focus"])).expect("a file");
    let mut reader = command(python("python"), home.path());
    let told = run_with(reader.current_dir(home.path()).arg("-"), READ.as_bytes()).success();
    let told: Value = serde_json::from_str(&told).expect("JSON");
    for content in CONTENTS {
        assert_eq!([&told[content]["odd"], &told[content]["json"]], [&json!(0), &json!(true)], "{content}");
        assert!(told[content]["rows"].as_u64() > Some(10), "{content}: {told}");
        assert_eq!(told[content]["types"], json!(["BIGINT", "DECIMAL(18,9)", "VARCHAR"]), "{content}");
    }

    let sums = "SELECT CAST(SUM(cost_nanousd) AS BIGINT),
        CAST(SUM(input + output + cache_read + cache_write_5m + cache_write_1h) AS BIGINT) FROM usage";
    let sums = cpvo(&["sql", sums, "--format", "csv"]);
    let (nano, tokens) = sums.lines().nth(1).and_then(|line| line.split_once(',')).expect("two sums");
    let nano: u64 = nano.parse().expect("nano-dollars");
    let dollars = format!("{}.{:09}", nano / 1_000_000_000, nano % 1_000_000_000);
    assert_eq!(told["spent"], json!(dollars));
    assert_eq!(told["focus"], json!([dollars, "True", tokens]), "all of it listed, nothing billed");
}

/// The rows of a canned query, asked as a browser does.
fn rows(url: &str, home: &Path) -> Value {
    let answer = run(command("curl", home).args(["--silent", "--fail", url])).success();
    serde_json::from_str(&answer).expect("JSON")
}

#[test]
fn datasette_answers_each_of_its_questions() {
    let home = tempfile::Builder::new().prefix("cpvo-datasette-").tempdir().expect("a temporary folder");
    let folder = home.path();
    drop(company(folder, "3", &[]));
    fs::create_dir(folder.join("look")).expect("a folder");
    let copy = ["cpvo-demo/cpvo.db", "VACUUM INTO 'look/cpvo.db'"];
    run(command("sqlite3", folder).current_dir(folder).args(copy)).success();
    let log = folder.join("datasette.log");
    let mut datasette = command(python("datasette"), folder);
    datasette.current_dir(folder).args(["serve", "--immutable", "look/cpvo.db", "--port", "0", "--metadata"]);
    let _server = Running::start_logged(datasette.arg(checkout().join("scripts/datasette.yml")), &log);
    let url = until("datasette to listen", || {
        let log = fs::read_to_string(&log).unwrap_or_default();
        let (_, rest) = log.split_once("running on ")?;
        Some(rest.split_whitespace().next()?.to_owned())
    });
    let about = rows(&format!("{url}/cpvo.json"), folder);
    let queries: Vec<&str> =
        about["queries"].as_array().expect("queries").iter().filter_map(|one| one["name"].as_str()).collect();
    assert_eq!(queries.len(), 7, "{queries:?}");
    for name in queries {
        let answer = rows(&format!("{url}/cpvo/{name}.json?_shape=array"), folder);
        assert!(answer.as_array().is_some_and(|rows| !rows.is_empty()), "{name}: {answer}");
    }
}

#[test]
fn each_panel_of_the_grafana_dashboard_has_rows() {
    let cluster = Cluster::start();
    let home = tempfile::Builder::new().prefix("cpvo-grafana-").tempdir().expect("a temporary folder");
    let cpvo = company(home.path(), "6", &["--db", &cluster.database("grafana")]);
    let text = fs::read_to_string(checkout().join("scripts/grafana.json")).expect("the dashboard");
    let dashboard: Value = serde_json::from_str(&text).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("panels");
    let asked = panels.iter().flat_map(|panel| panel["targets"].as_array().expect("targets"));
    let mut queries: Vec<&str> = asked.map(|target| target["rawSql"].as_str().expect("SQL")).collect();
    queries.push(dashboard["templating"]["list"][0]["query"].as_str().expect("SQL"));
    assert_eq!(queries.len(), 7 + 1);
    for query in queries {
        // what Grafana puts in place of its own words
        let query = query.replace("$__timeFilter(", "('2000-01-01T00:00:00Z' < ");
        let query = query.replace("${team:sqlstring}", "SELECT team FROM team_week");
        assert!(!query.contains('$'), "{query}");
        let answer = cpvo(&["sql", &query, "--format", "json"]);
        let rows: Value = serde_json::from_str(&answer).expect("JSON");
        assert!(rows.as_array().is_some_and(|rows| !rows.is_empty()), "{query}");
    }
}
