//! Spend, as the fake API billed it and as the collector stored it, in one shape, so that `==` compares them.

use crate::fake_api::Bill;
use crate::wait::attempt;
use crate::world::World;
use meter::{
    Agent, Band, Branch, Geo, Hour, Model, NanoUsd, PriceBook, Provider, Row, RowKey, Speed, Tokens, Workflow,
};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;

/// What kinds of line a transcript has, and when they were written: enough to see what came too late.
fn outline(transcript: &str) -> String {
    let line = |line: &str| match serde_json::from_str::<Value>(line) {
        Ok(line) => format!("{} {} {}", line["type"], line["subtype"], line["timestamp"]),
        Err(error) => error.to_string(),
    };
    transcript.lines().map(line).collect::<Vec<_>>().join("\n")
}

/// Everything spend is told apart by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub struct Place {
    pub session_id: String,
    pub team: String,
    pub repo: String,
    pub branch: String,
    pub model: String,
    pub agent: String,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub struct Spend {
    pub requests: u64,
    #[serde(flatten)]
    pub tokens: Tokens,
    #[serde(default)]
    pub cost_nanousd: i64,
}

/// `2 requests, 22 input, 114 output, 4000 cache read, 200 + 400 cache write, 0 searches, $0.0146` in short.
impl fmt::Display for Spend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Tokens { input, output, cache_read, cache_write_5m, cache_write_1h, web_search } = self.tokens;
        let Self { requests, cost_nanousd, .. } = self;
        write!(f, "{requests}/{input}/{output}/{cache_read}/{cache_write_5m}/{cache_write_1h}/{web_search}")?;
        write!(f, " ${}", NanoUsd(*cost_nanousd))
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ledger(BTreeMap<Place, Spend>);

impl Ledger {
    fn add(&mut self, place: Place, spend: Spend) {
        let sum = self.0.entry(place).or_default();
        sum.requests += spend.requests;
        sum.tokens += spend.tokens;
        sum.cost_nanousd += spend.cost_nanousd;
    }

    /// The spend of some places.
    pub fn total(&self, chosen: impl Fn(&Place) -> bool) -> Spend {
        let mut total = Spend::default();
        for (_, spend) in self.0.iter().filter(|(place, _)| chosen(place)) {
            total.requests += spend.requests;
            total.tokens += spend.tokens;
            total.cost_nanousd += spend.cost_nanousd;
        }
        total
    }

    /// Tokens of responses by model, without what they cost.
    pub fn by_model(&self) -> BTreeMap<String, Spend> {
        let responses = |place: &Place| place.agent != Agent::Overhead.as_str();
        let models = self.0.keys().filter(|place| responses(place)).map(|place| &place.model);
        let total = |model: &String| {
            let total = self.total(|place| responses(place) && place.model == *model);
            Spend { cost_nanousd: 0, ..total }
        };
        models.map(|model| (model.clone(), total(model))).collect()
    }

    pub fn places(&self) -> impl Iterator<Item = &Place> {
        self.0.keys()
    }
}

/// One line per place.
impl fmt::Display for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (Place { session_id, team, repo, branch, model, agent }, spend) in &self.0 {
            writeln!(f, "  {session_id} {team} {repo} {branch:?} {model} {agent}: {spend}")?;
        }
        Ok(())
    }
}

impl World {
    /// What the fake API billed, as far as it could tell the client, priced response by response.
    pub fn billed(&self) -> Ledger {
        let book = PriceBook::embedded();
        let mut ledger = Ledger::default();
        for bill in self.api.bills().iter().filter(|bill| bill.complete || bill.step.interrupted) {
            let (place, spend) = priced(bill, &book);
            ledger.add(place, spend);
        }
        ledger
    }

    /// What `cpvo-hook totals` reads afresh from the transcripts of this machine.
    #[track_caller]
    pub fn totals(&self) -> BTreeMap<String, Spend> {
        #[derive(Deserialize)]
        struct Totals {
            by_model: BTreeMap<String, Spend>,
        }

        let text = self.hook(&self.repo.path, &["totals", "--json"]).success();
        let totals: Totals = serde_json::from_str(&text).expect("the hook's totals");
        totals.by_model
    }

    /// What both programs say of themselves, for the message of a failed test.
    pub fn diagnosis(&self) -> String {
        let status = self.hook(&self.repo.path, &["status"]);
        let lines = self.transcripts().into_iter().map(|text| outline(&text)).collect::<Vec<_>>().join("\n");
        let collector = self.collector().log();
        format!("status\n{}{}transcripts\n{lines}\ncollector\n{collector}", status.stdout, status.stderr)
    }

    /// Waits until the database holds just these responses.
    #[track_caller]
    pub fn await_stored(&self, responses: &[Tokens]) -> Ledger {
        let (requests, tokens) = (responses.len() as u64, responses.iter().copied().sum());
        let mut stored = Ledger::default();
        let found = attempt(|| {
            stored = self.stored();
            let total = stored.total(|_| true);
            (total.requests == requests && total.tokens == tokens).then_some(())
        });
        assert!(
            found.is_some(),
            "not the {requests} responses, {tokens:?}, but\n{stored}{}",
            self.diagnosis()
        );
        stored
    }

    /// What an admin finds in the database.
    #[track_caller]
    pub fn stored(&self) -> Ledger {
        #[derive(Deserialize)]
        struct Stored {
            #[serde(flatten)]
            place: Place,
            #[serde(flatten)]
            spend: Spend,
        }

        let rows = self.collector().sql(
            "SELECT session_id, team, repo, branch, model, agent, SUM(requests) AS requests, SUM(input) AS input,
                SUM(output) AS output, SUM(cache_read) AS cache_read, SUM(cache_write_5m) AS cache_write_5m,
                SUM(cache_write_1h) AS cache_write_1h, SUM(web_search) AS web_search,
                COALESCE(SUM(cost_nanousd), 0) AS cost_nanousd
            FROM usage GROUP BY session_id, team, repo, branch, model, agent",
        );
        let mut ledger = Ledger::default();
        for row in rows {
            let Stored { place, spend } = serde_json::from_value(row).expect("a row of usage");
            ledger.add(place, spend);
        }
        ledger
    }
}

/// Where a bill belongs, by its script, and what it costs by the price list.
fn priced(bill: &Bill, book: &PriceBook) -> (Place, Spend) {
    let step = &bill.step;
    let (agent, branch, requests) = match (&bill.agent, step.overhead) {
        (_, true) => (Agent::Overhead, "", 0),
        (None, false) => (Agent::Main, step.branch.unwrap_or("main"), 1),
        (Some(_), false) => (Agent::Subagent, step.branch.unwrap_or("main"), 1),
    };
    let row = |tokens: Tokens| Row {
        key: RowKey {
            hour: Hour::of(bill.at),
            branch: Branch::try_from(String::new()).expect("no branch is a branch"),
            model: Model::try_from(bill.model.clone()).expect("a short model name"),
            agent,
            workflow: Workflow::try_from("main".to_owned()).expect("a short name"),
            speed: if step.speed == Some("fast") { Speed::Fast } else { Speed::Standard },
            geo: if step.geo == Some("us") { Geo::Us } else { Geo::Elsewhere },
            band: Band::of(tokens.prompt()),
        },
        requests,
        tokens,
    };
    let slices = if step.iterations.is_empty() { vec![step.told()] } else { step.iterations.clone() };
    let cost = slices.into_iter().map(|tokens| book.cost(Provider::Anthropic, &row(tokens)));
    let cost = cost.map(|priced| priced.expect("a model of the price book").cost.0).sum();
    let place = Place {
        session_id: bill.session.clone(),
        team: "payments".to_owned(),
        repo: step.repo.unwrap_or(crate::REPO).to_owned(),
        branch: branch.to_owned(),
        model: bill.model.clone(),
        agent: agent.as_str().to_owned(),
    };
    (place, Spend { requests, tokens: step.told(), cost_nanousd: cost })
}
