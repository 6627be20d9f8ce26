//! Whose spend it is: identity → member → team at an hour. Rules only; the rows are in `store::people`.

pub(crate) mod file;
pub(crate) mod repository;
mod shipping;
pub(crate) mod timeline;
pub(crate) mod watch;

use meter::{Developer, Rank, Sender};

/// The team of spend whose developer is in none.
pub(crate) const UNASSIGNED: &str = "unassigned";

/// The one text an identity is stored under: the email itself, else `kind:name`.
pub(crate) fn identity(developer: &Developer) -> String {
    match developer {
        Developer::Email(email) => email.to_string(),
        other => format!("{}:{}", other.kind(), other.name()),
    }
}

/// The identity stored as `text`.
pub(crate) fn developer(text: &str) -> Option<Developer> {
    if text.contains('@') {
        return text.parse().ok().map(Developer::Email);
    }
    let (kind, name) = text.split_once(':')?;
    let name = name.parse().ok()?;
    match kind {
        "os_user" => Some(Developer::OsUser(name)),
        "pseudonym" => Some(Developer::Pseudonym(name)),
        "team" => Some(Developer::Team(name)),
        _ => None,
    }
}

/// Whose session it is after a snapshot of `rank` from an admitted `sender`, where it had a `former` owner
/// whose highest rank is known.
///
/// Higher trust takes over. From the owner's own installation the newest identity wins; another one may
/// add to the session, which stays its owner's.
pub(crate) fn owner_after(former: Option<(&Sender, Rank)>, sender: Sender, rank: Rank) -> Sender {
    match former {
        Some((owner, newest)) if sender.trust <= owner.trust => {
            let renews = sender.install_id == owner.install_id && rank >= newest;
            let developer = if renews { sender.developer } else { owner.developer.clone() };
            Sender { developer, ..owner.clone() }
        }
        _ => sender,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use meter::Trust;

    #[test]
    fn the_owner_is_the_newest_identity_of_its_installation() {
        let rank = |seq| Rank { parser: 1, epoch: 1, seq };
        let sender = |install: &str, email: &str, trust| Sender {
            install_id: install.repeat(32).try_into().unwrap(),
            developer: Developer::Email(email.parse().unwrap()),
            trust,
        };
        let ana = sender("a", "ana@acme.example", Trust::Claimed);
        let new = sender("a", "ana@new.example", Trust::Claimed);
        let elsewhere = sender("b", "ana@acme.example", Trust::Claimed);
        let verified = sender("b", "bob@acme.example", Trust::Verified);
        let after = |sender: &Sender, seq| owner_after(Some((&ana, rank(5))), sender.clone(), rank(seq));
        assert_eq!(owner_after(None, ana.clone(), rank(1)), ana);
        assert_eq!(after(&new, 6), new);
        assert_eq!(after(&new, 4), ana);
        assert_eq!(after(&elsewhere, 6), ana);
        assert_eq!(after(&verified, 1), verified);
    }

    #[test]
    fn an_identity_reads_back_as_it_was() {
        for known in [
            Developer::Email("ana@acme.example".parse().unwrap()),
            Developer::OsUser("ana".parse().unwrap()),
            Developer::Pseudonym("blue:fox".parse().unwrap()),
            Developer::Team("payments".parse().unwrap()),
        ] {
            assert_eq!(developer(&identity(&known)), Some(known));
        }
        assert_eq!(identity(&Developer::OsUser("ana".parse().unwrap())), "os_user:ana");
        assert_eq!(developer("github:ana"), None);
    }
}
