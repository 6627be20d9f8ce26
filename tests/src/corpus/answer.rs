//! One response of the model: what the API billed for it, and how the client of the day wrote it down.

use crate::dice::Dice;
use meter::Tokens;
use serde_json::{Value, json};

/// Models of the price book, by how often they are asked.
pub(super) const MODELS: [&str; 5] =
    ["claude-opus-5-5", "claude-opus-5-5", "claude-sonnet-5-5", "claude-haiku-5-5", "claude-opus-4-8"];

/// Who names responses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ids {
    /// `msg_…`, unique for all time; with the mark of the cloud it came through.
    Anthropic(&'static str),
    /// A gateway that counts from 1 again: in every session, or for every request.
    Gateway,
}

/// How the five-minute and the hour part of what was written to the cache are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Split {
    Told,
    Missing,
    /// More for an hour than was written at all.
    Excessive,
}

/// How a count of nothing is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Nothing {
    Zero,
    Null,
    Missing,
}

#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is one more way for a response to differ")]
pub(super) struct Answer {
    pub model: &'static str,
    /// What the person asked for beyond the model's name.
    pub suffix: &'static str,
    pub tokens: Tokens,
    /// The rounds it took, by type; those of type `message` add up to `tokens` or are wrong.
    pub iterations: Vec<(&'static str, Tokens)>,
    pub adds_up: bool,
    pub fast: bool,
    pub geo: &'static str,
    pub ids: Ids,
    pub request_id: bool,
    /// Lines it is written on, one per block of content.
    pub lines: u64,
    /// All lines but the last hold a first fraction of the output.
    pub drafts: bool,
    pub split: Split,
    pub nothing: Nothing,
    /// A price of its own in the line, which nobody may believe.
    pub own_price: bool,
    pub finished: bool,
}

impl Answer {
    /// A usual response.
    pub(super) fn usual(dice: &mut Dice) -> Self {
        Self {
            model: MODELS[dice.index(MODELS.len())],
            suffix: "",
            tokens: Tokens {
                input: 4 + dice.roll(300),
                output: 10 + dice.roll(1_800),
                cache_read: dice.roll(60_000),
                // even, so that a tenth more is a whole number of nano-dollars
                cache_write_5m: 2 * dice.roll(2_000),
                cache_write_1h: 2 * dice.roll(2_000),
                web_search: 0,
            },
            iterations: Vec::new(),
            adds_up: false,
            fast: false,
            geo: "not_available",
            ids: Ids::Anthropic(""),
            request_id: true,
            lines: 1,
            drafts: false,
            split: Split::Told,
            nothing: Nothing::Zero,
            own_price: false,
            finished: true,
        }
    }

    /// The tokens by the size of the prompt that made them, as they are billed.
    pub(super) fn slices(&self) -> Vec<(&'static str, Tokens)> {
        if !self.adds_up {
            return vec![(band(self.tokens.prompt()), self.tokens)];
        }
        let mut slices: Vec<(&'static str, Tokens)> = Vec::new();
        for (_, part) in self.iterations.iter().filter(|(kind, _)| *kind == "message") {
            let name = band(part.prompt());
            match slices.iter_mut().find(|(known, _)| *known == name) {
                Some((_, sum)) => *sum += *part,
                None => slices.push((name, *part)),
            }
        }
        slices[0].1.web_search = self.tokens.web_search;
        slices
    }

    /// The `usage` of a line that knows of so much output.
    pub(super) fn usage(&self, output: u64) -> Value {
        let mut usage = counts(&Tokens { output, ..self.tokens }, self.split, self.nothing);
        usage["server_tool_use"] =
            json!({"web_search_requests": self.tokens.web_search, "web_fetch_requests": 3});
        usage["service_tier"] = json!("standard");
        usage["inference_geo"] = json!(self.geo);
        usage["speed"] = json!(if self.fast { "fast" } else { "standard" });
        let round = |(kind, tokens): &(&str, Tokens)| {
            let mut round = counts(tokens, self.split, Nothing::Zero);
            round["type"] = json!(kind);
            round
        };
        // what is cut off never got as far
        if self.finished {
            usage["iterations"] = self.iterations.iter().map(round).collect();
        }
        usage
    }
}

/// The size of a prompt, as the contract names it.
fn band(prompt: u64) -> &'static str {
    match prompt {
        0..=100_000 => "100k",
        100_001..=200_000 => "200k",
        _ => "max",
    }
}

fn counts(tokens: &Tokens, split: Split, nothing: Nothing) -> Value {
    let written = tokens.cache_write_5m + tokens.cache_write_1h;
    let mut counts = json!({});
    for (name, count) in [
        ("input_tokens", tokens.input),
        ("cache_creation_input_tokens", written),
        ("cache_read_input_tokens", tokens.cache_read),
        ("output_tokens", tokens.output),
    ] {
        match (count, nothing) {
            (0, Nothing::Null) => counts[name] = Value::Null,
            (0, Nothing::Missing) => {}
            _ => counts[name] = json!(count),
        }
    }
    let hour = match split {
        Split::Told => tokens.cache_write_1h,
        Split::Excessive => tokens.cache_write_1h + 777,
        Split::Missing => return counts,
    };
    counts["cache_creation"] =
        json!({"ephemeral_1h_input_tokens": hour, "ephemeral_5m_input_tokens": tokens.cache_write_5m});
    counts
}
