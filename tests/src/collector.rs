//! A collector of the world's own: the real `cpvo`, set up and asked by its own commands.

use crate::program::{Running, Seen, binary, command, run};
use crate::wait::until;
use rustix::process::Signal;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

/// Ana is in payments, Ben in search; everybody else is in no team.
pub const TEAMS: &str = r#"[[team]]
id = "payments"
repositories = ["github.com/acme/pay"]
members = [{ email = "ana@acme.example" }]

[[team]]
id = "search"
members = [{ email = "ben@acme.example" }]
"#;

pub struct Collector {
    /// Holds its settings, its keys and its database.
    pub folder: PathBuf,
    home: PathBuf,
    database: String,
    running: Option<Running>,
    /// What it listens on: any free port at first, the same one ever after.
    listen: String,
}

impl Collector {
    /// Sets a collector up and starts it; `database` is a path in its folder or a PostgreSQL address.
    #[track_caller]
    pub fn start(folder: &Path, home: &Path, database: &str) -> Self {
        fs::create_dir_all(folder).expect("a folder for the collector");
        let mut collector = Self {
            folder: folder.to_owned(),
            home: home.to_owned(),
            database: database.to_owned(),
            running: None,
            listen: "127.0.0.1:0".to_owned(),
        };
        collector.cpvo(&["init"]).success();
        collector.teams(TEAMS);
        collector.serve();
        collector
    }

    /// Replaces teams.toml, as an editor does.
    pub fn teams(&self, text: &str) {
        let new = self.folder.join("teams.toml.new");
        fs::write(&new, text).expect("a new teams.toml");
        fs::rename(new, self.folder.join("teams.toml")).expect("teams.toml replaced");
    }

    /// Starts the server and waits until it listens.
    #[track_caller]
    pub fn serve(&mut self) {
        let log = self.folder.join("serve.log");
        let mut serve = command(binary("cpvo"), &self.home);
        serve.current_dir(&self.folder).args(["--db", &self.database, "serve", "--listen", &self.listen]);
        self.running = Some(Running::start_logged(&mut serve, &log));
        let server = self.running.as_mut().expect("the server just started");
        self.listen = until("the collector to listen", || {
            let said = fs::read_to_string(&log).unwrap_or_default();
            if let Ok(Some(status)) = server.child_mut().try_wait() {
                panic!("the collector ended with {status}: {said}");
            }
            let (_, address) = said.split_once("listening on http://")?;
            Some(address.split_once('\n')?.0.trim().to_owned())
        });
    }

    /// Asks the server to stop and waits until it has drained.
    #[track_caller]
    pub fn stop(&mut self) {
        if let Some(mut server) = self.running.take() {
            server.signal(Signal::TERM);
            assert_eq!(server.finish().code, 0, "the exit code of a collector asked to stop");
        }
    }

    /// Ends the server as a kill does: at any instruction, without a word.
    pub fn kill(&mut self) {
        self.running = None;
    }

    /// Copies the database as it is, with the server stopped meanwhile.
    #[track_caller]
    pub fn back_up(&mut self, to: &Path) {
        self.stop();
        fs::create_dir(to).expect("a folder for the backup");
        copy_database(&self.folder, to);
        self.serve();
    }

    /// Puts the database back as it was.
    #[track_caller]
    pub fn restore(&mut self, from: &Path) {
        self.stop();
        for file in database_files(&self.folder) {
            fs::remove_file(file).expect("the database removed");
        }
        copy_database(from, &self.folder);
        self.serve();
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.listen)
    }

    /// What the server has logged.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.join("serve.log")).unwrap_or_default()
    }

    /// Runs an admin command in the collector's folder.
    #[track_caller]
    pub fn cpvo(&self, args: &[&str]) -> Seen {
        let mut cpvo = command(binary("cpvo"), &self.home);
        run(cpvo.current_dir(&self.folder).args(["--db", &self.database]).args(args))
    }

    /// A new ingest token.
    #[track_caller]
    pub fn token(&self, repo: &str) -> String {
        self.cpvo(&["token", "issue", "--repo", repo]).success().trim().to_owned()
    }

    /// Asks the live database as an admin does, with Debian's own program on SQLite.
    #[track_caller]
    pub fn sql(&self, query: &str) -> Vec<Value> {
        let answer = if self.database.starts_with("postgres") {
            self.cpvo(&["sql", query, "--format", "json"]).success()
        } else {
            let mut sqlite = command("sqlite3", &self.home);
            sqlite.current_dir(&self.folder).args(["-readonly", "-json", &self.database, query]);
            run(&mut sqlite).success()
        };
        match answer.trim() {
            "" => Vec::new(),
            rows => serde_json::from_str(rows).unwrap_or_else(|error| panic!("{query}: {error}: {rows}")),
        }
    }
}

/// A SQLite database with what belongs to it.
fn database_files(folder: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(folder).expect("a folder").flatten().map(|file| file.path());
    files
        .filter(|file| file.file_name().is_some_and(|name| name.to_string_lossy().starts_with("cpvo.db")))
        .collect()
}

#[track_caller]
fn copy_database(from: &Path, to: &Path) {
    for file in database_files(from) {
        fs::copy(&file, to.join(file.file_name().expect("a name"))).expect("a copy of the database");
    }
}
