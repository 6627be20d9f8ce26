//! The `git` binary, asked about a clone that somebody else may have made: nothing in it is run, and neither our
//! environment nor its settings change what is answered.

use super::process::{Answer, Process, Refusal};
use super::web::Pace;
use anyhow::{Result, anyhow};
use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};

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
const FIXED: [(&str, &str); 7] = [
    ("GIT_ATTR_NOSYSTEM", "1"),
    ("GIT_OPTIONAL_LOCKS", "0"),
    ("GIT_NO_LAZY_FETCH", "1"),
    ("GIT_NO_REPLACE_OBJECTS", "1"),
    ("GIT_GRAFT_FILE", "/dev/null"),
    ("GIT_TERMINAL_PROMPT", "0"),
    ("LC_ALL", "C"),
];
/// What leaves out the settings of the machine and of whoever runs it.
const ALONE: [(&str, &str); 2] = [("GIT_CONFIG_GLOBAL", "/dev/null"), ("GIT_CONFIG_NOSYSTEM", "1")];
/// Settings of the clone that would run a program or change an answer.
const SETTINGS: [&str; 15] = [
    "core.attributesFile=/dev/null",
    "core.bigFileThreshold=512m",
    "core.fsmonitor=false",
    "core.hooksPath=/dev/null",
    "core.quotePath=false",
    "diff.submodule=short",
    "diff.orderFile=/dev/null",
    "diff.algorithm=default",
    "diff.indentHeuristic=true",
    "log.showSignature=false",
    "log.showRoot=true",
    "log.excludeDecoration=",
    "i18n.logOutputEncoding=UTF-8",
    "advice.graftFileDeprecated=false",
    "protocol.allow=never",
];

pub(super) struct Git<'a> {
    pub path: PathBuf,
    pub pace: Pace<'a>,
    /// Whether it has no settings but those of its folder.
    pub is_alone: bool,
}

impl<'a> Git<'a> {
    fn command(&self, args: &[&str]) -> Command {
        let mut git = Command::new("git");
        git.arg("--no-pager").arg("-C").arg(&self.path);
        for setting in SETTINGS {
            git.args(["-c", setting]);
        }
        for name in FOREIGN {
            git.env_remove(name);
        }
        git.envs(FIXED);
        if self.is_alone {
            git.envs(ALONE);
        }
        git.args(args).stdin(Stdio::null()).stdout(Stdio::piped());
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
    pub(super) fn ask_if(&self, args: &[&str]) -> Result<Option<String>> {
        match self.ask(args) {
            Err(error) if error.is::<Refusal>() => Ok(None),
            answer => Ok(Some(answer?).filter(|answer| !answer.is_empty())),
        }
    }

    /// Runs it to its end.
    pub(super) fn run(&self, args: &[&str], variables: &[(&str, &str)]) -> Result<()> {
        let mut command = self.command(args);
        command.envs(variables.iter().copied()).stdout(Stdio::null());
        self.start(command, args)?.close()
    }

    /// The fields of an answer as they come, each ended by NUL.
    pub(super) fn fields(&self, args: &[&str]) -> Result<Fields<'a>> {
        self.parts(self.command(args), args, 0)
    }

    /// The lines of an answer as they come.
    pub(super) fn lines(&self, args: &[&str]) -> Result<Fields<'a>> {
        self.parts(self.command(args), args, b'\n')
    }

    /// The lines of an answer about a file, whose name is in whatever encoding.
    pub(super) fn lines_of(&self, args: &[&str], file: &OsStr) -> Result<Fields<'a>> {
        let mut command = self.command(args);
        command.arg("--").arg(file);
        self.parts(command, args, b'\n')
    }

    fn parts(&self, command: Command, args: &[&str], end: u8) -> Result<Fields<'a>> {
        let mut process = self.start(command, args)?;
        let answer = BufReader::with_capacity(1 << 16, process.answer()?);
        Ok(Fields { process, answer, end })
    }

    fn start(&self, command: Command, args: &[&str]) -> Result<Process<'a>> {
        Process::start(command, args.first().copied().unwrap_or_default(), self.pace)
    }
}

/// An answer under way.
pub(super) struct Fields<'a> {
    process: Process<'a>,
    answer: BufReader<Answer<'a>>,
    /// What ends each field.
    end: u8,
}

impl Fields<'_> {
    /// The next field; at the end of it all, whether git was content.
    pub(super) fn next(&mut self) -> Result<Option<String>> {
        Ok(self.next_bytes()?.map(|field| String::from_utf8_lossy(&field).into_owned()))
    }

    /// The next field as it is, in whatever encoding.
    pub(super) fn next_bytes(&mut self) -> Result<Option<Vec<u8>>> {
        let mut field = Vec::new();
        if self.answer.read_until(self.end, &mut field)? == 0 {
            return self.process.close().map(|()| None);
        }
        if field.last() == Some(&self.end) {
            field.pop();
        }
        Ok(Some(field))
    }

    /// The next field of a record that has begun.
    pub(super) fn expect(&mut self) -> Result<String> {
        Ok(String::from_utf8_lossy(&self.expect_bytes()?).into_owned())
    }

    pub(super) fn expect_bytes(&mut self) -> Result<Vec<u8>> {
        let field = self.next_bytes()?;
        field.ok_or_else(|| anyhow!("git {} ended in the middle of a commit", self.process.what))
    }
}
