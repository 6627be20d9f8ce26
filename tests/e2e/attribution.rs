//! From the session to the change it built: real branches, real commits, the real hook, each way of merging.

use std::fs;
use tests::client::Said;
use tests::fake_api::{Step, run, say};
use tests::git::Repository;
use tests::transcript::{Transcript, tokens};
use tests::wait::attempt;
use tests::{REPO, World};

/// How a host lands a request.
#[derive(Clone, Copy, PartialEq)]
enum Way {
    Merge,
    Squash,
    Rebase,
}

/// A host's clone, where requests land; developers never see it.
struct Host {
    clone: Repository,
}

impl Host {
    fn of(world: &World) -> Self {
        let clone = world.repo.cloned(&world.folder().join("host"));
        let source = format!(
            "[[source]]\nkind = \"clone\"\nrepo = \"{REPO}\"\npath = \"../host\"\nbranch = \"main\"\n"
        );
        let settings = world.collector().folder.join("cpvo.toml");
        let text = fs::read_to_string(&settings).expect("settings") + "\n" + &source;
        fs::write(settings, text).expect("settings with a source");
        Self { clone }
    }

    /// Lands a branch of the developer, as if it were `at`.
    fn land(&self, world: &World, (number, branch): (u64, &str), way: Way, at: &str) {
        let from = world.repo.path.display().to_string();
        self.clone.git(&["fetch", "--quiet", &from, &format!("{branch}:{branch}")]);
        let title = format!("Build {branch}");
        match way {
            Way::Merge => {
                let message = format!("Merge pull request #{number} from acme/{branch}\n\n{title}");
                self.clone.git_at(at, &["merge", "--quiet", "--no-ff", "-m", &message, branch]);
            }
            Way::Squash => {
                self.clone.git(&["merge", "--quiet", "--squash", branch]);
                self.clone.commit_at(at, &format!("{title} (#{number})"));
            }
            Way::Rebase => {
                self.clone.git_at(at, &["cherry-pick", &format!("main..{branch}")]);
            }
        }
    }
}

/// A session that builds one branch, from the default branch on: four responses and a commit between them.
fn build(world: &World, (number, branch): (u64, &str), asks: bool) -> Transcript {
    world.repo.git(&["switch", "--quiet", "main"]);
    let mut session = Transcript::begin(&world.home, &world.repo.path);
    session.response(tokens(number * 10));
    world.repo.git(&["switch", "--quiet", "-c", branch]);
    session.switch(branch);
    session.response(tokens(number * 10 + 1));
    fs::write(world.repo.path.join(format!("{number}.rs")), branch).expect("a file to commit");
    world.repo.commit_at(&session.at().to_string(), &format!("Build {branch}"));
    session.response(tokens(number * 10 + 2));
    if asks {
        session.asks_for(number, &format!("https://{REPO}/pull/{number}"));
    }
    session.response(tokens(number * 10 + 3));
    session
}

#[test]
fn spend_goes_to_the_change_it_built_however_that_landed() {
    let world = World::equipped();
    let host = Host::of(&world);
    let ways =
        [Way::Merge, Way::Squash, Way::Merge, Way::Squash, Way::Rebase, Way::Merge, Way::Squash, Way::Squash];
    let mut sessions = Vec::new();
    for (number, way) in (1..).zip(ways) {
        let branch = format!("feature/{number}");
        let session = build(&world, (number, &branch), way == Way::Squash);
        let at = session.at().to_string();
        world.session_ends(&session);
        host.land(&world, (number, &branch), way, &at);
        sessions.push((session.session, branch));
    }
    let responses: Vec<_> =
        (1..=ways.len() as u64).flat_map(|n| (0..4).map(move |k| tokens(n * 10 + k))).collect();
    world.await_stored(&responses);
    let cpvo = |args: &[&str]| world.collector().cpvo(args).success();
    cpvo(&["sync"]);
    let said = cpvo(&["judge"]);
    assert!(said.contains("payments"), "{said}");

    let rows = world.collector().sql(
        "SELECT a.session_id, a.class, COALESCE(c.title, '') AS title, SUM(a.cost_nanousd) AS cost
         FROM attribution AS a LEFT JOIN change AS c ON c.repo = a.change_repo AND c.sha = a.change
         GROUP BY a.session_id, a.class, c.title",
    );
    let (mut all, mut wrong, mut lost) = (0, 0, 0);
    for row in &rows {
        let (_, branch) = sessions.iter().find(|(id, _)| row["session_id"] == id.as_str()).unwrap();
        let cost = row["cost"].as_u64().unwrap();
        all += cost;
        lost += if row["class"] == "unattributed" { cost } else { 0 };
        wrong += if row["title"] == "" || row["title"] == format!("Build {branch}") { 0 } else { cost };
    }
    assert_eq!(wrong, 0, "{rows:?}");
    assert!(lost * 100 <= all * 15, "{lost} of {all} is unattributed: {rows:?}");
    let spent = world.collector().sql("SELECT SUM(cost_nanousd) AS cost FROM usage");
    assert_eq!(spent[0]["cost"], all, "nothing is lost or doubled");
}

/// Plays a prompt of the real client in the developer's clone, in a session of its own or a former one.
fn prompt(world: &World, name: &str, steps: Vec<Step>, former: Option<&str>) -> String {
    world.api.script(name, steps);
    let resume: Vec<&str> = former.iter().flat_map(|id| ["--resume", *id]).collect();
    let seen = world.session(&format!("go [[{name}]]"), &resume);
    assert_eq!(seen.code, 0, "{seen:?}");
    Said::read(&seen).session
}

/// A session that thinks about something where it stands, and builds it on a branch of its own. The developer makes
/// the branch: the client notices one that its own tools make only after a while.
fn develops(
    world: &World,
    (from, to): (&'static str, &'static str),
    output: u64,
    former: Option<&str>,
) -> String {
    let thinking = vec![
        run("git log --oneline | head -3").billed(3, output).on(from),
        say("I shall need a branch.").billed(2, output / 3).on(from),
    ];
    let session = prompt(world, &format!("thinks of {to}"), thinking, former);
    world.repo.git(&["switch", "--quiet", "main"]);
    world.repo.git(&["switch", "--quiet", "--create", to]);
    let building = vec![
        run(&format!("echo '{to}' > {output}.rs")).billed(5, 4 * output).on(to),
        run(&format!("git add . && git commit --quiet -m 'Build {to}'")).billed(4, 2 * output).on(to),
        say("That is it.").billed(2, output).on(to),
    ];
    prompt(world, &format!("builds {to}"), building, Some(&session))
}

#[test]
fn spend_of_real_sessions_goes_to_what_they_built() {
    let world = World::equipped();
    // what was there before any session
    world.repo.git_at("2026-01-01T00:00:00Z", &["commit", "--quiet", "--amend", "--no-edit"]);
    let host = Host::of(&world);
    let land = |number: u64, branch: &str| {
        let at = world.repo.git(&["log", "-1", "--format=%cI", branch]);
        host.land(&world, (number, branch), Way::Merge, &at);
    };
    let home = || world.repo.git(&["switch", "--quiet", "main"]);
    let mut truth: Vec<(String, &str, &str)> = Vec::new(); // session, branch, what was built
    let mut built = |session: &str, on: &'static [&'static str], what: &'static str| {
        truth.extend(on.iter().map(|branch| (session.to_owned(), *branch, what)));
    };

    let merged = develops(&world, ("main", "feature/a"), 900, None);
    built(&merged, &["main", "feature/a"], "feature/a");
    land(1, "feature/a");

    home();
    let long = develops(&world, ("main", "feature/b"), 700, None);
    built(&long, &["main", "feature/b"], "feature/b");
    land(2, "feature/b");

    // one session that goes on to something else once the first has landed
    home();
    assert_eq!(develops(&world, ("main", "feature/c"), 800, Some(&long)), long);
    built(&long, &["feature/c"], "feature/c");
    land(3, "feature/c");

    // begun in one session, finished in another
    home();
    world.repo.git(&["switch", "--quiet", "--create", "feature/d"]);
    let write = vec![
        run("echo d > d.rs").billed(3, 900).on("feature/d"),
        say("Begun.").billed(2, 90).on("feature/d"),
    ];
    let begun = prompt(&world, "begins", write, None);
    built(&begun, &["feature/d"], "feature/d");
    let commit = run("git add . && git commit --quiet -m 'Build feature/d'").billed(3, 500).on("feature/d");
    let done = say("Now it is.").billed(2, 900).on("feature/d");
    let finished = prompt(&world, "finishes", vec![commit, done], None);
    built(&finished, &["feature/d"], "feature/d");
    land(4, "feature/d");

    // nothing came of it
    home();
    let asked = vec![run("true").billed(3, 200).on("main"), say("It is fine.").billed(2, 150).on("main")];
    let asked = prompt(&world, "asked", asked, None);
    built(&asked, &["main"], "");

    let stored = attempt(|| (world.stored() == world.billed()).then_some(()));
    assert!(stored.is_some(), "billed\n{}stored\n{}{}", world.billed(), world.stored(), world.diagnosis());
    let cpvo = |args: &[&str]| world.collector().cpvo(args).success();
    cpvo(&["sync"]);
    cpvo(&["judge"]);
    let rows = world.collector().sql(
        "SELECT a.session_id, a.branch, a.class, COALESCE(c.title, '') AS title, SUM(a.cost_nanousd) AS cost
         FROM attribution AS a LEFT JOIN change AS c ON c.repo = a.change_repo AND c.sha = a.change
         GROUP BY a.session_id, a.branch, a.class, c.title",
    );
    let (mut all, mut wrong, mut lost) = (0, 0, 0);
    for row in &rows {
        let text = |name: &str| row[name].as_str().unwrap_or_default();
        let built =
            truth.iter().find(|(id, branch, _)| id == text("session_id") && *branch == text("branch"));
        let (_, _, what) = built.unwrap_or_else(|| panic!("{row}"));
        let cost = row["cost"].as_u64().unwrap();
        let title = text("title").trim_start_matches("Build ");
        all += cost;
        lost += if title.is_empty() && !what.is_empty() { cost } else { 0 };
        wrong += if title.is_empty() || title == *what { 0 } else { cost };
    }
    println!("of {all} nano-dollars {wrong} went to a wrong change and {lost} to none");
    assert_eq!(all, world.billed().total(|_| true).cost_nanousd.cast_unsigned(), "{rows:#?}");
    assert!(
        wrong * 100 <= all * 2 && lost * 100 <= all * 15,
        "{wrong} wrong, {lost} lost of {all}: {rows:#?}"
    );
}

#[test]
fn a_change_tells_its_story_from_session_to_survival() {
    let world = World::equipped();
    let host = Host::of(&world);
    let session = build(&world, (7, "feature/refunds"), false);
    world.session_ends(&session);
    world.await_stored(&[70, 71, 72, 73].map(tokens));
    host.land(&world, (7, "feature/refunds"), Way::Merge, &session.at().to_string());
    let cpvo = |args: &[&str]| world.collector().cpvo(args);
    cpvo(&["sync"]).success();
    cpvo(&["judge"]).success();
    let story = cpvo(&["change", "#7"]).success();
    let (id, commit) = (&session.session, world.repo.git(&["rev-parse", "--short=10", "feature/refunds"]));
    for part in [
        "github.com/acme/pay#7  Build feature/refunds",
        "spend     $0.01, of it review $0.00",
        &format!("{id}  ana@acme.example  main"),
        "carried  carried",
        "commit   commit",
        &format!("{commit}  {id}  feature/refunds"),
        "branch    feature/refunds, by ana@acme.example",
        "2 commits, 1 file",
        "state     pending: until",
    ] {
        assert!(story.contains(part), "{part:?} is not in\n{story}");
    }
    let sha = host.clone.git(&["rev-parse", "HEAD"]);
    let json = cpvo(&["change", &format!("{REPO}@{}", &sha[..8]), "--json"]).success();
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&json["sha"], &json["number"]), (&sha.as_str().into(), &7.into()));
    assert_eq!((&json["state"], &json["ai_assisted"]), (&"pending".into(), &true.into()));
    assert_eq!(json["spend"].as_array().unwrap().len(), 2, "{json}");
    for (id, error) in [("8", "no change 8"), ("refunds", "names no change"), ("abc", "names no change")] {
        let seen = cpvo(&["change", id]);
        assert!(seen.code == 1 && seen.stderr.contains(error), "{seen:?}");
    }

    let kept = "SELECT cordon_usd > 0 AS some FROM team_week WHERE team = 'payments' AND requests > 0";
    let add = cpvo(&["cordon", "add", "--branch", "feature/*", "--reason", "a trial"]).success();
    assert!(add.contains("cordon 1 holds"), "{add}");
    let said = cpvo(&["judge"]).success();
    assert!(said.contains("warning: a cordon keeps 100.0 % of the spend of payments"), "{said}");
    assert_eq!(world.collector().sql(kept)[0]["some"], 1);
    let list = cpvo(&["cordon", "list"]).success();
    assert!(list.contains("feature/*") && list.contains("a trial"), "{list}");
    cpvo(&["cordon", "end", "1", "--reason", "it is over"]).success();
    let said = cpvo(&["judge"]).success();
    assert!(!said.contains("warning"), "{said}");
    assert_eq!(world.collector().sql(kept)[0]["some"], 0);
    let empty = cpvo(&["cordon", "add", "--reason", "all of it"]);
    assert!(empty.code == 1 && empty.stderr.contains("say what to keep out"), "{empty:?}");
}
