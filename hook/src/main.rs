//! `cpvo-hook`, started: the arguments and the clock enter here. The rest is a library, for a fuzzer can link no program.

use jiff::Timestamp;
use std::process::ExitCode;

fn main() -> ExitCode {
    hook::run(std::env::args_os().collect(), now())
}

#[expect(clippy::disallowed_methods, reason = "the one door of the clock")]
fn now() -> Timestamp {
    Timestamp::now()
}
