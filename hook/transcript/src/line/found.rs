//! What was found in one line, value by value, before it means anything.

use super::fields::{Counter, Field, Flag, Slot};
use crate::json::{SCALAR_BYTES_MAX, Value, Visitor, unescape};
use meter::COUNT_MAX;
use std::borrow::Cow;

/// Iterations of one response, and models of one account, beyond which nothing is believed.
const LIST_MAX: usize = 1000;

const SLOTS: usize = Slot::Geo as usize + 1;
const COMMIT: &[Slot] = &[Slot::CommitSha, Slot::CommitBranch];
const PULL_REQUEST: &[Slot] = &[Slot::PullRequestUrl, Slot::PullRequestAction];
const MESSAGE: &[Slot] = &[Slot::MessageId, Slot::Model, Slot::StopReason];
const USAGE: &[Slot] = &[Slot::Speed, Slot::Geo];

/// A count as it was found.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) enum Count {
    /// Missing or `null`.
    #[default]
    Absent,
    Is(u64),
    /// Negative, fractional, with an exponent, past the limit, or no number. The client writes whole numbers as
    /// digits and nothing else, so `5.0` and `1e3` are as wrong as `-1`.
    Impossible,
}

impl Count {
    fn of(value: Value<'_>) -> Self {
        match value {
            Value::Null => Self::Absent,
            Value::Number(digits) if digits.iter().all(u8::is_ascii_digit) => {
                let count = digits.iter().fold(0_u64, |count, digit| {
                    count.saturating_mul(10).saturating_add(u64::from(digit - b'0'))
                });
                if count <= COUNT_MAX { Self::Is(count) } else { Self::Impossible }
            }
            _ => Self::Impossible,
        }
    }
}

/// The counts of one usage record, by [`Counter`].
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Counts([Count; 6]);

impl Counts {
    pub(super) fn get(&self, counter: Counter) -> Count {
        self.0.get(counter as usize).copied().unwrap_or_default()
    }

    fn set(&mut self, counter: Counter, count: Count) {
        if let Some(known) = self.0.get_mut(counter as usize) {
            *known = count;
        }
    }

    /// The count, nothing being zero. `None` where it is impossible.
    pub(super) fn number(&self, counter: Counter) -> Option<u64> {
        match self.get(counter) {
            Count::Absent => Some(0),
            Count::Is(count) => Some(count),
            Count::Impossible => None,
        }
    }
}

#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Iteration {
    /// Of type `message`; others, such as an advisor's, are billed apart.
    pub(super) of_message: bool,
    pub(super) counts: Counts,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct ModelAccount {
    pub(super) model: String,
    pub(super) counts: Counts,
    /// The decimal as written.
    pub(super) cost: String,
}

/// What was found in one line. Its buffers are used again for the next.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// As written.
    texts: [Vec<u8>; SLOTS],
    present: u64,
    flags: u16,
    pub(super) link_number: Count,
    pub(super) pull_request_number: Count,
    pub(super) tool_results: u32,
    pub(super) tool_errors: u32,
    pub(super) counts: Counts,
    pub(super) iterations: Vec<Iteration>,
    pub(super) models: Vec<ModelAccount>,
}

impl Found {
    pub(super) fn text(&self, slot: Slot) -> Option<Cow<'_, str>> {
        self.raw(slot).and_then(unescape)
    }

    /// The text, to be compared with names of ASCII.
    pub(super) fn name(&self, slot: Slot) -> Option<Cow<'_, [u8]>> {
        let raw = self.raw(slot)?;
        if raw.contains(&b'\\') {
            unescape(raw).map(|text| Cow::Owned(text.into_owned().into_bytes()))
        } else {
            Some(Cow::Borrowed(raw))
        }
    }

    /// The text as written.
    pub(super) fn raw(&self, slot: Slot) -> Option<&[u8]> {
        if self.present & bit(slot) == 0 { None } else { self.texts.get(slot as usize).map(Vec::as_slice) }
    }

    pub(super) fn is(&self, flag: Flag) -> bool {
        self.flags & (1 << flag as u16) != 0
    }

    fn mark(&mut self, flag: Flag, yes: bool) {
        let bit = 1 << flag as u16;
        self.flags = if yes { self.flags | bit } else { self.flags & !bit };
    }

    fn put(&mut self, slot: Slot, value: Value<'_>) {
        self.present &= !bit(slot);
        if let (Value::Text(raw), Some(buffer)) = (value, self.texts.get_mut(slot as usize))
            && raw.len() <= SCALAR_BYTES_MAX
        {
            buffer.clear();
            buffer.extend_from_slice(raw);
            self.present |= bit(slot);
        }
    }

    fn forget(&mut self, slots: &[Slot]) {
        for slot in slots {
            self.present &= !bit(*slot);
        }
    }

    fn forget_message(&mut self) {
        self.forget(MESSAGE);
        self.forget_content();
        self.forget_usage();
    }

    fn forget_content(&mut self) {
        (self.tool_results, self.tool_errors) = (0, 0);
        self.mark(Flag::Interrupted, false);
        self.mark(Flag::OwnText, false);
    }

    fn forget_usage(&mut self) {
        self.forget(USAGE);
        self.mark(Flag::Usage, false);
        self.counts = Counts::default();
        self.iterations.clear();
    }

    /// A text of a message, as far as it shows who wrote it.
    fn read_opening(&mut self, value: Value<'_>) {
        let Value::Opening(opening) = value else { return };
        if opening == b"[Request interrupted by user]" {
            self.mark(Flag::Interrupted, true);
        }
        let own =
            ["[Request interrupted", "<command-name>", "<local-command-", "<bash-", "<task-notification>"];
        if own.iter().any(|mark| opening.starts_with(mark.as_bytes())) {
            self.mark(Flag::OwnText, true);
        }
    }

    fn begin_iteration(&mut self, value: Value<'_>) {
        match value {
            Value::Item if self.iterations.len() <= LIST_MAX => self.iterations.push(Iteration::default()),
            Value::Item => {}
            _ => self.iterations.clear(),
        }
    }

    fn begin_model(&mut self, value: Value<'_>) {
        let Value::Entry(model) = value else {
            self.models.clear();
            self.mark(Flag::Models, value == Value::Open);
            return;
        };
        self.models.retain(|known| known.model != model);
        if self.models.len() <= LIST_MAX {
            self.models.push(ModelAccount { model: model.to_owned(), ..ModelAccount::default() });
        }
    }

    pub(super) fn lists_are_whole(&self) -> bool {
        self.iterations.len() <= LIST_MAX && self.models.len() <= LIST_MAX
    }
}

fn bit(slot: Slot) -> u64 {
    1 << (slot as u64)
}

impl Visitor<Field> for Found {
    /// Keeps the buffers.
    fn clear(&mut self) {
        let Self { texts: _, present, flags, link_number, pull_request_number, iterations, models, .. } =
            self;
        (*present, *flags) = (0, 0);
        (*link_number, *pull_request_number) = (Count::Absent, Count::Absent);
        (self.tool_results, self.tool_errors) = (0, 0);
        self.counts = Counts::default();
        iterations.clear();
        models.clear();
    }

    fn value(&mut self, field: Field, value: Value<'_>) {
        let yes = matches!(value, Value::Bool(true));
        match field {
            Field::Text(slot) => self.put(slot, value),
            Field::Count(counter) => self.counts.set(counter, Count::of(value)),
            Field::Flag(flag) => self.mark(flag, yes),
            Field::ForkedFrom => self.forget(&[Slot::ForkedFrom]),
            Field::Origin => self.forget(&[Slot::OriginKind]),
            Field::ToolUseResult => {
                self.mark(Flag::ToolUseResult, value != Value::Null);
                self.forget(COMMIT);
                self.forget(PULL_REQUEST);
            }
            Field::GitOperation => {
                self.forget(COMMIT);
                self.forget(PULL_REQUEST);
            }
            Field::Commit => self.forget(COMMIT),
            Field::PullRequest => {
                self.forget(PULL_REQUEST);
                self.pull_request_number = Count::Absent;
            }
            Field::PullRequestNumber => self.pull_request_number = Count::of(value),
            Field::LinkNumber => self.link_number = Count::of(value),
            Field::Message => self.forget_message(),
            Field::Content if matches!(value, Value::Item) => {}
            Field::Content => {
                self.forget_content();
                self.read_opening(value);
            }
            Field::ItemType => self.tool_results += u32::from(value == Value::Opening(b"tool_result")),
            Field::ItemText => self.read_opening(value),
            Field::ItemError => self.tool_errors += u32::from(yes),
            Field::Usage => {
                self.forget_usage();
                self.mark(Flag::Usage, value == Value::Open);
            }
            Field::CacheCreation => self.counts.set(Counter::CacheWrite1h, Count::Absent),
            Field::ServerTools => self.counts.set(Counter::WebSearch, Count::Absent),
            Field::Iterations => self.begin_iteration(value),
            Field::Models => self.begin_model(value),
            _ => self.value_in_list(field, value),
        }
    }
}

impl Found {
    /// A value of the latest iteration or model.
    fn value_in_list(&mut self, field: Field, value: Value<'_>) {
        let (iteration, account) = (self.iterations.last_mut(), self.models.last_mut());
        match (field, iteration, account) {
            (Field::IterationType, Some(iteration), _) => {
                iteration.of_message = value == Value::Opening(b"message");
            }
            (Field::IterationCount(counter), Some(iteration), _) => {
                iteration.counts.set(counter, Count::of(value));
            }
            (Field::IterationCache, Some(iteration), _) => {
                iteration.counts.set(Counter::CacheWrite1h, Count::Absent);
            }
            (Field::ModelCount(counter), _, Some(account)) => account.counts.set(counter, Count::of(value)),
            (Field::ModelCost, _, Some(account)) => {
                account.cost.clear();
                if let Value::Number(decimal) = value {
                    account.cost.push_str(&String::from_utf8_lossy(decimal));
                }
            }
            _ => {}
        }
    }
}
