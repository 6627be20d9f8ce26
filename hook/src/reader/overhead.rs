//! What the client spent on its own housekeeping: compactions and titles leave no response in a transcript,
//! and only the client's account of the session counts them. Pure.
//!
//! The account is lossy: a killed run is missing from it, a fork starts with its parent's, an interrupted
//! response is estimated. So what it has beyond the responses becomes rows only where nothing of the kind
//! happened and one kind of request explains the difference in dollars, too. Otherwise nothing is guessed.

use meter::{
    Agent, Band, Branch, Geo, Hour, Model, PriceBook, Provider, Row, RowKey, Speed, Tokens, Workflow,
    canonical_model,
};
use std::collections::BTreeMap;
use transcript::CostState;

/// Half a nano-dollar: sums the client keeps in floats come closer, and two prices are further apart.
const TOLERANCE_PICO_USD: u128 = 500;

/// What is known of one session, its subagents included.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Session<'a> {
    /// The last account the client wrote.
    pub(crate) account: Option<&'a CostState>,
    /// All its responses.
    pub(crate) responses: &'a [Row],
    /// Of the last line that has a time.
    pub(crate) hour: Hour,
    /// All of it is in scope.
    pub(crate) whole: bool,
    /// Responses cut off, people stopping them, and what a resumed session makes up after a broken end.
    pub(crate) interruptions: u64,
    /// Requests and responses whose usage is unknown.
    pub(crate) unknown_usage: u64,
    /// It holds lines of another session.
    pub(crate) forked: bool,
    /// Responses came after the account.
    pub(crate) stale: bool,
    pub(crate) compactions: u64,
}

/// Why overhead cannot be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Doubt {
    /// There was overhead, and the client wrote no account.
    NoAccount,
    OutOfScope,
    Interrupted,
    UnknownUsage,
    Forked,
    /// What came after the account may equal what only it counts.
    Stale,
    /// The account has less than the responses: a run is missing from it, or it is older than they are.
    Incomplete,
    /// No price, or no one kind of request that costs the difference.
    Unexplained,
}

/// The overhead of a session as rows, none where the responses are all there was.
pub(crate) fn rows(session: &Session<'_>, book: &PriceBook) -> Result<Vec<Row>, Doubt> {
    let Some(account) = session.account else {
        return if session.compactions > 0 { Err(Doubt::NoAccount) } else { Ok(Vec::new()) };
    };
    let models = by_model(account, session.responses, book);
    if session.whole && models.values().all(|model| model.accounted == model.spent) {
        return Ok(Vec::new());
    }
    doubt(session)?;
    let differing = models.into_values().filter(|model| model.accounted != model.spent);
    differing.map(|model| model.explain(session.hour, account.unknown_model, book)).collect()
}

fn doubt(session: &Session<'_>) -> Result<(), Doubt> {
    let doubts = [
        (!session.whole, Doubt::OutOfScope),
        (session.forked, Doubt::Forked),
        (session.stale, Doubt::Stale),
        (session.interruptions > 0, Doubt::Interrupted),
        (session.unknown_usage > 0, Doubt::UnknownUsage),
    ];
    doubts.into_iter().find(|(holds, _)| *holds).map_or(Ok(()), |(_, doubt)| Err(doubt))
}

/// One model in the account and in the responses.
#[derive(Debug, Default)]
struct Compared {
    /// As the account names it.
    name: Option<Model>,
    accounted: Tokens,
    spent: Tokens,
    /// Pico-dollars the account has beyond the responses; `None` where one of these has no price.
    beyond: Option<i128>,
}

fn by_model(account: &CostState, responses: &[Row], book: &PriceBook) -> BTreeMap<String, Compared> {
    let mut models: BTreeMap<String, Compared> = BTreeMap::new();
    let begun = || Compared { beyond: Some(0), ..Compared::default() };
    for cost in &account.models {
        let model = models.entry(canonical_model(cost.model.as_str())).or_insert_with(begun);
        model.name = cost.model.as_str().split('[').next().and_then(|name| name.parse().ok());
        model.accounted += cost.tokens;
        model.beyond = model.beyond.map(|beyond| beyond + cost.cost.0);
    }
    for row in responses {
        let model = models.entry(canonical_model(row.key.model.as_str())).or_insert_with(begun);
        model.spent += row.tokens;
        let cost = pico_usd(row, book);
        model.beyond = model.beyond.zip(cost).map(|(beyond, cost)| beyond - cost);
    }
    models
}

/// What the client bills for a row, whoever answers it.
fn pico_usd(row: &Row, book: &PriceBook) -> Option<i128> {
    let price = book.price(Provider::Anthropic, row)?;
    Some(price.rates.cost(&row.tokens, row.key.geo).0)
}

impl Compared {
    fn explain(self, hour: Hour, guessed_prices: bool, book: &PriceBook) -> Result<Row, Doubt> {
        let tokens = minus(self.accounted, self.spent).ok_or(Doubt::Incomplete)?;
        let model = self.name.filter(|_| !guessed_prices).ok_or(Doubt::Unexplained)?;
        let beyond = self.beyond.ok_or(Doubt::Unexplained)?;
        kinds(tokens)
            .map(|(speed, geo, band)| row(model.clone(), hour, (speed, geo, band), tokens))
            .find(|row| pico_usd(row, book).is_some_and(|cost| cost.abs_diff(beyond) <= TOLERANCE_PICO_USD))
            .ok_or(Doubt::Unexplained)
    }
}

/// Every kind of request that can have made `tokens`, the most usual first.
fn kinds(tokens: Tokens) -> impl Iterator<Item = (Speed, Geo, Band)> {
    let bands = [Band::To100k, Band::To200k, Band::Max];
    let bands = bands.into_iter().filter(move |band| *band <= Band::of(tokens.prompt()));
    bands.flat_map(|band| {
        let geos = move |speed| [Geo::Elsewhere, Geo::Us].map(|geo| (speed, geo, band));
        [Speed::Standard, Speed::Fast].into_iter().flat_map(geos)
    })
}

fn row(model: Model, hour: Hour, (speed, geo, band): (Speed, Geo, Band), tokens: Tokens) -> Row {
    let (branch, workflow) = (Branch::default(), "main".parse::<Workflow>().unwrap_or_default());
    let key = RowKey { hour, branch, model, agent: Agent::Overhead, workflow, speed, geo, band };
    Row { key, requests: 0, tokens }
}

/// The difference of each count; `None` where one would be negative.
fn minus(all: Tokens, part: Tokens) -> Option<Tokens> {
    Some(Tokens {
        input: all.input.checked_sub(part.input)?,
        output: all.output.checked_sub(part.output)?,
        cache_read: all.cache_read.checked_sub(part.cache_read)?,
        cache_write_5m: all.cache_write_5m.checked_sub(part.cache_write_5m)?,
        cache_write_1h: all.cache_write_1h.checked_sub(part.cache_write_1h)?,
        web_search: all.web_search.checked_sub(part.web_search)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use meter::PicoUsd;
    use transcript::ModelCost;

    const OPUS: &str = "claude-opus-5-5";
    const HAIKU: &str = "claude-haiku-5-5";
    const SPENT: Tokens = Tokens {
        input: 11,
        output: 57,
        cache_read: 2000,
        cache_write_5m: 100,
        cache_write_1h: 200,
        web_search: 1,
    };
    const MORE: Tokens = Tokens {
        input: 40,
        output: 500,
        cache_read: 90_000,
        cache_write_5m: 0,
        cache_write_1h: 7,
        web_search: 0,
    };

    fn hour() -> Hour {
        "2026-11-22T04:00:00Z".parse().unwrap()
    }

    fn request(model: &str, kind: (Speed, Geo, Band), tokens: Tokens) -> Row {
        let row = row(model.parse().unwrap(), hour(), kind, tokens);
        Row { key: RowKey { agent: Agent::Main, ..row.key }, requests: 1, ..row }
    }

    const USUAL: (Speed, Geo, Band) = (Speed::Standard, Geo::Elsewhere, Band::To100k);

    /// The account the client would write for these requests.
    fn account(requests: &[Row]) -> CostState {
        let book = PriceBook::embedded();
        let mut models: BTreeMap<Model, ModelCost> = BTreeMap::new();
        for row in requests {
            let model = row.key.model.clone();
            let begun = || ModelCost { model: model.clone(), tokens: Tokens::default(), cost: PicoUsd(0) };
            let entry = models.entry(model.clone()).or_insert_with(begun);
            entry.tokens += row.tokens;
            entry.cost = PicoUsd(entry.cost.0 + pico_usd(row, &book).unwrap_or(0));
        }
        CostState { models: models.into_values().collect(), unknown_model: false }
    }

    fn session<'a>(account: Option<&'a CostState>, responses: &'a [Row]) -> Session<'a> {
        Session {
            account,
            responses,
            hour: hour(),
            whole: true,
            interruptions: 0,
            unknown_usage: 0,
            forked: false,
            stale: false,
            compactions: 0,
        }
    }

    /// `hidden` requests leave no response; what is found of them?
    #[track_caller]
    fn check(hidden: &[Row], expected: &Result<Vec<Row>, Doubt>) {
        let responses = [request(OPUS, USUAL, SPENT)];
        let account = account(&[&responses[..], hidden].concat());
        assert_eq!(rows(&session(Some(&account), &responses), &PriceBook::embedded()), *expected);
    }

    #[test]
    fn what_only_the_account_has_becomes_rows() {
        check(&[], &Ok(vec![]));
        let compaction = request(OPUS, USUAL, MORE);
        let overhead = |model: &str, kind, tokens| row(model.parse().unwrap(), hour(), kind, tokens);
        check(std::slice::from_ref(&compaction), &Ok(vec![overhead(OPUS, USUAL, MORE)]));
        check(&[compaction.clone(), compaction.clone()], &Ok(vec![overhead(OPUS, USUAL, MORE + MORE)]));
        let title = request(HAIKU, USUAL, SPENT);
        check(&[compaction, title], &Ok(vec![overhead(HAIKU, USUAL, SPENT), overhead(OPUS, USUAL, MORE)]));
        let fast = (Speed::Fast, Geo::Us, Band::To100k);
        check(&[request(OPUS, fast, MORE)], &Ok(vec![overhead(OPUS, fast, MORE)]));
        let large = Tokens { cache_read: 150_000, ..MORE };
        let long = (Speed::Standard, Geo::Elsewhere, Band::To200k);
        check(&[request(HAIKU, long, large)], &Ok(vec![overhead(HAIKU, long, large)]));
    }

    #[test]
    fn a_mixture_of_kinds_is_not_guessed() {
        let us = (Speed::Standard, Geo::Us, Band::To100k);
        check(&[request(OPUS, USUAL, MORE), request(OPUS, us, MORE)], &Err(Doubt::Unexplained));
    }

    #[test]
    fn the_context_suffix_is_no_other_model() {
        let responses = [request("claude-sonnet-4-5-20250929", USUAL, SPENT)];
        let decorated = request("claude-sonnet-4-5[1m]", USUAL, SPENT);
        let whole = account(std::slice::from_ref(&decorated));
        assert_eq!(rows(&session(Some(&whole), &responses), &PriceBook::embedded()), Ok(vec![]));
        let more = account(&[decorated, request("claude-sonnet-4-5[1m]", USUAL, MORE)]);
        let expected = row("claude-sonnet-4-5".parse().unwrap(), hour(), USUAL, MORE);
        assert_eq!(rows(&session(Some(&more), &responses), &PriceBook::embedded()), Ok(vec![expected]));
    }

    #[test]
    fn nothing_is_guessed_where_the_account_may_be_wrong() {
        let responses = [request(OPUS, USUAL, SPENT)];
        let account = account(&[responses[0].clone(), request(OPUS, USUAL, MORE)]);
        let fine = session(Some(&account), &responses);
        let check =
            |session: Session<'_>, doubt| assert_eq!(rows(&session, &PriceBook::embedded()), Err(doubt));
        check(Session { whole: false, ..fine }, Doubt::OutOfScope);
        check(Session { forked: true, ..fine }, Doubt::Forked);
        check(Session { stale: true, ..fine }, Doubt::Stale);
        check(Session { interruptions: 1, ..fine }, Doubt::Interrupted);
        check(Session { unknown_usage: 1, ..fine }, Doubt::UnknownUsage);
        check(Session { account: None, compactions: 1, ..fine }, Doubt::NoAccount);
        let guessed = CostState { unknown_model: true, ..account.clone() };
        check(Session { account: Some(&guessed), ..fine }, Doubt::Unexplained);
        let twice = [responses[0].clone(), request(OPUS, USUAL, MORE), request(OPUS, USUAL, MORE)];
        check(Session { responses: &twice, ..fine }, Doubt::Incomplete);
        let unseen = [request(OPUS, USUAL, SPENT), request("claude-opus-5", USUAL, SPENT)];
        check(Session { responses: &unseen, ..fine }, Doubt::Incomplete);
        let mut dearer = account.clone();
        dearer.models[0].cost = PicoUsd(dearer.models[0].cost.0 + 501);
        check(Session { account: Some(&dearer), ..fine }, Doubt::Unexplained);
        let unpriced = [request("claude-zeta-9", USUAL, MORE)];
        let state = self::account(&unpriced);
        check(Session { account: Some(&state), responses: &[], ..fine }, Doubt::Unexplained);
    }

    #[test]
    fn an_account_that_equals_the_responses_leaves_no_doubt() {
        let responses = [request(OPUS, USUAL, SPENT)];
        let account = account(&responses);
        let fine = session(Some(&account), &responses);
        let without = Session { account: None, ..fine };
        for session in [fine, Session { interruptions: 3, forked: true, ..fine }, without] {
            assert_eq!(rows(&session, &PriceBook::embedded()), Ok(vec![]));
        }
    }
}
