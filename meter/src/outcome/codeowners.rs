//! CODEOWNERS: whom a repository itself names as the owners of a file.

use crate::glob::matches;

/// A repository's CODEOWNERS, as GitHub and GitLab read it: of the lines that fit a file the last one holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CodeOwners(Vec<Line>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Line {
    /// A pattern for each folder on the way, `**` for any number of them.
    way: Vec<String>,
    /// In lower case.
    owners: Vec<String>,
}

impl CodeOwners {
    /// What is no line of a pattern and its owners, such as a heading, is left out.
    pub fn parse(text: &str) -> Self {
        let line = |text: &str| {
            let mut words = text.split_whitespace().take_while(|word| !word.starts_with('#'));
            let pattern = words.next().filter(|pattern| !pattern.starts_with(['[', '^', '!']))?;
            Some(Line { way: way(pattern), owners: words.map(str::to_lowercase).collect() })
        };
        Self(text.lines().filter_map(line).collect())
    }

    /// Those of a file, in lower case; none where a line says so or none fits.
    pub fn of(&self, file: &str) -> &[String] {
        let file: Vec<&str> = file.split('/').collect();
        let line = self.0.iter().rev().find(|line| fits(&line.way, &file));
        line.map_or(&[], |line| &line.owners)
    }
}

/// A pattern as one for each folder. One without a slash, but at its end, fits in every folder; one that may name a
/// folder fits all that is in it.
fn way(pattern: &str) -> Vec<String> {
    let (is_folder, trimmed) = (pattern.ends_with('/'), pattern.trim_end_matches('/'));
    let rooted = trimmed.contains('/');
    let anywhere = (!rooted).then_some("**").into_iter();
    let mut way: Vec<String> =
        anywhere.chain(trimmed.trim_start_matches('/').split('/')).map(str::to_owned).collect();
    let last = way.last().map_or("", String::as_str);
    if is_folder {
        way.extend(["**".to_owned(), "*".to_owned()]);
    } else if !last.contains('*') {
        way.push("**".to_owned());
    }
    way
}

/// As with a star in a text: each part where it fits first leaves the most for the next.
fn fits(way: &[String], file: &[&str]) -> bool {
    let (mut at, mut place, mut last) = (0, 0, None);
    while place < file.len() {
        match way.get(at).map(String::as_str) {
            Some("**") => {
                last = Some((at, place));
                at += 1;
                continue;
            }
            Some(part) if matches(part, file[place]) => {
                at += 1;
                place += 1;
                continue;
            }
            _ => {}
        }
        let Some((star, from)) = last else { return false };
        last = Some((star, from + 1));
        (at, place) = (star + 1, from + 1);
    }
    way[at..].iter().all(|part| part == "**")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pattern: &str, fitting: &str, others: &str) {
        let owners = CodeOwners::parse(&format!("{pattern} @acme/pay"));
        for file in fitting.split_whitespace() {
            assert_eq!(owners.of(file), ["@acme/pay"], "{pattern} {file}");
        }
        for file in others.split_whitespace() {
            assert!(owners.of(file).is_empty(), "{pattern} {file}");
        }
    }

    #[test]
    fn patterns_fit_as_the_hosts_say() {
        check("*", "a a/b/c.rs .github/x", "");
        check("*.js", "a.js x/y/a.js", "a.jsx x.js/a");
        check("/build/logs/", "build/logs/a build/logs/x/a", "x/build/logs/a build/logs");
        check("docs/*", "docs/a.md", "docs/x/a.md x/docs/a.md");
        check("apps/", "apps/a x/apps/y/a", "apps x/apps");
        check("/docs/", "docs/a docs/x/a", "x/docs/a");
        check("/scripts", "scripts scripts/a scripts/x/a", "x/scripts scriptsx");
        check("**/logs", "logs logs/a x/logs/a x/y/logs", "logsx/a");
        check("/apps/github", "apps/github apps/github/a", "apps/gitlab/a");
        check("apps/**/test", "apps/test apps/x/test/a apps/x/y/test", "x/apps/test");
        check("/libs/**", "libs/a libs/x/a", "x/libs/a");
        check("Makefile", "Makefile x/Makefile", "makefile");
        check("/a/**/b/**/c.rs", "a/b/c.rs a/x/b/b/y/c.rs a/b/c.rs/d", "a/c.rs a/x/c.rs");
        check(&"**/x/".repeat(61), "", &"x/y/".repeat(60));
    }

    #[test]
    fn the_last_line_that_fits_holds() {
        let owners = CodeOwners::parse(
            "# who\n* @acme/core # all else\n\n[Pay]\n/pay/ @Acme/Pay ana@acme.example\n/pay/docs/\n!/x @acme/x\n",
        );
        assert_eq!(owners.of("x"), ["@acme/core"]);
        assert_eq!(owners.of("pay/a"), ["@acme/pay", "ana@acme.example"]);
        assert!(owners.of("pay/docs/a").is_empty(), "a line without owners");
        assert!(CodeOwners::parse("").of("x").is_empty());
    }
}
