//! A PostgreSQL server of the tests' own, from Debian's package, reachable over a socket in its folder.

use crate::program::{Running, command, run};
use crate::wait::until;
use rustix::process::Signal;
use std::fs;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

pub struct Cluster {
    folder: TempDir,
    server: Option<Running>,
}

impl Cluster {
    #[track_caller]
    pub fn start() -> Self {
        let folder = tempfile::Builder::new().prefix("cpvo-pg-").tempdir().expect("a temporary folder");
        let (data, log) = (folder.path().join("data"), folder.path().join("log"));
        if let Some((user, group)) = server_user() {
            chown(folder.path(), Some(user), Some(group)).expect("a folder of the database's user");
        }
        let mut init = as_server("initdb", folder.path());
        run(init.arg("-D").arg(&data).args(["-U", "cpvo", "-A", "trust", "-E", "UTF8", "--no-sync"]))
            .success();
        let mut server = as_server("postgres", folder.path());
        server.arg("-D").arg(&data).arg("-k").arg(folder.path()).args([
            "-c",
            "listen_addresses=",
            "-c",
            "fsync=off",
        ]);
        let server = Running::start_logged(&mut server, &log);
        let cluster = Self { folder, server: Some(server) };
        until("PostgreSQL to answer", || (cluster.psql("SELECT 1").code == 0).then_some(()));
        cluster
    }

    /// A new, empty database.
    #[track_caller]
    pub fn database(&self, name: &str) -> String {
        self.psql(&format!("CREATE DATABASE {name}")).success();
        format!("postgres://cpvo@/{name}?host={}", self.folder.path().display())
    }

    fn psql(&self, query: &str) -> crate::program::Seen {
        let folder = self.folder.path();
        let mut psql = command("psql", folder);
        run(psql.arg("-h").arg(folder).args(["-U", "cpvo", "-d", "postgres", "-c", query]))
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // asked to stop, it takes its shared memory with it
        if let Some(mut server) = self.server.take() {
            server.signal(Signal::INT);
            server.finish();
        }
    }
}

/// The user and group PostgreSQL has to run as where the tests run as root, which it refuses.
fn server_user() -> Option<(u32, u32)> {
    if !rustix::process::geteuid().is_root() {
        return None;
    }
    let users = fs::read_to_string("/etc/passwd").expect("the list of users");
    let line = users
        .lines()
        .find(|line| line.starts_with("postgres:"))
        .expect("the user postgres of Debian's package");
    let mut fields = line.split(':').skip(2).map(str::parse);
    Some((fields.next()?.ok()?, fields.next()?.ok()?))
}

fn as_server(program: &str, home: &Path) -> Command {
    let program = program_of_postgres(program);
    match server_user() {
        None => command(program, home),
        Some((user, group)) => {
            let mut server = command("setpriv", home);
            server
                .arg(format!("--reuid={user}"))
                .arg(format!("--regid={group}"))
                .arg("--clear-groups")
                .arg(program);
            server
        }
    }
}

/// Debian keeps the server's programs out of the PATH, one folder per version.
fn program_of_postgres(name: &str) -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut programs: Vec<PathBuf> = versions.map(|version| version.path().join("bin").join(name)).collect();
    programs.sort();
    programs.pop().expect("PostgreSQL's programs: install Debian's package postgresql")
}
