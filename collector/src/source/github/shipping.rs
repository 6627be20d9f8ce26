//! What GitHub tells of releases and deployments, where cpvo.toml asks for them: newest first, until what was read.

use super::GitHub;
use super::payload::{Connection, Oid};
use crate::source::service::ShipmentPass;
use crate::source::web::onwards;
use crate::source::{Host, Keep, Page, Sent};
use anyhow::{Context, Result};
use jiff::{SignedDuration, Timestamp};
use meter::delivery::Ship;
use serde::Deserialize;
use serde_json::json;

const PAGE: u32 = 100;
/// A deployment may succeed, and a draft be published, so long after it was made.
const LATE: SignedDuration = SignedDuration::from_hours(7 * 24);

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OfShipping {
    #[serde(default)]
    releases: Option<Connection<Release>>,
    #[serde(default)]
    deployments: Option<Connection<Deployment>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Release {
    tag_name: String,
    is_draft: bool,
    is_prerelease: bool,
    created_at: Timestamp,
    published_at: Option<Timestamp>,
    tag_commit: Option<Oid>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Deployment {
    id: String,
    created_at: Timestamp,
    commit_oid: String,
    statuses: Option<Connection<Status>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    state: String,
    created_at: Timestamp,
}

impl Release {
    fn into_sent(self) -> Option<Sent> {
        let is_out = !self.is_draft && !self.is_prerelease;
        let sha = self.tag_commit.filter(|_| is_out)?.oid;
        Some(Sent { ship: Ship::Release, name: self.tag_name, sha, at: self.published_at? })
    }
}

impl Deployment {
    /// With its first success; what came after, such as the next deployment, takes nothing of it back.
    fn into_sent(self) -> Option<Sent> {
        let statuses = self.statuses.into_iter().flat_map(Connection::into_items);
        let at = statuses.filter(|status| status.state == "SUCCESS").map(|status| status.created_at).min()?;
        Some(Sent { ship: Ship::Deployment, name: self.id, sha: self.commit_oid, at })
    }
}

/// A page of either, with when its oldest was made.
struct Read {
    sent: Vec<Sent>,
    oldest: Option<Timestamp>,
    next: Option<String>,
}

fn read<T>(list: Connection<T>, made: fn(&T) -> Timestamp, sent: fn(T) -> Option<Sent>) -> Read {
    let next = list.page_info.next().map(str::to_owned);
    let items: Vec<T> = list.into_items().collect();
    let oldest = items.iter().map(made).min();
    Read { sent: items.into_iter().filter_map(sent).collect(), oldest, next }
}

impl GitHub<'_> {
    /// Reads what was made since the last time, and a week before that; all, where cpvo.toml asks for others by now.
    pub(super) fn shipments(&mut self, keep: Keep) -> Result<()> {
        let asked = self.service.shipping();
        if self.cursor.shipments.as_ref().is_none_or(|pass| pass.shipping != asked) {
            self.cursor.shipments = None; // how far it was read may be forgotten, and what was told then not
            keep(Page::SentAnew, &self.cursor()?)?;
        }
        let since = self.cursor.shipments.as_ref().map_or(self.cursor.start, |pass| pass.read_at);
        for ship in asked.ships() {
            self.shipments_of(ship, since.saturating_sub(LATE)?, keep)?;
        }
        self.cursor.shipments = Some(ShipmentPass { shipping: asked, read_at: self.now });
        Ok(())
    }

    fn shipments_of(&self, ship: Ship, since: Timestamp, keep: Keep) -> Result<()> {
        let (mut after, mut size) = (None, PAGE);
        loop {
            let answer: super::payload::Shipping = self.ask("Shipping", &mut size, |first| {
                json!({
                    "owner": self.owner, "name": self.name, "first": first, "after": after,
                    "environments": self.service.environments, "releases": ship == Ship::Release,
                    "deployments": ship == Ship::Deployment,
                })
            })?;
            let of = answer.repository.with_context(|| self.unseen())?;
            let releases = of.releases.map(|list| read(list, |it| it.created_at, Release::into_sent));
            let deployments =
                of.deployments.map(|list| read(list, |it| it.created_at, Deployment::into_sent));
            let Some(Read { sent, oldest, next }) = releases.or(deployments) else { return Ok(()) };
            keep(Page::Sent(sent), &self.cursor()?)?;
            after = onwards(after.as_ref(), next)?;
            if after.is_none() || oldest.is_some_and(|oldest| oldest < since) {
                return Ok(());
            }
        }
    }
}
