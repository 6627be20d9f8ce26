//! The collector as a stranger meets it: the real program, attacked over a real socket.

mod bodies;
mod connections;
mod reload;
mod server;
mod stock_sqlite;
mod tokens;
