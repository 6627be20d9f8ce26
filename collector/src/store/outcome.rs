//! What became of the changes: read for the judge, written by it, listed for whoever asks.

use super::db::{Db, Fields, Row, Value, values};
use super::news::repo_news;
use super::people::{Person, person_find};
use crate::people::repository::CODE_OWNERS;
use anyhow::Result;
use jiff::Timestamp;
use meter::outcome::{CodeOwners, Objection, Owner, Revert, owner};
use meter::{Developer, Hour, Repo};
use std::collections::BTreeMap;

/// A change as it was read, with what it was judged to be.
pub(crate) struct Stored {
    pub sha: String,
    pub number: Option<u64>,
    pub title: String,
    pub head_branch: Option<String>,
    pub author: String,
    pub merged_at: Timestamp,
    pub shipped_at: Timestamp,
    /// The title of its request, where a host was asked; a commit of it may have landed under another.
    pub request_title: String,
    /// What its request says below that.
    pub body: String,
    pub judgement: Option<Judgement>,
}

/// What a change was judged to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Judgement {
    pub team: String,
    pub policy_id: i64,
    pub state: String,
    pub excluded_as: Option<String>,
}

/// The changes of a repository that landed by `at`, in the order of landing.
pub(crate) fn change_list(db: &mut Db, repo: &Repo, at: Timestamp) -> Result<Vec<Stored>> {
    db.list(
        "SELECT c.sha, c.number, c.title, c.head_branch, c.author, c.merged_at, c.shipped_at, c.team, c.policy_id,
            c.state, c.excluded_as, COALESCE(p.title, ''), COALESCE(p.body, '')
         FROM change AS c LEFT JOIN pull_request AS p
            ON p.repo = c.repo AND p.number = c.number AND p.merged_at IS NOT NULL
         WHERE c.repo = $1 AND c.merged_at <= $2 ORDER BY c.landed, c.number, c.sha",
        &values![repo.as_str(), at.to_string()],
        read,
    )
}

fn read(row: &Fields) -> Result<Stored> {
    let judgement = match (row.get(7)?, row.get(8)?, row.get(9)?) {
        (Some(team), Some(policy_id), Some(state)) => {
            Some(Judgement { team, policy_id, state, excluded_as: row.get(10)? })
        }
        _ => None,
    };
    Ok(Stored {
        sha: row.get(0)?,
        number: row.get(1)?,
        title: row.get(2)?,
        head_branch: row.get(3)?,
        author: row.get(4)?,
        merged_at: row.parse(5)?,
        shipped_at: row.parse(6)?,
        request_title: row.get(11)?,
        body: row.get(12)?,
        judgement,
    })
}

/// The commits of each change with their messages, by the change's sha.
pub(crate) type Commits = BTreeMap<String, Vec<(String, String)>>;

pub(crate) fn change_commits(db: &mut Db, repo: &Repo) -> Result<Commits> {
    let sql = "SELECT change_sha, sha, message FROM change_commit WHERE repo = $1";
    let mut commits = Commits::new();
    db.each(sql, &values![repo.as_str()], |row| {
        let commit = (row.get(1)?, row.get(2)?);
        match commits.get_mut(row.text(0)?) {
            Some(commits) => commits.push(commit),
            None => drop(commits.insert(row.get(0)?, vec![commit])),
        }
        Ok(())
    })?;
    Ok(commits)
}

/// The files of each change, by the change's sha.
pub(crate) fn change_files(db: &mut Db, repo: &Repo) -> Result<BTreeMap<String, Vec<String>>> {
    let mut files: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let sql = "SELECT change_sha, path FROM change_file WHERE repo = $1";
    db.each(sql, &values![repo.as_str()], |row| {
        let path = row.get(1)?;
        match files.get_mut(row.text(0)?) {
            Some(files) => files.push(path),
            None => drop(files.insert(row.get(0)?, vec![path])),
        }
        Ok(())
    })?;
    Ok(files)
}

/// The first instant after `at` at which something that is stored of a repository happens.
pub(crate) fn change_due(db: &mut Db, repo: &Repo, at: Timestamp) -> Result<Option<Timestamp>> {
    let row = db.query_one(
        "SELECT MIN(at) FROM (
            SELECT MIN(merged_at) AS at FROM change WHERE repo = $1 AND merged_at > $2
            UNION ALL SELECT MIN(opened_at) FROM pull_request WHERE repo = $1 AND opened_at > $2
            UNION ALL SELECT MIN(merged_at) FROM pull_request WHERE repo = $1 AND merged_at > $2
            UNION ALL SELECT MIN(closed_at) FROM pull_request WHERE repo = $1 AND closed_at > $2
            UNION ALL SELECT MIN(e.happened_at) FROM pull_request_ticket AS p
                JOIN ticket_event AS e ON e.ticket = p.ticket WHERE p.repo = $1 AND e.happened_at > $2
            UNION ALL SELECT MIN(e.happened_at) FROM ticket_event AS e WHERE e.happened_at > $2
                AND e.ticket IN (SELECT k.ticket FROM ticket_key AS k JOIN ticket_event AS r ON r.ticket = k.ticket
                    WHERE r.event = 'reopened')
         ) AS due",
        &values![repo.as_str(), at.to_string()],
    )?;
    Ok(row.get::<Option<String>>(0)?.map(|at| at.parse()).transpose()?)
}

/// Who a repository belongs to.
pub(crate) struct Owners {
    /// With the hour their team ended.
    all: Vec<(Owner, Option<String>)>,
    /// The files of each change, where somebody owns a part.
    files: BTreeMap<String, Vec<String>>,
    /// Who the authors are that were asked for.
    people: BTreeMap<String, Person>,
    /// By the repository's own word.
    named: CodeOwners,
}

/// What a repository's CODEOWNERS said when its clone was last read.
fn code_owners(db: &mut Db, repo: &Repo) -> Result<String> {
    let rows = db.query("SELECT text FROM code_owners WHERE repo = $1", &values![repo.as_str()])?;
    rows.first().map_or(Ok(String::new()), |row| row.get(0))
}

/// Stores it.
pub(crate) fn code_owners_put(db: &mut Db, repo: &Repo, text: &str) -> Result<()> {
    if code_owners(db, repo)? == text {
        return Ok(());
    }
    repo_news(db, repo)?;
    db.execute(
        "INSERT INTO code_owners (repo, text) VALUES ($1, $2) ON CONFLICT (repo) DO UPDATE SET text = excluded.text",
        &values![repo.as_str(), text],
    )?;
    Ok(())
}

pub(crate) fn owners_find(db: &mut Db, repo: &Repo) -> Result<Owners> {
    let rows = db.query(
        "SELECT t.team, r.paths, t.ended_at FROM team_repository AS r JOIN team AS t ON t.team = r.team
         WHERE r.repo = $1",
        &values![repo.as_str()],
    )?;
    let read = |row: &Row| {
        let (mut paths, mut handles) = (Vec::new(), Vec::new());
        for line in row.get::<String>(1)?.lines() {
            match line.strip_prefix(CODE_OWNERS) {
                Some(handle) => handles.push(handle.to_owned()),
                None => paths.push(line.to_owned()),
            }
        }
        Ok((Owner { team: row.get(0)?, paths, handles }, row.get(2)?))
    };
    let all: Vec<(Owner, Option<String>)> = rows.iter().map(read).collect::<Result<_>>()?;
    let shared = all.iter().any(|(owner, _)| !owner.paths.is_empty() || !owner.handles.is_empty());
    let files = if shared { change_files(db, repo)? } else { BTreeMap::new() };
    Ok(Owners { all, files, people: BTreeMap::new(), named: CodeOwners::parse(&code_owners(db, repo)?) })
}

impl Owners {
    /// The team that owned most of the change when it landed, else the author's.
    pub(crate) fn team_of(&mut self, db: &mut Db, change: &Stored) -> Result<String> {
        let hour = Hour::of(change.merged_at);
        let then = hour.to_string();
        let living: Vec<&(Owner, Option<String>)> = self
            .all
            .iter()
            .filter(|(_, ended_at)| ended_at.as_ref().is_none_or(|ended_at| *ended_at > then))
            .collect();
        // who owns today what a team owned until it ended came after it
        let later = |(one, ended_at): &(Owner, Option<String>)| {
            ended_at.is_none()
                && living.iter().any(|(other, ended_at)| {
                    ended_at.is_some() && other.paths == one.paths && other.handles == one.handles
                })
        };
        let owners: Vec<&Owner> = living.iter().filter(|one| !later(one)).map(|(owner, _)| owner).collect();
        let files = self.files.get(&change.sha).map_or(&[][..], Vec::as_slice);
        if let Some(team) = owner(&owners, files, &self.named) {
            return Ok(team.to_owned());
        }
        if !self.people.contains_key(&change.author) {
            let author = change.author.parse().ok().map(Developer::Email);
            let person = author.map(|author| person_find(db, &author)).transpose()?.unwrap_or_default();
            self.people.insert(change.author.clone(), person);
        }
        Ok(self.people[&change.author].team_at(hour).to_owned())
    }
}

/// Stores what a change was judged to be.
pub(crate) fn change_judge(db: &mut Db, repo: &Repo, sha: &str, judgement: &Judgement) -> Result<()> {
    let Judgement { team, policy_id, state, excluded_as } = judgement;
    db.execute(
        "UPDATE change SET team = $3, policy_id = $4, state = $5, excluded_as = $6 WHERE repo = $1 AND sha = $2",
        &values![repo.as_str(), sha, team, *policy_id, state, excluded_as.as_ref()],
    )?;
    Ok(())
}

/// Begins a judging: what landed after `at` has no state, and no change is taken back yet.
pub(crate) fn judging_begin(db: &mut Db, repo: &Repo, at: Timestamp) -> Result<()> {
    let key = values![repo.as_str()];
    db.execute("DELETE FROM disqualification WHERE repo = $1", &key)?;
    db.execute("DELETE FROM suspicion WHERE repo = $1", &key)?;
    db.execute("DELETE FROM revert WHERE repo = $1", &key)?;
    db.execute("DELETE FROM reopen WHERE repo = $1", &key)?;
    let row = values![repo.as_str(), at.to_string()];
    db.execute(
        "UPDATE change SET team = NULL, policy_id = NULL, state = NULL, excluded_as = NULL
         WHERE repo = $1 AND merged_at > $2 AND state IS NOT NULL",
        &row,
    )?;
    db.execute("UPDATE source SET judged_at = $2 WHERE repo = $1", &row)?;
    Ok(())
}

/// One change that took another back or brought it again.
pub(crate) struct Found<'a> {
    pub target: &'a Stored,
    pub by: &'a Stored,
    pub revert: &'a Revert,
    pub in_window: bool,
}

pub(crate) fn revert_add(db: &mut Db, repo: &Repo, found: &Found) -> Result<()> {
    let Found { target, by, revert, in_window } = found;
    let (rule, at) = (revert.rule.as_str(), by.merged_at.to_string());
    let mut row: Vec<Value> =
        values![repo.as_str(), &target.sha, &by.sha, rule, revert.kind.as_str(), revert.partial].into();
    row.extend(values![*in_window, &at]);
    db.execute(
        "INSERT INTO revert (repo, sha, by_sha, rule, kind, partial, in_window, reverted_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        &row,
    )?;
    Ok(())
}

/// Where what speaks against a change is kept.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Weight {
    /// It is why the change is no outcome.
    Disqualifies,
    /// It would be, were the team judged literally.
    Suspected,
}

/// Stores what speaks against `target`.
pub(crate) fn objection_add(
    db: &mut Db,
    repo: &Repo,
    (target, by): (&Stored, &Stored),
    objection: &Objection,
    weight: Weight,
) -> Result<()> {
    let table = match weight {
        Weight::Disqualifies => "disqualification",
        Weight::Suspected => "suspicion",
    };
    let (kind, at) = (objection.cause.as_str(), by.merged_at.to_string());
    db.execute(
        &format!(
            "INSERT INTO {table} (repo, sha, kind, rule, by_sha, happened_at) VALUES ($1, $2, $3, $4, $5, $6)"
        ),
        &values![repo.as_str(), &target.sha, kind, objection.rule, &by.sha, &at],
    )?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::Db;
    use crate::judge::judge_all;
    use crate::store::fixture::{now, on_both, rows, teams};

    const TEAMS: &str = r#"
[[team]]
id = "pay"
repositories = [{ repo = "github.com/acme/all", paths = ["services/pay/**", "libs/money"] }]
[[team]]
id = "web"
repositories = [{ repo = "github.com/acme/all", paths = ["apps/*"] }]
members = [{ email = "ana@acme.example" }]
[[team]]
id = "gone"
until = "2026-01-01"
repositories = [{ repo = "github.com/acme/all", paths = ["**"] }]
"#;

    #[test]
    fn a_change_over_several_teams_counts_once_for_who_owns_most_of_it() {
        on_both(|db| {
            teams(db, TEAMS, now());
            db.batch(
                "INSERT INTO source VALUES ('github.com/acme/all', 'clone', 'main', 'x', '2026-11-25T00:00:00Z', NULL)",
            )
            .unwrap();
            let changes = [
                ("ana@acme.example", "services/pay/a.rs libs/money/b.rs apps/c.ts"),
                ("x", "apps/c.ts services/pay/a.rs apps/x/d.ts"),
                ("ana@acme.example", "services/pay/a.rs apps/c.ts"),
                ("x", "services/pay/a.rs apps/c.ts"),
                ("x", "docs/readme.md"),
            ];
            for (number, (author, files)) in (1..).zip(changes) {
                let at = "2026-11-02T10:00:00Z";
                db.batch(&format!(
                    "INSERT INTO change (repo, sha, landed, number, title, author, merged_at, shipped_at)
                     VALUES ('github.com/acme/all', 'a{number}', {number}, {number}, '', '{author}', '{at}', '{at}')"
                ))
                .unwrap();
                for file in files.split(' ') {
                    let row = format!(
                        "INSERT INTO change_file VALUES ('github.com/acme/all', 'a{number}', '{file}')"
                    );
                    db.batch(&row).unwrap();
                }
            }
            judge_all(db, now(), now(), |_, _| Ok(())).unwrap();
            let owners = rows(db, "SELECT number, team FROM change ORDER BY number");
            assert_eq!(owners, ["1|pay", "2|web", "3|web", "4|unassigned", "5|unassigned"]);
            let counted = "SELECT SUM(verified + disqualified + pending) FROM team_week_tally AS t
                JOIN judging AS j ON j.team = t.team AND j.policy_id = t.policy_id WHERE j.holds = 1";
            assert_eq!(rows(db, counted), ["5"]);
        });
    }

    #[test]
    fn what_a_team_owned_until_it_ended_stays_its_own() {
        const FORMER: &str =
            "[[team]]\nid = \"shop\"\nrepositories = [\"github.com/acme/all\"]\nmembers = []\n";
        on_both(|db| {
            teams(db, FORMER, now());
            db.batch(
                "INSERT INTO source VALUES ('github.com/acme/all', 'clone', 'main', 'x', '2026-11-25T00:00:00Z', NULL);
                 INSERT INTO change (repo, sha, landed, number, title, author, merged_at, shipped_at) VALUES
                    ('github.com/acme/all', 'a1', 1, 1, '', 'ana@acme.example', '2026-11-02T10:00:00Z',
                     '2026-11-02T10:00:00Z')",
            )
            .unwrap();
            let owner = |db: &mut Db| {
                judge_all(db, now(), now(), |_, _| Ok(())).unwrap();
                rows(db, "SELECT team FROM change")
            };
            assert_eq!(owner(db), ["shop"]);
            teams(db, &FORMER.replace("shop", "store"), now());
            assert_eq!(owner(db), ["shop"], "its successor owns what comes");
        });
    }
}
