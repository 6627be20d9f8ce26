//! What lies in the state folder: the ledger, the install and its secret, the log.

pub(crate) mod install;
pub(crate) mod ledger;
pub(crate) mod lock;
pub(crate) mod log;
pub(crate) mod secret;
