//! `cpvo prices`: the dated price book.

use crate::config::{Clock, Options};
use crate::listing::{Cell, Format, Listing};
use anyhow::Result;
use meter::{Band, Price, PriceBook, PriceKind, Provider};
use std::io::{Write, stdout};

#[derive(clap::Args)]
pub(crate) struct Args {
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

const NOTES: &str = "\
USD per million tokens, searches per request. A price holds from its hour until the next one of its kind.
long: prompts larger than the band it names; fast: answers at fast speed; both replace base.
In the geo us the token part costs a tenth more. A model that is not here is unpriced, never free.
Decorated names are the same model: us.anthropic.NAME-v1:0, NAME@20251001, NAME-20251001, NAME[1m].
";

pub(crate) fn run(Args { format }: Args, _options: &Options, _now: Clock) -> Result<()> {
    let book = PriceBook::embedded();
    let listing = listing(&book);
    let mut out = stdout().lock();
    out.write_all(listing.render(format)?.as_bytes())?;
    if format == Format::Table {
        write!(out, "\n{NOTES}")?;
    }
    Ok(())
}

fn listing(book: &PriceBook) -> Listing {
    let columns = [
        "model",
        "kind",
        "provider",
        "from",
        "input",
        "output",
        "cache_read",
        "cache_write_5m",
        "cache_write_1h",
        "web_search",
        "names",
    ];
    let row = |price: &Price| {
        let kind = match price.kind {
            PriceKind::Long { above: Band::To100k } => "long > 100k".to_owned(),
            PriceKind::Long { above } => format!("long > {}", above.as_str()),
            kind => kind.as_str().to_owned(),
        };
        let rates = &price.rates;
        let tokens =
            [rates.input, rates.output, rates.cache_read, rates.cache_write_5m, rates.cache_write_1h];
        let mut row = vec![
            Cell::text(&price.model),
            Cell::Text(kind),
            Cell::text(price.provider.map_or("any", Provider::as_str)),
            Cell::text(price.from.to_string()),
        ];
        // a pico-dollar per token is a micro-dollar per million
        row.extend(tokens.map(|pico| Cell::Number(decimal(pico, 6))));
        row.push(Cell::Number(decimal(rates.web_search, 12)));
        row.push(Cell::text(book.other_names(&price.model).join(" ")));
        row
    };
    Listing::new(&columns, book.prices().map(row).collect())
}

/// `units` of 10^-`places` as a decimal without idle zeros: at least two places, as money has.
pub(crate) fn decimal(units: i64, places: u32) -> String {
    let one = 10_i64.pow(places);
    let part = format!("{:0places$}", units % one, places = places as usize);
    format!("{}.{:0<2}", units / one, part.trim_end_matches('0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_read_as_they_are_published() {
        for (units, places, text) in [
            (4_000_000, 6, "4.00"),
            (125_000, 6, "0.125"),
            (10_000, 6, "0.01"),
            (18_750_000, 6, "18.75"),
            (10_000_000_000, 12, "0.01"),
            (0, 6, "0.00"),
        ] {
            assert_eq!(decimal(units, places), text);
        }
    }

    #[test]
    fn every_price_is_listed_with_its_names() {
        let book = PriceBook::embedded();
        let listing = listing(&book);
        assert_eq!(listing.rows.len(), book.prices().count());
        let table = listing.table();
        let long = table.lines().find(|line| line.contains("long >")).unwrap();
        let words: Vec<_> = long.split_whitespace().collect();
        let rates = [
            "claude-haiku-5-5",
            "long",
            ">",
            "100k",
            "any",
            "1970-01-01T00:00:00Z",
            "0.50",
            "2.50",
            "0.05",
            "0.625",
            "1.00",
            "0.01",
        ];
        assert_eq!(words, rates);
        let opus = table.lines().find(|line| line.starts_with("claude-opus-4-0 ")).unwrap();
        assert!(opus.ends_with("claude-opus-4"), "{opus}");
    }
}
