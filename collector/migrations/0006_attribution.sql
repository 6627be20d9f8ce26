-- Which change each part of the spend built.
--
-- All usage rows of one session, repository, branch and hour go the same way, mostly for hours on end: one row of
-- `attribution_span` says it for all of them, and `attribution` row by row. `cpvo judge` writes it; whatever
-- changes the usage of a session takes its spans away, and what no span covers is `unjudged`.

-- Where the spend of a session on a branch went, from one hour to another.
CREATE TABLE attribution_span (
    session_id TEXT NOT NULL,
    repo TEXT NOT NULL,                  -- the session's, which may be a fork of the change's
    week TEXT NOT NULL,
    branch TEXT NOT NULL,
    first_hour TEXT NOT NULL,
    last_hour TEXT NOT NULL,             -- the last one with spend
    class TEXT NOT NULL,                 -- cordon, ci, commit, review, branch, carried, in-flight, abandoned, never-PR,
                                         -- unattributed
    rule TEXT NOT NULL,                  -- what it was told by, such as commit, head_branch, named, no_pr_source
    change_repo TEXT,                    -- the repository of the request or change it went into; NULL: none
    change TEXT,                         -- the sha of the change; NULL: none, or it has not landed
    number BIGINT,                       -- of the request; NULL: none
    PRIMARY KEY (session_id, repo, week, branch, first_hour)
);
CREATE INDEX attribution_span_of_change ON attribution_span (change_repo, change);

-- The judged spend by team, week and class, kept in the transaction that changes what it sums.
CREATE TABLE class_sum (
    team TEXT NOT NULL,
    week TEXT NOT NULL,
    class TEXT NOT NULL,
    cost_nanousd BIGINT NOT NULL,
    PRIMARY KEY (team, week, class)
);

-- Rules that keep work out of the metric, such as experiments that were never meant to ship.
CREATE TABLE cordon (
    cordon_id BIGINT NOT NULL PRIMARY KEY,
    repo TEXT,                           -- each part that is not NULL must hold
    branch TEXT,                         -- * stands for any text
    label TEXT,                          -- of the request, in lower case
    path TEXT,                           -- of each file the change touches; * stands for any text
    reason TEXT NOT NULL,
    recorded_at TEXT NOT NULL,
    ended_at TEXT                        -- when it was taken back; NULL: it holds
);

-- The class of each usage row, and the change it went into; a row that is missing here is unjudged.
CREATE VIEW attribution AS
SELECT
    u.session_id, u.repo, u.week, u.hour, u.branch, u.model, u.agent, u.workflow, u.speed, u.geo, u.prompt_band, u.source,
    a.class, a.rule,
    CASE
        WHEN a.class IN ('ci', 'commit') THEN 'exact'
        WHEN a.class = 'branch' THEN 'high'
        WHEN a.class IN ('review', 'carried') THEN 'medium'
        WHEN a.class = 'cordon' THEN 'policy'
    END AS confidence,
    a.change_repo, a.change, a.number,
    u.team, u.developer, u.cost_nanousd
FROM attribution_span AS a
JOIN usage AS u ON u.session_id = a.session_id AND u.repo = a.repo AND u.week = a.week
    AND u.hour BETWEEN a.first_hour AND a.last_hour AND u.branch = a.branch;

-- The spend of each team and week by class; with `unjudged` the classes sum to all of it.
CREATE VIEW team_week_class AS
SELECT team, week, class, cost_nanousd, cost_nanousd / 1000000000.0 AS cost_usd
FROM (
    SELECT team, week, class, cost_nanousd FROM class_sum
    UNION ALL
    SELECT s.team, s.week, 'unjudged' AS class,
        s.billed_nanousd + s.list_equivalent_nanousd - COALESCE(x.judged_nanousd, 0) AS cost_nanousd
    FROM team_week_sum AS s
    LEFT JOIN (
        SELECT team, week, CAST(SUM(cost_nanousd) AS BIGINT) AS judged_nanousd FROM class_sum GROUP BY team, week
    ) AS x ON x.team = s.team AND x.week = s.week
) AS c
WHERE cost_nanousd <> 0;

-- What each change cost, in whichever week it was spent; without cordoned spend.
CREATE VIEW change_cost AS
SELECT
    c.sha AS change, c.team, c.repo, c.number, c.merged_at, c.state,
    COALESCE(x.cost_nanousd, 0) / 1000000000.0 AS cost_usd,
    COALESCE(x.sessions, 0) AS sessions,
    COALESCE(x.review_nanousd, 0) / 1000000000.0 AS review_cost_usd, -- a part of cost_usd
    COALESCE(x.cost_nanousd, 0) AS cost_nanousd,
    COALESCE(x.review_nanousd, 0) AS review_nanousd,
    COALESCE(x.tokens, 0) AS tokens,
    COALESCE(x.ai_assisted, 0) AS ai_assisted                        -- 1: spend is known to have built it
FROM change AS c
LEFT JOIN (
    SELECT
        a.change_repo, a.change,
        CAST(COALESCE(SUM(u.cost_nanousd), 0) AS BIGINT) AS cost_nanousd,
        CAST(COALESCE(SUM(CASE WHEN a.class = 'review' THEN u.cost_nanousd END), 0) AS BIGINT) AS review_nanousd,
        CAST(SUM(u.input + u.output + u.cache_read + u.cache_write_5m + u.cache_write_1h) AS BIGINT) AS tokens,
        COUNT(DISTINCT a.session_id) AS sessions,
        MAX(CASE WHEN a.class IN ('ci', 'commit', 'branch') THEN 1 ELSE 0 END) AS ai_assisted
    FROM attribution_span AS a
    JOIN usage AS u ON u.session_id = a.session_id AND u.repo = a.repo AND u.week = a.week
        AND u.hour BETWEEN a.first_hour AND a.last_hour AND u.branch = a.branch
    WHERE a.change IS NOT NULL AND a.class <> 'cordon'
    GROUP BY a.change_repo, a.change
) AS x ON x.change_repo = c.repo AND x.change = c.sha;

-- In repositories with reports: who landed something in a week, and who of them reported in that week.
CREATE VIEW coverage AS
SELECT
    repo, week,
    COUNT(*) AS authors,
    CAST(SUM(reports) AS BIGINT) AS reporting_authors,
    CAST(SUM(reports) AS BIGINT) * 1.0 / COUNT(*) AS share
FROM (
    SELECT c.repo, w.week, COALESCE(d.member, c.author) AS author, MAX(CASE WHEN r.person IS NULL THEN 0 ELSE 1 END) AS reports
    FROM change AS c
    JOIN week AS w ON c.merged_at >= w.starts_at AND c.merged_at < w.ends_at
    LEFT JOIN developer AS d ON d.developer = c.author
    LEFT JOIN (
        SELECT DISTINCT s.repo, s.week, COALESCE(p.member, p.developer) AS person
        FROM session AS s JOIN developer AS p ON p.developer = s.developer
    ) AS r ON r.repo = c.repo AND r.week = w.week AND r.person = COALESCE(d.member, c.author)
    WHERE c.repo IN (SELECT repo FROM session) AND (c.excluded_as IS NULL OR c.excluded_as <> 'dependencies')
    GROUP BY c.repo, w.week, COALESCE(d.member, c.author)
) AS a
GROUP BY repo, week;
