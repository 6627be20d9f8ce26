//! What no reader can tell: responses of which nothing is left but copies that do not say whose they are.

use super::bill::{Bill, Copied};
use super::home::Home;
use super::laptop::Laptop;

impl Home {
    /// Deletes every session that another one copied from without a name, and lists the responses copied so.
    #[track_caller]
    pub fn orphan(&self, laptop: &Laptop) -> Vec<&Bill> {
        let copied = |bill: &&Bill| bill.is_shared() && bill.copied == Copied::Unnamed;
        let orphans: Vec<&Bill> = self.bills.iter().filter(copied).collect();
        let of = |session: usize| orphans.iter().any(|bill| bill.session == self.sessions[session].id);
        for file in self.files.iter().filter(|file| of(file.session)) {
            laptop.remove(&file.path);
        }
        orphans
    }
}
