-- Weeks that closed, and what they were restated to.
--
-- A week of a team closes once it is mature: all its sources were read past its end and the window behind that. What is
-- learnt later about its outcomes restates it, with a row here and one of `audit`. Spend is never frozen.

-- What the outcomes of a week were when it closed, and at each restatement since: the last one holds.
CREATE TABLE closing (
    team TEXT NOT NULL,
    week TEXT NOT NULL,
    restatement BIGINT NOT NULL,         -- 0: as it closed; then counted
    policy_id BIGINT NOT NULL REFERENCES policy (policy_id),
    verified BIGINT NOT NULL,
    disqualified BIGINT NOT NULL,
    spend_nanousd BIGINT NOT NULL,       -- by then
    recorded_at TEXT NOT NULL,
    why TEXT NOT NULL,                   -- what made it another; '' as it closed
    PRIMARY KEY (team, week, restatement)
);

-- One row per team and closed week: how it closed, how it stands, and what was spent in it that came late.
CREATE VIEW team_week_closing AS
SELECT
    f.team, f.week, f.recorded_at AS closed_at,
    f.verified AS closed_verified, f.disqualified AS closed_disqualified,
    l.verified, l.disqualified,
    l.restatement AS restatements, CASE WHEN l.restatement > 0 THEN l.recorded_at END AS restated_at, l.why, l.policy_id,
    COALESCE(s.billed_nanousd + s.list_equivalent_nanousd, 0) - f.spend_nanousd AS late_spend_nanousd,
    (COALESCE(s.billed_nanousd + s.list_equivalent_nanousd, 0) - f.spend_nanousd) / 1000000000.0 AS late_spend_usd
FROM closing AS f
JOIN closing AS l ON l.team = f.team AND l.week = f.week AND l.restatement = (
    SELECT MAX(m.restatement) FROM closing AS m WHERE m.team = f.team AND m.week = f.week
)
LEFT JOIN team_week_sum AS s ON s.team = f.team AND s.week = f.week
WHERE f.restatement = 0;
