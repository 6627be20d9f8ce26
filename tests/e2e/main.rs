//! One test binary; a module per story.

mod attribution;
mod browser;
mod clock;
mod convergence;
mod crash;
mod database;
mod delivery;
mod detached;
mod exactness;
mod exports;
mod hook_to_table;
mod misfortune;
mod people;
mod queries;
mod readme;
mod real_client;
mod tidy;
mod up;
