//! Which lines are one response, which of them counts, and whose it is. Pure, and blind to the order of
//! lines, files and sweeps.
//!
//! A response is written once per content block, copied by forks, resumes, `/btw` and moved files, and first
//! written with a fraction of its output; it is counted once, by its largest record, for the one who asked.

use jiff::Timestamp;
use meter::{Agent, Band, Geo, Model, SessionId, Speed, Tokens, Workflow};
use std::cmp::Reverse;
use transcript::Response;

/// What names a response on every machine and for all time: a hash of its ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct ResponseKey([u8; 16]);

impl ResponseKey {
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    pub(crate) fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }
}

/// Names the response a line belongs to; `session` is the one that asked, as far as the line says.
///
/// Ids that Anthropic gives are unique. A gateway's may repeat: then the request tells responses apart, and
/// without one the session.
pub(crate) fn key(response: &Response, session: &SessionId) -> ResponseKey {
    let id = response.id.as_str();
    let within = match &response.request_id {
        _ if id.starts_with("msg_") => "",
        Some(request) => request,
        None => session.as_str(),
    };
    // FNV-1a, 128 bits: stored keys must mean the same in every later version
    let mix = |hash: u128, byte: &u8| {
        (hash ^ u128::from(*byte)).wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013b)
    };
    let hash = id.as_bytes().iter().fold(0x6c62_272e_07bb_0142_62b8_2175_6295_c58d, mix);
    let hash = within.as_bytes().iter().fold(mix(hash, &0xff), mix);
    ResponseKey(hash.to_be_bytes())
}

/// What one line says of a response.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Record {
    pub(crate) at: Timestamp,
    pub(crate) finished: bool,
    pub(crate) agent: Agent,
    pub(crate) model: Model,
    pub(crate) speed: Speed,
    pub(crate) geo: Geo,
    pub(crate) workflow: Workflow,
    pub(crate) slices: Vec<(Band, Tokens)>,
}

impl Record {
    /// What `response` says; `at` is the time of its line.
    pub(crate) fn of(response: Response, at: Timestamp) -> Self {
        let Response { finished, subagent, model, speed, geo, workflow, slices, .. } = response;
        let agent = if subagent { Agent::Subagent } else { Agent::Main };
        Self { at, finished, agent, model, speed, geo, workflow, slices }
    }

    pub(crate) fn tokens(&self) -> Tokens {
        self.slices.iter().map(|(_, tokens)| *tokens).sum()
    }
}

/// Whether `new` counts in place of `old`: a whole record, the one with the largest output, of those the
/// earliest, of those the session's own before a subagent's replay; what is left is decided by the content, so
/// that the order of reading never is.
pub(crate) fn wins(old: &Record, new: &Record) -> bool {
    fn rank(record: &Record) -> impl Ord + '_ {
        let Record { at, finished, agent, model, speed, geo, workflow, slices } = record;
        let content = (slices, model, speed, geo, workflow);
        (record.tokens().output, Reverse(*at), Reverse(*agent), *finished, content)
    }
    rank(new) > rank(old)
}

/// The owner among the sessions that hold a response, where no line names its origin: the one whose oldest
/// line of its own is the oldest, else the smallest id.
pub(crate) fn owner<At: Ord + Copy>(holders: &[(SessionId, Option<At>)]) -> Option<SessionId> {
    let age = |(session, at): &&(SessionId, Option<At>)| (at.is_none(), *at, session.clone());
    holders.iter().min_by_key(age).map(|(session, _)| session.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn session(digit: char) -> SessionId {
        format!("8b41c8a0-0000-4000-8000-00000000000{digit}").parse().unwrap()
    }

    fn response(id: &str, request: Option<&str>) -> Response {
        Response {
            id: id.to_owned(),
            request_id: request.map(str::to_owned),
            request_ref: None,
            model: "claude-opus-5-5".parse().unwrap(),
            slices: Vec::new(),
            speed: Speed::Standard,
            geo: Geo::Elsewhere,
            subagent: false,
            workflow: "main".parse().unwrap(),
            finished: true,
        }
    }

    type Ids<'a> = (&'a str, Option<&'a str>, char);

    #[track_caller]
    fn check(one: Ids, other: Ids, same: bool) {
        let key = |(id, request, digit): Ids| key(&response(id, request), &session(digit));
        assert_eq!(key(one) == key(other), same, "{one:?} {other:?}");
    }

    #[test]
    fn what_names_a_response() {
        check(("msg_1", Some("req_1"), 'a'), ("msg_1", Some("req_2"), 'b'), true);
        check(("msg_bdrk_1", None, 'a'), ("msg_bdrk_1", Some("req_1"), 'a'), true);
        check(("msg_1", None, 'a'), ("msg_2", None, 'a'), false);
        check(("gen-1", Some("req_1"), 'a'), ("gen-1", Some("req_1"), 'b'), true);
        check(("gen-1", Some("req_1"), 'a'), ("gen-1", Some("req_2"), 'a'), false);
        check(("gen-1", None, 'a'), ("gen-1", None, 'a'), true);
        check(("gen-1", None, 'a'), ("gen-1", None, 'b'), false);
        check(("gen", Some("1x"), 'a'), ("gen1", Some("x"), 'a'), false);
    }

    #[test]
    fn keys_are_the_same_in_every_version() {
        let bytes = 0x7cd0_9742_124f_f78d_7693_151b_a039_5b71_u128.to_be_bytes();
        assert_eq!(key(&response("msg_01", None), &session('a')), ResponseKey::from_bytes(bytes));
    }

    fn record(output: u64, second: i64, finished: bool, input: u64) -> Record {
        let at = Timestamp::from_second(second).unwrap();
        let tokens = Tokens { input, output, ..Tokens::default() };
        let response = Response { finished, slices: vec![(Band::To100k, tokens)], ..response("msg_1", None) };
        Record::of(response, at)
    }

    #[test]
    fn the_largest_record_counts_whole() {
        let wins = |old: &Record, new: &Record| (wins(old, new), wins(new, old));
        assert_eq!(wins(&record(1, 0, false, 9), &record(57, 5, true, 2)), (true, false));
        assert_eq!(wins(&record(57, 5, true, 2), &record(57, 4, false, 2)), (true, false));
        assert_eq!(wins(&record(57, 5, false, 2), &record(57, 5, true, 2)), (true, false));
        assert_eq!(wins(&record(57, 5, true, 2), &record(57, 5, true, 2)), (false, false));
        let replay =
            Record { agent: Agent::Subagent, workflow: "other".parse().unwrap(), ..record(57, 5, true, 9) };
        assert_eq!(wins(&replay, &record(57, 5, false, 2)), (true, false));
    }

    #[test]
    fn the_oldest_session_owns_what_several_hold() {
        let check = |holders: &[(char, Option<i64>)], expected| {
            let holders: Vec<_> = holders.iter().map(|(digit, at)| (session(*digit), *at)).collect();
            assert_eq!(owner(&holders), expected);
        };
        check(&[('a', Some(5)), ('b', Some(4))], Some(session('b')));
        check(&[('b', Some(4)), ('a', Some(4))], Some(session('a')));
        check(&[('a', None), ('b', Some(9))], Some(session('b')));
        check(&[('b', None), ('a', None)], Some(session('a')));
        check(&[], None);
    }

    proptest! {
        #[test]
        fn no_order_and_no_repetition_changes_the_winner(
            lines in prop::collection::vec((0..4_u64, 0..4_i64, any::<bool>(), 0..3_u64), 1..8),
            order in prop::collection::vec(any::<prop::sample::Index>(), 0..16),
        ) {
            let records: Vec<Record> = lines.iter().map(|(output, at, done, input)| record(*output, *at, *done, *input)).collect();
            let fold = |records: Vec<&Record>| records.into_iter().reduce(|old, new| if wins(old, new) { new } else { old }).cloned();
            let shuffled = order.iter().map(|index| index.get(&records)).chain(records.iter().rev());
            let winner = fold(records.iter().collect());
            prop_assert_eq!(&fold(shuffled.collect()), &winner);
            let largest = lines.iter().map(|line| line.0).max();
            let earliest = lines.iter().filter(|line| Some(line.0) == largest).map(|line| line.1).min();
            let winner = winner.unwrap();
            prop_assert_eq!((Some(winner.tokens().output), Some(winner.at.as_second())), (largest, earliest));
        }
    }
}
