//! What the prompt cache saves, and what was written to it in vain as far as counts can tell.

use super::report::{Asked, Report, Section, many, percent};
use crate::listing::{Cell, Listing};
use crate::store::db::Db;
use crate::store::used::{Unread, Used, unread_list, used_list};
use anyhow::Result;
use meter::{NanoUsd, PicoUsd, Tokens};
use std::collections::BTreeMap;

/// The prompts of a team or model.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Cached {
    tokens: Tokens,
    /// What the same prompts would have cost without a cache, less what they did cost.
    saved: PicoUsd,
}

pub(crate) fn caching(db: &mut Db, asked: Asked) -> Result<Report> {
    let used = used_list(db, asked.first)?;
    let unread = unread_list(db, asked.first)?;
    Ok(Report {
        title: "Caching".to_owned(),
        at: "/caching",
        basis: asked.basis(),
        weeks: Some(asked.weeks),
        sections: vec![
            section("By team", "Team", &by(&used, |one| &one.team), Some(&unread)),
            section("By model", "Model", &by(&used, |one| &one.model), None),
        ],
        view: "team_week",
    })
}

fn by(used: &[Used], name: fn(&Used) -> &str) -> BTreeMap<&str, Cached> {
    let mut cached: BTreeMap<&str, Cached> = BTreeMap::new();
    for one in used {
        let sum = cached.entry(name(one)).or_default();
        sum.tokens += one.tokens;
        sum.saved.0 +=
            one.rates.cost(&uncached(one.tokens), one.geo).0 - one.rates.cost(&one.tokens, one.geo).0;
    }
    cached
}

/// The same tokens, had there been no cache.
fn uncached(tokens: Tokens) -> Tokens {
    Tokens {
        input: tokens.prompt(),
        output: tokens.output,
        web_search: tokens.web_search,
        ..Tokens::default()
    }
}

fn section(
    title: &'static str,
    name: &str,
    cached: &BTreeMap<&str, Cached>,
    unread: Option<&[Unread]>,
) -> Section {
    let mut rows: Vec<_> = cached.iter().collect();
    rows.sort_by_key(|(_, one)| std::cmp::Reverse(one.saved));
    let row = |(name, one): (&&str, &Cached)| {
        let of = one.tokens;
        let written = of.cache_write_5m + of.cache_write_1h;
        let mut row = vec![
            Cell::text(*name),
            many(of.prompt()),
            percent(of.cache_read, of.prompt()),
            many(written),
            Cell::Number(one.saved.to_nano().map_or_else(String::new, NanoUsd::dollars)),
        ];
        if let Some(unread) = unread {
            let vain = unread.iter().filter(|one| one.team == **name).map(|one| one.tokens).sum();
            row.extend([many(vain), percent(vain, written)]);
        }
        row
    };
    let mut columns = vec![name, "Prompt tokens", "Read from cache", "Written", "Saved"];
    if unread.is_some() {
        columns.extend(["Written in vain", "Of written"]);
    }
    Section {
        title,
        said: if unread.is_some() { format!("{SAVED} {VAIN}") } else { SAVED.to_owned() },
        table: Listing::new(&columns, rows.into_iter().map(row).collect()),
        empty: "No priced prompt in these weeks.",
        pages: None,
    }
}

const SAVED: &str = "Saved: what the same prompts would have cost at list price had no token been cached, less what they cost, \
    the writes included; below zero where writing cost more than reading saved.";
const VAIN: &str = "Written in vain: by sessions that read nothing of that model back in these weeks, so it is the least there can \
    be. Which writes of other sessions were read again, counts by hour cannot tell.";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::report::tests::{asked, lines};
    use crate::store::fixture::{on_both, spend};
    use meter::{Geo, PriceBook};

    #[test]
    fn what_is_saved_is_the_price_of_input_less_that_of_the_cache() {
        let book = PriceBook::embedded();
        let rates = book.prices().find(|price| price.model == "claude-opus-5-5").unwrap().rates;
        let tokens =
            Tokens { cache_read: 1_000_000, cache_write_5m: 100_000, output: 7, ..Tokens::default() };
        let used = |team: &str, tokens| Used {
            team: team.to_owned(),
            model: "m".to_owned(),
            geo: Geo::Elsewhere,
            tokens,
            rates,
        };
        let written = Tokens { cache_write_1h: 1_000_000, ..Tokens::default() };
        let all = [used("a", tokens), used("b", written), used("a", tokens)];
        let told = by(&all, |one| &one.team);
        // $4.00 a million of input, $0.20 to read it, $5.00 and $8.00 to write it
        assert_eq!(told["a"].saved.to_nano().unwrap().dollars(), "$7.40");
        assert_eq!(told["b"].saved.to_nano().unwrap().dollars(), "-$4.00");
        assert_eq!(told["a"].tokens.cache_read, 2_000_000);
    }

    #[test]
    fn what_is_never_read_back_is_of_sessions_that_read_nothing() {
        on_both(|db| {
            spend(db, "pay", "claude-opus-5-5", "2026-11-17T10:00:00Z", Some(3));
            spend(db, "pay", "claude-opus-5-5", "2026-11-18T10:00:00Z", Some(3));
            spend(db, "pay", "claude-next-9", "2026-11-19T10:00:00Z", None);
            db.batch("UPDATE usage SET cache_read = 0 WHERE hour >= '2026-11-18T10:00:00Z'").unwrap();
            let told = caching(db, asked()).unwrap();
            let [teams, models] = &told.sections[..] else { panic!("two sections") };
            // of each that has a price: 1 input, 4 and 5 written; 3 read by one of them
            assert_eq!(lines(teams), ["pay | 23 | 13 % | 18 | $0.00 | 9 | 50 %"]);
            assert_eq!(lines(models), ["claude-opus-5-5 | 23 | 13 % | 18 | $0.00"]);
        });
    }
}
