//! `cpvo-hook` as the client and a person run it: the real program, its own home, a collector on a socket.

#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a story that cannot go on has failed")]

mod accounts;
mod client;
mod collector;
mod delivery;
mod ending;
mod network;
mod privacy;
mod reading;
mod routing;
mod shown;
mod tables;
mod totals;
mod unchanged;
mod world;
