//! What reading a history of transcripts costs, beside `cat` on the same files and the programs developers use today.
//!
//! `bench_reader CPVO_HOOK PEERS` writes two histories into a temporary folder and prints one table for each. Every
//! command runs three times, each in a process of its own that does nothing else, and shows its middle run by
//! processor time, children included. The files were read once and lie in the page cache. `PEERS` is where
//! `scripts/bench` installed what it could; what is missing is said.

use anyhow::{Context, Result, ensure};
use nix::sys::resource::{UsageWho, getrusage};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;
use tests::history::{History, Sum};

const SEED: u64 = 20_261_122;
const RUNS: usize = 3;
const MEGABYTES: [u64; 2] = [100, 1_000];

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["measure", out, program, rest @ ..] => measure(out, program, rest),
        ["write", home, megabytes] => write(Path::new(home), megabytes.parse()?).map(drop),
        [hook, peers] => {
            let (hook, peers) = (fs::canonicalize(hook)?, fs::canonicalize(peers)?);
            MEGABYTES.iter().try_for_each(|megabytes| contest(&hook, &peers, *megabytes))
        }
        _ => anyhow::bail!("usage: bench_reader CPVO_HOOK PEERS | bench_reader write HOME MEGABYTES"),
    }
}

/// A home with a history, all of it of one folder.
fn write(home: &Path, megabytes: u64) -> Result<History> {
    let folder = home.join("pay");
    fs::create_dir_all(&folder)?;
    History::write(&home.join(".claude/projects"), &folder.canonicalize()?, megabytes * 1_000_000, SEED)
}

/// What one run cost.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Cost {
    wall_s: f64,
    cpu_s: f64,
    memory_kib: i64,
}

/// Runs a program, its standard output in `out`, and prints what it cost. Only here has the process no other children.
fn measure(out: &str, program: &str, arguments: &[&str]) -> Result<()> {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(File::create(out)?).stderr(Stdio::null());
    let start = Instant::now();
    let status = command.status().with_context(|| format!("cannot run {program}"))?;
    let wall_s = start.elapsed().as_secs_f64();
    ensure!(status.success(), "{program} ended with {status}");
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let seconds = [usage.user_time(), usage.system_time()].map(|time| {
        std::time::Duration::new(u64::try_from(time.tv_sec()).unwrap_or(0), 0).as_secs_f64()
            + f64::from(i32::try_from(time.tv_usec()).unwrap_or(0)) / 1e6
    });
    let cost = Cost { wall_s, cpu_s: seconds.iter().sum(), memory_kib: usage.max_rss() };
    say(&serde_json::to_string(&cost)?);
    Ok(())
}

/// Who reads: what is run, what must be gone or done before, and where its sums stand.
struct Entrant {
    name: &'static str,
    program: PathBuf,
    arguments: Vec<String>,
    before: Before,
    /// `None` where nothing is said: then it is read for reading's sake, and written nowhere.
    sum: Option<Summing>,
}

type Summing = fn(&Ring, &Value) -> Option<Sum>;

#[derive(Clone, Copy)]
enum Before {
    /// What an earlier run kept may be used.
    Warm,
    /// Nothing was ever kept.
    Cold,
    /// One session went on by a line.
    Grown,
}

/// Where they meet.
struct Ring {
    home: PathBuf,
    history: History,
}

impl Ring {
    fn state(&self) -> PathBuf {
        self.home.join("state")
    }

    fn prepare(&self, before: Before) -> Result<()> {
        match before {
            Before::Warm => {}
            Before::Cold => {
                for cache in ["state", ".cache", ".config", ".local"] {
                    // it may not have been made
                    let _ = fs::remove_dir_all(self.home.join(cache));
                }
            }
            Before::Grown => {
                let path = self.history.files.last().context("a history has files")?;
                let text = fs::read_to_string(path)?;
                let line = text.lines().rfind(|line| line.contains(r#""type":"user""#));
                let line = line.context("a session has prompts")?;
                writeln!(OpenOptions::new().append(true).open(path)?, "{line}")?;
            }
        }
        Ok(())
    }

    fn run(&self, entrant: &Entrant) -> Result<(Cost, Option<Sum>)> {
        let out = if entrant.sum.is_some() { self.home.join("out") } else { "/dev/null".into() };
        let this = std::env::current_exe()?;
        let mut costs = Vec::new();
        for _ in 0..RUNS {
            self.prepare(entrant.before)?;
            let mut command = Command::new(&this);
            command.arg("measure").arg(&out).arg(&entrant.program).args(&entrant.arguments);
            command.env_clear().env("HOME", &self.home).env("PATH", "/usr/local/bin:/usr/bin:/bin");
            command.env("CPVO_STATE_DIR", self.state()).current_dir(self.home.join("pay"));
            let output = command.output()?;
            ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            costs.push(serde_json::from_slice::<Cost>(&output.stdout)?);
        }
        costs.sort_by(|a, b| a.cpu_s.total_cmp(&b.cpu_s));
        let printed = fs::read(&out)?;
        let printed = serde_json::from_slice(&printed).unwrap_or_default();
        let sum = entrant.sum.and_then(|sum| sum(self, &printed));
        Ok((costs[RUNS / 2], sum))
    }

    /// The responses the ledger holds.
    fn ledger(&self) -> Option<Sum> {
        let query = "SELECT COUNT(DISTINCT key), SUM(input), SUM(output), SUM(cache_read), SUM(cache_write_5m + cache_write_1h) FROM response";
        let database = fs::read_dir(self.state()).ok()?.flatten().map(|entry| entry.path());
        let database = database.into_iter().find(|path| path.extension().is_some_and(|end| end == "db"))?;
        let output = Command::new("sqlite3").arg("-readonly").arg(database).arg(query).output().ok()?;
        let row = String::from_utf8(output.stdout).ok()?;
        let mut counts = row.trim().split('|').map(|count| count.parse().ok());
        let mut next = || counts.next().flatten();
        Some(Sum {
            requests: next()?,
            input: next()?,
            output: next()?,
            cache_read: next()?,
            cache_write: next()?,
        })
    }
}

/// The sum at `place`, by the names its program gives the counts.
fn named(place: &Value, [input, output, read, write]: [&str; 4]) -> Option<Sum> {
    let count = |name: &str| place[name].as_u64();
    let (input, output, cache_read, cache_write) =
        (count(input)?, count(output)?, count(read)?, count(write)?);
    Some(Sum { requests: 0, input, output, cache_read, cache_write })
}

fn entrants(hook: &Path, peers: &Path, files: &[PathBuf]) -> Vec<Entrant> {
    let files: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
    let all = |first: &str| [vec![first.to_owned()], files.clone()].concat();
    let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
    let entrant = |name, program: PathBuf, arguments, before, sum: Summing| Entrant {
        name,
        program,
        arguments,
        before,
        sum: Some(sum),
    };
    let silent = |name, program: &str, option: &str| Entrant {
        name,
        program: program.into(),
        arguments: all(option),
        before: Before::Warm,
        sum: None,
    };
    let ccusage = peers.join("node_modules/@ccusage/ccusage-linux-x64/bin/ccusage");
    let tokscale = peers.join("node_modules/@tokscale/cli-linux-x64-gnu/bin/tokscale");
    let ccstats = peers.join("bin/ccstats");
    let of_ccusage = |_: &Ring, value: &Value| {
        named(&value["totals"], ["inputTokens", "outputTokens", "cacheReadTokens", "cacheCreationTokens"])
    };
    let of_tokscale = |_: &Ring, value: &Value| {
        named(value, ["totalInput", "totalOutput", "totalCacheRead", "totalCacheWrite"])
    };
    let of_ccstats = |_: &Ring, value: &Value| {
        let names = ["input_tokens", "output_tokens", "cache_read_tokens", "cache_creation_tokens"];
        all_of(value.as_array()?.iter().map(|day| named(day, names)))
    };
    let of_totals = |_: &Ring, value: &Value| all_of(value["by_model"].as_object()?.values().map(of_hook));
    vec![
        silent("cat", "/bin/cat", "--"),
        silent("wc -l", "/usr/bin/wc", "-l"),
        entrant("**cpvo-hook totals**", hook.into(), words("totals --all --json"), Before::Cold, of_totals),
        entrant(
            "**cpvo-hook sweep**, cold",
            hook.into(),
            words("sweep --all --json"),
            Before::Cold,
            |ring, _| ring.ledger(),
        ),
        entrant(
            "**cpvo-hook sweep**, one file grown",
            hook.into(),
            words("sweep --all --json"),
            Before::Grown,
            |ring, _| ring.ledger(),
        ),
        entrant("ccusage daily", ccusage.clone(), words("claude daily --json -O"), Before::Warm, of_ccusage),
        entrant("ccusage session", ccusage, words("claude session --json -O"), Before::Warm, of_ccusage),
        entrant("tokscale, cold", tokscale.clone(), words("models --json"), Before::Cold, of_tokscale),
        entrant("tokscale, warm", tokscale, words("models --json"), Before::Warm, of_tokscale),
        entrant("ccstats, cold", ccstats.clone(), words("daily --json --offline"), Before::Cold, of_ccstats),
        entrant("ccstats, warm", ccstats, words("daily --json --offline"), Before::Warm, of_ccstats),
    ]
}

fn all_of(sums: impl Iterator<Item = Option<Sum>>) -> Option<Sum> {
    let mut all = Sum::default();
    for sum in sums {
        all += sum?;
    }
    Some(all)
}

fn of_hook(sum: &Value) -> Option<Sum> {
    let of = |write: &str| named(sum, ["input", "output", "cache_read", write]);
    let (five, hour) = (of("cache_write_5m")?, of("cache_write_1h")?);
    Some(Sum {
        requests: sum["requests"].as_u64()?,
        cache_write: five.cache_write + hour.cache_write,
        ..five
    })
}

fn contest(hook: &Path, peers: &Path, megabytes: u64) -> Result<()> {
    let folder = tempfile::Builder::new().prefix("cpvo-bench-").tempdir()?;
    let home = folder.path().canonicalize()?;
    let ring = Ring { history: write(&home, megabytes)?, home };
    // nothing is left to be written while others are measured, and all of it was read
    for path in &ring.history.files {
        File::open(path)?.sync_all()?;
        fs::read(path)?;
    }
    let truth = ring.history.total();
    let History { files, bytes, lines, .. } = &ring.history;
    say(&format!(
        "\n{} MB, {} transcripts, {lines} lines, {} responses\n",
        bytes / 1_000_000,
        files.len(),
        truth.requests
    ));
    say("| | wall s | CPU s | × cat | MiB | tokens |\n|---|---|---|---|---|---|");
    let mut cat_s = f64::NAN;
    for entrant in entrants(hook, peers, files) {
        let name = entrant.name;
        if !entrant.program.exists() {
            say(&format!("| {name} | not installed | | | | |"));
            continue;
        }
        let (Cost { wall_s, cpu_s, memory_kib }, sum) = ring.run(&entrant)?;
        cat_s = if name == "cat" { cpu_s } else { cat_s };
        let (times, mib, verdict) =
            (cpu_s / cat_s, memory_kib / 1024, sum.map_or(String::new(), |sum| judge(sum, truth)));
        say(&format!("| {name} | {wall_s:.3} | {cpu_s:.3} | {times:.2} | {mib} | {verdict} |"));
    }
    Ok(())
}

/// How far the sums are from the truth.
fn judge(sum: Sum, truth: Sum) -> String {
    let counts = |sum: Sum| [sum.input, sum.output, sum.cache_read, sum.cache_write].map(i128::from);
    let (said, meant) = (counts(sum), counts(truth));
    let counted = sum.requests == 0 || sum.requests == truth.requests;
    if said == meant && counted {
        return "exact".to_owned();
    }
    let (said, meant) = (said.iter().sum::<i128>(), meant.iter().sum::<i128>());
    format!("{:+.2} %", percent(said - meant, meant))
}

#[expect(clippy::cast_precision_loss, reason = "for people")]
fn percent(part: i128, whole: i128) -> f64 {
    part as f64 * 100.0 / whole as f64
}

#[expect(clippy::print_stdout, reason = "a bench prints")]
fn say(line: &str) {
    println!("{line}");
}
