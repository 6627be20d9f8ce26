//! The tokens of JSON: what a string stands for, what a number looks like.

use super::Value;
use std::borrow::Cow;

/// Bytes of one kept scalar; what is longer cannot be a value of ours.
pub(crate) const SCALAR_BYTES_MAX: usize = 4096;
/// One in each byte.
const ONES: u64 = 0x0101_0101_0101_0101;
/// Enough of a text to tell the client's own from a person's.
const OPENING_BYTES: usize = 32;

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
        _ if token.len() <= SCALAR_BYTES_MAX && is_number(token) => Some(Value::Number(token)),
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
pub(super) fn opening(raw: &[u8]) -> &[u8] {
    before(raw, OPENING_BYTES)
}

/// The text a string stands for. `None` where it is too long or no Unicode text.
pub(crate) fn unescape(raw: &[u8]) -> Option<Cow<'_, str>> {
    if raw.len() > SCALAR_BYTES_MAX {
        return None;
    }
    let text = std::str::from_utf8(raw).ok()?;
    if is_plain(raw) {
        return Some(Cow::Borrowed(text));
    }
    if raw.iter().any(|byte| *byte < 0x20) {
        return None;
    }
    let mut meant = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        meant.push(if c == '\\' { unescaped(&mut chars)? } else { c });
    }
    Some(Cow::Owned(meant))
}

/// Whether text is printable ASCII that means what is written, as most is.
fn is_plain(raw: &[u8]) -> bool {
    // a byte's highest bit is set where it has one, is less than a space, or is a backslash
    let odd = |word: u64| {
        word | word.wrapping_sub(ONES * 0x20) | (word ^ (ONES * u64::from(b'\\'))).wrapping_sub(ONES)
    };
    let (words, rest) = raw.as_chunks::<8>();
    words.iter().all(|word| odd(u64::from_le_bytes(*word)) & (ONES << 7) == 0)
        && rest.iter().all(|byte| matches!(byte, b' '..=b'~') && *byte != b'\\')
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
