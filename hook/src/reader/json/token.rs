//! The tokens of JSON: where a string ends, what it stands for, what a number looks like.

use super::Value;
use memchr::memchr_iter;
use std::borrow::Cow;

/// Bytes of one kept scalar; what is longer cannot be a value of ours.
pub(crate) const SCALAR_BYTES_MAX: usize = 4096;
/// A UUID is short.
const SHORT_WORDS: usize = 5;
/// Enough of a text to tell the client's own from a person's.
const OPENING_BYTES: usize = 32;

/// Where the quote is that ends a string. `odd` says, before and after, whether a piece of the string ended in
/// an odd number of backslashes, so that the next byte is not what it seems.
pub(super) fn string_end(bytes: &[u8], odd: &mut bool) -> Option<usize> {
    let escaped = |end: usize| {
        let run = before(bytes, end).iter().rev().take_while(|byte| **byte == b'\\').count();
        (run % 2 == 1) ^ (run == end && *odd)
    };
    let end = memchr_iter(b'"', bytes).find(|end| !escaped(*end));
    if end.is_none() {
        *odd = escaped(bytes.len());
    }
    end
}

/// Where a short string without a backslash ends: most keys are shorter than a search takes to begin.
pub(super) fn short_end(bytes: &[u8]) -> Option<usize> {
    const ONES: u64 = 0x0101_0101_0101_0101;
    // the lowest byte of the result that is not zero stands where the first such byte is
    let find = |word: u64, byte: u8| {
        let zero = word ^ (ONES * u64::from(byte));
        zero.wrapping_sub(ONES) & !zero & (ONES << 7)
    };
    let (words, _) = bytes.as_chunks::<8>();
    for (index, word) in words.iter().take(SHORT_WORDS).enumerate() {
        let word = u64::from_le_bytes(*word);
        let (quote, backslash) = (find(word, b'"'), find(word, b'\\'));
        if quote | backslash != 0 {
            let at = quote.trailing_zeros();
            return (at < backslash.trailing_zeros()).then_some(index * 8 + at as usize / 8);
        }
    }
    None
}

/// The bytes before `at`; all where there are fewer.
pub(super) fn before(bytes: &[u8], at: usize) -> &[u8] {
    bytes.get(..at).unwrap_or(bytes)
}

/// The bytes from `at` on; none where there are fewer.
pub(super) fn after(bytes: &[u8], at: usize) -> &[u8] {
    bytes.get(at..).unwrap_or_default()
}

/// A number, `true`, `false` or `null`.
pub(super) fn word(token: &[u8]) -> Option<Value<'_>> {
    match token {
        b"null" => Some(Value::Null),
        b"true" => Some(Value::Bool(true)),
        b"false" => Some(Value::Bool(false)),
        _ if token.len() <= SCALAR_BYTES_MAX && is_number(token) => {
            std::str::from_utf8(token).ok().map(Value::Number)
        }
        _ => None,
    }
}

/// The number grammar of RFC 8259.
fn is_number(token: &[u8]) -> bool {
    let digits = |bytes: &[u8]| bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let token = token.strip_prefix(b"-").unwrap_or(token);
    let whole = digits(token);
    if whole == 0 || (whole > 1 && token.starts_with(b"0")) {
        return false;
    }
    let mut rest = after(token, whole);
    if let Some(part) = rest.strip_prefix(b".") {
        let count = digits(part);
        if count == 0 {
            return false;
        }
        rest = after(part, count);
    }
    if let Some(exponent) = rest.strip_prefix(b"e").or_else(|| rest.strip_prefix(b"E")) {
        let exponent =
            exponent.strip_prefix(b"+").or_else(|| exponent.strip_prefix(b"-")).unwrap_or(exponent);
        let count = digits(exponent);
        return count > 0 && count == exponent.len();
    }
    rest.is_empty()
}

/// The first bytes of a string, as written.
pub(super) fn opening(raw: &[u8]) -> &str {
    before(raw, OPENING_BYTES).utf8_chunks().next().map_or("", |chunk| chunk.valid())
}

/// The text a string stands for. `None` where it is too long or no Unicode text.
pub(crate) fn unescape(raw: &[u8]) -> Option<Cow<'_, str>> {
    if raw.len() > SCALAR_BYTES_MAX {
        return None;
    }
    let text = std::str::from_utf8(raw).ok()?;
    // looked at to the end: without a way out, many bytes are looked at at once
    let (mut control, mut escaped) = (false, false);
    for byte in raw {
        control |= *byte < 0x20;
        escaped |= *byte == b'\\';
    }
    if control {
        return None;
    }
    if !escaped {
        return Some(Cow::Borrowed(text));
    }
    let mut meant = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        meant.push(if c == '\\' { unescaped(&mut chars)? } else { c });
    }
    Some(Cow::Owned(meant))
}

/// The character an escape stands for, behind its backslash.
fn unescaped(chars: &mut std::str::Chars<'_>) -> Option<char> {
    Some(match chars.next()? {
        c @ ('"' | '\\' | '/') => c,
        'b' => '\u{8}',
        'f' => '\u{c}',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'u' => {
            let unit = hex(chars)?;
            if !(0xD800..0xDC00).contains(&unit) {
                return char::from_u32(unit);
            }
            // the first half of a character past U+FFFF: its second half must follow
            let low = if chars.next()? == '\\' && chars.next()? == 'u' { hex(chars)? } else { return None };
            let low = low.checked_sub(0xDC00).filter(|low| *low < 0x400)?;
            char::from_u32(0x1_0000 + ((unit - 0xD800) << 10) + low)?
        }
        _ => return None,
    })
}

fn hex(chars: &mut std::str::Chars<'_>) -> Option<u32> {
    (0..4).try_fold(0, |sum, _| Some(sum * 16 + chars.next()?.to_digit(16)?))
}
