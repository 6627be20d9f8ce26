//! From the ledger to a collector: what waits, as reports, over the network, and what the answers mean.

pub(crate) mod deliver;
pub(crate) mod network;
pub(crate) mod outbox;
pub(crate) mod post;
pub(crate) mod report;
pub(crate) mod verdict;
