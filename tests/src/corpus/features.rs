//! Every way a history is known to mislead a reader, by name: a seed picks from this table what a home is made of.

use super::account::{compaction, end, kill, mixed_housekeeping, title};
use super::answer::{Answer, Ids, Nothing, Split};
use super::histories::{
    another_branch, another_repository, back_home, btw, fork, fork_that_keeps_ids, fork_that_names_nobody,
    fork_with_a_source, midnight, moved, outside_any_repository, private_repository, progress_copies, resume,
    subagent, subagent_beside, subfolder, vanished_folder, week_end, workflow, year_end,
};
use super::home::{Home, Manner};
use super::places::{
    decoys, half_last_line, half_line, hard_link, interrupted, linked_file, linked_folder, listed_roots,
    malformed_lines, second_copy, synthetic, unanswered, without_usage, xdg_root,
};
use crate::dice::Dice;
use meter::Tokens;

#[derive(Clone, Copy)]
pub(super) enum Play {
    /// How a response is billed and written.
    Answers(Manner),
    /// What happens in a home, mostly to one of its sessions.
    Happens(fn(&mut Home, usize)),
}

#[derive(Clone, Copy)]
pub struct Feature {
    pub name: &'static str,
    /// Where it is off, what it would have done to a home is left out, and the rest stays as it is.
    pub on: bool,
    pub(super) play: Play,
}

const fn answers(name: &'static str, play: Manner) -> Feature {
    Feature { name, on: true, play: Play::Answers(play) }
}

const fn happens(name: &'static str, play: fn(&mut Home, usize)) -> Feature {
    Feature { name, on: true, play: Play::Happens(play) }
}

pub const FEATURES: [Feature; 55] = [
    answers("several lines", several_lines),
    answers("partial output on earlier lines", partial_output),
    answers("ids of a cloud", cloud_ids),
    answers("ids of a gateway", gateway_ids),
    answers("no request id", no_request_id),
    answers("iterations", iterations),
    answers("iterations that do not add up", wrong_iterations),
    answers("an advisor's iteration", advisor),
    answers("null counts", null_counts),
    answers("missing counts", missing_counts),
    answers("no split of cache writes", no_split),
    answers("more for an hour than written", excessive_hour),
    answers("fast", fast),
    answers("us", us),
    answers("eu", eu),
    answers("web search", web_search),
    answers("prompt on the edge", edge),
    answers("[1m]", suffix),
    answers("a price in the line", own_price),
    happens("subagent", subagent),
    happens("workflow", workflow),
    happens("subagent beside its session", subagent_beside),
    happens("progress copies", progress_copies),
    happens("/btw", btw),
    happens("fork", fork),
    happens("fork that keeps ids", fork_that_keeps_ids),
    happens("fork with a source", fork_with_a_source),
    happens("fork that names nobody", fork_that_names_nobody),
    happens("resume", resume),
    happens("another start", another_start),
    happens("another repository", another_repository),
    happens("private repository", private_repository),
    happens("outside any repository", outside_any_repository),
    happens("subfolder", subfolder),
    happens("vanished folder", vanished_folder),
    happens("back home", back_home),
    happens("another branch", another_branch),
    happens("moved file", moved),
    happens("midnight", midnight),
    happens("week's end", week_end),
    happens("year's end", year_end),
    happens("linked folder", linked_folder),
    happens("linked file", linked_file),
    happens("hard link", hard_link),
    happens("second copy", second_copy),
    happens("XDG root", xdg_root),
    happens("listed roots", listed_roots),
    happens("malformed lines", malformed_lines),
    happens("half line", half_line),
    happens("half last line", half_last_line),
    happens("synthetic", synthetic),
    happens("interrupted", interrupted),
    happens("unanswered", unanswered),
    happens("no usage", without_usage),
    happens("decoys", decoys),
];

/// What only the client's account of a session counts, and what spoils it.
pub const HOUSEKEEPING: [Feature; 5] = [
    happens("compaction", compaction),
    happens("title", title),
    happens("mixed housekeeping", mixed_housekeeping),
    happens("end", end),
    happens("kill", kill),
];

fn another_start(home: &mut Home, _: usize) {
    let spots = home.grounds.all();
    let spot = home.dice.pick(&spots).clone();
    let session = home.begin(spot);
    home.turn(session);
}

fn several_lines(answer: &mut Answer, dice: &mut Dice) {
    answer.lines = 2 + dice.roll(4);
}

fn partial_output(answer: &mut Answer, dice: &mut Dice) {
    several_lines(answer, dice);
    answer.drafts = true;
}

fn cloud_ids(answer: &mut Answer, dice: &mut Dice) {
    answer.ids = Ids::Anthropic(if dice.once_in(2) { "bdrk_" } else { "vrtx_" });
}

fn gateway_ids(answer: &mut Answer, _: &mut Dice) {
    answer.ids = Ids::Gateway;
}

fn no_request_id(answer: &mut Answer, _: &mut Dice) {
    answer.request_id = false;
}

fn iterations(answer: &mut Answer, dice: &mut Dice) {
    let round = |dice: &mut Dice| Tokens {
        input: 1 + dice.roll(90_000),
        output: 5 + dice.roll(500),
        cache_read: dice.roll(90_000),
        cache_write_5m: 2 * dice.roll(20_000),
        cache_write_1h: 2 * dice.roll(2_000),
        web_search: 0,
    };
    answer.iterations = (0..2 + dice.roll(2)).map(|_| ("message", round(dice))).collect();
    answer.tokens = answer.iterations.iter().map(|(_, tokens)| *tokens).sum();
    answer.adds_up = true;
}

fn wrong_iterations(answer: &mut Answer, dice: &mut Dice) {
    iterations(answer, dice);
    answer.tokens.input += 1;
    answer.adds_up = false;
}

/// Billed apart, under another model: no part of the response.
fn advisor(answer: &mut Answer, dice: &mut Dice) {
    iterations(answer, dice);
    answer.iterations.push(("advisor_message", answer.tokens));
}

fn null_counts(answer: &mut Answer, _: &mut Dice) {
    no_prompt(answer, Nothing::Null);
}

fn missing_counts(answer: &mut Answer, _: &mut Dice) {
    no_prompt(answer, Nothing::Missing);
}

fn no_prompt(answer: &mut Answer, nothing: Nothing) {
    answer.nothing = nothing;
    if !answer.adds_up {
        (answer.tokens.input, answer.tokens.cache_read) = (0, 0);
    }
}

fn no_split(answer: &mut Answer, _: &mut Dice) {
    if answer.iterations.is_empty() {
        answer.split = Split::Missing;
        answer.tokens.cache_write_5m += answer.tokens.cache_write_1h;
        answer.tokens.cache_write_1h = 0;
    }
}

fn excessive_hour(answer: &mut Answer, _: &mut Dice) {
    if answer.iterations.is_empty() {
        answer.split = Split::Excessive;
        answer.tokens.cache_write_1h += answer.tokens.cache_write_5m;
        answer.tokens.cache_write_5m = 0;
    }
}

fn fast(answer: &mut Answer, _: &mut Dice) {
    answer.fast = true;
}

fn us(answer: &mut Answer, _: &mut Dice) {
    answer.geo = "us";
}

fn eu(answer: &mut Answer, _: &mut Dice) {
    answer.geo = "eu";
}

fn web_search(answer: &mut Answer, dice: &mut Dice) {
    answer.tokens.web_search = 1 + dice.roll(9);
}

/// As large as a prompt may be at a price, or one token more.
fn edge(answer: &mut Answer, dice: &mut Dice) {
    if answer.iterations.is_empty() {
        let size = *dice.pick(&[100_000, 100_001, 200_000, 200_001]);
        answer.tokens.cache_read += size - answer.tokens.prompt();
        if !dice.once_in(3) {
            answer.model = "claude-haiku-5-5";
        }
    }
}

fn suffix(answer: &mut Answer, _: &mut Dice) {
    answer.suffix = "[1m]";
}

fn own_price(answer: &mut Answer, _: &mut Dice) {
    answer.own_price = true;
}
