//! What GitLab tells of releases and deployments, where cpvo.toml asks for them.

use super::payload::{Head, Project};
use super::{GitLab, escaped};
use crate::source::service::ShipmentPass;
use crate::source::{Host, Keep, OVERLAP, Page, Sent};
use anyhow::{Context, Result};
use jiff::Timestamp;
use meter::delivery::{Ship, is_release};
use serde::Deserialize;

#[derive(Debug, Deserialize)]
struct Release {
    tag_name: String,
    released_at: Option<Timestamp>,
    #[serde(default, rename = "upcoming_release")]
    is_upcoming: bool,
    commit: Option<Head>,
}

#[derive(Debug, Deserialize)]
struct Deployment {
    id: u64,
    sha: String,
    updated_at: Timestamp,
    deployable: Option<Job>,
}

/// What deployed; missing where something else than a pipeline did.
#[derive(Debug, Deserialize)]
struct Job {
    finished_at: Option<Timestamp>,
}

impl Release {
    /// GitLab does not say which come before a release: their tags do.
    fn into_sent(self) -> Option<Sent> {
        let is_out = !self.is_upcoming && is_release(&self.tag_name);
        let sha = self.commit.filter(|_| is_out)?.id;
        Some(Sent { ship: Ship::Release, name: self.tag_name, sha, at: self.released_at? })
    }
}

impl Deployment {
    fn into_sent(self) -> Sent {
        let at = self.deployable.and_then(|job| job.finished_at).unwrap_or(self.updated_at);
        Sent { ship: Ship::Deployment, name: self.id.to_string(), sha: self.sha, at }
    }
}

impl GitLab<'_> {
    /// Reads all releases, and the deployments since the last time; all, where cpvo.toml asks for others by now.
    pub(super) fn shipments(&mut self, project: &Project, keep: Keep) -> Result<()> {
        let (asked, read_at) = (self.service.shipping(), (self.web.pace.now)());
        if self.cursor.shipments.as_ref().is_none_or(|pass| pass.shipping != asked) {
            self.cursor.shipments = None; // how far it was read may be forgotten, and what was told then not
            keep(Page::SentAnew, &self.cursor()?)?;
        }
        let since = self.cursor.shipments.as_ref().map_or(self.cursor.start, |pass| pass.read_at);
        for ship in asked.ships() {
            let sent = match ship {
                Ship::Release => self.releases(project)?,
                _ => self.deployments(project, since.saturating_sub(OVERLAP)?)?,
            };
            keep(Page::Sent(sent), &self.cursor()?)?;
        }
        self.cursor.shipments = Some(ShipmentPass { shipping: asked, read_at });
        Ok(())
    }

    fn releases(&self, project: &Project) -> Result<Vec<Sent>> {
        let releases: Option<Vec<Release>> = self.list(&format!("/projects/{}/releases", project.id))?;
        let releases = releases.context("it has no releases, or the token may not see them")?;
        Ok(releases.into_iter().filter_map(Release::into_sent).collect())
    }

    fn deployments(&self, project: &Project, since: Timestamp) -> Result<Vec<Sent>> {
        let mut sent = Vec::new();
        for environment in &self.service.environments {
            let route = format!(
                "/projects/{}/deployments?status=success&environment={}&order_by=updated_at&sort=asc&updated_after={since}",
                project.id,
                escaped(environment)
            );
            let deployments: Option<Vec<Deployment>> = self.list(&route)?;
            let deployments = deployments.context("it has no deployments, or the token may not see them")?;
            sent.extend(deployments.into_iter().map(Deployment::into_sent));
        }
        Ok(sent)
    }
}
