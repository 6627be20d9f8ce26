//! One response each, priced as the client prices it. What is expected was worked out by hand from the price list:
//! a dollar per million tokens is a thousand nano-dollars per token.

use meter::Speed::{Fast, Standard};
use meter::{Agent, Band, Geo, PriceBook, Provider, Row, RowKey, Speed, Tokens};

/// Input, output, read from the cache, written for five minutes, written for an hour, and web searches.
type Counts = [u64; 6];

/// A thousand of each kind of token.
const EACH: Counts = [1_000, 1_000, 1_000, 1_000, 1_000, 0];

fn response(model: &str, (speed, geo): (Speed, Geo), counts: Counts) -> Row {
    let [input, output, cache_read, minutes, hour, web_search] = counts;
    let tokens =
        Tokens { input, output, cache_read, cache_write_5m: minutes, cache_write_1h: hour, web_search };
    let key = RowKey {
        hour: "2026-11-22T04:00:00Z".parse().expect("text of its shape"),
        branch: "main".parse().expect("text of its shape"),
        model: model.parse().expect("text of its shape"),
        agent: Agent::Main,
        workflow: "main".parse().expect("text of its shape"),
        speed,
        geo,
        band: Band::of(tokens.prompt()),
    };
    Row { key, requests: 1, tokens }
}

#[track_caller]
fn costs(model: &str, kind: (Speed, Geo), counts: Counts, nano: i64) {
    let row = response(model, kind, counts);
    let cost = PriceBook::embedded().cost(Provider::Anthropic, &row).map(|priced| priced.cost.0);
    assert_eq!(cost, Some(nano), "{model} {kind:?} {counts:?}");
}

#[track_caller]
fn check(model: &str, counts: Counts, nano: i64) {
    costs(model, (Standard, Geo::Elsewhere), counts, nano);
}

#[test]
fn each_kind_of_token_at_its_own_price() {
    check("claude-opus-5-5", [1_000, 0, 0, 0, 0, 0], 4_000_000);
    check("claude-opus-5-5", [0, 1_000, 0, 0, 0, 0], 20_000_000);
    check("claude-opus-5-5", [0, 0, 1_000, 0, 0, 0], 200_000);
    check("claude-opus-5-5", [0, 0, 0, 1_000, 0, 0], 5_000_000);
    check("claude-opus-5-5", [0, 0, 0, 0, 1_000, 0], 8_000_000);
    check("claude-opus-5-5", [0, 0, 0, 0, 0, 1], 10_000_000);
    check("claude-opus-5-5", [0, 0, 0, 0, 0, 0], 0);
    check("claude-haiku-5-5", [1, 0, 1, 0, 0, 0], 100 + 10);
}

#[test]
fn what_is_written_for_an_hour_costs_twice_the_input() {
    check("claude-opus-4-8", [0, 0, 0, 60_000, 0, 0], 375_000_000);
    check("claude-opus-4-8", [0, 0, 0, 0, 60_000, 0], 600_000_000);
    check("claude-opus-4-8", [0, 0, 0, 30_000, 30_000, 0], 187_500_000 + 300_000_000);
    check("claude-haiku-4-5-20251001", [0, 0, 0, 1_000, 1_000, 0], 1_250_000 + 2_000_000);
}

#[test]
fn retired_models_keep_their_price() {
    check("claude-3-5-haiku-20241022", EACH, 800_000 + 4_000_000 + 80_000 + 1_000_000 + 1_600_000);
    check("claude-3-5-sonnet-20241022", EACH, 3_000_000 + 15_000_000 + 300_000 + 3_750_000 + 6_000_000);
    check("claude-3-7-sonnet-20250219", EACH, 3_000_000 + 15_000_000 + 300_000 + 3_750_000 + 6_000_000);
    check("claude-sonnet-4-20250514", EACH, 3_000_000 + 15_000_000 + 300_000 + 3_750_000 + 6_000_000);
    check("claude-opus-4-20250514", EACH, 15_000_000 + 75_000_000 + 1_500_000 + 18_750_000 + 30_000_000);
    check("claude-opus-4-1-20250805", EACH, 15_000_000 + 75_000_000 + 1_500_000 + 18_750_000 + 30_000_000);
}

#[test]
fn the_newest_models_have_one() {
    check("claude-haiku-5-5", EACH, 100_000 + 500_000 + 10_000 + 125_000 + 200_000);
    check("claude-sonnet-5-5", EACH, 2_000_000 + 10_000_000 + 100_000 + 2_500_000 + 4_000_000);
    check("claude-opus-5-5", EACH, 4_000_000 + 20_000_000 + 200_000 + 5_000_000 + 8_000_000);
    check("claude-opus-5", EACH, 5_000_000 + 25_000_000 + 500_000 + 6_250_000 + 10_000_000);
    check("claude-fable-5-2", EACH, 8_000_000 + 40_000_000 + 200_000 + 10_000_000 + 16_000_000);
    check("claude-mythos-5-1", EACH, 10_000_000 + 50_000_000 + 250_000 + 12_500_000 + 20_000_000);
}

#[test]
fn fast_replaces_every_price_but_that_of_searches() {
    let fast = |model, counts, nano| costs(model, (Fast, Geo::Elsewhere), counts, nano);
    fast("claude-opus-4-6", EACH, 30_000_000 + 150_000_000 + 3_000_000 + 37_500_000 + 60_000_000);
    fast("claude-opus-4-8", EACH, 10_000_000 + 50_000_000 + 1_000_000 + 12_500_000 + 20_000_000);
    fast("claude-opus-5-5", EACH, 8_000_000 + 40_000_000 + 400_000 + 10_000_000 + 16_000_000);
    fast("claude-mythos-5-2", EACH, 16_000_000 + 80_000_000 + 400_000 + 20_000_000 + 32_000_000);
    fast("claude-opus-5", [1_000, 0, 0, 0, 0, 3], 10_000_000 + 30_000_000);
    // a model that has no fast price
    fast("claude-sonnet-5-5", EACH, 2_000_000 + 10_000_000 + 100_000 + 2_500_000 + 4_000_000);
}

#[test]
fn searches_are_a_cent_each_whatever_the_model() {
    check("claude-haiku-5-5", [1_000, 0, 0, 0, 0, 10], 100_000 + 100_000_000);
    check("claude-opus-4-1", [0, 0, 0, 0, 0, 7], 70_000_000);
}

#[test]
fn the_us_costs_a_tenth_more_for_tokens_alone() {
    let us = |model, speed, counts, nano| costs(model, (speed, Geo::Us), counts, nano);
    us("claude-opus-4-8", Standard, [1_000, 1_000, 0, 0, 0, 0], 5_500_000 + 27_500_000);
    us("claude-opus-5-5", Standard, [0, 0, 1_000, 1_000, 1_000, 0], 220_000 + 5_500_000 + 8_800_000);
    us("claude-opus-5-5", Standard, [1_000, 0, 0, 0, 0, 2], 4_400_000 + 20_000_000);
    us("claude-opus-5-5", Fast, [1_000, 1_000, 0, 0, 0, 0], 8_800_000 + 44_000_000);
    us("claude-haiku-5-5", Standard, [100_001, 0, 0, 0, 0, 0], 55_000_550);
    // 137.5 and 412.5 nano-dollars: half to the even side
    us("claude-haiku-5-5", Standard, [0, 0, 0, 1, 0, 0], 138);
    us("claude-haiku-5-5", Standard, [0, 0, 0, 3, 0, 0], 412);
}

#[test]
fn the_long_prompt_begins_after_its_edge() {
    check("claude-haiku-5-5", [100_000, 1_000, 0, 0, 0, 0], 10_000_000 + 500_000);
    check("claude-haiku-5-5", [100_001, 1_000, 0, 0, 0, 0], 50_000_500 + 2_500_000);
    // what was read and written is part of the prompt, what came out is not
    check(
        "claude-haiku-5-5",
        [1, 500_000, 60_000, 20_000, 19_999, 0],
        100 + 250_000_000 + 600_000 + 2_500_000 + 3_999_800,
    );
    check("claude-haiku-5-5", [2, 0, 60_000, 20_000, 19_999, 0], 1_000 + 3_000_000 + 12_500_000 + 19_999_000);
    check("claude-haiku-5-5", [200_000, 0, 0, 0, 0, 0], 100_000_000);
    check("claude-haiku-5-5", [200_001, 0, 0, 0, 0, 0], 100_000_500);
    // no other model has one
    check("claude-sonnet-4-5", [200_000, 0, 0, 0, 0, 0], 600_000_000);
    check("claude-sonnet-4-5", [200_001, 0, 0, 0, 0, 0], 600_003_000);
    check("claude-opus-5-5", [0, 0, 1_000_000, 0, 0, 0], 200_000_000);
}

#[test]
fn every_provider_s_name_of_a_model_is_that_model() {
    for name in [
        "claude-sonnet-4-5-20250929",
        "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
        "eu.anthropic.claude-sonnet-4-5-20250929-v1:0",
        "global.anthropic.claude-sonnet-4-5-20250929-v1:0",
        "anthropic.claude-sonnet-4-5-20250929-v1:0",
        "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-sonnet-4-5-20250929-v1:0",
        "claude-sonnet-4-5@20250929",
        "anthropic/claude-sonnet-4-5",
        "claude-sonnet-4-5[1m]",
        "claude-sonnet-4-5-20250929[1m]",
    ] {
        check(name, EACH, 3_000_000 + 15_000_000 + 300_000 + 3_750_000 + 6_000_000);
    }
    check("claude-3-5-sonnet-v2@20241022", [1_000, 0, 0, 0, 0, 0], 3_000_000);
    check("us.anthropic.claude-opus-4-6-v1", [1_000, 0, 0, 0, 0, 0], 5_000_000);
    check("claude-opus-4@20250514", [1_000, 0, 0, 0, 0, 0], 15_000_000);
    check("us.anthropic.claude-haiku-5-5", [100_001, 0, 0, 0, 0, 0], 50_000_500);
}

#[test]
fn an_unknown_model_is_not_guessed_at() {
    for name in ["claude-newthing-9", "claude-opus-6", "gpt-77-x", "mythos", "claude-zeta-9-9", "unknown"] {
        let row = response(name, (Standard, Geo::Elsewhere), EACH);
        assert_eq!(PriceBook::embedded().cost(Provider::Anthropic, &row), None, "{name}");
    }
}
