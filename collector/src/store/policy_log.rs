//! What people decided about the numbers, in the order of time.

use super::db::Db;
use anyhow::Result;

/// A decision with its reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Decision {
    pub at: String,
    /// window, cordon, cordon ended, dispute
    pub kind: String,
    /// The team, what is kept out, or the change.
    pub subject: String,
    pub detail: String,
    pub reason: String,
    pub by: Option<String>,
}

/// The newest first. The first policy nobody decided: the collector comes with it.
pub(crate) fn decision_list(db: &mut Db) -> Result<Vec<Decision>> {
    let mut decisions = db.list(
        "SELECT recorded_at, 'window', team, CAST(window_days AS TEXT) || ' days, hotfixes within '
                || CAST(hotfix_hours AS TEXT) || ' hours, ' || strictness, reason,
            (SELECT MAX(a.actor) FROM audit AS a WHERE a.action = 'policy_set' AND a.subject = policy.team
             AND a.happened_at = policy.recorded_at)
         FROM policy WHERE policy_id <> 1
         UNION ALL
         SELECT recorded_at, 'cordon', 'cordon ' || CAST(cordon_id AS TEXT), COALESCE('repository ' || repo || ' ', '')
                || COALESCE('branch ' || branch || ' ', '') || COALESCE('label ' || label || ' ', '')
                || COALESCE('path ' || path, ''), reason, 'admin'
         FROM cordon
         UNION ALL
         SELECT happened_at, 'cordon ended', subject, '', detail, actor FROM audit WHERE action = 'cordon_ended'
         UNION ALL
         SELECT recorded_at, 'dispute', repo || '@' || SUBSTR(sha, 1, 10), kind || ', ' || rule, reason, disputed_by
         FROM dispute",
        &[],
        |row| {
            Ok(Decision {
                at: row.get(0)?,
                kind: row.get(1)?,
                subject: row.get(2)?,
                detail: row.get::<String>(3)?.trim_end().to_owned(),
                reason: row.get(4)?,
                by: row.get(5)?,
            })
        },
    )?;
    decisions.sort_by(|one, other| {
        (&other.at, &other.kind, &other.subject).cmp(&(&one.at, &one.kind, &one.subject))
    });
    Ok(decisions)
}
