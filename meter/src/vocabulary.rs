//! The closed sets of words a report may use: one word each for code, wire, database and command line.

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
        pub enum $name { $(#[serde(rename = $word)] $variant),+ }

        impl $name {
            /// The word of the wire, the database and the command line.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }

            pub fn from_word(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$variant),)+ _ => None }
            }
        }
    };
}
pub(crate) use words;

words! {
    /// Where the session ran.
    Environment { Local = "local", Ci = "ci", Remote = "remote" }
}
words! {
    /// Who answers the requests, from the client's environment.
    Provider {
        Anthropic = "anthropic", Bedrock = "bedrock", Vertex = "vertex", Foundry = "foundry",
        Gateway = "gateway", Unknown = "unknown",
    }
}
words! {
    /// Whether tokens are paid one by one or by subscription.
    Billing { Api = "api", Subscription = "subscription", Unknown = "unknown" }
}
words! {
    /// Why the session ended; `swept` where no `SessionEnd` was seen.
    EndReason {
        PromptInputExit = "prompt_input_exit", Clear = "clear", Logout = "logout", Resume = "resume",
        Other = "other", Swept = "swept",
    }
}
words! {
    /// Who asked: the session itself, a subagent, or the client for its own housekeeping.
    Agent { Main = "main", Subagent = "subagent", Overhead = "overhead" }
}
words! { Speed { Standard = "standard", Fast = "fast" } }
words! {
    /// Where inference ran, as far as it changes the price.
    Geo { Us = "us", Elsewhere = "" }
}
words! {
    /// The size of a request's prompt: `100k` ≤ 100,000 < `200k` ≤ 200,000 < `max` tokens.
    Band { To100k = "100k", To200k = "200k", Max = "max" }
}
words! {
    /// What was done with a pull request; `named` where the session only mentions it.
    PullRequestAction {
        Created = "created", Edited = "edited", Commented = "commented", Reviewed = "reviewed",
        Merged = "merged", CheckedOut = "checked_out", Named = "named",
    }
}

impl Band {
    /// The band of one request's prompt tokens.
    pub fn of(prompt: u64) -> Self {
        match prompt {
            0..=100_000 => Self::To100k,
            100_001..=200_000 => Self::To200k,
            _ => Self::Max,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn words_are_the_words_of_the_wire() {
        for action in ["created", "edited", "commented", "reviewed", "merged", "checked_out", "named"] {
            let parsed = PullRequestAction::from_word(action).unwrap();
            assert_eq!(serde_json::to_value(parsed).unwrap(), json!(parsed.as_str()));
        }
        assert_eq!(Geo::from_word(""), Some(Geo::Elsewhere));
        assert_eq!(Agent::from_word("human"), None);
    }

    #[test]
    fn bands_turn_after_their_edge() {
        for (prompt, band) in
            [(0, "100k"), (100_000, "100k"), (100_001, "200k"), (200_000, "200k"), (200_001, "max")]
        {
            assert_eq!(Band::of(prompt).as_str(), band, "{prompt}");
        }
    }
}
