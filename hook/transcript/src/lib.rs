//! From the bytes of a transcript to what each of its lines says. Pure but for the reader it is handed, and a crate of
//! its own: all reading waits for it, so that of the hook it alone is built for speed.

mod json;
mod line;
mod lines;

pub use line::{CommitHint, CostState, Kind, Line, ModelCost, Parsed, PullRequestHint, Response, ToolResult};
pub use lines::Lines;
