//! `cpvo demo`: an invented company, made by a seed and taken in through the doors that real ones use, so that a
//! newcomer sees the whole product without data of their own.

mod cast;
mod host;
mod repository;
mod story;
mod truth;
mod work;

use crate::config::{Clock, Config, LISTEN_DEFAULT, Options};
use crate::{cordon, judge, keys, sync, token, window};
use anyhow::{Context, Result, bail, ensure};
use cast::{SPIKES, TEAMS, Team, WINDOW, email};
use host::{Host, Hosted};
use indicatif::{ProgressBar, ProgressStyle};
use rustix::io::{FdFlags, fcntl_setfd};
use serde_json::Value;
use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader, Write, stdout};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use story::Story;

/// The first line of its configuration: such a folder is a demo's, and may be made anew.
const MARK: &str = "# An invented company that `cpvo demo` made: the folder goes when it is made anew.\n";
const TRUTH: &str = "truth.json";
const ANSWER_WAIT: Duration = Duration::from_mins(1);
/// Reports that are posted at once: few enough for a machine that is busy with something else.
const REPORTS: usize = 32;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Where it lives; a former demo there is made anew
    #[arg(long, value_name = "FOLDER", default_value = "cpvo-demo")]
    folder: PathBuf,
    /// Another seed is another company
    #[arg(long, default_value_t = 4)]
    seed: u64,
    /// How many weeks it has worked: a verdict needs 39 that can no longer change
    #[arg(long, default_value_t = 44, value_parser = clap::value_parser!(u16).range(2..=104))]
    weeks: u16,
    /// The address the page listens on
    #[arg(long, value_name = "ADDRESS", default_value = LISTEN_DEFAULT)]
    listen: SocketAddr,
    /// Make it and end; `cpvo serve` in the folder shows it
    #[arg(long)]
    no_serve: bool,
}

pub(crate) fn run(args: &Args, options: &Options, now: Clock) -> Result<()> {
    ensure!(
        options.config.is_none(),
        "a demo has a configuration of its own: give --folder instead of --config"
    );
    let story = story::tell(args.seed, args.weeks, now());
    let truth = serde_json::to_string_pretty(&truth::truth(&story))?;
    TcpListener::bind(args.listen)
        .with_context(|| format!("could not listen on {} (another: --listen 127.0.0.1:0)", args.listen))?;
    clear(&args.folder)?;
    let held = hold(&args.folder)?;
    say(&format!(
        "DEMO DATA: an invented company of {} teams and {} weeks, in {}.\nNothing of yours is read, and nothing leaves this machine.\n",
        TEAMS.len(),
        story.weeks.len(),
        args.folder.display()
    ))?;
    fs::write(args.folder.join(TRUTH), truth)?;
    let host = found(args, &story)?;
    let file = args.folder.join(crate::config::FILE_NAME);
    let db = options.db.as_deref();
    configure(args, db, Some(&host))?;
    let options = Options { config: Some(file.clone()), db: None };
    let config = options.load()?;
    keys::create(&config.keys)?;
    let mut collector = Collector::start(&options, args.listen)?;
    deliver(&config, &collector.url, &story, now)?;
    decide(&options, now)?;
    drop(host);
    configure(args, db, None)?; // or the next sync would ask in vain
    let at = format!("cpvo --config {}", file.display());
    say(&format!(
        "\nask more:  {at} weekly\n           {at} verdict\n           {at} change {}\n           {at} sql\n",
        told_change(&story)
    ))?;
    collector.stop()?;
    if args.no_serve {
        return say(&format!("the page:  {at} serve"));
    }
    say(&format!("the page:  {}/   (Ctrl-C stops it)", collector.url))?;
    let address = collector.url.trim_start_matches("http://").parse()?;
    // from here on this is nothing but `cpvo serve`, which holds the folder on
    fcntl_setfd(&held, FdFlags::empty())?;
    Err(serve(&file, address)?.exec().into())
}

/// One that was lost, and that sessions are known to have built.
fn told_change(story: &Story) -> String {
    let built = |place: usize| story.sessions.iter().any(|session| session.request == Some(place));
    let lost = (0..).zip(&story.requests).find(|(place, one)| one.lost_at.is_some() && built(*place));
    lost.map_or_else(String::new, |(_, one)| format!("github.com/{}#{}", one.repo, one.number))
}

/// `cpvo serve` of a configuration.
fn serve(file: &Path, listen: SocketAddr) -> Result<Command> {
    let mut serve = Command::new(std::env::current_exe()?);
    serve.arg("--config").arg(file).args(["serve", "--listen", &listen.to_string()]).stdin(Stdio::null());
    Ok(serve)
}

fn say(text: &str) -> Result<()> {
    let mut out = stdout().lock();
    writeln!(out, "{text}")?;
    Ok(out.flush()?)
}

/// Makes room: only what a demo made is thrown away.
fn clear(folder: &Path) -> Result<()> {
    let about = || format!("could not make {}", folder.display());
    let config = fs::read_to_string(folder.join(crate::config::FILE_NAME)).unwrap_or_default();
    if config.starts_with(MARK) {
        drop(hold(folder)?);
        fs::remove_dir_all(folder).with_context(about)?;
    }
    fs::create_dir_all(folder).with_context(about)?;
    if fs::read_dir(folder)?.next().is_some() {
        bail!("{} holds something else than a demo: name another --folder", folder.display());
    }
    private(&folder.join(crate::config::FILE_NAME), MARK) // one that is cut off is a demo's too
}

/// Lets nobody else make a demo there before this is dropped.
fn hold(folder: &Path) -> Result<fs::File> {
    let held = fs::File::open(folder).with_context(|| format!("could not open {}", folder.display()))?;
    ensure!(
        held.try_lock().is_ok(),
        "a demo runs in {}: stop it first, or name another --folder",
        folder.display()
    );
    Ok(held)
}

/// The repositories and the host they are on.
fn found(args: &Args, story: &Story) -> Result<Host> {
    let mut hosted = Hosted::default();
    let bar = progress("repositories", cast::repositories().count());
    for repo in cast::repositories() {
        let landed = repository::write(story, repo, &args.folder.join(repo))?;
        hosted.add(story, repo, &landed);
        bar.inc(1);
    }
    bar.finish_and_clear();
    Host::start(hosted)
}

/// Writes what an admin would write; the host answers only while the demo is made.
fn configure(args: &Args, db: Option<&str>, host: Option<&Host>) -> Result<()> {
    let db = toml::Value::from(db.unwrap_or("cpvo.db"));
    let listen = args.listen;
    let mut text = format!(
        "{MARK}\
         listen = \"{listen}\"\ndb = {db}\nteams = \"teams.toml\"\nkeys = \"keys\"\nsync_minutes = 0\n"
    );
    for repo in cast::repositories() {
        let source = |kind: &str| format!("\n[[source]]\nkind = \"{kind}\"\nrepo = \"github.com/{repo}\"\n");
        writeln!(text, "{}path = \"{repo}\"", source("clone"))?;
        if let Some(Host { url, .. }) = host {
            writeln!(text, "{}url = \"{url}\"\ntoken_file = \"host-token\"", source("github"))?;
        }
    }
    private(&args.folder.join(crate::config::FILE_NAME), &text)?;
    private(&args.folder.join("host-token"), "invented\n")?;
    Ok(fs::write(args.folder.join("teams.toml"), teams())?)
}

fn private(path: &Path, text: &str) -> Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    Ok(file.write_all(text.as_bytes())?)
}

fn teams() -> String {
    let head = "# Who is in which team.\n".to_owned();
    TEAMS.iter().fold(head, |text, team| text + &team_table(team))
}

fn team_table(team: &Team) -> String {
    let Team { id, name, business_unit, product, .. } = team;
    let lines = |of: Vec<String>| of.iter().fold(String::new(), |text, one| text + "  " + one + ",\n");
    let repositories = lines(team.repositories.iter().map(|repo| format!("\"github.com/{repo}\"")).collect());
    let member = |name: &&str| format!("{{ email = \"{}\", aliases = [\"github:{name}\"] }}", email(name));
    let members = lines(team.members.iter().map(member).collect());
    format!(
        "\n[[team]]\nid = \"{id}\"\nname = \"{name}\"\nbusiness_unit = \"{business_unit}\"\n\
         product = \"{product}\"\nrepositories = [\n{repositories}]\nmembers = [\n{members}]\n"
    )
}

/// A running `cpvo serve`.
struct Collector {
    child: Child,
    url: String,
}

impl Collector {
    fn start(options: &Options, listen: SocketAddr) -> Result<Self> {
        let file = options.config.as_deref().context("a demo has a configuration")?;
        let log = fs::File::create(file.with_file_name("serve.log"))?;
        let mut serve = serve(file, listen)?;
        // it has one end of a pipe, and this program the other: whoever kills this one ends both
        serve.arg("--while-stdin").stdin(Stdio::piped());
        let mut child = serve.stdout(Stdio::piped()).stderr(log).spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().context("cpvo serve says nothing")?).read_line(&mut line)?;
        let Some(url) = line.trim().strip_prefix("listening on ") else {
            child.wait()?;
            let log = fs::read_to_string(file.with_file_name("serve.log")).unwrap_or_default();
            bail!("cpvo serve did not start on {listen} (another: --listen 127.0.0.1:0): {}", log.trim());
        };
        Ok(Self { url: url.to_owned(), child })
    }

    /// As an admin would stop it.
    fn stop(&mut self) -> Result<()> {
        let process = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(process, rustix::process::Signal::TERM)?;
        let status = self.child.wait()?;
        ensure!(status.success(), "cpvo serve ended with {status}");
        Ok(())
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Posts all reports, as the hooks would have: each repository has a token of its own.
fn deliver(config: &Config, url: &str, story: &Story, now: Clock) -> Result<()> {
    let agent: ureq::Agent = ureq::Agent::config_builder().timeout_global(Some(ANSWER_WAIT)).build().into();
    let bar = progress("reports", story.sessions.len());
    for repo in cast::repositories() {
        let token = token::issue_for(config, format!("github.com/{repo}").parse()?, now())?;
        let sessions: Vec<_> = story.sessions.iter().filter(|session| session.repo == repo).collect();
        for sessions in sessions.chunks(REPORTS) {
            let reports = sessions.iter().map(|one| one.report(story)).collect::<Result<Vec<_>>>()?;
            let posted =
                agent.post(format!("{url}/v1/reports")).header("authorization", format!("Bearer {token}"));
            let answer =
                posted.send(serde_json::to_string(&reports)?).context("could not deliver the reports")?;
            let answer: Value = serde_json::from_str(&answer.into_body().read_to_string()?)?;
            let results = answer["results"].as_array().context("the collector answered without results")?;
            if let Some(refused) = results.iter().find(|result| result["status"] != "applied") {
                bail!("the collector did not take a report: {refused}");
            }
            bar.inc(sessions.len() as u64);
        }
    }
    bar.finish_and_clear();
    say(&format!("delivered {} reports of as many sessions\n", story.sessions.len()))
}

/// Reads what landed, lays down the policy, and judges.
fn decide(options: &Options, now: Clock) -> Result<()> {
    sync::run(&sync::Args::default(), options, now)?;
    let (team, days) = WINDOW;
    window::run(window::Args::set(team, days, "reverts of infrastructure come late"), options, now)?;
    cordon::run(cordon::Args::branch(SPIKES, "spikes are thrown away by design"), options, now)?;
    judge::run(&judge::Args::default(), options, now)
}

fn progress(what: &'static str, count: usize) -> ProgressBar {
    let style = ProgressStyle::with_template("{msg} {bar:30} {pos} of {len}");
    let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(count as u64).with_style(style).with_message(what)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::people::file::parse;
    use crate::store::fixture::now;

    #[test]
    fn one_seed_is_one_company() {
        let told = |seed| format!("{:?}", story::tell(seed, 8, now()));
        assert_eq!(told(1), told(1));
        assert_ne!(told(1), told(2));
    }

    #[test]
    fn its_teams_are_right() {
        assert_eq!(parse(&teams()).unwrap().list.len(), TEAMS.len());
    }

    #[test]
    fn nothing_happens_later_than_now() {
        for seed in 0..20 {
            let story = story::tell(seed, 6, now());
            for session in &story.sessions {
                let report = session.report(&story).unwrap();
                assert!(report.ended_at.unwrap() <= story.now, "{session:?}");
            }
            for request in &story.requests {
                let times = [Some(request.opened_at), request.merged_at, request.closed_at, request.lost_at];
                assert!(times.into_iter().flatten().all(|at| at <= story.now), "{request:?}");
            }
        }
    }

    #[test]
    fn only_a_demo_is_thrown_away() {
        let folder = tempfile::tempdir().unwrap();
        let demo = folder.path().join("demo");
        fs::create_dir(&demo).unwrap();
        fs::write(demo.join("mine"), "").unwrap();
        let refused = clear(&demo).unwrap_err().to_string();
        assert!(refused.contains("holds something else"), "{refused}");
        fs::write(demo.join(TRUTH), "{}").unwrap();
        assert!(clear(&demo).is_err(), "a truth of another kind");
        fs::write(demo.join("cpvo.toml"), format!("{MARK}# more\n")).unwrap();
        clear(&demo).unwrap();
        assert!(!demo.join("mine").exists());
    }
}
