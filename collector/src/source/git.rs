//! The `git` binary, asked about a clone that somebody else may have made: nothing in it is run, and neither our
//! environment nor its settings change what is answered.

use anyhow::{Context, Result, anyhow, bail};
use rustix::process::{Pid, Signal, kill_process};
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};

/// What would point git at another repository, index or configuration than the clone's own.
const FOREIGN: [&str; 14] = [
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_COMMON_DIR",
    "GIT_NAMESPACE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_CONFIG",
    "GIT_CONFIG_COUNT",
    "GIT_CONFIG_PARAMETERS",
    "GIT_EXTERNAL_DIFF",
    "GIT_DIFF_OPTS",
    "GIT_SHALLOW_FILE",
    "GIT_REPLACE_REF_BASE",
];
const FIXED: [(&str, &str); 6] = [
    ("GIT_OPTIONAL_LOCKS", "0"),
    ("GIT_NO_LAZY_FETCH", "1"),
    ("GIT_NO_REPLACE_OBJECTS", "1"),
    ("GIT_GRAFT_FILE", "/dev/null"),
    ("GIT_TERMINAL_PROMPT", "0"),
    ("LC_ALL", "C"),
];
/// Settings of the clone that would run a program or change an answer.
const SETTINGS: [&str; 11] = [
    "core.fsmonitor=false",
    "core.hooksPath=/dev/null",
    "core.quotePath=false",
    "diff.submodule=short",
    "diff.orderFile=/dev/null",
    "log.showSignature=false",
    "log.showRoot=true",
    "log.excludeDecoration=",
    "i18n.logOutputEncoding=UTF-8",
    "advice.graftFileDeprecated=false",
    "protocol.allow=never",
];
const NO_GIT: &str = "could not start git, which must be on the PATH";
/// Of what git says when it fails.
const REASON_BYTES_MAX: u64 = 4096;

pub(super) struct Git {
    pub path: PathBuf,
}

impl Git {
    fn command(&self, args: &[&str]) -> Command {
        let mut git = Command::new("git");
        git.arg("--no-pager").arg("-C").arg(&self.path);
        for setting in SETTINGS {
            git.args(["-c", setting]);
        }
        for name in FOREIGN {
            git.env_remove(name);
        }
        git.envs(FIXED).args(args).stdin(Stdio::null()).stdout(Stdio::piped());
        git
    }

    /// What git answers; an error where it fails.
    pub(super) fn ask(&self, args: &[&str]) -> Result<String> {
        let mut answer = String::new();
        let mut fields = self.fields(args)?;
        while let Some(field) = fields.next()? {
            answer.push_str(&field);
        }
        Ok(answer.trim_end().to_owned())
    }

    /// What git answers where it knows; `None` where it says no.
    pub(super) fn ask_if(&self, args: &[&str]) -> Option<String> {
        self.ask(args).ok().filter(|answer| !answer.is_empty())
    }

    /// Runs it to its end, unless `pause`, which is called until then, says that it must not go on.
    pub(super) fn run(
        &self,
        args: &[&str],
        variables: &[(&str, &str)],
        mut pause: impl FnMut() -> Result<()>,
    ) -> Result<()> {
        let mut errors = tempfile::tempfile()?;
        let mut command = self.command(args);
        command.envs(variables.iter().copied()).stdout(Stdio::null()).stderr(errors.try_clone()?);
        let mut child = command.spawn().context(NO_GIT)?;
        let status = loop {
            if let Some(status) = child.try_wait()? {
                break status;
            }
            if let Err(reason) = pause() {
                // it takes its own children and locks with it, unlike one that is killed
                kill_process(Pid::from_child(&child), Signal::TERM).ok();
                child.wait()?;
                return Err(reason);
            }
        };
        content(status, &mut errors)
    }

    /// The fields of an answer as they come, each ended by NUL.
    pub(super) fn fields(&self, args: &[&str]) -> Result<Fields> {
        self.parts(args, 0)
    }

    /// The lines of an answer as they come.
    pub(super) fn lines(&self, args: &[&str]) -> Result<Fields> {
        self.parts(args, b'\n')
    }

    fn parts(&self, args: &[&str], end: u8) -> Result<Fields> {
        let errors = tempfile::tempfile()?;
        let mut command = self.command(args);
        let mut child = command.stderr(errors.try_clone()?).spawn().context(NO_GIT)?;
        let stdout = child.stdout.take().context("git has no output")?;
        let what = args.first().copied().unwrap_or_default().to_owned();
        Ok(Fields { child, answer: BufReader::with_capacity(1 << 16, stdout), end, errors, what })
    }
}

/// An answer under way.
pub(super) struct Fields {
    child: Child,
    answer: BufReader<ChildStdout>,
    /// What ends each field.
    end: u8,
    errors: File,
    what: String,
}

impl Fields {
    /// The next field; at the end of it all, whether git was content.
    pub(super) fn next(&mut self) -> Result<Option<String>> {
        Ok(self.next_bytes()?.map(|field| String::from_utf8_lossy(&field).into_owned()))
    }

    /// The next field as it is, in whatever encoding.
    pub(super) fn next_bytes(&mut self) -> Result<Option<Vec<u8>>> {
        let mut field = Vec::new();
        if self.answer.read_until(self.end, &mut field)? == 0 {
            return self.close().map(|()| None);
        }
        if field.last() == Some(&self.end) {
            field.pop();
        }
        Ok(Some(field))
    }

    /// The next field of a record that has begun.
    pub(super) fn expect(&mut self) -> Result<String> {
        self.next()?.ok_or_else(|| anyhow!("git {} ended in the middle of a commit", self.what))
    }

    fn close(&mut self) -> Result<()> {
        content(self.child.wait()?, &mut self.errors).with_context(|| format!("git {} failed", self.what))
    }
}

/// An error with what git said where it failed.
fn content(status: ExitStatus, errors: &mut File) -> Result<()> {
    if status.success() {
        return Ok(());
    }
    let mut reason = Vec::new();
    errors.rewind()?;
    errors.take(REASON_BYTES_MAX).read_to_end(&mut reason)?;
    let reason = String::from_utf8_lossy(&reason).trim().replace('\n', "; ");
    bail!("{}", if reason.is_empty() { status.to_string() } else { reason })
}

impl Drop for Fields {
    fn drop(&mut self) {
        let _ = self.child.kill(); // it may have more to say than anybody wants to hear
        let _ = self.child.wait();
    }
}
