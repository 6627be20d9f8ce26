//! `teams.toml`: parsed, checked and told apart line by line.

use super::UNASSIGNED;
use super::repository::Repository;
use super::shipping::rules;
use super::timeline::{Stay, Wish, all_time};
use anyhow::{Result, bail, ensure};
use jiff::Timestamp;
use meter::delivery::{Labels, Ship, ShipRule};
use meter::outcome::{Policy, Strictness};
use meter::{Email, Hour, Repo, Text};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use toml::Spanned;

/// What teams.toml says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Teams {
    pub list: Vec<Team>,
    /// By the member's email.
    pub members: BTreeMap<String, Vec<Wish>>,
    /// Other names of members, to their email.
    pub aliases: BTreeMap<String, String>,
    /// What brings changes to users, of repositories where that is not the merge alone.
    pub shipping: BTreeMap<Repo, Vec<ShipRule>>,
}

impl Teams {
    /// Says of each repository that several living teams list whole what becomes of its changes.
    pub(crate) fn shared(&self, now: Timestamp) -> Vec<String> {
        let mut owners: BTreeMap<&Repo, BTreeSet<&str>> = BTreeMap::new();
        let lives = |team: &&Team| team.until.is_none_or(|until| now < until.start());
        for team in self.list.iter().filter(lives) {
            for (repo, _) in team.repositories.iter().filter(|(_, paths)| paths.is_empty()) {
                owners.entry(repo).or_default().insert(&team.id);
            }
        }
        let shared = owners.into_iter().filter(|(_, teams)| teams.len() > 1);
        let told = |(repo, teams): (&Repo, BTreeSet<&str>)| {
            let teams: Vec<&str> = teams.into_iter().collect();
            format!(
                "teams.toml lists the whole of {repo} in the teams {}: a change there goes to its author's team; \
                 name the `paths` of each, or leave it to one",
                teams.join(", ")
            )
        };
        shared.map(told).collect()
    }
}

/// Why teams.toml is refused.
///
/// The whole of it is for an admin's eyes, as it may quote an email or a line of the file; `line` and `kind`
/// are for everyone's.
#[derive(Debug, thiserror::Error)]
#[error("line {line}: {message}")]
pub(crate) struct Fault {
    pub line: usize,
    pub kind: &'static str,
    message: String,
}

impl Fault {
    fn new(line: usize, kind: &'static str, message: impl Display) -> Self {
        Self { line, kind, message: message.to_string() }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Team {
    pub id: String,
    pub name: String,
    pub business_unit: Option<String>,
    pub product: Option<String>,
    /// Ids it had before.
    pub formerly: Vec<String>,
    pub until: Option<Hour>,
    pub merged_into: Option<String>,
    /// With the team's part, one a line, as `team_repository` has it; empty: all of it.
    pub repositories: Vec<(Repo, String)>,
    pub terms: Terms,
    /// What labels say of its work.
    pub work: Labels,
}

/// What the changes of a team are judged by at first, as far as the file says it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Terms {
    window_days: Option<u32>,
    hotfix_hours: Option<u32>,
    strictness: Option<Strictness>,
}

impl Terms {
    /// What the file says, and `other` where it says nothing.
    pub(crate) fn over(self, other: Policy) -> Policy {
        Policy {
            window_days: self.window_days.unwrap_or(other.window_days),
            hotfix_hours: self.hotfix_hours.unwrap_or(other.hotfix_hours),
            strictness: self.strictness.unwrap_or(other.strictness),
        }
    }
}

type Name = Text<64>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    team: Vec<Spanned<TeamTable>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TeamTable {
    id: Option<Name>,
    name: Option<Name>,
    #[serde(default)]
    formerly: Vec<Name>,
    merged_into: Option<Name>,
    until: Option<Day>,
    business_unit: Option<Name>,
    product: Option<Name>,
    window_days: Option<u32>,
    hotfix_hours: Option<u32>,
    strictness: Option<Strictness>,
    ship: Option<Ship>,
    #[serde(default)]
    work: Labels,
    #[serde(default)]
    repositories: Vec<Repository>,
    #[serde(default)]
    members: Vec<Spanned<MemberTable>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "members = [{ email = \"ana@acme.example\" }]")]
struct MemberTable {
    email: Email,
    #[serde(default)]
    aliases: Vec<Text<254>>,
    from: Option<Day>,
    until: Option<Day>,
}

/// A UTC day, `2026-01-01` in quotes or without, or a UTC hour.
#[derive(Clone, Copy, Deserialize)]
#[serde(try_from = "DayText")]
pub(super) struct Day(pub(super) Hour);

#[derive(Deserialize)]
#[serde(untagged, expecting = "expected a day like \"2026-01-01\"")]
enum DayText {
    Text(String),
    Date(toml::value::Datetime),
}

impl TryFrom<DayText> for Day {
    type Error = String;

    fn try_from(text: DayText) -> Result<Self, String> {
        let text = match text {
            DayText::Text(text) => text,
            DayText::Date(date) => date.to_string(),
        };
        let hour = if text.len() == 10 { format!("{text}T00:00:00Z") } else { text.clone() };
        hour.parse()
            .map(Self)
            .map_err(|_| format!("{text:?} is neither a day like 2026-01-01 nor a UTC hour"))
    }
}

/// A member's line and where it is in the file.
struct Line {
    number: usize,
    wish: Wish,
}

/// Reads teams.toml. The error names the line.
pub(crate) fn parse(text: &str) -> Result<Teams, Fault> {
    let line_of = |offset: usize| text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1;
    let file: File = toml::from_str(text).map_err(|error| {
        let line = error.span().map_or(1, |span| line_of(span.start));
        Fault::new(line, "not in the form of teams.toml", error)
    })?;
    let (mut teams, mut numbers, mut said) = (Vec::new(), Vec::new(), Vec::new());
    let mut lines: BTreeMap<String, Vec<Line>> = BTreeMap::new();
    let mut aliases = BTreeMap::new();
    for table in file.team {
        let number = line_of(table.span().start);
        let (repositories, ship) = (&table.get_ref().repositories, table.get_ref().ship);
        said.extend(repositories.iter().map(|repository| repository.ships(ship)));
        let (team, members) =
            team(table.into_inner()).map_err(|error| Fault::new(number, "a team is not right", error))?;
        for member in members {
            let number = line_of(member.span().start);
            let MemberTable { email, aliases: others, from, until } = member.into_inner();
            let wish =
                Wish { team: team.id.clone(), from: from.map(|day| day.0), until: until.map(|day| day.0) };
            if wish.from.is_some_and(|from| wish.until.is_some_and(|until| from >= until)) {
                let message = format!("{email} leaves {} before joining it", team.id);
                return Err(Fault::new(number, "a member leaves before joining", message));
            }
            alias_add(&mut aliases, &others, &email, number)?;
            lines.entry(email.to_string()).or_default().push(Line { number, wish });
        }
        teams.push(team);
        numbers.push(number);
    }
    check_ids(&teams, &numbers)?;
    check_mergers(&teams, &numbers)?;
    let both = aliases.iter().find_map(|(alias, member)| Some((alias, member, lines.get(alias)?.first()?)));
    if let Some((alias, member, line)) = both {
        let message = format!("{alias} is a member, and an alias of {member} too");
        return Err(Fault::new(line.number, "an alias is a member too", message));
    }
    let mut members = BTreeMap::new();
    for (email, lines) in lines {
        check_lines(&email, &lines)?;
        let wishes = lines.into_iter().flat_map(|line| after_mergers(&teams, line.wish)).collect();
        members.insert(email, wishes);
    }
    let shipping = rules(&said).map_err(|repo| {
        let message = format!("{repo} ships by different events: see `ship` of the teams that list it");
        Fault::new(1, "two teams ship a repository differently", message)
    })?;
    Ok(Teams { list: teams, members, aliases, shipping })
}

fn alias_add(
    aliases: &mut BTreeMap<String, String>,
    others: &[Text<254>],
    email: &Email,
    line: usize,
) -> Result<(), Fault> {
    for alias in others {
        // as identities are stored: emails in lower case, other names as they are
        let alias = alias.as_str();
        let alias = if alias.contains('@') { alias.to_lowercase() } else { alias.to_owned() };
        let former = aliases.insert(alias.clone(), email.to_string());
        if let Some(former) = former.filter(|former| former != email.as_str()) {
            let message = format!("{alias} is an alias of {former} already");
            return Err(Fault::new(line, "an alias of two members", message));
        }
    }
    Ok(())
}

fn team(table: TeamTable) -> Result<(Team, Vec<Spanned<MemberTable>>)> {
    let Some(id) = table.id.or_else(|| table.name.clone()) else { bail!("a team needs an id") };
    ensure!(
        !id.as_str().is_empty() && id.as_str() != UNASSIGNED,
        "{:?} cannot be the id of a team",
        id.as_str()
    );
    let terms = Terms {
        window_days: table.window_days,
        hotfix_hours: table.hotfix_hours,
        strictness: table.strictness,
    };
    let policy = terms.over(Policy::default());
    ensure!((1..=90).contains(&policy.window_days), "window_days of {id} must be 1 to 90");
    ensure!((1..=24 * 90).contains(&policy.hotfix_hours), "hotfix_hours of {id} must be 1 to 2160");
    ensure!(
        table.merged_into.is_none() || table.until.is_some(),
        "merged_into of {id} needs until: its first day in the other team"
    );
    let team = Team {
        name: table.name.unwrap_or_else(|| id.clone()).into(),
        id: id.into(),
        business_unit: table.business_unit.map(Into::into),
        product: table.product.map(Into::into),
        formerly: table.formerly.into_iter().map(Into::into).collect(),
        until: table.until.map(|day| day.0),
        merged_into: table.merged_into.map(Into::into),
        repositories: table.repositories.iter().map(Repository::part).collect::<Result<_>>()?,
        terms,
        work: table.work,
    };
    Ok((team, table.members))
}

fn check_ids(teams: &[Team], numbers: &[usize]) -> Result<(), Fault> {
    let mut owners: BTreeMap<&str, (&str, usize)> = BTreeMap::new();
    for (team, number) in teams.iter().zip(numbers) {
        for id in std::iter::once(&team.id).chain(&team.formerly) {
            if let Some((other, line)) = owners.insert(id, (&team.id, *number)) {
                let message = format!(
                    "two teams have the id {id}: {other} (line {line}) and {} (line {number})",
                    team.id
                );
                return Err(Fault::new(*number, "two teams have one id", message));
            }
        }
    }
    Ok(())
}

fn check_mergers(teams: &[Team], numbers: &[usize]) -> Result<(), Fault> {
    for (team, number) in teams.iter().zip(numbers) {
        let fault = |message: String| Fault::new(*number, "merged_into is not right", message);
        let mut at = team;
        for _ in 0..=teams.len() {
            let Some(next) = &at.merged_into else { break };
            let known = teams.iter().find(|team| team.id == *next);
            at = known
                .ok_or_else(|| fault(format!("merged_into of {} names the unknown team {next}", at.id)))?;
            if at.id == team.id {
                return Err(fault(format!("{} is merged into itself", team.id)));
            }
        }
    }
    Ok(())
}

fn check_lines(email: &str, lines: &[Line]) -> Result<(), Fault> {
    let stay = |line: &Line| {
        let Wish { team, from, until } = line.wish.clone();
        Stay { team, from: from.unwrap_or_else(all_time), until }
    };
    for (index, line) in lines.iter().enumerate() {
        let clash = lines.iter().skip(index + 1).find(|other| stay(other).overlaps(&stay(line)));
        if let Some(other) = clash {
            let (a, b) = (&line.wish.team, &other.wish.team);
            let message = format!(
                "{email} is in two teams at once: {a} (line {}) and {b} (line {}); give one an until, the other a from",
                line.number, other.number
            );
            return Err(Fault::new(other.number, "a member is in two teams at once", message));
        }
    }
    Ok(())
}

/// A wish for a team that ended, as wishes for it and the team it was merged into.
fn after_mergers(teams: &[Team], wish: Wish) -> Vec<Wish> {
    let team = teams.iter().find(|team| team.id == wish.team);
    let Some(end) =
        team.and_then(|team| team.until).filter(|end| wish.until.is_none_or(|until| *end < until))
    else {
        return vec![wish];
    };
    let starts_later = wish.from.is_some_and(|from| from >= end);
    let next = team.and_then(|team| team.merged_into.clone());
    let before = (!starts_later).then(|| Wish { until: Some(end), ..wish.clone() });
    let from = if starts_later { wish.from } else { Some(end) };
    let after = next.map(|team| after_mergers(teams, Wish { team, from, until: wish.until }));
    before.into_iter().chain(after.into_iter().flatten()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
[[team]]
id = "payments"
name = "Payments"
business_unit = "commerce"
window_days = 14
hotfix_hours = 72
strictness = "targeted"
ship = "merge"
work = { new_value = ["feature"], lights_on = ["bug", "type/chore*"] }
repositories = ["github.com/acme/pay", { repo = "github.com/acme/mono", paths = ["services/pay/**"] }]
members = [
  { email = "Ana@acme.example", aliases = ["github:Ana", "Ana@noreply.example"], from = "2026-01-01" },
  { email = "bob@acme.example", until = 2026-06-01 },
]

[[team]]
name = "search"
members = [{ email = "bob@acme.example", from = "2026-06-01T00:00:00Z" }]
"#;

    #[test]
    fn reads_what_the_design_shows() {
        let teams = parse(GOOD).unwrap();
        assert_eq!(teams.list[1].id, "search");
        assert_eq!(teams.list[0].repositories[1].1, "services/pay/**");
        assert_eq!(teams.list[0].work.lights_on.len(), 2);
        assert_eq!(teams.aliases["github:Ana"], "ana@acme.example");
        assert_eq!(teams.aliases["ana@noreply.example"], "ana@acme.example");
        let june = "2026-06-01T00:00:00Z".parse().ok();
        let wish = |team: &str, from, until| Wish { team: team.to_owned(), from, until };
        assert_eq!(
            teams.members["bob@acme.example"],
            [wish("payments", None, june), wish("search", june, None)]
        );
        assert_eq!(parse("").unwrap(), Teams::default());
    }

    #[test]
    fn a_merged_team_hands_its_members_on() {
        let text = r#"
[[team]]
id = "a"
until = "2026-03-01"
merged_into = "b"
members = [{ email = "ana@acme.example" }, { email = "bob@acme.example", from = "2026-04-01" }]
[[team]]
id = "b"
"#;
        let teams = parse(text).unwrap();
        let hour = |day: &str| format!("2026-{day}T00:00:00Z").parse().ok();
        let wish = |team: &str, from, until| Wish { team: team.to_owned(), from, until };
        let march = hour("03-01");
        assert_eq!(teams.members["ana@acme.example"], [wish("a", None, march), wish("b", march, None)]);
        assert_eq!(teams.members["bob@acme.example"], [wish("b", hour("04-01"), None)]);
    }

    #[test]
    fn a_repository_that_two_teams_list_whole_is_named_with_both() {
        let now = "2026-11-25T12:00:00Z".parse().unwrap();
        let shared = |of_b: &str| {
            let b = format!("[[team]]\nid = 'b'\n{of_b}\n");
            parse(&(b + "[[team]]\nid = 'a'\nrepositories = ['h.x/a/all']")).unwrap().shared(now)
        };
        let named =
            |of_b: &str| shared(of_b).iter().any(|it| it.contains("whole of h.x/a/all in the teams a, b:"));
        assert!(named("repositories = ['h.x/a/all']"));
        assert!(named("repositories = ['h.x/a/all']\nuntil = '2026-11-26'"));
        for told_apart in [
            "repositories = ['h.x/a/web', 'h.x/a/web']",
            "repositories = [{ repo = 'h.x/a/all', paths = ['b/**'] }]",
            "repositories = ['h.x/a/all']\nuntil = '2026-11-25'",
        ] {
            assert!(shared(told_apart).is_empty(), "{told_apart}");
        }
    }

    #[track_caller]
    fn refused(text: &str, expected: &[&str]) {
        let error = format!("{:#}", parse(text).unwrap_err());
        for part in expected {
            assert!(error.contains(part), "{part:?} is not in: {error}");
        }
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        refused("[[team]]\nid = \"a\"\nmember = []", &["line 3", "member"]);
        refused("[[team]\nid = \"a\"", &["line 1", "column"]);
        refused("[[team]]\nwindow_days = 91\nid = \"a\"", &["line 1", "window_days"]);
        refused("[[team]]\nid = \"unassigned\"", &["line 1", "unassigned"]);
        refused("[[team]]\nid = \"a\"\n[[team]]\nid = \"a\"", &["two teams", "a (line 1)", "a (line 3)"]);
        refused("[[team]]\nid = \"a\"\nmerged_into = \"x\"\nuntil = \"2026-01-01\"", &["unknown team x"]);
        refused("[[team]]\nid = \"a\"\nmerged_into = \"a\"\nuntil = \"2026-01-01\"", &["into itself"]);
        refused("[[team]]\nid = \"a\"\nmerged_into = \"b\"", &["needs until"]);
        refused("[[team]]\nid = \"a\"\nmembers = [{ email = \"ana\" }]", &["line 3", "email"]);
        refused("[[team]]\nid = \"a\"\nmembers = [\"a@b\"]", &["line 3", "members = [{ email = "]);
        refused(
            "[[team]]\nid = \"a\"\nmembers = [{ email = \"a@b\", from = \"1.1.26\" }]",
            &["line 3", "1.1.26"],
        );
        refused("[[team]]\nid = \"a\"\nrepositories = [5]", &["line 3", "host/owner/name"]);
        refused(
            "[[team]]\nid = \"a\"\nrepositories = [{ repo = \"h/o/n\", owners = [\"pay\"] }]",
            &["line 1", "owners of h/o/n", "\"pay\" is no handle"],
        );
        refused("[[team]]\nid = \"a\"\nship = \"never\"", &["line 3", "never"]);
        refused(
            "[[team]]\nid = \"a\"\nship = \"merge\"\nrepositories = [\"h/o/n\"]\n[[team]]\nid = \"b\"\nship = \"release\"\nrepositories = [\"h/o/n\"]",
            &["h/o/n ships by different events"],
        );
        refused("[[team]]\nid = \"a\"\nwork = { fun = [] }", &["line 3", "fun", "new_value"]);
        refused(
            "[[team]]\nid = \"a\"\nmembers = [{ email = \"a@b\", from = \"2026-02-01\", until = \"2026-01-01\" }]",
            &["line 3", "a@b leaves a before"],
        );
    }

    #[test]
    fn nobody_is_two_people_or_in_two_teams() {
        refused(
            "[[team]]\nid = \"a\"\nmembers = [{ email = \"x@y\" }]\n[[team]]\nid = \"b\"\nmembers = [\n{ email = \"x@y\", from = \"2026-01-01\" }]",
            &["x@y", "a (line 3)", "b (line 7)"],
        );
        refused(
            "[[team]]\nid = \"a\"\nmembers = [{ email = \"x@y\", aliases = [\"z@y\"] },\n{ email = \"w@y\", aliases = [\"Z@y\"] }]",
            &["line 4", "z@y", "x@y"],
        );
        refused(
            "[[team]]\nid = \"a\"\nmembers = [{ email = \"x@y\", aliases = [\"w@y\"] },\n{ email = \"w@y\" }]",
            &["line 4", "w@y", "x@y"],
        );
    }
}
