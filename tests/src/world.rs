//! A developer's machine, a fake API and a collector, all new: a verb per thing a person does.

use crate::client::{Headless, client, settle_in};
use crate::collector::Collector;
use crate::fake_api::FakeApi;
use crate::front::Front;
use crate::git::Repository;
use crate::program::{Seen, binary, command, run};
use crate::terminal::Terminal;
use crate::wait::until;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// The repository of a world, as reports name it, and its remote.
pub const REPO: &str = "github.com/acme/pay";
const REMOTE: &str = "https://github.com/acme/pay.git";

#[must_use]
pub struct World {
    pub home: PathBuf,
    pub api: FakeApi,
    pub repo: Repository,
    others: Vec<Repository>,
    /// `None` in a bare world, where nobody has heard of cpvo.
    pub collector: Option<Collector>,
    /// The collector's address as the hooks are told.
    url: String,
    folder: TempDir,
}

impl World {
    /// A world whose repository ships the hooks.
    #[track_caller]
    pub fn equipped() -> Self {
        Self::equipped_on("cpvo.db")
    }

    /// The same with the collector on any database.
    #[track_caller]
    pub fn equipped_on(database: &str) -> Self {
        let mut world = Self::empty();
        world.install_hook();
        world.collect_on(database);
        world.ship_hooks(&world.repo);
        world
    }

    /// The same with a network between the hooks and the collector that can fail.
    #[track_caller]
    pub fn behind_a_front() -> (Self, Front) {
        let mut world = Self::empty();
        world.install_hook();
        world.collect_on("cpvo.db");
        let front = Front::before(&world.url);
        world.url = front.url();
        world.ship_hooks(&world.repo);
        (world, front)
    }

    /// The same world without cpvo: what a session looks like to somebody who does not use it.
    #[track_caller]
    pub fn bare() -> Self {
        let world = Self::empty();
        world.ship_hooks(&world.repo);
        world
    }

    /// A world whose repository installs `cpvo-hook`, on a machine that has none. What the collector hands out is
    /// what the repository trusts, unless it is `tampered` with on the way.
    #[track_caller]
    pub fn bootstrapping(tampered: bool) -> (Self, Front) {
        let mut world = Self::empty();
        world.collect_on("cpvo.db");
        let front = Front::before(&world.url);
        world.url = front.url();
        let target = format!("hooks/{}-unknown-linux-gnu", std::env::consts::ARCH);
        let offered = world.collector().folder.join(target).join("cpvo-hook");
        fs::create_dir_all(offered.parent().expect("a folder for the platform"))
            .expect("a folder of programs");
        fs::copy(binary("cpvo-hook"), &offered).expect("a program to hand out");
        world.ship(&world.repo, &["--bootstrap"]);
        if tampered {
            fs::write(offered, "#!/bin/sh\ntouch ~/owned\n").expect("another program to hand out");
        }
        (world, front)
    }

    /// Another machine of a developer of `world`, with a work tree of the same repository.
    #[track_caller]
    pub fn second_machine(&self) -> Self {
        let mut world = Self::empty();
        world.install_hook();
        let settings = Path::new(".claude/settings.json");
        fs::create_dir(world.repo.path.join(".claude")).expect("the client's folder");
        fs::copy(self.repo.path.join(settings), world.repo.path.join(settings)).expect("shipped settings");
        world.repo.commit("ship settings");
        world.url.clone_from(&self.url);
        world
    }

    #[track_caller]
    fn empty() -> Self {
        let folder = tempfile::Builder::new().prefix("cpvo-").tempdir().expect("a temporary folder");
        let home = folder.path().join("home");
        fs::create_dir(&home).expect("a home");
        identify(&home, "ana@acme.example");
        let repo = Repository::create(&folder.path().join("pay"), &home, REMOTE);
        settle_in(&home, &[&repo.path]);
        let (others, collector, url) = (Vec::new(), None, String::new());
        Self { home, api: FakeApi::start(), repo, others, collector, url, folder }
    }

    fn collect_on(&mut self, database: &str) {
        let collector = Collector::start(&self.folder.path().join("collector"), &self.home, database);
        self.url = collector.url();
        self.collector = Some(collector);
    }

    fn install_hook(&self) {
        let bin = self.home.join(".local/bin");
        fs::create_dir_all(&bin).expect("a folder for programs");
        symlink(binary("cpvo-hook"), bin.join("cpvo-hook")).expect("cpvo-hook on the PATH");
    }

    /// Whoever works on this machine from now on.
    pub fn work_as(&self, email: &str) {
        identify(&self.home, email);
    }

    /// Commits the hooks to a repository; in a bare world settings without hooks, so that git says the same in both.
    #[track_caller]
    pub fn ship_hooks(&self, repo: &Repository) {
        self.ship(repo, &[]);
    }

    #[track_caller]
    fn ship(&self, repo: &Repository, more: &[&str]) {
        if let Some(collector) = &self.collector {
            let path = repo.path.display().to_string();
            let asked =
                ["hooks-config", "--repo", &path, "--url", &self.url, "--developers", "@acme.example"];
            collector.cpvo(&[&asked[..], more].concat()).success();
        } else {
            fs::create_dir_all(repo.path.join(".claude")).expect("the client's folder");
            fs::write(repo.path.join(".claude/settings.json"), "{}\n").expect("settings");
        }
        repo.commit("ship settings");
    }

    /// Ships a new token with the repository's settings, as an admin does after revoking the old one.
    #[track_caller]
    pub fn renew_token(&self) {
        let path = self.repo.path.display().to_string();
        let token = self.collector().token(REPO);
        self.collector().cpvo(&["hooks-config", "--repo", &path, "--token", &token]).success();
        self.repo.commit("ship a new token");
    }

    /// One more repository of the same owner, with the same settings, beside the first.
    #[track_caller]
    pub fn another_repo(&mut self, name: &str) -> Repository {
        let path = self.folder.path().join(name);
        let repo = Repository::create(&path, &self.home, &format!("https://github.com/acme/{name}.git"));
        self.ship_hooks(&repo);
        self.others.push(repo.clone());
        repo
    }

    pub fn collector(&self) -> &Collector {
        self.collector.as_ref().expect("this world has a collector")
    }

    /// A folder of the world's own.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Starts a headless session in the world's repository.
    #[track_caller]
    pub fn start(&self, prompt: &str, args: &[&str]) -> Headless {
        self.start_in(&self.repo.path, prompt, args)
    }

    #[track_caller]
    pub fn start_in(&self, folder: &Path, prompt: &str, args: &[&str]) -> Headless {
        Headless::start(client(&self.home, folder, &self.api.url()), prompt, args)
    }

    /// A headless session from start to end.
    #[track_caller]
    pub fn session(&self, prompt: &str, args: &[&str]) -> Seen {
        self.start(prompt, args).finish()
    }

    /// A session in a terminal.
    #[track_caller]
    pub fn terminal(&self) -> Terminal {
        Terminal::open(self.folder.path(), &self.home, &client(&self.home, &self.repo.path, &self.api.url()))
    }

    /// Runs `cpvo-hook` by hand in a folder.
    #[track_caller]
    pub fn hook(&self, folder: &Path, args: &[&str]) -> Seen {
        let mut hook = command(binary("cpvo-hook"), &self.home);
        run(hook.current_dir(folder).args(args))
    }

    /// A session's transcript so far; the client names its folder after the one it was started in.
    pub fn transcript(&self, session: &str) -> Option<String> {
        let mut folders = fs::read_dir(self.home.join(".claude/projects")).ok()?.flatten();
        folders.find_map(|folder| fs::read_to_string(folder.path().join(format!("{session}.jsonl"))).ok())
    }

    /// The text of every session's own transcript.
    pub fn transcripts(&self) -> Vec<String> {
        let folders = fs::read_dir(self.home.join(".claude/projects")).into_iter().flatten().flatten();
        let files = folders.flat_map(|folder| fs::read_dir(folder.path()).into_iter().flatten().flatten());
        files.filter_map(|file| fs::read_to_string(file.path()).ok()).collect()
    }

    /// Waits until a session's transcript holds each text as often: the client writes a moment after it shows.
    #[track_caller]
    pub fn await_transcript(&self, session: &str, texts: &[(&str, usize)]) {
        until(&format!("{texts:?} in the transcript of {session}"), || {
            let transcript = self.transcript(session)?;
            texts.iter().all(|(text, times)| transcript.matches(text).count() >= *times).then_some(())
        });
    }

    /// A text without the names and times that differ from one world to the next.
    pub fn anonymous(&self, text: &str) -> String {
        let folder = self.folder.path().display().to_string();
        let project = folder.replace(|c: char| !c.is_ascii_alphanumeric(), "-");
        let repos = [&self.repo].into_iter().chain(&self.others);
        let commits: String =
            repos.map(|repo| repo.git(&["log", "--all", "--format=%H %h"]) + "\n").collect();
        let bills = self.api.bills();
        let names = [folder.as_str(), project.as_str()].into_iter();
        let names = names.chain(bills.iter().flat_map(|bill| [bill.session.as_str(), &bill.message_id]));
        let names = names.chain(bills.iter().filter_map(|bill| bill.agent.as_deref()));
        let names = names.chain(commits.split_whitespace());
        let text = names.fold(text.to_owned(), |text, name| text.replace(name, "(name)"));
        // the time a subagent took, which the model is told
        let mut parts = text.split("duration_ms: ");
        let first = parts.next().unwrap_or_default().to_owned();
        parts.fold(first, |text, part| {
            text + "duration_ms: " + part.trim_start_matches(|c: char| c.is_ascii_digit())
        })
    }
}

/// Who git says works in this home.
fn identify(home: &Path, email: &str) {
    let name = email.split('@').next().unwrap_or_default();
    let settings = format!("[user]\n\tname = {name}\n\temail = {email}\n");
    fs::write(home.join(".gitconfig"), settings).expect("git's settings");
}
