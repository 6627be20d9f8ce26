//! Who plays: five teams of an invented company, what they are like, and where they work.

/// A team and how it does from the first week of the story to the last.
#[derive(Debug)]
pub(super) struct Team {
    pub id: &'static str,
    pub name: &'static str,
    pub business_unit: &'static str,
    pub product: &'static str,
    pub members: &'static [&'static str],
    pub repositories: &'static [&'static str],
    /// The folders its changes lie in, and what is changed there.
    pub areas: &'static [&'static str],
    /// The first letters of its tickets.
    pub key: &'static str,
    /// Changes a week.
    pub pace: Drift,
    /// Of a hundred changes, how many do not stay.
    pub lost: Drift,
    /// What a change costs, in percent of the usual.
    pub cost: Drift,
    /// Of a hundred sessions, how many run on the dearest model.
    pub dearest: u32,
    pub billing: &'static str,
}

/// A figure at the first week and at the last.
#[derive(Debug, Clone, Copy)]
pub(super) struct Drift(pub u32, pub u32);

impl Team {
    /// The days that its changes must survive, in the end.
    pub(super) fn window_days(&self) -> u32 {
        if self.id == WINDOW.0 { WINDOW.1 } else { WINDOW_DAYS }
    }
}

impl Drift {
    /// At week `index` of `weeks`.
    pub(super) fn at(self, index: u32, weeks: u32) -> u32 {
        let last = weeks.saturating_sub(1).max(1);
        (self.0 * last.saturating_sub(index) + self.1 * index.min(last)) / last
    }
}

/// Somebody whom no team lists.
pub(super) const CONTRACTOR: &str = "zoe";

/// The team whose window is set anew, to so many days.
pub(super) const WINDOW: (&str, u32) = ("platform", 21);
/// The others', as it is where nobody says otherwise.
const WINDOW_DAYS: u32 = 14;

/// Work on these branches is cordoned.
pub(super) const SPIKES: &str = "spike/*";

pub(super) const TEAMS: [Team; 5] = [
    Team {
        id: "payments",
        name: "Payments",
        business_unit: "commerce",
        product: "checkout",
        members: &["ana", "bob", "chen", "dee", "eli", "fay", "gus", "hana", "ivo", "jia"],
        repositories: &["acme/pay", "acme/ledger"],
        areas: &["refunds", "settlement", "cards", "invoices", "fraud"],
        key: "PAY",
        pace: Drift(12, 17),
        lost: Drift(28, 9),
        cost: Drift(170, 75),
        dearest: 60,
        billing: "api",
    },
    Team {
        id: "search",
        name: "Search",
        business_unit: "commerce",
        product: "storefront",
        members: &["kim", "lea", "max", "nia", "oto", "pia", "quin", "rui"],
        repositories: &["acme/search"],
        areas: &["ranking", "indexer", "synonyms", "facets"],
        key: "SRCH",
        pace: Drift(10, 10),
        lost: Drift(12, 12),
        cost: Drift(100, 100),
        dearest: 40,
        billing: "subscription",
    },
    Team {
        id: "mobile",
        name: "Mobile",
        business_unit: "commerce",
        product: "app",
        members: &["sam", "tia", "uma", "vik", "wes", "xena", "yan", "zara"],
        repositories: &["acme/app"],
        areas: &["onboarding", "push", "offline", "camera"],
        key: "APP",
        pace: Drift(11, 12),
        lost: Drift(10, 34),
        cost: Drift(95, 130),
        dearest: 70,
        billing: "api",
    },
    Team {
        id: "platform",
        name: "Platform",
        business_unit: "engineering",
        product: "infrastructure",
        members: &["abel", "bea", "cato", "dora", "emil", "flor", "gian"],
        repositories: &["acme/platform"],
        areas: &["deploy", "queues", "secrets", "metrics"],
        key: "PLT",
        pace: Drift(8, 9),
        lost: Drift(15, 12),
        cost: Drift(120, 110),
        dearest: 50,
        billing: "api",
    },
    Team {
        id: "data",
        name: "Data",
        business_unit: "engineering",
        product: "warehouse",
        members: &["hugo", "ines", "jon", "kaya", "luca", "mina", "noor"],
        repositories: &["acme/data"],
        areas: &["exports", "models", "lineage", "dashboards"],
        key: "DATA",
        pace: Drift(7, 8),
        lost: Drift(14, 15),
        cost: Drift(70, 320),
        dearest: 30,
        billing: "api",
    },
];

pub(super) const VERBS: [&str; 8] =
    ["Add", "Show", "Speed up", "Split", "Retry", "Cache", "Validate", "Simplify"];
pub(super) const NOUNS: [&str; 10] = [
    "the nightly job",
    "the form",
    "the report",
    "the retry queue",
    "the import",
    "the limits",
    "the empty state",
    "the API",
    "the event log",
    "the permissions",
];

/// As git and the hook know somebody.
pub(super) fn email(name: &str) -> String {
    format!("{name}@acme.example")
}

/// The repositories of all teams.
pub(super) fn repositories() -> impl Iterator<Item = &'static str> {
    TEAMS.iter().flat_map(|team| team.repositories.iter().copied())
}
