-- What `scripts/bench judge` judges: :changes changes of twenty repositories, and :sessions sessions that built them.
.bail on
PRAGMA journal_mode = WAL;
PRAGMA synchronous = OFF;
PRAGMA cache_size = -400000;
BEGIN;

INSERT INTO source (repo, kind, branch, cursor, synced_at)
WITH RECURSIVE r(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM r WHERE n < 19)
SELECT 'github.com/acme/repo' || n, 'clone', 'main', 'none', '2026-11-22T00:00:00Z' FROM r;

INSERT INTO developer (developer, kind, first_seen_at)
WITH RECURSIVE d(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM d WHERE n < 1999)
SELECT 'dev' || n || '@acme.example', 'email', '2023-12-01T00:00:00Z' FROM d;

CREATE TEMP TABLE landed AS
WITH RECURSIVE c(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM c WHERE n < :changes - 1)
SELECT
    n, 'github.com/acme/repo' || (n % 20) AS repo, printf('%040x', n * 2654435761 + 1) AS sha,
    strftime('%Y-%m-%dT%H:%M:%SZ', 1704067200 + CAST(n * 90000000.0 / :changes AS INTEGER), 'unixepoch') AS merged_at
FROM c;

INSERT INTO change (repo, sha, landed, number, title, head_branch, author, merged_at, shipped_at)
SELECT
    repo, sha, n, n + 1, 'Change ' || n, CASE WHEN n % 5 < 2 THEN 'feature/' || n END,
    'dev' || (n % 2000) || '@acme.example', merged_at, merged_at
FROM landed;

INSERT INTO change_commit
SELECT repo, sha, sha, 'Change ' || n || ' (#' || (n + 1) || ')' FROM landed
UNION ALL SELECT repo, printf('%040x', n * 2654435761 + 2), sha, 'Part of change ' || n FROM landed;

INSERT INTO change_file
WITH RECURSIVE f(k) AS (SELECT 0 UNION ALL SELECT k + 1 FROM f WHERE k < 4)
SELECT repo, sha, 'src/part' || (n % 500) || '/file' || k || '.rs' FROM landed, f;

CREATE TEMP TABLE worked AS
WITH RECURSIVE s(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM s WHERE n < :sessions - 1),
at(n, place, started) AS (
    SELECT n, n * 7919 % :changes, (1704067200 + CAST((n * 7919 % :changes) * 90000000.0 / :changes AS INTEGER)) / 3600 * 3600 - 28800
    FROM s
)
SELECT
    printf('%08x-0000-4000-8000-%012x', n * 2654435761 % 4294967296, n) AS session_id,
    n, place, started, 'github.com/acme/repo' || (place % 20) AS repo,
    'dev' || (place % 2000) || '@acme.example' AS developer,
    -- of an ISO week, the year and the number are its Thursday's
    strftime('%Y-W', started, 'unixepoch', '-3 days', 'weekday 4')
        || printf('%02d', (strftime('%j', started, 'unixepoch', '-3 days', 'weekday 4') + 6) / 7) AS week
FROM at;

INSERT INTO session
SELECT
    session_id, repo, week, developer, 'claimed', 'i', 't', repo, 1, 1, 1, 'd', 0, 20, 'claude-code', '2', 'cli', '1',
    CASE WHEN n % 50 = 0 THEN 'ci' ELSE 'local' END, 'anthropic', 'api', NULL, NULL, 'other',
    1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, '2026-11-22T00:00:00Z', 20
FROM worked ORDER BY n;

INSERT INTO session_commit
SELECT session_id, repo, week, printf('%040x', place * 2654435761 + 2), 'feature/' || place,
    strftime('%Y-%m-%dT%H:%M:%SZ', started + 9000, 'unixepoch')
FROM worked WHERE n % 3 = 0;

INSERT INTO session_pull_request
SELECT session_id, repo, week, place + 1, 'created', strftime('%Y-%m-%dT%H:%M:%SZ', started + 14000, 'unixepoch')
FROM worked WHERE place % 5 IN (2, 3);

INSERT INTO usage
WITH RECURSIVE h(k) AS (SELECT 0 UNION ALL SELECT k + 1 FROM h WHERE k < 4),
m(model, agent) AS (VALUES
    ('claude-opus-5-5', 'main'), ('claude-opus-5-5', 'subagent'), ('claude-haiku-5-5', 'subagent'), ('claude-haiku-5-5', 'overhead'))
SELECT
    session_id, repo, week, strftime('%Y-%m-%dT%H:00:00Z', started + k * 3600, 'unixepoch'),
    CASE WHEN k = 0 THEN 'main' ELSE 'feature/' || place END, model, agent, 'main', 'standard', '', '100k', 'hook',
    developer, 'unassigned', 1, 10, 100, 1000, 0, 0, 0, 123456789, NULL, 'list'
FROM worked, h, m
-- a session may not cross a week: its hours are all of the one it began in
WHERE date(started + k * 3600, 'unixepoch', '-3 days', 'weekday 4') = date(started, 'unixepoch', '-3 days', 'weekday 4')
ORDER BY n;

INSERT INTO session_asked
SELECT session_id, repo, week, place + 1, 'feature/' || place FROM worked
WHERE place % 5 IN (2, 3) AND EXISTS (
    SELECT 1 FROM usage AS u WHERE u.session_id = worked.session_id AND u.repo = worked.repo AND u.week = worked.week
        AND u.hour = strftime('%Y-%m-%dT%H:00:00Z', started + 14000, 'unixepoch')
);

INSERT INTO team_week_sum (
    team, week, usage_rows, unpriced_rows, requests, input, output, cache_read, cache_write_5m, cache_write_1h, web_search,
    billed_nanousd, list_equivalent_nanousd)
SELECT team, week, COUNT(*), 0, SUM(requests), SUM(input), SUM(output), SUM(cache_read), 0, 0, 0, SUM(cost_nanousd), 0
FROM usage GROUP BY team, week;
INSERT INTO spend_sum (
    team, week, repo, model, usage_rows, unpriced_rows, requests, input, output, cache_read, cache_write_5m, cache_write_1h,
    web_search, billed_nanousd, list_equivalent_nanousd)
SELECT team, week, repo, model, COUNT(*), 0, SUM(requests), SUM(input), SUM(output), SUM(cache_read), 0, 0, 0, SUM(cost_nanousd), 0
FROM usage GROUP BY team, week, repo, model;
UPDATE usage_sum SET cost_nanousd = (SELECT SUM(cost_nanousd) FROM usage), counts = (SELECT SUM(1 + 1110) FROM usage);
COMMIT;
