//! What changes are marked with besides their titles: labels of their requests, tags of their commits, and what they
//! turn round.

use super::db::{Db, values};
use super::news::repo_news;
use anyhow::Result;
use meter::Repo;
use std::collections::{BTreeMap, BTreeSet};

/// Makes the tags of a repository these: names and the commits they stand for.
pub(crate) fn tag_replace(db: &mut Db, repo: &Repo, tags: &[(String, String)]) -> Result<()> {
    let known: BTreeSet<(String, String)> = tag_list(db, repo)?
        .into_iter()
        .flat_map(|(sha, tags)| tags.into_iter().map(move |tag| (tag, sha.clone())))
        .collect();
    if known == tags.iter().cloned().collect() {
        return Ok(());
    }
    repo_news(db, repo)?;
    db.execute("DELETE FROM tag WHERE repo = $1", &values![repo.as_str()])?;
    for (tag, sha) in tags {
        db.execute(
            "INSERT INTO tag (repo, tag, sha) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
            &values![repo.as_str(), tag, sha],
        )?;
    }
    Ok(())
}

/// The tags of a repository by the commit they stand for.
pub(crate) fn tag_list(db: &mut Db, repo: &Repo) -> Result<BTreeMap<String, Vec<String>>> {
    let mut tags: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let sql = "SELECT sha, tag FROM tag WHERE repo = $1 ORDER BY tag";
    for row in db.query(sql, &values![repo.as_str()])? {
        tags.entry(row.get(0)?).or_default().push(row.get(1)?);
    }
    Ok(tags)
}

/// The labels of the requests that landed, by number.
pub(crate) fn label_list(db: &mut Db, repo: &Repo) -> Result<BTreeMap<u64, Vec<String>>> {
    let sql = "SELECT number, labels FROM pull_request
        WHERE repo = $1 AND merged_at IS NOT NULL AND labels <> ''";
    let mut labels = BTreeMap::new();
    for row in db.query(sql, &values![repo.as_str()])? {
        labels.insert(row.get(0)?, row.get::<String>(1)?.lines().map(str::to_owned).collect());
    }
    Ok(labels)
}

/// Notes changes that are turned round, each with the one that does it.
pub(crate) fn inverse_add(db: &mut Db, repo: &Repo, turned: &[(String, String)]) -> Result<()> {
    for (sha, by_sha) in turned {
        let sql = "INSERT INTO inverse_patch (repo, by_sha, sha) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
        db.execute(sql, &values![repo.as_str(), by_sha, sha])?;
    }
    Ok(())
}

/// What each change turns round.
pub(crate) fn inverse_list(db: &mut Db, repo: &Repo) -> Result<BTreeMap<String, String>> {
    let sql = "SELECT by_sha, sha FROM inverse_patch WHERE repo = $1";
    let rows = db.query(sql, &values![repo.as_str()])?;
    rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect()
}
