//! From files on disk to what was billed: lines, responses, statistics. Knows nothing of where they go.

pub(crate) mod fold;
pub(crate) mod json;
pub(crate) mod lines;
pub(crate) mod overhead;
pub(crate) mod reading;
pub(crate) mod transcript;
pub(crate) mod walk;
