//! `me`: one's own spend at list price, by week, repository and branch. Nothing of it is sent anywhere.

use crate::config::Config;
use crate::state::ledger::Ledger;
use crate::terms::stage::Stage;
use crate::work;
use anyhow::{Result, bail};
use jiff::Timestamp;
use meter::{NanoUsd, PriceBook, Provider, Repo, Tokens, Week};
use serde_json::json;
use std::collections::BTreeMap;
use std::io::Write;

/// What was spent in one place.
#[derive(Debug, Default)]
struct Spend {
    requests: u64,
    tokens: Tokens,
    cost: i128,
    /// Responses of models without a known price.
    unpriced: u64,
}

type Spends = BTreeMap<(Week, Repo, String), Spend>;

pub(super) fn run(config: &Config, now: Timestamp, json: bool) -> Result<()> {
    let stage = Stage::set(&crate::current_folder(), config, false);
    if let Some(reason) = stage.closed(config) {
        bail!("nothing is read here: {reason}");
    }
    let spends = spends(&work::sweep_copy(&stage, config, now)?)?;
    let mut out = std::io::stdout().lock();
    if json {
        writeln!(out, "{}", machine(&spends))?;
    } else {
        write!(out, "{}", person(&spends))?;
    }
    Ok(())
}

fn spends(ledger: &Ledger) -> Result<Spends> {
    let book = PriceBook::embedded();
    let mut spends = Spends::new();
    for (key, _) in ledger.report_all()? {
        let content = ledger.content(&key, None)?;
        let provider = Provider::from_word(&content.session.provider).unwrap_or(Provider::Unknown);
        for row in content.rows {
            let spend = spends.entry((key.week, key.repo.clone(), row.key.branch.to_string())).or_default();
            spend.requests += row.requests;
            spend.tokens += row.tokens;
            match book.cost(provider, &row) {
                Some(priced) => spend.cost += i128::from(priced.cost.0),
                None => spend.unpriced += row.requests,
            }
        }
    }
    Ok(spends)
}

fn machine(spends: &Spends) -> String {
    let rows: Vec<_> = spends
        .iter()
        .map(|((week, repo, branch), spend)| {
            json!({"week": week, "repo": repo, "branch": branch, "requests": spend.requests, "tokens": spend.tokens,
                "list_usd": dollars(spend).to_string(), "unpriced": spend.unpriced})
        })
        .collect();
    json!(rows).to_string()
}

fn person(spends: &Spends) -> String {
    if spends.is_empty() {
        return "no session has used a model yet\n".to_owned();
    }
    let wide = spends.keys().map(|(_, repo, _)| repo.as_str().chars().count()).max().unwrap_or(0);
    let mut lines = Vec::new();
    for ((week, repo, branch), spend) in spends {
        let repo = repo.as_str();
        let unknown = spend.cost == 0 && spend.unpriced > 0;
        let cost = if unknown { "no price".to_owned() } else { dollars(spend).dollars() };
        let unpriced =
            if spend.unpriced > 0 { format!("  {} unpriced", spend.unpriced) } else { String::new() };
        let branch = if branch.is_empty() { "-" } else { branch };
        let requests = spend.requests;
        lines.push(format!("{week}  {repo:wide$}  {cost:>12}  {requests:>7} responses  {branch}{unpriced}"));
    }
    lines.push("at list price; a subscription is not billed by tokens\n".to_owned());
    lines.join("\n")
}

fn dollars(spend: &Spend) -> NanoUsd {
    NanoUsd(i64::try_from(spend.cost).unwrap_or(i64::MAX))
}
