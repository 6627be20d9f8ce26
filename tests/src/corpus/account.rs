//! The client's own account of a session, and the housekeeping that only it counts.

use super::answer::Answer;
use super::home::Home;
use super::session::Doubt;
use meter::{Agent, Band, Branch, Geo, Hour, PriceBook, Provider, Row, RowKey, Speed, Tokens, Workflow};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Dollars in floats, as the client sums them.
#[derive(Debug, Clone, Default)]
pub(super) struct Account {
    models: BTreeMap<String, (Tokens, f64)>,
}

impl Account {
    pub(super) fn add(&mut self, answer: &Answer) {
        for (band, tokens) in answer.slices() {
            let kind = (answer.fast, answer.geo == "us", band);
            self.bill(answer.model, answer.suffix, tokens, kind);
        }
    }

    fn bill(&mut self, model: &str, suffix: &str, tokens: Tokens, kind: (bool, bool, &str)) {
        let (sum, dollars) = self.models.entry(format!("{model}{suffix}")).or_default();
        *sum += tokens;
        *dollars += price(model, tokens, kind);
    }

    /// Tokens by the model that answered.
    pub(super) fn tokens(&self) -> BTreeMap<String, Tokens> {
        let mut tokens: BTreeMap<String, Tokens> = BTreeMap::new();
        for (model, (sum, _)) in &self.models {
            *tokens.entry(model.replace("[1m]", "")).or_default() += *sum;
        }
        tokens
    }

    /// Nano-dollars, as many as the client shows.
    #[expect(clippy::cast_possible_truncation, reason = "rounded to the nano-dollar")]
    pub(super) fn nanousd(&self) -> i64 {
        (self.dollars() * 1e9).round() as i64
    }

    fn dollars(&self) -> f64 {
        self.models.values().map(|(_, dollars)| dollars).sum()
    }

    fn line(&self, session: &str) -> Value {
        let model = |(name, (tokens, dollars)): (&String, &(Tokens, f64))| {
            let account = json!({
                "inputTokens": tokens.input, "outputTokens": tokens.output, "thinkingTokens": 0,
                "cacheReadInputTokens": tokens.cache_read,
                "cacheCreationInputTokens": tokens.cache_write_5m + tokens.cache_write_1h,
                "cacheCreationEphemeral5mInputTokens": tokens.cache_write_5m,
                "cacheCreationEphemeral1hInputTokens": tokens.cache_write_1h,
                "webSearchRequests": tokens.web_search, "costUSD": dollars,
            });
            (name.clone(), account)
        };
        let models: serde_json::Map<String, Value> = self.models.iter().map(model).collect();
        json!({"type": "cost-state", "sessionId": session, "totalCostUSD": self.dollars(), "totalDuration": 9,
            "modelUsage": models, "hasUnknownModelCost": false})
    }
}

#[expect(clippy::cast_precision_loss, reason = "the client's own arithmetic")]
fn price(model: &str, tokens: Tokens, (fast, us, band): (bool, bool, &str)) -> f64 {
    let row = Row {
        key: RowKey {
            hour: Hour::of(jiff::Timestamp::constant(1_762_128_000, 0)),
            branch: Branch::default(),
            model: model.parse().expect("a short name"),
            agent: Agent::Main,
            workflow: "main".parse::<Workflow>().expect("a short name"),
            speed: if fast { Speed::Fast } else { Speed::Standard },
            geo: if us { Geo::Us } else { Geo::Elsewhere },
            band: Band::from_word(band).expect("a band"),
        },
        requests: 1,
        tokens,
    };
    let book = PriceBook::embedded();
    let price = book.price(Provider::Anthropic, &row).expect("a model of the price book");
    price.rates.cost(&tokens, row.key.geo).0 as f64 / 1e12
}

/// A request that leaves no response; its prompt is small in `input`, as all of it was cached before.
fn hide(home: &mut Home, session: usize, model: &'static str, us: bool) {
    let tokens = Tokens {
        input: home.dice.roll(4),
        output: 40 + home.dice.roll(900),
        cache_read: home.dice.roll(40_000),
        cache_write_5m: 2 * home.dice.roll(300),
        cache_write_1h: 0,
        web_search: 0,
    };
    let session = &mut home.sessions[session];
    session.account.bill(model, "", tokens, (false, us, "100k"));
    *session.hidden.entry(model.to_owned()).or_default() += tokens;
}

/// The summary a compaction asks for.
pub(super) fn compaction(home: &mut Home, session: usize) {
    hide(home, session, "claude-opus-5-5", false);
    let file = home.sessions[session].file;
    let mut boundary = home.frame(file, "system");
    boundary["subtype"] = json!("compact_boundary");
    home.note(file, &boundary);
    let mut summary = home.frame(file, "user");
    summary["isCompactSummary"] = json!(true);
    summary["message"] = json!({"role": "user", "content": "a summary"});
    home.note(file, &summary);
    home.sessions[session].compacted = true;
    home.turn(session);
}

/// The title an interactive session gets.
pub(super) fn title(home: &mut Home, session: usize) {
    hide(home, session, "claude-haiku-5-5", false);
    let id = &home.sessions[session].id;
    let line = json!({"type": "ai-title", "sessionId": id, "title": "a title"});
    home.note(home.sessions[session].file, &line);
    home.turn(session);
}

/// Housekeeping at two prices, which no one kind of request explains.
pub(super) fn mixed_housekeeping(home: &mut Home, session: usize) {
    hide(home, session, "claude-opus-5-5", false);
    hide(home, session, "claude-opus-5-5", true);
    home.sessions[session].doubts.insert(Doubt::Mixed);
    home.turn(session);
}

/// The session ends in order: the client writes its account.
pub(super) fn end(home: &mut Home, session: usize) {
    let ending = &mut home.sessions[session];
    ending.doubts.remove(&Doubt::Stale);
    ending.written = Some(ending.account.clone());
    let line = ending.account.line(&ending.id);
    home.note(home.sessions[session].file, &line);
}

/// The client is killed: whoever resumes the session begins a new account.
pub(super) fn kill(home: &mut Home, session: usize) {
    home.turn(session);
    let killed = &mut home.sessions[session];
    killed.account = Account::default();
    killed.hidden.clear();
    killed.doubts.insert(Doubt::Restarted);
    home.wait(session, 3_600_000);
    home.turn(session);
}
