//! What tokens cost: a dated price book in pico-dollars per token, exact until the one rounding of a row.

use crate::money::{NanoUsd, PicoUsd};
use crate::report::Row;
use crate::tokens::Tokens;
use crate::vocabulary::{Band, Geo, Provider, Speed};
use crate::week::Hour;
use jiff::Timestamp;
use serde::Deserialize;
use std::collections::{BTreeMap, HashMap};

const EMBEDDED: &str = include_str!("prices.json");
const PICO_PER_USD: i64 = 1_000_000_000_000;
const TOKENS_PER_PRICE: i64 = 1_000_000;
const PERMILLE: i64 = 1000;

/// Pico-dollars per token of each kind, per request for web searches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rates {
    pub input: i64,
    pub output: i64,
    pub cache_read: i64,
    pub cache_write_5m: i64,
    pub cache_write_1h: i64,
    pub web_search: i64,
    /// What the `us` geo multiplies the token part by, in thousandths.
    pub us_permille: i64,
}

impl Rates {
    /// The exact price of `tokens` in `geo`.
    pub fn cost(&self, tokens: &Tokens, geo: Geo) -> PicoUsd {
        let permille = if geo == Geo::Us { self.us_permille } else { PERMILLE };
        let kinds = [
            (tokens.input, self.input),
            (tokens.output, self.output),
            (tokens.cache_read, self.cache_read),
            (tokens.cache_write_5m, self.cache_write_5m),
            (tokens.cache_write_1h, self.cache_write_1h),
        ];
        // exact: the book refuses rates this would have to round
        let per_token = |rate: i64| i128::from(rate) * i128::from(permille) / i128::from(PERMILLE);
        let spent: i128 = kinds.iter().map(|(count, rate)| i128::from(*count) * per_token(*rate)).sum();
        PicoUsd(spent + i128::from(tokens.web_search) * i128::from(self.web_search))
    }
}

/// Which requests of a model a price is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PriceKind {
    Base,
    /// Requests answered at fast speed.
    Fast,
    /// Requests whose prompt is larger than this band.
    Long {
        above: Band,
    },
}

impl PriceKind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Base => "base",
            Self::Fast => "fast",
            Self::Long { .. } => "long",
        }
    }

    fn covers(self, speed: Speed, band: Band) -> bool {
        match self {
            Self::Base => true,
            Self::Fast => speed == Speed::Fast,
            Self::Long { above } => band > above,
        }
    }
}

/// The rates of one model from one hour on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Price {
    /// Stable name of the price, stored beside every cost it made.
    pub id: String,
    pub model: String,
    pub kind: PriceKind,
    /// The one provider it is for, or all.
    pub provider: Option<Provider>,
    pub from: Hour,
    pub rates: Rates,
}

/// A cost and the price it was made with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Priced<'a> {
    pub cost: NanoUsd,
    pub price: &'a Price,
}

/// Every price known, by model.
#[derive(Debug, Clone)]
pub struct PriceBook {
    by_model: BTreeMap<String, Vec<Price>>,
    names: HashMap<String, String>,
}

impl PriceBook {
    /// The list prices this program carries.
    pub fn embedded() -> Self {
        let Ok(file) = serde_json::from_str::<BookFile>(EMBEDDED) else {
            unreachable!("the embedded price book is read by a test")
        };
        let names = file.names.clone();
        let prices = file.prices.iter().map(|entry| entry.price(&file)).collect();
        Self::new(names, prices)
            .unwrap_or_else(|error| unreachable!("the embedded price book is read by a test: {error}"))
    }

    /// A book of `prices`; `names` maps other names of a model to the one its prices use.
    ///
    /// Fails where two prices are for the same requests from the same hour, or a rate in the `us` geo
    /// is not a whole number of pico-dollars.
    pub fn new(names: HashMap<String, String>, prices: Vec<Price>) -> Result<Self, String> {
        let mut by_model: BTreeMap<String, Vec<Price>> = BTreeMap::new();
        for price in prices {
            let Rates { input, output, cache_read, cache_write_5m, cache_write_1h, web_search, us_permille } =
                price.rates;
            let rates = [input, output, cache_read, cache_write_5m, cache_write_1h];
            let exact = |rate: &i64| {
                *rate >= 0 && i128::from(*rate) * i128::from(us_permille) % i128::from(PERMILLE) == 0
            };
            if !rates.iter().all(exact) || web_search < 0 || us_permille < 0 {
                return Err(format!(
                    "price {}: rates must be whole pico-dollars per token, in the us geo too",
                    price.id
                ));
            }
            by_model.entry(price.model.clone()).or_default().push(price);
        }
        for prices in by_model.values_mut() {
            prices.sort_by_key(|price| (price.from, price.provider.is_some(), price.kind));
            let key = |price: &Price| (price.from, price.provider, price.kind);
            if let Some(pair) = prices.windows(2).find(|pair| key(&pair[0]) == key(&pair[1])) {
                return Err(format!("prices {} and {} are for the same requests", pair[0].id, pair[1].id));
            }
        }
        Ok(Self { by_model, names })
    }

    pub fn prices(&self) -> impl Iterator<Item = &Price> {
        self.by_model.values().flatten()
    }

    /// What else a model is called, beside the decorated forms that [`canonical_model`] knows.
    pub fn other_names(&self, model: &str) -> Vec<&str> {
        let others = self.names.iter().filter(|(_, canonical)| *canonical == model);
        let mut others: Vec<&str> = others.map(|(name, _)| name.as_str()).collect();
        others.sort_unstable();
        others
    }

    /// The price a request of this kind has, or `None` where the model is not known at that hour.
    ///
    /// A provider's own price goes before the general one, fast before long before base, later before earlier.
    pub fn price(&self, provider: Provider, row: &Row) -> Option<&Price> {
        let model = canonical_model(row.key.model.as_str());
        let model = self.names.get(&model).unwrap_or(&model);
        let prices = self.by_model.get(model)?.iter();
        prices
            .filter(|price| price.from <= row.key.hour && price.kind.covers(row.key.speed, row.key.band))
            .filter(|price| price.provider.is_none_or(|only| only == provider))
            .max_by_key(|price| (price.provider.is_some(), precedence(price.kind), price.from))
    }

    /// What a row costs, rounded once; `None` where its model has no price.
    pub fn cost(&self, provider: Provider, row: &Row) -> Option<Priced<'_>> {
        let price = self.price(provider, row)?;
        let cost = price.rates.cost(&row.tokens, row.key.geo).to_nano()?;
        Some(Priced { cost, price })
    }
}

fn precedence(kind: PriceKind) -> u8 {
    match kind {
        PriceKind::Base => 0,
        PriceKind::Long { .. } => 1,
        PriceKind::Fast => 2,
    }
}

/// A model's name without what a provider or the client decorates it with: Bedrock's region and
/// version, Vertex's date, an ARN or vendor path, the context suffix `[1m]`, the date of a release.
pub fn canonical_model(name: &str) -> String {
    let name = name.trim().to_ascii_lowercase();
    let name = name.split('[').next().unwrap_or_default();
    let name = name.rsplit('/').next().unwrap_or_default();
    let name = name.rsplit_once("anthropic.").map_or(name, |(_, name)| name);
    let name = name.split('@').next().unwrap_or_default();
    let name = strip_version(name);
    let name = strip_digits(name, '-', 8).unwrap_or(name);
    strip_version(name.strip_suffix("-latest").unwrap_or(name)).to_owned()
}

/// `x-v2:0` and `x-v2` as `x`.
fn strip_version(name: &str) -> &str {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let Some((stem, version)) = name.rsplit_once("-v") else { return name };
    let (major, minor) = version.split_once(':').unwrap_or((version, "0"));
    if digits(major) && digits(minor) { stem } else { name }
}

fn strip_digits(name: &str, mark: char, count: usize) -> Option<&str> {
    let (stem, digits) = name.rsplit_once(mark)?;
    (digits.len() == count && digits.bytes().all(|b| b.is_ascii_digit())).then_some(stem)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BookFile {
    #[serde(rename = "note")]
    _note: String,
    web_search: String,
    us_permille: i64,
    names: HashMap<String, String>,
    prices: Vec<BookEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BookEntry {
    model: String,
    kind: String,
    #[serde(default)]
    above: Option<Band>,
    usd_per_million: BTreeMap<String, String>,
}

impl BookEntry {
    fn price(&self, file: &BookFile) -> Price {
        let kind = match (self.kind.as_str(), self.above) {
            ("fast", None) => PriceKind::Fast,
            ("long", Some(above)) => PriceKind::Long { above },
            _ => PriceKind::Base,
        };
        let rate = |field: &str| {
            let usd = self.usd_per_million.get(field).and_then(|usd| pico_of_usd(usd));
            // a rate that cannot be read becomes one the book refuses
            usd.filter(|pico| pico % TOKENS_PER_PRICE == 0).map_or(-1, |pico| pico / TOKENS_PER_PRICE)
        };
        let rates = Rates {
            input: rate("input"),
            output: rate("output"),
            cache_read: rate("cache_read"),
            cache_write_5m: rate("cache_write_5m"),
            cache_write_1h: rate("cache_write_1h"),
            web_search: pico_of_usd(&file.web_search).unwrap_or(-1),
            us_permille: file.us_permille,
        };
        let id = format!("{}:{}", self.model, self.kind);
        Price {
            id,
            model: self.model.clone(),
            kind,
            provider: None,
            from: Hour::of(Timestamp::UNIX_EPOCH),
            rates,
        }
    }
}

/// Decimal dollars as pico-dollars, without floats.
fn pico_of_usd(decimal: &str) -> Option<i64> {
    let (whole, part) = decimal.split_once('.').unwrap_or((decimal, ""));
    if part.len() > 12 || !(whole.bytes().chain(part.bytes())).all(|b| b.is_ascii_digit()) {
        return None;
    }
    let part: i64 = format!("{part:0<12}").parse().ok()?;
    whole.parse::<i64>().ok()?.checked_mul(PICO_PER_USD)?.checked_add(part)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::RowKey;
    use crate::vocabulary::Agent;
    use proptest::prelude::*;

    fn row(model: &str, tokens: Tokens) -> Row {
        let key = RowKey {
            hour: "2026-11-22T04:00:00Z".parse().unwrap(),
            branch: "main".parse().unwrap(),
            model: model.parse().unwrap(),
            agent: Agent::Main,
            workflow: "main".parse().unwrap(),
            speed: Speed::Standard,
            geo: Geo::Elsewhere,
            band: Band::of(tokens.prompt()),
        };
        Row { key, requests: 1, tokens }
    }

    /// 1,000 in, 2,000 out, 3,000 read, 5,000 and 7,000 written, 11 searches.
    const MIXED: Tokens = Tokens {
        input: 1_000,
        output: 2_000,
        cache_read: 3_000,
        cache_write_5m: 5_000,
        cache_write_1h: 7_000,
        web_search: 11,
    };

    fn nano(row: &Row) -> Option<i64> {
        PriceBook::embedded().cost(Provider::Anthropic, row).map(|priced| priced.cost.0)
    }

    #[track_caller]
    fn check(model: &str, usd: &str) {
        let cost = nano(&row(model, MIXED)).map(|nano| NanoUsd(nano).to_string());
        assert_eq!(cost.as_deref(), Some(usd), "{model}");
    }

    #[test]
    fn every_model_at_its_list_price() {
        check("claude-3-5-haiku-20241022", "0.135240000");
        check("claude-haiku-4-5-20251001", "0.141550000");
        check("claude-haiku-5-5", "0.113155000");
        for sonnet in [
            "claude-3-5-sonnet",
            "claude-3-7-sonnet",
            "claude-sonnet-4-5",
            "claude-sonnet-4-6",
            "claude-sonnet-4",
        ] {
            check(sonnet, "0.204650000");
        }
        check("claude-sonnet-5", "0.173100000");
        check("claude-sonnet-5-5", "0.172800000");
        for opus in ["claude-opus-4", "claude-opus-4-0", "claude-opus-4-1-20250805"] {
            check(opus, "0.583250000");
        }
        for opus in
            ["claude-opus-4-5", "claude-opus-4-6", "claude-opus-4-7", "claude-opus-4-8", "claude-opus-5"]
        {
            check(opus, "0.267750000");
        }
        check("claude-opus-5-5", "0.235600000");
        for fable in ["claude-fable-5", "claude-mythos-5"] {
            check(fable, "0.425500000");
        }
        for fable in ["claude-fable-5-1", "claude-mythos-5-1"] {
            check(fable, "0.423250000");
        }
        for fable in ["claude-fable-5-2", "claude-mythos-5-2"] {
            check(fable, "0.360600000");
        }
    }

    #[test]
    fn decorated_names_are_the_same_model() {
        for name in [
            "us.anthropic.claude-3-5-sonnet-20241022-v2:0",
            "claude-3-5-sonnet-v2@20241022",
            "anthropic/claude-3-5-sonnet",
            "claude-3-5-sonnet-latest",
            "Claude-3-5-Sonnet[1m]",
            "arn:aws:bedrock:us-east-1:123456789012:inference-profile/eu.anthropic.claude-3-5-sonnet-20241022-v2:0",
        ] {
            assert_eq!(canonical_model(name), "claude-3-5-sonnet", "{name}");
        }
        for (name, model) in [
            ("us.anthropic.claude-opus-4-6-v1", "claude-opus-4-6"),
            ("anthropic.claude-haiku-4-5", "claude-haiku-4-5"),
            ("global.anthropic.claude-opus-5-5", "claude-opus-5-5"),
            ("claude-haiku-4-5@20251001", "claude-haiku-4-5"),
        ] {
            assert_eq!(canonical_model(name), model, "{name}");
        }
    }

    #[test]
    fn other_names_lead_to_a_model_and_back() {
        let book = PriceBook::embedded();
        assert_eq!(book.other_names("claude-opus-4-0"), ["claude-opus-4"]);
        assert!(book.other_names("claude-opus-5-5").is_empty());
    }

    #[test]
    fn an_unknown_model_has_no_price() {
        for name in ["claude-newthing-9", "claude-opus-6", "gpt-77-x", "mythos", "", "claude-opus-4-5-turbo"]
        {
            assert_eq!(nano(&row(if name.is_empty() { "x" } else { name }, MIXED)), None, "{name}");
        }
    }

    #[test]
    fn the_long_prompt_starts_after_100_000_tokens() {
        let edge =
            |input| nano(&row("claude-haiku-5-5", Tokens { input, output: 1_000, ..Tokens::default() }));
        assert_eq!(edge(100_000), Some(10_500_000));
        assert_eq!(edge(100_001), Some(52_500_500));
        let flat = nano(&row("claude-sonnet-4-5", Tokens { input: 300_000, ..Tokens::default() }));
        assert_eq!(flat, Some(900_000_000));
    }

    #[test]
    fn fast_speed_where_the_model_has_one() {
        let fast = |model: &str| {
            let mut row = row(model, Tokens { input: 10_000, ..Tokens::default() });
            row.key.speed = Speed::Fast;
            nano(&row)
        };
        for (model, nanos) in [
            ("claude-opus-4-6", 300_000_000),
            ("claude-opus-4-7", 300_000_000),
            ("claude-opus-4-8", 100_000_000),
            ("claude-opus-5", 100_000_000),
            ("claude-opus-5-5", 80_000_000),
            ("claude-fable-5-2", 160_000_000),
            ("claude-mythos-5-2", 160_000_000),
            ("claude-sonnet-5-5", 20_000_000),
            ("claude-fable-5", 100_000_000),
        ] {
            assert_eq!(fast(model), Some(nanos), "{model}");
        }
    }

    #[test]
    fn the_us_geo_costs_a_tenth_more_but_not_for_searches() {
        let mut us = row("claude-opus-4-8", Tokens { input: 10_000, web_search: 10, ..Tokens::default() });
        us.key.geo = Geo::Us;
        assert_eq!(nano(&us), Some(55_000_000 + 100_000_000));
    }

    #[test]
    fn a_later_or_nearer_price_goes_first() {
        let book = PriceBook::embedded();
        let row = row("claude-opus-5-5", MIXED);
        let list = book.price(Provider::Anthropic, &row).unwrap().clone();
        let own = |id: &str, provider, from: &str, input| Price {
            id: id.into(),
            provider,
            from: from.parse().unwrap(),
            rates: Rates { input, ..list.rates },
            ..list.clone()
        };
        let contract = own("contract", None, "2026-11-22T04:00:00Z", 1_000);
        let bedrock = own("bedrock", Some(Provider::Bedrock), "2026-01-01T00:00:00Z", 2_000);
        let future = own("future", None, "2026-11-22T05:00:00Z", 3_000);
        let prices = vec![list, contract, bedrock, future];
        let book = PriceBook::new(HashMap::new(), prices.clone()).unwrap();
        let id = |provider| book.price(provider, &row).unwrap().id.as_str();
        assert_eq!(id(Provider::Anthropic), "contract");
        assert_eq!(id(Provider::Bedrock), "bedrock");
        let twice = prices.iter().chain(&prices[..1]).cloned().collect();
        assert!(PriceBook::new(HashMap::new(), twice).unwrap_err().contains("same requests"));
        let odd = Price { rates: Rates { input: 1, ..prices[0].rates }, ..prices[0].clone() };
        assert!(PriceBook::new(HashMap::new(), vec![odd]).unwrap_err().contains("whole pico-dollars"));
    }

    fn tokens() -> impl Strategy<Value = Tokens> {
        prop::array::uniform6(0..3_000_000_u64).prop_map(
            |[input, output, cache_read, cache_write_5m, cache_write_1h, web_search]| Tokens {
                input,
                output,
                cache_read,
                cache_write_5m,
                cache_write_1h,
                web_search,
            },
        )
    }

    proptest! {
        #[test]
        fn the_price_of_a_sum_is_the_sum_of_the_prices(
            parts in prop::collection::vec(tokens(), 1..12),
            order in any::<prop::sample::Index>(),
            index in any::<prop::sample::Index>(),
            us in any::<bool>(),
        ) {
            let book = PriceBook::embedded();
            let price = index.get(&book.prices().collect::<Vec<_>>()).to_owned();
            let geo = if us { Geo::Us } else { Geo::Elsewhere };
            let whole = price.rates.cost(&parts.iter().copied().sum(), geo);
            let mut turned = parts.clone();
            turned.rotate_left(order.index(parts.len()));
            let (left, right) = turned.split_at(order.index(parts.len()));
            let halves = price.rates.cost(&left.iter().copied().sum(), geo) + price.rates.cost(&right.iter().copied().sum(), geo);
            prop_assert_eq!(whole, parts.iter().map(|part| price.rates.cost(part, geo)).sum());
            prop_assert_eq!(whole, halves);
        }

        #[test]
        fn a_canonical_name_stays(name in "[a-z0-9@:/.\\[\\]-]{0,40}") {
            let once = canonical_model(&name);
            // one more layer of decoration may come off a nonsense name, but it never grows
            prop_assert!(canonical_model(&once).len() <= once.len());
        }
    }
}
