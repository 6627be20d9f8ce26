//! `cpvo token`: issues, lists and revokes the write-only tokens that repositories carry.

use crate::config::{Clock, Config, Options};
use crate::http::{REVOKED, Refusal, claims, token_id};
use crate::keys;
use crate::store::audit::{Event, audit_add};
use crate::store::db::{Access, Db};
use crate::store::open;
use crate::store::token::{Scope, Token, token_add, token_is_revoked, token_list, token_revoke};
use anyhow::{Context, Result, anyhow, bail, ensure};
use comfy_table::Table;
use comfy_table::presets::NOTHING;
use jiff::{SignedDuration, Timestamp};
use meter::Repo;
use std::io::Write;

const DAYS_MAX: i64 = 400;

#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Print a new token for a repository
    Issue(Issue),
    /// Every token that was issued
    List,
    /// Refuse a token from now on
    Revoke {
        /// The id that `cpvo token list` shows
        id: String,
    },
}

#[derive(clap::Args)]
struct Issue {
    /// The repository whose settings will carry it, as host/owner/name or its remote
    #[arg(long, value_name = "REPO", value_parser = repo)]
    repo: Repo,
    /// Let it report this repository only
    #[arg(long)]
    strict: bool,
    /// Let it tell incidents of this repository (POST /v1/incidents) and deliver no reports: a secret of your monitoring
    #[arg(long, conflicts_with = "strict")]
    incidents: bool,
    /// Days until it expires
    #[arg(long, default_value_t = DAYS_MAX, value_parser = clap::value_parser!(i64).range(1..=DAYS_MAX))]
    days: i64,
}

fn repo(text: &str) -> Result<Repo> {
    let known = text.parse().ok().or_else(|| Repo::of_remote(text));
    known.with_context(|| format!("{text:?} is neither host/owner/name nor a remote"))
}

pub(crate) fn run(args: Args, options: &Options, now: Clock) -> Result<()> {
    let config = options.load()?;
    let now = now();
    let mut db = open(&config.db, Access::Write, now)?;
    let mut out = std::io::stdout().lock();
    match args.command {
        Command::Issue(Issue { repo, strict, incidents, days }) => {
            let scope = if incidents { Scope::Incidents } else { Scope::Reports };
            let token = Token { strict, scope, ..token(repo, days, now)? };
            writeln!(out, "{}", issue(&mut db, &keys::signing(&config.keys)?, &token)?)?;
        }
        Command::List => writeln!(out, "{}", table(&token_list(&mut db)?, now))?,
        Command::Revoke { id } => {
            if !revoke(&mut db, &id, now)? {
                let known = token_list(&mut db)?.iter().any(|token| token.id == id);
                ensure!(known, "there is no token {id}; `cpvo token list` shows the ids");
                bail!("the token {id} was revoked already");
            }
            writeln!(out, "revoked {id}")?;
        }
    }
    Ok(())
}

/// A new token for the settings of `repo`.
pub(crate) fn issue_for(config: &Config, repo: Repo, now: Timestamp) -> Result<String> {
    let mut db = open(&config.db, Access::Write, now)?;
    issue(&mut db, &keys::signing(&config.keys)?, &token(repo, DAYS_MAX, now)?)
}

/// Why the collector refuses a token that a repository carries; `None` where it takes it.
pub(crate) fn refusal(config: &Config, token: &str, now: Timestamp) -> Result<Option<Refusal>> {
    let id = match token_id(token, &keys::verifying(&config.keys)?, now) {
        Ok(id) => id,
        Err(refusal) => return Ok(Some(refusal)),
    };
    config.db.ensure_there()?;
    let revoked = token_is_revoked(&mut open(&config.db, Access::Read, now)?, &id)?;
    Ok(revoked.then(|| Refusal { foreign: false, reason: REVOKED.to_owned() }))
}

fn token(repo: Repo, days: i64, now: Timestamp) -> Result<Token> {
    let expires_at = now.checked_add(SignedDuration::from_hours(24 * days))?;
    Ok(Token {
        id: random_id()?,
        repo,
        strict: false,
        scope: Scope::Reports,
        issued_at: now,
        expires_at,
        revoked_at: None,
    })
}

/// Notes the token, then signs it: one that is not in the list never gets out.
pub(crate) fn issue(db: &mut Db, key: &keys::Signing, token: &Token) -> Result<String> {
    db.transaction(|db| {
        token_add(db, token)?;
        let limits = match token.scope {
            Scope::Incidents => ", incidents",
            Scope::Reports if token.strict => ", strict",
            Scope::Reports => "",
        };
        let detail = format!("for {}{limits}", token.repo);
        audit_add(
            db,
            token.issued_at,
            &Event { actor: "admin", action: "token_issued", subject: &token.id, detail },
        )
    })?;
    key.sign(&claims(token))
}

fn revoke(db: &mut Db, id: &str, now: Timestamp) -> Result<bool> {
    db.transaction(|db| {
        let revoked = token_revoke(db, id, now)?;
        if revoked {
            let detail = String::new();
            audit_add(db, now, &Event { actor: "admin", action: "token_revoked", subject: id, detail })?;
        }
        Ok(revoked)
    })
}

pub(crate) fn random_id() -> Result<String> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| anyhow!("no random bytes from the system: {error}"))?;
    Ok(keys::hex(&bytes))
}

fn table(tokens: &[Token], now: Timestamp) -> String {
    let mut table = Table::new();
    table.load_style(NOTHING).set_header(["id", "repository", "may report", "issued", "state"]);
    for token in tokens {
        let state = match token.revoked_at {
            Some(at) => format!("revoked {}", at.strftime("%F")),
            None if token.expires_at <= now => format!("expired {}", token.expires_at.strftime("%F")),
            None => format!("until {}", token.expires_at.strftime("%F")),
        };
        let may = match token.scope {
            Scope::Incidents => "incidents",
            Scope::Reports if token.strict => "this repository",
            Scope::Reports => "any repository",
        };
        let issued = token.issued_at.strftime("%F").to_string();
        table.add_row([&token.id, token.repo.as_str(), may, &issued, &state]);
    }
    table.trim_fmt()
}
