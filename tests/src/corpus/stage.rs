//! Laptops and the real collector they report to, asked as an admin asks.

use super::home::Home;
use super::laptop::Laptops;
use super::truth::{Place, Rows, Sum};
use crate::collector::Collector;
use crate::world::REPO;
use serde::Deserialize;
use std::collections::BTreeMap;

pub struct Stage {
    pub laptops: Laptops,
    pub collector: Collector,
}

impl Stage {
    #[track_caller]
    pub fn set() -> Self {
        let laptops = Laptops::default();
        let home = laptops.folder().join("git");
        let collector = Collector::start(&laptops.folder().join("collector"), &home, "cpvo.db");
        Self { laptops, collector }
    }

    /// What the collector holds of the sessions of `home`.
    #[track_caller]
    pub fn stored(&self, home: &Home) -> Rows {
        #[derive(Deserialize)]
        struct Stored {
            #[serde(flatten)]
            place: Place,
            #[serde(flatten)]
            sum: Sum,
        }

        let rows = self.collector.sql(&format!(
            "SELECT session_id, repo, week, hour, branch, model, agent, speed, geo, prompt_band,
                SUM(requests) AS requests, SUM(input) AS input, SUM(output) AS output,
                SUM(cache_read) AS cache_read, SUM(cache_write_5m) AS cache_write_5m,
                SUM(cache_write_1h) AS cache_write_1h, SUM(web_search) AS web_search
            FROM usage WHERE session_id IN ({})
            GROUP BY session_id, repo, week, hour, branch, model, agent, speed, geo, prompt_band",
            sessions(home)
        ));
        let row = |row| serde_json::from_value(row).expect("a row of usage");
        rows.into_iter().map(row).map(|Stored { place, sum }| (place, sum)).collect()
    }

    /// Nano-dollars of each session of `home`.
    #[track_caller]
    pub fn costs(&self, home: &Home) -> BTreeMap<String, i64> {
        #[derive(Deserialize)]
        struct Cost {
            session_id: String,
            nanousd: i64,
        }

        let rows = self.collector.sql(&format!(
            "SELECT session_id, SUM(cost_nanousd) AS nanousd FROM usage WHERE session_id IN ({})
            GROUP BY session_id",
            sessions(home)
        ));
        let cost = |row| serde_json::from_value(row).expect("what a session costs");
        rows.into_iter().map(cost).map(|Cost { session_id, nanousd }| (session_id, nanousd)).collect()
    }

    /// Responses of a session that others hold without saying whose they are, as it was last sent.
    #[track_caller]
    pub fn adopted(&self, session: &str) -> u64 {
        let query = format!("SELECT SUM(adopted) AS adopted FROM session WHERE session_id = '{session}'");
        self.collector.sql(&query)[0]["adopted"].as_u64().expect("a session")
    }

    /// Has the shared repositories report here, with a token that nobody has used up.
    #[track_caller]
    pub fn ship(&self) {
        self.laptops.grounds.ship(&self.collector.url(), &self.collector.token(REPO));
    }
}

/// The ids of a home, as SQL lists them.
fn sessions(home: &Home) -> String {
    let ids: Vec<String> = home.sessions.iter().map(|session| format!("'{}'", session.id)).collect();
    ids.join(", ")
}
