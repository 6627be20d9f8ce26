//! What the counts of a response come to, and at what price.

use super::*;

#[test]
fn missing_and_null_counts_are_zero() {
    let none = response(|json| *usage(json) = json!({}));
    assert_eq!(none.slices, [(Band::To100k, Tokens::default())]);
    let null = response(|json| {
        *usage(json) = json!({
            "input_tokens": null, "output_tokens": 5, "cache_creation_input_tokens": null, "cache_creation": null,
            "cache_read_input_tokens": null, "server_tool_use": null, "iterations": null, "speed": null,
        });
    });
    assert_eq!(null.tokens(), tokens(0, 5, 0, (0, 0), 0));
}

#[test]
fn writes_are_parted_by_how_long_they_last() {
    let parted = |split: Value| response(|json| usage(json)["cache_creation"] = split.clone()).tokens();
    assert_eq!(parted(json!(null)), tokens(11, 57, 2000, (300, 0), 2));
    assert_eq!(parted(json!({"ephemeral_1h_input_tokens": 120})), tokens(11, 57, 2000, (180, 120), 2));
    assert_eq!(parted(json!({"ephemeral_1h_input_tokens": 900})), tokens(11, 57, 2000, (0, 300), 2));
}

#[test]
fn impossible_counts_make_a_line_malformed_and_never_a_number() {
    let paths: [&[&str]; 6] = [
        &["input_tokens"],
        &["output_tokens"],
        &["cache_read_input_tokens"],
        &["cache_creation_input_tokens"],
        &["cache_creation", "ephemeral_1h_input_tokens"],
        &["server_tool_use", "web_search_requests"],
    ];
    for path in paths {
        for bad in [
            "-1",
            "-0",
            "1.5",
            "5.0",
            "1e3",
            "9223372036854775808",
            "10000000001",
            "\"5\"",
            "true",
            "[]",
            "{}",
        ] {
            let mut json = assistant();
            let at = path.iter().fold(usage(&mut json), |at, key| &mut at[*key]);
            *at = json!("PLACE");
            let text = json.to_string().replace("\"PLACE\"", bad);
            assert_eq!(parse(text.as_bytes()), Parsed::Malformed, "{path:?} {bad}");
        }
    }
    assert_eq!(
        response(|json| usage(json)["input_tokens"] = json!(10_000_000_000_u64)).tokens().input,
        10_000_000_000
    );
}

#[test]
fn a_response_without_usage_is_unmetered() {
    for missing in [json!(null), json!("x"), json!([])] {
        let mut json = assistant();
        *usage(&mut json) = missing;
        assert_eq!(line(&json).kind, Kind::Unmetered { request_ref: Some("r1".into()) });
    }
    let mut json = assistant();
    json["message"].as_object_mut().unwrap().remove("usage");
    assert_eq!(line(&json).kind, Kind::Unmetered { request_ref: Some("r1".into()) });
}

#[test]
fn what_the_client_made_up_is_synthetic() {
    let mut json = assistant();
    json["message"]["model"] = json!("<synthetic>");
    assert_eq!(line(&json).kind, Kind::Synthetic);
}

#[test]
fn names_fall_back_and_stay_visible() {
    assert_eq!(response(|json| json["message"]["id"] = json!(null)).id, "u1");
    let nameless = response(|json| {
        json["message"]["id"] = json!(null);
        json["uuid"] = json!(null);
    });
    assert_eq!(nameless.id, "req_1");
    for model in [json!(null), json!(""), json!("a\u{0}b"), json!("m".repeat(200))] {
        assert_eq!(response(|json| json["message"]["model"] = model.clone()).model.as_str(), "unknown");
    }
    let mut json = assistant();
    (json["message"]["id"], json["uuid"], json["requestId"]) = (json!(null), json!(null), json!(null));
    assert_eq!(parse(json.to_string().as_bytes()), Parsed::Malformed);
}

#[test]
fn prices_depend_on_speed_geo_and_the_size_of_the_prompt() {
    assert_eq!(response(|json| usage(json)["speed"] = json!("fast")).speed, Speed::Fast);
    assert_eq!(response(|json| usage(json)["inference_geo"] = json!("us")).geo, Geo::Us);
    assert_eq!(response(|json| usage(json)["inference_geo"] = json!("eu")).geo, Geo::Elsewhere);
    for (read, band) in
        [(99_689, Band::To100k), (99_690, Band::To200k), (199_689, Band::To200k), (199_690, Band::Max)]
    {
        assert_eq!(
            response(|json| usage(json)["cache_read_input_tokens"] = json!(read)).slices[0].0,
            band,
            "{read}"
        );
    }
}

#[track_caller]
fn check_iterations(iterations: &[Value], expected: &[(Band, Tokens)]) {
    let slices = response(|json| {
        usage(json)["cache_read_input_tokens"] = json!(150_000);
        usage(json)["iterations"] = json!(iterations);
    });
    assert_eq!(slices.slices, expected);
}

#[test]
fn iterations_that_add_up_are_priced_one_by_one() {
    let small = iteration("message", [1, 7, 30_000, 0, 0]);
    let large = iteration("message", [10, 50, 120_000, 300, 200]);
    let whole = [(Band::To200k, tokens(11, 57, 150_000, (100, 200), 2))];
    let parts = [
        (Band::To100k, tokens(1, 7, 30_000, (0, 0), 2)),
        (Band::To200k, tokens(10, 50, 120_000, (100, 200), 0)),
    ];
    check_iterations(&[small.clone(), large.clone()], &parts);
    let advisor = iteration("advisor_message", [9, 9, 9, 9, 9]);
    check_iterations(&[small.clone(), advisor, large.clone()], &parts);
    // the hour nobody claims belongs to those who wrote
    let mut unsaid = large.clone();
    unsaid["cache_creation"] = json!(null);
    check_iterations(&[small.clone(), unsaid], &parts);
    check_iterations(&[small.clone(), small.clone(), large.clone()], &whole);
    check_iterations(std::slice::from_ref(&small), &whole);
    let mut partial = large.clone();
    partial["output_tokens"] = json!(null);
    check_iterations(&[small.clone(), partial], &whole);
    let mut wrong = large;
    wrong["input_tokens"] = json!(-5);
    check_iterations(&[small, wrong], &whole);
    let half = iteration("message", [5, 20, 40_000, 100, 100]);
    let rest = iteration("message", [6, 37, 110_000, 200, 100]);
    let parts = [
        (Band::To100k, tokens(5, 20, 40_000, (0, 100), 2)),
        (Band::To200k, tokens(6, 37, 110_000, (100, 100), 0)),
    ];
    check_iterations(&[half.clone(), rest.clone()], &parts);
    check_iterations(
        &[rest, half],
        &[
            (Band::To200k, Tokens { web_search: 2, ..parts[1].1 }),
            (Band::To100k, Tokens { web_search: 0, ..parts[0].1 }),
        ],
    );
}
