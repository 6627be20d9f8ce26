//! Requests as their hosts have them, and what they tell of the changes they became.

use super::change::{kept, title};
use super::db::{Db, Row, Value, values};
use super::news::repo_news;
use super::ticket::ticket_put;
use crate::source::{Effort, LandedCommit, MEMBERS_MAX, Request};
use anyhow::Result;
use jiff::Timestamp;
use meter::Repo;

/// Stores a request as it is now, and completes the change it became.
pub(crate) fn request_put(db: &mut Db, repo: &Repo, service: &str, request: &Request) -> Result<()> {
    let key = values![repo.as_str(), request.number];
    let former = request_rows(db, &key)?;
    head_put(db, repo, request)?;
    db.execute("DELETE FROM pull_request_commit WHERE repo = $1 AND number = $2 AND landed = 0", &key)?;
    let says = request.commits.len() <= MEMBERS_MAX;
    for (place, commit) in (1_u64..).zip(&request.commits) {
        let message = if says { kept(&commit.message) } else { "" };
        db.execute(
            "INSERT INTO pull_request_commit (repo, number, sha, landed, place, author, message)
             VALUES ($1, $2, $3, $4, $5, $6, $7)
             ON CONFLICT (repo, number, sha) DO UPDATE SET place = excluded.place, author = excluded.author",
            &values![
                repo.as_str(),
                request.number,
                &commit.sha,
                request.fast_forward,
                place,
                &commit.author,
                message
            ],
        )?;
    }
    db.execute("DELETE FROM pull_request_file WHERE repo = $1 AND number = $2", &key)?;
    for path in &request.files {
        db.execute(
            "INSERT INTO pull_request_file (repo, number, path) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
            &values![repo.as_str(), request.number, path],
        )?;
    }
    // while it is known to close them
    request.tickets.iter().try_for_each(|ticket| ticket_put(db, service, ticket))?;
    db.execute("DELETE FROM pull_request_ticket WHERE repo = $1 AND number = $2", &key)?;
    for ticket in &request.tickets {
        db.execute(
            "INSERT INTO pull_request_ticket (repo, number, ticket) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
            &values![repo.as_str(), request.number, &ticket.url],
        )?;
    }
    if former != request_rows(db, &key)? {
        repo_news(db, repo)?;
    }
    request_complete(db, repo, request.number)
}

/// All that is stored of a request.
fn request_rows(db: &mut Db, key: &[Value]) -> Result<[Vec<Row>; 4]> {
    let mut of = |table: &str, order: &str| {
        db.query(&format!("SELECT * FROM {table} WHERE repo = $1 AND number = $2 ORDER BY {order}"), key)
    };
    Ok([
        of("pull_request", "number")?,
        of("pull_request_commit", "sha")?,
        of("pull_request_file", "path")?,
        of("pull_request_ticket", "ticket")?,
    ])
}

fn head_put(db: &mut Db, repo: &Repo, request: &Request) -> Result<()> {
    let mut labels: Vec<String> = request.labels.iter().map(|label| label.to_lowercase()).collect();
    labels.sort();
    let mut row: Vec<Value> = values![
        repo.as_str(),
        request.number,
        title(&request.title),
        kept(&request.body),
        &request.base_branch,
        request.head_repo.as_ref()
    ]
    .into();
    row.extend(values![&request.head_branch, request.author.as_ref(), whole(request.opened_at)]);
    row.extend(values![request.merged_at.map(whole), request.closed_at.map(whole)]);
    row.extend(values![request.merge_sha.as_ref(), labels.join("\n")]);
    let Effort { lines, reviewed_at, reviews, comments } = request.effort;
    row.extend(values![lines, reviewed_at.map(whole), reviews, comments]);
    db.execute(
        "INSERT INTO pull_request (repo, number, title, body, base_branch, head_repo, head_branch, author,
            opened_at, merged_at, closed_at, merge_sha, labels, lines_changed, reviewed_at, reviews, comments)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
         ON CONFLICT (repo, number) DO UPDATE SET title = excluded.title, body = excluded.body,
            base_branch = excluded.base_branch, head_repo = excluded.head_repo,
            head_branch = excluded.head_branch, author = excluded.author, opened_at = excluded.opened_at,
            merged_at = excluded.merged_at, closed_at = excluded.closed_at, merge_sha = excluded.merge_sha,
            labels = excluded.labels, lines_changed = excluded.lines_changed, reviewed_at = excluded.reviewed_at,
            reviews = excluded.reviews, comments = excluded.comments",
        &row,
    )?;
    Ok(())
}

/// In whole seconds, so that instants sort as the text they are stored as.
pub(super) fn whole(at: Timestamp) -> String {
    Timestamp::from_second(at.as_second()).unwrap_or(at).to_string()
}

/// Remembers which request brought a commit to the tracked branch, where it is known.
pub(crate) fn request_landed(db: &mut Db, repo: &Repo, landed: &LandedCommit) -> Result<()> {
    let Some(number) = landed.number else { return Ok(()) };
    let LandedCommit { commit, .. } = landed;
    repo_news(db, repo)?;
    db.execute(
        "INSERT INTO pull_request_commit (repo, number, sha, landed, place, author, message)
         SELECT repo, number, $3, 1, 0, $4, $5 FROM pull_request WHERE repo = $1 AND number = $2
         ON CONFLICT (repo, number, sha) DO UPDATE SET landed = 1",
        &values![repo.as_str(), number, &commit.sha, &commit.author, kept(&commit.message)],
    )?;
    Ok(())
}

/// The request that brought a commit to the tracked branch, as its host says.
pub(super) fn request_of_commit(db: &mut Db, repo: &Repo, sha: &str) -> Result<Option<u64>> {
    let rows = db.query(
        "SELECT number FROM pull_request WHERE repo = $1 AND merge_sha = $2 AND merged_at IS NOT NULL
         UNION SELECT number FROM pull_request_commit WHERE repo = $1 AND sha = $2 AND landed = 1
         ORDER BY number LIMIT 1",
        &values![repo.as_str(), sha],
    )?;
    rows.first().map(|row| row.get(0)).transpose()
}

/// Whether a commit was stored before its host said which request brought it: it lies in another change.
pub(crate) fn request_missed(db: &mut Db, repo: &Repo, sha: &str) -> Result<bool> {
    let Some(number) = request_of_commit(db, repo, sha)? else { return Ok(false) };
    let rows = db.query(
        "SELECT c.sha FROM change_commit AS m JOIN change AS c ON c.repo = m.repo AND c.sha = m.change_sha
         WHERE m.repo = $1 AND m.sha = $2 AND (c.number IS NULL OR c.number <> $3)",
        &values![repo.as_str(), sha, number],
    )?;
    Ok(!rows.is_empty())
}

/// Completes the change that a request became: who made it where, when it landed, in which commits and files.
pub(super) fn request_complete(db: &mut Db, repo: &Repo, number: u64) -> Result<()> {
    let key = values![repo.as_str(), number];
    let merged =
        "SELECT c.sha FROM change AS c JOIN pull_request AS p ON p.repo = c.repo AND p.number = c.number
        WHERE c.repo = $1 AND c.number = $2 AND p.merged_at IS NOT NULL";
    let Some(change) = db.query(merged, &key)?.first().map(|row| row.get::<String>(0)).transpose()? else {
        return Ok(());
    };
    let row = values![repo.as_str(), number, &change];
    db.execute(
        "UPDATE change SET
            head_branch = (SELECT head_branch FROM pull_request WHERE repo = $1 AND number = $2),
            author = COALESCE((SELECT author FROM pull_request_commit
                WHERE repo = $1 AND number = $2 AND place > 0 AND author <> '' ORDER BY place LIMIT 1), author)
         WHERE repo = $1 AND sha = $3",
        &row,
    )?;
    // a commit that was fast-forwarded is older than its landing; when it shipped, the next judging finds anew
    db.execute(
        "UPDATE change SET merged_at = p.merged_at, shipped_at = p.merged_at
         FROM pull_request AS p JOIN source AS s ON s.repo = p.repo AND s.branch = p.base_branch
         WHERE p.repo = $1 AND p.number = $2 AND change.repo = $1 AND change.sha = $3
            AND change.merged_at <> p.merged_at",
        &row,
    )?;
    db.execute(
        "INSERT INTO change_commit (repo, sha, change_sha, message)
         SELECT repo, sha, $3, message FROM pull_request_commit WHERE repo = $1 AND number = $2
         ON CONFLICT DO NOTHING",
        &row,
    )?;
    db.execute(
        "INSERT INTO change_file (repo, change_sha, path)
         SELECT repo, $3, path FROM pull_request_file WHERE repo = $1 AND number = $2 ON CONFLICT DO NOTHING",
        &row,
    )?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{Commit, Effort, Landed, RequestCommit, Ticket};
    use crate::store::change::{Cursor, Order, change_add, source_put};
    use crate::store::fixture::{now, on_both, rows};

    fn repo() -> Repo {
        "github.com/acme/pay".parse().unwrap()
    }

    /// A request whose commits are `sha author`, oldest first.
    fn request(number: u64, commits: &[&str]) -> Request {
        let pushed = |commit: &&str| {
            let (sha, author) = commit.split_once(' ').unwrap();
            RequestCommit { sha: sha.to_owned(), author: author.to_owned(), message: "wip".to_owned() }
        };
        Request {
            number,
            title: "Add x".to_owned(),
            body: "as asked".to_owned(),
            base_branch: "main".to_owned(),
            head_repo: Some("github.com/ana/pay".to_owned()),
            head_branch: "feature/x".to_owned(),
            author: Some("github:ana".to_owned()),
            opened_at: "2026-10-01T08:00:00Z".parse().unwrap(),
            merged_at: Some(now()),
            closed_at: Some(now()),
            merge_sha: Some("m".to_owned()),
            labels: vec!["Bug".to_owned()],
            fast_forward: false,
            effort: Effort::default(),
            commits: commits.iter().map(pushed).collect(),
            files: vec!["x.rs".to_owned()],
            tickets: vec![Ticket { url: "https://x/1".to_owned(), id: "1".to_owned(), events: Vec::new() }],
        }
    }

    fn commit(sha: &str, message: &str) -> Commit {
        let (author, message) = ("zoe@x".to_owned(), message.to_owned());
        Commit { sha: sha.to_owned(), parents: Vec::new(), committed_at: now(), author, message }
    }

    fn put(db: &mut Db, request: &Request) {
        db.transaction(|db| request_put(db, &repo(), "github", request)).unwrap();
    }

    fn land(db: &mut Db, sha: &str, message: &str) {
        let landed = Landed { commit: commit(sha, message), members: Vec::new(), files: Vec::new() };
        let cursor = Cursor { kind: "clone", branch: "main", commit: sha };
        source_put(db, &repo(), &cursor, now()).unwrap();
        change_add(db, &repo(), &[landed], Order::AsRead).unwrap();
    }

    const PUSHED: &str =
        "SELECT sha, landed, place, author FROM pull_request_commit ORDER BY number, place, sha";

    #[test]
    fn a_request_is_kept_as_its_host_has_it_now() {
        on_both(|db| {
            put(db, &request(1, &["c1 ana@x", "c2 ana@x"]));
            let landed = LandedCommit { commit: commit("c2", "Add x"), number: Some(1) };
            request_landed(db, &repo(), &landed).unwrap();
            let mut pushed = request(1, &["c3 ben@x", "c2 ben@x"]);
            pushed.title = "Add y".to_owned();
            pushed.body = "as asked again".to_owned();
            pushed.base_branch = "trunk".to_owned();
            pushed.head_repo = None;
            pushed.head_branch = "feature/y".to_owned();
            pushed.author = None;
            pushed.opened_at = "2026-10-02T08:00:00Z".parse().unwrap();
            (pushed.merged_at, pushed.closed_at, pushed.merge_sha) = (None, None, Some("n".to_owned()));
            pushed.labels = vec!["Sev-1".to_owned(), "hotfix".to_owned()];
            (pushed.files, pushed.tickets) = (vec!["y.rs".to_owned()], Vec::new());
            put(db, &pushed);
            let head = "github.com/acme/pay|1|Add y|as asked again|trunk||feature/y||2026-10-02T08:00:00Z|||n|hotfix\nsev-1||||";
            assert_eq!(rows(db, "SELECT * FROM pull_request"), [head]);
            assert_eq!(rows(db, PUSHED), ["c3|0|1|ben@x", "c2|1|2|ben@x"], "what landed stays so");
            assert_eq!(rows(db, "SELECT path FROM pull_request_file"), ["y.rs"]);
            assert!(rows(db, "SELECT * FROM pull_request_ticket").is_empty());
        });
    }

    #[test]
    fn a_commit_is_of_the_request_that_landed_it() {
        let of = |db: &mut Db, sha: &str| request_of_commit(db, &repo(), sha).unwrap();
        on_both(|db| {
            let mut open = request(3, &["c1 ana@x"]);
            open.merged_at = None;
            put(db, &open);
            // an open request names the commit that would land it
            assert_eq!((of(db, "m"), of(db, "c1")), (None, None));
            put(db, &request(3, &["c1 ana@x"]));
            assert_eq!((of(db, "m"), of(db, "c1")), (Some(3), None));
            let landed = LandedCommit { commit: commit("c1", "Add x"), number: Some(3) };
            request_landed(db, &repo(), &landed).unwrap();
            put(db, &request(2, &[]));
            assert_eq!((of(db, "m"), of(db, "c1")), (Some(2), Some(3)), "the first of several");
            let elsewhere = "github.com/acme/web".parse().unwrap();
            assert_eq!(request_of_commit(db, &elsewhere, "m").unwrap(), None);
            assert_eq!(request_of_commit(db, &elsewhere, "c1").unwrap(), None);
        });
    }

    #[test]
    fn a_merged_request_completes_its_change_and_no_other() {
        let known = "SELECT number, COALESCE(head_branch, '-'), author FROM change ORDER BY number";
        on_both(|db| {
            land(db, "a", "Add x (#1)");
            land(db, "b", "Add y (#2)");
            let mut open = request(1, &["c1 ", "c2 ben@x", "c3 ana@x"]);
            (open.merged_at, open.merge_sha) = (None, None);
            put(db, &open);
            assert_eq!(rows(db, known), ["1|-|zoe@x", "2|-|zoe@x"]);
            assert!(rows(db, "SELECT * FROM change_file").is_empty());
            put(db, &Request { merged_at: Some(now()), ..open });
            assert_eq!(rows(db, known), ["1|feature/x|ben@x", "2|-|zoe@x"], "the first who is known");
            let commits = "SELECT sha, change_sha FROM change_commit ORDER BY sha";
            assert_eq!(rows(db, commits), ["a|a", "b|b", "c1|a", "c2|a", "c3|a"]);
            assert_eq!(rows(db, "SELECT change_sha, path FROM change_file"), ["a|x.rs"]);
        });
    }

    #[test]
    fn a_change_landed_when_its_request_was_merged() {
        let known = "SELECT sha, merged_at, shipped_at FROM change ORDER BY sha";
        let (committed, merged) = ("2026-11-25T12:00:00Z", "2026-11-28T12:00:00Z");
        let merged_into = |number, branch: &str| Request {
            base_branch: branch.to_owned(),
            merged_at: merged.parse().ok(),
            fast_forward: true,
            merge_sha: None,
            ..request(number, &[&format!("c{number} ana@x")])
        };
        on_both(|db| {
            put(db, &merged_into(1, "main"));
            put(db, &merged_into(3, "develop"));
            land(db, "c1", "Add x");
            land(db, "c2", "Add y (#2)");
            land(db, "c3", "Add z");
            let at = |sha: &str, at: &str| format!("{sha}|{at}|{at}");
            assert_eq!(rows(db, known), [at("c1", merged), at("c2", committed), at("c3", committed)]);
            put(db, &merged_into(2, "main"));
            assert_eq!(rows(db, known), [at("c1", merged), at("c2", merged), at("c3", committed)]);
            let released = "2026-11-29T12:00:00Z";
            db.batch(&format!("UPDATE change SET shipped_at = '{released}'")).unwrap();
            put(db, &merged_into(2, "main"));
            let of_second = "SELECT shipped_at FROM change WHERE sha = 'c2'";
            assert_eq!(rows(db, of_second), [released], "what is told once more changes nothing");
        });
    }

    #[test]
    fn the_host_knows_better_than_the_message_which_request_it_was() {
        on_both(|db| {
            put(db, &request(2, &[]));
            land(db, "m", "Add x, as in (#9)");
            land(db, "n", "Add y (#8)");
            assert_eq!(rows(db, "SELECT number, sha FROM change ORDER BY landed"), ["2|m", "8|n"]);
        });
    }

    #[test]
    fn a_title_of_megabytes_is_cut_between_letters() {
        let long = "é".repeat(5 << 19);
        let lengths = "SELECT LENGTH(title) FROM change UNION ALL SELECT LENGTH(title) FROM pull_request";
        on_both(|db| {
            put(db, &Request { title: long.clone() + "x", ..request(1, &[]) });
            put(db, &Request { title: format!("x{long}"), ..request(2, &[]) });
            land(db, "n", &long);
            let mut kept = rows(db, lengths);
            kept.sort();
            assert_eq!(kept, ["512", "512", "512"]);
        });
    }

    #[test]
    fn a_request_that_imports_a_history_says_nothing() {
        on_both(|db| {
            for (count, said) in [(MEMBERS_MAX, MEMBERS_MAX), (MEMBERS_MAX + 1, 0)] {
                let commits: Vec<String> = (0..count).map(|place| format!("{place} ana@x")).collect();
                put(db, &request(1, &commits.iter().map(String::as_str).collect::<Vec<_>>()));
                let words = "SELECT COUNT(*), SUM(LENGTH(message)) FROM pull_request_commit";
                assert_eq!(rows(db, words), [format!("{count}|{}", said * "wip".len())]);
            }
        });
    }
}
