//! From the counts the client wrote to [`Tokens`] by size of prompt.

use super::fields::Counter;
use super::found::{Count, Counts, Iteration};
use meter::{Band, PicoUsd, Tokens};

/// The kinds iterations are checked by.
const KINDS: [Counter; 4] = [Counter::Input, Counter::Output, Counter::CacheRead, Counter::CacheWrite];

/// The tokens of one response by the size of the prompt that made them. `None` where a count is impossible.
///
/// A response of several iterations is priced iteration by iteration, as the client does: where they add up to
/// its totals. The web searches are the response's own and stay with the first.
pub(super) fn slices(counts: &Counts, iterations: &[Iteration]) -> Option<Vec<(Band, Tokens)>> {
    let total = tokens(counts)?;
    let whole = || vec![(Band::of(total.prompt()), total)];
    let Some(parts) = parts(counts, iterations) else { return Some(whole()) };
    let mut slices: Vec<(Band, Tokens)> = Vec::new();
    for part in parts {
        let band = Band::of(part.prompt());
        match slices.iter_mut().find(|(known, _)| *known == band) {
            Some((_, tokens)) => *tokens += part,
            None => slices.push((band, part)),
        }
    }
    let Some((_, first)) = slices.first_mut() else { return Some(whole()) };
    first.web_search = total.web_search;
    let sum: Tokens = slices.iter().map(|(_, tokens)| *tokens).sum();
    Some(if sum == total { slices } else { whole() })
}

/// One usage record as tokens: null is zero, and no more was written for an hour than was written at all.
pub(super) fn tokens(counts: &Counts) -> Option<Tokens> {
    let written = counts.number(Counter::CacheWrite)?;
    let hour = counts.number(Counter::CacheWrite1h)?.min(written);
    Some(Tokens {
        input: counts.number(Counter::Input)?,
        output: counts.number(Counter::Output)?,
        cache_read: counts.number(Counter::CacheRead)?,
        cache_write_5m: written - hour,
        cache_write_1h: hour,
        web_search: counts.number(Counter::WebSearch)?,
    })
}

/// The tokens of each iteration. `None` where they do not add up to the total and must be ignored.
fn parts(total: &Counts, iterations: &[Iteration]) -> Option<Vec<Tokens>> {
    let counts =
        || iterations.iter().filter(|iteration| iteration.of_message).map(|iteration| &iteration.counts);
    for kind in KINDS {
        let sum = counts().try_fold(0_u64, |sum, counts| match counts.get(kind) {
            Count::Is(count) => Some(sum + count),
            Count::Absent | Count::Impossible => None,
        });
        if sum != Some(total.number(kind)?) {
            return None;
        }
    }
    let mut parts = counts().map(tokens).collect::<Option<Vec<_>>>()?;
    // what the total knows of the hour and the iterations do not say is theirs, first come first served
    let known: u64 = parts.iter().map(|part| part.cache_write_1h).sum();
    let mut missing = tokens(total)?.cache_write_1h.saturating_sub(known);
    for part in &mut parts {
        let more = missing.min(part.cache_write_5m);
        part.cache_write_5m -= more;
        part.cache_write_1h += more;
        missing -= more;
    }
    Some(parts)
}

/// Decimal dollars as the client prints them, `0.0196` or `1.2e-7`, to the nearest pico-dollar.
pub(super) fn pico_usd(decimal: &str) -> Option<PicoUsd> {
    let (mantissa, exponent) = decimal.split_once(['e', 'E']).unwrap_or((decimal, "0"));
    let (whole, part) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let exponent: i32 = exponent.parse().ok()?;
    let digits = [whole, part].concat();
    if digits.is_empty() || digits.len() > 30 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    // the number is digits × 10^power pico-dollars
    let power = exponent.checked_add(12)?.checked_sub(i32::try_from(part.len()).ok()?)?;
    let digits: i128 = digits.parse().ok()?;
    let pico = match u32::try_from(power) {
        Ok(power) => digits.checked_mul(10_i128.checked_pow(power)?)?,
        Err(_) => 10_i128.checked_pow(power.unsigned_abs()).map_or(0, |unit| (digits + unit / 2) / unit),
    };
    Some(PicoUsd(pico))
}
