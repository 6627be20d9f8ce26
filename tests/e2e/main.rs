//! One test binary; a module per story.

mod real_client;
mod tidy;
