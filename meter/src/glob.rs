//! Patterns in which `*` stands for any text.

/// Whether all of `text` is what the pattern says; a star stands for any text, none and a slash too.
pub(crate) fn matches(pattern: &str, text: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut text) = text.strip_prefix(start) else { return false };
    // each part where it comes first leaves the most for the next
    let (parts, end) = rest.rsplit_once('*').unwrap_or(("", rest));
    for part in parts.split('*') {
        let Some(at) = text.find(part) else { return false };
        text = &text[at + part.len()..];
    }
    text.ends_with(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_text() {
        for (pattern, text, expected) in [
            ("spike/*", "spike/x/y", true),
            ("spike/*", "spike/", true),
            ("spike/*", "my/spike/x", false),
            ("*.md", "docs/ü.md", true),
            ("docs/*.md", "docs/a.rs", false),
            ("docs/*.md", "docs/a.md.rs", false),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-c-b", false),
            ("a*ba", "aba", true),
            ("ab*ba", "aba", false),
            ("a*b*b", "ab", false),
            ("a**c", "a/b/c", true),
            ("", "", true),
            ("", "x", false),
            ("*", "", true),
            ("**", "x", true),
            ("x", "xy", false),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
        assert!(!matches(&"*a".repeat(100), &"a".repeat(99)), "and at once");
    }
}
