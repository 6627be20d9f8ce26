//! What a report must keep that no single field can tell.

use crate::fault::{Fault, FaultCode, Retry};
use crate::report::{PARSER_MAX, Report};
use crate::week::Week;
use jiff::{SignedDuration, Timestamp};

/// How far ahead of the collector's clock a time may lie.
const AHEAD_MAX: SignedDuration = SignedDuration::from_mins(10);
/// How far ahead of the collector's clock a ledger may be born: a hook that is answered `stale` takes an epoch
/// after the stored one, and must be able to deliver under it.
const EPOCH_AHEAD_MAX: SignedDuration = SignedDuration::from_hours(24);
/// 2000-01-01T00:00:00Z; a week of before is none either.
const OLDEST: Timestamp = Timestamp::constant(946_684_800, 0);

impl Report {
    /// Refuses what contradicts itself.
    pub(crate) fn check(&self) -> Result<(), Fault> {
        if self.rank.parser > PARSER_MAX {
            let message = format!("rank.parser: {} is unknown, {PARSER_MAX} is known", self.rank.parser);
            return Err(Fault::new(FaultCode::Unknown, Retry::AfterUpgrade, message));
        }
        let fault = |message: String| Err(Fault::new(FaultCode::Invalid, Retry::Never, message));
        if let Some(pair) = self.usage.windows(2).find(|pair| pair[0].key == pair[1].key) {
            return fault(format!(
                "usage: two rows of {} {} have the same key",
                pair[0].key.hour, pair[0].key.model
            ));
        }
        if let Some(row) = self.usage.iter().find(|row| !self.week.contains(row.key.hour.start())) {
            return fault(format!("usage: hour {} is not in week {}", row.key.hour, self.week));
        }
        if self.usage.iter().any(|row| row.key.model.as_str().is_empty()) {
            return fault("usage: model is empty".to_owned());
        }
        if let Some(start) = self.started_at.filter(|start| *start < OLDEST) {
            return fault(format!("started_at: {start} is before 2000"));
        }
        if let (Some(start), Some(end)) = (self.started_at, self.ended_at)
            && end < start
        {
            return fault(format!("ended_at: {end} is before started_at {start}"));
        }
        Ok(())
    }

    /// Refuses, for later, what lies ahead of the clock.
    pub fn check_time(&self, now: Timestamp) -> Result<(), Fault> {
        let future = |what: String| {
            let message = format!("{what} is more than 10 minutes ahead of the collector's clock ({now})");
            Err(Fault::new(FaultCode::Future, Retry::Later, message))
        };
        let latest = now.saturating_add(AHEAD_MAX).unwrap_or(Timestamp::MAX);
        let hours = self.usage.iter().map(|row| row.key.hour.start());
        let commits = self.commits.iter().map(|commit| commit.at);
        let pull_requests = self.pull_requests.iter().map(|pull_request| pull_request.at);
        let mut times = hours.chain(self.started_at).chain(self.ended_at).chain(commits).chain(pull_requests);
        if let Some(at) = times.find(|at| *at > latest) {
            return future(at.to_string());
        }
        if self.week > Week::of(latest) {
            return future(format!("week: {}", self.week));
        }
        let newest = now.saturating_add(EPOCH_AHEAD_MAX).unwrap_or(Timestamp::MAX).as_second();
        if i64::try_from(self.rank.epoch).map_or(true, |epoch| epoch > newest) {
            let epoch = self.rank.epoch;
            let message =
                format!("rank.epoch: {epoch} is more than a day ahead of the collector's clock ({now})");
            return Err(Fault::new(FaultCode::Future, Retry::Later, message));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    const GOLDEN: &str = include_str!("../golden/report.json");
    /// Within the hour of the golden report.
    const THEN: &str = "2026-11-22T04:30:00Z";

    fn changed(change: impl Fn(&mut Value)) -> Result<Report, Fault> {
        let mut report: Value = serde_json::from_str(GOLDEN).unwrap();
        change(&mut report);
        Report::parse(&report.to_string())
    }

    /// What the clock says to a golden report with no usage and no times but what `change` sets.
    fn clock(now: &str, change: impl Fn(&mut Value)) -> Result<(), (FaultCode, Retry)> {
        let bare = |report: &mut Value| {
            (report["usage"], report["started_at"], report["ended_at"]) =
                (json!([]), json!(null), json!(null));
            (report["commits"], report["pull_requests"]) = (json!([]), json!([]));
            change(report);
        };
        let checked = changed(bare).unwrap().check_time(now.parse().unwrap());
        checked.map_err(|fault| (fault.code, fault.retry))
    }

    const WAITS: Result<(), (FaultCode, Retry)> = Err((FaultCode::Future, Retry::Later));

    #[test]
    fn hours_ahead_of_the_clock_wait() {
        let report = Report::parse(GOLDEN).unwrap();
        let fault = report.check_time("2026-11-22T03:49:59Z".parse().unwrap()).unwrap_err();
        assert_eq!((fault.code, fault.retry), (FaultCode::Future, Retry::Later));
    }

    #[test]
    fn a_week_that_has_not_begun_waits_though_it_is_empty() {
        assert_eq!(clock(THEN, |report| report["week"] = json!("9999-W51")), WAITS);
        let next = |report: &mut Value| report["week"] = json!("2026-W48");
        assert_eq!(clock("2026-11-22T23:49:59Z", next), WAITS);
        assert_eq!(clock("2026-11-22T23:50:00Z", next), Ok(()));
    }

    #[test]
    fn what_is_done_ahead_of_the_clock_waits() {
        let at = |at: &'static str| {
            move |report: &mut Value| {
                let sha = "d".repeat(40);
                report["commits"] = json!([{"sha": sha, "branch": "main", "at": at}]);
            }
        };
        assert_eq!(clock(THEN, at("2026-11-22T04:40:01Z")), WAITS);
        assert_eq!(clock(THEN, at("2026-11-22T04:40:00Z")), Ok(()));
        let merged = json!([{"number": 7, "action": "merged", "at": "9998-01-01T00:00:00Z"}]);
        assert_eq!(clock(THEN, |report| report["pull_requests"] = merged.clone()), WAITS);
    }

    #[test]
    fn no_ledger_is_born_later_than_tomorrow() {
        let born = |at: &str| {
            let at: Timestamp = at.parse().unwrap();
            move |report: &mut Value| report["rank"]["epoch"] = json!(at.as_second())
        };
        assert_eq!(clock(THEN, born("2026-11-23T04:30:00Z")), Ok(()));
        assert_eq!(clock(THEN, born("2026-11-23T04:30:01Z")), WAITS);
        assert_eq!(clock(THEN, |report| report["rank"]["epoch"] = json!(100_000_000_000_u64)), WAITS);
    }

    #[test]
    fn newer_rules_of_reading_wait_for_an_upgrade() {
        let fault = changed(|report| report["rank"]["parser"] = json!(PARSER_MAX + 1)).unwrap_err();
        assert_eq!((fault.code, fault.retry), (FaultCode::Unknown, Retry::AfterUpgrade));
    }

    #[test]
    fn nothing_is_older_than_the_century() {
        let code = |fault: Fault| (fault.code, fault.retry, fault.message);
        let old = |report: &mut Value| report["started_at"] = json!("1999-12-31T23:59:59Z");
        let (code, retry, message) = changed(old).map_err(code).unwrap_err();
        assert_eq!((code, retry), (FaultCode::Invalid, Retry::Never));
        assert!(message.starts_with("started_at: 1999"), "{message}");
    }
}
