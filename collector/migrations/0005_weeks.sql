-- What a team's changes became, week by week, beside what it spent.

-- Of the spend, what a cordon keeps out of the cost of an outcome.
ALTER TABLE team_week_sum ADD COLUMN cordon_nanousd BIGINT NOT NULL DEFAULT 0;

-- Changes by team and by the week they shipped in, told by every policy the team ever had: the sums of change_tally.
CREATE TABLE team_week_tally (
    team TEXT NOT NULL,
    week TEXT NOT NULL,
    policy_id BIGINT NOT NULL REFERENCES policy (policy_id),
    verified BIGINT NOT NULL,
    disqualified BIGINT NOT NULL,
    pending BIGINT NOT NULL,
    PRIMARY KEY (team, week, policy_id)
);

-- The part of each repository in them, as it was last judged.
CREATE TABLE change_tally (
    repo TEXT NOT NULL,
    team TEXT NOT NULL,
    week TEXT NOT NULL,
    policy_id BIGINT NOT NULL REFERENCES policy (policy_id),
    verified BIGINT NOT NULL,
    disqualified BIGINT NOT NULL,
    pending BIGINT NOT NULL,
    PRIMARY KEY (repo, team, week, policy_id)
);

-- By which policies a team's changes were judged, and for when.
CREATE TABLE judging (
    team TEXT NOT NULL,
    policy_id BIGINT NOT NULL REFERENCES policy (policy_id),
    holds BIGINT NOT NULL,               -- 1: the policy the team is judged by today; 0: a former one
    computed_at TEXT NOT NULL,           -- the instant the counts are true for
    immature_from TEXT NOT NULL,         -- the first week in which a change may still be undecided
    PRIMARY KEY (team, policy_id)
);

-- The weeks of a team once for every policy it ever had: what another window would say.
CREATE VIEW team_week_policy AS
WITH t AS MATERIALIZED (
    SELECT known.team, (
        SELECT MIN(first.week) FROM (
            SELECT MIN(week) AS week FROM team_week_sum WHERE team = known.team
            UNION ALL
            SELECT MIN(week) AS week FROM team_week_tally WHERE team = known.team
        ) AS first
    ) AS first_week
    FROM (SELECT team FROM team UNION SELECT 'unassigned' AS team) AS known
)
SELECT
    r.team, r.week, r.policy_id, r.window_days, r.hotfix_hours, r.holds,
    r.requests, r.input, r.output, r.cache_read, r.cache_write_5m, r.cache_write_1h, r.web_search,
    r.input + r.output + r.cache_read + r.cache_write_5m + r.cache_write_1h AS tokens,
    r.billed_nanousd, r.list_equivalent_nanousd, r.cordon_nanousd,
    r.billed_nanousd + r.list_equivalent_nanousd AS spend_nanousd,
    r.billed_nanousd / 1000000000.0 AS billed_usd,
    r.list_equivalent_nanousd / 1000000000.0 AS list_equivalent_usd,
    (r.billed_nanousd + r.list_equivalent_nanousd) / 1000000000.0 AS spend_usd,
    r.cordon_nanousd / 1000000000.0 AS cordon_usd,
    r.unpriced_rows,
    r.verified + r.disqualified AS attempted,
    r.verified, r.disqualified, r.pending,
    CASE WHEN r.mature = 1 AND r.verified + r.disqualified > 0
        THEN r.verified * 1.0 / (r.verified + r.disqualified) END AS verified_share,
    CASE WHEN r.mature = 1 AND r.verified > 0
        THEN (r.billed_nanousd + r.list_equivalent_nanousd - r.cordon_nanousd) / 1000000000.0 / r.verified
        END AS cpvo_usd,
    r.mature, r.computed_at
FROM (
    SELECT
        t.team, w.week, j.policy_id, p.window_days, p.hotfix_hours, COALESCE(j.holds, 1) AS holds, j.computed_at,
        COALESCE(x.requests, 0) AS requests,
        COALESCE(x.input, 0) AS input,
        COALESCE(x.output, 0) AS output,
        COALESCE(x.cache_read, 0) AS cache_read,
        COALESCE(x.cache_write_5m, 0) AS cache_write_5m,
        COALESCE(x.cache_write_1h, 0) AS cache_write_1h,
        COALESCE(x.web_search, 0) AS web_search,
        COALESCE(x.billed_nanousd, 0) AS billed_nanousd,
        COALESCE(x.list_equivalent_nanousd, 0) AS list_equivalent_nanousd,
        COALESCE(x.cordon_nanousd, 0) AS cordon_nanousd,
        COALESCE(x.unpriced_rows, 0) AS unpriced_rows,
        CAST(CASE WHEN w.week < j.immature_from THEN 1 ELSE 0 END AS BIGINT) AS mature,
        CASE WHEN j.team IS NOT NULL THEN COALESCE(o.verified, 0) END AS verified,
        CASE WHEN j.team IS NOT NULL THEN COALESCE(o.disqualified, 0) END AS disqualified,
        CASE WHEN j.team IS NOT NULL THEN COALESCE(o.pending, 0) END AS pending
    FROM t
    JOIN week AS w ON w.week >= t.first_week
    LEFT JOIN team_week_sum AS x ON x.team = t.team AND x.week = w.week
    LEFT JOIN judging AS j ON j.team = t.team
    LEFT JOIN team_week_tally AS o ON o.team = t.team AND o.week = w.week AND o.policy_id = j.policy_id
    LEFT JOIN policy AS p ON p.policy_id = j.policy_id
) AS r;

-- Exactly one row per team and week from the team's first spend or change to now.
-- Counts are NULL before the first judging, a share or a cost of an outcome where the week is not mature.
DROP VIEW team_week;
CREATE VIEW team_week AS
SELECT
    team, week, requests, input, output, cache_read, cache_write_5m, cache_write_1h, web_search, tokens,
    billed_nanousd, list_equivalent_nanousd, spend_nanousd, cordon_nanousd,
    billed_usd, list_equivalent_usd, spend_usd, cordon_usd, unpriced_rows,
    attempted, verified, disqualified, pending, verified_share, cpvo_usd, mature, policy_id, computed_at
FROM team_week_policy WHERE holds = 1;
