//! From files on disk and their lines to what was billed: responses, statistics. Knows nothing of where they go.

pub(crate) mod fold;
pub(crate) mod overhead;
pub(crate) mod reading;
pub(crate) mod walk;
