//! Charges in the columns of FOCUS 1.2, the open format of bills. They are estimates at list price and say so: whoever
//! invoices the tokens bills them, so what is billed here is nothing, and no dollar is counted twice beside an invoice.

use crate::listing::{Cell, Listing};
use crate::prices::decimal;
use crate::store::charge::Charge;
use jiff::civil::Date;
use jiff::{Span, ToSpan};
use meter::{NanoUsd, PicoUsd, Provider, Tokens};
use serde_json::json;

/// No account of an invoice has this name.
const ACCOUNT: &str = "cpvo-estimate";
const PICO_PER_NANO: i128 = 1000;

/// The tokens of one kind of a charge.
struct Line<'a> {
    charge: &'a Charge,
    /// As `usage` calls it.
    kind: &'static str,
    count: u64,
    /// Of one of them.
    rate: PicoUsd,
    cost: NanoUsd,
}

/// How a column is told of a line.
type Told = fn(&Line) -> Cell;

const COLUMNS: [(&str, Told); 43] = [
    ("BilledCost", |_| Cell::number(0)),
    ("BillingAccountId", |_| Cell::text(ACCOUNT)),
    ("BillingAccountName", |_| Cell::text("Estimate at list price, not invoiced")),
    ("BillingCurrency", |_| Cell::text("USD")),
    ("BillingPeriodEnd", |line| midnight(line.charge.day.first_of_month(), 1.month())),
    ("BillingPeriodStart", |line| midnight(line.charge.day.first_of_month(), Span::new())),
    ("ChargeCategory", |_| Cell::text("Usage")),
    ("ChargeClass", |_| Cell::Null),
    ("ChargeDescription", |line| {
        Cell::Text(format!("{}: {} at list price", line.charge.model, line.words()))
    }),
    ("ChargeFrequency", |_| Cell::text("Usage-Based")),
    ("ChargePeriodEnd", |line| midnight(line.charge.day, 1.day())),
    ("ChargePeriodStart", |line| midnight(line.charge.day, Span::new())),
    ("ConsumedQuantity", |line| Cell::number(line.count)),
    ("ConsumedUnit", |line| Cell::text(line.unit())),
    ("ContractedCost", |line| Cell::number(line.cost)),
    ("ContractedUnitPrice", |line| line.unit_price()),
    ("EffectiveCost", |line| Cell::number(line.cost)),
    ("HostProviderName", |line| Cell::text(line.provider())),
    ("InvoiceIssuerName", |line| Cell::text(line.provider())),
    ("ListCost", |line| Cell::number(line.cost)),
    ("ListUnitPrice", |line| line.unit_price()),
    ("PricingCategory", |_| Cell::text("Standard")),
    ("PricingQuantity", |line| Cell::number(line.count)),
    ("PricingUnit", |line| Cell::text(line.unit())),
    ("ProviderName", |line| Cell::text(line.provider())),
    ("PublisherName", |_| Cell::text("Anthropic")),
    ("ServiceCategory", |_| Cell::text("AI and Machine Learning")),
    ("ServiceName", |_| Cell::text("Claude Code")),
    ("ServiceProviderName", |line| Cell::text(line.provider())),
    ("ServiceSubcategory", |_| Cell::text("Generative AI")),
    ("SkuId", |line| Cell::Text(format!("{}/{}", line.charge.model, line.kind))),
    ("SkuMeter", |line| Cell::text(line.words())),
    ("SkuPriceId", |line| Cell::Text(format!("{}/{}", line.charge.price_id, line.kind))),
    ("Tags", |line| Cell::Text(json!({"team": line.charge.team, "repo": line.charge.repo}).to_string())),
    ("x_CostBasis", |line| Cell::text(&line.charge.cost_basis)),
    ("x_Geo", |line| Cell::text(line.charge.geo.as_str())),
    ("x_Model", |line| Cell::text(&line.charge.model)),
    ("x_Provider", |line| Cell::text(line.charge.provider.as_str())),
    ("x_Repo", |line| Cell::text(&line.charge.repo)),
    ("x_Team", |line| Cell::text(&line.charge.team)),
    ("x_TokenCount", |line| if line.is_tokens() { Cell::number(line.count) } else { Cell::Null }),
    ("x_TokenType", |line| if line.is_tokens() { Cell::text(line.kind) } else { Cell::Null }),
    ("x_TrustLevel", |line| Cell::text(&line.charge.trust)),
];

pub(super) fn focus(charges: &[Charge]) -> Listing {
    let row = |line: &Line| COLUMNS.iter().map(|(_, told)| told(line)).collect();
    let rows = charges.iter().flat_map(lines).map(|line| row(&line)).collect();
    Listing::new(&COLUMNS.map(|(name, _)| name), rows)
}

/// A charge by the kind of its tokens; together they are all of its cost.
fn lines(charge: &Charge) -> Vec<Line<'_>> {
    let of = charge.tokens;
    let one = Tokens::default();
    let kinds = [
        ("input", of.input, Tokens { input: 1, ..one }),
        ("output", of.output, Tokens { output: 1, ..one }),
        ("cache_read", of.cache_read, Tokens { cache_read: 1, ..one }),
        ("cache_write_5m", of.cache_write_5m, Tokens { cache_write_5m: 1, ..one }),
        ("cache_write_1h", of.cache_write_1h, Tokens { cache_write_1h: 1, ..one }),
        ("web_search", of.web_search, Tokens { web_search: 1, ..one }),
    ];
    let line = |(kind, count, one): (&'static str, u64, Tokens)| {
        let rate = charge.rates.cost(&one, charge.geo);
        let cost = NanoUsd(i64::try_from(rate.0 * i128::from(count) / PICO_PER_NANO).unwrap_or(i64::MAX));
        Line { charge, kind, count, rate, cost }
    };
    let mut lines: Vec<Line> = kinds.into_iter().filter(|(_, count, _)| *count > 0).map(line).collect();
    // what rounding left, of each row of usage or here, is the largest one's
    let told: i64 = lines.iter().map(|line| line.cost.0).sum();
    if let Some(largest) = lines.iter_mut().max_by_key(|line| line.cost) {
        largest.cost.0 += charge.cost.0 - told;
    }
    lines
}

impl Line<'_> {
    fn is_tokens(&self) -> bool {
        self.kind != "web_search"
    }

    fn words(&self) -> &'static str {
        match self.kind {
            "input" => "input tokens",
            "output" => "output tokens",
            "cache_read" => "tokens read from the cache",
            "cache_write_5m" => "tokens written to the cache for 5 minutes",
            "cache_write_1h" => "tokens written to the cache for an hour",
            _ => "web searches",
        }
    }

    fn unit(&self) -> &'static str {
        if self.is_tokens() { "Tokens" } else { "Requests" }
    }

    fn unit_price(&self) -> Cell {
        i64::try_from(self.rate.0).map_or(Cell::Null, |rate| Cell::Number(decimal(rate, 12)))
    }

    /// Who sells the tokens, and on whose machines they were made.
    fn provider(&self) -> &'static str {
        match self.charge.provider {
            Provider::Anthropic => "Anthropic",
            Provider::Bedrock => "Amazon Web Services",
            Provider::Vertex => "Google Cloud",
            Provider::Foundry => "Microsoft",
            Provider::Gateway | Provider::Unknown => "Unknown",
        }
    }
}

/// The beginning of a day in UTC, so long after another.
fn midnight(day: Date, later: Span) -> Cell {
    day.checked_add(later).map_or(Cell::Null, |day| Cell::Text(format!("{day}T00:00:00Z")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use meter::{Geo, PriceBook};

    fn charge(tokens: Tokens, cost: i64) -> Charge {
        let book = PriceBook::embedded();
        let price = book.prices().find(|price| price.model == "claude-opus-5-5").unwrap();
        Charge {
            day: "2026-12-31".parse().unwrap(),
            team: "=payments".to_owned(),
            repo: "github.com/acme/pay".to_owned(),
            model: "claude-opus-5-5".to_owned(),
            provider: Provider::Bedrock,
            trust: "claimed".to_owned(),
            cost_basis: "list".to_owned(),
            geo: Geo::Us,
            price_id: price.id.clone(),
            rates: price.rates,
            tokens,
            cost: NanoUsd(cost),
        }
    }

    fn told<'a>(listing: &'a Listing, row: usize, name: &str) -> &'a str {
        let column = listing.columns.iter().position(|known| known == name).expect(name);
        listing.rows[row][column].shown()
    }

    #[test]
    fn the_columns_that_focus_1_2_demands_are_there_without_a_row() {
        let columns = focus(&[]).columns;
        for name in [
            "BilledCost",
            "BillingAccountId",
            "BillingAccountName",
            "BillingCurrency",
            "BillingPeriodEnd",
            "BillingPeriodStart",
            "ChargeCategory",
            "ChargeClass",
            "ChargeDescription",
            "ChargePeriodEnd",
            "ChargePeriodStart",
            "ContractedCost",
            "EffectiveCost",
            "InvoiceIssuerName",
            "ListCost",
            "PricingQuantity",
            "PricingUnit",
            "ProviderName",
            "PublisherName",
            "ServiceCategory",
            "ServiceName",
            "ServiceProviderName",
            "HostProviderName",
        ] {
            assert!(columns.iter().any(|column| column == name), "{name}");
        }
        assert!(columns.is_sorted(), "in the order of their names");
    }

    #[test]
    fn a_charge_is_a_line_for_each_kind_of_token_and_nothing_is_billed() {
        let tokens = Tokens { input: 1000, output: 200, web_search: 3, ..Tokens::default() };
        let listing = focus(&[charge(tokens, 38_800_001)]);
        let line = |row| {
            ["SkuMeter", "PricingQuantity", "PricingUnit", "ListUnitPrice", "ListCost", "BilledCost"]
                .map(|name| told(&listing, row, name))
                .join("|")
        };
        // in the geo us tokens cost a tenth more: $4.40 and $22.00 a million; a search costs a cent
        assert_eq!(line(0), "input tokens|1000|Tokens|0.0000044|0.004400000|0");
        assert_eq!(line(1), "output tokens|200|Tokens|0.000022|0.004400000|0");
        assert_eq!(line(2), "web searches|3|Requests|0.01|0.030000001|0", "with what rounding left");
        assert_eq!(listing.rows.len(), 3);
        let period = ["BillingPeriodStart", "BillingPeriodEnd", "ChargePeriodStart", "ChargePeriodEnd"];
        let [december, january, day, next] = period.map(|name| told(&listing, 0, name));
        assert_eq!([december, january], ["2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z"]);
        assert_eq!([day, next], ["2026-12-31T00:00:00Z", "2027-01-01T00:00:00Z"]);
        assert_eq!(told(&listing, 0, "ServiceProviderName"), "Amazon Web Services");
        assert_eq!(told(&listing, 2, "x_TokenCount"), "");
        let csv = listing.render(crate::listing::Format::Csv).unwrap();
        assert!(csv.contains(",'=payments,") && !csv.contains(",=payments"), "{csv}");
    }

    proptest::proptest! {
        #[test]
        fn the_lines_of_a_charge_are_all_of_its_cost(
            counts in proptest::array::uniform6(0..10_000_000_000_u64),
            rounding in -1000..1000_i64,
        ) {
            let [input, output, cache_read, cache_write_5m, cache_write_1h, web_search] = counts;
            let tokens = Tokens { input, output, cache_read, cache_write_5m, cache_write_1h, web_search };
            let mut charge = charge(tokens, 0);
            let exact = charge.rates.cost(&tokens, charge.geo).0 / PICO_PER_NANO;
            charge.cost = NanoUsd(i64::try_from(exact).unwrap() + rounding);
            let sum: i64 = lines(&charge).iter().map(|line| line.cost.0).sum();
            proptest::prop_assert_eq!(sum, if tokens == Tokens::default() { 0 } else { charge.cost.0 });
        }
    }
}
