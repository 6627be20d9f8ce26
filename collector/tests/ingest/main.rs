//! The collector as a stranger meets it: the real program, attacked over a real socket.

#![expect(clippy::unwrap_used, reason = "clippy knows only test functions, not what they call")]

mod bodies;
mod connections;
mod first_start;
mod incidents;
mod reload;
mod schedule;
mod server;
mod stock_sqlite;
mod tokens;
