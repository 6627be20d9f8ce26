//! The repository a folder belongs to, and what git says of it.

pub(crate) mod commits;
pub(crate) mod git;
pub(crate) mod places;
pub(crate) mod repository;
