//! What Linear tells of issues, where labels in cpvo.toml say which of them are incidents.

use super::Linear;
use super::payload::{Connection, State};
use crate::source::tracker::{Report, Reported};
use crate::source::web::onwards;
use anyhow::Result;
use jiff::Timestamp;
use meter::outcome::Standing;
use serde::Deserialize;
use serde_json::json;

/// Each with fifty labels: a query may cost 10,000 points.
const PAGE: u32 = 50;

#[derive(Debug, Deserialize)]
struct Issues {
    issues: Connection<Issue>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Issue {
    identifier: String,
    created_at: Timestamp,
    completed_at: Option<Timestamp>,
    title: String,
    description: Option<String>,
    state: State,
    labels: Connection<Label>,
}

#[derive(Debug, Deserialize)]
struct Label {
    name: String,
}

impl Issue {
    fn into_reported(self) -> Reported {
        let standing = self.state.standing();
        Reported {
            key: self.identifier,
            labels: self.labels.nodes.into_iter().map(|label| label.name).collect(),
            opened_at: self.created_at,
            resolved_at: self.completed_at.filter(|_| standing == Some(Standing::Done)),
            is_dropped: standing == Some(Standing::Dropped),
            text: format!("{}\n{}", self.title, self.description.unwrap_or_default()),
        }
    }
}

impl Linear<'_> {
    /// Reads the issues of these teams that were touched since then: in no order, so that all of it is known at the end.
    pub(super) fn touched(&self, teams: &[&str], since: Timestamp, report: Report) -> Result<()> {
        let (mut size, mut after) = (PAGE, None::<String>);
        loop {
            let page: Issues = self.ask(
                "Reported",
                &mut size,
                |first| json!({"teams": teams, "since": since, "first": first, "after": after}),
            )?;
            after = onwards(after.as_ref(), page.issues.page_info.next())?;
            report(page.issues.nodes.into_iter().map(Issue::into_reported).collect(), since)?;
            if after.is_none() {
                return Ok(());
            }
        }
    }
}
