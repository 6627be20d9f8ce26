//! What is exported, read by programs that are not ours.

use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use tests::program::{binary, checkout, command, run, run_with};

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
fn company(home: &Path) -> impl Fn(&[&str]) -> String {
    let cpvo = move |arguments: &[&str]| {
        run(command(binary("cpvo"), home).current_dir(home).args(arguments)).success()
    };
    cpvo(&["demo", "--no-serve", "--listen", "127.0.0.1:0", "--weeks", "3"]);
    move |arguments| cpvo(&[&["--config", "cpvo-demo/cpvo.toml"], arguments].concat())
}

#[test]
fn another_reader_finds_the_same_in_each_format() {
    let home = tempfile::Builder::new().prefix("cpvo-export-").tempdir().expect("a temporary folder");
    let cpvo = company(home.path());
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
