//! Teams, members and identities: what teams.toml said, and the usage that follows it.

use super::attribution::{attribution_forget, class_sum_rename};
use super::audit::{Event, audit_add};
use super::db::{Db, Row, values};
use super::label::team_labels_put;
use super::news::news;
use super::policy::policy_seed;
use super::shipping::shipping_put;
use super::sum::{CostBasis, Part, Sum, SumChange};
use super::tally::tally_rename;
use crate::people::file::{Team, Teams};
use crate::people::timeline::{Stay, revise, team_at};
use crate::people::{UNASSIGNED, identity};
use anyhow::Result;
use jiff::Timestamp;
use meter::outcome::Policy;
use meter::{Developer, Hour, NanoUsd, Tokens};
use std::collections::{BTreeMap, BTreeSet};

const ACTOR: &str = "teams.toml";

/// Whose spend a report is.
#[derive(Debug, Default)]
pub(crate) struct Person {
    history: Vec<Stay>,
}

impl Person {
    pub(crate) fn team_at(&self, hour: Hour) -> &str {
        team_at(&self.history, hour)
    }
}

/// The person behind an identity; one that no team lists is in none.
pub(crate) fn person_find(db: &mut Db, developer: &Developer) -> Result<Person> {
    let name = identity(developer);
    let history = match developer {
        Developer::OsUser(_) => Vec::new(),
        Developer::Team(team) => team_history(db, team.as_str())?,
        Developer::Email(_) | Developer::Pseudonym(_) => read_stays(&db.query(
            "SELECT m.team, m.valid_from, m.valid_until FROM developer AS d
             JOIN team_member AS m ON m.developer = d.member
             WHERE d.developer = $1 AND m.superseded_at IS NULL",
            &values![&name],
        )?)?,
    };
    Ok(Person { history })
}

/// Spend claimed for a team itself: its own until it ended, then that of the team it went to.
fn team_history(db: &mut Db, team: &str) -> Result<Vec<Stay>> {
    let mut history = Vec::new();
    let (mut next, mut from) = (Some(team.to_owned()), crate::people::timeline::all_time());
    while let Some(team) = next {
        let rows = db.query("SELECT ended_at, merged_into FROM team WHERE team = $1", &values![&team])?;
        let Some(row) = rows.first() else { break };
        let until = row.get::<Option<String>>(0)?.map(|hour| hour.parse()).transpose()?;
        next = row.get::<Option<String>>(1)?.filter(|_| until.is_some());
        history.push(Stay { from, until, team });
        from = until.unwrap_or(from);
    }
    Ok(history)
}

/// Notes an identity that reports.
pub(crate) fn developer_seen(db: &mut Db, developer: &Developer, now: Timestamp) -> Result<()> {
    db.execute(
        "INSERT INTO developer AS d (developer, kind, first_seen_at) VALUES ($1, $2, $3)
         ON CONFLICT (developer) DO UPDATE SET first_seen_at = excluded.first_seen_at
         WHERE d.first_seen_at IS NULL",
        &values![identity(developer), developer.kind(), now.to_string()],
    )?;
    Ok(())
}

/// Makes the database say what teams.toml says, the usage of everyone concerned included. In one transaction.
pub(crate) fn teams_apply(db: &mut Db, teams: &Teams, now: Timestamp) -> Result<()> {
    let mut changed = teams_end(db, teams, now)?;
    changed |= shipping_put(db, teams)?;
    for team in &teams.list {
        changed |= team_put(db, team, now)?;
    }
    let mut concerned = aliases_put(db, teams, now)?;
    changed |= !concerned.is_empty();
    if changed {
        for row in db.query("SELECT developer FROM developer WHERE kind = 'team'", &[])? {
            concerned.insert(row.get(0)?);
        }
    }
    let moved = members_put(db, teams, now)?;
    if changed || !moved.is_empty() {
        news(db)?;
    }
    concerned.extend(moved);
    let mut sums = SumChange::default();
    for developer in &concerned {
        usage_reassign(db, developer, &mut sums)?;
    }
    sums.store(db)
}

/// Returns whether anything about the team is new.
fn team_put(db: &mut Db, team: &Team, now: Timestamp) -> Result<bool> {
    let row = values![
        &team.id,
        &team.name,
        team.business_unit.as_ref(),
        team.product.as_ref(),
        team.until.map(|hour| hour.to_string()),
        team.merged_into.as_ref(),
    ];
    let sql = "SELECT team, name, business_unit, product, ended_at, merged_into FROM team WHERE team = $1";
    let stored = db.query(sql, &values![&team.id])?;
    let mut changed = stored.first().is_none_or(|stored| !stored.is(&row));
    if changed {
        db.execute(
            "INSERT INTO team (team, name, business_unit, product, ended_at, merged_into)
             VALUES ($1, $2, $3, $4, $5, $6)
             ON CONFLICT (team) DO UPDATE SET name = excluded.name, business_unit = excluded.business_unit,
                product = excluded.product, ended_at = excluded.ended_at, merged_into = excluded.merged_into",
            &row,
        )?;
        let action = if stored.is_empty() { "team_added" } else { "team_changed" };
        let detail = format!("name {}", team.name);
        audit_add(db, now, &Event { actor: ACTOR, action, subject: &team.id, detail })?;
    }
    for former in &team.formerly {
        changed |= team_rename(db, former, &team.id, now)?;
    }
    policy_seed(db, &team.id, team.terms.over(Policy::default()), now)?;
    team_labels_put(db, &team.id, &team.work)?;
    changed |= repositories_put(db, team)?;
    Ok(changed)
}

/// Returns whether the team owns others than before.
fn repositories_put(db: &mut Db, team: &Team) -> Result<bool> {
    let key = values![&team.id];
    let owned = db.query("SELECT repo, paths FROM team_repository WHERE team = $1", &key)?;
    let owned: BTreeSet<(String, String)> =
        owned.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect::<Result<_>>()?;
    let listed = team.repositories.iter().map(|(repo, paths)| (repo.to_string(), paths.clone())).collect();
    if owned == listed {
        return Ok(false);
    }
    db.execute("DELETE FROM team_repository WHERE team = $1", &key)?;
    for (repo, paths) in &listed {
        db.execute(
            "INSERT INTO team_repository (team, repo, paths) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
            &values![&team.id, repo, paths],
        )?;
    }
    Ok(true)
}

/// All of a team's past goes on under its new id. Returns whether there was any.
fn team_rename(db: &mut Db, former: &str, id: &str, now: Timestamp) -> Result<bool> {
    let names = values![former, id];
    if db.query("SELECT team FROM team WHERE team = $1", &names[..1])?.is_empty() {
        return Ok(false);
    }
    let mut sums = SumChange::default();
    for (slot, sum) in usage_sums(db, "team = $1", &names[..1])? {
        sums.give(slot.part, id, &sum);
    }
    db.execute("UPDATE usage SET team = $2 WHERE team = $1", &names)?;
    db.execute("UPDATE team_member SET team = $2 WHERE team = $1", &names)?;
    db.execute("DELETE FROM team_label WHERE team = $1", &names[..1])?;
    db.execute("DELETE FROM team_repository WHERE team = $1", &names[..1])?;
    db.execute("UPDATE team SET merged_into = $2 WHERE merged_into = $1", &names)?;
    db.execute("UPDATE policy SET team = $2 WHERE team = $1", &names)?;
    db.execute("UPDATE change SET team = $2 WHERE team = $1", &names)?;
    tally_rename(db, former, id)?;
    db.execute("DELETE FROM team WHERE team = $1", &names[..1])?;
    sums.store(db)?;
    class_sum_rename(db, former, id)?;
    let detail = format!("was {former}");
    audit_add(db, now, &Event { actor: ACTOR, action: "team_renamed", subject: id, detail })?;
    Ok(true)
}

/// A team that is no longer listed, nor the former self of one that is, ends now; its past stays. Returns
/// whether there was one.
fn teams_end(db: &mut Db, teams: &Teams, now: Timestamp) -> Result<bool> {
    let mut changed = false;
    for row in db.query("SELECT team FROM team WHERE ended_at IS NULL", &[])? {
        let id: String = row.get(0)?;
        if teams.list.iter().any(|team| team.id == id || team.formerly.contains(&id)) {
            continue;
        }
        let ended_at = Hour::of(now).to_string();
        db.execute("UPDATE team SET ended_at = $2 WHERE team = $1", &values![&id, &ended_at])?;
        let detail = format!("no longer listed, ended at {ended_at}");
        audit_add(db, now, &Event { actor: ACTOR, action: "team_ended", subject: &id, detail })?;
        changed = true;
    }
    Ok(changed)
}

/// Links emails and other names to their member. Returns the identities that changed hands.
///
/// A name whose member is no longer listed at all stays with the member, whose past it is.
fn aliases_put(db: &mut Db, teams: &Teams, now: Timestamp) -> Result<BTreeSet<String>> {
    let itself = teams.members.keys().map(|email| (email.clone(), email.clone()));
    let listed: BTreeMap<String, String> =
        itself.chain(teams.aliases.iter().map(|(alias, member)| (alias.clone(), member.clone()))).collect();
    let mut wanted: BTreeMap<String, Option<String>> =
        listed.into_iter().map(|(name, member)| (name, Some(member))).collect();
    let mut stored: BTreeMap<String, Option<String>> = BTreeMap::new();
    for row in db.query("SELECT developer, member FROM developer", &[])? {
        let (name, member): (String, Option<String>) = (row.get(0)?, row.get(1)?);
        if member.as_ref().is_some_and(|member| *member != name && teams.members.contains_key(member)) {
            wanted.entry(name.clone()).or_insert(None);
        }
        stored.insert(name, member);
    }
    let mut changed = BTreeSet::new();
    for (name, member) in wanted {
        if stored.get(&name).is_some_and(|stored| *stored == member) {
            continue;
        }
        let kind = if name.contains('@') { "email" } else { "alias" };
        db.execute(
            "INSERT INTO developer (developer, kind, member) VALUES ($1, $2, $3)
             ON CONFLICT (developer) DO UPDATE SET member = excluded.member",
            &values![&name, kind, member.as_ref()],
        )?;
        if let Some(former) = stored.get(&name) {
            let nobody = || "nobody".to_owned();
            let detail = format!(
                "was {}, is {}",
                former.clone().unwrap_or_else(nobody),
                member.unwrap_or_else(nobody)
            );
            audit_add(db, now, &Event { actor: ACTOR, action: "identity_mapped", subject: &name, detail })?;
        }
        changed.insert(name);
    }
    Ok(changed)
}

/// Revises everyone's history. Returns the identities of those it changed.
fn members_put(db: &mut Db, teams: &Teams, now: Timestamp) -> Result<BTreeSet<String>> {
    let mut histories: BTreeMap<String, Vec<Row>> = BTreeMap::new();
    let sql = "SELECT team, valid_from, valid_until, developer FROM team_member WHERE superseded_at IS NULL";
    for row in db.query(sql, &[])? {
        histories.entry(row.get(3)?).or_default().push(row);
    }
    let everyone: BTreeSet<&String> = histories.keys().chain(teams.members.keys()).collect();
    let mut changed = BTreeSet::new();
    for email in everyone {
        let history = read_stays(histories.get(email).map_or(&[], Vec::as_slice))?;
        let wishes = teams.members.get(email).map_or(&[][..], Vec::as_slice);
        let revised = revise(&history, wishes, Hour::of(now));
        if revised == history {
            continue;
        }
        history_put(db, email, &history, &revised, now)?;
        for row in db.query("SELECT developer FROM developer WHERE member = $1", &values![email])? {
            changed.insert(row.get(0)?);
        }
    }
    Ok(changed)
}

fn history_put(db: &mut Db, email: &str, history: &[Stay], revised: &[Stay], now: Timestamp) -> Result<()> {
    let now_text = now.to_string();
    for stay in history.iter().filter(|stay| !revised.contains(stay)) {
        db.execute(
            "UPDATE team_member SET superseded_at = $4
             WHERE developer = $1 AND valid_from = $2 AND team = $3 AND superseded_at IS NULL",
            &values![email, stay.from.to_string(), &stay.team, &now_text],
        )?;
    }
    for stay in revised.iter().filter(|stay| !history.contains(stay)) {
        db.execute(
            "INSERT INTO team_member (developer, team, valid_from, valid_until, recorded_at)
             VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (developer, valid_from, team, recorded_at) DO UPDATE
             SET valid_until = excluded.valid_until, superseded_at = NULL",
            &values![
                email,
                &stay.team,
                stay.from.to_string(),
                stay.until.map(|hour| hour.to_string()),
                &now_text
            ],
        )?;
    }
    let detail = format!("was {}; is {}", told(history), told(revised));
    audit_add(db, now, &Event { actor: ACTOR, action: "membership_changed", subject: email, detail })
}

/// `payments 2026-01-01T00:00:00Z..`, or `in no team`.
fn told(stays: &[Stay]) -> String {
    if stays.is_empty() {
        return "in no team".to_owned();
    }
    let until = |stay: &Stay| stay.until.map(|hour| hour.to_string()).unwrap_or_default();
    stays
        .iter()
        .map(|stay| format!("{} {}..{}", stay.team, stay.from, until(stay)))
        .collect::<Vec<_>>()
        .join(", ")
}

fn read_stays(rows: &[Row]) -> Result<Vec<Stay>> {
    let read = |row: &Row| {
        let until = row.get::<Option<String>>(2)?.map(|hour| hour.parse()).transpose()?;
        Ok(Stay { team: row.get(0)?, from: row.parse(1)?, until })
    };
    let mut stays = rows.iter().map(read).collect::<Result<Vec<_>>>()?;
    stays.sort();
    Ok(stays)
}

/// Gives the usage of an identity to the teams its history now says.
fn usage_reassign(db: &mut Db, name: &str, sums: &mut SumChange) -> Result<()> {
    let who = values![name];
    let person = match crate::people::developer(name) {
        Some(developer) => person_find(db, &developer)?,
        None => Person::default(),
    };
    let team_of = |slot: &Slot| slot.hour.parse().map_or(UNASSIGNED, |hour| person.team_at(hour));
    let mut slots = usage_sums(db, "developer = $1", &who)?;
    slots.retain(|(slot, _)| team_of(slot) != slot.part.team);
    if !slots.is_empty() {
        for row in db.query("SELECT DISTINCT session_id FROM session WHERE developer = $1", &who)? {
            attribution_forget(db, &row.get::<String>(0)?)?;
        }
    }
    for (slot, sum) in slots {
        let team = team_of(&slot);
        sums.give(slot.part, team, &sum);
        db.execute(
            "UPDATE usage SET team = $3 WHERE developer = $1 AND hour = $2",
            &values![name, &slot.hour, team],
        )?;
    }
    Ok(())
}

#[derive(PartialEq)]
struct Slot {
    hour: String,
    part: Part,
}

/// Gives the usage of one session to its new owner and the teams of the owner's history.
pub(crate) fn usage_give(db: &mut Db, session: &str, owner: &Developer) -> Result<()> {
    let name = identity(owner);
    let person = person_find(db, owner)?;
    attribution_forget(db, session)?;
    let mut sums = SumChange::default();
    for (slot, sum) in usage_sums(db, "session_id = $1", &values![session])? {
        let team = slot.hour.parse().map_or(UNASSIGNED, |hour| person.team_at(hour));
        sums.give(slot.part, team, &sum);
        db.execute(
            "UPDATE usage SET developer = $3, team = $4 WHERE session_id = $1 AND hour = $2",
            &values![session, &slot.hour, &name, team],
        )?;
    }
    sums.store(db)
}

/// The sums of the usage rows that `condition` picks, by hour and part.
fn usage_sums(db: &mut Db, condition: &str, values: &[super::db::Value]) -> Result<Vec<(Slot, Sum)>> {
    let sql = format!(
        "SELECT team, week, hour, cost_basis, requests, input, output, cache_read, cache_write_5m,
            cache_write_1h, web_search, cost_nanousd, repo, model
         FROM usage WHERE {condition} ORDER BY team, week, hour, repo, model"
    );
    let mut sums: Vec<(Slot, Sum)> = Vec::new();
    for row in db.query(&sql, values)? {
        let part = Part { team: row.get(0)?, week: row.get(1)?, repo: row.get(12)?, model: row.get(13)? };
        let slot = Slot { hour: row.get(2)?, part };
        let tokens = Tokens {
            input: row.get(5)?,
            output: row.get(6)?,
            cache_read: row.get(7)?,
            cache_write_5m: row.get(8)?,
            cache_write_1h: row.get(9)?,
            web_search: row.get(10)?,
        };
        let cost = row.get::<Option<i64>>(11)?.map(NanoUsd);
        let sum = Sum::of(row.get(4)?, &tokens, cost, row.word(3, CostBasis::from_word)?);
        match sums.last_mut() {
            Some((last, total)) if *last == slot => total.add(&sum, 1),
            _ => sums.push((slot, sum)),
        }
    }
    Ok(sums)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::fixture::{now, on_both, rows, teams};

    const ONE: &str =
        "[[team]]\nid = \"pay\"\nmembers = [{ email = \"ana@acme.example\", aliases = [\"github:ana\"] }]";
    const HISTORY: &str = "SELECT developer, team, valid_from, valid_until FROM team_member
        WHERE superseded_at IS NULL ORDER BY developer, valid_from";
    const ACTIONS: &str = "SELECT action, subject FROM audit ORDER BY audit_id";

    #[test]
    fn the_first_map_is_kept_with_who_did_what() {
        on_both(|db| {
            teams(db, ONE, now());
            assert_eq!(rows(db, HISTORY), ["ana@acme.example|pay|1970-01-01T00:00:00Z|"]);
            assert_eq!(
                rows(db, "SELECT developer, kind, member FROM developer ORDER BY developer"),
                ["ana@acme.example|email|ana@acme.example", "github:ana|alias|ana@acme.example"]
            );
            assert_eq!(rows(db, ACTIONS), ["team_added|pay", "membership_changed|ana@acme.example"]);
            teams(db, ONE, now());
            assert_eq!(rows(db, ACTIONS).len(), 2);
        });
    }

    #[test]
    fn a_move_takes_effect_now_and_keeps_what_was_believed_before() {
        on_both(|db| {
            teams(db, ONE, now());
            teams(db, &ONE.replace("pay", "web"), "2026-11-25T13:30:00Z".parse().unwrap());
            let expected = [
                "ana@acme.example|pay|1970-01-01T00:00:00Z|2026-11-25T13:00:00Z",
                "ana@acme.example|web|2026-11-25T13:00:00Z|",
            ];
            assert_eq!(rows(db, HISTORY), expected);
            let before = "SELECT team, valid_until FROM team_member WHERE superseded_at IS NOT NULL";
            assert_eq!(rows(db, before), ["pay|"]);
            assert_eq!(
                rows(db, "SELECT team, ended_at FROM team ORDER BY team")[0],
                "pay|2026-11-25T13:00:00Z"
            );
        });
    }

    #[test]
    fn a_renamed_team_keeps_its_past() {
        on_both(|db| {
            teams(db, ONE, now());
            teams(db, &ONE.replace("\"pay\"", "\"payments\"\nformerly = [\"pay\"]"), now());
            assert_eq!(rows(db, HISTORY), ["ana@acme.example|payments|1970-01-01T00:00:00Z|"]);
            assert_eq!(rows(db, "SELECT team FROM team"), ["payments"]);
        });
    }

    #[test]
    fn a_name_goes_with_its_member_until_somebody_else_has_it() {
        on_both(|db| {
            let whose = "SELECT member FROM developer WHERE developer = 'github:ana'";
            teams(db, ONE, now());
            teams(db, "", now());
            assert_eq!(rows(db, whose), ["ana@acme.example"]);
            teams(db, &ONE.replace("github:ana", "github:other"), now());
            assert_eq!(rows(db, whose), [""]);
            teams(db, &ONE.replace("ana@acme", "eve@acme"), now());
            assert_eq!(rows(db, whose), ["eve@acme.example"]);
        });
    }

    #[test]
    fn spend_of_a_team_follows_the_team_it_went_to() {
        on_both(|db| {
            let merged =
                "[[team]]\nid = \"a\"\nuntil = \"2026-03-01\"\nmerged_into = \"b\"\n[[team]]\nid = \"b\"";
            teams(db, merged, now());
            let person = person_find(db, &Developer::Team("a".parse().unwrap())).unwrap();
            let team = |hour: &str| person.team_at(hour.parse().unwrap()).to_owned();
            assert_eq!([team("2026-02-28T23:00:00Z"), team("2026-03-01T00:00:00Z")], ["a", "b"]);
        });
    }
}
