-- What `scripts/bench judge` judges next: the last change of a repository is taken back, and its source was read.
.bail on
BEGIN;
CREATE TEMP TABLE target AS
SELECT repo, sha, number, title, strftime('%Y-%m-%dT%H:%M:%SZ', merged_at, '+1 day') AS at FROM change WHERE repo = 'github.com/acme/repo0' ORDER BY landed DESC LIMIT 1;

INSERT INTO change (repo, sha, landed, number, title, author, merged_at, shipped_at)
SELECT
    repo, printf('%040x', 3), 1000000000, 1000000000, 'Revert "' || title || '"', 'dev0@acme.example',
    at, at
FROM target;

INSERT INTO change_commit
SELECT
    repo, printf('%040x', 3), printf('%040x', 3),
    'Revert "' || title || ' (#' || number || ')" (#1000000000)' || char(10) || char(10) || 'Reverts #' || number
FROM target;

INSERT INTO change_file
SELECT f.repo, printf('%040x', 3), f.path FROM target AS t JOIN change_file AS f ON f.repo = t.repo AND f.change_sha = t.sha;

UPDATE repo_news SET news = news + 1 WHERE repo = (SELECT repo FROM target);
COMMIT;
