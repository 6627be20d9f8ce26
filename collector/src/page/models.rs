//! Which models were paid for what: the spend on changes by their size, and what a cheaper model would have listed for.

use super::report::{Asked, Report, Section, dollars, many, nanos, percent};
use super::sum;
use crate::listing::{Cell, Listing};
use crate::store::db::Db;
use crate::store::repository::{By, repository_spend};
use crate::store::used::{Built, built_list};
use crate::weekly::incomplete;
use anyhow::Result;
use meter::{Geo, NanoUsd, PriceBook, PriceKind, Rates, Tokens};
use std::collections::{BTreeMap, BTreeSet};

/// Changes of at most so many lines are small.
const SMALL: u64 = 50;
const SIZES: [(u64, &str); 4] = [(10, "up to 10"), (SMALL, "11–50"), (200, "51–200"), (1000, "201–1,000")];
/// Models with a column of their own.
const MODELS: usize = 6;

pub(crate) fn models(db: &mut Db, asked: Asked, book: &PriceBook) -> Result<Report> {
    let built = built_list(db, asked.first)?;
    Ok(Report {
        title: "Models".to_owned(),
        at: "/models",
        basis: asked.basis(),
        weeks: Some(asked.weeks),
        sections: vec![all(db, asked)?, sizes(&built), cheaper(&built, book)],
        view: "spend",
    })
}

fn all(db: &mut Db, asked: Asked) -> Result<Section> {
    let parts = repository_spend(db, asked.first, None, By::Model)?;
    let spent: u64 = parts.iter().map(|one| nanos(one.cost)).sum();
    let rows = parts.iter().map(|one| {
        vec![
            Cell::text(&one.name),
            many(one.requests),
            many(one.tokens),
            Cell::Number(incomplete(one.unpriced_rows).to_owned() + &one.cost.dollars()),
            percent(nanos(one.cost), spent),
        ]
    });
    Ok(Section {
        title: "All spend",
        said: "By the name that transcripts have; ? where some of it has no price.".to_owned(),
        table: Listing::new(&["Model", "Requests", "Tokens", "Spend", "Of all"], rows.collect()),
        empty: "No spend in these weeks.",
        pages: None,
    })
}

fn size(lines: Option<u64>) -> &'static str {
    let Some(lines) = lines else { return "not known" };
    SIZES.iter().find(|(most, _)| lines <= *most).map_or("more", |(_, name)| name)
}

/// What was spent on changes, by size and model.
fn sizes(built: &[Built]) -> Section {
    let mut spent: BTreeMap<&str, u64> = BTreeMap::new();
    for one in built {
        *spent.entry(&one.model).or_default() += nanos(one.cost);
    }
    let mut models: Vec<&str> = spent.keys().copied().collect();
    models.sort_by_key(|model| std::cmp::Reverse(spent[model]));
    models.truncate(MODELS);
    let row =
        |name: &'static str| {
            let of_size: Vec<&Built> = built.iter().filter(|one| size(one.lines) == name).collect();
            let changes: BTreeSet<_> = of_size.iter().map(|one| (&one.repo, &one.change)).collect();
            let mut row = vec![Cell::text(name), Cell::number(changes.len())];
            row.extend(models.iter().map(|model| {
                dollars(sum(of_size.iter().filter(|one| one.model == *model).map(|one| one.cost)))
            }));
            row.push(dollars(sum(of_size.iter().map(|one| one.cost))));
            (!changes.is_empty()).then_some(row)
        };
    let names = SIZES.iter().map(|(_, name)| *name).chain(["more", "not known"]);
    let columns: Vec<&str> =
        ["Changed lines", "Changes"].into_iter().chain(models.iter().copied()).chain(["All"]).collect();
    Section {
        title: "Spend on changes by their size",
        said: "What is known to have built the changes that merged in these weeks (classes ci, commit, branch and carried), \
            whenever it was spent. Lines are added and deleted, as the host counts them, else as a clone does."
            .to_owned(),
        table: Listing::new(&columns, names.filter_map(row).collect()),
        empty: "No change that merged in these weeks is known to have been built by a session.",
        pages: None,
    }
}

/// What the spend on small changes would have listed for with the next cheaper model that was used at all.
fn cheaper(built: &[Built], book: &PriceBook) -> Section {
    let used: BTreeSet<&str> = built.iter().map(|one| one.model.as_str()).collect();
    let known: Vec<(&str, Rates)> =
        used.into_iter().filter_map(|model| Some((model, base(book, model)?))).collect();
    let row = |(model, rates): &(&str, Rates)| {
        let below = known.iter().filter(|(_, other)| other.output < rates.output);
        let (other, cheap) = below.max_by_key(|(_, other)| other.output)?;
        let small =
            built.iter().filter(|one| one.model == *model && one.lines.is_some_and(|lines| lines <= SMALL));
        let small: Vec<&Built> = small.collect();
        let cost = sum(small.iter().map(|one| one.cost));
        let all: Tokens = small.iter().map(|one| one.tokens).sum();
        let at_base = |rates: &Rates| rates.cost(&all, Geo::Elsewhere).to_nano();
        let (own, listed) = (at_base(rates)?, at_base(cheap)?);
        let less = NanoUsd(own.0.saturating_sub(listed.0));
        let row = vec![
            Cell::text(*model),
            Cell::number(small.len()),
            many(all.total()),
            dollars(cost),
            dollars(own),
            Cell::text(*other),
            dollars(listed),
            dollars(less),
        ];
        (!small.is_empty()).then_some(row)
    };
    let columns = [
        "Model",
        "Small changes",
        "Tokens",
        "Spent",
        "List price",
        "Next cheaper model",
        "Its list price",
        "Less",
    ];
    Section {
        title: "Small changes with dear models",
        said: format!(
            "Changes of up to {SMALL} lines. The same tokens at the list prices of that model and of the next cheaper one that \
             built anything here, both without what speed, region and long prompts add: no promise, as another model may \
             take more of them, or more attempts."
        ),
        table: Listing::new(&columns, known.iter().filter_map(row).collect()),
        empty: "No change of known size was built by a model that is dearer than another one in use.",
        pages: None,
    }
}

/// The newest list price of a model.
fn base(book: &PriceBook, model: &str) -> Option<Rates> {
    let of = |price: &&meter::Price| {
        price.model == model && price.kind == PriceKind::Base && price.provider.is_none()
    };
    book.prices().filter(of).max_by_key(|price| price.from).map(|price| price.rates)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::report::tests::{asked, lines};
    use crate::store::fixture::{change, on_both, spend};

    fn built(change: &str, lines: Option<u64>, model: &str, dollars: i64) -> Built {
        Built {
            repo: "h.x/a/pay".to_owned(),
            change: change.to_owned(),
            lines,
            model: model.to_owned(),
            tokens: Tokens { output: 100_000, ..Tokens::default() },
            cost: NanoUsd(dollars * 1_000_000_000),
        }
    }

    #[test]
    fn what_built_a_change_is_read_with_its_model() {
        on_both(|db| {
            let (hour, id) = ("2026-11-17T10:00:00Z", "pay claude-opus-5-5 2026-11-17T10:00:00Z");
            spend(db, "pay", "claude-opus-5-5", hour, Some(3_000_000_000));
            spend(db, "pay", "claude-sonnet-5-5", hour, Some(1_000_000_000));
            spend(db, "pay", "claude-sonnet-5-5", "2026-11-10T10:00:00Z", None);
            change(db, ("h.x/a/pay", "1111111111ff"), "2026-11-18T10:00:00Z", id);
            let told = models(db, asked(), &PriceBook::embedded()).unwrap();
            let [all, sizes, cheaper] = &told.sections[..] else { panic!("three sections") };
            let expected =
                ["claude-opus-5-5 | 1 | 15 | $3.00 | 75 %", "claude-sonnet-5-5 | 2 | 30 | ?$1.00 | 25 %"];
            assert_eq!(lines(all), expected);
            assert_eq!(lines(sizes), ["not known | 1 | $3.00 | $3.00"], "the other session built nothing");
            assert!(cheaper.table.rows.is_empty());
            db.batch("INSERT INTO change_size (repo, sha, commits, lines) VALUES ('h.x/a/pay', '1111111111ff', 1, 12)")
                .unwrap();
            let told = models(db, asked(), &PriceBook::embedded()).unwrap();
            assert_eq!(lines(&told.sections[1]), ["11–50 | 1 | $3.00 | $3.00"]);
        });
    }

    #[test]
    fn spend_stands_by_size_and_model_and_small_changes_beside_a_cheaper_one() {
        let all = [
            built("a", Some(10), "claude-opus-5-5", 2),
            built("a", Some(10), "claude-sonnet-5-5", 1),
            built("b", Some(50), "claude-opus-5-5", 3),
            built("c", Some(51), "claude-opus-5-5", 5),
            built("d", Some(5000), "claude-sonnet-5-5", 7),
            built("e", None, "claude-opus-5-5", 11),
        ];
        let told = sizes(&all);
        assert_eq!(told.table.columns[2..], ["claude-opus-5-5", "claude-sonnet-5-5", "All"]);
        let expected = [
            "up to 10 | 1 | $2.00 | $1.00 | $3.00",
            "11–50 | 1 | $3.00 | $0.00 | $3.00",
            "51–200 | 1 | $5.00 | $0.00 | $5.00",
            "more | 1 | $0.00 | $7.00 | $7.00",
            "not known | 1 | $11.00 | $0.00 | $11.00",
        ];
        assert_eq!(lines(&told), expected);
        // $20.00 and $10.00 a million of output: of the $5.00 spent, one was for speed
        let expected = "claude-opus-5-5 | 2 | 200k | $5.00 | $4.00 | claude-sonnet-5-5 | $2.00 | $2.00";
        assert_eq!(lines(&cheaper(&all, &PriceBook::embedded())), [expected]);
    }
}
