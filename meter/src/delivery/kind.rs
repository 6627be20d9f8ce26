//! What work is for, as the labels of requests tell it.

use crate::glob::matches;
use crate::money::NanoUsd;
use crate::text::Text;
use crate::vocabulary::words;
use serde::Deserialize;

words! {
    /// What a change is for: something users did not have, or that what they have goes on working; unclear where its
    /// labels say neither, or both.
    Kind { NewValue = "new value", LightsOn = "keep the lights on", Unclear = "unclear" }
}

impl Kind {
    pub const ALL: [Self; 3] = [Self::NewValue, Self::LightsOn, Self::Unclear];
}

/// Which labels of a team's requests stand for which kind of work, in any case; a star stands for any text.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Labels {
    pub new_value: Vec<Text<64>>,
    pub lights_on: Vec<Text<64>>,
}

impl Labels {
    /// What work with these labels is for.
    pub fn kind(&self, labels: &[String]) -> Kind {
        match (is_labelled(&self.new_value, labels), is_labelled(&self.lights_on, labels)) {
            (true, false) => Kind::NewValue,
            (false, true) => Kind::LightsOn,
            _ => Kind::Unclear,
        }
    }
}

/// Whether one of the labels is meant, in any case; a star stands for any text.
pub fn is_labelled(meant: &[Text<64>], labels: &[String]) -> bool {
    let labels: Vec<String> = labels.iter().map(|label| label.to_lowercase()).collect();
    let is_one = |pattern: &Text<64>| {
        let pattern = pattern.as_str().to_lowercase();
        labels.iter().any(|label| matches(&pattern, label))
    };
    meant.iter().any(is_one)
}

/// How much of what shipped is of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Portion {
    pub kind: Kind,
    pub changes: usize,
    pub cost: NanoUsd,
}

impl Portion {
    /// One for each kind.
    pub fn of(work: impl Iterator<Item = (Kind, NanoUsd)>) -> [Self; 3] {
        let mut portions = Kind::ALL.map(|kind| Self { kind, changes: 0, cost: NanoUsd(0) });
        for (kind, cost) in work {
            for portion in portions.iter_mut().filter(|portion| portion.kind == kind) {
                portion.changes += 1;
                portion.cost.0 = portion.cost.0.saturating_add(cost.0);
            }
        }
        portions
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_tell_what_work_is_for() {
        let texts = |words: &[&str]| words.iter().map(|word| word.parse().unwrap()).collect();
        let labels = Labels {
            new_value: texts(&["Feature", "type/feat*"]),
            lights_on: texts(&["bug", "dependencies"]),
        };
        for (given, expected) in [
            ("feature", Kind::NewValue),
            ("ui feature", Kind::NewValue),
            ("type/feat-small", Kind::NewValue),
            ("bug", Kind::LightsOn),
            ("dependencies rust", Kind::LightsOn),
            ("feature bug", Kind::Unclear),
            ("features", Kind::Unclear),
            ("", Kind::Unclear),
        ] {
            let given: Vec<String> = given.split_whitespace().map(str::to_owned).collect();
            assert_eq!(labels.kind(&given), expected, "{given:?}");
            assert_eq!(Labels::default().kind(&given), Kind::Unclear);
        }
    }

    #[test]
    fn every_kind_has_its_portion() {
        let work = [(Kind::LightsOn, NanoUsd(3)), (Kind::NewValue, NanoUsd(5)), (Kind::LightsOn, NanoUsd(4))];
        let told = Portion::of(work.into_iter()).map(|one| (one.kind, one.changes, one.cost.0));
        assert_eq!(told, [(Kind::NewValue, 1, 5), (Kind::LightsOn, 2, 7), (Kind::Unclear, 0, 0)]);
    }
}
