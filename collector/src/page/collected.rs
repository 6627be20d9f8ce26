//! Everything that leaves a laptop, field by field, with what each is for. A test holds it against the wire format.

use super::report::{Report, Section};
use crate::listing::{Cell, Listing};

/// The fields of a report as `cpvo-hook preview` prints them, and what they say.
const FIELDS: [(&str, &[(&str, &str)]); 6] = [
    (
        "Of the session",
        &[
            ("session_id", "the id Claude Code gave it"),
            (
                "repo",
                "the repository's remote, without credentials; a keyed hash of the folder where it has none",
            ),
            ("week", "the ISO week these counts are of"),
            ("started_at", "its first line in this week and repository"),
            ("ended_at", "its last one"),
            ("end_reason", "why it ended, as Claude Code says"),
            ("environment", "a person's machine, continuous integration, or a remote one"),
            ("provider", "whose API answered, by the names of environment variables"),
            ("billing", "paid by token or by subscription, where that is known"),
            ("client.name", "the client"),
            ("client.version", "its version"),
            ("client.entrypoint", "how it was started, such as cli"),
        ],
    ),
    (
        "Of the person",
        &[(
            "developer.email",
            "git config user.email, so that the spend finds its team; instead of it os_user, the account's name, \
             where there is no email, or team, as the developer decides on the laptop",
        )],
    ),
    (
        "Tokens, by hour and branch",
        &[
            ("usage.hour", "the hour in UTC"),
            ("usage.branch", "the branch, or a hash of it"),
            ("usage.model", "the model that answered"),
            ("usage.agent", "who asked: the session, a subagent, or the client for itself"),
            ("usage.workflow", "a built-in command, skill or agent by name; those of your own are other"),
            ("usage.speed", "standard or fast, as it changes the price"),
            ("usage.geo", "where it ran, as far as it changes the price"),
            ("usage.prompt_band", "how large the prompts were: to 100k, to 200k, beyond"),
            ("usage.requests", "how many responses"),
            ("usage.input", "prompt tokens"),
            ("usage.output", "generated tokens"),
            ("usage.cache_read", "prompt tokens read from the cache"),
            ("usage.cache_write_5m", "prompt tokens written to it for five minutes"),
            ("usage.cache_write_1h", "and for an hour"),
            ("usage.web_search", "searches the API ran"),
        ],
    ),
    (
        "Commits and pull requests",
        &[
            ("commits.sha", "the id of a commit of the developer's own"),
            ("commits.branch", "its branch"),
            ("commits.at", "when it was made"),
            ("pull_requests.number", "the number of a request the session touched"),
            ("pull_requests.action", "created, edited, commented, reviewed, merged, checked out, or named"),
            ("pull_requests.at", "when"),
        ],
    ),
    (
        "How it went, in counts",
        &[
            ("shape.turns", "prompts a person sent; not what they said"),
            ("shape.subagents", "subagents started"),
            ("shape.tool_errors", "tools that failed; not which, nor how"),
            ("shape.api_errors", "requests the API refused"),
            ("shape.compactions", "times the conversation was compacted"),
            ("shape.prompt_max", "tokens of the largest prompt"),
            ("quality.lines", "transcript lines read"),
            ("quality.malformed", "of them not JSON, or with an impossible count"),
            ("quality.synthetic", "made up by the client, such as error messages"),
            ("quality.interrupted", "responses cut off"),
            ("quality.unknown_usage", "requests that left no response"),
            ("quality.unitemised", "1: overhead that could not be told apart"),
            ("quality.adopted", "responses whose origin no remaining copy names"),
        ],
    ),
    (
        "So that no report counts twice",
        &[
            ("schema", "the version of this format"),
            ("install_id", "a random number of this installation of the hook"),
            ("client.hook", "the version of the hook"),
            ("rank.parser", "the version of the rules transcripts are read by"),
            ("rank.epoch", "when the local ledger was made"),
            ("rank.seq", "a counter of its snapshots"),
            ("partial", "whether only responses that other sessions copied were found"),
        ],
    ),
];

pub(crate) fn collected() -> Report {
    let row = |(field, says): &(&str, &str)| vec![Cell::text(*field), Cell::text(*says)];
    let section = |(title, fields): (&'static str, &[(&str, &str)])| Section {
        title,
        said: String::new(),
        table: Listing::new(&["Field", "What it says"], fields.iter().map(row).collect()),
        empty: "",
        pages: None,
    };
    Report {
        title: "What is collected".to_owned(),
        at: "/collected",
        basis: "Every field that leaves a laptop, and nothing else: no prompt, no answer, no code, no input or output of a tool, \
            no path, no title, no host name. The exact JSON of your own: cpvo-hook preview."
            .to_owned(),
        weeks: None,
        sections: FIELDS.map(section).into(),
        view: "session",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;
    use std::collections::BTreeSet;

    /// The names of all fields, those of a list once.
    fn fields(json: &Value, name: &str, all: &mut BTreeSet<String>) {
        match json {
            Value::Object(members) => {
                for (member, value) in members {
                    let below = if name.is_empty() { member.clone() } else { format!("{name}.{member}") };
                    fields(value, &below, all);
                }
            }
            Value::Array(rows) => rows.iter().for_each(|row| fields(row, name, all)),
            _ => _ = all.insert(name.to_owned()),
        }
    }

    #[test]
    fn every_field_of_a_report_is_told_and_no_other() {
        let golden: Value = serde_json::from_str(include_str!("../../../meter/golden/report.json")).unwrap();
        // what the format has when all is said, not what one report happens to hold
        let report: meter::Report = serde_json::from_value(golden).unwrap();
        let mut sent = BTreeSet::new();
        fields(&serde_json::to_value(&report).unwrap(), "", &mut sent);
        let told: Vec<String> =
            FIELDS.iter().flat_map(|(_, fields)| fields.iter().map(|(name, _)| (*name).to_owned())).collect();
        assert_eq!(told.iter().cloned().collect::<BTreeSet<_>>(), sent);
        assert_eq!(told.len(), sent.len(), "each once");
    }
}
