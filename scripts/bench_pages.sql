-- What `scripts/bench pages` shows: :teams teams over 260 weeks, each with two repositories, two models and five changes a
-- week, a session each.
.bail on
PRAGMA journal_mode = WAL;
PRAGMA synchronous = OFF;
PRAGMA cache_size = -400000;
BEGIN;

CREATE TEMP TABLE t AS
WITH RECURSIVE r(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM r WHERE n < :teams - 1)
SELECT n, printf('team%03d', n) AS team FROM r;
CREATE TEMP TABLE w AS
WITH RECURSIVE r(n, at) AS (
    SELECT 0, CAST(strftime('%s', 'now', '-6 days', 'weekday 1', 'start of day') AS INTEGER)
    UNION ALL SELECT n + 1, at - 604800 FROM r WHERE n < 259
)
-- of an ISO week, the year and the number are its Thursday's
SELECT n, at, strftime('%Y-W', at, 'unixepoch', '+3 days') || printf('%02d', (strftime('%j', at, 'unixepoch', '+3 days') + 6) / 7) AS week
FROM r;
CREATE TEMP TABLE m AS SELECT 'claude-opus-5-5' AS model, 3 AS share UNION ALL SELECT 'claude-haiku-5-5', 1;

INSERT INTO team (team, name) SELECT team, 'Team ' || n FROM t;
INSERT INTO policy (policy_id, team, window_days, hotfix_hours, strictness, reason, recorded_at)
SELECT n + 1000, team, 14, 72, 'targeted', 'as teams.toml first said', '2020-01-01T00:00:00Z' FROM t;
INSERT INTO source (repo, kind, branch, cursor, synced_at)
SELECT 'github.com/acme/repo' || n || 'a', 'clone', 'main', 'none', strftime('%Y-%m-%dT%H:00:00Z', 'now') FROM t
UNION ALL SELECT 'github.com/acme/repo' || n || 'b', 'clone', 'main', 'none', strftime('%Y-%m-%dT%H:00:00Z', 'now') FROM t;
INSERT OR IGNORE INTO week SELECT week, strftime('%Y-%m-%dT00:00:00Z', at, 'unixepoch'), strftime('%Y-%m-%dT00:00:00Z', at + 604800, 'unixepoch') FROM w;
INSERT INTO developer (developer, kind, member, first_seen_at)
SELECT 'dev' || n || '@acme.example', 'email', 'dev' || n || '@acme.example', '2020-01-01T00:00:00Z' FROM t;

CREATE TEMP TABLE c AS
WITH RECURSIVE k(k) AS (SELECT 0 UNION ALL SELECT k + 1 FROM k WHERE k < 4)
SELECT
    t.n * 1300 + w.n * 5 + k.k AS id, t.n, t.team, w.week, w.at + k.k * 86400 + 36000 AS at,
    'github.com/acme/repo' || t.n || CASE WHEN k.k < 3 THEN 'a' ELSE 'b' END AS repo
FROM t, w, k;

INSERT INTO change (repo, sha, landed, number, title, head_branch, author, merged_at, shipped_at, team, policy_id, state)
SELECT repo, printf('%040x', id), id, id + 1, 'Change ' || id, 'feature/' || id, 'dev' || n || '@acme.example',
    strftime('%Y-%m-%dT%H:%M:%SZ', at, 'unixepoch'), strftime('%Y-%m-%dT%H:%M:%SZ', at, 'unixepoch'), team, n + 1000,
    CASE WHEN at > CAST(strftime('%s', 'now', '-14 days') AS INTEGER) THEN 'pending' WHEN id % 9 = 0 THEN 'disqualified' ELSE 'verified' END
FROM c WHERE at < CAST(strftime('%s', 'now') AS INTEGER);

CREATE TEMP TABLE s AS
SELECT printf('%08x-0000-4000-8000-%012x', id, 0) AS session_id, c.*, at / 3600 * 3600 - 7200 AS began FROM c
WHERE at < CAST(strftime('%s', 'now') AS INTEGER);
INSERT INTO session
SELECT
    session_id, repo, week, 'dev' || n || '@acme.example', 'claimed', 'i', 't', repo, 1, 1, 1, 'd', 0, 20, 'claude-code', '2', 'cli', '1',
    'local', 'anthropic', 'api', NULL, NULL, 'other', 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, '2026-01-01T00:00:00Z', 20
FROM s;
INSERT INTO usage
SELECT
    session_id, repo, week, strftime('%Y-%m-%dT%H:00:00Z', began, 'unixepoch'), 'feature/' || id, model, 'main', 'main', 'standard', '', '100k',
    'hook', 'dev' || n || '@acme.example', team, 1, 10, 100, 1000, 0, 0, 0, 1234567890 * share, NULL, 'list'
FROM s, m;
INSERT INTO attribution_span (session_id, repo, week, branch, first_hour, last_hour, class, rule, change_repo, change, number)
SELECT session_id, repo, week, 'feature/' || id, strftime('%Y-%m-%dT%H:00:00Z', began, 'unixepoch'), strftime('%Y-%m-%dT%H:00:00Z', began, 'unixepoch'),
    'branch', 'head_branch', repo, printf('%040x', id), id + 1
FROM s;

INSERT INTO spend_sum (
    team, week, repo, model, usage_rows, unpriced_rows, requests, input, output, cache_read, cache_write_5m, cache_write_1h,
    web_search, billed_nanousd, list_equivalent_nanousd)
SELECT team, week, repo, model, COUNT(*), 0, SUM(requests), SUM(input), SUM(output), SUM(cache_read), 0, 0, 0, SUM(cost_nanousd), 0
FROM usage GROUP BY team, week, repo, model;
INSERT INTO team_week_sum (
    team, week, usage_rows, unpriced_rows, requests, input, output, cache_read, cache_write_5m, cache_write_1h, web_search,
    billed_nanousd, list_equivalent_nanousd)
SELECT team, week, SUM(usage_rows), 0, SUM(requests), SUM(input), SUM(output), SUM(cache_read), 0, 0, 0, SUM(billed_nanousd), 0
FROM spend_sum GROUP BY team, week;
INSERT INTO class_sum (team, week, class, cost_nanousd) SELECT team, week, 'branch', billed_nanousd FROM team_week_sum;
UPDATE usage_sum SET cost_nanousd = (SELECT SUM(cost_nanousd) FROM usage), counts = (SELECT SUM(1111) FROM usage);

INSERT INTO change_tally (repo, team, week, policy_id, verified, disqualified, pending, targeted_verified, targeted_disqualified,
    literal_verified, literal_disqualified)
SELECT c.repo, c.team, k.week, c.policy_id, SUM(c.state = 'verified'), SUM(c.state = 'disqualified'), SUM(c.state = 'pending'),
    SUM(c.state = 'verified'), SUM(c.state = 'disqualified'), SUM(c.state = 'verified'), SUM(c.state = 'disqualified')
FROM change AS c JOIN week AS k ON c.shipped_at >= k.starts_at AND c.shipped_at < k.ends_at GROUP BY c.repo, c.team, k.week, c.policy_id;
INSERT INTO team_week_tally (team, week, policy_id, verified, disqualified, pending)
SELECT team, week, policy_id, SUM(verified), SUM(disqualified), SUM(pending) FROM change_tally GROUP BY team, week, policy_id;
INSERT INTO judging SELECT team, n + 1000, 1, strftime('%Y-%m-%dT%H:00:00Z', 'now'), (SELECT week FROM w WHERE w.n = 3) FROM t;
ANALYZE;
COMMIT;
